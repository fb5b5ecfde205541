//! Changes that mark a document as withdrawn, reversed, or reversed in part, each with its audit
//! record (**invariant 5**).

use super::withdraw::Withdrawn;
use jiff::Timestamp;

use crate::clock;
use crate::document::{DocumentNumber, Purpose, Reason, State};
use crate::event::{Recorded, Seq};
use crate::forward::queue::changes::change;
use crate::journal::{Change, Entry};

use crate::reason::{Flag, ReasonCode};

/// Marks a discarded or replaced document as withdrawn from Odoo, or as impossible to withdraw.
pub fn mark_withdrawn(entry: &Entry, withdrawn: &Withdrawn) -> Change {
    let (flag, note) = match withdrawn {
        Withdrawn::Gone { .. } => (
            Flag::Withdrawn,
            "Odoo has no open picking and no open line of this document any more".to_owned(),
        ),
        Withdrawn::Refused(why) => (
            Flag::LeftInOdoo,
            format!(
                "Odoo does not cancel the open picking of this document ({why}): cancel the picking in Odoo"
            ),
        ),
        Withdrawn::Posted(name) => (
            Flag::PostedInOdoo,
            format!(
                "Odoo has posted this document as {name}: if this posting is wrong, reverse {name} in Odoo"
            ),
        ),
    };
    let mut change = change(entry, entry.progress.state, note);
    change.progress.since = entry.progress.since;
    change.progress.flags.push(flag.into());
    change
}

/// An abandoned call brought a part of an ended document back into Odoo. The part was withdrawn
/// again, or cannot be withdrawn.
pub fn mark_withdrawn_again(entry: &Entry, withdrawn: &Withdrawn) -> Change {
    let mut entry = entry.clone();
    let flags = &mut entry.progress.flags;
    flags.retain(|known| *known != Flag::Withdrawn);
    let mut change = mark_withdrawn(&entry, withdrawn);
    let before = "an abandoned call brought the document back into Odoo";
    change.note = format!("{before}; now {}", change.note);
    change
}

/// An abandoned call posted an ended document. A discarded document is parked; a replaced document
/// has a successor, so it is only flagged.
pub fn mark_posted_late(entry: &Entry, name: &str) -> Change {
    let mut change = mark_withdrawn_again(entry, &Withdrawn::Posted(name.to_owned()));
    if entry.progress.state == State::Discarded {
        let progress = &mut change.progress;
        progress.state = State::Parked;
        progress.since = clock::now();
        progress.reason = Some(Reason {
            code: ReasonCode::PostedLate.into(),
            message: format!(
                "Odoo posted this document as {name}, by an abandoned call, after it was discarded. Retry this document if {name} is right; else reverse {name} in Odoo and discard this document again"
            ),
            lines: Vec::new(),
        });
    }
    change
}

/// Marks that a later document undid an event of this one.
pub fn mark_undone(entry: &Entry, seq: Seq, by: DocumentNumber) -> Change {
    let note = format!("document {by} undid event {seq}");
    let mut change = change(entry, entry.progress.state, note);
    let progress = &mut change.progress;
    progress.since = entry.progress.since;
    progress.undone.push(seq);
    if progress.flags.iter().all(|known| *known != Flag::TakenBack) {
        progress.flags.push(Flag::TakenBack.into());
    }
    change
}

/// The device undid an event of a parked document. A document without the event replaces it; if
/// nothing is left, it is discarded.
pub fn mark_taken_out(
    undo: &Entry,
    parked: &Entry,
    event: &Recorded,
    now: Timestamp,
    is_more_left: bool,
) -> Change {
    let (state, code) = if is_more_left {
        (State::Replaced, ReasonCode::Replaced)
    } else {
        (State::Discarded, ReasonCode::Discarded)
    };
    let why = match &undo.document.purpose {
        Purpose::Undo {
            reason: Some(why), ..
        } => format!(": {why}"),
        _ => String::new(),
    };
    let (id, device) = (&event.event.id, &event.event.device);
    let message = format!("{device} undid event {} ({id}){why}", event.seq);
    let mut change = change(parked, state, message.clone());
    change.progress.since = now;
    change.progress.reason = Some(Reason {
        code: code.into(),
        message,
        lines: Vec::new(),
    });
    change
}
