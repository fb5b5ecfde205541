//! The readings of a text that the copy of Odoo's data knows, and what its form says where that
//! knows nothing.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::measures::{Measured, settle};
use super::{By, Item, Known, KnownProduct, Meaning, Unclear, UnitOf};
use crate::decode::gs1::{Gtin, Unit, is_sscc};
use crate::decode::nomenclature::{Found, Value};
use crate::decode::profile::{Kind, Symbology};

/// A code under which a product may be known, and what that way of looking at it says besides.
struct Candidate {
    code: String,
    item: Item,
    measured: Vec<Measured>,
}

/// The item number that a text is, if it is one.
///
/// Eight digits may be an EAN-8, a UPC-E or any number: they count where the scanner says which.
pub(super) fn gtin(text: &str, symbology: Option<&Symbology>) -> Option<Gtin> {
    match (symbology.map(Symbology::as_str), text.len()) {
        // UPC-E has AIM's identifier of the EAN family, in which EAN-8 has one of its own.
        (Some("upce"), _) | (Some("ean13"), 8) => Gtin::from_upc_e(text),
        (Some("ean8"), 8) | (_, 12..=14) => Gtin::new(text),
        _ => None,
    }
}

/// The EAN or UPC before an add-on of two or five digits, by the length of a text and the check
/// digit of what is before the add-on. Without a symbology only an EAN-13 is looked for.
pub(super) fn main_symbol<'t>(text: &'t str, symbology: Option<&Symbology>) -> Option<&'t str> {
    let lengths: &[usize] = match symbology.map(Symbology::as_str) {
        Some("ean13" | "upca") => &[13, 12],
        Some("upce") => &[13, 12, 8],
        None => &[13],
        _ => return None,
    };
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let main = |length: &usize| {
        let (main, add_on) = text.split_at_checked(*length)?;
        let is_item = match length {
            8 => Gtin::from_upc_e(main).is_some(),
            _ => Gtin::new(main).is_some(),
        };
        (matches!(add_on.len(), 2 | 5) && is_item).then_some(main)
    };
    lengths.iter().find_map(main)
}

/// Every product that the copy knows under a text's forms, each once, with what the nomenclature
/// says about it.
pub(super) fn products(
    text: &str,
    gtin: Option<Gtin>,
    found: Option<&Found<'_>>,
    known: &dyn Known,
) -> Result<Vec<(KnownProduct, Item)>, Unclear> {
    let mut products = BTreeMap::new();
    for candidate in candidates(text, gtin, found) {
        for product in known.products(&candidate.code) {
            if products.contains_key(&product.id) {
                continue;
            }
            let mut item = Item {
                name: Some(product.name.clone()),
                units: (product.units != Decimal::ONE).then_some(product.units),
                known: true,
                ..candidate.item.clone()
            };
            settle(&mut item, &product, &candidate.measured, known)?;
            products.insert(product.id, (product, item));
        }
    }
    Ok(products.into_values().collect())
}

fn candidates(text: &str, gtin: Option<Gtin>, found: Option<&Found<'_>>) -> Vec<Candidate> {
    let plain = |code: &str| Candidate {
        code: code.to_owned(),
        item: Item {
            code: code.to_owned(),
            gtin: gtin.map(|gtin| gtin.to_string()),
            ..Item::default()
        },
        measured: Vec::new(),
    };
    let mut all = Vec::new();
    if let Some(found) = found.filter(|found| is_product(&found.rule.kind)) {
        // Without a number in it, the rule says no more than that it is a product.
        all.push(match found.value {
            Value::Number(_) => Candidate {
                code: found.base_code.clone(),
                item: measured(found),
                measured: weight(found).into_iter().collect(),
            },
            _ => plain(&found.base_code),
        });
    }
    all.push(plain(text));
    all.extend(gtin.iter().flat_map(Gtin::forms).map(plain));
    all
}

/// What a rule for products says: its base code, with what is in the place of its number.
pub(super) fn measured(found: &Found<'_>) -> Item {
    let weight = weight(found);
    let weight_kg = weight
        .filter(|weight| weight.unit == UnitOf::Gs1(Unit::Kilogram))
        .map(|weight| weight.value);
    let name = weight_kg.map_or("net_lb", |_| "net_kg");
    let net = weight.map(|weight| (name.to_owned(), weight.value));
    Item {
        code: found.base_code.clone(),
        weight_kg,
        measures: net.into_iter().collect(),
        is_measured: weight.is_some(),
        ..Item::default()
    }
}

/// The number of a rule for weights.
fn weight(found: &Found<'_>) -> Option<Measured> {
    match &found.value {
        Value::Number(number) if found.rule.kind == "weight" => {
            Some(Measured::gs1(*number, found.rule.weight))
        }
        _ => None,
    }
}

fn is_product(kind: &str) -> bool {
    matches!(kind, "product" | "weight" | "price" | "discount")
}

/// What the copy knows a text as, other than products.
pub(super) fn others(text: &str, code: &str, known: &dyn Known) -> Vec<(Meaning, String)> {
    let mut all = Vec::new();
    // A rule may have cut the code, as an alias does: both are tried, and the same place counts
    // once.
    let codes: &[&str] = if code == text { &[text] } else { &[text, code] };
    for &code in codes {
        let owned = || code.to_owned();
        all.extend(known.locations(code).into_iter().map(|name| {
            (
                Meaning::Location { code: owned() },
                format!("location {name}"),
            )
        }));
        let package = |name| {
            (
                Meaning::Package {
                    code: owned(),
                    content: None,
                },
                format!("package {name}"),
            )
        };
        all.extend(known.packages(code).into_iter().map(package));
        all.extend(
            known
                .orders(code)
                .into_iter()
                .map(|name| (Meaning::Order { name: owned() }, format!("order {name}"))),
        );
        if known.has_lot(code) {
            all.push((
                Meaning::Lot {
                    name: owned(),
                    expiry: None,
                },
                format!("lot {code}"),
            ));
        }
    }
    all.dedup_by(|one, other| one.1 == other.1);
    all
}

/// What a text is taken for that nobody knows: by the scanner's word, the nomenclature, and its own
/// form.
pub(super) fn by_form(
    text: &str,
    gtin: Option<Gtin>,
    symbology: Option<&Symbology>,
    found: Option<&Found<'_>>,
) -> (Meaning, By) {
    let item = |gtin: Gtin| {
        // What is no item number as it stands is a UPC-E, which is stored as the UPC-A that it
        // stands for.
        let as_it_stands = Gtin::new(text) == Some(gtin);
        Meaning::Product(Item {
            code: if as_it_stands {
                text.to_owned()
            } else {
                upc(gtin)
            },
            gtin: Some(gtin.to_string()),
            ..Item::default()
        })
    };
    let own = gtin.filter(|gtin| !gtin.is_restricted());
    // An EAN is an item number, whatever a rule such as Odoo's `10` for lots says of its first
    // digits.
    if let Some(gtin) = own.filter(|_| symbology.is_some_and(Symbology::is_item_number)) {
        return (item(gtin), By::Form);
    }
    if let Some(meaning) = found.and_then(|found| by_rule(found, text)) {
        return (meaning, By::Nomenclature);
    }
    if let Some(gtin) = gtin {
        return (item(gtin), By::Form);
    }
    if is_sscc(text) && !symbology.is_some_and(Symbology::is_item_number) {
        return (
            Meaning::Package {
                code: text.to_owned(),
                content: None,
            },
            By::Form,
        );
    }
    (
        Meaning::Unknown {
            text: text.to_owned(),
        },
        By::Nobody,
    )
}

/// The 12 digits of a UPC-A.
fn upc(gtin: Gtin) -> String {
    gtin.as_str()[2..].to_owned()
}

/// Odoo's last rule takes everything for a product: that says nothing.
fn is_catch_all(pattern: &str) -> bool {
    matches!(
        pattern.trim_start_matches('^').trim_end_matches('$'),
        "" | ".*" | ".+" | "(.*)" | "(.+)"
    )
}

/// What Odoo's word for a rule means here.
pub(super) fn by_rule(found: &Found<'_>, text: &str) -> Option<Meaning> {
    if is_catch_all(&found.rule.pattern) {
        return None;
    }
    let code = found.code.clone();
    Some(match found.rule.kind.as_str() {
        kind if is_product(kind) => Meaning::Product(measured(found)),
        "location" | "location_dest" => Meaning::Location { code },
        "package" => Meaning::Package {
            code,
            content: None,
        },
        "lot" => Meaning::Lot {
            name: code,
            expiry: None,
        },
        "cashier" => Meaning::Operator {
            badge: text.to_owned(),
        },
        "quantity" => match &found.value {
            Value::Number(quantity) => Meaning::Quantity {
                quantity: *quantity,
            },
            _ => return None,
        },
        _ => return None,
    })
}

/// What the profile's own word makes of a code; nothing where it says quantity and there is none.
pub(super) fn of_kind(kind: Kind, code: String) -> Option<Meaning> {
    Some(match kind {
        Kind::Product => Meaning::Product(Item {
            code,
            ..Item::default()
        }),
        Kind::Location => Meaning::Location { code },
        Kind::Package => Meaning::Package {
            code,
            content: None,
        },
        Kind::Order => Meaning::Order { name: code },
        Kind::Lot => Meaning::Lot {
            name: code,
            expiry: None,
        },
        Kind::Operator => Meaning::Operator { badge: code },
        Kind::Quantity => Meaning::Quantity {
            quantity: code
                .parse()
                .ok()
                .filter(|quantity| *quantity > Decimal::ZERO)?,
        },
    })
}
