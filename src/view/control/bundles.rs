//! Bundles: one that comes over the socket, the return to the configuration before, the history.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::{Extension, Json};

use super::Gateway;
use super::decide::Decision;
use super::problem::Problem;
use crate::fleet::machine::Answer;
use crate::fleet::orders::OrderError;
use crate::fleet::reception::Reception;
use crate::fleet::record::HistoryEntry;
use crate::view::http::Peer;
use crate::view::records::{BundleAnswer, ConfigHistory, ConfigHistoryEntry};

type BundleResult = Result<Json<BundleAnswer>, Problem>;

/// `POST /v1/config/bundle`: the body is the bundle. With `?again`, a bundle that was rolled back
/// is tried again.
pub async fn offer(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> BundleResult {
    let bytes = body.map_err(|rejection| {
        let error = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "the bundle has more than 16 MiB".to_owned(),
            _ => "the bundle did not arrive completely".to_owned(),
        };
        let remedy =
            "send a bundle of at most 16 MiB; leave files out, or split it by site or group";
        Problem::new(rejection.status(), error, remedy)
    })?;
    let is_again = match query.as_deref() {
        None | Some("") => false,
        Some("again" | "again=true") => true,
        Some(other) => {
            let error = format!(
                "unknown parameter {:?}",
                other.chars().take(100).collect::<String>()
            );
            return Err(Problem::bad(error, "use ?again=true, or no parameter"));
        }
    };
    let by = person(peer)?;
    let taken = reception(&gateway)?.take_bundle(bytes, &by, is_again).await;
    answer(taken, StatusCode::UNPROCESSABLE_ENTITY)
}

/// `POST /v1/config/rollback`
pub async fn roll_back(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
) -> BundleResult {
    let by = person(peer)?;
    let taken = reception(&gateway)?.roll_back(&by).await;
    answer(taken, StatusCode::CONFLICT)
}

/// `GET /v1/config/history`: the newest first.
pub async fn history(State(gateway): State<Gateway>) -> Result<Json<ConfigHistory>, Problem> {
    let status = reception(&gateway)?.status();
    let entry = |entry: &HistoryEntry| ConfigHistoryEntry {
        at: entry.at,
        by: entry.by.clone(),
        serial: entry.serial,
        outcome: entry.outcome.name().to_owned(),
        reason: entry.reason.clone(),
    };
    let history = status.borrow().history.iter().rev().map(entry).collect();
    Ok(Json(ConfigHistory { history }))
}

fn reception(gateway: &Gateway) -> Result<&Reception, Problem> {
    if gateway.reloads.is_none() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "the demonstration has no configuration file, so it takes no bundles",
            "start the gateway with `stockrelay run` and a configuration file to try bundles",
        ));
    }
    gateway.reception.as_ref().ok_or_else(|| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "this gateway takes no bundles",
            "see the alarm `fleet-record` in the status",
        )
    })
}

/// The user at the other end of the socket.
fn person(peer: Peer) -> Result<String, Problem> {
    let (by, _) = Decision::of(None, None, peer)?.sign(String::new());
    Ok(by)
}

fn answer(taken: Result<Answer, OrderError>, refused: StatusCode) -> BundleResult {
    let unchanged = "nothing was changed: the gateway continues with the configuration that it has";
    match taken {
        Ok(Answer::Done) => Ok(Json(BundleAnswer {
            is_new: true,
            detail: None,
        })),
        Ok(Answer::Known(detail)) => Ok(Json(BundleAnswer {
            is_new: false,
            detail: Some(detail),
        })),
        Ok(Answer::Refused(reason)) => Err(Problem::new(refused, reason, unchanged)),
        Err(error @ OrderError::Disk(_)) => Err(Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            error.to_string(),
            "the gateway tries a complete bundle again by itself",
        )),
        Err(error @ OrderError::NotRecorded(_)) => Err(Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            error.to_string(),
            "free some space: the gateway then records it by itself",
        )),
        Err(error @ OrderError::Stopping) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            error.to_string(),
            "send the request again when the daemon has started",
        )),
    }
}
