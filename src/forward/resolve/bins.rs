//! The stock of bins, and what a transfer takes out of each bin.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::Asked;
use crate::odoo::stock::Place;
use crate::odoo::{LotRef, Transfer, TransferLine};
use crate::odoo_id::LotId;

/// The most bins that one message names.
pub(super) const SAID_MAX: usize = 3;

/// What Odoo holds, less what the documents to be sent take out, plus what they bring in.
pub(super) type Stock = BTreeMap<Place, Decimal>;

/// The scanned source bin of the line.
pub(super) fn bin_of(asked: Asked<'_>, line: usize) -> &str {
    let line = asked.document.lines.get(line);
    let from = line.and_then(|line| match asked.undoing {
        Some(_) => line.goods.to.as_deref().or(line.goods.from.as_deref()),
        None => line.goods.from.as_deref(),
    });
    from.unwrap_or("?")
}

/// The place that the line takes its goods from.
pub(super) fn source(line: &TransferLine) -> Place {
    Place {
        product: line.product,
        bin: line.from,
        lot: lot(line),
        package: line.package,
        owner: line.owner,
    }
}

/// The quantity that the transfer takes from each place, less what it brings to that place itself,
/// and the first line that takes from the place.
pub(super) fn taken(transfer: &Transfer) -> BTreeMap<Place, (Option<usize>, Decimal)> {
    let mut taken = BTreeMap::<Place, (Option<usize>, Decimal)>::new();
    for (place, line) in transfer.lines.iter().enumerate() {
        let from = source(line);
        let to = Place {
            bin: line.to,
            package: line.into,
            ..from
        };
        let out = taken.entry(from).or_default();
        out.0.get_or_insert(place);
        out.1 += line.quantity;
        taken.entry(to).or_default().1 -= line.quantity;
    }
    taken
}

pub(super) fn lot(line: &TransferLine) -> Option<LotId> {
    match line.lot {
        LotRef::Known { id, .. } => Some(id),
        _ => None,
    }
}
