//! Finds the package and the owner that get the difference of a count.
//!
//! **In**: the counted part of the bin, and the stock that Odoo holds there. **Out**: a package and
//! an owner, or why neither is clear. Pure.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::Wanted;
use crate::odoo::TOLERANCE;
use crate::odoo::stock::Place;
use crate::odoo_id::{PackageId, PartnerId};

impl Wanted {
    /// The package and the owner for the difference. A recount uses the place of its count, unless
    /// that place would have negative stock.
    pub(super) fn place_difference(
        &self,
        stock: &BTreeMap<Place, Decimal>,
        difference: Decimal,
    ) -> Result<(Option<PackageId>, Option<PartnerId>), Unclear> {
        if let Some((package, owner)) = self.position {
            let there = |place: &Place| {
                self.is_of(place) && (place.package, place.owner) == (package, owner)
            };
            let holds: Decimal = (stock.iter())
                .filter(|(place, _)| there(place))
                .map(|(_, quantity)| *quantity)
                .sum();
            if difference >= Decimal::ZERO || holds + difference >= Decimal::ZERO {
                return Ok((package, owner));
            }
        }
        position(self, stock)
    }
}

/// Why the difference has no clear place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unclear {
    Package,
    Owner(BTreeSet<PartnerId>),
}

/// The package and the owner for the difference. If all goods have the same package and owner,
/// these; otherwise no package and no owner.
pub(super) fn position(
    wanted: &Wanted,
    stock: &BTreeMap<Place, Decimal>,
) -> Result<(Option<PackageId>, Option<PartnerId>), Unclear> {
    let there: Vec<(&Place, Decimal)> = (stock.iter())
        .filter(|(place, quantity)| wanted.is_of(place) && quantity.abs() >= TOLERANCE)
        .map(|(place, quantity)| (place, *quantity))
        .collect();
    let owners: BTreeSet<Option<PartnerId>> = there.iter().map(|(place, _)| place.owner).collect();
    let owner = match (wanted.of.owner, owners.len()) {
        (Some(owner), _) => Some(owner),
        (None, 0) => None,
        (None, 1) => owners.first().copied().flatten(),
        (None, _) => return Err(Unclear::Owner(owners.into_iter().flatten().collect())),
    };
    let packages: BTreeSet<Option<PackageId>> =
        there.iter().map(|(place, _)| place.package).collect();
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
