//! The panel of sources: the MQTT front door, a broker, and the scanners on the gateway's own
//! ports.

use crate::view::table::plain;
use crate::view::tui::data::Subject;
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{AGO_WIDTH, ago_cell, count_cell, no_reason};
use crate::view::tui::texts::name_state;
use crate::view::tui::theme::Role;

/// The beginning of the name of a source that is a scanner.
pub const SCANNER: &str = "scanner:";

pub static SCANNERS: Spec = Spec {
    name: "Scanners",
    columns: &[
        Column::filling("SCANNER OR SOURCE", 0),
        Column::new("STATE", 8, 0),
        Column::number("DEVICES", 7, 2),
        Column::new("LAST EVENT", AGO_WIDTH, 1),
        Column::filling("WHY", 1),
    ],
    rows: |data, _| {
        let status = &data.status;
        let row = |source: &crate::view::snapshot::Source| {
            let own = source.name.strip_prefix(SCANNER);
            let device = own.and_then(|name| {
                status
                    .devices
                    .listed
                    .iter()
                    .find(|device| device.name.as_str() == name)
            });
            let state = plain(&source.view.state);
            let role = Role::of_state(&state);
            let cells = vec![
                plain(&source.name).into(),
                Cell::new(data.words.word(name_state(&state))).role(role),
                count_cell(source.view.devices, data.words),
                ago_cell(device.and_then(|device| device.view.last_event), data),
                plain(source.view.detail.as_deref().unwrap_or_default()).into(),
            ];
            ListRow::new(Subject::Source(source.name.clone()), cells)
        };
        status.sources.iter().map(row).collect()
    },
    total: |data| Some(data.status.sources.len() as u64),
    need: |_, _| None,
    empty: "The gateway has no source yet",
    wraps: false,
    follows: true,
    reason: no_reason,
};
