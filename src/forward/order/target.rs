//! Which picking of an order is meant.

use super::{OrderLine, Seen, Way};
use crate::document::DocumentKey;
use crate::forward::odoo::order::SeenPicking;

/// Where something for an order goes.
#[derive(Debug, PartialEq)]
pub(super) enum Target<'a> {
    Open(&'a SeenPicking),
    /// All that there is of it is done or cancelled; oldest first.
    Closed(Vec<&'a SeenPicking>),
    Nothing,
}

/// The picking that our lines are on, whatever has become of it.
#[must_use]
pub fn holder(seen: &Seen, key: DocumentKey) -> Option<&SeenPicking> {
    seen.pickings
        .iter()
        .find(|picking| picking.lines.iter().any(|line| line.is_of(key)))
}

/// The pickings that the scanned name stands for: the one of that name and its backorders; or, where it is the name of a
/// sale or purchase order, all of that.
fn named<'a>(seen: &'a Seen, order: &str) -> (Vec<&'a SeenPicking>, bool) {
    let Some(first) = seen.pickings.iter().find(|picking| picking.name == order) else {
        return (seen.pickings.iter().collect(), false);
    };
    let mut chain = vec![first];
    // A backorder is younger than what it is the rest of, and they are in that order.
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

/// Where lines go: the first open step of the order that asks for all of the products.
pub(super) fn for_lines<'a>(
    seen: &'a Seen,
    order: &str,
    way: Way,
    lines: &[OrderLine],
) -> Target<'a> {
    let (mut candidates, exactly) = named(seen, order);
    if !exactly {
        candidates.retain(|picking| (picking.kind == "incoming") == (way == Way::Receive));
    }
    choose(&candidates, |picking| {
        lines
            .iter()
            .all(|line| picking.ordered(line.product).is_some())
    })
}

/// What is to be validated or packed: the first open step that something was picked for.
pub(super) fn with_picks<'a>(seen: &'a Seen, order: &str) -> Target<'a> {
    let (candidates, _) = named(seen, order);
    let target = choose(&candidates, SeenPicking::has_picks);
    // The rest of an order that is done waits for its own picks: nothing is to be said about it yet.
    match target {
        Target::Open(rest) if !rest.has_picks() && candidates.iter().any(|p| p.state == "done") => {
            Target::Closed(candidates.into_iter().filter(|p| !p.is_open()).collect())
        }
        target => target,
    }
}

/// What the carrier takes: the picking of that name, or the delivery of the order, the newest that is not cancelled.
pub(super) fn delivery<'a>(seen: &'a Seen, order: &str) -> Option<&'a SeenPicking> {
    let (candidates, _) = named(seen, order);
    let outgoing = |picking: &&&SeenPicking| picking.kind == "outgoing";
    let of_all = seen.pickings.iter().filter(|p| p.kind == "outgoing");
    let live = |picking: &&SeenPicking| picking.state != "cancel";
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
