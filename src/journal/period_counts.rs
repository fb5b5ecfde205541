//! The counts of what was received in a period of five minutes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{StateTotals, Totals};
use crate::document::State;

/// The length of a period. Each time zone in use begins its hours at one.
pub(super) const PERIOD_S: i64 = 300;

/// The key of the record for everything that no period counts.
pub(super) const OUTSIDE: u64 = 0;

/// The key of the period in which a time is: it rises with the time. The first five minutes of 1970
/// have key 1.
pub(super) fn key_of(at: Timestamp) -> u64 {
    let number = at.as_second().max(0) / PERIOD_S;
    number.unsigned_abs() + 1
}

/// When the period with this key begins.
pub(super) fn begin_of(key: u64) -> Timestamp {
    let seconds = i64::try_from(key.saturating_sub(1)).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds.saturating_mul(PERIOD_S)).unwrap_or(Timestamp::MAX)
}

/// A record of the table of periods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Period {
    /// The first `seq` of each run of events that the record counts, rising. A run ends where a run
    /// of another record begins. Mostly one run; more if the clock was set back.
    pub first_seqs: Vec<u64>,
    /// The same for the numbers of rejected readings.
    pub first_readings: Vec<u64>,
    /// Only in the record for everything that no period counts: the periods count all that was
    /// received from this time on, in microseconds since 1970. 0: from the first event on.
    pub complete_from_us: i64,
    pub counts: PeriodCounts,
}

/// Counts of events, documents and rejected readings by the time of their receipt. A document
/// belongs to the period of its newest event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeriodCounts {
    pub stored: u64,
    /// Stored events that are flagged as possible repeats, except those that a flow created.
    pub possible_repeats: u64,
    pub duplicates: u64,
    /// Events that need no document.
    pub no_document: u64,
    /// Raw scans of devices without a flow that no person has dismissed.
    pub unused_scans: u64,
    /// Scans that flows answered with an error.
    pub wrong_scans: u64,
    /// Events of posted documents that have no line.
    pub left_out: u64,
    /// How often a person replaced a document by a corrected one.
    pub edited: u64,
    pub states: DocumentTotals,
    /// Parked documents by reason code.
    pub parked_by_code: BTreeMap<String, u64>,
    pub rejected: u64,
    /// Rejected readings that neither a person nor their device has settled yet, including those
    /// that were removed for room.
    pub rejected_open: u64,
    /// Open readings that were removed for room.
    pub rejected_dropped: u64,
    /// The readings by reason code. Those that were removed for room are not open here.
    pub rejected_by_code: BTreeMap<String, ReadingCounts>,
}

/// Documents, lines and events by the state of the document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DocumentTotals {
    pub waiting: StateTotals,
    pub sending: StateTotals,
    pub posted: StateTotals,
    pub parked: StateTotals,
    pub discarded: StateTotals,
}

/// Rejected readings with one reason code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadingCounts {
    pub readings: u64,
    pub open: u64,
}

impl DocumentTotals {
    /// Replaced documents are not counted: their events are in other documents.
    #[must_use]
    pub fn get(&self, state: State) -> StateTotals {
        match state {
            State::Waiting => self.waiting,
            State::Sending => self.sending,
            State::Posted => self.posted,
            State::Parked => self.parked,
            State::Discarded => self.discarded,
            State::Replaced => StateTotals::default(),
        }
    }

    /// `None` for replaced documents.
    pub(super) fn get_mut(&mut self, state: State) -> Option<&mut StateTotals> {
        match state {
            State::Waiting => Some(&mut self.waiting),
            State::Sending => Some(&mut self.sending),
            State::Posted => Some(&mut self.posted),
            State::Parked => Some(&mut self.parked),
            State::Discarded => Some(&mut self.discarded),
            State::Replaced => None,
        }
    }
}

impl PeriodCounts {
    /// The counts of the whole journal.
    #[must_use]
    pub fn of(totals: &Totals) -> Self {
        Self {
            stored: totals.stored,
            possible_repeats: totals.possible_repeats,
            duplicates: totals.duplicates,
            no_document: totals.no_document,
            unused_scans: totals.unused_scans,
            left_out: totals.left_out,
            states: DocumentTotals {
                waiting: totals.waiting,
                sending: totals.sending,
                posted: totals.posted,
                parked: totals.parked,
                discarded: totals.discarded,
            },
            rejected: totals.rejected,
            rejected_open: totals.rejected_open,
            rejected_dropped: totals.rejected_dropped,
            ..Self::default()
        }
    }

    /// Removes the counts that the totals of the journal do not have.
    #[must_use]
    pub fn without_details(self) -> Self {
        Self {
            wrong_scans: 0,
            edited: 0,
            parked_by_code: BTreeMap::new(),
            rejected_by_code: BTreeMap::new(),
            ..self
        }
    }

    /// Events that are not in a sealed document yet.
    #[must_use]
    pub fn open_events(&self) -> u64 {
        let sealed: u64 = State::COUNTED
            .map(|state| self.states.get(state).events)
            .iter()
            .sum();
        self.stored.saturating_sub(self.no_document + sealed)
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.stored += other.stored;
        self.possible_repeats += other.possible_repeats;
        self.duplicates += other.duplicates;
        self.no_document += other.no_document;
        self.unused_scans += other.unused_scans;
        self.wrong_scans += other.wrong_scans;
        self.left_out += other.left_out;
        self.edited += other.edited;
        for state in State::COUNTED {
            let added = other.states.get(state);
            if let Some(sum) = self.states.get_mut(state) {
                sum.documents += added.documents;
                sum.lines += added.lines;
                sum.events += added.events;
            }
        }
        for (code, documents) in &other.parked_by_code {
            *self.parked_by_code.entry(code.clone()).or_default() += documents;
        }
        self.rejected += other.rejected;
        self.rejected_open += other.rejected_open;
        self.rejected_dropped += other.rejected_dropped;
        for (code, added) in &other.rejected_by_code {
            let sum = self.rejected_by_code.entry(code.clone()).or_default();
            sum.readings += added.readings;
            sum.open += added.open;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_begins_at_a_time_that_is_in_it() {
        for text in [
            "1970-01-01T00:00:07Z",
            "2026-11-23T06:04:59.9Z",
            "2199-01-01T00:00:00Z",
        ] {
            let at: Timestamp = text.parse().unwrap();
            let begin = begin_of(key_of(at));
            assert_eq!(key_of(begin), key_of(at));
            let after = at.duration_since(begin).as_secs();
            assert!((0..PERIOD_S).contains(&after), "{text}: {begin}");
        }
        assert!(key_of("1960-01-01T00:00:00Z".parse().unwrap()) > OUTSIDE);
    }
}
