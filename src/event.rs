//! The canonical, immutable fact: who did what, when, as the floor said it.
//!
//! Comes in from `decode`, goes out to the journal, which alone gives it a `seq`.
//! **Invariant 3:** events never change. A correction is another event.

mod action;
mod fields;
mod movement;

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

/// The longest event id that is taken, in bytes.
pub const EVENT_ID_BYTES_MAX: usize = 128;
/// The longest barcode, order name, lot or other text field that is taken, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;

/// No correct clock shows an earlier time than that of this version: 2026-01-01T00:00:00Z. A
/// gateway that boots without a battery and without a network says 1970.
pub const CLOCK_MIN: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Seconds since 1970 of every time that is taken: from 1970 on and before 2200. In nanoseconds
/// they fit 64 bits.
const TIME_SECONDS: std::ops::Range<i64> = 0..7_258_118_400;

/// Whether a time is one that is taken, from 1970 to 2199. The limit is the same for all times that
/// devices and scanners say.
#[must_use]
pub fn is_plausible(at: Timestamp) -> bool {
    TIME_SECONDS.contains(&at.as_second())
}

/// A site's or device's name: `[A-Za-z0-9_.-]{1,64}`, as it stands in topics.
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

/// What a device publishes that becomes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Scan,
    Event,
}

impl Channel {
    /// The last part of its topics.
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

/// How a reading came in; receipts go back the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// The gateway's own MQTT front door.
    Listen,
    /// An MQTT broker that was there already.
    Broker,
    /// A scanner on a serial port.
    Serial,
    /// A scanner that types like a keyboard.
    Hid,
    /// What a flow made of scans.
    Flow,
}

impl SourceKind {
    /// What `status` shows as a device's source, and, of MQTT, lists as one.
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

/// What a label says of weight and dimensions, by names such as `net_kg` (`docs/gs1.md`); the sum
/// of all labels that were read. Mostly empty.
pub type Measures = BTreeMap<String, Decimal>;

/// One thing that happened on the floor, before or after the journal has numbered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub device: Name,
    /// The device's own id, unique within the device; or one that the gateway made (`id_derived`),
    /// which no other event has.
    pub id: String,
    pub id_derived: bool,
    pub source: SourceKind,
    /// When it was done, by the device's clock; the time of receipt where the device named none.
    pub at: Timestamp,
    pub received: Timestamp,
    pub measures: Measures,
    pub operator: Option<String>,
    /// What a person should know of how it came; mostly empty.
    pub flags: Vec<EventFlag>,
    pub action: Action,
}

impl Event {
    /// When it was done by the device's clock, and never later than it was received.
    #[must_use]
    pub fn given_time(&self) -> Timestamp {
        self.at.min(self.received)
    }
}

/// What a person should know of how an event came; `docs/reason-codes.md` explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventFlag {
    /// Its message has no id, and its sender says that it may have sent the message before (MQTT's
    /// DUP).
    PossibleRepeat,
}

impl EventFlag {
    /// Each flag once.
    pub const ALL: &[Self] = &[Self::PossibleRepeat];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PossibleRepeat => "possible-repeat",
        }
    }
}

/// An event with the number that the journal gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Rising, never reused, given by the journal alone.
    pub seq: u64,
    pub event: Event,
}

/// A reading that no event could be made of: kept, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub device: Name,
    pub source: SourceKind,
    /// Where it came; none where its topic names no channel.
    pub channel: Option<Channel>,
    pub received: Timestamp,
    /// The device's id for it, where one could be read.
    pub id: Option<String>,
    /// `bad-json`, `missing-field`, ... as `docs/reason-codes.md` lists them.
    pub code: &'static str,
    /// For a person: the thing and the remedy.
    pub message: String,
    /// What came.
    pub payload: Vec<u8>,
    /// Only the beginning of it is in `payload`.
    pub cut: bool,
}

/// The code of a scan or an event that a broker has retained: the same message may come again.
pub const RETAINED: &str = "retained";

/// The code of what a device had begun in a flow when its pause was too long.
pub const NOT_FINISHED: &str = "not-finished";

/// Codes of readings in which nothing was scanned: a scanner that read nothing, or that said
/// something else than a read; and messages that hold nothing, such as those that clear a topic.
const NO_FAULT: [&str; 4] = ["no-read", "not-a-scan", "empty", "astray-state"];

/// The code of a message under a topic that is not its device's: in a state, a reported
/// configuration or an empty message nothing was scanned.
#[must_use]
pub fn astray_code(topic: &str, payload: &[u8]) -> &'static str {
    let is_state = topic.ends_with("/state") || topic.ends_with("/config/reported");
    if is_state || payload.is_empty() {
        "astray-state"
    } else {
        "not-your-topic"
    }
}

/// Whether a person has to settle a rejected reading with this code: something was scanned.
#[must_use]
pub fn needs_person(code: &str) -> bool {
    !NO_FAULT.contains(&code)
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
            assert_eq!(needs_person(code), needed, "{topic} {payload}");
        }
        assert!(!needs_person("empty"));
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
