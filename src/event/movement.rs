//! The types of events that move or count goods.

use serde::Deserialize;

use super::fields::EventType;

/// The type of an event that moves or counts goods. Flows make events of these types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Movement {
    Transfer,
    Pick,
    Receive,
    Count,
    Scrap,
    Return,
    Pack,
}

impl Movement {
    /// Each movement once, in the order of `docs/mqtt.md`.
    pub const ALL: [Self; 7] = [
        Self::Transfer,
        Self::Pick,
        Self::Receive,
        Self::Count,
        Self::Scrap,
        Self::Return,
        Self::Pack,
    ];

    /// The row of the table of event types.
    #[must_use]
    pub fn event_type(self) -> &'static EventType {
        EventType::of(self)
    }

    /// The `type` of its events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.event_type().name
    }

    /// The movement whose events have this `type`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.as_str() == name)
    }
}
