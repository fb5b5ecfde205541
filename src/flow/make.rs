//! Makes events of what a flow has remembered, or says what is missing.

use crate::catalog::Measure;
use crate::event::{Action, Field, Goods, Measures, Move, Movement};

use super::say::{Key, Say, Want};
use super::state::{Coded, Item, Work};

/// The action of one remembered product. An error says what is still to be scanned.
pub fn action(movement: Movement, work: &Work, item: &Item) -> Result<Action, Want> {
    for field in movement.event_type().required() {
        let is_missing = |place: &Option<String>| place.is_none();
        match field {
            Field::From if is_missing(&work.from) => return Err(Want::Location),
            Field::To if is_missing(&work.to) => return Err(Want::Location),
            Field::Order if is_missing(&work.order) => return Err(Want::Order),
            Field::Package if is_missing(&work.package) => return Err(Want::Package),
            _ => {}
        }
    }
    // Goods that a flow only packs belong to no order.
    let order = (work.order.as_ref()).filter(|_| movement != Movement::Pack);
    let movement = type_of(movement, work);
    let of = movement.event_type();
    let taken = |field, value: &Option<String>| value.clone().filter(|_| of.takes(field));
    let goods = Goods {
        product: item.code.clone(),
        quantity: item.quantity.normalize(),
        from: taken(Field::From, &work.from),
        to: taken(Field::To, &work.to),
        lot: item.lot.clone(),
        package: package(movement, work, item),
        owner: None,
        expiry: taken(Field::Expiry, &item.expiry),
        best_before: taken(Field::BestBefore, &item.best_before),
    };
    Ok(Action::Move(Move {
        movement,
        goods,
        order: taken(Field::Order, &order.cloned()),
        reason: taken(Field::Reason, &work.reason),
    }))
}

/// The type of the events of a flow. The package of a pick is the one that goods are taken out of;
/// a flow that picks scans the one that they go into, so such an event is a `pack`.
pub(super) fn type_of(movement: Movement, work: &Work) -> Movement {
    match movement {
        Movement::Pick if work.package.is_some() => Movement::Pack,
        other => other,
    }
}

/// The package of an event: that of the product's own label, or the one that was scanned for all
/// of the products. Goods are packed into the scanned one alone. `None`: the type takes no package,
/// or none was scanned.
pub(super) fn package(movement: Movement, work: &Work, item: &Item) -> Option<String> {
    let own = item.package.clone();
    let package = match movement {
        Movement::Pick | Movement::Pack => work.package.clone(),
        _ => own.or_else(|| work.package.clone()),
    };
    package.filter(|_| movement.event_type().takes(Field::Package))
}

/// An event that is about to be made.
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

/// Makes the events of all remembered products. An error says what is still to be scanned.
pub fn actions(movement: Movement, work: &Work) -> Result<Vec<Draft>, Say> {
    if let Some(item) = work.items.iter().find(|item| item.lacks_quantity) {
        return Err(Say::bad(Key::QuantityFirst).with("product", &item.name));
    }
    if let Some(item) = work.items.iter().find(|item| item.lacks_lot()) {
        let key = if item.is_serial() {
            Key::SerialFirst
        } else {
            Key::LotFirst
        };
        return Err(Say::bad(key).with("product", &item.name));
    }
    let items = match movement {
        Movement::Count => counted(&work.items),
        _ => work.items.clone(),
    };
    let draft = |item: &Item| {
        let action = action(movement, work, item)?;
        let measures = item.measures.clone();
        Ok(Draft { action, measures })
    };
    let all = items.iter().map(draft);
    let all: Result<_, _> = all.collect();
    all.map_err(|want| {
        Say::bad(Key::Unfinished)
            .with("what", &work.summary())
            .wanting([want])
    })
}

/// One entry for each product and lot: what was scanned under several codes of a product is one
/// count. Entries whose sum none of the codes can state stay apart; such counts of one time are for
/// a person.
pub(super) fn counted(items: &[Item]) -> Vec<Item> {
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

/// Both entries under one code, with the sum: in the product's own unit, or else in that of the
/// code which can state it.
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
        let product = Coded {
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
    // Whole packagings rather than parts of them; the product's own unit goes first.
    let is_own = |joined: &Item| Some(&joined.code) == own_code.as_ref();
    joined.min_by_key(|joined| !is_own(joined) && !joined.quantity.fract().is_zero())
}

/// Whether what is remembered is complete by itself, so that a pause may end it. A count is not:
/// who went away may come back to count on.
pub fn settles(movement: Movement, work: &Work) -> bool {
    movement != Movement::Count && !work.items.is_empty() && actions(movement, work).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_in_the_package_of_its_own_label_whatever_moves_it() {
        let place = |name: &str| Some(name.to_owned());
        let work = Work {
            from: place("A"),
            to: place("B"),
            package: place("BOX"),
            ..Work::default()
        };
        for (own, wanted) in [(place("PALLET"), "PALLET"), (None, "BOX")] {
            let item = Item {
                package: own,
                ..Item::default()
            };
            for movement in [Movement::Transfer, Movement::Count, Movement::Receive] {
                let action = action(movement, &work, &item).unwrap();
                assert!(action.is(movement), "{action:?}");
                assert_eq!(action.text(Field::Package), Some(wanted), "{movement:?}");
            }
        }
    }
}
