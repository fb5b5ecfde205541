//! The data that the front door stores in the journal over a restart, as side values. By
//! [`Namespace`], with the form of the names in it:
//!
//! - `Sessions`, `DEVICE/CLIENTID`: the subscriptions of a persistent session, and when it ends;
//! - `Received`, `DEVICE/CLIENTID/PACKETID`: a QoS 2 publish that is in the journal, and that its
//!   client has not released yet;
//! - `Missed`, `DEVICE/CLIENTID/NUMBER`: a QoS 1 message that its device does not have yet;
//! - `Retained`, `TOPIC`: the last `config/desired`, `state`, `config/reported`;
//! - `Properties`, `TOPIC`: the MQTT properties of that message, if it has any: a QoS other than 1,
//!   MQTT 5 properties.
//!
//! Values are postcard of enums that only grow (`V1`, `V2`, ..). Client ids are escaped, because
//! they may contain any character.

use serde::{Deserialize, Serialize};

use super::message::{Content, Expiry, Message};
use super::wire::Qos;
use crate::event::Name;
use crate::journal::{Namespace, SideKey, SideValue};

#[derive(Debug, Serialize, Deserialize)]
enum StoredSession {
    V1(SessionV1),
}

/// Frozen: a new field is a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionV1 {
    /// Seconds that it lives after its connection ended.
    pub expiry_s: u32,
    /// Unix seconds at which its last connection ended; `None` while connected.
    pub ended_s: Option<i64>,
    pub subscriptions: Vec<SubscriptionV1>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionV1 {
    pub filter: String,
    pub qos: u8,
    pub no_local: bool,
    pub keep_retain: bool,
}

#[derive(Debug, Serialize, Deserialize)]
enum Missed {
    V1(MissedV1),
    V2(MissedV2),
    V3(MissedV3),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedV1 {
    /// Below the device's own prefix.
    pub topic: String,
    pub payload: Vec<u8>,
    pub retain: bool,
}

/// A message with MQTT 5 properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedV2 {
    pub message: MissedV1,
    pub properties: Vec<u8>,
    /// Unix seconds at which it expires.
    pub expires_s: Option<i64>,
}

/// A message that was sent and not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedV3 {
    pub message: MissedV2,
    pub pkid: u16,
}

#[derive(Debug, Serialize, Deserialize)]
enum StoredProperties {
    V1(PropertiesV1),
    V2(PropertiesV2),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertiesV1 {
    /// QoS of the publish.
    pub qos: u8,
    pub properties: Vec<u8>,
    /// Unix seconds at which the message expires.
    pub expires_s: Option<i64>,
}

/// An older version writes the payload of a retained message and not its properties: these belong
/// to the payload with this hash only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertiesV2 {
    pub properties: PropertiesV1,
    /// The first bytes of the payload's BLAKE3 hash.
    pub payload_hash: [u8; 8],
}

/// The properties of a retained message, understood.
#[derive(Debug, PartialEq, Eq)]
pub struct RestoredProperties {
    pub properties: PropertiesV1,
    payload_hash: Option<[u8; 8]>,
}

impl RestoredProperties {
    /// Whether they were written with this payload, as far as that is known.
    pub fn belong_to(&self, payload: &[u8]) -> bool {
        self.payload_hash
            .is_none_or(|hash| hash == payload_hash(payload))
    }
}

fn payload_hash(payload: &[u8]) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(payload).as_bytes()[..8]);
    first
}

/// A missed message, understood.
#[derive(Debug, PartialEq, Eq)]
pub struct RestoredMissed {
    pub topic: String,
    pub content: Content,
    /// The packet id with which it was sent.
    pub pkid: Option<u16>,
}

#[derive(Debug, Serialize, Deserialize)]
enum StoredReceived {
    V1,
}

/// A decoded value of the journal.
#[derive(Debug, PartialEq, Eq)]
pub enum Restored {
    Session(Name, String, SessionV1),
    Missed {
        device: Name,
        client_id: String,
        number: u64,
        message: RestoredMissed,
    },
    Received(Name, String, u16),
    Retained(String, Vec<u8>),
    Properties(String, RestoredProperties),
}

pub fn session_key(device: &Name, client_id: &str) -> SideKey {
    Namespace::Sessions.key(format!("{device}/{}", escape(client_id)))
}

pub fn missed_key(device: &Name, client_id: &str, number: u64) -> SideKey {
    Namespace::Missed.key(format!("{device}/{}/{number:08}", escape(client_id)))
}

pub fn received_key(device: &Name, client_id: &str, pkid: u16) -> SideKey {
    Namespace::Received.key(format!("{device}/{}/{pkid}", escape(client_id)))
}

pub fn retained_key(topic: &str) -> SideKey {
    Namespace::Retained.key(topic)
}

pub fn session_value(session: SessionV1) -> Vec<u8> {
    // Strings and numbers into a vector: it cannot fail.
    postcard::to_stdvec(&StoredSession::V1(session)).unwrap_or_default()
}

/// In the first form that says all. `pkid`: it was sent with this packet id.
pub fn missed_value(message: &Message, pkid: Option<u16>) -> Vec<u8> {
    let content = &message.content;
    let first = MissedV1 {
        topic: message.topic.as_ref().to_owned(),
        payload: content.payload.to_vec(),
        retain: message.retain,
    };
    let is_plain = content.properties.is_empty() && content.expiry.is_none();
    let second = |message| MissedV2 {
        message,
        properties: content.properties.to_vec(),
        expires_s: content.expiry.map(Expiry::second),
    };
    let missed = match pkid {
        Some(pkid) => Missed::V3(MissedV3 {
            message: second(first),
            pkid,
        }),
        None if is_plain => Missed::V1(first),
        None => Missed::V2(second(first)),
    };
    postcard::to_stdvec(&missed).unwrap_or_default()
}

pub fn properties_key(topic: &str) -> SideKey {
    Namespace::Properties.key(topic)
}

/// `None` for a plain message.
pub fn properties_value(content: &Content) -> Option<Vec<u8>> {
    let plain = content.qos == Qos::AtLeastOnce
        && content.properties.is_empty()
        && content.expiry.is_none();
    let properties = PropertiesV1 {
        qos: match content.qos {
            Qos::AtMostOnce => 0,
            Qos::AtLeastOnce => 1,
            Qos::ExactlyOnce => 2,
        },
        properties: content.properties.to_vec(),
        expires_s: content.expiry.map(Expiry::second),
    };
    let properties = StoredProperties::V2(PropertiesV2 {
        properties,
        payload_hash: payload_hash(&content.payload),
    });
    (!plain).then(|| postcard::to_stdvec(&properties).unwrap_or_default())
}

impl From<Missed> for RestoredMissed {
    fn from(missed: Missed) -> Self {
        let (second, pkid) = match missed {
            Missed::V1(message) => {
                let second = MissedV2 {
                    message,
                    properties: Vec::new(),
                    expires_s: None,
                };
                (second, None)
            }
            Missed::V2(second) => (second, None),
            Missed::V3(MissedV3 { message, pkid }) => (message, Some(pkid)),
        };
        let MissedV2 {
            message,
            properties,
            expires_s,
        } = second;
        Self {
            topic: message.topic,
            content: Content {
                properties: properties.into(),
                expiry: expires_s.and_then(Expiry::restore),
                ..Content::plain(message.payload.into(), message.retain)
            },
            pkid,
        }
    }
}

pub fn received_value() -> Vec<u8> {
    postcard::to_stdvec(&StoredReceived::V1).unwrap_or_default()
}

/// Reads a stored value. `None`: the namespace is not the front door's, or a newer version wrote
/// the value.
pub fn read(key: &SideKey, value: &[u8]) -> Option<Restored> {
    let (namespace, rest) = (key.namespace(), key.name());
    if namespace == Namespace::Retained {
        return Some(Restored::Retained(rest.to_owned(), value.to_vec()));
    }
    if namespace == Namespace::Properties {
        let properties = match postcard::from_bytes(value).ok()? {
            StoredProperties::V1(properties) => RestoredProperties {
                properties,
                payload_hash: None,
            },
            StoredProperties::V2(stored) => RestoredProperties {
                properties: stored.properties,
                payload_hash: Some(stored.payload_hash),
            },
        };
        return Some(Restored::Properties(rest.to_owned(), properties));
    }
    let (device, rest) = rest.split_once('/')?;
    let device = Name::new(device).ok()?;
    match namespace {
        Namespace::Sessions => {
            let StoredSession::V1(session) = postcard::from_bytes(value).ok()?;
            Some(Restored::Session(device, unescape(rest)?, session))
        }
        Namespace::Missed => {
            let (client_id, number) = rest.split_once('/')?;
            let missed: Missed = postcard::from_bytes(value).ok()?;
            let number = number.parse().ok()?;
            Some(Restored::Missed {
                device,
                client_id: unescape(client_id)?,
                number,
                message: missed.into(),
            })
        }
        Namespace::Received => {
            let (client_id, pkid) = rest.split_once('/')?;
            let StoredReceived::V1 = postcard::from_bytes(value).ok()?;
            Some(Restored::Received(
                device,
                unescape(client_id)?,
                pkid.parse().ok()?,
            ))
        }
        _ => None,
    }
}

/// The last `state` of each device.
pub fn states<'a>(site: &Name, values: &'a [SideValue]) -> impl Iterator<Item = (Name, &'a [u8])> {
    let prefix = format!("stockrelay/v1/{site}/");
    let retained = values
        .iter()
        .filter(|(key, _)| key.namespace() == Namespace::Retained);
    retained.filter_map(move |(key, value)| {
        let device = key.name().strip_prefix(&prefix)?.strip_suffix("/state")?;
        Some((Name::new(device).ok()?, value.as_slice()))
    })
}

/// Everything but letters, digits, `_`, `.`, `-` becomes `%XX`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-') {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            for digit in [byte >> 4, byte & 0xF] {
                escaped.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    escaped
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
