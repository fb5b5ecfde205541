//! Picked lines that are not validated. Odoo still holds their goods in the old bin, so a count
//! after the pick, of the old or the new bin, cannot be posted yet. A pick by another user has no
//! known time: it blocks each count.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::Wanted;
use super::own_moves::{Dated, date};
use crate::catalog::refresh::Trouble;
use crate::document::Reason;
use crate::forward::resolve::{Ground, reason};
use crate::odoo::Client;
use crate::odoo::TOLERANCE;
use crate::odoo_id::{LocationId, PickingId, ProductId};
use crate::reason::ReasonCode;

/// The lines that are picked on orders and not validated. Leaves out lines in own pickings: after
/// such a picking is posted, the count is compared again.
pub(super) async fn open_picks(
    odoo: &mut Client,
    ground: Ground<'_>,
    products: &BTreeSet<ProductId>,
    bins: &BTreeSet<LocationId>,
) -> Result<Vec<Dated>, Trouble> {
    let mut open = odoo.picked_and_open(products, bins).await?;
    let pickings = open.iter().filter_map(|line| line.picking).collect();
    let own = odoo.our_pickings(&pickings).await?;
    open.retain(|line| {
        !line
            .picking
            .is_some_and(|picking| own.contains_key(&picking))
    });
    date(odoo, ground, open).await
}

/// Quantities that were picked before the count, and that Odoo still holds in their old place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Undone {
    out: Decimal,
    came: Decimal,
    pub pickings: BTreeSet<PickingId>,
    /// The time of some of the picks is not known.
    undated: bool,
}

impl Undone {
    pub fn reason(&self, product: &str, bin: &str, names: &[String]) -> Reason {
        let part = |quantity: Decimal, how: &str| {
            let said = format!(
                "{} of {product} are picked {how} bin {bin}",
                quantity.normalize()
            );
            (quantity >= TOLERANCE).then_some(said)
        };
        let parts = [part(self.out, "from"), part(self.came, "into")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let remedy = if self.undated {
            "a user picked the goods in Odoo, and the time is not known: validate the picking, discard this count, and count the bin again"
        } else {
            "validate the picking and retry, or discard this count and count the bin again"
        };
        let message = format!(
            "{} for {}, which is not validated: {remedy}",
            parts.join(", and "),
            names.join(", ")
        );
        reason(ReasonCode::OpenPicks, message)
    }
}

impl Wanted {
    pub(super) fn undone(&self, open: &[Dated]) -> Undone {
        let mut undone = Undone::default();
        for dated in open {
            let line = &dated.line;
            let part = match self.ends(line) {
                (true, false) => &mut undone.out,
                (false, true) => &mut undone.came,
                (true, true) | (false, false) => continue,
            };
            // Goods that were picked after the count lay in the bin when it was counted, and Odoo
            // has them there. If another user picked them, the time is unknown.
            let before = if dated.is_ours() {
                line.quantity - dated.after(self.at)
            } else {
                line.quantity
            };
            if before >= TOLERANCE {
                *part += before;
                undone.pickings.extend(line.picking);
                undone.undated |= !dated.is_ours();
            }
        }
        undone
    }
}

#[cfg(test)]
mod tests {
    use crate::forward::resolve::count::tests::{BIN, ELSEWHERE, moved, place, wanted};
    use jiff::Timestamp;

    use super::*;
    use crate::odoo::stock::Moved;
    use crate::odoo_id::LotId;

    #[test]
    fn what_is_picked_and_not_validated_stands_in_the_way() {
        let at = |time: &str| Some(time.parse().unwrap());
        let out = || moved("12:00:00", BIN, ELSEWHERE, 3);
        let dated = |line: Moved, at: Option<Timestamp>| {
            let parts = at.map(|at| (at, line.quantity));
            Dated::of(line, parts.into_iter().collect())
        };
        let undone = |line: Moved, at| wanted(5).undone(&[dated(line, at)]);
        let before = undone(out(), at("2026-11-23T08:15:00Z"));
        assert_eq!((before.out, before.came), (3.into(), 0.into()));
        assert_eq!(before.pickings, BTreeSet::from([PickingId::new(7)]));
        let reason = before.reason("400", "A", &["WH/OUT/1".to_owned()]);
        assert_eq!(reason.code, ReasonCode::OpenPicks);
        assert_eq!(
            reason.message,
            "3 of 400 are picked from bin A for WH/OUT/1, which is not validated: validate the picking and retry, or discard this count \
             and count the bin again"
        );
        let received = undone(moved("12:00:00", ELSEWHERE, BIN, 3), None);
        assert_eq!((received.out, received.came), (0.into(), 3.into()));
        assert!(received.undated);
        // Picked after the count; packed in the same place; of another lot than the counted lot.
        let none = Undone::default();
        assert_eq!(undone(out(), at("2026-11-23T08:15:31Z")), none);
        assert_eq!(undone(moved("12:00:00", BIN, BIN, 3), None), none);
        let of_a_lot = Wanted {
            of: place(Some(2), None, None),
            ..wanted(5)
        };
        let mut other = out();
        other.lot = Some(LotId::new(1));
        assert_eq!(of_a_lot.undone(&[dated(other.clone(), None)]), none);
        other.lot = Some(LotId::new(2));
        assert_eq!(of_a_lot.undone(&[dated(other, None)]).out, 3.into());
    }
}
