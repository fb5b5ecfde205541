//! The only module that knows Odoo: its APIs, models, fields and traps. `docs/odoo.md` has what was
//! measured.
//!
//! - `client`: one call is one HTTP request and, in Odoo, one transaction; with the key, limits and
//!   one connection. Below it: `records` (read pages, create one record) and `older` (Odoo 17 and
//!   18).
//! - `wire`: JSON-2, or `/jsonrpc`. Pure.
//! - `dialect`: translates calls and answers for Odoo 17 and 18. Pure.
//! - `answer`: what an HTTP answer means: a value, or wait, person, stop, forbidden. Pure.
//! - `transfer`: the steps that post a transfer: load (create if absent), read, validate, true
//!   time.
//! - `order`: what is done to an order that Odoo has: read all of it, add lines, validate.
//! - `warehouse`: the warehouse and its operation types.
//! - `master`: products, locations, lots and packages, as Odoo has them.
//! - `floor`: what the floor needs besides: stock, open orders; and when the key expires.
//! - `barcodes`: the company's barcode nomenclature.
//! - `serial`: where serial numbers are.
//! - `state`: states and directions as enums of Odoo's words. Pure.
//! - `values`: reads and writes single values in Odoo's form. Pure.
//! - `loaded`: what `load` answers. Pure.
//! - `key`: the API key, from its file or from the systemd credential.
//! - `rights`: whether the key's user may do all that.

mod answer;
mod barcodes;
mod client;
mod dialect;
mod floor;
pub mod key;
mod loaded;
mod lots;
mod master;
pub mod order;
mod rights;
pub mod serial;
mod state;
pub mod stock;
mod transfer;
mod values;
mod warehouse;
mod wire;

pub use barcodes::{Nomenclature, Rule};
pub use client::Client;
pub use client::records::{NAMES_MAX, PAGE_ROWS};
pub use floor::{ApiKey, ORDERS_MAX, Order, OrderLine, QUANTS_MAX, Which};
pub use loaded::LOADS_AGAIN;
pub use lots::{BestBefore, ExpiryRule, LotDates, LotRef, NewLot};
pub use master::{Kind, Lot, Row, Version};
use rust_decimal::Decimal;
pub use state::{Direction, MoveState, PickingState};
pub use transfer::{Picking, PickingLine, Returned, Transfer, TransferLine};
pub use warehouse::{Header, Lots, OperationType, Warehouse};

/// Odoo computes with floating point; it rounds quantities to two digits unless told otherwise, to
/// six at the most.
pub const TOLERANCE: Decimal = Decimal::from_parts(1, 0, 0, false, 6);
