//! What is to be done with a document that was taken, by what was looked up.

use crate::document::{OdooRef, Reason, State};
use crate::forward::begun::{self, Standing};
use crate::forward::resolve::{Ground, Prepared};
use crate::journal::Entry;
use crate::odoo::Client;
use crate::outcome::Failure;
use crate::reason::ReasonCode;

/// What is to be done with a document that was taken.
pub(super) enum Next {
    Send(Prepared),
    /// It is as it should be in Odoo already.
    Nothing(Prepared),
    Refuse(Reason),
    /// What has to be in Odoo before it is on its way.
    Wait(Reason),
    /// Without a word to the device: Odoo holds something of it as done.
    Park(Reason, OdooRef),
    Found(OdooRef),
    Aside(String),
}

/// One that is not resolved may have been sent before: then Odoo is asked what it holds.
pub(super) async fn next(
    odoo: &mut Client,
    ground: Ground<'_>,
    entry: &Entry,
    resolved: Result<Prepared, Reason>,
) -> Result<Next, Failure> {
    let reason = match resolved {
        Ok(prepared) if prepared.work.is_none() => return Ok(Next::Nothing(prepared)),
        Ok(prepared) => return Ok(Next::Send(prepared)),
        Err(reason) if reason.code == ReasonCode::HeldBack => return Ok(Next::Wait(reason)),
        Err(reason) if entry.progress.attempts == 0 => return Ok(Next::Refuse(reason)),
        Err(reason) => reason,
    };
    let message = reason.message.clone();
    let found = begun::find_out(odoo, ground.warehouse, &entry.document, reason).await;
    Ok(
        match found.or_else(|failure| not_shown(failure, &message))? {
            Standing::Posted(odoo) => Next::Found(odoo),
            Standing::Unknown(reason, odoo) => Next::Park(reason, odoo),
            // A call from before the stop may still be posting it.
            Standing::Open(reason, _) if entry.progress.state == State::Sending => {
                Next::Aside(reason.message)
            }
            Standing::Open(reason, _) | Standing::Absent(reason) => Next::Refuse(reason),
        },
    )
}

/// Odoo does not let us look at what it holds of this document alone.
fn not_shown(failure: Failure, why: &str) -> Result<Standing, Failure> {
    let Failure::Person { message, .. } = failure else {
        return Err(failure);
    };
    Ok(Standing::Absent(Reason {
        code: ReasonCode::UnknownOutcome.into(),
        message: format!(
            "its send was begun before, and Odoo does not show what became of it ({message}); it cannot be sent again because {why}"
        ),
        lines: Vec::new(),
    }))
}
