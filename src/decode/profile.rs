//! Scanner profiles: how one family of scanners says what it read. Pure.
//!
//! Comes in: a TOML file of `scanner-profiles/`, then what a scanner of that family sent. Goes out:
//! a [`Profile`], or **every** [`Fault`] of the file at once; a [`Scan`], or a [`Refusal`], both
//! with each step that led there.
//!
//! Promised: no bytes make it panic, memory is in proportion to what came (at most `max_bytes` of a
//! frame), and the same bytes give the same answer.
//!
//! - `schema`: the JSON Schema that is shipped is what files are held against; `rules`: what it
//!   cannot say.
//! - `framing`: where one code ends and the next begins; `read`: from a frame to a [`Scan`];
//!   `text`, `payload`: two of its steps.
//! - `symbology`, `flow`, `feedback`: the parts of a profile that others drive.

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
    /// Where in a JSON payload what is; without it the payload is the code.
    pub payload: Option<Payload>,
    #[serde(default)]
    pub flow: FlowRules,
    #[serde(default)]
    pub feedback: Feedback,
    /// What such a scanner sends, and what it must be read as: `profile check` tries them.
    #[serde(default, rename = "sample")]
    pub samples: Vec<Sample>,
}

impl Profile {
    /// A file as meant, or every fault in it.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        rules::parse(text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub name: String,
    /// Whose scanners, and which.
    pub family: String,
    pub about: String,
    /// The public documents that it was built from.
    pub built_from: Vec<String>,
    /// Whether somebody tried it on the device.
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
    /// The device file, such as `/dev/serial/by-path/...`; a gateway's own configuration may name
    /// another.
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

/// Which USB device it is, as `lsusb` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usb {
    pub vendor: u16,
    pub product: Option<u16>,
    /// Tells two of the same kind apart.
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
    /// A code whose last key came so long ago ends without one, in milliseconds; 0 never.
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

/// The keyboard that the scanner was set to be.
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

/// A device that publishes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// Where such devices usually publish, to be shown to people; the gateway listens to the topics
    /// of `docs/mqtt.md`.
    pub topic: Option<String>,
    /// Whether each line of a message is a read. Default false: a message is one payload.
    #[serde(default)]
    pub lines: bool,
    #[serde(default = "bytes_max")]
    pub max_bytes: usize,
}

fn bytes_max() -> usize {
    4_096
}

/// Where one code ends and the next begins. One of `terminator`, `stx` with `etx`, and
/// `silence_ms`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "WrittenFraming")]
pub struct Framing {
    pub end: End,
    /// What is longer is reported and thrown away to its end.
    pub max_bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// These bytes end a code.
    Terminator(Bytes),
    /// A code is between these.
    Enclosed { stx: Bytes, etx: Bytes },
    /// Nothing came for so long.
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
    /// `rules` refuses what names more than one end before it comes here.
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

/// What of a frame is the code. The steps are done in the order of these fields.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CodeRules {
    pub encoding: Encoding,
    /// What a scanner that cannot get through its lines says instead: `ERROR`, `NoRead`. It is no
    /// code.
    pub no_read: Vec<String>,
    /// What the scanner puts before a code, and is dropped; a frame without it is refused.
    pub prefix: String,
    pub suffix: String,
    /// What it sends for GS (FNC1 between two elements), where that is not the character itself:
    /// `{GS}`, `^]`.
    pub gs: Option<String>,
    /// Whether spaces and line ends around a code are dropped.
    pub trim: bool,
    /// Whether a symbology identifier of ISO/IEC 15424 (`]C1`) at a code's begin is told apart.
    /// Default true.
    pub aim: bool,
    /// Whether ISO/IEC 15434 messages of format 06 are read by their data identifiers. Default
    /// false: such a code is looked up as a whole.
    pub data_identifiers: bool,
    /// What codes with a prefix of this site's own are, whatever the nomenclature says. The longest
    /// prefix counts.
    pub means: Vec<Means>,
}

impl Default for CodeRules {
    fn default() -> Self {
        Self {
            encoding: Encoding::Utf8,
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
pub enum Encoding {
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
    /// Whether the prefix is no part of the name.
    #[serde(default)]
    pub strip: bool,
}

/// What a code may be.
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

/// Whether the same code on one device counts once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeats {
    /// A code that comes again within so many milliseconds is a duplicate of its first; 0: each
    /// read counts.
    #[serde(default)]
    pub within_ms: u64,
}

impl Repeats {
    /// Whether a read is a repeat of one of the same code on the same device. What came before the
    /// first (a clock that was set back) is none.
    #[must_use]
    pub fn is_repeat(self, first: Timestamp, now: Timestamp) -> bool {
        let ms = now.as_millisecond().checked_sub(first.as_millisecond());
        ms.and_then(|ms| u64::try_from(ms).ok())
            .is_some_and(|ms| ms < self.within_ms)
    }
}

/// Where in a JSON payload what is, as JSON pointers (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// Where the array is whose elements are a read each; empty: the payload itself. The other
    /// places are then in an element. `None`: a payload is one read.
    pub each: Option<String>,
    pub code: String,
    /// The device's own id of the read: the same id again is the same event.
    pub id: Option<String>,
    pub time: Option<String>,
    #[serde(default)]
    pub time_format: TimeFormat,
    pub symbology: Option<String>,
    pub operator: Option<String>,
    /// The scanner's own number, for the feedback that goes back to it.
    pub device: Option<String>,
    /// Only messages with these texts at these places are reads; others are let pass.
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
    /// As the scanner sends it, whole frame or payload, each character a byte unless the encoding
    /// is UTF-8.
    pub input: String,
    pub code: String,
    pub symbology: Option<String>,
    /// The codes of the other reads in the same payload.
    #[serde(default)]
    pub more: Vec<String>,
}

/// What a scanner read, as the profile understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The code, with GS where FNC1 was, and without a symbology identifier.
    pub text: String,
    pub symbology: Option<Symbology>,
    /// The symbology identifier that came, such as `]C1`.
    pub aim: Option<String>,
    pub id: Option<String>,
    /// When, by the scanner's own clock.
    pub at: Option<Timestamp>,
    pub operator: Option<String>,
    /// The scanner's own number.
    pub device: Option<String>,
    pub steps: Vec<Step>,
}

/// What one step made of what came to it. Texts are for people: control characters are escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub what: &'static str,
    pub before: String,
    pub after: String,
}

/// Why what came is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// `no-read` and `not-a-scan` are no faults: the scanner said so.
    pub code: RejectionCode,
    pub message: String,
    pub steps: Vec<Step>,
}
