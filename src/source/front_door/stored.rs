//! The data that the front door stores in the journal over a restart, as small values:
//!
//! - `session/DEVICE/CLIENTID`: the subscriptions of a persistent session, and when it ends;
//! - `received/DEVICE/CLIENTID/PACKETID`: a QoS 2 publish that is in the journal, and that its
//!   client has not released yet;
//! - `missed/DEVICE/CLIENTID/NUMBER`: a QoS 1 message that its device does not have yet;
//! - `retained/TOPIC`: the last `config/desired`, `state`, `config/reported`;
//! - `properties/TOPIC`: the MQTT properties of that message, if it has any: a QoS other than 1,
//!   MQTT 5 properties.
//!
//! Values are postcard of enums that only grow (`V1`, `V2`, ..). Client ids are escaped, because
//! they may contain any character.

use serde::{Deserialize, Serialize};

use super::message::{Content, Expiry, Message};
use super::wire::Qos;
use crate::event::Name;

#[derive(Debug, Serialize, Deserialize)]
enum Session {
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
enum Properties {
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
pub struct KeptProperties {
    pub properties: PropertiesV1,
    payload_hash: Option<[u8; 8]>,
}

impl KeptProperties {
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
pub struct KeptMissed {
    pub topic: String,
    pub content: Content,
    /// The packet id with which it was sent.
    pub pkid: Option<u16>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Received {
    V1,
}

/// A decoded value of the journal.
#[derive(Debug, PartialEq, Eq)]
pub enum Kept {
    Session(Name, String, SessionV1),
    Missed(Name, String, u64, KeptMissed),
    Received(Name, String, u16),
    Retained(String, Vec<u8>),
    Properties(String, KeptProperties),
}

pub fn session_key(device: &Name, client_id: &str) -> String {
    format!("session/{device}/{}", escape(client_id))
}

pub fn missed_key(device: &Name, client_id: &str, number: u64) -> String {
    format!("missed/{device}/{}/{number:08}", escape(client_id))
}

pub fn received_key(device: &Name, client_id: &str, pkid: u16) -> String {
    format!("received/{device}/{}/{pkid}", escape(client_id))
}

/// How the keys of retained messages begin, and those of their properties.
pub const RETAINED: &str = "retained/";
pub const PROPERTIES: &str = "properties/";

pub fn retained_key(topic: &str) -> String {
    format!("{RETAINED}{topic}")
}

pub fn session_value(session: SessionV1) -> Vec<u8> {
    // Strings and numbers into a vector: it cannot fail.
    postcard::to_stdvec(&Session::V1(session)).unwrap_or_default()
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

pub fn properties_key(topic: &str) -> String {
    format!("{PROPERTIES}{topic}")
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
    let properties = Properties::V2(PropertiesV2 {
        properties,
        payload_hash: payload_hash(&content.payload),
    });
    (!plain).then(|| postcard::to_stdvec(&properties).unwrap_or_default())
}

impl From<Missed> for KeptMissed {
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
    postcard::to_stdvec(&Received::V1).unwrap_or_default()
}

/// Reads a stored pair. `None`: the key or value does not belong to the front door, or is of a
/// newer version.
pub fn read(key: &str, value: &[u8]) -> Option<Kept> {
    let (kind, rest) = key.split_once('/')?;
    if kind == "retained" {
        return Some(Kept::Retained(rest.to_owned(), value.to_vec()));
    }
    if kind == "properties" {
        let properties = match postcard::from_bytes(value).ok()? {
            Properties::V1(properties) => KeptProperties {
                properties,
                payload_hash: None,
            },
            Properties::V2(kept) => KeptProperties {
                properties: kept.properties,
                payload_hash: Some(kept.payload_hash),
            },
        };
        return Some(Kept::Properties(rest.to_owned(), properties));
    }
    let (device, rest) = rest.split_once('/')?;
    let device = Name::new(device).ok()?;
    match kind {
        "session" => {
            let Session::V1(session) = postcard::from_bytes(value).ok()?;
            Some(Kept::Session(device, unescape(rest)?, session))
        }
        "missed" => {
            let (client_id, number) = rest.split_once('/')?;
            let missed: Missed = postcard::from_bytes(value).ok()?;
            let number = number.parse().ok()?;
            let missed = missed.into();
            Some(Kept::Missed(device, unescape(client_id)?, number, missed))
        }
        "received" => {
            let (client_id, pkid) = rest.split_once('/')?;
            let Received::V1 = postcard::from_bytes(value).ok()?;
            Some(Kept::Received(
                device,
                unescape(client_id)?,
                pkid.parse().ok()?,
            ))
        }
        _ => None,
    }
}

/// The last `state` of each device.
pub fn states<'a>(
    site: &Name,
    kept: &'a [(String, Vec<u8>)],
) -> impl Iterator<Item = (Name, &'a [u8])> {
    let prefix = retained_key(&format!("stockrelay/v1/{site}/"));
    kept.iter().filter_map(move |(key, value)| {
        let device = key.strip_prefix(&prefix)?.strip_suffix("/state")?;
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
mod tests {
    use super::*;

    fn session() -> SessionV1 {
        SessionV1 {
            expiry_s: 604_800,
            ended_s: Some(1_795_000_000),
            subscriptions: vec![SubscriptionV1 {
                filter: "a/#".to_owned(),
                qos: 1,
                no_local: false,
                keep_retain: true,
            }],
        }
    }

    fn missed(properties: &'static [u8], expiry: Option<Expiry>) -> Message {
        let content = Content {
            properties: properties.into(),
            expiry,
            ..Content::plain(b"{}"[..].into(), false)
        };
        Message {
            topic: "a/receipt".into(),
            content,
            qos: Qos::AtLeastOnce,
            retain: false,
            since: crate::clock::instant(),
            number: Some(1),
        }
    }

    #[test]
    fn what_is_kept_is_found_again() {
        let device = Name::new("pda-1").unwrap();
        for client_id in ["pda-1", "a/b c", "", "ä%2F", "..", "\u{1F600}/"] {
            let key = session_key(&device, client_id);
            assert_eq!(
                read(&key, &session_value(session())),
                Some(Kept::Session(
                    device.clone(),
                    client_id.to_owned(),
                    session()
                ))
            );
            let key = missed_key(&device, client_id, 123_456_789);
            for properties in [&b""[..], &[1, 1]] {
                let missed = missed(properties, None);
                for pkid in [None, Some(7)] {
                    let kept = KeptMissed {
                        topic: "a/receipt".to_owned(),
                        content: missed.content.clone(),
                        pkid,
                    };
                    let client_id = client_id.to_owned();
                    assert_eq!(
                        read(&key, &missed_value(&missed, pkid)),
                        Some(Kept::Missed(device.clone(), client_id, 123_456_789, kept))
                    );
                }
            }
        }
        let key = received_key(&device, "a/b c", 65_535);
        let received = Kept::Received(device.clone(), "a/b c".to_owned(), 65_535);
        assert_eq!(read(&key, &received_value()), Some(received));
        assert_eq!(
            read("retained/a/b", b"x"),
            Some(Kept::Retained("a/b".to_owned(), b"x".to_vec()))
        );
        let plain = Content::plain(b"x"[..].into(), true);
        assert_eq!(properties_value(&plain), None);
        for (key, value) in [
            ("session/pda-1/x", &b"\xff\xff"[..]),
            ("session/a b/x", b""),
            ("other/x/y", b""),
        ] {
            assert_eq!(read(key, value), None, "{key}");
        }
    }

    #[test]
    fn an_expiry_on_disk_is_counted_on() {
        let expiry = Expiry::after(100).unwrap();
        let value = missed_value(&missed(b"", Some(expiry)), None);
        let Some(Kept::Missed(.., kept)) = read("missed/pda-1/x/1", &value) else {
            panic!("not a missed message");
        };
        let left = kept.content.expiry.unwrap().second() - expiry.second();
        assert!((-1..=1).contains(&left), "{left}");
        assert!(!kept.content.is_expired());
        assert!(Expiry::restore(1).unwrap().is_over());
    }

    #[test]
    fn the_first_versions_bytes_are_understood_for_ever() {
        let bytes = session_value(session());
        assert_eq!(
            bytes,
            [
                0, 128, 245, 36, 1, 128, 155, 236, 175, 13, 1, 3, b'a', b'/', b'#', 1, 0, 1
            ]
        );
        assert_eq!(received_value(), [0]);
        assert_eq!(
            missed_value(&missed(b"", None), None),
            [
                0, 9, b'a', b'/', b'r', b'e', b'c', b'e', b'i', b'p', b't', 2, b'{', b'}', 0
            ]
        );
        assert_eq!(
            missed_value(&missed(&[1, 1], None), None),
            [
                1, 9, b'a', b'/', b'r', b'e', b'c', b'e', b'i', b'p', b't', 2, b'{', b'}', 0, 2, 1,
                1, 0
            ]
        );
        assert_eq!(
            missed_value(&missed(&[1, 1], None), Some(7)),
            [
                2, 9, b'a', b'/', b'r', b'e', b'c', b'e', b'i', b'p', b't', 2, b'{', b'}', 0, 2, 1,
                1, 0, 7
            ]
        );
        let properties = PropertiesV1 {
            qos: 2,
            properties: vec![1, 1],
            expires_s: Some(1_795_000_000),
        };
        let bytes = [0, 2, 2, 1, 1, 1, 128, 155, 236, 175, 13];
        let kept = |payload_hash| {
            let properties = properties.clone();
            let kept = KeptProperties {
                properties,
                payload_hash,
            };
            Some(Kept::Properties("a/b".to_owned(), kept))
        };
        assert_eq!(read("properties/a/b", &bytes), kept(None));
        let second = [
            1, 2, 2, 1, 1, 1, 128, 155, 236, 175, 13, 8, 7, 6, 5, 4, 3, 2, 1,
        ];
        let hash = [8, 7, 6, 5, 4, 3, 2, 1];
        assert_eq!(read("properties/a/b", &second), kept(Some(hash)));
        let written = postcard::to_stdvec(&Properties::V1(properties.clone()));
        assert_eq!(written.unwrap(), bytes);
        let written = postcard::to_stdvec(&Properties::V2(PropertiesV2 {
            properties,
            payload_hash: hash,
        }));
        assert_eq!(written.unwrap(), second);
    }
}
