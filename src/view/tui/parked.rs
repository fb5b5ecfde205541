//! What waits for a person: refused documents, then rejected readings; with all that is known of
//! the selected one.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Table};

use super::app::{App, Panel};
use super::devices::ago;
use super::theme::{FAINT, HEADING, SELECTED};
use super::wrap::wrap_all;
use crate::view::reasons::choices_for;
use crate::view::records::{DocumentView, LineView, RejectedView};
use crate::view::table::{counted, plain};

/// Rows for what is selected, below the list: at least so many, and up to half of the panel.
const DETAIL_ROWS: u16 = 4;
/// Characters of a payload that the panel shows; the view that scrolls has all of them.
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
        frame.render_widget(super::help::empty("Nothing needs you").block(block), area);
        return;
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let text = match (app.selected_parked(), app.selected_rejected()) {
        (Some(document), _) => about(document),
        (None, Some(rejected)) => about_rejected(rejected),
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
        text.push(Line::styled("… Enter shows all of it", FAINT));
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

/// What can be done, why no event could be made of a reading, and what came.
fn about_rejected(rejected: &RejectedView) -> Vec<Line<'static>> {
    let payload: String = rejected.payload.chars().take(SHOWN_CHARS).collect();
    vec![
        choices_of_rejected(),
        Line::from(plain(&rejected.message)),
        Line::from(plain(&payload)),
    ]
}

pub fn choices_of_rejected() -> Line<'static> {
    Line::styled(
        "choices: r send again, e correct and send, d dismiss",
        FAINT,
    )
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

/// What can be done, why it was refused, and its first line.
fn about(document: &DocumentView) -> Vec<Line<'static>> {
    let mut text = vec![choices_of(document)];
    let reason = document.reason.as_ref();
    text.extend(
        reason
            .into_iter()
            .flat_map(|reason| faults_of(&reason.message))
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

pub fn choices_of(document: &DocumentView) -> Line<'static> {
    let choices: Vec<String> = (choices_for(document.reason.as_ref()).iter())
        .map(|(action, _)| action.describe())
        .collect();
    let notes = match document.flags.as_slice() {
        [] => String::new(),
        flags => format!(" [{}]", plain(&flags.join(", "))),
    };
    Line::styled(format!("choices: {}{notes}", choices.join(", ")), FAINT)
}

/// Each fault of a message on a line of its own.
pub fn faults_of(message: &str) -> impl Iterator<Item = String> {
    let mut faults = message.split("; also line");
    let first = faults.next().map(plain);
    first
        .into_iter()
        .chain(faults.map(|fault| format!("also line{}", plain(fault))))
}

/// What moves, and between which places.
pub fn describe_line(document: &DocumentView, line: &LineView) -> String {
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
    plain(&movement)
}
