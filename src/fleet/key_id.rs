//! The id of a minisign key, and the marks of its secret half.

use std::fmt;
use std::str::FromStr;

/// The first characters of a secret key: the algorithms of the key, of its encryption and of its
/// checksum.
pub(super) const ENCRYPTED_KEY: &str = "RWRTY0Iy";
pub(super) const PLAIN_KEY: &str = "RWQAAEIy";

/// The id of a key, as minisign prints it: 16 hexadecimal digits. Some versions of minisign leave
/// out zeros at the beginning, so fewer digits are accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl KeyId {
    pub const ACCEPTED: &str = "the id of a key as minisign prints it, such as 5F1C7A0E2B9D4C68";

    /// Reads the id from the eight bytes of a key or signature, of which the lowest is first.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }

    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

impl FromStr for KeyId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = u64::from_str_radix(text, 16).ok();
        id.filter(|_| is_hex && text.len() <= 16)
            .map(Self)
            .ok_or_else(|| Self::ACCEPTED.to_owned())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
