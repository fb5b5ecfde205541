//! The stored form of a document's plan, as JSON. `forward::resolve::plan` converts its plan to
//! this form and back.
//!
//! JSON with named fields, because most plans have few of them: an empty field is not written, and
//! a field that an older version did not write takes its default. Quantities are texts, so that
//! they keep their digits; ids are Odoo's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BadRecord, bad};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlanV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<CountedV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Option<i64>>,
    /// The packages of each line: the source package and the destination package. `None`: as
    /// scanned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<Option<[Option<i64>; 2]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<ReturnedV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<MovesV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<FixedOrderV1>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedV1 {
    pub product: i64,
    pub bin: i64,
    pub package: Option<i64>,
    pub owner: Option<i64>,
    pub difference: String,
    #[serde(default)]
    pub of: CountedOfV1,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CountedOfV1 {
    pub lot: Option<i64>,
    pub package: Option<i64>,
    pub owner: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderV1 {
    pub picking_type: i64,
    pub from: i64,
    pub to: i64,
    pub return_of: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnedV1 {
    pub product: i64,
    pub origin_move: i64,
    pub sale_line: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase_line: Option<i64>,
}

/// Product, from, to, lot, package, package into, owner: 0 where Odoo decides the id, -1 where
/// there is none. Then the quantity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovesV1(pub [i64; 7], pub String);

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FixedOrderV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picking: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pack: Vec<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picked: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<BTreeMap<i64, String>>,
}

#[must_use]
pub fn plan_in(plan: &PlanV1) -> String {
    // The plan holds strings and numbers alone: serialising them cannot fail.
    serde_json::to_string(plan).unwrap_or_default()
}

pub fn plan_out(text: &str) -> Result<PlanV1, BadRecord> {
    serde_json::from_str(text).map_err(|error| bad("plan", error))
}
