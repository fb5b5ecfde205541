//! Picks the documents that are sent next.

use std::time::Duration;

use super::dependencies::follows;
use super::{DocumentCounts, PAGE_DOCUMENTS, Queue};
use crate::assemble;
use crate::document::{DocumentNumber, Purpose, State};
use crate::forward::Interrupted;
use crate::forward::resolve::Ground;
use crate::journal::{Entry, JournalError};

impl Queue {
    /// Picks the next documents to send: first those that were being sent when the process stopped,
    /// then waiting ones in order. A deferred document that is due is sent in a batch of its own.
    pub async fn next_entries(
        &mut self,
        ground: Ground<'_>,
        lines_max: usize,
        now: Duration,
    ) -> Result<Vec<Entry>, Interrupted> {
        self.learn_blockers(ground)?;
        if let Some(after) = self.recovered {
            let entries = self
                .read(ground, State::Sending, after, lines_max, now)
                .await?;
            if !entries.is_empty() {
                return Ok(entries);
            }
            self.recovered = None;
        }
        let entries = self
            .read(ground, State::Waiting, DocumentNumber::ZERO, lines_max, now)
            .await?;
        let due = self.deferred.due(now);
        let due = due.filter(|_| entries.is_empty() || !self.deferred_taken);
        self.deferred_taken = due.is_some();
        let Some(number) = due else {
            return Ok(entries);
        };
        let waits = |entry: &Entry| entry.progress.state == State::Waiting;
        if let Some(entry) = self.journal.document(number)?.filter(waits) {
            return Ok(vec![self.revived(entry)?]);
        }
        self.deferred.answered(number, now);
        Ok(entries)
    }

    /// Turns a document that an earlier version could not post into what its event says now.
    pub fn revived(&self, mut entry: Entry) -> Result<Entry, JournalError> {
        if let (Purpose::Unsupported { .. }, [seq]) =
            (&entry.document.purpose, entry.document.events.as_slice())
            && let Some(recorded) = self.journal.event(*seq)?
        {
            entry.document = assemble::revive(&entry.document, &recorded);
        }
        Ok(entry)
    }

    /// When the first deferred document, or the first document that waits for goods, is due; and
    /// the document counts when no document could be taken. Until one of these changes there is
    /// nothing to do.
    pub fn idle(&self) -> (Option<Duration>, DocumentCounts) {
        let due = [self.deferred.next_due(), self.waits.next_due()];
        (due.into_iter().flatten().min(), self.standings)
    }

    /// Reads documents of one kind of work that may be sent now, in the order of their numbers, as
    /// many as fit.
    async fn read(
        &mut self,
        ground: Ground<'_>,
        state: State,
        mut after: DocumentNumber,
        lines_max: usize,
        now: Duration,
    ) -> Result<Vec<Entry>, Interrupted> {
        let totals = self.journal.totals();
        let mut entries: Vec<Entry> = Vec::new();
        let mut lines = 0;
        loop {
            let page = self.journal.documents(Some(state), after, PAGE_DOCUMENTS)?;
            let whole = page.len() == PAGE_DOCUMENTS;
            for entry in page {
                after = entry.document.number;
                if self.deferred.contains(after) || self.waits.is_waiting(after, &totals, now) {
                    continue;
                }
                let entry = self.revived(entry)?;
                // An interrupted send is completed: nothing holds it back.
                if state == State::Waiting && self.hold_back(ground, &entry).await? {
                    self.waits.release(after);
                    continue;
                }
                let alone = goes_alone(&entry.document.purpose);
                // A document without lines takes time as well.
                lines += entry.document.lines.len().max(1);
                if let Some(first) = entries.first() {
                    let alike = !alone && !goes_alone(&first.document.purpose);
                    let before = || entries.iter().map(|entry| &entry.document);
                    if lines > lines_max
                        || !alike
                        || follows(Some(ground.copy), &entry.document, before())?
                    {
                        return Ok(entries);
                    }
                }
                entries.push(entry);
            }
            if !whole {
                return Ok(entries);
            }
        }
    }
}

/// Whether this kind of document is sent alone: documents about an order, and undos.
fn goes_alone(purpose: &Purpose) -> bool {
    purpose.is_about_order() || matches!(purpose, Purpose::Undo { .. })
}
