//! The display texts: `texts.toml` has one text for each key and language.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::config::Language;

/// The longest text, in characters: a small screen shows four lines of twenty.
pub const TEXT_CHARS_MAX: usize = 80;
/// The longest name or code in a text, in characters.
const ARGUMENT_CHARS_MAX: usize = 32;

/// The languages, with their tags in `texts.toml`.
const LANGUAGES: [(Language, &str); 6] = [
    (Language::English, "en"),
    (Language::German, "de"),
    (Language::French, "fr"),
    (Language::Dutch, "nl"),
    (Language::Spanish, "es"),
    (Language::Arabic, "ar"),
];

/// A text, by its name in `texts.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    UnknownProduct,
    AmbiguousProduct,
    UnknownLocation,
    AmbiguousLocation,
    LotRequired,
    SerialRequired,
    LotsOff,
    SerialQuantity,
    SerialSeen,
    QuantityPrecision,
    NotOnOrder,
    MoreThanOrdered,
    UnknownOrder,
    OrderDone,
    OrderCancelled,
    NotKnownYet,
    AlreadyRecorded,
    Moved,
    Counted,
    OnOrder,
    Noted,
    Undone,
    CannotUndo,
    Found,
}

impl Key {
    #[cfg(test)]
    pub const ALL: [Self; 24] = [
        Self::UnknownProduct,
        Self::AmbiguousProduct,
        Self::UnknownLocation,
        Self::AmbiguousLocation,
        Self::LotRequired,
        Self::SerialRequired,
        Self::LotsOff,
        Self::SerialQuantity,
        Self::SerialSeen,
        Self::QuantityPrecision,
        Self::NotOnOrder,
        Self::MoreThanOrdered,
        Self::UnknownOrder,
        Self::OrderDone,
        Self::OrderCancelled,
        Self::NotKnownYet,
        Self::AlreadyRecorded,
        Self::Moved,
        Self::Counted,
        Self::OnOrder,
        Self::Noted,
        Self::Undone,
        Self::CannotUndo,
        Self::Found,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownProduct => "unknown-product",
            Self::AmbiguousProduct => "ambiguous-product",
            Self::UnknownLocation => "unknown-location",
            Self::AmbiguousLocation => "ambiguous-location",
            Self::LotRequired => "lot-required",
            Self::SerialRequired => "serial-required",
            Self::LotsOff => "lots-off",
            Self::SerialQuantity => "serial-quantity",
            Self::SerialSeen => "serial-seen",
            Self::QuantityPrecision => "quantity-precision",
            Self::NotOnOrder => "not-on-order",
            Self::MoreThanOrdered => "more-than-ordered",
            Self::UnknownOrder => "unknown-order",
            Self::OrderDone => "order-done",
            Self::OrderCancelled => "order-cancelled",
            Self::NotKnownYet => "not-known-yet",
            Self::AlreadyRecorded => "already-recorded",
            Self::Moved => "moved",
            Self::Counted => "counted",
            Self::OnOrder => "on-order",
            Self::Noted => "noted",
            Self::Undone => "undone",
            Self::CannotUndo => "cannot-undo",
            Self::Found => "found",
        }
    }
}

type Texts = BTreeMap<String, BTreeMap<String, String>>;

fn texts() -> &'static Texts {
    static TEXTS: OnceLock<Texts> = OnceLock::new();
    // A test reads every text, so a file that cannot be read is never shipped.
    TEXTS.get_or_init(|| toml::from_str(include_str!("texts.toml")).unwrap_or_default())
}

/// Builds the text with its arguments, shortened to what a small screen shows.
#[must_use]
pub fn text(language: Language, key: Key, arguments: &[(&'static str, String)]) -> String {
    let template = texts()
        .get(key.name())
        .and_then(|text| text.get(tag(language)))
        .map_or("", String::as_str);
    cut(&fill(template, arguments), TEXT_CHARS_MAX)
}

/// The tag of a language in `texts.toml`.
#[must_use]
pub fn tag(language: Language) -> &'static str {
    LANGUAGES
        .iter()
        .find(|(known, _)| *known == language)
        .map_or("en", |(_, tag)| tag)
}

/// Replaces the placeholders by their arguments, each shortened so that the others fit.
#[must_use]
pub fn fill(template: &str, arguments: &[(&'static str, String)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in arguments {
        text = text.replace(&format!("{{{name}}}"), &cut(value, ARGUMENT_CHARS_MAX));
    }
    text
}

/// Shortens a text to this many characters.
#[must_use]
pub fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(chars_max - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
            .collect()
    }

    #[test]
    fn every_text_exists_in_every_language_with_the_same_placeholders() {
        let names: BTreeSet<&str> = Key::ALL.iter().map(|key| key.name()).collect();
        let written: BTreeSet<&str> = texts().keys().map(String::as_str).collect();
        assert_eq!(names, written);
        let tags: BTreeSet<&str> = LANGUAGES.iter().map(|(_, tag)| *tag).collect();
        for (key, text) in texts() {
            let there: BTreeSet<&str> = text.keys().map(String::as_str).collect();
            assert_eq!(there, tags, "{key}");
            for (tag, words) in text {
                assert_eq!(
                    placeholders(words),
                    placeholders(&text["en"]),
                    "{key} {tag}"
                );
            }
        }
    }

    #[test]
    fn a_text_fits_a_small_screen() {
        let long = "x".repeat(300);
        for key in Key::ALL {
            for (language, _) in LANGUAGES {
                let names = placeholders(&texts()[key.name()]["en"]);
                let arguments: Vec<_> = [
                    "code", "product", "order", "lot", "quantity", "left", "done", "demand", "what",
                ]
                .into_iter()
                .filter(|name| names.contains(name))
                .map(|name| (name, long.clone()))
                .collect();
                assert_eq!(
                    arguments.len(),
                    names.len(),
                    "{key:?}: a name nobody fills in"
                );
                let text = text(language, key, &arguments);
                assert!(text.chars().count() <= TEXT_CHARS_MAX, "{text}");
                assert!(!text.is_empty() && !text.contains('{'), "{text}");
            }
        }
    }
}
