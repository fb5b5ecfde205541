//! Lots and serial numbers in a flow: which one is awaited, which new name is taken, and what the
//! person hears of it. Pure.

use crate::config::LotPattern;
use crate::decode::meaning::Meaning;
use crate::decode::profile::Flow;
use crate::event::Movement;

use super::input::Input;
use super::reply::{ask_next, shown};
use super::say::{Key, Say};
use super::state::{Item, State, Tracking};

/// Refuses the name of a new lot or serial number that does not match the pattern, or that
/// looks like something else and is scanned for the first time.
pub(super) fn admit(
    pattern: Option<&LotPattern>,
    state: &State,
    meaning: &Meaning,
    input: &Input<'_>,
) -> Result<(), Say> {
    let Some(name) = &input.lot.new else {
        return Ok(());
    };
    let is_serial = match meaning {
        Meaning::Lot { .. } => state.work.last_item().is_some_and(Item::is_serial),
        _ => input.tracking == Tracking::Serial,
    };
    let by_kind = |lot, serial| if is_serial { serial } else { lot };
    let is_repeat = state.doubted.as_deref() == Some(input.code) && !input.possible_repeat;
    if pattern.is_some_and(|pattern| !pattern.fits(name)) {
        let key = by_kind(Key::LotForm, Key::SerialForm);
        return Err(Say::bad(key).with("code", &shown(name)));
    }
    match input.lot.looks_like {
        Some(look) if !is_repeat => {
            let key = by_kind(Key::LotAgain, Key::SerialAgain);
            Err(Say::bad(key).with("code", &shown(name)).looking_like(look))
        }
        _ => Ok(()),
    }
}

/// Tells the product that was scanned last, its running quantity and its lot.
pub(super) fn describe_item(flow: &Flow, state: &State, known: bool) -> Say {
    let Some(item) = state.work.last_item() else {
        return ask_next(flow, state, "");
    };
    let key = match (&item.lot, item.tracking) {
        (None, Tracking::Serial) => Key::SerialNext,
        (None, Tracking::Lot) => Key::LotNext,
        (None, _) if !known => Key::ItemUnknown,
        (Some(_), _) if !known => Key::LotUnknown,
        // A count makes no lot: it waits until Odoo has it.
        (Some(_), _) if item.is_new_lot && flow.movement != Movement::Receive => Key::LotUnknown,
        (None, _) => Key::Item,
        (Some(_), Tracking::Serial) if item.is_new_lot => Key::NewSerial,
        (Some(_), Tracking::Serial) => Key::Serial,
        (Some(_), _) if item.is_new_lot => Key::NewLot,
        (Some(_), _) => Key::Lot,
    };
    Say::good(key)
        .with("product", &item.name)
        .with("quantity", &item.quantity.normalize().to_string())
        .with("lot", &shown(item.lot.as_deref().unwrap_or_default()))
        .into_package(item.package.as_deref())
}

/// Tells the product of a label. Asks for the quantity where the label says that the product is in
/// a package, but not how many there are.
pub(super) fn describe_labelled(flow: &Flow, state: &mut State, known: bool) -> Say {
    let Some(item) = state.work.last_item().filter(|item| item.lacks_quantity) else {
        return describe_item(flow, state, known);
    };
    let say = Say::good(Key::QuantityNext).with("product", &item.name);
    state.asks_quantity = true;
    say
}

/// Whether a movement takes the name of a lot that Odoo does not have.
pub(super) fn takes_new_lots(movement: Movement) -> bool {
    matches!(movement, Movement::Receive | Movement::Count)
}

/// What a refusal asks for is what comes next: the same code once more, or the lot or the quantity
/// of the product that lacks it.
pub(super) fn note_asked(state: &mut State, say: &Say, code: &str) {
    match say.key {
        Key::LotAgain | Key::SerialAgain => state.doubted = Some(code.to_owned()),
        Key::LotFirst | Key::SerialFirst => {
            let lacking = state.work.items.iter().position(Item::lacks_lot);
            state.work.last = lacking.unwrap_or(state.work.last);
        }
        Key::QuantityFirst => {
            let lacking = state.work.items.iter().position(|item| item.lacks_quantity);
            state.asks_quantity = lacking.is_some();
            state.work.last = lacking.unwrap_or(state.work.last);
        }
        _ => {}
    }
}
