//! Finds goods that are on their way: a document takes them out of a bin that does not hold them
//! yet, because the document that brings them is not in Odoo, or its picking is not validated. Such
//! a document waits instead of being parked as `negative-stock`.
//!
//! Searched in this order: events that are in no sealed document; documents that wait or are being
//! sent; lines that Odoo holds as picked into the bin and has not validated. **Promises:** only
//! earlier movements count; a parked document brings nothing; two documents never wait for each
//! other.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::{Asked, Ground};
use crate::catalog::refresh::Trouble;
use crate::catalog::{Catalog, CatalogError, Found};
use crate::document::{Document, DocumentNumber, Line, Purpose, State};
use crate::event::{Action, Event, Move, Movement, Seq};
use crate::journal::{Entry, EventDocument, Journal, JournalError};
use crate::odoo::Client;
use crate::odoo::TOLERANCE;
use crate::odoo_id::{LocationId, ProductId};
use crate::reason::ReasonCode;

/// The most events, and the most documents, that one search reads. The search ignores the rest.
const EVENTS_MAX: usize = 10_000;
const DOCUMENTS_MAX: usize = 2_000;
const PAGE_EVENTS: usize = 250;
const PAGE_DOCUMENTS: usize = 50;
/// The most documents in a chain of documents that wait for each other.
const CHAIN_MAX: usize = 20;

/// The goods of which a document takes more than the bin holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    /// The index of the line in the document.
    pub line: usize,
    pub product: ProductId,
    pub bin: LocationId,
    pub quantity: Decimal,
}

/// Describes what brings some of the missing goods. `None`: nothing brings them.
pub(super) async fn on_its_way(
    odoo: &mut Client,
    ground: Ground<'_>,
    asked: Asked<'_>,
    missing: &[Missing],
) -> Result<Option<String>, Trouble> {
    let document = asked.document;
    match by_journal(ground, document, missing) {
        Ok(Some(what)) => return Ok(Some(what)),
        Ok(None) => {}
        Err(Unread::Catalog(error)) => return Err(error.into()),
        Err(Unread::Journal(error)) => {
            tracing::error!(%error, "cannot search the journal for documents that bring missing goods");
        }
    }
    let products: BTreeSet<ProductId> = missing.iter().map(|missing| missing.product).collect();
    let bins: BTreeSet<LocationId> = missing.iter().map(|missing| missing.bin).collect();
    let open = odoo.picked_and_open(&products, &bins).await?;
    for missing in missing {
        let mut pickings = BTreeSet::new();
        let mut quantity = Decimal::ZERO;
        for line in &open {
            let comes = line.to == missing.bin && line.from != missing.bin;
            if comes && line.product == missing.product {
                quantity += line.quantity;
                pickings.extend(line.picking);
            }
        }
        if quantity + TOLERANCE > missing.quantity && !pickings.is_empty() {
            let names = odoo.picking_names(&pickings).await?;
            let (bring, them) = match names.len() {
                1 => ("brings", "it"),
                _ => ("bring", "them"),
            };
            return Ok(Some(format!(
                "{} {bring} the goods: validate {them} in Odoo, and the gateway retries by itself",
                names.join(", ")
            )));
        }
    }
    Ok(None)
}

enum Unread {
    Catalog(CatalogError),
    Journal(JournalError),
}

impl From<CatalogError> for Unread {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(error)
    }
}

impl From<JournalError> for Unread {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

fn by_journal(
    ground: Ground<'_>,
    document: &Document,
    missing: &[Missing],
) -> Result<Option<String>, Unread> {
    let wanted = Shortage {
        copy: ground.copy,
        receipts: ground.warehouse.receipts.map(|header| header.to),
        document,
        missing,
    };
    // First the events: an event that is sealed meanwhile is then found among the documents.
    if let Some(seq) = unsealed(ground.journal, &wanted)? {
        return Ok(Some(format!(
            "event {seq} brings the goods and is in no document yet"
        )));
    }
    let mut looked = 0;
    for state in [State::Sending, State::Waiting] {
        let mut after = DocumentNumber::ZERO;
        while looked < DOCUMENTS_MAX {
            let page = ground
                .journal
                .documents(Some(state), after, PAGE_DOCUMENTS)?;
            let Some(last) = page.last() else { break };
            after = last.document.number;
            looked += page.len();
            for entry in &page {
                if wanted.comes_with(&entry.document)?
                    && !waits_for(ground.journal, entry, document.number)?
                {
                    let number = entry.document.number;
                    return Ok(Some(format!(
                        "document {number} brings the goods and is {state}"
                    )));
                }
            }
        }
    }
    Ok(None)
}

fn unsealed(journal: &Journal, wanted: &Shortage<'_>) -> Result<Option<Seq>, Unread> {
    let mut after = journal.totals().settled;
    let last = wanted.document.events.last().copied().unwrap_or_default();
    for _ in 0..EVENTS_MAX / PAGE_EVENTS {
        let page = journal.events(after, PAGE_EVENTS)?;
        let Some(end) = page.last() else { break };
        after = end.seq;
        for recorded in page.iter().take_while(|recorded| recorded.seq < last) {
            if wanted.is_brought_by(&recorded.event, recorded.seq)?
                && journal.document_of(recorded.seq)? == EventDocument::Open
            {
                return Ok(Some(recorded.seq));
            }
        }
        if after >= last {
            break;
        }
    }
    Ok(None)
}

/// Whether a document is held back by this document, directly or through others.
fn waits_for(
    journal: &Journal,
    entry: &Entry,
    number: DocumentNumber,
) -> Result<bool, JournalError> {
    let mut next = blocker_of(entry);
    for _ in 0..CHAIN_MAX {
        match next {
            None => return Ok(false),
            Some(blocker) if blocker == number => return Ok(true),
            Some(blocker) => next = journal.document(blocker)?.as_ref().and_then(blocker_of),
        }
    }
    Ok(true)
}

/// The document that a held-back document waits for.
fn blocker_of(entry: &Entry) -> Option<DocumentNumber> {
    let reason = entry.progress.reason.as_ref();
    let reason = reason.filter(|reason| reason.code == ReasonCode::HeldBack)?;
    let number = reason.message.strip_prefix("document ")?;
    number.split(' ').next()?.parse().ok()
}

/// A document that lacks goods, and the goods that it lacks.
struct Shortage<'a> {
    copy: &'a Catalog,
    /// The location of receipts that name no bin.
    receipts: Option<LocationId>,
    document: &'a Document,
    missing: &'a [Missing],
}

impl Shortage<'_> {
    fn comes_with(&self, other: &Document) -> Result<bool, CatalogError> {
        if other.number == self.document.number || !brings(&other.purpose) {
            return Ok(false);
        }
        let is_receipt = matches!(other.purpose, Purpose::Receive { .. });
        for line in &other.lines {
            let first = line.events.first().copied().unwrap_or(Seq::MAX);
            let to = line.goods.to.as_deref();
            let lot = line.goods.lot.as_deref();
            if self.is_brought(&line.goods.product, to, lot, is_receipt, first)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_brought_by(&self, event: &Event, seq: Seq) -> Result<bool, CatalogError> {
        let Action::Move(Move {
            movement, goods, ..
        }) = &event.action
        else {
            return Ok(false);
        };
        let is_receipt = *movement == Movement::Receive;
        if !is_receipt && !matches!(movement, Movement::Transfer | Movement::Return) {
            return Ok(false);
        }
        let (to, lot) = (goods.to.as_deref(), goods.lot.as_deref());
        self.is_brought(&goods.product, to, lot, is_receipt, seq)
    }

    /// Whether event `seq` brings some of the missing goods.
    fn is_brought(
        &self,
        product: &str,
        to: Option<&str>,
        lot: Option<&str>,
        is_receipt: bool,
        seq: Seq,
    ) -> Result<bool, CatalogError> {
        let taken = |line: &Line| line.events.last().copied().unwrap_or_default();
        let mut there = (self.missing.iter()).filter(|missing| {
            let line = &self.document.lines[missing.line];
            // A bin has one code.
            let is_bin = match to {
                Some(to) => line.goods.from.as_deref() == Some(to),
                None => is_receipt && self.receipts == Some(missing.bin),
            };
            is_bin && seq < taken(line) && line.goods.lot.as_deref() == lot
        });
        let Some(first) = there.next() else {
            return Ok(false);
        };
        let Found::One(product) = self.copy.product(product)? else {
            return Ok(false);
        };
        let mut products = std::iter::once(first).chain(there);
        Ok(products.any(|missing| missing.product == product.id))
    }
}

fn brings(purpose: &Purpose) -> bool {
    matches!(
        purpose,
        Purpose::Receive { .. } | Purpose::Return { .. } | Purpose::Transfer
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::document::{DocumentKey, Progress, Reason};

    fn held_back(message: &str) -> Entry {
        let document = Document {
            number: DocumentNumber::new(7),
            key: DocumentKey([1; 16]),
            purpose: Purpose::Transfer,
            group: "pda".to_owned(),
            lines: Vec::new(),
            occurred: Timestamp::UNIX_EPOCH,
            sealed: Timestamp::UNIX_EPOCH,
            events: vec![Seq::new(1)],
            corrects: None,
            times: Vec::new(),
            flags: Vec::new(),
        };
        let progress = Progress {
            state: State::Waiting,
            attempts: 0,
            reason: Some(Reason {
                code: ReasonCode::HeldBack.into(),
                message: message.to_owned(),
                lines: Vec::new(),
            }),
            odoo: None,
            since: Timestamp::UNIX_EPOCH,
            plan: None,
            decision: None,
            flags: Vec::new(),
            undone: Vec::new(),
        };
        Entry { document, progress }
    }

    #[test]
    fn a_document_that_is_held_back_names_the_one_that_it_waits_for() {
        for (message, number) in [
            ("document 12 brings the goods and is waiting", Some(12)),
            (
                "document 3 must be in Odoo first; its state is parked: x",
                Some(3),
            ),
            ("event 5 brings the goods and is in no document yet", None),
            (
                "WH/IN/00001 brings the goods: validate it in Odoo, and the gateway retries by itself",
                None,
            ),
        ] {
            let blocker = blocker_of(&held_back(message));
            assert_eq!(blocker, number.map(DocumentNumber::new), "{message}");
        }
    }
}
