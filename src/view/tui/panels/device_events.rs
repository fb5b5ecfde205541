//! The list of a device's events, the newest first.

use crate::view::records::EventView;
use crate::view::table::plain;
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{ago_cell, no_reason};
use crate::view::tui::theme::Role;

pub static EVENTS: Spec = Spec {
    name: "Events",
    columns: &[
        Column::number("SEQ", 9, 2),
        Column::new("DONE", 11, 0),
        Column::new("STATE", 11, 0),
        Column::new("TYPE", 9, 1),
        Column::filling("WHAT", 0),
        Column::new("ODOO", 14, 3),
        Column::new("OPERATOR", 10, 4),
    ],
    rows: |data, device| {
        let events = &data.events;
        let known = if events.device == device {
            &events.events[..]
        } else {
            &[]
        };
        known.iter().map(|event| row(event, data)).collect()
    },
    total: |data| (!data.events.is_cut).then_some(data.events.events.len() as u64),
    need: |device, rows| {
        let device = device.to_owned();
        Some(Need::Events { device, rows })
    },
    empty: "None of the newest events is from this device",
    wraps: false,
    reason: no_reason,
};

fn row(event: &EventView, data: &Data) -> ListRow {
    let seq = i64::try_from(event.seq.get()).unwrap_or(i64::MAX);
    let state = event.state.replace('_', " ");
    ListRow::new(
        Subject::Event(format!("seq:{}", event.seq)),
        vec![
            Cell::new(event.seq.to_string()).order(seq),
            ago_cell(Some(event.at), data.now),
            Cell::new(state).role(Role::of_state(&event.state)),
            plain(&event.kind).into(),
            plain(&event.describe()).into(),
            plain(event.odoo.as_deref().unwrap_or_default()).into(),
            plain(event.operator.as_deref().unwrap_or_default()).into(),
        ],
    )
}
