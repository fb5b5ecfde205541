//! The steps of a document's life that sending makes, each with its audit record (**invariant 5**).

use std::time::Duration;

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::clock;
use crate::document::{OdooRef, Progress, Purpose, Reason, State};
use crate::event::Recorded;
use crate::forward::resolve::Prepared;
use crate::forward::withdraw::Withdrawn;
use crate::journal::{Change, Entry};
use crate::reason::{Flag, Heals, ReasonCode};

const BY: &str = "forward";

pub(super) fn is_curable(entry: &Entry) -> bool {
    let reason = entry.progress.reason.as_ref();
    reason.is_some_and(|reason| reason.code.heals() == Heals::MasterData)
}

pub(in crate::forward) fn change(entry: &Entry, state: State, note: String) -> Change {
    Change {
        number: entry.document.number,
        expect: entry.progress.state,
        progress: Progress {
            state,
            since: clock::now(),
            ..entry.progress.clone()
        },
        by: BY.to_owned(),
        note,
    }
}

pub(super) fn sending(entry: &Entry, prepared: &Prepared) -> Change {
    let again = entry.progress.state == State::Sending;
    let mut note = if again {
        "sending again: what the last attempt came to is unknown"
    } else {
        "sending"
    }
    .to_owned();
    if let Some(more) = &prepared.note {
        note = format!("{note}; {more}");
    }
    let mut change = change(entry, State::Sending, note);
    let progress = &mut change.progress;
    progress.attempts += 1;
    progress.reason = None;
    // What was worked out before the first send stays; it is worked out anew only where nothing was
    // called by it.
    if prepared.plan.is_some() {
        progress.plan.clone_from(&prepared.plan);
    }
    add_flags(progress, &prepared.flags);
    change
}

/// A part of what a parked document is parked for was put right in Odoo.
pub(super) fn parked_for(entry: &Entry, reason: &Reason) -> Change {
    let note = format!(
        "Odoo's master data resolves a part of it; {}",
        reason.message
    );
    let mut change = change(entry, State::Parked, note);
    change.progress.since = entry.progress.since;
    change.progress.reason = Some(reason.clone());
    change
}

/// What Odoo held of a discarded or replaced document is taken back, or cannot be.
pub(super) fn taken_back(entry: &Entry, withdrawn: &Withdrawn) -> Change {
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

/// A later document corrected this count.
pub(super) fn recounted(entry: &Entry, by: u64, difference: Decimal) -> Change {
    let sign = if difference > Decimal::ZERO { "+" } else { "" };
    let note = format!(
        "document {by} corrected it by {sign}{}: something older was posted after it",
        difference.normalize()
    );
    let mut change = change(entry, entry.progress.state, note);
    let progress = &mut change.progress;
    progress.since = entry.progress.since;
    if progress.flags.iter().all(|known| *known != Flag::Recounted) {
        progress.flags.push(Flag::Recounted.into());
    }
    change
}

/// A call that was given up brought something back into Odoo of a document that is over. It was
/// taken back again, or cannot be.
pub(super) fn came_back(entry: &Entry, withdrawn: &Withdrawn) -> Change {
    let mut entry = entry.clone();
    let flags = &mut entry.progress.flags;
    flags.retain(|known| *known != Flag::Withdrawn);
    let mut change = taken_back(&entry, withdrawn);
    let before = "a call that was given up brought it back into Odoo";
    change.note = format!("{before}; now {}", change.note);
    change
}

/// A call that was given up posted a document that is over. A discarded one is parked; in the place
/// of a replaced one there is another document, so it is flagged.
pub(super) fn posted_late(entry: &Entry, name: &str) -> Change {
    let mut change = came_back(entry, &Withdrawn::Posted(name.to_owned()));
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
pub(super) fn undone(entry: &Entry, seq: u64, by: u64) -> Change {
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
pub(super) fn taken_out(
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

/// It waits for what has to be done first.
pub(super) fn held_back(entry: &Entry, message: String) -> Change {
    let mut change = change(entry, State::Waiting, message.clone());
    change.progress.since = entry.progress.since;
    change.progress.reason = Some(Reason {
        code: ReasonCode::HeldBack.into(),
        message,
        lines: Vec::new(),
    });
    change
}

pub(super) fn posted(entry: &Entry, odoo: &OdooRef, already: bool, more: Option<&str>) -> Change {
    let how = if already {
        "found posted already, and read back"
    } else {
        "posted, and read back"
    };
    let more = more.map(|more| format!("; {more}")).unwrap_or_default();
    let note = format!("{how} as {}{more}", odoo.name);
    let mut change = change(entry, State::Posted, note);
    change.progress.reason = None;
    change.progress.odoo = Some(odoo.clone());
    change
}

/// What Odoo holds already needs no picking.
pub(super) fn nothing_to_post(entry: &Entry, prepared: &Prepared) -> Change {
    let note = prepared.note.clone().unwrap_or_default();
    let mut change = change(entry, State::Posted, format!("nothing to post: {note}"));
    change.progress.reason = None;
    change.progress.plan.clone_from(&prepared.plan);
    add_flags(&mut change.progress, &prepared.flags);
    change
}

fn add_flags(progress: &mut Progress, flags: &[Flag]) {
    for flag in flags {
        if progress.flags.iter().all(|known| *known != *flag) {
            progress.flags.push((*flag).into());
        }
    }
}

pub(super) fn parked(entry: &Entry, reason: Reason, odoo: Option<OdooRef>) -> Change {
    let mut change = change(
        entry,
        State::Parked,
        format!("{}: {}", reason.code, reason.message),
    );
    change.progress.reason = Some(reason);
    change.progress.odoo = odoo.or(change.progress.odoo);
    change
}

pub(super) fn set_aside(entry: &Entry, why: &str, pause: Duration) -> Change {
    let (number, minutes) = (entry.document.number, pause.as_secs() / 60);
    tracing::warn!(
        number,
        minutes,
        why,
        "document set aside: Odoo does not answer"
    );
    let note = format!(
        "set aside, because what Odoo did is unknown ({why}); tried again in {minutes} min, others go on"
    );
    change(entry, State::Waiting, note)
}

pub(super) fn waiting(entry: &Entry, note: String) -> Change {
    change(entry, State::Waiting, note)
}
