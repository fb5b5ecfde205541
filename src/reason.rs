//! The codes in receipts, the control API and lists: why a document is not posted, why a reading
//! was rejected, and notes on documents.
//!
//! Each kind of code is an enum with one table of rows: [`ReasonCode`] for documents,
//! [`RejectionCode`] for readings, [`Flag`] for notes on documents. A new code is one new row. The
//! constants, the choices of the control API and the terminal UI, and `docs/reason-codes.md` come
//! from the rows. A code never changes its meaning, and none is used again for something else.
//!
//! - `code`: a code of one of these enums, or the text that a newer version wrote.
//! - `documents`, `rejections`, `flags`: the tables.

mod code;
mod documents;
mod flags;
mod rejections;
#[cfg(test)]
mod tests;

pub use code::{Code, CodeSet};
pub use documents::{ANY, Heals, ReasonCode, ReasonRow, Stage};
pub use flags::{Flag, FlagRow};
pub use rejections::{JudgedBy, RejectionCode, RejectionRow};

/// What a person answers when the gateway asks about a parked document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Allow,
    Backorder,
    NoBackorder,
}

impl Answer {
    pub const ALL: [Self; 3] = [Self::Allow, Self::Backorder, Self::NoBackorder];

    /// The word that the control API, the commands and the journal have for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Backorder => "backorder",
            Self::NoBackorder => "no-backorder",
        }
    }
}

/// Something that a person can decide about a parked document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Retry,
    /// Retry with an answer to what the gateway asks.
    With(Answer),
    Edit,
    Discard,
}

impl Action {
    /// The action as the control API and `docs/reason-codes.md` name it.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Retry => "retry".to_owned(),
            Self::With(answer) => format!("retry with {}", answer.as_str()),
            Self::Edit => "edit".to_owned(),
            Self::Discard => "discard".to_owned(),
        }
    }
}

/// An action that a person can choose, and when it is the right one.
pub type Choice = (Action, &'static str);

impl Code<ReasonCode> {
    /// What a person can do about a document that is parked for this reason.
    #[must_use]
    pub fn choices(&self) -> &'static [Choice] {
        match self.known().map(ReasonCode::row) {
            Some(row) if row.stage == Stage::Parked => row.choices,
            _ => ANY,
        }
    }

    /// The answers that this reason asks for.
    pub fn answers(&self) -> impl Iterator<Item = Answer> {
        self.choices()
            .iter()
            .filter_map(|(action, _)| match action {
                Action::With(answer) => Some(*answer),
                Action::Retry | Action::Edit | Action::Discard => None,
            })
    }

    /// What makes the gateway try a document with this reason again by itself.
    #[must_use]
    pub fn heals(&self) -> Heals {
        self.known().map_or(Heals::No, |code| code.row().heals)
    }
}

impl RejectionCode {
    /// Whether a person must dismiss a reading with this code or send it again.
    #[must_use]
    pub const fn needs_person(self) -> bool {
        self.row().needs_person
    }
}

impl Code<RejectionCode> {
    /// Whether a person must dismiss a reading with this code or send it again.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.known().is_none_or(RejectionCode::needs_person)
    }
}
