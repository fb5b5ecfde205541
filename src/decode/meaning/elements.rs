//! Finds the meaning of GS1 elements: by GS1's rules, and for the other elements by the site's GS1
//! nomenclature in Odoo.

use std::fmt::Display;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::measures::{Measured, set_quantity};
use super::{By, Context, Fit, Item, Known, KnownProduct, Meaning, Unclear, UnitOf};
use crate::decode::gs1::{Element, ElementString, Gtin, Unit};
use crate::decode::nomenclature::{Found, Value};
use crate::event::Measures;
use crate::odoo_id::ProductId;

/// Application identifiers that always have GS1's meaning: the gateway applies no rule of the site
/// to them.
const GS1_DEFINED: [&str; 12] = [
    "00", "01", "02", "10", "17", "21", "30", "310n", "37", "400", "414", "7003",
];

/// One meaning that the elements give a code, with its source and a description.
struct Candidate {
    meaning: Meaning,
    /// The id of the product. `None`: the meaning is not a known product.
    product: Option<ProductId>,
    by: By,
    description: String,
}

/// The facts in a code apart from what it identifies.
struct Details {
    lot: Option<String>,
    serial: Option<String>,
    expiry: Option<Date>,
    quantity: Option<Decimal>,
    weight_kg: Option<Decimal>,
    /// The count of (37), or a rule's quantity without a unit: in the unit of the code.
    count: Option<Decimal>,
    /// The count of (37) alone.
    items: Option<Decimal>,
    /// Measures that may be the product's quantity: GS1's first, then those of the site's rules.
    measures: Vec<Measured>,
    /// Weights and dimensions as printed.
    printed: Measures,
}

/// Finds the meaning of a GS1 code, and its source. `None`: no application identifier gives one.
pub(super) fn find_meaning(
    elements: &ElementString,
    context: &Context<'_>,
) -> Result<Option<(Meaning, By)>, Unclear> {
    let found = apply_rules(elements, context);
    let details = Details::of(elements, &found)?;
    let mut thing = identify_by_gs1(elements, &details, context.known)?;
    for found in &found {
        let Some(new) = identify_by_rule(found, &details, context.known)? else {
            continue;
        };
        thing = Some(match thing {
            None => new,
            Some(known) => merge(elements, known, new)?,
        });
    }
    let thing = thing.map(|thing| (thing.meaning, thing.by));
    match thing.or_else(|| find_destination(&found)) {
        Some(thing) => Ok(Some(thing)),
        None => details.into_meaning(elements, context.known),
    }
}

/// Applies the site's rules to the elements whose meaning GS1 does not define, in the order of the
/// code.
fn apply_rules<'a>(elements: &ElementString, context: &Context<'a>) -> Vec<Found<'a>> {
    let Some(nomenclature) = context.nomenclature else {
        return Vec::new();
    };
    let left = |element: &&Element| {
        !GS1_DEFINED
            .iter()
            .any(|pattern| element.ai.matches(pattern))
    };
    let left = elements.elements().iter().filter(left);
    left.filter_map(|Element { ai, value }| nomenclature.element(ai.as_str(), value, context.year))
        .collect()
}

/// Finds what a code identifies by GS1's rules. `None`: GS1's rules name nothing.
fn identify_by_gs1(
    elements: &ElementString,
    details: &Details,
    known: &dyn Known,
) -> Result<Option<Candidate>, Unclear> {
    let thing = |meaning: Meaning, ai: &str| {
        let description = format!("{} by ({ai})", describe(&meaning));
        Some(Candidate {
            meaning,
            product: None,
            by: By::Gs1,
            description,
        })
    };
    if let Some(sscc) = elements.sscc() {
        // (02) is the content, and (01) the trade item of the unit: the lot and count of both
        // follow.
        let inside = elements.content().or_else(|| elements.gtin());
        let content = inside
            .map(|gtin| details.build_item(gtin.as_str(), known))
            .transpose()?;
        let package = Meaning::Package {
            code: sscc.to_owned(),
            content: content.map(|(item, _)| Box::new(item)),
        };
        return Ok(thing(package, "00"));
    }
    for (ai, gtin) in [("01", elements.gtin()), ("02", elements.content())] {
        if let Some(gtin) = gtin {
            let (item, product) = details.build_item(gtin.as_str(), known)?;
            let thing = thing(Meaning::Product(item), ai);
            return Ok(thing.map(|thing| Candidate { product, ..thing }));
        }
    }
    let owned = |ai: &str| elements.get(ai).map(ToOwned::to_owned);
    Ok(if let Some(code) = owned("414") {
        thing(Meaning::Location { code }, "414")
    } else if let Some(name) = owned("400") {
        thing(Meaning::Order { name }, "400")
    } else {
        None
    })
}

/// Finds what a code identifies by a rule of the site. `None`: the rule is about another fact.
fn identify_by_rule(
    found: &Found<'_>,
    details: &Details,
    known: &dyn Known,
) -> Result<Option<Candidate>, Unclear> {
    let code = found.code.clone();
    let mut product = None;
    let meaning = match found.rule.kind.as_str() {
        "product" => {
            let (item, id) = details.build_item(&code, known)?;
            product = id;
            Meaning::Product(item)
        }
        "location" => Meaning::Location { code },
        "package" => Meaning::Package {
            code,
            content: None,
        },
        "cashier" => Meaning::Operator { badge: code },
        _ => return Ok(None),
    };
    let description = describe_rule(&describe(&meaning), found);
    Ok(Some(Candidate {
        meaning,
        product,
        by: By::Nomenclature,
        description,
    }))
}

/// Merges two meanings into one. The error names both if they differ.
fn merge(elements: &ElementString, known: Candidate, new: Candidate) -> Result<Candidate, Unclear> {
    let same_product = known.product.is_some() && known.product == new.product;
    match (known.meaning, new.meaning) {
        (one, other) if one == other || same_product => Ok(Candidate {
            meaning: one,
            ..known
        }),
        (
            Meaning::Package { code, content },
            Meaning::Package {
                code: other,
                content: None,
            },
        ) if code == other => Ok(Candidate {
            meaning: Meaning::Package { code, content },
            ..known
        }),
        // (02) is the content of a package, and a rule of the site may name that package.
        (Meaning::Product(item), Meaning::Package { code, .. })
            if elements.gtin().is_none() && elements.content().is_some() =>
        {
            let content = Some(Box::new(item));
            Ok(Candidate {
                meaning: Meaning::Package { code, content },
                ..new
            })
        }
        _ => Err(contradiction(elements, known.description, new.description)),
    }
}

/// Uses the destination as the meaning of a code that identifies nothing else.
fn find_destination(found: &[Found<'_>]) -> Option<(Meaning, By)> {
    let found = found.iter().find(|f| f.rule.kind == "location_dest")?;
    let code = found.code.clone();
    Some((Meaning::Location { code }, By::Nomenclature))
}

impl Details {
    /// Reads the facts, GS1's first. A rule of the site that contradicts them is an error.
    fn of(elements: &ElementString, found: &[Found<'_>]) -> Result<Self, Unclear> {
        let mut details = Self {
            lot: elements.lot().map(ToOwned::to_owned),
            serial: elements.serial().map(ToOwned::to_owned),
            expiry: elements.expiry(),
            // (37) of a unit's content, or (30) of an item of variable count.
            quantity: (elements.count().or_else(|| elements.variable_count())).map(Decimal::from),
            weight_kg: elements.net_weight_kg(),
            count: elements.count().map(Decimal::from),
            items: elements.count().map(Decimal::from),
            measures: Vec::new(),
            printed: Measures::new(),
        };
        for (kind, value) in elements.measures() {
            details
                .printed
                .insert(kind.name.to_owned(), value.normalize());
            let is_ruled = |found: &Found<'_>| {
                let ai = found.ai.as_deref().unwrap_or_default();
                ai.starts_with(kind.ai) && found.rule.uom.is_some()
            };
            if kind.is_quantity && !found.iter().any(is_ruled) {
                details.measures.push(Measured::gs1(value, kind.unit));
            }
        }
        // (30) counts the items inside; (37) counts units of the code.
        if let Some(count) = elements
            .variable_count()
            .filter(|_| details.count.is_none())
        {
            details
                .measures
                .push(Measured::gs1(count.into(), Unit::Piece));
        }
        for found in found {
            let kind = found.rule.kind.as_str();
            let code = found.code.clone();
            match (kind, &found.value) {
                ("lot", _) => set_once(&mut details.lot, code, found, elements)?,
                ("expiration_date", Value::Date(date)) => {
                    set_once(&mut details.expiry, *date, found, elements)?;
                }
                ("weight" | "quantity", Value::Number(number)) => {
                    details.add_number(*number, found, elements)?;
                }
                _ => {}
            }
        }
        Ok(details)
    }

    /// Adds a weight or quantity that a rule of the site reads.
    fn add_number(
        &mut self,
        number: Decimal,
        found: &Found<'_>,
        elements: &ElementString,
    ) -> Result<(), Unclear> {
        let unit = found.rule.uom.map(UnitOf::Id);
        let is_weight = found.rule.kind == "weight";
        if unit.is_none() && !is_weight {
            set_once(&mut self.quantity, number, found, elements)?;
            self.count = Some(number);
            return Ok(());
        }
        let unit = unit.unwrap_or(UnitOf::Gs1(found.rule.weight));
        if unit == UnitOf::Gs1(Unit::Kilogram) {
            set_once(&mut self.weight_kg, number, found, elements)?;
        }
        let value = number;
        self.measures.push(Measured { value, unit });
        Ok(())
    }

    /// Finds the meaning of a code that identifies nothing: a lot or quantity alone, and its
    /// source.
    fn into_meaning(
        self,
        elements: &ElementString,
        known: &dyn Known,
    ) -> Result<Option<(Meaning, By)>, Unclear> {
        let expiry = self.expiry;
        let (meaning, gs1_identifiers) = if let Some(name) = self.serial.or(self.lot) {
            (Meaning::Lot { name, expiry }, ["10", "21"])
        } else {
            let Some(quantity) = self.quantity else {
                return Ok(None);
            };
            (Meaning::Quantity { quantity }, ["30", "37"])
        };
        let is_by_gs1 = gs1_identifiers.iter().any(|ai| elements.get(ai).is_some());
        if let Meaning::Quantity { quantity } = meaning
            && is_by_gs1
            && let Some(product) = known.last_without_pieces()
        {
            let measure = Measured::gs1(quantity, Unit::Piece).describe();
            return Err(Unclear::Measure { product, measure });
        }
        let by = if is_by_gs1 { By::Gs1 } else { By::Nomenclature };
        Ok(Some((meaning, by)))
    }

    /// Builds a product with these facts, and its id if the copy of Odoo's data has it.
    fn build_item(
        &self,
        code: &str,
        known: &dyn Known,
    ) -> Result<(Item, Option<ProductId>), Unclear> {
        let gtin = Gtin::new(code).filter(|_| code.len() == 14);
        let forms: Vec<&str> = match &gtin {
            Some(gtin) => gtin.forms().collect(),
            None => vec![code],
        };
        let found = find_product(code, &forms, known)?;
        // An unknown product has the code as printed: an EAN-13 has no leading zero.
        let printed = forms.iter().find(|form| form.len() <= 13);
        let printed = printed.copied().unwrap_or(code);
        let product = found.as_ref().map(|(_, product)| product);
        let mut item = Item {
            code: found.as_ref().map_or(printed, |(form, _)| form).to_owned(),
            gtin: gtin.map(|gtin| gtin.to_string()),
            name: product.map(|product| product.name.clone()),
            lot: self.lot.clone(),
            serial: self.serial.clone(),
            expiry: self.expiry,
            best_before: None,
            quantity: self.count,
            weight_kg: self.weight_kg,
            measures: self.printed.clone(),
            is_measured: self.measures.iter().any(|measured| !measured.is_count()),
            units: product
                .map(|product| product.units)
                .filter(|units| *units != Decimal::ONE),
            known: product.is_some(),
        };
        if let Some(product) = product {
            set_quantity(&mut item, product, &self.measures, known)?;
            self.check_items(&item, product, known)?;
        } else {
            // The product's unit is unknown: items are counted in the unit of the code.
            let items = self.measures.iter().find(|measured| measured.is_count());
            item.quantity = item.quantity.or(items.map(|items| items.value));
        }
        Ok((item, product.map(|product| product.id)))
    }

    /// Checks that the count of (37) can be a quantity. It cannot if the code stands for one
    /// kilogram of the product, for example.
    fn check_items(
        &self,
        item: &Item,
        product: &KnownProduct,
        known: &dyn Known,
    ) -> Result<(), Unclear> {
        let (Some(items), Some(own)) = (self.items, product.unit) else {
            return Ok(());
        };
        let measured = Measured::gs1(items, Unit::Piece);
        let is_quantity = product.units == Decimal::ONE && item.quantity == Some(items);
        let convert = |one: &Measured| known.convert(one.value, one.unit, own);
        let is_weighed = |other: &Measured| convert(other) == Fit::Is(items);
        if is_quantity
            && convert(&measured) == Fit::Foreign
            && !self.measures.iter().any(is_weighed)
        {
            return Err(Unclear::Measure {
                product: product.name.clone(),
                measure: measured.describe(),
            });
        }
        Ok(())
    }
}

/// Finds the product that the copy of Odoo's data has under one of these forms of a code. Two
/// products are an error.
fn find_product<'a>(
    code: &str,
    forms: &[&'a str],
    known: &dyn Known,
) -> Result<Option<(&'a str, KnownProduct)>, Unclear> {
    let mut found = Vec::new();
    for form in forms {
        found.extend(known.products(form).into_iter().map(|one| (*form, one)));
    }
    let mut found = found.into_iter();
    let Some(first) = found.next() else {
        return Ok(None);
    };
    match found.find(|(_, other)| other.id != first.1.id) {
        None => Ok(Some(first)),
        Some((_, other)) => {
            let readings = [&first.1.name, &other.name].map(|name| format!("product {name}"));
            Err(Unclear::ambiguous(code, readings))
        }
    }
}

fn set_once<T: PartialEq + Display>(
    place: &mut Option<T>,
    value: T,
    found: &Found<'_>,
    elements: &ElementString,
) -> Result<(), Unclear> {
    let what = found.rule.kind.replace('_', " ");
    match place {
        Some(known) if *known != value => Err(contradiction(
            elements,
            format!("{what} {known}"),
            describe_rule(&format!("{what} {value}"), found),
        )),
        place => {
            *place = Some(value);
            Ok(())
        }
    }
}

fn contradiction(elements: &ElementString, one: String, other: String) -> Unclear {
    Unclear::Contradiction {
        text: elements.to_bracketed(),
        one,
        other,
    }
}

fn describe_rule(named: &str, found: &Found<'_>) -> String {
    format!("{named} by Odoo's rule {:?}", found.rule.name)
}

/// Describes a meaning for people.
fn describe(meaning: &Meaning) -> String {
    match meaning {
        Meaning::Product(item) => format!("product {}", item.name.as_ref().unwrap_or(&item.code)),
        Meaning::Location { code } => format!("location {code}"),
        Meaning::Package { code, .. } => format!("package {code}"),
        Meaning::Order { name } => format!("order {name}"),
        Meaning::Operator { badge } => format!("operator {badge}"),
        Meaning::Lot { name, .. } => format!("lot {name}"),
        Meaning::Quantity { quantity } => format!("quantity {quantity}"),
        Meaning::Command { command } => format!("command {command}"),
        Meaning::Unknown { text } => text.clone(),
    }
}
