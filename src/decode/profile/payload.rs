//! Reads a vendor's JSON payload by JSON pointers (RFC 6901).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{Payload, Symbology, TimeFormat};
use crate::decode::wrapping::Form;
use crate::event::{EVENT_ID_BYTES_MAX, TEXT_BYTES_MAX, is_plausible};
use crate::reason::RejectionCode;

/// Scans in one message, at most.
pub(super) const READS_MAX: usize = crate::channel::EVENTS_MAX;

/// A refusal's code and message.
pub(super) type Wrong = (RejectionCode, String);

/// One scan of a message.
pub(super) type PartOfPayload = Result<FoundCode, Wrong>;

/// The fields of a scan other than its code.
#[derive(Debug, Default)]
pub(super) struct FoundCode {
    pub code: String,
    /// Whether the code was a field of JSON.
    pub is_field: bool,
    pub id: Option<String>,
    pub at: Option<Timestamp>,
    pub symbology: Option<Symbology>,
    /// The symbology, if the payload has its identifier.
    pub aim: Option<String>,
    pub operator: Option<String>,
    pub device: Option<String>,
}

/// The payload that `docs/mqtt.md` describes, for devices whose profile describes none: an object
/// with `code`, a quoted text, or an array of them. `None`: the text is the code itself.
pub(super) fn of_contract(text: &str) -> Option<Vec<PartOfPayload>> {
    let form = Form::of(text);
    if form == Form::Text {
        return None;
    }
    let json: Value = serde_json::from_str(text).ok()?;
    let payload = Payload::of_contract();
    Some(match json {
        Value::Array(elements) => elements
            .iter()
            .map(|one| payload.element(one, one))
            .collect(),
        // A barcode may contain a JSON object of another program.
        Value::Object(ref object) if !object.contains_key("code") => return None,
        one => vec![payload.element(&one, &one)],
    })
}

impl Payload {
    fn of_contract() -> Self {
        let at = |name: &str| Some(format!("/{name}"));
        Self {
            each: Some(String::new()),
            code: "/code".to_owned(),
            id: at("id"),
            time: at("at"),
            time_format: TimeFormat::Rfc3339,
            symbology: at("symbology"),
            operator: at("operator"),
            device: None,
            only: BTreeMap::new(),
        }
    }

    /// Finds the scans of a payload, in order.
    pub(super) fn find(&self, bytes: &[u8]) -> Result<Vec<PartOfPayload>, Wrong> {
        let json: Value = serde_json::from_slice(bytes).map_err(|error| {
            (
                RejectionCode::BadJson,
                format!("the payload is not JSON: {error}; the profile's [payload] wants it"),
            )
        })?;
        let Some(each) = &self.each else {
            if json.is_array() && self.code_of(&json)?.is_none() {
                return Err((
                    RejectionCode::NoCode,
                    format!(
                        "the payload is an array, and there is no code at {}: set payload.each = \"\", where each element is a read",
                        self.code
                    ),
                ));
            }
            return Ok(vec![self.element(&json, &json)]);
        };
        match json.pointer(each) {
            Some(Value::Array(elements)) => Ok(elements
                .iter()
                .take(READS_MAX + 1)
                .map(|element| self.element(element, &json))
                .collect()),
            // Some scanners send a single scan without an array around it.
            Some(element @ Value::Object(_)) => Ok(vec![self.element(element, &json)]),
            _ => {
                self.is_read(&json, &json)?;
                let found = if each.is_empty() { "the payload" } else { each };
                Err((
                    RejectionCode::NoCode,
                    format!("{found} is no array of reads, which the profile's payload.each says"),
                ))
            }
        }
    }

    fn code_of(&self, json: &Value) -> Result<Option<String>, Wrong> {
        match json {
            // An array of codes alone.
            Value::String(code) if self.each.is_some() => Ok(Some(code.clone())),
            _ => text(json, &self.code),
        }
    }

    /// Refuses a message that does not match the profile's `only`.
    fn is_read(&self, element: &Value, whole: &Value) -> Result<(), Wrong> {
        for (pointer, wanted) in &self.only {
            let found = either(element, whole, pointer)?;
            if found.as_ref() != Some(wanted) {
                let found = found.unwrap_or_else(|| "nothing".to_owned());
                return Err((
                    RejectionCode::NotAScan,
                    format!(
                        "the message has {found:.80} at {pointer}, and the profile reads only messages with {wanted} there"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Reads one scan. A field that the element lacks comes from the message around it, except the
    /// code and the id.
    fn element(&self, element: &Value, whole: &Value) -> PartOfPayload {
        self.is_read(element, whole)?;
        let code = (self.code_of(element)?).ok_or_else(|| {
            (
                RejectionCode::NoCode,
                format!("there is no code at {}", self.code),
            )
        })?;
        let bounded = |pointer: &str, max: usize, found: Option<String>| match found {
            Some(text) if text.len() > max => Err((
                RejectionCode::BadField,
                format!(
                    "{pointer} has {} bytes; at most {max} are taken",
                    text.len()
                ),
            )),
            found => Ok(found.filter(|text| !text.is_empty())),
        };
        let get = |pointer: &Option<String>| match pointer {
            None => Ok(None),
            Some(pointer) => bounded(pointer, TEXT_BYTES_MAX, either(element, whole, pointer)?),
        };
        let id = match &self.id {
            None => None,
            Some(pointer) => bounded(pointer, EVENT_ID_BYTES_MAX, text(element, pointer)?)?,
        };
        let name = get(&self.symbology)?;
        let aim = name
            .clone()
            .filter(|name| Symbology::of_aim(name).is_some());
        let at = match &self.time {
            None => None,
            Some(pointer) => self.at(either(element, whole, pointer)?, pointer)?,
        };
        Ok(FoundCode {
            code,
            is_field: true,
            id,
            at,
            symbology: name
                .as_deref()
                .and_then(|name| Symbology::of_aim(name).or_else(|| Symbology::of(name))),
            aim,
            operator: get(&self.operator)?,
            device: get(&self.device)?,
        })
    }

    /// Reads the device's time. A wrong time is refused, because it would become the time of the
    /// movement.
    fn at(&self, text: Option<String>, pointer: &str) -> Result<Option<Timestamp>, Wrong> {
        let Some(text) = text else {
            return Ok(None);
        };
        let number = || text.parse::<i64>().ok();
        let at = match self.time_format {
            TimeFormat::Rfc3339 => text.parse().ok(),
            TimeFormat::UnixMs => number().and_then(|ms| Timestamp::from_millisecond(ms).ok()),
            TimeFormat::UnixS => number().and_then(|s| Timestamp::from_second(s).ok()),
        };
        let at = at.filter(|at| is_plausible(*at));
        at.map(Some).ok_or_else(|| {
            let accepted = match self.time_format {
                TimeFormat::Rfc3339 => "a time such as 2026-11-23T08:15:30Z",
                TimeFormat::UnixMs => "milliseconds since 1970",
                TimeFormat::UnixS => "seconds since 1970",
            };
            (
                RejectionCode::BadField,
                format!("{pointer} is {text:.80}; accepted is {accepted}, of 1970 to 2199"),
            )
        })
    }
}

/// Reads the text or number at a pointer of an element, or else of the message around it.
fn either(element: &Value, whole: &Value, pointer: &str) -> Result<Option<String>, Wrong> {
    match text(element, pointer)? {
        Some(text) => Ok(Some(text)),
        None => text(whole, pointer),
    }
}

/// Reads the text or number at a pointer. `None`: no field, or `null`.
fn text(json: &Value, pointer: &str) -> Result<Option<String>, Wrong> {
    match json.pointer(pointer) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err((
            RejectionCode::BadField,
            format!("{pointer} is neither a text nor a number"),
        )),
    }
}
