//! Removes records whose retention has ended, within the writer's transaction.
//!
//! **In**: the time, and the limits of the configuration. **Out**: removed documents, events, ids
//! and rejected readings, a limited number in each call. **Invariant 7:** a movement is removed
//! only if it was posted, or discarded by a person or its device, and only after
//! `journal.retention_days`. Events that need no document are removed, too.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use redb::ReadableTable as _;

use super::{Transaction, rejected};
use crate::clock;
use crate::document::{DocumentNumber, State};
use crate::event::Seq;
use crate::journal::{Fatal, stored, tables};

/// Limit of the documents and events that one request to prune examines.
const PRUNE_MAX: usize = 2_000;
/// Limit of the oldest events that one request to prune examines.
const SCAN_MAX: usize = 50_000;
/// A request to prune removes no more after this time: devices wait for its group. Keys of
/// documents are spread over the whole file, and each may need a page from the disk.
const PRUNE_TIME_MAX: Duration = Duration::from_millis(20);

impl Transaction<'_> {
    /// Removes records whose retention has ended, a limited number in each call. **Invariant 7:**
    /// removes a movement only if it was posted, or discarded by a person or its device, and only
    /// after `journal.retention_days`. Returns the count of removed events.
    pub fn prune(&mut self, now: Timestamp) -> Result<u64, Fatal> {
        let before = |days: u32| {
            now.saturating_sub(SignedDuration::from_hours(i64::from(days) * 24))
                .unwrap_or(Timestamp::MIN)
        };
        let retained = before(self.limits.retention_days);
        let begun = clock::instant();
        if let Some(number) = self.ids.expire(before(self.limits.dedup_days)) {
            self.write.open_table(tables::ID_FILTERS)?.remove(number)?;
            self.id_buckets
                .remove_range((number, 0)..=(number, u16::MAX))?;
        }
        let mut events = Vec::new();
        for state in [State::Posted, State::Discarded, State::Replaced] {
            for number in self.in_state(state, PRUNE_MAX)? {
                if events.len() >= PRUNE_MAX
                    || !events.is_empty() && begun.elapsed() > PRUNE_TIME_MAX
                {
                    break;
                }
                self.prune_document(number, state, retained, &mut events)?;
            }
        }
        if events.is_empty() || begun.elapsed() < PRUNE_TIME_MAX {
            self.unneeded_events(retained, &mut events)?;
        }
        // A restart reads the ids after the last segment back from the events: write them to a
        // segment first.
        if events.iter().any(|seq| *seq > self.ids.flushed_seq()) {
            self.flush_ids()?;
        }
        let mut repeats = self.write.open_table(tables::REPEATS)?;
        for seq in &events {
            let seq = seq.get();
            if let Some(bytes) = self.events.remove(seq)? {
                let bytes = bytes.value();
                self.held.remove(&stored::event_out(bytes)?, bytes.len());
            }
            self.event_document.remove(seq)?;
            repeats.remove(seq)?;
        }
        if events.is_empty() || begun.elapsed() < PRUNE_TIME_MAX {
            rejected::open(&mut self.rejections, self.write)?.prune(retained)?;
        }
        Ok(events.len() as u64)
    }

    fn in_state(&self, state: State, limit: usize) -> Result<Vec<DocumentNumber>, Fatal> {
        let by_state = self.write.open_table(tables::BY_STATE)?;
        let numbers = by_state
            .range(tables::in_state(state, DocumentNumber::ZERO))?
            .take(limit);
        numbers
            .map(|entry| Ok(DocumentNumber::new(entry?.0.value().1)))
            .collect()
    }

    fn prune_document(
        &mut self,
        number: DocumentNumber,
        state: State,
        retained: Timestamp,
        events: &mut Vec<Seq>,
    ) -> Result<(), Fatal> {
        let mut progress = self.write.open_table(tables::PROGRESS)?;
        let since = progress
            .get(number.get())?
            .map(|bytes| stored::progress_out(bytes.value()))
            .transpose()?
            .map(|progress| progress.since);
        if since.is_none_or(|since| since >= retained) {
            return Ok(());
        }
        progress.remove(number.get())?;
        let mut documents = self.write.open_table(tables::DOCUMENTS)?;
        if let Some(bytes) = documents.remove(number.get())? {
            let document = stored::document_out(number, bytes.value())?;
            self.write
                .open_table(tables::DOCUMENT_KEYS)?
                .remove(document.key.0)?;
            // The events of a replaced document belong to the corrected one.
            if state != State::Replaced {
                events.extend(document.events);
            }
        }
        self.write
            .open_table(tables::BY_STATE)?
            .remove(tables::by_state_key(state, number))?;
        self.write
            .open_table(tables::AUDIT)?
            .remove_range((number.get(), 0)..=(number.get(), u32::MAX))?;
        Ok(())
    }

    /// The oldest events that need no document and whose retention has ended.
    fn unneeded_events(&self, retained: Timestamp, events: &mut Vec<Seq>) -> Result<(), Fatal> {
        for entry in self.events.range(0..)?.take(SCAN_MAX) {
            let (seq, bytes) = entry?;
            if stored::event_out(bytes.value())?.received >= retained {
                break;
            }
            let document = self
                .event_document
                .get(seq.value())?
                .map(|document| document.value());
            if document == Some(tables::NO_DOCUMENT) {
                events.push(Seq::new(seq.value()));
            }
        }
        Ok(())
    }
}
