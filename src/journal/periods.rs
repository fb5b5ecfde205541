//! Counts what was received by period, so that a status can show the state of everything since a
//! time.
//!
//! **In**: the changes that the writer counts in the totals. **Out**: a table from period to
//! counts, changed in the transaction that changes the totals. **The sum of all its records is the
//! totals**: one record counts what no period counts (what an older version stored, what is past
//! its retention, documents without events).
//!
//! Numbers of events rise, so a period has runs of numbers. The runs are in memory: a change of
//! state finds the periods of its events without a read of the events.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use redb::{Database, ReadableDatabase as _, ReadableTable as _};

use super::changes::{Changing, Noted};
use super::period_counts::{OUTSIDE, Period, PeriodCounts, begin_of, key_of};
use super::rejected::ReadingChange;
use super::{Fatal, Totals, stored, tables};
use crate::clock;
use crate::document::{Document, Progress, State};
use crate::event::{Event, RejectedNumber, Rejection, Seq};

/// Devices share the writer, so an event may be stored after a later one of another device. An
/// event that was received so long before the period that counts belongs to that period.
const LATE_MAX: SignedDuration = SignedDuration::from_secs(60);
/// Limit of the periods that one request to prune removes.
const PRUNED_MAX: usize = 500;

#[derive(Debug, Default)]
pub(super) struct Periods {
    events: Runs,
    readings: Runs,
    /// The key of the period that counted last.
    current: u64,
    /// The keys of records with unused scans or with readings that were removed for room.
    undecided: BTreeSet<u64>,
    /// The records that the transaction has changed.
    changed: BTreeMap<u64, Period>,
}

/// From the first number of a run to the key of its record, rising.
#[derive(Debug, Default)]
struct Runs(Vec<(u64, u64)>);

impl Runs {
    fn find(&self, number: u64) -> u64 {
        let next = self.0.partition_point(|(first, _)| *first <= number);
        next.checked_sub(1)
            .and_then(|place| self.0.get(place))
            .map_or(OUTSIDE, |(_, key)| *key)
    }

    /// Whether the next number begins a run: it is higher than all before.
    fn begin(&mut self, number: u64, key: u64) -> bool {
        let is_new = self.0.last().map_or(OUTSIDE, |(_, last)| *last) != key;
        if is_new {
            self.0.push((number, key));
        }
        is_new
    }

    /// The runs of pruned records belong to [`OUTSIDE`].
    fn remove(&mut self, pruned: &BTreeSet<u64>) {
        for (_, key) in &mut self.0 {
            if pruned.contains(key) {
                *key = OUTSIDE;
            }
        }
        self.0.dedup_by_key(|(_, key)| *key);
        if self.0.first().is_some_and(|(_, key)| *key == OUTSIDE) {
            self.0.remove(0);
        }
    }

    fn of(&self, wanted: u64) -> Vec<u64> {
        let runs = self.0.iter().filter(|(_, key)| *key == wanted);
        runs.map(|(first, _)| *first).collect()
    }
}

impl Periods {
    /// Reads the runs. Begins to count again, from now on, where the sum of the counts is not the
    /// totals: an older version has changed the journal.
    pub fn open(database: &Database, totals: &Totals) -> Result<Self, Fatal> {
        let mut periods = Self::default();
        let mut sum = PeriodCounts::default();
        let read = database.begin_read()?;
        let is_there = match read.open_table(tables::PERIODS) {
            Ok(table) => {
                for entry in table.iter()? {
                    let (key, bytes) = entry?;
                    let period = stored::period_out(bytes.value())?;
                    sum.add(&period.counts);
                    periods.note(key.value(), &period);
                }
                true
            }
            Err(redb::TableError::TableDoesNotExist(_)) => false,
            Err(error) => return Err(error.into()),
        };
        periods.events.0.sort_unstable();
        periods.readings.0.sort_unstable();
        let last = periods.events.0.last();
        periods.current = last.map_or(OUTSIDE, |(_, key)| *key);
        let whole = PeriodCounts::of(totals);
        if is_there && sum.without_details() == whole {
            return Ok(periods);
        }
        if is_there {
            tracing::info!("counts since a time begin now: an older version has used the journal");
        }
        Self::begin(database, whole)
    }

    fn note(&mut self, key: u64, period: &Period) {
        let runs = |firsts: &[u64]| firsts.iter().map(|first| (*first, key)).collect::<Vec<_>>();
        self.events.0.extend(runs(&period.first_seqs));
        self.readings.0.extend(runs(&period.first_readings));
        self.note_undecided(key, &period.counts);
    }

    fn note_undecided(&mut self, key: u64, counts: &PeriodCounts) {
        if counts.unused_scans > 0 || counts.rejected_dropped > 0 {
            self.undecided.insert(key);
        } else {
            self.undecided.remove(&key);
        }
    }

    /// Stores that no period counts what the journal has.
    fn begin(database: &Database, whole: PeriodCounts) -> Result<Self, Fatal> {
        let is_new = whole == PeriodCounts::default();
        let mut periods = Self::default();
        let outside = Period {
            complete_from_us: if is_new {
                0
            } else {
                clock::now().as_microsecond()
            },
            counts: whole,
            ..Period::default()
        };
        periods.note_undecided(OUTSIDE, &outside.counts);
        let mut write = database.begin_write()?;
        write.set_quick_repair(true);
        write.delete_table(tables::PERIODS)?;
        periods.changed.insert(OUTSIDE, outside);
        // The commit below is durable: it needs no log.
        periods.write(&Changing::new(&write, Noted::default()))?;
        write.commit()?;
        Ok(periods)
    }

    /// Writes the records that have changed.
    pub fn write(&mut self, write: &Changing<'_>) -> Result<(), Fatal> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let mut table = write.open_table(tables::PERIODS)?;
        for (key, period) in std::mem::take(&mut self.changed) {
            self.note_undecided(key, &period.counts);
            table.insert(key, stored::period_in(&period)?.as_slice())?;
        }
        Ok(())
    }

    /// The record with this key, to change it.
    fn record(&mut self, write: &Changing<'_>, key: u64) -> Result<&mut Period, Fatal> {
        Ok(match self.changed.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let table = write.open_table(tables::PERIODS)?;
                let stored = table.get(key)?;
                let stored = stored.map(|bytes| stored::period_out(bytes.value()));
                entry.insert(stored.transpose()?.unwrap_or_default())
            }
        })
    }

    fn counts(&mut self, write: &Changing<'_>, key: u64) -> Result<&mut PeriodCounts, Fatal> {
        self.record(write, key).map(|period| &mut period.counts)
    }

    /// The key of the period that counts something received at this time.
    fn key_at(&mut self, received: Timestamp) -> u64 {
        let key = key_of(received);
        let is_late =
            key < self.current && begin_of(self.current).duration_since(received) <= LATE_MAX;
        if !is_late {
            self.current = key;
        }
        self.current
    }

    /// Counts a new event.
    pub fn add_event(
        &mut self,
        write: &Changing<'_>,
        seq: Seq,
        event: &Event,
        is_possible_repeat: bool,
    ) -> Result<(), Fatal> {
        let key = self.key_at(event.received);
        let is_first = self.events.begin(seq.get(), key);
        let period = self.record(write, key)?;
        if is_first {
            period.first_seqs.push(seq.get());
        }
        period.counts.stored += 1;
        period.counts.possible_repeats += u64::from(is_possible_repeat);
        Ok(())
    }

    /// Counts a message that repeats an event.
    pub fn add_duplicate(&mut self, write: &Changing<'_>, event: &Event) -> Result<(), Fatal> {
        let key = self.key_at(event.received);
        self.counts(write, key)?.duplicates += 1;
        Ok(())
    }

    /// Counts a new rejected reading.
    pub fn add_reading(
        &mut self,
        write: &Changing<'_>,
        number: RejectedNumber,
        rejection: &Rejection,
    ) -> Result<(), Fatal> {
        let key = self.key_at(rejection.received);
        let is_first = self.readings.begin(number.get(), key);
        let period = self.record(write, key)?;
        if is_first {
            period.first_readings.push(number.get());
        }
        let open = u64::from(rejection.code.needs_person());
        period.counts.rejected += 1;
        period.counts.rejected_open += open;
        let code = rejection.code.as_str().to_owned();
        let of_code = period.counts.rejected_by_code.entry(code).or_default();
        of_code.readings += 1;
        of_code.open += open;
        Ok(())
    }

    /// Counts a change of a rejected reading.
    pub fn change_reading(
        &mut self,
        write: &Changing<'_>,
        change: &ReadingChange,
    ) -> Result<(), Fatal> {
        let (number, code) = match change {
            ReadingChange::AllDroppedSettled => {
                for key in self.undecided() {
                    let counts = self.counts(write, key)?;
                    let dropped = std::mem::take(&mut counts.rejected_dropped);
                    counts.rejected_open = counts.rejected_open.saturating_sub(dropped);
                }
                return Ok(());
            }
            ReadingChange::Settled(number, code) | ReadingChange::Dropped(number, code) => {
                (*number, Some(code.as_str().to_owned()))
            }
            ReadingChange::DroppedSettled(number) => (*number, None),
        };
        let key = self.readings.find(number.get());
        let counts = self.counts(write, key)?;
        if let Some(of_code) = code.and_then(|code| counts.rejected_by_code.get_mut(&code)) {
            of_code.open = of_code.open.saturating_sub(1);
        }
        match change {
            ReadingChange::Dropped(..) => counts.rejected_dropped += 1,
            ReadingChange::DroppedSettled(_) => {
                counts.rejected_open = counts.rejected_open.saturating_sub(1);
                counts.rejected_dropped = counts.rejected_dropped.saturating_sub(1);
            }
            _ => counts.rejected_open = counts.rejected_open.saturating_sub(1),
        }
        Ok(())
    }

    /// The keys of records that may have unused scans, or readings that were removed for room.
    fn undecided(&self) -> Vec<u64> {
        let mut keys = self.undecided.clone();
        keys.extend(self.changed.keys());
        keys.into_iter().collect()
    }

    /// Counts an event that needs no document.
    pub fn add_unneeded(&mut self, write: &Changing<'_>, seq: Seq) -> Result<(), Fatal> {
        let key = self.events.find(seq.get());
        self.counts(write, key)?.no_document += 1;
        Ok(())
    }

    /// Counts raw scans that no flow uses.
    pub fn add_unused(&mut self, write: &Changing<'_>, seqs: &[Seq]) -> Result<(), Fatal> {
        for seq in seqs {
            let key = self.events.find(seq.get());
            self.counts(write, key)?.unused_scans += 1;
        }
        Ok(())
    }

    /// A person has dismissed all unused scans.
    pub fn dismiss_unused(&mut self, write: &Changing<'_>) -> Result<(), Fatal> {
        for key in self.undecided() {
            self.counts(write, key)?.unused_scans = 0;
        }
        Ok(())
    }

    /// Counts a scan that a flow answered with an error.
    pub fn add_wrong(&mut self, write: &Changing<'_>, seq: Seq) -> Result<(), Fatal> {
        let key = self.events.find(seq.get());
        self.counts(write, key)?.wrong_scans += 1;
        Ok(())
    }

    /// The key of the record that counts a document.
    fn key_of_document(&self, document: &Document) -> u64 {
        let newest = document.events.last();
        newest.map_or(OUTSIDE, |seq| self.events.find(seq.get()))
    }

    /// A person has replaced a document by a corrected one.
    pub fn add_edit(&mut self, write: &Changing<'_>, document: &Document) -> Result<(), Fatal> {
        let key = self.key_of_document(document);
        self.counts(write, key)?.edited += 1;
        Ok(())
    }

    /// Adds a document with its lines and events to the counts of its state, or removes it.
    pub fn count_document(
        &mut self,
        write: &Changing<'_>,
        progress: &Progress,
        document: &Document,
        more: bool,
    ) -> Result<(), Fatal> {
        let state = progress.state;
        let step = |number: &mut u64| {
            *number = if more {
                *number + 1
            } else {
                number.saturating_sub(1)
            };
        };
        let key = self.key_of_document(document);
        let counts = self.counts(write, key)?;
        let Some(totals) = counts.states.get_mut(state) else {
            return Ok(());
        };
        step(&mut totals.documents);
        document.lines.iter().for_each(|_| step(&mut totals.lines));
        if state == State::Parked && key != OUTSIDE {
            let code = progress.reason.as_ref();
            let code = code.map_or("", |reason| reason.code.as_str());
            let parked = &mut counts.parked_by_code;
            let documents = parked.entry(code.to_owned()).or_default();
            step(documents);
            if *documents == 0 {
                parked.remove(code);
            }
        }
        for seq in &document.events {
            let key = self.events.find(seq.get());
            if let Some(totals) = self.counts(write, key)?.states.get_mut(state) {
                step(&mut totals.events);
            }
        }
        if state == State::Posted {
            for seq in document.left_out() {
                let key = self.events.find(seq.get());
                step(&mut self.counts(write, key)?.left_out);
            }
        }
        Ok(())
    }

    /// Removes periods whose retention has ended: nothing that they counted is lost for the totals.
    pub fn prune(&mut self, write: &Changing<'_>, retained: Timestamp) -> Result<(), Fatal> {
        let first_retained = key_of(retained);
        let mut pruned = BTreeSet::new();
        {
            let table = write.open_table(tables::PERIODS)?;
            for entry in table.range(OUTSIDE + 1..first_retained)?.take(PRUNED_MAX) {
                pruned.insert(entry?.0.value());
            }
        }
        let Some(last) = pruned.last().copied() else {
            return Ok(());
        };
        let mut sum = PeriodCounts::default();
        for key in &pruned {
            sum.add(self.counts(write, *key)?);
            self.changed.remove(key);
            self.undecided.remove(key);
            write.open_table(tables::PERIODS)?.remove(*key)?;
        }
        self.events.remove(&pruned);
        self.readings.remove(&pruned);
        if pruned.contains(&self.current) {
            self.current = OUTSIDE;
        }
        let (first_seqs, first_readings) = (self.events.of(OUTSIDE), self.readings.of(OUTSIDE));
        let outside = self.record(write, OUTSIDE)?;
        outside.counts.add(&sum);
        // No window shows the details of what no period counts.
        outside.counts = std::mem::take(&mut outside.counts).without_details();
        (outside.first_seqs, outside.first_readings) = (first_seqs, first_readings);
        let end = begin_of(last + 1).as_microsecond();
        outside.complete_from_us = outside.complete_from_us.max(end);
        Ok(())
    }
}
