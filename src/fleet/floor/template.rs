//! The template of a device family: JSON with `{{name}}` in its texts.
//!
//! **In**: the text of `FAMILY.json`, and a value for each name. **Out**: the configuration. A text
//! that is one placeholder takes the value with its type; in a longer text the value must be a
//! text, a number, `true` or `false`. Values are filled into the parsed JSON, so no value can
//! change the form of the configuration. A key `$comment` is left out. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::problem::Spot;
use crate::config::Fault;

/// Notes for people, which no device gets.
const COMMENT: &str = "$comment";
const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// A template without faults in its form.
#[derive(Debug)]
pub(super) struct Template {
    config: Value,
    /// Where each placeholder is: its name and the JSON pointer of the text.
    pub placeholders: BTreeSet<(String, String)>,
}

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Literal(&'a str),
    Placeholder(&'a str),
}

/// A value that does not fit where its placeholder is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    pub name: String,
    pub pointer: String,
}

impl Template {
    /// Parses a template, or returns all faults of its form.
    pub fn parse(text: &str, origin: &str) -> Result<Self, Vec<Fault>> {
        let config: Value = serde_json::from_str(text).map_err(|error| {
            let spot = Spot::in_line(origin, error.line(), "");
            let found = format!("a syntax error in column {}", error.column());
            let accepted = "JSON with each placeholder inside of a text: \"{{name}}\" without other characters takes a number, a list and other types as well";
            vec![spot.fault(found, accepted)]
        })?;
        if !config.is_object() {
            let fault = Spot::new(origin, "").fault("no JSON object", "an object: {...}");
            return Err(vec![fault]);
        }
        let mut placeholders = BTreeSet::new();
        let mut faults = Vec::new();
        walk(&config, "", &mut |pointer, text, is_key| {
            let fault = |found: String, accepted| Spot::new(origin, pointer).fault(found, accepted);
            match split(text) {
                Err(rest) => {
                    let found = format!("{rest:?}, which is no placeholder");
                    faults.push(fault(found, NAMES));
                }
                Ok(pieces) => {
                    let names = pieces.iter().filter_map(|piece| match piece {
                        Piece::Placeholder(name) => Some((*name).to_owned()),
                        Piece::Literal(_) => None,
                    });
                    let names: Vec<String> = names.collect();
                    if is_key && !names.is_empty() {
                        let found = format!("a placeholder in the key {text:?}");
                        faults.push(fault(found, "placeholders in values only"));
                        return;
                    }
                    placeholders.extend(names.into_iter().map(|name| (name, pointer.to_owned())));
                }
            }
        });
        if faults.is_empty() {
            Ok(Self {
                config,
                placeholders,
            })
        } else {
            Err(faults)
        }
    }

    /// Fills in the values. A placeholder without a value stays; the caller reports it.
    pub fn fill<'v>(
        &self,
        find: &impl Fn(&str) -> Option<&'v Value>,
    ) -> Result<Value, Vec<Misfit>> {
        let mut misfits = Vec::new();
        let filled = fill(&self.config, "", find, &mut misfits);
        if misfits.is_empty() {
            Ok(filled)
        } else {
            Err(misfits)
        }
    }
}

const NAMES: &str = "{{name}}, with a name of 1 to 64 letters, digits, _ and -";

/// Whether a placeholder may have this name.
pub(super) fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(is_allowed)
}

/// Whether a text has the beginning of a placeholder.
pub(super) fn has_placeholder(text: &str) -> bool {
    text.contains(OPEN)
}

/// Splits a text at its placeholders. The error is the rest from the first faulty one.
fn split(text: &str) -> Result<Vec<Piece<'_>>, &str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let (before, from) = rest.split_at(at);
        let inner = &from[OPEN.len()..];
        let (name, after) = inner.split_once(CLOSE).ok_or(from)?;
        let name = name.trim_matches(' ');
        if !is_name(name) {
            return Err(from);
        }
        if !before.is_empty() {
            pieces.push(Piece::Literal(before));
        }
        pieces.push(Piece::Placeholder(name));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

/// Adds a part to a JSON pointer (RFC 6901).
pub(super) fn extend(pointer: &str, part: &str) -> String {
    format!("{pointer}/{}", part.replace('~', "~0").replace('/', "~1"))
}

/// Calls `look` with each text and each key, and its pointer.
fn walk(value: &Value, pointer: &str, look: &mut impl FnMut(&str, &str, bool)) {
    match value {
        Value::String(text) => look(pointer, text, false),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                walk(value, &extend(pointer, &index.to_string()), look);
            }
        }
        Value::Object(object) => {
            for (key, value) in object.iter().filter(|(key, _)| *key != COMMENT) {
                let inner = extend(pointer, key);
                look(&inner, key, true);
                walk(value, &inner, look);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn fill<'v>(
    template: &Value,
    pointer: &str,
    find: &impl Fn(&str) -> Option<&'v Value>,
    misfits: &mut Vec<Misfit>,
) -> Value {
    match template {
        Value::String(text) => fill_text(text, pointer, find, misfits),
        Value::Array(values) => {
            let filled = values.iter().enumerate().map(|(index, value)| {
                fill(value, &extend(pointer, &index.to_string()), find, misfits)
            });
            Value::Array(filled.collect())
        }
        Value::Object(object) => {
            let mut filled = Map::new();
            for (key, value) in object.iter().filter(|(key, _)| *key != COMMENT) {
                let value = fill(value, &extend(pointer, key), find, misfits);
                filled.insert(key.clone(), value);
            }
            Value::Object(filled)
        }
        other => other.clone(),
    }
}

fn fill_text<'v>(
    text: &str,
    pointer: &str,
    find: &impl Fn(&str) -> Option<&'v Value>,
    misfits: &mut Vec<Misfit>,
) -> Value {
    let pieces = split(text).unwrap_or_default();
    if let [Piece::Placeholder(name)] = pieces[..] {
        return find(name).cloned().unwrap_or_else(|| text.into());
    }
    let mut filled = String::with_capacity(text.len());
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => filled.push_str(literal),
            Piece::Placeholder(name) => match find(name) {
                Some(Value::String(value)) => filled.push_str(value),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => {
                    // Writing to a string does not fail.
                    let _ = write!(filled, "{value}");
                }
                Some(Value::Null | Value::Array(_) | Value::Object(_)) => misfits.push(Misfit {
                    name: name.to_owned(),
                    pointer: pointer.to_owned(),
                }),
                None => {}
            },
        }
    }
    filled.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_at_its_placeholders() {
        use Piece::{Literal, Placeholder};
        for (text, wanted) in [
            ("", vec![]),
            ("a } b { c }} d", vec![Literal("a } b { c }} d")]),
            ("{{x}}", vec![Placeholder("x")]),
            (
                "a{{x-1}}{{ y_2 }}b",
                vec![
                    Literal("a"),
                    Placeholder("x-1"),
                    Placeholder("y_2"),
                    Literal("b"),
                ],
            ),
        ] {
            assert_eq!(split(text).unwrap(), wanted, "{text}");
        }
        for (text, rest) in [
            ("a {{", "{{"),
            ("{{x}", "{{x}"),
            ("{{}}", "{{}}"),
            ("{{a b}}", "{{a b}}"),
            ("{{x}}{{ä}}", "{{ä}}"),
            ("{{{x}}}", "{{{x}}}"),
        ] {
            assert_eq!(split(text).unwrap_err(), rest, "{text}");
        }
    }

    #[test]
    fn a_pointer_escapes_its_parts() {
        assert_eq!(extend("/a", "b/c~d"), "/a/b~1c~0d");
    }
}
