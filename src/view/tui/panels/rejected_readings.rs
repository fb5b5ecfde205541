//! The panel of rejected readings: the gateway could not create an event from these.

use crate::view::records::RejectedView;
use crate::view::table::plain;
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{AGO_WIDTH, ago_cell, count_cell};
use crate::view::tui::theme::Role;

/// Characters of a payload that the list shows.
const PAYLOAD_CHARS: usize = 120;

pub static REJECTED: Spec = Spec {
    name: "Rejected",
    columns: &[
        Column::number("NUMBER", 7, 0),
        Column::filling("REASON", 0),
        Column::new("RECEIVED", AGO_WIDTH, 2),
        Column::new("DEVICE", 14, 1),
        Column::number("BYTES", 7, 4),
        Column::filling("PAYLOAD", 3),
    ],
    rows: |data, _| data.rejected.iter().map(|it| row(it, data)).collect(),
    total: |data| {
        let events = &data.status.events;
        Some(events.rejected_open.saturating_sub(events.rejected_dropped))
    },
    need: |_, rows| Some(Need::Rejected { rows }),
    empty: "No rejected reading waits for a person",
    wraps: false,
    reason: |data, subject| match subject {
        Subject::Rejected(number) => {
            let rejected = data.rejected.iter().find(|it| it.number == *number)?;
            Some(rejected.code.clone())
        }
        _ => None,
    },
};

fn row(rejected: &RejectedView, data: &Data) -> ListRow {
    let payload: String = rejected.payload.chars().take(PAYLOAD_CHARS).collect();
    let number = i64::try_from(rejected.number.get()).unwrap_or(i64::MAX);
    ListRow::new(
        Subject::Rejected(rejected.number),
        vec![
            Cell::new(rejected.number.to_string()).order(number),
            Cell::new(plain(&rejected.code)).role(Role::Bad),
            ago_cell(Some(rejected.received), data),
            plain(&rejected.device).into(),
            count_cell(rejected.bytes, data.words),
            plain(&payload).into(),
        ],
    )
}
