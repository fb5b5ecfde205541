//! Why a text is no valid GS1 data.

use thiserror::Error;

use super::ai::Ai;

/// What is wrong, where, what was found and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}found {found}; accepted is {accepted}", self.place())]
pub struct Gs1Error {
    pub kind: Gs1ErrorKind,
    /// The application identifier that it is about.
    pub ai: Option<Ai>,
    /// The byte of the text, as it was given, at which the wrong part begins; nothing where no text
    /// was given.
    pub offset: Option<usize>,
    pub found: String,
    pub accepted: String,
}

/// What a caller may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gs1ErrorKind {
    /// Empty, or longer than [`TEXT_BYTES_MAX`](super::TEXT_BYTES_MAX).
    Size,
    /// Not two to four digits that GS1 has given a meaning.
    UnknownAi,
    /// A value is too short or too long: often a separator is missing.
    Length,
    /// A character that the application identifier's values cannot have.
    Character,
    /// Misread or mistyped.
    CheckDigit,
    /// Right in form, but not what the application identifier's values are: no date, no country.
    Content,
    /// One application identifier with two values.
    Repeated,
    /// Another application identifier must stand beside it, and does not.
    Missing,
    /// Another application identifier must not stand beside it, and does.
    Excluded,
    /// No Digital Link: no address, no primary key in its path, or qualifiers in the wrong order.
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

/// The beginning of a text for a message, without control characters.
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
