//! Calculates the difference that a count posts: the counted quantity less what Odoo held in the
//! bin at the time of the count.
//!
//! Odoo shows only what it holds now, and dated move lines. What it held at a time is what it holds
//! now, less what came in since, plus what went out since. The gateway's own lines count with the
//! time of their scan from the journal (`own_moves`), the lines of other users with Odoo's date. A
//! recount, which the gateway creates when it posts an older movement later, calculates the
//! difference again.

mod decide;
mod open_picks;
mod own_moves;
mod position;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;

use self::decide::{CountVerdict, judge};
use self::open_picks::open_picks;
use self::own_moves::{Dated, date};
use self::position::Unclear;
use super::plan::{Counted, CountedOf, Places, Plan, keep, transfer_of};
use super::{Asked, Ground, Prepared, Resolved, reason, stock};
use crate::catalog::refresh::Trouble;
use crate::document::{DocumentNumber, Purpose, answer};
use crate::forward::times::{self, Done, UNKNOWN_SPAN};
use crate::journal::JournalError;
use crate::odoo::LotRef;
use crate::odoo::TOLERANCE;
use crate::odoo::order::odoo_time;
use crate::odoo::stock::{Moved, Place};
use crate::odoo::{Client, TransferLine};
use crate::odoo_id::{LocationId, PackageId, PartnerId, ProductId};
use crate::outcome::Failure;
use crate::reason::{Flag, ReasonCode};

/// The most times that the gateway reads the moves and then the stock again. The gateway stops when
/// the stock is the same before and after the moves. If the stock changed each time, the gateway
/// tries the count later.
const LOOKS_MAX: usize = 5;

/// The counted quantity and the scanned part of the bin.
#[derive(Debug, Clone)]
struct Wanted {
    of: Place,
    counted: Decimal,
    /// The same quantity in the unit of the scanned packaging.
    scanned: Decimal,
    at: Timestamp,
    done: Done,
    /// The number of the count's document.
    number: DocumentNumber,
    /// The number of the recount's document. `None`: this is a count.
    recount: Option<DocumentNumber>,
    /// The package and the owner that have the difference of the count. A recount uses them if it
    /// can.
    position: Option<(Option<PackageId>, Option<PartnerId>)>,
    /// The location for differences of the product in Odoo.
    inventory: LocationId,
    /// The decisions of people. For a recount, also the decisions about its count.
    answers: String,
}

/// The quantity that Odoo held at the time of the count, and its calculation.
#[derive(Debug, PartialEq, Eq)]
struct HeldStock {
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
        all.push((
            *place,
            wanted(ground, documents[*place], line).map_err(unread)?,
        ));
    }
    let scanned_of = |number| scanned_quantity(ground, number);
    let others: Vec<Wanted> = all.iter().map(|(_, wanted)| wanted.clone()).collect();
    all.retain(
        |(place, wanted)| match judge(ground.book, wanted, &others, &scanned_of) {
            CountVerdict::Compare => true,
            verdict => {
                let slot = &mut resolved[*place];
                end(slot, wanted, verdict);
                false
            }
        },
    );
    compare(odoo, ground, documents, resolved, all).await
}

/// Ends a count that is not compared with Odoo: the gateway posts nothing, or a person has to
/// decide.
fn end(slot: &mut Resolved<Prepared>, wanted: &Wanted, verdict: CountVerdict) {
    match verdict {
        CountVerdict::Compare => {}
        CountVerdict::Nothing {
            note,
            is_superseded,
        } => {
            let (package, owner) = wanted
                .position
                .unwrap_or((wanted.of.package, wanted.of.owner));
            keep(slot, &plan(wanted, package, owner, Decimal::ZERO));
            if let Ok(prepared) = slot {
                prepared.work = None;
                prepared.note = Some(note);
                prepared
                    .flags
                    .extend(is_superseded.then_some(Flag::Superseded));
            }
        }
        CountVerdict::Park(reason) => *slot = Err(reason),
    }
}

async fn compare(
    odoo: &mut Client,
    ground: Ground<'_>,
    documents: &[Asked<'_>],
    resolved: &mut [Resolved<Prepared>],
    all: Vec<(usize, Wanted)>,
) -> Result<(), Trouble> {
    let since = |wanted: &Wanted| {
        let since = wanted.since();
        let read_since = |book: &crate::book::Book| book.read_since(&wanted.of, wanted.at);
        ground
            .book
            .map_or(since, |book| since.min(read_since(book)))
    };
    let Some(since) = all.iter().map(|(_, wanted)| since(wanted)).min() else {
        return Ok(());
    };
    let products = all.iter().map(|(_, wanted)| wanted.of.product).collect();
    let bins = all.iter().map(|(_, wanted)| wanted.of.bin).collect();
    let open = open_picks(odoo, ground, &products, &bins).await?;
    let (held, moved) = read(odoo, &products, &bins, &odoo_time(since)).await?;
    let moved = date(odoo, ground, moved).await?;
    for (place, wanted) in all {
        let line = documents[place].document.lines.first();
        let bin = line
            .and_then(|line| line.goods.from.as_deref())
            .unwrap_or("?");
        let product = line.map_or("?", |line| &line.goods.product);
        let slot = &mut resolved[place];
        if wanted.moved_in_doubt(&moved) {
            let message = format!(
                "the time of the count of {product} in bin {bin} is unknown, and goods moved there in the day before the gateway received it: count the bin again and discard this count, or retry and allow it as of its receipt"
            );
            *slot = Err(reason(ReasonCode::ClockInDoubt, message));
            continue;
        }
        let undone = wanted.undone(&open);
        if !undone.pickings.is_empty() {
            let names = odoo.picking_names(&undone.pickings).await?;
            *slot = Err(undone.reason(product, bin, &names));
            continue;
        }
        let found = wanted.held(&held, &moved);
        let difference = (wanted.counted - found.then).normalize();
        match wanted.place_difference(&held, difference) {
            Ok((package, owner)) => settle(slot, &wanted, &found, difference, package, owner),
            Err(Unclear::Package) => {
                let message = format!(
                    "bin {bin} holds the product in several packages, and the counted quantity is less than Odoo has there: discard this count, and count each package"
                );
                *slot = Err(reason(ReasonCode::PackageRequired, message));
            }
            Err(Unclear::Owner(owners)) => {
                *slot = Err(stock::ambiguous_owner(odoo, bin, &owners).await?);
            }
        }
    }
    Ok(())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "`map_err` passes the error by value"
)]
pub(super) fn unread(error: JournalError) -> Failure {
    Failure::wait(format!(
        "cannot read the time of the scan from the journal: {error}"
    ))
}

/// The quantity that the document of a count counted, in the unit of the scanned packaging.
fn scanned_quantity(ground: Ground<'_>, number: DocumentNumber) -> Option<Decimal> {
    let entry = ground.journal.document(number).ok()??;
    entry.document.lines.first().map(|line| line.goods.quantity)
}

fn wanted(
    ground: Ground<'_>,
    asked: Asked<'_>,
    line: &TransferLine,
) -> Result<Wanted, JournalError> {
    let document = asked.document;
    let mut done = times::of_one(ground.journal, document)?;
    let (mut number, mut recount, mut position) = (document.number, None, None);
    let mut answers = asked.decision.unwrap_or_default().to_owned();
    if let Purpose::Recount { count } = document.purpose {
        (number, recount) = (count, Some(document.number));
        let known = ground.book.and_then(|book| book.count(count));
        if let Some((_, count)) = known {
            done.time = count.time;
        }
        // The count itself was compared: the time of the count is certain, or a person decided.
        let counted = ground.journal.document(count)?;
        if let Some(of_count) = counted
            .as_ref()
            .and_then(|of| of.progress.decision.as_ref())
        {
            answers = format!("{answers} {of_count}");
        }
        let is_unknown = counted
            .as_ref()
            .map(|entry| times::of_one(ground.journal, &entry.document));
        (done.other, done.is_unknown) = (
            None,
            is_unknown.transpose()?.is_some_and(|done| done.is_unknown),
        );
        let counted = counted.and_then(|entry| entry.progress.plan);
        let counted = counted.and_then(|kept| Plan::read(&kept).ok()?.count);
        position = counted.map(|counted| (counted.package, counted.owner));
    }
    let scanned = document.lines.first().map(|line| line.goods.quantity);
    Ok(Wanted {
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
        scanned: scanned.unwrap_or(line.quantity),
        at: done.time.min(ground.now),
        done,
        number,
        recount,
        position,
        inventory: line.to,
        answers,
    })
}

/// Reads the stock and the moves, so that nothing moves between the two reads.
async fn read(
    odoo: &mut Client,
    products: &BTreeSet<ProductId>,
    bins: &BTreeSet<LocationId>,
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
        "the counted goods keep moving in Odoo, so the gateway cannot read their stock yet",
    ))
}

fn end_of(line: &Moved, bin: LocationId, package: Option<PackageId>) -> Place {
    Place {
        product: line.product,
        bin,
        lot: line.lot,
        package,
        owner: line.owner,
    }
}

impl Wanted {
    /// The time after which the moves matter. Odoo's times have whole seconds.
    fn since(&self) -> Timestamp {
        if self.done.is_unknown {
            return self
                .at
                .saturating_sub(UNKNOWN_SPAN)
                .unwrap_or(Timestamp::MIN);
        }
        self.at
    }

    fn allows(&self, code: ReasonCode) -> bool {
        answer::allows(Some(&self.answers), code)
    }

    fn is_of(&self, place: &Place) -> bool {
        place.is_within(&self.of)
    }

    /// Whether the line takes goods out of the counted part of the bin, and whether it puts goods
    /// into it.
    fn ends(&self, line: &Moved) -> (bool, bool) {
        (
            self.is_of(&end_of(line, line.from, line.package)),
            self.is_of(&end_of(line, line.to, line.into)),
        )
    }

    /// Whether the time of the count is unknown, no person decided on it, and goods moved there in
    /// the day before its receipt.
    fn moved_in_doubt(&self, moved: &[Dated]) -> bool {
        let is_moved = |dated: &Dated| {
            self.ends(&dated.line) != (false, false)
                && !dated.after(self.since()).is_zero()
                // The difference of the count itself has exactly this time.
                && !dated.is_of(self.at)
        };
        let is_settled = self.allows(ReasonCode::ClockInDoubt);
        self.done.is_unknown && !is_settled && moved.iter().any(is_moved)
    }

    fn held(&self, stock: &BTreeMap<Place, Decimal>, moved: &[Dated]) -> HeldStock {
        let now: Decimal = (stock.iter())
            .filter(|(place, _)| self.is_of(place))
            .map(|(_, quantity)| *quantity)
            .sum();
        let (mut out, mut came) = (Decimal::ZERO, Decimal::ZERO);
        for dated in moved {
            let (takes, puts) = self.ends(&dated.line);
            if takes || puts {
                let after = dated.after(self.at);
                out += if takes { after } else { Decimal::ZERO };
                came += if puts { after } else { Decimal::ZERO };
            }
        }
        HeldStock {
            // Odoo's floating point leaves rounding errors.
            then: (now - came + out).round_dp(6).normalize(),
            now: now.round_dp(6).normalize(),
            out: out.round_dp(6).normalize(),
            came: came.round_dp(6).normalize(),
        }
    }
}

fn plan(
    wanted: &Wanted,
    package: Option<PackageId>,
    owner: Option<PartnerId>,
    difference: Decimal,
) -> Plan {
    Plan {
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
            quantity: Some(wanted.counted.normalize().to_string()),
            inventory: Some(wanted.inventory),
        }),
        ..Plan::default()
    }
}

fn settle(
    slot: &mut Resolved<Prepared>,
    wanted: &Wanted,
    held: &HeldStock,
    difference: Decimal,
    package: Option<PackageId>,
    owner: Option<PartnerId>,
) {
    let HeldStock {
        then,
        now,
        out,
        came,
    } = held;
    let counted = wanted.counted.normalize();
    let how = format!(
        "Odoo held {then} at {} UTC: {now} now, {out} out and {came} in since",
        odoo_time(wanted.at)
    );
    keep(slot, &plan(wanted, package, owner, difference));
    let Ok(prepared) = slot else { return };
    if wanted.done.is_unknown
        && prepared
            .flags
            .iter()
            .all(|known| *known != Flag::TimeUnknown)
    {
        prepared.flags.push(Flag::TimeUnknown);
    }
    if difference.abs() < TOLERANCE {
        prepared.work = None;
        prepared.note = Some(format!("{how}; counted {counted}: Odoo held exactly that"));
    } else {
        let sign = if difference > Decimal::ZERO { "+" } else { "" };
        prepared.note = Some(format!("{how}; counted {counted}: {sign}{difference}"));
    }
}

/// The transfer of a recount, by the ids that its count was compared with, because a name may have
/// another meaning now.
pub(super) fn again(
    ground: Ground<'_>,
    number: DocumentNumber,
) -> Result<Option<TransferLine>, JournalError> {
    let entry = ground.journal.document(number)?;
    let counted = entry.and_then(|entry| Plan::read(&entry.progress.plan?).ok()?.count);
    Ok(counted.and_then(|counted| {
        Some(TransferLine {
            product: counted.product,
            from: counted.bin,
            to: counted.inventory?,
            lot: counted.of.lot.map_or(LotRef::None, |id| LotRef::Known {
                id,
                name: String::new(),
            }),
            package: counted.of.package,
            into: None,
            owner: counted.of.owner,
            quantity: counted.quantity?.parse().ok()?,
        })
    }))
}

#[cfg(test)]
mod tests;
