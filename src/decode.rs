//! Decodes bytes into events, or into rejections with a reason. Pure.
//!
//! Input: a [`Reading`], the payload of one message with its device, channel and time of receipt.
//! Output: one entry for each event in the payload, in order: the [`Event`], or a [`Rejection`]
//! that names the wrong field, the value that was found and what is accepted.
//!
//! **Promises:** it never panics, memory is a small multiple of the payload, unknown fields are
//! ignored, numbers stay exact decimals, and the same reading gives the same result. An event
//! without an id gets an id from the number of its reading: two messages are two events, even if
//! all their fields are equal.
//!
//! - `fields`: reads the fields of one JSON object.
//! - `action`: reads the action of an event by the table of event types (`event::fields`).
//! - `correction`: reads the correction of a parked document, by the same rules.
//! - `suggestion`: finds the nearest valid form of a rejected reading.
//! - `wrapping`: removes what scripts and scanners add around a payload.

mod action;
mod correction;
mod fields;
pub mod gs1;
pub mod meaning;
pub mod nomenclature;
pub mod profile;
pub mod profiles;
mod suggestion;
#[cfg(test)]
mod tests;
mod wrapping;

use serde_json::value::RawValue;

use crate::channel::{Channel, EVENTS_MAX, Reading};
use crate::event::{Action, Event, EventFlag, EventType, Measures, Rejection};
use crate::reason::RejectionCode;

pub use correction::correction;
use profile::{Framing, Profile, Scan};
pub use suggestion::{Faulty, Suggestion, suggest};

use fields::{FieldRefusal, Raw, check_text, elements};
use wrapping::{Form, unwrap};

/// Length of a payload in bytes, at most: 2 KiB for each of 500 events.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Bytes of a payload that each of the rejections that share it stores, at least.
pub const REJECTED_BYTES_MIN: usize = 4 << 10;

/// Decodes a reading into its entries, in order. Never empty.
///
/// **Invariant 2:** each part ends as an event (which the journal may find to be a duplicate) or as
/// a rejection.
#[must_use]
pub fn decode(reading: &Reading) -> Vec<Result<Event, Rejection>> {
    match read(reading) {
        Ok(entries) => entries,
        Err(refusal) => vec![Err(reject(reading, None, refusal, &reading.payload))],
    }
}

/// Returns the part of a payload that belongs to the entry at `index` of `count`, and whether the
/// part is cut.
#[must_use]
pub fn part(reading: &Reading, index: usize, count: usize) -> (Vec<u8>, bool) {
    let text = unwrap(std::str::from_utf8(&reading.payload).unwrap_or_default()).trim();
    let is_array = match reading.channel {
        Channel::Event => text.starts_with('['),
        Channel::Scan => Form::of(text) == Form::Array,
    };
    let parts = is_array.then(|| elements(text, EVENTS_MAX).ok()).flatten();
    let part = parts.and_then(|(parts, _)| parts.get(index).map(|part| part.get()));
    match part {
        Some(part) => (part.as_bytes().to_vec(), false),
        None => cut_shared(&reading.payload, count),
    }
}

/// Returns the bytes that each of `count` rejections stores of the payload that they share, and
/// whether they are cut. All together store a bounded multiple of the payload.
fn cut_shared(payload: &[u8], count: usize) -> (Vec<u8>, bool) {
    let stored = match count {
        0 | 1 => payload.len(),
        _ => payload
            .len()
            .min((PAYLOAD_BYTES_MAX / count).max(REJECTED_BYTES_MIN)),
    };
    (payload[..stored].to_vec(), stored < payload.len())
}

/// Whether a payload is a JSON object, or an array of them, whose type is one of an event.
#[must_use]
pub fn is_event(payload: &[u8]) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_slice(payload).ok();
    let first = match &value {
        Some(serde_json::Value::Array(values)) => values.first(),
        other => other.as_ref(),
    };
    let kind = first.and_then(|first| first.get("type")?.as_str());
    kind.is_some_and(action::is_kind)
}

/// Finds the device's id of the event in a payload. `None`: the payload is not a single event, or
/// has no id.
#[must_use]
pub fn id_of(payload: &[u8]) -> Option<String> {
    let text = unwrap(std::str::from_utf8(payload).ok()?).trim_ascii();
    let event = if text.starts_with('[') {
        match elements(text, 1).ok()? {
            (events, 1) => events.first()?.get(),
            _ => return None,
        }
    } else {
        text
    };
    let raw: Raw<'_> = serde_json::from_str(event).ok()?;
    fields::id(raw.id).ok().flatten()
}

/// Reads the entries of a payload. An error: the payload cannot be split into parts.
fn read(reading: &Reading) -> Result<Vec<Result<Event, Rejection>>, FieldRefusal> {
    let payload = &reading.payload[..];
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(FieldRefusal::new(
            RejectionCode::TooLarge,
            format!(
                "the payload has {} bytes; at most {PAYLOAD_BYTES_MAX} are read: send fewer events in one message",
                payload.len()
            ),
        ));
    }
    let text = std::str::from_utf8(payload).map_err(|error| {
        FieldRefusal::new(
            RejectionCode::BadUtf8,
            format!(
                "the payload is not UTF-8 from byte {} on: set the scanner's or the script's encoding to UTF-8",
                error.valid_up_to()
            ),
        )
    })?;
    let text = unwrap(text);
    match reading.channel {
        Channel::Scan => read_scans(reading, text),
        Channel::Event => read_events(reading, text),
    }
}

/// Reads scans: the bare text of a barcode, the text in quotes, a JSON object, or a JSON array of 1
/// to [`EVENTS_MAX`] objects and quoted texts.
fn read_scans(
    reading: &Reading,
    text: &str,
) -> Result<Vec<Result<Event, Rejection>>, FieldRefusal> {
    match Form::of(text) {
        Form::Text => read_code(reading, 0, text).map(|event| vec![Ok(event)]),
        Form::Quoted | Form::Object => Ok(vec![read_scan(reading, 0, parse_json(text)?)]),
        Form::Array => read_array(reading, text.trim(), "reads", read_scan),
    }
}

/// Reads one element of a scan's payload: an object, or the text of a barcode in quotes.
fn read_scan(reading: &Reading, index: usize, raw: &RawValue) -> Result<Event, Rejection> {
    let refuse = |refusal| reject(reading, None, refusal, raw.get().as_bytes());
    match fields::string(raw) {
        Some(code) => read_code(reading, index, unwrap(&code)).map_err(refuse),
        None if raw.get().starts_with('{') => read_object(reading, index, raw),
        None => Err(refuse(FieldRefusal::not_a_scan(raw))),
    }
}

/// Reads the bare text of a barcode.
fn read_code(reading: &Reading, index: usize, code: &str) -> Result<Event, FieldRefusal> {
    if code.is_empty() {
        return Err(FieldRefusal::new(
            RejectionCode::Empty,
            "the payload is empty: send the barcode, or a JSON object with the field code"
                .to_owned(),
        ));
    }
    check_text("code", code, true)?;
    Ok(Event {
        device: reading.device.clone(),
        id: reading.id.event_id(index),
        id_derived: true,
        source: reading.source,
        at: reading.received,
        received: reading.received,
        measures: Measures::new(),
        operator: None,
        flags: flags(reading, true),
        action: Action::Scan {
            code: code.to_owned(),
            symbology: None,
        },
    })
}

/// Decodes scans by the profile of their scanner. Each has the scanner's own number, if the payload
/// has one. Never empty.
#[must_use]
pub fn decode_scans(
    reading: &Reading,
    profile: &Profile,
) -> Vec<Result<(Event, Option<String>), Rejection>> {
    let event = |index: usize, scan: Scan| {
        check_text("code", &scan.text, true)?;
        let id_derived = scan.id.is_none();
        let event = Event {
            device: reading.device.clone(),
            id_derived,
            id: (scan.id).unwrap_or_else(|| reading.id.event_id(index)),
            source: reading.source,
            at: scan.at.unwrap_or(reading.received),
            received: reading.received,
            measures: Measures::new(),
            operator: scan.operator,
            flags: flags(reading, id_derived),
            action: Action::Scan {
                code: scan.text,
                symbology: scan.symbology.map(|symbology| symbology.to_string()),
            },
        };
        Ok((event, scan.device))
    };
    let reads = profile.read_all(&reading.payload);
    let count = reads.len();
    let entry = |(index, read): (usize, Result<Scan, profile::Refusal>)| {
        read.map_err(|refusal| FieldRefusal::new(refusal.code, refusal.message))
            .and_then(|scan| event(index, scan))
            .map_err(|refusal| {
                let (payload, cut) = cut_shared(&reading.payload, count);
                let rejection = reject(reading, None, refusal, &[]);
                Rejection {
                    payload,
                    cut,
                    ..rejection
                }
            })
    };
    reads.into_iter().enumerate().map(entry).collect()
}

/// Rejects a reading whose end mark never came, with the remedy. Its payload is the bytes that
/// came.
#[must_use]
pub fn reject_unended(reading: &Reading, framing: &Framing) -> Rejection {
    let payload = &reading.payload;
    let refusal = FieldRefusal::new(RejectionCode::NoEnd, framing.explain_unended(payload));
    reject(reading, None, refusal, payload)
}

/// Reads events: one JSON object, or an array of 1 to [`EVENTS_MAX`] of them.
fn read_events(
    reading: &Reading,
    text: &str,
) -> Result<Vec<Result<Event, Rejection>>, FieldRefusal> {
    let text = text.trim_ascii();
    match text.bytes().next() {
        None => Err(FieldRefusal::new(
            RejectionCode::Empty,
            "the payload is empty: send a JSON object, or an array of them".to_owned(),
        )),
        Some(b'[') => read_array(reading, text, "events", read_object),
        Some(b'{') => Ok(vec![read_object(reading, 0, parse_json(text)?)]),
        Some(_) => {
            // Text that is not JSON, and JSON of another type, have different remedies.
            let raw = parse_json(text)?;
            Err(FieldRefusal::not_an_object(raw))
        }
    }
}

/// Reads an array of 1 to [`EVENTS_MAX`] elements. `read` turns each element into an entry.
fn read_array(
    reading: &Reading,
    text: &str,
    what: &str,
    read: fn(&Reading, usize, &RawValue) -> Result<Event, Rejection>,
) -> Result<Vec<Result<Event, Rejection>>, FieldRefusal> {
    let (elements, count) = elements(text, EVENTS_MAX).map_err(|e| FieldRefusal::json(&e))?;
    match count {
        0 => Err(FieldRefusal::new(
            RejectionCode::Empty,
            format!("the array holds no {what}; 1 to {EVENTS_MAX} are taken"),
        )),
        1..=EVENTS_MAX => {
            let elements = elements.into_iter().enumerate();
            Ok(elements
                .map(|(index, raw)| read(reading, index, raw))
                .collect())
        }
        _ => Err(FieldRefusal::new(
            RejectionCode::TooManyEvents,
            format!("the array has {count} {what}: send at most {EVENTS_MAX} in each message"),
        )),
    }
}

/// The flags of an event. A message without an id cannot be distinguished from its second copy, so
/// the sender's own mark becomes a flag.
fn flags(reading: &Reading, id_derived: bool) -> Vec<EventFlag> {
    let possible_repeat = id_derived && reading.redelivered;
    possible_repeat
        .then_some(EventFlag::PossibleRepeat)
        .into_iter()
        .collect()
}

fn parse_json(text: &str) -> Result<&RawValue, FieldRefusal> {
    serde_json::from_str(text).map_err(|error| FieldRefusal::json(&error))
}

/// Reads one object of a payload. `index`: its place in the array.
fn read_object(reading: &Reading, index: usize, object: &RawValue) -> Result<Event, Rejection> {
    let text = object.get();
    let refuse = |id, refusal| reject(reading, id, refusal, text.as_bytes());
    if !text.starts_with('{') {
        return Err(refuse(None, FieldRefusal::not_an_object(object)));
    }
    let raw: Raw<'_> =
        serde_json::from_str(text).map_err(|error| refuse(None, FieldRefusal::fields(&error)))?;
    let id = fields::id(raw.id).map_err(|refusal| refuse(None, refusal))?;
    let event = read_fields(reading, index, &raw, id.as_deref())
        .map_err(|refusal| refuse(id.clone(), refusal))?;
    // The default quantity is one piece: a misspelt field name must not cause it.
    let lacks_quantity = action::has_default_quantity(&event.action) && raw.quantity.is_none();
    let other_name = lacks_quantity.then(|| fields::quantity_under_another_name(text));
    match other_name.flatten() {
        Some(name) => Err(refuse(id, FieldRefusal::other_name(&name))),
        None => Ok(event),
    }
}

fn read_fields(
    reading: &Reading,
    index: usize,
    raw: &Raw<'_>,
    id: Option<&str>,
) -> Result<Event, FieldRefusal> {
    let kind = match reading.channel {
        Channel::Scan => EventType::SCAN,
        Channel::Event => action::kind(raw.kind)?,
    };
    let at = fields::at(raw.at)?;
    let operator = fields::text("operator", raw.operator)?;
    let action = action::read(kind, raw)?;
    Ok(Event {
        device: reading.device.clone(),
        id: match id {
            Some(id) => id.to_owned(),
            None => reading.id.event_id(index),
        },
        id_derived: id.is_none(),
        source: reading.source,
        at: at.unwrap_or(reading.received),
        received: reading.received,
        measures: Measures::new(),
        operator,
        flags: flags(reading, id.is_none()),
        action,
    })
}

fn reject(reading: &Reading, id: Option<String>, refusal: FieldRefusal, part: &[u8]) -> Rejection {
    Rejection {
        device: reading.device.clone(),
        source: reading.source,
        channel: Some(reading.channel),
        received: reading.received,
        id,
        code: refusal.code,
        message: refusal.message,
        payload: part.to_vec(),
        cut: false,
    }
}
