//! Odoo's words for the state of a picking or a move and for the direction of a picking. Pure.
//!
//! Each enum is one table of variants and words. A word that the table lacks becomes `Other`, which
//! keeps the text: another version of Odoo, or an app, may add words. JSON holds the bare word.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $($(#[$note:meta])* $variant:ident = $word:literal,)* }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$note])* $variant,)*
            /// Any other value, as Odoo wrote it. Empty: Odoo sent no value.
            Other(Box<str>),
        }

        impl $name {
            /// The value that Odoo uses.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    _ => Self::Other(word.into()),
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::from(word.as_str())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::Other(Box::default())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// The state of a picking: Odoo's field `stock.picking.state`.
    pub enum PickingState {
        Draft = "draft",
        /// Another move or picking must be done first.
        Waiting = "waiting",
        /// Odoo has not reserved the goods yet.
        Confirmed = "confirmed",
        /// Odoo has reserved the goods.
        Assigned = "assigned",
        Done = "done",
        Cancelled = "cancel",
    }
}

words! {
    /// The state of a move: Odoo's field `stock.move.state`.
    pub enum MoveState {
        Draft = "draft",
        Waiting = "waiting",
        Confirmed = "confirmed",
        /// Odoo has reserved a part of the goods.
        PartlyAssigned = "partially_available",
        Assigned = "assigned",
        Done = "done",
        Cancelled = "cancel",
    }
}

words! {
    /// The direction of a picking: Odoo's field `stock.picking.type.code`.
    pub enum Direction {
        Incoming = "incoming",
        Outgoing = "outgoing",
        Internal = "internal",
    }
}

impl PickingState {
    /// The states that allow no further change of a picking.
    pub const FINISHED: [Self; 2] = [Self::Done, Self::Cancelled];

    /// Whether the picking is neither done nor cancelled. An unknown state counts as open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !Self::FINISHED.contains(self)
    }
}

impl MoveState {
    /// The states that allow no further change of a move.
    pub const FINISHED: [Self; 2] = [Self::Done, Self::Cancelled];

    /// Whether the move is neither done nor cancelled. An unknown state counts as open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !Self::FINISHED.contains(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_another_version_is_open_and_keeps_its_text() {
        for word in ["draft", "waiting", "confirmed", "assigned", "held", ""] {
            let state = PickingState::from(word);
            assert!(state.is_open(), "{word}");
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{word}\""));
            assert_eq!(serde_json::from_str::<PickingState>(&json).unwrap(), state);
        }
        assert_eq!(
            PickingState::from("held"),
            PickingState::Other("held".into())
        );
        assert_eq!(Direction::from("mrp_operation").as_str(), "mrp_operation");
        assert_eq!(
            MoveState::from("partially_available"),
            MoveState::PartlyAssigned
        );
    }

    #[test]
    fn only_done_and_cancel_are_finished() {
        assert!(
            ["done", "cancel"]
                .iter()
                .all(|word| !PickingState::from(*word).is_open())
        );
        assert!(
            ["done", "cancel"]
                .iter()
                .all(|word| !MoveState::from(*word).is_open())
        );
        assert_eq!(
            serde_json::json!(PickingState::FINISHED),
            serde_json::json!(["done", "cancel"])
        );
    }
}
