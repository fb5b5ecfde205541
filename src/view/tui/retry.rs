//! The box that states what a retry does, and asks with which answer to retry if the reason has
//! answers: for one document, for the marked ones, or for all with the same reason.

use ratatui::crossterm::event::KeyCode;
use ratatui::text::{Line, Span};

use super::ask::name_documents;
use super::keys::Hint;
use super::request::{Request, Shown, Step};
use super::theme::{HEADING, SELECTED};
use crate::document::DocumentNumber;
use crate::reason::Action;
use crate::view::reasons::choices_for;
use crate::view::records::DocumentView;
use crate::view::table::plain;
use crate::view::words::Words;

/// The answers with which documents can be retried, and the selected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    numbers: Vec<DocumentNumber>,
    code: String,
    is_all: bool,
    answers: Vec<(Option<&'static str>, &'static str)>,
    row: usize,
}

impl Retry {
    /// `documents`: at least one. `is_all`: all with the reason of the first. Documents with
    /// different reasons are retried unchanged only.
    #[must_use]
    pub fn new(documents: &[&DocumentView], is_all: bool) -> Self {
        let code_of = |document: &DocumentView| {
            let reason = document.reason.as_ref();
            reason.map_or(String::new(), |reason| reason.code.to_string())
        };
        let code = documents
            .first()
            .map_or(String::new(), |first| code_of(first));
        let is_same = documents.iter().all(|document| code_of(document) == code);
        let reason = documents.first().and_then(|first| first.reason.as_ref());
        let mut answers: Vec<_> = (choices_for(reason).iter())
            .filter(|_| is_same)
            .filter_map(|(action, what)| match action {
                Action::Retry => Some((None, *what)),
                Action::With(answer) => Some((Some(answer.as_str()), *what)),
                Action::Edit | Action::Discard => None,
            })
            .collect();
        if answers.is_empty() {
            answers.push((None, "after you have fixed the cause"));
        }
        Self {
            numbers: documents.iter().map(|document| document.number).collect(),
            code,
            is_all,
            answers,
            row: 0,
        }
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
                return Step::Done(if self.is_all {
                    let code = self.code.clone();
                    Request::RetryAll { code, with }
                } else {
                    let numbers = self.numbers.clone();
                    Request::Retry { numbers, with }
                });
            }
            _ => {}
        }
        Step::Stay
    }

    #[must_use]
    pub fn show(&self, words: Words) -> Shown {
        let title = if self.is_all {
            words.fill(
                "Retry all documents parked as {code}",
                &[("code", &plain(&self.code))],
            )
        } else {
            let documents = name_documents(&self.numbers, words);
            words.fill("Retry {documents}", &[("documents", &documents)])
        };
        let mut lines = vec![
            Line::from(
                words
                    .t("The gateway sends the same lines to Odoo again, each only once.")
                    .to_owned(),
            ),
            Line::default(),
        ];
        for (row, (with, what)) in self.answers.iter().enumerate() {
            let is_selected = row == self.row;
            let style = if is_selected { SELECTED } else { HEADING };
            let mark = if is_selected { "> " } else { "  " };
            lines.push(Line::from(vec![
                Span::raw(mark),
                Span::styled(with.unwrap_or(words.t("unchanged")).to_owned(), style),
                Span::raw(format!(": {}", words.t(what))),
            ]));
        }
        lines.push(Line::default());
        let mut hints = Vec::new();
        if self.answers.len() > 1 {
            hints.push(Hint::new(KeyCode::Down, "↓", words.t("choose")));
            hints.push(Hint::new(KeyCode::Up, "↑", words.t("back")));
        }
        hints.push(Hint::new(KeyCode::Enter, "Enter", words.t("retry")));
        hints.push(Hint::new(KeyCode::Esc, "Esc", words.t("cancel")));
        Shown {
            title,
            lines,
            fault: None,
            hints,
        }
    }
}
