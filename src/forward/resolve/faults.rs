//! All that is wrong with the codes of a document, so that a person puts it right at once.

use std::collections::BTreeSet;

use super::Ground;
use super::names::{self, Names};
use super::transfer::quantity;
use crate::catalog::refresh::Trouble;
use crate::document::{Document, Line, Purpose, Reason};
use crate::outcome::code;

/// Faults that a message names; a document has at most a few thousand lines.
const NAMED_MAX: usize = 100;

/// The reason for which a document is parked, and behind it the faults of its other lines.
pub(super) fn with_others(
    ground: Ground<'_>,
    names: &Names,
    document: &Document,
    first: Reason,
) -> Result<Reason, Trouble> {
    let mut known = BTreeSet::from([first.message.clone()]);
    let mut others = Vec::new();
    for (at, line) in document.lines.iter().enumerate() {
        for Reason { message, .. } in of_line(ground, names, &document.purpose, line)? {
            if known.insert(message.clone()) {
                others.push((at + 1, message));
            }
        }
    }
    Ok(Reason {
        message: describe(&first.message, &others),
        ..first
    })
}

/// `others`: the number of a line, and its fault.
fn describe(first: &str, others: &[(usize, String)]) -> String {
    // What to do stands behind the first one, where it is the same.
    let same = names::REMEDIES
        .iter()
        .find(|remedy| first.ends_with(*remedy));
    let short = |message: &str| {
        let what = same.and_then(|remedy| message.strip_suffix(remedy)?.strip_suffix(": "));
        what.unwrap_or(message).to_owned()
    };
    let mut parts = vec![first.to_owned()];
    let named = others.iter().take(NAMED_MAX);
    parts.extend(named.map(|(at, message)| format!("also line {at}: {}", short(message))));
    if let more @ 1.. = others.len().saturating_sub(NAMED_MAX) {
        parts.push(format!("and {more} more"));
    }
    parts.join("; ")
}

/// What is wrong with one line by itself.
fn of_line(
    ground: Ground<'_>,
    names: &Names,
    purpose: &Purpose,
    line: &Line,
) -> Result<Vec<Reason>, Trouble> {
    let mut faults = Vec::new();
    match names::product(ground.copy, &line.product)? {
        Ok(product) => {
            let lot = names::lot(names, line, &product).err();
            // The lot of what comes in or is counted may be new.
            let is_known = matches!(
                purpose,
                Purpose::Transfer | Purpose::Pick { .. } | Purpose::Scrap { .. }
            );
            faults.extend(lot.filter(|reason| is_known || reason.code == code::LOT_REQUIRED));
            faults.extend(quantity(line, &product).err());
        }
        Err(reason) => faults.push(reason),
    }
    for scanned in [&line.from, &line.to].into_iter().flatten() {
        let found = ground.copy.location(scanned)?;
        faults.extend(names::location(scanned, found).err());
    }
    faults.extend(names::package(names, line).err());
    faults.extend(names::owner(names, line).err());
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_named_with_its_line_and_the_remedy_once() {
        let remedy = names::REMEDIES[0];
        let unknown = |code: &str| format!("no product in Odoo has the barcode {code}: {remedy}");
        let first = unknown("A");
        assert_eq!(describe(&first, &[]), first);
        assert_eq!(
            describe(&first, &[(2, unknown("B")), (7, unknown("C"))]),
            format!(
                "{first}; also line 2: no product in Odoo has the barcode B; also line 7: no product in Odoo has the barcode C"
            )
        );
        // Another remedy stands with its own fault.
        let twice = format!("B is more than one product: {}", names::REMEDIES[1]);
        assert_eq!(
            describe(&first, &[(2, twice.clone())]),
            format!("{first}; also line 2: {twice}")
        );
        let many: Vec<_> = (2..203).map(|at| (at, unknown(&at.to_string()))).collect();
        let message = describe(&first, &many);
        assert_eq!(message.matches("also line").count(), NAMED_MAX);
        assert!(message.ends_with("; and 101 more"), "{message}");
    }
}
