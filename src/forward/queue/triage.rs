//! What is to be done with a document that was taken, by what was looked up.

use super::recovery::{self, Held};
use crate::document::{OdooRef, Reason, State};
use crate::forward::resolve::{Ground, Prepared};
use crate::journal::Entry;
use crate::odoo::Client;
use crate::outcome::{Failure, code};

/// What is to be done with a document that was taken.
pub enum Triage {
    Send(Prepared),
    /// It is as it should be in Odoo already.
    Nothing(Prepared),
    Refuse(Reason),
    /// What has to be in Odoo before it is on its way.
    Wait(Reason),
    /// Without a word to the device: Odoo holds something of it as done.
    Park(Reason, OdooRef),
    Found(OdooRef),
    Defer(String),
}

/// One that is not resolved may have been sent before: then Odoo is asked what it holds.
pub async fn triage(
    odoo: &mut Client,
    ground: Ground<'_>,
    entry: &Entry,
    resolved: Result<Prepared, Reason>,
) -> Result<Triage, Failure> {
    let reason = match resolved {
        Ok(prepared) if prepared.work.is_none() => return Ok(Triage::Nothing(prepared)),
        Ok(prepared) => return Ok(Triage::Send(prepared)),
        Err(reason) if reason.code == code::HELD_BACK => return Ok(Triage::Wait(reason)),
        Err(reason) if entry.progress.attempts == 0 => return Ok(Triage::Refuse(reason)),
        Err(reason) => reason,
    };
    let message = reason.message.clone();
    let found = recovery::find_out(odoo, ground.warehouse, &entry.document, reason).await;
    Ok(
        match found.or_else(|failure| not_shown(failure, &message))? {
            Held::Posted(odoo) => Triage::Found(odoo),
            Held::Unknown(reason, odoo) => Triage::Park(reason, odoo),
            // A call from before the stop may still be posting it.
            Held::Open(reason, _) if entry.progress.state == State::Sending => {
                Triage::Defer(reason.message)
            }
            Held::Open(reason, _) | Held::Absent(reason) => Triage::Refuse(reason),
        },
    )
}

/// Odoo does not let us look at what it holds of this document alone.
fn not_shown(failure: Failure, why: &str) -> Result<Held, Failure> {
    let Failure::Person { message, .. } = failure else {
        return Err(failure);
    };
    Ok(Held::Absent(Reason {
        code: code::UNKNOWN_OUTCOME.to_owned(),
        message: format!(
            "its send was begun before, and Odoo does not show what became of it ({message}); it cannot be sent again because {why}"
        ),
        lines: Vec::new(),
    }))
}
