//! Values in Odoo's answers, and times in Odoo's form.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads a text. Odoo writes `false` where there is no text.
pub(super) fn text_or_false<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

/// Reads a value. Odoo writes `false` where there is no value, so a flag that is `false` is `None`.
pub(super) fn value_or_false<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null | Value::Bool(false) => None,
        value => Some(serde_json::from_value(value).map_err(serde::de::Error::custom)?),
    })
}

/// Reads a bare id. Odoo writes `false` where there is no record.
pub(super) fn id_or_false<'de, T: From<i64>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_i64().map(T::from))
}

/// Reads a number; anything else is 0.
pub(super) fn decimal_or_nothing<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Decimal, D::Error> {
    Ok(decimal(&Value::deserialize(deserializer)?).unwrap_or_default())
}

/// The default of a flag that is `true` where Odoo does not send it.
pub(super) fn yes() -> bool {
    true
}

/// Reads the id of a record: a bare id, or an object with an `id`. `None`: Odoo wrote `false`.
pub(super) fn id<T: From<i64>>(value: &Value) -> Option<T> {
    value.as_i64().or_else(|| value["id"].as_i64()).map(T::from)
}

/// Reads a number without loss of digits. `None`: the value is no number.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    let number = value.as_number()?.to_string();
    Decimal::from_str_exact(&number)
        .or_else(|_| Decimal::from_scientific(&number))
        .ok()
}

/// Writes a time as Odoo stores it: in UTC, in whole seconds.
#[must_use]
pub fn odoo_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}
