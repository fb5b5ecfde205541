//! The queue of documents: which are sent next, what each waits for, and the transaction that
//! writes each change.
//!
//! - `select`: picks the next documents. `dependencies`, `blockers`: what must be in Odoo before a
//!   document is sent.
//! - `triage`: decides the fate of a document that was looked up. `fate`: maps each outcome to
//!   its state change, its effects and what follows. `changes`: the state changes, with their audit
//!   records.
//! - `deferred`: documents to which Odoo gives no answer. `goods_waits`: documents whose goods are
//!   on their way. `doubtful_clocks`: documents parked because of a device's clock.
//! - `heal`, `retry`: parked documents that wait again after a change in Odoo, or after another
//!   posting.
//! - `restored`: documents that the gateway before a restore may have posted.
//! - `recovery`: interrupted sends. `late_calls`: calls without an answer that Odoo may still carry
//!   out.
//! - `receipts`: messages to the devices.
//!
//! **Promises:** each state change is one transaction with its audit record (**invariant 5**), and
//! is on disk before a device receives a receipt.

mod blockers;
pub(super) mod changes;
mod deferred;
mod dependencies;
mod doubtful_clocks;
pub(super) mod fate;
mod goods_waits;
mod heal;
pub(super) mod late_calls;
mod receipts;
mod recovery;
mod restored;
mod retry;
mod select;
pub(super) mod triage;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use self::changes::Effects;
use self::deferred::Deferred;
use self::dependencies::Dependencies;
use self::goods_waits::GoodsWaits;
use self::late_calls::LateCalls;
use super::Interrupted;
use super::resolve::Asked;
use crate::board::levels::Levels;
use crate::book::Book;
use crate::channel::Outlets;
use crate::document::{DocumentNumber, Purpose, answer};
use crate::event::Seq;
use crate::journal::{AppendError, Change, Entry, Journal, JournalError, SideChange, Totals};

use crate::reason::{Flag, ReasonCode};

/// How many documents one read from the journal returns.
pub const PAGE_DOCUMENTS: usize = 16;
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// Why sending ends.
#[derive(Debug, Error)]
pub enum Ended {
    #[error("stopped")]
    Cancelled,
    #[error("the journal has stopped")]
    JournalStopped,
    #[error(transparent)]
    Unreadable(#[from] JournalError),
}

impl From<JournalError> for Interrupted {
    fn from(error: JournalError) -> Self {
        Self::Ended(error.into())
    }
}

pub struct Queue {
    pub journal: Journal,
    pub outlets: Outlets,
    pub cancel: CancellationToken,
    pub levels: Levels,
    /// Documents that are being sent: one batch.
    pub sending: BTreeMap<DocumentNumber, Entry>,
    /// Waiting documents for which Odoo gave no answer: each is left out until its time.
    pub deferred: Deferred,
    /// Waiting documents whose goods have not arrived in Odoo yet.
    pub waits: GoodsWaits,
    /// The last document taken was a deferred one: now the other documents have their turn.
    pub deferred_taken: bool,
    /// The document counts when the gateway last looked for documents to take.
    pub standings: DocumentCounts,
    /// Which documents must be in Odoo before which others.
    pub dependencies: Dependencies,
    /// The document with an undo, which is sent alone: its number, the document that has the undone
    /// event, and the event.
    pub undoing: Option<(DocumentNumber, DocumentNumber, Seq)>,
    /// Which counts are valid at which place; `None` before the gateway has read them.
    pub book: Option<Book>,
    /// Counts that are parked because of picks that are not validated.
    pub open_picks: BTreeSet<DocumentNumber>,
    /// Documents with abandoned calls; `None` before the gateway has read them.
    pub late: Option<LateCalls>,
    /// Whether the list has the documents that were being sent when the last process stopped.
    pub are_stopped_noted: bool,
    /// After its start, the gateway first takes the sends that the last process did not finish.
    /// This is the number of the last one that it has taken. `None`: it has taken all of them.
    pub recovered: Option<DocumentNumber>,
    /// The number at which the next look through the parked documents begins.
    pub healed: DocumentNumber,
    /// How many documents were discarded, and parked, when the gateway last found nothing more to
    /// withdraw from Odoo.
    pub withdrawn: Option<(u64, u64)>,
    /// How many clocks were stored, and documents parked, when the gateway last looked at documents
    /// with doubtful clocks. It looks again when one of these numbers has changed.
    pub doubts: Option<doubtful_clocks::Looked>,
}

/// How many documents wait, are parked and are discarded, and how often this process has stored or
/// removed the state of a device's clock. A change by a person or by the assembler changes one of
/// these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DocumentCounts(u64, u64, u64, u64);

impl DocumentCounts {
    pub fn of(totals: &Totals) -> Self {
        Self(
            totals.waiting.documents,
            totals.parked.documents,
            totals.discarded.documents,
            totals.clocks,
        )
    }
}

pub fn asked(entry: &Entry) -> Asked<'_> {
    Asked {
        document: &entry.document,
        plan: entry.progress.plan.as_deref(),
        decision: entry.progress.decision.as_deref(),
        again: entry.progress.attempts > 0,
        undoing: None,
    }
}

impl Queue {
    /// Notes postings and parkings there.
    #[must_use]
    pub fn with_levels(mut self, levels: Levels) -> Self {
        self.levels = levels;
        self
    }

    pub fn new(journal: Journal, outlets: Outlets, cancel: CancellationToken) -> Self {
        Self {
            journal,
            outlets,
            cancel,
            levels: Levels::default(),
            sending: BTreeMap::new(),
            deferred: Deferred::default(),
            waits: GoodsWaits::default(),
            deferred_taken: false,
            standings: DocumentCounts::default(),
            dependencies: Dependencies::default(),
            undoing: None,
            book: None,
            open_picks: BTreeSet::new(),
            late: None,
            are_stopped_noted: false,
            recovered: Some(DocumentNumber::ZERO),
            healed: DocumentNumber::ZERO,
            withdrawn: None,
            doubts: None,
        }
    }

    /// Writes [`Self::change`] and its effects in the same transaction.
    pub async fn change_and(
        &self,
        changes: Vec<Change>,
        effects: Effects,
    ) -> Result<Vec<bool>, Ended> {
        let Effects {
            changes: more,
            side_changes,
            documents,
        } = effects;
        let changes = [changes, more].concat();
        if changes.is_empty() && side_changes.is_empty() && documents.is_empty() {
            return Ok(Vec::new());
        }
        let inbox = self.journal.inbox();
        let change =
            || inbox.change_and_add(changes.clone(), side_changes.clone(), documents.clone());
        self.while_full(change).await
    }

    pub async fn store_side_values(
        &self,
        side_changes: Vec<SideChange>,
    ) -> Result<(), Interrupted> {
        let kept = Effects {
            side_changes,
            ..Effects::default()
        };
        self.change_and(Vec::new(), kept).await?;
        Ok(())
    }

    /// Writes the changes in one transaction. While the journal cannot write, for example because
    /// the disk is full, the gateway retries.
    pub async fn change(&self, changes: Vec<Change>) -> Result<Vec<bool>, Ended> {
        let inbox = self.journal.inbox();
        self.while_full(|| inbox.change(changes.clone())).await
    }

    /// Calls the journal again until it can write, or until the stop.
    pub async fn while_full<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Ended>
    where
        F: Future<Output = Result<T, AppendError>>,
    {
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(AppendError::Stopped) => return Err(Ended::JournalStopped),
                Err(AppendError::Full | AppendError::Disk | AppendError::Share) => tokio::select! {
                    () = self.cancel.cancelled() => return Err(Ended::Cancelled),
                    () = tokio::time::sleep(FULL_PAUSE) => {}
                },
            }
        }
    }
}

/// Whether a person allowed what this reason asks for.
pub fn allows(entry: &Entry, code: ReasonCode) -> bool {
    answer::allows(entry.progress.decision.as_deref(), code)
}

pub fn is_validation(entry: &Entry) -> bool {
    matches!(entry.document.purpose, Purpose::Validate { .. })
}

/// Whether Odoo may hold something open of a document that is discarded or replaced.
pub fn is_to_take_back(entry: &Entry) -> bool {
    let through = [Flag::Withdrawn, Flag::PostedInOdoo, Flag::LeftInOdoo];
    let flags = &entry.progress.flags;
    entry.progress.attempts > 0 && !through.iter().any(|flag| flags.contains(&(*flag).into()))
}
