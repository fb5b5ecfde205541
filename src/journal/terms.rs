//! The texts by which events and documents are found, and how a searched text matches them. Pure.
//!
//! Letters match without regard to case, in any script: both texts are folded ([`fold`]).

use crate::event::Seq;

/// A searched text with fewer characters matches only whole texts.
pub const PREFIX_CHARACTERS_MIN: usize = 3;
/// The index has only the first bytes of a longer folded text. A match of the rest is found in the
/// event.
pub const TERM_BYTES_MAX: usize = 64;

/// The part of an event that a text is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TermKind {
    /// The id that the device gave to the event.
    Event,
    Device,
    Operator,
    Order,
    /// A product as it was scanned: a barcode, or the internal reference.
    Product,
    /// A bin.
    Location,
    Lot,
    Package,
    /// The code of a raw scan.
    Scan,
}

impl TermKind {
    pub const ALL: [Self; 9] = [
        Self::Event,
        Self::Device,
        Self::Operator,
        Self::Order,
        Self::Product,
        Self::Location,
        Self::Lot,
        Self::Package,
        Self::Scan,
    ];

    /// Whether many events share the text, so that an answer shows the text itself, once. Other
    /// texts only find their events.
    #[must_use]
    pub fn is_name(self) -> bool {
        !matches!(self, Self::Event | Self::Scan)
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    pub const ALL: Self = Self(u16::MAX);
    pub const NONE: Self = Self(0);

    #[must_use]
    pub fn only(kind: TermKind) -> Self {
        Self(1 << kind as u16)
    }

    #[must_use]
    pub fn has(self, kind: TermKind) -> bool {
        self.0 & Self::only(kind).0 != 0
    }

    /// Whether a kind in the set is one whose texts an answer shows (`true`), or one whose texts
    /// only find events (`false`).
    #[must_use]
    pub fn has_any(self, is_name: bool) -> bool {
        let mut kinds = TermKind::ALL.into_iter();
        kinds.any(|kind| kind.is_name() == is_name && self.has(kind))
    }
}

/// The part of a document that a text is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocumentTermKind {
    /// The name of the picking in Odoo.
    Picking,
    /// The reason code of a parked or discarded document.
    Reason,
    /// A line, or the order. Only documents that replace another have these texts: the texts of
    /// other documents are those of their events.
    Line(TermKind),
}

/// A text without differences of case: each letter in upper case, and that in lower case.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let upper = text.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).collect()
}

/// A searched text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle {
    folded: String,
    /// A text that only begins with the searched text matches, too.
    is_prefix: bool,
    kinds: Kinds,
    /// The folded name of the device that the event must be from.
    device: Option<String>,
}

impl Needle {
    /// Matches whole texts, and with enough characters also their beginnings.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let is_prefix = text.chars().nth(PREFIX_CHARACTERS_MIN - 1).is_some();
        Self {
            is_prefix,
            ..Self::whole(text)
        }
    }

    /// Matches whole texts.
    #[must_use]
    pub fn whole(text: &str) -> Self {
        Self {
            folded: fold(text),
            is_prefix: false,
            kinds: Kinds::ALL,
            device: None,
        }
    }

    /// Matches only texts of these kinds.
    #[must_use]
    pub fn of(self, kinds: Kinds) -> Self {
        Self { kinds, ..self }
    }

    /// Matches only events of this device.
    #[must_use]
    pub fn from_device(self, device: &str) -> Self {
        let device = Some(fold(device));
        Self { device, ..self }
    }

    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }

    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.is_prefix
    }

    #[must_use]
    pub fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// Whether each match must be verified with its event: it must be from one device.
    #[must_use]
    pub fn needs_device(&self) -> bool {
        self.device.is_some()
    }

    /// Whether the event may be from this device.
    #[must_use]
    pub fn accepts_device(&self, device: &str) -> bool {
        self.device.as_ref().is_none_or(|of| *of == fold(device))
    }

    /// Whether a text of this kind matches.
    #[must_use]
    pub fn matches(&self, kind: TermKind, text: &str) -> bool {
        self.kinds.has(kind) && self.matches_text(text)
    }

    /// Whether a text of any kind matches.
    #[must_use]
    pub fn matches_text(&self, text: &str) -> bool {
        let needle = self.folded.as_bytes();
        if text.is_ascii() {
            let begins = text.as_bytes().get(..needle.len());
            let begins = begins.is_some_and(|begin| begin.eq_ignore_ascii_case(needle));
            return begins && (self.is_prefix || text.len() == needle.len());
        }
        let text = fold(text);
        if self.is_prefix {
            text.starts_with(&self.folded)
        } else {
            text == self.folded
        }
    }
}

/// A text of many events that a search has found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FoundName {
    pub kind: TermKind,
    /// Folded.
    pub text: String,
    /// The newest event with the text, among those that were searched.
    pub newest: Seq,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(needle: &str, text: &str) -> bool {
        Needle::new(needle).matches(TermKind::Lot, text)
    }

    #[test]
    fn a_text_matches_whole_or_with_its_first_three_characters_in_any_case() {
        assert!(matches("wh/out", "WH/OUT/00042") && matches("WH/OUT/00042", "wh/out/00042"));
        assert!(!matches("wh", "WH/OUT/00042") && matches("wh", "WH"));
        assert!(!matches("OUT", "WH/OUT/00042") && !matches("wh/out/000421", "WH/OUT/00042"));
        assert!(!Needle::whole("wh/out").matches(TermKind::Lot, "WH/OUT/00042"));
    }

    #[test]
    fn other_scripts_match_in_any_case() {
        assert!(matches("STRASSE", "straße 7") && matches("ÄÖÜ", "äöü"));
        assert!(matches("ΟΔΟΣ", "οδος") && matches("οδο", "ΟΔΟΣ"));
        assert!(matches("仓库一", "仓库一号") && !matches("仓库", "仓库一号"));
        assert!(matches("مستودع", "مستودع-1"));
        assert!(!matches("a%b", "aXb") && !matches("a_b", "axb") && !matches("a*b", "a**b"));
        assert!(matches("a\0b", "A\0b") && !matches("a\0b", "A"));
    }

    #[test]
    fn a_needle_can_be_of_one_kind_and_one_device() {
        let lot = Needle::new("abc").of(Kinds::only(TermKind::Lot));
        assert!(lot.matches(TermKind::Lot, "ABC") && !lot.matches(TermKind::Order, "ABC"));
        assert!(lot.kinds().has_any(true) && !lot.kinds().has_any(false));
        let needle = Needle::new("abc").from_device("PDA-1");
        assert!(needle.accepts_device("pda-1") && !needle.accepts_device("pda-2"));
    }
}
