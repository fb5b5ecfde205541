//! A vendor's JSON payload, by JSON pointers (RFC 6901).

use jiff::Timestamp;
use serde_json::Value;

use super::read::Wrong;
use super::{Payload, Symbology, TimeFormat};
use crate::event::{EVENT_ID_BYTES_MAX, TEXT_BYTES_MAX};

/// What a payload says besides its code.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub code: String,
    pub id: Option<String>,
    pub at: Option<Timestamp>,
    pub symbology: Option<Symbology>,
    /// The symbology, where it was named by its identifier.
    pub aim: Option<String>,
    pub operator: Option<String>,
    pub device: Option<String>,
}

impl Payload {
    pub(super) fn find(&self, bytes: &[u8]) -> Result<Found, Wrong> {
        let json: Value = serde_json::from_slice(bytes).map_err(|error| {
            (
                "bad-json",
                format!("the payload is not JSON: {error}; the profile's [payload] wants it"),
            )
        })?;
        for (pointer, wanted) in &self.only {
            let found = text(&json, pointer)?;
            if found.as_ref() != Some(wanted) {
                let found = found.unwrap_or_else(|| "nothing".to_owned());
                return Err((
                    "not-a-scan",
                    format!("{pointer} is {found:.80}; a scan has {wanted} there"),
                ));
            }
        }
        let code = text(&json, &self.code)?
            .ok_or_else(|| ("no-code", format!("there is no code at {}", self.code)))?;
        let get = |pointer: &Option<String>, max: usize| match pointer {
            None => Ok(None),
            Some(pointer) => match text(&json, pointer)? {
                Some(text) if text.len() > max => Err((
                    "bad-field",
                    format!(
                        "{pointer} has {} bytes; at most {max} are taken",
                        text.len()
                    ),
                )),
                found => Ok(found.filter(|text| !text.is_empty())),
            },
        };
        let name = get(&self.symbology, TEXT_BYTES_MAX)?;
        let aim = name
            .clone()
            .filter(|name| Symbology::of_aim(name).is_some());
        Ok(Found {
            code,
            id: get(&self.id, EVENT_ID_BYTES_MAX)?,
            at: self
                .time
                .as_ref()
                .map_or(Ok(None), |pointer| self.at(&json, pointer))?,
            symbology: name
                .as_deref()
                .and_then(|name| Symbology::of_aim(name).or_else(|| Symbology::of(name))),
            aim,
            operator: get(&self.operator, TEXT_BYTES_MAX)?,
            device: get(&self.device, TEXT_BYTES_MAX)?,
        })
    }

    /// The device's time; one that is wrong is refused, since it would become the time of the movement.
    fn at(&self, json: &Value, pointer: &str) -> Result<Option<Timestamp>, Wrong> {
        let Some(text) = text(json, pointer)? else {
            return Ok(None);
        };
        let number = || text.parse::<i64>().ok();
        let at = match self.time_format {
            TimeFormat::Rfc3339 => text.parse().ok(),
            TimeFormat::UnixMs => number().and_then(|ms| Timestamp::from_millisecond(ms).ok()),
            TimeFormat::UnixS => number().and_then(|s| Timestamp::from_second(s).ok()),
        };
        at.map(Some).ok_or_else(|| {
            let accepted = match self.time_format {
                TimeFormat::Rfc3339 => "a time such as 2026-11-23T08:15:30Z",
                TimeFormat::UnixMs => "milliseconds since 1970",
                TimeFormat::UnixS => "seconds since 1970",
            };
            (
                "bad-field",
                format!("{pointer} is {text:.80}; accepted is {accepted}"),
            )
        })
    }
}

/// The text or number at a place; nothing where nothing or `null` is.
fn text(json: &Value, pointer: &str) -> Result<Option<String>, Wrong> {
    match json.pointer(pointer) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err((
            "bad-field",
            format!("{pointer} is neither a text nor a number"),
        )),
    }
}
