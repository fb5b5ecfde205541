//! Bytes as the rows write them, for what is sent and for what is expected.

use super::super::PREFIX;
use super::Level;

/// A byte of a packet, and which of its bits are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    pub value: u8,
    pub mask: u8,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Bytes {
    pub pattern: Vec<Pattern>,
    /// More may follow.
    pub open: bool,
}

impl Bytes {
    pub fn read(text: &str, level: Level) -> Self {
        let mut tokens = tokens(text).into_iter().peekable();
        let bytes = sequence(&mut tokens, level, None);
        assert!(
            tokens.next().is_none(),
            "brackets that do not match: {text}"
        );
        bytes
    }

    /// To be sent: each bit is given.
    pub fn exact(&self) -> Vec<u8> {
        assert!(!self.open, "`..` is for what is expected");
        self.pattern
            .iter()
            .map(|byte| {
                assert_eq!(byte.mask, 0xFF, "`?` is for what is expected");
                byte.value
            })
            .collect()
    }

    pub fn matches(&self, bytes: &[u8]) -> bool {
        let fits =
            bytes.len() == self.pattern.len() || (self.open && bytes.len() > self.pattern.len());
        fits && self
            .pattern
            .iter()
            .zip(bytes)
            .all(|(wanted, byte)| byte & wanted.mask == wanted.value)
    }

    fn push(&mut self, bytes: &[u8]) {
        let mask = 0xFF;
        let exact = |value: &u8| Pattern {
            value: *value,
            mask,
        };
        self.pattern.extend(bytes.iter().map(exact));
    }
}

type Tokens<'a> = std::iter::Peekable<std::vec::IntoIter<&'a str>>;

/// Separated by blanks, except inside quotes. Brackets are tokens of their own.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => 2 + rest[1..].find(first).expect("a closing quote"),
            '{' if rest.starts_with("{!") => 2,
            '{' | '}' | '(' | ')' => 1,
            _ => rest
                .find(|c: char| c.is_whitespace() || "{}()\"'".contains(c))
                .unwrap_or(rest.len()),
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

fn sequence(tokens: &mut Tokens<'_>, level: Level, end: Option<&str>) -> Bytes {
    let mut out = Bytes::default();
    loop {
        let Some(token) = tokens.next() else {
            assert_eq!(end, None, "a bracket is not closed");
            return out;
        };
        if Some(token) == end {
            return out;
        }
        let token = match token.split_once(':') {
            Some((digit, token))
                if digit.len() == 1 && digit.chars().all(|c| c.is_ascii_digit()) =>
            {
                if !digit.starts_with(level.digit()) {
                    continue;
                }
                token
            }
            _ => token,
        };
        match token {
            "(" => {
                let inside = sequence(tokens, level, Some(")"));
                if level == Level::V5 {
                    out.pattern.extend(inside.pattern);
                    out.open |= inside.open;
                }
            }
            "{" | "{!" => {
                let inside = sequence(tokens, level, Some("}"));
                out.push(&length(inside.pattern.len(), token == "{!"));
                out.pattern.extend(inside.pattern);
            }
            "L" => out.push(match level {
                Level::V4 => &[4],
                Level::V5 => &[5],
            }),
            ".." => out.open = true,
            "zeros" => {
                let count = tokens.next().and_then(|count| count.parse().ok());
                out.push(&vec![0; count.expect("a number of zeros")]);
            }
            quoted if quoted.starts_with(['"', '\'']) => {
                let mut text = unquote(quoted);
                if tokens.peek() == Some(&"repeated") {
                    let count = tokens.nth(1).and_then(|count| count.parse().ok());
                    text = text.repeat(count.expect("how often it is repeated"));
                }
                if quoted.starts_with('"') {
                    out.push(&u16::try_from(text.len()).unwrap().to_be_bytes());
                }
                out.push(&text);
            }
            digits => out.pattern.extend(hexadecimal(digits)),
        }
    }
}

fn hexadecimal(digits: &str) -> Vec<Pattern> {
    let nibbles: Vec<_> = digits
        .chars()
        .map(|digit| match digit {
            '?' => (0, 0),
            digit => {
                let value = digit
                    .to_digit(16)
                    .unwrap_or_else(|| panic!("not bytes: {digits}"));
                (u8::try_from(value).unwrap(), 0xF)
            }
        })
        .collect();
    assert_eq!(nibbles.len() % 2, 0, "half a byte: {digits}");
    nibbles
        .chunks(2)
        .map(|pair| Pattern {
            value: pair[0].0 << 4 | pair[1].0,
            mask: pair[0].1 << 4 | pair[1].1,
        })
        .collect()
}

/// `~` is the device's prefix; `\0` and `\xFF` are bytes.
fn unquote(quoted: &str) -> Vec<u8> {
    let text = quoted[1..quoted.len() - 1].replace('~', PREFIX.trim_end_matches('/'));
    let mut out = Vec::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        out.extend(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        if let Some(hex) = escape.strip_prefix('x') {
            out.push(u8::from_str_radix(&hex[..2], 16).unwrap());
            rest = &hex[2..];
        } else {
            out.push(0);
            rest = escape.strip_prefix('0').expect("an escape");
        }
    }
    out.extend(rest.as_bytes());
    out
}

/// A variable byte integer; `padded` with a byte that it does not need.
fn length(length: usize, padded: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut left = length;
    loop {
        let byte = u8::try_from(left % 128).unwrap();
        left /= 128;
        let more = left > 0 || (padded && out.is_empty());
        out.push(if more { byte | 128 } else { byte });
        if left == 0 {
            if padded && out.len() == 1 {
                out.push(0);
            }
            return out;
        }
    }
}
