//! Events: who did what on the floor, and when, as the device sent it.
//!
//! `decode` and `flow` create events; only the journal numbers them (`seq`). **Invariant 3:**
//! events never change. A correction is another event.
//!
//! - `action`: what an event says was done, and its [`Goods`].
//! - `movement`, `fields`: the types of events, and the table of the fields that each takes.
//! - `number`: the types of numbers that the journal assigns.

mod action;
mod fields;
mod movement;
mod number;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use action::{Action, Goods, Move};
pub use fields::{EventType, Field, Gathering, Presence};
pub use movement::Movement;
pub(crate) use number::number_type;

use crate::reason::{Flag, RejectionCode};

/// The longest event id that is accepted, in bytes.
pub const EVENT_ID_BYTES_MAX: usize = 128;
/// The longest barcode, order name, lot or other text field that is accepted, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;

/// A clock that shows an earlier time is wrong: 2026-01-01T00:00:00Z, before this version was made.
/// A gateway that boots without a battery and without a network shows 1970.
pub const CLOCK_MIN: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The accepted times, in seconds since 1970: from 1970 on and before 2200. In nanoseconds they
/// fit 64 bits.
const TIME_SECONDS: std::ops::Range<i64> = 0..7_258_118_400;

/// Whether a time of a device or a scanner is accepted: it is from 1970 to 2199.
#[must_use]
pub fn is_plausible(at: Timestamp) -> bool {
    TIME_SECONDS.contains(&at.as_second())
}

/// The name of a site or a device, as topics contain it: `[A-Za-z0-9_.-]{1,64}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("name {0:?} is not 1 to 64 characters of A-Z a-z 0-9 _ . -")]
pub struct BadName(pub String);

impl Name {
    pub fn new(text: &str) -> Result<Self, BadName> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.into()))
        } else {
            Err(BadName(text.chars().take(80).collect()))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::new(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// The kind of topic on which a device publishes scans or events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Scan,
    Event,
}

impl Channel {
    /// The last part of the topic.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Event => "event",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Scan, Self::Event]
            .into_iter()
            .find(|channel| channel.name() == name)
    }
}

/// How a reading arrived; receipts go back the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// The gateway's own MQTT front door.
    Listen,
    /// An MQTT broker of the site.
    Broker,
    /// A scanner on a serial port.
    Serial,
    /// A scanner that acts as a keyboard.
    Hid,
    /// A flow, which makes events of scans.
    Flow,
}

impl SourceKind {
    /// The name that `status` shows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Listen => "mqtt.listen",
            Self::Broker => "mqtt.broker",
            Self::Serial => "serial",
            Self::Hid => "hid",
            Self::Flow => "flow",
        }
    }

    /// The source with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Listen,
            Self::Broker,
            Self::Serial,
            Self::Hid,
            Self::Flow,
        ];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

/// Weights and dimensions from labels, by names such as `net_kg` (`docs/gs1.md`): the sum over all
/// labels that were read. Mostly empty.
pub type Measures = BTreeMap<String, Decimal>;

/// One thing that was done on the floor. The journal has not numbered it yet, or the number is in
/// [`Recorded`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub device: Name,
    /// The device's own id, unique within the device; or, with `id_derived`, an id that the gateway
    /// made and that no other event has.
    pub id: String,
    pub id_derived: bool,
    pub source: SourceKind,
    /// When it was done, by the device's clock. If the device sent no time: the time of receipt.
    pub at: Timestamp,
    pub received: Timestamp,
    pub measures: Measures,
    pub operator: Option<String>,
    /// Warnings about how the event arrived; mostly empty.
    pub flags: Vec<EventFlag>,
    pub action: Action,
}

impl Event {
    /// The time that the device gave, or the time of receipt if that is earlier.
    #[must_use]
    pub fn given_time(&self) -> Timestamp {
        self.at.min(self.received)
    }
}

/// A warning about how an event arrived; `docs/reason-codes.md` explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventFlag {
    /// The message has no id, and its sender marked it as perhaps sent before (MQTT's DUP).
    PossibleRepeat,
}

impl EventFlag {
    /// Each flag once.
    pub const ALL: &[Self] = &[Self::PossibleRepeat];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.on_document().as_str()
    }

    /// The flag of a document with such an event.
    #[must_use]
    pub fn on_document(self) -> Flag {
        match self {
            Self::PossibleRepeat => Flag::PossibleRepeat,
        }
    }
}

number_type! {
    /// The number of an event: rising, never reused. The journal alone assigns it.
    Seq
}

number_type! {
    /// The number of a rejected reading: rising, never reused. The journal alone assigns it.
    RejectedNumber
}

/// An event with the number that the journal gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub seq: Seq,
    pub event: Event,
}

/// A reading that could not become an event: stored, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub device: Name,
    pub source: SourceKind,
    /// The kind of topic on which it arrived. `None`: the topic names no channel.
    pub channel: Option<Channel>,
    pub received: Timestamp,
    /// The device's id for it. `None`: it has no id, or the id could not be read.
    pub id: Option<String>,
    pub code: RejectionCode,
    /// The fault and the remedy, for a person.
    pub message: String,
    /// The bytes that arrived.
    pub payload: Vec<u8>,
    /// Whether `payload` holds only the beginning of them.
    pub cut: bool,
}

/// The code of a message on a topic of another device. A state, a reported configuration and an
/// empty message contain no scan.
#[must_use]
pub fn astray_code(topic: &str, payload: &[u8]) -> RejectionCode {
    let is_state = topic.ends_with("/state") || topic.ends_with("/config/reported");
    if is_state || payload.is_empty() {
        RejectionCode::AstrayState
    } else {
        RejectionCode::NotYourTopic
    }
}

/// Describes that a device published to a topic of another device or site. `own`: the beginning of
/// the topics of the device.
#[must_use]
pub fn describe_astray(topic: &str, device: &Name, own: &str) -> String {
    format!(
        "{topic:?} is not a topic that {device} may publish to: use scan, event, state or config/reported below {own}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_or_nothing_under_a_wrong_topic_needs_no_person() {
        for (topic, payload, needed) in [
            ("stockrelay/v1/s/other/event", "{}", true),
            ("stockrelay/v1/s/other/event", "", false),
            ("stockrelay/v1/s/other/state", "{}", false),
            ("stockrelay/v1/s/other/config/reported", "{}", false),
            ("x", "4006381333931", true),
        ] {
            let code = astray_code(topic, payload.as_bytes());
            assert_eq!(code.needs_person(), needed, "{topic} {payload}");
        }
        assert!(!RejectionCode::Empty.needs_person());
    }

    #[test]
    fn names_are_what_topics_can_carry() {
        for good in ["a", "PDA-07", "dock_2.left", &"x".repeat(64)] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a/b", "a+", "#", "ä", "a b", &"x".repeat(65)] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
    }
}
