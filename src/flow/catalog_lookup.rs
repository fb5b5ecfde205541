//! Looks up products and lots in the catalog for the flows, and finds the shapes of the names that
//! the catalog has (`Shapes`).

use super::interpret::LotLookup;
use super::resemblance::{Resemblance, Shapes};
use super::state::{CodedProduct, Tracking};
use crate::catalog::known::InCatalog;
use crate::catalog::{Catalog, Found};
use crate::decode::meaning::Known as _;

impl LotLookup for InCatalog<'_> {
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
    /// Finds the product of a code. `None`: the catalog does not have it, or has several.
    #[must_use]
    pub fn find_coded(&self, code: &str) -> Option<CodedProduct> {
        match self.copy.product(code) {
            Ok(Found::One(product)) => Some(CodedProduct {
                id: product.id,
                factors: product.measure.factors(),
                own_code: self.own_code(product.id),
            }),
            _ => None,
        }
    }

    /// Whether the lots of a product have dates in Odoo. `true` if the product is unknown.
    #[must_use]
    pub fn has_dates(&self, code: &str) -> bool {
        !matches!(self.copy.product(code), Ok(Found::One(product)) if !product.has_dates)
    }
}

/// Reads the shapes of the names of the site's locations, orders, packages and products. Empty if
/// the catalog cannot be read.
#[must_use]
pub fn read_shapes(copy: &Catalog) -> Shapes {
    let [locations, orders, packages, products] = copy.floor_codes().unwrap_or_default();
    Shapes::new([
        (Resemblance::Location, locations),
        (Resemblance::Order, orders),
        (Resemblance::Package, packages),
        (Resemblance::Product, products),
    ])
}
