//! The pause of sending: shows it, begins it, ends it.

use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use jiff::Timestamp;

use super::body::{Fields, RawBody, read_bytes};
use super::decide::Decision;
use super::problem::Problem;
use super::query::shorten;
use super::{Answer, BODY_BYTES_MAX, Gateway};
use crate::clock;
use crate::pause::Pause;
use crate::view::http::Peer;
use crate::view::pauses::{Decider, PauseError, Pauses};
use crate::view::records::{PauseView, Resumed};

/// How long the answer to the beginning of a pause waits until no document is being sent.
const QUIET_WITHIN: Duration = Duration::from_secs(3);

/// `GET /v1/pause`: the pause that is on, and the pauses before it.
pub async fn show(State(gateway): State<Gateway>) -> Answer<PauseView> {
    let history = pauses(&gateway)?.history().await?;
    let pause = history.first().filter(|pause| pause.is_on(clock::now()));
    view(&gateway, pause.cloned(), history)
}

/// `POST /v1/pause`: stops the sending. The answer waits a moment for the documents in progress.
pub async fn begin(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    body: RawBody,
) -> Answer<PauseView> {
    let remedy = r#"send {"until": "TIME", "reason": "TEXT"}, or {}"#;
    let bytes = read_bytes(body, BODY_BYTES_MAX)?;
    let mut fields = Fields::read(&bytes, &["by", "reason", "until"], remedy)?;
    let decision = Decision::of(fields.text("by")?, fields.text("reason")?, peer)?;
    let until = fields.text("until")?;
    let until = until.as_deref().map(parse_until).transpose()?;
    let pauses = pauses(&gateway)?;
    let pause = pauses.begin(decider(decision), until).await?;
    // Not in time is no failure: the answer tells.
    drop(tokio::time::timeout(QUIET_WITHIN, pauses.wait_until_quiet()).await);
    view(&gateway, Some(pause), Vec::new())
}

/// `POST /v1/resume`: ends the pause that is on.
pub async fn end(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    body: RawBody,
) -> Answer<Resumed> {
    let bytes = read_bytes(body, BODY_BYTES_MAX)?;
    let remedy = r#"send {"reason": "TEXT"}, or {}"#;
    let mut fields = Fields::read(&bytes, &["by", "reason"], remedy)?;
    let decision = Decision::of(fields.text("by")?, fields.text("reason")?, peer)?;
    let ended = pauses(&gateway)?.end(decider(decision)).await?;
    Ok(Json(Resumed { ended }))
}

fn view(gateway: &Gateway, pause: Option<Pause>, history: Vec<Pause>) -> Answer<PauseView> {
    Ok(Json(PauseView {
        quiet: pause.is_some() && pauses(gateway)?.is_quiet(),
        sending: gateway.journal.totals().sending.documents,
        pause,
        history,
    }))
}

fn pauses(gateway: &Gateway) -> Result<&Pauses, Problem> {
    let pauses = gateway.pauses.as_ref();
    pauses.ok_or_else(|| Problem::internal("this process sends nothing to Odoo"))
}

fn decider(decision: Decision) -> Decider {
    let (by, named, reason) = decision.into_parts();
    Decider { by, named, reason }
}

fn parse_until(text: &str) -> Result<Timestamp, Problem> {
    let until: Timestamp = text.parse().map_err(|_| {
        Problem::bad(
            format!("\"until\" is {:?}, which is no time", shorten(text)),
            "give a time with its offset, such as 2026-11-30T22:00:00+01:00",
        )
    })?;
    let now = clock::now();
    if until <= now {
        return Err(Problem::bad(
            format!("\"until\" is {until}, which is in the past: the gateway's clock shows {now}"),
            "give a later time; nothing was changed",
        ));
    }
    Ok(until)
}

impl From<PauseError> for Problem {
    fn from(error: PauseError) -> Self {
        match error {
            PauseError::Read(error) => error.into(),
            PauseError::Store(error) => error.into(),
            PauseError::Record(_) | PauseError::Stopping => Self::internal(error.to_string()),
        }
    }
}
