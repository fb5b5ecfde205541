//! Finds what an unknown text looks like while a flow expects a new lot or serial number. Pure.
//!
//! Such a text may be the name of a new lot, or a location whose label was printed before Odoo had
//! it. A text that looks like something else than a lot becomes a new lot only by a second scan.

use std::collections::BTreeMap;

use crate::decode::gs1::{Gtin, is_sscc};
use crate::decode::meaning::LotLabel;
use crate::decode::profile::Symbology;

/// The kind of code that a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resemblance {
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
    /// A text with control characters, or JSON.
    Data,
}

impl Resemblance {
    /// The key of its name in `texts.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Product => "code-product",
            Self::Location => "code-location",
            Self::Order => "code-order",
            Self::Package => "code-package",
            Self::Command => "look-command",
            Self::Operator => "look-operator",
            Self::Address => "look-address",
            Self::Gs1 => "look-gs1",
            Self::Hibc => "look-hibc",
            Self::Envelope => "look-envelope",
            Self::Data => "look-data",
        }
    }

    /// Finds what `text` looks like by itself. `None`: it looks like the name of a lot.
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
        } else if is_sequence_name(text) {
            Some(Self::Order)
        } else {
            None
        }
    }
}

/// Starts of texts for other programs.
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
/// Starts of command barcodes. A valid command was recognised before.
const COMMANDS: [&str; 3] = ["SR-", "O-BTN.", "O-CMD."];
/// Starts of Odoo's command barcodes since version 17, which have seven letters.
const SHORT_COMMANDS: [&str; 2] = ["OBT", "OCD"];

/// Whether a text is the label of another product, or a label that Odoo printed. A text that starts
/// with `10` or `21` must come from a matrix code, because many lots start so.
fn is_element_string(text: &str, symbology: Option<&Symbology>, year: i16) -> bool {
    let matrix = symbology.is_some_and(|own| matches!(own.as_str(), "datamatrix" | "qr"));
    let content = text.get(..2) == Some("02")
        && text
            .get(2..16)
            .is_some_and(|gtin| Gtin::new(gtin).is_some());
    content || LotLabel::of(text, year).is_some_and(|label| matrix || label.elements.is_some())
}

/// Whether a text is a name of Odoo's sequence for packages: `PACK0000012`.
fn is_package(text: &str) -> bool {
    let number = text.strip_prefix("PACK").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text has the form of Odoo's sequences for operations, `WH/IN/00012`. The full name of
/// a location, `WH/Stock/Shelf 1`, has this form, too.
fn is_sequence_name(text: &str) -> bool {
    text.split_once('/').is_some_and(|(warehouse, behind)| {
        warehouse.starts_with(|c: char| c.is_ascii_alphabetic())
            && warehouse.len() <= 10
            && warehouse.chars().all(char::is_alphanumeric)
            && !behind.is_empty()
    })
}

/// The shapes of the names of the site's locations, orders, packages and products.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shapes(BTreeMap<String, Resemblance>);

impl Shapes {
    /// Finds the shapes of names of each kind. A shape of two kinds belongs to the first.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = (Resemblance, Vec<String>)>) -> Self {
        let mut shapes = BTreeMap::new();
        for (resemblance, names) in names {
            for shape in names.iter().filter_map(|name| shape(name)) {
                shapes.entry(shape).or_insert(resemblance);
            }
        }
        Self(shapes)
    }

    /// Finds the kind of the site's names of the same shape as `text`.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Resemblance> {
        self.0.get(&shape(text)?).copied()
    }
}

/// The shape of a name, which all names of one sequence share.
///
/// If the name has a word of two or more letters, numbers may have any length: `LOC-BIN-0001` is
/// `LOC-BIN-#`. Otherwise the number of digits counts, and a single letter between separators may
/// be any letter: `A-01-02` is `@-00-00`. `None`: digits alone, or a name without digits.
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

/// Whether `text` may follow `before` in a series of serial numbers.
#[must_use]
pub fn may_follow(before: &str, text: &str) -> bool {
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
            let resemblance = if text == "Größe/7" {
                Some(Resemblance::Order)
            } else {
                None
            };
            assert_eq!(Resemblance::of(text, None, 2026), resemblance, "{text}");
        }
    }

    #[test]
    fn what_looks_like_something_else_is_named() {
        for (text, resemblance) in [
            ("https://example.com/lot/7", Resemblance::Address),
            ("WWW.example.com", Resemblance::Address),
            ("urn:epc:id:sgtin:9506000.0134352.7", Resemblance::Address),
            ("+A123BJC5D6E71G", Resemblance::Hibc),
            ("+$$3231231LOT7", Resemblance::Hibc),
            (
                "[)>\u{1e}06\u{1d}P123\u{1d}1TLOT\u{1e}\u{4}",
                Resemblance::Envelope,
            ),
            ("LOT\u{1d}7", Resemblance::Data),
            ("{\"lot\":7}", Resemblance::Data),
            ("WH/OUT/00042", Resemblance::Order),
            ("WH/Stock/Shelf 1", Resemblance::Order),
            ("PACK0000012", Resemblance::Package),
            ("00106141412345678908", Resemblance::Package),
            ("SR-FLOW", Resemblance::Command),
            ("sr-reason-damaged", Resemblance::Command),
            ("OBTVALX", Resemblance::Command),
            ("O-BTN.nothing", Resemblance::Command),
            ("0104000000000501101111", Resemblance::Gs1),
            ("0104000000000501", Resemblance::Gs1),
            ("1727063010LOT", Resemblance::Gs1),
            ("02040000000005013712", Resemblance::Gs1),
        ] {
            assert_eq!(
                Resemblance::of(text, None, 2026),
                Some(resemblance),
                "{text}"
            );
        }
        let matrix = Symbology::of("datamatrix");
        assert_eq!(
            Resemblance::of("10LOT", matrix.as_ref(), 2026),
            Some(Resemblance::Gs1)
        );
    }

    #[test]
    fn a_name_of_the_shape_of_a_bin_looks_like_a_bin() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let shapes = Shapes::new([
            (
                Resemblance::Location,
                names(&["LOC-BIN-0001", "A-01-02", "STOCK", "4711"]),
            ),
            (Resemblance::Order, names(&["WH/IN/00012", "P00012"])),
            (Resemblance::Package, names(&["PAL-7"])),
            (Resemblance::Product, names(&["FURN_8855", "PAL-8"])),
        ]);
        for (text, resemblance) in [
            ("LOC-BIN-9999", Some(Resemblance::Location)),
            ("loc-bin-10000", Some(Resemblance::Location)),
            ("G-11-12", Some(Resemblance::Location)),
            ("P00099", Some(Resemblance::Order)),
            ("PAL-8", Some(Resemblance::Package)),
            ("FURN_7", Some(Resemblance::Product)),
            ("FURN_8855-7", None),
            ("LOC-LOT-0001", None),
            ("G-2026-11", None),
            ("L00099", None),
            ("P0099", None),
            ("4712", None),
            ("SHELF", None),
        ] {
            assert_eq!(shapes.find(text), resemblance, "{text}");
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
            assert_eq!(may_follow(before, text), is, "{before} {text}");
        }
    }
}
