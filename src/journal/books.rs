//! Verifies the books of a journal: that its tables agree with one another and with the sums.
//!
//! **In**: a read transaction. **Out**: each disagreement, at most [`FAULTS_MAX`]. Checksums find a
//! page that the disk has changed; this finds records that were never right together. The memory
//! holds one record at a time.

use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _};

use super::stored::{self, Counters};
use super::work_done::WorkDone;
use super::{Fatal, StateTotals, tables};
use crate::document::{DocumentNumber, State};

/// A journal with more faults has one cause for most of them.
const FAULTS_MAX: usize = 20;

struct Books<'a> {
    read: &'a ReadTransaction,
    counters: Counters,
    faults: Vec<String>,
}

/// Names what does not agree. Empty: the books are right.
pub(super) fn check(read: &ReadTransaction, progress: &WorkDone) -> Result<Vec<String>, Fatal> {
    let counters = match read.open_table(tables::META)?.get("totals")? {
        Some(bytes) => stored::counters_out(bytes.value())?,
        None => Counters::default(),
    };
    let mut books = Books {
        read,
        counters,
        faults: Vec::new(),
    };
    let documents = read.open_table(tables::PROGRESS)?.len()?;
    let events = read.open_table(tables::EVENTS)?.len()?;
    progress.set_all(documents + events);
    books.check_documents(progress)?;
    books.check_events(progress)?;
    books.faults.truncate(FAULTS_MAX);
    Ok(books.faults)
}

impl Books<'_> {
    fn fault(&mut self, what: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(what);
        }
    }

    /// Each document has its content, its progress, its key and its place in one queue, and the
    /// documents add up to the sums.
    fn check_documents(&mut self, progress: &WorkDone) -> Result<(), Fatal> {
        let documents = self.read.open_table(tables::DOCUMENTS)?;
        let keys = self.read.open_table(tables::DOCUMENT_KEYS)?;
        let by_state = self.read.open_table(tables::BY_STATE)?;
        let table = self.read.open_table(tables::PROGRESS)?;
        let mut sums = [StateTotals::default(); State::COUNTED.len()];
        for entry in table.iter()? {
            let (number, bytes) = entry?;
            let number = DocumentNumber::new(number.value());
            progress.add(1);
            let state = stored::progress_out(bytes.value())?.state;
            let Some(bytes) = documents.get(number.get())? else {
                self.fault(format!("document {number} has a state, but no content"));
                continue;
            };
            let document = stored::document_out(number, bytes.value())?;
            if keys.get(document.key.0)?.map(|found| found.value()) != Some(number.get()) {
                self.fault(format!(
                    "the key {} does not lead to its document {number}",
                    document.key
                ));
            }
            if by_state.get(tables::by_state_key(state, number))?.is_none() {
                self.fault(format!(
                    "document {number} is {state}, but not in that queue"
                ));
            }
            if number > self.counters.last_document {
                self.fault(format!(
                    "document {number} is above the highest number, {}",
                    self.counters.last_document
                ));
            }
            if let Some(place) = State::COUNTED.iter().position(|counted| *counted == state) {
                sums[place].documents += 1;
                sums[place].lines += document.lines.len() as u64;
                sums[place].events += document.events.len() as u64;
            }
        }
        let count = table.len()?;
        for (what, found) in [
            ("contents of documents", documents.len()?),
            ("keys of documents", keys.len()?),
            ("places in queues", by_state.len()?),
        ] {
            if found != count {
                self.fault(format!("there are {found} {what} for {count} documents"));
            }
        }
        self.compare(&sums);
        Ok(())
    }

    /// Compares the documents of each state with the sums. Pruning removes documents that ended,
    /// and not their counts.
    fn compare(&mut self, sums: &[StateTotals; State::COUNTED.len()]) {
        for (state, found) in State::COUNTED.into_iter().zip(sums) {
            let sum = self.counters.totals.of(state);
            let is_pruned = matches!(state, State::Posted | State::Discarded);
            let pairs = [
                ("documents", found.documents, sum.documents),
                ("lines", found.lines, sum.lines),
                ("events", found.events, sum.events),
            ];
            for (what, found, sum) in pairs {
                let is_right = found == sum || is_pruned && found < sum;
                if !is_right {
                    self.fault(format!(
                        "the sum of {state} {what} is {sum}, but there are {found}"
                    ));
                }
            }
        }
    }

    /// Each event is numbered, and leads to a document that there can be; open events add up.
    fn check_events(&mut self, progress: &WorkDone) -> Result<(), Fatal> {
        let last_seq = self.counters.totals.last_seq.get();
        let last_document = self.counters.last_document.get();
        let document_of = self.read.open_table(tables::EVENT_DOCUMENT)?;
        let mut open = 0;
        for entry in self.read.open_table(tables::EVENTS)?.iter()? {
            let (seq, bytes) = entry?;
            let seq = seq.value();
            progress.add(1);
            stored::event_out(bytes.value())?;
            if seq > last_seq {
                self.fault(format!(
                    "event {seq} is above the highest number, {last_seq}"
                ));
            }
            match document_of.get(seq)?.map(|number| number.value()) {
                None => open += 1,
                Some(number) if number > last_document => {
                    self.fault(format!(
                        "event {seq} leads to document {number}, which never was"
                    ));
                }
                Some(_) => {}
            }
        }
        let totals = &self.counters.totals;
        let sealed: u64 = State::COUNTED
            .iter()
            .map(|state| totals.of(*state).events)
            .sum();
        let sum = totals.stored.checked_sub(totals.no_document + sealed);
        if sum != Some(open) {
            let sum = sum.map_or("below 0".to_owned(), |sum| sum.to_string());
            self.fault(format!(
                "the sum of open events is {sum}, but there are {open}"
            ));
        }
        Ok(())
    }
}
