//! Builds the answers to a code, with the codes that the flow expects next. Pure.

use super::display_text::{DisplayText, ExpectedCode, TextKey};
use super::state::State;
use crate::decode::profile::{Act, Flow, Kind, On, Transition};

/// The name of the current state of the flow.
pub(super) fn state_name(flow: &Flow, state: &State) -> String {
    state.at.clone().unwrap_or_else(|| flow.start.clone())
}

/// Lists the codes that the flow expects next: only the lot if the last product lacks it, otherwise
/// all codes except the lot and quantity of the last product.
pub(super) fn expected_codes(flow: &Flow, state: &State) -> Vec<ExpectedCode> {
    match state.unfinished.last_item().filter(|item| item.lacks_lot()) {
        Some(item) if item.is_serial() => return vec![ExpectedCode::Serial],
        Some(_) => return vec![ExpectedCode::Lot],
        None => {}
    }
    let at = state_name(flow, state);
    // The label of a pallet is scanned as a product.
    let is_content =
        |on: &&Transition| on.code == On::Kind(Kind::Package) && on.acts.contains(&Act::Product);
    let all = (flow.on.iter())
        .filter(|transition| transition.state == at && !is_content(transition))
        .filter_map(|transition| ExpectedCode::of(&transition.code));
    all.filter(|want| !matches!(want, ExpectedCode::Lot | ExpectedCode::Quantity))
        .collect()
}

/// Refuses a code, and names the codes that the flow expects next.
pub(super) fn refuse(key: TextKey, flow: &Flow, state: &State, code: &str) -> DisplayText {
    let say = DisplayText::bad(key).with("code", &strip_controls(code));
    say.expecting(expected_codes(flow, state))
}

/// Confirms a code, and names the codes that the flow expects next.
pub(super) fn ask_next(flow: &Flow, state: &State, code: &str) -> DisplayText {
    let say = DisplayText::good(TextKey::Next).with("code", &strip_controls(code));
    say.expecting(expected_codes(flow, state))
}

/// Reports that events were recorded, and names the codes that the flow expects next.
pub(super) fn report_recorded(flow: &Flow, state: &State, what: &str) -> DisplayText {
    let say = DisplayText::good(TextKey::Recorded).with("what", what);
    say.expecting(expected_codes(flow, state))
}

/// Removes control characters, for the display.
pub(super) fn strip_controls(code: &str) -> String {
    code.chars().filter(|c| !c.is_control()).collect()
}
