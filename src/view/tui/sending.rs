//! Sends the requests of a person to the daemon, and describes the results.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::data::Subject;
use super::request::{Outcome, Request};
use super::texts::name_state;
use crate::document::DocumentNumber;
use crate::event::RejectedNumber;
use crate::view::client::{Client, ClientError};
use crate::view::commands::{describe_resent, dismiss_many, retry_all};
use crate::view::records::{DocumentDetail, DocumentView, RejectedView, Resent, Undecided};
use crate::view::words::Words;

/// The limit of documents in one request about several.
const DOCUMENTS_MAX: usize = 500;

/// What the daemon carried out: a text, and the documents and readings that it decided about.
type Decided = (String, Vec<Subject>);

/// What the gateway decided about several documents.
#[derive(Debug, Deserialize)]
struct Several {
    #[serde(default)]
    undecided: Vec<Undecided>,
}

/// Sends a request, and describes the answer.
pub async fn execute(client: &Client, request: Request, words: Words) -> Outcome {
    let is_of_documents = matches!(request, Request::Retry { .. } | Request::Discard { .. });
    match send(client, request, words).await {
        // Of several documents the gateway decided about none.
        Ok((notice, decided)) if is_of_documents && decided.is_empty() => Outcome::Refused(notice),
        Ok((notice, decided)) => Outcome::Done { notice, decided },
        Err(error @ ClientError::Refused { .. }) => {
            let why = error.to_string();
            Outcome::Refused(words.fill("The gateway refused it: {why}", &[("why", &why)]))
        }
        // Whether the daemon carried it out is unknown.
        Err(error) => Outcome::Refused(error.to_string()),
    }
}

async fn send(client: &Client, request: Request, words: Words) -> Result<Decided, ClientError> {
    let text = match request {
        Request::Quit => String::new(),
        Request::Retry { numbers, with } => {
            return decide(client, &numbers, "retry", json!({ "with": with }), words).await;
        }
        Request::Discard { numbers, reason } => {
            let body = json!({ "reason": reason });
            return decide(client, &numbers, "discard", body, words).await;
        }
        Request::Edit { number, body } => {
            return decide_one(client, number, "edit", &body, words).await;
        }
        Request::Undiscard { number, reason } => {
            let path = format!("/v1/documents/{number}/undiscard");
            let detail: DocumentDetail = client.post(&path, &json!({ "reason": reason })).await?;
            let new = &detail.document;
            let text = describe_replaced(new, number, words);
            return Ok((text, vec![Subject::Document(number)]));
        }
        Request::RetryAll { code, with } => {
            let done = retry_all(client, json!({ "code": code, "with": with })).await?;
            let retried = done.retried;
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
            let body = json!({ "payload": payload, "reason": reason });
            return resend(client, &numbers, &body, words).await;
        }
        Request::Dismiss { numbers, reason } => {
            let body = json!({ "reason": reason });
            return dismiss(client, &numbers, &body, words).await;
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

/// Retries or discards documents: all in one request.
async fn decide(
    client: &Client,
    numbers: &[DocumentNumber],
    decision: &str,
    mut body: Value,
    words: Words,
) -> Result<Decided, ClientError> {
    if let [number] = numbers {
        return decide_one(client, *number, decision, &body, words).await;
    }
    let (mut decided, mut undecided) = (Vec::new(), Vec::new());
    for part in numbers.chunks(DOCUMENTS_MAX) {
        body["ids"] = json!(part);
        let path = format!("/v1/parked/{decision}");
        let several: Several = match client.post(&path, &body).await {
            Ok(several) => several,
            Err(error) if decided.is_empty() => return Err(error),
            Err(error) => return Ok(stopped(decided, &error, words)),
        };
        let left: BTreeSet<&str> = several.undecided.iter().map(|it| it.id.as_str()).collect();
        let is_decided = |number: &&DocumentNumber| !left.contains(number.to_string().as_str());
        let new = part.iter().filter(is_decided);
        decided.extend(new.map(|number| Subject::Document(*number)));
        undecided.extend(several.undecided);
    }
    let mut text = describe_decided(decided.len() as u64, decision, words);
    if let Some(first) = undecided.first() {
        let left = words.number(undecided.len() as u64);
        let values = [
            ("n", left.as_str()),
            ("number", &first.id),
            ("why", &first.error),
        ];
        let not = words.fill("{n} not, the first is {number}: {why}", &values);
        text = format!("{text}; {not}");
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

async fn decide_one(
    client: &Client,
    number: DocumentNumber,
    decision: &str,
    body: &Value,
    words: Words,
) -> Result<Decided, ClientError> {
    let path = format!("/v1/parked/{number}/{decision}");
    let detail: DocumentDetail = client.post(&path, body).await?;
    let new = &detail.document;
    let text = if let Some(old) = detail.replaces.filter(|_| decision == "edit") {
        describe_replaced(new, old, words)
    } else {
        let state = words.word(name_state(&new.state));
        let new = new.number.to_string();
        let values = [("number", new.as_str()), ("state", &state)];
        words.fill("Document {number} is now {state}", &values)
    };
    Ok((text, vec![Subject::Document(number)]))
}

/// Sends rejected readings again. The first one that is rejected again ends the request.
async fn resend(
    client: &Client,
    numbers: &[RejectedNumber],
    body: &Value,
    words: Words,
) -> Result<Decided, ClientError> {
    let (mut text, mut decided) = (String::new(), Vec::new());
    for number in numbers {
        let path = format!("/v1/rejected/{number}/resend");
        let resent: Resent = match client.post(&path, body).await {
            Ok(resent) => resent,
            Err(error) if decided.is_empty() => return Err(error),
            Err(error) => return Ok(stopped(decided, &error, words)),
        };
        text = describe_resent(&resent);
        decided.push(Subject::Rejected(*number));
    }
    if decided.len() > 1 {
        text = words.count(
            decided.len() as u64,
            "{n} rejected reading is sent again",
            "{n} rejected readings are sent again",
        );
    }
    Ok((text, decided))
}

async fn dismiss(
    client: &Client,
    numbers: &[RejectedNumber],
    body: &Value,
    words: Words,
) -> Result<Decided, ClientError> {
    let mut decided = Vec::new();
    for number in numbers {
        let path = format!("/v1/rejected/{number}/dismiss");
        let dismissed: Result<RejectedView, _> = client.post(&path, body).await;
        match dismissed {
            Ok(_) => decided.push(Subject::Rejected(*number)),
            Err(error) if decided.is_empty() => return Err(error),
            Err(error) => return Ok(stopped(decided, &error, words)),
        }
    }
    let text = describe_dismissed(decided.len() as u64, words);
    Ok((text, decided))
}

/// The result of a request that an error ended after it was carried out in part.
fn stopped(decided: Vec<Subject>, error: &ClientError, words: Words) -> Decided {
    let (done, error) = (words.number(decided.len() as u64), error.to_string());
    let values = [("n", done.as_str()), ("why", &error)];
    let text = words.fill("{n} decided, then an error: {why}", &values);
    (text, decided)
}
