//! Converts bytes to text, in the encodings that scanners use.

use std::fmt::Write as _;

use super::TextEncoding;

/// The characters of bytes 0x80 to 0x9F in Windows-1252, as browsers read it: the five undefined
/// ones are the control characters of Latin-1.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Decodes bytes. The error is the index of the first byte that is not text.
pub(super) fn decode(bytes: &[u8], encoding: TextEncoding) -> Result<String, usize> {
    match encoding {
        TextEncoding::Utf8 => str::from_utf8(bytes)
            .map(ToOwned::to_owned)
            .map_err(|error| error.valid_up_to()),
        TextEncoding::Latin1 => Ok(bytes.iter().copied().map(char::from).collect()),
        TextEncoding::Windows1252 => Ok(bytes.iter().copied().map(windows).collect()),
    }
}

fn windows(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// Describes the beginning of some bytes for people: printable ASCII unchanged, the rest as `\x1d`.
pub(super) fn describe_bytes(bytes: &[u8]) -> String {
    let ascii = bytes.iter().map(|&byte| match byte {
        b' '..=b'~' => Ok(char::from(byte)),
        _ => Err(u32::from(byte)),
    });
    escape(ascii)
}

/// Escapes the control characters of a text.
pub(super) fn describe_text(text: &str) -> String {
    let visible = text.chars().map(|c| match c {
        _ if c.is_control() => Err(u32::from(c)),
        _ => Ok(c),
    });
    escape(visible)
}

/// Joins characters and the escaped numbers of others.
fn escape(all: impl Iterator<Item = Result<char, u32>>) -> String {
    const CHARACTERS_MAX: usize = 200;
    let mut escaped = String::new();
    for (at, one) in all.enumerate() {
        if at == CHARACTERS_MAX {
            escaped.push_str("...");
            break;
        }
        match one {
            Ok(c) => escaped.push(c),
            Err(0x0d) => escaped.push_str("\\r"),
            Err(0x0a) => escaped.push_str("\\n"),
            Err(0x09) => escaped.push_str("\\t"),
            Err(number) => {
                let _ = write!(escaped, "\\x{number:02x}");
            }
        }
    }
    escaped
}
