//! The list of a device's events, the newest first.

use crate::view::records::EventView;
use crate::view::table::plain;
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{AGO_WIDTH, ago_cell, no_reason};
use crate::view::tui::texts::state_of_event;

pub static EVENTS: Spec = Spec {
    name: "Events",
    columns: &[
        Column::new("DONE", AGO_WIDTH, 0),
        Column::new("STATE", 11, 0),
        Column::new("TYPE", 9, 1),
        Column::filling("WHAT", 0),
        Column::new("ODOO", 14, 3),
        Column::new("OPERATOR", 10, 4),
        Column::number("EVENT", 9, 5),
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
    empty: "None of the newest events of the gateway is from this device",
    wraps: false,
    follows: true,
    reason: no_reason,
};

fn row(event: &EventView, data: &Data) -> ListRow {
    let seq = i64::try_from(event.seq.get()).unwrap_or(i64::MAX);
    let (state, role) = state_of_event(event);
    ListRow::new(
        Subject::Event(format!("seq:{}", event.seq)),
        vec![
            ago_cell(Some(event.at), data),
            Cell::new(data.words.t(state)).role(role),
            data.words.word(&event.kind).into(),
            plain(&event.describe(data.words)).into(),
            plain(event.odoo.as_deref().unwrap_or_default()).into(),
            plain(event.operator.as_deref().unwrap_or_default()).into(),
            Cell::new(event.seq.to_string()).order(seq),
        ],
    )
}
