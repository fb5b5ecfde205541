//! Reading the journal: short read transactions, each answer bounded.

use jiff::Timestamp;
use tokio::sync::watch;

use super::{AuditRecord, Entry, Inbox};
use crate::document::{DocumentKey, State};
use crate::event::{Name, Recorded};

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot read the journal: {0}")]
    Storage(String),
}

/// Counts that always add up, taken from one transaction:
/// `stored` = events not yet assembled + `no_document` + the events of all document states.
/// They count what ever was; pruning takes nothing away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// The `seq` of the newest event; 0 before the first.
    pub last_seq: u64,
    pub stored: u64,
    pub duplicates: u64,
    pub rejected: u64,
    /// Events that need no document.
    pub no_document: u64,
    pub waiting: StateTotals,
    pub sending: StateTotals,
    pub posted: StateTotals,
    pub parked: StateTotals,
    pub discarded: StateTotals,
    /// Size of the file, and the budget it may grow to.
    pub bytes: u64,
    pub budget_bytes: u64,
    /// At the limit: nothing is acknowledged.
    pub full: bool,
    /// Rises with each commit.
    pub commits: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateTotals {
    pub documents: u64,
    pub lines: u64,
    pub events: u64,
}

impl Totals {
    /// Events that are not in a sealed document yet.
    #[must_use]
    pub fn open_events(&self) -> u64 {
        self.stored
            - self.no_document
            - [
                self.waiting,
                self.sending,
                self.posted,
                self.parked,
                self.discarded,
            ]
            .iter()
            .map(|t| t.events)
            .sum::<u64>()
    }

    #[must_use]
    pub fn of(&self, state: State) -> StateTotals {
        match state {
            State::Waiting => self.waiting,
            State::Sending => self.sending,
            State::Posted => self.posted,
            State::Parked => self.parked,
            State::Discarded => self.discarded,
        }
    }
}

/// A rejected reading, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub number: u64,
    pub device: Name,
    pub source: String,
    pub received: Timestamp,
    pub id: Option<String>,
    pub code: String,
    pub message: String,
    pub payload: Vec<u8>,
}

/// How often an event came again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeats {
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// The reading end; cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    inbox: Inbox,
    totals: watch::Receiver<Totals>,
}

#[allow(clippy::todo, unused_variables)]
impl Journal {
    /// The way in.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The counts as of the last commit.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals.borrow().clone()
    }

    /// Wakes at each commit.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Totals> {
        self.totals.clone()
    }

    /// Events with a `seq` above `after`, oldest first.
    pub fn events(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, JournalError> {
        todo!()
    }

    pub fn event(&self, seq: u64) -> Result<Option<Recorded>, JournalError> {
        todo!()
    }

    /// The events of a device or of any device with this id: none, one, or (same id from several devices) more.
    pub fn events_by_id(&self, id: &str) -> Result<Vec<Recorded>, JournalError> {
        todo!()
    }

    /// The number of the document that an event is in; `Some(None)`: it needs none; `None`: not assembled yet.
    pub fn document_of(&self, seq: u64) -> Result<Option<Option<u64>>, JournalError> {
        todo!()
    }

    pub fn repeats(&self, seq: u64) -> Result<Option<Repeats>, JournalError> {
        todo!()
    }

    /// Documents with a number above `after`, in this state (or any), oldest first.
    pub fn documents(
        &self,
        state: Option<State>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        todo!()
    }

    pub fn document(&self, number: u64) -> Result<Option<Entry>, JournalError> {
        todo!()
    }

    pub fn document_by_key(&self, key: DocumentKey) -> Result<Option<Entry>, JournalError> {
        todo!()
    }

    /// A document's life so far, oldest first.
    pub fn audit(&self, number: u64) -> Result<Vec<AuditRecord>, JournalError> {
        todo!()
    }

    pub fn rejected(&self, after: u64, limit: usize) -> Result<Vec<Rejected>, JournalError> {
        todo!()
    }

    /// When the oldest event that is not posted, parked or discarded yet was received.
    pub fn oldest_waiting(&self) -> Result<Option<Timestamp>, JournalError> {
        todo!()
    }

    /// What was kept under keys that start with `prefix`, in key order.
    pub fn kept(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        todo!()
    }
}
