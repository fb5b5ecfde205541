//! What an HTTP answer of Odoo means. Pure: status, headers and body in, a value or a [`Failure`]
//! out.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::outcome::Failure;

/// The gateway shortens a longer `Retry-After` to this time.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(10);
/// The largest number of characters in a message for people and for the journal.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// The parts of an HTTP answer that decide the outcome of a call.
#[derive(Debug, Default)]
pub struct Answer<'a> {
    /// The called server: scheme, host and port.
    pub origin: &'a str,
    pub status: u16,
    /// The target of a redirect.
    pub location: Option<&'a str>,
    /// The `Retry-After` header.
    pub retry_after: Option<&'a str>,
    /// The server's time, which a date in `Retry-After` relates to. Without a `Date` header: the
    /// gateway's time.
    pub now: Timestamp,
    pub body: &'a [u8],
}

/// The error object of JSON-2; in an answer of `/jsonrpc`, its `data`. Its `debug` is a traceback,
/// which the gateway does not show to people.
#[derive(Debug, Deserialize)]
struct OdooError {
    name: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    debug: String,
}

/// The reason why a call returned no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallError {
    /// Odoo forbids the call (403). Two causes are possible: the key's user lacks a right, which
    /// holds the link, or a record rule forbids this record, which parks its document. The client
    /// finds out which.
    #[error("Odoo forbids it: {0}")]
    Forbidden(String),
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Returns Odoo's value, or the reason why the answer has no value.
pub fn understand(answer: &Answer<'_>) -> Result<Value, CallError> {
    if (200..300).contains(&answer.status) {
        return Ok(serde_json::from_slice(answer.body).map_err(|_| not_odoo(answer))?);
    }
    let error = serde_json::from_slice::<OdooError>(answer.body).ok();
    if let Some(error) = &error {
        tracing::debug!(
            name = error.name,
            debug = error.debug,
            "Odoo answered with an error"
        );
    }
    if answer.status == 403 {
        return Err(CallError::Forbidden(said(error)));
    }
    Err(failure(answer, error).into())
}

/// Classifies an answer that has no value and is not a 403.
fn failure(answer: &Answer<'_>, error: Option<OdooError>) -> Failure {
    // The server answers, but wants fewer requests. An answered probe does not change this.
    let fewer = (answer.status == 429).then_some(Duration::ZERO);
    match (answer.status, error) {
        (413, None) => Failure::person(format!(
            "the proxy in front of Odoo at {} rejects a request of this size (HTTP 413); raise its limit to 16 MiB (nginx: client_max_body_size 16m)",
            answer.origin
        )),
        (504, _) => Failure::Wait {
            message: format!(
                "the proxy in front of Odoo at {} stopped waiting for Odoo (HTTP 504); check that Odoo runs, and raise the limit of the proxy above odoo.timeout_s (nginx: proxy_read_timeout)",
                answer.origin
            ),
            after: retry_after(answer),
            slow: true,
        },
        (408 | 425 | 429 | 502.., _) => Failure::Wait {
            message: format!(
                "Odoo at {} is busy or not running: HTTP {}{}",
                answer.origin,
                answer.status,
                if answer.status == 429 {
                    ""
                } else {
                    "; check that Odoo runs there, and correct odoo.url if another server answers"
                }
            ),
            after: retry_after(answer).or(fewer),
            // A proxy answers with these statuses when Odoo crashed in the call.
            slow: (502..=503).contains(&answer.status),
        },
        (300..400, _) => Failure::wait(format!(
            "{} answers HTTP {} and sends the gateway to {:?}: a captive portal, or odoo.url is not Odoo's own address; correct odoo.url",
            answer.origin,
            answer.status,
            cut(answer.location.unwrap_or_default())
        )),
        (401, _) => key_refused("HTTP 401"),
        (404, None) => unknown_database(),
        (404, Some(error)) if error.name != "odoo.exceptions.MissingError" => {
            lacking(&cut(&error.message))
        }
        (_, Some(error)) => of_document(&error),
        (400, None) if is_https_port(answer.body) => Failure::wait(format!(
            "the server at {} speaks https on this port; set odoo.url to https://...",
            answer.origin
        )),
        // The caller bisects the batch. So the gateway finds and parks a document that is too large
        // or that a proxy rejects.
        (400..500, None) => Failure::person(format!(
            "{} answers HTTP {} without an error text from Odoo",
            answer.origin, answer.status
        )),
        (status, None) => Failure::wait(format!(
            "{} answers HTTP {status} without an error text from Odoo; check that Odoo and the proxy in front of it run, and correct odoo.url if another server answers",
            answer.origin
        )),
    }
}

/// Whether nginx or Apache answered that the port expects https (HTTP 400; the text is English in
/// every language).
fn is_https_port(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("plain HTTP request was sent to HTTPS port")
        || text.contains("speaking plain HTTP to an SSL-enabled server port")
}

/// The caller adds the name of the database.
pub(super) fn unknown_database() -> Failure {
    Failure::stop(
        "Odoo does not know the database (HTTP 404, no JSON)",
        "correct odoo.database or odoo.url",
    )
}

/// Like [`understand`], for an answer of `/jsonrpc`, where Odoo's own errors have the status 200.
pub fn understand_rpc(answer: &Answer<'_>) -> Result<Value, CallError> {
    #[derive(Deserialize)]
    struct Response {
        jsonrpc: String,
        /// Absent if the method returned nothing.
        #[serde(default)]
        result: Value,
        error: Option<RpcError>,
    }
    #[derive(Deserialize)]
    struct RpcError {
        #[serde(default)]
        message: String,
        data: Option<OdooError>,
    }
    if answer.status == 404 {
        return Err(Failure::stop(
            format!("nothing answers at {}/jsonrpc (HTTP 404)", answer.origin),
            "correct odoo.url; Odoo 19 and later need the module rpc for it, or odoo.api = \"json-2\"",
        )
        .into());
    }
    // A proxy sent a status that is not 200, as for JSON-2. Only an object can contain an error.
    let value = understand(answer)?;
    let response: Response = serde_json::from_value(value).map_err(|_| not_odoo(answer))?;
    if response.jsonrpc != "2.0" {
        return Err(not_odoo(answer).into());
    }
    match response.error {
        None => Ok(response.result),
        Some(error) => Err(error
            .data
            .as_ref()
            .map_or_else(|| Failure::wait(cut(&error.message)).into(), rpc_failure)),
    }
}

/// Classifies an error by its name, where no status does.
fn rpc_failure(error: &OdooError) -> CallError {
    tracing::debug!(
        name = error.name,
        debug = error.debug,
        "Odoo answered with an error"
    );
    let message = cut(&error.message);
    match error.name.as_str() {
        "odoo.exceptions.AccessDenied" => key_refused("access denied").into(),
        "odoo.exceptions.AccessError" => CallError::Forbidden(message),
        "werkzeug.exceptions.NotFound" => lacking(&message).into(),
        _ => of_document(error).into(),
    }
}

fn key_refused(how: &str) -> Failure {
    Failure::stop(
        format!("{KEY_REFUSED} ({how})"),
        "create a new key in Odoo (Preferences, Account Security; a key lasts three months at most) and write it into odoo.api_key_file, or into /etc/credstore/odoo-api-key and restart the service, or have central IT send it in a bundle",
    )
}

/// How the message about a rejected key begins. The caller names server, database and file.
const KEY_REFUSED: &str = "Odoo does not accept the API key";

/// Adds server, database and file to the failure of a rejected key.
pub(super) fn name_key(failure: Failure, origin: &str, database: &str, file: &str) -> Failure {
    match failure {
        Failure::Stop { message, remedy } if message.starts_with(KEY_REFUSED) => {
            let named = format!(
                "Odoo at {origin} does not accept the API key from {file} for the database {database:?}"
            );
            Failure::stop(message.replacen(KEY_REFUSED, &named, 1), remedy)
        }
        failure => failure,
    }
}

fn lacking(message: &str) -> Failure {
    Failure::stop(
        format!("Odoo lacks a model or method that the gateway needs: {message}"),
        "install the app Inventory in the database of odoo.database",
    )
}

/// An error about the content of the call, unless it is temporary.
fn of_document(error: &OdooError) -> Failure {
    let message = cut(&error.message);
    if passes(error) {
        Failure::wait(format!("Odoo could not run the call now: {message}"))
    } else {
        Failure::person(message)
    }
}

/// Whether an error is temporary: a database conflict, a lost database, a machine without memory.
/// Any other error of a program (`builtins.ValueError`, a `KeyError` in a custom module) would
/// occur again. The class decides, never the message: servers and databases write messages in the
/// language of their site.
fn passes(error: &OdooError) -> bool {
    [
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
        "{} answers HTTP {} with {} instead of JSON: a captive portal, a proxy or another server answers instead of Odoo; correct odoo.url",
        answer.origin,
        answer.status,
        if html { "a web page" } else { "other data" }
    ))
}

fn said(error: Option<OdooError>) -> String {
    error.map_or_else(|| "Odoo gave no reason".to_owned(), |e| cut(&e.message))
}

/// The pause that the server asks for: seconds, or a date by its clock (RFC 9110, 10.2.3). `None`:
/// no time, or a time that has passed.
fn retry_after(answer: &Answer<'_>) -> Option<Duration> {
    let header = answer.retry_after?.trim();
    let is_number = !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit());
    let asked = if is_number {
        // A number that does not fit counts as the longest pause.
        Duration::from_secs(header.parse().unwrap_or(u64::MAX))
    } else {
        let date = jiff::fmt::rfc2822::parse(header).ok()?.timestamp();
        Duration::try_from(date.duration_since(answer.now)).ok()?
    };
    Some(asked.min(RETRY_AFTER_MAX)).filter(|asked| !asked.is_zero())
}

/// Shortens a message of Odoo to one line of limited length.
#[must_use]
pub fn cut(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MESSAGE_CHARS_MAX {
        return line;
    }
    line.chars().take(MESSAGE_CHARS_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
