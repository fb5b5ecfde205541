//! The journal's side of sending: takes documents to be sent, writes down what became of them,
//! tells the devices.
//!
//! - `hold`: what has to be in Odoo before what; `back`: what is taken back from Odoo because a
//!   person discarded or corrected it; `undo`: because its device took it back; `heal`: what master
//!   data resolves by now; `clocks`: what device clocks do.
//! - `late`: what a call did that came to no answer, once it can no longer be running.
//! - `book`: counts, and what follows for them from a posting; `again`: parked documents that a
//!   posting sets free.
//! - `select`: which documents are next; `taken`: what is to be done with a document; `changes`:
//!   the steps of its life; `tell`: what the devices hear.
//!
//! **Promises:** each change of state is one transaction with its audit record (**invariant 5**),
//! before anyone is told.

mod again;
mod back;
mod book;
mod changes;
mod clocks;
mod heal;
mod hold;
mod late;
mod select;
mod taken;
mod tell;
mod undo;
mod wait;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use self::back::is_to_take_back;
use self::book::Consequences;
use self::changes::{nothing_to_post, parked, posted, sending, set_aside, waiting};
use self::taken::{Next, next};
use self::wait::Waits;
use super::Interrupted;
use super::aside::Aside;
use super::claims;
use super::late::Late;
use super::machine::Job;
use super::resolve::{Asked, Ground, Intent, Prepared, Rules, resolve};
use super::sequence::Sequence;
use crate::book::Book;
use crate::catalog::Catalog;
use crate::channel::Outlets;
use crate::clock;
use crate::document::{Purpose, Reason, answer};
use crate::journal::{AppendError, Change, Entry, Journal, JournalError, KeepChange, Totals};
use crate::odoo::Client;
use crate::outcome::Outcome;
use crate::reason::ReasonCode;

/// Documents that are read from the journal at once.
const PAGE_DOCUMENTS: usize = 16;
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

pub struct Ledger {
    journal: Journal,
    outlets: Outlets,
    cancel: CancellationToken,
    /// Those being sent: one batch.
    sending: BTreeMap<u64, Entry>,
    /// Waiting documents that Odoo gave no answer to: left out until their time.
    aside: Aside,
    /// Waiting documents whose goods are on their way.
    waits: Waits,
    /// The last that was taken was one of those: now it is the others' turn.
    aside_taken: bool,
    /// How documents stood at the last look for what can be taken.
    standings: Standings,
    /// What has to be in Odoo before what.
    sequence: Sequence,
    /// The document that takes something back, as it goes alone: of which document, and which
    /// event.
    undoing: Option<(u64, u64, u64)>,
    /// Which counts hold where; `None` before it was read.
    book: Option<Book>,
    /// Counts that are parked because of picks that are not validated.
    open_picks: BTreeSet<u64>,
    /// Documents with calls that came to no answer; none before they were read.
    late: Option<Late>,
    /// Since the start, documents that were *sending* before it are taken first; up to this number
    /// it is done.
    recovered: Option<u64>,
    /// Where among the parked the next look begins.
    healed: u64,
    /// How many documents were discarded, and parked, when the last look found nothing more to take
    /// back from Odoo.
    withdrawn: Option<(u64, u64)>,
    /// When documents were last looked at whose clocks were in doubt.
    doubts: Option<clocks::Looked>,
}

/// How many documents wait, are parked and are discarded, and how many device clocks were kept:
/// what a person or the assembler changes shows in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standings(u64, u64, u64, u64);

impl Standings {
    pub fn of(totals: &Totals) -> Self {
        Self(
            totals.waiting.documents,
            totals.parked.documents,
            totals.discarded.documents,
            totals.clocks,
        )
    }
}

fn asked(entry: &Entry) -> Asked<'_> {
    Asked {
        document: &entry.document,
        plan: entry.progress.plan.as_deref(),
        decision: entry.progress.decision.as_deref(),
        again: entry.progress.attempts > 0,
        undoing: None,
    }
}

impl Ledger {
    pub fn new(journal: Journal, outlets: Outlets, cancel: CancellationToken) -> Self {
        Self {
            journal,
            outlets,
            cancel,
            sending: BTreeMap::new(),
            aside: Aside::default(),
            waits: Waits::default(),
            aside_taken: false,
            standings: Standings::default(),
            sequence: Sequence::default(),
            undoing: None,
            book: None,
            open_picks: BTreeSet::new(),
            late: None,
            recovered: Some(0),
            healed: 0,
            withdrawn: None,
            doubts: None,
        }
    }

    /// Takes documents with about so many lines, at least one, in the order of their numbers, and
    /// has them as *sending* on disk; what Odoo cannot take is parked. None: nothing waits.
    pub async fn take(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        lines_max: usize,
        now: Duration,
    ) -> Result<Option<Vec<Job>>, Interrupted> {
        self.take_back_all(odoo, ground).await?;
        self.standings = Standings::of(&self.journal.totals());
        self.end_doubts(odoo, ground).await?;
        let entries = self.next_entries(ground, lines_max, now).await?;
        if entries.is_empty() {
            self.waits.forget_due(now);
            return Ok(None);
        }
        let entries = self.without_corrected(odoo, ground, entries).await?;
        let resolved = self.resolved(odoo, ground, &entries).await?;
        let last = entries.last().map(|entry| entry.document.number);
        let mut taken = Vec::new();
        for (entry, resolved) in entries.into_iter().zip(resolved) {
            let mut next = next(odoo, ground, &entry, resolved).await?;
            if let Next::Wait(reason) = next {
                match self.wait(ground, &entry, reason, now).await? {
                    Some(refused) => next = Next::Refuse(refused),
                    None => continue,
                }
            }
            self.waits.release(entry.document.number);
            taken.push((entry, next));
        }
        let mut changes = Vec::new();
        for (entry, next) in &taken {
            changes.push(match next {
                Next::Send(prepared) => sending(entry, prepared),
                Next::Nothing(prepared) => nothing_to_post(entry, prepared),
                Next::Refuse(reason) | Next::Wait(reason) => parked(entry, reason.clone(), None),
                Next::Park(reason, odoo) => parked(entry, reason.clone(), Some(odoo.clone())),
                Next::Found(odoo) => posted(entry, odoo, true, None),
                Next::Aside(why) => {
                    set_aside(entry, why, self.aside.put(entry.document.number, now))
                }
            });
        }
        let mut consequences = self.consequences_of(&taken, ground.rules)?;
        let asked = changes.len();
        changes.append(&mut consequences.changes);
        let mut made = self.change_and(changes, consequences).await?;
        made.truncate(asked);
        if let (Some(after), Some(last)) = (&mut self.recovered, last) {
            *after = last;
        }
        let mut jobs = Vec::new();
        for ((entry, next), made) in taken.into_iter().zip(made) {
            let number = entry.document.number;
            if !made {
                // Someone else was faster.
                let mut gone = Consequences::default();
                self.forget_count(number, &mut gone)?;
                self.change_and(Vec::new(), gone).await?;
                continue;
            }
            match next {
                Next::Send(prepared) => {
                    jobs.extend(self.begin(entry, prepared));
                    continue;
                }
                Next::Nothing(_) => {
                    self.sequence.release_document(&entry.document);
                    self.tell_posted(&entry.document, None, None).await?;
                }
                Next::Refuse(reason) | Next::Wait(reason) => {
                    self.note_open_picks(number, &reason);
                    self.sequence.blocks(Some(ground.copy), &entry.document);
                    self.tell_refused(&entry.document, &reason).await?;
                }
                Next::Found(odoo) => {
                    self.sequence.release_document(&entry.document);
                    self.tell_posted(&entry.document, Some(&odoo), None).await?;
                }
                Next::Park(Reason { code, message, .. }, _) => {
                    self.sequence.blocks(Some(ground.copy), &entry.document);
                    let code = code.as_str();
                    tracing::warn!(number, code, message, "document parked");
                }
                Next::Aside(_) => {
                    self.sequence.blocks(Some(ground.copy), &entry.document);
                    continue;
                }
            }
            self.aside.answered(number, now);
        }
        Ok(Some(jobs))
    }

    /// What follows from what was taken: counts that are sent are in the book, and what Odoo has
    /// already is posted.
    fn consequences_of(
        &mut self,
        taken: &[(Entry, Next)],
        rules: &Rules,
    ) -> Result<Consequences, JournalError> {
        let mut consequences = Consequences::default();
        for (entry, next) in taken {
            let mut entry = entry.clone();
            match next {
                Next::Send(prepared) | Next::Nothing(prepared) if entry.progress.plan.is_none() => {
                    entry.progress.plan.clone_from(&prepared.plan);
                }
                _ => {}
            }
            if matches!(next, Next::Send(_) | Next::Nothing(_) | Next::Found(_)) {
                let noted = self.note_count(&entry, rules)?;
                consequences.keep.extend(noted);
            }
            // What was found was compared before it was sent.
            entry.progress.attempts += u32::from(matches!(next, Next::Found(_)));
            if matches!(next, Next::Nothing(_) | Next::Found(_)) {
                self.after_posting(&entry, &mut consequences)?;
            }
        }
        Ok(consequences)
    }

    /// What is said to Odoo about each, or why nothing is.
    async fn resolved(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entries: &[Entry],
    ) -> Result<Vec<Result<Prepared, Reason>>, Interrupted> {
        // It is alone.
        if let [entry] = entries
            && let Some(undo) = self.undo(entry)?
        {
            let send = Intent::Send;
            let resolved = self.resolve_undo(odoo, ground, send, entry, undo);
            return Ok(vec![resolved.await?]);
        }
        self.book()?;
        let ground = Ground {
            book: self.book.as_ref(),
            ..ground
        };
        let documents: Vec<_> = entries.iter().map(asked).collect();
        Ok(resolve(odoo, ground, Intent::Send, &documents).await?)
    }

    /// What follows from the posting of a document: for counts that were done after it, for what it
    /// undoes, and for parked documents that waited for it.
    fn after_posting(
        &mut self,
        entry: &Entry,
        consequences: &mut Consequences,
    ) -> Result<(), JournalError> {
        self.add_consequences(entry, consequences)?;
        self.after_undo(entry.document.number, consequences)?;
        self.try_again(&entry.document, consequences)
    }

    fn begin(&mut self, mut entry: Entry, prepared: Prepared) -> Option<Job> {
        let number = entry.document.number;
        // As it is on disk by now.
        entry.progress = sending(&entry, &prepared).progress;
        self.sending.insert(number, entry);
        let aside = self.aside.contains(number);
        let work = prepared.work?;
        Some(Job {
            number,
            work,
            aside,
        })
    }

    /// Writes outcomes down, and then tells the devices.
    pub async fn settle(
        &mut self,
        outcomes: &[(u64, Outcome)],
        copy: Option<&Catalog>,
        rules: &Rules,
        now: Duration,
    ) -> Result<(), Interrupted> {
        let mut changes = Vec::new();
        for (number, outcome) in outcomes {
            let Some(entry) = self.sending.get(number) else {
                continue;
            };
            changes.push(match outcome {
                Outcome::Posted {
                    odoo,
                    already,
                    note,
                } => posted(entry, odoo, *already, note.as_deref()),
                Outcome::Claimed { odoo, .. } => posted(entry, odoo, true, None),
                Outcome::Refused { reason, odoo } => parked(entry, reason.clone(), odoo.clone()),
                Outcome::Unanswered { why } => set_aside(entry, why, self.aside.put(*number, now)),
                Outcome::Overtaken { why } => waiting(entry, why.clone()),
            });
        }
        let mut consequences = Consequences::default();
        for (number, outcome) in outcomes {
            let Some(entry) = self.sending.get(number).cloned() else {
                continue;
            };
            if let Outcome::Claimed { lines, .. } = outcome {
                // In the same transaction: another document could claim the same lines.
                let (key, days) = (entry.document.key, rules.retention_days);
                let claimed = claims::claim(&self.journal, key, lines, clock::now(), days)?;
                consequences.keep.extend(claimed);
            }
            if matches!(outcome, Outcome::Posted { .. } | Outcome::Claimed { .. }) {
                self.after_posting(&entry, &mut consequences)?;
            }
        }
        changes.append(&mut consequences.changes);
        self.change_and(changes, consequences).await?;
        for (number, outcome) in outcomes {
            let Some(entry) = self.sending.remove(number) else {
                continue;
            };
            match outcome {
                Outcome::Posted { odoo, note, .. } => {
                    self.sequence.release_document(&entry.document);
                    let note = note.as_deref();
                    self.tell_posted(&entry.document, Some(odoo), note).await?;
                }
                Outcome::Claimed { odoo, .. } => {
                    self.sequence.release_document(&entry.document);
                    self.tell_posted(&entry.document, Some(odoo), None).await?;
                }
                Outcome::Refused { reason, .. } => {
                    self.note_open_picks(*number, reason);
                    self.sequence.blocks(copy, &entry.document);
                    self.tell_refused(&entry.document, reason).await?;
                }
                // It goes on.
                Outcome::Overtaken { .. } => {}
                // Nothing is known of it that a device could be told.
                Outcome::Unanswered { .. } => {
                    self.sequence.blocks(copy, &entry.document);
                    continue;
                }
            }
            self.aside.answered(*number, now);
        }
        Ok(())
    }

    /// [`Self::change`], with what follows from it in the same transaction.
    async fn change_and(
        &self,
        changes: Vec<Change>,
        consequences: Consequences,
    ) -> Result<Vec<bool>, Ended> {
        let Consequences {
            changes: more,
            keep,
            documents,
        } = consequences;
        let changes = [changes, more].concat();
        if changes.is_empty() && keep.is_empty() && documents.is_empty() {
            return Ok(Vec::new());
        }
        let inbox = self.journal.inbox();
        let change = || inbox.change_and_add(changes.clone(), keep.clone(), documents.clone());
        self.while_full(change).await
    }

    async fn keep(&self, keep: Vec<KeepChange>) -> Result<(), Interrupted> {
        let kept = Consequences {
            keep,
            ..Consequences::default()
        };
        self.change_and(Vec::new(), kept).await?;
        Ok(())
    }

    /// One transaction; while the disk is full it is tried again, because room may come.
    pub(super) async fn change(&self, changes: Vec<Change>) -> Result<Vec<bool>, Ended> {
        let inbox = self.journal.inbox();
        self.while_full(|| inbox.change(changes.clone())).await
    }

    /// Asks the journal again until there is room on the disk.
    async fn while_full<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Ended>
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

/// Whether a person allowed what this reason asks about.
fn allows(entry: &Entry, code: ReasonCode) -> bool {
    answer::allows(entry.progress.decision.as_deref(), code)
}

fn is_validation(entry: &Entry) -> bool {
    matches!(entry.document.purpose, Purpose::Validate { .. })
}
