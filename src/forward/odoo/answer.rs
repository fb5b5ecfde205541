//! What an HTTP answer of Odoo means. Pure: status, headers and body in, a value or a [`Failure`] out.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::outcome::Failure;

/// A `Retry-After` longer than this is cut to it.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(10);
/// Messages are for people and for the journal: cut to so many characters.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// An HTTP answer as far as it matters here.
#[derive(Debug)]
pub struct Answer<'a> {
    pub status: u16,
    /// Where a redirect points.
    pub location: Option<&'a str>,
    /// The `Retry-After` header.
    pub retry_after: Option<&'a str>,
    pub body: &'a [u8],
}

/// The error object of JSON-2. Its `debug` is a traceback, which people never see.
#[derive(Debug, Deserialize)]
struct OdooError {
    name: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    debug: String,
}

/// The value that Odoo answered, or whose turn it is now.
pub fn understand(answer: &Answer<'_>) -> Result<Value, Failure> {
    if (200..300).contains(&answer.status) {
        return serde_json::from_slice(answer.body).map_err(|_| not_odoo(answer));
    }
    let error = serde_json::from_slice::<OdooError>(answer.body).ok();
    if let Some(error) = &error {
        tracing::debug!(
            name = error.name,
            debug = error.debug,
            "Odoo answered an error"
        );
    }
    match (answer.status, error) {
        (408 | 425 | 429 | 502.., _) => Err(Failure::Wait {
            message: format!("Odoo is busy or not there: HTTP {}", answer.status),
            after: retry_after(answer.retry_after),
            // What a proxy says that gave up on a call, or whose Odoo died of it.
            slow: (502..=504).contains(&answer.status),
        }),
        (300..400, _) => Err(Failure::wait(format!(
            "HTTP {} sends us to {:?}: a captive portal, or odoo.url is not Odoo's own address",
            answer.status,
            cut(answer.location.unwrap_or_default())
        ))),
        (401, _) => Err(Failure::stop(
            "Odoo does not accept the API key (HTTP 401)",
            "put a new key into odoo.api_key_file or the credential odoo-api-key; keys last three months at most",
        )),
        (403, error) => Err(Failure::stop(
            format!("Odoo forbids it (HTTP 403): {}", said(error)),
            "give the key's user the right Inventory / User and the company of odoo.warehouse",
        )),
        (404, None) => Err(Failure::stop(
            "Odoo does not know the database (HTTP 404, no JSON)",
            "correct odoo.database or odoo.url",
        )),
        (404, Some(error)) if error.name != "odoo.exceptions.MissingError" => Err(Failure::stop(
            format!("Odoo lacks what is needed: {}", cut(&error.message)),
            "install the app Inventory in the database of odoo.database; Odoo 19 or newer is needed",
        )),
        (_, Some(error)) if passes(&error) => Err(Failure::wait(format!(
            "Odoo could not do it just now: {}",
            cut(&error.message)
        ))),
        (_, Some(error)) => Err(Failure::person(cut(&error.message))),
        // Bisected, so that one document that is too large or that a proxy dislikes is found and parked.
        (400..500, None) => Err(Failure::person(format!(
            "HTTP {} without Odoo's words",
            answer.status
        ))),
        (status, None) => Err(Failure::wait(format!(
            "HTTP {status} without Odoo's words: Odoo or a proxy before it is in trouble"
        ))),
    }
}

/// Whether a message tells of a conflict with another transaction, or of a database that is away: both pass.
#[must_use]
pub fn is_transient(message: &str) -> bool {
    [
        "could not serialize",
        "deadlock detected",
        "could not obtain lock",
        "connection to server",
        "server closed the connection",
        "connection already closed",
        "PoolError",
    ]
    .iter()
    .any(|sign| message.contains(sign))
}

/// Errors that say nothing about the document: databases that conflict or go away, machines without memory.
/// Any other error of a program (`builtins.ValueError`, a `KeyError` in somebody's module) would come again.
fn passes(error: &OdooError) -> bool {
    is_transient(&error.message)
        || [
            "psycopg2.OperationalError",
            "psycopg2.InterfaceError",
            "psycopg2.errors.",
            "psycopg2.pool.",
            "builtins.MemoryError",
            "builtins.OSError",
            "builtins.ConnectionError",
            "builtins.TimeoutError",
            "odoo.exceptions.ConcurrencyError",
            "odoo.service.",
        ]
        .iter()
        .any(|name| error.name.starts_with(name))
            && !error.name.ends_with("Violation")
}

fn not_odoo(answer: &Answer<'_>) -> Failure {
    let text = String::from_utf8_lossy(answer.body);
    let html = text.trim_start().starts_with('<');
    Failure::wait(format!(
        "HTTP {} with {} instead of JSON: a captive portal or a proxy answers in Odoo's place",
        answer.status,
        if html { "a web page" } else { "something" }
    ))
}

fn said(error: Option<OdooError>) -> String {
    error.map_or_else(|| "no reason given".to_owned(), |e| cut(&e.message))
}

/// Seconds; a date (the other form) is not worth a parser: the usual back-off serves.
fn retry_after(header: Option<&str>) -> Option<Duration> {
    let seconds = header?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// A message of Odoo's, on one line and not endless.
#[must_use]
pub fn cut(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MESSAGE_CHARS_MAX {
        return line;
    }
    line.chars().take(MESSAGE_CHARS_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Result<Value, Failure> {
        understand(&Answer {
            status,
            location: None,
            retry_after: Some("7"),
            body: body.as_bytes(),
        })
    }

    fn error(name: &str, message: &str) -> String {
        serde_json::json!({"name": name, "message": message, "debug": "Traceback: secret"})
            .to_string()
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
            (
                422,
                &error("odoo.exceptions.UserError", "could not serialize access"),
                "wait",
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
            (403, &error("odoo.exceptions.AccessError", "no"), "stop"),
            (404, "<!DOCTYPE html>", "stop"),
            (
                404,
                &error("werkzeug.exceptions.NotFound", "the model"),
                "stop",
            ),
        ];
        for (status, body, expected) in kinds {
            let failure = of(status, body).unwrap_err();
            let kind = match &failure {
                Failure::Wait { .. } => "wait",
                Failure::Person { .. } => "person",
                Failure::Stop { .. } => "stop",
            };
            assert_eq!(kind, expected, "{status} {body}");
            assert!(!failure.to_string().contains("secret"), "{failure}");
        }
        assert_eq!(of(422, &user).unwrap_err(), Failure::person("Lot missing"));
    }

    #[test]
    fn retry_after_is_honoured_up_to_ten_minutes() {
        let after = |header| match understand(&Answer {
            status: 429,
            location: None,
            retry_after: header,
            body: b"",
        }) {
            Err(Failure::Wait { after, .. }) => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(after(Some("86400")), Some(RETRY_AFTER_MAX));
        assert_eq!(after(Some("Fri, 31 Dec 2027 23:59:59 GMT")), None);
        assert_eq!(after(None), None);
    }

    #[test]
    fn an_endless_message_is_cut() {
        assert_eq!(
            cut(&"x".repeat(5_000)).chars().count(),
            MESSAGE_CHARS_MAX + 1
        );
    }
}
