//! Why a text is not valid GS1 data.

use thiserror::Error;

use super::ai::Ai;

/// A fault of GS1 data: its place, the value that was found and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}found {found}; accepted is {accepted}", self.place())]
pub struct Gs1Error {
    pub kind: Gs1ErrorKind,
    /// The application identifier with the fault.
    pub ai: Option<Ai>,
    /// The byte of the text at which the wrong part starts. `None`: the elements did not come from
    /// a text.
    pub offset: Option<usize>,
    pub found: String,
    pub accepted: String,
}

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gs1ErrorKind {
    /// Empty, or longer than [`TEXT_BYTES_MAX`](super::TEXT_BYTES_MAX).
    Size,
    /// An application identifier that GS1 has not defined.
    UnknownAi,
    /// A value is too short or too long: often a separator is missing.
    Length,
    /// A character that the application identifier's values cannot have.
    Character,
    /// Misread or mistyped.
    CheckDigit,
    /// The form is right, but the value is not: for example, the date does not exist.
    Content,
    /// One application identifier with two values.
    Repeated,
    /// A required second application identifier is missing.
    Missing,
    /// The text has a second application identifier that excludes this one.
    Excluded,
    /// Not a Digital Link: no address, no primary key in its path, or qualifiers in the wrong
    /// order.
    Link,
    /// A Digital Link that seems to be compressed, which is not read.
    Compressed,
}

impl Gs1Error {
    fn place(&self) -> String {
        let ai = self.ai.map(|ai| format!("application identifier ({ai})"));
        let byte = self.offset.map(|offset| format!("at byte {offset}"));
        match (ai, byte) {
            (Some(ai), Some(byte)) => format!("{ai} {byte}: "),
            (Some(place), None) | (None, Some(place)) => format!("{place}: "),
            (None, None) => String::new(),
        }
    }
}

/// Shortens a text for a message, and removes control characters.
pub(super) fn shorten(text: &str) -> String {
    const CHARACTERS_MAX: usize = 40;
    if text.is_empty() {
        return "nothing".to_owned();
    }
    let mut cut: String = text
        .chars()
        .take(CHARACTERS_MAX)
        .flat_map(char::escape_default)
        .collect();
    if text.chars().nth(CHARACTERS_MAX).is_some() {
        cut.push_str("...");
    }
    cut
}
