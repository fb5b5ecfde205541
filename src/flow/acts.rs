//! What a code does to what is remembered. Each answers how to take it back, or a word for the person; no word where the code is
//! merely wrong here.

use rust_decimal::Decimal;

use crate::decode::meaning::{self, Meaning};
use crate::decode::profile::{Act, Flow, Kind, Movement, On};

use super::engine::Input;
use super::say::{Key, Say};
use super::state::{Did, ITEMS_MAX, Item, State, Tracking};

type Taken = Result<Vec<Did>, Option<Say>>;

/// A quantity that is typed or scanned as a code of its own has at most so many digits: an item number is none.
const ASKED_DIGITS_MAX: usize = 6;

/// Does one of the acts that remember something.
pub fn remember(act: Act, state: &mut State, meaning: &Meaning, input: &Input<'_>) -> Taken {
    let work = &mut state.work;
    let did = match (act, meaning) {
        (Act::From, Meaning::Location { code }) => Did::From(work.from.replace(code.clone())),
        (Act::To, Meaning::Location { code }) => Did::To(work.to.replace(code.clone())),
        (Act::Order, Meaning::Order { name }) => Did::Order(work.order.replace(name.clone())),
        (Act::Package, Meaning::Package { code, .. }) => {
            Did::Package(work.package.replace(code.clone()))
        }
        (Act::Package, Meaning::Command { .. }) => {
            Did::Package(work.package.replace(input.package.to_owned()))
        }
        (Act::Product, Meaning::Product(item)) => return product(state, item, input.tracking),
        (Act::Lot, Meaning::Lot { name, expiry }) => {
            return lot(state, name, expiry.map(|date| date.to_string()));
        }
        (Act::Quantity, Meaning::Quantity { quantity: number }) => {
            return quantity(state, *number);
        }
        _ => return Err(None),
    };
    Ok(vec![did])
}

/// One more of a product, or as many as its code says.
fn product(state: &mut State, read: &meaning::Item, tracking: Tracking) -> Taken {
    let tracking = match tracking {
        Tracking::Unknown if read.serial.is_some() => Tracking::Serial,
        known => known,
    };
    let lot = match tracking {
        // Odoo takes no lot for what is not tracked, whatever the label says.
        Tracking::No => None,
        Tracking::Serial => read.serial.clone().or_else(|| read.lot.clone()),
        Tracking::Lot | Tracking::Unknown => read.lot.clone().or_else(|| read.serial.clone()),
    };
    let more = |quantity: &Decimal| *quantity > Decimal::ZERO;
    let quantity = read.quantity.or(read.weight_kg).filter(more);
    let item = Item {
        code: read.code.clone(),
        name: read.name.clone().unwrap_or_else(|| read.code.clone()),
        quantity: quantity.unwrap_or(Decimal::ONE),
        lot,
        expiry: read.expiry.map(|date| date.to_string()),
        best_before: None,
        tracking,
    };
    if item.is_serial() && item.quantity != Decimal::ONE {
        return Err(Some(say(Key::SerialQuantity, &item)));
    }
    add(state, item)
}

/// Puts a product to those that are remembered.
fn add(state: &mut State, item: Item) -> Taken {
    let work = &mut state.work;
    let same = |own: &Item| own.code == item.code && own.lot == item.lot;
    let Some(place) = work.items.iter().position(same) else {
        if work.items.len() >= ITEMS_MAX {
            return Err(Some(Say::bad(Key::TooMuch)));
        }
        work.last = work.items.len();
        work.items.push(item);
        return Ok(vec![Did::Added]);
    };
    if item.is_serial() {
        return Err(Some(seen(&item)));
    }
    let before = work.items[place].clone();
    let sum = before.quantity.checked_add(item.quantity);
    work.items[place].quantity = sum.ok_or(None)?;
    work.last = place;
    Ok(vec![Did::Changed(place, Box::new(before))])
}

/// The lot of the last product. After a serial number, the next one is one more of the same product.
fn lot(state: &mut State, name: &str, expiry: Option<String>) -> Taken {
    let work = &mut state.work;
    let place = work.last;
    let before = work.items.get(place).cloned().ok_or(None)?;
    if before.tracking == Tracking::No {
        return Err(None);
    }
    let item = Item {
        lot: Some(name.to_owned()),
        expiry: expiry.or_else(|| before.expiry.clone()),
        ..before.clone()
    };
    if before.lot.is_some() {
        return if before.is_serial() {
            add(state, item)
        } else {
            Err(None)
        };
    }
    if item.is_serial() && item.quantity != Decimal::ONE {
        return Err(Some(say(Key::SerialQuantity, &item)));
    }
    let same = |own: &Item| own.code == item.code && own.lot == item.lot;
    if !work.items.iter().any(same) {
        work.items[place] = item;
        return Ok(vec![Did::Changed(place, Box::new(before))]);
    }
    // Two entries of one lot would be two counts of one thing.
    work.items.remove(place);
    let mut did = vec![Did::Joined(place, Box::new(before))];
    did.extend(add(state, item)?);
    Ok(did)
}

/// So many of the last product.
pub fn quantity(state: &mut State, quantity: Decimal) -> Taken {
    let work = &mut state.work;
    let item = work.items.get_mut(work.last).ok_or(None)?;
    if quantity <= Decimal::ZERO {
        return Err(None);
    }
    if item.is_serial() && quantity != Decimal::ONE {
        return Err(Some(say(Key::SerialQuantity, item)));
    }
    let before = item.clone();
    item.quantity = quantity;
    Ok(vec![Did::Changed(work.last, Box::new(before))])
}

/// What a code that was asked for as a quantity says.
pub fn asked_quantity(meaning: &Meaning) -> Option<Decimal> {
    match meaning {
        Meaning::Quantity { quantity } => Some(*quantity),
        Meaning::Unknown { text } | Meaning::Lot { name: text, .. } => {
            let number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
            let fits = text.len() <= ASKED_DIGITS_MAX && text.bytes().all(number);
            fits.then(|| text.parse().ok())?
        }
        _ => None,
    }
}

/// What a code means in this place. A lot that is new is nowhere known: where the last product lacks one and things are received
/// or counted, a text that means nothing is its lot.
pub fn in_place(flow: &Flow, state: &State, meaning: &Meaning, at: &str) -> Meaning {
    let new_lots = matches!(flow.movement, Movement::Receive | Movement::Count);
    let takes_lot = || {
        let mut on = flow.on.iter().filter(|on| on.state == at);
        on.any(|on| on.code == On::Kind(Kind::Lot))
    };
    match meaning {
        Meaning::Unknown { text }
            if new_lots
                && !state.asks_quantity
                && state.work.last_item().is_some_and(Item::lacks_lot)
                && takes_lot() =>
        {
            Meaning::Lot {
                name: text.clone(),
                expiry: None,
            }
        }
        other => other.clone(),
    }
}

fn say(key: Key, item: &Item) -> Say {
    Say::bad(key).with("product", &item.name)
}

fn seen(item: &Item) -> Say {
    match &item.lot {
        Some(lot) => say(Key::SerialSeen, item).with("lot", lot),
        None => say(Key::SerialFirst, item),
    }
}
