//! How a scenario is written.
//!
//! Products have names of the scenario's own and get fresh barcodes in Odoo, with nothing on hand
//! but what `[[stock]]` says; bins are the seeded ones, by barcode. Steps happen one after the
//! other; `expect` holds when the last one is over.
//!
//! **Names.** In `product` stands a product's name, or `apple/case12` for one of its packagings. A
//! `package` has a name of the scenario's own, too. In any text of an event, `{so1}` is the name of
//! the first picking of the order `so1`, `{so1.origin}` that of the sales or purchase order, and
//! `{so1.OUT}` that of its newest open picking with this sequence code. `{now+60}` is a time in a
//! minute.
//!
//! **`steps = true`** plays in a warehouse of the scenario's own, with two-step receipts and
//! deliveries that are picked, packed and shipped. It has the bins `LOC-BIN-0000` to
//! `LOC-BIN-0005`; its `Input`, `Packing Zone` and `Output` have barcodes of these names.

mod somebody;

pub use self::somebody::{Operation, Somebody};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What this is about, for the one who reads a failure.
    pub about: String,
    pub products: BTreeMap<String, Product>,
    #[serde(default)]
    pub steps: bool,
    /// So often the copy of Odoo's data is brought up to date, in seconds.
    #[serde(default = "a_second")]
    pub refresh_s: u64,
    /// Values of the operation types of the scenario's own warehouse, by their sequence codes; with
    /// `steps`.
    #[serde(default)]
    pub types: BTreeMap<String, toml::Table>,
    /// The stock at the start; adjustments of stock are not movements.
    #[serde(default)]
    pub stock: Vec<Stock>,
    /// Of what Odoo holds a second one that is called the same.
    #[serde(default)]
    pub twins: Vec<Twin>,
    /// Made in the order of their names.
    #[serde(default)]
    pub orders: BTreeMap<String, Order>,
    /// The sections `orders`, `stock` and `capture` of the configuration, as a site writes them.
    #[serde(default)]
    pub config: toml::Table,
    /// The site's `time_zone`; else UTC.
    pub time_zone: Option<String>,
    #[serde(default)]
    pub documents: Documents,
    pub step: Vec<Step>,
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
    /// Its lots have expiry dates.
    #[serde(default)]
    pub expiry: bool,
    /// So many days before its expiry a lot is best, and is to be removed. With `expiry`.
    #[serde(default)]
    pub use_days: u32,
    #[serde(default)]
    pub removal_days: u32,
    /// Units that hold so many of it, each with a barcode.
    #[serde(default)]
    pub packagings: BTreeMap<String, u32>,
    /// It has a packaging whose unit is a kilogram, `kilo`.
    #[serde(default)]
    pub kilo: bool,
    /// It is kept in a unit of so many pieces, and a single one has a barcode of its own: the
    /// packaging `piece`.
    pub pieces: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    pub product: String,
    pub at: String,
    pub quantity: f64,
    pub lot: Option<String>,
    pub package: Option<String>,
    /// A partner of the scenario's own.
    pub owner: Option<String>,
}

/// A record that another one is called the same as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Twin {
    /// Of the same barcode, as Odoo allows it where the first one was archived when the second was
    /// made.
    Product(String),
    /// Of the same barcode and of no company. It is to be a bin of the scenario's own: see `steps`.
    Bin(String),
    Package(String),
    Owner(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    #[serde(rename = "type")]
    pub kind: OrderKind,
    pub lines: Vec<Ordered>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderKind {
    /// A sales order, confirmed.
    Delivery,
    /// A purchase order, confirmed.
    Receipt,
    /// An internal transfer from stock to stock, confirmed and reserved; nothing is behind it.
    Internal,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ordered {
    pub product: String,
    pub quantity: f64,
    /// One of the product's packagings; else its own unit.
    pub unit: Option<String>,
}

fn a_second() -> u64 {
    1
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
    /// The faults of a method are over.
    Mend(String),
    /// Odoo carries out so many calls that were `held`.
    Release(usize),
    /// Until the last entry in the trace of a posted document has this in it.
    Noted(String),
    /// Until a discarded document has this flag.
    Flagged(String),
    /// Until no open line of a product is picked.
    NothingPicked(String),
    /// What happens to the daemon.
    Daemon(Happening),
    /// Odoo learns of a product that was to come `later`.
    Create(String),
    /// What somebody does in Odoo behind the gateway's back.
    Odoo(Somebody),
    /// What a person decides of a parked document.
    Parked(Parked),
    /// The reason to undo the only discard.
    Undiscard(String),
    /// What a person decides of a rejected reading.
    Rejected(Rejected),
    /// Until this is the sentence on the first screen.
    Headline(String),
    /// Waits until a device has received this on `display` or `receipt`. The device must have
    /// published with `listens` before.
    Told(Told),
    /// Until the ledger says so.
    Wait(Ledger),
    /// Until these are the reasons of the documents that are parked, sorted.
    Reasons(Vec<String>),
}

/// One of the three, of the only parked document or of the one with this code; or `retry` of all
/// with this code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parked {
    pub code: Option<String>,
    /// Parts of the reason's message.
    #[serde(default)]
    pub says: Vec<String>,
    /// Until none of these is in it.
    #[serde(default)]
    pub says_not: Vec<String>,
    /// With `backorder`, `no-backorder` or `allow`, or with nothing.
    pub retry: Option<String>,
    #[serde(default)]
    pub all: bool,
    /// The body of the request; names in it are those of events.
    pub edit: Option<toml::Table>,
    /// The reason.
    pub discard: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    pub number: u64,
    /// The reason.
    pub dismiss: Option<String>,
    /// Sent again: a corrected event, or unchanged.
    pub resend: Option<toml::Table>,
}

/// Each is a part of the message that was sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    pub device: String,
    pub display: Option<String>,
    pub receipt: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    pub device: String,
    /// Speaks MQTT 5 rather than 3.1.1.
    #[serde(default)]
    pub v5: bool,
    /// Publishes under another site's name.
    pub site: Option<String>,
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
    /// The same with fields, as the device writes them in JSON.
    #[serde(default)]
    pub reads: Vec<toml::Table>,
    /// Its message on `state`, after all others.
    pub state: Option<toml::Table>,
    /// Stays subscribed to what the gateway tells this device, for `told`.
    #[serde(default)]
    pub listens: bool,
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
    /// The same, and by then no call that it gave up before can still be running in Odoo.
    RestartAfterLateCalls,
    /// It makes a backup and runs on.
    BackUp,
    /// Its disk is lost; a new box is restored from the backup.
    LostAndRestored,
    /// Its disk is lost, and a new box begins with nothing.
    Lost,
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
    /// The connection is cut; Odoo carries the call out at the step `release`.
    Held,
    Slow,
    /// Until the method is mended.
    Hold,
    Unavailable,
    TooMany,
    CouldNotSerialize,
    /// From a database that speaks German.
    CouldNotSerializeInGerman,
    /// Odoo does nothing, and asks a person something.
    Asks,
    /// A business rule says no.
    Refuses,
}

/// Counts of events, except `documents`; a count that is not named is not checked.
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
    /// Requests that have a fault before them still.
    pub faults_left: Option<u64>,
    /// Requests that are held on their way to Odoo.
    pub held: Option<u64>,
    /// Documents that wait for another one.
    pub held_back: Option<u64>,
    /// Documents that were sealed, whatever their state is.
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
    /// No picking was done in the future, nor longer ago than the scenario takes.
    #[serde(default)]
    pub done_now: bool,
    /// Quantities, of products that had nothing anywhere before.
    #[serde(default)]
    pub bins: Vec<Bin>,
    /// Sequence code and state of all pickings of an order, sorted, such as `OUT done`.
    #[serde(default)]
    pub orders: BTreeMap<String, Vec<String>>,
    /// What an order's lines say was delivered or received of each product.
    #[serde(default)]
    pub fulfilled: BTreeMap<String, BTreeMap<String, f64>>,
    /// What is written on an order's first picking for the carrier, or on the one that a name such
    /// as `so1.OUT` means.
    #[serde(default)]
    pub carriers: BTreeMap<String, Carrier>,
    /// Of all documents that are not discarded or replaced, sorted.
    pub flags: Option<Vec<String>>,
    /// Codes of the alarms that are on.
    pub alarms: Option<Vec<String>>,
    /// Expiry dates of lots, as Odoo writes days and times.
    #[serde(default)]
    pub expiries: Vec<Expiry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carrier {
    #[serde(rename = "carrier_ref")]
    pub reference: Option<String>,
    pub weight_kg: Option<f64>,
    /// A part of the note.
    pub note: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expiry {
    pub product: String,
    pub lot: String,
    pub day: String,
    /// The best before date.
    pub best_before: Option<String>,
    /// When it is to be removed.
    pub removal: Option<String>,
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
    /// The package that it went into.
    #[serde(default)]
    pub package: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    pub product: String,
    pub at: String,
    pub quantity: f64,
    /// Of this lot, in this package, of this owner alone.
    pub lot: Option<String>,
    pub package: Option<String>,
    pub owner: Option<String>,
}
