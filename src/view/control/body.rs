//! Reads the body of a request: a JSON object with the fields that the request takes.
//!
//! A fault is described in plain words, with the name of the field, what was found and what the
//! field takes. Nothing that is not understood is ignored: an unknown field, a field that comes
//! twice, and an array in place of an object are refused.

use std::fmt;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::problem::Problem;
use super::query::shorten;

/// The body as it was received.
pub type RawBody = Result<Bytes, BytesRejection>;

/// Returns the bytes of a body. `bytes_max`: its limit, for the refusal.
pub fn read_bytes(body: RawBody, bytes_max: usize) -> Result<Bytes, Problem> {
    body.map_err(|rejection| match rejection.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            status,
            format!("the body has more than {bytes_max} bytes"),
            "send a smaller body; nothing was changed",
        ),
        status => Problem::new(
            status,
            "the body did not arrive completely",
            "send the request again; nothing was changed",
        ),
    })
}

/// The fields of a body that were not taken yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Fields {
    left: Vec<(String, Value)>,
    accepted: &'static [&'static str],
    /// What a request looks like.
    remedy: &'static str,
}

impl Fields {
    /// Parses a body; an empty one has no fields. `accepted`: the fields that the request takes.
    pub fn read(
        bytes: &[u8],
        accepted: &'static [&'static str],
        remedy: &'static str,
    ) -> Result<Self, Problem> {
        let object = if bytes.is_empty() {
            Ok(Object(Vec::new()))
        } else {
            serde_json::from_slice::<Object>(bytes)
        };
        let fields = Self {
            left: Vec::new(),
            accepted,
            remedy,
        };
        let Object(found) = object.map_err(|error| fields.refuse(describe(&error)))?;
        fields.with(found)
    }

    fn with(mut self, found: Vec<(String, Value)>) -> Result<Self, Problem> {
        for (at, (name, _)) in found.iter().enumerate() {
            if !self.accepted.contains(&name.as_str()) {
                let (name, accepted) = (shorten(name), self.accepted.join(", "));
                let fault = format!("unknown field {name:?}; accepted are {accepted}");
                return Err(self.refuse(fault));
            }
            if found.iter().skip(at + 1).any(|(other, _)| other == name) {
                return Err(self.refuse(format!("the field {name:?} comes twice")));
            }
        }
        self.left = found;
        Ok(self)
    }

    /// Builds the refusal of the request.
    pub fn refuse(&self, fault: impl Into<String>) -> Problem {
        Problem::bad(fault, self.remedy)
    }

    /// Takes a field. `None`: it is absent or null.
    fn take(&mut self, name: &str) -> Option<Value> {
        debug_assert!(self.accepted.contains(&name), "{name}");
        let at = self.left.iter().position(|(found, _)| found == name)?;
        let (_, value) = self.left.swap_remove(at);
        (!value.is_null()).then_some(value)
    }

    fn wrong(&self, name: &str, found: &Value, accepted: &str) -> Problem {
        self.refuse(format!(
            "the field {name:?} is {}; accepted is {accepted}",
            name_of(found)
        ))
    }

    pub fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, &other, "a text")),
        }
    }

    /// Takes a field that is false if it is absent.
    pub fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.wrong(name, &other, "true or false")),
        }
    }

    pub fn number(&mut self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(found) = self.take(name) else {
            return Ok(None);
        };
        let number = found.as_u64();
        let wrong = || self.wrong(name, &found, "a whole number from 0");
        number.map(Some).ok_or_else(wrong)
    }

    pub fn array(&mut self, name: &str) -> Result<Option<Vec<Value>>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(other) => Err(self.wrong(name, &other, "an array")),
        }
    }

    /// Reads an object inside the body. `name`: that of the field that has it.
    pub fn inner(
        &self,
        name: &str,
        found: Value,
        accepted: &'static [&'static str],
    ) -> Result<Self, Problem> {
        let Value::Object(map) = found else {
            let found = name_of(&found);
            let fault = format!("an entry of {name:?} is {found}; accepted is an object");
            return Err(self.refuse(fault));
        };
        let inner = Self {
            left: Vec::new(),
            accepted,
            remedy: self.remedy,
        };
        inner.with(map.into_iter().collect())
    }
}

/// Describes a body that is no JSON object.
fn describe(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    if error.is_data() {
        return "the body is not a JSON object".to_owned();
    }
    format!("the body is not valid JSON; it cannot be read from {place} on")
}

/// Names a value for people.
fn name_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text {:?}", shorten(text)),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// A JSON object with all its fields, also those that come twice.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        from.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Fields, Problem> {
        let accepted = &["by", "all", "upto", "ids"];
        Fields::read(body.as_bytes(), accepted, "send something else")
    }

    fn refusal(result: Result<impl fmt::Debug, Problem>) -> String {
        let problem = result.unwrap_err();
        assert_eq!(problem.status, 400);
        assert_eq!(problem.refusal.remedy, "send something else");
        problem.refusal.error
    }

    #[test]
    fn fields_of_each_kind_are_read_and_null_is_absent() {
        let mut fields = read(r#"{"ids": [1], "by": "anna", "all": true, "upto": 7}"#).unwrap();
        assert_eq!(fields.text("by").unwrap().as_deref(), Some("anna"));
        assert!(fields.flag("all").unwrap());
        assert_eq!(fields.number("upto").unwrap(), Some(7));
        assert_eq!(fields.array("ids").unwrap(), Some(vec![1.into()]));
        for body in ["", "{}", r#"{"by": null, "all": null}"#] {
            let mut fields = read(body).unwrap();
            assert_eq!(fields.text("by"), Ok(None), "{body}");
            assert_eq!(fields.flag("all"), Ok(false), "{body}");
        }
    }

    #[test]
    fn a_body_that_is_no_object_with_known_fields_is_refused() {
        for (body, error) in [
            ("[]", "the body is not a JSON object"),
            (r#"["anna", true]"#, "the body is not a JSON object"),
            (r#""anna""#, "the body is not a JSON object"),
            ("7", "the body is not a JSON object"),
            (
                "{",
                "the body is not valid JSON; it cannot be read from line 1, column 1 on",
            ),
            (
                r#"{"why": 1}"#,
                "unknown field \"why\"; accepted are by, all, upto, ids",
            ),
            (r#"{"by": "a", "by": "b"}"#, "the field \"by\" comes twice"),
        ] {
            assert_eq!(refusal(read(body)), error, "{body}");
        }
        let trailing = refusal(read("{} {}"));
        assert!(
            trailing.starts_with("the body is not valid JSON"),
            "{trailing}"
        );
    }

    #[test]
    fn a_wrong_value_is_named_with_its_field_and_what_is_accepted() {
        let of = |value: &str| {
            let body = format!(r#"{{"by": {value}, "all": {value}, "upto": {value}}}"#);
            read(&body).unwrap()
        };
        assert_eq!(
            refusal(of("5").text("by")),
            "the field \"by\" is the number 5; accepted is a text"
        );
        assert_eq!(
            refusal(of("[]").flag("all")),
            "the field \"all\" is an array; accepted is true or false"
        );
        for (value, named) in [
            ("-1", "the number -1"),
            ("1.5", "the number 1.5"),
            ("\"1\"", "the text \"1\""),
            ("{}", "an object"),
            ("1e99", "the number 1e+99"),
        ] {
            let error = refusal(of(value).number("upto"));
            let accepted = "accepted is a whole number from 0";
            assert_eq!(error, format!("the field \"upto\" is {named}; {accepted}"));
        }
    }
}
