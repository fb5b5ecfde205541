//! The stored form of a document.
//!
//! A plain transfer is stored as `V1`, which is small. Any other document is stored as the first
//! later version that can represent it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BadRecord, DecimalV1, bad, decode, encode, time};
use crate::document::{Document, DocumentKey, DocumentNumber, EventTime, Line, Purpose};
use crate::event::{Goods, Seq};
use crate::reason::Code;

/// Each version begins with the key: [`document_key`] reads nothing else.
#[derive(Serialize, Deserialize)]
enum StoredDocument {
    V1(DocumentV1),
    V2(DocumentV2),
    /// With the true times of events: `seq`, microseconds, and the other time while a clock is in
    /// doubt.
    V3(DocumentV2, Vec<(u64, i64, Option<i64>)>),
    /// Also with the best before dates of lines, each with the index of the line from 0.
    V4(DocumentV2, Vec<(u64, i64, Option<i64>)>, Vec<(u32, String)>),
}

super::json::shown!(DOCUMENT_JSON, "document", StoredDocument);

#[derive(Serialize, Deserialize)]
struct DocumentV1 {
    key: [u8; 16],
    unsupported: Option<String>,
    group: String,
    lines: Vec<LineV1>,
    occurred_us: i64,
    sealed_us: i64,
    /// For each event: the distance of its `seq` from the event before, and the line of the event
    /// (0: no line, else the position of the line from 1). Two or three bytes for an event.
    events: Vec<(u64, u32)>,
}

/// Barcodes of one site begin alike. So product, from and to are written as the difference from the
/// line before: the count of equal bytes, and the rest. That halves the size of a document with
/// many lines.
#[derive(Serialize, Deserialize)]
struct LineV1 {
    product: (usize, String),
    lot: Option<String>,
    package: Option<String>,
    from: (usize, String),
    to: (usize, String),
    quantity: DecimalV1,
}

#[derive(Serialize, Deserialize)]
struct DocumentV2 {
    key: [u8; 16],
    purpose: PurposeV2,
    group: String,
    lines: Vec<LineV2>,
    occurred_us: i64,
    sealed_us: i64,
    /// As in `V1`.
    events: Vec<(u64, u32)>,
    corrects: Option<u64>,
    flags: Vec<String>,
}

#[derive(Serialize, Deserialize)]
enum PurposeV2 {
    Transfer,
    Pick(String),
    Receive(Option<String>),
    Count,
    Scrap(Option<String>),
    /// The order and the reason.
    Return(Option<String>, Option<String>),
    Pack(Option<String>),
    /// The order and the package.
    PackOrder(String, String),
    Ship {
        order: String,
        carrier_ref: Option<String>,
        weight_kg: Option<DecimalV1>,
        parcels: Option<u32>,
    },
    Validate(String),
    Unsupported(String),
    Undo {
        event: String,
        seq: Option<u64>,
        of: Option<Box<PurposeV2>>,
        reason: Option<String>,
    },
    /// The number of the document of the count.
    Recount(u64),
}

#[derive(Serialize, Deserialize)]
struct LineV2 {
    product: String,
    lot: Option<String>,
    package: Option<String>,
    from: Option<String>,
    to: Option<String>,
    owner: Option<String>,
    expiry: Option<String>,
    quantity: DecimalV1,
}

impl From<&Line> for LineV2 {
    fn from(line: &Line) -> Self {
        let goods = line.goods.clone();
        Self {
            product: goods.product,
            lot: goods.lot,
            package: goods.package,
            from: goods.from,
            to: goods.to,
            owner: goods.owner,
            expiry: goods.expiry,
            quantity: goods.quantity.into(),
        }
    }
}

impl TryFrom<LineV2> for Line {
    type Error = BadRecord;
    fn try_from(stored: LineV2) -> Result<Self, BadRecord> {
        let goods = Goods {
            product: stored.product,
            quantity: stored.quantity.try_into()?,
            from: stored.from,
            to: stored.to,
            lot: stored.lot,
            package: stored.package,
            owner: stored.owner,
            expiry: stored.expiry,
            best_before: None,
        };
        Ok(Self {
            goods,
            events: Vec::new(),
        })
    }
}

impl From<Purpose> for PurposeV2 {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Transfer => Self::Transfer,
            Purpose::Pick { order } => Self::Pick(order),
            Purpose::Receive { order } => Self::Receive(order),
            Purpose::Count => Self::Count,
            Purpose::Scrap { reason } => Self::Scrap(reason),
            Purpose::Return { order, reason } => Self::Return(order, reason),
            Purpose::Pack { order } => Self::Pack(order),
            Purpose::PackOrder { order, package } => Self::PackOrder(order, package),
            Purpose::Ship {
                order,
                carrier_ref,
                weight_kg,
                parcels,
            } => Self::Ship {
                order,
                carrier_ref,
                weight_kg: weight_kg.map(Into::into),
                parcels,
            },
            Purpose::Validate { order } => Self::Validate(order),
            Purpose::Unsupported { kind } => Self::Unsupported(kind),
            Purpose::Recount { count } => Self::Recount(count.get()),
            Purpose::Undo {
                event,
                seq,
                of,
                reason,
            } => Self::Undo {
                event,
                seq: seq.map(Seq::get),
                of: of.map(|of| Box::new((*of).into())),
                reason,
            },
        }
    }
}

impl TryFrom<PurposeV2> for Purpose {
    type Error = BadRecord;
    fn try_from(stored: PurposeV2) -> Result<Self, BadRecord> {
        Ok(match stored {
            PurposeV2::Transfer => Self::Transfer,
            PurposeV2::Pick(order) => Self::Pick { order },
            PurposeV2::Receive(order) => Self::Receive { order },
            PurposeV2::Count => Self::Count,
            PurposeV2::Scrap(reason) => Self::Scrap { reason },
            PurposeV2::Return(order, reason) => Self::Return { order, reason },
            PurposeV2::Pack(order) => Self::Pack { order },
            PurposeV2::PackOrder(order, package) => Self::PackOrder { order, package },
            PurposeV2::Ship {
                order,
                carrier_ref,
                weight_kg,
                parcels,
            } => Self::Ship {
                order,
                carrier_ref,
                weight_kg: weight_kg.map(TryInto::try_into).transpose()?,
                parcels,
            },
            PurposeV2::Validate(order) => Self::Validate { order },
            PurposeV2::Unsupported(kind) => Self::Unsupported { kind },
            PurposeV2::Recount(count) => Self::Recount {
                count: DocumentNumber::new(count),
            },
            PurposeV2::Undo {
                event,
                seq,
                of,
                reason,
            } => Self::Undo {
                event,
                seq: seq.map(Seq::new),
                of: of.map(|of| (*of).try_into().map(Box::new)).transpose()?,
                reason,
            },
        })
    }
}

fn after(before: &str, text: &str) -> (usize, String) {
    let same = before
        .char_indices()
        .zip(text.chars())
        .take_while(|((_, a), b)| a == b);
    let same = same
        .last()
        .map_or(0, |((at, character), _)| at + character.len_utf8());
    (same, text[same..].to_owned())
}

fn joined(before: &str, (same, rest): &(usize, String)) -> Result<String, BadRecord> {
    let same = before.get(..*same).ok_or_else(|| {
        bad(
            "document",
            "a line repeats more bytes than the line before it has",
        )
    })?;
    Ok(format!("{same}{rest}"))
}

/// For each event: the distance of its `seq` from the event before, and the position of its line.
fn events_in(document: &Document) -> Result<Vec<(u64, u32)>, BadRecord> {
    let seqs = document.events.iter().map(|seq| (seq.get(), 0));
    let mut events: Vec<(u64, u32)> = seqs.collect();
    for (place, line) in (1u32..).zip(&document.lines) {
        for seq in &line.events {
            let at = events
                .binary_search_by_key(&seq.get(), |(seq, _)| *seq)
                .map_err(|_| bad("document", "a line has another document's event"))?;
            events[at].1 = place;
        }
    }
    let mut before = 0;
    for (seq, _) in &mut events {
        let distance = *seq - before;
        before = *seq;
        *seq = distance;
    }
    Ok(events)
}

/// Gives each line its events, and returns all events.
fn events_out(stored: Vec<(u64, u32)>, lines: &mut [Line]) -> Result<Vec<Seq>, BadRecord> {
    let mut events = Vec::with_capacity(stored.len());
    let mut seq = 0u64;
    for (distance, place) in stored {
        seq = seq
            .checked_add(distance)
            .ok_or_else(|| bad("document", "a seq that is too large"))?;
        events.push(Seq::new(seq));
        if place > 0 {
            let line = lines
                .get_mut(place as usize - 1)
                .ok_or_else(|| bad("document", "an event names a missing line"))?;
            line.events.push(Seq::new(seq));
        }
    }
    Ok(events)
}

/// The lines in the form of `V1`. `None`: the form cannot represent a field of the document.
fn lines_v1(document: &Document) -> Option<Vec<LineV1>> {
    let plain =
        document.corrects.is_none() && document.flags.is_empty() && document.times.is_empty();
    if !plain
        || !matches!(
            document.purpose,
            Purpose::Transfer | Purpose::Unsupported { .. }
        )
    {
        return None;
    }
    let mut lines = Vec::with_capacity(document.lines.len());
    let (mut product, mut from, mut to) = ("", "", "");
    for line in &document.lines {
        let goods = &line.goods;
        let (Some(line_from), Some(line_to), None, None, None) = (
            &goods.from,
            &goods.to,
            &goods.owner,
            &goods.expiry,
            &goods.best_before,
        ) else {
            return None;
        };
        lines.push(LineV1 {
            product: after(product, &goods.product),
            lot: goods.lot.clone(),
            package: goods.package.clone(),
            from: after(from, line_from),
            to: after(to, line_to),
            quantity: goods.quantity.into(),
        });
        (product, from, to) = (&goods.product, line_from, line_to);
    }
    Some(lines)
}

pub fn document_in(document: &Document) -> Result<Vec<u8>, BadRecord> {
    let events = events_in(document)?;
    let (occurred_us, sealed_us) = (
        document.occurred.as_microsecond(),
        document.sealed.as_microsecond(),
    );
    let stored = if let Some(lines) = lines_v1(document) {
        StoredDocument::V1(DocumentV1 {
            key: document.key.0,
            unsupported: match &document.purpose {
                Purpose::Unsupported { kind } => Some(kind.clone()),
                _ => None,
            },
            group: document.group.clone(),
            lines,
            occurred_us,
            sealed_us,
            events,
        })
    } else {
        let stored = DocumentV2 {
            key: document.key.0,
            purpose: document.purpose.clone().into(),
            group: document.group.clone(),
            lines: document.lines.iter().map(Into::into).collect(),
            occurred_us,
            sealed_us,
            events,
            corrects: document.corrects.map(DocumentNumber::get),
            flags: document.flags.iter().map(Code::to_string).collect(),
        };
        let best_before = best_before_in(&document.lines);
        match (document.times.is_empty(), best_before.is_empty()) {
            (true, true) => StoredDocument::V2(stored),
            (false, true) => StoredDocument::V3(stored, times_in(&document.times)),
            (_, false) => StoredDocument::V4(stored, times_in(&document.times), best_before),
        }
    };
    encode("document", &stored)
}

/// The variants of [`StoredDocument`].
#[derive(Deserialize)]
enum DocumentVersion {
    V1,
    V2,
    V3,
    V4,
}

/// The key of a stored document.
pub fn document_key(bytes: &[u8]) -> Result<DocumentKey, BadRecord> {
    let head: Result<((DocumentVersion, [u8; 16]), _), _> = postcard::take_from_bytes(bytes);
    let ((_version, key), _) = head.map_err(|error| bad("document", error))?;
    Ok(DocumentKey(key))
}

pub fn document_out(number: DocumentNumber, bytes: &[u8]) -> Result<Document, BadRecord> {
    match decode("document", bytes)? {
        StoredDocument::V1(stored) => document_v1(number, stored),
        StoredDocument::V2(stored) => document_v2(number, stored, Vec::new()),
        StoredDocument::V3(stored, times) => document_v2(number, stored, times_out(times)?),
        StoredDocument::V4(stored, times, best_before) => {
            let mut document = document_v2(number, stored, times_out(times)?)?;
            for (place, date) in best_before {
                let line = document.lines.get_mut(place as usize);
                let line = line.ok_or_else(|| bad("document", "a date names a missing line"))?;
                line.goods.best_before = Some(date);
            }
            Ok(document)
        }
    }
}

fn best_before_in(lines: &[Line]) -> Vec<(u32, String)> {
    let dated = |(place, line): (u32, &Line)| Some((place, line.goods.best_before.clone()?));
    (0u32..).zip(lines).filter_map(dated).collect()
}

fn times_in(times: &[EventTime]) -> Vec<(u64, i64, Option<i64>)> {
    let stored = times.iter().map(|EventTime { seq, time, other }| {
        let other = other.map(Timestamp::as_microsecond);
        (seq.get(), time.as_microsecond(), other)
    });
    stored.collect()
}

fn times_out(stored: Vec<(u64, i64, Option<i64>)>) -> Result<Vec<EventTime>, BadRecord> {
    let times = stored.into_iter().map(|(seq, at, other)| {
        Ok(EventTime {
            seq: Seq::new(seq),
            time: time("document", at)?,
            other: other.map(|other| time("document", other)).transpose()?,
        })
    });
    times.collect()
}

fn document_v2(
    number: DocumentNumber,
    stored: DocumentV2,
    times: Vec<EventTime>,
) -> Result<Document, BadRecord> {
    let lines = stored.lines.into_iter().map(TryInto::try_into);
    let mut lines = lines.collect::<Result<Vec<Line>, _>>()?;
    Ok(Document {
        number,
        key: DocumentKey(stored.key),
        purpose: stored.purpose.try_into()?,
        group: stored.group,
        events: events_out(stored.events, &mut lines)?,
        lines,
        occurred: time("document", stored.occurred_us)?,
        sealed: time("document", stored.sealed_us)?,
        corrects: stored.corrects.map(DocumentNumber::new),
        flags: stored.flags.into_iter().map(Code::from).collect(),
        times,
    })
}

fn document_v1(number: DocumentNumber, stored: DocumentV1) -> Result<Document, BadRecord> {
    let mut lines = Vec::with_capacity(stored.lines.len());
    let (mut product, mut from, mut to) = (String::new(), String::new(), String::new());
    for line in stored.lines {
        product = joined(&product, &line.product)?;
        from = joined(&from, &line.from)?;
        to = joined(&to, &line.to)?;
        let goods = Goods {
            product: product.clone(),
            quantity: line.quantity.try_into()?,
            from: Some(from.clone()),
            to: Some(to.clone()),
            lot: line.lot,
            package: line.package,
            ..Goods::default()
        };
        lines.push(Line {
            goods,
            events: Vec::new(),
        });
    }
    Ok(Document {
        number,
        key: DocumentKey(stored.key),
        purpose: stored
            .unsupported
            .map_or(Purpose::Transfer, |kind| Purpose::Unsupported { kind }),
        group: stored.group,
        events: events_out(stored.events, &mut lines)?,
        lines,
        occurred: time("document", stored.occurred_us)?,
        sealed: time("document", stored.sealed_us)?,
        corrects: None,
        times: Vec::new(),
        flags: Vec::new(),
    })
}
