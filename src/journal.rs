//! The journal: every event, document and outcome, on disk (redb) before a device receives an
//! answer.
//!
//! **In**: requests through one [`Inbox`] to one writer thread. The writer makes one group of all
//! waiting requests, with one sync: the higher the load, the more requests in each group. The log
//! makes a group durable; the tables of redb take it over later. **Out**: [`Journal`] reads in
//! short read transactions. Totals are written in the transaction that changes them and published
//! after the commit, so `status` always adds up.

mod books;
mod budget;
mod changes;
mod damage;
mod disk;
mod export;
mod fence;
mod held;
mod ids;
mod import;
mod inbox;
mod index;
mod log;
mod log_file;
mod namespace;
mod open;
mod panics;
mod period_counts;
mod periods;
mod prepare;
mod read;
mod rejected;
mod restored;
pub mod stored;
mod tables;
pub mod terms;
mod transaction;
mod verify;
mod work_done;
mod writer;

pub use inbox::{Accepted, AppendError, Inbox, Outcome, Request, Settled, Settlement, WrongScan};
pub use index::{IndexBlock, IndexPart, SEGMENT_EVENTS_MAX, SegmentBuilder};

pub use budget::{DISK_REMEDY, DISK_RESERVE_BYTES, describe_scarce_disk};
pub use damage::{Damage, JournalError};
pub use export::{ExportError, Exported, export_closed};
pub use import::{ImportError, check_export, import};
pub use namespace::{Namespace, SideChange, SideKey, SideValue};
pub use open::{FILE, OpenError, VERIFIED_BYTES_MAX, WriterHandle, is_missing};
pub(crate) use open::{FORMAT_REMEDY, unknown_format};
pub use period_counts::{DocumentTotals, Period, PeriodCounts, ReadingCounts};
pub use read::{
    DocumentsFound, EventDocument, EventFilter, EventState, Find, FoundEvent, FoundPart, Indexed,
    Journal, PART_RECORDS, ParkedPart, Rejected, Repeats, Search, Since, StateTotals, Totals,
    Wanted,
};
pub use restored::{BeginError, Restored};
pub use verify::{Depth, Verified, verify, verify_with};
pub use work_done::WorkDone;

use jiff::Timestamp;

use crate::device_clock::DeviceClock;
use crate::document::{Document, DocumentNumber, Progress, State};
use crate::event::Name;

/// A document and its progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub document: Document,
    pub progress: Progress,
}

/// One state change of a document or a rejected reading, for `trace`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    pub at: Timestamp,
    /// The state after the change.
    pub state: String,
    /// Who or what changed the state: `assemble`, `forward`, a person as `user:NAME`, or a device
    /// as `device:NAME`.
    pub by: String,
    /// The reason for the change, or the remark of the person.
    pub note: String,
}

/// A change of a document's progress: one transaction with its audit record (**invariant 5**).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The number of the document.
    pub number: DocumentNumber,
    /// The state that the document must be in. In any other state nothing changes: another change
    /// was faster.
    pub expect: State,
    pub progress: Progress,
    pub by: String,
    pub note: String,
}

/// The change that stores the state of a device's clock, or removes it if `clock` is `None`.
pub fn device_clock_change(
    device: &Name,
    clock: Option<&DeviceClock>,
) -> Result<SideChange, stored::BadRecord> {
    let bytes = clock.map(stored::device_clock_in).transpose()?;
    Ok((Namespace::DeviceClocks.key(device.to_string()), bytes))
}

/// Why the writer ended. The process must exit and start again (**invariant 11**).
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    #[error("storage: {0}")]
    Storage(Box<redb::Error>),
    #[error(transparent)]
    Record(#[from] stored::BadRecord),
    #[error(
        "this version does not know format {0} of the journal: run the version that wrote it, or a newer one"
    )]
    Format(String),
    /// The file holds something that redb never writes.
    #[error("storage: {0}")]
    Damage(String),
    /// A bug in the gateway, found before anything was written.
    #[error("broken invariant: {0}")]
    Invariant(String),
}

impl Fatal {
    /// Whether the file itself is damaged, so that another start fails in the same way.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Record(_) | Self::Damage(_) => true,
            Self::Storage(error) => damage::is_damage(error),
            Self::Format(_) | Self::Invariant(_) => false,
        }
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {
        $(impl From<$error> for Fatal {
            fn from(error: $error) -> Self {
                Self::Storage(Box::new(error.into()))
            }
        })*
    };
}
from_redb!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError,
    redb::SetDurabilityError
);
