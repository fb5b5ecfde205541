//! What a code is, by what the flow awaits first, then by what Odoo knows, and by the form of a
//! number last. Pure.
//!
//! Where a lot or serial number is awaited, a text that nobody knows is its name: also one whose
//! digits happen to be a valid item number. What looks like something else is told apart by
//! [`Look`].

use crate::decode::gs1::ElementString;
use crate::decode::meaning::{
    By, Context, Item, Known, Label, LotLabel, Meaning, Unclear, Understood,
};
use crate::decode::profile::Symbology;

use super::input::{Awaited, LotRead, Read, tracked_name};
use super::looks::{Look, is_of_one_row};
use super::state::Tracking;

/// What the copy of Odoo's data knows of products and their lots.
pub trait Floor {
    fn tracking(&self, product: &str) -> Tracking;
    /// Whether the product has a lot or serial number of this name.
    fn has_lot_of(&self, product: &str, name: &str) -> bool;
    /// Whether two codes are of one product: its own barcode and that of a packaging are.
    fn is_same(&self, one: &str, other: &str) -> bool;
}

/// A code, and who is asked what it is.
#[derive(Clone, Copy)]
pub struct Scanned<'a> {
    pub code: &'a str,
    pub symbology: Option<&'a Symbology>,
    pub context: &'a Context<'a>,
    pub floor: &'a dyn Floor,
    /// What the site has with names of the same shape.
    pub look: &'a dyn Fn(&str) -> Option<Look>,
}

/// What a code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub read: Read,
    /// Of the product that was read.
    pub tracking: Tracking,
    pub lot: LotRead,
    /// What its label says besides.
    pub label: Label,
}

impl Heard {
    /// The product that was read, also as what a package holds.
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
    /// What the code is where this is awaited; `None`: no lot is.
    #[must_use]
    pub fn hear(&self, awaited: Option<&Awaited>) -> Heard {
        let understood = self.context.understand_text(self.code, self.symbology);
        let label = understood.as_ref().ok().map(|own| own.label.clone());
        let elements = understood
            .as_ref()
            .ok()
            .and_then(|own| own.elements.clone());
        let (read, looks_like) = match awaited {
            Some(awaited) => self.as_awaited(awaited, understood),
            None => (plain(understood), None),
        };
        let mut lot = LotRead {
            looks_like,
            ..LotRead::default()
        };
        let item = item_of(&read);
        let tracking = item.map_or(Tracking::Unknown, |item| self.floor.tracking(&item.code));
        lot.is_content = elements
            .as_ref()
            .is_some_and(|own| own.content().is_some() && own.sscc().is_none());
        if let Some(item) = item {
            self.look_up(item, tracking, &mut lot);
            let is_product = matches!(read, Read::Means(Meaning::Product(_)));
            lot.is_of_awaited = is_product
                && awaited.is_some_and(|own| self.floor.is_same(&own.product, &item.code));
        } else if let (Read::Means(Meaning::Lot { name, .. }), Some(awaited)) = (&read, awaited) {
            let own = label.as_ref();
            let said = |element: Option<&str>, own: Option<&String>| {
                element.map(str::to_owned).or(own.cloned())
            };
            let elements = elements.as_ref();
            lot.batch = said(
                elements.and_then(ElementString::lot),
                own.and_then(|own| own.batch.as_ref()),
            );
            lot.serial = said(
                elements.and_then(ElementString::serial),
                own.and_then(|own| own.serial.as_ref()),
            );
            self.look_up_alone(name, awaited, &mut lot);
        }
        Heard {
            read,
            tracking,
            lot,
            label: label.unwrap_or_default(),
        }
    }

    /// Whether the lot of a product that was read is new.
    fn look_up(&self, item: &Item, tracking: Tracking, lot: &mut LotRead) {
        lot.is_serial_a_lot = self.takes_for_lot(item.serial.as_deref());
        let name = tracked_name(
            tracking,
            (item.lot.as_deref(), item.serial.as_deref()),
            lot.is_serial_a_lot,
        );
        let is_new = |name: &&str| !self.floor.has_lot_of(&item.code, name);
        lot.new = name.filter(is_new).map(str::to_owned);
    }

    /// Whether a lot that was read alone is new.
    fn look_up_alone(&self, name: &str, awaited: &Awaited, lot: &mut LotRead) {
        lot.is_serial_a_lot = self.takes_for_lot(lot.serial.as_deref());
        let tracking = if awaited.is_serial {
            Tracking::Serial
        } else {
            Tracking::Lot
        };
        let said = (lot.batch.as_deref(), lot.serial.as_deref());
        let name = match said {
            (None, None) => Some(name),
            said => tracked_name(tracking, said, lot.is_serial_a_lot),
        };
        let is_new = |name: &&str| !self.floor.has_lot_of(&awaited.product, name);
        lot.new = name.filter(is_new).map(str::to_owned);
    }

    fn takes_for_lot(&self, serial: Option<&str>) -> bool {
        serial.is_some_and(|serial| self.context.takes_serial_for_lot(serial))
    }

    /// What is read where a lot is awaited, and what it looks like where it is taken for a new one.
    fn as_awaited(
        &self,
        awaited: &Awaited,
        understood: Result<Understood, Unclear>,
    ) -> (Read, Option<Look>) {
        let known: &dyn Known = self.context.known;
        let Understood {
            meaning,
            elements,
            by,
            ..
        } = match understood {
            Ok(understood) => understood,
            // A bin may have the name of a lot; while the lot lacks, no bin is awaited.
            Err(Unclear::Ambiguous { .. })
                if awaited.is_lacking
                    && known.has_lot(self.code)
                    && known.products(self.code).is_empty() =>
            {
                return (lot_named(self.code), None);
            }
            unclear => return (plain(unclear), None),
        };
        let says_nothing = matches!(meaning, Meaning::Unknown { .. });
        if elements.is_some() {
            return if says_nothing && awaited.is_lacking && awaited.may_be_new {
                (lot_named(self.code), Some(Look::Gs1))
            } else {
                (Read::Means(meaning), None)
            };
        }
        match (by, &meaning) {
            (By::LotLabel, Meaning::Product(item))
                if awaited.is_lacking
                    && awaited.may_be_new
                    && !self.floor.is_same(&awaited.product, &item.code) =>
            {
                (lot_named(self.code), Some(Look::Product))
            }
            (By::LotLabel, Meaning::Package { code, .. })
                if awaited.is_lacking && awaited.may_be_new && known.packages(code).is_empty() =>
            {
                (lot_named(self.code), Some(Look::Package))
            }
            (By::Nomenclature | By::Form | By::Nobody, _) => self.unknown(awaited, meaning, by),
            _ => (Read::Means(meaning), None),
        }
    }

    /// What a text is that Odoo does not have, where a lot is awaited.
    fn unknown(&self, awaited: &Awaited, meaning: Meaning, by: By) -> (Read, Option<Look>) {
        let label = LotLabel::of(self.code, self.context.year).filter(|own| !own.has_product());
        if let Some(label) = label.filter(|own| self.may_be_printed(own))
            && let Some(name) = label.name
            && self.floor.has_lot_of(&awaited.product, name)
        {
            let expiry = label.elements.as_ref().and_then(ElementString::expiry);
            let name = name.to_owned();
            return (Read::Means(Meaning::Lot { name, expiry }), None);
        }
        let is_item_number = self.is_item_number();
        if !awaited.may_be_new {
            let by_chance = awaited.is_lacking && by == By::Form && !is_item_number;
            let text = || self.code.to_owned();
            let read = if by_chance {
                Meaning::Unknown { text: text() }
            } else {
                meaning
            };
            return (Read::Means(read), None);
        }
        let look = match &meaning {
            Meaning::Quantity { .. } => return (Read::Means(meaning), None),
            // A rule of the site's says that it is a lot: Odoo's own for `10` takes the labels that
            // Odoo prints, too.
            Meaning::Lot { name, .. } => {
                let look = Look::of(self.code, self.symbology, self.context.year);
                return (lot_named(name), look.filter(|look| *look == Look::Gs1));
            }
            // A rule of the site's says what else it is, and such a code may come.
            _ if by == By::Nomenclature && !awaited.is_lacking => {
                return (Read::Means(meaning), None);
            }
            // An EAN by the scanner's word is a product, where one may come.
            Meaning::Product(_) if is_item_number && !awaited.is_lacking => {
                return (Read::Means(meaning), None);
            }
            Meaning::Product(_) if by == By::Form && !is_item_number && awaited.is_lacking => None,
            Meaning::Package { .. } if by == By::Form && awaited.is_lacking => None,
            Meaning::Operator { .. } => Some(Look::Operator),
            Meaning::Product(_) => Some(Look::Product),
            Meaning::Package { .. } => Some(Look::Package),
            Meaning::Location { .. } => Some(Look::Location),
            Meaning::Order { .. } => Some(Look::Order),
            Meaning::Command { .. } => Some(Look::Command),
            Meaning::Unknown { .. } => Look::of(self.code, self.symbology, self.context.year)
                .or_else(|| (self.look)(self.code))
                .or_else(|| self.ends_in_lot_of(awaited).then_some(Look::Gs1)),
        };
        let previous = awaited.previous.as_deref();
        let is_next = previous.is_some_and(|previous| is_of_one_row(previous, self.code));
        (lot_named(self.code), look.filter(|_| !is_next))
    }

    /// Whether Odoo may have printed a label without a product: Odoo prints a DataMatrix. Of digits
    /// alone the scanner has to say that they are one, because `1047` may be a name of its own.
    fn may_be_printed(&self, label: &LotLabel<'_>) -> bool {
        match self.symbology {
            Some(symbology) => matches!(symbology.as_str(), "datamatrix" | "qr"),
            None => label.elements.is_some() || !is_digits(self.code),
        }
    }

    /// Whether the digits are the label of a lot that Odoo has, or a name of their own.
    fn ends_in_lot_of(&self, awaited: &Awaited) -> bool {
        let label = LotLabel::of(self.code, self.context.year);
        let name = label.and_then(|label| label.name);
        let is_lot = name.is_some_and(|name| self.floor.has_lot_of(&awaited.product, name));
        is_lot && self.symbology.is_none() && is_digits(self.code)
    }

    /// Whether the scanner says that the code is an item number: an EAN, a UPC, or the 14 digits of
    /// a carton in Interleaved 2 of 5 (GS1 General Specifications 5.3).
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

fn lot_named(name: &str) -> Read {
    Read::Means(Meaning::Lot {
        name: name.to_owned(),
        expiry: None,
    })
}

fn plain(understood: Result<Understood, Unclear>) -> Read {
    match understood {
        Ok(understood) => Read::Means(understood.meaning),
        Err(Unclear::Ambiguous { .. } | Unclear::Contradiction { .. }) => Read::Unclear,
        Err(Unclear::Measure { product, measure }) => Read::Unfit { product, measure },
        Err(Unclear::Gs1(_) | Unclear::NoQuantity { .. } | Unclear::DataIdentifier { .. }) => {
            Read::Damaged
        }
    }
}
