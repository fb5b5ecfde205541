//! The inbox: a bounded queue to the writer thread, and the only way to change the journal.

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::index::IndexPart;
use super::{AuditRecord, Change, SideChange};
use crate::config;
use crate::document::{Document, DocumentNumber};
use crate::event::{Event, RejectedNumber, Rejection, Seq};
use crate::fair::{Lane, Origin};
use crate::reason::RejectionCode;

/// Limit of the requests that wait for the writer; more wait in their senders (back-pressure).
pub const REQUESTS_MAX: usize = 4_096;

/// The result for one decoded reading, after the durable commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    Stored {
        seq: Seq,
    },
    /// A duplicate: the device sent an event with this id before, stored as this one.
    Duplicate {
        original: Seq,
    },
    /// Stored as a rejected reading.
    Rejected {
        code: RejectionCode,
        message: String,
    },
}

/// Why nothing was stored. The source must not acknowledge the reading.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AppendError {
    /// The disk budget is used up. Recovers by itself: the device stores the message and sends it
    /// again.
    #[error(
        "the journal is full: raise journal.budget or restore the link to Odoo, so that the gateway can prune posted events"
    )]
    Full,
    /// The file system has no room, whatever the budget is. Recovers by itself.
    #[error(
        "the disk of the journal is full: remove files or enlarge the disk that data_dir is on"
    )]
    Disk,
    /// The journal is nearly full, and the device holds more than its share. Recovers by itself.
    #[error(
        "the journal is nearly full and its last part (journal.reserve) is for devices that hold less than this one: restore the link to Odoo, or raise journal.budget"
    )]
    Share,
    /// The journal stopped after an I/O error, or the daemon is shutting down.
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

/// The decision of a person about an open rejected reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub number: RejectedNumber,
    pub record: AuditRecord,
    /// The events that replace the reading, stored in the same commit. Empty: the reading is
    /// dismissed.
    pub events: Vec<Event>,
}

/// The result of one settlement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The results for the events of the settlement.
    Settled(Vec<Accepted>),
    /// The reading was not open: nothing changed.
    NotOpen,
    /// Another event has the same id and other content: a stored event, or one of this settlement.
    /// Nothing changed.
    Differs { id: String, original: Option<Seq> },
}

/// The result of settlements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// One result for each settlement.
    pub readings: Vec<Outcome>,
    /// Count of dismissed readings that the journal had removed for room before.
    pub dropped: u64,
}

/// A stored scan that a flow answered with an error, and the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongScan {
    pub seq: Seq,
    /// The text that the device showed.
    pub answer: String,
}

/// The requests to the writer. The writer replies after the durable commit.
#[derive(Debug)]
pub enum Request {
    Append {
        /// The lane in which the request waits.
        lane: Lane,
        decoded: Vec<Result<Event, Rejection>>,
        /// Side values that the writer changes in the same commit.
        side_changes: Vec<SideChange>,
        /// Stored scans that a flow answered with an error.
        wrong_scans: Vec<WrongScan>,
        reply: Reply<Vec<Accepted>>,
    },
    /// Stores sealed documents; the writer gives them their numbers. `skipped` are events that need
    /// no document.
    Seal {
        documents: Vec<Document>,
        skipped: Vec<Seq>,
        /// Those of `skipped` that are raw scans that no flow uses.
        unused_scans: Vec<Seq>,
        /// All events up to this `seq` are in a sealed document or need no document.
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
    /// Adds a corrected document that replaces a parked one; `change` moves the parked one to
    /// *replaced*.
    Replace {
        change: Box<Change>,
        document: Box<Document>,
        reply: Reply<Option<DocumentNumber>>,
    },
    /// Settles rejected readings by the decisions of a person.
    Settle {
        readings: Vec<Settlement>,
        /// Also dismisses the readings that were removed for room, if the number of the newest is
        /// not above this one. The record names the person and the reason.
        dropped: Option<(AuditRecord, RejectedNumber)>,
        reply: Reply<Settled>,
    },
    /// Dismisses the unused scans. The record names the person and the reason. Replies with their
    /// count.
    DismissScans {
        record: Box<AuditRecord>,
        reply: Reply<u64>,
    },
    /// Changes side values alone.
    StoreSideValues {
        changes: Vec<SideChange>,
        /// Stored scans that a flow answered with an error.
        wrong_scans: Vec<WrongScan>,
        reply: Reply<()>,
    },
    /// Stores a part of a segment of the search index.
    Index {
        part: Box<IndexPart>,
        reply: Reply<()>,
    },
    /// Removes the newest segment of the search index after this event. Replies with whether there
    /// was one.
    DropSegment { after: Seq, reply: Reply<bool> },
    /// Adds the terms of documents that an older version stored. Replies with whether there are
    /// more.
    AddOldTerms { reply: Reply<bool> },
    /// Removes records whose retention has ended. Replies with the count of removed events.
    Prune {
        now: jiff::Timestamp,
        reply: Reply<u64>,
    },
    /// Applies new limits, except the size of redb's cache, which belongs to the open file.
    SetLimits {
        config: config::Journal,
        reply: Reply<()>,
    },
    /// Asks for a sign of life. The writer answers between two groups, and writes nothing for it.
    Ping { reply: Reply<()> },
    /// The last request: the writer drops all later ones.
    Close { reply: Reply<()> },
}

/// A sender to the writer; cheap to clone.
#[derive(Debug, Clone)]
pub struct Inbox(mpsc::Sender<Request>);

impl Inbox {
    /// Creates the inbox and the receiver for the writer.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Request>) {
        let (sender, receiver) = mpsc::channel(REQUESTS_MAX);
        (Self(sender), receiver)
    }

    /// Resolves when the writer has ended.
    pub async fn closed(&self) {
        self.0.closed().await;
    }

    /// Count of requests that the writer has not received yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }

    /// Stores decoded readings. Returns one [`Accepted`] for each, in order, after a durable
    /// commit.
    pub async fn append(
        &self,
        decoded: Vec<Result<Event, Rejection>>,
    ) -> Result<Vec<Accepted>, AppendError> {
        self.append_and_store(decoded, Vec::new()).await
    }

    /// Stores readings and changes side values in one commit: both are on disk, or neither is.
    pub async fn append_and_store(
        &self,
        decoded: Vec<Result<Event, Rejection>>,
        side_changes: Vec<SideChange>,
    ) -> Result<Vec<Accepted>, AppendError> {
        self.append_in(Lane::of(Origin::Gateway), decoded, side_changes)
            .await
    }

    /// Stores readings in the lane of a device: the request does not wait for the backlog of other
    /// devices.
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
            wrong_scans: Vec::new(),
            reply,
        })
        .await
    }

    /// Stores the results of a flow in one commit: events, rejected readings, side values, and that
    /// it answered these scans with an error.
    pub async fn append_of_flow(
        &self,
        decoded: Vec<Result<Event, Rejection>>,
        side_changes: Vec<SideChange>,
        wrong_scans: Vec<WrongScan>,
    ) -> Result<Vec<Accepted>, AppendError> {
        self.request(|reply| Request::Append {
            lane: Lane::of(Origin::Gateway),
            decoded,
            side_changes,
            wrong_scans,
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
        self.seal_and_store(documents, skipped, Vec::new(), settled, Vec::new())
            .await
    }

    /// Seals documents and changes side values in one commit: both are on disk, or neither is.
    /// `unused_scans`: those of `skipped` that are raw scans that no flow uses.
    pub async fn seal_and_store(
        &self,
        documents: Vec<Document>,
        skipped: Vec<Seq>,
        unused_scans: Vec<Seq>,
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

    /// Replaces a parked document. Returns the number of the new document. `None`: the parked one
    /// is not in the state that `change` expects, or the key of the new one is stored already.
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

    /// Settles those of the readings that are still open.
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

    /// Dismisses the unused scans by the decision of a person. Returns their count.
    pub async fn dismiss_scans(&self, record: AuditRecord) -> Result<u64, AppendError> {
        let record = Box::new(record);
        self.request(|reply| Request::DismissScans { record, reply })
            .await
    }

    /// Stores or removes side values.
    pub async fn store_side_values(&self, changes: Vec<SideChange>) -> Result<(), AppendError> {
        self.store_of_flow(changes, Vec::new()).await
    }

    /// Stores the side values of a flow, and that it answered these scans with an error.
    pub async fn store_of_flow(
        &self,
        changes: Vec<SideChange>,
        wrong_scans: Vec<WrongScan>,
    ) -> Result<(), AppendError> {
        self.request(|reply| Request::StoreSideValues {
            changes,
            wrong_scans,
            reply,
        })
        .await
    }

    /// Stores a part of a segment of the search index.
    pub async fn index(&self, part: IndexPart) -> Result<(), AppendError> {
        let part = Box::new(part);
        self.request(|reply| Request::Index { part, reply }).await
    }

    /// Removes the newest segment of the search index after this event. Returns whether there was
    /// one.
    pub async fn drop_segment(&self, after: Seq) -> Result<bool, AppendError> {
        self.request(|reply| Request::DropSegment { after, reply })
            .await
    }

    /// Adds the terms of some documents that an older version stored. Returns whether there are
    /// more.
    pub async fn add_old_terms(&self) -> Result<bool, AppendError> {
        self.request(|reply| Request::AddOldTerms { reply }).await
    }

    pub async fn prune(&self, now: jiff::Timestamp) -> Result<u64, AppendError> {
        self.request(|reply| Request::Prune { now, reply }).await
    }

    pub async fn set_limits(&self, config: config::Journal) -> Result<(), AppendError> {
        self.request(|reply| Request::SetLimits { config, reply })
            .await
    }

    /// Resolves when the writer has ended the group that it was writing. Nothing is written for it.
    pub async fn ping(&self) -> Result<(), AppendError> {
        self.request(|reply| Request::Ping { reply }).await
    }

    /// Ends the writer after all earlier requests are on disk and the file is closed.
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
