//! The detail view of a parked document or a rejected reading, which scrolls.

use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::text::Line;
use ratatui::widgets::Block;

use super::texts::{describe_line, list_choices, list_rejected_choices, split_faults};
use super::theme::{FAINT, HEADING, Theme};
use super::wrap::Scroll;
use crate::event::RejectedNumber;
use crate::view::records::{DocumentView, RejectedView};
use crate::view::table::plain;

/// The document or reading that the view shows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Document(String),
    Rejected(RejectedNumber),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    subject: Subject,
    title: String,
    lines: Vec<Line<'static>>,
    scroll: Scroll,
}

impl Detail {
    pub fn of_document(document: &DocumentView) -> Self {
        Self {
            subject: Subject::Document(document.key.clone()),
            title: format!(" Document {} ", document.number),
            lines: describe_document(document),
            scroll: Scroll::default(),
        }
    }

    pub fn of_rejected(rejected: &RejectedView) -> Self {
        Self {
            subject: Subject::Rejected(rejected.number),
            title: format!(" Rejected reading {} ", rejected.number),
            lines: describe_rejected(rejected),
            scroll: Scroll::default(),
        }
    }

    /// Whether both show the same document or reading.
    pub fn is_same(&self, other: &Self) -> bool {
        self.subject == other.subject
    }

    /// Takes the lines of a newer view of the same document or reading. The scroll position stays.
    pub fn update(&mut self, newer: Self) {
        self.lines = newer.lines;
    }

    /// Scrolls. Returns whether the key scrolls.
    pub fn scroll(&mut self, key: KeyCode) -> bool {
        self.scroll.press(key)
    }
}

pub fn draw(frame: &mut Frame, detail: &mut Detail, theme: Theme) {
    let block = Block::bordered()
        .border_style(theme.frame(true))
        .title(detail.title.clone());
    let keys = Line::styled("↑↓ Page Up/Down scroll   Esc close", HEADING);
    let area = frame.area();
    (detail.scroll).draw(frame, area, block, &detail.lines, &keys);
}

fn describe_document(document: &DocumentView) -> Vec<Line<'static>> {
    let mut lines = vec![list_choices(document), Line::default()];
    if let Some(reason) = &document.reason {
        lines.push(Line::styled(plain(reason.code.as_str()), HEADING));
        lines.extend(split_faults(&reason.message).map(Line::from));
        lines.push(Line::default());
    }
    let mut head = format!("{} of {}", plain(&document.purpose), plain(&document.group));
    if let Some(order) = &document.order {
        head = format!("{head} for {}", plain(order));
    }
    lines.push(Line::styled(head, FAINT));
    let numbered = document.lines.iter().enumerate();
    lines.extend(numbered.map(|(place, line)| {
        Line::from(format!(
            "line {}: {}",
            place + 1,
            describe_line(document, line)
        ))
    }));
    lines
}

fn describe_rejected(rejected: &RejectedView) -> Vec<Line<'static>> {
    let from = format!(
        "from {} through {}, {}",
        plain(&rejected.device),
        plain(&rejected.source),
        rejected.received
    );
    let mut lines = vec![
        list_rejected_choices(),
        Line::default(),
        Line::styled(plain(&rejected.code), HEADING),
        Line::from(plain(&rejected.message)),
        Line::styled(from, FAINT),
        Line::default(),
        Line::from(plain(&rejected.payload)),
    ];
    if !rejected.whole {
        lines.push(Line::styled(
            "The payload may be longer than shown here",
            FAINT,
        ));
    }
    lines
}
