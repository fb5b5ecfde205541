//! Decides the fate of a document that was looked up: it is sent, parked, or waits.

use super::fate::Fate;
use super::recovery::{self, Held};
use crate::document::{Reason, State};
use crate::forward::resolve::{Ground, Prepared};
use crate::journal::Entry;
use crate::odoo::Client;
use crate::outcome::Failure;
use crate::reason::ReasonCode;

/// The result of a document's lookup.
pub enum Triage {
    Decided(Box<Fate>),
    /// Goods that the document moves are not in Odoo yet, but can still arrive.
    WaitForGoods(Reason),
}

impl From<Fate> for Triage {
    fn from(fate: Fate) -> Self {
        Self::Decided(Box::new(fate))
    }
}

/// A document that no longer resolves may have been sent before: then the gateway reads what Odoo
/// holds of it.
pub async fn triage(
    odoo: &mut Client,
    ground: Ground<'_>,
    entry: &Entry,
    resolved: Result<Prepared, Reason>,
) -> Result<Triage, Failure> {
    let refused = |reason| Fate::Refused { reason, odoo: None };
    let reason = match resolved {
        Ok(prepared) if prepared.work.is_none() => {
            return Ok(Fate::NothingToPost(prepared).into());
        }
        Ok(prepared) => return Ok(Fate::Send(prepared).into()),
        Err(reason) if reason.code == ReasonCode::HeldBack => {
            return Ok(Triage::WaitForGoods(reason));
        }
        Err(reason) if entry.progress.attempts == 0 => {
            return Ok(refused(reason).into());
        }
        Err(reason) => reason,
    };
    let message = reason.message.clone();
    let found = recovery::find_out(odoo, ground.warehouse, &entry.document, reason).await;
    let held = found.or_else(|failure| not_shown(failure, &message))?;
    let fate = match held {
        Held::Posted(odoo) => Fate::Found(odoo),
        Held::Unknown(reason, odoo) => Fate::Uncertain { reason, odoo },
        // A call from before the stop may still be posting the document.
        Held::Open(reason, _) if entry.progress.state == State::Sending => Fate::Deferred {
            why: reason.message,
        },
        Held::Open(reason, _) | Held::Absent(reason) => refused(reason),
    };
    Ok(fate.into())
}

/// Odoo refuses to show what it holds of this document.
fn not_shown(failure: Failure, why: &str) -> Result<Held, Failure> {
    let Failure::Person { message, .. } = failure else {
        return Err(failure);
    };
    Ok(Held::Absent(Reason {
        code: ReasonCode::UnknownOutcome.into(),
        message: format!(
            "an earlier send was interrupted, and Odoo does not show its outcome ({message}); the gateway cannot send the document again because {why}"
        ),
        lines: Vec::new(),
    }))
}
