//! One decision about several parked documents: those that a person names, or all with one reason
//! code.
//!
//! All changes of a request are one transaction. A document that cannot take the decision is
//! reported, and does not hinder the others.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::Value;

use super::body::{Fields, RawBody, read_bytes};
use super::decide::{Decision, check_answer, not_parked, require_reason, take_answer};
use super::problem::Problem;
use super::read::{DECIDED_MAX, find_document, find_parked_with};
use super::{BODY_BYTES_MAX, Gateway, reading};
use crate::document::{self, DocumentNumber};
use crate::journal::{Change, Entry};
use crate::reason::Code;
use crate::view::http::Peer;
use crate::view::records::{DiscardedMany, Retried, Undecided};

#[derive(Debug, Default, PartialEq, Eq)]
struct SeveralBody {
    /// Each is a document's number or key.
    ids: Option<Vec<String>>,
    code: Option<String>,
    after: Option<DocumentNumber>,
    by: Option<String>,
    reason: Option<String>,
    with: Option<String>,
}

const RETRY: &[&str] = &["ids", "code", "after", "by", "reason", "with"];
const DISCARD: &[&str] = &["ids", "code", "after", "by", "reason"];

/// The documents of a request.
struct Chosen {
    /// Each with the id that the person gave.
    entries: Vec<(String, Entry)>,
    undecided: Vec<Undecided>,
    next: DocumentNumber,
    more: bool,
}

/// Retries several documents. With `code`, one request retries a bounded number: if the answer has
/// `more`, the next request continues from its `next`.
pub async fn retry(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    body: RawBody,
) -> Result<Json<Retried>, Problem> {
    let remedy = r#"send {"ids": ["17", "18"]}, or a reason code: {"code": "unknown-product"}"#;
    let body = read(body, RETRY, remedy)?;
    let decision = Decision::of(body.by.clone(), body.reason.clone(), peer)?;
    if let Some(code) = &body.code {
        check_answer(&Code::from(code.as_str()), body.with.as_deref())?;
    }
    let with = body.with.clone();
    let mut chosen = choose(&gateway, body).await?;
    let change = |entry: &Entry| decision.retry(entry, with.as_deref());
    let retried = decide(&gateway, &mut chosen, change).await?;
    Ok(Json(Retried {
        retried,
        next: chosen.next,
        more: chosen.more,
        undecided: chosen.undecided,
    }))
}

/// Discards several documents, as [`retry`] retries them.
pub async fn discard(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    body: RawBody,
) -> Result<Json<DiscardedMany>, Problem> {
    let remedy = r#"send {"ids": ["17", "18"], "reason": "TEXT"}, or "code" in place of "ids""#;
    let body = read(body, DISCARD, remedy)?;
    let decision = Decision::of(body.by.clone(), body.reason.clone(), peer)?;
    let reason = require_reason(&decision)?;
    let mut chosen = choose(&gateway, body).await?;
    let change = |entry: &Entry| Ok(decision.discard(entry, reason.clone()));
    let discarded = decide(&gateway, &mut chosen, change).await?;
    Ok(Json(DiscardedMany {
        discarded,
        next: chosen.next,
        more: chosen.more,
        undecided: chosen.undecided,
    }))
}

fn read(
    body: RawBody,
    accepted: &'static [&'static str],
    remedy: &'static str,
) -> Result<SeveralBody, Problem> {
    let bytes = read_bytes(body, BODY_BYTES_MAX)?;
    let mut fields = Fields::read(&bytes, accepted, remedy)?;
    let body = SeveralBody {
        ids: take_ids(&mut fields)?,
        code: fields.text("code")?,
        after: fields.number("after")?.map(DocumentNumber::new),
        by: fields.text("by")?,
        reason: fields.text("reason")?,
        with: if accepted.contains(&"with") {
            take_answer(&mut fields)?
        } else {
            None
        },
    };
    let fault = match (&body.ids, &body.code) {
        (None, None) => "\"ids\" and \"code\" are missing".to_owned(),
        (Some(_), Some(_)) => "\"ids\" and \"code\" exclude each other".to_owned(),
        (Some(_), None) if body.after.is_some() => {
            "\"after\" continues only a request with \"code\"".to_owned()
        }
        (Some(ids), None) if ids.len() > DECIDED_MAX => {
            format!("\"ids\" has more than {DECIDED_MAX} documents")
        }
        _ => return Ok(body),
    };
    Err(fields.refuse(fault))
}

fn take_ids(fields: &mut Fields) -> Result<Option<Vec<String>>, Problem> {
    let Some(found) = fields.array("ids")? else {
        return Ok(None);
    };
    let id = |(place, value): (usize, Value)| match value {
        Value::String(id) => Ok(id),
        Value::Number(number) if number.is_u64() => Ok(number.to_string()),
        _ => Err(fields.refuse(format!(
            "entry {} of \"ids\" is no document; accepted is a document's number or key",
            place + 1
        ))),
    };
    let ids = found.into_iter().enumerate().map(id);
    ids.collect::<Result<_, _>>().map(Some)
}

async fn choose(gateway: &Gateway, body: SeveralBody) -> Result<Chosen, Problem> {
    reading(gateway, move |gateway| {
        if let Some(ids) = body.ids {
            return find(gateway, ids);
        }
        let code = Code::from(body.code.unwrap_or_default());
        let after = body.after.unwrap_or(DocumentNumber::ZERO);
        let (entries, next, more) = find_parked_with(gateway, &code, after)?;
        let with_number = |entry: Entry| (entry.document.number.to_string(), entry);
        Ok(Chosen {
            entries: entries.into_iter().map(with_number).collect(),
            undecided: Vec::new(),
            next,
            more,
        })
    })
    .await
}

/// Finds the documents with these ids, each once.
fn find(gateway: &Gateway, ids: Vec<String>) -> Result<Chosen, Problem> {
    let mut chosen = Chosen {
        entries: Vec::new(),
        undecided: Vec::new(),
        next: DocumentNumber::ZERO,
        more: false,
    };
    let mut numbers = BTreeSet::new();
    for id in ids {
        match find_document(gateway, &id) {
            Ok(entry) if !numbers.insert(entry.document.number) => {}
            Ok(entry) if entry.progress.state == document::State::Parked => {
                chosen.entries.push((id, entry));
            }
            Ok(entry) => chosen.undecided.push(undecided(id, not_parked(&entry))),
            Err(problem) if problem.refusal.journal_damaged => return Err(problem),
            Err(problem) => chosen.undecided.push(undecided(id, problem)),
        }
    }
    Ok(chosen)
}

fn undecided(id: String, problem: Problem) -> Undecided {
    Undecided {
        id,
        error: problem.refusal.error,
        remedy: problem.refusal.remedy,
    }
}

/// Makes the changes in one transaction. Returns their count. Documents that another person has
/// decided meanwhile stay unchanged.
async fn decide(
    gateway: &Gateway,
    chosen: &mut Chosen,
    change: impl Fn(&Entry) -> Result<Change, Problem>,
) -> Result<u64, Problem> {
    let (mut ids, mut changes) = (Vec::new(), Vec::new());
    for (id, entry) in chosen.entries.drain(..) {
        match change(&entry) {
            Ok(change) => {
                changes.push(change);
                ids.push(id);
            }
            Err(problem) => chosen.undecided.push(undecided(id, problem)),
        }
    }
    if changes.is_empty() {
        return Ok(0);
    }
    let made = gateway.journal.inbox().change(changes).await?;
    let count = made.iter().filter(|made| **made).count() as u64;
    let late = ids.into_iter().zip(made).filter(|(_, made)| !made);
    chosen.undecided.extend(late.map(|(id, _)| Undecided {
        error: format!("document {id} is not parked any more"),
        remedy: "nothing was changed: another decision was faster".to_owned(),
        id,
    }));
    Ok(count)
}
