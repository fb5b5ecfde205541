//! Removes records whose retention has ended, within the writer's transaction.
//!
//! **In**: the time, and the limits of the configuration. **Out**: removed documents, events, ids
//! and rejected readings, a limited number in each call. **Invariant 7:** a movement is removed
//! only if it was posted, or discarded by a person or its device, and only after
//! `journal.retention_days`. Events that need no document are removed, too.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use redb::ReadableTable as _;

use super::{Transaction, rejected};
use crate::clock;
use crate::document::{DocumentNumber, State};
use crate::event::Seq;
use crate::journal::{Fatal, stored, tables};

/// Limit of the documents and events that one request to prune removes.
const PRUNE_MAX: usize = 2_000;
/// Documents end in about the order of their numbers. A request to prune begins with the lowest and
/// goes on until it has met this number of documents that must stay.
const STAYING_MAX: usize = 200;
/// Then it examines this number of documents where the request before ended: so it finds what is
/// behind documents that ended late.
const BEHIND_MAX: usize = 500;
/// Limit of the events that one request to prune examines.
const SCAN_MAX: usize = 50_000;
/// A request to prune removes no more after this time: devices wait for its group. Keys of
/// documents are spread over the whole file, and each may need a page from the disk.
const PRUNE_TIME_MAX: Duration = Duration::from_millis(20);
/// A request to prune that has removed nothing ends after this time.
const SEARCH_TIME_MAX: Duration = Duration::from_millis(60);

/// States whose documents are removed after their retention.
const ENDED: [State; 3] = [State::Posted, State::Discarded, State::Replaced];

/// Where the next request to prune goes on.
#[derive(Debug, Default)]
pub(in crate::journal) struct Cursors {
    documents: [DocumentNumber; ENDED.len()],
    event: u64,
    /// The newest event that this process has pruned.
    pub(super) newest_pruned: Seq,
}

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
        if let Some(number) = self.ids.expire(before(self.limits.dedup_days)) {
            self.write.open_table(tables::ID_FILTERS)?.remove(number)?;
            self.id_buckets
                .remove_range((number, 0)..=(number, u16::MAX))?;
        }
        let begun = clock::instant();
        let mut events = Vec::new();
        for (index, state) in ENDED.into_iter().enumerate() {
            self.prune_state(index, state, retained, begun, &mut events)?;
        }
        if events.is_empty() || begun.elapsed() < PRUNE_TIME_MAX {
            self.unneeded_events(retained, clock::instant(), &mut events)?;
        }
        // A restart reads the ids after the last segment back from the events: write them to a
        // segment first.
        while events.iter().any(|seq| *seq > self.ids.flushed_seq()) && self.flush_ids()? {}
        let mut repeats = self.write.open_table(tables::REPEATS)?;
        let mut wrong_scans = self.write.open_table(tables::WRONG_SCANS)?;
        for seq in &events {
            let seq = seq.get();
            if let Some(bytes) = self.events.remove(seq)? {
                let bytes = bytes.value();
                self.held.remove(&stored::event_out(bytes)?, bytes.len());
            }
            self.event_document.remove(seq)?;
            repeats.remove(seq)?;
            wrong_scans.remove(seq)?;
        }
        drop((repeats, wrong_scans));
        let count = events.len() as u64;
        let newest = events.iter().copied().max().unwrap_or_default();
        self.cursors.newest_pruned = self.cursors.newest_pruned.max(newest);
        self.prune_index(&mut events)?;
        if count == 0 || begun.elapsed() < PRUNE_TIME_MAX {
            self.periods.prune(self.write, retained)?;
            rejected::open(&mut self.rejections, self.write)?.prune(retained)?;
        }
        Ok(count)
    }

    /// Removes documents of one state: the lowest numbers, and those at the cursor.
    fn prune_state(
        &mut self,
        index: usize,
        state: State,
        retained: Timestamp,
        begun: Instant,
        events: &mut Vec<Seq>,
    ) -> Result<(), Fatal> {
        let (mut staying, mut lowest) = (0, DocumentNumber::ZERO);
        for number in self.in_state(state, DocumentNumber::ZERO, PRUNE_MAX)? {
            if staying == STAYING_MAX || is_enough(events, begun) {
                break;
            }
            lowest = number;
            if !self.prune_document(number, state, retained, events)? {
                staying += 1;
            }
        }
        let before = self.cursors.documents.get(index).copied();
        let from = before.unwrap_or_default().max(lowest).next();
        let behind = self.in_state(state, from, BEHIND_MAX)?;
        // At the end it begins again. One document at least is examined, however slow the disk is.
        let (count, mut cursor) = (behind.len(), DocumentNumber::ZERO);
        for (place, number) in behind.into_iter().enumerate() {
            self.prune_document(number, state, retained, events)?;
            let is_last = place + 1 == count && count < BEHIND_MAX;
            cursor = if is_last {
                DocumentNumber::ZERO
            } else {
                number
            };
            if is_enough(events, begun) {
                break;
            }
        }
        if let Some(stored) = self.cursors.documents.get_mut(index) {
            *stored = cursor;
        }
        Ok(())
    }

    fn in_state(
        &self,
        state: State,
        from: DocumentNumber,
        limit: usize,
    ) -> Result<Vec<DocumentNumber>, Fatal> {
        let by_state = self.write.open_table(tables::BY_STATE)?;
        let numbers = by_state.range(tables::in_state(state, from))?.take(limit);
        numbers
            .map(|entry| Ok(DocumentNumber::new(entry?.0.value().1)))
            .collect()
    }

    /// Returns whether it removed the document.
    fn prune_document(
        &mut self,
        number: DocumentNumber,
        state: State,
        retained: Timestamp,
        events: &mut Vec<Seq>,
    ) -> Result<bool, Fatal> {
        let mut progress = self.write.open_table(tables::PROGRESS)?;
        let ended = progress
            .get(number.get())?
            .map(|bytes| stored::progress_out(bytes.value()))
            .transpose()?;
        let Some(ended) = ended.filter(|ended| ended.since < retained) else {
            return Ok(false);
        };
        progress.remove(number.get())?;
        drop(progress);
        self.change_terms(number, Some(&ended), None)?;
        let mut documents = self.write.open_table(tables::DOCUMENTS)?;
        if let Some(bytes) = documents.remove(number.get())? {
            let document = stored::document_out(number, bytes.value())?;
            drop(bytes);
            self.remove_line_terms(&document)?;
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
        Ok(true)
    }

    /// Events that need no document and whose retention has ended, a part of the oldest events in
    /// each call.
    fn unneeded_events(
        &mut self,
        retained: Timestamp,
        begun: Instant,
        events: &mut Vec<Seq>,
    ) -> Result<(), Fatal> {
        let from = std::mem::take(&mut self.cursors.event);
        for (count, entry) in self.events.range(from..)?.enumerate() {
            let (seq, bytes) = entry?;
            if count == SCAN_MAX || is_enough(events, begun) {
                self.cursors.event = seq.value();
                break;
            }
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

/// Whether a request to prune has removed its part, or used its time.
fn is_enough(events: &[Seq], begun: Instant) -> bool {
    let time_max = if events.is_empty() {
        SEARCH_TIME_MAX
    } else {
        PRUNE_TIME_MAX
    };
    events.len() >= PRUNE_MAX || begun.elapsed() > time_max
}
