//! The panel of parked documents, and of those that a person has decided about since the screen was
//! opened: their rows show the outcome.

use crate::view::records::DocumentView;
use crate::view::table::plain;
use crate::view::tui::data::{Data, Need, Subject};
use crate::view::tui::list::{Cell, Column, ListRow, Spec};
use crate::view::tui::parts::{AGO_WIDTH, ago_cell, count_cell};
use crate::view::tui::texts::{describe_line, describe_outcome};
use crate::view::tui::theme::Role;

pub static PARKED: Spec = Spec {
    name: "Parked",
    columns: &[
        Column::number("NUMBER", 7, 0),
        Column::filling("REASON OR OUTCOME", 0).at_least(26),
        Column::new("SINCE", AGO_WIDTH, 2),
        Column::new("KIND", 8, 5),
        Column::new("WHO", 12, 1),
        Column::number("LINES", 5, 3),
        Column::new("ORDER", 14, 4),
        Column::filling("FIRST LINE", 6),
    ],
    rows: |data, _| rows(data),
    total: |data| Some(data.status.documents.parked + count_decided(data)),
    need: |_, rows| Some(Need::Parked { rows }),
    empty: "No document is parked",
    wraps: false,
    follows: true,
    reason: |data, subject| match subject {
        Subject::Document(number) => {
            let document = data.parked.iter().find(|it| it.number == *number)?;
            Some(document.reason.as_ref()?.code.to_string())
        }
        _ => None,
    },
};

/// The number of documents that a person has decided about, and that are not parked again.
#[must_use]
pub fn count_decided(data: &Data) -> u64 {
    decided(data).count() as u64
}

/// The documents that a person has decided about, and that are not parked again.
fn decided(data: &Data) -> impl Iterator<Item = &DocumentView> {
    let is_parked = |document: &DocumentView| {
        data.parked
            .iter()
            .any(|parked| parked.number == document.number)
    };
    data.decided
        .values()
        .filter(move |document| !is_parked(document))
}

fn rows(data: &Data) -> Vec<ListRow> {
    let mut documents: Vec<&DocumentView> = data.parked.iter().chain(decided(data)).collect();
    documents.sort_by_key(|document| document.number);
    documents
        .into_iter()
        .map(|document| row(document, data))
        .collect()
}

fn row(document: &DocumentView, data: &Data) -> ListRow {
    let first = document.lines.first();
    let first = first.map(|line| describe_line(document, line, data));
    let reason = document.reason.as_ref();
    let what = match describe_outcome(document, data) {
        Some((outcome, role)) => Cell::new(outcome).role(role),
        None => Cell::new(plain(reason.map_or("parked", |it| it.code.as_str()))).role(Role::Bad),
    };
    let number = i64::try_from(document.number.get()).unwrap_or(i64::MAX);
    ListRow::new(
        Subject::Document(document.number),
        vec![
            Cell::new(document.number.to_string()).order(number),
            what,
            ago_cell(Some(document.since), data),
            data.words.word(&document.purpose).into(),
            plain(&document.group).into(),
            count_cell(document.lines.len() as u64, data.words),
            plain(document.order.as_deref().unwrap_or_default()).into(),
            first.unwrap_or_default().into(),
        ],
    )
}
