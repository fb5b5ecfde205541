//! Decides what becomes of a document that was looked up: it is sent, parked, or waits.

use super::fate::Fate;
use super::recovery::{self, Held};
use crate::document::{Reason, State};
use crate::forward::resolve::{Ground, Prepared};
use crate::journal::Entry;
use crate::odoo::Client;
use crate::outcome::Failure;
use crate::reason::ReasonCode;

/// What the lookup of a document says about it.
pub enum Triage {
    Decided(Box<Fate>),
    /// Goods that the document moves are not in Odoo yet, but are on their way.
    WaitForGoods(Reason),
}

impl From<Fate> for Triage {
    fn from(fate: Fate) -> Self {
        Self::Decided(Box::new(fate))
    }
}

/// A document that no longer resolves may have been sent before: then Odoo is asked what it holds.
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
        // A call from before the stop may still be posting it.
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
            "its send was begun before, and Odoo does not show what became of it ({message}); it cannot be sent again because {why}"
        ),
        lines: Vec::new(),
    }))
}
