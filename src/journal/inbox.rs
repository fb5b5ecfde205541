//! The inbox: a bounded queue to the writer thread, and the only way to change the journal.

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::{AuditRecord, Change, SideChange};
use crate::document::{Document, DocumentNumber};
use crate::event::{Event, RejectedNumber, Rejection, Seq};
use crate::fair::{Lane, Origin};
use crate::reason::RejectionCode;

/// Requests that wait for the writer at most; more wait in their senders (back-pressure).
pub const REQUESTS_MAX: usize = 4_096;

/// What became of one decoded thing, durably.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    Stored {
        seq: Seq,
    },
    /// The same device and id came before: as this event.
    Duplicate {
        original: Seq,
    },
    /// Kept as a rejected reading.
    Rejected {
        code: RejectionCode,
        message: String,
    },
}

/// Why nothing was kept. The source must not acknowledge.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AppendError {
    /// The disk budget is used up. Recovers by itself; the device keeps the message and sends it
    /// again.
    #[error(
        "the journal is full: raise journal.budget or restore the link to Odoo, so that posted events can be pruned"
    )]
    Full,
    /// The file system has no room, whatever the budget is. Recovers by itself.
    #[error(
        "the disk of the journal is full: remove files or enlarge the disk that data_dir is on"
    )]
    Disk,
    /// The journal is nearly full, and the device holds more than its share of it. Recovers by
    /// itself.
    #[error(
        "the journal is nearly full and its last part (journal.reserve) is for devices that hold less than this one: restore the link to Odoo, or raise journal.budget"
    )]
    Share,
    /// The journal stopped after an I/O error, or the daemon is on its way out.
    #[error("the journal has stopped: the gateway is shutting down")]
    Stopped,
}

impl AppendError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full | Self::Disk | Self::Share)
    }
}

pub type Reply<T> = oneshot::Sender<Result<T, AppendError>>;

/// What a person decided about an open rejected reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub number: RejectedNumber,
    pub record: AuditRecord,
    /// What is stored in its place, in the same commit; empty where it is dismissed.
    pub events: Vec<Event>,
}

/// What became of one settlement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What its events became.
    Settled(Vec<Accepted>),
    /// The reading was not open: nothing was changed.
    NotOpen,
    /// An event has the id of one that says something else: a stored one, or another one of this
    /// settlement. Nothing was changed.
    Differs { id: String, original: Option<Seq> },
}

/// What became of settlements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// One for each settlement.
    pub readings: Vec<Outcome>,
    /// Dismissed ones that were removed for room before.
    pub dropped: u64,
}

/// What the writer does, each durable before its reply is sent.
#[derive(Debug)]
pub enum Request {
    Append {
        /// Whose turn it takes.
        lane: Lane,
        decoded: Vec<Result<Event, Rejection>>,
        /// Side values that the writer changes in the same commit.
        side_changes: Vec<SideChange>,
        reply: Reply<Vec<Accepted>>,
    },
    /// Sealed documents; the writer gives them their numbers. `skipped` are events that need no
    /// document.
    Seal {
        documents: Vec<Document>,
        skipped: Vec<Seq>,
        /// So many of the skipped ones are raw scans that no flow makes anything of.
        unused_scans: u64,
        /// All events up to here are in a sealed document or need none.
        settled: Seq,
        /// Side values that the writer changes in the same commit.
        side_changes: Vec<SideChange>,
        reply: Reply<()>,
    },
    Change {
        changes: Vec<Change>,
        /// Side values that the writer changes, and documents without events that it adds, in the
        /// same commit.
        side_changes: Vec<SideChange>,
        documents: Vec<Document>,
        reply: Reply<Vec<bool>>,
    },
    /// Puts a corrected document in the place of a parked one, which `change` takes to *replaced*.
    Replace {
        change: Box<Change>,
        document: Box<Document>,
        reply: Reply<Option<DocumentNumber>>,
    },
    /// Settles rejected readings as a person decided.
    Settle {
        readings: Vec<Settlement>,
        /// Dismisses, besides, those that were removed for room, if the newest has a number up to
        /// this one: who, and why.
        dropped: Option<(AuditRecord, RejectedNumber)>,
        reply: Reply<Settled>,
    },
    /// Dismisses the unused scans: who, and why. Answers how many.
    DismissScans {
        record: Box<AuditRecord>,
        reply: Reply<u64>,
    },
    /// Changes in side storage alone.
    StoreSideValues {
        changes: Vec<SideChange>,
        reply: Reply<()>,
    },
    /// Removes what is past its time: answers how many events went.
    Prune {
        now: jiff::Timestamp,
        reply: Reply<u64>,
    },
    /// The last request: what comes after it is not done.
    Close { reply: Reply<()> },
}

/// A sender to the writer; cheap to clone.
#[derive(Debug, Clone)]
pub struct Inbox(mpsc::Sender<Request>);

impl Inbox {
    /// The inbox and the writer's end of it.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Request>) {
        let (sender, receiver) = mpsc::channel(REQUESTS_MAX);
        (Self(sender), receiver)
    }

    /// Requests that the writer has not taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }

    /// Answers one [`Accepted`] for each decoded thing, in order, after a durable commit.
    pub async fn append(
        &self,
        decoded: Vec<Result<Event, Rejection>>,
    ) -> Result<Vec<Accepted>, AppendError> {
        self.append_and_store(decoded, Vec::new()).await
    }

    /// Appends and changes side values in one commit: both are on disk, or neither is.
    pub async fn append_and_store(
        &self,
        decoded: Vec<Result<Event, Rejection>>,
        side_changes: Vec<SideChange>,
    ) -> Result<Vec<Accepted>, AppendError> {
        self.append_in(Lane::of(Origin::Gateway), decoded, side_changes)
            .await
    }

    /// The same in the lane of a device: it waits for its turn and not for the backlog of others.
    pub async fn append_in(
        &self,
        lane: Lane,
        decoded: Vec<Result<Event, Rejection>>,
        side_changes: Vec<SideChange>,
    ) -> Result<Vec<Accepted>, AppendError> {
        self.request(|reply| Request::Append {
            lane,
            decoded,
            side_changes,
            reply,
        })
        .await
    }

    pub async fn seal(
        &self,
        documents: Vec<Document>,
        skipped: Vec<Seq>,
        settled: Seq,
    ) -> Result<(), AppendError> {
        self.seal_and_store(documents, skipped, 0, settled, Vec::new())
            .await
    }

    /// Seals documents and changes side values in one commit: both are on disk, or neither is.
    /// `unused_scans`: how many of `skipped` are raw scans that no flow makes anything of.
    pub async fn seal_and_store(
        &self,
        documents: Vec<Document>,
        skipped: Vec<Seq>,
        unused_scans: u64,
        settled: Seq,
        side_changes: Vec<SideChange>,
    ) -> Result<(), AppendError> {
        self.request(|reply| Request::Seal {
            documents,
            skipped,
            unused_scans,
            settled,
            side_changes,
            reply,
        })
        .await
    }

    pub async fn change(&self, changes: Vec<Change>) -> Result<Vec<bool>, AppendError> {
        self.change_and_add(changes, Vec::new(), Vec::new()).await
    }

    /// Changes documents and side values, and adds `documents`, which have no events, in one
    /// commit.
    pub async fn change_and_add(
        &self,
        changes: Vec<Change>,
        side_changes: Vec<SideChange>,
        documents: Vec<Document>,
    ) -> Result<Vec<bool>, AppendError> {
        self.request(|reply| Request::Change {
            changes,
            side_changes,
            documents,
            reply,
        })
        .await
    }

    /// Answers the number of the new document; none where the old one is not in the state that
    /// `change` expects.
    pub async fn replace(
        &self,
        change: Change,
        document: Document,
    ) -> Result<Option<DocumentNumber>, AppendError> {
        let (change, document) = (Box::new(change), Box::new(document));
        self.request(|reply| Request::Replace {
            change,
            document,
            reply,
        })
        .await
    }

    /// Settles those of the readings that are open.
    pub async fn settle(
        &self,
        readings: Vec<Settlement>,
        dropped: Option<(AuditRecord, RejectedNumber)>,
    ) -> Result<Settled, AppendError> {
        self.request(|reply| Request::Settle {
            readings,
            dropped,
            reply,
        })
        .await
    }

    /// A person dismisses the unused scans. Answers how many there were.
    pub async fn dismiss_scans(&self, record: AuditRecord) -> Result<u64, AppendError> {
        let record = Box::new(record);
        self.request(|reply| Request::DismissScans { record, reply })
            .await
    }

    /// Stores or removes side values.
    pub async fn store_side_values(&self, changes: Vec<SideChange>) -> Result<(), AppendError> {
        self.request(|reply| Request::StoreSideValues { changes, reply })
            .await
    }

    pub async fn prune(&self, now: jiff::Timestamp) -> Result<u64, AppendError> {
        self.request(|reply| Request::Prune { now, reply }).await
    }

    /// Ends the writer once all that came before is on disk and the file is closed.
    pub async fn close(&self) -> Result<(), AppendError> {
        self.request(|reply| Request::Close { reply }).await
    }

    async fn request<T>(&self, make: impl FnOnce(Reply<T>) -> Request) -> Result<T, AppendError> {
        let (reply, answer) = oneshot::channel();
        self.0
            .send(make(reply))
            .await
            .map_err(|_| AppendError::Stopped)?;
        answer.await.unwrap_or(Err(AppendError::Stopped))
    }
}
