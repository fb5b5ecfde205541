//! The way to a server: its name, and the certificates that it shows.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

use super::Finding;
use super::certificates::judge_days;
use crate::clock;
use crate::tls;

/// The name of the finding about a host's address.
const DNS: &str = "dns";
/// A slow name server delays each new connection.
const DNS_SLOW: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Finds the address of the host in `url`, which `key` names. `None`: it is an address, or cannot
/// be found, which the call to the server reports.
pub(super) async fn dns(key: &str, url: &str) -> Option<Finding> {
    let (host, port) = host_of(url)?;
    if host == "localhost" || host.parse::<IpAddr>().is_ok() {
        return None;
    }
    let begun = clock::instant();
    let found = tokio::time::timeout(WAIT_MAX, lookup_host((host.as_str(), port)));
    let found: Vec<String> = found
        .await
        .ok()?
        .ok()?
        .map(|address| address.ip().to_string())
        .collect();
    Some(judge_dns(key, &host, &found, begun.elapsed()))
}

fn judge_dns(key: &str, host: &str, found: &[String], time: Duration) -> Finding {
    let what = format!("the host {host} of {key} is {}", found.join(", "));
    if time < DNS_SLOW {
        return Finding::ok(DNS, what);
    }
    Finding::warn(
        DNS,
        format!(
            "{what}; the name server needed {} s to answer",
            time.as_secs()
        ),
        "each new connection waits that long",
        "correct the name servers (`resolvectl status`, /etc/resolv.conf)",
    )
}

/// The certificates of the server at an `https` or `mqtts` URL, which `key` names. `None`: the URL
/// has no TLS, or the handshake fails, which the call to the server reports.
pub(super) async fn server_certificates(
    key: &'static str,
    url: &str,
    ca: Option<&Path>,
    now: Timestamp,
) -> Option<Finding> {
    let scheme = url.split("://").next()?;
    if scheme != "https" && scheme != "mqtts" {
        return None;
    }
    let (host, port) = host_of(url)?;
    let expires = tokio::time::timeout(WAIT_MAX, find_expiry(&host, port, ca));
    let expires = expires.await.ok()??;
    let what = format!("the chain of certificates of {host}:{port}");
    Some(judge_days(
        key,
        &what,
        expires,
        now,
        "the gateway then rejects the server, stores scans and sends nothing",
        &format!("renew the certificate of {host}, and send the whole chain"),
    ))
}

/// When the first certificate of the server's chain expires.
async fn find_expiry(host: &str, port: u16, ca: Option<&Path>) -> Option<Timestamp> {
    let config = tls::client_config(ca).ok()?;
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let stream = TcpStream::connect((host, port)).await.ok()?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let connected = connected.await.ok()?;
    let (_, session) = connected.get_ref();
    let chain = session.peer_certificates()?.iter();
    chain.filter_map(tls::expiry).min()
}

/// Host and port of a URL.
fn host_of(url: &str) -> Option<(String, u16)> {
    let url = Url::parse(url).ok()?;
    let port = url.port_or_known_default().or(match url.scheme() {
        "mqtt" => Some(1_883),
        "mqtts" => Some(8_883),
        _ => None,
    })?;
    let host = url.host_str()?.trim_matches(['[', ']']);
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::check::Level;

    #[test]
    fn host_and_port_are_found_in_each_kind_of_url() {
        let of = |url| host_of(url).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(
            of("https://odoo.example").as_deref(),
            Some("odoo.example 443")
        );
        assert_eq!(of("http://odoo:8069").as_deref(), Some("odoo 8069"));
        assert_eq!(of("mqtts://it.example").as_deref(), Some("it.example 8883"));
        assert_eq!(of("https://[::1]:8443").as_deref(), Some("::1 8443"));
    }

    #[test]
    fn a_slow_name_server_is_named_with_its_time() {
        let found = ["192.0.2.1".to_owned()];
        let judge = |seconds| judge_dns("odoo.url", "odoo", &found, Duration::from_secs(seconds));
        assert_eq!(judge(0).level, Level::Ok);
        let slow = judge(5);
        assert_eq!(slow.level, Level::Warn);
        assert!(slow.what.ends_with("needed 5 s to answer"), "{slow}");
    }

    #[tokio::test]
    async fn an_address_needs_no_name_server_and_http_has_no_certificate() {
        assert_eq!(dns("odoo.url", "http://127.0.0.1:8069").await, None);
        let now = Timestamp::UNIX_EPOCH;
        let none = server_certificates("odoo.url", "http://127.0.0.1:9", None, now);
        assert_eq!(none.await, None);
    }
}
