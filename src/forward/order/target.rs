//! Finds the picking of an order that a document refers to.

use std::collections::BTreeMap;

use super::{OrderLine, Way};
use crate::document::DocumentKey;
use crate::odoo::order::Seen;
use crate::odoo::order::SeenPicking;
use crate::odoo::{Direction, PickingState};
use crate::odoo_id::{LocationId, PickingId};

/// Limit of steps that goods of an order go through.
const STEPS_MAX: usize = 20;

/// The picking that receives work for an order.
#[derive(Debug, PartialEq)]
pub(super) enum Target<'a> {
    Open(&'a SeenPicking),
    /// All pickings of the order are done or cancelled; oldest first.
    Closed(Vec<&'a SeenPicking>),
    /// The scanned bins belong to different steps among these.
    Several(Vec<&'a SeenPicking>),
    Nothing,
}

/// The picking that our lines are on, in any state.
#[must_use]
pub fn holder(seen: &Seen, key: DocumentKey) -> Option<&SeenPicking> {
    seen.pickings
        .iter()
        .find(|picking| picking.lines.iter().any(|line| line.is_of(key)))
}

/// The pickings that the scanned name stands for: the picking of that name and its backorders. If
/// it is the name of a sale or purchase order, all pickings of the order.
fn named<'a>(seen: &'a Seen, order: &str) -> (Vec<&'a SeenPicking>, bool) {
    let Some(first) = seen.pickings.iter().find(|picking| picking.name == order) else {
        return (seen.pickings.iter().collect(), false);
    };
    let mut chain = vec![first];
    // A backorder is younger than the picking that it completes, and the pickings are in that
    // order.
    for picking in &seen.pickings {
        let follows = chain
            .iter()
            .any(|before| picking.backorder_of == Some(before.id));
        if follows && chain.iter().all(|known| known.id != picking.id) {
            chain.push(picking);
        }
    }
    (chain, true)
}

/// The pickings that the scanned name stands for.
pub(super) fn of_order<'a>(seen: &'a Seen, order: &str) -> Vec<&'a SeenPicking> {
    named(seen, order).0
}

fn choose<'a>(candidates: &[&'a SeenPicking], better: impl Fn(&SeenPicking) -> bool) -> Target<'a> {
    let open = || candidates.iter().filter(|picking| picking.is_open());
    match open()
        .find(|picking| better(picking))
        .or_else(|| open().next())
    {
        Some(picking) => Target::Open(picking),
        None if candidates.is_empty() => Target::Nothing,
        None => Target::Closed(candidates.to_vec()),
    }
}

/// Bins that were scanned, each with its parent locations and itself. A missing bin was not looked
/// up.
pub type Parents = BTreeMap<LocationId, Vec<LocationId>>;

/// Whether the step takes from where the line was scanned; `None`: not known.
fn holds(step: &SeenPicking, line: &OrderLine, parents: &Parents) -> Option<bool> {
    Some(parents.get(&line.from?)?.contains(&step.from))
}

/// Sorts steps in the order in which goods go through them: backorders of an earlier step come
/// before a later step. A step comes after the steps that bring goods to its source location. Ids
/// do not decide, because some versions make the last step first.
fn in_step_order<'a>(seen: &Seen, mut steps: Vec<&'a SeenPicking>) -> Vec<&'a SeenPicking> {
    let brings = |before: &SeenPicking, step: &SeenPicking| {
        before.to == step.from && before.from != step.from && before.from != before.to
    };
    let mut depths: BTreeMap<PickingId, usize> = steps.iter().map(|step| (step.id, 0)).collect();
    // A chain has no more steps than there are pickings; a circle ends there, too.
    for _ in 0..steps.len().min(STEPS_MAX) {
        for step in &steps {
            let before = steps.iter().filter(|before| brings(before, step));
            let deepest = before.map(|before| depths[&before.id] + 1).max();
            let depth = deepest.unwrap_or_default().min(STEPS_MAX);
            depths.insert(step.id, depth);
        }
    }
    let root = |step: &SeenPicking| {
        let mut root = step;
        for _ in 0..seen.pickings.len() {
            let before = root.backorder_of;
            match seen.pickings.iter().find(|p| before == Some(p.id)) {
                Some(before) => root = before,
                None => break,
            }
        }
        root.id
    };
    steps.sort_by_key(|step| (depths[&step.id], root(step), step.id));
    steps
}

/// The picking for lines: the first open step of the order that asks for all of the products. If
/// the order was named by its sale or purchase, prefers a step that takes from the scanned bins.
pub(super) fn for_lines<'a>(
    seen: &'a Seen,
    order: &str,
    way: Way,
    lines: &[OrderLine],
    parents: &Parents,
) -> Target<'a> {
    let (mut candidates, exactly) = named(seen, order);
    if !exactly {
        candidates.retain(|picking| (picking.kind == Direction::Incoming) == (way == Way::Receive));
        candidates = in_step_order(seen, candidates);
    }
    if !exactly && way == Way::Pick {
        let is_held = |line: &OrderLine| {
            let mut steps = candidates.iter();
            steps.any(|step| holds(step, line, parents) == Some(true))
        };
        if lines.iter().any(is_held) {
            let holding: Vec<&SeenPicking> = (candidates.iter().copied())
                .filter(|step| {
                    let mut held = lines.iter().filter_map(|line| holds(step, line, parents));
                    held.all(|held| held)
                })
                .collect();
            if holding.is_empty() {
                return Target::Several(candidates);
            }
            candidates = holding;
        }
    }
    choose(&candidates, |picking| {
        lines
            .iter()
            .all(|line| picking.ordered(line.product).is_some())
    })
}

/// The picking to validate or pack: the first open step that has picked goods; if none has, the
/// first open step, unless a part of the order is done.
pub(super) fn with_picks<'a>(seen: &'a Seen, order: &str) -> Target<'a> {
    let (mut candidates, exactly) = named(seen, order);
    if !exactly {
        candidates = in_step_order(seen, candidates);
    }
    let target = choose(&candidates, SeenPicking::has_picks);
    // The rest of an order that is done waits for its own picks, so nothing is done about it yet.
    match target {
        Target::Open(rest)
            if !rest.has_picks() && candidates.iter().any(|p| p.state == PickingState::Done) =>
        {
            Target::Closed(candidates.into_iter().filter(|p| !p.is_open()).collect())
        }
        target => target,
    }
}

/// The picking that the carrier takes: the picking of that name, or the delivery of the order, the
/// newest that is not cancelled.
pub(super) fn delivery<'a>(seen: &'a Seen, order: &str) -> Option<&'a SeenPicking> {
    let (candidates, _) = named(seen, order);
    let outgoing = |picking: &&&SeenPicking| picking.kind == Direction::Outgoing;
    let of_all = seen
        .pickings
        .iter()
        .filter(|p| p.kind == Direction::Outgoing);
    let live = |picking: &&SeenPicking| picking.state != PickingState::Cancelled;
    let mine: Vec<&SeenPicking> = candidates.iter().filter(outgoing).copied().collect();
    let exact = mine
        .iter()
        .find(|picking| picking.name == order && live(picking));
    exact
        .or_else(|| mine.iter().rev().find(|picking| live(picking)))
        .copied()
        .or_else(|| of_all.clone().rev().find(live))
        .or_else(|| mine.last().copied())
        .or_else(|| candidates.last().copied())
}
