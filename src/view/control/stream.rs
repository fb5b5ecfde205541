//! `GET /v1/stream`: the status as server-sent events, each second and soon after each change.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures_util::stream::unfold;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::problem::Problem;
use super::query::Parameters;
use super::read::take_status;
use super::{Gateway, since};
use crate::journal::Totals;
use crate::view::gateway::{STREAMS_MAX, SinceWhen};

/// The longest and the shortest time between two events.
const AT_LEAST_EACH: Duration = Duration::from_secs(1);
const AT_MOST_EACH: Duration = Duration::from_millis(100);

struct Watch {
    gateway: Gateway,
    since: Option<SinceWhen>,
    changes: watch::Receiver<Totals>,
    last: Option<Instant>,
    cancel: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

pub async fn stream(
    State(gateway): State<Gateway>,
    Extension(cancel): Extension<CancellationToken>,
    Parameters(pairs): Parameters,
) -> Result<impl IntoResponse, Problem> {
    let since = since::parse(pairs)?;
    let Ok(permit) = gateway.streams.clone().try_acquire_owned() else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the limit of {STREAMS_MAX} open streams is reached"),
            "close a stream, or poll /v1/status",
        ));
    };
    let watch = Watch {
        changes: gateway.journal.watch(),
        gateway,
        since,
        last: None,
        cancel,
        _permit: permit,
    };
    Ok(Sse::new(unfold(watch, next)))
}

/// The next status is read when the client has received the last one, so that a slow client gets
/// fewer.
async fn next(mut watch: Watch) -> Option<(Result<Event, Infallible>, Watch)> {
    let cancel = watch.cancel.clone();
    cancel.run_until_cancelled(watch.due()).await?;
    watch.last = Some(Instant::now());
    let event = match take_status(&watch.gateway, watch.since).await {
        Ok(status) => Event::default().event("status").json_data(status),
        Err(problem) => Event::default().event("error").json_data(problem.refusal),
    };
    // These types always serialize: their keys are text.
    Some((Ok(event.unwrap_or_default()), watch))
}

impl Watch {
    async fn due(&mut self) {
        let Some(last) = self.last else {
            return;
        };
        sleep_until(last + AT_MOST_EACH).await;
        tokio::select! {
            () = sleep_until(last + AT_LEAST_EACH) => {}
            Ok(()) = self.changes.changed() => {}
        }
        self.changes.mark_unchanged();
    }
}
