//! Compares JSON with a schema of docs/openapi.yaml or docs/asyncapi.yaml.
//!
//! It knows the keywords that these files use, and is stricter than JSON Schema in one point: a
//! field that the schema does not name is a fault, unless `additionalProperties` allows it. So the
//! description has every field of each answer.

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// A description of an interface, with its schemas.
pub struct Description {
    pub root: Value,
}

impl Description {
    pub fn read(file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(path).unwrap();
        let root = serde_saphyr::from_str(&text).unwrap();
        Self { root }
    }

    /// Follows a `$ref` into the same file.
    pub fn follow<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(target) => {
                let pointer = target.strip_prefix('#').unwrap();
                let found = self.root.pointer(pointer);
                self.follow(found.unwrap_or_else(|| panic!("nothing is at {target}")))
            }
            None => value,
        }
    }

    /// Lists the differences of a value from a schema, each with its place.
    pub fn compare(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.compare_at("", schema, value, &mut faults);
        faults
    }

    fn compare_at(&self, at: &str, schema: &Value, value: &Value, faults: &mut Vec<String>) {
        let schema = self.follow(schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.compare_at(at, part, value, faults);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fits = |choice: &&Value| self.compare(choice, value).is_empty();
            if choices.iter().filter(fits).count() != 1 {
                faults.push(format!("{at}: {value} is not exactly one of {choices:?}"));
            }
        }
        if !has_type(&schema["type"], value) {
            faults.push(format!("{at}: {value} is not {}", schema["type"]));
            return;
        }
        let accepted = schema["enum"].as_array();
        if accepted.is_some_and(|accepted| !accepted.contains(value)) {
            faults.push(format!("{at}: {value} is not in {}", schema["enum"]));
        }
        if !schema["const"].is_null() && schema["const"] != *value {
            faults.push(format!("{at}: {value} is not {}", schema["const"]));
        }
        let is_time = schema["format"] == "date-time";
        if let Some(text) = value.as_str().filter(|_| is_time)
            && text.parse::<Timestamp>().is_err()
        {
            faults.push(format!("{at}: {text} is no time"));
        }
        match value {
            Value::Object(fields) => self.compare_fields(at, schema, fields, faults),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let at = format!("{at}/{index}");
                    self.compare_at(&at, &schema["items"], item, faults);
                }
            }
            _ => {}
        }
    }

    fn compare_fields(
        &self,
        at: &str,
        schema: &Value,
        fields: &Map<String, Value>,
        faults: &mut Vec<String>,
    ) {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap()) {
                faults.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, field) in fields {
            let at = format!("{at}/{name}");
            let others = &schema["additionalProperties"];
            match schema["properties"].get(name) {
                Some(described) => self.compare_at(&at, described, field, faults),
                None if others.is_object() => self.compare_at(&at, others, field, faults),
                None if *others == Value::Bool(true) || !schema["type"].is_string() => {}
                None => faults.push(format!("{at}: the schema does not name this field")),
            }
        }
    }
}

fn has_type(expected: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the schema has the type {other}"),
    };
    match expected {
        Value::Null => true,
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        other => panic!("{other} is no type"),
    }
}

#[test]
fn a_schema_finds_each_kind_of_fault() {
    let root = serde_json::json!({"part": {"type": "integer"}, "whole": {
        "type": "object",
        "required": ["n"],
        "properties": {
            "n": {"$ref": "#/part"},
            "word": {"type": "string", "enum": ["a"]},
            "at": {"type": ["string", "null"], "format": "date-time"},
            "one": {"oneOf": [{"$ref": "#/part"}, {"type": "null"}]},
            "list": {"type": "array", "items": {"type": "boolean"}},
        },
    }});
    let description = Description { root };
    let faults = |value: Value| {
        description
            .compare(&description.root["whole"], &value)
            .len()
    };
    let right = serde_json::json!({
        "n": 1, "word": "a", "at": "2026-11-23T08:15:30Z", "one": null, "list": [true]
    });
    assert_eq!(faults(right), 0);
    assert_eq!(faults(serde_json::json!([])), 1);
    assert_eq!(faults(serde_json::json!({})), 1);
    for (name, wrong) in [
        ("n", serde_json::json!("1")),
        ("word", "b".into()),
        ("at", "yesterday".into()),
        ("one", "x".into()),
        ("list", serde_json::json!([1])),
        ("more", Value::Null),
    ] {
        let mut value = serde_json::json!({"n": 1});
        value[name] = wrong;
        assert_eq!(faults(value.clone()), 1, "{value}");
    }
}
