//! `stockrelay config show`: writes the configuration with all defaults, as TOML that parses to the
//! same configuration.
//!
//! It contains no secrets, only the paths of files with secrets. A password in a URL is left out.

use std::path::Path;

use toml::{Table, Value};

use crate::config::{Api, Broker, Config, Fleet, Listen, Odoo, Per};

#[must_use]
pub fn show(config: &Config) -> String {
    let mut mqtt = Table::new();
    if let Some(listen) = &config.listen {
        mqtt.insert("listen".to_owned(), section(listen_keys(listen)));
    }
    if let Some(broker) = &config.broker {
        mqtt.insert("broker".to_owned(), section(broker_keys(broker)));
    }
    let per = match config.documents.per {
        Per::Device => "device",
        Per::Operator => "operator",
    };
    let documents = [
        ("per", text(per)),
        ("idle_s", whole(config.documents.idle_s)),
        ("age_s", whole(config.documents.age_s)),
        ("lines_max", size(config.documents.lines_max)),
        ("events_max", size(config.documents.events_max)),
    ];
    let journal = [
        ("budget", whole(config.journal.budget_bytes)),
        (
            "reserve",
            Some(Value::Float(
                f64::from(config.journal.reserve_percent) / 100.0,
            )),
        ),
        ("dedup_days", whole(config.journal.dedup_days.into())),
        (
            "retention_days",
            whole(config.journal.retention_days.into()),
        ),
        ("cache_bytes", size(config.journal.cache_bytes)),
    ];
    let metrics = config
        .control
        .metrics
        .and_then(|address| text(&address.to_string()));
    let control = [
        ("socket", path(Some(&config.control.socket))),
        ("metrics", metrics),
    ];
    let log = [
        ("level", text(&config.log.level)),
        ("json", flag(config.log.json)),
    ];
    let all = section([
        ("site", text(config.site.as_str())),
        ("data_dir", path(Some(&config.data_dir))),
        ("mqtt", Some(Value::Table(mqtt))),
        ("odoo", Some(section(odoo_keys(&config.odoo)))),
        ("documents", Some(section(documents))),
        ("journal", Some(section(journal))),
        ("control", Some(section(control))),
        ("log", Some(section(log))),
        ("fleet", Some(section(fleet_keys(&config.fleet)))),
    ]);
    toml::to_string(&all).unwrap_or_default()
}

type Key = (&'static str, Option<Value>);

fn listen_keys(listen: &Listen) -> [Key; 13] {
    [
        ("address", text(&listen.address.to_string())),
        ("tls_cert", path(listen.tls_cert.as_deref())),
        ("tls_key", path(listen.tls_key.as_deref())),
        ("client_ca", path(listen.client_ca.as_deref())),
        ("devices", path(listen.devices.as_deref())),
        ("anonymous", flag(listen.anonymous)),
        (
            "device_config_dir",
            path(listen.device_config_dir.as_deref()),
        ),
        ("packet_bytes_max", size(listen.packet_bytes_max)),
        ("connections_max", size(listen.connections_max)),
        ("in_flight_max", whole(listen.in_flight_max.into())),
        ("subscriptions_max", size(listen.subscriptions_max)),
        ("rate_per_s", whole(listen.rate_per_s.into())),
        ("missed_max", size(listen.missed_max)),
    ]
}

fn broker_keys(broker: &Broker) -> [Key; 9] {
    [
        ("url", text(&without_password(&broker.url))),
        ("client_id", broker.client_id.as_deref().and_then(text)),
        ("username", broker.username.as_deref().and_then(text)),
        ("password_file", path(broker.password_file.as_deref())),
        ("ca", path(broker.ca.as_deref())),
        ("client_cert", path(broker.client_cert.as_deref())),
        ("client_key", path(broker.client_key.as_deref())),
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
    [
        ("url", text(&without_password(&odoo.url))),
        ("database", text(&odoo.database)),
        ("api_key_file", path(odoo.api_key_file.as_deref())),
        ("warehouse", text(&odoo.warehouse)),
        ("ca", path(odoo.ca.as_deref())),
        ("timeout_s", whole(odoo.timeout_s)),
        ("batch_lines_max", size(odoo.batch_lines_max)),
        ("refresh_s", whole(odoo.refresh_s)),
        ("late_commit_s", whole(odoo.late_commit_s)),
        ("api", text(api)),
        ("user", odoo.user.as_deref().and_then(text)),
    ]
}

fn fleet_keys(fleet: &Fleet) -> [Key; 13] {
    let broker = fleet.broker.as_ref();
    let file = |file: Option<&std::path::PathBuf>| path(file.map(AsRef::as_ref));
    let url = broker.and_then(|broker| text(&without_password(&broker.url)));
    let username = broker.and_then(|broker| text(broker.username.as_deref()?));
    [
        ("broker", url),
        ("ca", file(broker.and_then(|broker| broker.ca.as_ref()))),
        (
            "client_cert",
            file(broker.and_then(|broker| broker.client_cert.as_ref())),
        ),
        (
            "client_key",
            file(broker.and_then(|broker| broker.client_key.as_ref())),
        ),
        ("username", username),
        (
            "password_file",
            file(broker.and_then(|broker| broker.password_file.as_ref())),
        ),
        ("url", fleet.url.as_deref().and_then(text)),
        ("poll_s", whole(fleet.poll_s)),
        (
            "group",
            fleet.group.as_ref().and_then(|group| text(group.as_str())),
        ),
        ("watch_s", whole(fleet.watch_s)),
        ("quiet_s", whole(fleet.quiet_s)),
        ("quiet_max_s", whole(fleet.quiet_max_s)),
        ("drift_s", whole(fleet.drift_s)),
    ]
}

fn section(keys: impl IntoIterator<Item = Key>) -> Value {
    let set = keys
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Table(set.collect())
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

#[expect(clippy::unnecessary_wraps, reason = "keys without a value are `None`")]
fn text(text: &str) -> Option<Value> {
    Some(Value::String(text.to_owned()))
}

#[expect(clippy::unnecessary_wraps, reason = "keys without a value are `None`")]
fn flag(flag: bool) -> Option<Value> {
    Some(Value::Boolean(flag))
}

/// TOML's whole numbers are signed; every limit of the configuration is far below.
fn whole(number: u64) -> Option<Value> {
    i64::try_from(number).ok().map(Value::Integer)
}

fn size(number: usize) -> Option<Value> {
    i64::try_from(number).ok().map(Value::Integer)
}

fn path(path: Option<&Path>) -> Option<Value> {
    path.and_then(|path| text(&path.to_string_lossy()))
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
