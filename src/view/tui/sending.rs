//! Sends the requests of a person to the daemon, and describes the results.

use serde_json::json;

use super::request::Request;
use super::texts::name_state;
use crate::document::DocumentNumber;
use crate::view::client::{Client, ClientError};
use crate::view::commands::{describe_resent, dismiss_many, retry_all};
use crate::view::records::{DocumentDetail, DocumentView, RejectedView, Resent};
use crate::view::words::Words;

/// The result of a request: a text, and the documents that the daemon decided about.
pub type Outcome = (String, Vec<DocumentNumber>);

/// Sends a request. An error is a text, too.
pub async fn execute(client: &Client, request: Request, words: Words) -> Outcome {
    match send(client, request, words).await {
        Ok(outcome) => outcome,
        Err(error) => (error.to_string(), Vec::new()),
    }
}

async fn send(client: &Client, request: Request, words: Words) -> Result<Outcome, ClientError> {
    let text = match request {
        Request::Quit => String::new(),
        Request::Retry { numbers, with } => {
            return decide(client, &numbers, "retry", &json!({ "with": with }), words).await;
        }
        Request::Discard { numbers, reason } => {
            return decide(
                client,
                &numbers,
                "discard",
                &json!({ "reason": reason }),
                words,
            )
            .await;
        }
        Request::Edit { number, body } => {
            return decide(client, &[number], "edit", &body, words).await;
        }
        Request::Undiscard { number, reason } => {
            let path = format!("/v1/documents/{number}/undiscard");
            let detail: DocumentDetail = client.post(&path, &json!({ "reason": reason })).await?;
            let new = &detail.document;
            return Ok((describe_replaced(new, number, words), vec![number]));
        }
        Request::RetryAll { code, with } => {
            let retried = retry_all(client, json!({ "code": code, "with": with })).await?;
            words.count(
                retried,
                "{n} document will be sent again",
                "{n} documents will be sent again",
            )
        }
        Request::Resend {
            numbers,
            payload,
            reason,
        } => {
            let mut text = String::new();
            for number in numbers {
                let path = format!("/v1/rejected/{number}/resend");
                let body = json!({ "payload": payload, "reason": reason });
                let resent: Resent = client.post(&path, &body).await?;
                text = describe_resent(&resent);
            }
            text
        }
        Request::Dismiss { numbers, reason } => {
            for number in &numbers {
                let path = format!("/v1/rejected/{number}/dismiss");
                let body = json!({ "reason": reason });
                let _: RejectedView = client.post(&path, &body).await?;
            }
            describe_dismissed(numbers.len() as u64, words)
        }
        Request::DismissAll { upto, code, reason } => {
            let body = json!({ "upto": upto, "code": code, "reason": reason });
            let dismissed = dismiss_many(client, &body).await?;
            describe_dismissed(dismissed, words)
        }
    };
    Ok((text, Vec::new()))
}

fn describe_dismissed(number: u64, words: Words) -> String {
    let (one, several) = (
        "{n} rejected reading is dismissed",
        "{n} rejected readings are dismissed",
    );
    words.count(number, one, several)
}

/// `old`: the document that the new one replaces.
fn describe_replaced(new: &DocumentView, old: DocumentNumber, words: Words) -> String {
    let state = words.word(name_state(&new.state));
    let (number, old) = (new.number.to_string(), old.to_string());
    let values = [
        ("number", number.as_str()),
        ("old", &old),
        ("state", &state),
    ];
    words.fill(
        "Document {number} replaces document {old} and is now {state}",
        &values,
    )
}

/// Decides about each document. A document that cannot be decided about ends the request, and the
/// text has the reason.
async fn decide(
    client: &Client,
    numbers: &[DocumentNumber],
    decision: &str,
    body: &serde_json::Value,
    words: Words,
) -> Result<Outcome, ClientError> {
    let mut decided = Vec::new();
    let mut text = String::new();
    for number in numbers {
        let path = format!("/v1/parked/{number}/{decision}");
        let detail: DocumentDetail = match client.post(&path, body).await {
            Ok(detail) => detail,
            Err(error) if decided.is_empty() => return Err(error),
            Err(error) => {
                let done = describe_decided(decided.len() as u64, decision, words);
                return Ok((format!("{done}; {number}: {error}"), decided));
            }
        };
        let new = &detail.document;
        text = if let Some(old) = detail.replaces.filter(|_| decision == "edit") {
            describe_replaced(new, old, words)
        } else {
            let state = words.word(name_state(&new.state));
            let number = new.number.to_string();
            let values = [("number", number.as_str()), ("state", &state)];
            words.fill("Document {number} is now {state}", &values)
        };
        decided.push(*number);
    }
    if decided.len() > 1 {
        text = describe_decided(decided.len() as u64, decision, words);
    }
    Ok((text, decided))
}

fn describe_decided(number: u64, decision: &str, words: Words) -> String {
    let documents = words.count(number, "{n} document", "{n} documents");
    let values = [
        ("documents", documents.as_str()),
        ("decision", words.t(decision)),
    ];
    words.fill("{documents} decided: {decision}", &values)
}
