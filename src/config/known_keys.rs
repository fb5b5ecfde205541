//! Reads every key with its default and limits, and checks the rules between keys.

mod mqtt;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use tracing_subscriber::filter::Targets;

use self::mqtt::{broker, listen};
use super::rules::{NAME_ACCEPTED, is_loopback, url};
use super::typed_values::Reader;
use super::{
    Api, Capture, Check, Config, Control, Documents, Journal, Language, Log, LotPattern, Negative,
    Odoo, Orders, Over, Per, Shifts, Stock, Under, fleet,
};
use crate::event::Name;

pub(super) const DATA_DIR: &str = "/var/lib/stockrelay";
/// The file of the last good configuration, in `data_dir`.
pub(super) const LAST_CONFIG: &str = "last-config.toml";
/// The files that the gateway creates in `data_dir`.
const DATA_FILES: [&str; 9] = [
    "journal.redb",
    "journal.log",
    "journal.ballast",
    "lock",
    "odoo-copy.redb",
    "last-devices.toml",
    "last-scanners.toml",
    "fleet",
    LAST_CONFIG,
];
const CONTROL_SOCKET: &str = "/run/stockrelay/control.sock";
/// `sockaddr_un` has 108 bytes, including the one that ends the path (unix(7)).
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Reads the configuration. `None` only if a fault was recorded. Every section is read in any case,
/// so that all faults are found and all keys are known.
pub(super) fn read(reader: &mut Reader, warnings: &mut Vec<String>) -> Option<Config> {
    let site = site(reader);
    let data_dir = reader.path("data_dir").unwrap_or_else(|| DATA_DIR.into());
    let time_zone = reader.parse_key(
        "time_zone",
        "a name of the IANA time zone database (package tzdata), such as America/New_York",
        |text| TimeZone::get(text).ok(),
    );
    let shifts = reader.value("shifts", Shifts::ACCEPTED, Shifts::read);
    let listen = listen(reader, warnings);
    let broker = broker(reader, warnings);
    let scanners = reader.path("scanners");
    if !reader.has("mqtt.listen") && !reader.has("mqtt.broker") && scanners.is_none() {
        reader.missing(
            "mqtt",
            "a section [mqtt.listen] for the gateway's own MQTT front door, [mqtt.broker] for an existing broker, or both; or only the key scanners",
        );
    }
    let odoo = odoo(reader, warnings);
    let documents = documents(reader);
    let orders = orders(reader);
    let stock = stock(reader);
    let capture = capture(reader);
    let journal = journal(reader);
    let control = control(reader);
    let log = log(reader);
    let fleet = fleet::read(reader, warnings, site.as_ref());
    let mut listen = listen;
    if let (Some(listen), Some(broker)) = (&mut listen, &broker)
        && broker.devices.is_some()
        && listen.devices != broker.devices
    {
        if listen.devices.is_some() {
            reader.fault(
                "mqtt.broker.devices",
                "another file than mqtt.listen.devices",
                "the same file in both keys, or only one of the two keys",
            );
        }
        // The front door uses the same list.
        listen.devices.clone_from(&broker.devices);
    }
    if let (Some(listen), Some(metrics)) = (&listen, control.metrics)
        && share_port(listen.address, metrics)
    {
        let address = listen.address;
        reader.fault(
            "control.metrics",
            format!("{metrics}, the port of mqtt.listen.address ({address})"),
            "another port",
        );
    }
    if takes_path_of_data(&control.socket, &data_dir) {
        reader.fault(
            "control.socket",
            format!("{}, a path of data_dir", control.socket.display()),
            format!("a path that the gateway does not use otherwise, such as {CONTROL_SOCKET}"),
        );
    }
    Some(Config {
        site: site?,
        data_dir,
        time_zone,
        shifts: shifts.unwrap_or_default(),
        listen,
        broker,
        scanners,
        odoo: odoo?,
        documents,
        orders,
        stock,
        capture,
        journal,
        control,
        log,
        fleet,
    })
}

/// Whether the two addresses exclude each other (tcp(7), `EADDRINUSE`). With port 0 each gets a
/// free port.
fn share_port(one: SocketAddr, other: SocketAddr) -> bool {
    let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
    let is_overlap = one.ip() == other.ip() || is_any && one.is_ipv4() == other.is_ipv4();
    one.port() == other.port() && one.port() != 0 && is_overlap
}

/// Whether the socket's path is that of `data_dir`, of a directory above it, or of a file in it.
fn takes_path_of_data(socket: &Path, data_dir: &Path) -> bool {
    let is_file = |name: &str| socket == data_dir.join(name);
    data_dir.starts_with(socket) || DATA_FILES.iter().any(|name| is_file(name))
}

pub(super) fn site(reader: &mut Reader) -> Option<Name> {
    let faults = reader.faults.len();
    let site = reader.parse_key("site", NAME_ACCEPTED, |text| Name::new(text).ok());
    if site.is_none() && reader.faults.len() == faults {
        reader.missing(
            "site",
            &format!("the site's name in topics: {NAME_ACCEPTED}"),
        );
    }
    site
}

fn odoo(reader: &mut Reader, warnings: &mut Vec<String>) -> Option<Odoo> {
    let url = url(reader, "odoo.url", &["https", "http"]);
    let faults = reader.faults.len();
    let database = reader.text("odoo.database", 128);
    if database.is_none() && reader.faults.len() == faults {
        reader.missing("odoo.database", "the name of the Odoo database");
    }
    let default = Odoo::new("", "");
    let mut odoo = Odoo {
        api_key_file: reader.path("odoo.api_key_file"),
        warehouse: reader
            .text("odoo.warehouse", 64)
            .unwrap_or(default.warehouse),
        ca: reader.path("odoo.ca"),
        timeout_s: reader.integer("odoo.timeout_s", 5..=600, default.timeout_s),
        batch_lines_max: reader.integer("odoo.batch_lines_max", 1..=2_000, default.batch_lines_max),
        refresh_s: reader.integer("odoo.refresh_s", 5..=86_400, default.refresh_s),
        late_commit_s: reader.integer("odoo.late_commit_s", 60..=86_400, default.late_commit_s),
        api: reader
            .parse_key("odoo.api", "auto, json-2 or json-rpc", |text| match text {
                "auto" => Some(Api::Auto),
                "json-2" => Some(Api::Json2),
                "json-rpc" => Some(Api::JsonRpc),
                _ => None,
            })
            .unwrap_or(default.api),
        user: reader.text("odoo.user", 256),
        ..default
    };
    if odoo.api == Api::JsonRpc && odoo.user.is_none() {
        reader.missing(
            "odoo.user",
            "the login name of the key's user, which odoo.api = \"json-rpc\" needs",
        );
    }
    let url = url?;
    if url.scheme() == "http" && !is_loopback(&url) {
        warnings.push(format!(
            "odoo.url is http:// to {}: others on the network can read the API key; use https://",
            url.host_str().unwrap_or_default()
        ));
    }
    url.as_str().trim_end_matches('/').clone_into(&mut odoo.url);
    odoo.database = database?;
    Some(odoo)
}

fn documents(reader: &mut Reader) -> Documents {
    let default = Documents::default();
    Documents {
        per: reader
            .parse_key("documents.per", "device or operator", |text| match text {
                "device" => Some(Per::Device),
                "operator" => Some(Per::Operator),
                _ => None,
            })
            .unwrap_or(default.per),
        idle_s: reader.integer("documents.idle_s", 0..=3_600, default.idle_s),
        age_s: reader.integer("documents.age_s", 0..=86_400, default.age_s),
        lines_max: reader.integer("documents.lines_max", 1..=500, default.lines_max),
        events_max: reader.integer("documents.events_max", 1..=10_000, default.events_max),
    }
}

fn orders(reader: &mut Reader) -> Orders {
    let default = Orders::default();
    Orders {
        pick_over: over(reader, "orders.pick_over").unwrap_or(default.pick_over),
        pick_under: under(reader, "orders.pick_under").unwrap_or(default.pick_under),
        receive_over: over(reader, "orders.receive_over").unwrap_or(default.receive_over),
        receive_under: under(reader, "orders.receive_under").unwrap_or(default.receive_under),
        validate_complete: reader.boolean("orders.validate_complete", default.validate_complete),
        blind_receipts: reader.boolean("orders.blind_receipts", default.blind_receipts),
        blind_returns: reader.boolean("orders.blind_returns", default.blind_returns),
    }
}

fn over(reader: &mut Reader, key: &'static str) -> Option<Over> {
    reader.parse_key(key, "ask, allow or refuse", |text| match text {
        "ask" => Some(Over::Ask),
        "allow" => Some(Over::Allow),
        "refuse" => Some(Over::Refuse),
        _ => None,
    })
}

fn under(reader: &mut Reader, key: &'static str) -> Option<Under> {
    let accepted = "as-odoo, ask, backorder, no-backorder or refuse";
    reader.parse_key(key, accepted, |text| match text {
        "as-odoo" => Some(Under::AsOdoo),
        "ask" => Some(Under::Ask),
        "backorder" => Some(Under::Backorder),
        "no-backorder" => Some(Under::NoBackorder),
        "refuse" => Some(Under::Refuse),
        _ => None,
    })
}

fn stock(reader: &mut Reader) -> Stock {
    let default = Stock::default();
    Stock {
        negative: reader
            .parse_key(
                "stock.negative",
                "warn, refuse or allow",
                |text| match text {
                    "warn" => Some(Negative::Warn),
                    "refuse" => Some(Negative::Refuse),
                    "allow" => Some(Negative::Allow),
                    _ => None,
                },
            )
            .unwrap_or(default.negative),
        closed_until: reader.parse_key(
            "stock.closed_until",
            "a day, as the text \"2026-10-31\"",
            |text| text.parse().ok(),
        ),
    }
}

fn capture(reader: &mut Reader) -> Capture {
    let default = Capture::default();
    Capture {
        check: reader
            .parse_key(
                "capture.check",
                "off, lenient or strict",
                |text| match text {
                    "off" => Some(Check::Off),
                    "lenient" => Some(Check::Lenient),
                    "strict" => Some(Check::Strict),
                    _ => None,
                },
            )
            .unwrap_or(default.check),
        language: reader
            .parse_key("capture.language", "en, de, fr, nl, es or ar", Language::of)
            .unwrap_or(default.language),
        lot_pattern: reader.parse_key("capture.lot_pattern", LotPattern::ACCEPTED, LotPattern::of),
    }
}

fn journal(reader: &mut Reader) -> Journal {
    let default = Journal::default();
    Journal {
        budget_bytes: reader.size("journal.budget", 16 << 20..=1 << 50, default.budget_bytes),
        reserve_percent: reader.hundredths("journal.reserve", 0..=90, default.reserve_percent),
        dedup_days: reader.integer("journal.dedup_days", 1..=3_650, default.dedup_days),
        retention_days: reader.integer("journal.retention_days", 1..=3_650, default.retention_days),
        cache_bytes: reader.size(
            "journal.cache_bytes",
            1 << 20..=1 << 30,
            default.cache_bytes,
        ),
    }
}

fn control(reader: &mut Reader) -> Control {
    let control = Control {
        socket: reader
            .path("control.socket")
            .unwrap_or_else(|| PathBuf::from(CONTROL_SOCKET)),
        metrics: reader.address("control.metrics"),
    };
    let length = control.socket.as_os_str().len();
    if length > SOCKET_PATH_BYTES_MAX {
        reader.fault(
            "control.socket",
            format!("a path of {length} bytes"),
            format!(
                "a path of at most {SOCKET_PATH_BYTES_MAX} bytes, the limit of Linux for a socket"
            ),
        );
    }
    control
}

fn log(reader: &mut Reader) -> Log {
    let default = Log::default();
    let accepted = "off, error, warn, info, debug, trace, or directives such as info,stockrelay::forward=debug";
    Log {
        level: reader
            .parse_key("log.level", accepted, |text| {
                // A single word that is not a level would count as a module's name, and silence all
                // other modules.
                let words = ["off", "error", "warn", "info", "debug", "trace"];
                let directives = text.contains('=') && text.parse::<Targets>().is_ok();
                (words.contains(&text) || directives).then(|| text.to_owned())
            })
            .unwrap_or(default.level),
        json: reader.boolean("log.json", default.json),
    }
}
