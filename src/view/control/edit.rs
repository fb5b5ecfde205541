//! Edits a parked document: a corrected document replaces it.
//!
//! The old document never changes (**invariant 4**). In one transaction it becomes *replaced*, and
//! the new document gets its events and a key that is derived from the old key, so that there is at
//! most one.

use axum::Extension;
use axum::extract::State;

use super::body::{RawBody, read_bytes};
use super::decide::{Decision, DecisionAnswer, answer_with, changed_meanwhile, find_parked};
use super::problem::Problem;
use super::query::Id;
use super::read::with_lines_of_event;
use super::{BODY_BYTES_MAX, Gateway, reading};
use crate::clock;
use crate::decode;
use crate::document;
use crate::journal::Entry;
use crate::reason::ReasonCode;
use crate::view::http::Peer;

/// The longest list of changes in the audit record, in characters; the documents have all changes.
const CHANGES_CHARS_MAX: usize = 2_000;

pub async fn edit(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: RawBody,
) -> DecisionAnswer {
    let bytes = read_bytes(body, BODY_BYTES_MAX)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Problem::bad("the body is not UTF-8", "send the body in UTF-8"))?;
    let mut correction = decode::correction(text).map_err(|error| {
        Problem::bad(
            error,
            r#"send {"reason": "TEXT", "lines": [{"line": 1, "FIELD": VALUE}], "order": "NAME"}"#,
        )
    })?;
    let decision = Decision::of(correction.by.take(), correction.reason.take(), peer)?;
    let Some(reason) = decision.reason.clone() else {
        return Err(Problem::bad(
            "an edit needs a reason",
            "give it in \"reason\"; it is stored with both documents",
        ));
    };
    let entry = find_parked(&gateway, id).await?;
    let entry = reading(&gateway, move |g| Ok(with_lines_of_event(g, entry)?)).await?;
    let (new, changes) = (correction.apply(&entry.document, clock::now())).map_err(|error| {
        Problem::bad(
            error.to_string(),
            "correct the request; nothing was changed",
        )
    })?;
    // An unchanged document is created again, under another key, if a user has cancelled it in
    // Odoo.
    if changes.is_empty() && !is_cancelled(&entry) {
        return Err(Problem::bad(
            "the edit changes nothing: all fields have these values already",
            "give a field another value, or retry the document",
        ));
    }
    let number = entry.document.number;
    let what = shorten(&changes);
    let mut change = decision.end(
        &entry,
        document::State::Replaced,
        ReasonCode::Replaced,
        reason,
        Some(what),
    );
    // The two changes are one decision and have the same time.
    change.progress.since = new.sealed;
    match gateway.journal.inbox().replace(change, new).await? {
        Some(new) => answer_with(&gateway, new).await,
        None => Err(changed_meanwhile(&gateway, number).await?),
    }
}

fn is_cancelled(entry: &Entry) -> bool {
    let reason = entry.progress.reason.as_ref();
    reason.is_some_and(|reason| reason.code == ReasonCode::CancelledInOdoo)
}

fn shorten(changes: &[String]) -> String {
    let mut text = String::new();
    if changes.is_empty() {
        return "as it was".to_owned();
    }
    for (done, change) in changes.iter().enumerate() {
        if text.chars().count() + change.chars().count() > CHANGES_CHARS_MAX {
            let left = changes.len() - done;
            return format!("{text}, and {left} more");
        }
        if done > 0 {
            text.push_str(", ");
        }
        text.push_str(change);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_record_stays_short() {
        assert_eq!(shorten(&["a".to_owned(), "b".to_owned()]), "a, b");
        let many: Vec<String> = (0..500)
            .map(|line| format!("line {line}: left out"))
            .collect();
        let text = shorten(&many);
        assert!(
            text.len() < CHANGES_CHARS_MAX + 20 && text.ends_with(" more"),
            "{text}"
        );
    }
}
