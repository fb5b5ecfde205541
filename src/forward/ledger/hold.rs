//! What has to be in Odoo before a document is sent.

use super::changes::held_back;
use super::{Ledger, PAGE_DOCUMENTS, is_validation};
use crate::document::State;
use crate::forward::Interrupted;
use crate::forward::resolve::Ground;
use crate::journal::{Entry, JournalError};

impl Ledger {
    /// All that is parked may hold something back. Read once; from then on what is parked here is told to the sequence.
    pub(super) fn learn_blockers(&mut self, ground: Ground<'_>) -> Result<(), Interrupted> {
        let mut after = 0;
        while !self.sequence.is_complete() {
            let page = self
                .journal
                .documents(Some(State::Parked), after, PAGE_DOCUMENTS)?;
            let Some(last) = page.last() else {
                self.sequence.complete();
                break;
            };
            after = last.document.number;
            for entry in page {
                let entry = self.revived(entry)?;
                self.sequence.blocks(Some(ground.copy), &entry.document)?;
            }
        }
        Ok(())
    }

    /// Whether something must be done before this one; it says so.
    pub(super) async fn hold_back(
        &mut self,
        ground: Ground<'_>,
        entry: &Entry,
    ) -> Result<bool, Interrupted> {
        for (place, blocker) in self.sequence.blockers(Some(ground.copy), &entry.document)? {
            if let Some(before) = self.still_before(place, blocker, entry)? {
                self.sequence.blocks(Some(ground.copy), &entry.document)?;
                self.say_held_back(entry, &before).await?;
                return Ok(true);
            }
        }
        self.sequence.release_document(&entry.document);
        Ok(false)
    }

    /// The document that is to be in Odoo first, if it is not there yet; what is through holds nothing back any more.
    pub(super) fn still_before(
        &mut self,
        place: u64,
        mut blocker: u64,
        entry: &Entry,
    ) -> Result<Option<Entry>, JournalError> {
        loop {
            let before = self.journal.document(blocker)?;
            let before = before.filter(|_| blocker != entry.document.number);
            match before.as_ref().map(|before| before.progress.state) {
                None | Some(State::Posted | State::Discarded) => {
                    self.sequence.release(place);
                    return Ok(None);
                }
                // Its correction stands in its place.
                Some(State::Replaced) => {
                    let seq = before.and_then(|before| before.document.events.first().copied());
                    let new = seq.map(|seq| self.journal.document_of(seq)).transpose()?;
                    blocker = new.flatten().flatten().unwrap_or(entry.document.number);
                    self.sequence.stands_in(place, blocker);
                }
                // An order that is not complete takes what completes it.
                Some(State::Parked)
                    if before.as_ref().is_some_and(is_validation) && !is_validation(entry) =>
                {
                    return Ok(None);
                }
                Some(State::Waiting | State::Sending | State::Parked) => return Ok(before),
            }
        }
    }

    pub(super) async fn say_held_back(
        &self,
        entry: &Entry,
        before: &Entry,
    ) -> Result<(), Interrupted> {
        let why = match &before.progress.reason {
            Some(reason) => format!("{}: {}", before.progress.state, reason.code),
            None => before.progress.state.to_string(),
        };
        let message = format!(
            "document {} has to be in Odoo first, and is {why}",
            before.document.number
        );
        let said = entry.progress.reason.as_ref().map(|reason| &reason.message);
        if entry.progress.state == State::Waiting && said != Some(&message) {
            self.change(vec![held_back(entry, message)]).await?;
        }
        Ok(())
    }
}
