//! A rejected reading in the JSON of the control API.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StepView;
use crate::decode::{Faulty, Suggestion, suggest};
use crate::event::{Name, RejectedNumber, SourceKind};
use crate::journal::Rejected;

/// The most that lists show of a rejected reading's payload, in bytes.
const PAYLOAD_SHOWN_BYTES_MAX: usize = 1_024;

/// A rejected reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedView {
    pub number: RejectedNumber,
    pub device: String,
    pub source: String,
    /// `scan` or `event`; `None`: the topic named neither.
    #[serde(default)]
    pub channel: Option<String>,
    pub received: Timestamp,
    pub id: Option<String>,
    pub code: String,
    pub message: String,
    /// The payload; in a list, its beginning. Bytes that are not text are replaced by U+FFFD.
    pub payload: String,
    /// Whether `payload` is exactly what the gateway received.
    #[serde(default)]
    pub whole: bool,
    /// How many bytes are stored.
    #[serde(default)]
    pub bytes: u64,
    /// Only the beginning of the payload is stored.
    #[serde(default)]
    pub cut: bool,
    /// `open`, `dismissed` or `resent`; `no-fault`: the reading contains no scan.
    #[serde(default)]
    pub state: String,
    /// Who settled it, when and why; `None` while it is open, or if it contains no scan.
    #[serde(default)]
    pub settled: Option<StepView>,
    /// The nearest valid form. `None`: the gateway knows none, the reading is settled, or in a list
    /// the payload is longer than what the list shows.
    #[serde(default)]
    pub suggestion: Option<Suggestion>,
}

impl RejectedView {
    /// Builds the view with the whole stored payload.
    #[must_use]
    pub fn of(site: &Name, rejected: &Rejected) -> Self {
        Self::with(site, rejected, &rejected.payload)
    }

    /// Builds the view for a list, with the beginning of the payload.
    #[must_use]
    pub fn for_list(site: &Name, rejected: &Rejected) -> Self {
        let shown = rejected.payload.len().min(PAYLOAD_SHOWN_BYTES_MAX);
        Self::with(site, rejected, &rejected.payload[..shown])
    }

    fn with(site: &Name, rejected: &Rejected, payload: &[u8]) -> Self {
        let is_text = std::str::from_utf8(payload).is_ok();
        Self {
            number: rejected.number,
            device: rejected.device.to_string(),
            source: rejected.source.clone(),
            channel: rejected.channel.map(|channel| channel.name().to_owned()),
            received: rejected.received,
            id: rejected.id.clone(),
            code: rejected.code.to_string(),
            message: rejected.message.clone(),
            payload: String::from_utf8_lossy(payload).into_owned(),
            whole: is_text && !rejected.cut && payload.len() == rejected.bytes,
            bytes: rejected.bytes as u64,
            cut: rejected.cut,
            state: match &rejected.settled {
                Some(record) => record.state.clone(),
                None if rejected.code.needs_person() => "open".to_owned(),
                None => "no-fault".to_owned(),
            },
            settled: rejected.settled.clone().map(Into::into),
            suggestion: suggest_for(site, rejected, payload),
        }
    }
}

/// Finds the nearest valid form of an open reading whose payload is whole.
fn suggest_for(site: &Name, rejected: &Rejected, payload: &[u8]) -> Option<Suggestion> {
    let is_own = rejected.source == SourceKind::Listen.name();
    let is_whole = !rejected.cut && payload.len() == rejected.bytes;
    if rejected.settled.is_some() || !is_whole {
        return None;
    }
    suggest(&Faulty {
        code: rejected.code.known()?,
        site: is_own.then_some(site),
        device: &rejected.device,
        channel: rejected.channel,
        payload,
    })
}
