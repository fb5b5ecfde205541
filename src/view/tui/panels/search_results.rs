//! The results of a search, the newest first.

use crate::view::records::{Hit, HitKind};
use crate::view::table::plain;
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{ago_cell, no_reason};
use crate::view::tui::theme::Role;

pub static FOUND: Spec = Spec {
    name: "Search",
    columns: &[
        Column::new("KIND", 9, 0),
        Column::filling("WHAT", 0),
        Column::new("STATE", 10, 1),
        Column::new("WHEN", 11, 2),
    ],
    rows: |data, text| {
        let found = &data.found;
        let hits = if found.text == text {
            &found.hits[..]
        } else {
            &[]
        };
        hits.iter().map(|hit| row(hit, data)).collect()
    },
    total: |data| Some(data.found.total),
    need: |text, rows| {
        let text = text.trim().to_owned();
        (!text.is_empty()).then_some(Need::Search { text, rows })
    },
    empty: "Type what you search: an order, picking, product, bin, lot, device, operator, reason, ...",
    wraps: false,
    reason: no_reason,
};

fn row(hit: &Hit, data: &Data) -> ListRow {
    let title = if hit.title.is_empty() {
        &hit.id
    } else {
        &hit.title
    };
    let state = hit.state.as_deref().unwrap_or_default();
    let subject = subject_of(hit);
    let mut row = ListRow::new(
        Subject::Event(format!("{} {}", hit.kind.as_str(), hit.id)),
        vec![
            hit.kind.as_str().into(),
            plain(title).into(),
            Cell::new(state.replace('_', " ")).role(Role::of_state(state)),
            ago_cell(Some(hit.at), data.now),
        ],
    );
    row.opens = Some(subject);
    row
}

/// What a hit opens. A product, bin, lot, package or operator has no page: its events do, which a
/// search for it finds.
fn subject_of(hit: &Hit) -> Subject {
    let id = hit.id.clone();
    match hit.kind {
        HitKind::Device => Subject::Device(id),
        HitKind::Event | HitKind::Picking => Subject::Event(id),
        HitKind::Order => Subject::Order(id),
        HitKind::Document => match id.parse() {
            Ok(number) => Subject::Document(number),
            Err(_) => Subject::Event(id),
        },
        HitKind::Rejected => match id.parse() {
            Ok(number) => Subject::Rejected(number),
            Err(_) => Subject::Event(id),
        },
        _ => Subject::Search(id),
    }
}
