//! What a text looks like that nobody knows, where a new lot or serial number is awaited. Pure.
//!
//! Such a text may be the name of a new lot, and it may be a bin whose number was printed before
//! Odoo had it. What looks like something else than a lot is a new lot only when it is scanned a
//! second time.

use std::collections::BTreeMap;

use crate::decode::gs1::{Gtin, is_sscc};
use crate::decode::meaning::LotLabel;
use crate::decode::profile::Symbology;

/// What a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Look {
    Product,
    Location,
    Order,
    Package,
    Command,
    /// The badge of a person, by a rule of Odoo's nomenclature.
    Operator,
    /// A web address, or a text for another program such as `mailto:`.
    Address,
    /// An element string of GS1, marked as one or not.
    Gs1,
    /// The Health Industry Bar Code: it begins with `+`.
    Hibc,
    /// An envelope of ISO/IEC 15434: it begins with `[)>`.
    Envelope,
    /// It has control characters, or is JSON.
    Data,
}

impl Look {
    /// Its name in `texts.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Product => "want-product",
            Self::Location => "want-location",
            Self::Order => "want-order",
            Self::Package => "want-package",
            Self::Command => "look-command",
            Self::Operator => "look-operator",
            Self::Address => "look-address",
            Self::Gs1 => "look-gs1",
            Self::Hibc => "look-hibc",
            Self::Envelope => "look-envelope",
            Self::Data => "look-data",
        }
    }

    /// By the text alone; `None` where it may well be the name of a lot.
    #[must_use]
    pub fn of(text: &str, symbology: Option<&Symbology>, year: i16) -> Option<Self> {
        let begins = |prefix: &str| {
            text.get(..prefix.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
        };
        if text.starts_with("[)>") {
            Some(Self::Envelope)
        } else if text.chars().any(char::is_control) || text.starts_with(['{', '[']) {
            Some(Self::Data)
        } else if text.contains("://") || ADDRESSES.iter().any(|prefix| begins(prefix)) {
            Some(Self::Address)
        } else if text.starts_with('+') {
            Some(Self::Hibc)
        } else if COMMANDS.iter().any(|prefix| begins(prefix))
            || text.len() == 7
                && text.bytes().all(|byte| byte.is_ascii_alphabetic())
                && SHORT_COMMANDS.iter().any(|prefix| begins(prefix))
        {
            Some(Self::Command)
        } else if is_element_string(text, symbology, year) {
            Some(Self::Gs1)
        } else if text.get(..2) == Some("00") && is_sscc(&text[2..]) || is_package(text) {
            Some(Self::Package)
        } else if is_of_a_sequence(text) {
            Some(Self::Order)
        } else {
            None
        }
    }
}

/// What other programs than a warehouse read.
const ADDRESSES: [&str; 10] = [
    "www.",
    "urn:",
    "mailto:",
    "tel:",
    "sms:",
    "smsto:",
    "geo:",
    "wifi:",
    "begin:vcard",
    "mecard:",
];
/// How command barcodes begin; what is one was read before.
const COMMANDS: [&str; 3] = ["SR-", "O-BTN.", "O-CMD."];
/// Those of Odoo 17 and later have seven letters.
const SHORT_COMMANDS: [&str; 2] = ["OBT", "OCD"];

/// A label of another product, or one that Odoo printed. `10` alone begins many lots, so the
/// scanner has to say that it was no plain barcode.
fn is_element_string(text: &str, symbology: Option<&Symbology>, year: i16) -> bool {
    let matrix = symbology.is_some_and(|own| matches!(own.as_str(), "datamatrix" | "qr"));
    let content = text.get(..2) == Some("02")
        && text
            .get(2..16)
            .is_some_and(|gtin| Gtin::new(gtin).is_some());
    content || LotLabel::of(text, year).is_some_and(|label| matrix || label.elements.is_some())
}

/// As Odoo's own sequence for packages writes them: `PACK0000012`.
fn is_package(text: &str) -> bool {
    let number = text.strip_prefix("PACK").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// As Odoo's sequences for operations write them: `WH/IN/00012`. A location's full name,
/// `WH/Stock/Shelf 1`, is written so, too.
fn is_of_a_sequence(text: &str) -> bool {
    text.split_once('/').is_some_and(|(warehouse, behind)| {
        warehouse.starts_with(|c: char| c.is_ascii_alphabetic())
            && warehouse.len() <= 10
            && warehouse.chars().all(char::is_alphanumeric)
            && !behind.is_empty()
    })
}

/// How the site's bins, orders, packages and products are named: each shape, and what has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shapes(BTreeMap<String, Look>);

impl Shapes {
    /// Of names of each kind; a shape that two kinds have is that of the first.
    #[must_use]
    pub fn of(names: impl IntoIterator<Item = (Look, Vec<String>)>) -> Self {
        let mut shapes = BTreeMap::new();
        for (look, names) in names {
            for shape in names.iter().filter_map(|name| shape(name)) {
                shapes.entry(shape).or_insert(look);
            }
        }
        Self(shapes)
    }

    /// What the site has with names of the same shape.
    #[must_use]
    pub fn look(&self, text: &str) -> Option<Look> {
        self.0.get(&shape(text)?).copied()
    }
}

/// The shape of a name: what two names have in common that one sequence or one hand made.
///
/// With a word of two letters or more in it, the words say what it is, and numbers are of any
/// length: `LOC-BIN-0001` is `LOC-BIN-#`. Else the number of digits counts, and between separators
/// a single letter may be any: `A-01-02` is `@-00-00`. Digits alone have no shape: a number says
/// nothing. Nor has a name without digits, which is one of its own.
fn shape(name: &str) -> Option<String> {
    let digits = name.chars().filter(char::is_ascii_digit).count();
    let letters = name.chars().filter(|c| c.is_alphabetic()).count();
    let count = name.chars().count();
    if digits == 0 || digits == count {
        return None;
    }
    let next = name.chars().skip(1);
    let mut pairs = name.chars().zip(next);
    let has_word = pairs.any(|(one, other)| one.is_alphabetic() && other.is_alphabetic());
    let has_separator = digits + letters < count;
    let mut shape = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            _ if c.is_ascii_digit() && !has_word => shape.push('0'),
            _ if c.is_ascii_digit() && shape.ends_with('#') => {}
            _ if c.is_ascii_digit() => shape.push('#'),
            _ if c.is_alphabetic() && !has_word && has_separator => shape.push('@'),
            _ => shape.extend(c.to_uppercase()),
        }
    }
    Some(shape)
}

/// Whether two names may follow each other in one row of serial numbers.
#[must_use]
pub fn is_of_one_row(before: &str, text: &str) -> bool {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match (shape(before), shape(text)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => is_number(before) && is_number(text) && before.len() == text.len(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_lot_looks_like_nothing_else() {
        for text in [
            "LOT-9",
            "L-NEW-7",
            "SN-A",
            "202611280011",
            "10LOT",
            "12/2026",
            "AB 12",
            "2026-11-28",
            "4711",
            "B.7",
            "lot:7",
            "106141412345678908",
            "A+B",
            "packet 7",
            "Größe/7",
            "12345678901234567890",
        ] {
            let look = if text == "Größe/7" {
                Some(Look::Order)
            } else {
                None
            };
            assert_eq!(Look::of(text, None, 2026), look, "{text}");
        }
    }

    #[test]
    fn what_looks_like_something_else_is_named() {
        for (text, look) in [
            ("https://example.com/lot/7", Look::Address),
            ("WWW.example.com", Look::Address),
            ("urn:epc:id:sgtin:9506000.0134352.7", Look::Address),
            ("+A123BJC5D6E71G", Look::Hibc),
            ("+$$3231231LOT7", Look::Hibc),
            (
                "[)>\u{1e}06\u{1d}P123\u{1d}1TLOT\u{1e}\u{4}",
                Look::Envelope,
            ),
            ("LOT\u{1d}7", Look::Data),
            ("{\"lot\":7}", Look::Data),
            ("WH/OUT/00042", Look::Order),
            ("WH/Stock/Shelf 1", Look::Order),
            ("PACK0000012", Look::Package),
            ("00106141412345678908", Look::Package),
            ("SR-FLOW", Look::Command),
            ("sr-reason-damaged", Look::Command),
            ("OBTVALX", Look::Command),
            ("O-BTN.nothing", Look::Command),
            ("0104000000000501101111", Look::Gs1),
            ("0104000000000501", Look::Gs1),
            ("1727063010LOT", Look::Gs1),
            ("02040000000005013712", Look::Gs1),
        ] {
            assert_eq!(Look::of(text, None, 2026), Some(look), "{text}");
        }
        let matrix = Symbology::of("datamatrix");
        assert_eq!(Look::of("10LOT", matrix.as_ref(), 2026), Some(Look::Gs1));
    }

    #[test]
    fn a_name_of_the_shape_of_a_bin_looks_like_a_bin() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let shapes = Shapes::of([
            (
                Look::Location,
                names(&["LOC-BIN-0001", "A-01-02", "STOCK", "4711"]),
            ),
            (Look::Order, names(&["WH/IN/00012", "P00012"])),
            (Look::Package, names(&["PAL-7"])),
            (Look::Product, names(&["FURN_8855", "PAL-8"])),
        ]);
        for (text, look) in [
            ("LOC-BIN-9999", Some(Look::Location)),
            ("loc-bin-10000", Some(Look::Location)),
            ("G-11-12", Some(Look::Location)),
            ("P00099", Some(Look::Order)),
            ("PAL-8", Some(Look::Package)),
            ("FURN_7", Some(Look::Product)),
            ("FURN_8855-7", None),
            ("LOC-LOT-0001", None),
            ("G-2026-11", None),
            ("L00099", None),
            ("P0099", None),
            ("4712", None),
            ("SHELF", None),
        ] {
            assert_eq!(shapes.look(text), look, "{text}");
        }
    }

    #[test]
    fn serial_numbers_in_a_row_have_one_shape() {
        for (before, text, is) in [
            ("SN-1", "SN-22", true),
            ("SN-1", "LOC-BIN-1", false),
            ("202611280011", "202611280012", true),
            ("202611280011", "4006381333931", false),
            ("https://a.example/1", "https://a.example/2", true),
            ("https://a.example/1", "https://b.example/2", false),
            ("A7", "B7", false),
            ("SN-A", "SN-B", false),
        ] {
            assert_eq!(is_of_one_row(before, text), is, "{before} {text}");
        }
    }
}
