//! The types of events that move or count goods.

use serde::Deserialize;

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
}
