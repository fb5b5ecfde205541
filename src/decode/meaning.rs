//! What a code means: a product with its lot, a bin, an order, a command. Pure.
//!
//! Comes in: a [`Scan`](super::profile::Scan), the profile's own words, Odoo's nomenclature, and what the copy of Odoo's data [`Known`]s.
//! Goes out: one [`Meaning`], or an [`Unclear`] that names both readings. It never guesses between two.
//!
//! The order in which these are asked is in `docs/scanner-profiles.md`.

mod command;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Serialize;

pub use command::{CommandCode, FlowName};

/// What a code means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Meaning {
    Command {
        command: CommandCode,
    },
    Product(Item),
    Location {
        code: String,
    },
    /// A package or pallet, and what its label says is in it.
    Package {
        code: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<Box<Item>>,
    },
    Order {
        name: String,
    },
    /// A lot or serial number alone, as the second code of a label.
    Lot {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        expiry: Option<Date>,
    },
    Operator {
        badge: String,
    },
    Quantity {
        quantity: Decimal,
    },
    /// Nobody knows it.
    Unknown {
        text: String,
    },
}

/// A product, and what its code says besides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Item {
    /// As the copy of Odoo's data has it; where that has it not, as the code has it.
    pub code: String,
    /// Its item number in 14 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gtin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Date>,
    /// How many, in what the code stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_kg: Option<Decimal>,
    /// How many of the product's own unit one of this packaging is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<Decimal>,
    /// Whether the copy of Odoo's data has it.
    pub known: bool,
}

/// A product of the copy of Odoo's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownProduct {
    pub id: i64,
    pub name: String,
    /// How many of its own unit one scan of the code stands for: more than one for a packaging.
    pub units: Decimal,
}

/// What the copy of Odoo's data has under exactly this code; names are for people. Two of a kind are two readings.
pub trait Known {
    fn products(&self, code: &str) -> Vec<KnownProduct>;
    fn locations(&self, code: &str) -> Vec<String>;
    fn packages(&self, code: &str) -> Vec<String>;
    fn orders(&self, code: &str) -> Vec<String>;
    /// Whether any product has such a lot or serial number; which one the flow knows.
    fn has_lot(&self, code: &str) -> bool;
}

/// Where there is no copy: nothing is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingKnown;

impl Known for NothingKnown {
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
