//! The boxes that ask something: what each shows, and what keys do to it. Discarding is here; the
//! others have files of their own.

use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::app::{App, Wish};
use super::edit::Edit;
use super::help::centred;
use super::retry::Retry;
use super::settle::{Correct, Dismiss, Resend};
use super::theme::HEADING;
use super::wrap::wrap_all;
use crate::view::records::DocumentView;
use crate::view::table::plain;

pub const WIDTH: u16 = 70;
/// The longest text that can be typed: a reason, as the control API takes it.
const TEXT_CHARS_MAX: usize = 500;

#[derive(Debug, Clone, PartialEq)]
pub enum Dialog {
    Discard(Discard),
    Retry(Retry),
    Edit(Edit),
    Dismiss(Dismiss),
    Correct(Correct),
    Resend(Resend),
}

/// What a key made of a dialog.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Stay,
    /// Nothing is decided.
    Close,
    Done(Wish),
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

pub fn draw(frame: &mut Frame, app: &App) {
    let Some(dialog) = &app.dialog else {
        return;
    };
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
    let area = centred(frame.area(), WIDTH, height);
    let block = Block::bordered()
        .border_style(app.theme.frame(true))
        .title(title);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// Wraps what a box says. Where its rows are more than there are, the keys at its end stay, and the
/// row that the person is at.
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

/// Empties the text, as Ctrl-U does in a shell.
pub const CLEAR: KeyCode = KeyCode::Null;

/// Types into a text.
pub fn write(text: &mut String, key: KeyCode) {
    match key {
        KeyCode::Backspace => {
            text.pop();
        }
        CLEAR => text.clear(),
        KeyCode::Char(c) if text.chars().count() < TEXT_CHARS_MAX => text.push(c),
        _ => {}
    }
}

/// A text while it is typed. Of a long one, the end is where the person types.
pub fn typed(text: &str, cursor: bool) -> Line<'static> {
    let room = usize::from(WIDTH - 6);
    let text = plain(text);
    let skipped = text.chars().count().saturating_sub(room);
    let text: String = text.chars().skip(skipped).collect();
    Line::from(vec![
        Span::raw(" > "),
        Span::styled(text, HEADING),
        Span::raw(if cursor { "_" } else { "" }),
    ])
}

/// Asking for the reason of a discard, then whether it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discard {
    number: u64,
    key: String,
    reason: String,
    pub confirming: bool,
}

impl Discard {
    pub fn new(document: &DocumentView) -> Self {
        Self {
            number: document.number,
            key: document.key.clone(),
            reason: String::new(),
            confirming: false,
        }
    }

    fn press(&mut self, key: KeyCode) -> Step {
        match (self.confirming, key) {
            (_, KeyCode::Esc) | (true, KeyCode::Char('n' | 'N')) => return Step::Close,
            (true, KeyCode::Char('y' | 'Y')) => {
                return Step::Done(Wish::Discard {
                    key: self.key.clone(),
                    reason: self.reason.trim().to_owned(),
                });
            }
            (false, KeyCode::Enter) => self.confirming = !self.reason.trim().is_empty(),
            (false, key) => write(&mut self.reason, key),
            (true, _) => {}
        }
        Step::Stay
    }

    fn lines(&self) -> (String, Vec<Line<'static>>) {
        let keys = if self.confirming {
            " Discard it for good?  y yes   n no"
        } else {
            " Enter go on   Esc leave it parked"
        };
        let lines = vec![
            Line::from(" It will never be posted to Odoo. Why? This is kept with it."),
            Line::default(),
            typed(&self.reason, !self.confirming),
            Line::default(),
            Line::styled(keys, HEADING),
        ];
        (format!(" Discard document {} ", self.number), lines)
    }
}
