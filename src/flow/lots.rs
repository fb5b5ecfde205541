//! Lots and serial numbers in a flow: which new name it accepts, and the texts about them. Pure.

use crate::config::LotPattern;
use crate::decode::meaning::Meaning;
use crate::decode::profile::Flow;
use crate::event::Movement;

use super::display_text::{DisplayText, TextKey};
use super::input::Input;
use super::reply::{ask_next, strip_controls};
use super::state::{Item, State, Tracking};

/// Refuses the name of a new lot or serial number that does not match the pattern, or that looks
/// like something else and is scanned for the first time.
pub(super) fn check_new_name(
    pattern: Option<&LotPattern>,
    state: &State,
    meaning: &Meaning,
    input: &Input<'_>,
) -> Result<(), DisplayText> {
    let Some(name) = &input.lot.new else {
        return Ok(());
    };
    let is_serial = match meaning {
        Meaning::Lot { .. } => state.unfinished.last_item().is_some_and(Item::is_serial),
        _ => input.tracking == Tracking::Serial,
    };
    let by_kind = |lot, serial| if is_serial { serial } else { lot };
    let is_repeat = state.unconfirmed.as_deref() == Some(input.code) && !input.possible_repeat;
    if pattern.is_some_and(|pattern| !pattern.fits(name)) {
        let key = by_kind(TextKey::LotForm, TextKey::SerialForm);
        return Err(DisplayText::bad(key).with("code", &strip_controls(name)));
    }
    match input.lot.resemblance {
        Some(resemblance) if !is_repeat => {
            let key = by_kind(TextKey::LotAgain, TextKey::SerialAgain);
            Err(DisplayText::bad(key)
                .with("code", &strip_controls(name))
                .resembling(resemblance))
        }
        _ => Ok(()),
    }
}

/// Describes the product that was scanned last, its running quantity and its lot. `known`: whether
/// the catalog has the product.
pub(super) fn describe_item(flow: &Flow, state: &State, known: bool) -> DisplayText {
    let Some(item) = state.unfinished.last_item() else {
        return ask_next(flow, state, "");
    };
    let key = match (&item.lot, item.tracking) {
        (None, Tracking::Serial) => TextKey::SerialNext,
        (None, Tracking::Lot) => TextKey::LotNext,
        (None, _) if !known => TextKey::ItemUnknown,
        (Some(_), _) if !known => TextKey::LotUnknown,
        // A count creates no lot: it is parked until Odoo has the lot.
        (Some(_), _) if item.is_new_lot && flow.movement != Movement::Receive => {
            TextKey::LotUnknown
        }
        (None, _) => TextKey::Item,
        (Some(_), Tracking::Serial) if item.is_new_lot => TextKey::NewSerial,
        (Some(_), Tracking::Serial) => TextKey::Serial,
        (Some(_), _) if item.is_new_lot => TextKey::NewLot,
        (Some(_), _) => TextKey::Lot,
    };
    DisplayText::good(key)
        .with("product", &item.name)
        .with("quantity", &item.quantity.normalize().to_string())
        .with(
            "lot",
            &strip_controls(item.lot.as_deref().unwrap_or_default()),
        )
        .into_package(item.package.as_deref())
}

/// Describes the product of a label. Asks for the quantity if the label says that the product is in
/// a package, but not how many pieces.
pub(super) fn describe_labelled(flow: &Flow, state: &mut State, known: bool) -> DisplayText {
    let Some(item) = state
        .unfinished
        .last_item()
        .filter(|item| item.lacks_quantity)
    else {
        return describe_item(flow, state, known);
    };
    let say = DisplayText::good(TextKey::QuantityNext).with("product", &item.name);
    state.asks_quantity = true;
    say
}

/// Whether a movement accepts a lot that Odoo does not have.
pub(super) fn takes_new_lots(movement: Movement) -> bool {
    matches!(movement, Movement::Receive | Movement::Count)
}

/// Sets the state to what a refusal asks for: the same code once more, or the lot or quantity of
/// the product that lacks it.
pub(super) fn note_request(state: &mut State, text: &DisplayText, code: &str) {
    match text.key {
        TextKey::LotAgain | TextKey::SerialAgain => state.unconfirmed = Some(code.to_owned()),
        TextKey::LotFirst | TextKey::SerialFirst => {
            let lacking = state.unfinished.items.iter().position(Item::lacks_lot);
            state.unfinished.last = lacking.unwrap_or(state.unfinished.last);
        }
        TextKey::QuantityFirst => {
            let lacking = state
                .unfinished
                .items
                .iter()
                .position(|item| item.lacks_quantity);
            state.asks_quantity = lacking.is_some();
            state.unfinished.last = lacking.unwrap_or(state.unfinished.last);
        }
        _ => {}
    }
}
