//! The keys, from their table; and what a panel says when it has nothing to show.

use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::app::App;
use super::keys::KEYS;
use super::theme::{FAINT, HEADING};
use super::wrap::wrap_all;

const WIDTH: u16 = 78;

pub fn draw(frame: &mut Frame, app: &mut App) {
    let lines: Vec<Line> = KEYS
        .iter()
        .map(|binding| {
            let key = Span::styled(format!(" {:<14}", binding.shown), HEADING);
            Line::from(vec![key, Span::raw(binding.what)])
        })
        .collect();
    let keys = Line::styled(" ↑↓ scroll, any other key closes this.", FAINT);
    let columns = frame.area().width.min(WIDTH).saturating_sub(2);
    let rows =
        wrap_all(&lines, columns).len() + wrap_all(std::slice::from_ref(&keys), columns).len();
    let height = u16::try_from(rows + 2).unwrap_or(u16::MAX);
    let area = centred(frame.area(), WIDTH, height);
    let block = Block::bordered()
        .border_style(app.theme.frame(true))
        .title(" Keys ");
    (app.help_scroll).draw(frame, area, block, &lines, &keys);
}

/// A box in the middle, as large as asked for where there is room.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let [row] = Layout::vertical([Constraint::Max(height)])
        .flex(Flex::Center)
        .areas(area);
    let [area] = Layout::horizontal([Constraint::Max(width)])
        .flex(Flex::Center)
        .areas(row);
    area
}

pub fn empty(text: &'static str) -> Paragraph<'static> {
    Paragraph::new(Line::styled(text, FAINT)).centered()
}
