//! The panel of documents: the newest ones, each with its state and its name in Odoo or its reason.

use crate::reason::Flag;
use crate::view::records::DocumentView;
use crate::view::table::plain;
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{AGO_WIDTH, ago_cell, count_cell, no_reason};
use crate::view::tui::texts::name_state;
use crate::view::tui::theme::Role;

pub static DOCUMENTS: Spec = Spec {
    name: "Documents",
    columns: &[
        Column::number("NUMBER", 7, 0),
        Column::new("STATE", 9, 0),
        Column::new("SINCE", AGO_WIDTH, 2),
        Column::new("KIND", 8, 4),
        Column::number("LINES", 5, 3),
        Column::number("EVENTS", 6, 6),
        Column::filling("WHO", 1),
        Column::filling("ORDER", 5),
        Column::filling("ODOO OR REASON", 0),
    ],
    rows: |data, _| data.documents.iter().map(|it| row(it, data)).collect(),
    total: |data| Some(data.status.documents.newest.get()),
    need: |_, rows| Some(Need::Documents { rows }),
    empty: "No document is sealed yet",
    wraps: false,
    follows: true,
    reason: no_reason,
};

pub fn row(document: &DocumentView, data: &Data) -> ListRow {
    let mut outcome = match (&document.odoo, &document.reason) {
        (Some(name), _) => plain(name),
        (None, Some(reason)) => plain(reason.code.as_str()),
        (None, None) => String::new(),
    };
    // The flag precedes the name: a narrow screen cuts the end.
    if (document.flags.iter()).any(|known| known == Flag::PossibleRepeat.as_str()) {
        outcome = format!("{} {outcome}", Flag::PossibleRepeat);
    }
    let number = i64::try_from(document.number.get()).unwrap_or(i64::MAX);
    ListRow::new(
        Subject::Document(document.number),
        vec![
            Cell::new(document.number.to_string()).order(number),
            Cell::new(data.words.word(name_state(&document.state)))
                .role(Role::of_state(&document.state)),
            ago_cell(Some(document.since), data),
            data.words.word(&document.purpose).into(),
            count_cell(document.lines.len() as u64, data.words),
            count_cell(document.events, data.words),
            plain(&document.group).into(),
            plain(document.order.as_deref().unwrap_or_default()).into(),
            outcome.into(),
        ],
    )
}
