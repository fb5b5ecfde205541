//! Holds a document back until the documents that it depends on are posted or discarded. A parked
//! document holds others back only if they are about the same order or undo the same event; a
//! parked count holds back its recounts.

use std::time::Duration;

use super::changes::hold_back;
use super::is_to_take_back;
use super::{PAGE_DOCUMENTS, Queue, is_validation};
use crate::document::{Document, DocumentNumber, Purpose, Reason, State};
use crate::forward::Interrupted;
use crate::forward::resolve::Ground;

use crate::journal::{Entry, EventDocument, JournalError};
use crate::reason::ReasonCode;

impl Queue {
    /// Reads, once, all documents that may hold back another one: every parked document and every
    /// document that replaces another. Afterwards each newly parked document is added to the
    /// dependencies.
    pub fn learn_blockers(&mut self, ground: Ground<'_>) -> Result<(), Interrupted> {
        if self.dependencies.is_complete() {
            return Ok(());
        }
        for state in [State::Parked, State::Replaced] {
            let mut after = DocumentNumber::ZERO;
            loop {
                let page = self.journal.documents(Some(state), after, PAGE_DOCUMENTS)?;
                let Some(last) = page.last() else {
                    break;
                };
                after = last.document.number;
                for entry in page {
                    if let Some(reason) = &entry.progress.reason {
                        self.note_open_picks(entry.document.number, reason);
                    }
                    if let Some(entry) = self.successor(entry)? {
                        let entry = self.revived(entry)?;
                        let place = self.place_of(&entry.document)?;
                        self.dependencies
                            .blocks_at(place, Some(ground.copy), &entry.document);
                    }
                }
            }
        }
        self.dependencies.complete();
        Ok(())
    }

    /// The document that has the events of this one now. `None` where those events are posted or
    /// discarded.
    fn successor(&self, entry: Entry) -> Result<Option<Entry>, JournalError> {
        let now = if entry.progress.state == State::Replaced {
            let seq = entry.document.events.first();
            let number = seq.map(|seq| self.journal.document_of(*seq)).transpose()?;
            let number = number.and_then(EventDocument::number);
            let now = number.map(|number| self.journal.document(number));
            now.transpose()?.flatten()
        } else {
            Some(entry)
        };
        let through = |entry: &Entry| {
            matches!(
                entry.progress.state,
                State::Posted | State::Discarded | State::Replaced
            )
        };
        Ok(now.filter(|now| !through(now)))
    }

    /// The place of a document in the order of sending. A corrected document has the place of the
    /// first document in its chain of corrections.
    fn place_of(&self, document: &Document) -> Result<DocumentNumber, JournalError> {
        let mut place = document.number;
        let mut corrects = document.corrects;
        while let Some(before) = corrects.filter(|before| *before < place) {
            place = before;
            let before = self.journal.document(before)?;
            corrects = before.and_then(|before| before.document.corrects);
        }
        Ok(place)
    }

    /// Whether another document must be sent before this one. If so, the reason is stored in this
    /// document. A document that is held back holds back others until it is posted or discarded.
    pub async fn hold_back(
        &mut self,
        ground: Ground<'_>,
        entry: &Entry,
    ) -> Result<bool, Interrupted> {
        if self.waits_for_undone(ground, entry).await? || self.waits_for_count(entry).await? {
            return Ok(true);
        }
        if entry.document.corrects.is_some() {
            let place = self.place_of(&entry.document)?;
            self.dependencies
                .blocks_at(place, Some(ground.copy), &entry.document);
        }
        for blocker in self
            .dependencies
            .blockers(Some(ground.copy), &entry.document)?
        {
            let before = self.still_before(blocker.place, blocker.number, entry)?;
            // A parked count or movement starts a recount when it is posted; a parked serial number
            // is not in stock yet.
            let holds =
                |before: &Entry| blocker.while_parked || before.progress.state != State::Parked;
            if let Some(before) = before.filter(holds) {
                self.dependencies.blocks(Some(ground.copy), &entry.document);
                self.say_held_back(entry, &before).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A recount waits until the count, and each earlier recount that was compared, has ended.
    async fn waits_for_count(&self, entry: &Entry) -> Result<bool, Interrupted> {
        let Purpose::Recount { count } = entry.document.purpose else {
            return Ok(false);
        };
        let is_open = |entry: &Entry| {
            matches!(
                entry.progress.state,
                State::Waiting | State::Sending | State::Parked
            )
        };
        let Some(count) = self.journal.document(count)? else {
            return Ok(false);
        };
        if is_open(&count) {
            self.say_held_back(entry, &count).await?;
            return Ok(true);
        }
        // An earlier recount was compared with the stock that Odoo held then, so it is sent first.
        for number in 0.. {
            let key = count.document.key.recount(number);
            let Some(earlier) = self.journal.document_by_key(key)? else {
                break;
            };
            let is_before = earlier.document.number < entry.document.number;
            if is_before && earlier.progress.plan.is_some() && is_open(&earlier) {
                self.say_held_back(entry, &earlier).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The document that must be in Odoo first, if it is not there yet. A document that has ended
    /// holds nothing back.
    pub fn still_before(
        &mut self,
        place: DocumentNumber,
        mut blocker: DocumentNumber,
        entry: &Entry,
    ) -> Result<Option<Entry>, JournalError> {
        loop {
            let before = self.journal.document(blocker)?;
            let before = before.filter(|_| blocker != entry.document.number);
            match before.as_ref().map(|before| before.progress.state) {
                // The part that Odoo may hold of the document must be withdrawn first.
                Some(State::Discarded) if before.as_ref().is_some_and(is_to_take_back) => {
                    return Ok(before);
                }
                None | Some(State::Posted | State::Discarded) => {
                    self.dependencies.release(place);
                    return Ok(None);
                }
                // The corrected document has its place.
                Some(State::Replaced) => {
                    let seq = before.and_then(|before| before.document.events.first().copied());
                    let new = seq.map(|seq| self.journal.document_of(seq)).transpose()?;
                    blocker = new
                        .and_then(EventDocument::number)
                        .unwrap_or(entry.document.number);
                    self.dependencies.stands_in(place, blocker);
                }
                // An incomplete order accepts the document that completes it.
                Some(State::Parked)
                    if before.as_ref().is_some_and(is_validation) && !is_validation(entry) =>
                {
                    return Ok(None);
                }
                Some(State::Waiting | State::Sending | State::Parked) => return Ok(before),
            }
        }
    }

    /// Lets a document wait whose goods have not arrived in Odoo yet. The gateway looks at the
    /// document again when the goods may have arrived. If the document cannot wait, returns the
    /// reason to refuse it.
    pub async fn wait(
        &mut self,
        ground: Ground<'_>,
        entry: &Entry,
        reason: Reason,
        now: Duration,
    ) -> Result<Option<Reason>, Interrupted> {
        let message = format!(
            "the bin does not hold the goods that the document takes: {}",
            reason.message
        );
        if !self
            .waits
            .put(entry.document.number, &self.journal.totals(), now)
        {
            let code = ReasonCode::NegativeStock.into();
            return Ok(Some(Reason {
                code,
                message,
                lines: Vec::new(),
            }));
        }
        self.dependencies.blocks(Some(ground.copy), &entry.document);
        self.hold(entry, reason.message).await?;
        Ok(None)
    }

    pub async fn say_held_back(&self, entry: &Entry, before: &Entry) -> Result<(), Interrupted> {
        let why = match &before.progress.reason {
            Some(reason) => format!("{}: {}", before.progress.state, reason.code),
            None => before.progress.state.to_string(),
        };
        let message = format!(
            "document {} must be in Odoo first; its state is {why}",
            before.document.number
        );
        self.hold(entry, message).await
    }

    async fn hold(&self, entry: &Entry, message: String) -> Result<(), Interrupted> {
        let said = entry.progress.reason.as_ref().map(|reason| &reason.message);
        let is_new = match entry.progress.state {
            State::Waiting => said != Some(&message),
            // Its send was interrupted by a stop. From now on it waits like any other document.
            State::Sending => true,
            State::Parked | State::Posted | State::Discarded | State::Replaced => false,
        };
        if is_new {
            self.change(vec![hold_back(entry, message)]).await?;
        }
        Ok(())
    }
}
