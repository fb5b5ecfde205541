//! The lot and the quantity of one line, in the form that Odoo accepts.

use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::dates::new_lot;
use super::lookup::{self, Names};
use super::{Resolved, reason};
use crate::catalog::{Product, Unfit};
use crate::document::{Line, Purpose, Reason};
use crate::odoo::LotRef;

use crate::reason::ReasonCode;

/// The line's lot. Odoo must have the lot, except on a receipt: there the lot may be new.
pub(super) fn lot(
    names: &Names,
    line: &Line,
    product: &Product,
    may_be_new: bool,
    zone: &TimeZone,
) -> Resolved<LotRef> {
    match lookup::lot(names, line, product) {
        Ok(None) => Ok(LotRef::None),
        Ok(Some(id)) => Ok(LotRef::Known {
            id,
            name: line.goods.lot.clone().unwrap_or_default(),
        }),
        Err(reason) if may_be_new && reason.code == ReasonCode::UnknownLot => {
            Ok(new_lot(line, product, zone, &names.expiry_rules))
        }
        Err(reason) => Err(reason),
    }
}

/// The quantity in the product's own unit, with at most the digits that Odoo stores. The quantity
/// of a serial number is 1.
pub(super) fn quantity(purpose: &Purpose, line: &Line, product: &Product) -> Resolved<Decimal> {
    let (quantity, code) = (line.goods.quantity.normalize(), &line.goods.product);
    let converted = product
        .measure
        .convert(line.goods.quantity)
        .map_err(|unfit| match unfit {
            Unfit::TooLarge => {
                let message = format!("{quantity} of {code:?} is more than Odoo can store: edit the quantity");
                reason(ReasonCode::QuantityPrecision, message)
            }
            Unfit::TooFine { rounded, precision } => {
                let name = &product.name;
                let message = format!(
                    "Odoo rounds {name} to steps of {precision}, and would post {rounded} of its unit for {quantity} of {code:?}: edit the quantity, or change the unit in Odoo and retry"
                );
                reason(ReasonCode::QuantityPrecision, message)
            }
        })?;
    match serial_quantity(purpose, line, product, converted) {
        Some(reason) => Err(reason),
        None => Ok(converted),
    }
}

/// Odoo refuses more than one of a serial number, but only one line at a time and after it created
/// the picking. It even accepts a scrap of two.
fn serial_quantity(
    purpose: &Purpose,
    line: &Line,
    product: &Product,
    quantity: Decimal,
) -> Option<Reason> {
    let serial = line.goods.lot.as_ref().filter(|_| product.serial)?;
    // A serial number that came in twice is another fault: see `serial`.
    let is_incoming = matches!(purpose, Purpose::Receive { .. } | Purpose::Return { .. });
    if quantity <= Decimal::ONE || is_incoming && line.events.len() > 1 {
        return None;
    }
    let message = format!(
        "serial number {serial} of {} can have a quantity of 1 only, and {} were scanned: edit the quantity to 1, or give each piece its own serial number",
        product.name,
        quantity.normalize()
    );
    Some(reason(ReasonCode::SerialQuantity, message))
}
