//! Parked documents that are tried again because another document was posted.

use super::changes::waiting;
use super::{Ended, Ledger, is_validation};
use crate::document::{Document, Purpose, Reason, State};
use crate::journal::Entry;
use crate::outcome::code;

impl Ledger {
    /// A validation that was parked because something was missing is tried again when more was
    /// posted for its order.
    pub(super) async fn perhaps_complete(&mut self, document: &Document) -> Result<(), Ended> {
        let Some(order) = document.purpose.order() else {
            return Ok(());
        };
        for number in self.sequence.about_order(order) {
            let Some(entry) = self.journal.document(number)? else {
                continue;
            };
            let lacked = entry.progress.reason.as_ref();
            let lacked = lacked.is_some_and(|reason| code::LACKING.contains(&reason.code.as_str()));
            if lacked && entry.progress.state == State::Parked && is_validation(&entry) {
                let note = format!("document {} was posted for the order", document.number);
                self.change(vec![waiting(&entry, note)]).await?;
            }
        }
        Ok(())
    }

    pub(super) fn note_open_picks(&mut self, number: u64, reason: &Reason) {
        if reason.code == code::OPEN_PICKS {
            self.open_picks.insert(number);
        }
    }

    /// Counts that waited for picks to be validated are compared again when an order was validated,
    /// or a pick undone.
    pub(super) async fn retry_open_picks(&mut self, document: &Document) -> Result<(), Ended> {
        if !matches!(
            document.purpose,
            Purpose::Validate { .. } | Purpose::Undo { .. }
        ) {
            return Ok(());
        }
        let mut changes = Vec::new();
        for number in std::mem::take(&mut self.open_picks) {
            let is_parked = |entry: &Entry| {
                let reason = entry.progress.reason.as_ref();
                entry.progress.state == State::Parked
                    && reason.is_some_and(|reason| reason.code == code::OPEN_PICKS)
            };
            if let Some(entry) = self.journal.document(number)?.filter(is_parked) {
                let note = format!("document {} was posted: compared again", document.number);
                changes.push(waiting(&entry, note));
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.change(changes).await.map(drop)
    }
}
