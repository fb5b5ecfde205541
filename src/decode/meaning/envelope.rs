//! ISO/IEC 15434 messages: `[)>` RS, formats that each start with two digits, EOT.
//!
//! Format 05 holds GS1's application identifiers. Format 06 holds data identifiers (ANSI MH10.8.2),
//! which are read if the profile has `code.data_identifiers`. Other formats are not read.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::{Item, Known, Label, Meaning, Unclear};

const GS: char = '\x1d';
const RS: char = '\x1e';
const EOT: char = '\x04';

/// The formats of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope<'a> {
    /// The two digits of each format, and its data without the separators around it.
    formats: Vec<(&'a str, &'a str)>,
}

impl<'a> Envelope<'a> {
    /// Reads a message. `None`: the text is not such a message.
    pub fn of(text: &'a str) -> Option<Self> {
        let formats = text.strip_prefix("[)>")?.strip_prefix(RS)?;
        let formats = formats.trim_end_matches([RS, EOT]).split(RS);
        let format = |text: &'a str| {
            let (digits, data) = text.split_at_checked(2)?;
            let is_format = digits.bytes().all(|byte| byte.is_ascii_digit());
            is_format.then_some((digits, data.trim_matches(GS)))
        };
        Some(Self {
            formats: formats.filter_map(format).collect(),
        })
    }

    /// The data of the first format with these digits.
    pub fn format(&self, digits: &str) -> Option<&'a str> {
        let mut formats = self.formats.iter();
        formats
            .find(|(own, _)| *own == digits)
            .map(|(_, data)| *data)
    }
}

/// The data identifiers of one message.
#[derive(Debug, Default)]
struct DataIdentifiers<'a> {
    /// P, the customer's, and 1P, the supplier's number of the product.
    products: Vec<&'a str>,
    quantity: Option<&'a str>,
    serial: Option<&'a str>,
    lot: Option<&'a str>,
    /// 14D: year, month and day.
    expiry: Option<&'a str>,
}

/// Reads format 06. `None`: it has no data identifier that is read here.
pub(super) fn by_data_identifiers(
    data: &str,
    known: &dyn Known,
) -> Result<Option<(Meaning, Label)>, Unclear> {
    let fields = DataIdentifiers::of(data)?;
    let wrong = |identifier: &str, value: &str, accepted: &'static str| Unclear::DataIdentifier {
        identifier: identifier.to_owned(),
        value: value.to_owned(),
        accepted,
    };
    let quantity = match fields.quantity {
        None => None,
        Some(text) => {
            let number: Option<Decimal> = text.trim().parse().ok();
            let number = number.filter(|number| *number > Decimal::ZERO);
            Some(number.ok_or_else(|| wrong("Q", text, "a number above 0"))?)
        }
    };
    let expiry = match fields.expiry {
        None => None,
        Some(text) => {
            let day = Date::strptime("%Y%m%d", text);
            Some(day.map_err(|_| wrong("14D", text, "a day such as 20270531"))?)
        }
    };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let meaning = if let Some(first) = fields.products.first() {
        let (code, product) = match product(&fields.products, known)? {
            Some((code, product)) => (code, Some(product)),
            None => (*first, None),
        };
        Meaning::Product(Item {
            code: code.to_owned(),
            name: product.as_ref().map(|product| product.name.clone()),
            lot: owned(fields.lot),
            serial: owned(fields.serial),
            expiry,
            quantity,
            units: product
                .as_ref()
                .map(|product| product.units)
                .filter(|units| *units != Decimal::ONE),
            known: product.is_some(),
            ..Item::default()
        })
    } else if let Some(name) = fields.serial.or(fields.lot) {
        Meaning::Lot {
            name: name.to_owned(),
            expiry,
        }
    } else if let Some(quantity) = quantity {
        Meaning::Quantity { quantity }
    } else {
        return Ok(None);
    };
    let label = Label {
        batch: owned(fields.lot),
        serial: owned(fields.serial),
        ..Label::default()
    };
    Ok(Some((meaning, label)))
}

impl<'a> DataIdentifiers<'a> {
    fn of(data: &'a str) -> Result<Self, Unclear> {
        let mut fields = Self::default();
        for field in data.split(GS) {
            let digits = field.bytes().take_while(u8::is_ascii_digit).count();
            let is_letter = |c: char| c.is_ascii_uppercase();
            if digits > 3 || !field[digits..].starts_with(is_letter) || field.len() <= digits + 1 {
                continue;
            }
            let (identifier, value) = field.split_at(digits + 1);
            let place = match identifier {
                "P" | "1P" => {
                    fields.products.push(value);
                    continue;
                }
                "Q" => &mut fields.quantity,
                "S" => &mut fields.serial,
                "1T" => &mut fields.lot,
                "14D" => &mut fields.expiry,
                _ => continue,
            };
            match place.replace(value) {
                Some(first) if first != value => {
                    return Err(Unclear::DataIdentifier {
                        identifier: identifier.to_owned(),
                        value: value.to_owned(),
                        accepted: "one value",
                    });
                }
                _ => {}
            }
        }
        Ok(fields)
    }
}

/// The product that Odoo has under one of these numbers; two products are refused.
fn product<'a>(
    codes: &[&'a str],
    known: &dyn Known,
) -> Result<Option<(&'a str, super::KnownProduct)>, Unclear> {
    let found = codes
        .iter()
        .flat_map(|code| known.products(code).into_iter().map(|one| (*code, one)));
    let mut found: Vec<_> = found.collect();
    if let Some((_, first)) = found.first()
        && let Some((code, other)) = found.iter().find(|(_, other)| other.id != first.id)
    {
        let readings = [&first.name, &other.name].map(|name| format!("product {name}"));
        return Err(Unclear::ambiguous(code, readings));
    }
    found.truncate(1);
    Ok(found.pop())
}
