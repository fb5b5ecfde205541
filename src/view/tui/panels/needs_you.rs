//! The list of the overview: what waits for a person, its age, the person, and what to do; Enter
//! opens it. The sentence, rates and times above it are drawn by `gauges`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::alarms::{self, raised};
use super::{ALARMS, PARKED, REJECTED, SCANNERS};
use crate::view::answer::{Cause, Todo, answer, cause_of_reading, of_other_parked, of_reason};
use crate::view::headline::{ANONYMOUS, Mood};
use crate::view::records::RejectedView;
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{AGO_WIDTH, ago_cell, no_reason};
use crate::view::tui::theme::Role;

/// Parked documents that the overview reads to count them by reason.
const READS: usize = 100;

pub static OVERVIEW: Spec = Spec {
    name: "Overview",
    columns: &[
        Column::filling("PROBLEM", 0).at_least(16),
        Column::new("SINCE", AGO_WIDTH, 2),
        Column::new("WHO", 18, 1),
        Column::filling("WHAT TO DO", 0).at_least(18),
    ],
    rows: |data, _| todo(data).into_iter().map(|it| row(it, data)).collect(),
    total: |data| Some(todo(data).len() as u64),
    need: |_, _| Some(Need::Parked { rows: READS }),
    empty: "Nothing needs you",
    wraps: true,
    follows: false,
    reason: no_reason,
};

/// The tasks of the answer. The parked documents that are loaded are counted by reason, also those
/// that are older than the shift.
fn todo(data: &Data) -> Vec<Todo> {
    let mut all = answer(&data.status, data.now, data.words).todo;
    for todo in &mut all {
        todo.since = todo.since.or_else(|| oldest_of(&todo.cause, data));
    }
    let is_parked = |todo: &Todo| matches!(todo.cause, Cause::Parked(_));
    let Some(first) = all.iter().position(is_parked) else {
        return all;
    };
    let (parked, mut others): (Vec<Todo>, Vec<Todo>) = all.into_iter().partition(is_parked);
    let by_reason = parked_by_reason(data);
    let parked = if by_reason.is_empty() {
        parked
    } else {
        by_reason
    };
    others.splice(first..first, parked);
    others
}

/// The time of the oldest reading or scan of a cause. `None`: it is not among what is loaded.
fn oldest_of(cause: &Cause, data: &Data) -> Option<Timestamp> {
    let window = data.status.window.as_ref().map(|window| window.since);
    match cause {
        // The readings of a cause are those of the window, the others are older.
        Cause::Rejected(cause) => {
            let is_of = |rejected: &&RejectedView| {
                let is_older = window.is_none_or(|since| rejected.received < since);
                let is_it = |cause: &str| !is_older && cause_of_reading(&rejected.code) == cause;
                cause.map_or(is_older, is_it)
            };
            let rejected = data.oldest_rejected.iter().filter(is_of);
            rejected.map(|rejected| rejected.received).min()
        }
        Cause::Scans => {
            let scans = &data.unused.events;
            let is_all = scans.len() as u64 == data.status.events.unused_scans;
            scans.last().filter(|_| is_all).map(|scan| scan.received)
        }
        _ => None,
    }
}

fn parked_by_reason(data: &Data) -> Vec<Todo> {
    let words = data.words;
    let mut reasons: BTreeMap<&str, (u64, Timestamp)> = BTreeMap::new();
    for document in data.parked.iter().take(READS) {
        let reason = document.reason.as_ref();
        let code = reason.map_or("parked", |reason| reason.code.as_str());
        let known = reasons.entry(code).or_insert((0, document.since));
        *known = (known.0 + 1, known.1.min(document.since));
    }
    let counted: u64 = reasons.values().map(|(count, _)| count).sum();
    let mut todo: Vec<Todo> = (reasons.into_iter())
        .map(|(code, (count, since))| of_reason(code, count, Some(since), words))
        .collect();
    let more = data.status.documents.parked.saturating_sub(counted);
    if !todo.is_empty() && more > 0 {
        todo.push(of_other_parked(more, false, words));
    }
    todo
}

fn row(todo: Todo, data: &Data) -> ListRow {
    // The counts in the text change; the row stays the same.
    let key = format!("{:?}", todo.cause);
    let subject = match todo.cause {
        Cause::Link => Subject::Alarm(alarms::LINK.to_owned()),
        Cause::Journal | Cause::Pause => Subject::Panel(ALARMS, String::new()),
        Cause::Alarm(code) => Subject::Alarm(code),
        Cause::Parked(code) => Subject::Panel(PARKED, code.unwrap_or_default()),
        Cause::Rejected(_) => Subject::Panel(REJECTED, String::new()),
        Cause::Scans => Subject::UnusedScans,
    };
    let cells = vec![
        Cell::new(todo.problem.clone()).role(Role::Bad),
        ago_cell(todo.since, data),
        data.words.t(todo.who.as_str()).into(),
        todo.what.into(),
    ];
    let mut row = ListRow::new(Subject::Todo(key), cells);
    row.opens = Some(subject);
    row
}

/// How urgent the rows of a panel are.
#[must_use]
pub fn mood_of(panel: usize, data: &Data) -> Option<Mood> {
    let status = &data.status;
    let is_needed = match panel {
        PARKED => status.documents.parked > 0,
        REJECTED => status.events.rejected_open > 0,
        ALARMS => raised(data).iter().any(|raised| raised.code != ANONYMOUS),
        SCANNERS => status.sources_down().next().is_some(),
        _ => false,
    };
    is_needed.then_some(Mood::Watch)
}
