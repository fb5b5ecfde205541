//! The rows that a document puts on a picking, and the check whether the picking has them.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::OrderLine;
use crate::document::DocumentKey;
use crate::forward::faults;
use crate::odoo::order::{OrderRow, SeenLine, SeenMove, SeenPicking};
use crate::odoo::{PickingState, TOLERANCE};
use crate::odoo_id::{LocationId, MoveId, MoveLineId, PackageId, PartnerId, ProductId};

/// The rest of a reserved line or of a move that is not assigned yet.
struct Left<'a, T> {
    of: &'a T,
    quantity: Decimal,
}

/// One row for each part of a line that has a bin and a move of its own. A line without a scanned
/// bin is taken from where Odoo reserved the goods, and a product that the order asks for twice
/// fills the first move first.
pub(super) fn rows(key: DocumentKey, picking: &SeenPicking, lines: &[OrderLine]) -> Vec<OrderRow> {
    let mut reserved = reserved(picking);
    let mut moves: Vec<_> = (picking.moves.iter())
        .filter(|ordered| ordered.is_open())
        .map(|ordered| Left {
            of: ordered,
            quantity: ordered.demand - picking.picked_of(ordered.id),
        })
        .collect();
    let mut rows = Vec::new();
    for line in lines {
        for (place, quantity) in places(line, &mut reserved) {
            let owner = line.owner.or(place.and_then(|p| p.owner));
            let package = line.package.or(place
                .filter(|_| line.from.is_none())
                .and_then(|p| p.package));
            let from = line.from.or(place.map(|p| p.from)).unwrap_or(picking.from);
            for (move_id, quantity) in fill(line.product, quantity, &mut moves) {
                rows.push(OrderRow {
                    external_id: key.line_external_id(rows.len()),
                    product: line.product,
                    unit: line.unit,
                    quantity,
                    from,
                    to: line.to.unwrap_or(picking.to),
                    move_id,
                    lot: line.lot.clone(),
                    package,
                    into: line.into,
                    owner,
                });
            }
        }
    }
    rows
}

/// The lines that name no bin, if Odoo has not reserved enough of their product.
pub(super) fn without_bin(picking: &SeenPicking, lines: &[OrderLine]) -> Vec<usize> {
    let mut reserved = reserved(picking);
    let mut lacks = |line: &OrderLine| {
        let places = places(line, &mut reserved);
        line.from.is_none() && places.iter().any(|(place, _)| place.is_none())
    };
    let lines = lines.iter().enumerate();
    lines
        .filter_map(|(at, line)| lacks(line).then_some(at))
        .collect()
}

/// The reserved goods that are not picked yet. A line that the gateway adds to a picking does not
/// shrink the line that Odoo reserved there; a line that a person picks is the reserved line
/// itself.
fn reserved(picking: &SeenPicking) -> Vec<Left<'_, SeenLine>> {
    let unpicked = picking.lines.iter().filter(|line| !line.picked);
    let mut reserved: Vec<Left<'_, SeenLine>> = unpicked
        .map(|line| Left {
            of: line,
            quantity: line.quantity,
        })
        .collect();
    let ours = (picking.lines.iter()).filter(|line| line.picked && line.external.is_some());
    for line in ours {
        let mut picked = line.quantity;
        for place in reserved
            .iter_mut()
            .filter(|place| is_same_place(place.of, line))
        {
            let part = picked.min(place.quantity);
            place.quantity -= part;
            picked -= part;
        }
    }
    reserved
}

fn is_same_place(one: &SeenLine, other: &SeenLine) -> bool {
    one.product == other.product
        && one.from == other.from
        && one.lot == other.lot
        && one.package == other.package
        && one.owner == other.owner
}

/// The places that the line is taken from, with the quantity from each.
fn places<'a>(
    line: &OrderLine,
    reserved: &mut [Left<'a, SeenLine>],
) -> Vec<(Option<&'a SeenLine>, Decimal)> {
    let mut left = line.quantity;
    let mut places = Vec::new();
    for place in reserved.iter_mut() {
        let lot = line.lot.name();
        let fits = place.of.product == line.product
            && (lot.is_none() || place.of.lot.as_deref() == lot)
            && line.from.is_none_or(|from| from == place.of.from)
            && line
                .package
                .is_none_or(|package| place.of.package == Some(package));
        let part = left.min(place.quantity);
        if fits && part > Decimal::ZERO {
            place.quantity -= part;
            left -= part;
            places.push((Some(place.of), part));
        }
    }
    if left > Decimal::ZERO {
        places.push((None, left));
    }
    // A line that names its bin is one row, also if Odoo reserved it in parts.
    match (line.from, places.first().copied()) {
        (Some(_), Some((first, _))) => vec![(first, line.quantity)],
        _ => places,
    }
}

/// The moves that the line goes to, with the quantity for each. A surplus goes to the last move.
fn fill(
    product: ProductId,
    quantity: Decimal,
    moves: &mut [Left<'_, SeenMove>],
) -> Vec<(Option<MoveId>, Decimal)> {
    let mut left = quantity;
    let mut filled: Vec<(Option<MoveId>, Decimal)> = Vec::new();
    let mut last = None;
    for ordered in moves
        .iter_mut()
        .filter(|ordered| ordered.of.product == product)
    {
        last = Some(ordered.of.id);
        let part = left.min(ordered.quantity);
        if part > Decimal::ZERO {
            ordered.quantity -= part;
            left -= part;
            filled.push((last, part));
        }
    }
    if left > Decimal::ZERO {
        match filled.last_mut() {
            Some((_, part)) => *part += left,
            None => filled.push((last, left)),
        }
    }
    filled
}

/// The scanned identity of goods. `None` matches any value, except in `lot`, where it stands for no
/// lot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Goods {
    product: ProductId,
    lot: Option<String>,
    from: Option<LocationId>,
    to: Option<LocationId>,
    package: Option<PackageId>,
    into: Option<PackageId>,
    owner: Option<PartnerId>,
}

impl Goods {
    fn of(line: &OrderLine) -> Self {
        Self {
            product: line.product,
            lot: line.lot.name().map(str::to_owned),
            from: line.from,
            to: line.to,
            package: line.package,
            into: line.into,
            owner: line.owner,
        }
    }

    fn are_on(&self, line: &SeenLine) -> bool {
        fn same<T: Copy + PartialEq>(scanned: Option<T>, held: Option<T>) -> bool {
            scanned.is_none() || scanned == held
        }
        line.product == self.product
            && line.lot == self.lot
            && same(self.from, Some(line.from))
            && same(self.to, Some(line.to))
            && same(self.package, line.package)
            && same(self.into, line.result_package)
            && same(self.owner, line.owner)
    }
}

fn sum<T: Ord>(parts: impl IntoIterator<Item = (T, Decimal)>) -> BTreeMap<T, Decimal> {
    let mut sums = BTreeMap::new();
    for (part, quantity) in parts {
        *sums.entry(part).or_default() += quantity;
    }
    sums
}

/// Describes every difference between our lines in Odoo and the lines that we sent. A package that
/// was added to the lines later is no difference.
pub(super) fn difference(
    key: DocumentKey,
    picking: &SeenPicking,
    lines: &[OrderLine],
) -> Option<String> {
    // If a line names no bin, Odoo's bin is right.
    let names =
        |product: ProductId, lot: Option<&str>, bin: fn(&OrderLine) -> Option<LocationId>| {
            let mut alike = lines
                .iter()
                .filter(|line| line.product == product && line.lot.name() == lot);
            alike.all(|line| bin(line).is_some())
        };
    let place = |product: ProductId,
                 lot: Option<&str>,
                 from: Option<LocationId>,
                 to: Option<LocationId>| {
        let from = from.filter(|_| names(product, lot, |line| line.from));
        let to = to.filter(|_| names(product, lot, |line| line.to));
        (product, lot.map(str::to_owned), from, to)
    };
    let ours = picking.lines.iter().filter(|line| line.is_of(key));
    let held = sum(ours.map(|line| {
        let (from, to) = (Some(line.from), Some(line.to));
        (
            place(line.product, line.lot.as_deref(), from, to),
            line.quantity,
        )
    }));
    let sent = sum(lines.iter().map(|line| {
        let place = place(line.product, line.lot.name(), line.from, line.to);
        (place, line.quantity)
    }));
    let things: BTreeSet<_> = held.keys().chain(sent.keys()).cloned().collect();
    let differences = things.into_iter().filter_map(|thing| {
        let (has, had) = (
            held.get(&thing).copied().unwrap_or_default(),
            sent.get(&thing).copied().unwrap_or_default(),
        );
        ((has - had).abs() >= TOLERANCE).then(|| {
            let (product, _, from, to) = thing;
            let bin = |word: &str, bin: Option<LocationId>| {
                bin.map(|bin| format!(" {word} location id {bin}"))
                    .unwrap_or_default()
            };
            format!(
                "it has {} of {}{}{}, but the gateway sent {}",
                has.normalize(),
                picking.product_name(product),
                bin("from", from),
                bin("to", to),
                had.normalize()
            )
        })
    });
    faults::list(differences.collect())
}

/// The lines with which a person posted exactly what these lines say, without us: for each thing
/// all lines or a single one. `claimed`: lines that stand for other scans already.
pub(super) fn claim(
    picking: &SeenPicking,
    lines: &[OrderLine],
    claimed: &BTreeSet<MoveLineId>,
) -> Option<Vec<MoveLineId>> {
    let mut claim = Vec::new();
    for (goods, quantity) in sum(lines.iter().map(|line| (Goods::of(line), line.quantity))) {
        let free = |line: &&SeenLine| {
            line.external.is_none() && !claimed.contains(&line.id) && !claim.contains(&line.id)
        };
        let theirs: Vec<&SeenLine> = (picking.lines.iter())
            .filter(|line| goods.are_on(line))
            .filter(free)
            .collect();
        let is_it = |held: Decimal| (held - quantity).abs() < TOLERANCE;
        if is_it(theirs.iter().map(|line| line.quantity).sum()) {
            claim.extend(theirs.iter().map(|line| line.id));
        } else {
            claim.push(theirs.iter().find(|line| is_it(line.quantity))?.id);
        }
    }
    (!claim.is_empty()).then_some(claim)
}

/// Describes a picking's content for a person: `3 of Desk, 1 of Chair`.
pub(super) fn said_of(picking: &SeenPicking) -> String {
    let mut sums = BTreeMap::<ProductId, Decimal>::new();
    for line in picking
        .lines
        .iter()
        .filter(|line| line.picked || picking.state == PickingState::Done)
    {
        *sums.entry(line.product).or_default() += line.quantity;
    }
    for ordered in picking.moves.iter().filter(|ordered| ordered.is_open()) {
        sums.entry(ordered.product).or_insert(ordered.demand);
    }
    words(picking, &sums)
}

/// Products with their quantities, in the picking's names.
pub(super) fn describe_products(
    picking: &SeenPicking,
    parts: impl IntoIterator<Item = (ProductId, Decimal)>,
) -> String {
    let mut sums = BTreeMap::<ProductId, Decimal>::new();
    for (product, quantity) in parts {
        *sums.entry(product).or_default() += quantity;
    }
    words(picking, &sums)
}

/// Describes the document's content, in the picking's names.
pub(super) fn said(picking: &SeenPicking, lines: &[OrderLine]) -> String {
    let mut sums = BTreeMap::<ProductId, Decimal>::new();
    for line in lines {
        *sums.entry(line.product).or_default() += line.quantity;
    }
    words(picking, &sums)
}

fn words(picking: &SeenPicking, sums: &BTreeMap<ProductId, Decimal>) -> String {
    let parts: Vec<String> = (sums.iter().take(8))
        .map(|(product, quantity)| {
            format!(
                "{} of {}",
                quantity.normalize(),
                picking.product_name(*product)
            )
        })
        .collect();
    match (parts.is_empty(), sums.len() > parts.len()) {
        (true, _) => "nothing".to_owned(),
        (false, true) => format!("{} and more", parts.join(", ")),
        (false, false) => parts.join(", "),
    }
}
