//! Reads the fields of one JSON object.
//!
//! A field stays the text that arrived ([`RawValue`]) until it is read as its kind: numbers never
//! pass through a float, and the refusal of a wrong type shows the value that was found.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::wrapping::unwrap_end;
use crate::event::{EVENT_ID_BYTES_MAX, EventType, Field, TEXT_BYTES_MAX, is_plausible};
use crate::reason::RejectionCode;

/// Quantities and weights stay below this.
const MAGNITUDE_LIMIT: i64 = 1_000_000_000_000;
/// Decimals of a quantity or weight, at most.
const DECIMALS_MAX: u32 = 6;
/// Length of a number in bytes, at most: so many digits always fit a [`Decimal`] without rounding.
const NUMBER_BYTES_MAX: usize = 28;
/// Parcels of one shipment, at most.
const PARCELS_MAX: u32 = 10_000;

/// The fields of all event types, as written. `null` counts as missing.
#[derive(Deserialize)]
pub(super) struct Raw<'a> {
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub at: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    pub kind: Option<&'a RawValue>,
    #[serde(borrow)]
    pub code: Option<&'a RawValue>,
    #[serde(borrow)]
    pub symbology: Option<&'a RawValue>,
    #[serde(borrow)]
    pub product: Option<&'a RawValue>,
    #[serde(borrow)]
    pub quantity: Option<&'a RawValue>,
    #[serde(borrow)]
    pub from: Option<&'a RawValue>,
    #[serde(borrow)]
    pub to: Option<&'a RawValue>,
    #[serde(borrow)]
    pub lot: Option<&'a RawValue>,
    #[serde(borrow)]
    pub expiry: Option<&'a RawValue>,
    #[serde(borrow)]
    pub best_before: Option<&'a RawValue>,
    #[serde(borrow)]
    pub package: Option<&'a RawValue>,
    #[serde(borrow)]
    pub order: Option<&'a RawValue>,
    #[serde(borrow)]
    pub event: Option<&'a RawValue>,
    #[serde(borrow)]
    pub operator: Option<&'a RawValue>,
    #[serde(borrow)]
    pub reason: Option<&'a RawValue>,
    #[serde(borrow)]
    pub carrier_ref: Option<&'a RawValue>,
    #[serde(borrow)]
    pub weight_kg: Option<&'a RawValue>,
    #[serde(borrow)]
    pub parcels: Option<&'a RawValue>,
}

impl<'a> Raw<'a> {
    /// A field of the table of event types, as written. `None`: it is missing.
    pub fn field(&self, field: Field) -> Option<&'a RawValue> {
        match field {
            Field::Product => self.product,
            Field::From => self.from,
            Field::To => self.to,
            Field::Lot => self.lot,
            Field::Package => self.package,
            // A device cannot send it.
            Field::Owner => None,
            Field::Expiry => self.expiry,
            Field::BestBefore => self.best_before,
            Field::Quantity => self.quantity,
            Field::Order => self.order,
            Field::Reason => self.reason,
            Field::CarrierRef => self.carrier_ref,
            Field::WeightKg => self.weight_kg,
            Field::Parcels => self.parcels,
            Field::Event => self.event,
            Field::Code => self.code,
            Field::Symbology => self.symbology,
        }
    }
}

/// Finds the first field that seems to be a quantity under another name: `qty`, `Quantity`,
/// `quanity`. As an unknown field it would be ignored, and the quantity would be 1.
pub(super) fn quantity_under_another_name(object: &str) -> Option<String> {
    let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(object).ok()?;
    let seems = |name: &str| {
        let name = name.to_ascii_lowercase();
        name == "qty" || name == "quantity" || is_typo(&name, "quantity")
    };
    let mut names = fields.into_keys();
    names
        .find(|name| name != "quantity" && seems(name))
        .map(Cow::into_owned)
}

/// Whether one letter is missing, added or changed, or two neighbours are swapped.
fn is_typo(name: &str, right: &str) -> bool {
    let (name, right) = (name.as_bytes(), right.as_bytes());
    let same = name.iter().zip(right).take_while(|(a, b)| a == b).count();
    let (name, right) = (&name[same..], &right[same..]);
    match (name, right) {
        ([a, b, rest @ ..], [c, d, other @ ..]) if (a, b) == (d, c) && rest == other => true,
        _ => {
            name.get(1..) == Some(right)
                || right.get(1..) == Some(name)
                || name
                    .get(1..)
                    .is_some_and(|rest| right.get(1..) == Some(rest))
        }
    }
}

/// Why a part of a payload is not an event.
#[derive(Debug)]
pub(super) struct FieldRefusal {
    pub code: RejectionCode,
    pub message: String,
}

impl FieldRefusal {
    pub fn new(code: RejectionCode, message: String) -> Self {
        Self { code, message }
    }

    pub fn json(error: &serde_json::Error) -> Self {
        Self::new(
            RejectionCode::BadJson,
            format!(
                "the payload is not JSON: {error}; a JSON object is taken, or an array of them"
            ),
        )
    }

    /// An object that has one field twice.
    pub fn fields(error: &serde_json::Error) -> Self {
        Self::new(
            RejectionCode::BadField,
            format!("the object is not clear: {error}; each field is taken once"),
        )
    }

    pub fn not_an_object(found: &RawValue) -> Self {
        Self::new(
            RejectionCode::BadJson,
            format!(
                "an event is a JSON object such as {{\"type\": \"transfer\", ...}}; found {}",
                describe(found)
            ),
        )
    }

    pub fn not_a_scan(found: &RawValue) -> Self {
        Self::new(
            RejectionCode::BadJson,
            format!(
                "a scan is the text of a barcode in double quotes, or a JSON object such as {{\"code\": ...}}; found {}",
                describe(found)
            ),
        )
    }

    /// An event of this type that lacks a field.
    pub fn missing(of: &EventType, field: Field) -> Self {
        let (field, kind, needs) = (field.name(), of.name, of.needs());
        Self::new(
            RejectionCode::MissingField,
            format!("field {field} is missing: type {kind} needs {needs}"),
        )
    }

    /// A quantity under another name.
    pub fn other_name(name: &str) -> Self {
        Self::new(
            RejectionCode::BadField,
            format!(
                "field {}: this field does not exist; rename it to quantity, or remove it",
                shorten(name)
            ),
        )
    }

    fn field(field: &str, found: &str, accepted: &str) -> Self {
        Self::new(
            RejectionCode::BadField,
            format!("field {field}: found {found}; accepted is {accepted}"),
        )
    }
}

/// A value for a message: its JSON type and its beginning.
fn describe(raw: &RawValue) -> String {
    let text = raw.get();
    let kind = match text.as_bytes().first() {
        Some(b'"') => "the text",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "the boolean",
        Some(b'n') => "null",
        _ => "the number",
    };
    match kind {
        "null" | "an object" | "an array" => kind.to_owned(),
        _ => format!("{kind} {}", shorten(text)),
    }
}

fn shorten(text: &str) -> String {
    let mut cut: String = text.chars().take(40).flat_map(printable).collect();
    if text.chars().nth(40).is_some() {
        cut.push_str("...");
    }
    cut
}

/// Messages go to displays and logs: no control character gets through.
fn printable(c: char) -> impl Iterator<Item = char> {
    let (plain, escaped) = if c.is_control() {
        (None, Some(c.escape_default()))
    } else {
        (Some(c), None)
    };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// The first `max` elements of a JSON array, and how many it holds.
pub(super) fn elements(
    text: &str,
    max: usize,
) -> Result<(Vec<&RawValue>, usize), serde_json::Error> {
    struct Elements(usize);
    impl<'de> Visitor<'de> for Elements {
        type Value = (Vec<&'de RawValue>, usize);
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an array")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut kept = Vec::new();
            while kept.len() < self.0 {
                let Some(element) = seq.next_element()? else {
                    let count = kept.len();
                    return Ok((kept, count));
                };
                kept.push(element);
            }
            // Elements beyond the limit are counted, but not stored.
            let mut count = kept.len();
            while seq.next_element::<IgnoredAny>()?.is_some() {
                count += 1;
            }
            Ok((kept, count))
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let found = deserializer.deserialize_seq(Elements(max))?;
    deserializer.end()?;
    Ok(found)
}

/// The text of a JSON string. `None`: another type.
pub(super) fn string(raw: &RawValue) -> Option<std::borrow::Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str::<String>(raw.get())
            .ok()
            .map(Into::into)
    } else {
        Some(inner.into())
    }
}

/// Refuses a text that is empty, too long, or holds a control character.
///
/// A scanned code may hold the separators of GS1 and ISO 15434 messages (FS, GS, RS, US and EOT).
pub(super) fn check_text(field: &str, text: &str, is_code: bool) -> Result<(), FieldRefusal> {
    let separator = |c| is_code && matches!(c, '\u{4}' | '\u{1c}'..='\u{1f}');
    let fault = if text.is_empty() {
        "an empty text".to_owned()
    } else if text.len() > TEXT_BYTES_MAX {
        format!("a text of {} bytes", text.len())
    } else if let Some(c) = text.chars().find(|&c| c.is_control() && !separator(c)) {
        format!("a text with the control character U+{:04X}", u32::from(c))
    } else {
        return Ok(());
    };
    let accepted = if is_code {
        format!(
            "a text of 1 to {TEXT_BYTES_MAX} bytes without control characters but FS, GS, RS, US, EOT"
        )
    } else {
        format!("a text of 1 to {TEXT_BYTES_MAX} bytes without control characters")
    };
    Err(FieldRefusal::field(field, &fault, &accepted))
}

/// Reads the device's own id. `None`: the field is missing.
pub(super) fn id(raw: Option<&RawValue>) -> Result<Option<String>, FieldRefusal> {
    let Some(raw) = raw else { return Ok(None) };
    match string(raw) {
        Some(id)
            if !id.is_empty()
                && id.len() <= EVENT_ID_BYTES_MAX
                && !id.chars().any(char::is_control) =>
        {
            Ok(Some(id.into_owned()))
        }
        _ => Err(FieldRefusal::field(
            "id",
            &describe(raw),
            &format!(
                "a text of 1 to {EVENT_ID_BYTES_MAX} bytes without control characters, or no id"
            ),
        )),
    }
}

/// Reads the time of the event. `None`: the field is missing.
pub(super) fn at(raw: Option<&RawValue>) -> Result<Option<Timestamp>, FieldRefusal> {
    let Some(raw) = raw else { return Ok(None) };
    string(raw)
        .and_then(|text| Timestamp::from_str(&text).ok())
        .filter(|at| is_plausible(*at))
        .map(Some)
        .ok_or_else(|| {
            FieldRefusal::field(
                "at",
                &describe(raw),
                "an RFC 3339 time with its offset, such as 2026-11-23T08:15:30.120Z, of 1970 to 2199",
            )
        })
}

/// Reads a text: 1 to [`TEXT_BYTES_MAX`] bytes in double quotes. `None`: the field is missing.
pub(super) fn text(name: &str, raw: Option<&RawValue>) -> Result<Option<String>, FieldRefusal> {
    let Some(raw) = raw else { return Ok(None) };
    let text = string(raw)
        .ok_or_else(|| FieldRefusal::field(name, &describe(raw), "a text in double quotes"))?;
    let is_code = name == "code";
    let text = if is_code { unwrap_end(&text) } else { &text };
    check_text(name, text, is_code)?;
    Ok(Some(text.to_owned()))
}

/// Reads a text field; of a date field, a date of the calendar, or a time with its offset, as the
/// text that came. `None`: the field is missing.
pub(super) fn text_of(
    field: Field,
    raw: Option<&RawValue>,
) -> Result<Option<String>, FieldRefusal> {
    let text = text(field.name(), raw)?;
    let is_dated = matches!(field, Field::Expiry | Field::BestBefore);
    match text {
        Some(text) if is_dated && !is_date(&text) => Err(FieldRefusal::field(
            field.name(),
            &format!("the text {}", shorten(&text)),
            "a date such as 2027-03-31, or an RFC 3339 time with its offset",
        )),
        text => Ok(text),
    }
}

/// Reads an exact decimal, as a JSON number or as a text. `None`: the field is missing.
pub(super) fn decimal(
    field: Field,
    raw: Option<&RawValue>,
    takes_zero: bool,
) -> Result<Option<Decimal>, FieldRefusal> {
    let Some(raw) = raw else { return Ok(None) };
    let text = string(raw).unwrap_or_else(|| raw.get().into());
    let value = parse_decimal(&text)
        .filter(|value| takes_zero || !value.is_zero())
        .ok_or_else(|| {
            let least = if takes_zero { "0 or more" } else { "above 0" };
            FieldRefusal::field(
                field.name(),
                &describe(raw),
                &format!("a number {least} and below {MAGNITUDE_LIMIT}, with at most {DECIMALS_MAX} decimals"),
            )
        })?;
    Ok(Some(value))
}

/// Reads how many parcels a shipment has, a whole number. `None`: the field is missing.
pub(super) fn parcels(raw: Option<&RawValue>) -> Result<Option<u32>, FieldRefusal> {
    let Some(raw) = raw else { return Ok(None) };
    let text = string(raw).unwrap_or_else(|| raw.get().into());
    let parcels = u32::from_str(&text)
        .ok()
        .filter(|parcels| (1..=PARCELS_MAX).contains(parcels))
        .ok_or_else(|| {
            FieldRefusal::field(
                Field::Parcels.name(),
                &describe(raw),
                &format!("a whole number from 1 to {PARCELS_MAX}"),
            )
        })?;
    Ok(Some(parcels))
}

/// Whether a text is a date of the calendar, or a time with its offset.
fn is_date(text: &str) -> bool {
    // A time without an offset may be read as its day, and is any of two days.
    let is_day = || !text.contains(':') && Date::from_str(text).is_ok();
    Timestamp::from_str(text).is_ok() || is_day()
}

/// A decimal that is not negative, exactly as written, in its shortest form.
fn parse_decimal(text: &str) -> Option<Decimal> {
    // Decimal's own parser would also take `1_000`.
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
    if text.len() > NUMBER_BYTES_MAX || !text.bytes().all(plain) {
        return None;
    }
    let value = if text.contains(['e', 'E']) {
        Decimal::from_scientific(text)
    } else {
        Decimal::from_str(text)
    };
    let value = value.ok()?.normalize();
    let fits = value >= Decimal::ZERO
        && value < Decimal::from(MAGNITUDE_LIMIT)
        && value.scale() <= DECIMALS_MAX;
    fits.then_some(value)
}
