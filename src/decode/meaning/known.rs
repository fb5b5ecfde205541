//! The questions that the search for a meaning asks the copy of Odoo's data.

use rust_decimal::Decimal;

use crate::decode::gs1::Unit;
use crate::odoo_id::{ProductId, UnitId};

/// A product of the copy of Odoo's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownProduct {
    pub id: ProductId,
    pub name: String,
    /// Quantity of one scan in the product's own unit: more than one for a packaging.
    pub units: Decimal,
    /// The id of the product's own unit. `None`: the unit is unknown.
    pub unit: Option<UnitId>,
}

/// The unit of a measure: a unit of Odoo by its id, or a unit that a label names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitOf {
    Id(UnitId),
    Gs1(Unit),
}

/// The result of converting a measure into another unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Is(Decimal),
    /// Odoo would round the quantity.
    Unfit,
    /// The units have no common reference.
    Foreign,
    /// One of the two units is unknown in Odoo.
    Unknown,
}

/// Looks up a code in the copy of Odoo's data. The returned names are for people. Two results of a
/// kind are two meanings.
pub trait Known {
    fn products(&self, code: &str) -> Vec<KnownProduct>;
    fn locations(&self, code: &str) -> Vec<String>;
    fn packages(&self, code: &str) -> Vec<String>;
    fn orders(&self, code: &str) -> Vec<String>;
    /// Whether the product that was scanned last has this lot or serial number. `false` without
    /// such a product: a lot of Odoo belongs to a product, and a flow expects it after the product.
    fn has_lot(&self, code: &str) -> bool;
    /// Converts a measure into a unit of Odoo.
    fn convert(&self, value: Decimal, unit: UnitOf, into: UnitId) -> Fit {
        match unit {
            UnitOf::Id(id) if id == into => Fit::Is(value),
            UnitOf::Id(_) => Fit::Foreign,
            UnitOf::Gs1(_) => Fit::Unknown,
        }
    }
    /// The name of the product that was scanned last, if its unit has no common reference with
    /// Units, so that a number of pieces cannot be its quantity.
    fn last_without_pieces(&self) -> Option<String> {
        None
    }
    /// Finds a code of this product that stands for one unit of it.
    fn own_code(&self, _product: ProductId) -> Option<String> {
        None
    }
}

/// A copy of Odoo's data that has nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmptyCatalog;

impl Known for EmptyCatalog {
    fn products(&self, _: &str) -> Vec<KnownProduct> {
        Vec::new()
    }
    fn locations(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn packages(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn orders(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn has_lot(&self, _: &str) -> bool {
        false
    }
}
