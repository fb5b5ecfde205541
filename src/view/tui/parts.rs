//! Parts that several panels and boxes draw.

use jiff::Timestamp;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::theme::FAINT;
use crate::view::table::{seconds_since, span};

/// Centres a box of this size, or a smaller one where the area is smaller.
pub fn centre(area: Rect, width: u16, height: u16) -> Rect {
    let [row] = Layout::vertical([Constraint::Max(height)])
        .flex(Flex::Center)
        .areas(area);
    let [area] = Layout::horizontal([Constraint::Max(width)])
        .flex(Flex::Center)
        .areas(row);
    area
}

/// The text of a panel that has nothing to show.
pub fn empty(text: &'static str) -> Paragraph<'static> {
    Paragraph::new(Line::styled(text, FAINT)).centered()
}

/// The age of a time, such as `3 min ago`.
pub fn ago(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or("–".to_owned(), |at| {
        format!("{} ago", span(seconds_since(at, now)))
    })
}
