//! The configuration: which runs, with each value and its origin, and the request to reload it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Gateway;
use super::problem::Problem;
use crate::board::ConfigView;
use crate::reload::{NotServed, ReloadError, Reloaded};
use crate::view::gateway::EffectiveView;

/// `GET /v1/config`
pub async fn show(State(gateway): State<Gateway>) -> Json<ConfigView> {
    Json(gateway.board.snapshot().config)
}

/// `GET /v1/config/effective`
pub async fn effective(State(gateway): State<Gateway>) -> Json<EffectiveView> {
    let effective = gateway.effective.as_ref();
    Json(effective.map_or_else(EffectiveView::default, |view| view.borrow().clone()))
}

/// `POST /v1/config/reload`
pub async fn reload(State(gateway): State<Gateway>) -> Result<Json<Reloaded>, Problem> {
    let Some(reloads) = gateway.reloads.as_ref() else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "the demonstration has no configuration file, so there is nothing to reload",
            "start the gateway with `stockrelay run` and a configuration file to reload one",
        ));
    };
    let stopping = || {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the daemon cannot reload its configuration, because it is starting or stopping",
            "send the request again when the daemon has started",
        )
    };
    match reloads.request().await {
        Ok(Ok(reloaded)) => Ok(Json(reloaded)),
        Ok(Err(error)) => Err(error.into()),
        Err(NotServed) => Err(stopping()),
    }
}

impl From<ReloadError> for Problem {
    fn from(error: ReloadError) -> Self {
        let mut problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            error.to_string(),
            "correct this and reload again; the gateway continues with the configuration before",
        );
        problem.refusal.faults = error.faults;
        problem
    }
}
