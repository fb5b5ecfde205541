//! What is remembered becomes events, or says what is missing.

use crate::catalog::Measure;
use crate::decode::profile::Movement;
use crate::event::{Action, Measures};

use super::say::{Key, Say, Want};
use super::state::{Coded, Item, Work};

/// The event of one remembered product.
pub fn action(movement: Movement, work: &Work, item: &Item) -> Result<Action, Want> {
    let product = item.code.clone();
    let quantity = item.quantity.normalize();
    let lot = item.lot.clone();
    let from = || work.from.clone().ok_or(Want::Location);
    let to = || work.to.clone().ok_or(Want::Location);
    // The package of the product's own label, or the one that was scanned for all of the products.
    let package = || item.package.clone().or_else(|| work.package.clone());
    Ok(match movement {
        Movement::Transfer => Action::Transfer {
            product,
            quantity,
            from: from()?,
            to: to()?,
            lot,
            package: package(),
        },
        Movement::Pick => {
            let order = work.order.clone().ok_or(Want::Order)?;
            let from = work.from.clone();
            match work.package.clone() {
                None => Action::Pick {
                    order,
                    product,
                    quantity,
                    from,
                    lot,
                    package: None,
                },
                // The package of a pick is what it is taken out of; here it is what it goes into.
                Some(package) => Action::Pack {
                    package,
                    product: Some(product),
                    order: Some(order),
                    quantity,
                    from,
                    lot,
                },
            }
        }
        Movement::Receive => Action::Receive {
            order: work.order.clone(),
            product,
            quantity,
            to: work.to.clone(),
            lot,
            expiry: item.expiry.clone(),
            best_before: item.best_before.clone(),
            package: package(),
        },
        Movement::Count => Action::Count {
            product,
            from: from()?,
            quantity,
            lot,
            package: package(),
        },
        Movement::Scrap => Action::Scrap {
            product,
            from: from()?,
            quantity,
            lot,
            reason: work.reason.clone(),
        },
        Movement::Return => Action::Return {
            order: work.order.clone(),
            product,
            to: to()?,
            quantity,
            lot,
            reason: work.reason.clone(),
        },
        Movement::Pack => Action::Pack {
            package: work.package.clone().ok_or(Want::Package)?,
            product: Some(product),
            order: None,
            quantity,
            from: work.from.clone(),
            lot,
        },
    })
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

/// The events of all remembered products; what is still to be scanned where something is missing.
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
                let package = match action(movement, &work, &item) {
                    Ok(
                        Action::Transfer { package, .. }
                        | Action::Count { package, .. }
                        | Action::Receive { package, .. },
                    ) => package,
                    other => panic!("{other:?}"),
                };
                assert_eq!(package.as_deref(), Some(wanted), "{movement:?}");
            }
        }
    }
}
