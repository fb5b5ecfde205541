//! The mark of a journal that replaces another one: which events and documents the gateway before
//! it may have posted to Odoo.
//!
//! `stockrelay journal import` writes the mark. The first start stores when the journal began. A
//! journal that replaces a lost one has the mark, too, with no event and no document.
//!
//! **Promise:** a document in doubt is not sent before the forwarder has compared it with Odoo, by
//! its key (`forward/queue/restored.rs`).

use jiff::Timestamp;

use super::{AppendError, Journal, JournalError, Namespace, SideChange, stored};
use crate::document::{Document, DocumentNumber};
use crate::event::{Recorded, Seq};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// The newest event that the backup has; 0: it has none.
    pub seq: Seq,
    /// The newest document that the backup has; 0: it has none.
    pub document: DocumentNumber,
    /// When the journal was first opened. `None`: no daemon has opened it yet.
    pub begun: Option<Timestamp>,
}

impl Restored {
    /// The mark of a journal that begins now, with nothing of the one before.
    #[must_use]
    pub fn with_nothing(now: Timestamp) -> Self {
        Self {
            seq: Seq::ZERO,
            document: DocumentNumber::ZERO,
            begun: Some(now),
        }
    }

    /// Whether the document was sealed before the backup, so that the gateway before this journal
    /// sent it under the same key.
    #[must_use]
    pub fn has_document(&self, document: &Document) -> bool {
        document.number <= self.document
    }

    /// Whether the gateway before this journal may have received this event: the backup has it, or
    /// it was done before the journal began.
    #[must_use]
    pub fn may_have_had(&self, recorded: &Recorded) -> bool {
        let event = &recorded.event;
        let is_earlier = |begun| event.at.min(event.received) < begun;
        recorded.seq <= self.seq || self.begun.is_some_and(is_earlier)
    }

    /// The change that stores the mark.
    pub fn store(&self) -> Result<SideChange, stored::BadRecord> {
        let bytes = stored::restored_in(self)?;
        Ok((Namespace::Restored.only_key(), Some(bytes)))
    }
}

impl Journal {
    /// The mark of a restored journal. `None`: the journal replaces no other one.
    pub fn restored(&self) -> Result<Option<Restored>, JournalError> {
        let values = self.read_namespace(Namespace::Restored)?;
        let Some((_, bytes)) = values.into_iter().next() else {
            return Ok(None);
        };
        Ok(Some(stored::restored_out(&bytes)?))
    }

    /// Stores when a restored journal began, at its first start.
    pub async fn begin_restored(&self, now: Timestamp) -> Result<(), BeginError> {
        let Some(mark) = self.restored()?.filter(|mark| mark.begun.is_none()) else {
            return Ok(());
        };
        let begun = Restored {
            begun: Some(now),
            ..mark
        };
        self.inbox().store_side_values(vec![begun.store()?]).await?;
        Ok(())
    }
}

/// Why the mark of a restored journal was not stored: the daemon must not start without it.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    #[error(transparent)]
    Read(#[from] JournalError),
    #[error(transparent)]
    Record(#[from] stored::BadRecord),
    #[error("cannot store when the restored journal began: {0}")]
    Write(#[from] AppendError),
}
