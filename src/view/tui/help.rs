//! The keys, from their table; and what a panel says when it has nothing to show.

use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::app::App;
use super::keys::KEYS;
use super::theme::{FAINT, HEADING};

const WIDTH: u16 = 64;

pub fn draw(frame: &mut Frame, app: &App) {
    let mut lines: Vec<Line> = KEYS
        .iter()
        .map(|binding| {
            let key = Span::styled(format!(" {:<14}", binding.shown), HEADING);
            Line::from(vec![key, Span::raw(binding.what)])
        })
        .collect();
    lines.push(Line::default());
    lines.push(Line::styled(" Any key closes this.", FAINT));
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let area = centred(frame.area(), WIDTH, height);
    let block = Block::bordered()
        .border_style(app.theme.frame(true))
        .title(" Keys ");
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
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
