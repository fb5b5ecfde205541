//! Faults of the link, and answers that replace Odoo's.

use std::time::Duration;

/// The effect of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The connection is cut before Odoo receives the request.
    CutBefore,
    /// Odoo carries the request out, and its answer is lost.
    CutAfter,
    /// The connection is cut, and Odoo carries the request out at `Link::release`.
    Held,
    /// The request reaches Odoo after this time.
    Slow(Duration),
    /// The request waits until `Link::clear_faults`.
    Hold,
    /// Another program answers instead of Odoo.
    Answer {
        status: u16,
        content_type: &'static str,
        retry_after_s: Option<u32>,
        body: String,
    },
}

/// A fault for the next requests to a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The end of the request's path, such as `load` or `stock.lot/search_read`. Empty: any
    /// request.
    pub method: String,
    /// The number of requests.
    pub times: u32,
    pub what: What,
}

impl What {
    /// A proxy while Odoo restarts.
    #[must_use]
    pub fn unavailable() -> Self {
        let body = "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>";
        Self::html(503, body)
    }

    /// A proxy that wants fewer requests.
    #[must_use]
    pub fn too_many(retry_after_s: u32) -> Self {
        Self::Answer {
            status: 429,
            content_type: "text/html",
            retry_after_s: Some(retry_after_s),
            body: "<html><body><h1>429 Too Many Requests</h1></body></html>".to_owned(),
        }
    }

    /// `load` conflicts with another transaction.
    #[must_use]
    pub fn could_not_serialize() -> Self {
        Self::load_failed("could not serialize access due to concurrent update\\n")
    }

    /// The conflict in the German of PostgreSQL.
    #[must_use]
    pub fn could_not_serialize_in_german() -> Self {
        Self::load_failed(
            "konnte Zugriff nicht serialisieren wegen gleichzeitiger Aktualisierung\\n",
        )
    }

    fn load_failed(message: &str) -> Self {
        Self::json(
            200,
            format!(
                r#"{{"ids": false, "messages": [{{"rows": {{"from": 0, "to": 0}}, "record": 0, "type": "error", "message": "{message}"}}], "nextrow": 0}}"#
            ),
        )
    }

    /// A custom module asks the user a question.
    #[must_use]
    pub fn asks() -> Self {
        let body = r#"{"type": "ir.actions.act_window", "res_model": "x.question", "name": "Sure?", "target": "new"}"#;
        Self::json(200, body.to_owned())
    }

    /// A custom module refuses the call.
    #[must_use]
    pub fn refuses() -> Self {
        let body = r#"{"name": "odoo.exceptions.UserError", "message": "Ask the foreman first.", "arguments": ["Ask the foreman first."], "context": {}, "debug": ""}"#;
        Self::json(422, body.to_owned())
    }

    /// Odoo's database is missing, or has another name.
    #[must_use]
    pub fn database_gone() -> Self {
        Self::html(
            404,
            "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>No database is selected and the \
             requested URL was not found in the server-wide controllers.</p>\n",
        )
    }

    /// The API key has expired: a key is valid for three months, at most.
    #[must_use]
    pub fn key_expired() -> Self {
        let body = r#"{"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey", "arguments": ["Invalid apikey", 401], "context": {}, "debug": ""}"#;
        Self::json(401, body.to_owned())
    }

    fn html(status: u16, body: &str) -> Self {
        Self::Answer {
            status,
            content_type: "text/html; charset=utf-8",
            retry_after_s: None,
            body: body.to_owned(),
        }
    }

    fn json(status: u16, body: String) -> Self {
        Self::Answer {
            status,
            content_type: "application/json; charset=utf-8",
            retry_after_s: None,
            body,
        }
    }
}
