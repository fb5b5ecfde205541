//! Application identifiers.

use std::fmt;

/// An application identifier: two to four digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ai {
    digits: [u8; 4],
    length: u8,
}

impl Ai {
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        if !(2..=4).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut digits = [0; 4];
        digits[..text.len()].copy_from_slice(text.as_bytes());
        let length = u8::try_from(text.len()).ok()?;
        Some(Self { digits, length })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.digits[..usize::from(self.length)]).unwrap_or_default()
    }

    /// The value of the fourth digit; of a shorter one 0.
    pub(super) fn fourth_digit(self) -> u8 {
        self.digits[3].saturating_sub(b'0')
    }

    /// Whether it is that of a pattern such as `01` or `31nn`.
    pub(in crate::decode) fn matches(self, pattern: &str) -> bool {
        let same = |(digit, wanted)| wanted == b'n' || digit == wanted;
        let ai = self.as_str();
        ai.len() == pattern.len() && ai.bytes().zip(pattern.bytes()).all(same)
    }
}

impl fmt::Display for Ai {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Ai {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({self})")
    }
}
