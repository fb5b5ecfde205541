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

/// What Odoo held of a discarded or replaced document is taken back, or cannot be.
pub fn mark_withdrawn(entry: &Entry, withdrawn: &Withdrawn) -> Change {
    let (flag, note) = match withdrawn {
        Withdrawn::Gone { .. } => (
            Flag::Withdrawn,
            "Odoo holds nothing open of it any more".to_owned(),
        ),
        Withdrawn::Refused(why) => (
            Flag::LeftInOdoo,
            format!("Odoo does not take back what it holds open of it ({why}): cancel it there"),
        ),
        Withdrawn::Posted(name) => (
            Flag::PostedInOdoo,
            format!(
                "Odoo has posted it all the same, as {name}: if it must not stand, reverse it there"
            ),
        ),
    };
    let mut change = change(entry, entry.progress.state, note);
    change.progress.since = entry.progress.since;
    change.progress.flags.push(flag.into());
    change
}

/// A call that was given up brought something back into Odoo of a document that is over. It was
/// taken back again, or cannot be.
pub fn mark_withdrawn_again(entry: &Entry, withdrawn: &Withdrawn) -> Change {
    let mut entry = entry.clone();
    let flags = &mut entry.progress.flags;
    flags.retain(|known| *known != Flag::Withdrawn);
    let mut change = mark_withdrawn(&entry, withdrawn);
    let before = "a call that was given up brought it back into Odoo";
    change.note = format!("{before}; now {}", change.note);
    change
}

/// A call that was given up posted a document that is over. A discarded one is parked; in the place
/// of a replaced one there is another document, so it is flagged.
pub fn mark_posted_late(entry: &Entry, name: &str) -> Change {
    let mut change = mark_withdrawn_again(entry, &Withdrawn::Posted(name.to_owned()));
    if entry.progress.state == State::Discarded {
        let progress = &mut change.progress;
        progress.state = State::Parked;
        progress.since = clock::now();
        progress.reason = Some(Reason {
            code: ReasonCode::PostedLate.into(),
            message: format!(
                "Odoo posted this document as {name}, by a call that the gateway had given up, after it was discarded. Retry it if {name} is right; else reverse {name} in Odoo and discard it again"
            ),
            lines: Vec::new(),
        });
    }
    change
}

/// A later document took an event of this one back.
pub fn mark_undone(entry: &Entry, seq: Seq, by: DocumentNumber) -> Change {
    let note = format!("event {seq} was taken back by document {by}");
    let mut change = change(entry, entry.progress.state, note);
    let progress = &mut change.progress;
    progress.since = entry.progress.since;
    progress.undone.push(seq);
    if progress.flags.iter().all(|known| *known != Flag::TakenBack) {
        progress.flags.push(Flag::TakenBack.into());
    }
    change
}

/// The device took an event of a parked document back: one without it takes its place, or none.
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
    let message = format!("{device} took event {} ({id}) back{why}", event.seq);
    let mut change = change(parked, state, message.clone());
    change.progress.since = now;
    change.progress.reason = Some(Reason {
        code: code.into(),
        message,
        lines: Vec::new(),
    });
    change
}
