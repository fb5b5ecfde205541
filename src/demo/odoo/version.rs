//! Which Odoo the stand-in is. `Store` holds everything in the words of 19.

/// The versions that the stand-in can be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    V17,
    V18,
    #[default]
    V19,
}

impl Version {
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::V17 => 17,
            Self::V18 => 18,
            Self::V19 => 19,
        }
    }

    /// It has `/json/2` and `/web/version`.
    #[must_use]
    pub fn has_json_2(self) -> bool {
        self >= Self::V19
    }
}
