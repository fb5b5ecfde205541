//! The types of the events that flows make.

use serde::Deserialize;

/// The type of the events that a flow makes.
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
    pub const ALL: [Self; 7] = [
        Self::Transfer,
        Self::Pick,
        Self::Receive,
        Self::Count,
        Self::Scrap,
        Self::Return,
        Self::Pack,
    ];

    /// As `type` of an event has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Pick => "pick",
            Self::Receive => "receive",
            Self::Count => "count",
            Self::Scrap => "scrap",
            Self::Return => "return",
            Self::Pack => "pack",
        }
    }

    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.as_str() == name)
    }
}
