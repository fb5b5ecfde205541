//! The lines of an export of the journal, version 1 (`docs/backup.md`, *The export*).
//!
//! The first line is the [`Header`], the last line the [`Footer`]. Each line between them is one
//! record: its table, its key, and its value, as JSON where the record has a form in JSON
//! (`json.rs`), else as bytes in Base64. Derived tables of the search index are left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

use super::json::Shown;
use super::{BadRecord, bad};

/// The value of `format` in the first line.
pub const FORMAT: &str = "stockrelay-journal";
/// The version that this version of the gateway writes, and the only one that it reads.
pub const VERSION: u32 = 1;
const WHAT: &str = "export";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub format: String,
    pub version: u32,
    pub site: String,
    /// Count of the lines that follow, without the last one.
    pub records: u64,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Footer {
    /// The records of each table that has some.
    pub end: BTreeMap<String, u64>,
    /// BLAKE3 of all bytes before this line, in hexadecimal digits.
    pub blake3: String,
}

/// The line of a record.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine {
    table: String,
    key: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

/// One part of a key.
#[derive(Clone, Copy)]
enum Part {
    /// A number of so many bytes.
    Number(usize),
    /// 16 bytes.
    Digest,
    Text,
}

enum Form {
    Nothing,
    Number,
    Digest,
    Record(&'static Shown),
    Bytes,
}

/// A table of the journal in an export.
pub struct ExportTable {
    pub number: u8,
    pub name: &'static str,
    key: &'static [Part],
    form: Form,
}

const SEQ: &[Part] = &[Part::Number(8)];
const TEXT: &[Part] = &[Part::Text];

const fn table(number: u8, name: &'static str, key: &'static [Part], form: Form) -> ExportTable {
    ExportTable {
        number,
        name,
        key,
        form,
    }
}

/// The tables in the order in which an export has them. The numbers are those of
/// `journal/changes.rs`; 21 to 23 are the search index.
pub static TABLES: [ExportTable; 21] = [
    table(1, "events", SEQ, Form::Record(&super::EVENT_JSON)),
    table(2, "event_document", SEQ, Form::Number),
    table(3, "repeats", SEQ, Form::Record(&super::REPEATS_JSON)),
    table(4, "rejected", SEQ, Form::Record(&super::REJECTION_JSON)),
    table(5, "rejected_open", SEQ, Form::Nothing),
    table(
        6,
        "rejected_by_id",
        &[Part::Digest, Part::Number(8)],
        Form::Nothing,
    ),
    table(7, "rejected_id", SEQ, Form::Digest),
    table(8, "rejected_audit", SEQ, Form::Record(&super::AUDIT_JSON)),
    table(9, "devices", TEXT, Form::Nothing),
    table(10, "held", TEXT, Form::Number),
    table(
        11,
        "id_buckets",
        &[Part::Number(4), Part::Number(2)],
        Form::Bytes,
    ),
    table(12, "id_filters", &[Part::Number(4)], Form::Bytes),
    table(13, "documents", SEQ, Form::Record(&super::DOCUMENT_JSON)),
    table(14, "progress", SEQ, Form::Record(&super::PROGRESS_JSON)),
    table(15, "document_keys", &[Part::Digest], Form::Number),
    table(
        16,
        "by_state",
        &[Part::Number(1), Part::Number(8)],
        Form::Nothing,
    ),
    table(
        17,
        "audit",
        &[Part::Number(8), Part::Number(4)],
        Form::Record(&super::AUDIT_JSON),
    ),
    table(18, "side_values", TEXT, Form::Bytes),
    table(19, "meta", TEXT, Form::Bytes),
    table(20, "periods", SEQ, Form::Record(&super::PERIOD_JSON)),
    table(
        24,
        "wrong_scans",
        SEQ,
        Form::Record(&super::WRONG_SCAN_JSON),
    ),
];

/// The key in the table `meta` of the record that has a form in JSON.
const TOTALS: &[u8] = b"totals";
const META: u8 = 19;

impl ExportTable {
    /// The form of the record with this key.
    fn form(&self, key: &[u8]) -> &Form {
        const OF_TOTALS: Form = Form::Record(&super::TOTALS_JSON);
        if self.number == META && key == TOTALS {
            &OF_TOTALS
        } else {
            &self.form
        }
    }

    /// The line of a record, with its line feed.
    pub fn line(&self, key: &[u8], value: &[u8]) -> Result<Vec<u8>, BadRecord> {
        let (shown, bytes) = match self.form(key) {
            Form::Nothing => (None, None),
            Form::Number => (Some(show_part(Part::Number(8), value)?), None),
            Form::Digest => (Some(show_part(Part::Digest, value)?), None),
            Form::Bytes => (None, Some(STANDARD.encode(value))),
            Form::Record(record) => match (record.show)(value)? {
                Some(shown) => (Some(shown), None),
                None => (None, Some(STANDARD.encode(value))),
            },
        };
        let line = RecordLine {
            table: self.name.to_owned(),
            key: show_key(self.key, key)?,
            value: shown,
            bytes,
        };
        let mut line = serde_json::to_vec(&line).map_err(|error| bad(WHAT, error))?;
        line.push(b'\n');
        Ok(line)
    }
}

/// The content of one line after the first.
pub enum ParsedLine {
    Record {
        /// The place of the table in [`TABLES`].
        place: usize,
        key: Vec<u8>,
        value: Vec<u8>,
    },
    Footer(Footer),
}

/// Reads a line after the first. The error is the reason alone.
pub fn parse(line: &[u8]) -> Result<ParsedLine, String> {
    let line: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if line.get("end").is_some() {
        let footer = serde_json::from_value(line).map_err(|error| error.to_string())?;
        return Ok(ParsedLine::Footer(footer));
    }
    let line: RecordLine = serde_json::from_value(line).map_err(|error| error.to_string())?;
    let place = TABLES.iter().position(|table| table.name == line.table);
    let Some(place) = place else {
        return Err(format!("this version knows no table {:?}", line.table));
    };
    let table = &TABLES[place];
    let key = read_key(table.key, &line.key)?;
    let value = read_value(table.form(&key), line.value.as_ref(), line.bytes.as_deref());
    Ok(ParsedLine::Record {
        place,
        key,
        value: value?,
    })
}

fn read_value(form: &Form, value: Option<&Value>, bytes: Option<&str>) -> Result<Vec<u8>, String> {
    let decode = |bytes| {
        STANDARD
            .decode(bytes)
            .map_err(|error| format!("bytes: {error}"))
    };
    match (form, value, bytes) {
        (Form::Nothing, None, None) => Ok(Vec::new()),
        (Form::Number, Some(value), None) => read_part(Part::Number(8), value),
        (Form::Digest, Some(value), None) => read_part(Part::Digest, value),
        (Form::Bytes, None, Some(bytes)) => decode(bytes),
        (Form::Record(record), Some(value), None) => {
            (record.read)(value).map_err(|error| format!("value: {}", error.why))
        }
        (Form::Record(record), None, Some(bytes)) => {
            let bytes = decode(bytes)?;
            (record.show)(&bytes).map_err(|error| format!("bytes: {}", error.why))?;
            Ok(bytes)
        }
        (Form::Nothing, ..) => Err("a record of this table has neither value nor bytes".to_owned()),
        (Form::Number | Form::Digest, ..) => Err("a record of this table has a value".to_owned()),
        (Form::Bytes, ..) => Err("a record of this table has bytes".to_owned()),
        (Form::Record(_), ..) => Err("a record of this table has a value or bytes".to_owned()),
    }
}

fn show_key(parts: &[Part], mut key: &[u8]) -> Result<Value, BadRecord> {
    let mut shown = Vec::with_capacity(parts.len());
    for part in parts {
        let length = match part {
            Part::Number(bytes) => *bytes,
            Part::Digest => 16,
            Part::Text => key.len(),
        };
        let (this, rest) =
            (key.split_at_checked(length)).ok_or_else(|| bad(WHAT, "a key is too short"))?;
        shown.push(show_part(*part, this)?);
        key = rest;
    }
    Ok(match <[Value; 1]>::try_from(shown) {
        Ok([only]) => only,
        Err(several) => Value::Array(several),
    })
}

fn read_key(parts: &[Part], value: &Value) -> Result<Vec<u8>, String> {
    let values = match value {
        Value::Array(values) if parts.len() > 1 => values.as_slice(),
        only => std::slice::from_ref(only),
    };
    if values.len() != parts.len() {
        return Err(format!("a key of this table has {} parts", parts.len()));
    }
    let mut key = Vec::new();
    for (part, value) in parts.iter().zip(values) {
        key.extend(read_part(*part, value)?);
    }
    Ok(key)
}

fn show_part(part: Part, bytes: &[u8]) -> Result<Value, BadRecord> {
    Ok(match part {
        Part::Number(_) => {
            let mut number = [0; 8];
            let length = bytes.len().min(8);
            number[..length].copy_from_slice(&bytes[..length]);
            u64::from_le_bytes(number).into()
        }
        Part::Digest => {
            let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
            digits.collect::<String>().into()
        }
        Part::Text => std::str::from_utf8(bytes)
            .map_err(|error| bad(WHAT, error))?
            .into(),
    })
}

fn read_part(part: Part, value: &Value) -> Result<Vec<u8>, String> {
    match part {
        Part::Number(bytes) => {
            let number = value.as_u64().map(u64::to_le_bytes);
            let fits = |number: &[u8; 8]| number[bytes..].iter().all(|byte| *byte == 0);
            let number = number.filter(fits);
            let number = number.ok_or_else(|| format!("{value} is no number of {bytes} bytes"))?;
            Ok(number[..bytes].to_vec())
        }
        Part::Digest => {
            let digest = value.as_str().and_then(|text| text.parse().ok());
            let digest: Option<crate::document::DocumentKey> = digest;
            let digest = digest.ok_or_else(|| format!("{value} is not 32 hexadecimal digits"))?;
            Ok(digest.0.to_vec())
        }
        Part::Text => {
            let text = value.as_str();
            let text = text.ok_or_else(|| format!("{value} is no text"))?;
            Ok(text.as_bytes().to_vec())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::golden_in;
    use super::*;

    /// One record of each table, as version 1 has always written it.
    const WRITTEN: &str = include_str!("lines_v1.jsonl");

    fn table_named(name: &str) -> &'static ExportTable {
        TABLES.iter().find(|table| table.name == name).unwrap()
    }

    #[test]
    fn a_line_of_each_table_is_written_as_ever() {
        let mut names = Vec::new();
        for line in WRITTEN.split_inclusive('\n') {
            let parsed = parse(line.as_bytes()).unwrap_or_else(|why| panic!("{line}: {why}"));
            let ParsedLine::Record { place, key, value } = parsed else {
                panic!("{line}");
            };
            let table = &TABLES[place];
            names.push(table.name);
            let again = String::from_utf8(table.line(&key, &value).unwrap()).unwrap();
            assert_eq!(again, line);
        }
        names.dedup();
        assert_eq!(names, TABLES.each_ref().map(|table| table.name));
    }

    #[test]
    fn a_stored_record_is_shown_by_the_names_of_its_fields() {
        let v1 = include_str!("v1.txt");
        for (name, of, part) in [
            ("transfer", "events", r#""product":"4000000000020""#),
            ("document", "documents", r#""group":"#),
            ("progress", "progress", r#""attempts":"#),
            ("audit", "audit", r#""by":"forward""#),
        ] {
            let bytes = golden_in(v1, name);
            let key = match of {
                "audit" => vec![1; 12],
                _ => vec![1; 8],
            };
            let line = table_named(of).line(&key, &bytes).unwrap();
            let text = String::from_utf8(line).unwrap();
            assert!(text.contains(part), "{text}");
            let Ok(ParsedLine::Record { value, .. }) = parse(text.as_bytes()) else {
                panic!("{text}");
            };
            assert_eq!(value, bytes, "{name}");
        }
    }

    #[test]
    fn a_line_that_no_export_has_is_refused_with_the_reason() {
        for (line, why) in [
            ("{", "EOF"),
            (r#"{"table":"orders","key":1}"#, "no table \"orders\""),
            (
                r#"{"table":"events","key":-1,"value":{}}"#,
                "-1 is no number",
            ),
            (r#"{"table":"events","key":1}"#, "a value or bytes"),
            (r#"{"table":"events","key":1,"value":{"V9":{}}}"#, "V9"),
            (r#"{"table":"events","key":1,"bytes":"AAAA"}"#, "bytes"),
            (
                r#"{"table":"by_state","key":[256,1]}"#,
                "no number of 1 bytes",
            ),
            (r#"{"table":"by_state","key":1}"#, "has 2 parts"),
            (r#"{"table":"held","key":"pda","value":"x"}"#, "no number"),
            (r#"{"table":"devices","key":"pda","value":1}"#, "neither"),
            (r#"{"table":"devices","key":"pda","more":1}"#, "more"),
            (r#"{"end":{},"blake3":"","more":1}"#, "more"),
        ] {
            let refused = parse(line.as_bytes()).err();
            let text = refused.unwrap_or_else(|| panic!("{line}"));
            assert!(text.contains(why), "{line}: {text}");
        }
    }
}
