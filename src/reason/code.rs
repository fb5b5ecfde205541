//! A code as a text, and as a variant where this version knows it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An enum of codes, each with its text.
pub trait CodeSet: Copy + Eq + fmt::Debug + 'static {
    /// Each code once.
    const ALL: &'static [Self];

    fn as_str(self) -> &'static str;
}

/// A code that was stored or sent: one of this version's, or the text of one that another version
/// wrote.
#[derive(Clone, PartialEq, Eq)]
pub struct Code<T>(Inner<T>);

#[derive(Clone, PartialEq, Eq)]
enum Inner<T> {
    Known(T),
    /// Of no code in `T`.
    Other(Box<str>),
}

impl<T: CodeSet> Code<T> {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Inner::Known(code) => code.as_str(),
            Inner::Other(text) => text,
        }
    }

    /// The code, if this version knows it.
    #[must_use]
    pub fn known(&self) -> Option<T> {
        match &self.0 {
            Inner::Known(code) => Some(*code),
            Inner::Other(_) => None,
        }
    }
}

impl<T: CodeSet> From<T> for Code<T> {
    fn from(code: T) -> Self {
        Self(Inner::Known(code))
    }
}

impl<T: CodeSet> From<&str> for Code<T> {
    fn from(text: &str) -> Self {
        let known = T::ALL.iter().find(|code| code.as_str() == text);
        Self(known.map_or_else(|| Inner::Other(text.into()), |code| Inner::Known(*code)))
    }
}

impl<T: CodeSet> From<String> for Code<T> {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl<T: CodeSet> PartialEq<T> for Code<T> {
    fn eq(&self, other: &T) -> bool {
        self.known() == Some(*other)
    }
}

impl<T: CodeSet> PartialEq<str> for Code<T> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl<T: CodeSet> PartialEq<&str> for Code<T> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl<T: CodeSet> fmt::Display for Code<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<T: CodeSet> fmt::Debug for Code<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<T: CodeSet> Serialize for Code<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, T: CodeSet> Deserialize<'de> for Code<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// Makes an enum of codes with its table: each variant once, with its row.
macro_rules! codes {
    ($(#[$attribute:meta])* $name:ident, $row:ident { $($variant:ident: $value:expr,)+ }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($variant,)+
        }

        impl $name {
            /// Each code once, in the order of `docs/reason-codes.md`.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// All that is known about the code.
            #[must_use]
            pub const fn row(self) -> &'static $row {
                match self {
                    $(Self::$variant => const { &$value },)+
                }
            }

            /// The text of the code in receipts, the journal and the control API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                self.row().code
            }
        }

        impl $crate::reason::CodeSet for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn as_str(self) -> &'static str {
                self.row().code
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(super) use codes;
