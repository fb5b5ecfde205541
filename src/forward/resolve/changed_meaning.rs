//! Checks whether a code still means what it meant at the time of the scan, or at the earliest time
//! that the scan may have. If it means something else now, a person decides. A recount uses the ids
//! of its count.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::code_faults::add;
use super::lookup::Names;
use super::{Asked, Ground, Prepared, Resolved, reason};
use crate::catalog::refresh::Trouble;
use crate::catalog::{Coded, Found, Meaning, lot_code};
use crate::document::{Line, LineReason, Purpose, Reason};
use crate::event::CLOCK_MIN;
use crate::forward::faults::Fault;
use crate::forward::times::parts;
use crate::odoo::{Client, Kind, Which};
use crate::outcome::Failure;
use crate::reason::ReasonCode;

/// Parks documents with a code that had another meaning when it was scanned.
pub(super) fn check(
    ground: Ground<'_>,
    names: &Names,
    documents: &[Asked<'_>],
    resolved: &mut [Resolved<Prepared>],
) -> Result<(), Trouble> {
    for (asked, slot) in documents.iter().zip(resolved) {
        // A recount uses the ids of its count.
        let is_recount = matches!(asked.document.purpose, Purpose::Recount { .. });
        if is_recount || asked.allows(ReasonCode::MeaningChanged) {
            continue;
        }
        let mut others = Vec::new();
        for (at, line) in asked.document.lines.iter().enumerate() {
            for changed in changed(ground, names, *asked, line)? {
                match slot {
                    // The reason already names the code that Odoo no longer has.
                    Err(why) if changed.now.is_none() => {
                        let before = changed.before();
                        if !why.message.contains(&before) {
                            why.message = format!("{}; {before}", why.message);
                            let own = why.lines.iter_mut().filter(|of| of.line == Some(at));
                            for LineReason { message, .. } in own {
                                *message = format!("{message}; {before}");
                            }
                        }
                    }
                    _ => others.push(Fault {
                        line: at,
                        reason: changed.reason(),
                    }),
                }
            }
        }
        add(slot, others);
    }
    Ok(())
}

/// A code whose meaning has changed.
struct Changed {
    code: String,
    meant: Meaning,
    now: Option<Meaning>,
}

impl Changed {
    fn before(&self) -> String {
        format!(
            "{:?} was {} when it was scanned",
            self.code, self.meant.name
        )
    }

    fn reason(&self) -> Reason {
        let now = match &self.now {
            Some(now) if now.id == self.meant.id => {
                let units = |of: &Meaning| of.units.clone().unwrap_or_default();
                format!(
                    "holds {} of the product in Odoo now, not {}",
                    units(now),
                    units(&self.meant)
                )
            }
            Some(now) => format!("is {} in Odoo now", now.name),
            None => "has no meaning in Odoo now".to_owned(),
        };
        let message = format!(
            "{}, and {now}: edit the document and enter what was moved, or retry and allow it if Odoo is right",
            self.before()
        );
        reason(ReasonCode::MeaningChanged, message)
    }
}

fn changed(
    ground: Ground<'_>,
    names: &Names,
    asked: Asked<'_>,
    line: &Line,
) -> Result<Vec<Changed>, Trouble> {
    let copy = ground.copy;
    let (mut when, mut found) = (None, Vec::new());
    let locations = [&line.goods.from, &line.goods.to].into_iter().flatten();
    let locations = locations.map(|code| (Coded::Location, code));
    for (coded, scanned) in std::iter::once((Coded::Product, &line.goods.product)).chain(locations)
    {
        let Some(meant) = meant_at(ground, asked, line, coded, scanned, &mut when)? else {
            continue;
        };
        let now = copy.meaning(coded, scanned)?;
        if now.as_ref().is_none_or(|now| !now.is(&meant)) {
            let code = scanned.clone();
            found.push(Changed { code, meant, now });
        }
    }
    if let (Some(lot), Found::One(product)) = (&line.goods.lot, copy.product(&line.goods.product)?)
    {
        let code = lot_code(product.id, lot);
        if let Some(meant) = meant_at(ground, asked, line, Coded::Lot, &code, &mut when)? {
            let known = names.lots.get(&(product.id, lot.clone()));
            let now = known.and_then(|ids| ids.first()).map(|id| id.get());
            if now != Some(meant.id) {
                let now = now.map(|id| Meaning {
                    id,
                    units: None,
                    name: format!("another lot with that name (id {id})"),
                });
                // The lot's name of today identifies it best.
                let called = copy.called(Kind::Lot, meant.id)?;
                let name = called.map_or_else(|| meant.name.clone(), |called| called.name);
                let meant = Meaning {
                    name: format!("the lot whose name is now {name:?} (id {})", meant.id),
                    ..meant
                };
                let code = lot.clone();
                found.push(Changed { code, meant, now });
            }
        }
    }
    Ok(found)
}

/// The meaning of a code when the line was scanned, if the code may have another meaning now. Looks
/// up the time of the scan once, and only if it is needed.
fn meant_at(
    ground: Ground<'_>,
    asked: Asked<'_>,
    line: &Line,
    coded: Coded,
    code: &str,
    when: &mut Option<Timestamp>,
) -> Result<Option<Meaning>, Trouble> {
    // Whether the copy has any older meaning of the code.
    if ground.copy.meant_at(coded, code, Timestamp::MIN)?.is_none() {
        return Ok(None);
    }
    let at = *when.get_or_insert_with(|| scanned_at(ground, asked, line));
    Ok(ground.copy.meant_at(coded, code, at)?)
}

/// The time of the first scan of a line. An undo uses the time of the scan that it reverses.
fn scanned_at(ground: Ground<'_>, asked: Asked<'_>, line: &Line) -> Timestamp {
    let document = asked.document;
    let undone = asked
        .undoing
        .map(|undoing| ground.journal.event(undoing.seq));
    let first = if let Some(Ok(Some(recorded))) = undone {
        recorded.event.given_time()
    } else {
        let parts = parts(ground.journal, document, line).unwrap_or_default();
        let times = parts.iter().map(|part| part.done.bounds().0);
        times.min().unwrap_or(document.occurred)
    };
    if first < CLOCK_MIN {
        document.sealed
    } else {
        first
    }
}

/// Reads lots again that Odoo no longer has under the name in the copy, so that the copy records
/// when the name changed.
pub(super) async fn look_up_lots(
    odoo: &mut Client,
    ground: Ground<'_>,
    names: &Names,
    documents: &[Asked<'_>],
) -> Result<(), Trouble> {
    let mut renamed = BTreeSet::new();
    for line in documents.iter().flat_map(|asked| &asked.document.lines) {
        let (Some(lot), Found::One(product)) =
            (&line.goods.lot, ground.copy.product(&line.goods.product)?)
        else {
            continue;
        };
        if let Found::One(known) = ground.copy.lot(product.id, lot)? {
            let ids = names.lots.get(&(product.id, lot.clone()));
            if ids.is_none_or(|ids| !ids.contains(&known.id)) {
                renamed.insert(known.id.get());
            }
        }
    }
    if renamed.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = renamed.iter().copied().collect();
    let warehouse = ground.warehouse;
    let which = || Which::Ids(&ids);
    let rows = match odoo.floor_rows(Kind::Lot, warehouse, which(), false).await {
        // Without the fields of apps that are not installed.
        Err(Failure::Person { .. }) => odoo.floor_rows(Kind::Lot, warehouse, which(), true).await?,
        rows => rows?,
    };
    ground.copy.take_in(Kind::Lot, &renamed, rows)?;
    Ok(())
}
