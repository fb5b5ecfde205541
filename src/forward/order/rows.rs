//! The lines that a document puts on a picking, and whether the picking has them.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{LotRef, OrderLine};
use crate::document::DocumentKey;
use crate::forward::machine::TOLERANCE;
use crate::forward::odoo::order::{SeenLine, SeenMove, SeenPicking};

/// One move line as Odoo is to have it, under its external id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub external_id: String,
    pub product: i64,
    pub unit: i64,
    pub quantity: Decimal,
    pub from: i64,
    pub to: i64,
    /// None only where the picking has no move of the product.
    pub move_id: Option<i64>,
    pub lot: LotRef,
    pub package: Option<i64>,
    pub into: Option<i64>,
    pub owner: Option<i64>,
}

/// What is left to be said of a reserved line or of a move.
struct Left<'a, T> {
    of: &'a T,
    quantity: Decimal,
}

/// A row for each part of a line that has a bin and a move of its own: where no bin was scanned it is taken from where Odoo
/// reserved it, and a product that is asked for twice fills the first move first.
pub(super) fn rows(key: DocumentKey, picking: &SeenPicking, lines: &[OrderLine]) -> Vec<Row> {
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
                rows.push(Row {
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

/// The product of a line that says no bin, and of which Odoo has not reserved so much; `None` where there is none.
pub(super) fn without_bin(picking: &SeenPicking, lines: &[OrderLine]) -> Option<i64> {
    let mut reserved = reserved(picking);
    let lacks = |line: &&OrderLine| {
        let places = places(line, &mut reserved);
        line.from.is_none() && places.iter().any(|(place, _)| place.is_none())
    };
    lines.iter().find(lacks).map(|line| line.product)
}

fn reserved(picking: &SeenPicking) -> Vec<Left<'_, SeenLine>> {
    let reserved = picking.lines.iter().filter(|line| !line.picked);
    reserved
        .map(|line| Left {
            of: line,
            quantity: line.quantity,
        })
        .collect()
}

/// Where the line is taken from, and how much from each place.
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
    // A line that says its bin is one row, also where Odoo reserved it in parts.
    match (line.from, places.first().copied()) {
        (Some(_), Some((first, _))) => vec![(first, line.quantity)],
        _ => places,
    }
}

/// Which moves it goes to, and how much to each; what is too much goes to the last.
fn fill(
    product: i64,
    quantity: Decimal,
    moves: &mut [Left<'_, SeenMove>],
) -> Vec<(Option<i64>, Decimal)> {
    let mut left = quantity;
    let mut filled: Vec<(Option<i64>, Decimal)> = Vec::new();
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

/// What makes two parts of a document one thing, as far as the order is concerned.
type Thing = (i64, Option<String>, Option<i64>);

fn meant(lines: &[OrderLine]) -> BTreeMap<Thing, Decimal> {
    let mut meant = BTreeMap::new();
    for line in lines {
        let thing = (line.product, line.lot.name().map(str::to_owned), line.into);
        *meant.entry(thing).or_default() += line.quantity;
    }
    meant
}

/// What of our lines Odoo has otherwise than we sent it, in words. A package that was put on them later is no difference.
pub(super) fn difference(
    key: DocumentKey,
    picking: &SeenPicking,
    lines: &[OrderLine],
) -> Option<String> {
    let mut held = BTreeMap::<(i64, Option<String>), Decimal>::new();
    for line in picking.lines.iter().filter(|line| line.is_of(key)) {
        *held.entry((line.product, line.lot.clone())).or_default() += line.quantity;
    }
    let mut sent = BTreeMap::<(i64, Option<String>), Decimal>::new();
    for ((product, lot, _), quantity) in meant(lines) {
        *sent.entry((product, lot)).or_default() += quantity;
    }
    let things: std::collections::BTreeSet<_> = held.keys().chain(sent.keys()).cloned().collect();
    things.into_iter().find_map(|thing| {
        let (has, had) = (
            held.get(&thing).copied().unwrap_or_default(),
            sent.get(&thing).copied().unwrap_or_default(),
        );
        ((has - had).abs() >= TOLERANCE).then(|| {
            let name = picking.product_name(thing.0);
            format!(
                "it has {} of {name} where the gateway sent {}",
                has.normalize(),
                had.normalize()
            )
        })
    })
}

/// Whether somebody posted exactly what these lines say, without us.
pub(super) fn holds(picking: &SeenPicking, lines: &[OrderLine]) -> bool {
    let theirs = |line: &&SeenLine| line.external.is_none();
    !lines.is_empty()
        && meant(lines)
            .into_iter()
            .all(|((product, lot, into), quantity)| {
                let same = |line: &&SeenLine| {
                    line.product == product
                        && line.lot == lot
                        && (into.is_none() || line.result_package == into)
                };
                let bins: Vec<i64> = (lines.iter())
                    .filter(|l| l.product == product && l.lot.name() == lot.as_deref())
                    .filter_map(|l| l.from)
                    .collect();
                let in_bin = |line: &&SeenLine| bins.is_empty() || bins.contains(&line.from);
                let held: Decimal = (picking.lines.iter())
                    .filter(theirs)
                    .filter(same)
                    .filter(in_bin)
                    .map(|line| line.quantity)
                    .sum();
                (held - quantity).abs() < TOLERANCE
            })
}

/// What a picking has, for a person: `3 of Desk, 1 of Chair`.
pub(super) fn said_of(picking: &SeenPicking) -> String {
    let mut sums = BTreeMap::<i64, Decimal>::new();
    for line in picking
        .lines
        .iter()
        .filter(|line| line.picked || picking.state == "done")
    {
        *sums.entry(line.product).or_default() += line.quantity;
    }
    for ordered in picking.moves.iter().filter(|ordered| ordered.is_open()) {
        sums.entry(ordered.product).or_insert(ordered.demand);
    }
    words(picking, &sums)
}

/// What the document has, in the picking's names.
pub(super) fn said(picking: &SeenPicking, lines: &[OrderLine]) -> String {
    let mut sums = BTreeMap::<i64, Decimal>::new();
    for line in lines {
        *sums.entry(line.product).or_default() += line.quantity;
    }
    words(picking, &sums)
}

fn words(picking: &SeenPicking, sums: &BTreeMap<i64, Decimal>) -> String {
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
