//! The scan times of the gateway's own move lines, and of lines by other users that stand for a
//! document. Odoo dates a line when its picking is validated, or at the newest event of its
//! document; the journal has the time of each event.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::unread;
use crate::book::Id;
use crate::catalog::refresh::Trouble;
use crate::document::{DocumentKey, Purpose};
use crate::forward::claims::claimants;
use crate::forward::resolve::Ground;
use crate::forward::resolve::plan::{Moves, moves};
use crate::forward::times::{self, parts};
use crate::journal::{Entry, Journal, JournalError};
use crate::odoo::Client;
use crate::odoo::order::odoo_time;
use crate::odoo::stock::Moved;
use crate::odoo_id::{MoveLineId, PickingId};

/// A line in Odoo, and the times at which its goods moved.
#[derive(Debug, Clone)]
pub(super) struct Dated {
    pub line: Moved,
    /// Empty: another user moved the goods, and Odoo's date applies.
    parts: Vec<(Timestamp, Decimal)>,
}

impl Dated {
    /// The quantity that moved after this time. Odoo's times have whole seconds: what moved in the
    /// same second moved before.
    pub fn after(&self, time: Timestamp) -> Decimal {
        if self.parts.is_empty() {
            let is_after = self.line.date > odoo_time(time);
            return if is_after {
                self.line.quantity
            } else {
                Decimal::ZERO
            };
        }
        let after = self.parts.iter().filter(|(at, _)| *at > time);
        after.map(|(_, quantity)| *quantity).sum()
    }

    /// Whether the gateway moved the whole quantity at this time.
    pub fn is_of(&self, time: Timestamp) -> bool {
        self.is_ours() && self.parts.iter().all(|(at, _)| *at == time)
    }

    /// Whether the gateway created the line.
    pub fn is_ours(&self) -> bool {
        !self.parts.is_empty()
    }

    #[cfg(test)]
    pub fn of(line: Moved, parts: Vec<(Timestamp, Decimal)>) -> Self {
        Self { line, parts }
    }
}

/// Gives the gateway's lines their true times. Lines in own pickings and lines on orders have the
/// key of their document in their external ids. A key that this journal does not have belongs to
/// another gateway, and Odoo's date applies.
pub(super) async fn date(
    odoo: &mut Client,
    ground: Ground<'_>,
    moved: Vec<Moved>,
) -> Result<Vec<Dated>, Trouble> {
    let mut keys = keys(odoo, &moved).await?;
    // What a user posted by hand was scanned and moved at the time of the scan.
    keys.extend(claimants(ground.journal).map_err(unread)?);
    let mut of_document: BTreeMap<DocumentKey, Vec<usize>> = BTreeMap::new();
    for (place, line) in moved.iter().enumerate() {
        if let Some(key) = keys.get(&line.id) {
            of_document.entry(*key).or_default().push(place);
        }
    }
    let mut dated: Vec<Dated> = (moved.into_iter())
        .map(|line| Dated {
            line,
            parts: Vec::new(),
        })
        .collect();
    for (key, places) in of_document {
        let Some(entry) = ground.journal.document_by_key(key).map_err(unread)? else {
            continue;
        };
        let mut pool = Pool::of(ground.journal, &entry).map_err(unread)?;
        // First the lines that only one line of the document can match.
        for is_exact in [true, false] {
            for place in &places {
                let Dated { line, parts } = &mut dated[*place];
                if parts.is_empty() {
                    pool.take(line, is_exact, parts);
                }
            }
        }
    }
    Ok(dated)
}

/// The document that created each line, by the line's id.
async fn keys(
    odoo: &mut Client,
    moved: &[Moved],
) -> Result<BTreeMap<MoveLineId, DocumentKey>, Trouble> {
    let pickings: BTreeSet<PickingId> = moved.iter().filter_map(|line| line.picking).collect();
    let of_pickings = odoo.our_pickings(&pickings).await?;
    let of_picking = |line: &Moved| of_pickings.get(&line.picking?).copied();
    let rest: Vec<MoveLineId> = (moved.iter())
        .filter(|line| of_picking(line).is_none())
        .map(|line| line.id)
        .collect();
    let mut keys = odoo.ours(&rest).await?;
    let whole = moved
        .iter()
        .filter_map(|line| Some((line.id, of_picking(line)?)));
    keys.extend(whole);
    Ok(keys)
}

/// The movements of a document for which no line in Odoo was found yet.
struct Pool {
    lines: Vec<PoolLine>,
    /// The time of the document, for quantities that its events do not have.
    time: Timestamp,
}

struct PoolLine {
    moves: Moves,
    /// In the order in which they are taken, in the product's own unit.
    left: Vec<(Timestamp, Decimal)>,
}

impl Pool {
    fn of(journal: &Journal, entry: &Entry) -> Result<Self, JournalError> {
        let document = &entry.document;
        let time = match document.purpose {
            Purpose::Recount { count } => match journal.document(count)? {
                Some(counted) => times::of_one(journal, &counted.document)?.time,
                None => document.occurred,
            },
            _ => times::of_one(journal, document)?.time,
        };
        let mut pool = Self {
            lines: Vec::new(),
            time,
        };
        let moves = entry
            .progress
            .plan
            .as_deref()
            .map(moves)
            .unwrap_or_default();
        let is_of_one = matches!(
            document.purpose,
            Purpose::Count | Purpose::Recount { .. } | Purpose::Undo { .. }
        );
        if is_of_one || moves.len() != document.lines.len() {
            return Ok(pool);
        }
        for (line, moves) in document.lines.iter().zip(moves) {
            let mut parts = parts(journal, document, line)?;
            // If an order is not done, undone goods were removed from the order: they come last.
            parts.sort_by_key(|part| (entry.progress.undone.contains(&part.seq), part.done.time));
            let unit = |quantity: Decimal| {
                if line.goods.quantity.is_zero() {
                    return Decimal::ZERO;
                }
                quantity * moves.quantity / line.goods.quantity
            };
            pool.lines.push(PoolLine {
                moves,
                left: (parts.iter())
                    .map(|part| (part.done.time, unit(part.quantity)))
                    .collect(),
            });
        }
        Ok(pool)
    }

    /// Takes the times of a line in Odoo out of the pool: first from document lines that name its
    /// bin. Then, if the pool names the line's bin or `is_exact` is off, from document lines that
    /// leave the bin to Odoo.
    fn take(&mut self, line: &Moved, is_exact: bool, parts: &mut Vec<(Timestamp, Decimal)>) {
        let mut left = line.quantity;
        for has_bin in [true, false] {
            let fits =
                |of: &&mut PoolLine| of.moves.is(line) && (of.moves.from != Id::Unknown) == has_bin;
            for of in self.lines.iter_mut().filter(fits) {
                for (time, quantity) in &mut of.left {
                    let part = left.min(*quantity);
                    if part > Decimal::ZERO {
                        parts.push((*time, part));
                        *quantity -= part;
                        left -= part;
                    }
                }
            }
            if is_exact && parts.is_empty() {
                return;
            }
        }
        // Odoo rounds to the unit, and a user may have changed the line.
        if left > Decimal::ZERO || parts.is_empty() {
            parts.push((self.time, left));
        }
    }
}

impl Moves {
    /// Whether the line in Odoo is the movement of this line of the document.
    fn is(&self, line: &Moved) -> bool {
        self.product == line.product
            && self.from.is(Some(line.from))
            && self.to.is(Some(line.to))
            && self.lot.is(line.lot)
            && self.package.is(line.package)
            && self.into.is(line.into)
            && self.owner.is(line.owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::resolve::count::tests::{BIN, ELSEWHERE, moved};
    use crate::odoo_id::{LocationId, ProductId};

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    /// A bin, and the seconds and quantities that were taken from it.
    type Taken<'a> = (Id<LocationId>, &'a [(i64, i64)]);

    fn pool(lines: &[Taken<'_>]) -> Pool {
        let line = |(from, parts): &Taken<'_>| PoolLine {
            moves: Moves {
                product: ProductId::new(1),
                from: *from,
                to: Id::Unknown,
                lot: Id::None,
                package: Id::Unknown,
                into: Id::Unknown,
                owner: Id::Unknown,
                quantity: parts.iter().map(|(_, n)| Decimal::from(*n)).sum(),
            },
            left: (parts.iter())
                .map(|(second, n)| (time(*second), Decimal::from(*n)))
                .collect(),
        };
        Pool {
            lines: lines.iter().map(line).collect(),
            time: time(100),
        }
    }

    fn take(pool: &mut Pool, from: LocationId, quantity: i64) -> Vec<(i64, i64)> {
        let line = moved("09:00:00", from, ELSEWHERE, quantity);
        let mut parts = Vec::new();
        for is_exact in [true, false] {
            if parts.is_empty() {
                pool.take(&line, is_exact, &mut parts);
            }
        }
        let number = |decimal: Decimal| i64::try_from(decimal).unwrap();
        (parts.into_iter())
            .map(|(at, n)| ((at.as_second() - time(0).as_second()), number(n)))
            .collect()
    }

    #[test]
    fn a_line_that_sums_events_was_moved_at_the_time_of_each() {
        let mut pool = pool(&[(Id::Known(BIN), &[(1, 3), (60, 4)])]);
        let line = moved("09:00:00", BIN, ELSEWHERE, 7);
        let mut parts = Vec::new();
        pool.take(&line, true, &mut parts);
        let dated = Dated::of(line, parts);
        let after = |second| dated.after(time(second));
        assert_eq!([0, 1, 59, 60].map(after), [7, 4, 4, 0].map(Decimal::from));
    }

    #[test]
    fn what_odoo_split_is_taken_in_the_order_of_the_scans() {
        let mut pool = pool(&[(Id::Unknown, &[(1, 3), (60, 4)])]);
        assert_eq!(take(&mut pool, BIN, 5), [(1, 3), (60, 2)]);
        assert_eq!(take(&mut pool, ELSEWHERE, 2), [(60, 2)]);
        // More than the document has: a user changed it.
        assert_eq!(take(&mut pool, ELSEWHERE, 1), [(100, 1)]);
    }

    #[test]
    fn a_line_with_its_bin_is_found_before_one_without() {
        let mut pool = pool(&[(Id::Unknown, &[(1, 3)]), (Id::Known(BIN), &[(60, 4)])]);
        assert_eq!(take(&mut pool, BIN, 4), [(60, 4)]);
        assert_eq!(take(&mut pool, BIN, 3), [(1, 3)]);
    }

    #[test]
    fn what_somebody_else_moved_in_the_second_of_a_count_was_before_it() {
        let theirs = Dated::of(moved("08:15:30", BIN, ELSEWHERE, 2), Vec::new());
        let at = |text: &str| format!("2026-11-23T08:15:{text}Z").parse().unwrap();
        assert_eq!(theirs.after(at("29.999")), 2.into());
        assert_eq!(theirs.after(at("30")), Decimal::ZERO);
    }
}
