//! Lists the meanings of a text in the copy of Odoo's data, and guesses one by its form.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::measures::{Measured, set_quantity};
use super::{By, Item, Known, KnownProduct, Meaning, Unclear, UnitOf};
use crate::decode::gs1::{Gtin, Unit, is_sscc};
use crate::decode::nomenclature::{Found, Value};
use crate::decode::profile::{Kind, Symbology};

/// A form of a code under which Odoo may have a product, with the facts of that form.
struct CodeForm {
    code: String,
    item: Item,
    measured: Vec<Measured>,
}

/// Reads a text as an item number. `None`: the text is not an item number.
///
/// Eight digits may be an EAN-8, a UPC-E or any number: the scanner must report which.
pub(super) fn read_gtin(text: &str, symbology: Option<&Symbology>) -> Option<Gtin> {
    match (symbology.map(Symbology::as_str), text.len()) {
        // UPC-E shares AIM's identifier with EAN-13; EAN-8 has another one.
        (Some("upce"), _) | (Some("ean13"), 8) => Gtin::from_upc_e(text),
        (Some("ean8"), 8) | (_, 12..=14) => Gtin::new(text),
        _ => None,
    }
}

/// Returns the EAN or UPC before an add-on of two or five digits, by the length of the text and the
/// check digit before the add-on. Without a symbology only an EAN-13 counts.
pub(super) fn strip_add_on<'t>(text: &'t str, symbology: Option<&Symbology>) -> Option<&'t str> {
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

/// Lists the products that the copy of Odoo's data has under the forms of a text, each once, with
/// the facts from the nomenclature.
pub(super) fn list_products(
    text: &str,
    gtin: Option<Gtin>,
    found: Option<&Found<'_>>,
    known: &dyn Known,
) -> Result<Vec<(KnownProduct, Item)>, Unclear> {
    let mut products = BTreeMap::new();
    for candidate in list_candidates(text, gtin, found) {
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
            set_quantity(&mut item, &product, &candidate.measured, known)?;
            products.insert(product.id, (product, item));
        }
    }
    Ok(products.into_values().collect())
}

fn list_candidates(text: &str, gtin: Option<Gtin>, found: Option<&Found<'_>>) -> Vec<CodeForm> {
    let plain = |code: &str| CodeForm {
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
        // Without a number, the rule means only that the text is a product.
        all.push(match found.value {
            Value::Number(_) => CodeForm {
                code: found.base_code.clone(),
                item: measured_item(found),
                measured: read_weight(found).into_iter().collect(),
            },
            _ => plain(&found.base_code),
        });
    }
    all.push(plain(text));
    all.extend(gtin.iter().flat_map(Gtin::forms).map(plain));
    all
}

/// Builds the product of a rule: its base code, with the weight from the number.
pub(super) fn measured_item(found: &Found<'_>) -> Item {
    let weight = read_weight(found);
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

/// Reads the number of a rule for weights.
fn read_weight(found: &Found<'_>) -> Option<Measured> {
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

/// Lists the meanings of a text in the copy of Odoo's data, other than products.
pub(super) fn list_others(text: &str, code: &str, known: &dyn Known) -> Vec<(Meaning, String)> {
    let mut all = Vec::new();
    // A rule may have changed the code, as an alias does: both are looked up, and the same location
    // counts once.
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

/// Guesses the meaning of an unknown text: by the symbology that the scanner reports, by the
/// nomenclature, and by its form.
pub(super) fn guess_by_form(
    text: &str,
    gtin: Option<Gtin>,
    symbology: Option<&Symbology>,
    found: Option<&Found<'_>>,
) -> (Meaning, By) {
    let item = |gtin: Gtin| {
        // A text that is not an item number itself is a UPC-E, which Odoo stores as its UPC-A.
        let is_unchanged = Gtin::new(text) == Some(gtin);
        Meaning::Product(Item {
            code: if is_unchanged {
                text.to_owned()
            } else {
                upc(gtin)
            },
            gtin: Some(gtin.to_string()),
            ..Item::default()
        })
    };
    let own = gtin.filter(|gtin| !gtin.is_restricted());
    // An EAN is an item number, even if a rule such as Odoo's `10` for lots matches its first
    // digits.
    if let Some(gtin) = own.filter(|_| symbology.is_some_and(Symbology::is_item_number)) {
        return (item(gtin), By::Form);
    }
    if let Some(meaning) = found.and_then(|found| apply_rule(found, text)) {
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

/// Returns the 12 digits of a UPC-A.
fn upc(gtin: Gtin) -> String {
    gtin.as_str()[2..].to_owned()
}

/// Whether a pattern matches everything. Odoo's last rule does, so it gives no meaning.
fn is_catch_all(pattern: &str) -> bool {
    matches!(
        pattern.trim_start_matches('^').trim_end_matches('$'),
        "" | ".*" | ".+" | "(.*)" | "(.+)"
    )
}

/// Finds the meaning of a text by the rule that matches it. `None`: the rule gives no meaning.
pub(super) fn apply_rule(found: &Found<'_>, text: &str) -> Option<Meaning> {
    if is_catch_all(&found.rule.pattern) {
        return None;
    }
    let code = found.code.clone();
    Some(match found.rule.kind.as_str() {
        kind if is_product(kind) => Meaning::Product(measured_item(found)),
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

/// Builds the meaning of a code of this kind. `None`: the code should be a quantity and is not a
/// number.
pub(super) fn build_meaning(kind: Kind, code: String) -> Option<Meaning> {
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
