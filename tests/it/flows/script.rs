//! How a flow is written down in `tests/flows/*.toml`.

use super::dated;
use crate::scenarios::script::{Order, Stock as Before};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    pub start: String,
    /// `capture.lot_pattern` of the site, and that of the device's profile.
    pub site_lot_pattern: Option<String>,
    pub profile_lot_pattern: Option<String>,
    /// By name: how they are tracked.
    pub products: BTreeMap<String, String>,
    /// Products that are kept in another unit than Units, with its name in Odoo.
    #[serde(default)]
    pub units: BTreeMap<String, String>,
    /// `{name}` is the barcode of a packaging: its product, and how many of its own unit it holds.
    #[serde(default)]
    pub packagings: BTreeMap<String, (String, u32)>,
    /// Products whose barcode has a place for a weight in grams; `{name.weighed}` is one with this
    /// weight.
    #[serde(default)]
    pub weighed: BTreeMap<String, String>,
    /// Products whose lots have dates, with the days between best before and expiry.
    #[serde(default)]
    pub use_days: BTreeMap<String, u32>,
    /// Whether the company has Odoo's GS1 nomenclature when the daemon starts.
    #[serde(default)]
    pub gs1: bool,
    /// The site's; else UTC.
    pub time_zone: Option<String>,
    /// Lines of the profile's section `code`.
    #[serde(default)]
    pub code: String,
    /// What lies where before anything is read.
    #[serde(default)]
    pub before: Vec<Before>,
    /// `{so1}` is the name of its picking, `{so1.origin}` its own.
    #[serde(default)]
    pub orders: BTreeMap<String, Order>,
    pub step: Vec<Step>,
    pub events: Vec<String>,
    /// What the labels measured of those events of which they did, in order.
    #[serde(default)]
    pub measures: Vec<String>,
    #[serde(default)]
    pub stock: Vec<Stock>,
    /// What there is of lots and serial numbers in the end.
    #[serde(default)]
    pub lots: Vec<LotStock>,
    #[serde(default)]
    pub dates: Vec<dated::Dates>,
    /// Orders whose picking is done in the end.
    #[serde(default)]
    pub done: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub scan: Option<String>,
    /// The text contains this.
    pub good: Option<String>,
    pub bad: Option<String>,
    /// The scan is dropped, and no text is sent.
    #[serde(default)]
    pub repeat: bool,
    pub happens: Option<Happening>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Happening {
    Battery,
    Restart,
    /// All that flows have made is in Odoo.
    Posted,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    pub product: String,
    pub bin: String,
    pub quantity: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LotStock {
    pub product: String,
    pub lot: String,
    pub quantity: f64,
    pub package: Option<String>,
}
