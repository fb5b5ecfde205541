//! Lets parked documents wait again when Odoo's master data resolves them, and counts when their
//! open picks are validated.

use super::changes::{is_curable, park_anew, wait};
use super::{PAGE_DOCUMENTS, Queue, asked};
use crate::catalog::{Catalog, OrderFound};
use crate::document::{DocumentNumber, Purpose, Reason, State};
use crate::forward::Interrupted;
use crate::forward::resolve::{Ground, Intent, Prepared, resolve};
use crate::journal::{Change, Entry};
use crate::odoo::Client;
use crate::reason::ReasonCode;

/// Parked documents that are looked at again at one refresh without news; all get their turn.
const HEAL_DOCUMENTS: usize = 512;

impl Queue {
    /// Lets parked documents wait again whose barcodes, lots or packages Odoo knows by now. After
    /// news all of them are looked at, otherwise a part, because lots and packages come without
    /// news.
    pub async fn heal(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        news: bool,
    ) -> Result<(), Interrupted> {
        if news {
            self.healed = DocumentNumber::ZERO;
        }
        let mut looked = 0;
        while news || looked < HEAL_DOCUMENTS {
            let page = self
                .journal
                .documents(Some(State::Parked), self.healed, PAGE_DOCUMENTS)?;
            looked += page.len();
            let Some(last) = page.last() else {
                self.healed = DocumentNumber::ZERO;
                return Ok(());
            };
            self.healed = last.document.number;
            self.heal_counts(odoo, ground, &page).await?;
            let curable: Vec<_> = page.iter().filter(|entry| is_curable(entry)).collect();
            if curable.is_empty() {
                continue;
            }
            let resolved = self.looked_at(odoo, ground, &curable).await?;
            let cured = |(entry, resolved): &(&&Entry, Result<Prepared, Reason>)| {
                resolved.is_ok() && is_order_there(ground.copy, entry)
            };
            let (cured, other): (Vec<_>, Vec<_>) = (curable.iter().zip(resolved)).partition(cured);
            let mut changes: Vec<_> = (cured.into_iter())
                .map(|(entry, _)| wait(entry, "Odoo's master data resolves it now".to_owned()))
                .collect();
            let other = (other.iter())
                .filter_map(|(entry, found)| Some((**entry, found.as_ref().err()?)))
                .filter(|(entry, found)| is_news(entry, found))
                .map(|(entry, _)| entry);
            changes.extend(self.left_of(odoo, ground, other.collect()).await?);
            if !changes.is_empty() {
                self.change(changes).await?;
            }
        }
        Ok(())
    }

    /// Lets counts wait again whose picks somebody validated, or took off, in Odoo.
    async fn heal_counts(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        page: &[Entry],
    ) -> Result<(), Interrupted> {
        let has_open_picks = |entry: &&Entry| {
            let reason = entry.progress.reason.as_ref();
            reason.is_some_and(|reason| reason.code == ReasonCode::OpenPicks)
        };
        let counts: Vec<Entry> = page.iter().filter(has_open_picks).cloned().collect();
        if counts.is_empty() {
            return Ok(());
        }
        let resolved = self.resolve_entries(odoo, ground, &counts).await?;
        let healed = counts
            .iter()
            .zip(resolved)
            .filter(|(_, resolved)| resolved.is_ok());
        let changes: Vec<_> = healed
            .map(|(entry, _)| wait(entry, "no pick is open there any more".to_owned()))
            .collect();
        if !changes.is_empty() {
            self.change(changes).await?;
        }
        Ok(())
    }

    /// Names what is left of the faults of documents of which a part was put right in Odoo. A look
    /// finds fewer faults than a send, so these are asked for all of them.
    async fn left_of(
        &self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entries: Vec<&Entry>,
    ) -> Result<Vec<Change>, Interrupted> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let documents: Vec<_> = entries.iter().map(|entry| asked(entry)).collect();
        let found = resolve(odoo, ground, Intent::Review, &documents).await?;
        let left = entries
            .into_iter()
            .zip(&found)
            .filter_map(|(entry, found)| {
                let found = found.as_ref().err()?;
                is_news(entry, found).then(|| park_anew(entry, found))
            });
        Ok(left.collect())
    }

    /// What would be said to Odoo about each.
    pub async fn looked_at(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
        entries: &[&Entry],
    ) -> Result<Vec<Result<Prepared, Reason>>, Interrupted> {
        let (mut places, mut documents) = (Vec::new(), Vec::new());
        let mut looked = vec![Ok(Prepared::nothing(String::new())); entries.len()];
        for (place, entry) in entries.iter().enumerate() {
            if let Some(undo) = self.undo(entry)? {
                let look = Intent::Look;
                looked[place] = self.resolve_undo(odoo, ground, look, entry, undo).await?;
            } else {
                places.push(place);
                documents.push(asked(entry));
            }
        }
        let resolved = resolve(odoo, ground, Intent::Look, &documents).await?;
        for (place, resolved) in places.into_iter().zip(resolved) {
            looked[place] = resolved;
        }
        Ok(looked)
    }
}

/// Whether a document has other faults than those for which it is parked.
fn is_news(entry: &Entry, found: &Reason) -> bool {
    let is_undo = matches!(entry.document.purpose, Purpose::Undo { .. });
    let known = entry.progress.reason.as_ref().filter(|_| !is_undo);
    known.is_some_and(|known| !known.says(found))
}

/// Where an order was not known, the copy has it by now. What cannot be read is told by the next
/// try.
fn is_order_there(copy: &Catalog, entry: &Entry) -> bool {
    let reason = entry.progress.reason.as_ref();
    let was_unknown = reason.is_some_and(|reason| reason.code == ReasonCode::UnknownOrder);
    match entry.document.purpose.order().filter(|_| was_unknown) {
        Some(order) => !matches!(copy.order(order), Ok(OrderFound::Nothing)),
        None => true,
    }
}
