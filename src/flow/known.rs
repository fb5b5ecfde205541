//! What the flows ask the catalog.

use super::hear::Floor;
use super::looks::{Look, Shapes};
use super::state::{Coded, Tracking};
use crate::catalog::known::InCatalog;
use crate::catalog::{Catalog, Found};
use crate::decode::meaning::Known as _;

impl Floor for InCatalog<'_> {
    fn tracking(&self, code: &str) -> Tracking {
        match self.copy.product(code) {
            Ok(Found::One(product)) if product.serial => Tracking::Serial,
            Ok(Found::One(product)) if product.tracked => Tracking::Lot,
            Ok(Found::One(_)) => Tracking::No,
            _ => Tracking::Unknown,
        }
    }

    fn has_lot_of(&self, product: &str, name: &str) -> bool {
        let last = Some(product);
        InCatalog { last, ..*self }.has_lot(name)
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        let id = |code| match self.copy.product(code) {
            Ok(Found::One(product)) => Some(product.id),
            _ => None,
        };
        one == other || id(one).is_some_and(|one| id(other) == Some(one))
    }
}

impl InCatalog<'_> {
    /// What a code of a product stands for.
    #[must_use]
    pub fn coded(&self, code: &str) -> Option<Coded> {
        match self.copy.product(code) {
            Ok(Found::One(product)) => Some(Coded {
                id: product.id,
                factors: product.measure.factors(),
                own_code: self.own_code(product.id),
            }),
            _ => None,
        }
    }

    /// Whether the lots of a product have dates in Odoo. `true` where the product is not known.
    #[must_use]
    pub fn has_dates(&self, code: &str) -> bool {
        !matches!(self.copy.product(code), Ok(Found::One(product)) if !product.has_dates)
    }
}

/// How the site's bins, orders, packages and products are named. What cannot be read has no names.
#[must_use]
pub fn shapes(copy: &Catalog) -> Shapes {
    let [locations, orders, packages, products] = copy.floor_codes().unwrap_or_default();
    Shapes::of([
        (Look::Location, locations),
        (Look::Order, orders),
        (Look::Package, packages),
        (Look::Product, products),
    ])
}
