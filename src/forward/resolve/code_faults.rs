//! Collects all faults of the codes of a document, so that a person can correct them together.

use super::line_values::quantity;
use super::lookup::{self, Names};
use super::transfer_work;
use super::{Ground, Prepared, Resolved};
use crate::catalog::refresh::Trouble;
use crate::document::{Document, Line, Purpose, Reason};
use crate::forward::faults::{self, Fault};
use crate::reason::ReasonCode;

/// Adds the faults of the other lines to the reason that parks a document.
pub(super) fn with_others(
    ground: Ground<'_>,
    names: &Names,
    document: &Document,
    first: Reason,
) -> Result<Reason, Trouble> {
    let mut others = Vec::new();
    for (at, line) in document.lines.iter().enumerate() {
        let found = of_line(ground, names, &document.purpose, line)?.into_iter();
        others.extend(found.map(|reason| Fault { line: at, reason }));
    }
    if let Some(at) = others.iter().position(|fault| fault.reason.says(&first)) {
        others.remove(at);
    }
    Ok(faults::extend(first, others))
}

/// Parks a document for faults of its lines, or adds the faults to the reason that already parks
/// it.
pub(super) fn add(slot: &mut Resolved<Prepared>, found: Vec<Fault>) {
    match slot {
        Ok(_) => {
            if let Some(reason) = faults::join(found) {
                *slot = Err(reason);
            }
        }
        Err(reason) => *reason = faults::extend(reason.clone(), found),
    }
}

/// The faults of one line by itself.
fn of_line(
    ground: Ground<'_>,
    names: &Names,
    purpose: &Purpose,
    line: &Line,
) -> Result<Vec<Reason>, Trouble> {
    let mut faults = Vec::new();
    match lookup::product(ground.copy, &line.goods.product)? {
        Ok(product) => {
            let lot = lookup::lot(names, line, &product).err();
            // The lot of received goods may be new.
            let may_be_new = matches!(purpose, Purpose::Receive { .. });
            faults
                .extend(lot.filter(|reason| !may_be_new || reason.code == ReasonCode::LotRequired));
            faults.extend(quantity(purpose, line, &product).err());
        }
        Err(reason) => faults.push(reason),
    }
    for scanned in [&line.goods.from, &line.goods.to].into_iter().flatten() {
        let found = ground.copy.location(scanned)?;
        faults.extend(lookup::location(scanned, found).err());
    }
    if !purpose.is_about_order() {
        faults.extend(transfer_work::missing_bins(purpose, line));
    }
    faults.extend(lookup::package(names, line).err());
    faults.extend(lookup::owner(names, line).err());
    Ok(faults)
}
