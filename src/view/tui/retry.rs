//! The box that asks with which answer to retry a document, or all with the same reason.

use ratatui::crossterm::event::KeyCode;
use ratatui::text::{Line, Span};

use super::request::{Request, Step};
use super::theme::{HEADING, SELECTED};
use crate::document::DocumentNumber;
use crate::reason::Action;
use crate::view::reasons::choices_for;
use crate::view::records::DocumentView;
use crate::view::table::plain;

/// The answers with which a document can be retried, and the selected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    number: DocumentNumber,
    key: String,
    code: String,
    all: bool,
    answers: Vec<(Option<&'static str>, &'static str)>,
    row: usize,
}

impl Retry {
    /// Opens the box. The error is the request itself: a single document whose reason takes no
    /// answer needs no question.
    pub fn new(document: &DocumentView, all: bool) -> Result<Self, Request> {
        let code = document.reason.as_ref();
        let code = code.map_or(String::new(), |reason| reason.code.to_string());
        let key = document.key.clone();
        let mut answers: Vec<_> = (choices_for(document.reason.as_ref()).iter())
            .filter_map(|(action, what)| match action {
                Action::Retry => Some((None, *what)),
                Action::With(answer) => Some((Some(answer.as_str()), *what)),
                Action::Edit | Action::Discard => None,
            })
            .collect();
        if answers.is_empty() {
            answers.push((None, "after you have fixed the cause"));
        }
        if !all && answers.iter().all(|(with, _)| with.is_none()) {
            return Err(Request::Retry { key, with: None });
        }
        Ok(Self {
            number: document.number,
            key,
            code,
            all,
            answers,
            row: 0,
        })
    }

    pub fn press(&mut self, key: KeyCode) -> Step {
        match key {
            KeyCode::Esc => return Step::Close,
            KeyCode::Up | KeyCode::Char('k') => self.row = self.row.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => {
                self.row = (self.row + 1).min(self.answers.len() - 1);
            }
            KeyCode::Enter => {
                let (with, _) = self.answers[self.row];
                return Step::Done(if self.all {
                    let code = self.code.clone();
                    Request::RetryAll { code, with }
                } else {
                    let key = self.key.clone();
                    Request::Retry { key, with }
                });
            }
            _ => {}
        }
        Step::Stay
    }

    pub fn lines(&self) -> (String, Vec<Line<'static>>) {
        let mut lines = Vec::new();
        for (row, (with, what)) in self.answers.iter().enumerate() {
            let style = if row == self.row { SELECTED } else { HEADING };
            let mark = if row == self.row { "> " } else { "  " };
            lines.push(Line::from(vec![
                Span::raw(mark),
                Span::styled(format!("{:<13}", with.unwrap_or("unchanged")), style),
            ]));
            lines.push(Line::from(format!("    {what}")));
        }
        lines.push(Line::default());
        let keys = " ↑↓ choose   Enter retry   Esc cancel";
        lines.push(Line::styled(keys, HEADING));
        let title = if self.all {
            format!(" Retry all documents parked as {} ", plain(&self.code))
        } else {
            format!(" Retry document {} ", self.number)
        };
        (title, lines)
    }
}
