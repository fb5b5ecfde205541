//! Receipts: what became of an event, told to its device. `docs/mqtt.md` has the fields.

use bytes::Bytes;
use serde::Serialize;

use super::Verdict;
use crate::event::EventFlag;
use crate::journal::Accepted;

#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Receipt<'a> {
    Stored {
        id: &'a str,
        seq: u64,
        duplicate: bool,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        id_derived: bool,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        flags: &'a [EventFlag],
    },
    Posted {
        id: &'a str,
        document: String,
        /// None: it was so in Odoo already, and no picking was needed.
        odoo: Option<&'a str>,
        /// What Odoo did with what was missing of an order.
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
        // Strings and numbers alone: serialising them cannot fail.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        // Thousands may wait for a client that does not read.
        bytes.shrink_to_fit();
        bytes.into()
    }

    /// The receipt for what the journal said of an event.
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
                Receipt::Refused { id, code, message }.to_bytes()
            }
        }
    }
}
