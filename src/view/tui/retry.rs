//! Asks with what answer a document, or all of one reason, is tried again.

use ratatui::crossterm::event::KeyCode;
use ratatui::text::{Line, Span};

use super::theme::{HEADING, SELECTED};
use super::wish::{Step, Wish};
use crate::document::DocumentNumber;
use crate::reason::Action;
use crate::view::reasons::choices_for;
use crate::view::records::DocumentView;
use crate::view::table::plain;

/// The ways in which it can be tried again, and which is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    number: DocumentNumber,
    key: String,
    code: String,
    all: bool,
    ways: Vec<(Option<&'static str>, &'static str)>,
    row: usize,
}

impl Retry {
    /// One document whose reason takes no answer needs no question: it is the wish already.
    pub fn new(document: &DocumentView, all: bool) -> Result<Self, Wish> {
        let code = document.reason.as_ref();
        let code = code.map_or(String::new(), |reason| reason.code.to_string());
        let key = document.key.clone();
        let mut ways: Vec<_> = (choices_for(document.reason.as_ref()).iter())
            .filter_map(|(action, what)| match action {
                Action::Retry => Some((None, *what)),
                Action::With(answer) => Some((Some(answer.as_str()), *what)),
                Action::Edit | Action::Discard => None,
            })
            .collect();
        if ways.is_empty() {
            ways.push((None, "after you put the fault right"));
        }
        if !all && ways.iter().all(|(with, _)| with.is_none()) {
            return Err(Wish::Retry { key, with: None });
        }
        Ok(Self {
            number: document.number,
            key,
            code,
            all,
            ways,
            row: 0,
        })
    }

    pub fn press(&mut self, key: KeyCode) -> Step {
        match key {
            KeyCode::Esc => return Step::Close,
            KeyCode::Up | KeyCode::Char('k') => self.row = self.row.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => {
                self.row = (self.row + 1).min(self.ways.len() - 1);
            }
            KeyCode::Enter => {
                let (with, _) = self.ways[self.row];
                return Step::Done(if self.all {
                    let code = self.code.clone();
                    Wish::RetryAll { code, with }
                } else {
                    let key = self.key.clone();
                    Wish::Retry { key, with }
                });
            }
            _ => {}
        }
        Step::Stay
    }

    pub fn lines(&self) -> (String, Vec<Line<'static>>) {
        let mut lines = Vec::new();
        for (row, (with, what)) in self.ways.iter().enumerate() {
            let style = if row == self.row { SELECTED } else { HEADING };
            let mark = if row == self.row { "> " } else { "  " };
            lines.push(Line::from(vec![
                Span::raw(mark),
                Span::styled(format!("{:<13}", with.unwrap_or("as it is")), style),
            ]));
            lines.push(Line::from(format!("    {what}")));
        }
        lines.push(Line::default());
        let keys = " ↑↓ choose   Enter try again   Esc leave parked";
        lines.push(Line::styled(keys, HEADING));
        let title = if self.all {
            format!(" Retry all that are parked as {} ", plain(&self.code))
        } else {
            format!(" Retry document {} ", self.number)
        };
        (title, lines)
    }
}
