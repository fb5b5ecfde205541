//! The words of the screen in the languages of the devices.
//!
//! **In**: an English text, which is also the key, and the values for its `{names}`. **Out**: the
//! text in the language of the person. `words/de.toml` and the files beside it have the
//! translations; a text without one stays English. Texts of the daemon (alarms, messages of
//! reasons, the log) are not translated. `tui/translations.rs` compares
//! the files with the texts in use.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jiff::Timestamp;

use super::table::{grouped, plain, seconds_since};
use crate::config::Language;
use crate::reason::Action;

#[cfg(test)]
mod tests;

/// The languages with translations, each with its files: the texts of the screen, and the choices
/// about a parked document.
pub(super) const FILES: [(Language, [&str; 2]); 5] = [
    (
        Language::German,
        [
            include_str!("words/de.toml"),
            include_str!("words/choices-de.toml"),
        ],
    ),
    (
        Language::French,
        [
            include_str!("words/fr.toml"),
            include_str!("words/choices-fr.toml"),
        ],
    ),
    (
        Language::Dutch,
        [
            include_str!("words/nl.toml"),
            include_str!("words/choices-nl.toml"),
        ],
    ),
    (
        Language::Spanish,
        [
            include_str!("words/es.toml"),
            include_str!("words/choices-es.toml"),
        ],
    ),
    (
        Language::Arabic,
        [
            include_str!("words/ar.toml"),
            include_str!("words/choices-ar.toml"),
        ],
    ),
];

type Texts = BTreeMap<String, String>;

/// The words of one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    pub language: Language,
}

impl Words {
    pub const ENGLISH: Self = Self {
        language: Language::English,
    };

    /// The text in this language.
    #[must_use]
    pub fn t(self, english: &str) -> &str {
        texts_of(self.language)
            .and_then(|texts| texts.get(english))
            .map_or(english, String::as_str)
    }

    /// The word in this language for a word of the control API, such as a state.
    #[must_use]
    pub fn word(self, word: &str) -> String {
        plain(self.t(word))
    }

    /// A decision about a parked document.
    #[must_use]
    pub fn action(self, action: Action) -> String {
        match action {
            Action::Retry => self.t("retry").to_owned(),
            Action::With(answer) => {
                self.fill("retry with {answer}", &[("answer", answer.as_str())])
            }
            Action::Edit => self.t("edit").to_owned(),
            Action::Discard => self.t("discard").to_owned(),
        }
    }

    /// The text in this language with its values.
    #[must_use]
    pub fn fill(self, english: &str, values: &[(&str, &str)]) -> String {
        fill(self.t(english), values)
    }

    /// The text for one or for several, with the number as `{n}`.
    #[must_use]
    pub fn count(self, number: u64, one: &str, several: &str) -> String {
        let english = if number == 1 { one } else { several };
        self.fill(english, &[("n", &self.number(number))])
    }

    /// `1,234,567`, or as the language groups digits.
    #[must_use]
    pub fn number(self, number: u64) -> String {
        let separator = match self.language {
            Language::English | Language::Arabic => return grouped(number),
            Language::German | Language::Dutch | Language::Spanish => ".",
            Language::French => " ",
        };
        grouped(number).replace(',', separator)
    }

    /// `45 s`, `1 min 4 s`, `2 h 14 min`, `3 d 1 h`: long spans without their small parts.
    #[must_use]
    pub fn span(self, seconds: u64) -> String {
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        let two = |text, large: u64, small: u64| {
            let (large, small) = (large.to_string(), small.to_string());
            self.fill(text, &[("a", &large), ("b", &small)])
        };
        let one = |text, number: u64| self.fill(text, &[("a", &self.number(number))]);
        match (days, hours, minutes) {
            (0, 0, 0) => one("{a} s", seconds),
            (0, 0, 1..10) => two("{a} min {b} s", minutes, seconds % 60),
            (0, 0, _) => one("{a} min", minutes),
            (0, 1..10, _) => two("{a} h {b} min", hours, minutes % 60),
            (0, ..) => one("{a} h", hours),
            (1..10, ..) => two("{a} d {b} h", days, hours % 24),
            _ => one("{a} d", days),
        }
    }

    /// The age of a time: `1 min 4 s ago`, or `now`.
    #[must_use]
    pub fn ago(self, at: Timestamp, now: Timestamp) -> String {
        match seconds_since(at, now) {
            0 => self.t("now").to_owned(),
            seconds => self.fill("{span} ago", &[("span", &self.span(seconds))]),
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::ENGLISH
    }
}

/// Replaces each `{name}` by its value. A value that looks like a placeholder is not replaced.
fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let value = after.split_once('}').and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((*value, after))
        });
        rest = if let Some((value, after)) = value {
            filled.push_str(value);
            after
        } else {
            filled.push('{');
            after
        };
    }
    filled.push_str(rest);
    filled
}

/// `None`: the language is English.
pub(super) fn texts_of(language: Language) -> Option<&'static Texts> {
    static TEXTS: OnceLock<Vec<(Language, Texts)>> = OnceLock::new();
    let all = TEXTS.get_or_init(|| {
        let read = |(language, files): (Language, [&str; 2])| {
            let texts = files.map(|text| toml::from_str::<Texts>(text).unwrap_or_default());
            (language, texts.into_iter().flatten().collect())
        };
        FILES.into_iter().map(read).collect()
    });
    let found = all.iter().find(|(known, _)| *known == language)?;
    Some(&found.1)
}
