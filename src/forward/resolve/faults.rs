//! All that is wrong with the codes of a document, so that a person puts it right at once.

use super::names::{self, Names};
use super::transfer::quantity;
use super::{Ground, Resolved};
use crate::document::{Document, Line, Purpose, Reason};
use crate::forward::refresh::Trouble;
use crate::outcome::code;

/// Faults that are told; a document has at most a few thousand lines.
const TOLD_MAX: usize = 100;

/// The reason for which a document is parked, and behind it the faults of its other lines.
pub(super) fn with_others(
    ground: Ground<'_>,
    names: &Names,
    document: &Document,
    first: Reason,
) -> Result<Reason, Trouble> {
    let mut others: Vec<(usize, Reason)> = Vec::new();
    for (at, line) in document.lines.iter().enumerate() {
        for reason in of_line(ground, names, &document.purpose, line)? {
            let is_known = reason.message == first.message
                || others
                    .iter()
                    .any(|(_, other)| other.message == reason.message);
            if !is_known {
                others.push((at + 1, reason));
            }
        }
    }
    Ok(Reason {
        message: told(&first.message, &others),
        ..first
    })
}

fn told(first: &str, others: &[(usize, Reason)]) -> String {
    // What to do stands behind the first one, where it is the same.
    let same = names::REMEDIES
        .iter()
        .find(|remedy| first.ends_with(*remedy));
    let short = |message: &str| {
        let what = same.and_then(|remedy| message.strip_suffix(remedy)?.strip_suffix(": "));
        what.unwrap_or(message).to_owned()
    };
    let mut parts = vec![first.to_owned()];
    let told = others.iter().take(TOLD_MAX);
    parts.extend(told.map(|(at, reason)| format!("also line {at}: {}", short(&reason.message))));
    if let more @ 1.. = others.len().saturating_sub(TOLD_MAX) {
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
            // What comes in may have a new lot, and what is counted, too.
            let is_known = matches!(
                purpose,
                Purpose::Transfer | Purpose::Pick { .. } | Purpose::Scrap { .. }
            );
            faults.extend(lot.filter(|reason| is_known || reason.code == code::LOT_REQUIRED));
            faults.extend(fault(quantity(line, &product)));
        }
        Err(reason) => faults.push(reason),
    }
    for scanned in [&line.from, &line.to].into_iter().flatten() {
        let found = ground.copy.location(scanned)?;
        faults.extend(fault(names::location(scanned, found)));
    }
    faults.extend(fault(names::package(names, line)));
    faults.extend(fault(names::owner(names, line)));
    Ok(faults)
}

fn fault<T>(resolved: Resolved<T>) -> Option<Reason> {
    resolved.err()
}

#[cfg(test)]
mod tests {
    use super::super::reason;
    use super::*;

    #[test]
    fn each_fault_is_told_once_with_its_line_and_the_remedy_once() {
        let remedy = names::REMEDIES[0];
        let unknown = |code: &str| {
            let message = format!("no product in Odoo has the barcode {code}: {remedy}");
            reason(code::UNKNOWN_PRODUCT, message)
        };
        let first = unknown("A").message;
        assert_eq!(told(&first, &[]), first);
        assert_eq!(
            told(&first, &[(2, unknown("B")), (7, unknown("C"))]),
            format!(
                "{first}; also line 2: no product in Odoo has the barcode B; also line 7: no product in Odoo has the barcode C"
            )
        );
        let many: Vec<_> = (2..203).map(|at| (at, unknown(&at.to_string()))).collect();
        let message = told(&first, &many);
        assert_eq!(message.matches("also line").count(), TOLD_MAX);
        assert!(message.ends_with("; and 101 more"), "{message}");
    }
}
