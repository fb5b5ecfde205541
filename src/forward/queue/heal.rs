//! Lets parked documents wait again when Odoo's master data resolves them, and counts when their
//! open picks are validated or removed. Of documents that still do not resolve, it names the
//! remaining faults.

use super::changes::{is_curable, park_anew, wait};
use super::{PAGE_DOCUMENTS, Queue, asked};
use crate::catalog::{Catalog, OrderFound};
use crate::document::{DocumentNumber, Purpose, Reason, State};
use crate::forward::Interrupted;
use crate::forward::resolve::{Ground, Intent, Prepared, resolve};
use crate::journal::{Change, Entry};
use crate::odoo::Client;
use crate::reason::ReasonCode;

/// Limit of parked documents that the gateway looks at in one refresh without news. Every parked
/// document has its turn.
const HEAL_DOCUMENTS: usize = 512;

impl Queue {
    /// Lets parked documents wait again if Odoo now knows their barcodes, lots or packages. After
    /// news the gateway looks at all of them, otherwise at a part, because lots and packages arrive
    /// without news.
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
                .map(|(entry, _)| {
                    wait(
                        entry,
                        "Odoo's master data now resolves the document".to_owned(),
                    )
                })
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

    /// Lets counts wait again if their picks were validated or removed in Odoo.
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
            .map(|(entry, _)| wait(entry, "the bin no longer has an open pick".to_owned()))
            .collect();
        if !changes.is_empty() {
            self.change(changes).await?;
        }
        Ok(())
    }

    /// Names the remaining faults of documents whose faults were partly corrected in Odoo. A lookup
    /// finds fewer faults than a send, so all of these documents are looked up.
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

    /// Resolves each document without sending it.
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

/// Whether the catalog now has an order that was unknown before. Where the catalog cannot be read,
/// the next attempt decides.
fn is_order_there(copy: &Catalog, entry: &Entry) -> bool {
    let reason = entry.progress.reason.as_ref();
    let was_unknown = reason.is_some_and(|reason| reason.code == ReasonCode::UnknownOrder);
    match entry.document.purpose.order().filter(|_| was_unknown) {
        Some(order) => !matches!(copy.order(order), Ok(OrderFound::Nothing)),
        None => true,
    }
}
