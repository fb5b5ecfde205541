//! Retries parked documents because another document was posted.

use super::changes::wait;
use super::{Queue, is_validation};
use crate::document::{Document, DocumentNumber, Purpose, Reason, State};
use crate::forward::queue::changes::Effects;
use crate::journal::{Entry, JournalError};
use crate::reason::{Heals, ReasonCode};

impl Queue {
    /// Adds to the effects of this posting that parked documents wait again: validations that
    /// lacked a part of its order, and counts that waited for open picks.
    pub fn try_again(
        &mut self,
        document: &Document,
        effects: &mut Effects,
    ) -> Result<(), JournalError> {
        let note = format!("document {} was posted for the order", document.number);
        for entry in self.lacking(document)? {
            effects.change_once(wait(&entry, note.clone()));
        }
        let note = format!(
            "document {} was posted; the gateway compares this count again",
            document.number
        );
        for entry in self.with_open_picks(document)? {
            effects.change_once(wait(&entry, note.clone()));
        }
        Ok(())
    }

    /// Finds the parked validations of the order of `document` that lacked goods which other
    /// documents, such as `document`, post for the order.
    fn lacking(&self, document: &Document) -> Result<Vec<Entry>, JournalError> {
        let Some(order) = document.purpose.order() else {
            return Ok(Vec::new());
        };
        let mut lacking = Vec::new();
        for number in self.dependencies.about_order(order) {
            let lacked = |entry: &Entry| {
                is_validation(entry) && is_parked(entry, |code| code.row().heals == Heals::Goods)
            };
            lacking.extend(self.journal.document(number)?.filter(lacked));
        }
        Ok(lacking)
    }

    /// The counts that waited for the validation of picks, if an order was validated or a pick
    /// undone.
    fn with_open_picks(&mut self, document: &Document) -> Result<Vec<Entry>, JournalError> {
        if !matches!(
            document.purpose,
            Purpose::Validate { .. } | Purpose::Undo { .. }
        ) {
            return Ok(Vec::new());
        }
        let mut counts = Vec::new();
        for number in std::mem::take(&mut self.open_picks) {
            let waits = |entry: &Entry| is_parked(entry, |code| code == ReasonCode::OpenPicks);
            counts.extend(self.journal.document(number)?.filter(waits));
        }
        Ok(counts)
    }

    pub fn note_open_picks(&mut self, number: DocumentNumber, reason: &Reason) {
        if reason.code == ReasonCode::OpenPicks {
            self.open_picks.insert(number);
        }
    }
}

fn is_parked(entry: &Entry, is_meant: impl Fn(ReasonCode) -> bool) -> bool {
    let reason = entry.progress.reason.as_ref();
    entry.progress.state == State::Parked
        && reason
            .and_then(|reason| reason.code.known())
            .is_some_and(is_meant)
}
