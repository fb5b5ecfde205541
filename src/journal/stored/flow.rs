//! The stored form of a device's unfinished movement, as JSON. `flow` converts its state to this
//! form and back.
//!
//! JSON with named fields, because the form grows with the flows: a field that an older version did
//! not write takes its default, and a field that this version does not know is skipped.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize};

use super::{BadRecord, bad};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FlowV1 {
    pub flow: Option<String>,
    pub at: Option<String>,
    #[serde(rename = "work")]
    pub unfinished: UnfinishedV1,
    pub trail: Vec<StepV1>,
    #[serde(rename = "done", deserialize_with = "undoable_or_default")]
    pub undoable: UndoableV1,
    pub operator: Option<String>,
    pub asks_quantity: bool,
    #[serde(rename = "doubted")]
    pub unconfirmed: Option<String>,
    #[serde(rename = "noted")]
    pub shown_notes: Vec<String>,
    #[serde(rename = "dropped")]
    pub expired: Option<String>,
    pub seq: u64,
    pub tag: String,
    pub possible_repeat: bool,
    #[serde(rename = "last")]
    pub last_received: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
    #[serde(rename = "made")]
    pub events_created: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UnfinishedV1 {
    pub from: Option<String>,
    pub to: Option<String>,
    pub order: Option<String>,
    pub package: Option<String>,
    pub reason: Option<String>,
    pub items: Vec<ItemV1>,
    pub last: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ItemV1 {
    pub code: String,
    pub name: String,
    pub quantity: Decimal,
    pub lot: Option<String>,
    pub expiry: Option<String>,
    pub best_before: Option<String>,
    #[serde(rename = "of_each")]
    pub piece_dates: DatesV1,
    pub tracking: TrackingV1,
    pub is_new_lot: bool,
    pub package: Option<String>,
    pub lacks_package: bool,
    pub lacks_quantity: bool,
    pub product: Option<ProductV1>,
    pub measures: BTreeMap<String, Decimal>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DatesV1 {
    pub expiry: Option<String>,
    pub best_before: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductV1 {
    pub id: i64,
    /// The factor of the scanned unit, and the factor of the product's own unit.
    pub factors: [Decimal; 2],
    pub own_code: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TrackingV1 {
    #[default]
    #[serde(rename = "unknown")]
    Unknown,
    #[serde(rename = "no")]
    No,
    #[serde(rename = "lot")]
    Lot,
    #[serde(rename = "serial")]
    Serial,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepV1 {
    pub at: Option<String>,
    #[serde(rename = "did")]
    pub changes: Vec<ChangeV1>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeV1 {
    #[serde(rename = "from")]
    From(Option<String>),
    #[serde(rename = "to")]
    To(Option<String>),
    #[serde(rename = "order")]
    Order(Option<String>),
    #[serde(rename = "package")]
    Package(Option<String>),
    #[serde(rename = "reason")]
    Reason(Option<String>),
    #[serde(rename = "added")]
    Added,
    #[serde(rename = "changed")]
    Changed(usize, Box<ItemV1>),
    #[serde(rename = "joined")]
    Joined(usize, Box<ItemV1>),
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum UndoableV1 {
    #[default]
    #[serde(rename = "nothing")]
    Nothing,
    #[serde(rename = "made")]
    Events { ids: Vec<String>, what: String },
    #[serde(rename = "validated")]
    Validated,
}

/// A form of an earlier version becomes [`UndoableV1::Nothing`]: the flow cannot undo it.
fn undoable_or_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UndoableV1, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

#[must_use]
pub fn flow_in(state: &FlowV1) -> Vec<u8> {
    // The state holds texts, numbers and times: serialising them cannot fail.
    serde_json::to_vec(state).unwrap_or_default()
}

pub fn flow_out(bytes: &[u8]) -> Result<FlowV1, BadRecord> {
    serde_json::from_slice(bytes).map_err(|error| bad("flow", error))
}
