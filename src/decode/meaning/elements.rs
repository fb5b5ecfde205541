//! What GS1's elements mean.

use rust_decimal::Decimal;

use super::{Item, Known, Meaning, Unclear};
use crate::decode::gs1::{ElementString, Gtin};

/// The meaning of a GS1 code; nothing where none of its application identifiers says what it is.
pub(super) fn meaning(
    elements: &ElementString,
    known: &dyn Known,
) -> Result<Option<Meaning>, Unclear> {
    if let Some(sscc) = elements.sscc() {
        // (02) says what is inside, and (01) what it is a unit of: both have the lot and the count beside them.
        let inside = elements.content().or_else(|| elements.gtin());
        let content = inside.map(|gtin| item(elements, gtin, known)).transpose()?;
        return Ok(Some(Meaning::Package {
            code: sscc.to_owned(),
            content: content.map(Box::new),
        }));
    }
    if let Some(gtin) = elements.gtin().or_else(|| elements.content()) {
        return item(elements, gtin, known).map(|item| Some(Meaning::Product(item)));
    }
    let owned = |ai: &str| elements.get(ai).map(ToOwned::to_owned);
    Ok(if let Some(code) = owned("414") {
        Some(Meaning::Location { code })
    } else if let Some(name) = owned("400") {
        Some(Meaning::Order { name })
    } else if let Some(name) = owned("21").or_else(|| owned("10")) {
        Some(Meaning::Lot {
            name,
            expiry: elements.expiry(),
        })
    } else {
        count(elements).map(|quantity| Meaning::Quantity { quantity })
    })
}

/// A product with what stands beside its number.
fn item(elements: &ElementString, gtin: Gtin, known: &dyn Known) -> Result<Item, Unclear> {
    let mut found = Vec::new();
    for form in gtin.forms() {
        found.extend(
            known
                .products(form)
                .into_iter()
                .map(|product| (form, product)),
        );
    }
    let (first, others) = match found.split_first() {
        Some((first, others)) => (Some(first), others),
        None => (None, &[][..]),
    };
    if let Some((_, first)) = first
        && let Some((_, other)) = others.iter().find(|(_, other)| other.id != first.id)
    {
        let readings = [&first.name, &other.name].map(|name| format!("product {name}"));
        return Err(Unclear::ambiguous(gtin.as_str(), readings));
    }
    // Unknown, it is named as it is printed: an EAN-13 has no leading zero.
    let printed = gtin
        .forms()
        .find(|form| form.len() <= 13)
        .unwrap_or(gtin.as_str());
    Ok(Item {
        code: first.map_or(printed, |(form, _)| form).to_owned(),
        gtin: Some(gtin.to_string()),
        name: first.map(|(_, product)| product.name.clone()),
        lot: elements.lot().map(ToOwned::to_owned),
        serial: elements.serial().map(ToOwned::to_owned),
        expiry: elements.expiry(),
        quantity: count(elements),
        weight_kg: elements.net_weight_kg(),
        units: first
            .map(|(_, product)| product.units)
            .filter(|units| *units != Decimal::ONE),
        known: first.is_some(),
    })
}

/// (37) of a unit's content, or (30) of an item of variable count.
fn count(elements: &ElementString) -> Option<Decimal> {
    elements
        .count()
        .or_else(|| elements.variable_count())
        .map(Decimal::from)
}
