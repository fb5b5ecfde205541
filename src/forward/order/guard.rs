//! Guards a validation: it must move only goods that were picked. Pure.
//!
//! If no line is picked, Odoo's `button_validate` moves everything that is reserved. So a user who
//! removes the picked lines after the gateway has read the order and before it validates would make
//! Odoo ship the whole demand. Odoo treats a move as picked as long as it has no line after the
//! picked line was removed. Therefore the guard removes the reserved lines beside the picked lines,
//! in one transaction that fails if a picked line is gone; the validation would remove them anyway.
//! After that, Odoo refuses to validate the picking if its picked lines are removed.
//!
//! The guard does not prevent a user from clearing the mark *picked*.
//! [`Reconciling::moved_unscanned`] finds that when the picking is read back.

use rust_decimal::Decimal;

use super::{Call, OrderJob, OrderStep, Picked, Reconciling, refuse, rows};
use crate::odoo::order::Seen;
use crate::odoo::order::{SeenLine, SeenPicking};
use crate::odoo::{PickingState, TOLERANCE};
use crate::outcome::Outcome;
use crate::reason::ReasonCode;

/// How often Odoo may refuse the guard because somebody changes the order at the same moment.
const REFUSED_MAX: usize = 3;

impl Reconciling {
    pub(super) fn guard_is_hopeless(&self) -> bool {
        let refused = self
            .calls
            .iter()
            .filter(|call| **call == Call::GuardRefused);
        refused.count() >= REFUSED_MAX
    }

    /// The validation, or the guard before it if Odoo needs one.
    pub(super) fn guarded(picking: &SeenPicking, backorder: bool) -> OrderStep {
        let remove = picking.reserved_beside_picks();
        if remove.is_empty() {
            return OrderStep::Validate {
                picking: picking.id,
                backorder,
            };
        }
        let picked = picking.lines.iter().filter(|line| line.picked);
        let (scanned, others): (Vec<&SeenLine>, Vec<&SeenLine>) =
            picked.partition(|line| line.external.is_some());
        let ids = |lines: Vec<&SeenLine>| lines.into_iter().map(|line| line.id).collect();
        OrderStep::Guard {
            scanned: ids(scanned),
            others: ids(others),
            remove,
            backorder,
            picking: Box::new(picking.clone()),
        }
    }

    /// Notes what is picked when a validation starts.
    pub(super) fn note_picked(&mut self, seen: &Seen, next: &OrderStep) {
        let id = match next {
            OrderStep::Guard { picking, .. } => picking.id,
            OrderStep::Validate { picking, .. } => *picking,
            _ => return,
        };
        let picking = seen.pickings.iter().find(|picking| picking.id == id);
        self.picked = Some(Picked {
            picking: id,
            lines: picking.map(SeenPicking::picked_lines).unwrap_or_default(),
        });
    }

    /// What was picked when an interrupted validation started.
    pub(super) fn picked_before(job: &OrderJob) -> Option<Picked> {
        let fixed = job.fixed.as_deref().filter(|_| job.again)?;
        Some(Picked {
            picking: fixed.picking?,
            lines: fixed.lines.clone()?,
        })
    }

    /// Our validation moved more goods than were picked when it started.
    pub(super) fn moved_unscanned(&self, seen: &Seen) -> Option<OrderStep> {
        let picked = self.picked.as_ref()?;
        let picking = seen.pickings.iter().find(|p| p.id == picked.picking)?;
        let validated = self.did(Call::Validated) || picking.write_uid == Some(seen.me);
        let is_ours = picking.state == PickingState::Done && validated;
        let more = picking.lines.iter().filter_map(|line| {
            let known = match picked.lines.get(&line.id) {
                Some(known) => *known,
                // The line was added after the picking was fixed.
                None if line.is_of(self.job.key) => line.quantity,
                None => Decimal::ZERO,
            };
            let more = line.quantity - known;
            (more >= TOLERANCE).then_some((line.product, more))
        });
        let more: Vec<_> = more.collect();
        if !is_ours || more.is_empty() {
            return None;
        }
        Some(refuse(
            ReasonCode::MovedUnscanned,
            format!(
                "Odoo posted {} with {} that no device scanned, because somebody changed the picking in Odoo while the gateway \
                 validated it. Reverse in Odoo the goods that did not move, then retry this document",
                picking.name,
                rows::describe_products(picking, more)
            ),
            Some(picking.named()),
        ))
    }

    /// Before the document is refused, reserves again what the guard removed from the open picking.
    pub(super) fn reserve_first(&self, seen: &Seen, next: OrderStep) -> OrderStep {
        let is_refused = matches!(next, OrderStep::Finish(Outcome::Refused { .. }));
        // A validation that Odoo may still carry out must find only picked goods.
        let may_validate = self.did(Call::ValidationLost) || self.job.again;
        let was_guarded = self.did(Call::Guarded) && !may_validate;
        if !is_refused || !was_guarded || self.did(Call::ReservedAgain) {
            return next;
        }
        let fixed = self.job.fixed.as_ref().and_then(|fixed| fixed.picking);
        let guarded = self.picked.as_ref().map(|picked| picked.picking).or(fixed);
        let mut pickings = seen.pickings.iter();
        let Some(picking) = pickings.find(|p| Some(p.id) == guarded && p.is_open()) else {
            return next;
        };
        let moves = picking.picked_without_lines();
        if moves.is_empty() {
            return next;
        }
        OrderStep::ReserveAgain {
            picking: Box::new(picking.clone()),
            moves,
        }
    }
}
