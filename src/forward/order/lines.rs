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
                    "Odoo accepted the lines for {} and no longer has them, because somebody removed them. Retry to add them again, or discard this document",
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

    /// A line without a bin is taken from the bin where Odoo reserved the goods. If Odoo reserved
    /// nothing, for example for an operation type that reserves by hand, the gateway makes Odoo
    /// reserve. Goods that Odoo still does not reserve have no bin.
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
                "the bin of {} is unknown, because Odoo has not reserved so much of the product for {}: edit this document to name the bin",
                picking.product_name(lines[place].product),
                picking.name
            );
            Fault::new(place, ReasonCode::BinRequired, message)
        };
        park(picking, lacking.into_iter().map(fault).collect())
    }

    /// Our lines are on this picking. Compares them with the document and decides the next step.
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
                    "somebody changed the document's lines on {}: {difference}",
                    picking.name
                ),
                Some(named),
            );
        }
        // Somebody split the picking in the meantime: its validation would leave our lines out.
        let is_elsewhere = |of: MoveId| picking.moves.iter().all(|ordered| ordered.id != of);
        let mut ours = picking.lines.iter().filter(|line| line.is_of(self.job.key));
        if ours.any(|line| line.move_id.is_some_and(is_elsewhere)) {
            return refuse(
                ReasonCode::OrderChanged,
                format!(
                    "somebody split {} while the gateway added the document's lines. Remove the lines in Odoo and retry",
                    picking.name
                ),
                Some(named),
            );
        }
        // Lines that Odoo refuses to post must not stay on the order, because nobody could validate
        // the order then.
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
                    "{} was cancelled in Odoo after the gateway added the document's lines. Edit this document to name another order, or discard it",
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

    /// All pickings of the order are done or cancelled, so the order takes no more lines.
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
                format!(
                    "{} was cancelled in Odoo. Edit this document to name another order, or discard it",
                    self.job.order
                ),
                last,
            );
        };
        refuse(
            ReasonCode::OrderDone,
            format!(
                "{} was done in Odoo ({}) and has no backorder: the picking has {}; this document has {}. Make a backorder in Odoo and retry, edit the order's name, or discard this document",
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
                "Odoo has no order {:?} that this warehouse could work on. Create the order in Odoo, and the gateway retries by itself; or edit the order's name, or discard this document",
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
                "no step of {} takes from all the scanned bins: edit this document so that each line names the picking of its step ({})",
                self.job.order,
                names.join(", ")
            ),
            None,
        )
    }

    /// Whether the name stands for more than one order, and nothing else decides which one is
    /// meant.
    pub(super) fn is_unclear(&self, seen: &Seen) -> bool {
        let is_known = self.fixed(seen).is_some()
            || matches!(self.job.task, Task::TakeBack { .. })
            || target::holder(seen, self.job.key).is_some();
        seen.too_many.is_some() && !is_known
    }

    /// The name stands for more than one order.
    pub(super) fn unclear(&self, seen: &Seen) -> OrderStep {
        refuse(
            ReasonCode::UnknownOrder,
            format!(
                "{:?} is the origin of {} open pickings in Odoo, so the gateway does not know which picking is meant: edit this document to name the picking",
                self.job.order,
                seen.too_many.unwrap_or_default()
            ),
            None,
        )
    }

    /// Lines for products that were not ordered, or for more than the ordered quantity.
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
                    "edit the quantity"
                } else {
                    "allow it, or edit the quantity"
                };
                let message = format!(
                    "{} asks for {} of {}, {} are picked already, and this document has {}: {choice}",
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

/// Parks the document if there are faults.
fn park(picking: &SeenPicking, faults: Vec<Fault>) -> Option<OrderStep> {
    let reason = faults::join(faults)?;
    let odoo = Some(picking.named());
    Some(OrderStep::Finish(Outcome::Refused { reason, odoo }))
}

/// New lots that the operation type does not create.
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
