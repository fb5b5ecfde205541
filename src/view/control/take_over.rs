//! A person orders this gateway to post again, although another one of the site has replaced it.
//!
//! **Promise:** nothing that waits here is sent before it was compared with Odoo.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};

use super::body::{Fields, RawBody, read_bytes};
use super::decide::{Decision, require_reason};
use super::problem::Problem;
use super::{Answer, BODY_BYTES_MAX, Gateway, reading};
use crate::clock;
use crate::document::DocumentNumber;
use crate::fence::Own;
use crate::journal::Restored;
use crate::view::http::Peer;
use crate::view::records::TakenOver;

/// `POST /v1/take-over`: this gateway looks at Odoo again and takes the number of the
/// site; the other one stops within a minute.
pub async fn take_over(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    body: RawBody,
) -> Answer<TakenOver> {
    let bytes = read_bytes(body, BODY_BYTES_MAX)?;
    let remedy = r#"send {"reason": "TEXT"}"#;
    let mut fields = Fields::read(&bytes, &["by", "reason"], remedy)?;
    let decision = Decision::of(fields.text("by")?, fields.text("reason")?, peer)?;
    let reason = require_reason(&decision)?;
    if !gateway.board.snapshot().odoo.replaced {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "no other gateway has replaced this one",
            "nothing was changed; `stockrelay status` shows why the gateway does not send",
        ));
    }
    let own = reading(&gateway, |gateway| Ok(gateway.journal.fence()?)).await?;
    let own = own.ok_or_else(|| Problem::internal("the gateway has no number yet"))?;
    let ordered = Own {
        number: None,
        ..own
    };
    // The other gateway may have received these events, too: what waits here is compared with Odoo.
    let doubt = Restored {
        seq: gateway.journal.totals().last_seq,
        document: DocumentNumber::ZERO,
        begun: Some(clock::now()),
    };
    let changes = ordered
        .store()
        .and_then(|own| Ok(vec![own, doubt.store()?]));
    let changes = changes.map_err(|error| Problem::internal(error.to_string()))?;
    gateway.journal.inbox().store_side_values(changes).await?;
    if let Some(ordered) = &gateway.take_over {
        ordered.notify_one();
    }
    let (by, _, _) = decision.into_parts();
    tracing::warn!(
        by,
        reason,
        "a person orders this gateway to take over its site"
    );
    let waiting = gateway.journal.totals().waiting.documents;
    Ok(Json(TakenOver { waiting }))
}
