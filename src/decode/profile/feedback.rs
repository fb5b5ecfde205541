//! The messages to a scanner that tell the operator at once whether the scan was good.

use std::fmt::Write as _;

use serde::Deserialize;

use super::Bytes;

/// `[feedback]`: the messages for a good and for a bad scan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Feedback {
    pub good: Vec<Message>,
    pub bad: Vec<Message>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Message {
    /// To a serial scanner: its host command.
    Send { send: Bytes },
    /// To an MQTT device: a topic below `stockrelay/v1/SITE/DEVICE/`, and its payload with the
    /// places of [`Values`].
    Publish { topic: String, template: String },
}

/// The values of `{text}`, `{line1}`, `{line2}`, `{id}`, `{now_ms}` and `{device}` in a topic or
/// template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values<'a> {
    /// The text for the operator, such as the product's name and the running quantity. Its lines
    /// are `line1` and `line2`.
    pub text: &'a str,
    /// A new UUID, which names the message.
    pub id: &'a str,
    pub now_ms: i64,
    /// The scanner's own number, from its payload.
    pub device: &'a str,
}

/// The names that a template may have in braces.
pub(super) const PLACES: [&str; 6] = ["text", "line1", "line2", "id", "now_ms", "device"];

impl Values<'_> {
    fn get(&self, place: &str) -> Option<String> {
        let line = |at| self.text.lines().nth(at).unwrap_or_default().to_owned();
        Some(match place {
            "text" => self.text.to_owned(),
            "line1" => line(0),
            "line2" => line(1),
            "id" => self.id.to_owned(),
            "now_ms" => self.now_ms.to_string(),
            "device" => self.device.to_owned(),
            _ => return None,
        })
    }

    /// A template with its places filled. They stand inside of JSON strings: what is not ASCII,
    /// too, is written as `\uXXXX`, which every device understands.
    #[must_use]
    pub fn fill(&self, template: &str) -> String {
        let mut filled = String::with_capacity(template.len() + self.text.len());
        let mut rest = template;
        while let Some((before, place, behind)) = next_place(rest) {
            filled.push_str(before);
            filled.push_str(&json_escaped(&self.get(place).unwrap_or_default()));
            rest = behind;
        }
        filled + rest
    }
}

/// The text before the first place, its name, and the text behind it. Other braces are those of
/// JSON.
fn next_place(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices('{').find_map(|(at, _)| {
        let (name, behind) = text[at + 1..].split_once('}')?;
        PLACES.contains(&name).then(|| (&text[..at], name, behind))
    })
}

fn json_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\')) => escaped.extend(['\\', char::from(byte)]),
            Ok(byte @ 0x20..=0x7e) => escaped.push(char::from(byte)),
            _ => {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}
