//! What a count comes to: the difference to what Odoo held in the bin at the time of the count.
//!
//! Odoo tells only what it holds now, and the dated lines of what was moved. What it held then is what it holds now, less
//! what came since and with what went since. So a count that arrives late takes nothing back that moved after it.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::plan::{Counted, Places, Plan, keep, transfer_of};
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
    product: i64,
    bin: i64,
    lot: Option<i64>,
    package: Option<i64>,
    owner: Option<i64>,
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
    let products = all.iter().map(|(_, wanted)| wanted.product).collect();
    let bins = all.iter().map(|(_, wanted)| wanted.bin).collect();
    let (held, moved) = read(odoo, &products, &bins, since).await?;
    for (place, wanted) in all {
        let line = documents[place].document.lines.first();
        let bin = line.and_then(|line| line.from.as_deref()).unwrap_or("?");
        let slot = &mut resolved[place];
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
        product: line.product,
        bin: line.from,
        lot: match line.lot {
            LotRef::Known { id, .. } => Some(id),
            _ => None,
        },
        package: line.package,
        owner: line.owner,
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

impl Wanted {
    fn is_of(&self, place: &Place) -> bool {
        place.product == self.product
            && place.bin == self.bin
            && (self.lot.is_none() || place.lot == self.lot)
            && (self.package.is_none() || place.package == self.package)
            && (self.owner.is_none() || place.owner == self.owner)
    }

    fn held(&self, stock: &BTreeMap<Place, Decimal>, moved: &[Moved]) -> Held {
        let sum = |parts: &mut dyn Iterator<Item = Decimal>| parts.sum::<Decimal>();
        let since = || moved.iter().filter(|line| line.date > self.at);
        let end = |line: &Moved, bin, package| Place {
            product: line.product,
            bin,
            lot: line.lot,
            package,
            owner: line.owner,
        };
        let now = sum(&mut (stock.iter())
            .filter(|(place, _)| self.is_of(place))
            .map(|(_, quantity)| *quantity));
        let came = sum(&mut since()
            .filter(|line| self.is_of(&end(line, line.to, line.into)))
            .map(|line| line.quantity));
        let out = sum(&mut since()
            .filter(|line| self.is_of(&end(line, line.from, line.package)))
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
    let owner = match (wanted.owner, owners.len()) {
        (Some(owner), _) => Some(owner),
        (None, 0) => None,
        (None, 1) => owners.first().copied().flatten(),
        (None, _) => return Err(Unclear::Owner(owners.into_iter().flatten().collect())),
    };
    let packages: BTreeSet<Option<i64>> = there.iter().map(|(place, _)| place.package).collect();
    let package = match (wanted.package, packages.len()) {
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
            product: wanted.product,
            bin: wanted.bin,
            package,
            owner,
            difference: difference.to_string(),
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
