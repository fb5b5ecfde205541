//! Undoes a discard: a new document with a key of its own replaces the discarded one.
//!
//! The discarded document never changes (**invariant 4**). In one transaction it becomes
//! *replaced*, and the new document gets its events. The new document corrects the discarded one,
//! so the forwarder first withdraws from Odoo what is left of that one, and parks the new one if
//! Odoo has posted it meanwhile. A count that was posted in between is corrected as after every
//! late document.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;

use super::body::{Fields, RawBody, read_bytes};
use super::decide::{Decision, DecisionAnswer, answer_with, require_reason};
use super::problem::Problem;
use super::query::Id;
use super::read::find_document;
use super::{BODY_BYTES_MAX, Gateway, reading};
use crate::clock;
use crate::document::{self, Document, DocumentNumber, Progress, Purpose, Reason};
use crate::journal::{AuditRecord, Change, Entry};
use crate::reason::ReasonCode;
use crate::view::http::Peer;

/// The beginning of the name of a person in an audit record.
const PERSON: &str = "user:";

pub async fn undiscard(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: RawBody,
) -> DecisionAnswer {
    let bytes = read_bytes(body, BODY_BYTES_MAX)?;
    let mut fields = Fields::read(&bytes, &["by", "reason"], r#"send {"reason": "TEXT"}"#)?;
    let decision = Decision::of(fields.text("by")?, fields.text("reason")?, peer)?;
    let reason = require_reason(&decision)?;
    let find = move |g: &Gateway| {
        let entry = find_document(g, &id)?;
        let audit = g.journal.audit(entry.document.number)?;
        check(&entry, &audit)?;
        Ok(entry)
    };
    let entry = reading(&gateway, find).await?;
    let number = entry.document.number;
    let new = again(&entry.document);
    let progress = Progress {
        state: document::State::Replaced,
        reason: Some(Reason {
            code: ReasonCode::Replaced.into(),
            message: reason,
            lines: Vec::new(),
        }),
        // The two changes are one decision and have the same time.
        since: new.sealed,
        ..entry.progress
    };
    let (by, note) = decision.sign("undiscarded".to_owned());
    let change = Change {
        number,
        expect: document::State::Discarded,
        progress,
        by,
        note,
    };
    match gateway.journal.inbox().replace(change, new).await? {
        Some(new) => answer_with(&gateway, new).await,
        None => Err(changed_meanwhile(&gateway, number).await?),
    }
}

/// Builds the document that replaces a discarded one.
fn again(old: &Document) -> Document {
    Document {
        number: DocumentNumber::ZERO,
        key: old.key.undiscarded(),
        sealed: clock::now(),
        corrects: Some(old.number),
        ..old.clone()
    }
}

/// Checks that a person has discarded the document, and nothing else.
fn check(entry: &Entry, audit: &[AuditRecord]) -> Result<(), Problem> {
    let number = entry.document.number;
    if entry.progress.state != document::State::Discarded {
        return Err(not_discarded(entry));
    }
    if let Purpose::Recount { count } = entry.document.purpose {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("document {number} is a recount of the count of document {count}"),
            "count the bin again; nothing was changed",
        ));
    }
    // Later records of the same state are about what is left of the document in Odoo.
    let discarded = document::State::Discarded.as_str();
    let latest = audit.iter().rev();
    let discard = latest.take_while(|record| record.state == discarded).last();
    if discard.is_some_and(|record| !record.by.starts_with(PERSON)) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("no person discarded document {number}: its device undid its events"),
            "if the goods were moved after all, scan the movement again; nothing was changed",
        ));
    }
    Ok(())
}

fn not_discarded(entry: &Entry) -> Problem {
    let (number, state) = (entry.document.number, entry.progress.state);
    let remedy = match state {
        document::State::Replaced => {
            "nothing was changed: another document has replaced it already; `stockrelay trace` shows which"
        }
        _ => "nothing was changed: only discarded documents can be undiscarded",
    };
    Problem::new(
        StatusCode::CONFLICT,
        format!("document {number} is not discarded but {state}"),
        remedy,
    )
}

async fn changed_meanwhile(gateway: &Gateway, number: DocumentNumber) -> Result<Problem, Problem> {
    reading(gateway, move |g| {
        Ok(match g.journal.document(number)? {
            Some(entry) => not_discarded(&entry),
            None => Problem::internal(format!("document {number} no longer exists")),
        })
    })
    .await
}
