//! Reads the answer to one request.

use jiff::Timestamp;
use reqwest::Response;
use reqwest::header::{DATE, HeaderName, LOCATION, RETRY_AFTER};
use serde_json::Value;

use super::away::lost;
use crate::clock;
use crate::odoo::answer::{Answer, CallError};
use crate::outcome::Failure;

/// The largest answer that the client reads; an answer for the largest batch has a few hundred
/// kilobytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name).and_then(|v| v.to_str().ok())
}

/// The server's time in the `Date` header.
pub(super) fn date(response: &Response) -> Option<Timestamp> {
    let date = jiff::fmt::rfc2822::parse(header(response, &DATE)?).ok()?;
    Some(date.timestamp())
}

/// Receives the answer, and gives it to `understand`.
pub(super) async fn receive_answer(
    sent: Result<Response, reqwest::Error>,
    understand: fn(&Answer<'_>) -> Result<Value, CallError>,
) -> Result<Value, CallError> {
    let mut response = sent.map_err(|e| lost(&e))?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| lost(&e))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Failure::Wait {
                message: format!("Odoo's answer is larger than {ANSWER_BYTES_MAX} bytes"),
                after: None,
                slow: true,
            }
            .into());
        }
        body.extend_from_slice(&chunk);
    }
    let origin = response.url().origin().ascii_serialization();
    understand(&Answer {
        origin: &origin,
        status: response.status().as_u16(),
        location: header(&response, &LOCATION),
        retry_after: header(&response, &RETRY_AFTER),
        now: date(&response).unwrap_or_else(clock::now),
        body: &body,
    })
}
