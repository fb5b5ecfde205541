//! Finds the meaning of a code: a product with its lot, a location, an order, a command. Pure.
//!
//! Input: a [`Scan`], the profile's prefixes, Odoo's nomenclature and the copy of Odoo's data
//! ([`Known`]). Output: one [`Meaning`], or an [`Unclear`] that names both meanings: it never
//! guesses.
//!
//! `docs/scanner-profiles.md` has the order of the sources.

mod elements;
mod envelope;
mod explain;
mod known;
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
use super::gs1::{Carrier, ElementString, Gtin, carrier, is_marked, is_sscc, parse};
use super::nomenclature::{Found, Nomenclature};
use super::profile::{CommandCode, Kind, Means, Scan, Symbology};
use crate::event::Measures;

pub use explain::{Explanation, Gs1Element, SourceAnswer};
pub use known::{EmptyCatalog, Fit, Known, KnownProduct, UnitOf};
pub use label::{Label, UnusedDate};
pub use lot_label::LotLabel;
pub use unclear::Unclear;

/// The meaning of a code.
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
    /// A package or pallet, with the content that its label names.
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
    /// No source knows the text.
    Unknown {
        text: String,
    },
}

/// A product, with the other facts in its code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Item {
    /// The code in the copy of Odoo's data, or the scanned code if the copy does not have it.
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
    /// The quantity, in the unit of the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_kg: Option<Decimal>,
    /// Weights and dimensions as printed, by their names in `docs/gs1.md`.
    #[serde(skip_serializing_if = "Measures::is_empty")]
    pub measures: Measures,
    /// Whether one of the measures may be the quantity.
    #[serde(skip)]
    pub is_measured: bool,
    /// Quantity of one packaging in the product's own unit. `None`: the code is not a packaging.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<Decimal>,
    /// Whether the copy of Odoo's data has the product.
    pub known: bool,
}

/// The sources of a code's meaning.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The prefixes of the profile, `code.means`.
    pub means: &'a [Means],
    pub nomenclature: Option<&'a Nomenclature>,
    pub known: &'a dyn Known,
    /// Whether the profile reads ISO/IEC 15434 messages of format 06 by their data identifiers.
    pub data_identifiers: bool,
    /// The present year, for the century of dates.
    pub year: i16,
}

/// A code with its meaning, and the source of the meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Understood {
    pub meaning: Meaning,
    /// The elements of a GS1 code.
    pub elements: Option<ElementString>,
    /// The dates and other facts on the label.
    pub label: Label,
    pub by: By,
}

/// The source of a code's meaning.
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
    /// The form of the labels that Odoo prints for lots and packages.
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
            Self::Nobody => "no source knows it",
        }
    }
}

impl Context<'_> {
    /// Finds the meaning of a scan.
    pub fn understand(&self, scan: &Scan) -> Result<Understood, Unclear> {
        self.understand_text(&scan.text, scan.symbology.as_ref())
    }

    /// Finds the meaning of a text from a barcode of this symbology.
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
        if let Some(meaning) = self.apply_profile(text, symbology)? {
            return Ok(understood(meaning, By::Profile));
        }
        let gs1 = match Envelope::of(text) {
            Some(envelope) => self.read_envelope(text, &envelope, symbology),
            None => self.read_marked(text, symbology),
        };
        if let Some(gs1) = gs1? {
            return Ok(gs1);
        }
        if let Some(meaning) = self.look_up(text, symbology)? {
            return Ok(understood(meaning, By::Copy));
        }
        if let Some(meaning) = self.read_lot_label(text)? {
            let label = LotLabel::of(text, self.year).and_then(|label| label.elements);
            let label = label.map(|elements| Label::of(&elements, self));
            return Ok(Understood {
                label: label.unwrap_or_default(),
                ..understood(meaning, By::LotLabel)
            });
        }
        if let Some(main) = self.strip_add_on(text, symbology)? {
            return self.understand_text(main, symbology);
        }
        // No rule matches a text with separators. All other sources were used above.
        if text.contains(char::is_control) {
            let text = text.to_owned();
            return Ok(understood(Meaning::Unknown { text }, By::Nobody));
        }
        let found = self.find_rule(text);
        let gtin = readings::read_gtin(text, symbology);
        let (meaning, by) = readings::guess_by_form(text, gtin, symbology, found.as_ref());
        Ok(understood(meaning, by))
    }

    /// Finds the meaning that the profile gives to the text's longest prefix.
    fn apply_profile(
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
            && let Some(product) = only_meaning(code, self.list_products(code, symbology, None)?)?
        {
            return Ok(Some(product));
        }
        let meaning = readings::build_meaning(means.is, code.to_owned());
        meaning.map(Some).ok_or_else(|| Unclear::NoQuantity {
            text: code.to_owned(),
        })
    }

    /// Reads a text as GS1 data. `None`: the text is not GS1 data, or it is not certain and Odoo
    /// has something of that name.
    fn read_marked(
        &self,
        text: &str,
        symbology: Option<&Symbology>,
    ) -> Result<Option<Understood>, Unclear> {
        // Only the symbology that the scanner reports makes a text GS1 data for certain.
        let is_certain = symbology.is_some_and(Symbology::is_gs1) || is_marked(text);
        let carrier = carrier(text);
        if !is_certain && carrier.is_none() {
            return Ok(None);
        }
        // Other formats have a GS between their fields as well.
        let is_by_gs = !is_certain && carrier == Some(Carrier::ElementString);
        if is_by_gs && parse(text, self.year).is_err() {
            return Ok(None);
        }
        match self.read_gs1(text) {
            Ok(gs1) => Ok(Some(gs1)),
            // A location may have the name "(12) left".
            Err(_) if !is_certain && self.look_up(text, symbology)?.is_some() => Ok(None),
            // Some scanners send the small DataBar without its (01).
            Err(_) if symbology == Some(&Symbology::Known("databar")) && is_gtin_14(text) => {
                Ok(None)
            }
            Err(unclear) => Err(unclear),
        }
    }

    /// Finds the meaning of an ISO/IEC 15434 message. `None`: the message is neither GS1 data nor
    /// read by its data identifiers, so the caller looks it up as a whole.
    fn read_envelope(
        &self,
        text: &str,
        envelope: &Envelope<'_>,
        symbology: Option<&Symbology>,
    ) -> Result<Option<Understood>, Unclear> {
        if let Some(data) = envelope.format("05") {
            return match self.read_gs1(data) {
                Ok(gs1) => Ok(Some(gs1)),
                Err(_) if self.look_up(text, symbology)?.is_some() => Ok(None),
                Err(unclear) => Err(unclear),
            };
        }
        let Some(data) = envelope.format("06").filter(|_| self.data_identifiers) else {
            return Ok(None);
        };
        let found = envelope::by_data_identifiers(data, self.known)?;
        Ok(found.map(|(meaning, label)| Understood {
            meaning,
            elements: None,
            label,
            by: By::DataIdentifiers,
        }))
    }

    /// Finds the EAN or UPC before an add-on symbol of two or five digits. `None`: no add-on.
    ///
    /// GS1 General Specifications 5.2.2: an add-on accompanies an EAN-13, a UPC-A or a UPC-E.
    fn strip_add_on<'t>(
        &self,
        text: &'t str,
        symbology: Option<&Symbology>,
    ) -> Result<Option<&'t str>, Unclear> {
        let Some(main) = readings::strip_add_on(text, symbology) else {
            return Ok(None);
        };
        let other = if readings::read_gtin(text, symbology).is_some() {
            "an item number of 14 digits"
        } else if symbology.is_none() && is_sscc(text) {
            "a package"
        } else {
            ""
        };
        // Without a reported symbology, the text has an add-on only if Odoo has the EAN.
        if symbology.is_none() && self.list_products(main, None, None)?.is_empty() {
            return Ok(None);
        }
        if other.is_empty() {
            return Ok(Some(main));
        }
        let readings = [format!("{main} with an add-on"), other.to_owned()];
        Err(Unclear::ambiguous(text, readings))
    }

    fn read_gs1(&self, text: &str) -> Result<Understood, Unclear> {
        let elements = parse(text, self.year)?;
        // A required element may be in another code of the label, but a forbidden one is wrong at
        // once. (37) next to (01) is printed nevertheless, and Odoo's GS1 nomenclature accepts it.
        let is_accepted = |count| self.kind_of("37", count) == Some("quantity");
        match elements.get("37") {
            Some(count) if elements.gtin().is_some() && is_accepted(count) => {
                elements.check_exclusions_without("37")?;
            }
            _ => elements.check_exclusions()?,
        }
        let unknown = || Meaning::Unknown {
            text: text.to_owned(),
        };
        let meaning = elements::find_meaning(&elements, self)?;
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

    /// Whether the site's GS1 nomenclature in Odoo reads a serial number (21) as a lot.
    #[must_use]
    pub fn reads_serial_as_lot(&self, serial: &str) -> bool {
        let found = self
            .nomenclature
            .and_then(|rules| rules.element("21", serial, self.year));
        found.is_some_and(|found| found.rule.kind == "lot")
    }

    /// Finds the rule of Odoo's nomenclature that matches a text.
    fn find_rule(&self, text: &str) -> Option<Found<'_>> {
        self.nomenclature?.text(text)
    }

    /// Looks a text up in the copy of Odoo's data. Two meanings are an error.
    fn look_up(
        &self,
        text: &str,
        symbology: Option<&Symbology>,
    ) -> Result<Option<Meaning>, Unclear> {
        let found = self.find_rule(text);
        let found = found.as_ref();
        let code = found.map_or(text, |found| found.code.as_str());
        let mut all = self.list_products(text, symbology, found)?;
        all.extend(readings::list_others(text, code, self.known));
        only_meaning(text, all)
    }

    /// Lists the products that the copy of Odoo's data has, each with its name for people.
    fn list_products(
        &self,
        text: &str,
        symbology: Option<&Symbology>,
        found: Option<&Found<'_>>,
    ) -> Result<Vec<(Meaning, String)>, Unclear> {
        let gtin = readings::read_gtin(text, symbology);
        let products = readings::list_products(text, gtin, found, self.known)?;
        let named = |(product, item): (KnownProduct, Item)| {
            (Meaning::Product(item), format!("product {}", product.name))
        };
        Ok(products.into_iter().map(named).collect())
    }
}

/// Returns the only meaning. Two meanings are an error.
fn only_meaning(text: &str, mut all: Vec<(Meaning, String)>) -> Result<Option<Meaning>, Unclear> {
    if all.len() > 1 {
        let other = all.swap_remove(1).1;
        return Err(Unclear::ambiguous(text, [all.swap_remove(0).1, other]));
    }
    Ok(all.pop().map(|(meaning, _)| meaning))
}

fn is_gtin_14(text: &str) -> bool {
    text.len() == 14 && Gtin::new(text).is_some()
}
