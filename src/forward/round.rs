//! One round of sending: takes documents from the queue, and settles their outcomes.
//!
//! **Promises:** each change of state is one transaction with its audit record (**invariant 5**),
//! before any device receives a receipt.

use std::time::Duration;

use super::Interrupted;
use super::job::Job;
use super::queue::changes::Effects;
use super::queue::fate::Fate;
use super::queue::triage::{Triage, triage};
use super::queue::{DocumentCounts, Queue, asked};
use super::resolve::{Ground, Intent, Prepared, Rules, resolve};
use crate::board::{self, Board};
use crate::catalog::Catalog;
use crate::document::{DocumentNumber, Reason};
use crate::journal::Entry;
use crate::odoo::Client;
use crate::outcome::Outcome;
use crate::reason::ReasonCode;

impl Queue {
    /// Takes documents with about `lines_max` lines, at least one document, in the order of their
    /// numbers. When this function returns, their state on disk is *sending*. Documents that Odoo
    /// cannot take are parked. `None`: no document waits.
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
        let last = entries.last().map(|entry| entry.document.number);
        let taken = self.decide(odoo, ground, entries, now).await?;
        let made = self.write(&taken, ground.rules, now).await?;
        if let (Some(after), Some(last)) = (&mut self.recovered, last) {
            *after = last;
        }
        let mut jobs = Vec::new();
        for ((entry, fate), made) in taken.into_iter().zip(made) {
            if made {
                let job = self.follow_up(entry, fate, Some(ground.copy), now).await?;
                jobs.extend(job);
            } else {
                // Another change of the document came first.
                let mut gone = Effects::default();
                self.forget_count(entry.document.number, &mut gone)?;
                self.change_and(Vec::new(), gone).await?;
            }
        }
        Ok(Some(jobs))
    }

    /// Resolves the documents and decides the fate of each. Documents that wait for their goods are
    /// left out.
    async fn decide(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entries: Vec<Entry>,
        now: Duration,
    ) -> Result<Vec<(Entry, Fate)>, Interrupted> {
        let (entries, mut taken) = self.compare_restored(odoo, ground, entries).await?;
        for (entry, _) in &taken {
            self.waits.release(entry.document.number);
        }
        if entries.is_empty() {
            return Ok(taken);
        }
        let resolved = self.resolve_entries(odoo, ground, &entries).await?;
        for (entry, resolved) in entries.into_iter().zip(resolved) {
            let fate = match triage(odoo, ground, &entry, resolved).await? {
                Triage::Decided(fate) => *fate,
                Triage::WaitForGoods(reason) => {
                    match self.wait(ground, &entry, reason, now).await? {
                        Some(reason) => Fate::Refused { reason, odoo: None },
                        None => continue,
                    }
                }
            };
            self.waits.release(entry.document.number);
            taken.push((entry, fate));
        }
        Ok(taken)
    }

    /// Resolves the documents: the work in Odoo for each, or the reason why there is none.
    pub async fn resolve_entries(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entries: &[Entry],
    ) -> Result<Vec<Result<Prepared, Reason>>, Interrupted> {
        // A document that reverses another is alone in its round.
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

    /// Writes the outcomes of the documents that were sent, then sends receipts to their devices.
    pub async fn settle(
        &mut self,
        outcomes: &[(DocumentNumber, Outcome)],
        copy: Option<&Catalog>,
        rules: &Rules,
        now: Duration,
    ) -> Result<(), Interrupted> {
        let mut settled = Vec::new();
        for (number, outcome) in outcomes {
            if let Some(entry) = self.sending.get(number) {
                settled.push((entry.clone(), Fate::from(outcome.clone())));
            }
        }
        self.write(&settled, rules, now).await?;
        for (entry, fate) in settled {
            self.sending.remove(&entry.document.number);
            self.follow_up(entry, fate, copy, now).await?;
        }
        Ok(())
    }

    /// Writes the changes of all these documents with their effects, in one transaction. Returns,
    /// for each document, whether its change was written: another change may have come first.
    async fn write(
        &mut self,
        fates: &[(Entry, Fate)],
        rules: &Rules,
        now: Duration,
    ) -> Result<Vec<bool>, Interrupted> {
        let mut changes = Vec::new();
        for (entry, fate) in fates {
            changes.push(self.change_for(entry, fate, now));
        }
        let mut effects = Effects::default();
        for (entry, fate) in fates {
            self.add_effects(entry, fate, rules, &mut effects)?;
        }
        changes.append(&mut effects.changes);
        let mut made = self.change_and(changes, effects).await?;
        made.truncate(fates.len());
        Ok(made)
    }
}

/// Raises the alarm for documents that are parked because Odoo moved more than was scanned.
/// Housekeeping clears the alarm, and raises it again after a start.
pub(super) fn raise_alarm(board: &Board, outcomes: &[(DocumentNumber, Outcome)]) {
    let is_unscanned = |(_, outcome): &(DocumentNumber, Outcome)| matches!(outcome, Outcome::Refused { reason, .. } if reason.code == ReasonCode::MovedUnscanned);
    if outcomes.iter().any(is_unscanned) {
        let alarm = board::MOVED_UNSCANNED.to_owned();
        board.alarm(ReasonCode::MovedUnscanned.as_str(), Some(alarm));
    }
}
