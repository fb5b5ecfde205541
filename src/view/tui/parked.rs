//! The panel of what waits for a person: parked documents, then rejected readings, with the details
//! of the selected one.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Table};

use super::app::{App, Panel};
use super::parts::{ago, empty};
use super::texts::{describe_line, list_choices, list_rejected_choices, split_faults};
use super::theme::{FAINT, HEADING, SELECTED};
use super::wrap::wrap_all;
use crate::view::records::{DocumentView, RejectedView};
use crate::view::table::{counted, plain};

/// The minimum of rows for the details below the list; the maximum is half of the panel.
const DETAIL_ROWS: u16 = 4;
/// Characters of a payload that the panel shows; the detail view has all of them.
const SHOWN_CHARS: usize = 2_000;
const WIDTHS: [Constraint; 5] = [
    Constraint::Length(8),
    Constraint::Length(20),
    Constraint::Fill(1),
    Constraint::Length(5),
    Constraint::Length(12),
];

pub fn draw(frame: &mut Frame, area: Rect, block: Block, app: &mut App) {
    let shown = app.snapshot.as_ref();
    let (parked, rejected) = shown.map_or((&[][..], &[][..]), |(snapshot, _)| {
        (&snapshot.parked[..], &snapshot.rejected[..])
    });
    if parked.is_empty() && rejected.is_empty() {
        frame.render_widget(empty("Nothing needs you").block(block), area);
        return;
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let text = match (app.selected_parked(), app.selected_rejected()) {
        (Some(document), _) => describe_document(document),
        (None, Some(rejected)) => describe_rejected(rejected),
        (None, None) => Vec::new(),
    };
    let mut text = wrap_all(&text, inner.width);
    let most = DETAIL_ROWS.max(inner.height / 2);
    let needed = u16::try_from(text.len()).unwrap_or(most);
    let room = needed.clamp(DETAIL_ROWS, most);
    let [list, detail] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(room)]).areas(inner);
    if text.len() > usize::from(detail.height) {
        text.truncate(usize::from(detail.height).saturating_sub(1));
        text.push(Line::styled("… press Enter to see all", FAINT));
    }
    let mut rows: Vec<Row> = parked.iter().map(|document| row(document, app)).collect();
    rows.extend(rejected.iter().map(|rejected| rejected_row(rejected, app)));
    let headings = ["NUMBER", "REASON", "GROUP", "LINES", "SINCE"];
    let table = Table::new(rows, WIDTHS)
        .header(Row::new(headings).style(HEADING))
        .row_highlight_style(SELECTED)
        .highlight_symbol("> ");
    frame.render_stateful_widget(table, list, &mut app.rows[Panel::Parked as usize]);
    frame.render_widget(Paragraph::new(text), detail);
}

fn rejected_row(rejected: &RejectedView, app: &App) -> Row<'static> {
    Row::new(vec![
        format!("read {}", rejected.number),
        plain(&rejected.code),
        plain(&rejected.device),
        String::new(),
        ago(Some(rejected.received), app.now),
    ])
}

/// The details of a rejected reading: choices, reason and payload.
fn describe_rejected(rejected: &RejectedView) -> Vec<Line<'static>> {
    let payload: String = rejected.payload.chars().take(SHOWN_CHARS).collect();
    vec![
        list_rejected_choices(),
        Line::from(plain(&rejected.message)),
        Line::from(plain(&payload)),
    ]
}

fn row(document: &DocumentView, app: &App) -> Row<'static> {
    let code = document
        .reason
        .as_ref()
        .map_or("", |reason| reason.code.as_str());
    Row::new(vec![
        document.number.to_string(),
        plain(code),
        plain(&document.group),
        document.lines.len().to_string(),
        ago(Some(document.since), app.now),
    ])
}

/// The details of a parked document: choices, reason and first line.
fn describe_document(document: &DocumentView) -> Vec<Line<'static>> {
    let mut text = vec![list_choices(document)];
    let reason = document.reason.as_ref();
    text.extend(
        reason
            .into_iter()
            .flat_map(|reason| split_faults(&reason.message))
            .map(Line::from),
    );
    if let Some(line) = document.lines.first() {
        let more = match document.lines.len() as u64 - 1 {
            0 => String::new(),
            more => format!("; and {}", counted(more, "line")),
        };
        let movement = describe_line(document, line);
        text.push(Line::from(format!("{movement}{more}")));
    }
    text
}
