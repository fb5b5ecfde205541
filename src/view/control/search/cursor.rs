//! Where the next page of a search begins. Pure, except for the first cursor.

use std::fmt;
use std::str::FromStr;

use super::super::Gateway;
use crate::document::DocumentNumber;
use crate::event::{RejectedNumber, Seq};
use crate::journal::JournalError;

/// The place of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Among names, documents and rejected readings: how many of them earlier pages have.
    Fixed(usize),
    /// Among events: those below this one.
    Events(Seq),
}

/// The beginning of a page. Text: `f` or `e` with the position, the three newest numbers, from the
/// second page on the total with `~` behind it if it is not exact, and eight digits that only this
/// search has; all with dots between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub position: Position,
    /// The newest event, document and rejected reading when the search began: later ones are not
    /// in it.
    pub newest: Seq,
    pub document: DocumentNumber,
    pub rejected: RejectedNumber,
    /// The total, and whether it is exact. `None`: this page counts.
    pub total: Option<(u64, bool)>,
    /// A digest of the parameters: the cursor continues no other search.
    pub search: u32,
}

impl Cursor {
    /// The first page. `search`: the digest of the parameters.
    pub fn first(gateway: &Gateway, search: u32) -> Result<Self, JournalError> {
        let totals = gateway.journal.totals();
        Ok(Self {
            position: Position::Fixed(0),
            newest: totals.last_seq,
            document: gateway.journal.newest_document()?,
            rejected: RejectedNumber::new(totals.rejected),
            total: None,
            search,
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Position::Fixed(skip) => write!(f, "f{skip}")?,
            Position::Events(below) => write!(f, "e{below}")?,
        }
        write!(f, ".{}.{}.{}", self.newest, self.document, self.rejected)?;
        if let Some((total, is_exact)) = self.total {
            write!(f, ".{total}{}", if is_exact { "" } else { "~" })?;
        }
        write!(f, ".{:08x}", self.search)
    }
}

/// The text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadCursor;

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| BadCursor);
        let parts: Vec<&str> = text.split('.').collect();
        let [position, newest, document, rejected, total, search] = *parts else {
            return Err(BadCursor);
        };
        let position = match position.split_at_checked(1) {
            Some(("f", skip)) => Position::Fixed(skip.parse().map_err(|_| BadCursor)?),
            Some(("e", below)) => Position::Events(Seq::new(number(below)?)),
            _ => return Err(BadCursor),
        };
        let inexact = total.strip_suffix('~');
        let total = (number(inexact.unwrap_or(total))?, inexact.is_none());
        Ok(Self {
            position,
            newest: number(newest)?.into(),
            document: number(document)?.into(),
            rejected: number(rejected)?.into(),
            total: Some(total),
            search: u32::from_str_radix(search, 16).map_err(|_| BadCursor)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for position in [Position::Fixed(200), Position::Events(Seq::new(7))] {
            for is_exact in [false, true] {
                let cursor = Cursor {
                    position,
                    newest: Seq::new(1_000),
                    document: DocumentNumber::new(20),
                    rejected: RejectedNumber::new(3),
                    total: Some((312, is_exact)),
                    search: 0x0012_ab34,
                };
                assert_eq!(cursor.to_string().parse(), Ok(cursor));
            }
        }
    }

    #[test]
    fn any_other_text_is_refused() {
        for text in [
            "",
            "f",
            "7",
            "e7.1.2.3",
            "e7.1.2.3.4",
            "é7.1.2.3.4.0012ab34",
            "f-1.1.2.3.4.0012ab34",
            "f1.1.2.3.4.5.0012ab34",
            "e1.1.2.3.~.0012ab34",
            "e7.1.2.3.4.xyz",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(BadCursor), "{text}");
        }
    }
}
