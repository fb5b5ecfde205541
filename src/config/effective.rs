//! The effective configuration: the value of each key, with all defaults, in a canonical form.
//!
//! Comes in: a [`Config`]. Goes out: a map from key to JSON value, and its hash. Two gateways with
//! the same hash have the same value of each key. The configuration has no secrets, only the paths
//! of files with secrets, so neither has this form.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Api, Broker, Capture, Check, Config, Documents, Fleet, FleetBroker, Language, Listen, Negative,
    Odoo, Orders, Over, Per, Stock, Under,
};
use crate::event::Name;

/// The value of each key that the gateway knows. Null: the key has no value.
pub type Values = BTreeMap<&'static str, Value>;

/// Returns the value of each key, with all defaults.
#[must_use]
pub fn values(config: &Config) -> Values {
    let mut values = Values::from([
        ("site", json!(config.site.as_str())),
        ("data_dir", path(Some(&config.data_dir))),
        (
            "time_zone",
            json!(config.time_zone.as_ref().and_then(|zone| zone.iana_name())),
        ),
        ("shifts", json!(config.shifts.texts())),
        ("scanners", path(config.scanners.as_ref())),
        ("journal.budget", json!(config.journal.budget_bytes)),
        (
            "journal.reserve",
            json!(f64::from(config.journal.reserve_percent) / 100.0),
        ),
        ("journal.dedup_days", json!(config.journal.dedup_days)),
        (
            "journal.retention_days",
            json!(config.journal.retention_days),
        ),
        ("journal.cache_bytes", json!(config.journal.cache_bytes)),
        ("control.socket", path(Some(&config.control.socket))),
        ("control.metrics", json!(config.control.metrics)),
        ("log.level", json!(config.log.level)),
        ("log.json", json!(config.log.json)),
    ]);
    values.extend(listen(config.listen.as_ref()));
    values.extend(broker(config.broker.as_ref()));
    values.extend(odoo(&config.odoo));
    values.extend(documents(&config.documents));
    values.extend(orders(&config.orders));
    values.extend(stock(&config.stock));
    values.extend(capture(&config.capture));
    values.extend(fleet(&config.fleet));
    values
}

/// Returns the SHA-256 of the values, as 64 hexadecimal digits: of one line `KEY=JSON` for each
/// key, in the order of the keys.
#[must_use]
pub fn hash(config: &Config) -> String {
    let mut hasher = Sha256::new();
    for (key, value) in values(config) {
        hasher.update(format!("{key}={value}\n"));
    }
    let digest = hasher.finalize();
    digest.iter().fold(String::new(), |digits, byte| {
        digits + &format!("{byte:02x}")
    })
}

/// Returns the keys whose values differ.
#[must_use]
pub fn changed_keys(old: &Config, new: &Config) -> Vec<&'static str> {
    let (old, new) = (values(old), values(new));
    let is_changed = |key: &&'static str| old.get(key) != new.get(key);
    new.keys().copied().filter(is_changed).collect()
}

fn listen(listen: Option<&Listen>) -> Values {
    let set = |value: &dyn Fn(&Listen) -> Value| listen.map_or(Value::Null, value);
    Values::from([
        ("mqtt.listen.address", set(&|it| json!(it.address))),
        (
            "mqtt.listen.tls_cert",
            set(&|it| path(it.tls_cert.as_ref())),
        ),
        ("mqtt.listen.tls_key", set(&|it| path(it.tls_key.as_ref()))),
        (
            "mqtt.listen.client_ca",
            set(&|it| path(it.client_ca.as_ref())),
        ),
        ("mqtt.listen.devices", set(&|it| path(it.devices.as_ref()))),
        ("mqtt.listen.anonymous", set(&|it| json!(it.anonymous))),
        (
            "mqtt.listen.device_config_dir",
            set(&|it| path(it.device_config_dir.as_ref())),
        ),
        (
            "mqtt.listen.packet_bytes_max",
            set(&|it| json!(it.packet_bytes_max)),
        ),
        (
            "mqtt.listen.connections_max",
            set(&|it| json!(it.connections_max)),
        ),
        (
            "mqtt.listen.in_flight_max",
            set(&|it| json!(it.in_flight_max)),
        ),
        (
            "mqtt.listen.subscriptions_max",
            set(&|it| json!(it.subscriptions_max)),
        ),
        ("mqtt.listen.rate_per_s", set(&|it| json!(it.rate_per_s))),
        ("mqtt.listen.missed_max", set(&|it| json!(it.missed_max))),
    ])
}

fn broker(broker: Option<&Broker>) -> Values {
    let set = |value: &dyn Fn(&Broker) -> Value| broker.map_or(Value::Null, value);
    Values::from([
        ("mqtt.broker.url", set(&|it| json!(it.url))),
        ("mqtt.broker.client_id", set(&|it| json!(it.client_id))),
        ("mqtt.broker.username", set(&|it| json!(it.username))),
        (
            "mqtt.broker.password_file",
            set(&|it| path(it.password_file.as_ref())),
        ),
        ("mqtt.broker.ca", set(&|it| path(it.ca.as_ref()))),
        (
            "mqtt.broker.client_cert",
            set(&|it| path(it.client_cert.as_ref())),
        ),
        (
            "mqtt.broker.client_key",
            set(&|it| path(it.client_key.as_ref())),
        ),
        ("mqtt.broker.devices", set(&|it| path(it.devices.as_ref()))),
        (
            "mqtt.broker.keep_alive_s",
            set(&|it| json!(it.keep_alive_s)),
        ),
        (
            "mqtt.broker.packet_bytes_max",
            set(&|it| json!(it.packet_bytes_max)),
        ),
    ])
}

fn fleet(fleet: &Fleet) -> Values {
    let set =
        |value: &dyn Fn(&FleetBroker) -> Value| fleet.broker.as_ref().map_or(Value::Null, value);
    Values::from([
        ("fleet.broker", set(&|it| json!(it.url))),
        ("fleet.username", set(&|it| json!(it.username))),
        (
            "fleet.password_file",
            set(&|it| path(it.password_file.as_ref())),
        ),
        ("fleet.ca", path(fleet.tls.ca.as_ref())),
        ("fleet.client_cert", path(fleet.tls.client_cert.as_ref())),
        ("fleet.client_key", path(fleet.tls.client_key.as_ref())),
        ("fleet.url", json!(fleet.url)),
        ("fleet.poll_s", json!(fleet.poll_s)),
        ("fleet.group", json!(fleet.group.as_ref().map(Name::as_str))),
        ("fleet.watch_s", json!(fleet.watch_s)),
        ("fleet.quiet_s", json!(fleet.quiet_s)),
        ("fleet.quiet_max_s", json!(fleet.quiet_max_s)),
        ("fleet.drift_s", json!(fleet.drift_s)),
    ])
}

fn odoo(odoo: &Odoo) -> Values {
    let api = match odoo.api {
        Api::Auto => "auto",
        Api::Json2 => "json-2",
        Api::JsonRpc => "json-rpc",
    };
    Values::from([
        ("odoo.url", json!(odoo.url)),
        ("odoo.database", json!(odoo.database)),
        ("odoo.api_key_file", path(odoo.api_key_file.as_ref())),
        ("odoo.warehouse", json!(odoo.warehouse)),
        ("odoo.ca", path(odoo.ca.as_ref())),
        ("odoo.timeout_s", json!(odoo.timeout_s)),
        ("odoo.batch_lines_max", json!(odoo.batch_lines_max)),
        ("odoo.refresh_s", json!(odoo.refresh_s)),
        ("odoo.late_commit_s", json!(odoo.late_commit_s)),
        ("odoo.api", json!(api)),
        ("odoo.user", json!(odoo.user)),
    ])
}

fn documents(documents: &Documents) -> Values {
    let per = match documents.per {
        Per::Device => "device",
        Per::Operator => "operator",
    };
    Values::from([
        ("documents.per", json!(per)),
        ("documents.idle_s", json!(documents.idle_s)),
        ("documents.age_s", json!(documents.age_s)),
        ("documents.lines_max", json!(documents.lines_max)),
        ("documents.events_max", json!(documents.events_max)),
    ])
}

fn orders(orders: &Orders) -> Values {
    let over = |over: Over| match over {
        Over::Ask => json!("ask"),
        Over::Allow => json!("allow"),
        Over::Refuse => json!("refuse"),
    };
    let under = |under: Under| match under {
        Under::Ask => json!("ask"),
        Under::Backorder => json!("backorder"),
        Under::NoBackorder => json!("no-backorder"),
        Under::Refuse => json!("refuse"),
        Under::AsOdoo => json!("as-odoo"),
    };
    Values::from([
        ("orders.pick_over", over(orders.pick_over)),
        ("orders.pick_under", under(orders.pick_under)),
        ("orders.receive_over", over(orders.receive_over)),
        ("orders.receive_under", under(orders.receive_under)),
        ("orders.validate_complete", json!(orders.validate_complete)),
        ("orders.blind_receipts", json!(orders.blind_receipts)),
        ("orders.blind_returns", json!(orders.blind_returns)),
    ])
}

fn stock(stock: &Stock) -> Values {
    let negative = match stock.negative {
        Negative::Warn => "warn",
        Negative::Refuse => "refuse",
        Negative::Allow => "allow",
    };
    Values::from([
        ("stock.negative", json!(negative)),
        ("stock.closed_until", json!(stock.closed_until)),
    ])
}

fn capture(capture: &Capture) -> Values {
    let check = match capture.check {
        Check::Off => "off",
        Check::Lenient => "lenient",
        Check::Strict => "strict",
    };
    let language = match capture.language {
        Language::English => "en",
        Language::German => "de",
        Language::French => "fr",
        Language::Dutch => "nl",
        Language::Spanish => "es",
        Language::Arabic => "ar",
    };
    let pattern = capture.lot_pattern.as_ref().map(super::LotPattern::as_str);
    Values::from([
        ("capture.check", json!(check)),
        ("capture.language", json!(language)),
        ("capture.lot_pattern", json!(pattern)),
    ])
}

fn path(path: Option<&PathBuf>) -> Value {
    json!(path.map(|path| path.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::super::{known_keys, load};
    use super::*;

    fn config(text: &str) -> Config {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("config.toml");
        let text = format!(
            "site = \"ams1\"\ndata_dir = \"/var/lib/stockrelay\"\n[mqtt.listen]\nanonymous = true\n\
             [odoo]\nurl = \"https://odoo.example\"\ndatabase = \"prod\"\n{text}"
        );
        std::fs::write(&main, text).unwrap();
        load(&main, &[]).unwrap().config
    }

    #[test]
    fn each_known_key_has_its_value() {
        let mut known = known_keys();
        known.sort_unstable();
        let values = values(&config(""));
        let shown: Vec<_> = values.keys().copied().collect();
        assert_eq!(shown, known);
        assert_eq!(values["mqtt.listen.address"], "0.0.0.0:1883");
        assert_eq!(values["mqtt.broker.url"], Value::Null);
    }

    #[test]
    fn the_hash_changes_with_each_value_and_with_nothing_else() {
        let (plain, default) = (config(""), config("[stock]\nnegative = \"warn\"\n"));
        assert_eq!(hash(&plain), hash(&default));
        assert_eq!(hash(&plain).len(), 64);
        let other = config("[stock]\nnegative = \"refuse\"\n[capture]\nlanguage = \"de\"\n");
        assert_ne!(hash(&plain), hash(&other));
        let changed = changed_keys(&plain, &other);
        assert_eq!(changed, ["capture.language", "stock.negative"]);
    }
}
