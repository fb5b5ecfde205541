//! Adds a scanned code to the unfinished movement. Each function returns the changes that undo
//! reverts, or an error: the text for the display, or `None` if the code is not expected now.

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::decode::meaning::{self, Label, Meaning};
use crate::decode::profile::Act;

use super::display_text::{DisplayText, TextKey};
use super::input::{Input, LotRead, tracked_name};
use super::state::{Change, Dates, ITEMS_MAX, Item, State, Tracking};

type Collected = Result<Vec<Change>, Option<DisplayText>>;

/// Characters of a quantity that is typed or scanned alone, at most. An item number is longer.
const QUANTITY_CHARS_MAX: usize = 6;

/// Performs an act that adds to the unfinished movement.
pub fn collect(act: Act, state: &mut State, meaning: &Meaning, input: &Input<'_>) -> Collected {
    let unfinished = &mut state.unfinished;
    let change = match (act, meaning) {
        (Act::From, Meaning::Location { code }) => {
            Change::From(unfinished.from.replace(code.clone()))
        }
        (Act::To, Meaning::Location { code }) => Change::To(unfinished.to.replace(code.clone())),
        (Act::Order, Meaning::Order { name }) => {
            Change::Order(unfinished.order.replace(name.clone()))
        }
        (Act::Package, Meaning::Package { code, .. }) => {
            Change::Package(unfinished.package.replace(code.clone()))
        }
        (Act::Package, Meaning::Command { .. }) => {
            Change::Package(unfinished.package.replace(input.package.to_owned()))
        }
        (Act::Product, Meaning::Product(item)) => return add_product(state, item, input, None),
        (
            Act::Product,
            Meaning::Package {
                code,
                content: Some(item),
            },
        ) => return add_product(state, item, input, Some(code)),
        (Act::Product, Meaning::Package { code, .. }) => return set_package(state, code),
        (Act::Lot, Meaning::Lot { name, expiry }) => {
            return set_lot(state, name, label_dates(*expiry, input.label), &input.lot);
        }
        (Act::Quantity, Meaning::Quantity { quantity: number }) => {
            return set_quantity(state, *number);
        }
        _ => return Err(None),
    };
    Ok(vec![change])
}

/// The dates on a label. The expiry has the minute if the label has one for the same day.
fn label_dates(expiry: Option<Date>, label: &Label) -> Dates {
    let time = label.expiry_time.filter(|time| expiry == Some(time.date()));
    let day = || expiry.map(|date| date.to_string());
    Dates {
        expiry: time.map(|time| time.to_string()).or_else(day),
        best_before: label.best_before.map(|date| date.to_string()),
    }
}

/// Adds the quantity that the code of a product contains, or one piece. `package`: the package that
/// the label names.
fn add_product(
    state: &mut State,
    read: &meaning::Item,
    input: &Input<'_>,
    package: Option<&String>,
) -> Collected {
    // The unit of an unknown product is unknown, so the measure on its label is not a quantity.
    if read.is_measured && !read.known {
        let name = read.name.as_ref().unwrap_or(&read.code);
        return Err(Some(
            DisplayText::bad(TextKey::MeasureUnknown).with("product", name),
        ));
    }
    let tracking = match input.tracking {
        Tracking::Unknown if read.serial.is_some() => Tracking::Serial,
        known => known,
    };
    let names = (read.lot.as_deref(), read.serial.as_deref());
    let lot = tracked_name(tracking, names, input.lot.is_serial_a_lot).map(str::to_owned);
    let dates = label_dates(read.expiry, input.label);
    let more = |quantity: &Decimal| *quantity > Decimal::ZERO;
    let quantity = read.quantity.filter(more);
    let item = Item {
        code: read.code.clone(),
        name: read.name.clone().unwrap_or_else(|| read.code.clone()),
        quantity: quantity.unwrap_or(Decimal::ONE),
        is_new_lot: lot.is_some() && lot == input.lot.new,
        piece_dates: if lot.is_none() {
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
        return Err(Some(refuse_item(TextKey::SerialQuantity, &item)));
    }
    let unfinished = &state.unfinished;
    if let Some(package) = package
        && unfinished.items.iter().any(|own| own.is_same_entry(&item))
    {
        // A pallet exists once: its label a second time is not a second pallet.
        return Err(Some(
            refuse_item(TextKey::AlreadyScanned, &item).with("lot", package),
        ));
    }
    let awaiting = unfinished.last_item().filter(|own| own.lacks_lot());
    if awaiting.is_some() && item.lot.is_some() && input.lot.is_of_expected {
        return complete_lot(state, item, read.quantity.is_some());
    }
    add_item(state, item)
}

/// Adds the lot of a label to the last product, which lacks one. The label is of the same product,
/// so it is not a further piece.
///
/// `has_quantity`: the quantity on the label, in the unit of its code, replaces the running
/// quantity.
fn complete_lot(state: &mut State, label: Item, has_quantity: bool) -> Collected {
    let Some(before) = state.unfinished.last_item() else {
        return Err(None);
    };
    let is_its_piece = has_quantity || before.quantity == Decimal::ONE;
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
    if has_quantity {
        item.code = label.code;
        item.product = label.product;
        item.quantity = label.quantity;
    }
    place_item(state, item)
}

/// Sets the package of the last product, whose label has two barcodes.
fn set_package(state: &mut State, code: &str) -> Collected {
    let before = state.unfinished.last_item().filter(|own| own.lacks_package);
    let before = before.cloned().ok_or(None)?;
    let item = Item {
        package: Some(code.to_owned()),
        lacks_package: false,
        ..before
    };
    if state
        .unfinished
        .items
        .iter()
        .any(|own| own.is_same_entry(&item))
    {
        return Err(Some(
            refuse_item(TextKey::AlreadyScanned, &item).with("lot", code),
        ));
    }
    place_item(state, item)
}

/// Adds a product to the unfinished movement, or its quantity to the same entry.
fn add_item(state: &mut State, item: Item) -> Collected {
    let unfinished = &mut state.unfinished;
    // Goods on a pallet whose SSCC follows are an entry apart from loose goods.
    let is_joinable = |own: &Item| own.lacks_package == item.lacks_package || item.is_serial();
    let is_present =
        |own: &Item| !item.lacks_quantity && is_joinable(own) && own.is_same_entry(&item);
    let Some(place) = unfinished.items.iter().position(is_present) else {
        if unfinished.items.len() >= ITEMS_MAX {
            return Err(Some(DisplayText::bad(TextKey::TooManyProducts)));
        }
        unfinished.last = unfinished.items.len();
        unfinished.items.push(item);
        return Ok(vec![Change::Added]);
    };
    if item.is_serial() {
        return Err(Some(refuse_repeat(&item)));
    }
    let before = unfinished.items[place].clone();
    let sum = before.quantity.checked_add(item.quantity);
    unfinished.items[place].quantity = sum.ok_or(None)?;
    // Goods on two pallets are not in one package.
    unfinished.items[place].lacks_package = false;
    unfinished.items[place].add_measures(&item.measures);
    unfinished.last = place;
    Ok(vec![Change::Changed(place, Box::new(before))])
}

/// Sets the lot of the last product. After a serial number, the next one is one more piece of the
/// same product.
fn set_lot(state: &mut State, name: &str, own: Dates, read: &LotRead) -> Collected {
    let before = state.unfinished.last_item().cloned().ok_or(None)?;
    if before.tracking == Tracking::No {
        return Err(None);
    }
    let names = (read.batch.as_deref(), read.serial.as_deref());
    let name = match (
        tracked_name(before.tracking, names, read.is_serial_a_lot),
        names,
    ) {
        (Some(name), _) => name,
        (None, (None, None)) => name,
        (None, _) => {
            let key = if before.is_serial() {
                TextKey::BatchGiven
            } else {
                TextKey::SerialGiven
            };
            return Err(Some(DisplayText::bad(key).with("code", name)));
        }
    };
    // The dates on a product's label apply to its lot, not to the next piece.
    let (expiry, best_before) = if before.lot.is_none() {
        (&before.expiry, &before.best_before)
    } else {
        (&before.piece_dates.expiry, &before.piece_dates.best_before)
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
            // The measures on the label belong to the piece before.
            item.measures.clear();
            add_item(state, item)
        }
        Some(_) => Err(None),
        None => place_item(state, item),
    }
}

/// Replaces the last product by `item`, which now has its lot or package. Merges it with an entry
/// of the same lot and package.
fn place_item(state: &mut State, item: Item) -> Collected {
    let unfinished = &mut state.unfinished;
    let place = unfinished.last;
    let before = unfinished.items.get(place).cloned().ok_or(None)?;
    if item.is_serial() && item.quantity != Decimal::ONE {
        return Err(Some(refuse_item(TextKey::SerialQuantity, &item)));
    }
    if !unfinished.items.iter().any(|own| own.is_same_entry(&item)) {
        unfinished.items[place] = item;
        return Ok(vec![Change::Changed(place, Box::new(before))]);
    }
    // Two entries of one lot would become two counts of one lot.
    unfinished.items.remove(place);
    let mut changes = vec![Change::Joined(place, Box::new(before))];
    changes.extend(add_item(state, item)?);
    Ok(changes)
}

/// Sets the quantity of the last product.
pub fn set_quantity(state: &mut State, quantity: Decimal) -> Collected {
    let unfinished = &mut state.unfinished;
    let item = unfinished.items.get_mut(unfinished.last).ok_or(None)?;
    if quantity <= Decimal::ZERO {
        return Err(None);
    }
    if item.is_serial() && quantity != Decimal::ONE {
        return Err(Some(refuse_item(TextKey::SerialQuantity, item)));
    }
    let before = item.clone();
    if item.quantity != quantity {
        // The measures on the labels belong to the quantity before.
        item.measures.clear();
    }
    item.quantity = quantity;
    item.lacks_quantity = false;
    Ok(vec![Change::Changed(unfinished.last, Box::new(before))])
}

/// Reads the quantity that the flow asked for. A short number is a quantity, also if Odoo has a
/// location or product of that name. `None`: the code is not a quantity.
pub fn read_quantity(meaning: &Meaning, code: &str) -> Option<Decimal> {
    if let Meaning::Quantity { quantity } = meaning {
        return Some(*quantity);
    }
    let number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let fits = code.len() <= QUANTITY_CHARS_MAX && code.bytes().all(number);
    fits.then(|| code.parse().ok())?
}

fn refuse_item(key: TextKey, item: &Item) -> DisplayText {
    DisplayText::bad(key).with("product", &item.name)
}

/// Refuses a product that is already in the movement.
fn refuse_repeat(item: &Item) -> DisplayText {
    match &item.lot {
        Some(lot) => refuse_item(TextKey::AlreadyScanned, item).with("lot", lot),
        None => refuse_item(TextKey::SerialFirst, item),
    }
}
