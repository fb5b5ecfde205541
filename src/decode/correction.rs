//! Reads the correction of a parked document by the rules of capture: the same limits, decimals and
//! texts.

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::{FieldRefusal, decimal, elements, text_of};
use crate::correction::{Change, Correction, LineChange};
use crate::event::Field;

/// Lines that one correction may name, as many as a body can hold.
const LINES_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCorrection<'a> {
    #[serde(borrow)]
    by: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "given")]
    order: Option<&'a RawValue>,
    #[serde(borrow)]
    lines: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLine<'a> {
    #[serde(default, borrow, deserialize_with = "given")]
    line: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "given")]
    quantity: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "given")]
    product: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "given")]
    from: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "given")]
    to: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "given")]
    lot: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "given")]
    package: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "given")]
    owner: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "given")]
    expiry: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "given")]
    best_before: Option<&'a RawValue>,
}

/// Reads a field that is there, also as `null`: `null` empties the field of the document, and a
/// field that is left out changes nothing.
fn given<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// Reads a correction; an error says which field is wrong, what was found and what is accepted.
pub fn correction(text: &str) -> Result<Correction, String> {
    if !text.trim_start().starts_with('{') {
        return Err("the body is not a JSON object".to_owned());
    }
    let raw: RawCorrection<'_> = serde_json::from_str(text)
        .map_err(|error| format!("the body is not understood: {error}"))?;
    let order = value(Field::Order, raw.order).map_err(|refusal| refusal.message)?;
    let lines = raw.lines.map_or(Ok(Vec::new()), lines)?;
    Ok(Correction {
        by: raw.by.map(|by| own_text("by", by)).transpose()?,
        reason: raw.reason.map(|it| own_text("reason", it)).transpose()?,
        order,
        lines,
    })
}

/// Reads a field of the correction itself.
fn own_text(name: &str, raw: &RawValue) -> Result<String, String> {
    serde_json::from_str(raw.get()).map_err(|_| {
        let found: String = raw.get().chars().take(40).collect();
        format!("field {name}: found {found}; accepted is a text")
    })
}

fn lines(raw: &RawValue) -> Result<Vec<LineChange>, String> {
    let wrong = |error| format!("lines: {error}");
    let (lines, count) =
        elements(raw.get(), LINES_MAX).map_err(|error| wrong(error.to_string()))?;
    if count > LINES_MAX {
        return Err(wrong(format!(
            "found {count}; at most {LINES_MAX} are taken"
        )));
    }
    lines.into_iter().map(line).collect()
}

fn line(raw: &RawValue) -> Result<LineChange, String> {
    if !raw.get().starts_with('{') {
        return Err("lines: each is a JSON object".to_owned());
    }
    let raw: RawLine<'_> =
        serde_json::from_str(raw.get()).map_err(|error| describe(raw, &error))?;
    let number = raw.line.map_or("nothing", RawValue::get);
    let Ok(number @ 1..) = number.parse() else {
        let found: String = number.chars().take(40).collect();
        return Err(format!(
            "field line: found {found}; accepted is the number of a line of the document, from 1"
        ));
    };
    let wrong = |refusal: FieldRefusal| format!("line {number}: {}", refusal.message);
    let quantity = match raw.quantity {
        None => None,
        quantity => decimal(Field::Quantity, quantity, true).map_err(wrong)?,
    };
    let mut fields = Vec::new();
    for (field, raw) in [
        (Field::Product, raw.product),
        (Field::From, raw.from),
        (Field::To, raw.to),
        (Field::Lot, raw.lot),
        (Field::Package, raw.package),
        (Field::Owner, raw.owner),
        (Field::Expiry, raw.expiry),
        (Field::BestBefore, raw.best_before),
    ] {
        if let Some(value) = value(field, raw).map_err(wrong)? {
            fields.push((field, value));
        }
    }
    Ok(LineChange {
        line: number,
        quantity,
        fields,
    })
}

/// Describes the fault of a line with the line's number, and without the place in the JSON text,
/// which a person would read as the place in the document.
fn describe(raw: &RawValue, error: &serde_json::Error) -> String {
    let number = serde_json::from_str::<Value>(raw.get())
        .ok()
        .and_then(|line| line.get("line")?.as_u64());
    let line = number.map_or("lines".to_owned(), |number| format!("line {number}"));
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let text = text.strip_suffix(&place).unwrap_or(&text);
    match (text.strip_prefix("unknown field `")).and_then(|rest| rest.split_once('`')) {
        Some((field, _)) => format!(
            "{line}: unknown field {field}; accepted are product, quantity, from, to, lot, package, owner, expiry and best_before"
        ),
        None => format!("{line}: {text}"),
    }
}

/// Reads how a person's correction changes a text field. `None`: the correction does not have the
/// field, so the field does not change.
fn value(field: Field, raw: Option<&RawValue>) -> Result<Option<Change>, FieldRefusal> {
    if raw.is_some_and(|raw| raw.get() == "null") {
        return Ok(Some(Change::Away));
    }
    Ok(text_of(field, raw)?.map(Change::To))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_names_what_it_changes() {
        let read = correction(
            r#"{"by": "anna", "reason": "wrong bin", "order": null, "lines": [
                {"line": 1, "from": "LOC-B", "lot": null, "quantity": 2.50},
                {"line": 2, "quantity": "0", "expiry": "2027-03-31"}]}"#,
        )
        .unwrap();
        assert_eq!(read.by.as_deref(), Some("anna"));
        assert_eq!(read.order, Some(Change::Away));
        assert_eq!(
            read.lines[0],
            LineChange {
                line: 1,
                quantity: Some("2.5".parse().unwrap()),
                fields: vec![
                    (Field::From, Change::To("LOC-B".to_owned())),
                    (Field::Lot, Change::Away)
                ],
            }
        );
        assert_eq!(read.lines[1].quantity, Some(0.into()));
        assert_eq!(correction(r#"{"reason": "x"}"#).unwrap().order, None);
    }

    #[test]
    fn what_capture_would_not_take_is_refused_by_name() {
        let long = format!(
            r#"{{"lines": [{{"line": 1, "to": "{}"}}]}}"#,
            "x".repeat(257)
        );
        for (body, named) in [
            (r#"{"colour": "red"}"#, "colour"),
            (
                r#"{"lines": [{"line": 7, "colour": "red"}]}"#,
                "line 7: unknown field colour; accepted are product,",
            ),
            (r#"{"lines": [{"line": 1, "to": "A", "to": "B"}]}"#, "to"),
            (r#"{"lines": [{"to": "A"}]}"#, "field line"),
            (r#"{"lines": [{"line": 0}]}"#, "field line"),
            (r#"{"lines": [{"line": 1.5}]}"#, "field line"),
            (
                r#"{"lines": [{"line": 3, "quantity": -1}]}"#,
                "line 3: field quantity",
            ),
            (
                r#"{"lines": [{"line": 1, "quantity": null}]}"#,
                "field quantity",
            ),
            (
                r#"{"lines": [{"line": 1, "quantity": 0.0000001}]}"#,
                "field quantity",
            ),
            (r#"{"lines": [{"line": 1, "to": ""}]}"#, "field to"),
            (r#"{"lines": [{"line": 1, "to": 5}]}"#, "field to"),
            (r#"{"lines": [{"line": 1, "lot": "a\u0007"}]}"#, "field lot"),
            (
                r#"{"lines": [{"line": 1, "expiry": "soon"}]}"#,
                "field expiry",
            ),
            (r#"{"lines": {"line": 1}}"#, "lines"),
            (r#"{"order": 5}"#, "field order"),
            (r#"{"lines": [[1, 2, "P"]]}"#, "lines"),
            (&long, "field to"),
            ("[]", "body is not a JSON object"),
            (r#" ["anna", "why", null, []]"#, "body is not a JSON object"),
            (r#"{"by": 5}"#, "field by: found 5; accepted is a text"),
            (r#"{"reason": ["why"]}"#, "field reason"),
            (r#"{"by": "a", "by": "b"}"#, "by"),
        ] {
            let error = correction(body).unwrap_err();
            assert!(error.contains(named), "{body}: {error}");
            assert!(
                !error.contains("Raw") && !error.contains("struct"),
                "{body}: {error}"
            );
            assert!(
                !named.starts_with("line ") || !error.contains("column"),
                "{body}: {error}"
            );
        }
    }
}
