//! What GS1's elements mean: by GS1's own rules, and where those say nothing of one, by the site's
//! GS1 nomenclature in Odoo.

use std::fmt::Display;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::measures::{Measured, settle};
use super::{By, Context, Fit, Item, Known, KnownProduct, Meaning, Unclear, UnitOf};
use crate::decode::gs1::{Element, ElementString, Gtin, Unit};
use crate::decode::nomenclature::{Found, Value};
use crate::event::Measures;
use crate::odoo_id::ProductId;

/// Application identifiers whose meaning here is GS1's: the site's rules are not asked about them.
const GS1S: [&str; 12] = [
    "00", "01", "02", "10", "17", "21", "30", "310n", "37", "400", "414", "7003",
];

/// One thing that a code says it is, with the words for people.
struct Thing {
    meaning: Meaning,
    /// The id of the product that it is, where that is known.
    product: Option<ProductId>,
    by: By,
    named: String,
}

/// What stands beside a thing.
struct Details {
    lot: Option<String>,
    serial: Option<String>,
    expiry: Option<Date>,
    quantity: Option<Decimal>,
    weight_kg: Option<Decimal>,
    /// The count of (37), or what a rule of the site's says without a unit: in what the code stands
    /// for.
    count: Option<Decimal>,
    /// The count of (37) alone.
    items: Option<Decimal>,
    /// What may be the product's quantity: GS1's measures first, then those of the site's rules.
    measures: Vec<Measured>,
    /// Weights and dimensions as they are printed.
    printed: Measures,
}

/// The meaning of a GS1 code, and whose word it is; nothing where no application identifier says
/// what it is.
pub(super) fn meaning(
    elements: &ElementString,
    context: &Context<'_>,
) -> Result<Option<(Meaning, By)>, Unclear> {
    let found = by_rules(elements, context);
    let details = Details::of(elements, &found)?;
    let mut thing = by_gs1(elements, &details, context.known)?;
    for found in &found {
        let Some(new) = by_rule(found, &details, context.known)? else {
            continue;
        };
        thing = Some(match thing {
            None => new,
            Some(known) => together(elements, known, new)?,
        });
    }
    let thing = thing.map(|thing| (thing.meaning, thing.by));
    match thing.or_else(|| destination(&found)) {
        Some(thing) => Ok(Some(thing)),
        None => details.alone(elements, context.known),
    }
}

/// What the site's rules say of the elements that GS1's leave to it, in the order of the code.
fn by_rules<'a>(elements: &ElementString, context: &Context<'a>) -> Vec<Found<'a>> {
    let Some(nomenclature) = context.nomenclature else {
        return Vec::new();
    };
    let left = |element: &&Element| !GS1S.iter().any(|pattern| element.ai.matches(pattern));
    let left = elements.elements().iter().filter(left);
    left.filter_map(|Element { ai, value }| nomenclature.element(ai.as_str(), value, context.year))
        .collect()
}

/// What GS1's rules say that a code is.
fn by_gs1(
    elements: &ElementString,
    details: &Details,
    known: &dyn Known,
) -> Result<Option<Thing>, Unclear> {
    let thing = |meaning: Meaning, ai: &str| {
        let named = format!("{} by ({ai})", named(&meaning));
        Some(Thing {
            meaning,
            product: None,
            by: By::Gs1,
            named,
        })
    };
    if let Some(sscc) = elements.sscc() {
        // (02) says what is inside, and (01) what it is a unit of: both have the lot and the count
        // beside them.
        let inside = elements.content().or_else(|| elements.gtin());
        let content = inside
            .map(|gtin| details.item(gtin.as_str(), known))
            .transpose()?;
        let package = Meaning::Package {
            code: sscc.to_owned(),
            content: content.map(|(item, _)| Box::new(item)),
        };
        return Ok(thing(package, "00"));
    }
    for (ai, gtin) in [("01", elements.gtin()), ("02", elements.content())] {
        if let Some(gtin) = gtin {
            let (item, product) = details.item(gtin.as_str(), known)?;
            let thing = thing(Meaning::Product(item), ai);
            return Ok(thing.map(|thing| Thing { product, ..thing }));
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

/// What a rule of the site's says that a code is; nothing where it is about what stands beside it.
fn by_rule(
    found: &Found<'_>,
    details: &Details,
    known: &dyn Known,
) -> Result<Option<Thing>, Unclear> {
    let code = found.code.clone();
    let mut product = None;
    let meaning = match found.rule.kind.as_str() {
        "product" => {
            let (item, id) = details.item(&code, known)?;
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
    let named = by_name(&named(&meaning), found);
    Ok(Some(Thing {
        meaning,
        product,
        by: By::Nomenclature,
        named,
    }))
}

/// The one thing that two are; else they are refused with both.
fn together(elements: &ElementString, known: Thing, new: Thing) -> Result<Thing, Unclear> {
    let same_product = known.product.is_some() && known.product == new.product;
    match (known.meaning, new.meaning) {
        (one, other) if one == other || same_product => Ok(Thing {
            meaning: one,
            ..known
        }),
        (
            Meaning::Package { code, content },
            Meaning::Package {
                code: other,
                content: None,
            },
        ) if code == other => Ok(Thing {
            meaning: Meaning::Package { code, content },
            ..known
        }),
        // GS1 itself says that (02) is what is inside of a package, and that package may be one of
        // the site's own.
        (Meaning::Product(item), Meaning::Package { code, .. })
            if elements.gtin().is_none() && elements.content().is_some() =>
        {
            let content = Some(Box::new(item));
            Ok(Thing {
                meaning: Meaning::Package { code, content },
                ..new
            })
        }
        _ => Err(contradiction(elements, known.named, new.named)),
    }
}

/// Where a thing is to go says what a code is only where nothing else does.
fn destination(found: &[Found<'_>]) -> Option<(Meaning, By)> {
    let found = found.iter().find(|f| f.rule.kind == "location_dest")?;
    let code = found.code.clone();
    Some((Meaning::Location { code }, By::Nomenclature))
}

impl Details {
    /// GS1's word first; a rule of the site's that says another thing is refused.
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
        // The count of (30) is of the items inside; (37) counts what the code stands for.
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
                ("lot", _) => fill(&mut details.lot, code, found, elements)?,
                ("expiration_date", Value::Date(date)) => {
                    fill(&mut details.expiry, *date, found, elements)?;
                }
                ("weight" | "quantity", Value::Number(number)) => {
                    details.add_number(*number, found, elements)?;
                }
                _ => {}
            }
        }
        Ok(details)
    }

    /// What a rule of the site's reads as a weight or a quantity.
    fn add_number(
        &mut self,
        number: Decimal,
        found: &Found<'_>,
        elements: &ElementString,
    ) -> Result<(), Unclear> {
        let unit = found.rule.uom.map(UnitOf::Id);
        let is_weight = found.rule.kind == "weight";
        if unit.is_none() && !is_weight {
            fill(&mut self.quantity, number, found, elements)?;
            self.count = Some(number);
            return Ok(());
        }
        let unit = unit.unwrap_or(UnitOf::Gs1(found.rule.weight));
        if unit == UnitOf::Gs1(Unit::Kilogram) {
            fill(&mut self.weight_kg, number, found, elements)?;
        }
        let value = number;
        self.measures.push(Measured { value, unit });
        Ok(())
    }

    /// What a code is that says no more than this, and whose word that is.
    fn alone(
        self,
        elements: &ElementString,
        known: &dyn Known,
    ) -> Result<Option<(Meaning, By)>, Unclear> {
        let expiry = self.expiry;
        let (meaning, gs1s) = if let Some(name) = self.serial.or(self.lot) {
            (Meaning::Lot { name, expiry }, ["10", "21"])
        } else {
            let Some(quantity) = self.quantity else {
                return Ok(None);
            };
            (Meaning::Quantity { quantity }, ["30", "37"])
        };
        let is_gs1s = gs1s.iter().any(|ai| elements.get(ai).is_some());
        if let Meaning::Quantity { quantity } = meaning
            && is_gs1s
            && let Some(product) = known.last_without_pieces()
        {
            let measure = Measured::gs1(quantity, Unit::Piece).describe();
            return Err(Unclear::Measure { product, measure });
        }
        let by = if is_gs1s { By::Gs1 } else { By::Nomenclature };
        Ok(Some((meaning, by)))
    }

    /// A product by its code with all of this, and its id where it is known.
    fn item(&self, code: &str, known: &dyn Known) -> Result<(Item, Option<ProductId>), Unclear> {
        let gtin = Gtin::new(code).filter(|_| code.len() == 14);
        let forms: Vec<&str> = match &gtin {
            Some(gtin) => gtin.forms().collect(),
            None => vec![code],
        };
        let found = the_product(code, &forms, known)?;
        // Unknown, it is named as it is printed: an EAN-13 has no leading zero.
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
            settle(&mut item, product, &self.measures, known)?;
            self.check_items(&item, product, known)?;
        } else {
            // What its unit is nobody knows yet: items are counted in what the code stands for.
            let items = self.measures.iter().find(|measured| measured.is_count());
            item.quantity = item.quantity.or(items.map(|items| items.value));
        }
        Ok((item, product.map(|product| product.id)))
    }

    /// (37) counts items. Of a code that stands for a product's own unit, such as kilograms, so
    /// many items are no quantity.
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

/// The product that the copy knows under one of these forms of a code; two are refused.
fn the_product<'a>(
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

fn fill<T: PartialEq + Display>(
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
            by_name(&format!("{what} {value}"), found),
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

fn by_name(named: &str, found: &Found<'_>) -> String {
    format!("{named} by Odoo's rule {:?}", found.rule.name)
}

/// A thing in words.
fn named(meaning: &Meaning) -> String {
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
