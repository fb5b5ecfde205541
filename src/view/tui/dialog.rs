//! The dialog boxes. Each has a file of its own with its text and its keys.

use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

use super::discard::Discard;
use super::edit::Edit;
use super::parts::centre;
use super::request::Step;
use super::retry::Retry;
use super::settle::{Correct, Dismiss, Resend};
use super::theme::Theme;
use super::typing::WIDTH;
use super::wrap::wrap_all;

#[derive(Debug, Clone, PartialEq)]
pub enum Dialog {
    Discard(Discard),
    Retry(Retry),
    Edit(Edit),
    Dismiss(Dismiss),
    Correct(Correct),
    Resend(Resend),
}

impl Dialog {
    pub fn press(&mut self, key: KeyCode) -> Step {
        match self {
            Self::Discard(discard) => discard.press(key),
            Self::Retry(retry) => retry.press(key),
            Self::Edit(edit) => edit.press(key),
            Self::Dismiss(dismiss) => dismiss.press(key),
            Self::Correct(correct) => correct.press(key),
            Self::Resend(resend) => resend.press(key),
        }
    }
}

pub fn draw(frame: &mut Frame, dialog: &Dialog, theme: Theme) {
    let rows = usize::from(frame.area().height.saturating_sub(2));
    let (title, lines) = match dialog {
        Dialog::Discard(discard) => discard.lines(),
        Dialog::Retry(retry) => retry.lines(),
        Dialog::Edit(edit) => edit.lines(rows),
        Dialog::Dismiss(dismiss) => dismiss.lines(),
        Dialog::Correct(correct) => correct.lines(),
        Dialog::Resend(resend) => resend.lines(),
    };
    let lines = fit(lines, frame.area().width.min(WIDTH).saturating_sub(2), rows);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let area = centre(frame.area(), WIDTH, height);
    let block = Block::bordered()
        .border_style(theme.frame(true))
        .title(title);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// Wraps the text of a box. If it has too many rows, the keys at its end and the selected row stay
/// visible.
fn fit(mut lines: Vec<Line<'static>>, columns: u16, rows: usize) -> Vec<Line<'static>> {
    let Some(keys) = lines.pop() else {
        return lines;
    };
    let keys = wrap_all(&[keys], columns);
    let room = rows.saturating_sub(keys.len()).max(1);
    if wrap_all(&lines, columns).len() > room {
        lines.retain(|line| line.width() > 0);
    }
    let is_at = |line: &Line<'_>| line.to_string().trim_start().starts_with("> ");
    let at = lines.iter().rposition(is_at).unwrap_or(lines.len());
    let before = wrap_all(&lines[..at], columns).len();
    let shown = wrap_all(&lines, columns);
    let after = lines.get(at).map_or(0, |line| {
        wrap_all(std::slice::from_ref(line), columns).len()
    });
    let first = (before + after).saturating_sub(room);
    shown
        .into_iter()
        .skip(first)
        .take(room)
        .chain(keys)
        .collect()
}
