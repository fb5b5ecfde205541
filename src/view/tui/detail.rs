//! All that is known of a parked document or a rejected reading, in a view that scrolls.

use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::text::Line;
use ratatui::widgets::Block;

use super::texts::{choices_of, choices_of_rejected, describe_line, faults_of};
use super::theme::{FAINT, HEADING, Theme};
use super::wrap::Scroll;
use crate::event::RejectedNumber;
use crate::view::records::{DocumentView, RejectedView};
use crate::view::table::plain;

/// What the view is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    Document(String),
    Rejected(RejectedNumber),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    of: Of,
    title: String,
    lines: Vec<Line<'static>>,
    scroll: Scroll,
}

impl Detail {
    pub fn of_document(document: &DocumentView) -> Self {
        Self {
            of: Of::Document(document.key.clone()),
            title: format!(" Document {} ", document.number),
            lines: about(document),
            scroll: Scroll::default(),
        }
    }

    pub fn of_rejected(rejected: &RejectedView) -> Self {
        Self {
            of: Of::Rejected(rejected.number),
            title: format!(" Rejected reading {} ", rejected.number),
            lines: about_rejected(rejected),
            scroll: Scroll::default(),
        }
    }

    /// Whether both are about the same document or reading.
    pub fn is_same(&self, other: &Self) -> bool {
        self.of == other.of
    }

    /// Takes the lines of a newer view of the same document or reading. The scroll position stays.
    pub fn update(&mut self, newer: Self) {
        self.lines = newer.lines;
    }

    /// Scrolls; answers whether the key did.
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

fn about(document: &DocumentView) -> Vec<Line<'static>> {
    let mut lines = vec![choices_of(document), Line::default()];
    if let Some(reason) = &document.reason {
        lines.push(Line::styled(plain(reason.code.as_str()), HEADING));
        lines.extend(faults_of(&reason.message).map(Line::from));
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

fn about_rejected(rejected: &RejectedView) -> Vec<Line<'static>> {
    let from = format!(
        "from {} by {}, {}",
        plain(&rejected.device),
        plain(&rejected.source),
        rejected.received
    );
    let mut lines = vec![
        choices_of_rejected(),
        Line::default(),
        Line::styled(plain(&rejected.code), HEADING),
        Line::from(plain(&rejected.message)),
        Line::styled(from, FAINT),
        Line::default(),
        Line::from(plain(&rejected.payload)),
    ];
    if !rejected.whole {
        lines.push(Line::styled("More may have come than is shown here", FAINT));
    }
    lines
}
