//! The topics on central IT's broker, and the messages that announce a bundle there.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::archive::BYTES_MAX;
use super::manifest::{Hash, NUMBER_MAX, format_hash, parse_hash};
use crate::event::Name;

/// The bundle for all gateways, retained.
pub const BUNDLE_TOPIC: &str = "stockrelay-fleet/v1/bundle";
/// The bundles of all groups, as a filter for a subscription.
pub const GROUP_BUNDLES: &str = "stockrelay-fleet/v1/bundle/+";
/// The stop, retained.
pub const STOP_TOPIC: &str = "stockrelay-fleet/v1/stop";
/// The reports of all sites, as a filter.
pub const REPORTS: &str = "stockrelay-fleet/v1/report/+";
/// Whether the sites are connected, as a filter.
pub const ONLINE: &str = "stockrelay-fleet/v1/online/+";
const REPORT_START: &str = "stockrelay-fleet/v1/report/";
const ONLINE_START: &str = "stockrelay-fleet/v1/online/";
/// The largest announcement of an address, in bytes.
const ADDRESS_BYTES_MAX: usize = 16 << 10;

/// Returns the topic of a group's bundle. `None`: the topic for all gateways.
#[must_use]
pub fn bundle_topic(group: Option<&Name>) -> String {
    match group {
        Some(group) => format!("{BUNDLE_TOPIC}/{group}"),
        None => BUNDLE_TOPIC.to_owned(),
    }
}

#[must_use]
pub fn report_topic(site: &Name) -> String {
    format!("{REPORT_START}{site}")
}

#[must_use]
pub fn online_topic(site: &Name) -> String {
    format!("{ONLINE_START}{site}")
}

/// A topic on which a gateway publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SiteTopic {
    Report(Name),
    Online(Name),
}

impl SiteTopic {
    /// `None`: the topic is another one.
    #[must_use]
    pub fn parse(topic: &str) -> Option<Self> {
        if let Some(site) = topic.strip_prefix(REPORT_START) {
            return Name::new(site).ok().map(Self::Report);
        }
        let site = topic.strip_prefix(ONLINE_START)?;
        Name::new(site).ok().map(Self::Online)
    }
}

/// Whether a topic is that of a bundle.
#[must_use]
pub fn is_bundle_topic(topic: &str) -> bool {
    let group = topic.strip_prefix(BUNDLE_TOPIC);
    group.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A message on the topic of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    /// The bundle itself. Nothing of it is checked.
    Bundle(Bytes),
    /// For large bundles: where the bundle is.
    Address(BundleAddress),
}

/// Where a bundle is. Nothing of it is signed: only the bundle decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleAddress {
    pub serial: u64,
    pub url: String,
    pub sha256: Hash,
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AnnouncedError {
    #[error("the message is empty")]
    Empty,
    #[error(
        "the message begins like JSON and is not {{\"serial\": N, \"url\": \"https://...\", \"sha256\": \"64 digits\", \"bytes\": N}} with at most {BYTES_MAX} bytes: {reason}"
    )]
    BadAddress { reason: String },
}

#[derive(Serialize, Deserialize)]
struct AddressForm {
    serial: u64,
    url: String,
    sha256: String,
    bytes: u64,
}

impl Announced {
    pub fn parse(payload: &Bytes) -> Result<Self, AnnouncedError> {
        match payload.first() {
            None => Err(AnnouncedError::Empty),
            Some(b'{') => BundleAddress::parse(payload).map(Self::Address),
            Some(_) => Ok(Self::Bundle(payload.clone())),
        }
    }
}

impl BundleAddress {
    fn parse(payload: &[u8]) -> Result<Self, AnnouncedError> {
        let bad = |reason: String| AnnouncedError::BadAddress { reason };
        if payload.len() > ADDRESS_BYTES_MAX {
            return Err(bad(format!("it has {} bytes", payload.len())));
        }
        let form: AddressForm =
            serde_json::from_slice(payload).map_err(|error| bad(error.to_string()))?;
        let sha256 = parse_hash(&form.sha256);
        let sha256 = sha256.ok_or_else(|| bad("sha256 is no SHA-256".to_owned()))?;
        if form.bytes > BYTES_MAX as u64 || !(1..=NUMBER_MAX).contains(&form.serial) {
            return Err(bad("serial or bytes is out of range".to_owned()));
        }
        Ok(Self {
            serial: form.serial,
            url: form.url,
            sha256,
            bytes: form.bytes,
        })
    }

    /// Writes the message.
    #[must_use]
    pub fn text(&self) -> String {
        let form = AddressForm {
            serial: self.serial,
            url: self.url.clone(),
            sha256: format_hash(&self.sha256),
            bytes: self.bytes,
        };
        serde_json::to_string(&form).expect("texts and numbers are JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_of_a_gateway_names_its_site() {
        let site = Name::new("ams1").unwrap();
        let report = SiteTopic::parse(&report_topic(&site));
        assert_eq!(report, Some(SiteTopic::Report(site.clone())));
        let online = SiteTopic::parse(&online_topic(&site));
        assert_eq!(online, Some(SiteTopic::Online(site)));
        for topic in [
            "stockrelay-fleet/v1/report/",
            "stockrelay-fleet/v1/report/a b",
            "stockrelay-fleet/v1/report/a/b",
            "stockrelay-fleet/v1/stop",
        ] {
            assert_eq!(SiteTopic::parse(topic), None, "{topic}");
        }
        assert!(is_bundle_topic("stockrelay-fleet/v1/bundle"));
        assert!(is_bundle_topic("stockrelay-fleet/v1/bundle/nl"));
        assert!(!is_bundle_topic("stockrelay-fleet/v1/bundles"));
    }

    #[test]
    fn an_announcement_is_a_bundle_or_an_address() {
        let address = BundleAddress {
            serial: 42,
            url: "https://it.example/42.bundle".to_owned(),
            sha256: [7; 32],
            bytes: 812,
        };
        let text = Bytes::from(address.text());
        assert_eq!(Announced::parse(&text), Ok(Announced::Address(address)));
        let tar = Bytes::from_static(b"manifest.toml");
        assert_eq!(Announced::parse(&tar), Ok(Announced::Bundle(tar.clone())));
        assert_eq!(Announced::parse(&Bytes::new()), Err(AnnouncedError::Empty));
        let wrong = [
            "{",
            r#"{"serial": 42}"#,
            r#"{"serial": 0, "url": "", "sha256": "", "bytes": 1}"#,
            &format!(
                r#"{{"serial": 1, "url": "", "sha256": "{}", "bytes": {}}}"#,
                "0".repeat(64),
                BYTES_MAX + 1
            ),
            &format!("{{{}", " ".repeat(ADDRESS_BYTES_MAX)),
        ];
        for text in wrong {
            let parsed = Announced::parse(&Bytes::copy_from_slice(text.as_bytes()));
            assert!(
                matches!(parsed, Err(AnnouncedError::BadAddress { .. })),
                "{text:.80}"
            );
        }
    }
}
