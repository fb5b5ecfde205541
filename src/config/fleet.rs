//! `[fleet]`: the link to central IT, and how a bundle is applied.

use std::path::PathBuf;

use reqwest::Url;

use super::rules::{BrokerKeys, NAME_ACCEPTED, check_broker, is_loopback, url};
use super::typed_values::Reader;
use crate::event::Name;

const URL_ACCEPTED: &str = "https://HOST[:PORT]/PATH, in which {site} and {group} are replaced by the gateway's site and fleet.group; http:// only to this machine";

/// The section. Without a broker and an address, bundles come only by `stockrelay config apply`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// Central IT's broker.
    pub broker: Option<FleetBroker>,
    /// The address of a bundle. `{site}` and `{group}` are replaced already.
    pub url: Option<String>,
    /// The files for TLS with the broker and with web servers.
    pub tls: FleetTls,
    /// How often the address is polled, in seconds. Default 900; 1 to 86,400.
    pub poll_s: u64,
    /// The group of this site.
    pub group: Option<Name>,
    /// How long a new configuration is watched, in seconds. Default 300; 1 to 86,400.
    pub watch_s: u64,
    /// A bundle is applied when nothing was scanned for this time, in seconds. Default 10; 0 to
    /// 3,600.
    pub quiet_s: u64,
    /// A bundle is applied after this time at the latest, in seconds. Default 600; 0 to 86,400.
    pub quiet_max_s: u64,
    /// How long the configuration of a floor device may differ from the wanted one, in seconds.
    /// Default 3,600; 1 to 2,592,000.
    pub drift_s: u64,
}

/// The files for TLS with central IT's servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetTls {
    /// PEM of the authorities to trust in addition to the system's.
    pub ca: Option<PathBuf>,
    /// PEM chain and key of the client certificate; both or neither.
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
}

/// Central IT's broker, and how a client logs in there.
#[derive(Clone, PartialEq, Eq)]
pub struct FleetBroker {
    /// `mqtts://host:8883` or `mqtt://host:1883`.
    pub url: String,
    /// PEM of the authorities to trust in addition to the system's.
    pub ca: Option<PathBuf>,
    /// PEM chain and key of the client certificate; both or neither.
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub username: Option<String>,
    /// File that contains only the password.
    pub password_file: Option<PathBuf>,
}

impl std::fmt::Debug for FleetBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A URL may contain a password: it is never printed.
        f.debug_struct("FleetBroker").finish_non_exhaustive()
    }
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            broker: None,
            url: None,
            tls: FleetTls::default(),
            poll_s: 900,
            group: None,
            watch_s: 300,
            quiet_s: 10,
            quiet_max_s: 600,
            drift_s: 3_600,
        }
    }
}

/// Reads the section. `site`: `None` if it is missing or has a fault.
pub(super) fn read(reader: &mut Reader, warnings: &mut Vec<String>, site: Option<&Name>) -> Fleet {
    let (broker, tls) = broker(reader, warnings);
    let default = Fleet::default();
    let written = reader.text("fleet.url", 2_048);
    let poll_s = reader.integer("fleet.poll_s", 1..=86_400, default.poll_s);
    let group = reader.parse_key("fleet.group", NAME_ACCEPTED, |text| Name::new(text).ok());
    let url = written.and_then(|url| address(reader, &url, site, group.as_ref()));
    let quiet_s = reader.integer("fleet.quiet_s", 0..=3_600, default.quiet_s);
    let quiet_max_s = reader.integer("fleet.quiet_max_s", 0..=86_400, default.quiet_max_s);
    if reader.is_written("fleet.quiet_max_s") && quiet_max_s < quiet_s {
        reader.fault(
            "fleet.quiet_max_s",
            quiet_max_s.to_string(),
            format!("at least fleet.quiet_s, which is {quiet_s}"),
        );
    }
    Fleet {
        broker,
        url,
        tls,
        poll_s,
        group,
        watch_s: reader.integer("fleet.watch_s", 1..=86_400, default.watch_s),
        quiet_s,
        quiet_max_s,
        drift_s: reader.integer("fleet.drift_s", 1..=2_592_000, default.drift_s),
    }
}

fn broker(reader: &mut Reader, warnings: &mut Vec<String>) -> (Option<FleetBroker>, FleetTls) {
    let keys = BrokerKeys {
        url: "fleet.broker",
        username: "fleet.username",
        password_file: "fleet.password_file",
        ca: "fleet.ca",
        client_cert: "fleet.client_cert",
        client_key: "fleet.client_key",
    };
    let url = url(reader, keys.url, &["mqtt", "mqtts"]);
    let broker = FleetBroker {
        url: String::new(),
        ca: reader.path(keys.ca),
        client_cert: reader.path(keys.client_cert),
        client_key: reader.path(keys.client_key),
        username: reader.text(keys.username, 256),
        password_file: reader.path(keys.password_file),
    };
    check_broker(reader, warnings, &keys, url.as_ref());
    let tls = FleetTls {
        ca: broker.ca.clone(),
        client_cert: broker.client_cert.clone(),
        client_key: broker.client_key.clone(),
    };
    let broker = url.map(|url| FleetBroker {
        url: url.as_str().trim_end_matches('/').to_owned(),
        ..broker
    });
    (broker, tls)
}

/// Replaces `{site}` and `{group}` in the address of the bundle, and checks it. The address is
/// shown in no fault: it may contain a password.
fn address(
    reader: &mut Reader,
    written: &str,
    site: Option<&Name>,
    group: Option<&Name>,
) -> Option<String> {
    let mut address = written.to_owned();
    for (mark, name) in [("{site}", site), ("{group}", group)] {
        match name {
            Some(name) => address = address.replace(mark, name.as_str()),
            // A site that is missing or wrong is a fault of its own.
            None if address.contains(mark) && mark == "{site}" => return None,
            None if address.contains(mark) => {
                let accepted = "fleet.group, or an address without {group}";
                reader.fault("fleet.url", "{group} without a group", accepted);
                return None;
            }
            None => {}
        }
    }
    let url = Url::parse(&address).ok();
    let found = match &url {
        None => "no URL",
        Some(_) if address.contains(['{', '}']) => "another word in { }",
        Some(url) if url.host_str().is_none_or(str::is_empty) => "no host",
        Some(url) if !url.username().is_empty() || url.password().is_some() => {
            "a name or password in the URL (not shown)"
        }
        Some(url) if url.scheme() == "https" => return Some(address),
        Some(url) if url.scheme() == "http" && is_loopback(url) => return Some(address),
        Some(_) => "another scheme than https://",
    };
    reader.fault("fleet.url", found, URL_ACCEPTED);
    None
}
