//! Removes lines of a document from an order, or reduces them.
//!
//! The work names the quantity that stays, not the quantity to remove, so a lost answer cannot
//! remove anything twice.

use std::cmp::Reverse;

use rust_decimal::Decimal;

use super::target;
use super::{Call, OrderLine, OrderStep, Reconciling, posted, refuse};
use crate::document::DocumentKey;
use crate::odoo::order::Seen;
use crate::odoo::order::{SeenLine, SeenPicking};
use crate::odoo::{PickingState, TOLERANCE};
use crate::outcome::Outcome;
use crate::reason::ReasonCode;

/// How often Odoo may answer that it removed lines and still have them.
const REDUCED_MAX: usize = 3;

impl Reconciling {
    pub(super) fn take_back(
        &self,
        seen: &Seen,
        of: DocumentKey,
        taken: &OrderLine,
        stays: &[OrderLine],
    ) -> OrderStep {
        let Some(picking) = target::holder(seen, of) else {
            // Somebody removed our lines.
            let pickings = target::of_order(seen, &self.job.order);
            let picking = pickings.iter().find(|picking| picking.is_open());
            return match picking.or(pickings.last()) {
                Some(picking) => posted(picking.named(), !self.did(Call::Reduced)),
                None => self.unknown(),
            };
        };
        match picking.state {
            PickingState::Done => {
                let why = format!("{} was done in Odoo meanwhile", picking.name);
                return OrderStep::Finish(Outcome::Overtaken { why });
            }
            // A cancelled picking moves nothing.
            PickingState::Cancelled => return posted(picking.named(), true),
            _ => {}
        }
        let lines = too_much(picking, of, taken, stays);
        if lines.is_empty() {
            return posted(picking.named(), !self.did(Call::Reduced));
        }
        let reduced = self.calls.iter().filter(|call| **call == Call::Reduced);
        if reduced.count() >= REDUCED_MAX {
            let message = format!(
                "Odoo removed the lines from {} and still has them. Remove them in Odoo, and retry",
                picking.name
            );
            return refuse(ReasonCode::NotWithdrawn, message, Some(picking.named()));
        }
        let lines = lines.iter().map(|part| (part.of.id, part.stays));
        OrderStep::Reduce {
            picking: Box::new(picking.clone()),
            lines: lines.collect(),
        }
    }
}

/// A line on an order, with the quantity that goes and the quantity that stays.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub of: &'a SeenLine,
    pub goes: Decimal,
    pub stays: Decimal,
}

/// The lines of document `of` on an open order that hold more than `stays`, each with the quantity
/// to remove: first the lines that match the goods of `taken`.
fn too_much<'a>(
    picking: &'a SeenPicking,
    of: DocumentKey,
    taken: &OrderLine,
    stays: &[OrderLine],
) -> Vec<Part<'a>> {
    let held = held(picking, of, taken);
    let has: Decimal = held.iter().map(|line| line.quantity).sum();
    fill(held, has - staying(taken, stays), Decimal::ZERO)
}

/// The goods that come back from an order that is done. Its lines keep their quantities whatever
/// came back, so goods that came back before are left out: they came from the lines in this same
/// order.
#[must_use]
pub fn comes_back<'a>(
    picking: &'a SeenPicking,
    of: DocumentKey,
    taken: &OrderLine,
    stays: &[OrderLine],
) -> Vec<Part<'a>> {
    let mut held = held(picking, of, taken);
    let has: Decimal = held.iter().map(|line| line.quantity).sum();
    // Goods that an abandoned call removed before the order was done are no longer on the order.
    let left = has - staying(taken, stays);
    let goes = taken.quantity.min(left);
    let others: Decimal = (held.iter())
        .filter(|line| !is_scanned(line, taken))
        .map(|line| line.quantity)
        .sum();
    // The goods that went before came from lines that do not match the scan, as far as there are
    // such lines.
    let gone = (left - goes).max(Decimal::ZERO);
    let skipped = (gone - others).max(Decimal::ZERO);
    if has - others >= skipped + goes {
        held.retain(|line| is_scanned(line, taken));
    }
    fill(held, goes, skipped)
}

fn staying(taken: &OrderLine, stays: &[OrderLine]) -> Decimal {
    let alike =
        |line: &&OrderLine| line.product == taken.product && line.lot.name() == taken.lot.name();
    stays.iter().filter(alike).map(|line| line.quantity).sum()
}

/// Whether the line has the bin and the packages that were scanned.
fn is_scanned(line: &SeenLine, taken: &OrderLine) -> bool {
    let from = taken.from.is_none_or(|from| from == line.from);
    let out_of = taken.package.is_none() || taken.package == line.package;
    let into = taken.into.is_none() || taken.into == line.result_package;
    from && out_of && into
}

/// The document's lines of this product and lot: first those that match the scan, the newest of
/// them first.
fn held<'a>(picking: &'a SeenPicking, of: DocumentKey, taken: &OrderLine) -> Vec<&'a SeenLine> {
    let lot = taken.lot.name();
    let mut held: Vec<&SeenLine> = (picking.lines.iter())
        .filter(|line| line.is_of(of))
        .filter(|line| line.product == taken.product && line.lot.as_deref() == lot)
        .collect();
    held.sort_by_key(|line| (Reverse(is_scanned(line, taken)), Reverse(line.id)));
    held
}

/// Fills a quantity from these lines, in their order, after skipping the first part.
fn fill(held: Vec<&SeenLine>, mut left: Decimal, mut skipped: Decimal) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for line in held {
        let skip = skipped.min(line.quantity);
        skipped -= skip;
        let goes = left.min(line.quantity - skip);
        if goes < TOLERANCE {
            continue;
        }
        left -= goes;
        let stays = (line.quantity - goes).normalize();
        parts.push(Part {
            of: line,
            goes,
            stays: if stays < TOLERANCE {
                Decimal::ZERO
            } else {
                stays
            },
        });
    }
    parts
}
