//! The results of a search, the newest first.

use crate::view::records::{Hit, HitKind};
use crate::view::table::plain;
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{AGO_WIDTH, ago_cell, no_reason};
use crate::view::tui::texts::{name_state, state_of_scan};
use crate::view::tui::theme::Role;

pub static FOUND: Spec = Spec {
    name: "Search",
    columns: &[
        Column::new("KIND", 9, 0),
        Column::filling("WHAT", 0),
        Column::new("STATE", 11, 1),
        Column::new("WHEN", AGO_WIDTH, 2),
    ],
    rows: |data, text| {
        let found = &data.found;
        let hits = if found.text == text {
            &found.hits[..]
        } else {
            &[]
        };
        let shown = hits.iter().filter(|hit| !is_shown_as_picking(hit, hits));
        shown.map(|hit| row(hit, data)).collect()
    },
    total: |data| {
        let hits = &data.found.hits;
        let doubled = hits.iter().filter(|hit| is_shown_as_picking(hit, hits));
        Some(data.found.total.saturating_sub(doubled.count() as u64))
    },
    need: |text, rows| {
        let text = text.trim().to_owned();
        (!text.is_empty()).then_some(Need::Search { text, rows })
    },
    empty: "Type an order, picking, product, bin, lot, device, operator or reason",
    wraps: false,
    follows: true,
    reason: no_reason,
};

/// Whether a document has a row already: that of its picking.
fn is_shown_as_picking(hit: &Hit, hits: &[Hit]) -> bool {
    let is_same = |other: &Hit| other.kind == HitKind::Picking && other.title == hit.title;
    hit.kind == HitKind::Document && hits.iter().any(is_same)
}

fn row(hit: &Hit, data: &Data) -> ListRow {
    let title = if hit.title.is_empty() {
        &hit.id
    } else {
        &hit.title
    };
    let state = hit.state.as_deref().unwrap_or_default();
    let is_scan = hit.kind == HitKind::Event && hit.title.starts_with("scan ");
    let (word, role) = if is_scan {
        state_of_scan(state, hit.unused)
    } else {
        (name_state(state), Role::of_state(state))
    };
    let subject = subject_of(hit);
    let mut row = ListRow::new(
        Subject::Event(format!("{} {}", hit.kind.as_str(), hit.id)),
        vec![
            data.words.t(hit.kind.as_str()).into(),
            plain(title).into(),
            Cell::new(data.words.t(word)).role(role),
            ago_cell(Some(hit.at), data),
        ],
    );
    row.opens = Some(subject);
    row
}

/// What a hit opens. The page of a product, bin, lot, package or operator has its newest events.
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
        _ => Subject::Name(id),
    }
}
