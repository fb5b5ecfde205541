//! Holds a document back until the documents before it are in Odoo.

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
    /// All that is parked may hold something back, and so may what was put in the place of another
    /// document. Read once; from then on what is parked here is told to the sequence.
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

    /// The document that has the events of this one by now; none where it is through.
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

    /// Where a document stands in the order of things: a correction in the place of the first
    /// document that it goes back to.
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

    /// Whether something must be done before this one; it says so. What was held back holds back
    /// others until it is posted.
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
            // A parked count or movement makes a recount when it is posted; a parked serial number
            // did not come in.
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

    /// A count, and each correction of it that was compared before, has to come to an end before it
    /// is corrected.
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
        // What was compared before goes by what Odoo held then, so it comes first.
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

    /// The document that is to be in Odoo first, if it is not there yet; what is through holds
    /// nothing back any more.
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
                // What Odoo may hold of it has to go first.
                Some(State::Discarded) if before.as_ref().is_some_and(is_to_take_back) => {
                    return Ok(before);
                }
                None | Some(State::Posted | State::Discarded) => {
                    self.dependencies.release(place);
                    return Ok(None);
                }
                // Its correction stands in its place.
                Some(State::Replaced) => {
                    let seq = before.and_then(|before| before.document.events.first().copied());
                    let new = seq.map(|seq| self.journal.document_of(seq)).transpose()?;
                    blocker = new
                        .and_then(EventDocument::number)
                        .unwrap_or(entry.document.number);
                    self.dependencies.stands_in(place, blocker);
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

    /// What a document takes is on its way: it is looked at again when that may have come. Answers
    /// why it is refused if it cannot wait.
    pub async fn wait(
        &mut self,
        ground: Ground<'_>,
        entry: &Entry,
        reason: Reason,
        now: Duration,
    ) -> Result<Option<Reason>, Interrupted> {
        let message = format!("the bin does not hold what is taken: {}", reason.message);
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
            "document {} has to be in Odoo first, and is {why}",
            before.document.number
        );
        self.hold(entry, message).await
    }

    async fn hold(&self, entry: &Entry, message: String) -> Result<(), Interrupted> {
        let said = entry.progress.reason.as_ref().map(|reason| &reason.message);
        let is_new = match entry.progress.state {
            State::Waiting => said != Some(&message),
            // It was being sent when the process stopped. It waits like any other from now on.
            State::Sending => true,
            State::Parked | State::Posted | State::Discarded | State::Replaced => false,
        };
        if is_new {
            self.change(vec![hold_back(entry, message)]).await?;
        }
        Ok(())
    }
}
