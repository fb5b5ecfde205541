//! The text of a cell as a value of its field.

use serde_json::{Value, json};

use crate::demo::odoo::schema::{Field, Kind};
use crate::demo::odoo::store::{self, Store};

/// A field's column, and whether it holds a database id (`field/.id`).
#[derive(Debug)]
pub struct Cell {
    pub model: &'static str,
    pub field: &'static Field,
    pub by_id: bool,
}

/// `load` takes times in the caller's zone: the context's `tz`, or else the user's. `write` takes
/// UTC.
fn utc(text: &str, zone: &str) -> Option<String> {
    // A day, or a day and a time with a space between: no T, no Z, no fractions.
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b' '));
    let local: jiff::civil::DateTime = text.parse().ok().filter(|_| plain)?;
    let zoned = local.in_tz(zone).ok()?;
    let utc = zoned.timestamp().strftime("%Y-%m-%d %H:%M:%S");
    Some(utc.to_string())
}

/// A cell's text as the field's kind, or what is wrong with it.
pub fn value(
    store: &Store,
    zone: &str,
    cell: &Cell,
    text: &str,
    parent: Option<&str>,
) -> Result<Value, String> {
    let label = parent.map_or_else(
        || cell.field.label.to_owned(),
        |parent| format!("{parent}/{}", cell.field.label),
    );
    match cell.field.kind {
        Kind::Text | Kind::Day => Ok(json!(text)),
        Kind::Moment => utc(text, zone).map(|moment| json!(moment)).ok_or_else(|| {
            format!("'{text}' does not seem to be a valid datetime for field '{label}'")
        }),
        Kind::Flag => Ok(json!(!matches!(
            text.to_lowercase().as_str(),
            "0" | "false" | "no"
        ))),
        Kind::Number => text
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(|number| json!(store::round(number)))
            .ok_or_else(|| format!("'{text}' does not seem to be a number for field '{label}'")),
        Kind::Whole => text
            .parse::<i64>()
            .map(|number| json!(number))
            .map_err(|_| format!("'{text}' does not seem to be an integer for field '{label}'")),
        Kind::One(to) if cell.by_id => {
            let id: i64 = text
                .parse()
                .map_err(|_| format!("Invalid database id '{text}' for the field '{label}'"))?;
            match store.row(to, id) {
                Some(_) => Ok(json!(id)),
                None => Err(format!(
                    "No matching record found for database id '{text}' in field '{label}'"
                )),
            }
        }
        Kind::One(to) => store
            .table(to)
            .find(|(id, _)| store.display_name(to, *id) == text)
            .map(|(id, _)| json!(id))
            .ok_or_else(|| {
                format!("No matching record found for name '{text}' in field '{label}'")
            }),
        Kind::Many(..) => Err(format!("'{text}' is not understood in {}", cell.model)),
    }
}
