//! The picking and the lines that a document about an order refers to, fixed before the first call.
//! Pure.
//!
//! After the first call Odoo may have carried out the document, and then the order has other
//! pickings and other lines. So the picking is stored with the document before that, and every
//! later attempt uses it. Only lines that are not on the picking yet go to another picking of the
//! order if this one is done or cancelled.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::target::{self, Target};
use super::{OrderJob, Reconciling, Task, Way};
use crate::odoo::PickingState;
use crate::odoo::order::Seen;
use crate::odoo::order::SeenPicking;
use crate::odoo_id::{LocationId, MoveLineId, PickingId};

/// The state of an order that was fixed before the first call. Empty: no part of the order could be
/// meant yet, so no call was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fixed {
    pub picking: Option<PickingId>,
    /// The picked lines that go into the package.
    pub pack: Vec<MoveLineId>,
    /// The latest time at which a line was picked before the first call.
    pub picked: Option<Timestamp>,
    /// What was picked there, by line; only for documents that may validate the picking.
    pub lines: Option<BTreeMap<MoveLineId, Decimal>>,
}

impl Fixed {
    /// Whether a document of this kind may have made a call.
    #[must_use]
    pub fn is_enough_for(&self, task: &Task) -> bool {
        let lacks_lines = matches!(task, Task::PackAll { .. }) && self.pack.is_empty();
        self.picking.is_some() && !lacks_lines
    }
}

impl OrderJob {
    /// The picking that this document is about, by what Odoo has before the first call.
    #[must_use]
    pub fn fix(&self, seen: &Seen) -> Fixed {
        if seen.too_many.is_some() && target::holder(seen, self.key).is_none() {
            return Fixed::default();
        }
        let open = |target| match target {
            Target::Open(picking) => Some(picking),
            Target::Closed(_) | Target::Several(_) | Target::Nothing => None,
        };
        let picking = match &self.task {
            Task::Lines { lines, way } => target::holder(seen, self.key).or_else(|| {
                let parents = &self.parents;
                open(target::for_lines(seen, &self.order, *way, lines, parents))
            }),
            Task::Validate | Task::PackAll { .. } => {
                open(target::with_picks(seen, &self.order)).filter(|picking| picking.has_picks())
            }
            Task::Ship(_) => target::delivery(seen, &self.order),
            Task::TakeBack { .. } => None,
        };
        let pack = match (&self.task, picking) {
            (Task::PackAll { .. }, Some(picking)) => picking.loose().collect(),
            _ => Vec::new(),
        };
        let lines = match (&self.task, picking) {
            (Task::Validate | Task::Lines { .. }, Some(picking)) => Some(picking.picked_lines()),
            _ => None,
        };
        Fixed {
            picking: picking.map(|picking| picking.id),
            pack,
            picked: None,
            lines,
        }
    }
}

impl OrderJob {
    /// The bins that may decide which step of the order is meant.
    #[must_use]
    pub fn scanned_bins(&self) -> BTreeSet<LocationId> {
        match &self.task {
            Task::Lines {
                way: Way::Pick,
                lines,
            } => lines.iter().filter_map(|line| line.from).collect(),
            _ => BTreeSet::new(),
        }
    }
}

impl Reconciling {
    /// The picking that was fixed, unless the picking is cancelled or deleted.
    pub(super) fn fixed<'a>(&self, seen: &'a Seen) -> Option<&'a SeenPicking> {
        let picking = self.fixed_or_cancelled(seen)?;
        Some(picking).filter(|picking| picking.state != PickingState::Cancelled)
    }

    /// The picking that was fixed, unless the picking is deleted.
    pub(super) fn fixed_or_cancelled<'a>(&self, seen: &'a Seen) -> Option<&'a SeenPicking> {
        let fixed = self.job.fixed.as_ref()?.picking?;
        seen.pickings.iter().find(|picking| picking.id == fixed)
    }
}
