//! A person puts a parked document right: a corrected one takes its place.
//!
//! The old document never changes (**invariant 4**). In one transaction it is *replaced*, and the
//! new one has its events and a key that follows from the old one's, so there is at most one.

use axum::Extension;
use axum::extract::State;

use super::decide::{Decided, Decision, Taken, bytes, changed_meanwhile, parked, told};
use super::problem::Problem;
use super::query::Id;
use super::read::alive;
use super::{Gateway, reading};
use crate::clock;
use crate::decode;
use crate::document;
use crate::journal::Entry;
use crate::reason::ReasonCode;
use crate::view::http::Peer;

/// What was changed stands in the audit record up to here, in characters; the documents have all of
/// it.
const CHANGES_CHARS_MAX: usize = 2_000;

pub async fn edit(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: Taken,
) -> Decided {
    let bytes = bytes(body)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        Problem::bad(format!("the body is not understood: {error}"), "send UTF-8")
    })?;
    let mut correction = decode::correction(text).map_err(|error| {
        Problem::bad(
            error,
            r#"send {"reason": "TEXT", "lines": [{"line": 1, "FIELD": VALUE}], "order": "NAME"}"#,
        )
    })?;
    let decision = Decision::of(correction.by.take(), correction.reason.take(), peer)?;
    let Some(reason) = decision.reason.clone() else {
        return Err(Problem::bad(
            "editing needs a reason",
            "say why in \"reason\": it is kept with both documents for whoever asks later",
        ));
    };
    let entry = parked(&gateway, id).await?;
    let entry = reading(&gateway, move |g| Ok(alive(g, entry)?)).await?;
    let (new, changes) = (correction.apply(&entry.document, clock::now())).map_err(|error| {
        Problem::bad(
            error.to_string(),
            "nothing was changed; correct the request",
        )
    })?;
    // What somebody cancelled in Odoo is made again, under another key, as it was.
    if changes.is_empty() && !is_cancelled(&entry) {
        return Err(Problem::bad(
            "nothing would be changed: all of it is so already",
            "name a field with another value, or retry the document as it is",
        ));
    }
    let number = entry.document.number;
    let what = brief(&changes);
    let mut change = decision.end(
        &entry,
        document::State::Replaced,
        ReasonCode::Replaced,
        reason,
        Some(what),
    );
    // One thing happened, at one time.
    change.progress.since = new.sealed;
    match gateway.journal.inbox().replace(change, new).await? {
        Some(new) => told(&gateway, new).await,
        None => Err(changed_meanwhile(&gateway, number).await?),
    }
}

fn is_cancelled(entry: &Entry) -> bool {
    let reason = entry.progress.reason.as_ref();
    reason.is_some_and(|reason| reason.code == ReasonCode::CancelledInOdoo)
}

fn brief(changes: &[String]) -> String {
    let mut told = String::new();
    if changes.is_empty() {
        return "as it was".to_owned();
    }
    for (done, change) in changes.iter().enumerate() {
        if told.chars().count() + change.chars().count() > CHANGES_CHARS_MAX {
            let left = changes.len() - done;
            return format!("{told}, and {left} more");
        }
        if done > 0 {
            told.push_str(", ");
        }
        told.push_str(change);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_record_stays_short() {
        assert_eq!(brief(&["a".to_owned(), "b".to_owned()]), "a, b");
        let many: Vec<String> = (0..500)
            .map(|line| format!("line {line}: left out"))
            .collect();
        let told = brief(&many);
        assert!(
            told.len() < CHANGES_CHARS_MAX + 20 && told.ends_with(" more"),
            "{told}"
        );
    }
}
