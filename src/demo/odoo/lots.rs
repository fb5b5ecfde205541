//! The dates of a new lot, as `product_expiry` computes them.

use jiff::civil::DateTime;
use jiff::{Span, tz::TimeZone};
use serde_json::{Value, json};

use super::store::{Row, Store, flag_of, id_of, number_of};
use crate::clock;

const FORMAT: &str = "%Y-%m-%d %H:%M:%S";
/// The dates before the expiry, and the product's days for each.
const BEFORE: [(&str, &str); 3] = [
    ("use_date", "use_time"),
    ("removal_date", "removal_time"),
    ("alert_date", "alert_time"),
];

/// Fills in the dates that nobody gave. Where one of the dates before the expiry is given, Odoo
/// computes none of the others: one method computes all three.
pub fn complete(store: &Store, row: &mut Row) {
    row.entry("company_id").or_insert(json!(1));
    let Some(product) = store.row("product.product", id_of(row, "product_id")) else {
        return;
    };
    if !flag_of(product, "use_expiration_date") {
        return;
    }
    let has = |row: &Row, field: &str| row.get(field).is_some_and(Value::is_string);
    if !has(row, "expiration_date") {
        let days = number_of(product, "expiration_time");
        let now = clock::now().to_zoned(TimeZone::UTC).datetime();
        row.insert("expiration_date".into(), shifted(now, days));
    }
    if BEFORE.iter().any(|(field, _)| has(row, field)) {
        return;
    }
    let expiry = row["expiration_date"].as_str().unwrap_or_default();
    let Ok(expiry) = DateTime::strptime(FORMAT, expiry) else {
        return;
    };
    for (field, days) in BEFORE {
        row.insert(field.into(), shifted(expiry, -number_of(product, days)));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "days are whole numbers")]
fn shifted(at: DateTime, days: f64) -> Value {
    let shifted = at.checked_add(Span::new().days(days as i64));
    shifted.map_or(json!(false), |at| json!(at.strftime(FORMAT).to_string()))
}
