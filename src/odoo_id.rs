//! Odoo's ids, one type for each model, so that a product id cannot be passed for a location id.
//!
//! An id is a number in Odoo's database. JSON, to Odoo and in stored forms, holds the bare number.
//! Code that reads records of any model keeps `i64`.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$note:meta])* $name:ident,)*) => {$(
        $(#[$note])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            #[must_use]
            pub const fn new(id: i64) -> Self {
                Self(id)
            }

            /// The bare number.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, ParseIntError> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}

ids! {
    /// A product variant: `product.product`.
    ProductId,
    /// A location, such as a bin: `stock.location`.
    LocationId,
    /// A lot or serial number: `stock.lot`.
    LotId,
    /// A package: `stock.package`, before Odoo 19 `stock.quant.package`.
    PackageId,
    /// A partner, such as the owner of goods: `res.partner`.
    PartnerId,
    /// A picking, also called an order of the warehouse or a transfer: `stock.picking`.
    PickingId,
    /// A move: how much of a product a picking asks for: `stock.move`.
    MoveId,
    /// A move line: what was reserved or picked for a move: `stock.move.line`.
    MoveLineId,
    /// An operation type: `stock.picking.type`.
    PickingTypeId,
    /// A unit of measure: `uom.uom`.
    UnitId,
    /// A warehouse: `stock.warehouse`.
    WarehouseId,
    /// A company: `res.company`.
    CompanyId,
    /// A user: `res.users`.
    UserId,
    /// A line of a sales order: `sale.order.line`.
    SaleLineId,
    /// A line of a purchase order: `purchase.order.line`.
    PurchaseLineId,
}
