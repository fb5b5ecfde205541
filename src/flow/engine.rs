//! State, what was read, now → state, events, a word for the person. Pure.

mod commands;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jiff::Timestamp;

use crate::config::LotPattern;
use crate::decode::meaning::Meaning;
use crate::decode::profile::CommandCode;
use crate::decode::profile::{Act, Flow, FlowRules, Kind, On, Transition};
use crate::event::{Action, Field, Measures, Movement};

use super::acts;
use super::input::{Awaited, Input, Read};
use super::lots::{self, note_asked, takes_new_lots};
use super::make::{self, Draft};
use super::notes;
use super::reply::{ask_next, refuse, report_made, shown, state_name};
use super::say::{Key, Say, Want};
use super::state::{Did, Done, State, Step};
use super::unfinished::Unfinished;

/// What is complete by itself is made into events after so long without a read: who walks away has
/// picked what they scanned.
const SETTLE_S: i64 = 60;
/// What is begun ends after so long without a read, unless the profile says otherwise.
const IDLE_S: u64 = 600;
/// The command that says why goods are scrapped or come back: `SR-REASON-DAMAGED`.
const REASON: &str = "SR-REASON-";

/// An event that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// `flow-SEQ-N-TAG`: the same scan makes the same ids, so that nothing is made twice.
    pub id: String,
    pub at: Timestamp,
    /// When the gateway received the scan that has this time.
    pub received: Timestamp,
    pub operator: Option<String>,
    /// One of its scans is flagged as a possible repeat.
    pub possible_repeat: bool,
    pub action: Action,
    pub measures: Measures,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub events: Vec<Made>,
    /// What a pause before this read has dropped.
    pub dropped: Option<Unfinished>,
    pub say: Say,
}

/// What time has done without a read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    pub made: Vec<Made>,
    pub dropped: Option<Unfinished>,
}

/// The flows of one profile.
#[derive(Debug)]
pub struct Engine<'a> {
    rules: &'a FlowRules,
    /// What the name of a new lot must match at this site.
    lot_pattern: Option<&'a LotPattern>,
}

/// The flows that every device has.
fn built_in() -> &'static BTreeMap<String, Flow> {
    static FLOWS: OnceLock<BTreeMap<String, Flow>> = OnceLock::new();
    // A test drives each of them, so a file that cannot be read is never shipped.
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

    /// The site's own pattern for new lots counts where the profile has none.
    #[must_use]
    pub fn with_lot_pattern(self, site: Option<&'a LotPattern>) -> Self {
        Self {
            lot_pattern: self.lot_pattern.or(site),
            ..self
        }
    }

    /// The device read a code.
    #[must_use]
    pub fn read(&self, state: &State, input: &Input<'_>) -> (State, Output) {
        let mut before = state.clone();
        let Passed {
            made: mut events,
            dropped,
        } = self.pass(&mut before, input.now);
        (before.seq, before.made) = (input.seq, 0);
        input.tag.clone_into(&mut before.tag);
        let mut after = before.clone();
        before.doubted = None;
        after.possible_repeat |= input.possible_repeat;
        let mut actions = Vec::new();
        let (mut state, mut say) = match self.apply(&mut after, input, &mut actions) {
            Ok(say) => {
                after.doubted = None;
                (after, say)
            }
            Err(say) => {
                actions.clear();
                note_asked(&mut before, &say, input.code);
                (before, say)
            }
        };
        say.dropped = state.dropped.take();
        state.last = Some(input.now);
        state.last_at = Some(input.at);
        let operator = input.operator.or(state.operator.as_deref());
        let operator = operator.map(str::to_owned);
        let times = (input.at, input.now);
        events.extend(number(&mut state, actions, times, operator.as_ref()));
        if state.work.is_empty() {
            state.possible_repeat = false;
        }
        let output = Output {
            events,
            dropped,
            say,
        };
        (state, output)
    }

    /// When [`Self::pass`] would make events or drop products if nothing is read until then.
    #[must_use]
    pub fn due(&self, state: &State) -> Option<Timestamp> {
        let last = state.last.filter(|_| state.has_begun())?;
        let settles = |flow: &Flow| make::settles(flow.movement, &state.work);
        let seconds = if self.flow(state).is_some_and(settles) {
            self.settle_s()
        } else {
            self.idle_s()?
        };
        let after = jiff::SignedDuration::from_secs(seconds);
        // Beyond the calendar's end it is never.
        last.checked_add(after).ok()
    }

    /// What a person calls what the device has begun; `None`: it has scanned no product for it.
    #[must_use]
    pub fn begun(&self, state: &State) -> Option<&'static str> {
        let movement = self.flow(state).map(|flow| flow.movement);
        let name = movement.map_or("movement", |movement| movement.event_type().noun);
        state.has_begun().then_some(name)
    }

    /// Time has passed without a read: makes what is complete by itself, and ends the rest.
    pub fn pass(&self, state: &mut State, now: Timestamp) -> Passed {
        let mut passed = Passed::default();
        let Some(last) = state.last else {
            return passed;
        };
        let idle_s = now.duration_since(last).as_secs();
        let movement = self.flow(state).map(|flow| flow.movement);
        let at = state.last_at.unwrap_or(last);
        if let Some(movement) = movement
            && idle_s >= self.settle_s()
            && make::settles(movement, &state.work)
        {
            let mut actions = Vec::new();
            // What settles can be made.
            if emit(state, movement, &mut actions).is_ok() {
                let operator = state.operator.clone();
                passed.made = number(state, actions, (at, last), operator.as_ref());
            }
        }
        if self.idle_s().is_some_and(|limit_s| idle_s >= limit_s) {
            if !state.work.is_empty() {
                state.dropped = Some(state.work.summary());
            }
            // A flow that its profile no longer has: its products are kept all the same.
            let movement = movement.unwrap_or(Movement::Transfer);
            let id = |place| id_of(state, place);
            passed.dropped = Unfinished::of(movement, state, (at, last), id);
            state.forget();
            state.flow = None;
            state.doubted = None;
            state.done = Done::Nothing;
            state.possible_repeat = false;
        }
        passed
    }

    /// The device's state at `now`: a long pause has ended what the device left open.
    #[must_use]
    pub fn as_of(&self, state: &State, now: Timestamp) -> State {
        let mut state = state.clone();
        self.pass(&mut state, now);
        state
    }

    /// The event that the last product would be, if nothing else came: so that the person hears at
    /// once what is wrong with it.
    #[must_use]
    pub fn outlook(&self, state: &State) -> Option<Action> {
        // What is wrong with a pick does not depend on the package that it goes into.
        let mut work = state.work.clone();
        let movement = self.flow(state)?.movement;
        work.package.take_if(|_| movement == Movement::Pick);
        make::action(movement, &work, work.last_item()?).ok()
    }

    /// The lot or serial number that is awaited, at this time; `None`: none is.
    #[must_use]
    pub fn awaits(&self, state: &State, now: Timestamp) -> Option<Awaited> {
        let state = self.as_of(state, now);
        let flow = self.flow(&state)?;
        let at = state_name(flow, &state);
        let mut here = flow.on.iter().filter(|on| on.state == at);
        let item = state.work.last_item()?;
        let is_awaited = item.lacks_lot() || item.is_serial();
        if state.asks_quantity || !is_awaited || !here.any(|on| on.code == On::Kind(Kind::Lot)) {
            return None;
        }
        Some(Awaited {
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

    /// By its name, in small letters: the profile's own before those that every device has.
    pub(super) fn named(&self, name: &str) -> Option<&'a Flow> {
        let own = self.rules.custom.get(name);
        own.or_else(|| built_in().get(name))
    }

    pub(super) fn flow(&self, state: &State) -> Option<&'a Flow> {
        let name = state.flow.as_ref().or(self.rules.start.as_ref())?;
        self.named(name)
    }

    /// What the code does; an error is a word for the person, and nothing has changed.
    fn apply(
        &self,
        state: &mut State,
        input: &Input<'_>,
        actions: &mut Vec<Draft>,
    ) -> Result<Say, Say> {
        let text = || input.code.to_owned();
        let meaning = match &input.read {
            Read::Means(meaning) => meaning,
            // The quantity that is asked for is no matter of what else the code may be.
            Read::Unclear if state.asks_quantity => &Meaning::Unknown { text: text() },
            Read::Unclear => return Err(Say::bad(Key::Unclear).with("code", &shown(input.code))),
            Read::Damaged => return Err(Say::bad(Key::Damaged).with("code", &shown(input.code))),
            Read::Unfit { product, measure } => {
                let say = Say::bad(Key::Measure).with("product", product);
                return Err(say.with("measure", measure));
            }
        };
        let Some(flow) = self.flow(state) else {
            let name = state.flow.as_ref().or(self.rules.start.as_ref());
            let name = name.map_or("", String::as_str);
            return Err(Say::bad(Key::UnknownFlow).with("flow", name));
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
                return Ok(Say::good(Key::Operator).with("code", badge));
            }
            other => other,
        };
        if state.asks_quantity && !matches!(meaning, Meaning::Command { .. }) {
            return Self::asked_quantity(flow, state, meaning, input);
        }
        if let Some(transition) = Self::transition(flow, state, meaning) {
            if takes_new_lots(flow.movement) {
                lots::admit(self.lot_pattern, state, meaning, input)?;
            }
            return Self::go(flow, transition, state, (meaning, input), actions);
        }
        match meaning {
            Meaning::Command { command } => self.command(flow, state, command, input, actions),
            Meaning::Unknown { text } if is_reason(flow.movement, text) => {
                let reason = text[REASON.len()..].to_owned();
                let did = Did::Reason(state.work.reason.replace(reason.clone()));
                state.remember(Step {
                    at: state.at.clone(),
                    did: vec![did],
                });
                Ok(ask_next(flow, state, &reason))
            }
            Meaning::Unknown { .. } => Err(refuse(Key::Unknown, flow, state, input.code)),
            _ => Err(refuse(Key::Wrong, flow, state, input.code)),
        }
    }

    /// The code that was asked for as a quantity.
    fn asked_quantity(
        flow: &Flow,
        state: &mut State,
        meaning: &Meaning,
        input: &Input<'_>,
    ) -> Result<Say, Say> {
        let quantity = acts::asked_quantity(meaning, input.code).ok_or_else(|| {
            Say::bad(Key::Wrong)
                .with("code", input.code)
                .wanting([Want::Quantity])
        })?;
        let at = state.at.clone();
        let did = acts::quantity(state, quantity)
            .map_err(|say| say.unwrap_or_else(|| refuse(Key::Wrong, flow, state, input.code)))?;
        state.asks_quantity = false;
        state.remember(Step { at, did });
        Ok(lots::describe_item(flow, state, true))
    }

    fn transition(flow: &'a Flow, state: &State, meaning: &Meaning) -> Option<&'a Transition> {
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

    /// Does what a transition says, in its order.
    fn go(
        flow: &'a Flow,
        transition: &Transition,
        state: &mut State,
        (meaning, input): (&Meaning, &Input<'_>),
        actions: &mut Vec<Draft>,
    ) -> Result<Say, Say> {
        let mut step = Step {
            at: state.at.clone(),
            did: Vec::new(),
        };
        let mut what = state.work.summary();
        let (mut said, made_before) = (None, actions.len());
        for act in &transition.acts {
            match act {
                Act::Emit => {
                    if !state.work.items.is_empty() {
                        what = state.work.summary();
                    }
                    if emit(state, flow.movement, actions)? {
                        step.did.clear();
                    }
                }
                Act::End => {
                    state.forget();
                    step = Step {
                        at: None,
                        did: Vec::new(),
                    };
                }
                Act::Undo => said = Some(Self::undo(flow, state, actions)?),
                Act::Cancel => said = Some(Self::cancel(flow, state)?),
                act => {
                    let did = acts::remember(*act, state, meaning, input).map_err(|say| {
                        say.unwrap_or_else(|| refuse(Key::Wrong, flow, state, input.code))
                    })?;
                    step.did.extend(did);
                }
            }
        }
        if let Some(next) = &transition.next {
            state.at = Some(next.clone());
        }
        state.remember(step);
        if let Some(said) = said {
            return Ok(said);
        }
        let made = actions.len() > made_before;
        notes::take_dates(state, meaning, input.label);
        let notes = notes::notes(state, flow.movement, meaning, input.label);
        Ok(match meaning {
            _ if made => report_made(flow, state, &what),
            Meaning::Product(item) => {
                lots::describe_labelled(flow, state, item.known).noting(notes)
            }
            Meaning::Package {
                content: Some(item),
                ..
            } => lots::describe_labelled(flow, state, item.known).noting(notes),
            Meaning::Package { .. } if transition.acts.contains(&Act::Product) => {
                lots::describe_item(flow, state, true)
            }
            Meaning::Lot { .. } => lots::describe_item(flow, state, true).noting(notes),
            Meaning::Quantity { .. } => lots::describe_item(flow, state, true),
            Meaning::Command { .. } => ask_next(flow, state, input.package),
            _ => ask_next(flow, state, input.code),
        })
    }
}

/// Makes all that is remembered; answers whether there was anything.
pub(super) fn emit(
    state: &mut State,
    movement: Movement,
    actions: &mut Vec<Draft>,
) -> Result<bool, Say> {
    let made = make::actions(movement, &state.work)?;
    if made.is_empty() {
        return Ok(false);
    }
    let places = actions.len() + 1..=actions.len() + made.len();
    state.done = Done::Made {
        ids: places.map(|place| id_of(state, place)).collect(),
        what: state.work.summary(),
    };
    state.work.items.clear();
    state.work.last = 0;
    state.work.reason = None;
    state.trail.clear();
    actions.extend(made);
    Ok(true)
}

/// Names events after the scan that they were made of.
fn number(
    state: &mut State,
    actions: Vec<Draft>,
    (at, received): (Timestamp, Timestamp),
    operator: Option<&String>,
) -> Vec<Made> {
    let count = actions.len();
    if count == 0 {
        return Vec::new();
    }
    let name = |(place, Draft { action, measures })| Made {
        id: id_of(state, place + 1),
        at,
        received,
        operator: operator.cloned(),
        possible_repeat: state.possible_repeat,
        action,
        measures,
    };
    let made = actions.into_iter().enumerate().map(name).collect();
    state.made += u32::try_from(count).unwrap_or(u32::MAX);
    state.possible_repeat = false;
    made
}

/// The id of the event in this place, from 1, among those that are about to be made.
fn id_of(state: &State, place: usize) -> String {
    let State { seq, tag, made, .. } = state;
    let place = *made as usize + place;
    // A state that an earlier version wrote has no tag.
    if tag.is_empty() {
        return format!("flow-{seq}-{place}");
    }
    format!("flow-{seq}-{place}-{tag}")
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
