//! Sends the requests of a person to the daemon, and describes the results.

use serde_json::json;

use super::request::Request;
use crate::document::DocumentNumber;
use crate::view::client::{Client, ClientError};
use crate::view::commands::{describe_resent, dismiss_many, retry_all};
use crate::view::records::{DocumentDetail, RejectedView, Resent};
use crate::view::table::counted;

/// The result of a request: a text, and the documents that the daemon decided about.
pub type Outcome = (String, Vec<DocumentNumber>);

/// Sends a request. An error is a text, too.
pub async fn execute(client: &Client, request: Request) -> Outcome {
    match send(client, request).await {
        Ok(outcome) => outcome,
        Err(error) => (error.to_string(), Vec::new()),
    }
}

async fn send(client: &Client, request: Request) -> Result<Outcome, ClientError> {
    let text = match request {
        Request::Quit => String::new(),
        Request::Retry { numbers, with } => {
            return decide(client, &numbers, "retry", &json!({ "with": with })).await;
        }
        Request::Discard { numbers, reason } => {
            return decide(client, &numbers, "discard", &json!({ "reason": reason })).await;
        }
        Request::Edit { number, body } => {
            return decide(client, &[number], "edit", &body).await;
        }
        Request::Undiscard { number, reason } => {
            let path = format!("/v1/documents/{number}/undiscard");
            let detail: DocumentDetail = client.post(&path, &json!({ "reason": reason })).await?;
            let new = &detail.document;
            let text = format!(
                "Document {} replaces document {number}: {}",
                new.number, new.state
            );
            return Ok((text, vec![number]));
        }
        Request::RetryAll { code, with } => {
            let retried = retry_all(client, json!({ "code": code, "with": with })).await?;
            format!("{} will be sent again", counted(retried, "document"))
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
            format!(
                "{} dismissed",
                counted(numbers.len() as u64, "rejected reading")
            )
        }
        Request::DismissAll { upto, code, reason } => {
            let body = json!({ "upto": upto, "code": code, "reason": reason });
            let dismissed = dismiss_many(client, &body).await?;
            format!("{} dismissed", counted(dismissed, "rejected reading"))
        }
    };
    Ok((text, Vec::new()))
}

/// Decides about each document. A document that cannot be decided about ends the request, and the
/// text has the reason.
async fn decide(
    client: &Client,
    numbers: &[DocumentNumber],
    decision: &str,
    body: &serde_json::Value,
) -> Result<Outcome, ClientError> {
    let mut decided = Vec::new();
    let mut text = String::new();
    for number in numbers {
        let path = format!("/v1/parked/{number}/{decision}");
        let detail: DocumentDetail = match client.post(&path, body).await {
            Ok(detail) => detail,
            Err(error) if decided.is_empty() => return Err(error),
            Err(error) => {
                let done = counted(decided.len() as u64, "document");
                return Ok((
                    format!("{done} decided, then document {number}: {error}"),
                    decided,
                ));
            }
        };
        let (new, state) = (detail.document.number, &detail.document.state);
        text = match detail.replaces.filter(|_| decision == "edit") {
            Some(old) => format!("Document {new} replaces document {old} and is now {state}"),
            None => format!("Document {new} is now {state}"),
        };
        decided.push(*number);
    }
    if decided.len() > 1 {
        text = format!(
            "{} decided: {decision}",
            counted(decided.len() as u64, "document")
        );
    }
    Ok((text, decided))
}
