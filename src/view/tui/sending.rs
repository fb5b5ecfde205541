//! Sends the requests of a person to the daemon, and describes the results.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::data::Subject;
use super::request::Request;
use crate::document::DocumentNumber;
use crate::event::RejectedNumber;
use crate::view::client::{Client, ClientError};
use crate::view::commands::{describe_resent, dismiss_many, retry_all};
use crate::view::records::{DocumentDetail, RejectedView, Resent, Undecided};
use crate::view::table::counted;

/// The limit of documents in one request about several.
const DOCUMENTS_MAX: usize = 500;

/// The result of a request: a text, and the documents and readings that the daemon decided about.
pub type Outcome = (String, Vec<Subject>);

/// What the gateway decided about several documents.
#[derive(Debug, Deserialize)]
struct Several {
    #[serde(default)]
    undecided: Vec<Undecided>,
}

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
            return decide(client, &numbers, "retry", json!({ "with": with })).await;
        }
        Request::Discard { numbers, reason } => {
            return decide(client, &numbers, "discard", json!({ "reason": reason })).await;
        }
        Request::Edit { number, body } => return decide_one(client, number, "edit", &body).await,
        Request::Undiscard { number, reason } => {
            let path = format!("/v1/documents/{number}/undiscard");
            let detail: DocumentDetail = client.post(&path, &json!({ "reason": reason })).await?;
            let new = &detail.document;
            let text = format!(
                "Document {} replaces document {number}: {}",
                new.number, new.state
            );
            return Ok((text, vec![Subject::Document(number)]));
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
            let body = json!({ "payload": payload, "reason": reason });
            return resend(client, &numbers, &body).await;
        }
        Request::Dismiss { numbers, reason } => {
            let body = json!({ "reason": reason });
            return dismiss(client, &numbers, &body).await;
        }
        Request::DismissAll { upto, code, reason } => {
            let body = json!({ "upto": upto, "code": code, "reason": reason });
            let dismissed = dismiss_many(client, &body).await?;
            format!("{} dismissed", counted(dismissed, "rejected reading"))
        }
    };
    Ok((text, Vec::new()))
}

/// Retries or discards documents: all in one request.
async fn decide(
    client: &Client,
    numbers: &[DocumentNumber],
    decision: &str,
    mut body: Value,
) -> Result<Outcome, ClientError> {
    if let [number] = numbers {
        return decide_one(client, *number, decision, &body).await;
    }
    let (mut decided, mut undecided) = (Vec::new(), Vec::new());
    for part in numbers.chunks(DOCUMENTS_MAX) {
        body["ids"] = json!(part);
        let path = format!("/v1/parked/{decision}");
        let several: Several = match client.post(&path, &body).await {
            Ok(several) => several,
            Err(error) if decided.is_empty() => return Err(error),
            Err(error) => return Ok(stopped("document", decided, &error)),
        };
        let left: BTreeSet<&str> = several.undecided.iter().map(|it| it.id.as_str()).collect();
        let is_decided = |number: &&DocumentNumber| !left.contains(number.to_string().as_str());
        let new = part.iter().filter(is_decided);
        decided.extend(new.map(|number| Subject::Document(*number)));
        undecided.extend(several.undecided);
    }
    let done = match decision {
        "retry" => "sent again",
        _ => "discarded",
    };
    let mut text = format!("{} {done}", counted(decided.len() as u64, "document"));
    if let Some(first) = undecided.first() {
        let left = counted(undecided.len() as u64, "document");
        text = format!(
            "{text}; {left} not, the first is {}: {}",
            first.id, first.error
        );
    }
    Ok((text, decided))
}

async fn decide_one(
    client: &Client,
    number: DocumentNumber,
    decision: &str,
    body: &Value,
) -> Result<Outcome, ClientError> {
    let path = format!("/v1/parked/{number}/{decision}");
    let detail: DocumentDetail = client.post(&path, body).await?;
    let (new, state) = (detail.document.number, &detail.document.state);
    let text = match detail.replaces.filter(|_| decision == "edit") {
        Some(old) => format!("Document {new} replaces document {old} and is now {state}"),
        None => format!("Document {new} is now {state}"),
    };
    Ok((text, vec![Subject::Document(number)]))
}

/// Sends rejected readings again. The first one that is rejected again ends the request.
async fn resend(
    client: &Client,
    numbers: &[RejectedNumber],
    body: &Value,
) -> Result<Outcome, ClientError> {
    let (mut text, mut decided) = (String::new(), Vec::new());
    for number in numbers {
        let path = format!("/v1/rejected/{number}/resend");
        let resent: Resent = match client.post(&path, body).await {
            Ok(resent) => resent,
            Err(error) if decided.is_empty() => return Err(error),
            Err(error) => return Ok(stopped("rejected reading", decided, &error)),
        };
        text = describe_resent(&resent);
        decided.push(Subject::Rejected(*number));
    }
    if decided.len() > 1 {
        let readings = counted(decided.len() as u64, "rejected reading");
        text = format!("{readings} sent again");
    }
    Ok((text, decided))
}

async fn dismiss(
    client: &Client,
    numbers: &[RejectedNumber],
    body: &Value,
) -> Result<Outcome, ClientError> {
    let mut decided = Vec::new();
    for number in numbers {
        let path = format!("/v1/rejected/{number}/dismiss");
        let dismissed: Result<RejectedView, _> = client.post(&path, body).await;
        match dismissed {
            Ok(_) => decided.push(Subject::Rejected(*number)),
            Err(error) if decided.is_empty() => return Err(error),
            Err(error) => return Ok(stopped("rejected reading", decided, &error)),
        }
    }
    let readings = counted(decided.len() as u64, "rejected reading");
    Ok((format!("{readings} dismissed"), decided))
}

/// The result of a request that an error ended after it was carried out in part.
fn stopped(what: &str, decided: Vec<Subject>, error: &ClientError) -> Outcome {
    let done = counted(decided.len() as u64, what);
    (format!("{done} decided, then an error: {error}"), decided)
}
