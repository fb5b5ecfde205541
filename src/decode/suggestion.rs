//! The nearest valid form of a rejected reading, as far as the gateway knows one. Pure.
//!
//! **In**: a rejected reading. **Out**: what to change, in words, and the payload with the change.
//! The payload is decoded again after each change, because a payload may have several faults. What
//! only a person knows, such as a bin, stays empty: the gateway rejects such a payload again.

mod json;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::action;
use super::decode;
use super::fields::{Raw, quantity_under_another_name};
use super::gs1::check_digit;
use crate::channel::Reading;
use crate::channel::identity::ReadingId;
use crate::event::{Channel, Name, SourceKind};
use crate::reason::RejectionCode;

/// Limit of the faults that one suggestion corrects.
const CHANGES_MAX: usize = 8;
/// Bytes of a payload, at most: a longer one is not one event.
const PAYLOAD_BYTES_MAX: usize = 8 << 10;
/// Lengths of the item numbers whose last digit is a check digit (EAN-8, UPC-A, EAN-13, GTIN-14).
const ITEM_NUMBER_LENGTHS: [usize; 4] = [8, 12, 13, 14];

/// A rejected reading, as far as a suggestion needs it.
#[derive(Debug, Clone, Copy)]
pub struct Faulty<'a> {
    pub code: RejectionCode,
    /// The site, if the device itself published the reading to the gateway. `None`: the topics that
    /// the device should use are unknown.
    pub site: Option<&'a Name>,
    pub device: &'a Name,
    /// `None`: its topic named no channel.
    pub channel: Option<Channel>,
    /// The whole payload.
    pub payload: &'a [u8],
}

/// The nearest valid form of a rejected reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// What to change.
    pub text: String,
    /// The payload with the change, to be checked by a person. `None`: the payload stays as it is.
    pub payload: Option<String>,
}

/// A change of a payload.
struct Change {
    text: String,
    payload: String,
    /// A person has to fill something in.
    is_last: bool,
}

/// Finds the nearest valid form. `None`: the gateway does not know one.
#[must_use]
pub fn suggest(faulty: &Faulty<'_>) -> Option<Suggestion> {
    match faulty.code {
        RejectionCode::NotYourTopic => of_topic(faulty),
        RejectionCode::UnknownProduct => {
            let change = correct_check_digit(std::str::from_utf8(faulty.payload).ok()?)?;
            Some(Suggestion {
                text: change.text,
                payload: Some(change.payload),
            })
        }
        RejectionCode::BadJson
        | RejectionCode::UnknownType
        | RejectionCode::MissingField
        | RejectionCode::BadField => of_event(faulty),
        _ => None,
    }
}

/// Suggests the device's own topic.
fn of_topic(faulty: &Faulty<'_>) -> Option<Suggestion> {
    let (site, device, channel) = (faulty.site?, faulty.device, faulty.channel?.name());
    let text = format!(
        "let the device publish to stockrelay/v1/{site}/{device}/{channel}; send this reading again to create its event"
    );
    Some(Suggestion {
        text,
        payload: None,
    })
}

/// Corrects an event until the gateway accepts it, or knows no further change.
fn of_event(faulty: &Faulty<'_>) -> Option<Suggestion> {
    if faulty.channel == Some(Channel::Scan) || faulty.payload.len() > PAYLOAD_BYTES_MAX {
        return None;
    }
    let mut payload = std::str::from_utf8(faulty.payload).ok()?.to_owned();
    let mut texts: Vec<String> = Vec::new();
    while texts.len() < CHANGES_MAX {
        let Some((code, message)) = find_fault(&payload, faulty.device) else {
            break;
        };
        let Some(change) = correct(&payload, code, &message) else {
            break;
        };
        payload = change.payload;
        texts.push(change.text);
        if change.is_last {
            break;
        }
    }
    (!texts.is_empty()).then(|| Suggestion {
        text: texts.join("; "),
        payload: Some(payload),
    })
}

/// Decodes a payload as an event of this device. Returns its first fault.
fn find_fault(payload: &str, device: &Name) -> Option<(RejectionCode, String)> {
    let reading = Reading {
        id: ReadingId::of(0, 0),
        redelivered: false,
        source: SourceKind::Listen,
        device: device.clone(),
        channel: Channel::Event,
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        received: Timestamp::UNIX_EPOCH,
    };
    let fault = decode(&reading).into_iter().find_map(Result::err)?;
    Some((fault.code, fault.message))
}

fn correct(payload: &str, code: RejectionCode, message: &str) -> Option<Change> {
    match code {
        RejectionCode::BadJson => {
            let (payload, texts) = json::repair(payload)?;
            Some(Change {
                text: texts.join("; "),
                payload,
                is_last: false,
            })
        }
        RejectionCode::UnknownType => correct_type(payload),
        RejectionCode::MissingField => add_field(payload, field_of(message)?),
        RejectionCode::BadField => {
            rename_quantity(payload).or_else(|| correct_value(payload, field_of(message)?))
        }
        _ => None,
    }
}

/// The field that a message of `fields` names: `field NAME is missing`, `field NAME: found ...`.
fn field_of(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("field ")?;
    let end = rest.find([' ', ':'])?;
    Some(&rest[..end])
}

fn correct_type(payload: &str) -> Option<Change> {
    let raw: Raw<'_> = serde_json::from_str(payload).ok()?;
    let written = raw.kind?.get();
    let name: String = serde_json::from_str(written).ok()?;
    let nearest = nearest(&name, action::names())?;
    Some(Change {
        text: format!("type {nearest} in place of {name}"),
        payload: replace(payload, written, &format!("\"{nearest}\"")),
        is_last: false,
    })
}

/// The name that is nearest to a text. `None`: no name is near, or several are equally near.
fn nearest(text: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let text = text.trim().to_lowercase();
    let mut near: Vec<(usize, &str)> = names
        .map(|name| (distance(&text, name), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .collect();
    near.sort_unstable();
    match near.as_slice() {
        [(_, name)] => Some(name),
        [(first, name), (second, _), ..] if first < second => Some(name),
        _ => None,
    }
}

/// How many characters to add, remove, change or swap with their neighbour make one text the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let changed = rows[i][j] + usize::from(a != b);
            let mut least = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && one[i - 1] == *b && *a == other[j - 1] {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

/// Adds a field without its value, which only a person knows.
fn add_field(payload: &str, field: &str) -> Option<Change> {
    let (empty, example) = match field {
        "type" => (r#""""#, r#""transfer""#),
        "product" | "code" => (r#""""#, r#""4006381333931""#),
        "quantity" => ("null", "1"),
        "from" | "to" => (r#""""#, r#""LOC-A-02""#),
        "order" => (r#""""#, r#""WH/OUT/00042""#),
        "package" => (r#""""#, r#""PALLET-0007""#),
        "lot" => (r#""""#, r#""L-2026-11""#),
        "event" => (r#""""#, r#""pda-07-000123""#),
        _ => return None,
    };
    let end = payload.trim_end().strip_suffix('}')?;
    let body = end.trim_end();
    let comma = if body.ends_with('{') { "" } else { ", " };
    Some(Change {
        text: format!("add the field {field}, for example \"{field}\": {example}"),
        payload: format!("{body}{comma}\"{field}\": {empty}}}"),
        is_last: true,
    })
}

/// Gives the quantity its name.
fn rename_quantity(payload: &str) -> Option<Change> {
    let name = quantity_under_another_name(payload)?;
    let written = format!("\"{name}\"");
    let is_key = |at: &usize| {
        let rest = payload[at + written.len()..].trim_start();
        rest.starts_with(':')
    };
    let mut found = payload.match_indices(&written).map(|(at, _)| at);
    let at = found.find(is_key)?;
    let (before, after) = (&payload[..at], &payload[at + written.len()..]);
    Some(Change {
        text: format!("the field quantity in place of {name}"),
        payload: format!("{before}\"quantity\"{after}"),
        is_last: false,
    })
}

/// Corrects a number that should be a text, and a decimal comma.
fn correct_value(payload: &str, field: &str) -> Option<Change> {
    let raw: Raw<'_> = serde_json::from_str(payload).ok()?;
    let written = match field {
        "id" => raw.id?,
        "operator" => raw.operator?,
        "product" => raw.product?,
        "from" => raw.from?,
        "to" => raw.to?,
        "lot" => raw.lot?,
        "order" => raw.order?,
        "package" => raw.package?,
        "quantity" => raw.quantity?,
        "weight_kg" => raw.weight_kg?,
        _ => return None,
    };
    let written = written.get();
    let is_amount = matches!(field, "quantity" | "weight_kg");
    let (text, value) = if is_amount {
        let inner = written.strip_prefix('"')?.strip_suffix('"')?;
        let (whole, decimals) = inner.split_once(',')?;
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // Three digits after a comma may be thousands.
        if !is_digits(whole) || !is_digits(decimals) || decimals.len() == 3 {
            return None;
        }
        let value = format!("{whole}.{decimals}");
        (format!("{field} {value}, with a point"), value)
    } else {
        let is_number = written.bytes().all(|byte| byte.is_ascii_digit());
        let value = format!("\"{written}\"");
        let change = (format!("{field} in double quotes: {value}"), value);
        is_number.then_some(change)?
    };
    Some(Change {
        text,
        payload: replace(payload, written, &value),
        is_last: false,
    })
}

/// Corrects the check digit of an event's product, or of a bare code.
fn correct_check_digit(payload: &str) -> Option<Change> {
    let raw: Option<Raw<'_>> = serde_json::from_str(payload).ok();
    let product = match raw {
        Some(raw) => raw.product?.get().strip_prefix('"')?.strip_suffix('"')?,
        None => payload.trim(),
    };
    if !ITEM_NUMBER_LENGTHS.contains(&product.len()) {
        return None;
    }
    let (body, _) = product.split_at_checked(product.len() - 1)?;
    let right = format!("{body}{}", char::from(check_digit(body)?));
    let is_number = product.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && right != product).then(|| Change {
        text: format!(
            "{product} has a wrong check digit: {right} is right if all other digits are"
        ),
        payload: replace(payload, product, &right),
        is_last: false,
    })
}

/// Replaces a part of a text. `part` borrows from `whole`.
fn replace(whole: &str, part: &str, new: &str) -> String {
    let at = part.as_ptr().addr() - whole.as_ptr().addr();
    format!("{}{new}{}", &whole[..at], &whole[at + part.len()..])
}
