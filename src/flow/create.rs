//! Creates events from an unfinished movement, or names the code that is missing.

use crate::catalog::Measure;
use crate::event::{Action, Field, Goods, Measures, Move, Movement};

use super::display_text::{DisplayText, ExpectedCode, TextKey};
use super::state::{CodedProduct, Item, Unfinished};

/// Builds the action of one product. The error is the code that is still to be scanned.
pub fn build_action(
    movement: Movement,
    unfinished: &Unfinished,
    item: &Item,
) -> Result<Action, ExpectedCode> {
    for field in movement.event_type().required() {
        let is_missing = |place: &Option<String>| place.is_none();
        match field {
            Field::From if is_missing(&unfinished.from) => return Err(ExpectedCode::Location),
            Field::To if is_missing(&unfinished.to) => return Err(ExpectedCode::Location),
            Field::Order if is_missing(&unfinished.order) => return Err(ExpectedCode::Order),
            Field::Package if is_missing(&unfinished.package) => return Err(ExpectedCode::Package),
            _ => {}
        }
    }
    // Goods in the flow `pack` belong to no order.
    let order = (unfinished.order.as_ref()).filter(|_| movement != Movement::Pack);
    let movement = event_movement(movement, unfinished);
    let event_type = movement.event_type();
    let field = |field, value: &Option<String>| value.clone().filter(|_| event_type.takes(field));
    let goods = Goods {
        product: item.code.clone(),
        quantity: item.quantity.normalize(),
        from: field(Field::From, &unfinished.from),
        to: field(Field::To, &unfinished.to),
        lot: item.lot.clone(),
        package: find_package(movement, unfinished, item),
        owner: None,
        expiry: field(Field::Expiry, &item.expiry),
        best_before: field(Field::BestBefore, &item.best_before),
    };
    Ok(Action::Move(Move {
        movement,
        goods,
        order: field(Field::Order, &order.cloned()),
        reason: field(Field::Reason, &unfinished.reason),
    }))
}

/// The movement of the events of a flow. In an event, the package of a pick is where the goods come
/// from. In a flow, it is where they go, so the event is a `pack`.
pub(super) fn event_movement(movement: Movement, unfinished: &Unfinished) -> Movement {
    match movement {
        Movement::Pick if unfinished.package.is_some() => Movement::Pack,
        other => other,
    }
}

/// Finds the package of an event: the package on the product's label, or the package that was
/// scanned for all products. Only the scanned package counts for pick and pack. `None`: the type
/// has no package, or no package was scanned.
pub(super) fn find_package(
    movement: Movement,
    unfinished: &Unfinished,
    item: &Item,
) -> Option<String> {
    let own = item.package.clone();
    let package = match movement {
        Movement::Pick | Movement::Pack => unfinished.package.clone(),
        _ => own.or_else(|| unfinished.package.clone()),
    };
    package.filter(|_| movement.event_type().takes(Field::Package))
}

/// An event without its id and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub action: Action,
    pub measures: Measures,
}

impl From<Action> for Draft {
    fn from(action: Action) -> Self {
        let measures = Measures::new();
        Self { action, measures }
    }
}

/// Builds the events of all products. The error is the text for the display: it names the code
/// that is still to be scanned.
pub fn build_actions(
    movement: Movement,
    unfinished: &Unfinished,
) -> Result<Vec<Draft>, DisplayText> {
    if let Some(item) = unfinished.items.iter().find(|item| item.lacks_quantity) {
        return Err(DisplayText::bad(TextKey::QuantityFirst).with("product", &item.name));
    }
    if let Some(item) = unfinished.items.iter().find(|item| item.lacks_lot()) {
        let key = if item.is_serial() {
            TextKey::SerialFirst
        } else {
            TextKey::LotFirst
        };
        return Err(DisplayText::bad(key).with("product", &item.name));
    }
    let items = match movement {
        Movement::Count => merge_counts(&unfinished.items),
        _ => unfinished.items.clone(),
    };
    let draft = |item: &Item| {
        let action = build_action(movement, unfinished, item)?;
        let measures = item.measures.clone();
        Ok(Draft { action, measures })
    };
    let all = items.iter().map(draft);
    let all: Result<_, _> = all.collect();
    all.map_err(|want| {
        DisplayText::bad(TextKey::NotFinished)
            .with("what", &unfinished.summarize())
            .expecting([want])
    })
}

/// Merges the entries of each product and lot: scans of several codes of a product are one count.
/// Entries stay apart if no code can express their sum; Odoo's counts of one time are then parked
/// (`counted-twice`).
pub(super) fn merge_counts(items: &[Item]) -> Vec<Item> {
    let mut counted: Vec<Item> = Vec::new();
    for item in items {
        let is_same = |own: &&mut Item| {
            own.is_same_product(item) && (&own.lot, &own.package) == (&item.lot, &item.package)
        };
        let joined = counted.iter_mut().find(is_same).and_then(|own| {
            *own = join(own, item)?;
            Some(())
        });
        if joined.is_none() {
            counted.push(item.clone());
        }
    }
    counted
}

/// Merges two entries of a product into one entry with the sum of the quantities: in the product's
/// own unit, if a code means it, else in the unit of one of the two scanned codes. `None`: none of
/// these units can express the sum.
fn join(one: &Item, other: &Item) -> Option<Item> {
    let coded = |item: &Item| {
        let product = item.product.clone()?;
        let measure = Measure::by_factors(product.factors)?;
        Some((product, measure))
    };
    let ((product, measure), (of_other, other_measure)) = (coded(one)?, coded(other)?);
    let own_code = product.own_code.clone();
    let own = own_code.clone().map(|code| {
        let factors = Measure::OWN.factors();
        let product = CodedProduct {
            factors,
            ..product.clone()
        };
        (code, product, Measure::OWN)
    });
    let stated = own.into_iter().chain([
        (one.code.clone(), product, measure),
        (other.code.clone(), of_other, other_measure),
    ]);
    let joined = stated.filter_map(|(code, product, unit)| {
        let sum = measure.restate(one.quantity, &unit)?;
        let quantity = sum.checked_add(other_measure.restate(other.quantity, &unit)?)?;
        let product = Some(product);
        let mut joined = Item {
            code,
            quantity,
            product,
            ..one.clone()
        };
        joined.add_measures(&other.measures);
        Some(joined)
    });
    // The product's own unit first, then a code with whole packagings.
    let is_own = |joined: &Item| Some(&joined.code) == own_code.as_ref();
    joined.min_by_key(|joined| !is_own(joined) && !joined.quantity.fract().is_zero())
}

/// Whether the movement is complete without a further code, so that a pause creates its events. A
/// count never is: the operator may return and count on.
pub fn is_complete(movement: Movement, unfinished: &Unfinished) -> bool {
    movement != Movement::Count
        && !unfinished.items.is_empty()
        && build_actions(movement, unfinished).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_in_the_package_of_its_own_label_whatever_moves_it() {
        let place = |name: &str| Some(name.to_owned());
        let unfinished = Unfinished {
            from: place("A"),
            to: place("B"),
            package: place("BOX"),
            ..Unfinished::default()
        };
        for (own, expected) in [(place("PALLET"), "PALLET"), (None, "BOX")] {
            let item = Item {
                package: own,
                ..Item::default()
            };
            for movement in [Movement::Transfer, Movement::Count, Movement::Receive] {
                let action = build_action(movement, &unfinished, &item).unwrap();
                assert!(action.is(movement), "{action:?}");
                assert_eq!(action.text(Field::Package), Some(expected), "{movement:?}");
            }
        }
    }
}
