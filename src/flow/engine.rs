//! Runs a flow: state, code and time become a new state, events and a display text. Pure.

mod commands;
mod created;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jiff::Timestamp;

use crate::config::LotPattern;
use crate::decode::meaning::Meaning;
use crate::decode::profile::CommandCode;
use crate::decode::profile::{Act, Flow, FlowRules, Kind, On, Transition};
use crate::event::{Action, Field, Movement};

pub use self::created::CreatedEvent;
use self::created::{assign_ids, event_id};
use super::collect;
use super::create::{self, Draft};
use super::display_text::{DisplayText, ExpectedCode, TextKey};
use super::expired::Expired;
use super::input::{AwaitedLot, Input, Read};
use super::label_notes;
use super::lots::{self, note_request, takes_new_lots};
use super::reply::{ask_next, refuse, report_recorded, state_name, strip_controls};
use super::state::{Change, State, Step, Undoable};

/// Pause after which a complete movement becomes events: after an operator leaves, the scanned
/// goods count as picked.
const SETTLE_S: i64 = 60;
/// Pause after which an unfinished movement expires, unless the profile has `idle_s`.
const IDLE_S: u64 = 600;
/// Start of the command that sets the reason of a scrap or return: `SR-REASON-DAMAGED`.
const REASON: &str = "SR-REASON-";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub events: Vec<CreatedEvent>,
    /// The unfinished movement that a pause before this scan ended.
    pub expired: Option<Expired>,
    pub text: DisplayText,
}

/// The effect of a pause.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PauseEffect {
    pub events: Vec<CreatedEvent>,
    pub expired: Option<Expired>,
}

/// The flows of one profile.
#[derive(Debug)]
pub struct Engine<'a> {
    rules: &'a FlowRules,
    /// The name of a new lot must match it.
    lot_pattern: Option<&'a LotPattern>,
}

/// Returns the flows that every device has.
fn built_in() -> &'static BTreeMap<String, Flow> {
    static FLOWS: OnceLock<BTreeMap<String, Flow>> = OnceLock::new();
    // A test runs each of them, so a file that cannot be parsed is never shipped.
    FLOWS.get_or_init(|| toml::from_str(include_str!("builtin.toml")).unwrap_or_default())
}

impl<'a> Engine<'a> {
    #[must_use]
    pub fn new(rules: &'a FlowRules) -> Self {
        Self {
            rules,
            lot_pattern: rules.lot_pattern.as_ref(),
        }
    }

    /// Adds the site's pattern for new lots, which applies if the profile has none.
    #[must_use]
    pub fn with_lot_pattern(self, site: Option<&'a LotPattern>) -> Self {
        Self {
            lot_pattern: self.lot_pattern.or(site),
            ..self
        }
    }

    /// Applies one scan of the device.
    #[must_use]
    pub fn read(&self, state: &State, input: &Input<'_>) -> (State, Output) {
        let mut before = state.clone();
        let PauseEffect {
            mut events,
            expired,
        } = self.apply_pause(&mut before, input.now);
        (before.seq, before.events_created) = (input.seq, 0);
        input.tag.clone_into(&mut before.tag);
        let mut after = before.clone();
        before.unconfirmed = None;
        after.possible_repeat |= input.possible_repeat;
        let mut actions = Vec::new();
        let (mut state, mut text) = match self.apply(&mut after, input, &mut actions) {
            Ok(text) => {
                after.unconfirmed = None;
                (after, text)
            }
            Err(text) => {
                actions.clear();
                note_request(&mut before, &text, input.code);
                (before, text)
            }
        };
        text.expired = state.expired.take();
        state.last_received = Some(input.now);
        state.last_at = Some(input.at);
        let operator = input.operator.or(state.operator.as_deref());
        let operator = operator.map(str::to_owned);
        let times = (input.at, input.now);
        events.extend(assign_ids(&mut state, actions, times, operator.as_ref()));
        if state.unfinished.is_empty() {
            state.possible_repeat = false;
        }
        let output = Output {
            events,
            expired,
            text,
        };
        (state, output)
    }

    /// When [`Self::apply_pause`] creates events or ends the movement, if no scan comes before.
    #[must_use]
    pub fn deadline(&self, state: &State) -> Option<Timestamp> {
        let last = state.last_received.filter(|_| state.has_unfinished())?;
        let settles = |flow: &Flow| create::is_complete(flow.movement, &state.unfinished);
        let seconds = if self.current_flow(state).is_some_and(settles) {
            self.settle_s()
        } else {
            self.idle_s()?
        };
        let after = jiff::SignedDuration::from_secs(seconds);
        // Beyond the calendar's end it is never.
        last.checked_add(after).ok()
    }

    /// The name of the unfinished movement for people. `None`: the device has scanned no product.
    #[must_use]
    pub fn name_unfinished(&self, state: &State) -> Option<&'static str> {
        let movement = self.current_flow(state).map(|flow| flow.movement);
        let name = movement.map_or("movement", |movement| movement.event_type().noun);
        state.has_unfinished().then_some(name)
    }

    /// Applies the pause since the last scan: creates events from a complete movement, and ends an
    /// unfinished one.
    pub fn apply_pause(&self, state: &mut State, now: Timestamp) -> PauseEffect {
        let mut effect = PauseEffect::default();
        let Some(last) = state.last_received else {
            return effect;
        };
        let idle_s = now.duration_since(last).as_secs();
        let movement = self.current_flow(state).map(|flow| flow.movement);
        let at = state.last_at.unwrap_or(last);
        if let Some(movement) = movement
            && idle_s >= self.settle_s()
            && create::is_complete(movement, &state.unfinished)
        {
            let mut actions = Vec::new();
            // A complete movement has no error.
            if emit(state, movement, &mut actions).is_ok() {
                let operator = state.operator.clone();
                effect.events = assign_ids(state, actions, (at, last), operator.as_ref());
            }
        }
        if self.idle_s().is_some_and(|limit_s| idle_s >= limit_s) {
            if !state.unfinished.is_empty() {
                state.expired = Some(state.unfinished.summarize());
            }
            // If the profile no longer has the flow, its products still become rejected readings.
            let movement = movement.unwrap_or(Movement::Transfer);
            let id = |place| event_id(state, place);
            effect.expired = Expired::new(movement, state, (at, last), id);
            state.clear_unfinished();
            state.flow = None;
            state.unconfirmed = None;
            state.undoable = Undoable::Nothing;
            state.possible_repeat = false;
        }
        effect
    }

    /// The device's state at `now`, after the pause since its last scan.
    #[must_use]
    pub fn state_at(&self, state: &State, now: Timestamp) -> State {
        let mut state = state.clone();
        self.apply_pause(&mut state, now);
        state
    }

    /// Builds the event of the last product as if the movement were complete, so that the operator
    /// learns at once if something is wrong with it. `None`: a required field is missing.
    #[must_use]
    pub fn preview(&self, state: &State) -> Option<Action> {
        // The checks of a pick do not depend on the package that it goes into.
        let mut unfinished = state.unfinished.clone();
        let movement = self.current_flow(state)?.movement;
        unfinished.package.take_if(|_| movement == Movement::Pick);
        create::build_action(movement, &unfinished, unfinished.last_item()?).ok()
    }

    /// The lot or serial number that the flow expects at `now`. `None`: it expects no lot.
    #[must_use]
    pub fn awaited_lot(&self, state: &State, now: Timestamp) -> Option<AwaitedLot> {
        let state = self.state_at(state, now);
        let flow = self.current_flow(&state)?;
        let at = state_name(flow, &state);
        let mut here = flow.on.iter().filter(|on| on.state == at);
        let item = state.unfinished.last_item()?;
        let is_awaited = item.lacks_lot() || item.is_serial();
        if state.asks_quantity || !is_awaited || !here.any(|on| on.code == On::Kind(Kind::Lot)) {
            return None;
        }
        Some(AwaitedLot {
            product: item.code.clone(),
            is_serial: item.is_serial(),
            is_lacking: item.lacks_lot(),
            may_be_new: takes_new_lots(flow.movement),
            previous: item.lot.clone(),
        })
    }

    fn idle_s(&self) -> Option<i64> {
        let idle_s = self.rules.idle_s.unwrap_or(IDLE_S);
        (idle_s > 0).then(|| i64::try_from(idle_s).unwrap_or(i64::MAX))
    }

    fn settle_s(&self) -> i64 {
        self.idle_s()
            .map_or(SETTLE_S, |idle_s| idle_s.min(SETTLE_S))
    }

    /// Finds a flow by its name in lower case: first in the profile, then in the built-in flows.
    pub(super) fn find_flow(&self, name: &str) -> Option<&'a Flow> {
        let own = self.rules.custom.get(name);
        own.or_else(|| built_in().get(name))
    }

    /// The flow that the device is in. `None`: neither state nor profile names a flow that exists.
    pub(super) fn current_flow(&self, state: &State) -> Option<&'a Flow> {
        let name = state.flow.as_ref().or(self.rules.start.as_ref())?;
        self.find_flow(name)
    }

    /// Applies a code. The error is the text for the display; the caller then drops `state`.
    fn apply(
        &self,
        state: &mut State,
        input: &Input<'_>,
        actions: &mut Vec<Draft>,
    ) -> Result<DisplayText, DisplayText> {
        let text = || input.code.to_owned();
        let meaning =
            match &input.read {
                Read::Means(meaning) => meaning,
                // If the flow asked for a quantity, the other meanings of the code do not matter.
                Read::Unclear if state.asks_quantity => &Meaning::Unknown { text: text() },
                Read::Unclear => {
                    return Err(DisplayText::bad(TextKey::Unclear)
                        .with("code", &strip_controls(input.code)));
                }
                Read::Damaged => {
                    return Err(DisplayText::bad(TextKey::Damaged)
                        .with("code", &strip_controls(input.code)));
                }
                Read::Unfit { product, measure } => {
                    let say = DisplayText::bad(TextKey::Measure).with("product", product);
                    return Err(say.with("measure", measure));
                }
            };
        let Some(flow) = self.current_flow(state) else {
            let name = state.flow.as_ref().or(self.rules.start.as_ref());
            let name = name.map_or("", String::as_str);
            return Err(DisplayText::bad(TextKey::UnknownFlow).with("flow", name));
        };
        let meaning = match meaning {
            Meaning::Command {
                command: CommandCode::Quantity(Some(quantity)),
            } => &Meaning::Quantity {
                quantity: *quantity,
            },
            Meaning::Command {
                command: CommandCode::Operator(badge),
            }
            | Meaning::Operator { badge } => {
                state.operator = Some(badge.clone());
                return Ok(DisplayText::good(TextKey::Operator).with("code", badge));
            }
            other => other,
        };
        if state.asks_quantity && !matches!(meaning, Meaning::Command { .. }) {
            return Self::answer_quantity(flow, state, meaning, input);
        }
        if let Some(transition) = Self::find_transition(flow, state, meaning) {
            if takes_new_lots(flow.movement) {
                lots::check_new_name(self.lot_pattern, state, meaning, input)?;
            }
            return Self::follow(flow, transition, state, (meaning, input), actions);
        }
        match meaning {
            Meaning::Command { command } => self.command(flow, state, command, input, actions),
            Meaning::Unknown { text } if is_reason(flow.movement, text) => {
                let reason = text[REASON.len()..].to_owned();
                let change = Change::Reason(state.unfinished.reason.replace(reason.clone()));
                state.push_step(Step {
                    at: state.at.clone(),
                    changes: vec![change],
                });
                Ok(ask_next(flow, state, &reason))
            }
            Meaning::Unknown { .. } => Err(refuse(TextKey::Unknown, flow, state, input.code)),
            _ => Err(refuse(TextKey::Wrong, flow, state, input.code)),
        }
    }

    /// Applies the code that answers the request for a quantity.
    fn answer_quantity(
        flow: &Flow,
        state: &mut State,
        meaning: &Meaning,
        input: &Input<'_>,
    ) -> Result<DisplayText, DisplayText> {
        let quantity = collect::read_quantity(meaning, input.code).ok_or_else(|| {
            DisplayText::bad(TextKey::Wrong)
                .with("code", input.code)
                .expecting([ExpectedCode::Quantity])
        })?;
        let at = state.at.clone();
        let changes = collect::set_quantity(state, quantity).map_err(|say| {
            say.unwrap_or_else(|| refuse(TextKey::Wrong, flow, state, input.code))
        })?;
        state.asks_quantity = false;
        state.push_step(Step { at, changes });
        Ok(lots::describe_item(flow, state, true))
    }

    fn find_transition(flow: &'a Flow, state: &State, meaning: &Meaning) -> Option<&'a Transition> {
        let at = state_name(flow, state);
        let waits = |on: &On| match (on, meaning) {
            (On::Command(own), Meaning::Command { command }) => own == command,
            (On::Kind(kind), meaning) => kind_of(meaning) == Some(*kind),
            _ => false,
        };
        flow.on
            .iter()
            .find(|transition| transition.state == at && waits(&transition.code))
    }

    /// Performs the acts of a transition in order.
    fn follow(
        flow: &'a Flow,
        transition: &Transition,
        state: &mut State,
        (meaning, input): (&Meaning, &Input<'_>),
        actions: &mut Vec<Draft>,
    ) -> Result<DisplayText, DisplayText> {
        let mut step = Step {
            at: state.at.clone(),
            changes: Vec::new(),
        };
        let mut what = state.unfinished.summarize();
        let (mut text, count_before) = (None, actions.len());
        for act in &transition.acts {
            match act {
                Act::Emit => {
                    if !state.unfinished.items.is_empty() {
                        what = state.unfinished.summarize();
                    }
                    if emit(state, flow.movement, actions)? {
                        step.changes.clear();
                    }
                }
                Act::End => {
                    state.clear_unfinished();
                    step = Step {
                        at: None,
                        changes: Vec::new(),
                    };
                }
                Act::Undo => text = Some(Self::undo(flow, state, actions)?),
                Act::Cancel => text = Some(Self::cancel(flow, state)?),
                act => {
                    let changes = collect::collect(*act, state, meaning, input).map_err(|say| {
                        say.unwrap_or_else(|| refuse(TextKey::Wrong, flow, state, input.code))
                    })?;
                    step.changes.extend(changes);
                }
            }
        }
        if let Some(next) = &transition.next {
            state.at = Some(next.clone());
        }
        state.push_step(step);
        if let Some(text) = text {
            return Ok(text);
        }
        let has_created = actions.len() > count_before;
        label_notes::apply_dates(state, meaning, input.label);
        let notes = label_notes::list_new_notes(state, flow.movement, meaning, input.label);
        Ok(match meaning {
            _ if has_created => report_recorded(flow, state, &what),
            Meaning::Product(item) => {
                lots::describe_labelled(flow, state, item.known).with_notes(notes)
            }
            Meaning::Package {
                content: Some(item),
                ..
            } => lots::describe_labelled(flow, state, item.known).with_notes(notes),
            Meaning::Package { .. } if transition.acts.contains(&Act::Product) => {
                lots::describe_item(flow, state, true)
            }
            Meaning::Lot { .. } => lots::describe_item(flow, state, true).with_notes(notes),
            Meaning::Quantity { .. } => lots::describe_item(flow, state, true),
            Meaning::Command { .. } => ask_next(flow, state, input.package),
            _ => ask_next(flow, state, input.code),
        })
    }
}

/// Creates the events of all products of the movement. Returns whether there were any.
pub(super) fn emit(
    state: &mut State,
    movement: Movement,
    actions: &mut Vec<Draft>,
) -> Result<bool, DisplayText> {
    let made = create::build_actions(movement, &state.unfinished)?;
    if made.is_empty() {
        return Ok(false);
    }
    let places = actions.len() + 1..=actions.len() + made.len();
    state.undoable = Undoable::Created {
        ids: places.map(|place| event_id(state, place)).collect(),
        what: state.unfinished.summarize(),
    };
    state.unfinished.items.clear();
    state.unfinished.last = 0;
    state.unfinished.reason = None;
    state.trail.clear();
    actions.extend(made);
    Ok(true)
}

fn is_reason(movement: Movement, text: &str) -> bool {
    let begins = text.get(..REASON.len());
    movement.event_type().takes(Field::Reason)
        && text.len() > REASON.len()
        && begins.is_some_and(|begin| begin.eq_ignore_ascii_case(REASON))
}

fn kind_of(meaning: &Meaning) -> Option<Kind> {
    Some(match meaning {
        Meaning::Product(_) => Kind::Product,
        Meaning::Location { .. } => Kind::Location,
        Meaning::Package { .. } => Kind::Package,
        Meaning::Order { .. } => Kind::Order,
        Meaning::Lot { .. } => Kind::Lot,
        Meaning::Quantity { .. } => Kind::Quantity,
        Meaning::Operator { .. } => Kind::Operator,
        Meaning::Command { .. } | Meaning::Unknown { .. } => return None,
    })
}
