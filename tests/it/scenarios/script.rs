//! How a scenario is written.
//!
//! Products have names of the scenario's own and get fresh barcodes in Odoo, with nothing on hand; bins are the
//! seeded ones, by barcode. Steps happen one after the other; `expect` holds when the last one is over.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What this is about, for the one who reads a failure.
    pub about: String,
    pub products: BTreeMap<String, Product>,
    #[serde(default)]
    pub documents: Documents,
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    pub expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    #[serde(default = "none")]
    pub tracking: String,
    /// Odoo learns of it only by a `create` step.
    #[serde(default)]
    pub later: bool,
    /// Lots that Odoo knows.
    #[serde(default)]
    pub lots: Vec<String>,
}

fn none() -> String {
    "none".to_owned()
}

/// When documents are sealed: other than the daemon's defaults, soon.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Documents {
    pub idle_s: u64,
    pub age_s: u64,
    pub lines_max: usize,
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            idle_s: 1,
            age_s: 30,
            lines_max: 50,
        }
    }
}

/// One of these at a time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Step {
    /// A device publishes, and has its acknowledgements before the next step.
    Publish(Publish),
    /// The link to Odoo goes `up` or `down`.
    Link(Position),
    /// What the next requests to Odoo meet.
    Fault(Fault),
    /// What happens to the daemon.
    Daemon(Happening),
    /// Odoo learns of a product that was to come `later`.
    Create(String),
    /// Until the ledger says so.
    Wait(Ledger),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    pub device: String,
    /// Speaks MQTT 5 rather than 3.1.1.
    #[serde(default)]
    pub v5: bool,
    /// As the device writes them: one JSON array, or a message each with `separately`.
    #[serde(default)]
    pub events: Vec<toml::Table>,
    #[serde(default)]
    pub separately: bool,
    /// Sent as it is, on `event`.
    pub raw: Option<String>,
    /// Barcodes, each a message on `scan`.
    #[serde(default)]
    pub scans: Vec<String>,
    /// All of it so many times.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    Up,
    Down,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// It stops in an orderly way, and starts again on the same data.
    Restart,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub method: String,
    #[serde(default = "once")]
    pub times: u32,
    pub what: What,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    CutBefore,
    CutAfter,
    Slow,
    Unavailable,
    TooMany,
    CouldNotSerialize,
}

/// Counts of events, but for `documents`; what is not named is not looked at.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    pub stored: Option<u64>,
    pub duplicates: Option<u64>,
    pub rejected: Option<u64>,
    pub no_document: Option<u64>,
    pub posted: Option<u64>,
    pub parked: Option<u64>,
    /// Documents that are posted.
    pub documents: Option<u64>,
    /// Faults that no request has met yet.
    pub faults_left: Option<u64>,
    /// Documents sealed, whatever became of them.
    pub sealed: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    #[serde(default)]
    pub ledger: Ledger,
    /// Of each parked document, sorted.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Of each rejected reading, in order.
    #[serde(default)]
    pub rejections: Vec<String>,
    /// All that Odoo has posted of the scenario's products.
    #[serde(default)]
    pub movements: Vec<Movement>,
    /// Done pickings with the scenario's products.
    pub pickings: usize,
    /// Pickings that were made and neither posted nor cancelled.
    #[serde(default)]
    pub unposted: usize,
    /// The true time of each, sorted, as Odoo writes it.
    pub done: Option<Vec<String>>,
    /// Quantities, of products that had nothing anywhere before.
    #[serde(default)]
    pub bins: Vec<Bin>,
}

#[derive(Debug, Clone, PartialEq, PartialOrd, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Movement {
    pub product: String,
    pub from: String,
    pub to: String,
    pub quantity: f64,
    #[serde(default)]
    pub lot: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    pub product: String,
    pub at: String,
    pub quantity: f64,
}
