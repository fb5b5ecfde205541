//! The refusals of a real Odoo: status, and JSON or HTML with Odoo's texts.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use super::version::Version;

const NO_DATABASE: &str = "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n\
<p>No database is selected and the requested URL was not found in the server-wide controllers.</p>\n\
<p>Please verify the hostname, <a href=/web/login>login</a> and try again.</p>\n\n\
<!-- Alternatively, use the X-Odoo-Database header. -->\n";

const NOT_JSON: &str = "<!doctype html>\n<html lang=en>\n<title>415 Unsupported Media Type</title>\n\
<h1>Unsupported Media Type</h1>\n<p>Request inferred type is compatible with [&#39;http&#39;] but \
&#39;/json/2/&lt;__model__&gt;/&lt;__method__&gt;&#39; is type=&#39;json2&#39;.<br><br>\
Please verify the Content-Type request header and try again.</p>\n";

/// The kinds of refusals that a client distinguishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 422: a business rule refused the call; the message is for a person.
    User(String),
    /// 422: a constraint on the data refused the call.
    Validation(String),
    /// 422: the call lacks or exceeds the method's parameters.
    Call(String),
    /// 404: the record is gone.
    Missing(String),
    /// 404: no such route.
    NotFound(String),
    /// 404: no such model.
    Model(String),
    /// 404: no such method of the model.
    Method(String, String),
    /// 403: no right to it, or a private method.
    Access(String),
    /// 401: no key, or one that is not known or has expired.
    Key(&'static str),
    /// 400: the body is not JSON.
    Body(String),
    /// 500: a field or value that Odoo does not know.
    Value(String),
    /// 500: a parameter of the wrong type.
    Type(String),
    /// 500: a row that is shorter than the columns.
    Index(String),
    /// 404, HTML: no such database, and every other path.
    Database,
    /// 415, HTML: the body is not declared as JSON.
    ContentType,
}

impl Refusal {
    fn parts(&self) -> (u16, &'static str, String) {
        let text = |m: &String| m.clone();
        match self {
            Self::User(m) => (422, "odoo.exceptions.UserError", text(m)),
            Self::Validation(m) => (422, "odoo.exceptions.ValidationError", text(m)),
            Self::Call(m) => (422, "werkzeug.exceptions.UnprocessableEntity", text(m)),
            Self::Missing(m) => (404, "odoo.exceptions.MissingError", text(m)),
            Self::NotFound(m) => (404, "werkzeug.exceptions.NotFound", text(m)),
            Self::Model(name) => {
                let text = format!("the model '{name}' does not exist");
                (404, "werkzeug.exceptions.NotFound", text)
            }
            Self::Method(model, method) => {
                let text = format!("The method '{model}.{method}' does not exist");
                (404, "werkzeug.exceptions.NotFound", text)
            }
            Self::Access(m) => (403, "odoo.exceptions.AccessError", text(m)),
            Self::Key(m) => (401, "werkzeug.exceptions.Unauthorized", (*m).to_owned()),
            Self::Body(m) => (400, "werkzeug.exceptions.BadRequest", text(m)),
            Self::Value(m) => (500, "builtins.ValueError", text(m)),
            Self::Type(m) => (500, "builtins.TypeError", text(m)),
            Self::Index(m) => (500, "builtins.IndexError", text(m)),
            Self::Database => (404, "", NO_DATABASE.to_owned()),
            Self::ContentType => (415, "", NOT_JSON.to_owned()),
        }
    }

    /// The message for a person.
    #[must_use]
    pub fn message(&self) -> String {
        self.parts().2
    }

    /// The refusal in the form of `/jsonrpc`, with status 200. Some names differ, because they are
    /// not translated to HTTP.
    #[must_use]
    pub fn for_json_rpc(&self, version: Version) -> Value {
        let (_, name, message) = self.parts();
        let (name, message) = match self {
            Self::Key(_) => ("odoo.exceptions.AccessDenied", "Access Denied".to_owned()),
            Self::Call(_) => ("builtins.TypeError", message),
            Self::Model(model) => (
                "odoo.exceptions.UserError",
                format!("Object {model} doesn't exist"),
            ),
            Self::Method(..) => ("builtins.AttributeError", message),
            Self::Database => (
                "psycopg2.OperationalError",
                "connection to server failed: FATAL:  database does not exist\n".to_owned(),
            ),
            _ => (name, message),
        };
        let data = json!({
            "name": name, "message": message, "arguments": [message], "context": {},
            "debug": format!("Traceback (most recent call last):\n  (stand-in)\n{name}: {message}\n"),
        });
        let code = if version < Version::V19 { 200 } else { 0 };
        json!({"code": code, "message": "Odoo Server Error", "data": data})
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (code, name, message) = self.parts();
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if name.is_empty() {
            return (status, Html(message)).into_response();
        }
        // werkzeug's exceptions carry their code as a second argument, Odoo's and Python's do not.
        let arguments = if name.starts_with("werkzeug") {
            json!([message, code])
        } else {
            json!([message])
        };
        let body = json!({
            "name": name, "message": message, "arguments": arguments, "context": {},
            "debug": format!("Traceback (most recent call last):\n  (stand-in)\n{name}: {message}\n"),
        });
        let mut response = (status, super::json(&body)).into_response();
        if matches!(self, Self::Key(_)) {
            let bearer = HeaderValue::from_static("Bearer ");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}
