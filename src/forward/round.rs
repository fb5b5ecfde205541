//! One round of sending: takes documents from the queue, and settles what became of them.
//!
//! **Promises:** each change of state is one transaction with its audit record (**invariant 5**),
//! before any device is told.

use std::time::Duration;

use super::Interrupted;
use super::claims;
use super::job::Job;
use super::queue::changes::{
    Effects, nothing_to_post, parked, posted, sending, set_aside, waiting,
};
use super::queue::triage::{Triage, triage};
use super::queue::{DocumentCounts, Queue, asked};
use super::resolve::{Ground, Intent, Prepared, Rules, resolve};
use crate::catalog::Catalog;
use crate::clock;
use crate::document::Reason;
use crate::journal::{Entry, JournalError};
use crate::odoo::Client;
use crate::outcome::Outcome;

impl Queue {
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
        self.standings = DocumentCounts::of(&self.journal.totals());
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
            let mut next = triage(odoo, ground, &entry, resolved).await?;
            if let Triage::Wait(reason) = next {
                match self.wait(ground, &entry, reason, now).await? {
                    Some(refused) => next = Triage::Refuse(refused),
                    None => continue,
                }
            }
            self.waits.release(entry.document.number);
            taken.push((entry, next));
        }
        let mut changes = Vec::new();
        for (entry, next) in &taken {
            changes.push(match next {
                Triage::Send(prepared) => sending(entry, prepared),
                Triage::Nothing(prepared) => nothing_to_post(entry, prepared),
                Triage::Refuse(reason) | Triage::Wait(reason) => {
                    parked(entry, reason.clone(), None)
                }
                Triage::Park(reason, odoo) => parked(entry, reason.clone(), Some(odoo.clone())),
                Triage::Found(odoo) => posted(entry, odoo, true, None),
                Triage::Defer(why) => {
                    set_aside(entry, why, self.deferred.put(entry.document.number, now))
                }
            });
        }
        let mut effects = self.effects_of(&taken, ground.rules)?;
        let asked = changes.len();
        changes.append(&mut effects.changes);
        let mut made = self.change_and(changes, effects).await?;
        made.truncate(asked);
        if let (Some(after), Some(last)) = (&mut self.recovered, last) {
            *after = last;
        }
        let mut jobs = Vec::new();
        for ((entry, next), made) in taken.into_iter().zip(made) {
            let number = entry.document.number;
            if !made {
                // Someone else was faster.
                let mut gone = Effects::default();
                self.forget_count(number, &mut gone)?;
                self.change_and(Vec::new(), gone).await?;
                continue;
            }
            match next {
                Triage::Send(prepared) => {
                    jobs.extend(self.begin(entry, prepared));
                    continue;
                }
                Triage::Nothing(_) => {
                    self.dependencies.release_document(&entry.document);
                    self.tell_posted(&entry.document, None, None).await?;
                }
                Triage::Refuse(reason) | Triage::Wait(reason) => {
                    self.note_open_picks(number, &reason);
                    self.dependencies.blocks(Some(ground.copy), &entry.document);
                    self.tell_refused(&entry.document, &reason).await?;
                }
                Triage::Found(odoo) => {
                    self.dependencies.release_document(&entry.document);
                    self.tell_posted(&entry.document, Some(&odoo), None).await?;
                }
                Triage::Park(Reason { code, message, .. }, _) => {
                    self.dependencies.blocks(Some(ground.copy), &entry.document);
                    tracing::warn!(number, code, message, "document parked");
                }
                Triage::Defer(_) => {
                    self.dependencies.blocks(Some(ground.copy), &entry.document);
                    continue;
                }
            }
            self.deferred.answered(number, now);
        }
        Ok(Some(jobs))
    }

    /// What follows from what was taken: counts that are sent are in the book, and what Odoo has
    /// already is posted.
    pub fn effects_of(
        &mut self,
        taken: &[(Entry, Triage)],
        rules: &Rules,
    ) -> Result<Effects, JournalError> {
        let mut effects = Effects::default();
        for (entry, next) in taken {
            let mut entry = entry.clone();
            match next {
                Triage::Send(prepared) | Triage::Nothing(prepared)
                    if entry.progress.plan.is_none() =>
                {
                    entry.progress.plan.clone_from(&prepared.plan);
                }
                _ => {}
            }
            if matches!(
                next,
                Triage::Send(_) | Triage::Nothing(_) | Triage::Found(_)
            ) {
                let noted = self.note_count(&entry, rules)?;
                effects.keep.extend(noted);
            }
            // What was found was compared before it was sent.
            entry.progress.attempts += u32::from(matches!(next, Triage::Found(_)));
            if matches!(next, Triage::Nothing(_) | Triage::Found(_)) {
                self.after_posting(&entry, &mut effects)?;
            }
        }
        Ok(effects)
    }

    /// What is said to Odoo about each, or why nothing is.
    pub async fn resolved(
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
    pub fn after_posting(
        &mut self,
        entry: &Entry,
        effects: &mut Effects,
    ) -> Result<(), JournalError> {
        self.add_effects(entry, effects)?;
        self.after_undo(entry.document.number, effects)?;
        self.try_again(&entry.document, effects)
    }

    pub fn begin(&mut self, mut entry: Entry, prepared: Prepared) -> Option<Job> {
        let number = entry.document.number;
        // As it is on disk by now.
        entry.progress = sending(&entry, &prepared).progress;
        self.sending.insert(number, entry);
        let is_deferred = self.deferred.contains(number);
        let work = prepared.work?;
        Some(Job {
            number,
            work,
            is_deferred,
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
                Outcome::Unanswered { why } => {
                    set_aside(entry, why, self.deferred.put(*number, now))
                }
                Outcome::Overtaken { why } => waiting(entry, why.clone()),
            });
        }
        let mut effects = Effects::default();
        for (number, outcome) in outcomes {
            let Some(entry) = self.sending.get(number).cloned() else {
                continue;
            };
            if let Outcome::Claimed { lines, .. } = outcome {
                // In the same transaction: another document could claim the same lines.
                let (key, days) = (entry.document.key, rules.retention_days);
                let claimed = claims::claim(&self.journal, key, lines, clock::now(), days)?;
                effects.keep.extend(claimed);
            }
            if matches!(outcome, Outcome::Posted { .. } | Outcome::Claimed { .. }) {
                self.after_posting(&entry, &mut effects)?;
            }
        }
        changes.append(&mut effects.changes);
        self.change_and(changes, effects).await?;
        for (number, outcome) in outcomes {
            let Some(entry) = self.sending.remove(number) else {
                continue;
            };
            match outcome {
                Outcome::Posted { odoo, note, .. } => {
                    self.dependencies.release_document(&entry.document);
                    let note = note.as_deref();
                    self.tell_posted(&entry.document, Some(odoo), note).await?;
                }
                Outcome::Claimed { odoo, .. } => {
                    self.dependencies.release_document(&entry.document);
                    self.tell_posted(&entry.document, Some(odoo), None).await?;
                }
                Outcome::Refused { reason, .. } => {
                    self.note_open_picks(*number, reason);
                    self.dependencies.blocks(copy, &entry.document);
                    self.tell_refused(&entry.document, reason).await?;
                }
                // It goes on.
                Outcome::Overtaken { .. } => {}
                // Nothing is known of it that a device could be told.
                Outcome::Unanswered { .. } => {
                    self.dependencies.blocks(copy, &entry.document);
                    continue;
                }
            }
            self.deferred.answered(*number, now);
        }
        Ok(())
    }
}
