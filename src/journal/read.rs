//! Reads the journal in short read transactions, each with a limited result.
//!
//! While a read transaction is open, redb cannot reuse pages. So none outlives a call.

mod find;
mod find_documents;
mod index_state;
mod parked;
mod rejected;
mod search;
mod side_values;
mod since;
mod totals;
mod whole;
mod writing;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use redb::{ReadTransaction, ReadableTable as _};
use tokio::sync::watch;
use tokio::time::Instant;

pub use self::find::{Find, FoundPart, Wanted};
pub use self::find_documents::DocumentsFound;
pub use self::index_state::Indexed;
pub use self::parked::ParkedPart;
pub use self::search::{EventFilter, EventState, FoundEvent, PART_RECORDS, Search};
pub use self::since::Since;
pub use self::totals::{StateTotals, Totals};
use super::damage::{Alarm, Damage, JournalError, OpenFile};
use super::disk::Disk;
use super::ids::{self, Ids};
use super::stored;
use super::{AuditRecord, Entry, Inbox, tables};
use crate::document::{DocumentKey, DocumentNumber, Progress, State};
use crate::event::{Channel, Name, Recorded, RejectedNumber, Seq};
use crate::reason::{Code, RejectionCode};

/// A list shows at most this many bytes of the payload of a rejected reading.
const LISTED_BYTES_MAX: usize = 4_096;
/// The time between two reads of new events.
pub const READ_EACH: Duration = Duration::from_millis(5);

/// Whether an event is in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventDocument {
    /// The event waits to be assembled.
    Open,
    /// The event needs no document.
    NotNeeded,
    /// The event is in the sealed document with this number.
    Sealed(DocumentNumber),
}

impl EventDocument {
    /// `number`: the value of the event in the table from event to document.
    fn of(number: Option<u64>) -> Self {
        match number.map(tables::document_number) {
            None => Self::Open,
            Some(None) => Self::NotNeeded,
            Some(Some(number)) => Self::Sealed(number),
        }
    }

    /// The number of the document. `None`: the event is in no document, or not yet.
    #[must_use]
    pub fn number(self) -> Option<DocumentNumber> {
        match self {
            Self::Sealed(number) => Some(number),
            Self::Open | Self::NotNeeded => None,
        }
    }
}

/// A rejected reading, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Who settled the reading, how and why. `None`: the reading is open and waits for a person, or
    /// its code needs no person.
    pub settled: Option<AuditRecord>,
    pub number: RejectedNumber,
    pub device: Name,
    pub source: String,
    /// The channel of the reading. `None`: its topic named no channel, or an older version stored
    /// it.
    pub channel: Option<Channel>,
    pub received: Timestamp,
    pub id: Option<String>,
    pub code: Code<RejectionCode>,
    pub message: String,
    /// The payload; in a list, its beginning.
    pub payload: Vec<u8>,
    /// Only the beginning of the payload was stored.
    pub cut: bool,
    /// Count of the stored bytes.
    pub bytes: usize,
}

/// How often a device sent an event again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeats {
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// The reader of the journal; cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    inbox: Inbox,
    totals: watch::Receiver<Totals>,
    database: Arc<OpenFile>,
    ids: Arc<RwLock<Ids>>,
    settled: Seq,
    disk: Disk,
    alarm: Alarm,
}

impl Journal {
    pub(super) fn new(
        inbox: Inbox,
        totals: watch::Receiver<Totals>,
        database: Arc<OpenFile>,
        ids: Arc<RwLock<Ids>>,
        settled: Seq,
        disk: Disk,
        alarm: Alarm,
    ) -> Self {
        Self {
            inbox,
            totals,
            database,
            ids,
            settled,
            disk,
            alarm,
        }
    }

    /// The inbox of the writer.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The counts as of the last commit.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = self.totals.borrow().clone();
        totals.full |= self.disk.is_waiting();
        totals.disk_full |= self.disk.is_waiting();
        totals
    }

    /// Changes with each commit; closes when the writer has ended.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Totals> {
        self.totals.clone()
    }

    /// Waits until the journal has an event after this one, at least `READ_EACH` after `last`,
    /// when the caller read last: events that come one at a time are read together. `false`: the
    /// writer has ended.
    pub async fn wait_for_newer(&self, after: Seq, last: Option<Instant>) -> bool {
        if let Some(last) = last {
            tokio::time::sleep_until(last + READ_EACH).await;
        }
        let mut totals = self.watch();
        let newer = totals.wait_for(|totals| totals.last_seq > after).await;
        newer.is_ok()
    }

    /// When the journal was opened, each event up to this `seq` was in a sealed document or needed
    /// no document.
    #[must_use]
    pub fn settled_at_open(&self) -> Seq {
        self.settled
    }

    /// The first damage that a reader or the writer found in the file. `None`: no damage was found.
    #[must_use]
    pub fn damage(&self) -> watch::Receiver<Option<Damage>> {
        self.alarm.watch()
    }

    fn read(&self) -> Result<ReadTransaction, JournalError> {
        Ok(self.database.begin_read()?)
    }

    /// Events with a `seq` above `after`, oldest first.
    pub fn events(&self, after: Seq, limit: usize) -> Result<Vec<Recorded>, JournalError> {
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::EVENTS)?;
            let mut events = Vec::new();
            for entry in table.range(after.next().get()..)?.take(limit) {
                let (seq, bytes) = entry?;
                events.push(Recorded {
                    seq: Seq::new(seq.value()),
                    event: stored::event_out(bytes.value())?,
                });
            }
            Ok(events)
        })
    }

    pub fn event(&self, seq: Seq) -> Result<Option<Recorded>, JournalError> {
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::EVENTS)?;
            let Some(bytes) = table.get(seq.get())? else {
                return Ok(None);
            };
            Ok(Some(Recorded {
                seq,
                event: stored::event_out(bytes.value())?,
            }))
        })
    }

    /// The event with this id from this device.
    pub fn event_of(&self, device: &str, id: &str) -> Result<Option<Recorded>, JournalError> {
        self.alarm.look(|| {
            let seq = self.find(device, id)?;
            seq.map_or(Ok(None), |seq| self.event(seq))
        })
    }

    /// Finds an id. The writer waits for the lock, so it is held for one id only. It is taken
    /// before the tables are opened: else an id could be in neither, while the writer moves it.
    fn find(&self, device: &str, id: &str) -> Result<Option<Seq>, JournalError> {
        let ids = self.ids.read().unwrap_or_else(PoisonError::into_inner);
        let buckets = self.read()?.open_table(tables::ID_BUCKETS)?;
        Ok(ids.find(&ids::digest(device, id), &buckets)?)
    }

    /// The events of all devices with this id: empty, one event, or more (several devices sent the
    /// same id). An event that is older than `journal.dedup_days` may be missing.
    pub fn events_by_id(&self, id: &str) -> Result<Vec<Recorded>, JournalError> {
        self.alarm.look(|| {
            let devices: Vec<String> = self
                .ids
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .devices()
                .map(str::to_owned)
                .collect();
            let mut events = Vec::new();
            for device in devices {
                if let Some(seq) = self.find(&device, id)? {
                    events.extend(self.event(seq)?);
                }
            }
            Ok(events)
        })
    }

    /// Whether an event is in a document.
    pub fn document_of(&self, seq: Seq) -> Result<EventDocument, JournalError> {
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::EVENT_DOCUMENT)?;
            let number = table.get(seq.get())?.map(|number| number.value());
            Ok(EventDocument::of(number))
        })
    }

    /// Which of the events above `after`, up to `upto`, are settled: in a sealed document, or
    /// without need of one.
    pub fn settled_between(&self, after: Seq, upto: Seq) -> Result<Vec<Seq>, JournalError> {
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::EVENT_DOCUMENT)?;
            let first = after.next();
            let seqs = table.range(first.get()..=upto.max(first).get())?;
            seqs.map(|entry| Ok(Seq::new(entry?.0.value()))).collect()
        })
    }

    pub fn repeats(&self, seq: Seq) -> Result<Option<Repeats>, JournalError> {
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::REPEATS)?;
            Ok(table
                .get(seq.get())?
                .map(|bytes| stored::repeats_out(bytes.value()))
                .transpose()?)
        })
    }

    /// Documents with a number above `after`, in this state (or any), oldest first.
    pub fn documents(
        &self,
        state: Option<State>,
        after: DocumentNumber,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        self.alarm.look(|| {
            let read = self.read()?;
            let from = after.next();
            let numbers: Vec<DocumentNumber> = match state {
                Some(state) => read
                    .open_table(tables::BY_STATE)?
                    .range(tables::in_state(state, from))?
                    .take(limit)
                    .map(|entry| Ok(DocumentNumber::new(entry?.0.value().1)))
                    .collect::<Result<_, JournalError>>()?,
                None => read
                    .open_table(tables::PROGRESS)?
                    .range(from.get()..)?
                    .take(limit)
                    .map(|entry| Ok(DocumentNumber::new(entry?.0.value())))
                    .collect::<Result<_, JournalError>>()?,
            };
            let mut entries = Vec::with_capacity(numbers.len());
            for number in numbers {
                entries.extend(entry(&read, number)?);
            }
            Ok(entries)
        })
    }

    pub fn document(&self, number: DocumentNumber) -> Result<Option<Entry>, JournalError> {
        self.alarm.look(|| entry(&self.read()?, number))
    }

    /// The key and the progress of a document.
    pub fn progress(
        &self,
        number: DocumentNumber,
    ) -> Result<Option<(DocumentKey, Progress)>, JournalError> {
        self.alarm.look(|| {
            let read = self.read()?;
            let documents = read.open_table(tables::DOCUMENTS)?;
            let progress = read.open_table(tables::PROGRESS)?;
            let (Some(document), Some(progress)) =
                (documents.get(number.get())?, progress.get(number.get())?)
            else {
                return Ok(None);
            };
            let key = stored::document_key(document.value())?;
            Ok(Some((key, stored::progress_out(progress.value())?)))
        })
    }

    pub fn document_by_key(&self, key: DocumentKey) -> Result<Option<Entry>, JournalError> {
        self.alarm.look(|| {
            let read = self.read()?;
            let number = read
                .open_table(tables::DOCUMENT_KEYS)?
                .get(key.0)?
                .map(|number| number.value());
            number.map_or(Ok(None), |number| entry(&read, DocumentNumber::new(number)))
        })
    }

    /// The number of the newest stored document; 0 without one.
    pub fn newest_document(&self) -> Result<DocumentNumber, JournalError> {
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::PROGRESS)?;
            let number = table.last()?.map_or(0, |(number, _)| number.value());
            Ok(DocumentNumber::new(number))
        })
    }

    /// The audit records of a document, oldest first.
    pub fn audit(&self, number: DocumentNumber) -> Result<Vec<AuditRecord>, JournalError> {
        self.alarm.look(|| {
            let number = number.get();
            let table = self.read()?.open_table(tables::AUDIT)?;
            table
                .range((number, 0)..=(number, u32::MAX))?
                .map(|entry| Ok(stored::audit_out(entry?.1.value())?))
                .collect()
        })
    }

    pub fn rejected(
        &self,
        after: RejectedNumber,
        limit: usize,
    ) -> Result<Vec<Rejected>, JournalError> {
        self.alarm.look(|| {
            let read = self.read()?;
            let table = read.open_table(tables::REJECTED)?;
            let mut rejected = Vec::new();
            for entry in table.range(after.next().get()..)?.take(limit) {
                let (number, bytes) = entry?;
                let number = RejectedNumber::new(number.value());
                rejected.push(listed(&read, number, bytes.value())?);
            }
            Ok(rejected)
        })
    }

    /// Open rejected readings with a number above `after`, oldest first: neither a person nor their
    /// device has settled them, and they are still stored.
    pub fn rejected_open(
        &self,
        after: RejectedNumber,
        limit: usize,
    ) -> Result<Vec<Rejected>, JournalError> {
        self.alarm.look(|| {
            let read = self.read()?;
            let table = read.open_table(tables::REJECTED)?;
            let open = read.open_table(tables::REJECTED_OPEN)?;
            let mut rejected = Vec::new();
            for entry in open.range(after.next().get()..)?.take(limit) {
                let number = RejectedNumber::new(entry?.0.value());
                if let Some(bytes) = table.get(number.get())? {
                    rejected.push(listed(&read, number, bytes.value())?);
                }
            }
            Ok(rejected)
        })
    }

    pub fn rejected_one(&self, number: RejectedNumber) -> Result<Option<Rejected>, JournalError> {
        self.alarm.look(|| {
            let read = self.read()?;
            let table = read.open_table(tables::REJECTED)?;
            let Some(bytes) = table.get(number.get())? else {
                return Ok(None);
            };
            Ok(Some(with_audit(&read, number, bytes.value())?))
        })
    }

    /// When the oldest event was received that is not yet sent: it is in no sealed document, or in
    /// a document that waits or is being sent.
    pub fn oldest_waiting(&self) -> Result<Option<Timestamp>, JournalError> {
        self.alarm.look(|| {
            let mut oldest = self.events(self.totals().settled, 1)?;
            for state in [State::Waiting, State::Sending] {
                for entry in self.documents(Some(state), DocumentNumber::ZERO, 1)? {
                    if let Some(first) = entry.document.events.first() {
                        oldest.extend(self.event(*first)?);
                    }
                }
            }
            Ok(oldest.iter().map(|recorded| recorded.event.received).min())
        })
    }
}

/// A rejected reading for a list, with the beginning of its payload only, so that a page is small.
fn listed(
    read: &ReadTransaction,
    number: RejectedNumber,
    bytes: &[u8],
) -> Result<Rejected, JournalError> {
    let mut rejected = with_audit(read, number, bytes)?;
    rejected.payload.truncate(LISTED_BYTES_MAX);
    rejected.payload.shrink_to_fit();
    Ok(rejected)
}

/// A rejected reading with the audit record of its settlement.
fn with_audit(
    read: &ReadTransaction,
    number: RejectedNumber,
    bytes: &[u8],
) -> Result<Rejected, JournalError> {
    let mut rejected = stored::rejection_out(number, bytes)?;
    let record = read.open_table(tables::REJECTED_AUDIT)?.get(number.get())?;
    let record = record.map(|bytes| stored::audit_out(bytes.value()));
    rejected.settled = record.transpose()?;
    Ok(rejected)
}

fn entry(read: &ReadTransaction, number: DocumentNumber) -> Result<Option<Entry>, JournalError> {
    let Some(progress) = read
        .open_table(tables::PROGRESS)?
        .get(number.get())?
        .map(|bytes| stored::progress_out(bytes.value()))
        .transpose()?
    else {
        return Ok(None);
    };
    let Some(document) = read
        .open_table(tables::DOCUMENTS)?
        .get(number.get())?
        .map(|bytes| stored::document_out(number, bytes.value()))
        .transpose()?
    else {
        return Ok(None);
    };
    Ok(Some(Entry { document, progress }))
}
