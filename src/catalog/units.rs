//! Odoo's units of measure: the unit that a label means, and which units have a common reference.
//!
//! Odoo 19 converts any unit into any other by their factors, a kilogram into 1,000 Units
//! (`uom.uom._compute_quantity`). The gateway converts only units with a common reference
//! (`uom.uom._has_common_reference`); in Odoo 17 and 18, units of one category.

use rust_decimal::Decimal;

use super::codes::CodeOf;
use super::{Catalog, CatalogError, Found, Measure};
use crate::decode::gs1::Unit;
use crate::decode::meaning::{Fit, UnitOf};
use crate::odoo::{Kind, Row};
use crate::odoo_id::{ProductId, UnitId};

/// The module of the units that Odoo installs.
const MODULE: &str = "uom.";
const PIECE: &str = "uom.product_uom_unit";

/// Odoo's units in which the gateway can state a label's unit: each with its name in the module
/// `uom`, and how many of it equal one label unit. Some had other names before Odoo 19, and some
/// may be archived.
fn stated(unit: Unit) -> &'static [(&'static str, f64)] {
    match unit {
        Unit::Piece => &[("product_uom_unit", 1.0)],
        Unit::Kilogram => &[("product_uom_kgm", 1.0), ("product_uom_gram", 1_000.0)],
        Unit::Pound => &[("product_uom_lb", 1.0), ("product_uom_gram", 453.592_37)],
        // A unit of weight or of volume, as Odoo measures the product.
        Unit::Ounce => &[
            ("product_uom_oz", 1.0),
            ("product_uom_gram", 28.349_523_125),
            ("product_uom_floz", 1.0),
        ],
        Unit::TroyOunce => &[("product_uom_gram", 31.103_476_8)],
        Unit::Metre => &[("product_uom_meter", 1.0), ("product_uom_cm", 100.0)],
        Unit::Inch => &[("product_uom_inch", 1.0), ("product_uom_cm", 2.54)],
        Unit::Foot => &[("product_uom_foot", 1.0), ("product_uom_cm", 30.48)],
        Unit::Yard => &[("product_uom_yard", 1.0), ("product_uom_cm", 91.44)],
        Unit::SquareMetre => &[("product_uom_square_meter", 1.0), ("uom_square_meter", 1.0)],
        Unit::SquareInch => &[
            ("product_uom_square_meter", 0.000_645_16),
            ("uom_square_meter", 0.000_645_16),
        ],
        Unit::SquareFoot => &[
            ("product_uom_square_foot", 1.0),
            ("uom_square_foot", 1.0),
            ("product_uom_square_meter", 0.092_903_04),
        ],
        Unit::SquareYard => &[
            ("product_uom_square_meter", 0.836_127_36),
            ("uom_square_meter", 0.836_127_36),
        ],
        Unit::Litre => &[("product_uom_litre", 1.0)],
        Unit::CubicMetre => &[
            ("product_uom_cubic_meter", 1.0),
            ("product_uom_litre", 1_000.0),
        ],
        Unit::Quart => &[
            ("product_uom_qt", 1.0),
            ("product_uom_litre", 0.946_352_946),
        ],
        Unit::Gallon => &[
            ("product_uom_gal", 1.0),
            ("product_uom_litre", 3.785_411_784),
        ],
        Unit::CubicInch => &[
            ("product_uom_cubic_inch", 1.0),
            ("product_uom_litre", 0.016_387_064),
        ],
        Unit::CubicFoot => &[
            ("product_uom_cubic_foot", 1.0),
            ("product_uom_litre", 28.316_846_592),
        ],
        Unit::CubicYard => &[("product_uom_litre", 764.554_857_984)],
        Unit::KilogramPerSquareMetre => &[],
    }
}

/// Builds the measure that converts `times` of a unit into another unit. `None`: the units have no
/// common reference.
pub(super) fn measure(unit: &Row, own: &Row, times: f64) -> Option<Measure> {
    if unit.reference != own.reference {
        return None;
    }
    Measure::of(unit.factor? * times, own.factor?)
}

impl Catalog {
    /// Converts a measured value into one of Odoo's units, as Odoo does.
    pub fn convert(&self, value: Decimal, unit: UnitOf, into: UnitId) -> Result<Fit, CatalogError> {
        let Some(own) = self.row(Kind::Unit, into.get())? else {
            return Ok(Fit::Unknown);
        };
        let units = match unit {
            UnitOf::Id(id) => match self.row(Kind::Unit, id.get())? {
                Some(row) => vec![(row, 1.0)],
                None => return Ok(Fit::Unknown),
            },
            UnitOf::Gs1(unit) => self.units_of(unit)?,
        };
        let is_there = !units.is_empty();
        for (unit, times) in units {
            if let Some(measure) = measure(&unit, &own, times) {
                let measure = measure.with_precision(self.precision(into)?);
                let converted = measure.convert(value);
                return Ok(converted.map_or(Fit::Unfit, Fit::Is));
            }
        }
        // A custom unit without a relation to Odoo's units may be another name for the kilogram.
        let names = self.names_beside(&own)?;
        let is_pieces = names.iter().any(|name| name == PIECE);
        let is_told = is_pieces || is_there && !names.is_empty();
        Ok(if is_told { Fit::Foreign } else { Fit::Unknown })
    }

    /// The names of Odoo's own units that have a common reference with this unit.
    fn names_beside(&self, own: &Row) -> Result<Vec<String>, CatalogError> {
        let mut names = Vec::new();
        self.each(Kind::Unit, |row| {
            let name = row.external.filter(|name| name.starts_with(MODULE));
            names.extend(name.filter(|_| row.reference == own.reference));
        })?;
        Ok(names)
    }

    /// The external id of a unit in the catalog. `None`: the gateway has not read it yet.
    pub fn unit_name(&self, unit: UnitId) -> Result<Option<String>, CatalogError> {
        Ok(self
            .row(Kind::Unit, unit.get())?
            .and_then(|row| row.external))
    }

    /// The units in this Odoo that can state a label's unit.
    fn units_of(&self, unit: Unit) -> Result<Vec<(Row, f64)>, CatalogError> {
        let mut found = Vec::new();
        self.each(Kind::Unit, |row| {
            let name = row.external.as_deref();
            let name = name.and_then(|name| name.strip_prefix(MODULE));
            let place = stated(unit).iter().position(|(own, _)| Some(*own) == name);
            found.extend(place.map(|place| (place, row)));
        })?;
        found.sort_by_key(|(place, _)| *place);
        let found = found.into_iter();
        Ok(found
            .map(|(place, row)| (row, stated(unit)[place].1))
            .collect())
    }

    /// The product and the unit of a packaging whose unit cannot be converted into the product's
    /// unit.
    pub fn foreign_packaging(&self, code: &str) -> Result<Option<(String, String)>, CatalogError> {
        for packaging in self.rows(Kind::Packaging, CodeOf::Packaging, code)? {
            let product = self.row(
                Kind::Product,
                packaging.product_id.unwrap_or_default().get(),
            )?;
            let Some(product) = product else { continue };
            if self.contained(&product, &packaging)?.is_none() {
                let unit = packaging.uom_id.unwrap_or_default();
                let called = self
                    .called(Kind::Unit, unit.get())?
                    .map(|called| called.name);
                let unit = called.filter(|name| !name.is_empty());
                let named =
                    unit.unwrap_or_else(|| format!("id {}", packaging.uom_id.unwrap_or_default()));
                return Ok(Some((product.display_name.unwrap_or_default(), named)));
            }
        }
        Ok(None)
    }

    /// A code that means one of the product's own unit.
    pub fn own_code(&self, product: ProductId) -> Result<Option<String>, CatalogError> {
        let Some(row) = self.row(Kind::Product, product.get())? else {
            return Ok(None);
        };
        for code in [row.barcode, row.default_code].into_iter().flatten() {
            if let Found::One(found) = self.product(&code)?
                && found.id == product
                && found.measure.factors() == Measure::OWN.factors()
            {
                return Ok(Some(code));
            }
        }
        Ok(None)
    }
}
