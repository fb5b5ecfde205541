//! State changes of documents, each with its audit record (**invariant 5**), and [`Effects`]: what
//! else changes in the same transaction.

use std::time::Duration;

use rust_decimal::Decimal;

use crate::clock;
use crate::document::{Document, DocumentNumber, OdooRef, Progress, Reason, State};
use crate::forward::resolve::Prepared;
use crate::journal::{Change, Entry, SideChange};

use crate::reason::{Flag, Heals, ReasonCode};

const BY: &str = "forward";

/// What a posting changes in other records, written in the same transaction as the posting itself.
#[derive(Debug, Default)]
pub struct Effects {
    pub changes: Vec<Change>,
    pub side_changes: Vec<SideChange>,
    pub documents: Vec<Document>,
}

impl Effects {
    /// Adds a change, unless there is already a change of the same document.
    pub fn change_once(&mut self, change: Change) {
        let is_there = |known: &Change| known.number == change.number;
        if !self.changes.iter().any(is_there) {
            self.changes.push(change);
        }
    }
}

pub fn is_curable(entry: &Entry) -> bool {
    let reason = entry.progress.reason.as_ref();
    reason.is_some_and(|reason| reason.code.heals() == Heals::MasterData)
}

pub fn change(entry: &Entry, state: State, note: String) -> Change {
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

pub fn start_sending(entry: &Entry, prepared: &Prepared) -> Change {
    let again = entry.progress.state == State::Sending;
    let mut note = if again {
        "sending again; the outcome of the last attempt is unknown"
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
    // A plan from before the first send stays. A new plan replaces it only if no call used the old
    // plan.
    if prepared.plan.is_some() {
        progress.plan.clone_from(&prepared.plan);
    }
    add_flags(progress, &prepared.flags);
    change
}

/// Parks a document again after a person corrected, in Odoo, a part of its reason.
pub fn park_anew(entry: &Entry, reason: &Reason) -> Change {
    let note = format!(
        "resolved again with Odoo's master data of now; the reason is: {}",
        reason.message
    );
    let mut change = change(entry, State::Parked, note);
    change.progress.since = entry.progress.since;
    change.progress.reason = Some(reason.clone());
    change
}

/// Marks a count that a later document corrected.
pub fn mark_recounted(entry: &Entry, by: DocumentNumber, difference: Decimal) -> Change {
    let sign = if difference > Decimal::ZERO { "+" } else { "" };
    let note = format!(
        "document {by} corrected this count by {sign}{}, because an older event was posted after the count",
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

/// Holds a document back until another document is sent.
pub fn hold_back(entry: &Entry, message: String) -> Change {
    let mut change = change(entry, State::Waiting, message.clone());
    change.progress.since = entry.progress.since;
    change.progress.reason = Some(Reason {
        code: ReasonCode::HeldBack.into(),
        message,
        lines: Vec::new(),
    });
    change
}

pub fn post(entry: &Entry, odoo: &OdooRef, already: bool, more: Option<&str>) -> Change {
    let how = if already {
        "already posted, and read back"
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

/// Marks a document as posted whose result Odoo already holds, so that no picking is needed.
pub fn post_nothing(entry: &Entry, prepared: &Prepared) -> Change {
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

pub fn park(entry: &Entry, reason: Reason, odoo: Option<OdooRef>) -> Change {
    let mut change = change(
        entry,
        State::Parked,
        format!("{}: {}", reason.code, reason.message),
    );
    change.progress.reason = Some(reason);
    change.progress.odoo = odoo.or(change.progress.odoo);
    change
}

pub fn defer(entry: &Entry, why: &str, pause: Duration) -> Change {
    let (number, minutes) = (entry.document.number, pause.as_secs() / 60);
    tracing::warn!(
        number = number.get(),
        minutes,
        why,
        "document deferred: Odoo does not answer"
    );
    let note = format!(
        "deferred, because the outcome in Odoo is unknown ({why}); the gateway retries in {minutes} min and sends other documents meanwhile"
    );
    change(entry, State::Waiting, note)
}

pub fn wait(entry: &Entry, note: String) -> Change {
    change(entry, State::Waiting, note)
}
