//! The fate of a document in one round of sending. [`Fate`] is the one place that maps each outcome
//! to its state change, to the changes of other documents in the same transaction, and to what
//! follows once the transaction is on disk.

use std::time::Duration;

use super::changes::{Effects, defer, park, post, post_nothing, start_sending, wait};
use super::{Ended, Queue};
use crate::catalog::Catalog;
use crate::clock;
use crate::document::{OdooRef, Reason};
use crate::forward::claims;
use crate::forward::job::Job;
use crate::forward::resolve::{Prepared, Rules};
use crate::journal::{Change, Entry, JournalError};
use crate::odoo_id::MoveLineId;
use crate::outcome::Outcome;

/// What happens to a document next.
pub enum Fate {
    /// The document is sent in this round.
    Send(Prepared),
    /// There is nothing to send: Odoo already holds the result, or the document no longer applies.
    NothingToPost(Prepared),
    /// The document was sent in an earlier round, and Odoo holds it as done.
    Found(OdooRef),
    /// Odoo holds the document as done, read back in this round.
    Posted {
        odoo: OdooRef,
        already: bool,
        note: Option<String>,
    },
    /// A person posted these move lines in Odoo, which stand for the document.
    Claimed {
        odoo: OdooRef,
        lines: Vec<MoveLineId>,
    },
    /// The document is parked, and its devices get a receipt with the reason.
    Refused {
        reason: Reason,
        odoo: Option<OdooRef>,
    },
    /// The document is parked, and its devices get no receipt: Odoo holds a part of it as done.
    Uncertain { reason: Reason, odoo: OdooRef },
    /// Odoo answers, but not to calls about this document; or it still holds the document open
    /// after an interrupted send. The gateway retries later.
    Deferred { why: String },
    /// Odoo has changed since the document was resolved. The gateway resolves it again.
    Overtaken { why: String },
}

impl From<Outcome> for Fate {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Posted {
                odoo,
                already,
                note,
            } => Self::Posted {
                odoo,
                already,
                note,
            },
            Outcome::Claimed { odoo, lines } => Self::Claimed { odoo, lines },
            Outcome::Overtaken { why } => Self::Overtaken { why },
            Outcome::Unanswered { why } => Self::Deferred { why },
            Outcome::Refused { reason, odoo } => Self::Refused { reason, odoo },
        }
    }
}

impl Fate {
    /// The picking to name to people, and Odoo's note, if the document is posted.
    fn posting(&self) -> Option<(Option<&OdooRef>, Option<&str>)> {
        match self {
            Self::NothingToPost(_) => Some((None, None)),
            Self::Posted { odoo, note, .. } => Some((Some(odoo), note.as_deref())),
            Self::Found(odoo) | Self::Claimed { odoo, .. } => Some((Some(odoo), None)),
            Self::Send(_)
            | Self::Refused { .. }
            | Self::Uncertain { .. }
            | Self::Deferred { .. }
            | Self::Overtaken { .. } => None,
        }
    }
}

impl Queue {
    /// The state change with its audit record.
    pub fn change_for(&mut self, entry: &Entry, fate: &Fate, now: Duration) -> Change {
        match fate {
            Fate::Send(prepared) => start_sending(entry, prepared),
            Fate::NothingToPost(prepared) => post_nothing(entry, prepared),
            Fate::Found(odoo) | Fate::Claimed { odoo, .. } => post(entry, odoo, true, None),
            Fate::Posted {
                odoo,
                already,
                note,
            } => post(entry, odoo, *already, note.as_deref()),
            Fate::Refused { reason, odoo } => park(entry, reason.clone(), odoo.clone()),
            Fate::Uncertain { reason, odoo } => park(entry, reason.clone(), Some(odoo.clone())),
            Fate::Deferred { why } => {
                let pause = self.deferred.put(entry.document.number, now);
                defer(entry, why, pause)
            }
            Fate::Overtaken { why } => wait(entry, why.clone()),
        }
    }

    /// What changes elsewhere in the same transaction: a count that is sent enters the book, and a
    /// posting has consequences for counts, undone documents and parked documents.
    pub fn add_effects(
        &mut self,
        entry: &Entry,
        fate: &Fate,
        rules: &Rules,
        effects: &mut Effects,
    ) -> Result<(), JournalError> {
        let mut entry = entry.clone();
        match fate {
            Fate::Send(prepared) | Fate::NothingToPost(prepared) => {
                if entry.progress.plan.is_none() {
                    entry.progress.plan.clone_from(&prepared.plan);
                }
                effects.side_changes.extend(self.note_count(&entry, rules)?);
            }
            Fate::Found(_) => {
                effects.side_changes.extend(self.note_count(&entry, rules)?);
                // The plan was compared with Odoo before the document was sent.
                entry.progress.attempts += 1;
            }
            Fate::Claimed { lines, .. } => {
                // In the same transaction, because another document could claim the same lines.
                let (key, days) = (entry.document.key, rules.retention_days);
                let claimed = claims::claim(&self.journal, key, lines, clock::now(), days)?;
                effects.side_changes.extend(claimed);
            }
            Fate::Posted { .. }
            | Fate::Refused { .. }
            | Fate::Uncertain { .. }
            | Fate::Deferred { .. }
            | Fate::Overtaken { .. } => {}
        }
        if fate.posting().is_some() {
            self.after_posting(&entry, effects)?;
        }
        Ok(())
    }

    /// Performs the steps after the change is on disk. The document releases or blocks the
    /// documents that depend on it, and its devices get receipts. A document that is sent becomes a
    /// job.
    pub async fn follow_up(
        &mut self,
        entry: Entry,
        fate: Fate,
        copy: Option<&Catalog>,
        now: Duration,
    ) -> Result<Option<Job>, Ended> {
        let number = entry.document.number;
        if let Some((odoo, note)) = fate.posting() {
            self.dependencies.release_document(&entry.document);
            self.tell_posted(&entry.document, odoo, note).await?;
        }
        match fate {
            Fate::Send(prepared) => return Ok(self.begin(entry, prepared)),
            // The outcome is unknown, so no device gets a receipt.
            Fate::Deferred { .. } => {
                self.dependencies.blocks(copy, &entry.document);
                return Ok(None);
            }
            Fate::Refused { reason, .. } => {
                self.note_open_picks(number, &reason);
                self.dependencies.blocks(copy, &entry.document);
                self.tell_refused(&entry.document, &reason).await?;
            }
            Fate::Uncertain { reason, .. } => {
                let Reason { code, message, .. } = reason;
                self.dependencies.blocks(copy, &entry.document);
                let code = code.as_str();
                self.levels.parked(code);
                let key = &entry.document.key;
                tracing::warn!(number = number.get(), %key, code, message, "document parked");
            }
            Fate::NothingToPost(_)
            | Fate::Found(_)
            | Fate::Posted { .. }
            | Fate::Claimed { .. }
            | Fate::Overtaken { .. } => {}
        }
        self.deferred.answered(number, now);
        Ok(None)
    }

    /// Adds the effects of a posting: on later counts, on the document that it reverses, and on
    /// parked documents that waited for it.
    fn after_posting(&mut self, entry: &Entry, effects: &mut Effects) -> Result<(), JournalError> {
        self.recount_later_counts(entry, effects)?;
        self.after_undo(entry.document.number, effects)?;
        self.try_again(&entry.document, effects)
    }

    fn begin(&mut self, mut entry: Entry, prepared: Prepared) -> Option<Job> {
        let number = entry.document.number;
        // The document as it is on disk by now.
        entry.progress = start_sending(&entry, &prepared).progress;
        self.sending.insert(number, entry);
        let is_deferred = self.deferred.contains(number);
        let work = prepared.work?;
        Some(Job {
            number,
            work,
            is_deferred,
        })
    }
}
