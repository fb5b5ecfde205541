//! Refuses decisions of users who may only read.

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;
use super::{Gateway, MEANING};
use crate::view::http::Peer;

/// Lets a request pass if it only reads, or if its user may decide.
pub async fn check(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let is_read = *request.method() != Method::POST || request.uri().path() == MEANING;
    if !is_read {
        let rights = gateway.rights.clone();
        // A directory service may take its time.
        let checked = tokio::task::spawn_blocking(move || rights.check(peer)).await;
        let refusal = match checked {
            Ok(Ok(())) => None,
            Ok(Err(refused)) => {
                let (error, remedy) = (refused.to_string(), refused.remedy());
                Some(Problem::new(StatusCode::FORBIDDEN, error, remedy))
            }
            Err(_) => Some(Problem::internal(
                "the daemon is stopping and does not check the rights of the user: send the request again when it runs",
            )),
        };
        if let Some(refusal) = refusal {
            return refusal.into_response();
        }
    }
    next.run(request).await
}
