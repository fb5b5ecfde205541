//! Withdraws from Odoo what a person discarded or corrected.

use super::by_device::Undo;
use super::marks::{mark_undone, mark_withdrawn};
use super::withdraw::{Withdrawn, withdraw};
use crate::document::{DocumentNumber, Reason, State};
use crate::forward::Interrupted;
use crate::forward::queue::changes::Effects;
use crate::forward::queue::changes::park;
use crate::forward::queue::is_to_take_back;
use crate::forward::queue::{PAGE_DOCUMENTS, Queue, allows};
use crate::forward::resolve::Ground;
use crate::journal::Entry;
use crate::odoo::Client;
use crate::outcome::Failure;
use crate::reason::{Flag, ReasonCode};

impl Queue {
    /// A corrected document is sent only after the document that it replaces is withdrawn from
    /// Odoo. If Odoo has posted that document, the corrected one is parked, because it would be a
    /// second movement.
    pub async fn without_corrected(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entries: Vec<Entry>,
    ) -> Result<Vec<Entry>, Interrupted> {
        let mut free = Vec::new();
        for entry in entries {
            match self.still_in_odoo(odoo, ground, &entry).await? {
                None => free.push(entry),
                Some(reason) => {
                    self.change(vec![park(&entry, reason, None)]).await?;
                    self.dependencies.blocks(Some(ground.copy), &entry.document);
                }
            }
        }
        Ok(free)
    }

    /// Why a corrected document cannot be sent: Odoo still has the document that it replaces, or an
    /// earlier one in its chain.
    async fn still_in_odoo(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entry: &Entry,
    ) -> Result<Option<Reason>, Interrupted> {
        let mut corrects = entry.document.corrects;
        let mut number = entry.document.number;
        while let Some(before) = corrects.filter(|before| *before < number) {
            number = before;
            let Some(before) = self.journal.document(before)? else {
                break;
            };
            corrects = before.document.corrects;
            let before = self.revived(before)?;
            let (code, message) = match self.take_back(odoo, ground, before).await? {
                Withdrawn::Gone { .. } => continue,
                Withdrawn::Posted(_) if allows(entry, ReasonCode::AlreadyPosted) => continue,
                Withdrawn::Posted(name) => (
                    ReasonCode::AlreadyPosted,
                    format!(
                        "document {number}, which this one corrects, was posted in Odoo as {name} before the gateway could withdraw it: discard this document; or reverse {name} in Odoo, then retry and allow it"
                    ),
                ),
                Withdrawn::Refused(why) => (
                    ReasonCode::NotWithdrawn,
                    format!(
                        "Odoo does not cancel document {number}, which this one corrects ({why}): cancel its picking in Odoo, then retry"
                    ),
                ),
            };
            let code = code.into();
            return Ok(Some(Reason {
                code,
                message,
                lines: Vec::new(),
            }));
        }
        Ok(None)
    }

    /// Withdraws from Odoo the open part of a discarded or replaced document, and writes the
    /// outcome.
    pub async fn take_back(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entry: Entry,
    ) -> Result<Withdrawn, Interrupted> {
        let flagged = |flag: Flag| entry.progress.flags.iter().any(|known| *known == flag);
        if flagged(Flag::PostedInOdoo) {
            let name = entry.progress.odoo.as_ref().map(|odoo| odoo.name.clone());
            return Ok(Withdrawn::Posted(name.unwrap_or_default()));
        }
        if !is_to_take_back(&entry) {
            return Ok(Withdrawn::Gone { open: 0 });
        }
        let known = entry.progress.odoo.as_ref();
        // A validation that Odoo may still carry out must find nothing reserved.
        let may_reserve = !self.late()?.holds(entry.document.number);
        let withdrawn = withdraw(odoo, ground.warehouse, &entry.document, known, may_reserve).await;
        let withdrawn = match withdrawn {
            Ok(withdrawn) => withdrawn,
            Err(Failure::Person { message, .. }) => Withdrawn::Refused(message),
            Err(failure) => return Err(failure.into()),
        };
        // The gateway retries only when a corrected document depends on the withdrawal.
        if matches!(withdrawn, Withdrawn::Refused(_)) && entry.progress.state == State::Replaced {
            return Ok(withdrawn);
        }
        let mut changes = vec![mark_withdrawn(&entry, &withdrawn)];
        // A discarded undo that is in Odoo all the same has reversed its event.
        if let (Withdrawn::Posted(_), Some(Undo::Moved(undoing))) = (&withdrawn, self.undo(&entry)?)
            && let Some(of) = self.journal.document(undoing.number)?
        {
            changes.push(mark_undone(&of, undoing.seq, entry.document.number));
        }
        let mut gone = Effects::default();
        match withdrawn {
            Withdrawn::Gone { .. } => self.forget_count(entry.document.number, &mut gone)?,
            // Odoo moved its goods, so the effects are those of a posting.
            Withdrawn::Posted(_) => self.recount_later_counts(&entry, &mut gone)?,
            Withdrawn::Refused(_) => {}
        }
        self.change_and(changes, gone).await?;
        Ok(withdrawn)
    }

    /// Retries the withdrawal that Odoo refused before.
    pub async fn take_back_again(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entry: &Entry,
    ) -> Result<Withdrawn, Interrupted> {
        let mut entry = entry.clone();
        let flags = &mut entry.progress.flags;
        flags.retain(|known| *known != Flag::LeftInOdoo);
        self.take_back(odoo, ground, entry).await
    }

    /// Withdraws from Odoo the documents that were discarded or replaced since the last look.
    pub async fn take_back_all(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
    ) -> Result<(), Interrupted> {
        let totals = self.journal.totals();
        let ended = (totals.discarded.documents, totals.parked.documents);
        if self.withdrawn == Some(ended) {
            return Ok(());
        }
        let mut after = DocumentNumber::ZERO;
        loop {
            let page = self
                .journal
                .documents(Some(State::Discarded), after, PAGE_DOCUMENTS)?;
            let Some(last) = page.last() else {
                self.withdrawn = Some(ended);
                return Ok(());
            };
            after = last.document.number;
            for entry in page {
                let entry = self.revived(entry)?;
                self.take_back(odoo, ground, entry).await?;
            }
        }
    }
}
