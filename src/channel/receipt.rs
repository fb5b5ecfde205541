//! Receipts: messages to a device about its events. `docs/mqtt.md` has the fields.

use bytes::Bytes;
use serde::Serialize;

use super::Verdict;
use crate::event::{EventFlag, Seq};
use crate::journal::Accepted;

/// The limit of characters in a text for people: devices with small buffers refuse larger messages,
/// and an MQTT 5 client with a Maximum Packet Size never receives them.
const TEXT_CHARS_MAX: usize = 300;

#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Receipt<'a> {
    Stored {
        id: &'a str,
        seq: Seq,
        duplicate: bool,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        id_derived: bool,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        flags: &'a [EventFlag],
    },
    Posted {
        id: &'a str,
        document: String,
        /// The picking's name. `None`: Odoo had this state already, and no picking was needed.
        odoo: Option<&'a str>,
        /// What Odoo did with the missing part of an order.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<&'a str>,
    },
    Refused {
        id: Option<&'a str>,
        code: &'a str,
        message: &'a str,
    },
}

impl Receipt<'_> {
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let text = match self {
            Self::Refused { message, .. } => shorten(message),
            Self::Posted { note, .. } => note.and_then(shorten),
            Self::Stored { .. } => None,
        };
        match (self, &text) {
            (Self::Refused { id, code, .. }, Some(message)) => Receipt::Refused {
                id: *id,
                code,
                message,
            }
            .serialize(),
            (
                Self::Posted {
                    id, document, odoo, ..
                },
                Some(note),
            ) => Receipt::Posted {
                id,
                document: document.clone(),
                odoo: *odoo,
                note: Some(note),
            }
            .serialize(),
            _ => self.serialize(),
        }
    }

    fn serialize(&self) -> Bytes {
        // Only strings and numbers: serialising them cannot fail.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        // Thousands may wait for a client that does not read.
        bytes.shrink_to_fit();
        bytes.into()
    }

    /// Builds the receipt for the journal's answer about an event.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Bytes {
        let id = verdict.id.as_deref();
        match &verdict.accepted {
            Accepted::Stored { seq } => Receipt::Stored {
                id: id.unwrap_or_default(),
                seq: *seq,
                duplicate: false,
                id_derived: verdict.id_derived,
                flags: &verdict.flags,
            }
            .to_bytes(),
            Accepted::Duplicate { original } => Receipt::Stored {
                id: id.unwrap_or_default(),
                seq: *original,
                duplicate: true,
                id_derived: verdict.id_derived,
                flags: &verdict.flags,
            }
            .to_bytes(),
            Accepted::Rejected { code, message } => {
                let code = code.as_str();
                Receipt::Refused { id, code, message }.to_bytes()
            }
        }
    }
}

/// Shortens a text for a receipt. `None`: it is short enough.
fn shorten(text: &str) -> Option<String> {
    text.chars().nth(TEXT_CHARS_MAX)?;
    let beginning = text.chars().take(TEXT_CHARS_MAX - 1);
    Some(beginning.chain(['…']).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_shortened_so_that_a_device_accepts_its_receipt() {
        for (chars, expected) in [(300, 300), (301, 300), (9_000, 300)] {
            let message = "\u{1}".repeat(chars);
            let receipt = Receipt::Refused {
                id: Some("e1"),
                code: "unknown-product",
                message: &message,
            };
            let bytes = receipt.to_bytes();
            assert!(bytes.len() < 2_000, "{}", bytes.len());
            let read: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            let text = read["message"].as_str().unwrap();
            assert_eq!(text.chars().count(), expected);
            assert_eq!(text.ends_with('…'), chars > expected);
        }
    }
}
