//! What is taken back from Odoo, because a person discarded or corrected it.

use super::changes::{parked, taken_back};
use super::{Ledger, PAGE_DOCUMENTS};
use crate::document::{Reason, State};
use crate::forward::Interrupted;
use crate::forward::odoo::Client;
use crate::forward::resolve::Ground;
use crate::forward::withdraw::{Withdrawn, withdraw};
use crate::journal::Entry;
use crate::outcome::{code, flag};

impl Ledger {
    /// What is to be sent in the place of another document goes only when that is taken back from Odoo. Where Odoo turns out
    /// to have posted the first one, the correction is parked: it would be a second movement.
    pub(super) async fn without_corrected(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entries: Vec<Entry>,
    ) -> Result<Vec<Entry>, Interrupted> {
        let mut free = Vec::new();
        for entry in entries {
            let first = entry
                .document
                .corrects
                .map(|number| self.journal.document(number));
            match first.transpose()?.flatten() {
                Some(first) => match self.take_back(odoo, ground, first).await? {
                    Withdrawn::Gone => free.push(entry),
                    Withdrawn::Posted(name) => {
                        let message = format!(
                            "the document that this one corrects was posted in Odoo as {name} before it could be taken back: reverse it there and retry, or discard this one"
                        );
                        let code = code::ALREADY_POSTED.to_owned();
                        let change = parked(&entry, Reason { code, message }, None);
                        self.change(vec![change]).await?;
                        self.sequence.blocks(Some(ground.copy), &entry.document)?;
                    }
                },
                None => free.push(entry),
            }
        }
        Ok(free)
    }

    /// Takes back from Odoo what it holds open of a discarded or replaced document, and writes down what came of that.
    pub(super) async fn take_back(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entry: Entry,
    ) -> Result<Withdrawn, Interrupted> {
        let flagged = |flag: &str| entry.progress.flags.iter().any(|known| known == flag);
        if flagged(flag::POSTED_IN_ODOO) {
            let name = entry.progress.odoo.as_ref().map(|odoo| odoo.name.clone());
            return Ok(Withdrawn::Posted(name.unwrap_or_default()));
        }
        if entry.progress.attempts == 0 || flagged(flag::WITHDRAWN) {
            return Ok(Withdrawn::Gone);
        }
        let withdrawn = withdraw(odoo, ground.warehouse, &entry.document).await?;
        self.change(vec![taken_back(&entry, &withdrawn)]).await?;
        Ok(withdrawn)
    }

    /// Takes back what was discarded or replaced since the last look.
    pub async fn take_back_all(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
    ) -> Result<(), Interrupted> {
        let ended = self.journal.totals().discarded.documents;
        if self.withdrawn == Some(ended) {
            return Ok(());
        }
        let mut after = 0;
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
