//! What a code does to what is remembered. Each answers how to take it back, or a word for the
//! person; no word where the code is merely wrong here.

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::decode::meaning::{self, Label, Meaning};
use crate::decode::profile::Act;

use super::input::{Input, LotRead, tracked_name};
use super::say::{Key, Say};
use super::state::{Dates, Did, ITEMS_MAX, Item, State, Tracking};

type Taken = Result<Vec<Did>, Option<Say>>;

/// A quantity that is typed or scanned as a code of its own has at most so many digits: an item
/// number is none.
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
        (Act::Product, Meaning::Product(item)) => return product(state, item, input, None),
        (
            Act::Product,
            Meaning::Package {
                code,
                content: Some(item),
            },
        ) => return product(state, item, input, Some(code)),
        (Act::Product, Meaning::Package { code, .. }) => return package(state, code),
        (Act::Lot, Meaning::Lot { name, expiry }) => {
            return lot(state, name, dates(*expiry, input.label), &input.lot);
        }
        (Act::Quantity, Meaning::Quantity { quantity: number }) => {
            return quantity(state, *number);
        }
        _ => return Err(None),
    };
    Ok(vec![did])
}

/// The dates that a label says; the expiry to the minute where it says the minute of its day.
fn dates(expiry: Option<Date>, label: &Label) -> Dates {
    let time = label.expiry_time.filter(|time| expiry == Some(time.date()));
    let day = || expiry.map(|date| date.to_string());
    Dates {
        expiry: time.map(|time| time.to_string()).or_else(day),
        best_before: label.best_before.map(|date| date.to_string()),
    }
}

/// One more of a product, or as many as its code says; into the package that its label names.
fn product(
    state: &mut State,
    read: &meaning::Item,
    input: &Input<'_>,
    package: Option<&String>,
) -> Taken {
    // Whether it is kept in a unit of what its label measures, nobody knows.
    if read.is_measured && !read.known {
        let name = read.name.as_ref().unwrap_or(&read.code);
        return Err(Some(Say::bad(Key::MeasureUnknown).with("product", name)));
    }
    let tracking = match input.tracking {
        Tracking::Unknown if read.serial.is_some() => Tracking::Serial,
        known => known,
    };
    let said = (read.lot.as_deref(), read.serial.as_deref());
    let lot = tracked_name(tracking, said, input.lot.is_serial_a_lot).map(str::to_owned);
    let dates = dates(read.expiry, input.label);
    let more = |quantity: &Decimal| *quantity > Decimal::ZERO;
    let quantity = read.quantity.filter(more);
    let item = Item {
        code: read.code.clone(),
        name: read.name.clone().unwrap_or_else(|| read.code.clone()),
        quantity: quantity.unwrap_or(Decimal::ONE),
        is_new_lot: lot.is_some() && lot == input.lot.new,
        of_each: if lot.is_none() {
            dates.clone()
        } else {
            Dates::default()
        },
        lot,
        expiry: dates.expiry,
        best_before: dates.best_before,
        tracking,
        package: package.cloned(),
        lacks_package: package.is_none() && input.lot.is_content,
        lacks_quantity: (package.is_some() || input.lot.is_content)
            && quantity.is_none()
            && tracking != Tracking::Serial,
        product: input.product.clone(),
        measures: read.measures.clone(),
    };
    let is_many = read.units.is_some() || item.quantity != Decimal::ONE;
    if item.is_serial() && is_many {
        return Err(Some(say(Key::SerialQuantity, &item)));
    }
    let work = &state.work;
    if let Some(package) = package
        && work.items.iter().any(|own| own.is_one_with(&item))
    {
        // A pallet is there once: the same label again is no second one.
        return Err(Some(say(Key::SerialSeen, &item).with("lot", package)));
    }
    let awaiting = work.last_item().filter(|own| own.lacks_lot());
    if awaiting.is_some() && item.lot.is_some() && input.lot.is_of_awaited {
        return complete(state, item, read.quantity.is_some());
    }
    add(state, item)
}

/// The product that was scanned last lacks a lot, and this label of the same product says it: it is
/// no further piece.
///
/// `says_quantity`: the label's quantity, of the label's own code, takes the place of the running
/// one.
fn complete(state: &mut State, label: Item, says_quantity: bool) -> Taken {
    let Some(before) = state.work.last_item() else {
        return Err(None);
    };
    let is_its_piece = says_quantity || before.quantity == Decimal::ONE;
    let mut item = Item {
        lot: label.lot,
        expiry: label.expiry.or_else(|| before.expiry.clone()),
        best_before: label.best_before.or_else(|| before.best_before.clone()),
        is_new_lot: label.is_new_lot,
        lacks_package: before.package.is_none() && (before.lacks_package || label.lacks_package),
        lacks_quantity: before.lacks_quantity
            || label.lacks_quantity && before.quantity == Decimal::ONE,
        ..before.clone()
    };
    if is_its_piece && !label.measures.is_empty() {
        item.measures = label.measures;
    }
    if says_quantity {
        item.code = label.code;
        item.product = label.product;
        item.quantity = label.quantity;
    }
    settle(state, item)
}

/// The package of the last product, whose label is in two barcodes.
fn package(state: &mut State, code: &str) -> Taken {
    let before = state.work.last_item().filter(|own| own.lacks_package);
    let before = before.cloned().ok_or(None)?;
    let item = Item {
        package: Some(code.to_owned()),
        lacks_package: false,
        ..before
    };
    if state.work.items.iter().any(|own| own.is_one_with(&item)) {
        return Err(Some(say(Key::SerialSeen, &item).with("lot", code)));
    }
    settle(state, item)
}

/// Puts a product to those that are remembered.
fn add(state: &mut State, item: Item) -> Taken {
    let work = &mut state.work;
    // What is on a pallet, whose label comes next, is apart from what is not.
    let is_beside = |own: &Item| own.lacks_package == item.lacks_package || item.is_serial();
    let is_there = |own: &Item| !item.lacks_quantity && is_beside(own) && own.is_one_with(&item);
    let Some(place) = work.items.iter().position(is_there) else {
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
    // What is on two pallets is in no one package.
    work.items[place].lacks_package = false;
    work.items[place].add_measures(&item.measures);
    work.last = place;
    Ok(vec![Did::Changed(place, Box::new(before))])
}

/// The lot of the last product. After a serial number, the next one is one more of the same
/// product.
fn lot(state: &mut State, name: &str, own: Dates, read: &LotRead) -> Taken {
    let before = state.work.last_item().cloned().ok_or(None)?;
    if before.tracking == Tracking::No {
        return Err(None);
    }
    let said = (read.batch.as_deref(), read.serial.as_deref());
    let name = match (
        tracked_name(before.tracking, said, read.is_serial_a_lot),
        said,
    ) {
        (Some(name), _) => name,
        (None, (None, None)) => name,
        (None, _) => {
            let key = if before.is_serial() {
                Key::BatchGiven
            } else {
                Key::SerialGiven
            };
            return Err(Some(Say::bad(key).with("code", name)));
        }
    };
    // The label of the product says the dates of its lot; that of another piece says nothing.
    let (expiry, best_before) = if before.lot.is_none() {
        (&before.expiry, &before.best_before)
    } else {
        (&before.of_each.expiry, &before.of_each.best_before)
    };
    let mut item = Item {
        lot: Some(name.to_owned()),
        expiry: own.expiry.or_else(|| expiry.clone()),
        best_before: own.best_before.or_else(|| best_before.clone()),
        is_new_lot: read.new.as_deref() == Some(name),
        ..before.clone()
    };
    match before.lot {
        Some(_) if before.is_serial() => {
            // Another piece: the label of the one before says nothing of it.
            item.measures.clear();
            add(state, item)
        }
        Some(_) => Err(None),
        None => settle(state, item),
    }
}

/// Puts the last product, which lacked a lot or package, to those with the same one, or in its own
/// place.
fn settle(state: &mut State, item: Item) -> Taken {
    let work = &mut state.work;
    let place = work.last;
    let before = work.items.get(place).cloned().ok_or(None)?;
    if item.is_serial() && item.quantity != Decimal::ONE {
        return Err(Some(say(Key::SerialQuantity, &item)));
    }
    if !work.items.iter().any(|own| own.is_one_with(&item)) {
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
    if item.quantity != quantity {
        // The labels measured another quantity.
        item.measures.clear();
    }
    item.quantity = quantity;
    item.lacks_quantity = false;
    Ok(vec![Did::Changed(work.last, Box::new(before))])
}

/// What a code that was asked for as a quantity says: a short number is one, also where Odoo has a
/// bin or a product of that name.
pub fn asked_quantity(meaning: &Meaning, code: &str) -> Option<Decimal> {
    if let Meaning::Quantity { quantity } = meaning {
        return Some(*quantity);
    }
    let number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let fits = code.len() <= ASKED_DIGITS_MAX && code.bytes().all(number);
    fits.then(|| code.parse().ok())?
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
