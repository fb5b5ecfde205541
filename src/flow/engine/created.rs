//! Events that a flow creates: their ids and times.

use jiff::Timestamp;

use crate::event::{Action, Measures};
use crate::flow::create::Draft;
use crate::flow::state::State;

/// An event that a scan or a pause has created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedEvent {
    /// `flow-SEQ-N-TAG`: the same scan creates the same ids, so that no event exists twice.
    pub id: String,
    pub at: Timestamp,
    /// When the gateway received the scan whose time is `at`.
    pub received: Timestamp,
    pub operator: Option<String>,
    /// Whether one of its scans is flagged as a possible repeat.
    pub possible_repeat: bool,
    pub action: Action,
    pub measures: Measures,
}

/// Gives events their ids, after the scan that created them, and their times.
pub(super) fn assign_ids(
    state: &mut State,
    actions: Vec<Draft>,
    (at, received): (Timestamp, Timestamp),
    operator: Option<&String>,
) -> Vec<CreatedEvent> {
    let count = actions.len();
    if count == 0 {
        return Vec::new();
    }
    let name = |(place, Draft { action, measures })| CreatedEvent {
        id: event_id(state, place + 1),
        at,
        received,
        operator: operator.cloned(),
        possible_repeat: state.possible_repeat,
        action,
        measures,
    };
    let made = actions.into_iter().enumerate().map(name).collect();
    state.events_created += u32::try_from(count).unwrap_or(u32::MAX);
    state.possible_repeat = false;
    made
}

/// The id of the event in this place, from 1, among the events that are about to be created.
pub(super) fn event_id(state: &State, place: usize) -> String {
    let State { seq, tag, .. } = state;
    let place = state.events_created as usize + place;
    // A state of an earlier version has no tag.
    if tag.is_empty() {
        return format!("flow-{seq}-{place}");
    }
    format!("flow-{seq}-{place}-{tag}")
}
