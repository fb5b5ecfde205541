//! The configuration with its types and defaults. `config/read.rs` reads it and collects all
//! faults.

pub mod effective;
mod fault;
mod fleet;
mod known_keys;
pub mod last;
mod lot_pattern;
pub mod overlay;
mod read;
mod rules;
mod shifts;
#[cfg(test)]
mod tests;
mod typed_values;
mod written;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use fault::{ConfigError, Fault, MISSING};
pub use fleet::{Fleet, FleetBroker, FleetTls};
pub use lot_pattern::LotPattern;
pub use overlay::{Overlay, SECRETS, SECRETS_FOLDER, secret_key};
pub use read::{
    Ground, Loaded, defaults, has_only_fleet, key_rules, known_keys, known_places, load,
    load_fleet, load_ground, load_with,
};
pub use shifts::{ShiftRules, Shifts};
pub use typed_values::KeyRule;

use jiff::tz::TimeZone;

use crate::event::Name;

/// The configuration of a gateway. Defaults are those of `firmware-config/gateway-defaults.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub site: Name,
    pub data_dir: PathBuf,
    /// The zone of days without a time. Default: that of the key's user in Odoo, else the
    /// machine's.
    pub time_zone: Option<TimeZone>,
    /// When shifts begin, in the time zone. Default: none.
    pub shifts: Shifts,
    pub listen: Option<Listen>,
    pub broker: Option<Broker>,
    /// `scanners.toml`: the scanners on this gateway's own ports.
    pub scanners: Option<PathBuf>,
    pub odoo: Odoo,
    pub documents: Documents,
    pub orders: Orders,
    pub stock: Stock,
    pub capture: Capture,
    pub journal: Journal,
    pub control: Control,
    pub log: Log,
    pub fleet: Fleet,
}

/// `[mqtt.listen]`: the gateway's own MQTT front door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Default `0.0.0.0:1883`.
    pub address: SocketAddr,
    /// PEM chain and key; both or neither. With them the listener accepts only TLS.
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// PEM of the authorities whose client certificates name devices (CN, or the first DNS name).
    pub client_ca: Option<PathBuf>,
    /// `devices.toml`: device names and password hashes.
    pub devices: Option<PathBuf>,
    /// A client without credentials is accepted as the device that its client id names. Default
    /// false.
    pub anonymous: bool,
    /// JSON files `DEVICE.json` or `default.json`, published retained as `config/desired`.
    pub device_config_dir: Option<PathBuf>,
    /// Largest MQTT packet, in bytes. Default 262,144; 1,024 to 16,777,216.
    pub packet_bytes_max: usize,
    /// Maximum of open connections. Default 1,000; 1 to 100,000.
    pub connections_max: usize,
    /// QoS 1 and 2 publishes of one client that wait for the disk (MQTT 5: Receive Maximum).
    /// Default 64; 1 to 65,535.
    pub in_flight_max: u16,
    /// Topic filters one client may subscribe to. Default 16; 1 to 1,000.
    pub subscriptions_max: usize,
    /// Maximum of events per second of one client, each element of an array counted; above it the
    /// gateway reads more slowly. Default 2,000; 1 to 1,000,000.
    pub rate_per_s: u32,
    /// Maximum of messages stored for a device that is offline; the oldest are dropped first.
    /// Default 1,000; 0 to 100,000.
    pub missed_max: usize,
}

/// `[mqtt.broker]`: an existing MQTT broker of the site.
#[derive(Clone, PartialEq, Eq)]
pub struct Broker {
    /// `mqtt://host:1883` or `mqtts://host:8883`.
    pub url: String,
    /// Default `stockrelay-SITE`. The persistent session belongs to it: two gateways must not share
    /// one.
    pub client_id: Option<String>,
    pub username: Option<String>,
    /// File that contains only the password.
    pub password_file: Option<PathBuf>,
    /// PEM of the authorities to trust in addition to the system's.
    pub ca: Option<PathBuf>,
    /// PEM chain and key of the gateway's client certificate; both or neither.
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    /// The list of devices, if the front door has none: their profiles, flows and languages.
    pub devices: Option<PathBuf>,
    /// Seconds. Default 30; 5 to 3,600.
    pub keep_alive_s: u16,
    /// Largest packet, in bytes. Default 1,048,576; 1,024 to 16,777,216.
    pub packet_bytes_max: usize,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A URL may contain a password: it is never printed.
        f.debug_struct("Broker")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// `[odoo]`: where movements go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odoo {
    /// `https://host[:port]`, no path.
    pub url: String,
    pub database: String,
    /// File that contains only the API key. `None`: the systemd credential `odoo-api-key`.
    pub api_key_file: Option<PathBuf>,
    /// The code of the Odoo warehouse that this site is. Default `WH`.
    pub warehouse: String,
    /// PEM of the authorities to trust in addition to the system's.
    pub ca: Option<PathBuf>,
    /// How long one call may take, in seconds. Default 55 (proxies cut at 60); 5 to 600.
    pub timeout_s: u64,
    /// Maximum of lines in one call; below it, the gateway finds the size that suits the server.
    /// Default 400; 1 to 2,000.
    pub batch_lines_max: usize,
    /// How often the copy of master data asks for changes, in seconds. Default 60; 5 to 86,400.
    pub refresh_s: u64,
    /// How long Odoo may still carry out an abandoned call, in seconds. Default 900; 60 to 86,400.
    pub late_commit_s: u64,
    /// The API for calls. Default `auto`: JSON-2 if Odoo has it (19 and later), else `/jsonrpc`.
    pub api: Api,
    /// The login name of the key's user, which `/jsonrpc` needs and JSON-2 does not.
    pub user: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    Auto,
    Json2,
    JsonRpc,
}

/// `[orders]`: rules for scans for Odoo's orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orders {
    /// More was picked than ordered. Default `ask`.
    pub pick_over: Over,
    /// Less was picked than ordered when the order is validated. Default `as-odoo`.
    pub pick_under: Under,
    /// The same rules for receipts. Defaults `ask` and `as-odoo`.
    pub receive_over: Over,
    pub receive_under: Under,
    /// Whether the gateway validates an order by itself once it is complete. Default true; else a
    /// `validate` event does so.
    pub validate_complete: bool,
    /// Goods may come in without an order. Default false.
    pub blind_receipts: bool,
    /// Goods may come back without an order. Default false.
    pub blind_returns: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Parked: a person decides.
    Ask,
    Allow,
    /// Parked: only another quantity resolves it.
    Refuse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Under {
    /// Parked: a person decides.
    Ask,
    /// Odoo creates a backorder for the rest.
    Backorder,
    /// The rest is not delivered any more.
    NoBackorder,
    /// Parked until the rest is picked.
    Refuse,
    /// As the operation type in Odoo is set: ask, always a backorder, or never.
    AsOdoo,
}

impl Default for Orders {
    fn default() -> Self {
        Self {
            pick_over: Over::Ask,
            pick_under: Under::AsOdoo,
            receive_over: Over::Ask,
            receive_under: Under::AsOdoo,
            validate_complete: true,
            blind_receipts: false,
            blind_returns: false,
        }
    }
}

/// `[stock]`: rules for all movements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// More is moved out of a bin than Odoo has there. Default `warn`.
    pub negative: Negative,
    /// Up to this day the books are closed: an earlier movement is posted with the time of posting,
    /// and flagged.
    pub closed_until: Option<jiff::civil::Date>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Negative {
    /// Posted, and flagged in the ledger.
    Warn,
    /// Parked.
    Refuse,
    /// Posted without a check.
    Allow,
}

impl Default for Stock {
    fn default() -> Self {
        Self {
            negative: Negative::Warn,
            closed_until: None,
        }
    }
}

/// `[capture]`: checks and display texts at the time of the scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Default `lenient`.
    pub check: Check,
    /// The language of display texts for devices without a language of their own. Default English.
    pub language: Language,
    /// The pattern for names of new lots and serial numbers in flows whose profile has none. `None`
    /// (the default): any name.
    pub lot_pattern: Option<LotPattern>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// No check and no `display` message.
    Off,
    /// The display shows the fault, and the event is stored.
    Lenient,
    /// An event that is wrong by the copy of Odoo's data is stored as a rejected reading.
    Strict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    English,
    German,
    French,
    Dutch,
    Spanish,
    Arabic,
}

impl Language {
    /// From a language tag such as `de`, `de-AT` or `de_DE.UTF-8` (RFC 5646: the first part is the
    /// language).
    #[must_use]
    pub fn of(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_', '.']).next().unwrap_or_default();
        Some(match language.to_ascii_lowercase().as_str() {
            "en" => Self::English,
            "de" => Self::German,
            "fr" => Self::French,
            "nl" => Self::Dutch,
            "es" => Self::Spanish,
            "ar" => Self::Arabic,
            _ => return None,
        })
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            check: Check::Lenient,
            language: Language::English,
            lot_pattern: None,
        }
    }
}

/// `[documents]`: when lines are sealed into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    /// Whose work goes into one document. Default: the device's.
    pub per: Per,
    /// A document is sealed when nothing was added for this time, in seconds. Default 10; 0 to
    /// 3,600.
    pub idle_s: u64,
    /// A document is sealed when its first event has this age, in seconds. Default 120; 0 to
    /// 86,400.
    pub age_s: u64,
    /// A document is sealed when it has this number of lines. Default 50; 1 to 500.
    pub lines_max: usize,
    /// A document is sealed when it has this number of events. Default 2,000; 1 to 10,000.
    pub events_max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    Device,
    /// The operator that an event names; the device if it names none.
    Operator,
}

/// `[journal]`: what is stored on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// At this size of the file the gateway stops acknowledging, in bytes. Default 1,073,741,824;
    /// at least 16,777,216.
    pub budget_bytes: u64,
    /// The last part of the budget, for devices that use less than their share, in percent. Default
    /// 20 (`reserve = 0.2`); 0 to 90.
    pub reserve_percent: u8,
    /// How long an event with the same id is a duplicate, in days. Default 90; 1 to 3,650.
    pub dedup_days: u32,
    /// How long posted events and documents are stored for `trace`, in days. Default 90; 1 to
    /// 3,650.
    pub retention_days: u32,
    /// redb's cache, in bytes. Default 4,194,304; 1,048,576 to 1,073,741,824.
    pub cache_bytes: usize,
}

/// `[control]`: access for people and programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    pub socket: PathBuf,
    /// Address of Prometheus metrics and `/healthz`. Default: none.
    pub metrics: Option<SocketAddr>,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or tracing directives. Default `info`.
    pub level: String,
    /// JSON lines instead of text. Default false.
    pub json: bool,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([0, 0, 0, 0], 1883)),
            tls_cert: None,
            tls_key: None,
            client_ca: None,
            devices: None,
            anonymous: false,
            device_config_dir: None,
            packet_bytes_max: 262_144,
            connections_max: 1_000,
            in_flight_max: 64,
            subscriptions_max: 16,
            rate_per_s: 2_000,
            missed_max: 1_000,
        }
    }
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            per: Per::Device,
            idle_s: 10,
            age_s: 120,
            lines_max: 50,
            events_max: 2_000,
        }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            budget_bytes: 1 << 30,
            reserve_percent: 20,
            dedup_days: 90,
            retention_days: 90,
            cache_bytes: 1 << 20,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            json: false,
        }
    }
}

impl Odoo {
    /// Creates a section with all defaults; only these two settings have none.
    #[must_use]
    pub fn new(url: &str, database: &str) -> Self {
        Self {
            url: url.to_owned(),
            database: database.to_owned(),
            api_key_file: None,
            warehouse: "WH".to_owned(),
            ca: None,
            timeout_s: 55,
            batch_lines_max: 400,
            refresh_s: 60,
            late_commit_s: 900,
            api: Api::Auto,
            user: None,
        }
    }
}
