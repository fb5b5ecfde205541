//! Applies command barcodes that the current state of the flow has no transition for.

use crate::decode::profile::Flow;
use crate::decode::profile::{CommandCode, FlowName};
use crate::event::{Action, Movement};

use super::{Engine, emit};
use crate::flow::create::Draft;
use crate::flow::display_text::{DisplayText, TextKey};
use crate::flow::input::Input;
use crate::flow::lots;
use crate::flow::reply::{expected_codes, refuse, report_recorded};
use crate::flow::state::{Item, State, Undoable};

impl<'a> Engine<'a> {
    pub(super) fn command(
        &self,
        flow: &'a Flow,
        state: &mut State,
        command: &CommandCode,
        input: &Input<'_>,
        actions: &mut Vec<Draft>,
    ) -> Result<DisplayText, DisplayText> {
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
                let Some(item) = state.unfinished.last_item() else {
                    return Err(refuse(TextKey::NothingScanned, flow, state, input.code));
                };
                let say = DisplayText::good(TextKey::QuantityNext).with("product", &item.name);
                state.asks_quantity = true;
                Ok(say)
            }
            CommandCode::PutInPack if !state.unfinished.items.is_empty() => {
                let what = state.unfinished.summarize();
                let before = state.unfinished.package.replace(input.package.to_owned());
                emit(state, flow.movement, actions)?;
                state.unfinished.package = before;
                Ok(report_recorded(flow, state, &what))
            }
            // Pages and prints of Odoo's own screen, and packages in a flow without them.
            _ => Err(refuse(TextKey::NoEffect, flow, state, input.code)),
        }
    }

    /// Completes the movement. For a pick or receipt, validates the order, too.
    fn validate(
        flow: &'a Flow,
        state: &mut State,
        actions: &mut Vec<Draft>,
    ) -> Result<DisplayText, DisplayText> {
        let of_order = matches!(flow.movement, Movement::Pick | Movement::Receive);
        let order = state.unfinished.order.clone().filter(|_| of_order);
        if state.unfinished.items.is_empty() && order.is_none() {
            return Err(refuse(TextKey::NothingScanned, flow, state, ""));
        }
        let what = state.unfinished.summarize();
        emit(state, flow.movement, actions)?;
        state.clear_unfinished();
        let Some(order) = order else {
            return Ok(report_recorded(flow, state, &what));
        };
        let order_again = order.clone();
        actions.push(Action::Validate { order: order_again }.into());
        state.undoable = Undoable::Validated;
        let say = DisplayText::good(TextKey::Validated).with("order", &order);
        Ok(say.expecting(expected_codes(flow, state)))
    }

    /// Discards the unfinished movement. The order in Odoo does not change.
    pub(super) fn cancel(flow: &Flow, state: &mut State) -> Result<DisplayText, DisplayText> {
        if state.unfinished.is_empty() && state.at.is_none() {
            return Err(refuse(TextKey::NothingScanned, flow, state, ""));
        }
        let what = state.unfinished.summarize();
        state.clear_unfinished();
        let say = DisplayText::good(TextKey::Cancelled).with("what", &what);
        Ok(say.expecting(expected_codes(flow, state)))
    }

    /// Undoes the last scan. If no movement is unfinished, creates events that reverse the last
    /// one.
    pub(super) fn undo(
        flow: &Flow,
        state: &mut State,
        actions: &mut Vec<Draft>,
    ) -> Result<DisplayText, DisplayText> {
        if std::mem::take(&mut state.asks_quantity) {
            // A label without a quantity is removed together with the question.
            let lacks_quantity = |item: &Item| item.lacks_quantity;
            if !state.unfinished.last_item().is_some_and(lacks_quantity) {
                return Ok(Self::describe_undone(flow, state));
            }
        }
        if let Some(step) = state.trail.pop() {
            for change in step.changes.into_iter().rev() {
                state.unfinished.undo(change);
            }
            state.at = step.at;
            return Ok(Self::describe_undone(flow, state));
        }
        match std::mem::take(&mut state.undoable) {
            Undoable::Created { ids, what } if state.unfinished.items.is_empty() => {
                let undo = |event| {
                    let reason = None;
                    Draft::from(Action::Undo { event, reason })
                };
                actions.extend(ids.into_iter().rev().map(undo));
                let say = DisplayText::good(TextKey::Reversed).with("what", &what);
                Ok(say.expecting(expected_codes(flow, state)))
            }
            Undoable::Validated if state.unfinished.items.is_empty() => {
                Err(DisplayText::bad(TextKey::AlreadyValidated))
            }
            _ => Err(refuse(TextKey::NothingToUndo, flow, state, "")),
        }
    }

    fn describe_undone(flow: &Flow, state: &mut State) -> DisplayText {
        if state.unfinished.last_item().is_some() {
            return lots::describe_labelled(flow, state, true);
        }
        DisplayText::good(TextKey::ScanRemoved).expecting(expected_codes(flow, state))
    }

    /// Completes the movement and starts another flow. `None`: the flow that the profile names.
    fn switch(
        &self,
        flow: &'a Flow,
        state: &mut State,
        name: Option<&str>,
        actions: &mut Vec<Draft>,
    ) -> Result<DisplayText, DisplayText> {
        if let Some(name) = name.filter(|name| self.find_flow(name).is_none()) {
            return Err(DisplayText::bad(TextKey::UnknownFlow).with("flow", name));
        }
        emit(state, flow.movement, actions)?;
        state.clear_unfinished();
        state.flow = name.map(str::to_owned);
        let Some(flow) = self.current_flow(state) else {
            return Err(DisplayText::bad(TextKey::UnknownFlow).with("flow", ""));
        };
        let shown = name.unwrap_or(flow.movement.as_str()).to_uppercase();
        let say = DisplayText::good(TextKey::Flow).with("flow", &shown);
        Ok(say.expecting(expected_codes(flow, state)))
    }
}
