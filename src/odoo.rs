//! The only module that talks to Odoo: its APIs, models, fields and traps. `docs/odoo.md` has the
//! measurements.
//!
//! - `client`: one call is one HTTP request and, in Odoo, one transaction. Its parts: `records`
//!   (reads pages, creates one record), `older` (calls to Odoo 17 and 18), `away` (reasons why Odoo
//!   does not answer).
//! - `wire`: JSON-2, or `/jsonrpc`. Pure. `dialect`: translates calls and answers for Odoo 17 and
//!   18. Pure. `answer`: turns an HTTP answer into a value or a failure. Pure.
//! - `transfer`: the steps that post a transfer: load (create if absent), read, validate, true
//!   time. `loaded`: the answer of `load`. Pure.
//! - `order`: reads an order, adds lines, validates.
//! - `master`, `floor`, `barcodes`: products, locations, lots and packages; stock and open orders;
//!   the barcode nomenclature. `warehouse`: the warehouse and its operation types.
//! - `stock`, `lots`, `serial`: what bins hold, dates of lots, where serial numbers are.
//! - `fence`: the record that tells which gateway of a site may post.
//! - `key`, `rights`: the API key, and whether its user has the rights that sending needs.
//! - `state`: states and directions as enums of Odoo's words. Pure.
//! - `values`: single values in Odoo's form. Pure.

mod answer;
mod barcodes;
mod client;
mod dialect;
mod fence;
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
pub use client::records::{NAMES_MAX, PAGE_ROWS};
pub use client::{Client, Meter};
pub use floor::{ApiKey, ORDERS_MAX, Order, OrderLine, QUANTS_MAX, Which};
pub use loaded::LOADS_AGAIN;
pub use lots::{BestBefore, ExpiryRule, LotDates, LotRef, NewLot};
pub use master::{Kind, Lot, Row, Version};
pub use rights::Lack;
use rust_decimal::Decimal;
pub use state::{Direction, MoveState, PickingState};
pub use transfer::{Picking, PickingLine, Returned, Transfer, TransferLine};
pub use warehouse::{Header, Lots, OperationType, Warehouse};

/// Odoo computes with floating point; it rounds quantities to two digits unless told otherwise, to
/// six at most.
pub const TOLERANCE: Decimal = Decimal::from_parts(1, 0, 0, false, 6);
