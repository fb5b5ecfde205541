//! Lines off an order again: of what a document put there, so much stays.
//!
//! What stays is said, and not what goes, so that a lost answer takes nothing off twice.

use std::cmp::Reverse;

use rust_decimal::Decimal;

use super::target;
use super::{Call, Next, OrderLine, Reconciling, Seen, posted, refuse};
use crate::document::DocumentKey;
use crate::forward::machine::TOLERANCE;
use crate::forward::odoo::order::{SeenLine, SeenPicking};
use crate::outcome::{Outcome, code};

/// So often Odoo may say that it took lines off, and have them.
const REDUCED_MAX: usize = 3;

impl Reconciling {
    pub(super) fn take_back(
        &self,
        seen: &Seen,
        of: DocumentKey,
        taken: &OrderLine,
        stays: &[OrderLine],
    ) -> Next {
        let Some(picking) = target::holder(seen, of) else {
            // Somebody took our lines off.
            let pickings = target::of_order(seen, &self.job.order);
            let picking = pickings.iter().find(|picking| picking.is_open());
            return match picking.or(pickings.last()) {
                Some(picking) => posted(picking.named(), !self.did(Call::Reduced)),
                None => self.unknown(),
            };
        };
        match picking.state.as_str() {
            "done" => {
                let why = format!("{} was finished in Odoo meanwhile", picking.name);
                return Next::Finish(Outcome::Overtaken { why });
            }
            // What is cancelled moves nothing.
            "cancel" => return posted(picking.named(), true),
            _ => {}
        }
        let lines = too_much(picking, of, taken, stays);
        if lines.is_empty() {
            return posted(picking.named(), !self.did(Call::Reduced));
        }
        let reduced = self.calls.iter().filter(|call| **call == Call::Reduced);
        if reduced.count() >= REDUCED_MAX {
            let message = format!(
                "Odoo took it off {}, and has it there: take it off there, and retry",
                picking.name
            );
            return refuse(code::NOT_WITHDRAWN, message, Some(picking.named()));
        }
        let lines = lines.iter().map(|part| (part.of.id, part.stays));
        Next::Reduce {
            picking: Box::new(picking.clone()),
            lines: lines.collect(),
        }
    }
}

/// Of a line on an order: what goes, and what stays.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub of: &'a SeenLine,
    pub goes: Decimal,
    pub stays: Decimal,
}

/// Which lines of the document have too much: those first that are what was scanned.
#[must_use]
pub fn too_much<'a>(
    picking: &'a SeenPicking,
    of: DocumentKey,
    taken: &OrderLine,
    stays: &[OrderLine],
) -> Vec<Part<'a>> {
    let lot = taken.lot.name();
    let mut held: Vec<&SeenLine> = (picking.lines.iter())
        .filter(|line| line.is_of(of))
        .filter(|line| line.product == taken.product && line.lot.as_deref() == lot)
        .collect();
    let said = |line: &SeenLine| {
        let from = taken.from.is_none_or(|from| from == line.from);
        let out_of = taken.package.is_none() || taken.package == line.package;
        let into = taken.into.is_none() || taken.into == line.result_package;
        from && out_of && into
    };
    held.sort_by_key(|line| (Reverse(said(line)), Reverse(line.id)));
    let has: Decimal = held.iter().map(|line| line.quantity).sum();
    let staying: Decimal = (stays.iter())
        .filter(|line| line.product == taken.product && line.lot.name() == lot)
        .map(|line| line.quantity)
        .sum();
    let mut left = has - staying;
    let mut parts = Vec::new();
    for line in held {
        let goes = left.min(line.quantity);
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
