//! Scanner profiles: how one family of scanners formats its scans. Pure.
//!
//! Input: a TOML file of `scanner-profiles/`, then the bytes of a scanner of that family. Output: a
//! [`Profile`], or **every** [`Fault`] of the file; a [`Scan`], or a [`Refusal`], both with each
//! step.
//!
//! **Promises:** no bytes cause a panic, memory is in proportion to the input (at most `max_bytes`
//! of a frame), and the same bytes give the same result.
//!
//! - `schema`: checks a file against the shipped JSON Schema; `rules`: checks that the schema
//!   cannot express.
//! - `framing`: where one code ends and the next begins; `read`: from a frame to a [`Scan`];
//!   `text`, `payload`: two of its steps.
//! - `symbology`, `flow`, `feedback`: the parts of a profile that other modules use.

mod command;
mod feedback;
mod flow;
mod framing;
mod payload;
mod read;
mod rules;
mod schema;
mod shipped;
mod symbology;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::reason::RejectionCode;

pub use command::{CommandCode, FlowName};
pub use feedback::{Feedback, Message, Values};
pub use flow::{Act, Flow, FlowRules, On, Transition};
pub use framing::{Frame, Framer};
pub use schema::{Fault, SCHEMA};
pub use shipped::SHIPPED;
pub use symbology::{Symbology, split_aim};

/// One family of scanners. The keys and their limits are those of
/// `scanner-profiles/profile.schema.json`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    #[serde(rename = "profile")]
    pub about: About,
    pub connection: Connection,
    #[serde(default)]
    pub code: CodeRules,
    #[serde(default)]
    pub repeats: Repeats,
    /// The fields of a JSON payload. `None`: the payload is the code.
    pub payload: Option<Payload>,
    #[serde(default)]
    pub flow: FlowRules,
    #[serde(default)]
    pub feedback: Feedback,
    /// Inputs of such a scanner with the expected codes: `profile check` tries them.
    #[serde(default, rename = "sample")]
    pub samples: Vec<Sample>,
}

impl Profile {
    /// Parses a file. The error has every fault in it.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        rules::parse(text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub name: String,
    /// The vendor and models.
    pub family: String,
    pub about: String,
    /// The public documents that describe the format.
    pub built_from: Vec<String>,
    /// Whether the profile was tried on a real device.
    #[serde(default)]
    pub tried: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Connection {
    Serial(Serial),
    Hid(Hid),
    Mqtt(Mqtt),
}

/// A serial port, or a USB scanner that behaves as one (CDC-ACM).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serial {
    #[serde(default = "Serial::baud")]
    pub baud: u32,
    /// 7 or 8.
    #[serde(default = "Serial::data_bits")]
    pub data_bits: u8,
    #[serde(default)]
    pub parity: Parity,
    /// 1 or 2.
    #[serde(default = "Serial::stop_bits")]
    pub stop_bits: u8,
    #[serde(default)]
    pub flow_control: FlowControl,
    /// The device file, such as `/dev/serial/by-path/...`. `scanners.toml` may name another.
    pub path: Option<String>,
    pub usb: Option<Usb>,
    #[serde(default)]
    pub framing: Framing,
}

impl Serial {
    fn baud() -> u32 {
        9_600
    }
    fn data_bits() -> u8 {
        8
    }
    fn stop_bits() -> u8 {
        1
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    #[default]
    None,
    Even,
    Odd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlowControl {
    #[default]
    None,
    /// RTS and CTS.
    Hardware,
    /// XON and XOFF.
    Software,
}

/// The ids of the USB device, as `lsusb` shows them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usb {
    pub vendor: u16,
    pub product: Option<u16>,
    /// The serial number, which distinguishes two devices of one model.
    pub serial: Option<String>,
}

/// A keyboard scanner.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hid {
    #[serde(default)]
    pub layout: Layout,
    /// The key that ends a code.
    #[serde(default)]
    pub terminator: Key,
    /// Pause in milliseconds that ends a code without the terminator. 0: never.
    #[serde(default = "Hid::silence_ms")]
    pub silence_ms: u64,
    pub path: Option<String>,
    pub usb: Option<Usb>,
    #[serde(default = "bytes_max")]
    pub max_bytes: usize,
}

impl Hid {
    fn silence_ms() -> u64 {
        1_000
    }
}

/// The keyboard layout that the scanner is configured for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    #[default]
    Us,
    De,
    Fr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    #[default]
    Enter,
    Tab,
}

/// A device that publishes scans over MQTT.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// The topic where such devices usually publish, for people. The gateway listens to the topics
    /// of `docs/mqtt.md`.
    pub topic: Option<String>,
    /// Whether each line of a message is a scan. Default false: a message is one payload.
    #[serde(default)]
    pub lines: bool,
    #[serde(default = "bytes_max")]
    pub max_bytes: usize,
}

fn bytes_max() -> usize {
    4_096
}

/// Where one code ends and the next begins: by `terminator`, or by `stx` with `etx`, or by
/// `silence_ms`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "WrittenFraming")]
pub struct Framing {
    pub end: End,
    /// Length of a code, at most. A longer code is reported and dropped.
    pub max_bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// These bytes end a code.
    Terminator(Bytes),
    /// A code is between these two marks.
    Enclosed { stx: Bytes, etx: Bytes },
    /// A pause of this length ends a code.
    Silence { ms: u64 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFraming {
    terminator: Option<Bytes>,
    stx: Option<Bytes>,
    etx: Option<Bytes>,
    silence_ms: Option<u64>,
    #[serde(default = "bytes_max")]
    max_bytes: usize,
}

impl From<WrittenFraming> for Framing {
    /// `rules` has already refused a framing with more than one end.
    fn from(written: WrittenFraming) -> Self {
        let end = match (written.stx, written.etx, written.silence_ms) {
            (Some(stx), Some(etx), _) => End::Enclosed { stx, etx },
            (_, _, Some(ms)) => End::Silence { ms },
            _ => End::Terminator(written.terminator.unwrap_or_else(|| Bytes(b"\r".to_vec()))),
        };
        Self {
            end,
            max_bytes: written.max_bytes,
        }
    }
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            end: End::Terminator(Bytes(b"\r".to_vec())),
            max_bytes: bytes_max(),
        }
    }
}

/// Bytes, written as a text in which each character is the byte of its number: `"\u001b7,"`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Bytes(pub Vec<u8>);

impl TryFrom<String> for Bytes {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let byte = |c: char| {
            u8::try_from(c)
                .map_err(|_| format!("character {c:?} is no byte: use \\u0000 to \\u00ff"))
        };
        Ok(Self(text.chars().map(byte).collect::<Result<_, _>>()?))
    }
}

/// How the code is cut out of a frame. The steps run in the order of these fields.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CodeRules {
    pub encoding: TextEncoding,
    /// Texts that a scanner sends if it could not read: `ERROR`, `NoRead`. They are not codes.
    pub no_read: Vec<String>,
    /// Text before a code, which is removed. A frame without it is refused.
    pub prefix: String,
    pub suffix: String,
    /// The text for GS (FNC1 between two elements), if the scanner does not send the character
    /// itself: `{GS}`, `^]`.
    pub gs: Option<String>,
    /// Whether spaces and line ends around a code are removed.
    pub trim: bool,
    /// Whether a symbology identifier of ISO/IEC 15424 (`]C1`) at the beginning of a code is read
    /// as one. Default true.
    pub aim: bool,
    /// Whether ISO/IEC 15434 messages of format 06 are read by their data identifiers. Default
    /// false: such a code is looked up as a whole.
    pub data_identifiers: bool,
    /// The meaning of codes with a prefix of this site, before any other source. The longest prefix
    /// counts.
    pub means: Vec<Means>,
}

impl Default for CodeRules {
    fn default() -> Self {
        Self {
            encoding: TextEncoding::Utf8,
            no_read: Vec::new(),
            prefix: String::new(),
            suffix: String::new(),
            gs: None,
            trim: true,
            aim: true,
            data_identifiers: false,
            means: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TextEncoding {
    #[serde(rename = "utf-8")]
    Utf8,
    /// ISO/IEC 8859-1.
    #[serde(rename = "latin-1")]
    Latin1,
    #[serde(rename = "windows-1252")]
    Windows1252,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Means {
    pub prefix: String,
    pub is: Kind,
    /// Whether to remove the prefix from the name.
    #[serde(default)]
    pub strip: bool,
}

/// The kinds of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Product,
    Location,
    Package,
    Order,
    Lot,
    Operator,
    Quantity,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Product,
        Self::Location,
        Self::Package,
        Self::Order,
        Self::Lot,
        Self::Operator,
        Self::Quantity,
    ];

    /// The name in profiles and in the control API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Location => "location",
            Self::Package => "package",
            Self::Order => "order",
            Self::Lot => "lot",
            Self::Operator => "operator",
            Self::Quantity => "quantity",
        }
    }
}

/// Whether the same code of one device counts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeats {
    /// An equal code within so many milliseconds is a duplicate of the first. 0: each scan counts.
    #[serde(default)]
    pub within_ms: u64,
}

impl Repeats {
    /// Whether a scan repeats the first scan of the same code on the same device. A scan before the
    /// first (after the clock was set back) is not a repeat.
    #[must_use]
    pub fn is_repeat(self, first: Timestamp, now: Timestamp) -> bool {
        let ms = now.as_millisecond().checked_sub(first.as_millisecond());
        ms.and_then(|ms| u64::try_from(ms).ok())
            .is_some_and(|ms| ms < self.within_ms)
    }
}

/// The fields of a JSON payload, as JSON pointers (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// The array whose elements are one scan each; empty: the payload itself. The other pointers
    /// then start at an element. `None`: a payload is one scan.
    pub each: Option<String>,
    pub code: String,
    /// The device's own id of the scan: the same id is the same event.
    pub id: Option<String>,
    pub time: Option<String>,
    #[serde(default)]
    pub time_format: TimeFormat,
    pub symbology: Option<String>,
    pub operator: Option<String>,
    /// The scanner's own number, for the feedback that goes back to it.
    pub device: Option<String>,
    /// Only messages with these texts in these fields are scans; other messages are skipped.
    #[serde(default)]
    pub only: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    #[default]
    Rfc3339,
    UnixMs,
    UnixS,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The whole frame or payload that the scanner sends. Each character is a byte, unless the
    /// encoding is UTF-8.
    pub input: String,
    pub code: String,
    pub symbology: Option<String>,
    /// The codes of the other scans in the same payload.
    #[serde(default)]
    pub more: Vec<String>,
}

/// A scan that the profile has decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The code, with GS where FNC1 was, and without a symbology identifier.
    pub text: String,
    pub symbology: Option<Symbology>,
    /// The symbology identifier in the scan, such as `]C1`.
    pub aim: Option<String>,
    pub id: Option<String>,
    /// The time by the scanner's own clock.
    pub at: Option<Timestamp>,
    pub operator: Option<String>,
    /// The scanner's own number.
    pub device: Option<String>,
    pub steps: Vec<Step>,
}

/// The input and output of one step. Texts are for people: control characters are escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub what: &'static str,
    pub before: String,
    pub after: String,
}

/// Why the input is not a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// `no-read` and `not-a-scan` are not faults: the scanner reports them.
    pub code: RejectionCode,
    pub message: String,
    pub steps: Vec<Step>,
}
