//! Why a value, or the whole edit, cannot be sent: the gateway would refuse it.

use serde_json::json;

use super::{ORDER, QUANTITY, Row};
use crate::decode;
use crate::view::table::plain;
use crate::view::words::Words;

/// Why a key has no effect: what is wrong, and what is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditFault {
    /// No quantity that the gateway accepts. The typed text.
    Quantity(String),
    /// No date that the gateway accepts. The typed text.
    Date(String),
    /// The field cannot be cleared. Its name.
    Needed(&'static str),
    /// No text that the gateway accepts.
    Text,
    /// No field has another value than before.
    Unchanged,
    /// All lines would be removed.
    NothingLeft,
    NoReason,
}

/// The fault of a value that a person typed for this field. `None`: the gateway accepts it.
pub fn of_value(row: &Row, text: &str) -> Option<EditFault> {
    if text.is_empty() {
        return row.is_needed.then_some(EditFault::Needed(row.name));
    }
    let body = match row.name {
        ORDER => json!({ ORDER: text }),
        name => json!({ "lines": [{ "line": 1, name: text }] }),
    };
    if decode::correction(&body.to_string()).is_ok() {
        return None;
    }
    Some(match row.name {
        QUANTITY => EditFault::Quantity(text.to_owned()),
        "expiry" | "best_before" => EditFault::Date(text.to_owned()),
        _ => EditFault::Text,
    })
}

/// Whether a quantity is zero, which removes its line.
pub fn is_zero(quantity: &str) -> bool {
    let digits = quantity.trim().trim_matches(['0', '.']);
    digits.is_empty()
}

impl EditFault {
    pub fn describe(&self, words: Words) -> String {
        let with = |text: &str, value: &str| words.fill(text, &[("value", &plain(value))]);
        match self {
            Self::Quantity(value) => with(
                "{value} is no quantity. Type a number that is not negative, such as 24 or 1.5, with a dot and at most 6 decimals; 0 removes the line.",
                value,
            ),
            Self::Date(value) => with(
                "{value} is no date. Type a date such as 2027-03-31, or nothing to clear the field.",
                value,
            ),
            Self::Needed(name) => with(
                "The field {value} cannot be empty: type a value, or press Esc.",
                words.t(name),
            ),
            Self::Text => words
                .t("The text is too long, or has a character that cannot be printed: type at most 256 bytes.")
                .to_owned(),
            Self::Unchanged => words
                .t("Nothing is changed: change a field first, or press Esc, then r to retry the document.")
                .to_owned(),
            Self::NothingLeft => words
                .t("No line would be left: press Esc, then d to discard the document.")
                .to_owned(),
            Self::NoReason => words
                .t("Give a reason. It is stored with both documents.")
                .to_owned(),
        }
    }
}
