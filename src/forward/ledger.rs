//! The journal's side of sending: takes documents to be sent, writes down what became of them, tells the devices.
//!
//! - `hold`: what has to be in Odoo before what; `back`: what is taken back from Odoo because a person discarded or corrected it;
//!   `undo`: because its device took it back; `heal`: what master data resolves by now.
//! - `taken`: what is to be done with a document; `changes`: the steps of its life; `tell`: what the devices hear.
//!
//! **Promises:** each change of state is one transaction with its audit record (**invariant 5**), before anyone is told.

mod back;
mod changes;
mod heal;
mod hold;
mod taken;
mod tell;
mod undo;

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use self::changes::{nothing_to_post, parked, posted, sending, set_aside, waiting};
use self::taken::{Next, next};
use super::Interrupted;
use super::aside::Aside;
use super::claims;
use super::copy::Copy;
use super::counted::{Counts, lines_done};
use super::machine::Job;
use super::odoo::Client;
use super::resolve::{Asked, Ground, Intent, Prepared, Rules, is_about_order, resolve};
use super::sequence::{Sequence, follows};
use crate::assemble;
use crate::clock;
use crate::document::{Document, Purpose, Reason, State};
use crate::journal::{AppendError, Change, Entry, Journal, JournalError, KeepChange, Totals};
use crate::outcome::{Outcome, code};
use crate::source::Outlets;

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
    /// The last that was taken was one of those: now it is the others' turn.
    aside_taken: bool,
    /// How documents stood at the last look for what can be taken.
    standings: Standings,
    /// What has to be in Odoo before what.
    sequence: Sequence,
    /// The document that takes something back, as it goes alone: of which document, and which event.
    undoing: Option<(u64, u64, u64)>,
    /// The counts that are posted; none before they were read.
    counts: Option<Counts>,
    /// Since the start, documents that were *sending* before it are taken first; up to this number it is done.
    recovered: Option<u64>,
    /// Where among the parked the next look begins.
    healed: u64,
    /// How many documents were discarded, and parked, when the last look found nothing more to take back from Odoo.
    withdrawn: Option<(u64, u64)>,
}

/// How many documents wait, are parked and are discarded: what a person or the assembler changes shows in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standings(u64, u64, u64);

impl Standings {
    pub fn of(totals: &Totals) -> Self {
        Self(
            totals.waiting.documents,
            totals.parked.documents,
            totals.discarded.documents,
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
            aside_taken: false,
            standings: Standings::default(),
            sequence: Sequence::default(),
            undoing: None,
            counts: None,
            recovered: Some(0),
            healed: 0,
            withdrawn: None,
        }
    }

    /// Takes documents with about so many lines, at least one, in the order of their numbers, and has them
    /// as *sending* on disk; what Odoo cannot take is parked. None: nothing waits.
    pub async fn take(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        lines_max: usize,
        now: Duration,
    ) -> Result<Option<Vec<Job>>, Interrupted> {
        self.take_back_all(odoo, ground).await?;
        self.standings = Standings::of(&self.journal.totals());
        let entries = self.next_entries(ground, lines_max, now).await?;
        if entries.is_empty() {
            return Ok(None);
        }
        let entries = self.without_corrected(odoo, ground, entries).await?;
        let resolved = self.resolved(odoo, ground, &entries).await?;
        let last = entries.last().map(|entry| entry.document.number);
        let mut taken = Vec::new();
        for (entry, resolved) in entries.into_iter().zip(resolved) {
            let next = next(odoo, ground, &entry, resolved).await?;
            match &next {
                Next::Nothing(prepared) => {
                    let mut counted = entry.clone();
                    counted.progress.plan.clone_from(&prepared.plan);
                    self.remember(&counted, ground.rules).await?;
                }
                Next::Found(_) => self.remember(&entry, ground.rules).await?,
                _ => {}
            }
            taken.push((entry, next));
        }
        let mut changes = Vec::new();
        for (entry, next) in &taken {
            changes.push(match next {
                Next::Send(prepared) => sending(entry, prepared),
                Next::Nothing(prepared) => nothing_to_post(entry, prepared),
                Next::Refuse(reason) => parked(entry, reason.clone(), None),
                Next::Park(reason, odoo) => parked(entry, reason.clone(), Some(odoo.clone())),
                Next::Found(odoo) => posted(entry, odoo, true),
                Next::Aside(why) => {
                    set_aside(entry, why, self.aside.put(entry.document.number, now))
                }
            });
        }
        for (entry, next) in &taken {
            if matches!(next, Next::Nothing(_) | Next::Found(_)) {
                let number = entry.document.number;
                self.forget_undone(number).await?;
                changes.extend(self.undone(number)?);
            }
        }
        let made = self.change(changes).await?;
        if let (Some(after), Some(last)) = (&mut self.recovered, last) {
            *after = last;
        }
        let mut jobs = Vec::new();
        // Where nothing was made, someone else was faster.
        for ((entry, next), _) in taken.into_iter().zip(made).filter(|(_, made)| *made) {
            let number = entry.document.number;
            match next {
                Next::Send(prepared) => {
                    jobs.extend(self.begin(entry, prepared));
                    continue;
                }
                Next::Nothing(_) => {
                    self.sequence.release_document(&entry.document);
                    self.tell_posted(&entry.document, None).await?;
                }
                Next::Refuse(reason) => {
                    self.sequence.blocks(Some(ground.copy), &entry.document);
                    self.tell_refused(&entry.document, &reason).await?;
                }
                Next::Found(odoo) => {
                    self.sequence.release_document(&entry.document);
                    self.tell_posted(&entry.document, Some(&odoo)).await?;
                }
                Next::Park(Reason { code, message }, _) => {
                    self.sequence.blocks(Some(ground.copy), &entry.document);
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
        let documents: Vec<_> = entries.iter().map(asked).collect();
        let mut checked = Vec::new();
        let resolved = resolve(odoo, ground, Intent::Send, &documents).await?;
        for (entry, resolved) in entries.iter().zip(resolved) {
            checked.push(match resolved {
                Ok(prepared) => {
                    let done = lines_done(&self.journal, &entry.document)?;
                    self.counts()?.check(entry, &done, None, prepared)
                }
                refused => refused,
            });
        }
        Ok(checked)
    }

    fn counts(&mut self) -> Result<&mut Counts, JournalError> {
        let counts = match self.counts.take() {
            Some(counts) => counts,
            None => Counts::load(&self.journal)?,
        };
        Ok(self.counts.insert(counts))
    }

    /// A count is known as such before it is posted, so that it is whatever happens then.
    async fn remember(&mut self, entry: &Entry, rules: &Rules) -> Result<(), Interrupted> {
        let days = rules.retention_days;
        let changes = self.counts()?.posted(entry, clock::now(), days);
        self.keep(changes).await
    }

    /// Where it cannot be kept, nothing is posted: another document could claim the same lines.
    async fn claim(&self, entry: &Entry, lines: &[i64], rules: &Rules) -> Result<(), Interrupted> {
        let (key, days) = (entry.document.key, rules.retention_days);
        let changes = claims::claim(&self.journal, key, lines, clock::now(), days)?;
        let inbox = self.journal.inbox();
        Ok(self.while_full(|| inbox.keep(changes.clone())).await?)
    }

    async fn keep(&self, changes: Vec<KeepChange>) -> Result<(), Interrupted> {
        if changes.is_empty() {
            return Ok(());
        }
        match self.journal.inbox().keep(changes).await {
            Err(AppendError::Stopped) => Err(Ended::JournalStopped.into()),
            // Without room on the disk it is known until the next start.
            Ok(()) | Err(AppendError::Full) => Ok(()),
        }
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

    /// First those whose send was begun before the start, then those that wait; between them, and alone, one that was set
    /// aside and is due.
    async fn next_entries(
        &mut self,
        ground: Ground<'_>,
        lines_max: usize,
        now: Duration,
    ) -> Result<Vec<Entry>, Interrupted> {
        self.learn_blockers(ground)?;
        if let Some(after) = self.recovered {
            let entries = self.read(ground, State::Sending, after, lines_max).await?;
            if !entries.is_empty() {
                return Ok(entries);
            }
            self.recovered = None;
        }
        let entries = self.read(ground, State::Waiting, 0, lines_max).await?;
        let due = self.aside.due(now);
        let due = due.filter(|_| entries.is_empty() || !self.aside_taken);
        self.aside_taken = due.is_some();
        let Some(number) = due else {
            return Ok(entries);
        };
        let waits = |entry: &Entry| entry.progress.state == State::Waiting;
        if let Some(entry) = self.journal.document(number)?.filter(waits) {
            return Ok(vec![self.revived(entry)?]);
        }
        self.aside.answered(number, now);
        Ok(entries)
    }

    /// What an earlier version could not post is, now, what its event says.
    fn revived(&self, mut entry: Entry) -> Result<Entry, JournalError> {
        if let (Purpose::Unsupported { .. }, [seq]) =
            (&entry.document.purpose, entry.document.events.as_slice())
            && let Some(recorded) = self.journal.event(*seq)?
        {
            entry.document = assemble::revive(&entry.document, &recorded);
        }
        Ok(entry)
    }

    /// When the first that was set aside is due, and how documents stood when nothing could be taken: until that changes
    /// there is nothing to do.
    pub fn idle(&self) -> (Option<Duration>, Standings) {
        (self.aside.next_due(), self.standings)
    }

    /// Documents of one kind of work that may be sent now, in the order of their numbers, as many as fit.
    async fn read(
        &mut self,
        ground: Ground<'_>,
        state: State,
        mut after: u64,
        lines_max: usize,
    ) -> Result<Vec<Entry>, Interrupted> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut lines = 0;
        loop {
            let page = self.journal.documents(Some(state), after, PAGE_DOCUMENTS)?;
            let whole = page.len() == PAGE_DOCUMENTS;
            for entry in page {
                after = entry.document.number;
                if self.aside.contains(after) {
                    continue;
                }
                let entry = self.revived(entry)?;
                // What was begun before the start is seen through.
                if state == State::Waiting && self.hold_back(ground, &entry).await? {
                    continue;
                }
                let alone = goes_alone(&entry.document.purpose);
                // One without lines costs something as well.
                lines += entry.document.lines.len().max(1);
                if let Some(first) = entries.first() {
                    let alike = !alone && !goes_alone(&first.document.purpose);
                    let before = || entries.iter().map(|entry| &entry.document);
                    if lines > lines_max
                        || !alike
                        || follows(Some(ground.copy), &entry.document, before())?
                    {
                        return Ok(entries);
                    }
                }
                entries.push(entry);
            }
            if !whole {
                return Ok(entries);
            }
        }
    }

    /// Writes outcomes down, and then tells the devices.
    pub async fn settle(
        &mut self,
        outcomes: &[(u64, Outcome)],
        copy: Option<&Copy>,
        rules: &Rules,
        now: Duration,
    ) -> Result<(), Interrupted> {
        for (number, outcome) in outcomes {
            let Some(entry) = self.sending.get(number).cloned() else {
                continue;
            };
            if let Outcome::Posted { .. } = outcome {
                self.remember(&entry, rules).await?;
            }
            if let Outcome::Claimed { lines, .. } = outcome {
                self.claim(&entry, lines, rules).await?;
            }
        }
        let mut changes = Vec::new();
        for (number, outcome) in outcomes {
            let Some(entry) = self.sending.get(number) else {
                continue;
            };
            changes.push(match outcome {
                Outcome::Posted { odoo, already } => posted(entry, odoo, *already),
                Outcome::Claimed { odoo, .. } => posted(entry, odoo, true),
                Outcome::Refused { reason, odoo } => parked(entry, reason.clone(), odoo.clone()),
                Outcome::Unanswered { why } => set_aside(entry, why, self.aside.put(*number, now)),
                Outcome::Overtaken { why } => waiting(entry, why.clone()),
            });
        }
        for (number, outcome) in outcomes {
            if matches!(outcome, Outcome::Posted { .. } | Outcome::Claimed { .. }) {
                self.forget_undone(*number).await?;
                changes.extend(self.undone(*number)?);
            }
        }
        self.change(changes).await?;
        for (number, outcome) in outcomes {
            let Some(entry) = self.sending.remove(number) else {
                continue;
            };
            match outcome {
                Outcome::Posted { odoo, .. } | Outcome::Claimed { odoo, .. } => {
                    self.sequence.release_document(&entry.document);
                    self.tell_posted(&entry.document, Some(odoo)).await?;
                    self.perhaps_complete(&entry.document).await?;
                }
                Outcome::Refused { reason, .. } => {
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

    /// A validation that was parked because something was missing is tried again when more was posted for its order.
    async fn perhaps_complete(&mut self, document: &Document) -> Result<(), Ended> {
        let Some(order) = document.purpose.order() else {
            return Ok(());
        };
        for number in self.sequence.about_order(order) {
            let Some(entry) = self.journal.document(number)? else {
                continue;
            };
            let lacked = entry.progress.reason.as_ref();
            let lacked = lacked.is_some_and(|reason| code::LACKING.contains(&reason.code.as_str()));
            if lacked && entry.progress.state == State::Parked && is_validation(&entry) {
                let note = format!("document {} was posted for the order", document.number);
                self.change(vec![waiting(&entry, note)]).await?;
            }
        }
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
                Err(AppendError::Full) => tokio::select! {
                    () = self.cancel.cancelled() => return Err(Ended::Cancelled),
                    () = tokio::time::sleep(FULL_PAUSE) => {}
                },
            }
        }
    }
}

/// One whole document at a time: what is about an order, and what takes something back.
fn goes_alone(purpose: &Purpose) -> bool {
    is_about_order(purpose) || matches!(purpose, Purpose::Undo { .. })
}

fn is_validation(entry: &Entry) -> bool {
    matches!(entry.document.purpose, Purpose::Validate { .. })
}
