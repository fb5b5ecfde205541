//! The answers of the control API about the floor and the daemon itself: open orders, names of
//! codes, and the newest lines of the log.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::DocumentNumber;

/// Open orders of Odoo, in the order of their due times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OrderPage {
    pub orders: Vec<OrderView>,
    /// Continue with `after` = this.
    pub next: u64,
    pub more: bool,
    /// All open orders.
    pub total: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderView {
    pub name: String,
    /// `incoming`, `outgoing` or `internal`.
    pub kind: String,
    /// Odoo's state: `assigned`, `confirmed`, ...
    pub state: String,
    pub partner: Option<String>,
    /// In UTC, as Odoo writes it.
    pub scheduled: Option<String>,
    pub lines: Vec<OrderLineView>,
    /// The gateway does not have all lines of the order.
    #[serde(default)]
    pub cut: bool,
    /// The newest documents of this gateway about the order.
    pub work: Vec<WorkView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderLineView {
    /// The code that people scan for the product. `None`: the product has no code.
    pub product: Option<String>,
    pub name: String,
    pub demand: Value,
    /// The quantity that is picked in Odoo.
    pub picked: Value,
    /// The code or the name of the location.
    pub from: Option<String>,
    pub to: Option<String>,
}

/// Work on an order: a document of this gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkView {
    /// The device or operator that did the work.
    pub who: String,
    pub document: DocumentNumber,
    pub state: String,
    /// The sum of the quantities of its lines.
    pub quantity: Value,
    /// When the work was done.
    pub at: Timestamp,
}

/// The answer of `GET /v1/names`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub names: Vec<CodeNameView>,
}

/// The name of a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeNameView {
    pub code: String,
    /// `product` or `location`. `None`: no product or location has the code.
    pub kind: Option<String>,
    pub name: Option<String>,
}

/// The newest lines of the daemon's log, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    pub lines: Vec<LogLine>,
    /// Continue with `after` = this.
    pub next: u64,
    /// Whether there are newer lines.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Rises with each line since the daemon started.
    pub number: u64,
    pub at: Timestamp,
    /// `ERROR`, `WARN`, `INFO`, ...
    pub level: String,
    /// The part of the daemon.
    pub part: String,
    pub text: String,
}
