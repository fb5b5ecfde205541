//! Converts weights, dimensions and counts on labels into quantities in the product's own unit.
//!
//! **Promise:** a measure is never used as a bare number. If its unit and the product's have a
//! common reference, the converted measure replaces any other quantity: 9.8 kg of a case that holds
//! 10 kg are 9.8 kg. A measure of another kind than the product's unit, such as the weight of a
//! product in Units, is not a quantity. Any other measure that cannot be converted refuses the
//! code.

use rust_decimal::Decimal;

use super::{Fit, Item, Known, KnownProduct, Unclear, UnitOf};
use crate::decode::gs1::Unit;

/// A measure on a label that may be the quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    pub value: Decimal,
    pub unit: UnitOf,
}

impl Measured {
    pub fn gs1(value: Decimal, unit: Unit) -> Self {
        let unit = UnitOf::Gs1(unit);
        Self { value, unit }
    }

    pub fn is_count(&self) -> bool {
        self.unit == UnitOf::Gs1(Unit::Piece)
    }

    /// Describes the measure for people.
    pub fn describe(&self) -> String {
        let value = self.value.normalize();
        match self.unit {
            UnitOf::Gs1(unit) => format!("{value} {}", unit.as_str()),
            UnitOf::Id(_) => value.to_string(),
        }
    }
}

/// Sets the item's quantity from the measures on its label.
pub(super) fn set_quantity(
    item: &mut Item,
    product: &KnownProduct,
    label: &[Measured],
    known: &dyn Known,
) -> Result<(), Unclear> {
    let Some(own) = product.unit else {
        let count = label.iter().find(|measured| measured.is_count());
        item.quantity = item.quantity.or(count.map(|measured| measured.value));
        return Ok(());
    };
    let mut refused = None;
    let mut found: Option<(Decimal, &Measured)> = None;
    for measured in label {
        match known.convert(measured.value, measured.unit, own) {
            Fit::Is(quantity) if quantity > Decimal::ZERO => {
                // A measure in the product's own unit is exact as printed, so it comes first.
                if found.is_none() || quantity == measured.value {
                    found = Some((quantity, measured));
                }
                if quantity == measured.value {
                    break;
                }
            }
            // A number of items is not a quantity of a weighed product.
            Fit::Foreign if !measured.is_count() => {}
            // The product's unit is unknown. The count of (37) applies nevertheless.
            Fit::Unknown if item.quantity.is_some() => {}
            Fit::Unknown if measured.is_count() && product.units == Decimal::ONE => {
                item.quantity = Some(measured.value);
            }
            Fit::Is(_) | Fit::Unfit | Fit::Foreign | Fit::Unknown => {
                refused = refused.or(Some(measured));
            }
        }
    }
    let unfit = |measured: &Measured| Unclear::Measure {
        product: product.name.clone(),
        measure: measured.describe(),
    };
    match (found, refused) {
        (Some((quantity, measured)), _) => {
            let is_set = set_in_own_unit(item, product, quantity, known);
            is_set.ok_or_else(|| unfit(measured))
        }
        (None, Some(measured)) => Err(unfit(measured)),
        (None, None) => Ok(()),
    }
}

/// Sets the item's quantity to `own` of the product's own unit. `None`: no code of the product
/// means its own unit, and no number of the scanned packaging with six decimals is exactly `own`.
fn set_in_own_unit(
    item: &mut Item,
    product: &KnownProduct,
    own: Decimal,
    known: &dyn Known,
) -> Option<()> {
    if product.units == Decimal::ONE {
        item.quantity = Some(own);
    } else if let Some(code) = known.own_code(product.id) {
        item.code = code;
        item.units = None;
        item.quantity = Some(own);
    } else {
        let packagings = own.checked_div(product.units)?.round_dp(6).normalize();
        if packagings.checked_mul(product.units) != Some(own) {
            return None;
        }
        item.quantity = Some(packagings);
    }
    Some(())
}
