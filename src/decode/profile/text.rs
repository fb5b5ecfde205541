//! Bytes to text, in the encodings that scanners send.

use super::Encoding;

/// What bytes 0x80 to 0x9F are in Windows-1252, as browsers read it: the five that it leaves open are the control characters of Latin-1.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The text, or the first byte that is none.
pub(super) fn decoded(bytes: &[u8], encoding: Encoding) -> Result<String, usize> {
    match encoding {
        Encoding::Utf8 => str::from_utf8(bytes)
            .map(ToOwned::to_owned)
            .map_err(|error| error.valid_up_to()),
        Encoding::Latin1 => Ok(bytes.iter().copied().map(char::from).collect()),
        Encoding::Windows1252 => Ok(bytes.iter().copied().map(windows).collect()),
    }
}

fn windows(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// Bytes for people: printable ASCII as it is, the rest as `\x1d`; the beginning, if there are many.
pub(super) fn shown(bytes: &[u8]) -> String {
    const BYTES_MAX: usize = 200;
    let mut shown: String = bytes
        .iter()
        .take(BYTES_MAX)
        .copied()
        .flat_map(std::ascii::escape_default)
        .map(char::from)
        .collect();
    if bytes.len() > BYTES_MAX {
        shown.push_str("...");
    }
    shown
}
