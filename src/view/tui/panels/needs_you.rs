//! The list of the overview: what waits for a person, each with what opens it. The sentence, rates
//! and times above it are drawn by `gauges`.

use std::collections::BTreeMap;

use super::{ALARMS, DEVICES, PARKED, REJECTED, SCANNERS};
use crate::view::headline::Mood;
use crate::view::table::{counted, plain};
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::no_reason;
use crate::view::tui::texts::choices_in_short;
use crate::view::tui::theme::Role;

/// Parked documents that the overview reads to count them by reason.
const READS: usize = 100;

pub static OVERVIEW: Spec = Spec {
    name: "Overview",
    columns: &[
        Column::filling("WHAT NEEDS YOU", 0),
        Column::filling("WHAT TO DO", 0),
    ],
    rows: |data, _| rows(data),
    total: |data| Some(rows(data).len() as u64),
    need: |_, _| Some(Need::Parked { rows: READS }),
    empty: "Nothing needs you",
    wraps: true,
    reason: no_reason,
};

fn rows(data: &Data) -> Vec<ListRow> {
    let status = &data.status;
    let mut rows: Vec<ListRow> = (status.alarms.iter())
        .map(|(code, text)| {
            let what = Cell::new(format!("Alarm {}", plain(code))).role(Role::Bad);
            ListRow::new(Subject::Alarm(code.clone()), vec![what, plain(text).into()])
        })
        .collect();
    rows.extend(parked_rows(data));
    let events = &status.events;
    if events.rejected_open > 0 {
        let what = counted(events.rejected_open, "rejected reading");
        let todo = "Open the list: correct a reading and send it again, or dismiss it";
        rows.push(todo_row((REJECTED, String::new()), &what, todo));
    }
    if events.unused_scans > 0 {
        let what = format!("{} without a flow", counted(events.unused_scans, "scan"));
        let todo = "Give the devices a flow in devices.toml; dismiss the scans with `stockrelay rejected dismiss --scans`";
        rows.push(todo_row((DEVICES, String::new()), &what, todo));
    }
    let down = status.sources_down().count() as u64;
    if down > 0
        && !status
            .alarms
            .contains_key(crate::view::snapshot::SOURCE_DOWN)
    {
        let what = format!("{} down", counted(down, "source"));
        rows.push(todo_row(
            (SCANNERS, String::new()),
            &what,
            "Open the list: it has the reason",
        ));
    }
    rows
}

/// Parked documents, by their reason.
fn parked_rows(data: &Data) -> Vec<ListRow> {
    let parked = data.status.documents.parked;
    let mut reasons: BTreeMap<&str, (u64, &'static str)> = BTreeMap::new();
    for document in data.parked.iter().take(READS) {
        let reason = document.reason.as_ref();
        let code = reason.map_or("parked", |reason| reason.code.as_str());
        let known = reasons
            .entry(code)
            .or_insert((0, choices_in_short(document)));
        known.0 += 1;
    }
    let counted_all: u64 = reasons.values().map(|(count, _)| count).sum();
    let mut rows: Vec<ListRow> = (reasons.into_iter())
        .map(|(code, (count, todo))| {
            let what = format!("{} parked: {}", counted(count, "document"), plain(code));
            todo_row((PARKED, code.to_owned()), &what, todo)
        })
        .collect();
    if counted_all < parked {
        let what = format!("{} more parked", counted(parked - counted_all, "document"));
        rows.push(todo_row((PARKED, String::new()), &what, "Open the list"));
    }
    rows
}

fn todo_row((panel, filter): (usize, String), what: &str, todo: &str) -> ListRow {
    let cells = vec![Cell::new(what).role(Role::Bad), todo.into()];
    ListRow::new(Subject::Panel(panel, filter), cells)
}

/// How urgent the rows of the panel of alarms are.
#[must_use]
pub fn mood_of(panel: usize, data: &Data) -> Option<Mood> {
    let status = &data.status;
    let is_needed = match panel {
        PARKED => status.documents.parked > 0,
        REJECTED => status.events.rejected_open > 0,
        ALARMS => !status.alarms.is_empty(),
        SCANNERS => status.sources_down().next().is_some(),
        _ => false,
    };
    is_needed.then_some(Mood::Watch)
}
