//! Which answers of Odoo are values, and which decision each failure causes.

use super::*;

fn of(status: u16, body: &str) -> Result<Value, CallError> {
    understand(&Answer {
        status,
        retry_after: Some("7"),
        body: body.as_bytes(),
        ..Answer::default()
    })
}

fn error(name: &str, message: &str) -> String {
    serde_json::json!({"name": name, "message": message, "debug": "Traceback: secret"}).to_string()
}

#[test]
fn a_value_is_a_value() {
    assert_eq!(of(200, "[1]").unwrap(), serde_json::json!([1]));
}

#[test]
fn each_failure_is_a_decision() {
    let user = error("odoo.exceptions.UserError", "Lot\n missing");
    let kinds = [
        (429, "", "wait"),
        (502, "<html>", "wait"),
        (503, "", "wait"),
        (504, "", "wait"),
        (500, "<html>", "wait"),
        (302, "", "wait"),
        (200, "<html>Welcome to the hotel", "wait"),
        (200, "", "wait"),
        (
            500,
            &error("psycopg2.errors.SerializationFailure", "x"),
            "wait",
        ),
        (500, &error("psycopg2.OperationalError", "x"), "wait"),
        // The message does not decide.
        (
            422,
            &error("odoo.exceptions.UserError", "could not serialize access"),
            "person",
        ),
        (422, user.as_str(), "person"),
        (
            404,
            &error("odoo.exceptions.MissingError", "gone"),
            "person",
        ),
        (
            500,
            &error("builtins.ValueError", "Invalid field"),
            "person",
        ),
        (500, &error("builtins.KeyError", "x"), "person"),
        (
            500,
            &error("psycopg2.errors.NotNullViolation", "x"),
            "person",
        ),
        (413, "<html>", "person"),
        (
            401,
            &error("werkzeug.exceptions.Unauthorized", "Invalid apikey"),
            "stop",
        ),
        (
            403,
            &error("odoo.exceptions.AccessError", "no"),
            "forbidden",
        ),
        (403, "<html>", "forbidden"),
        (404, "<!DOCTYPE html>", "stop"),
        (
            404,
            &error("werkzeug.exceptions.NotFound", "the model"),
            "stop",
        ),
    ];
    for (status, body, expected) in kinds {
        let failure = of(status, body).unwrap_err();
        assert_eq!(kind(&failure), expected, "{status} {body}");
        assert!(!failure.to_string().contains("secret"), "{failure}");
    }
    let refused = CallError::Failed(Failure::person("Lot missing"));
    assert_eq!(of(422, &user).unwrap_err(), refused);
}

fn of_rpc(status: u16, body: &str) -> Result<Value, CallError> {
    understand_rpc(&Answer {
        status,
        body: body.as_bytes(),
        ..Answer::default()
    })
}

fn kind(error: &CallError) -> &'static str {
    match error {
        CallError::Forbidden(_) => "forbidden",
        CallError::Failed(Failure::Wait { .. }) => "wait",
        CallError::Failed(Failure::Person { .. }) => "person",
        CallError::Failed(Failure::Stop { .. }) => "stop",
    }
}

#[test]
fn a_result_of_rpc_is_a_value_and_none_is_null() {
    let body = r#"{"jsonrpc": "2.0", "id": 1, "result": [1]}"#;
    assert_eq!(of_rpc(200, body).unwrap(), serde_json::json!([1]));
    let body = r#"{"jsonrpc": "2.0", "id": 1, "result": false}"#;
    assert_eq!(of_rpc(200, body).unwrap(), Value::Bool(false));
    let body = r#"{"jsonrpc": "2.0", "id": 1}"#;
    assert_eq!(of_rpc(200, body).unwrap(), Value::Null);
}

#[test]
fn the_name_of_an_rpc_error_decides() {
    let kinds = [
        ("odoo.exceptions.UserError", "Lot missing", "person"),
        ("odoo.exceptions.ValidationError", "x", "person"),
        ("odoo.exceptions.MissingError", "gone", "person"),
        ("builtins.ValueError", "Invalid field", "person"),
        ("builtins.AttributeError", "no such method", "person"),
        ("builtins.TypeError", "wrong arguments", "person"),
        ("psycopg2.errors.NotNullViolation", "x", "person"),
        ("odoo.exceptions.AccessError", "no", "forbidden"),
        ("odoo.exceptions.AccessDenied", "Access Denied", "stop"),
        (
            "odoo.exceptions.UserError",
            "Object no.such.model doesn't exist",
            "person",
        ),
        ("werkzeug.exceptions.NotFound", "no such model", "stop"),
        (
            "psycopg2.OperationalError",
            "connection to server on socket failed: FATAL:  database \"x\" does not exist\n",
            "wait",
        ),
        (
            "psycopg2.OperationalError",
            "connection to server on socket failed: Connection refused",
            "wait",
        ),
        ("psycopg2.errors.SerializationFailure", "x", "wait"),
        ("psycopg2.InterfaceError", "x", "wait"),
        (
            "odoo.exceptions.UserError",
            "could not serialize access",
            "person",
        ),
        ("builtins.MemoryError", "", "wait"),
    ];
    for (name, message, expected) in kinds {
        let data = serde_json::from_str::<Value>(&error(name, message)).unwrap();
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": 1,
            "error": {"code": 0, "message": "Odoo Server Error", "data": data},
        });
        let failure = of_rpc(200, &body.to_string()).unwrap_err();
        assert_eq!(kind(&failure), expected, "{name} {message}");
        assert!(!failure.to_string().contains("secret"), "{failure}");
    }
}

#[test]
fn what_is_not_odoos_own_answer_to_rpc_is_as_for_json_2() {
    for (status, body, expected) in [
        (200, "<html>Welcome to the hotel", "wait"),
        (200, "", "wait"),
        (200, "[1]", "wait"),
        (200, r#"{"result": [1]}"#, "wait"),
        (
            200,
            r#"{"jsonrpc": "2.0", "error": {"code": 100, "message": "x"}}"#,
            "wait",
        ),
        (302, "", "wait"),
        (429, "", "wait"),
        (500, "<html>", "wait"),
        (502, "<html>", "wait"),
        (413, "<html>", "person"),
        (404, "<html>", "stop"),
    ] {
        let failure = of_rpc(status, body).unwrap_err();
        assert_eq!(kind(&failure), expected, "{status} {body}");
    }
}

#[test]
fn retry_after_is_honoured_up_to_ten_minutes() {
    let after = |status, header| match understand(&Answer {
        status,
        retry_after: header,
        now: "2026-11-29T12:00:00Z".parse().unwrap(),
        ..Answer::default()
    }) {
        Err(CallError::Failed(Failure::Wait { after, .. })) => after,
        other => panic!("{other:?}"),
    };
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (header, expected) in [
        ("7", seconds(7)),
        (" 7 ", seconds(7)),
        ("86400", Some(RETRY_AFTER_MAX)),
        ("99999999999999999999999", Some(RETRY_AFTER_MAX)),
        ("Sun, 29 Nov 2026 12:02:00 GMT", seconds(120)),
        ("Fri, 31 Dec 2027 23:59:59 GMT", Some(RETRY_AFTER_MAX)),
    ] {
        assert_eq!(after(503, Some(header)), expected, "{header}");
        assert_eq!(after(429, Some(header)), expected, "{header}");
    }
    // No time, or an unreadable time: the usual back-off; after 429 without pings.
    let none = [
        "0",
        "-1",
        "",
        "soon",
        "Sun, 29 Nov 2026 12:00:00 GMT",
        "Sun, 29 Nov 2026 11:00:00 GMT",
    ];
    for header in none.map(Some).into_iter().chain([None]) {
        assert_eq!(after(503, header), None, "{header:?}");
        assert_eq!(after(429, header), Some(Duration::ZERO), "{header:?}");
    }
}

#[test]
fn an_endless_message_is_cut() {
    assert_eq!(
        cut(&"x".repeat(5_000)).chars().count(),
        MESSAGE_CHARS_MAX + 1
    );
}
