//! The panel of rejected readings: the gateway could not create an event from these. Readings that
//! a person has decided about since the screen was opened show the outcome.

use std::collections::BTreeMap;

use crate::event::RejectedNumber;
use crate::view::records::RejectedView;
use crate::view::table::plain;
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{AGO_WIDTH, ago_cell, count_cell};
use crate::view::tui::texts::describe_settled;
use crate::view::tui::theme::Role;

/// Characters of a payload that the list shows.
const PAYLOAD_CHARS: usize = 120;

pub static REJECTED: Spec = Spec {
    name: "Rejected",
    columns: &[
        Column::number("NUMBER", 7, 0),
        Column::filling("REASON OR OUTCOME", 0).at_least(26),
        Column::new("RECEIVED", AGO_WIDTH, 2),
        Column::new("DEVICE", 14, 1),
        Column::number("BYTES", 7, 5),
        Column::filling("NEAREST VALID FORM", 3),
        Column::filling("PAYLOAD", 4),
    ],
    rows: |data, _| rows(data),
    total: |data| {
        let events = &data.status.events;
        let open = events.rejected_open.saturating_sub(events.rejected_dropped);
        Some(open + settled(data).count() as u64)
    },
    need: |_, rows| Some(Need::Rejected { rows }),
    empty: "No rejected reading waits for a person",
    wraps: false,
    follows: true,
    reason: |data, subject| match subject {
        Subject::Rejected(number) => {
            let rejected = data.rejected.iter().find(|it| it.number == *number)?;
            Some(rejected.code.clone())
        }
        _ => None,
    },
};

/// The readings that a person has decided about, and that the daemon no longer lists.
fn settled(data: &Data) -> impl Iterator<Item = &RejectedView> {
    let is_listed = |number: RejectedNumber| data.rejected.iter().any(|it| it.number == number);
    let settled = data.settled.values();
    settled.filter(move |rejected| !is_listed(rejected.number))
}

fn rows(data: &Data) -> Vec<ListRow> {
    let all = data.rejected.iter().chain(settled(data));
    let all: BTreeMap<RejectedNumber, &RejectedView> = all.map(|it| (it.number, it)).collect();
    all.into_values().map(|it| row(it, data)).collect()
}

fn row(rejected: &RejectedView, data: &Data) -> ListRow {
    let payload: String = rejected.payload.chars().take(PAYLOAD_CHARS).collect();
    let number = i64::try_from(rejected.number.get()).unwrap_or(i64::MAX);
    let what = match describe_settled(rejected.number, data) {
        Some((outcome, role)) => Cell::new(outcome).role(role),
        None => Cell::new(plain(&rejected.code)).role(Role::Bad),
    };
    let suggestion = rejected.suggestion.as_ref();
    let suggestion = suggestion.map_or("–", |suggestion| suggestion.text.as_str());
    ListRow::new(
        Subject::Rejected(rejected.number),
        vec![
            Cell::new(rejected.number.to_string()).order(number),
            what,
            ago_cell(Some(rejected.received), data),
            plain(&rejected.device).into(),
            count_cell(rejected.bytes, data.words),
            plain(suggestion).into(),
            plain(&payload).into(),
        ],
    )
}
