//! `stockrelay config show`: writes every key of the configuration with its value in force, as TOML
//! that parses to the same configuration. A key without a value is a comment.
//!
//! It contains no secrets, only the paths of files with secrets. A password in a URL is left out.

use std::path::{Path, PathBuf};

use toml::Value;

use crate::capture::texts::tag;
use crate::config::{
    Api, Broker, Capture, Check, Config, Control, Documents, Fleet, FleetBroker, Journal, Listen,
    Log, Negative, Odoo, Orders, Over, Per, Stock, Under,
};

/// A key of a section and its value. `Err`: the key is not set; the text says what applies then.
type Key = (&'static str, Result<Value, String>);

#[must_use]
pub fn show(config: &Config) -> String {
    let mut out = String::new();
    section(&mut out, "", &top_keys(config));
    match &config.listen {
        Some(listen) => section(&mut out, "mqtt.listen", &listen_keys(listen)),
        None => out.push_str("\n# [mqtt.listen]: not set\n"),
    }
    match &config.broker {
        Some(broker) => {
            let keys = broker_keys(broker, config.site.as_str());
            section(&mut out, "mqtt.broker", &keys);
        }
        None => out.push_str("\n# [mqtt.broker]: not set\n"),
    }
    section(&mut out, "odoo", &odoo_keys(&config.odoo));
    section(&mut out, "documents", &document_keys(&config.documents));
    section(&mut out, "orders", &order_keys(&config.orders));
    section(&mut out, "stock", &stock_keys(&config.stock));
    section(&mut out, "capture", &capture_keys(&config.capture));
    section(&mut out, "journal", &journal_keys(&config.journal));
    section(&mut out, "control", &control_keys(&config.control));
    section(&mut out, "log", &log_keys(&config.log));
    section(&mut out, "fleet", &fleet_keys(&config.fleet));
    out
}

fn section(out: &mut String, name: &str, keys: &[Key]) {
    if !name.is_empty() {
        let heading = format!("\n[{name}]\n");
        out.push_str(&heading);
    }
    for (key, value) in keys {
        let line = match value {
            Ok(value) => format!("{key} = {value}\n"),
            Err(instead) if instead.is_empty() => format!("# {key}: not set\n"),
            Err(instead) => format!("# {key}: not set, so {instead}\n"),
        };
        out.push_str(&line);
    }
}

fn top_keys(config: &Config) -> [Key; 4] {
    let zone = config.time_zone.as_ref();
    let zone = zone.and_then(|zone| zone.iana_name()).map(text);
    [
        ("site", Ok(text(config.site.as_str()))),
        ("data_dir", Ok(path(&config.data_dir))),
        (
            "time_zone",
            zone.ok_or_else(|| "that of the key's user in Odoo, else the machine's".to_owned()),
        ),
        ("scanners", file(config.scanners.as_deref())),
    ]
}

fn listen_keys(listen: &Listen) -> [Key; 13] {
    [
        ("address", Ok(text(&listen.address.to_string()))),
        ("tls_cert", file(listen.tls_cert.as_deref())),
        ("tls_key", file(listen.tls_key.as_deref())),
        ("client_ca", file(listen.client_ca.as_deref())),
        ("devices", file(listen.devices.as_deref())),
        ("anonymous", Ok(Value::Boolean(listen.anonymous))),
        (
            "device_config_dir",
            file(listen.device_config_dir.as_deref()),
        ),
        ("packet_bytes_max", size(listen.packet_bytes_max)),
        ("connections_max", size(listen.connections_max)),
        ("in_flight_max", whole(listen.in_flight_max.into())),
        ("subscriptions_max", size(listen.subscriptions_max)),
        ("rate_per_s", whole(listen.rate_per_s.into())),
        ("missed_max", size(listen.missed_max)),
    ]
}

fn broker_keys(broker: &Broker, site: &str) -> [Key; 10] {
    let client_id = broker.client_id.as_deref().map(text);
    [
        ("url", Ok(text(&without_password(&broker.url)))),
        (
            "client_id",
            client_id.ok_or_else(|| format!("stockrelay-{site}")),
        ),
        ("username", set(broker.username.as_deref().map(text))),
        ("password_file", file(broker.password_file.as_deref())),
        ("ca", file(broker.ca.as_deref())),
        ("client_cert", file(broker.client_cert.as_deref())),
        ("client_key", file(broker.client_key.as_deref())),
        ("devices", file(broker.devices.as_deref())),
        ("keep_alive_s", whole(broker.keep_alive_s.into())),
        ("packet_bytes_max", size(broker.packet_bytes_max)),
    ]
}

fn odoo_keys(odoo: &Odoo) -> [Key; 11] {
    let api = match odoo.api {
        Api::Auto => "auto",
        Api::Json2 => "json-2",
        Api::JsonRpc => "json-rpc",
    };
    let key_file = odoo.api_key_file.as_deref().map(path);
    [
        ("url", Ok(text(&without_password(&odoo.url)))),
        ("database", Ok(text(&odoo.database))),
        (
            "api_key_file",
            key_file.ok_or_else(|| "the systemd credential odoo-api-key".to_owned()),
        ),
        ("warehouse", Ok(text(&odoo.warehouse))),
        ("ca", file(odoo.ca.as_deref())),
        ("timeout_s", whole(odoo.timeout_s)),
        ("batch_lines_max", size(odoo.batch_lines_max)),
        ("refresh_s", whole(odoo.refresh_s)),
        ("late_commit_s", whole(odoo.late_commit_s)),
        ("api", Ok(text(api))),
        ("user", set(odoo.user.as_deref().map(text))),
    ]
}

fn document_keys(documents: &Documents) -> [Key; 5] {
    let per = match documents.per {
        Per::Device => "device",
        Per::Operator => "operator",
    };
    [
        ("per", Ok(text(per))),
        ("idle_s", whole(documents.idle_s)),
        ("age_s", whole(documents.age_s)),
        ("lines_max", size(documents.lines_max)),
        ("events_max", size(documents.events_max)),
    ]
}

fn order_keys(orders: &Orders) -> [Key; 7] {
    let over = |rule| match rule {
        Over::Ask => "ask",
        Over::Allow => "allow",
        Over::Refuse => "refuse",
    };
    let under = |rule| match rule {
        Under::Ask => "ask",
        Under::Backorder => "backorder",
        Under::NoBackorder => "no-backorder",
        Under::Refuse => "refuse",
        Under::AsOdoo => "as-odoo",
    };
    [
        ("pick_over", Ok(text(over(orders.pick_over)))),
        ("pick_under", Ok(text(under(orders.pick_under)))),
        ("receive_over", Ok(text(over(orders.receive_over)))),
        ("receive_under", Ok(text(under(orders.receive_under)))),
        (
            "validate_complete",
            Ok(Value::Boolean(orders.validate_complete)),
        ),
        ("blind_receipts", Ok(Value::Boolean(orders.blind_receipts))),
        ("blind_returns", Ok(Value::Boolean(orders.blind_returns))),
    ]
}

fn stock_keys(stock: &Stock) -> [Key; 2] {
    let negative = match stock.negative {
        Negative::Warn => "warn",
        Negative::Refuse => "refuse",
        Negative::Allow => "allow",
    };
    let closed = stock.closed_until.map(|day| text(&day.to_string()));
    [
        ("negative", Ok(text(negative))),
        ("closed_until", set(closed)),
    ]
}

fn capture_keys(capture: &Capture) -> [Key; 3] {
    let check = match capture.check {
        Check::Off => "off",
        Check::Lenient => "lenient",
        Check::Strict => "strict",
    };
    let pattern = capture.lot_pattern.as_ref();
    [
        ("check", Ok(text(check))),
        ("language", Ok(text(tag(capture.language)))),
        (
            "lot_pattern",
            set(pattern.map(|pattern| text(pattern.as_str()))),
        ),
    ]
}

fn journal_keys(journal: &Journal) -> [Key; 5] {
    let reserve = f64::from(journal.reserve_percent) / 100.0;
    [
        ("budget", whole(journal.budget_bytes)),
        ("reserve", Ok(Value::Float(reserve))),
        ("dedup_days", whole(journal.dedup_days.into())),
        ("retention_days", whole(journal.retention_days.into())),
        ("cache_bytes", size(journal.cache_bytes)),
    ]
}

fn control_keys(control: &Control) -> [Key; 2] {
    let metrics = control.metrics.map(|address| text(&address.to_string()));
    [
        ("socket", Ok(path(&control.socket))),
        ("metrics", set(metrics)),
    ]
}

fn log_keys(log: &Log) -> [Key; 2] {
    [
        ("level", Ok(text(&log.level))),
        ("json", Ok(Value::Boolean(log.json))),
    ]
}

fn fleet_keys(fleet: &Fleet) -> [Key; 13] {
    let broker = fleet.broker.as_ref();
    let of_broker = |key: fn(&FleetBroker) -> Option<&PathBuf>| {
        file(broker.and_then(key).map(PathBuf::as_path))
    };
    let username = broker.and_then(|broker| broker.username.as_deref());
    [
        (
            "broker",
            set(broker.map(|broker| text(&without_password(&broker.url)))),
        ),
        ("ca", of_broker(|broker| broker.ca.as_ref())),
        (
            "client_cert",
            of_broker(|broker| broker.client_cert.as_ref()),
        ),
        ("client_key", of_broker(|broker| broker.client_key.as_ref())),
        ("username", set(username.map(text))),
        (
            "password_file",
            of_broker(|broker| broker.password_file.as_ref()),
        ),
        ("url", set(fleet.url.as_deref().map(text))),
        ("poll_s", whole(fleet.poll_s)),
        (
            "group",
            set(fleet.group.as_ref().map(|group| text(group.as_str()))),
        ),
        ("watch_s", whole(fleet.watch_s)),
        ("quiet_s", whole(fleet.quiet_s)),
        ("quiet_max_s", whole(fleet.quiet_max_s)),
        ("drift_s", whole(fleet.drift_s)),
    ]
}

fn without_password(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{host}")
        }
        None => url.to_owned(),
    }
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// TOML's whole numbers are signed; every limit of the configuration is far below.
fn whole(number: u64) -> Result<Value, String> {
    set(i64::try_from(number).ok().map(Value::Integer))
}

fn size(number: usize) -> Result<Value, String> {
    set(i64::try_from(number).ok().map(Value::Integer))
}

fn path(path: &Path) -> Value {
    text(&path.to_string_lossy())
}

fn file(file: Option<&Path>) -> Result<Value, String> {
    set(file.map(path))
}

/// A key that may be without a value.
fn set(value: Option<Value>) -> Result<Value, String> {
    value.ok_or_else(String::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let written = directory.path().join("config.toml");
        let text = r#"
            site = "ams1"
            data_dir = "/var/lib/stockrelay"
            [mqtt.listen]
            devices = "devices.toml"
            [mqtt.broker]
            url = "mqtts://broker.example:8883"
            [odoo]
            url = "https://odoo.example.com"
            database = "prod"
            [control]
            metrics = "127.0.0.1:9464"
            [journal]
            budget = "2 GiB"
            [fleet]
            broker = "mqtts://it.example"
            username = "ams1"
            url = "https://it.example/{site}.bundle"
            watch_s = 60
            [stock]
            closed_until = "2026-10-31"
            [capture]
            language = "nl"
            lot_pattern = '[A-Z]"\d'
        "#;
        std::fs::write(&written, text).unwrap();
        let first = config::load(&written, &[]).unwrap().config;
        std::fs::write(&written, show(&first)).unwrap();
        let second = config::load(&written, &[]).unwrap().config;
        assert_eq!(first, second);
    }

    #[test]
    fn a_password_in_a_url_is_left_out() {
        assert_eq!(
            without_password("mqtt://anna:s3cret@broker:1883"),
            "mqtt://broker:1883"
        );
        assert_eq!(without_password("mqtt://broker:1883"), "mqtt://broker:1883");
    }
}
