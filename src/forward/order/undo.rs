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
use crate::outcome::code;

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
            return self.not_there(seen, taken);
        };
        match picking.state.as_str() {
            "done" => return too_late(picking),
            // What is cancelled moves nothing.
            "cancel" => return posted(picking.named(), true),
            _ => {}
        }
        let lines = too_much(picking, of, taken, stays);
        let reduced = self.calls.iter().filter(|call| **call == Call::Reduced);
        if lines.is_empty() {
            return posted(picking.named(), !self.did(Call::Reduced));
        }
        if reduced.count() >= REDUCED_MAX {
            let message = format!(
                "Odoo took it off {}, and has it there: take it off there, and retry",
                picking.name
            );
            return refuse(code::NOT_WITHDRAWN, message, Some(picking.named()));
        }
        Next::Reduce {
            picking: Box::new(picking.clone()),
            lines,
        }
    }

    /// Our lines are on no picking: somebody took them off, or did it without them.
    fn not_there(&self, seen: &Seen, taken: &OrderLine) -> Next {
        let pickings = target::of_order(seen, &self.job.order);
        let moved = |picking: &&&SeenPicking| {
            let mut lines = picking.lines.iter();
            picking.state == "done" && lines.any(|line| is_it(line, taken))
        };
        // Off the order by us, or by somebody else: it is not there.
        let off = pickings.iter().find(|picking| picking.is_open());
        match (off, pickings.iter().rev().find(moved)) {
            (Some(open), _) => posted(open.named(), !self.did(Call::Reduced)),
            (None, Some(done)) => too_late(done),
            (None, None) => match pickings.last() {
                Some(picking) => posted(picking.named(), true),
                None => self.unknown(),
            },
        }
    }
}

fn too_late(picking: &SeenPicking) -> Next {
    let message = format!(
        "{} was finished in Odoo ({}): make a return of it there, and discard this",
        picking.name,
        picking.date_done.as_deref().unwrap_or("no time"),
    );
    refuse(code::UNDO_TOO_LATE, message, Some(picking.named()))
}

/// The same product and lot.
fn is_it(line: &SeenLine, taken: &OrderLine) -> bool {
    line.product == taken.product && line.lot.as_deref() == taken.lot.name()
}

/// Which lines of the document have too much, and what each is to have: those first that are what was scanned.
fn too_much(
    picking: &SeenPicking,
    of: DocumentKey,
    taken: &OrderLine,
    stays: &[OrderLine],
) -> Vec<(i64, Decimal)> {
    let mut held: Vec<&SeenLine> = (picking.lines.iter())
        .filter(|line| line.is_of(of) && is_it(line, taken))
        .collect();
    let alike = |line: &&OrderLine| {
        line.product == taken.product && line.lot.name() == taken.lot.name()
    };
    let has: Decimal = held.iter().map(|line| line.quantity).sum();
    let wanted: Decimal = stays.iter().filter(alike).map(|line| line.quantity).sum();
    let said = |line: &SeenLine| {
        let from = taken.from.is_none_or(|from| from == line.from);
        let out_of = taken.package.is_none() || taken.package == line.package;
        let into = taken.into.is_none() || taken.into == line.result_package;
        from && out_of && into
    };
    held.sort_by_key(|line| (Reverse(said(line)), Reverse(line.id)));
    let mut left = has - wanted;
    let mut lines = Vec::new();
    for line in held {
        let part = left.min(line.quantity);
        if part < TOLERANCE {
            continue;
        }
        left -= part;
        let stays = line.quantity - part;
        let stays = if stays < TOLERANCE { Decimal::ZERO } else { stays };
        lines.push((line.id, stays.normalize()));
    }
    lines
}
