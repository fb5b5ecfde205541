//! What command barcodes do, in every state that has no use of its own for them.

use crate::decode::profile::Flow;
use crate::decode::profile::{CommandCode, FlowName};
use crate::event::{Action, Movement};

use super::{Engine, emit};
use crate::flow::input::Input;
use crate::flow::lots;
use crate::flow::make::Draft;
use crate::flow::reply::{refuse, report_made, wanted};
use crate::flow::say::{Key, Say};
use crate::flow::state::{Done, Item, State};

impl<'a> Engine<'a> {
    pub(super) fn command(
        &self,
        flow: &'a Flow,
        state: &mut State,
        command: &CommandCode,
        input: &Input<'_>,
        actions: &mut Vec<Draft>,
    ) -> Result<Say, Say> {
        match command {
            CommandCode::Validate => Self::validate(flow, state, actions),
            CommandCode::Cancel | CommandCode::Discard => Self::cancel(flow, state),
            CommandCode::Undo => Self::undo(flow, state, actions),
            CommandCode::MainMenu => self.switch(flow, state, None, actions),
            CommandCode::Scrap => self.switch(flow, state, Some("scrap"), actions),
            CommandCode::Return => self.switch(flow, state, Some("return"), actions),
            CommandCode::Flow(FlowName::BuiltIn(movement)) => {
                self.switch(flow, state, Some(movement.as_str()), actions)
            }
            CommandCode::Flow(FlowName::Custom(name)) => {
                self.switch(flow, state, Some(name), actions)
            }
            CommandCode::Quantity(_) => {
                let Some(item) = state.work.last_item() else {
                    return Err(refuse(Key::NothingBegun, flow, state, input.code));
                };
                let say = Say::good(Key::QuantityNext).with("product", &item.name);
                state.asks_quantity = true;
                Ok(say)
            }
            CommandCode::PutInPack if !state.work.items.is_empty() => {
                let what = state.work.summary();
                let before = state.work.package.replace(input.package.to_owned());
                emit(state, flow.movement, actions)?;
                state.work.package = before;
                Ok(report_made(flow, state, &what))
            }
            // Pages and prints of Odoo's own screen; packages where the flow has none.
            _ => Err(refuse(Key::NotHere, flow, state, input.code)),
        }
    }

    /// What was begun is complete; of an order, too.
    fn validate(flow: &'a Flow, state: &mut State, actions: &mut Vec<Draft>) -> Result<Say, Say> {
        let of_order = matches!(flow.movement, Movement::Pick | Movement::Receive);
        let order = state.work.order.clone().filter(|_| of_order);
        if state.work.items.is_empty() && order.is_none() {
            return Err(refuse(Key::NothingBegun, flow, state, ""));
        }
        let what = state.work.summary();
        emit(state, flow.movement, actions)?;
        state.forget();
        let Some(order) = order else {
            return Ok(report_made(flow, state, &what));
        };
        let order_again = order.clone();
        actions.push(Action::Validate { order: order_again }.into());
        state.done = Done::Validated;
        let say = Say::good(Key::Validated).with("order", &order);
        Ok(say.wanting(wanted(flow, state)))
    }

    /// What was begun and not made is forgotten. The order itself is Odoo's: nothing is cancelled
    /// there.
    pub(super) fn cancel(flow: &Flow, state: &mut State) -> Result<Say, Say> {
        if state.work.is_empty() && state.at.is_none() {
            return Err(refuse(Key::NothingBegun, flow, state, ""));
        }
        let what = state.work.summary();
        state.forget();
        let say = Say::good(Key::Cancelled).with("what", &what);
        Ok(say.wanting(wanted(flow, state)))
    }

    /// The last read is forgotten; where all is made, it is taken back by events of its own.
    pub(super) fn undo(
        flow: &Flow,
        state: &mut State,
        actions: &mut Vec<Draft>,
    ) -> Result<Say, Say> {
        if std::mem::take(&mut state.asks_quantity) {
            // What says not how many it is goes with the question.
            let lacks_quantity = |item: &Item| item.lacks_quantity;
            if !state.work.last_item().is_some_and(lacks_quantity) {
                return Ok(Self::undone(flow, state));
            }
        }
        if let Some(step) = state.trail.pop() {
            for did in step.did.into_iter().rev() {
                state.work.undo(did);
            }
            state.at = step.at;
            return Ok(Self::undone(flow, state));
        }
        match std::mem::take(&mut state.done) {
            Done::Made { ids, what } if state.work.items.is_empty() => {
                let undo = |event| {
                    let reason = None;
                    Draft::from(Action::Undo { event, reason })
                };
                actions.extend(ids.into_iter().rev().map(undo));
                let say = Say::good(Key::TakenBack).with("what", &what);
                Ok(say.wanting(wanted(flow, state)))
            }
            Done::Validated if state.work.items.is_empty() => Err(Say::bad(Key::ValidatedBefore)),
            _ => Err(refuse(Key::NothingToUndo, flow, state, "")),
        }
    }

    fn undone(flow: &Flow, state: &mut State) -> Say {
        if state.work.last_item().is_some() {
            return lots::describe_labelled(flow, state, true);
        }
        Say::good(Key::Undone).wanting(wanted(flow, state))
    }

    /// Another flow begins, once what was begun is complete. Without a name: the one that the
    /// device begins in.
    fn switch(
        &self,
        flow: &'a Flow,
        state: &mut State,
        name: Option<&str>,
        actions: &mut Vec<Draft>,
    ) -> Result<Say, Say> {
        if let Some(name) = name.filter(|name| self.named(name).is_none()) {
            return Err(Say::bad(Key::UnknownFlow).with("flow", name));
        }
        emit(state, flow.movement, actions)?;
        state.forget();
        state.flow = name.map(str::to_owned);
        let Some(flow) = self.flow(state) else {
            return Err(Say::bad(Key::UnknownFlow).with("flow", ""));
        };
        let shown = name.unwrap_or(flow.movement.as_str()).to_uppercase();
        let say = Say::good(Key::Flow).with("flow", &shown);
        Ok(say.wanting(wanted(flow, state)))
    }
}
