//! Reads the labels that Odoo prints for lots and packages: GS1 elements in a DataMatrix that is
//! not marked as GS1 data.
//!
//! Odoo 19 writes `01` and the product's EAN in 14 digits, `15` and `17` with dates, and, last,
//! `10` or `21` with the name of the lot or serial number, without FNC1 (`stock.report_lot_label`,
//! `stock.label_lot_template_view`, `product_expiry.report_lot_label_expiry`). The label of a quant
//! has its quantity before the name, `30` in 8 digits or a measure in 6, and no name for a product
//! that is not tracked (`stock.quant._get_gs1_barcode`). A product without an EAN has no `01`. The
//! name may have characters and lengths that GS1 does not allow.

use super::{Context, Meaning, Unclear, elements};
use crate::decode::gs1::{ElementString, is_sscc, parse};
use crate::decode::profile::split_aim;

/// A text in the form in which Odoo prints the label of a lot or serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotLabel<'a> {
    /// The elements before the name. `None`: the label has only the name.
    pub elements: Option<ElementString>,
    /// The name of the lot or serial number. `None`: the label of a product that is not tracked.
    pub name: Option<&'a str>,
    /// Whether the name is a serial number (`21`).
    pub is_serial: bool,
}

impl<'a> LotLabel<'a> {
    /// Reads a label. `None`: the text has another form, or a value before the name is not valid.
    #[must_use]
    pub fn of(text: &'a str, year: i16) -> Option<Self> {
        let text = split_aim(text).map_or(text, |(_, behind)| behind);
        let mut rest = text;
        let (is_serial, name) = loop {
            if rest.is_empty() {
                break (false, None);
            }
            let length = match rest.get(..2)? {
                "10" => break (false, Some(&rest[2..])),
                "21" => break (true, Some(&rest[2..])),
                "01" => 16,
                "15" | "17" => 8,
                "30" | "31" | "32" | "33" | "34" | "35" | "36" => 10,
                _ => return None,
            };
            rest = rest.get(length..)?;
        };
        if name.is_some_and(|name| name.is_empty() || name.chars().any(char::is_control)) {
            return None;
        }
        let head = &text[..text.len() - rest.len()];
        let elements = match head {
            "" => None,
            head => Some(parse(&add_separators(head), year).ok()?),
        };
        let label = Self {
            elements,
            name,
            is_serial,
        };
        (label.name.is_some() || label.has_product()).then_some(label)
    }

    /// Whether the label names a product.
    #[must_use]
    pub fn has_product(&self) -> bool {
        self.elements
            .as_ref()
            .is_some_and(|elements| elements.gtin().is_some())
    }
}

/// Adds a GS after the one value whose length is not predefined: `30` and 8 digits.
fn add_separators(head: &str) -> String {
    let mut marked = String::new();
    let mut rest = head;
    while let Some(ai) = rest.get(..2) {
        let length = match ai {
            "01" => 16,
            "15" | "17" => 8,
            _ => 10,
        };
        let (element, behind) = rest.split_at(length.min(rest.len()));
        marked += element;
        if ai == "30" {
            marked.push('\x1d');
        }
        rest = behind;
    }
    marked
}

/// Reads the label that Odoo prints for a package whose name is an SSCC: `00` and 18 digits, then a
/// date and a weight (`stock.label_package_template_view`).
fn read_package_label(text: &str, year: i16) -> Option<ElementString> {
    let text = split_aim(text).map_or(text, |(_, behind)| behind);
    let sscc = text
        .strip_prefix("00")
        .and_then(|behind| behind.get(..18))?;
    is_sscc(sscc).then(|| parse(text, year).ok())?
}

impl Context<'_> {
    /// Finds the meaning of a label that Odoo printed for a package, or for a lot whose product the
    /// copy of Odoo's data has.
    pub(super) fn read_lot_label(&self, text: &str) -> Result<Option<Meaning>, Unclear> {
        if let Some(elements) = read_package_label(text, self.year) {
            let meaning = elements::find_meaning(&elements, self)?;
            return Ok(meaning.map(|(meaning, _)| meaning));
        }
        let label = LotLabel::of(text, self.year);
        let Some(label) = label.filter(LotLabel::has_product) else {
            return Ok(None);
        };
        let Some(elements) = &label.elements else {
            return Ok(None);
        };
        let Some((Meaning::Product(mut item), _)) = elements::find_meaning(elements, self)? else {
            return Ok(None);
        };
        let name = label.name.map(ToOwned::to_owned);
        if label.is_serial {
            item.serial = name;
        } else {
            item.lot = name;
        }
        Ok(item.known.then_some(Meaning::Product(item)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(Option<String>, Option<&str>, bool)> {
        let label = LotLabel::of(text, 2026)?;
        let elements = label.elements.map(|elements| elements.to_bracketed());
        Some((elements, label.name, label.is_serial))
    }

    #[test]
    fn what_odoo_prints_is_read() {
        for (text, elements, name, is_serial) in [
            (
                "0104000000000501101111",
                "(01)04000000000501",
                "1111",
                false,
            ),
            (
                "]d10104000000000501101111",
                "(01)04000000000501",
                "1111",
                false,
            ),
            (
                "010400000000050121SN 7/a",
                "(01)04000000000501",
                "SN 7/a",
                true,
            ),
            (
                "010400000000050115270531172706301010-7",
                "(01)04000000000501(15)270531(17)270630",
                "10-7",
                false,
            ),
            (
                "17270630010400000000050130000000121021",
                "(17)270630(01)04000000000501(30)00000012",
                "21",
                false,
            ),
            (
                "0104000000000501310300125010A",
                "(01)04000000000501(3103)001250",
                "A",
                false,
            ),
            ("010400000000050130000000 12", "", "", false),
            (
                "01040000000005013000000012",
                "(01)04000000000501(30)00000012",
                "",
                false,
            ),
            ("0104000000000501", "(01)04000000000501", "", false),
            ("10LOT-7", "", "LOT-7", false),
            ("1727063021SN-7", "(17)270630", "SN-7", true),
        ] {
            let some = |text: &'static str| (!text.is_empty()).then_some(text);
            let expected = (some(elements), some(name)) != (None, None);
            let expected =
                expected.then(|| (some(elements).map(str::to_owned), some(name), is_serial));
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_otherwise_is_no_label() {
        for text in [
            "",
            "LOT-7",
            "15270531",
            "010400000000050110",
            "0104000000000502101111", // the check digit is wrong
            "152799311011",           // there is no such day
            "0104000000000501\u{1d}10A",
            "0104000000000501é10A",
            "01040000000005é",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
