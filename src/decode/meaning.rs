//! What a code means: a product with its lot, a bin, an order, a command. Pure.
//!
//! Comes in: a [`Scan`], the profile's own words, Odoo's nomenclature, and
//! what the copy of Odoo's data [`Known`]s. Goes out: one [`Meaning`], or an [`Unclear`] that names
//! both readings. It never guesses between two.
//!
//! The order in which these are asked is in `docs/scanner-profiles.md`.

mod elements;
mod envelope;
mod explain;
mod label;
mod lot_label;
mod measures;
mod readings;
#[cfg(test)]
mod tests;
mod unclear;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Serialize;

use self::envelope::Envelope;
use super::gs1::{Carrier, ElementString, Gtin, Unit, carrier, is_marked, is_sscc, parse};
use super::nomenclature::{Found, Nomenclature};
use super::profile::{CommandCode, Kind, Means, Scan, Symbology};
use crate::event::Measures;
use crate::odoo_id::{ProductId, UnitId};

pub use explain::{Asked, Explained, Said};
pub use label::{Label, UnusedDate};
pub use lot_label::LotLabel;
pub use unclear::Unclear;

/// What a code means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Meaning {
    Command {
        command: CommandCode,
    },
    Product(Item),
    Location {
        code: String,
    },
    /// A package or pallet, and what its label says is in it.
    Package {
        code: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<Box<Item>>,
    },
    Order {
        name: String,
    },
    /// A lot or serial number alone, as the second code of a label.
    Lot {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        expiry: Option<Date>,
    },
    Operator {
        badge: String,
    },
    Quantity {
        quantity: Decimal,
    },
    /// Nobody knows it.
    Unknown {
        text: String,
    },
}

/// A product, and what its code says besides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Item {
    /// As the copy of Odoo's data has it; where that has it not, as the code has it.
    pub code: String,
    /// Its item number in 14 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gtin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_before: Option<Date>,
    /// How many, in what the code stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_kg: Option<Decimal>,
    /// Weights and dimensions as they are printed, by their names in `docs/gs1.md`.
    #[serde(skip_serializing_if = "Measures::is_empty")]
    pub measures: Measures,
    /// A measure of it may be its quantity.
    #[serde(skip)]
    pub is_measured: bool,
    /// How many of the product's own unit one of this packaging is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<Decimal>,
    /// Whether the copy of Odoo's data has it.
    pub known: bool,
}

/// A product of the copy of Odoo's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownProduct {
    pub id: ProductId,
    pub name: String,
    /// How many of its own unit one scan of the code stands for: more than one for a packaging.
    pub units: Decimal,
    /// The id of its own unit, where it is known.
    pub unit: Option<UnitId>,
}

/// The unit of a measure: one of Odoo's by its id, or one that a label names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitOf {
    Id(UnitId),
    Gs1(Unit),
}

/// A measure in another unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Is(Decimal),
    /// Odoo would keep another quantity.
    Unfit,
    /// The units have no common reference.
    Foreign,
    /// It is not known which of Odoo's units that is, or what the other unit is.
    Unknown,
}

/// What the copy of Odoo's data has under exactly this code; names are for people. Two of a kind
/// are two readings.
pub trait Known {
    fn products(&self, code: &str) -> Vec<KnownProduct>;
    fn locations(&self, code: &str) -> Vec<String>;
    fn packages(&self, code: &str) -> Vec<String>;
    fn orders(&self, code: &str) -> Vec<String>;
    /// Whether the product that was scanned last has such a lot or serial number. Without one there
    /// is no lot: Odoo's lots are a product's, and no flow takes one before its product.
    fn has_lot(&self, code: &str) -> bool;
    /// A measure in one of Odoo's units, which is named by its id.
    fn convert(&self, value: Decimal, unit: UnitOf, into: UnitId) -> Fit {
        match unit {
            UnitOf::Id(id) if id == into => Fit::Is(value),
            UnitOf::Id(_) => Fit::Foreign,
            UnitOf::Gs1(_) => Fit::Unknown,
        }
    }
    /// The name of the product that was scanned last, if its unit has no common reference with
    /// Units: so many pieces are no quantity of it.
    fn last_without_pieces(&self) -> Option<String> {
        None
    }
    /// A code of this product that stands for one of its own unit.
    fn own_code(&self, _product: ProductId) -> Option<String> {
        None
    }
}

/// Where there is no copy: nothing is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingKnown;

impl Known for NothingKnown {
    fn products(&self, _: &str) -> Vec<KnownProduct> {
        Vec::new()
    }
    fn locations(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn packages(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn orders(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn has_lot(&self, _: &str) -> bool {
        false
    }
}

/// What is asked about a code besides the code.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The profile's own words, `code.means`.
    pub means: &'a [Means],
    pub nomenclature: Option<&'a Nomenclature>,
    pub known: &'a dyn Known,
    /// Whether the profile has ISO/IEC 15434 messages of format 06 read by their data identifiers.
    pub data_identifiers: bool,
    /// The present year, for the century of dates.
    pub year: i16,
}

/// A code understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Understood {
    pub meaning: Meaning,
    /// The elements of a GS1 code.
    pub elements: Option<ElementString>,
    /// What the label says besides.
    pub label: Label,
    pub by: By,
}

/// Whose word it is that a code means what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Command,
    Profile,
    Gs1,
    /// The data identifiers of an ISO/IEC 15434 message.
    DataIdentifiers,
    /// The copy of Odoo's data.
    Copy,
    Nomenclature,
    /// It is written as Odoo prints the labels of lots and packages.
    LotLabel,
    /// The code's own form, such as an item number's check digit.
    Form,
    Nobody,
}

impl By {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "it is a command barcode",
            Self::Profile => "the profile's code.means says so",
            Self::Gs1 => "GS1's application identifiers say so",
            Self::DataIdentifiers => "its data identifiers say so",
            Self::Copy => "the copy of Odoo's data has it",
            Self::Nomenclature => "Odoo's barcode nomenclature says so",
            Self::LotLabel => "it is written as Odoo prints its labels",
            Self::Form => "its form says so",
            Self::Nobody => "nobody knows it",
        }
    }
}

impl Context<'_> {
    /// What a scan means.
    pub fn understand(&self, scan: &Scan) -> Result<Understood, Unclear> {
        self.understand_text(&scan.text, scan.symbology.as_ref())
    }

    /// What a text means that came from a barcode of this symbology.
    pub fn understand_text(
        &self,
        text: &str,
        symbology: Option<&Symbology>,
    ) -> Result<Understood, Unclear> {
        let understood = |meaning, by| Understood {
            meaning,
            elements: None,
            label: Label::default(),
            by,
        };
        if let Some(command) = CommandCode::of(text) {
            return Ok(understood(Meaning::Command { command }, By::Command));
        }
        if let Some(meaning) = self.by_profile(text, symbology)? {
            return Ok(understood(meaning, By::Profile));
        }
        let gs1 = match Envelope::of(text) {
            Some(envelope) => self.by_envelope(text, &envelope, symbology),
            None => self.by_mark(text, symbology),
        };
        if let Some(gs1) = gs1? {
            return Ok(gs1);
        }
        if let Some(meaning) = self.known_as(text, symbology)? {
            return Ok(understood(meaning, By::Copy));
        }
        if let Some(meaning) = self.by_lot_label(text)? {
            let label = LotLabel::of(text, self.year).and_then(|label| label.elements);
            let label = label.map(|elements| Label::of(&elements, self));
            return Ok(Understood {
                label: label.unwrap_or_default(),
                ..understood(meaning, By::LotLabel)
            });
        }
        if let Some(main) = self.main_symbol(text, symbology)? {
            return self.understand_text(main, symbology);
        }
        // No rule is for a text with separators in it: what such a text is was asked above.
        if text.contains(char::is_control) {
            let text = text.to_owned();
            return Ok(understood(Meaning::Unknown { text }, By::Nobody));
        }
        let found = self.rule_for(text);
        let gtin = readings::gtin(text, symbology);
        let (meaning, by) = readings::by_form(text, gtin, symbology, found.as_ref());
        Ok(understood(meaning, by))
    }

    /// The profile's word for the longest prefix that a text has.
    fn by_profile(
        &self,
        text: &str,
        symbology: Option<&Symbology>,
    ) -> Result<Option<Meaning>, Unclear> {
        let has =
            |means: &&Means| text.starts_with(&means.prefix) && text.len() > means.prefix.len();
        let longest = self
            .means
            .iter()
            .filter(has)
            .max_by_key(|means| means.prefix.len());
        let Some(means) = longest else {
            return Ok(None);
        };
        let code = if means.strip {
            &text[means.prefix.len()..]
        } else {
            text
        };
        if means.is == Kind::Product
            && let Some(product) = one(code, self.products(code, symbology, None)?)?
        {
            return Ok(Some(product));
        }
        let meaning = readings::of_kind(means.is, code.to_owned());
        meaning.map(Some).ok_or_else(|| Unclear::NoQuantity {
            text: code.to_owned(),
        })
    }

    /// Reads a text as GS1 data. `None`: the text is no GS1 data.
    fn by_mark(
        &self,
        text: &str,
        symbology: Option<&Symbology>,
    ) -> Result<Option<Understood>, Unclear> {
        // Only the scanner's word makes a text GS1's for certain.
        let is_certain = symbology.is_some_and(Symbology::is_gs1) || is_marked(text);
        let carrier = carrier(text);
        if !is_certain && carrier.is_none() {
            return Ok(None);
        }
        // Others put a GS between their own fields as well.
        let is_by_gs = !is_certain && carrier == Some(Carrier::ElementString);
        if is_by_gs && parse(text, self.year).is_err() {
            return Ok(None);
        }
        match self.by_gs1(text) {
            Ok(gs1) => Ok(Some(gs1)),
            // A bin may be named "(12) left".
            Err(_) if !is_certain && self.known_as(text, symbology)?.is_some() => Ok(None),
            // Some scanners send the small DataBar without its (01).
            Err(_) if symbology == Some(&Symbology::Known("databar")) && is_gtin_14(text) => {
                Ok(None)
            }
            Err(unclear) => Err(unclear),
        }
    }

    /// What an ISO/IEC 15434 message means. `None`: it is read neither as GS1 data nor by its data
    /// identifiers, so it is looked up as a whole.
    fn by_envelope(
        &self,
        text: &str,
        envelope: &Envelope<'_>,
        symbology: Option<&Symbology>,
    ) -> Result<Option<Understood>, Unclear> {
        if let Some(data) = envelope.format("05") {
            return match self.by_gs1(data) {
                Ok(gs1) => Ok(Some(gs1)),
                Err(_) if self.known_as(text, symbology)?.is_some() => Ok(None),
                Err(unclear) => Err(unclear),
            };
        }
        let Some(data) = envelope.format("06").filter(|_| self.data_identifiers) else {
            return Ok(None);
        };
        let said = envelope::by_data_identifiers(data, self.known)?;
        Ok(said.map(|(meaning, label)| Understood {
            meaning,
            elements: None,
            label,
            by: By::DataIdentifiers,
        }))
    }

    /// The EAN or UPC before an add-on symbol of two or five digits. `None`: there is no add-on.
    ///
    /// GS1 General Specifications 5.2.2: an add-on accompanies an EAN-13, a UPC-A or a UPC-E.
    fn main_symbol<'t>(
        &self,
        text: &'t str,
        symbology: Option<&Symbology>,
    ) -> Result<Option<&'t str>, Unclear> {
        let Some(main) = readings::main_symbol(text, symbology) else {
            return Ok(None);
        };
        let other = if readings::gtin(text, symbology).is_some() {
            "an item number of 14 digits"
        } else if symbology.is_none() && is_sscc(text) {
            "a package"
        } else {
            ""
        };
        // Without the scanner's word only what Odoo has under it says that it is one.
        if symbology.is_none() && self.products(main, None, None)?.is_empty() {
            return Ok(None);
        }
        if other.is_empty() {
            return Ok(Some(main));
        }
        let readings = [format!("{main} with an add-on"), other.to_owned()];
        Err(Unclear::ambiguous(text, readings))
    }

    fn by_gs1(&self, text: &str) -> Result<Understood, Unclear> {
        let elements = parse(text, self.year)?;
        // What must stand beside it may be in another code of the label; what must not is wrong at
        // once. (37) beside (01) is printed all the same, and Odoo's GS1 nomenclature takes it.
        let is_taken = |count| self.kind_of("37", count) == Some("quantity");
        match elements.get("37") {
            Some(count) if elements.gtin().is_some() && is_taken(count) => {
                elements.check_exclusions_without("37")?;
            }
            _ => elements.check_exclusions()?,
        }
        let unknown = || Meaning::Unknown {
            text: text.to_owned(),
        };
        let meaning = elements::meaning(&elements, self)?;
        let (mut meaning, by) = meaning.unwrap_or_else(|| (unknown(), By::Gs1));
        let label = Label::of(&elements, self);
        match &mut meaning {
            Meaning::Product(item) => item.best_before = label.best_before,
            Meaning::Package {
                content: Some(item),
                ..
            } => item.best_before = label.best_before,
            _ => {}
        }
        Ok(Understood {
            meaning,
            label,
            elements: Some(elements),
            by,
        })
    }

    /// Whether the site's GS1 nomenclature in Odoo takes a serial number, (21), for a lot.
    #[must_use]
    pub fn takes_serial_for_lot(&self, serial: &str) -> bool {
        let found = self
            .nomenclature
            .and_then(|rules| rules.element("21", serial, self.year));
        found.is_some_and(|found| found.rule.kind == "lot")
    }

    /// The rule of Odoo's nomenclature that a text meets.
    fn rule_for(&self, text: &str) -> Option<Found<'_>> {
        self.nomenclature?.text(text)
    }

    /// What the copy of Odoo's data knows a text as; two readings are refused.
    fn known_as(
        &self,
        text: &str,
        symbology: Option<&Symbology>,
    ) -> Result<Option<Meaning>, Unclear> {
        let found = self.rule_for(text);
        let found = found.as_ref();
        let code = found.map_or(text, |found| found.code.as_str());
        let mut all = self.products(text, symbology, found)?;
        all.extend(readings::others(text, code, self.known));
        one(text, all)
    }

    /// The products that the copy knows, each with its name for people.
    fn products(
        &self,
        text: &str,
        symbology: Option<&Symbology>,
        found: Option<&Found<'_>>,
    ) -> Result<Vec<(Meaning, String)>, Unclear> {
        let gtin = readings::gtin(text, symbology);
        let products = readings::products(text, gtin, found, self.known)?;
        let named = |(product, item): (KnownProduct, Item)| {
            (Meaning::Product(item), format!("product {}", product.name))
        };
        Ok(products.into_iter().map(named).collect())
    }
}

/// The one reading that there is; two are refused.
fn one(text: &str, mut all: Vec<(Meaning, String)>) -> Result<Option<Meaning>, Unclear> {
    if all.len() > 1 {
        let other = all.swap_remove(1).1;
        return Err(Unclear::ambiguous(text, [all.swap_remove(0).1, other]));
    }
    Ok(all.pop().map(|(meaning, _)| meaning))
}

fn is_gtin_14(text: &str) -> bool {
    text.len() == 14 && Gtin::new(text).is_some()
}
