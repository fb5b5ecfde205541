//! The list of scans of devices without a flow, which moved no stock, the newest first.

use crate::view::records::EventView;
use crate::view::table::plain;
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{AGO_WIDTH, ago_cell, no_reason};
use crate::view::tui::theme::Role;

pub static UNUSED: Spec = Spec {
    name: "Scans that moved no stock",
    columns: &[
        Column::new("DONE", AGO_WIDTH, 1),
        Column::filling("DEVICE", 0),
        Column::filling("SCANNED", 0),
        Column::filling("REASON", 2),
        Column::new("OPERATOR", 10, 3),
    ],
    rows: |data, _| data.unused.events.iter().map(|it| row(it, data)).collect(),
    total: |data| (!data.unused.is_cut).then_some(data.unused.events.len() as u64),
    need: |_, rows| Some(Need::Unused { rows }),
    empty: "The newest events have no scan of a device without a flow",
    wraps: false,
    follows: true,
    reason: no_reason,
};

fn row(event: &EventView, data: &Data) -> ListRow {
    let reason = data.words.t("the device has no flow");
    ListRow::new(
        Subject::Event(format!("seq:{}", event.seq)),
        vec![
            ago_cell(Some(event.at), data),
            plain(&event.device).into(),
            plain(&event.describe(data.words)).into(),
            Cell::new(reason).role(Role::Bad),
            plain(event.operator.as_deref().unwrap_or_default()).into(),
        ],
    )
}
