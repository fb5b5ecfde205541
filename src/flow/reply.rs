//! What the device hears of a code, and what may come next. Pure.

use super::say::{Key, Say, Want};
use super::state::State;
use crate::decode::profile::{Act, Flow, Kind, On, Transition};

/// The name of the state that the flow is in.
pub(super) fn state_name(flow: &Flow, state: &State) -> String {
    state.at.clone().unwrap_or_else(|| flow.start.clone())
}

/// What may come next: the lot alone where one lacks, else all but what is only told of the
/// last product.
pub(super) fn wanted(flow: &Flow, state: &State) -> Vec<Want> {
    match state.work.last_item().filter(|item| item.lacks_lot()) {
        Some(item) if item.is_serial() => return vec![Want::Serial],
        Some(_) => return vec![Want::Lot],
        None => {}
    }
    let at = state_name(flow, state);
    // A package that is a product by what is in it is no package that is awaited.
    let is_content =
        |on: &&Transition| on.code == On::Kind(Kind::Package) && on.acts.contains(&Act::Product);
    let all = (flow.on.iter())
        .filter(|transition| transition.state == at && !is_content(transition))
        .filter_map(|transition| Want::of(&transition.code));
    all.filter(|want| !matches!(want, Want::Lot | Want::Quantity))
        .collect()
}

/// A refusal of a code, with what may come next.
pub(super) fn refuse(key: Key, flow: &Flow, state: &State, code: &str) -> Say {
    let say = Say::bad(key).with("code", &shown(code));
    say.wanting(wanted(flow, state))
}

/// The answer to a code that changed something, with what may come next.
pub(super) fn ask_next(flow: &Flow, state: &State, code: &str) -> Say {
    let say = Say::good(Key::Next).with("code", &shown(code));
    say.wanting(wanted(flow, state))
}

/// The answer when events were made, with what may come next.
pub(super) fn report_made(flow: &Flow, state: &State, what: &str) -> Say {
    let say = Say::good(Key::Made).with("what", what);
    say.wanting(wanted(flow, state))
}

/// A code as a display shows it: without control characters.
pub(super) fn shown(code: &str) -> String {
    code.chars().filter(|c| !c.is_control()).collect()
}
