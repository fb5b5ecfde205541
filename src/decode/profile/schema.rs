//! Checks a file against the shipped JSON Schema, so that the documented rules are the checked
//! ones.
//!
//! Supports only what the schema uses: `type`, `enum`, `const`, `pattern`, the limits of texts,
//! numbers and arrays, `properties`, `required`, `additionalProperties`, `items`, `$ref` into
//! `$defs`, and `oneOf` whose branches differ by a constant `kind`.

use std::fmt;

use regex_lite::Regex;
use serde_json::Value as Json;
use toml::{Table, Value};

use crate::config::MISSING;

/// `scanner-profiles/profile.schema.json`
pub const SCHEMA: &str = include_str!("../../../scanner-profiles/profile.schema.json");

/// A fault of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key with its path, such as `code.means[0].is`. Empty: the file as a whole.
    pub key: String,
    pub found: String,
    pub accepted: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        match self.found.as_str() {
            MISSING => write!(f, "missing; accepted is {}", self.accepted),
            found => write!(f, "found {found}; accepted is {}", self.accepted),
        }
    }
}

impl Fault {
    pub(super) fn new(
        key: impl Into<String>,
        found: impl Into<String>,
        accepted: impl Into<String>,
    ) -> Self {
        Self {
            key: key.into(),
            found: found.into(),
            accepted: accepted.into(),
        }
    }
}

/// Lists every fault that the schema finds.
pub(super) fn check(table: &Table) -> Vec<Fault> {
    let root: Json = serde_json::from_str(SCHEMA).expect("the shipped schema is JSON");
    let mut checker = Checker {
        root: &root,
        faults: Vec::new(),
    };
    checker.table("", table, &root);
    checker.faults
}

struct Checker<'s> {
    root: &'s Json,
    faults: Vec<Fault>,
}

impl<'s> Checker<'s> {
    fn value(&mut self, key: &str, value: &Value, schema: &'s Json) {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.root.pointer(reference.trim_start_matches('#'));
            return self.value(
                key,
                value,
                target.expect("the shipped schema has what it refers to"),
            );
        }
        if let Some(branches) = schema["oneOf"].as_array() {
            return self.one_of(key, value, branches);
        }
        match value {
            Value::Table(table) if is(schema, "object") => self.table(key, table, schema),
            Value::Array(array) if is(schema, "array") => self.array(key, array, schema),
            _ if fits(value, schema) => {}
            _ => self
                .faults
                .push(Fault::new(key, describe(value), describe_accepted(schema))),
        }
    }

    fn table(&mut self, key: &str, table: &Table, schema: &'s Json) {
        let below = |name: &str| {
            if key.is_empty() {
                name.to_owned()
            } else {
                format!("{key}.{name}")
            }
        };
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
        {
            if !table.contains_key(name) {
                let wanted = self.resolve(&schema["properties"][name]);
                self.faults
                    .push(Fault::new(below(name), MISSING, describe_accepted(wanted)));
            }
        }
        for (name, value) in table {
            let schema = match schema["properties"].get(name) {
                Some(own) => own,
                None if schema["additionalProperties"].is_object() => {
                    &schema["additionalProperties"]
                }
                None => {
                    let known = schema["properties"].as_object();
                    let known: Vec<_> = known
                        .into_iter()
                        .flatten()
                        .map(|(name, _)| name.as_str())
                        .collect();
                    let accepted = format!("one of {}", known.join(", "));
                    self.faults
                        .push(Fault::new(below(name), "an unknown key", accepted));
                    continue;
                }
            };
            self.value(&below(name), value, schema);
        }
    }

    fn array(&mut self, key: &str, array: &[Value], schema: &'s Json) {
        let length = array.len() as u64;
        if !within(length, schema, "minItems", "maxItems") {
            self.faults.push(Fault::new(
                key,
                format!("{length} entries"),
                describe_accepted(schema),
            ));
        }
        for (at, value) in array.iter().enumerate().take(1_000) {
            self.value(&format!("{key}[{at}]"), value, &schema["items"]);
        }
    }

    fn one_of(&mut self, key: &str, value: &Value, branches: &'s [Json]) {
        let kind = value.get("kind").and_then(Value::as_str);
        let kinds = branches.iter().map(|branch| {
            let branch = self.resolve(branch);
            (
                branch["properties"]["kind"]["const"]
                    .as_str()
                    .unwrap_or_default(),
                branch,
            )
        });
        let kinds: Vec<_> = kinds.collect();
        if let Some((_, branch)) = kinds.iter().find(|(own, _)| Some(*own) == kind) {
            return self.value(key, value, branch);
        }
        let names: Vec<_> = kinds.iter().map(|(own, _)| *own).collect();
        let (key, found) = match value.get("kind") {
            Some(other) => (format!("{key}.kind"), describe(other)),
            None if value.is_table() => (format!("{key}.kind"), MISSING.to_owned()),
            None => (key.to_owned(), describe(value)),
        };
        self.faults.push(Fault::new(
            key,
            found,
            format!("one of {}", names.join(", ")),
        ));
    }

    fn resolve(&self, schema: &'s Json) -> &'s Json {
        let reference = schema["$ref"]
            .as_str()
            .map(|reference| reference.trim_start_matches('#'));
        reference
            .and_then(|reference| self.root.pointer(reference))
            .unwrap_or(schema)
    }
}

fn is(schema: &Json, kind: &str) -> bool {
    schema["type"].as_str() == Some(kind)
}

/// Whether a value that is not a table or array matches the schema.
fn fits(value: &Value, schema: &Json) -> bool {
    let same = |json: &Json| match value {
        Value::String(text) => json.as_str() == Some(text),
        Value::Integer(number) => json.as_i64() == Some(*number),
        _ => false,
    };
    if let Some(one) = schema.get("const") {
        return same(one);
    }
    if schema["enum"]
        .as_array()
        .is_some_and(|all| !all.iter().any(same))
    {
        return false;
    }
    match value {
        Value::String(text) if is(schema, "string") => {
            let length = text.chars().count() as u64;
            let pattern = schema["pattern"].as_str();
            let matches = |pattern| {
                Regex::new(pattern)
                    .expect("the shipped schema's patterns are valid")
                    .is_match(text)
            };
            within(length, schema, "minLength", "maxLength") && pattern.is_none_or(matches)
        }
        Value::Integer(number) if is(schema, "integer") => {
            let number = u64::try_from(*number);
            number.is_ok_and(|number| within(number, schema, "minimum", "maximum"))
        }
        Value::Boolean(_) => is(schema, "boolean"),
        _ => false,
    }
}

fn within(number: u64, schema: &Json, least: &str, most: &str) -> bool {
    schema[least].as_u64().is_none_or(|least| number >= least)
        && schema[most].as_u64().is_none_or(|most| number <= most)
}

/// Describes what a schema accepts, for people.
fn describe_accepted(schema: &Json) -> String {
    if let Some(all) = schema["enum"].as_array() {
        let all: Vec<_> = all
            .iter()
            .map(|one| one.to_string().replace('"', ""))
            .collect();
        return format!("one of {}", all.join(", "));
    }
    if let Some(one) = schema["const"].as_str() {
        return one.to_owned();
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        let described = schema["description"].as_str().map(ToOwned::to_owned);
        return described.unwrap_or_else(|| format!("a text that matches {pattern}"));
    }
    let range = |least: &str, most: &str| match (schema[least].as_u64(), schema[most].as_u64()) {
        (least, Some(most)) => format!(" of {} to {most}", least.unwrap_or(0)),
        _ => String::new(),
    };
    match schema["type"].as_str() {
        Some("string") => format!(
            "a text{}{}",
            range("minLength", "maxLength"),
            if schema["maxLength"].is_u64() {
                " characters"
            } else {
                ""
            }
        ),
        Some("integer") => format!("a whole number{}", range("minimum", "maximum")),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => format!(
            "a list{}{}",
            range("minItems", "maxItems"),
            if schema["maxItems"].is_u64() {
                " entries"
            } else {
                ""
            }
        ),
        _ => "a section".to_owned(),
    }
}

/// Describes a value for a message.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "an empty text".to_owned(),
        Value::String(text) => {
            let mut shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
            if text.chars().nth(40).is_some() {
                shown.push_str("...");
            }
            format!("the text {shown}")
        }
        Value::Integer(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Boolean(value) => format!("{value}"),
        Value::Datetime(_) => "a date".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a section".to_owned(),
    }
}
