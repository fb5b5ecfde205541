//! What a count comes to: the difference to what Odoo held in the bin at the time of the count.
//!
//! Odoo tells only what it holds now, and the dated lines of what was moved. What it held then is what it holds now, less
//! what came since and with what went since. So a count that arrives late takes nothing back that moved after it.

mod open;

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use self::open::{open_picks, scanned};
use super::plan::{Counted, CountedOf, Places, Plan, keep, transfer_of};
use super::{Asked, Ground, Prepared, Resolved, reason, stock};
use crate::event::CLOCK_MIN;
use crate::forward::machine::TOLERANCE;
use crate::forward::odoo::order::odoo_time;
use crate::forward::odoo::stock::{Moved, Place};
use crate::forward::odoo::{Client, Transfer, TransferLine};
use crate::forward::order::LotRef;
use crate::forward::refresh::Trouble;
use crate::outcome::{Failure, code};

/// How often it is read again where something moves between the look at the stock and the look at the moves.
const LOOKS_MAX: usize = 5;

/// What was counted, as far as it was said.
#[derive(Debug)]
struct Wanted {
    of: Place,
    counted: Decimal,
    /// As Odoo writes it; a line of the same second was before.
    at: String,
}

/// What Odoo held, and how that is known.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    then: Decimal,
    now: Decimal,
    out: Decimal,
    came: Decimal,
}

pub(super) async fn work_out(
    odoo: &mut Client,
    ground: Ground<'_>,
    documents: &[Asked<'_>],
    resolved: &mut [Resolved<Prepared>],
    places: &Places,
) -> Result<(), Trouble> {
    let mut all = Vec::new();
    for place in places {
        let Some([line]) = transfer_of(&mut resolved[*place]).map(|t| t.lines.as_slice()) else {
            continue;
        };
        all.push((*place, wanted(ground, documents[*place], line)));
    }
    let Some(since) = all.iter().map(|(_, wanted)| &wanted.at).min() else {
        return Ok(());
    };
    let products = all.iter().map(|(_, wanted)| wanted.of.product).collect();
    let bins = all.iter().map(|(_, wanted)| wanted.of.bin).collect();
    let open = open_picks(odoo, ground, &products, &bins).await?;
    let (held, mut moved) = read(odoo, &products, &bins, since).await?;
    date_ours(odoo, ground, &mut moved).await?;
    for (place, wanted) in all {
        let line = documents[place].document.lines.first();
        let bin = line.and_then(|line| line.from.as_deref()).unwrap_or("?");
        let product = line.map_or("?", |line| &line.product);
        let slot = &mut resolved[place];
        let undone = wanted.undone(&open);
        if !undone.pickings.is_empty() {
            let names = odoo.picking_names(&undone.pickings).await?;
            *slot = Err(undone.reason(product, bin, &names));
            continue;
        }
        match position(&wanted, &held) {
            Ok((package, owner)) => settle(slot, &wanted, &held, &moved, package, owner),
            Err(Unclear::Package) => {
                let message = format!(
                    "bin {bin} holds it in several packages, and less was counted than lies there: count each package"
                );
                *slot = Err(reason(code::PACKAGE_REQUIRED, message));
            }
            Err(Unclear::Owner(owners)) => {
                *slot = Err(stock::ambiguous_owner(odoo, bin, &owners).await?);
            }
        }
    }
    Ok(())
}

fn wanted(ground: Ground<'_>, asked: Asked<'_>, line: &TransferLine) -> Wanted {
    let occurred = asked.document.occurred.min(ground.now);
    // Where no clock was right, it is as if it were counted now.
    let at = if occurred < CLOCK_MIN {
        ground.now
    } else {
        occurred
    };
    Wanted {
        of: Place {
            product: line.product,
            bin: line.from,
            lot: match line.lot {
                LotRef::Known { id, .. } => Some(id),
                _ => None,
            },
            package: line.package,
            owner: line.owner,
        },
        counted: line.quantity,
        at: odoo_time(at),
    }
}

/// The stock, and what moved: read so that nothing moved in between.
async fn read(
    odoo: &mut Client,
    products: &BTreeSet<i64>,
    bins: &BTreeSet<i64>,
    since: &str,
) -> Result<(BTreeMap<Place, Decimal>, Vec<Moved>), Failure> {
    let mut before = odoo.stock(products, bins).await?;
    for _ in 0..LOOKS_MAX {
        let moved = odoo.moved_since(products, bins, since).await?;
        let after = odoo.stock(products, bins).await?;
        if before == after {
            return Ok((after, moved));
        }
        before = after;
    }
    Err(Failure::wait(
        "what was counted moves in Odoo all the time: its stock cannot be told yet",
    ))
}

/// Odoo dates lines on an order when the order is validated. Those of the gateway left the bin when they were scanned.
async fn date_ours(
    odoo: &mut Client,
    ground: Ground<'_>,
    moved: &mut [Moved],
) -> Result<(), Trouble> {
    let done = scanned(odoo, ground, moved).await?;
    for line in moved {
        if let Some(at) = done.get(&line.id) {
            line.date = odoo_time(*at);
        }
    }
    Ok(())
}

fn end(line: &Moved, bin: i64, package: Option<i64>) -> Place {
    Place {
        product: line.product,
        bin,
        lot: line.lot,
        package,
        owner: line.owner,
    }
}

impl Wanted {
    fn is_of(&self, place: &Place) -> bool {
        place.is_within(&self.of)
    }

    /// Whether the line takes out of what was counted, and whether it puts into it.
    fn ends(&self, line: &Moved) -> (bool, bool) {
        (
            self.is_of(&end(line, line.from, line.package)),
            self.is_of(&end(line, line.to, line.into)),
        )
    }

    fn held(&self, stock: &BTreeMap<Place, Decimal>, moved: &[Moved]) -> Held {
        let sum = |parts: &mut dyn Iterator<Item = Decimal>| parts.sum::<Decimal>();
        let since = || moved.iter().filter(|line| line.date > self.at);
        let now = sum(&mut (stock.iter())
            .filter(|(place, _)| self.is_of(place))
            .map(|(_, quantity)| *quantity));
        let came = sum(&mut since()
            .filter(|line| self.ends(line).1)
            .map(|line| line.quantity));
        let out = sum(&mut since()
            .filter(|line| self.ends(line).0)
            .map(|line| line.quantity));
        Held {
            // Odoo's floating point leaves crumbs.
            then: (now - came + out).round_dp(6).normalize(),
            now: now.round_dp(6).normalize(),
            out: out.normalize(),
            came: came.normalize(),
        }
    }
}

/// Why the difference cannot be given a place.
#[derive(Debug, PartialEq, Eq)]
enum Unclear {
    Package,
    Owner(BTreeSet<i64>),
}

/// In which package the difference is, and whose it is: where all lies in one, there; else loose, and nobody's.
fn position(
    wanted: &Wanted,
    stock: &BTreeMap<Place, Decimal>,
) -> Result<(Option<i64>, Option<i64>), Unclear> {
    let there: Vec<(&Place, Decimal)> = (stock.iter())
        .filter(|(place, quantity)| wanted.is_of(place) && quantity.abs() >= TOLERANCE)
        .map(|(place, quantity)| (place, *quantity))
        .collect();
    let owners: BTreeSet<Option<i64>> = there.iter().map(|(place, _)| place.owner).collect();
    let owner = match (wanted.of.owner, owners.len()) {
        (Some(owner), _) => Some(owner),
        (None, 0) => None,
        (None, 1) => owners.first().copied().flatten(),
        (None, _) => return Err(Unclear::Owner(owners.into_iter().flatten().collect())),
    };
    let packages: BTreeSet<Option<i64>> = there.iter().map(|(place, _)| place.package).collect();
    let package = match (wanted.of.package, packages.len()) {
        (Some(package), _) => Some(package),
        (None, 0) => None,
        (None, 1) => packages.first().copied().flatten(),
        (None, _) => {
            let all: Decimal = there.iter().map(|(_, quantity)| *quantity).sum();
            let loose: Decimal = (there.iter())
                .filter(|(place, _)| place.package.is_none())
                .map(|(_, quantity)| *quantity)
                .sum();
            if wanted.counted + loose < all {
                return Err(Unclear::Package);
            }
            None
        }
    };
    Ok((package, owner))
}

fn settle(
    slot: &mut Resolved<Prepared>,
    wanted: &Wanted,
    stock: &BTreeMap<Place, Decimal>,
    moved: &[Moved],
    package: Option<i64>,
    owner: Option<i64>,
) {
    let Held {
        then,
        now,
        out,
        came,
    } = wanted.held(stock, moved);
    let difference = (wanted.counted - then).normalize();
    let counted = wanted.counted.normalize();
    let how = format!(
        "Odoo held {then} at {} UTC: {now} now, {out} out and {came} in since",
        wanted.at
    );
    let plan = Plan {
        count: Some(Counted {
            product: wanted.of.product,
            bin: wanted.of.bin,
            package,
            owner,
            difference: difference.to_string(),
            of: CountedOf {
                lot: wanted.of.lot,
                package: wanted.of.package,
                owner: wanted.of.owner,
            },
        }),
        ..Plan::default()
    };
    keep(slot, &plan);
    let Ok(prepared) = slot else { return };
    if difference.abs() < TOLERANCE {
        prepared.work = None;
        prepared.note = Some(format!("{how}; counted {counted}: Odoo held exactly that"));
    } else {
        let sign = if difference > Decimal::ZERO { "+" } else { "" };
        prepared.note = Some(format!("{how}; counted {counted}: {sign}{difference}"));
    }
}

/// What is less goes from the bin to where Odoo keeps such differences; what is more comes from there.
pub(super) fn apply(transfer: &mut Transfer, counted: &Counted, difference: Decimal) {
    let more = difference > Decimal::ZERO;
    if let Some(line) = transfer.lines.first_mut() {
        line.owner = counted.owner;
        line.quantity = difference.abs();
        (line.package, line.into) = (counted.package, None);
        if more {
            std::mem::swap(&mut line.from, &mut line.to);
            std::mem::swap(&mut line.package, &mut line.into);
        }
    }
    if let Some(header) = transfer.header.as_mut().filter(|_| more) {
        std::mem::swap(&mut header.from, &mut header.to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub const BIN: i64 = 5;
    pub const ELSEWHERE: i64 = 6;

    pub fn wanted(counted: i64) -> Wanted {
        Wanted {
            of: place(None, None, None),
            counted: counted.into(),
            at: "2026-11-23 08:15:30".to_owned(),
        }
    }

    pub fn place(lot: Option<i64>, package: Option<i64>, owner: Option<i64>) -> Place {
        Place {
            product: 1,
            bin: BIN,
            lot,
            package,
            owner,
        }
    }

    pub fn moved(date: &str, from: i64, to: i64, quantity: i64) -> Moved {
        Moved {
            id: 1,
            picking: Some(7),
            date: format!("2026-11-23 {date}"),
            product: 1,
            from,
            to,
            lot: None,
            package: None,
            into: None,
            owner: None,
            quantity: quantity.into(),
        }
    }

    fn held(wanted: &Wanted, stock: &[(Place, i64)], moved: &[Moved]) -> [i64; 4] {
        let stock = stock
            .iter()
            .map(|(place, n)| (*place, (*n).into()))
            .collect();
        let held = wanted.held(&stock, moved);
        [held.then, held.now, held.out, held.came].map(|n| n.try_into().unwrap())
    }

    #[test]
    fn what_odoo_held_then_is_what_it_holds_now_without_what_moved_since() {
        let stock = [(place(None, None, None), 8)];
        let lines = [
            moved("08:15:29", ELSEWHERE, BIN, 100),
            // Of the same second: before.
            moved("08:15:30", ELSEWHERE, BIN, 200),
            moved("08:15:31", ELSEWHERE, BIN, 2),
            moved("09:00:00", BIN, ELSEWHERE, 4),
            // Packed where it lies: in and out.
            moved("09:00:01", BIN, BIN, 3),
        ];
        assert_eq!(held(&wanted(7), &stock, &lines), [10, 8, 7, 5]);
        let mut other = lines[2].clone();
        other.product = 2;
        assert_eq!(held(&wanted(7), &stock, &[other]), [8, 8, 0, 0]);
    }

    #[test]
    fn a_lot_a_package_and_an_owner_are_counted_alone() {
        let stock = [
            (place(Some(1), None, None), 1),
            (place(Some(2), None, None), 2),
            (place(Some(2), Some(9), None), 4),
            (place(Some(2), Some(9), Some(3)), 8),
        ];
        let of = |lot, package, owner| Wanted {
            of: place(lot, package, owner),
            ..wanted(0)
        };
        assert_eq!(held(&wanted(0), &stock, &[])[0], 15);
        assert_eq!(held(&of(Some(2), None, None), &stock, &[])[0], 14);
        assert_eq!(held(&of(Some(2), Some(9), None), &stock, &[])[0], 12);
        assert_eq!(held(&of(None, None, Some(3)), &stock, &[])[0], 8);
        // Put into the package since: of the package it came, of the lot nothing changed.
        let mut packed = moved("09:00:00", BIN, BIN, 3);
        (packed.lot, packed.into) = (Some(2), Some(9));
        let lines = [packed];
        assert_eq!(
            held(&of(Some(2), Some(9), None), &stock, &lines),
            [9, 12, 0, 3]
        );
        assert_eq!(held(&of(Some(2), None, None), &stock, &lines)[0], 14);
    }

    #[test]
    fn the_difference_is_where_the_goods_are_or_a_person_says() {
        let stock = |places: &[(Place, i64)]| -> BTreeMap<Place, Decimal> {
            places
                .iter()
                .map(|(place, n)| (*place, (*n).into()))
                .collect()
        };
        let packed = (place(None, Some(9), Some(3)), 4);
        assert_eq!(position(&wanted(3), &stock(&[])), Ok((None, None)));
        assert_eq!(
            position(&wanted(3), &stock(&[packed])),
            Ok((Some(9), Some(3)))
        );
        let loose = (place(None, None, Some(3)), 2);
        let both = stock(&[packed, loose]);
        assert_eq!(position(&wanted(5), &both), Ok((None, Some(3))));
        assert_eq!(position(&wanted(3), &both), Err(Unclear::Package));
        let others = stock(&[packed, (place(None, None, Some(4)), 1)]);
        let owners = BTreeSet::from([3, 4]);
        assert_eq!(position(&wanted(5), &others), Err(Unclear::Owner(owners)));
    }
}
