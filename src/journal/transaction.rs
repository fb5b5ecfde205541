//! Carries out each request on the tables, within the writer's transaction.

mod index_changes;
mod prune;
mod rejected;

pub(super) use prune::Cursors;

use std::collections::HashMap;

use jiff::SignedDuration;
use redb::ReadableTable as _;

use super::changes::{Changing, ChangingTable};
use super::held::Held;
use super::ids::{self, Ids};
use super::inbox::Accepted;
use super::namespace::Namespace;
use super::periods::Periods;
use super::rejected::{BUDGET_DIVISOR, Rejections};
use super::stored::{self, Counters};
use super::tables::Bytes;
use super::{AuditRecord, Change, Fatal, Repeats, SideChange, tables};
use crate::config;
use crate::document::{Document, DocumentNumber, Progress, Purpose, State};
use crate::event::{Event, EventFlag, Rejection, Seq, SourceKind};

/// The limits by which the writer prunes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub dedup_days: u32,
    pub retention_days: u32,
    pub rejected_bytes_max: u64,
}

impl Limits {
    pub fn of(config: &config::Journal) -> Self {
        Self {
            dedup_days: config.dedup_days,
            retention_days: config.retention_days,
            rejected_bytes_max: config.budget_bytes / BUDGET_DIVISOR,
        }
    }
}

/// Limit of the audit records of one document; later ones replace the last.
const AUDIT_MAX: u32 = 1_000;
/// The beginning of the name of a person in an audit record.
const PERSON: &str = "user:";

pub(super) struct Transaction<'a> {
    write: &'a Changing<'a>,
    ids: &'a mut Ids,
    counters: &'a mut Counters,
    held: &'a mut Held,
    periods: &'a mut Periods,
    limits: Limits,
    cursors: &'a mut Cursors,
    events: ChangingTable<'a, u64, Bytes>,
    event_document: ChangingTable<'a, u64, u64>,
    id_buckets: ChangingTable<'a, (u32, u16), Bytes>,
    repeats: HashMap<Seq, Repeats>,
    rejections: Option<Rejections<'a>>,
}

impl<'a> Transaction<'a> {
    pub fn open(
        write: &'a Changing<'a>,
        ids: &'a mut Ids,
        counters: &'a mut Counters,
        (held, periods): (&'a mut Held, &'a mut Periods),
        limits: Limits,
        cursors: &'a mut Cursors,
    ) -> Result<Self, Fatal> {
        Ok(Self {
            events: write.open_table(tables::EVENTS)?,
            event_document: write.open_table(tables::EVENT_DOCUMENT)?,
            id_buckets: write.open_table(tables::ID_BUCKETS)?,
            write,
            ids,
            counters,
            held,
            periods,
            limits,
            cursors,
            repeats: HashMap::new(),
            rejections: None,
        })
    }

    /// Writes the changes of all requests.
    pub fn close(mut self) -> Result<(), Fatal> {
        if !self.repeats.is_empty() {
            let mut table = self.write.open_table(tables::REPEATS)?;
            for (seq, new) in &self.repeats {
                let seq = seq.get();
                // The journal knows an id for longer than it keeps the event.
                if self.events.get(seq)?.is_none() {
                    continue;
                }
                let before = table
                    .get(seq)?
                    .map(|bytes| stored::repeats_out(bytes.value()))
                    .transpose()?;
                let sum = before.map_or(*new, |before| Repeats {
                    count: before.count + new.count,
                    first: before.first,
                    last: new.last,
                });
                table.insert(seq, stored::repeats_in(sum)?.as_slice())?;
            }
        }
        if self.ids.is_hot_full() {
            self.flush_ids()?;
        }
        if let Some(rejections) = self.rejections.take() {
            let bytes_max = self.limits.rejected_bytes_max;
            let (open, changes) = rejections.close(self.write, bytes_max)?;
            self.counters.totals.rejected_wait(open);
            for change in changes {
                self.periods.change_reading(self.write, &change)?;
            }
        }
        self.periods.write(self.write)?;
        self.held.write(self.write, self.counters.totals.last_seq)?;
        Ok(())
    }

    /// The bytes that each device holds now.
    pub fn held(&self) -> &Held {
        self.held
    }

    /// Numbers and stores new events and rejected readings; for a duplicate, returns its original.
    /// **Invariants 2 and 3.**
    pub fn append(&mut self, decoded: &[Result<Event, Rejection>]) -> Result<Vec<Accepted>, Fatal> {
        decoded
            .iter()
            .map(|decoded| match decoded {
                Ok(event) => {
                    let accepted = self.append_event(event)?;
                    self.settle_by_device(event, &accepted)?;
                    Ok(accepted)
                }
                Err(rejection) => self.append_rejection(rejection),
            })
            .collect()
    }

    fn append_event(&mut self, event: &Event) -> Result<Accepted, Fatal> {
        let digest = ids::digest(event.device.as_str(), &event.id);
        if let Some(original) = self.ids.find(&digest, &*self.id_buckets)? {
            self.counters.totals.duplicates += 1;
            let repeats = self.repeats.entry(original).or_insert(Repeats {
                count: 0,
                first: event.received,
                last: event.received,
            });
            repeats.count += 1;
            repeats.last = event.received;
            self.periods.add_duplicate(self.write, event)?;
            return Ok(Accepted::Duplicate { original });
        }
        let totals = &mut self.counters.totals;
        let seq = totals.last_seq.next();
        totals.last_seq = seq;
        totals.stored += 1;
        let is_repeat =
            event.flags.contains(&EventFlag::PossibleRepeat) && event.source != SourceKind::Flow;
        totals.possible_repeats += u64::from(is_repeat);
        self.periods.add_event(self.write, seq, event, is_repeat)?;
        let bytes = stored::event_in(event)?;
        self.held.add(event, bytes.len());
        self.events.insert(seq.get(), bytes.as_slice())?;
        self.ids.insert(digest, seq, event.received);
        if self.ids.know_device(event.device.as_str()) {
            self.write
                .open_table(tables::DEVICES)?
                .insert(event.device.as_str(), ())?;
        }
        Ok(Accepted::Stored { seq })
    }

    /// Stores sealed documents. **Invariant 4:** none of their events is in another document. Skips
    /// a document whose key is already stored: its events then need no document.
    pub fn seal(
        &mut self,
        documents: Vec<Document>,
        skipped: &[Seq],
        settled: Seq,
    ) -> Result<(), Fatal> {
        self.settle_unneeded(skipped)?;
        self.counters.totals.settled = self.counters.totals.settled.max(settled);
        if documents.is_empty() {
            return Ok(());
        }
        for mut document in documents {
            // An id that a device sends again after `journal.dedup_days` creates a document with
            // the key of a stored one: that document already covers the movement.
            let known = self
                .write
                .open_table(tables::DOCUMENT_KEYS)?
                .get(document.key.0)?
                .is_some();
            if known {
                tracing::warn!(key = %document.key, "a stored document already covers these events: the gateway creates no other document for them");
                self.settle_unneeded(&document.events)?;
                continue;
            }
            let number = self.counters.last_document.next();
            for seq in &document.events {
                self.settle_event(*seq, Some(number))?;
            }
            let note = format!(
                "sealed with {} and {}",
                counted(document.events.len(), "event"),
                counted(document.lines.len(), "line")
            );
            self.put_document(&mut document, "assemble", note)?;
        }
        Ok(())
    }

    /// Adds documents that have no events of their own, as a consequence of other documents. Skips
    /// a document whose key is already stored.
    pub fn add(&mut self, documents: Vec<Document>) -> Result<(), Fatal> {
        for mut document in documents {
            let keys = self.write.open_table(tables::DOCUMENT_KEYS)?;
            let is_known = keys.get(document.key.0)?.is_some();
            drop(keys);
            if !is_known {
                let note = match document.purpose {
                    Purpose::Recount { count } => {
                        format!("added to correct the count of document {count}")
                    }
                    _ => "added".to_owned(),
                };
                self.put_document(&mut document, "forward", note)?;
            }
        }
        Ok(())
    }

    /// Numbers a new document and puts it in the queue.
    fn put_document(
        &mut self,
        document: &mut Document,
        by: &str,
        note: String,
    ) -> Result<(), Fatal> {
        let number = self.counters.last_document.next();
        self.counters.last_document = number;
        document.number = number;
        let bytes = stored::document_in(document)?;
        self.write
            .open_table(tables::DOCUMENTS)?
            .insert(number.get(), bytes.as_slice())?;
        self.write
            .open_table(tables::DOCUMENT_KEYS)?
            .insert(document.key.0, number.get())?;
        let progress = Progress {
            state: State::Waiting,
            attempts: 0,
            reason: None,
            odoo: None,
            since: document.sealed,
            plan: None,
            decision: None,
            flags: Vec::new(),
            undone: Vec::new(),
        };
        let record = AuditRecord {
            at: document.sealed,
            state: State::Waiting.to_string(),
            by: by.to_owned(),
            note,
        };
        self.count(&progress, document, true)?;
        self.change_terms(number, None, Some(&progress))?;
        self.add_line_terms(document)?;
        self.put_progress(number, None, &progress, &record)
    }

    /// Adds a corrected document that replaces a parked one: one transaction, with the audit
    /// records of both (**invariant 5**). The events move to the corrected document, so each is
    /// still in exactly one (**invariant 4**). Returns the new number. `None`: the parked document
    /// is not in the state that `change` expects, or the corrected document's key is stored
    /// already.
    pub fn replace(
        &mut self,
        change: &Change,
        mut document: Document,
    ) -> Result<Option<DocumentNumber>, Fatal> {
        let known = self
            .write
            .open_table(tables::DOCUMENT_KEYS)?
            .get(document.key.0)?
            .is_some();
        if known || !self.change_one(change)? {
            return Ok(None);
        }
        if change.expect == State::Parked && change.by.starts_with(PERSON) {
            self.periods.add_edit(self.write, &document)?;
        }
        document.corrects = Some(change.number);
        let note = format!("replaces document {}: {}", change.number, change.note);
        self.put_document(&mut document, &change.by, note)?;
        for seq in &document.events {
            self.event_document
                .insert(seq.get(), document.number.get())?;
        }
        Ok(Some(document.number))
    }

    fn settle_unneeded(&mut self, events: &[Seq]) -> Result<(), Fatal> {
        for seq in events {
            self.settle_event(*seq, None)?;
            self.counters.totals.no_document += 1;
            self.periods.add_unneeded(self.write, *seq)?;
        }
        Ok(())
    }

    /// Stores the document of an event. `None`: the event needs no document.
    fn settle_event(&mut self, seq: Seq, document: Option<DocumentNumber>) -> Result<(), Fatal> {
        let document = document.map_or(tables::NO_DOCUMENT, DocumentNumber::get);
        if self.event_document.insert(seq.get(), document)?.is_some() {
            return Err(Fatal::Invariant(format!(
                "event {seq} would be in two documents"
            )));
        }
        Ok(())
    }

    /// Changes the state of documents, each with its audit record. **Invariant 5.**
    pub fn change(&mut self, changes: Vec<Change>) -> Result<Vec<bool>, Fatal> {
        changes
            .into_iter()
            .map(|change| self.change_one(&change))
            .collect()
    }

    fn change_one(&mut self, change: &Change) -> Result<bool, Fatal> {
        let number = change.number;
        let before = self
            .write
            .open_table(tables::PROGRESS)?
            .get(number.get())?
            .map(|bytes| stored::progress_out(bytes.value()))
            .transpose()?;
        let Some(before) = before else {
            return Ok(false);
        };
        if before.state != change.expect {
            return Ok(false);
        }
        let reason =
            |progress: &Progress| progress.reason.as_ref().map(|reason| reason.code.clone());
        let is_counted_anew = before.state != change.progress.state
            || before.state == State::Parked && reason(&before) != reason(&change.progress);
        if is_counted_anew {
            let document = self
                .write
                .open_table(tables::DOCUMENTS)?
                .get(number.get())?
                .map(|bytes| stored::document_out(number, bytes.value()))
                .transpose()?;
            let Some(document) = document else {
                return Ok(false);
            };
            self.count(&before, &document, false)?;
            self.count(&change.progress, &document, true)?;
        }
        let record = AuditRecord {
            at: change.progress.since,
            state: change.progress.state.to_string(),
            by: change.by.clone(),
            note: change.note.clone(),
        };
        self.change_terms(number, Some(&before), Some(&change.progress))?;
        self.put_progress(number, Some(before.state), &change.progress, &record)?;
        Ok(true)
    }

    /// Adds a document to the counts of its state, or removes it.
    fn count(&mut self, progress: &Progress, document: &Document, more: bool) -> Result<(), Fatal> {
        let state = progress.state;
        let Some(totals) = self.counters.totals.of_mut(state) else {
            return Ok(());
        };
        let step = |number: &mut u64, by: usize| {
            let by = by as u64;
            *number = if more { *number + by } else { *number - by };
        };
        step(&mut totals.documents, 1);
        step(&mut totals.lines, document.lines.len());
        step(&mut totals.events, document.events.len());
        if state == State::Posted {
            let (left_out, by) = (
                &mut self.counters.totals.left_out,
                document.left_out().len() as u64,
            );
            // A journal of an older version has no count of events that were left out.
            *left_out = if more {
                *left_out + by
            } else {
                left_out.saturating_sub(by)
            };
        }
        self.periods
            .count_document(self.write, progress, document, more)
    }

    fn put_progress(
        &mut self,
        number: DocumentNumber,
        before: Option<State>,
        progress: &Progress,
        record: &AuditRecord,
    ) -> Result<(), Fatal> {
        self.write
            .open_table(tables::PROGRESS)?
            .insert(number.get(), stored::progress_in(progress)?.as_slice())?;
        let mut by_state = self.write.open_table(tables::BY_STATE)?;
        if let Some(before) = before {
            by_state.remove(tables::by_state_key(before, number))?;
        }
        by_state.insert(tables::by_state_key(progress.state, number), ())?;
        let mut audit = self.write.open_table(tables::AUDIT)?;
        let number = number.get();
        let last = audit
            .range((number, 0)..=(number, u32::MAX))?
            .next_back()
            .transpose()?
            .map(|(key, _)| key.value().1);
        let step = last.map_or(0, |last| (last + 1).min(AUDIT_MAX));
        let bytes = stored::audit_in(record)?;
        audit.insert((number, step), bytes.as_slice())?;
        Ok(())
    }

    pub fn store_side_values(&mut self, changes: Vec<SideChange>) -> Result<(), Fatal> {
        let mut table = self.write.open_table(tables::SIDE_VALUES)?;
        for (key, value) in changes {
            if key.namespace() == Namespace::DeviceClocks {
                self.counters.totals.clocks += 1;
            }
            let key = key.to_string();
            if let Some(value) = value {
                table.insert(key.as_str(), value.as_slice())?;
            } else {
                table.remove(key.as_str())?;
            }
        }
        Ok(())
    }

    /// Writes ids in memory to a segment. `false`: none are in memory.
    fn flush_ids(&mut self) -> Result<bool, Fatal> {
        // A part of the time for which the journal knows ids.
        let age = SignedDuration::from_hours(i64::from(self.limits.dedup_days) * 24 / 8);
        let Some(flush) = self.ids.flush(age) else {
            return Ok(false);
        };
        for (bucket, new) in flush.buckets() {
            let key = (flush.number, bucket);
            let mut entries = Vec::new();
            if let Some(before) = self.id_buckets.get(key)? {
                entries.reserve(before.value().len() + new.len());
                entries.extend(before.value());
            }
            entries.extend(new);
            self.id_buckets.insert(key, entries.as_slice())?;
        }
        let mut segments = self.write.open_table(tables::ID_FILTERS)?;
        if let Some((number, segment)) = &flush.complete {
            segments.insert(*number, segment.as_slice())?;
        }
        segments.insert(flush.number, flush.segment.as_slice())?;
        Ok(true)
    }
}

fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
