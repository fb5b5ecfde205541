//! What is remembered becomes events, or says what is missing.

use crate::decode::profile::Movement;
use crate::event::Action;

use super::say::{Key, Say, Want};
use super::state::{Item, Work};

/// The event of one remembered product.
pub fn action(movement: Movement, work: &Work, item: &Item) -> Result<Action, Want> {
    let product = item.code.clone();
    let quantity = item.quantity.normalize();
    let lot = item.lot.clone();
    let from = || work.from.clone().ok_or(Want::Location);
    let to = || work.to.clone().ok_or(Want::Location);
    Ok(match movement {
        Movement::Transfer => Action::Transfer {
            product,
            quantity,
            from: from()?,
            to: to()?,
            lot,
            package: work.package.clone(),
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
            package: work.package.clone(),
        },
        Movement::Count => Action::Count {
            product,
            from: from()?,
            quantity,
            lot,
            package: work.package.clone(),
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

/// The events of all remembered products; what is still to be scanned where something is missing.
pub fn actions(movement: Movement, work: &Work) -> Result<Vec<Action>, Say> {
    if let Some(item) = work.items.iter().find(|item| item.lacks_lot()) {
        let key = if item.is_serial() {
            Key::SerialFirst
        } else {
            Key::LotFirst
        };
        return Err(Say::bad(key).with("product", &item.name));
    }
    let all = work.items.iter().map(|item| action(movement, work, item));
    let all: Result<_, _> = all.collect();
    all.map_err(|want| {
        Say::bad(Key::Unfinished)
            .with("what", &work.summary())
            .wanting([want])
    })
}

/// Whether what is remembered is complete by itself, so that a pause may end it. A count is not: who went away may come
/// back to count on.
pub fn settles(movement: Movement, work: &Work) -> bool {
    movement != Movement::Count && !work.items.is_empty() && actions(movement, work).is_ok()
}
