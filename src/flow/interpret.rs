//! Interprets a code in a flow: first by what the flow expects, then by what Odoo has, and last by
//! the form of a number. Pure.
//!
//! If the flow expects a lot or serial number that may be new, an unknown text is its name, also
//! digits that happen to be a valid item number. [`Resemblance`] marks names that look like
//! something else.

use crate::decode::gs1::ElementString;
use crate::decode::meaning::{
    By, Context, Item, Known, Label, LotLabel, Meaning, Unclear, Understood,
};
use crate::decode::profile::Symbology;

use super::input::{AwaitedLot, LotRead, Read, tracked_name};
use super::resemblance::{Resemblance, may_follow};
use super::state::Tracking;

/// Looks up products and their lots in the copy of Odoo's data.
pub trait LotLookup {
    fn tracking(&self, product: &str) -> Tracking;
    /// Whether Odoo has this lot or serial number for the product.
    fn has_lot_of(&self, product: &str, name: &str) -> bool;
    /// Whether two codes belong to one product, such as its barcode and that of a packaging.
    fn is_same(&self, one: &str, other: &str) -> bool;
}

/// A code, and the sources of its meaning.
#[derive(Clone, Copy)]
pub struct Scanned<'a> {
    pub code: &'a str,
    pub symbology: Option<&'a Symbology>,
    pub context: &'a Context<'a>,
    pub lots: &'a dyn LotLookup,
    /// What the site's names of the same shape belong to.
    pub find_resemblance: &'a dyn Fn(&str) -> Option<Resemblance>,
}

/// The result of [`Scanned::interpret`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpretation {
    pub read: Read,
    /// How the product of the code is tracked.
    pub tracking: Tracking,
    pub lot: LotRead,
    /// The dates and other facts on the label.
    pub label: Label,
}

impl Interpretation {
    /// The product of the code, also if it is the content of a package.
    #[must_use]
    pub fn item(&self) -> Option<&Item> {
        item_of(&self.read)
    }
}

fn item_of(read: &Read) -> Option<&Item> {
    match read {
        Read::Means(Meaning::Product(item)) => Some(item),
        Read::Means(Meaning::Package { content, .. }) => content.as_deref(),
        _ => None,
    }
}

impl Scanned<'_> {
    /// Interprets the code. `expected`: the lot that the flow expects, or `None`.
    #[must_use]
    pub fn interpret(&self, expected: Option<&AwaitedLot>) -> Interpretation {
        let understood = self.context.understand_text(self.code, self.symbology);
        let label = understood.as_ref().ok().map(|own| own.label.clone());
        let elements = understood
            .as_ref()
            .ok()
            .and_then(|own| own.elements.clone());
        let (read, resemblance) = match expected {
            Some(expected) => self.interpret_expected(expected, understood),
            None => (convert(understood), None),
        };
        let mut lot = LotRead {
            resemblance,
            ..LotRead::default()
        };
        let item = item_of(&read);
        let tracking = item.map_or(Tracking::Unknown, |item| self.lots.tracking(&item.code));
        lot.is_content = elements
            .as_ref()
            .is_some_and(|own| own.content().is_some() && own.sscc().is_none());
        if let Some(item) = item {
            self.look_up(item, tracking, &mut lot);
            let is_product = matches!(read, Read::Means(Meaning::Product(_)));
            lot.is_of_expected = is_product
                && expected.is_some_and(|own| self.lots.is_same(&own.product, &item.code));
        } else if let (Read::Means(Meaning::Lot { name, .. }), Some(expected)) = (&read, expected) {
            let own = label.as_ref();
            let first = |element: Option<&str>, own: Option<&String>| {
                element.map(str::to_owned).or(own.cloned())
            };
            let elements = elements.as_ref();
            lot.batch = first(
                elements.and_then(ElementString::lot),
                own.and_then(|own| own.batch.as_ref()),
            );
            lot.serial = first(
                elements.and_then(ElementString::serial),
                own.and_then(|own| own.serial.as_ref()),
            );
            self.look_up_alone(name, expected, &mut lot);
        }
        Interpretation {
            read,
            tracking,
            lot,
            label: label.unwrap_or_default(),
        }
    }

    /// Looks up the lot of the product of the code, and sets `lot.new` if Odoo does not have it.
    fn look_up(&self, item: &Item, tracking: Tracking, lot: &mut LotRead) {
        lot.is_serial_a_lot = self.takes_for_lot(item.serial.as_deref());
        let name = tracked_name(
            tracking,
            (item.lot.as_deref(), item.serial.as_deref()),
            lot.is_serial_a_lot,
        );
        let is_new = |name: &&str| !self.lots.has_lot_of(&item.code, name);
        lot.new = name.filter(is_new).map(str::to_owned);
    }

    /// Looks up a lot that was scanned alone, and sets `lot.new` if Odoo does not have it.
    fn look_up_alone(&self, name: &str, expected: &AwaitedLot, lot: &mut LotRead) {
        lot.is_serial_a_lot = self.takes_for_lot(lot.serial.as_deref());
        let tracking = if expected.is_serial {
            Tracking::Serial
        } else {
            Tracking::Lot
        };
        let names = (lot.batch.as_deref(), lot.serial.as_deref());
        let name = match names {
            (None, None) => Some(name),
            names => tracked_name(tracking, names, lot.is_serial_a_lot),
        };
        let is_new = |name: &&str| !self.lots.has_lot_of(&expected.product, name);
        lot.new = name.filter(is_new).map(str::to_owned);
    }

    fn takes_for_lot(&self, serial: Option<&str>) -> bool {
        serial.is_some_and(|serial| self.context.reads_serial_as_lot(serial))
    }

    /// Interprets the code while the flow expects a lot. Also returns what it looks like if it is
    /// read as a new lot.
    fn interpret_expected(
        &self,
        expected: &AwaitedLot,
        understood: Result<Understood, Unclear>,
    ) -> (Read, Option<Resemblance>) {
        let known: &dyn Known = self.context.known;
        let Understood {
            meaning,
            elements,
            by,
            ..
        } = match understood {
            Ok(understood) => understood,
            // A location may have the name of a lot. While the lot is missing, the flow expects no
            // location.
            Err(Unclear::Ambiguous { .. })
                if expected.is_lacking
                    && known.has_lot(self.code)
                    && known.products(self.code).is_empty() =>
            {
                return (lot_read(self.code), None);
            }
            unclear => return (convert(unclear), None),
        };
        let is_unknown = matches!(meaning, Meaning::Unknown { .. });
        if elements.is_some() {
            return if is_unknown && expected.is_lacking && expected.may_be_new {
                (lot_read(self.code), Some(Resemblance::Gs1))
            } else {
                (Read::Means(meaning), None)
            };
        }
        match (by, &meaning) {
            (By::LotLabel, Meaning::Product(item))
                if expected.is_lacking
                    && expected.may_be_new
                    && !self.lots.is_same(&expected.product, &item.code) =>
            {
                (lot_read(self.code), Some(Resemblance::Product))
            }
            (By::LotLabel, Meaning::Package { code, .. })
                if expected.is_lacking
                    && expected.may_be_new
                    && known.packages(code).is_empty() =>
            {
                (lot_read(self.code), Some(Resemblance::Package))
            }
            (By::Nomenclature | By::Form | By::Nobody, _) => {
                self.interpret_unknown(expected, meaning, by)
            }
            _ => (Read::Means(meaning), None),
        }
    }

    /// Interprets a text that Odoo does not have while the flow expects a lot.
    fn interpret_unknown(
        &self,
        expected: &AwaitedLot,
        meaning: Meaning,
        by: By,
    ) -> (Read, Option<Resemblance>) {
        let label = LotLabel::of(self.code, self.context.year).filter(|own| !own.has_product());
        if let Some(label) = label.filter(|own| self.may_be_printed(own))
            && let Some(name) = label.name
            && self.lots.has_lot_of(&expected.product, name)
        {
            let expiry = label.elements.as_ref().and_then(ElementString::expiry);
            let name = name.to_owned();
            return (Read::Means(Meaning::Lot { name, expiry }), None);
        }
        let is_item_number = self.is_item_number();
        if !expected.may_be_new {
            let is_chance = expected.is_lacking && by == By::Form && !is_item_number;
            let text = || self.code.to_owned();
            let read = if is_chance {
                Meaning::Unknown { text: text() }
            } else {
                meaning
            };
            return (Read::Means(read), None);
        }
        let resemblance = match &meaning {
            Meaning::Quantity { .. } => return (Read::Means(meaning), None),
            // A rule of the site's nomenclature makes it a lot. Odoo's own rule for `10` matches
            // the labels that Odoo prints, too.
            Meaning::Lot { name, .. } => {
                let resemblance = Resemblance::of(self.code, self.symbology, self.context.year);
                return (
                    lot_read(name),
                    resemblance.filter(|kind| *kind == Resemblance::Gs1),
                );
            }
            // A rule of the site's nomenclature gives another meaning, and the flow may expect it.
            _ if by == By::Nomenclature && !expected.is_lacking => {
                return (Read::Means(meaning), None);
            }
            // An EAN, by the symbology that the scanner reports, is a product if the flow may
            // expect one.
            Meaning::Product(_) if is_item_number && !expected.is_lacking => {
                return (Read::Means(meaning), None);
            }
            Meaning::Product(_) if by == By::Form && !is_item_number && expected.is_lacking => None,
            Meaning::Package { .. } if by == By::Form && expected.is_lacking => None,
            Meaning::Operator { .. } => Some(Resemblance::Operator),
            Meaning::Product(_) => Some(Resemblance::Product),
            Meaning::Package { .. } => Some(Resemblance::Package),
            Meaning::Location { .. } => Some(Resemblance::Location),
            Meaning::Order { .. } => Some(Resemblance::Order),
            Meaning::Command { .. } => Some(Resemblance::Command),
            Meaning::Unknown { .. } => {
                Resemblance::of(self.code, self.symbology, self.context.year)
                    .or_else(|| (self.find_resemblance)(self.code))
                    .or_else(|| self.ends_in_lot_of(expected).then_some(Resemblance::Gs1))
            }
        };
        let previous = expected.previous.as_deref();
        let is_next = previous.is_some_and(|previous| may_follow(previous, self.code));
        (lot_read(self.code), resemblance.filter(|_| !is_next))
    }

    /// Whether Odoo may have printed a label without a product. Odoo prints a DataMatrix. For
    /// digits alone the scanner must report the symbology, because `1047` may be the whole name.
    fn may_be_printed(&self, label: &LotLabel<'_>) -> bool {
        match self.symbology {
            Some(symbology) => matches!(symbology.as_str(), "datamatrix" | "qr"),
            None => label.elements.is_some() || !is_digits(self.code),
        }
    }

    /// Whether the digits may be the label of a lot that Odoo has. They may also be a name.
    fn ends_in_lot_of(&self, expected: &AwaitedLot) -> bool {
        let label = LotLabel::of(self.code, self.context.year);
        let name = label.and_then(|label| label.name);
        let is_lot = name.is_some_and(|name| self.lots.has_lot_of(&expected.product, name));
        is_lot && self.symbology.is_none() && is_digits(self.code)
    }

    /// Whether the scanner reports that the code is an item number: an EAN, a UPC, or the 14 digits
    /// of a carton in Interleaved 2 of 5 (GS1 General Specifications 5.3).
    fn is_item_number(&self) -> bool {
        self.symbology.is_some_and(|symbology| {
            let is_carton = symbology.as_str() == "itf" && self.code.len() == 14;
            symbology.is_item_number() || is_carton
        })
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn lot_read(name: &str) -> Read {
    Read::Means(Meaning::Lot {
        name: name.to_owned(),
        expiry: None,
    })
}

/// Converts a meaning that does not depend on the flow.
fn convert(understood: Result<Understood, Unclear>) -> Read {
    match understood {
        Ok(understood) => Read::Means(understood.meaning),
        Err(Unclear::Ambiguous { .. } | Unclear::Contradiction { .. }) => Read::Unclear,
        Err(Unclear::Measure { product, measure }) => Read::Unfit { product, measure },
        Err(Unclear::Gs1(_) | Unclear::NoQuantity { .. } | Unclear::DataIdentifier { .. }) => {
            Read::Damaged
        }
    }
}
