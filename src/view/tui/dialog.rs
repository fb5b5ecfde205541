//! The dialog boxes. Each has a file of its own with its text and its keys.

use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

use super::ask::Ask;
use super::data::Data;
use super::edit::Edit;
use super::parts::{centre, lay_hints, place_in};
use super::period_box::PeriodBox;
use super::request::Step;
use super::retry::Retry;
use super::settle::Correct;
use super::theme::Theme;
use super::typing::WIDTH;
use super::wrap::wrap_all;

#[derive(Debug, Clone, PartialEq)]
pub enum Dialog {
    Ask(Ask),
    Retry(Retry),
    Edit(Edit),
    Correct(Correct),
    Period(PeriodBox),
}

impl Dialog {
    pub fn press(&mut self, key: KeyCode) -> Step {
        match self {
            Self::Ask(ask) => ask.press(key),
            Self::Retry(retry) => retry.press(key),
            Self::Edit(edit) => edit.press(key),
            Self::Correct(correct) => correct.press(key),
            Self::Period(period) => period.press(key),
        }
    }

    /// The codes whose names the box shows.
    #[must_use]
    pub fn codes(&self) -> Vec<&str> {
        match self {
            Self::Edit(edit) => edit.codes(),
            _ => Vec::new(),
        }
    }
}

/// Draws a box, and returns where its keys are.
pub fn draw(frame: &mut Frame, dialog: &Dialog, data: &Data, theme: Theme) -> Vec<(Rect, KeyCode)> {
    let rows = usize::from(frame.area().height.saturating_sub(2));
    let shown = match dialog {
        Dialog::Ask(ask) => ask.show(data.words),
        Dialog::Retry(retry) => retry.show(data.words),
        Dialog::Edit(edit) => edit.show(rows, data),
        Dialog::Correct(correct) => correct.show(data.words),
        Dialog::Period(period) => period.show(data.words),
    };
    let columns = frame.area().width.min(WIDTH).saturating_sub(2);
    let (hints, places) = lay_hints(&shown.hints, columns, theme);
    let lines = fit(shown.lines, columns, rows.saturating_sub(hints.len()));
    let height = u16::try_from(lines.len() + hints.len() + 2).unwrap_or(u16::MAX);
    let area = centre(frame.area(), WIDTH, height);
    let block = Block::bordered()
        .border_style(theme.frame(true))
        .title(format!(" {} ", shown.title));
    let mut inner = block.inner(area);
    let text: Vec<Line> = lines.into_iter().chain(hints.iter().cloned()).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(text.clone()).block(block), area);
    let above = u16::try_from(text.len() - hints.len()).unwrap_or(0);
    inner.height = inner.height.saturating_sub(above);
    inner.y += above;
    place_in(inner, places)
}

/// Wraps the text of a box. If it has too many rows, the selected row stays visible.
fn fit(mut lines: Vec<Line<'static>>, columns: u16, rows: usize) -> Vec<Line<'static>> {
    let room = rows.max(1);
    if wrap_all(&lines, columns).len() > room {
        lines.retain(|line| line.width() > 0);
    }
    let is_at = |line: &Line<'_>| line.to_string().trim_start().starts_with("> ");
    let at = lines.iter().rposition(is_at).unwrap_or(lines.len());
    let before = wrap_all(&lines[..at], columns).len();
    let after = lines.get(at).map_or(0, |line| {
        wrap_all(std::slice::from_ref(line), columns).len()
    });
    let first = (before + after).saturating_sub(room);
    let shown = wrap_all(&lines, columns).into_iter();
    shown.skip(first).take(room).collect()
}
