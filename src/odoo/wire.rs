//! The two APIs of Odoo. JSON-2 has an address for each method and names its parameters.
//! `/jsonrpc`, the only API of Odoo 17 and 18, takes everything at one address, with the database,
//! the user and the key in each call. Pure.

use crate::odoo_id::UserId;
use serde_json::{Map, Value, json};

/// The language of all calls. Every Odoo has it, whatever modules it has.
pub(super) const LANGUAGE: &str = "en_US";
/// Parameters that the client passes by position: methods of other modules that override these
/// methods rename them.
const BY_PLACE: [(&str, &[&str]); 3] = [
    ("create", &["vals_list"]),
    ("load", &["fields", "data"]),
    ("write", &["vals"]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Json2,
    JsonRpc,
}

impl Wire {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json2 => "JSON-2",
            Self::JsonRpc => "JSON-RPC",
        }
    }
}

/// The database, user and key of a call to `/jsonrpc`.
#[derive(Clone, Copy)]
pub(super) struct Login<'a> {
    pub database: &'a str,
    pub uid: UserId,
    pub key: &'a str,
}

/// Builds the body of a request to `/jsonrpc`.
pub(super) fn envelope(service: &str, method: &str, args: &Value) -> Value {
    json!({
        "jsonrpc": "2.0", "method": "call", "id": 1,
        "params": {"service": service, "method": method, "args": args},
    })
}

/// Adds a language to the body's context. Without a language, Odoo 17 writes the text of a refusal
/// in the language of the key's user.
pub(super) fn in_english(body: &Value) -> Value {
    let mut body = body.clone();
    if body["context"]["lang"].is_null() {
        body["context"]["lang"] = json!(LANGUAGE);
    }
    body
}

/// Whether a call that reads records names its fields. Without names, Odoo reads all fields: that
/// takes long, and an ordinary user may not read all fields of a product or a picking.
pub(super) fn names_fields(method: &str, body: &Value) -> bool {
    let is_named = |named: &Value| match named {
        Value::Array(fields) => !fields.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => false,
    };
    match method {
        "read" | "search_read" => is_named(&body["fields"]),
        "web_read" | "web_search_read" | "web_save" | "web_save_multi" => {
            is_named(&body["specification"])
        }
        "fields_get" => is_named(&body["allfields"]),
        _ => true,
    }
}

/// Builds the arguments of `execute_kw` from a JSON-2 body. `ids` precede all other arguments.
pub(super) fn execute(login: Login<'_>, model: &str, method: &str, body: &Value) -> Value {
    let mut named: Map<String, Value> = body.as_object().cloned().unwrap_or_default();
    let mut places: Vec<Value> = named.remove("ids").into_iter().collect();
    let by_place = BY_PLACE.iter().find(|(known, _)| *known == method);
    for parameter in by_place.map_or(&[][..], |(_, parameters)| *parameters) {
        // A missing parameter ends the positional ones: the client passes the parameters after it
        // by name.
        let Some(value) = named.remove(*parameter) else {
            break;
        };
        places.push(value);
    }
    json!([
        login.database,
        login.uid,
        login.key,
        model,
        method,
        places,
        named
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn executed(method: &str, body: &Value) -> Value {
        let login = Login {
            database: "db",
            uid: UserId::new(7),
            key: "secret",
        };
        let args = execute(login, "stock.picking", method, body);
        assert_eq!(
            args.as_array().unwrap()[..5],
            [
                json!("db"),
                json!(7),
                json!("secret"),
                json!("stock.picking"),
                json!(method)
            ]
        );
        json!([args[5], args[6]])
    }

    #[test]
    fn a_read_names_its_fields() {
        for (method, body, named) in [
            ("search_read", json!({"domain": []}), false),
            ("search_read", json!({"domain": [], "fields": []}), false),
            ("search_read", json!({"domain": [], "fields": ["id"]}), true),
            ("read", json!({"ids": [1]}), false),
            ("read", json!({"ids": [1], "fields": ["name"]}), true),
            ("web_read", json!({"ids": [1], "specification": {}}), false),
            (
                "web_read",
                json!({"ids": [1], "specification": {"name": {}}}),
                true,
            ),
            ("fields_get", json!({"attributes": ["type"]}), false),
            ("fields_get", json!({"allfields": ["name"]}), true),
            ("search", json!({"domain": []}), true),
        ] {
            assert_eq!(names_fields(method, &body), named, "{method} {body}");
        }
    }

    #[test]
    fn ids_come_first_and_the_rest_keeps_its_name() {
        assert_eq!(
            executed(
                "web_read",
                &json!({"ids": [1], "specification": {"name": {}}})
            ),
            json!([[[1]], {"specification": {"name": {}}}])
        );
        assert_eq!(
            executed("search", &json!({"domain": [], "limit": 2})),
            json!([[], {"domain": [], "limit": 2}])
        );
        assert_eq!(executed("unlink", &json!({"ids": []})), json!([[[]], {}]));
    }

    #[test]
    fn values_that_other_modules_name_otherwise_go_by_their_place() {
        assert_eq!(
            executed(
                "write",
                &json!({"ids": [1], "vals": {"note": "x"}, "context": {"tz": "UTC"}})
            ),
            json!([[[1], {"note": "x"}], {"context": {"tz": "UTC"}}])
        );
        assert_eq!(
            executed(
                "load",
                &json!({"data": [["a"]], "fields": ["id"], "context": {}})
            ),
            json!([[["id"], [["a"]]], {"context": {}}])
        );
        assert_eq!(
            executed("create", &json!({"vals_list": [{}]})),
            json!([[[{}]], {}])
        );
    }
}
