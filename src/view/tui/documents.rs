//! The panel of documents: the newest ones, each with its state and its name in Odoo or its reason.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Row, Table};

use super::app::{App, Panel};
use super::parts::ago;
use super::theme::{HEADING, SELECTED};
use crate::reason::Flag;
use crate::view::records::DocumentView;
use crate::view::table::plain;

const WIDTHS: [Constraint; 7] = [
    Constraint::Length(8),
    Constraint::Length(9),
    Constraint::Length(5),
    Constraint::Length(6),
    Constraint::Fill(2),
    Constraint::Fill(2),
    Constraint::Length(12),
];

pub fn draw(frame: &mut Frame, area: Rect, block: Block, app: &mut App) {
    let documents = app.snapshot.as_ref().map_or(&[][..], |(s, _)| &s.documents);
    if documents.is_empty() {
        frame.render_widget(
            super::parts::empty("No document is sealed yet").block(block),
            area,
        );
        return;
    }
    let rows: Vec<Row> = documents
        .iter()
        .map(|document| row(document, app))
        .collect();
    let headings = [
        "NUMBER", "STATE", "LINES", "EVENTS", "GROUP", "ODOO", "SINCE",
    ];
    let table = Table::new(rows, WIDTHS)
        .header(Row::new(headings).style(HEADING))
        .row_highlight_style(SELECTED)
        .highlight_symbol("> ")
        .block(block);
    frame.render_stateful_widget(table, area, &mut app.rows[Panel::Documents as usize]);
}

fn row(document: &DocumentView, app: &App) -> Row<'static> {
    let mut outcome = match (&document.odoo, &document.reason) {
        (Some(name), _) => plain(name),
        (None, Some(reason)) => plain(reason.code.as_str()),
        (None, None) => String::new(),
    };
    // The flag precedes the name: a narrow screen cuts the end.
    if (document.flags.iter()).any(|known| known == Flag::PossibleRepeat.as_str()) {
        outcome = format!("{} {outcome}", Flag::PossibleRepeat);
    }
    Row::new(vec![
        Line::from(document.number.to_string()),
        Line::from(Span::styled(
            document.state.clone(),
            app.theme.state(&document.state),
        )),
        Line::from(document.lines.len().to_string()),
        Line::from(document.events.to_string()),
        Line::from(plain(&document.group)),
        Line::from(outcome),
        Line::from(ago(Some(document.since), app.now)),
    ])
}
