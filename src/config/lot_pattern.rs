//! The pattern for names of new lots and serial numbers at a site.

use regex_lite::{Regex, RegexBuilder};
use serde::Deserialize;

/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1_000;
/// The largest size of a compiled pattern, in bytes.
const PROGRAM_BYTES_MAX: usize = 1 << 20;

/// A regular expression that the whole name of a new lot or serial number must match.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct LotPattern {
    text: String,
    whole: Regex,
}

impl LotPattern {
    pub const ACCEPTED: &str =
        "a regular expression for whole names, such as [A-Z]{2}[0-9]{6}, without look-around";

    /// Parses a pattern. `None`: the text is not a regular expression.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > PATTERN_BYTES_MAX {
            return None;
        }
        // First without the added parentheses, between which `a)(b` would be valid.
        Regex::new(text).ok()?;
        let whole = RegexBuilder::new(&format!("^(?:{text})$"))
            .size_limit(PROGRAM_BYTES_MAX)
            .build()
            .ok()?;
        Some(Self {
            text: text.to_owned(),
            whole,
        })
    }

    /// Whether the whole name matches.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        self.whole.is_match(name)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for LotPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for LotPattern {}

impl TryFrom<String> for LotPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::of(&text).ok_or_else(|| format!("{text:?} is not {}", Self::ACCEPTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_about_the_whole_name() {
        let pattern = LotPattern::of("[A-Z]{2}[0-9]{3}|X").unwrap();
        for name in ["AB123", "X"] {
            assert!(pattern.fits(name), "{name}");
        }
        for name in ["AB1234", "xAB123", "AB123\n", "", "XX"] {
            assert!(!pattern.fits(name), "{name}");
        }
    }

    #[test]
    fn an_invalid_expression_is_no_pattern() {
        for text in ["", "(", "a)(b", "(?=a)b", &"a".repeat(1_001)] {
            assert_eq!(LotPattern::of(text), None, "{text}");
        }
    }
}
