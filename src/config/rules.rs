//! Rules that several sections of the configuration share: addresses, and clients of brokers.

use std::path::PathBuf;

use reqwest::Url;

use super::typed_values::Reader;

pub(super) const NAME_ACCEPTED: &str = "1 to 64 characters of A-Z a-z 0-9 _ . -";

/// The keys of a section that names a broker.
pub(super) struct BrokerKeys {
    pub url: &'static str,
    pub username: &'static str,
    pub password_file: &'static str,
    pub ca: &'static str,
    pub client_cert: &'static str,
    pub client_key: &'static str,
}

/// Checks the rules between the keys of a broker. `url`: `None` if it is missing or has a fault.
pub(super) fn check_broker(
    reader: &mut Reader,
    warnings: &mut Vec<String>,
    keys: &BrokerKeys,
    url: Option<&Url>,
) {
    let is_written = |reader: &Reader, key: &str| reader.is_written(key);
    let pair = (keys.client_cert, keys.client_key);
    let written = (is_written(reader, pair.0), is_written(reader, pair.1));
    report_single(reader, pair, written);
    if is_written(reader, keys.password_file) && !is_written(reader, keys.username) {
        let username = keys.username;
        reader.fault(
            keys.password_file,
            "a password without a user name",
            format!(
                "password_file together with {username}: MQTT 3.1.1 allows no password without a user name"
            ),
        );
    }
    let Some(url) = url.filter(|url| url.scheme() == "mqtt") else {
        return;
    };
    for key in [keys.ca, keys.client_cert] {
        if is_written(reader, key) {
            let url = keys.url;
            reader.fault(
                key,
                "certificates for a connection without TLS",
                format!("certificates together with a mqtts:// address in {url}"),
            );
        }
    }
    if is_written(reader, keys.password_file) && !is_loopback(url) {
        warnings.push(format!(
            "{} is mqtt:// to {}: others on the network can read the password; use mqtts://",
            keys.url,
            url.host_str().unwrap_or_default()
        ));
    }
}

/// Reads a URL of a scheme, a host and perhaps a port. That it is missing is a fault only if its
/// section needs it.
pub(super) fn url(reader: &mut Reader, key: &'static str, schemes: &[&str]) -> Option<Url> {
    let accepted = format!(
        "{}://HOST or {}://HOST:PORT",
        schemes[0],
        schemes[schemes.len() - 1]
    );
    let faults = reader.faults.len();
    reader.places.push(key);
    let Some(url) = reader.parse_key(key, &accepted, |text| Url::parse(text).ok()) else {
        let needed = match key {
            "odoo.url" => true,
            "mqtt.broker.url" => reader.has("mqtt.broker"),
            _ => false,
        };
        if needed && reader.faults.len() == faults {
            reader.missing(key, &accepted);
        }
        return None;
    };
    // The rest of the URL is never shown: it may contain a password.
    let found = if !url.username().is_empty() || url.password().is_some() {
        "a name or password in the URL (not shown)".to_owned()
    } else if !schemes.contains(&url.scheme()) {
        format!("the scheme {}", url.scheme())
    } else if url.host_str().is_none_or(str::is_empty) {
        "no host".to_owned()
    } else if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        "a path or query after the host and port".to_owned()
    } else {
        return Some(url);
    };
    let remedy = match key {
        "mqtt.broker.url" => {
            "; put the name into mqtt.broker.username, and the password into the file of mqtt.broker.password_file"
        }
        "fleet.broker" => {
            "; put the name into fleet.username, and the password into the file of fleet.password_file"
        }
        _ => "; put the API key into the file of odoo.api_key_file",
    };
    let remedy = if found.starts_with("a name") {
        remedy
    } else {
        ""
    };
    reader.fault(key, found, format!("{accepted}{remedy}"));
    None
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

pub(super) fn both_or_neither(
    reader: &mut Reader,
    (one, one_path): (&str, Option<&PathBuf>),
    (other, other_path): (&str, Option<&PathBuf>),
) {
    let written = (one_path.is_some(), other_path.is_some());
    report_single(reader, (one, other), written);
}

fn report_single(reader: &mut Reader, (one, other): (&str, &str), written: (bool, bool)) {
    let (key, lacks) = match written {
        (true, false) => (one, other),
        (false, true) => (other, one),
        _ => return,
    };
    reader.fault(
        key,
        format!("it without {lacks}"),
        format!("both {one} and {other}, or neither"),
    );
}
