//! Dependencies between documents: what must be in Odoo before a document is sent. In memory, built
//! from the journal.
//!
//! Documents about the same order keep their order. So a document that is parked, deferred or held
//! back holds back the documents that depend on it, and no others (**invariant 8**). A corrected
//! document takes the position of the document that it replaces.
//!
//! Documents about the same product in the same bin keep their order, too, if one of the two is a
//! count and neither is parked. The stock would also be right without that (see [`crate::book`]);
//! it saves recounts. Documents that receive the same serial number keep their order as well,
//! because the second must see the outcome of the first.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Catalog, CatalogError, Found};
use crate::document::{Document, DocumentNumber, Purpose};
use crate::event::Seq;

/// Limit of product-and-bin pairs stored for all blockers. A blocker beyond this limit holds back
/// all counts and orders, to be safe.
const THINGS_MAX: usize = 50_000;

/// What a document touches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Touched {
    order: Option<String>,
    is_count: bool,
    /// The event that the document undoes. Only one document can undo an event; the others find
    /// that out in triage.
    undoes: Option<Seq>,
    /// Product and bin. `None` as bin: the order decides, so the bin may be any.
    stock: BTreeSet<(String, Option<String>)>,
    /// Serial numbers that the document brings in, with their products.
    serials: BTreeSet<(String, String)>,
}

/// A document that must be sent before another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Its place in the order of sending.
    pub place: DocumentNumber,
    pub number: DocumentNumber,
    /// Whether it holds the other document back while it is parked, too. Otherwise it does so only
    /// while it may still arrive in Odoo.
    pub while_parked: bool,
}

#[derive(Debug)]
struct Blocker {
    /// The document that must be posted or discarded first.
    number: DocumentNumber,
    /// `None`: there are too many pairs to store.
    touched: Option<Touched>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dependence {
    /// Both documents are about one order, or undo one event.
    Thing,
    /// One of the two is a count. The right order only saves a recount.
    Count,
    /// Both bring the same serial number in. The second document must find the outcome of the
    /// first.
    Serial,
}

#[derive(Debug, Default)]
pub struct Dependencies {
    /// Blockers by their place in the order of sending, which is the number of the document that
    /// came first.
    blockers: BTreeMap<DocumentNumber, Blocker>,
    things: usize,
    complete: bool,
}

impl Dependencies {
    /// Whether the gateway has read all documents that were parked at the start.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    pub fn complete(&mut self) {
        self.complete = true;
    }

    /// From now on this document holds back the documents that depend on it.
    pub fn blocks(&mut self, copy: Option<&Catalog>, document: &Document) {
        self.blocks_at(self.place_of(document), copy, document);
    }

    /// Like [`Self::blocks`], with a known place: that of the document which it corrects, or of the
    /// document that this one corrects, and so on.
    pub fn blocks_at(
        &mut self,
        place: DocumentNumber,
        copy: Option<&Catalog>,
        document: &Document,
    ) {
        self.release(place);
        // Without the catalog the codes are used as they were scanned.
        let touched = touched(copy, document)
            .or_else(|_| touched(None, document))
            .unwrap_or_default();
        let kept = self.things + touched.stock.len() <= THINGS_MAX;
        self.things += if kept { touched.stock.len() } else { 0 };
        let blocker = Blocker {
            number: document.number,
            touched: kept.then_some(touched),
        };
        self.blockers.insert(place, blocker);
    }

    /// The documents that must be sent before this document, oldest first.
    pub fn blockers(
        &self,
        copy: Option<&Catalog>,
        document: &Document,
    ) -> Result<Vec<Before>, CatalogError> {
        if self.blockers.is_empty() {
            return Ok(Vec::new());
        }
        let touched = touched(copy, document)?;
        let before = self.blockers.range(..self.place_of(document));
        let blocking = before.filter_map(|(place, blocker)| {
            let dependence = match &blocker.touched {
                Some(other) => depends(other, &touched)?,
                None if touched.order.is_some() || touched.undoes.is_some() => Dependence::Thing,
                None if touched.is_count => Dependence::Count,
                None if !touched.serials.is_empty() => Dependence::Serial,
                None => return None,
            };
            Some(Before {
                place: *place,
                number: blocker.number,
                while_parked: dependence == Dependence::Thing,
            })
        });
        Ok(blocking.collect())
    }

    /// The stored documents that are about this order.
    pub fn about_order(&self, order: &str) -> Vec<DocumentNumber> {
        let about = |blocker: &&Blocker| {
            let touched = blocker.touched.as_ref();
            touched.is_some_and(|touched| touched.order.as_deref() == Some(order))
        };
        self.blockers
            .values()
            .filter(about)
            .map(|blocker| blocker.number)
            .collect()
    }

    /// The document at this place holds nothing back from now on.
    pub fn release(&mut self, place: DocumentNumber) {
        if let Some(blocker) = self.blockers.remove(&place) {
            self.things -= blocker.touched.map_or(0, |touched| touched.stock.len());
        }
    }

    /// Releases a document that is posted.
    pub fn release_document(&mut self, document: &Document) {
        self.release(self.place_of(document));
    }

    /// A corrected document gets the place of the document that it replaces.
    pub fn stands_in(&mut self, place: DocumentNumber, number: DocumentNumber) {
        if let Some(blocker) = self.blockers.get_mut(&place) {
            blocker.number = number;
        }
    }

    fn place_of(&self, document: &Document) -> DocumentNumber {
        let known = |blocker: &Blocker| {
            blocker.number == document.number || Some(blocker.number) == document.corrects
        };
        let place = self.blockers.iter().find(|(_, blocker)| known(blocker));
        place.map_or(
            document.corrects.unwrap_or(document.number),
            |(place, _)| *place,
        )
    }
}

/// Whether a document depends on one of these documents, which go before it.
pub fn follows<'a>(
    copy: Option<&Catalog>,
    document: &Document,
    before: impl Iterator<Item = &'a Document>,
) -> Result<bool, CatalogError> {
    let is_count = |document: &Document| document.purpose == Purpose::Count;
    let brings_lots = |document: &Document| {
        brings_in(&document.purpose) && document.lines.iter().any(|line| line.goods.lot.is_some())
    };
    let order = document.purpose.order();
    for other in before {
        // Most batches have transfers only, for which nothing must be looked up.
        let perhaps = is_count(other)
            || is_count(document)
            || brings_lots(other) && brings_lots(document)
            || order.is_some() && other.purpose.order() == order;
        if perhaps && depends(&touched(copy, other)?, &touched(copy, document)?).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn depends(before: &Touched, after: &Touched) -> Option<Dependence> {
    if before.order.is_some() && before.order == after.order
        || before.undoes.is_some() && before.undoes == after.undoes
    {
        return Some(Dependence::Thing);
    }
    let is_counted = (before.is_count || after.is_count)
        && before.stock.iter().any(|(product, bin)| {
            after.stock.iter().any(|(other, other_bin)| {
                product == other && (bin.is_none() || other_bin.is_none() || bin == other_bin)
            })
        });
    if is_counted {
        return Some(Dependence::Count);
    }
    let is_serial = !before.serials.is_disjoint(&after.serials);
    is_serial.then_some(Dependence::Serial)
}

fn touched(copy: Option<&Catalog>, document: &Document) -> Result<Touched, CatalogError> {
    // Stock, serial numbers and orders make no recount wait, and make no document wait for a
    // recount. A recount waits for its count and for that count's earlier recounts
    // (`waits_for_count` in blockers.rs). The undo of a count waits for a recount that may be in
    // Odoo (`with_recounts` in undo/by_device.rs).
    if matches!(document.purpose, Purpose::Recount { .. }) {
        return Ok(Touched::default());
    }
    // The line of an undo is the line that it reverses.
    let (purpose, undoes) = match &document.purpose {
        Purpose::Undo {
            of: Some(of), seq, ..
        } => (&**of, *seq),
        purpose => (purpose, None),
    };
    let (mut stock, mut serials) = (BTreeSet::new(), BTreeSet::new());
    for line in &document.lines {
        let (product, is_serial) = product(copy, &line.goods.product)?;
        if let Some(lot) = line
            .goods
            .lot
            .as_ref()
            .filter(|_| is_serial && brings_in(purpose))
        {
            serials.insert((product.clone(), lot.clone()));
        }
        let unsaid = line.goods.from.is_none() && purpose.is_about_order();
        let bins = [&line.goods.from, &line.goods.to]
            .into_iter()
            .flatten()
            .cloned()
            .map(Some);
        for bin in bins.chain(unsaid.then_some(None)) {
            stock.insert((product.clone(), bin));
        }
    }
    // The carrier's data may be sent before or after the goods.
    let order = document
        .purpose
        .order()
        .filter(|_| !matches!(document.purpose, Purpose::Ship { .. }));
    Ok(Touched {
        order: order.map(str::to_owned),
        is_count: document.purpose == Purpose::Count,
        undoes,
        stock,
        serials,
    })
}

/// One name for a product, whichever of its codes was scanned, and whether the product has serial
/// numbers.
fn product(copy: Option<&Catalog>, code: &str) -> Result<(String, bool), CatalogError> {
    let found = copy.map(|copy| copy.product(code)).transpose()?;
    Ok(match found {
        Some(Found::One(product)) => (format!("#{}", product.id), product.serial),
        _ => (code.to_owned(), false),
    })
}

/// Whether goods come in from outside.
fn brings_in(purpose: &Purpose) -> bool {
    matches!(purpose, Purpose::Receive { .. } | Purpose::Return { .. })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::document::{DocumentKey, Line};
    use crate::event::Goods;

    fn document(number: u64, purpose: Purpose, bins: &[(&str, Option<&str>)]) -> Document {
        let line = |(product, bin): &(&str, Option<&str>)| Line {
            goods: Goods {
                product: (*product).to_owned(),
                from: bin.map(str::to_owned),
                quantity: 1.into(),
                ..Goods::default()
            },
            events: Vec::new(),
        };
        Document {
            number: DocumentNumber::new(number),
            key: DocumentKey([1; 16]),
            purpose,
            group: "pda".to_owned(),
            lines: bins.iter().map(line).collect(),
            occurred: Timestamp::UNIX_EPOCH,
            sealed: Timestamp::UNIX_EPOCH,
            events: vec![Seq::new(number)],
            corrects: None,
            times: Vec::new(),
            flags: Vec::new(),
        }
    }

    fn pick(number: u64, order: &str) -> Document {
        let order = order.to_owned();
        document(number, Purpose::Pick { order }, &[("P", None)])
    }

    fn blocker(sequence: &Dependencies, document: &Document) -> Option<u64> {
        let blockers = sequence.blockers(None, document).unwrap();
        blockers.first().map(|before| before.number.get())
    }

    #[test]
    fn of_two_that_take_the_same_event_back_the_second_waits() {
        let undo = |number, seq| {
            let of = Some(Box::new(Purpose::Transfer));
            let event = "17".to_owned();
            let purpose = Purpose::Undo {
                event,
                seq,
                of,
                reason: None,
            };
            document(number, purpose, &[("P", Some("A"))])
        };
        let mut sequence = Dependencies::default();
        sequence.blocks(None, &undo(2, Some(Seq::new(7))));
        assert_eq!(blocker(&sequence, &undo(3, Some(Seq::new(7)))), Some(2));
        // An event of another device with the same id, and an event that no device sent.
        assert_eq!(blocker(&sequence, &undo(3, Some(Seq::new(8)))), None);
        assert_eq!(blocker(&sequence, &undo(3, None)), None);
    }

    #[test]
    fn the_same_order_keeps_its_order_and_other_orders_flow() {
        let mut sequence = Dependencies::default();
        sequence.blocks(None, &pick(2, "O1"));
        assert_eq!(blocker(&sequence, &pick(3, "O1")), Some(2));
        assert_eq!(blocker(&sequence, &pick(3, "O2")), None);
        assert_eq!(
            blocker(&sequence, &pick(1, "O1")),
            None,
            "the documents before it are free"
        );
        let told = Purpose::Ship {
            order: "O1".to_owned(),
            carrier_ref: None,
            weight_kg: None,
            parcels: None,
        };
        assert_eq!(blocker(&sequence, &document(4, told, &[])), None);
        sequence.release(DocumentNumber::new(2));
        assert_eq!(blocker(&sequence, &pick(3, "O1")), None);
    }

    #[test]
    fn a_count_waits_for_its_product_and_bin_alone_and_is_waited_for() {
        let moved = |number| document(number, Purpose::Transfer, &[("P", Some("A"))]);
        let counted =
            |number, product, bin| document(number, Purpose::Count, &[(product, Some(bin))]);
        let mut sequence = Dependencies::default();
        sequence.blocks(None, &moved(2));
        assert_eq!(blocker(&sequence, &counted(3, "P", "A")), Some(2));
        assert_eq!(blocker(&sequence, &counted(3, "Q", "A")), None);
        assert_eq!(blocker(&sequence, &counted(3, "P", "B")), None);
        assert_eq!(
            blocker(&sequence, &moved(3)),
            None,
            "two movements do not wait for each other"
        );
        sequence.release(DocumentNumber::new(2));
        sequence.blocks(None, &pick(2, "O1"));
        assert_eq!(
            blocker(&sequence, &counted(3, "P", "B")),
            Some(2),
            "the goods may have been picked there"
        );
        sequence.release(DocumentNumber::new(2));
        sequence.blocks(None, &counted(2, "P", "A"));
        assert_eq!(blocker(&sequence, &moved(3)), Some(2));
        let (before, after) = (moved(5), counted(6, "P", "A"));
        assert!(follows(None, &after, [&before].into_iter()).unwrap());
        assert!(!follows(None, &moved(7), [&before].into_iter()).unwrap());
    }

    #[test]
    fn the_same_serial_number_is_not_received_by_two_at_once() {
        use crate::odoo::{Kind, Row};
        let dir = tempfile::tempdir().unwrap();
        let copy = Catalog::open(dir.path(), "a").unwrap();
        let product = |id, code: &str, tracking: &str| Row {
            id,
            active: true,
            barcode: Some(code.to_owned()),
            tracking: Some(tracking.to_owned()),
            ..Row::default()
        };
        let products = [product(1, "SERIAL", "serial"), product(2, "LOT", "lot")];
        copy.apply(Kind::Product, &products).unwrap();
        let received = |number, product: &str, lot: &str| {
            let purpose = Purpose::Receive { order: None };
            let mut document = document(number, purpose, &[(product, None)]);
            document.lines[0].goods.lot = Some(lot.to_owned());
            document
        };
        let first = received(2, "SERIAL", "S1");
        let mut sequence = Dependencies::default();
        sequence.blocks(Some(&copy), &first);
        let before = |document: &Document| {
            let blockers = sequence.blockers(Some(&copy), document).unwrap();
            blockers.first().map(|before| before.while_parked)
        };
        assert_eq!(before(&received(3, "SERIAL", "S1")), Some(false));
        assert_eq!(before(&received(3, "SERIAL", "S2")), None);
        assert_eq!(before(&received(3, "LOT", "S1")), None);
        let follows = |document: &Document| follows(Some(&copy), document, [&first].into_iter());
        assert!(follows(&received(3, "SERIAL", "S1")).unwrap());
        assert!(!follows(&received(3, "SERIAL", "S2")).unwrap());
    }

    #[test]
    fn a_correction_stands_in_the_place_of_what_it_corrects() {
        let mut sequence = Dependencies::default();
        sequence.blocks(None, &pick(2, "O1"));
        // The blocker holds this document back.
        sequence.blocks(None, &pick(3, "O1"));
        let corrected = Document {
            corrects: Some(DocumentNumber::new(2)),
            ..pick(4, "O1")
        };
        assert_eq!(
            blocker(&sequence, &corrected),
            None,
            "a document does not wait for a document that waits for it"
        );
        sequence.stands_in(DocumentNumber::new(2), DocumentNumber::new(4));
        assert_eq!(blocker(&sequence, &pick(3, "O1")), Some(4));
        assert_eq!(blocker(&sequence, &corrected), None);
    }

    #[test]
    fn too_many_to_keep_hold_back_all_that_might_depend() {
        let mut sequence = Dependencies {
            things: THINGS_MAX,
            ..Dependencies::default()
        };
        sequence.blocks(None, &pick(2, "O1"));
        assert_eq!(blocker(&sequence, &pick(3, "O2")), Some(2));
        assert_eq!(
            blocker(
                &sequence,
                &document(3, Purpose::Transfer, &[("P", Some("A"))])
            ),
            None
        );
    }
}
