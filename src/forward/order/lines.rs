//! Adds lines to an order: chooses the picking, and checks the lines against it.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::target::{self, Target};
use super::{Call, OrderLine, OrderStep, Reconciling, Task, Way, posted, refuse, rows};
use crate::config::Over;
use crate::document::answer;
use crate::forward::faults::{self, Fault};
use crate::odoo::TOLERANCE;
use crate::odoo::order::Seen;
use crate::odoo::order::SeenPicking;
use crate::odoo::{Direction, LotRef, PickingState};
use crate::odoo_id::{MoveId, ProductId};
use crate::outcome::Outcome;
use crate::reason::ReasonCode;

impl Reconciling {
    pub(super) fn lines(&self, seen: &Seen, way: Way, lines: &[OrderLine]) -> OrderStep {
        if let Some(picking) = target::holder(seen, self.job.key) {
            return self.lines_on(seen, picking, lines);
        }
        if let Some(message) = self.refusal.clone().filter(|_| self.did(Call::Removed)) {
            return refuse(ReasonCode::OdooRefused, self.said(&message), None);
        }
        if self.did(Call::Added) || self.refusal.is_some() {
            return refuse(
                ReasonCode::OrderChanged,
                format!(
                    "Odoo took the lines for {} and does not have them: somebody removed them",
                    self.job.order
                ),
                None,
            );
        }
        let fixed = self.fixed(seen).filter(|picking| picking.is_open());
        let target = fixed.map_or_else(
            || target::for_lines(seen, &self.job.order, way, lines, &self.job.parents),
            Target::Open,
        );
        let picking = match target {
            Target::Open(picking) => picking,
            Target::Closed(pickings) => return self.closed(&pickings, lines),
            Target::Several(steps) => return self.several(&steps),
            Target::Nothing => return self.unknown(),
        };
        let mut found = self.not_ordered(picking, way, lines);
        found.extend(lots_off(picking, lines));
        if let Some(refusal) = park(picking, found) {
            return refusal;
        }
        if let Some(next) = self.without_bin(picking, way, lines) {
            return next;
        }
        OrderStep::Add {
            picking: Box::new(picking.clone()),
            rows: rows::rows(self.job.key, picking, lines),
        }
    }

    /// A line without a bin is taken from where Odoo reserved it. Where it reserved nothing, such
    /// as by an operation type that reserves by hand, it is told to; what is not reserved then has
    /// no bin.
    fn without_bin(
        &self,
        picking: &SeenPicking,
        way: Way,
        lines: &[OrderLine],
    ) -> Option<OrderStep> {
        if way != Way::Pick || picking.kind == Direction::Incoming {
            return None;
        }
        let lacking = rows::without_bin(picking, lines);
        if lacking.is_empty() {
            return None;
        }
        if !self.did(Call::Reserved) {
            return Some(OrderStep::Reserve {
                picking: picking.id,
                from: picking.from,
            });
        }
        if self.did(Call::FromBin) {
            return None;
        }
        let fault = |place: usize| {
            let message = format!(
                "in which bin did {} lie? Odoo has not reserved so much of it for {}: edit the bin in",
                picking.product_name(lines[place].product),
                picking.name
            );
            Fault::new(place, ReasonCode::BinRequired, message)
        };
        park(picking, lacking.into_iter().map(fault).collect())
    }

    /// Our lines are there: on what, and is that all?
    pub(super) fn lines_on(
        &self,
        seen: &Seen,
        picking: &SeenPicking,
        lines: &[OrderLine],
    ) -> OrderStep {
        let named = picking.named();
        if let Some(difference) = rows::difference(self.job.key, picking, lines) {
            return refuse(
                ReasonCode::OrderChanged,
                format!(
                    "somebody changed our lines on {}: {difference}",
                    picking.name
                ),
                Some(named),
            );
        }
        // Somebody split the picking in that moment: its validation would leave them out.
        let is_elsewhere = |of: MoveId| picking.moves.iter().all(|ordered| ordered.id != of);
        let mut ours = picking.lines.iter().filter(|line| line.is_of(self.job.key));
        if ours.any(|line| line.move_id.is_some_and(is_elsewhere)) {
            return refuse(
                ReasonCode::OrderChanged,
                format!(
                    "somebody split {} while the lines were put on it. Remove them in Odoo and retry",
                    picking.name
                ),
                Some(named),
            );
        }
        // What Odoo refuses to post must not stay on the order, where it would keep everybody from
        // validating it.
        if self.refusal.is_some() && picking.is_open() {
            let ours = picking.lines.iter().filter(|line| line.is_of(self.job.key));
            return OrderStep::Remove {
                lines: ours.map(|line| line.id).collect(),
            };
        }
        match picking.state {
            PickingState::Done => self.time_or_finish(seen, picking),
            PickingState::Cancelled => refuse(
                ReasonCode::OrderCancelled,
                format!(
                    "{} was cancelled in Odoo after our lines were on it",
                    picking.name
                ),
                Some(named),
            ),
            _ if self.rules.validate_complete && picking.is_complete() => {
                self.validate_once(picking, true)
            }
            _ => posted(named, !self.did(Call::Added)),
        }
    }

    /// Nothing of the order takes lines any more.
    pub(super) fn closed(&self, pickings: &[&SeenPicking], lines: &[OrderLine]) -> OrderStep {
        let mut done = pickings
            .iter()
            .filter(|picking| picking.state == PickingState::Done);
        let claim = done.find_map(|picking| {
            let odoo = picking.named();
            let lines = rows::claim(picking, lines, &self.job.claimed)?;
            Some(Outcome::Claimed { odoo, lines })
        });
        if let Some(claim) = claim {
            return OrderStep::Finish(claim);
        }
        let last = pickings.last().map(|picking| picking.named());
        let Some(done) = pickings
            .iter()
            .rev()
            .find(|picking| picking.state == PickingState::Done)
        else {
            return refuse(
                ReasonCode::OrderCancelled,
                format!("{} was cancelled in Odoo", self.job.order),
                last,
            );
        };
        refuse(
            ReasonCode::OrderDone,
            format!(
                "{} was finished in Odoo ({}) and there is no backorder: it has {}; here there is {}",
                done.name,
                done.date_done.as_deref().unwrap_or("no time"),
                rows::said_of(done),
                rows::said(done, lines),
            ),
            Some(done.named()),
        )
    }

    pub(super) fn unknown(&self) -> OrderStep {
        refuse(
            ReasonCode::UnknownOrder,
            format!(
                "Odoo has no order {:?} that this warehouse could work on: enter it there, and this is sent by itself",
                self.job.order
            ),
            None,
        )
    }

    /// The lines belong to different steps of the order.
    pub(super) fn several(&self, steps: &[&SeenPicking]) -> OrderStep {
        let names: Vec<&str> = (steps.iter())
            .filter(|step| step.is_open())
            .map(|step| step.name.as_str())
            .take(8)
            .collect();
        refuse(
            ReasonCode::NotOnOrder,
            format!(
                "no step of {} takes from all the bins that were scanned. Edit in the picking of each step ({})",
                self.job.order,
                names.join(", ")
            ),
            None,
        )
    }

    /// The name stands for more than an order, and nothing else tells what is meant.
    pub(super) fn is_unclear(&self, seen: &Seen) -> bool {
        let is_known = self.fixed(seen).is_some()
            || matches!(self.job.task, Task::TakeBack { .. })
            || target::holder(seen, self.job.key).is_some();
        seen.too_many.is_some() && !is_known
    }

    /// The name stands for more than an order.
    pub(super) fn unclear(&self, seen: &Seen) -> OrderStep {
        refuse(
            ReasonCode::UnknownOrder,
            format!(
                "{:?} is the origin of {} open pickings in Odoo, so it names no order: edit in the name of the picking",
                self.job.order,
                seen.too_many.unwrap_or_default()
            ),
            None,
        )
    }

    /// Lines for what was not ordered, or for more than was.
    pub(super) fn not_ordered(
        &self,
        picking: &SeenPicking,
        way: Way,
        lines: &[OrderLine],
    ) -> Vec<Fault> {
        // Each product with its lines.
        let mut products = BTreeMap::<ProductId, Vec<usize>>::new();
        for (place, line) in lines.iter().enumerate() {
            products.entry(line.product).or_default().push(place);
        }
        let mut faults = Vec::new();
        let (over, over_code) = match way {
            Way::Pick => (self.rules.pick_over, ReasonCode::OverPicked),
            Way::Receive => (self.rules.receive_over, ReasonCode::OverReceived),
        };
        let allowed = over == Over::Allow
            || over == Over::Ask && answer::allows(self.job.decision.as_deref(), over_code);
        for (product, places) in products {
            let fault = |code: ReasonCode, message: String| {
                let places = places.iter();
                places.map(move |place| Fault::new(*place, code, message.clone()))
            };
            let Some(ordered) = picking.ordered(product) else {
                let message = format!(
                    "{} has no line for product id {product}: it has {}",
                    picking.name,
                    rows::said_of(picking)
                );
                faults.extend(fault(ReasonCode::NotOnOrder, message));
                continue;
            };
            let ours: Decimal = lines
                .iter()
                .filter(|l| l.product == product)
                .map(|l| l.quantity)
                .sum();
            let picked = picking.picked(product);
            if picked + ours > ordered + TOLERANCE && !allowed {
                let choice = if over == Over::Refuse {
                    "correct the quantity"
                } else {
                    "allow it, or correct the quantity"
                };
                let message = format!(
                    "{} asks for {} of {}, {} are there already, and here are {}: {choice}",
                    picking.name,
                    ordered.normalize(),
                    picking.product_name(product),
                    picked.normalize(),
                    ours.normalize()
                );
                faults.extend(fault(over_code, message));
            }
        }
        faults
    }
}

/// Parks the document where there are faults.
fn park(picking: &SeenPicking, faults: Vec<Fault>) -> Option<OrderStep> {
    let reason = faults::join(faults)?;
    let odoo = Some(picking.named());
    Some(OrderStep::Finish(Outcome::Refused { reason, odoo }))
}

/// New lots that the operation type does not make.
fn lots_off(picking: &SeenPicking, lines: &[OrderLine]) -> Vec<Fault> {
    let faults = lines.iter().enumerate().filter_map(|(place, line)| {
        let LotRef::New { name, .. } = &line.lot else {
            return None;
        };
        let message = format!("{}: {}", picking.name, picking.lots.refusal(name)?);
        Some(Fault::new(place, ReasonCode::LotsOff, message))
    });
    faults.collect()
}
