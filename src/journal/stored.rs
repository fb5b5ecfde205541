//! Stored forms: converts domain types to bytes on disk, and back.
//!
//! postcard is not self-describing, so each record is an enum of versions that only grows: `V1` is
//! frozen, a changed form is a `V2`, and every version that was ever written stays readable
//! (`stored/*.txt` have records of each version). Times are microseconds since 1970-01-01 UTC.

mod book;
mod convert;
mod device_clock;
mod document;
mod event;
mod fence;
pub mod fleet;
pub mod flow;
mod id_segment;
mod json;
pub mod lines;
pub mod logged;
mod pause;
mod period;
pub mod plan;
mod progress;
mod restored_mark;
pub mod search_segment;
mod state;
#[cfg(test)]
mod tests;
mod wrong_scan;

use std::fmt;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub use book::{counts_in, counts_out, spans_in, spans_out};
pub(crate) use convert::convert;
pub use device_clock::{device_clock_in, device_clock_out};
pub use document::{DOCUMENT_JSON, document_in, document_key, document_out};
pub use event::{EVENT_JSON, event_head, event_in, event_out, event_texts};
pub use fence::{fence_in, fence_out};
pub use id_segment::IdSegment;
pub use logged::{LogHead, log_head_in, log_head_out};
pub use pause::{pause_in, pause_out};
pub use period::{PERIOD_JSON, period_in, period_out};
pub use progress::{AUDIT_JSON, PROGRESS_JSON, audit_in, audit_out, progress_in, progress_out};
pub use restored_mark::{restored_in, restored_out};
pub use search_segment::{
    BlockReader, BlockWriter, Events, SegmentHead, Term, document_term_number, segment_head_in,
    segment_head_out, term_kind_number, terms_upto_in, terms_upto_out,
};
pub use state::StateV1;
pub use wrong_scan::{WRONG_SCAN_JSON, wrong_scan_in, wrong_scan_out};

use super::{Rejected, Repeats, StateTotals, Totals};
use crate::document::DocumentNumber;
use crate::event::{Channel, Name, RejectedNumber, Rejection, Seq};
use crate::reason::{Code, RejectionCode};

/// A record that this version cannot read: written by a newer version, or damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the {what} ({why}): a newer version wrote it, or the file is damaged")]
pub struct BadRecord {
    pub what: &'static str,
    pub why: String,
}

pub(super) fn bad(what: &'static str, why: impl fmt::Display) -> BadRecord {
    BadRecord {
        what,
        why: why.to_string(),
    }
}

fn encode<T: Serialize>(what: &'static str, record: &T) -> Result<Vec<u8>, BadRecord> {
    postcard::to_stdvec(record).map_err(|error| bad(what, error))
}

fn decode<'a, T: Deserialize<'a>>(what: &'static str, bytes: &'a [u8]) -> Result<T, BadRecord> {
    postcard::from_bytes(bytes).map_err(|error| bad(what, error))
}

fn time(what: &'static str, micros: i64) -> Result<Timestamp, BadRecord> {
    Timestamp::from_microsecond(micros).map_err(|error| bad(what, error))
}

/// A decimal: its digits, and how many of them are after the decimal point.
#[derive(Serialize, Deserialize)]
struct DecimalV1(i128, u32);

impl From<Decimal> for DecimalV1 {
    fn from(value: Decimal) -> Self {
        Self(value.mantissa(), value.scale())
    }
}

impl TryFrom<DecimalV1> for Decimal {
    type Error = BadRecord;
    fn try_from(DecimalV1(mantissa, scale): DecimalV1) -> Result<Self, BadRecord> {
        Self::try_from_i128_with_scale(mantissa, scale).map_err(|error| bad("quantity", error))
    }
}

/// Each version begins with the device, the source, the time of receipt and the id:
/// [`rejection_head`] reads nothing else.
#[derive(Serialize, Deserialize)]
enum StoredRejection {
    V1(RejectionV1),
    /// With the channel of the reading, and whether its payload is cut. In version 1, a payload of
    /// [`REJECTION_V1_BYTES_MAX`] bytes is cut.
    V2(RejectionV1, Option<ChannelV1>, bool),
}

json::shown!(REJECTION_JSON, "rejected reading", StoredRejection);

#[derive(Serialize, Deserialize)]
struct RejectionV1 {
    device: String,
    source: String,
    received_us: i64,
    id: Option<String>,
    code: String,
    message: String,
    payload: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
enum ChannelV1 {
    Scan,
    Event,
}

const REJECTION_V1_BYTES_MAX: usize = 4_096;

pub fn rejection_in(rejection: &Rejection) -> Result<Vec<u8>, BadRecord> {
    let plain = RejectionV1 {
        device: rejection.device.to_string(),
        source: rejection.source.name().to_owned(),
        received_us: rejection.received.as_microsecond(),
        id: rejection.id.clone(),
        code: rejection.code.to_string(),
        message: rejection.message.clone(),
        payload: rejection.payload.clone(),
    };
    let channel = rejection.channel.map(|channel| match channel {
        Channel::Scan => ChannelV1::Scan,
        Channel::Event => ChannelV1::Event,
    });
    let is_plain = channel.is_none() && plain.payload.len() < REJECTION_V1_BYTES_MAX;
    let stored = if is_plain && !rejection.cut {
        StoredRejection::V1(plain)
    } else {
        StoredRejection::V2(plain, channel, rejection.cut)
    };
    encode("rejected reading", &stored)
}

/// The variants of [`StoredRejection`].
#[derive(Deserialize)]
enum RejectionVersion {
    V1,
    V2,
}

/// The reason code of a stored rejected reading.
pub fn rejection_code(bytes: &[u8]) -> Result<Code<RejectionCode>, BadRecord> {
    type Head<'a> = (
        RejectionVersion,
        &'a str,
        &'a str,
        i64,
        Option<&'a str>,
        &'a str,
    );
    let head: Result<(Head<'_>, _), _> = postcard::take_from_bytes(bytes);
    let ((.., code), _) = head.map_err(|error| bad("rejected reading", error))?;
    Ok(code.into())
}

/// The device and the id of a stored rejected reading.
pub fn rejection_head(bytes: &[u8]) -> Result<(&str, Option<&str>), BadRecord> {
    type Head<'a> = (RejectionVersion, &'a str, &'a str, i64, Option<&'a str>);
    let head: Result<(Head<'_>, _), _> = postcard::take_from_bytes(bytes);
    let ((_version, device, _source, _received_us, id), _) =
        head.map_err(|error| bad("rejected reading", error))?;
    Ok((device, id))
}

/// What a search finds of a stored rejected reading.
pub struct RejectionTexts<'a> {
    pub device: &'a str,
    pub id: Option<&'a str>,
    pub code: &'a str,
    pub received_us: i64,
}

/// The texts by which a rejected reading is found.
pub fn rejection_texts(bytes: &[u8]) -> Result<RejectionTexts<'_>, BadRecord> {
    type Head<'a> = (
        RejectionVersion,
        &'a str,
        &'a str,
        i64,
        Option<&'a str>,
        &'a str,
    );
    let head: Result<(Head<'_>, _), _> = postcard::take_from_bytes(bytes);
    let ((_version, device, _source, received_us, id, code), _) =
        head.map_err(|error| bad("rejected reading", error))?;
    Ok(RejectionTexts {
        device,
        id,
        code,
        received_us,
    })
}

pub fn rejection_out(number: RejectedNumber, bytes: &[u8]) -> Result<Rejected, BadRecord> {
    let (stored, channel, cut) = match decode("rejected reading", bytes)? {
        StoredRejection::V1(stored) => {
            let cut = stored.payload.len() >= REJECTION_V1_BYTES_MAX;
            (stored, None, cut)
        }
        StoredRejection::V2(stored, channel, cut) => (stored, channel, cut),
    };
    Ok(Rejected {
        settled: None,
        number,
        device: Name::new(&stored.device).map_err(|error| bad("rejected reading", error))?,
        source: stored.source,
        channel: channel.map(|channel| match channel {
            ChannelV1::Scan => Channel::Scan,
            ChannelV1::Event => Channel::Event,
        }),
        received: time("rejected reading", stored.received_us)?,
        id: stored.id,
        code: stored.code.into(),
        message: stored.message,
        bytes: stored.payload.len(),
        payload: stored.payload,
        cut,
    })
}

#[derive(Serialize, Deserialize)]
enum StoredRepeats {
    V1 {
        count: u64,
        first_us: i64,
        last_us: i64,
    },
}

json::shown!(REPEATS_JSON, "repeats", StoredRepeats);

pub fn repeats_in(repeats: Repeats) -> Result<Vec<u8>, BadRecord> {
    let Repeats { count, first, last } = repeats;
    encode(
        "repeats",
        &StoredRepeats::V1 {
            count,
            first_us: first.as_microsecond(),
            last_us: last.as_microsecond(),
        },
    )
}

pub fn repeats_out(bytes: &[u8]) -> Result<Repeats, BadRecord> {
    let StoredRepeats::V1 {
        count,
        first_us,
        last_us,
    } = decode("repeats", bytes)?;
    Ok(Repeats {
        count,
        first: time("repeats", first_us)?,
        last: time("repeats", last_us)?,
    })
}

/// The bytes of the journal's records and pages; see `journal/budget.rs`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Bytes of all records.
    pub records: u64,
    /// Bytes of all records when the pages were last known. 0: the pages were never known.
    pub records_full: u64,
    /// Bytes of the pages in use at that time.
    pub pages_full: u64,
}

#[derive(Serialize, Deserialize)]
enum StoredRoom {
    V1 {
        records: u64,
        records_full: u64,
        pages_full: u64,
    },
}

pub fn room_in(room: Room) -> Result<Vec<u8>, BadRecord> {
    let Room {
        records,
        records_full,
        pages_full,
    } = room;
    encode(
        "room",
        &StoredRoom::V1 {
            records,
            records_full,
            pages_full,
        },
    )
}

pub fn room_out(bytes: &[u8]) -> Result<Room, BadRecord> {
    let StoredRoom::V1 {
        records,
        records_full,
        pages_full,
    } = decode("room", bytes)?;
    Ok(Room {
        records,
        records_full,
        pages_full,
    })
}

/// The counters that each commit writes.
#[derive(Serialize, Deserialize)]
enum StoredTotals {
    V1(TotalsV1),
    /// With the count of possible repeats. While the count is 0, version 1 is written.
    V2(TotalsV1, u64),
    /// Also with the count of events of posted documents that have no line. While the count is 0,
    /// an older version is written.
    V3(TotalsV1, u64, u64),
    /// Also with the count of unused raw scans. While the count is 0, an older version is written.
    V4 {
        plain: TotalsV1,
        possible_repeats: u64,
        left_out: u64,
        unused_scans: u64,
    },
}

json::shown!(TOTALS_JSON, "totals", StoredTotals);

#[derive(Serialize, Deserialize)]
struct TotalsV1 {
    last_seq: u64,
    stored: u64,
    duplicates: u64,
    rejected: u64,
    no_document: u64,
    /// Waiting, sending, posted, parked, discarded: documents, lines, events.
    states: [(u64, u64, u64); 5],
    last_document: u64,
    settled: u64,
}

/// The counters that the writer needs before its first request, and stores with each commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    pub totals: Totals,
    /// The number of the newest document.
    pub last_document: DocumentNumber,
}

pub fn counters_in(counters: &Counters) -> Result<Vec<u8>, BadRecord> {
    let totals = &counters.totals;
    let states = StateV1::COUNTED.map(|state| {
        let StateTotals {
            documents,
            lines,
            events,
        } = totals.of(state.into());
        (documents, lines, events)
    });
    let plain = TotalsV1 {
        last_seq: totals.last_seq.get(),
        stored: totals.stored,
        duplicates: totals.duplicates,
        rejected: totals.rejected,
        no_document: totals.no_document,
        states,
        last_document: counters.last_document.get(),
        settled: totals.settled.get(),
    };
    let (repeats, left_out) = (totals.possible_repeats, totals.left_out);
    let stored = match (repeats, left_out, totals.unused_scans) {
        (0, 0, 0) => StoredTotals::V1(plain),
        (_, 0, 0) => StoredTotals::V2(plain, repeats),
        (.., 0) => StoredTotals::V3(plain, repeats, left_out),
        (possible_repeats, left_out, unused_scans) => StoredTotals::V4 {
            plain,
            possible_repeats,
            left_out,
            unused_scans,
        },
    };
    encode("totals", &stored)
}

pub fn counters_out(bytes: &[u8]) -> Result<Counters, BadRecord> {
    let mut totals = Totals::default();
    let stored = match decode("totals", bytes)? {
        StoredTotals::V1(plain) => plain,
        StoredTotals::V2(plain, possible_repeats) => {
            totals.possible_repeats = possible_repeats;
            plain
        }
        StoredTotals::V3(plain, possible_repeats, left_out) => {
            totals.possible_repeats = possible_repeats;
            totals.left_out = left_out;
            plain
        }
        StoredTotals::V4 {
            plain,
            possible_repeats,
            left_out,
            unused_scans,
        } => {
            totals.possible_repeats = possible_repeats;
            totals.left_out = left_out;
            totals.unused_scans = unused_scans;
            plain
        }
    };
    totals.last_seq = Seq::new(stored.last_seq);
    totals.stored = stored.stored;
    totals.duplicates = stored.duplicates;
    totals.rejected = stored.rejected;
    totals.no_document = stored.no_document;
    totals.settled = Seq::new(stored.settled);
    for (state, (documents, lines, events)) in StateV1::COUNTED.into_iter().zip(stored.states) {
        if let Some(place) = totals.of_mut(state.into()) {
            *place = StateTotals {
                documents,
                lines,
                events,
            };
        }
    }
    Ok(Counters {
        totals,
        last_document: DocumentNumber::new(stored.last_document),
    })
}
