//! What waits for a person: refused documents, then rejected readings; with all that is known of the
//! selected one.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Table, Wrap};

use super::app::{App, Panel};
use super::devices::ago;
use super::theme::{FAINT, HEADING, SELECTED};
use crate::view::reasons::choices;
use crate::view::records::{DocumentView, RejectedView};
use crate::view::table::{counted, plain};

/// Rows for the selected document, below the list.
const DETAIL_ROWS: u16 = 4;
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
        frame.render_widget(super::help::empty("Nothing needs you").block(block), area);
        return;
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [list, detail] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(DETAIL_ROWS)]).areas(inner);
    let mut rows: Vec<Row> = parked.iter().map(|document| row(document, app)).collect();
    rows.extend(rejected.iter().map(|rejected| rejected_row(rejected, app)));
    let headings = ["NUMBER", "REASON", "GROUP", "LINES", "SINCE"];
    let table = Table::new(rows, WIDTHS)
        .header(Row::new(headings).style(HEADING))
        .row_highlight_style(SELECTED)
        .highlight_symbol("> ");
    frame.render_stateful_widget(table, list, &mut app.rows[Panel::Parked as usize]);
    let text = match (app.selected_parked(), app.selected_rejected()) {
        (Some(document), _) => about(document),
        (None, Some(rejected)) => about_rejected(rejected),
        (None, None) => return,
    };
    let text = Paragraph::new(text).wrap(Wrap { trim: true });
    frame.render_widget(text, detail);
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

/// Why no event could be made of a reading, what came, and what can be done.
fn about_rejected(rejected: &RejectedView) -> Vec<Line<'static>> {
    vec![
        Line::from(plain(&rejected.message)),
        Line::from(plain(&rejected.payload)),
        Line::styled(
            "choices: r send again, e correct and send, d dismiss",
            FAINT,
        ),
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

/// Why it was refused, its first line, and what can be done.
fn about(document: &DocumentView) -> Vec<Line<'static>> {
    let message = document
        .reason
        .as_ref()
        .map_or("", |reason| reason.message.as_str());
    let mut text = vec![Line::from(plain(message))];
    if let Some(line) = document.lines.first() {
        let more = match document.lines.len() as u64 - 1 {
            0 => String::new(),
            more => format!("; and {}", counted(more, "line")),
        };
        let mut movement = format!("{} of {}", line.quantity, line.product);
        for (word, place) in [
            ("from", &line.from),
            ("to", &line.to),
            ("for", &document.order),
        ] {
            if let Some(place) = place {
                movement = format!("{movement} {word} {place}");
            }
        }
        text.push(Line::from(format!("{}{more}", plain(&movement))));
    }
    let code = document.reason.as_ref().map_or("", |reason| &reason.code);
    let choices: Vec<String> = (choices(code).iter())
        .map(|(action, _)| action.words())
        .collect();
    let notes = match document.flags.as_slice() {
        [] => String::new(),
        flags => format!(" [{}]", plain(&flags.join(", "))),
    };
    text.push(Line::styled(
        format!("choices: {}{notes}", choices.join(", ")),
        FAINT,
    ));
    text
}
