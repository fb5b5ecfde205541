//! What a person decides about a parked document: to try it again, or to leave it.
//!
//! The decision goes through the journal's inbox like every other change, with its audit record, and holds only
//! if the document is still parked.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;

use super::problem::Problem;
use super::query::Id;
use super::read::find_document;
use super::{Gateway, reading};
use crate::clock;
use crate::document::{self, Progress, Reason};
use crate::journal::{Change, Entry};
use crate::view::http::Peer;
use crate::view::records::DocumentDetail;

/// The longest `by` and the longest `reason`, in characters.
const BY_CHARS_MAX: usize = 64;
const REASON_CHARS_MAX: usize = 500;
/// The reason code of a document that a person discarded.
const DISCARDED: &str = "discarded";

/// The body of a decision; without one, the person is whom the socket knows.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    by: Option<String>,
    reason: Option<String>,
}

/// Who decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Decision {
    by: String,
    /// Whom the socket saw, where `by` names another.
    over: Option<String>,
    reason: Option<String>,
}

type Decided = Result<Json<DocumentDetail>, Problem>;
type Taken = Result<Bytes, BytesRejection>;

pub async fn retry(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: Taken,
) -> Decided {
    let decision = Decision::read(body, peer)?;
    let to = document::State::Waiting;
    decide(&gateway, &id, decision, to).await
}

pub async fn discard(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: Taken,
) -> Decided {
    let decision = Decision::read(body, peer)?;
    if decision.reason.is_none() {
        return Err(Problem::bad(
            "discarding needs a reason",
            "say why in \"reason\": it is kept with the document for whoever asks later",
        ));
    }
    let to = document::State::Discarded;
    decide(&gateway, &id, decision, to).await
}

pub async fn edit() -> Problem {
    Problem::new(
        StatusCode::NOT_IMPLEMENTED,
        format!(
            "stockrelay {} cannot edit a parked document",
            env!("CARGO_PKG_VERSION")
        ),
        "correct the master data in Odoo and retry; or discard it and scan again",
    )
}

async fn decide(gateway: &Gateway, id: &str, decision: Decision, to: document::State) -> Decided {
    let id = id.to_owned();
    let entry = reading(gateway, move |g| find_document(g, &id)).await?;
    let number = entry.document.number;
    if entry.progress.state != document::State::Parked {
        return Err(not_parked(&entry));
    }
    let change = decision.change(&entry, to);
    let made = gateway.journal.inbox().change(vec![change]).await?;
    let (entry, audit) = reading(gateway, move |g| {
        Ok((g.journal.document(number)?, g.journal.audit(number)?))
    })
    .await?;
    let entry = entry.ok_or_else(|| Problem::internal(format!("document {number} is gone")))?;
    if made != [true] {
        return Err(not_parked(&entry));
    }
    Ok(Json(DocumentDetail::of(&entry, audit)))
}

fn not_parked(entry: &Entry) -> Problem {
    let (document, progress) = (&entry.document, &entry.progress);
    Problem::new(
        StatusCode::CONFLICT,
        format!(
            "document {} is not parked but {}",
            document.number, progress.state
        ),
        "nothing was changed; only a parked document waits for a decision",
    )
}

impl Decision {
    fn read(body: Taken, peer: Peer) -> Result<Self, Problem> {
        let bytes = body.map_err(|rejection| {
            Problem::new(
                rejection.status(),
                rejection.body_text(),
                "send a small JSON object",
            )
        })?;
        let remedy = r#"send {"by": "NAME", "reason": "TEXT"}, both optional, or no body"#;
        let body: Body = if bytes.is_empty() {
            Body::default()
        } else {
            serde_json::from_slice(&bytes).map_err(|error| {
                Problem::bad(format!("the body is not understood: {error}"), remedy)
            })?
        };
        let by = text("by", body.by, BY_CHARS_MAX)?;
        let reason = text("reason", body.reason, REASON_CHARS_MAX)?;
        let seen = user_name(peer.uid);
        Ok(match by {
            Some(by) => Self {
                over: (by != seen).then_some(seen),
                by,
                reason,
            },
            None => Self {
                by: seen,
                over: None,
                reason,
            },
        })
    }

    fn change(&self, entry: &Entry, to: document::State) -> Change {
        let discarded = to == document::State::Discarded;
        let before = &entry.progress;
        let mut note = if discarded {
            "discarded"
        } else {
            "to be tried again"
        }
        .to_owned();
        if let Some(reason) = &self.reason {
            note = format!("{note}: {reason}");
        }
        if let Some(over) = &self.over {
            note = format!("{note} (sent by user {over})");
        }
        Change {
            number: entry.document.number,
            expect: document::State::Parked,
            progress: Progress {
                state: to,
                reason: if discarded {
                    Some(Reason {
                        code: DISCARDED.to_owned(),
                        message: self.reason.clone().unwrap_or_default(),
                    })
                } else {
                    // What the last attempt came to stays until the next one has come to something.
                    before.reason.clone()
                },
                since: clock::now(),
                ..before.clone()
            },
            by: format!("user:{}", self.by),
            note,
        }
    }
}

/// A text of a person: trimmed, bounded, on one line; blank is none.
fn text(key: &str, value: Option<String>, chars_max: usize) -> Result<Option<String>, Problem> {
    let Some(value) = value else {
        return Ok(None);
    };
    let value = value.trim();
    if value.chars().count() > chars_max || value.chars().any(char::is_control) {
        return Err(Problem::bad(
            format!("{key} is too long or holds control characters"),
            format!("{key} is one line of at most {chars_max} characters"),
        ));
    }
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

/// The name of a user of this machine, or the number where it has none.
fn user_name(uid: Option<u32>) -> String {
    let Some(uid) = uid else {
        return "unknown".to_owned();
    };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    named(&users, uid).unwrap_or_else(|| uid.to_string())
}

fn named(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let own: u32 = fields.nth(1)?.parse().ok()?;
        (own == uid).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Peer = Peer { uid: Some(0) };

    fn read(body: &'static str) -> Result<Decision, Problem> {
        Decision::read(Ok(Bytes::from_static(body.as_bytes())), ROOT)
    }

    #[test]
    fn without_a_name_it_is_the_user_at_the_other_end() {
        let decision = read("").unwrap();
        assert_eq!((decision.by.as_str(), decision.over), ("root", None));
        let decision = read(r#"{"by": "anna", "reason": " broken "}"#).unwrap();
        assert_eq!(decision.by, "anna");
        assert_eq!(decision.over.as_deref(), Some("root"));
        assert_eq!(decision.reason.as_deref(), Some("broken"));
    }

    #[test]
    fn a_body_that_is_not_understood_is_refused() {
        let long = format!(r#"{{"reason": "{}"}}"#, "x".repeat(501));
        for bad in ["{", "[]", r#"{"why": "x"}"#, r#"{"by": "a\nb"}"#, &long] {
            let bytes = Bytes::copy_from_slice(bad.as_bytes());
            let problem = Decision::read(Ok(bytes), ROOT).unwrap_err();
            assert_eq!(problem.status, 400, "{bad}");
        }
    }

    #[test]
    fn users_are_found_by_their_number() {
        let users = "root:x:0:0::/root:/bin/sh\nbroken\nanna:x:1000:1000::/:/bin/sh\n";
        assert_eq!(named(users, 1000).as_deref(), Some("anna"));
        assert_eq!(named(users, 1), None);
    }
}
