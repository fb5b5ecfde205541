//! Opens the dialog of a decision, for the marked rows, the selected one or the open page.

use super::{App, View};
use crate::event::RejectedNumber;
use crate::view::records::{DocumentView, RejectedView};
use crate::view::tui::ask::Ask;
use crate::view::tui::data::Subject;
use crate::view::tui::dialog::{Dialog, Kind};
use crate::view::tui::edit::Edit;
use crate::view::tui::keys::KeyAction;
use crate::view::tui::retry::Retry;
use crate::view::tui::settle::Correct;

impl App {
    /// Whether a person can decide about the subject now.
    pub(in crate::view::tui) fn can_decide(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Document(number) => self.document_in(*number, "parked").is_some(),
            Subject::Rejected(number) => self.open_reading(*number).is_some(),
            _ => false,
        }
    }

    /// The open page's or the selected row's subject.
    pub(in crate::view::tui) fn subject(&self) -> Option<Subject> {
        match self.opened.last() {
            Some(View::Page(page)) => Some(page.subject.clone()),
            _ => self
                .selected_row()
                .map(|row| row.opens.unwrap_or(row.subject)),
        }
    }

    /// Whether the subject is a discarded document.
    pub(in crate::view::tui) fn is_discarded(&self, subject: &Subject) -> bool {
        let Subject::Document(number) = subject else {
            return false;
        };
        self.document_in(*number, "discarded").is_some()
    }

    fn document_in(
        &self,
        number: crate::document::DocumentNumber,
        state: &str,
    ) -> Option<&DocumentView> {
        self.data
            .document(number)
            .filter(|document| document.state == state)
    }

    fn open_reading(&self, number: RejectedNumber) -> Option<&RejectedView> {
        self.data
            .rejected(number)
            .filter(|rejected| rejected.state == "open")
    }

    pub(super) fn decide(&mut self, action: KeyAction) {
        if self.is_read_only {
            let text = "`top` runs with --read-only: it decides nothing";
            self.notice = Some(self.data.words.t(text).to_owned());
            return;
        }
        let marks = self
            .list()
            .map(|list| list.marks.clone())
            .unwrap_or_default();
        let subjects: Vec<Subject> = if marks.is_empty() {
            self.subject().into_iter().collect()
        } else {
            marks.into_iter().collect()
        };
        match self.dialog_of(action, &subjects) {
            Ok(dialog) => self.dialog = Some(dialog),
            Err(why) => self.notice = Some(self.data.words.t(why).to_owned()),
        }
    }

    /// The dialog of a decision, or why there is none.
    fn dialog_of(&self, action: KeyAction, subjects: &[Subject]) -> Result<Dialog, &'static str> {
        let words = self.data.words;
        if action == KeyAction::Undo {
            let [Subject::Document(number)] = subjects else {
                return Err("Select one discarded document, then press u");
            };
            let document = self.document_in(*number, "discarded");
            let document = document.ok_or("u is for a discarded document only")?;
            return Ok(Kind::Ask(Ask::undiscard(document, words)).into());
        }
        let documents: Vec<&DocumentView> = (subjects.iter())
            .filter_map(|subject| match subject {
                Subject::Document(number) => self.document_in(*number, "parked"),
                _ => None,
            })
            .collect();
        if !documents.is_empty() {
            return self.dialog_of_documents(action, &documents);
        }
        let readings: Vec<&RejectedView> = (subjects.iter())
            .filter_map(|subject| match subject {
                Subject::Rejected(number) => self.open_reading(*number),
                _ => None,
            })
            .collect();
        if !readings.is_empty() {
            return self.dialog_of_readings(action, &readings);
        }
        Err(match subjects.first() {
            Some(Subject::Document(_) | Subject::Rejected(_)) => {
                "Already settled: this document or reading no longer waits for a person"
            }
            _ => {
                "Select a parked document (panel 4) or a rejected reading (panel 5), then press the key again"
            }
        })
    }

    fn dialog_of_documents(
        &self,
        action: KeyAction,
        documents: &[&DocumentView],
    ) -> Result<Dialog, &'static str> {
        match (action, documents) {
            (KeyAction::Edit, [document]) => Ok(Kind::Edit(Edit::new(document)).into()),
            (KeyAction::Edit, _) => {
                Err("Only one document can be edited at a time: Esc removes the marks")
            }
            (KeyAction::Discard, documents) => {
                Ok(Kind::Ask(Ask::discard(documents, self.data.words)).into())
            }
            (_, documents) => {
                let is_all = action == KeyAction::RetryAll;
                Ok(Kind::Retry(Retry::new(documents, is_all)).into())
            }
        }
    }

    fn dialog_of_readings(
        &self,
        action: KeyAction,
        readings: &[&RejectedView],
    ) -> Result<Dialog, &'static str> {
        let words = self.data.words;
        let first = readings[0];
        match action {
            KeyAction::Edit if readings.len() > 1 => {
                Err("Only one reading can be corrected at a time: Esc removes the marks")
            }
            KeyAction::Edit if first.whole => Ok(Kind::Correct(Correct::new(first)).into()),
            KeyAction::Edit => Err(
                "The payload is too long or not text: correct it in a file, and run `stockrelay rejected resend NUMBER --payload-file FILE`",
            ),
            KeyAction::Discard => {
                let newest = self.data.rejected.last();
                let newest = newest.map_or(first.number, |newest| newest.number);
                Ok(Kind::Ask(Ask::dismiss(readings, newest, words)).into())
            }
            KeyAction::RetryAll => Err(
                "R is for documents. For rejected readings mark them with a, then press r to send them again, or d to dismiss them",
            ),
            _ => Ok(Kind::Ask(Ask::resend(readings, words)).into()),
        }
    }
}
