//! The totals of the journal: counts of events, documents and lines by state, and the size of the
//! file.
//!
//! The writer changes and stores the totals in its transactions. Readers get the totals of the last
//! commit.

use crate::document::State;
use crate::event::{RejectedNumber, Seq};
use crate::journal::rejected::OpenOnes;

/// Counts of one transaction, so they always add up: `stored` = events not yet assembled +
/// `no_document` + the events of all document states. They count everything that was ever stored:
/// pruning does not reduce them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// The `seq` of the newest event; 0 before the first.
    pub last_seq: Seq,
    pub stored: u64,
    /// Stored events that are flagged as possible repeats, except those that a flow created.
    pub possible_repeats: u64,
    pub duplicates: u64,
    pub rejected: u64,
    /// Rejected readings that no person has settled yet, including those that were removed for
    /// room.
    pub rejected_open: u64,
    /// How many open readings were removed for room, and the number of the newest one.
    pub rejected_dropped: u64,
    pub rejected_dropped_upto: RejectedNumber,
    /// Events of posted documents that have no line, because a person removed them or the device
    /// undid them: their movements are not in Odoo.
    pub left_out: u64,
    /// Raw scans of devices without a flow: no flow uses them, and no person has dismissed them.
    pub unused_scans: u64,
    /// Events that need no document.
    pub no_document: u64,
    /// All events up to this `seq` are in a sealed document or need no document; the next one is
    /// open.
    pub settled: Seq,
    pub waiting: StateTotals,
    pub sending: StateTotals,
    pub posted: StateTotals,
    pub parked: StateTotals,
    pub discarded: StateTotals,
    /// Size of the file, and its budget, in bytes.
    pub bytes: u64,
    pub budget_bytes: u64,
    /// The journal has reached a limit: the gateway acknowledges nothing.
    pub full: bool,
    /// The disk is full, and not the budget.
    pub disk_full: bool,
    /// Increases with each commit of this process.
    pub commits: u64,
    /// Increases each time this process stores or removes the state of a device's clock.
    pub clocks: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateTotals {
    pub documents: u64,
    pub lines: u64,
    pub events: u64,
}

impl Totals {
    pub(in crate::journal) fn rejected_wait(&mut self, ones: OpenOnes) {
        self.rejected_open = ones.open;
        self.rejected_dropped = ones.dropped;
        self.rejected_dropped_upto = ones.dropped_upto;
    }

    /// Events that are not in a sealed document yet.
    #[must_use]
    pub fn open_events(&self) -> u64 {
        let sealed: u64 = State::COUNTED
            .iter()
            .map(|state| self.of(*state).events)
            .sum();
        self.stored - self.no_document - sealed
    }

    #[must_use]
    pub fn of(&self, state: State) -> StateTotals {
        match state {
            State::Waiting => self.waiting,
            State::Sending => self.sending,
            State::Posted => self.posted,
            State::Parked => self.parked,
            State::Discarded => self.discarded,
            State::Replaced => StateTotals::default(),
        }
    }

    /// `None` for replaced documents, which are not counted: their events are in other documents.
    pub(in crate::journal) fn of_mut(&mut self, state: State) -> Option<&mut StateTotals> {
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
