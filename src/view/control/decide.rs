//! What a person decides about parked documents: to try them again, or to leave one.
//!
//! The decision goes through the journal's inbox like every other change, with its audit record,
//! and holds only if the document is still parked. Corrections are in `edit`.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;

use super::problem::Problem;
use super::query::{Id, cut};
use super::read::{detail, find_document, parked_for};
use super::{Gateway, reading};
use crate::clock;
use crate::document::{self, DocumentNumber, Progress, Reason, answer};
use crate::journal::{Change, Entry};
use crate::reason::{Answer, Code, ReasonCode};
use crate::view::http::Peer;
use crate::view::records::{DocumentDetail, Retried};

/// The longest `by` and the longest `reason`, in characters.
const BY_CHARS_MAX: usize = 64;
const REASON_CHARS_MAX: usize = 500;

/// The body of a decision; without one, the person is whom the socket knows.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    by: Option<String>,
    reason: Option<String>,
    with: Option<String>,
    code: Option<String>,
    after: Option<DocumentNumber>,
}

/// Who decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    by: String,
    /// Whom the socket saw, where `by` names another.
    over: Option<String>,
    pub reason: Option<String>,
}

pub type Decided = Result<Json<DocumentDetail>, Problem>;
pub type Taken = Result<Bytes, BytesRejection>;

pub async fn retry(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: Taken,
) -> Decided {
    let body = Body::read(body, &["by", "reason", "with"])?;
    let decision = Decision::of(body.by, body.reason, peer)?;
    let entry = parked(&gateway, id).await?;
    let change = decision.retry(&entry, body.with.as_deref())?;
    decide(&gateway, change).await
}

pub async fn discard(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: Taken,
) -> Decided {
    let body = Body::read(body, &["by", "reason"])?;
    let decision = Decision::of(body.by, body.reason, peer)?;
    let Some(reason) = decision.reason.clone() else {
        return Err(Problem::bad(
            "discarding needs a reason",
            "say why in \"reason\": it is kept with the document for whoever asks later",
        ));
    };
    let entry = parked(&gateway, id).await?;
    let change = decision.end(
        &entry,
        document::State::Discarded,
        ReasonCode::Discarded,
        reason,
        None,
    );
    decide(&gateway, change).await
}

/// Tries all again that are parked for one reason, a bounded number at once: `more` tells that
/// `after` goes on.
pub async fn retry_all(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    body: Taken,
) -> Result<Json<Retried>, Problem> {
    let body = Body::read(body, &["code", "by", "reason", "with", "after"])?;
    let decision = Decision::of(body.by, body.reason, peer)?;
    let Some(code) = body.code else {
        return Err(Problem::bad(
            "code is missing",
            r#"say which reason in "code", such as {"code": "unknown-product"}"#,
        ));
    };
    let code = Code::from(code);
    check_answer(&code, body.with.as_deref())?;
    let after = body.after.unwrap_or(DocumentNumber::ZERO);
    let (entries, next, more) = reading(&gateway, move |g| parked_for(g, &code, after)).await?;
    let changes = (entries.iter())
        .map(|entry| decision.retry(entry, body.with.as_deref()))
        .collect::<Result<_, _>>()?;
    // Those that another person decided meanwhile are left as they are.
    let made = gateway.journal.inbox().change(changes).await?;
    Ok(Json(Retried {
        retried: made.into_iter().filter(|made| *made).count() as u64,
        next,
        more,
    }))
}

/// The document that the id means, if it is parked.
pub async fn parked(gateway: &Gateway, id: String) -> Result<Entry, Problem> {
    let entry = reading(gateway, move |g| find_document(g, &id)).await?;
    match entry.progress.state {
        document::State::Parked => Ok(entry),
        _ => Err(not_parked(&entry)),
    }
}

async fn decide(gateway: &Gateway, change: Change) -> Decided {
    let number = change.number;
    let made = gateway.journal.inbox().change(vec![change]).await?;
    if made != [true] {
        return Err(changed_meanwhile(gateway, number).await?);
    }
    told(gateway, number).await
}

/// All of a document, as it is after a decision.
pub async fn told(gateway: &Gateway, number: DocumentNumber) -> Decided {
    let detail = move |g: &Gateway| match g.journal.document(number)? {
        Some(entry) => detail(g, entry),
        None => Err(Problem::internal(format!("document {number} is gone"))),
    };
    reading(gateway, detail).await.map(Json)
}

/// What is answered where somebody else decided between the look and the change.
pub async fn changed_meanwhile(
    gateway: &Gateway,
    number: DocumentNumber,
) -> Result<Problem, Problem> {
    reading(gateway, move |g| {
        Ok(match g.journal.document(number)? {
            Some(entry) => not_parked(&entry),
            None => Problem::internal(format!("document {number} is gone")),
        })
    })
    .await
}

/// The answer that a request gives, if the reason asks for it.
fn check_answer(code: &Code<ReasonCode>, with: Option<&str>) -> Result<Option<Answer>, Problem> {
    let Some(with) = with else {
        return Ok(None);
    };
    let answers: Vec<Answer> = code.answers().collect();
    if let Some(answer) = answers.iter().find(|answer| answer.as_str() == with) {
        return Ok(Some(*answer));
    }
    Err(Problem::bad(
        format!("with: found {:?}, and the reason is {code:?}", cut(with)),
        if answers.is_empty() {
            "this reason takes no answer: leave \"with\" out".to_owned()
        } else {
            let answers: Vec<_> = answers.iter().map(|answer| answer.as_str()).collect();
            format!("this reason takes {}", answers.join(" or "))
        },
    ))
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

impl Body {
    /// `accepted` are the keys that this decision takes; no body at all is one without keys.
    fn read(body: Taken, accepted: &[&str]) -> Result<Self, Problem> {
        let bytes = bytes(body)?;
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let remedy = format!("send a JSON object with the keys {}", accepted.join(", "));
        let body: Self = serde_json::from_slice(&bytes).map_err(|error| {
            Problem::bad(format!("the body is not understood: {error}"), &remedy)
        })?;
        for (key, there) in [
            ("with", body.with.is_some()),
            ("code", body.code.is_some()),
            ("after", body.after.is_some()),
        ] {
            if there && !accepted.contains(&key) {
                return Err(Problem::bad(format!("{key} is not for this"), remedy));
            }
        }
        Ok(body)
    }
}

pub fn bytes(body: Taken) -> Result<Bytes, Problem> {
    body.map_err(|rejection| {
        Problem::new(
            rejection.status(),
            rejection.body_text(),
            "send a small JSON object",
        )
    })
}

impl Decision {
    pub fn of(by: Option<String>, reason: Option<String>, peer: Peer) -> Result<Self, Problem> {
        let by = text("by", by, BY_CHARS_MAX)?;
        let reason = text("reason", reason, REASON_CHARS_MAX)?;
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

    fn retry(&self, entry: &Entry, with: Option<&str>) -> Result<Change, Problem> {
        let reason = entry.progress.reason.as_ref();
        let code = reason.map_or_else(|| Code::from(""), |reason| reason.code.clone());
        let with = check_answer(&code, with)?;
        let note = match with {
            Some(with) => format!("to be tried again with {}", with.as_str()),
            None => "to be tried again".to_owned(),
        };
        let before = entry.progress.clone();
        let progress = Progress {
            state: document::State::Waiting,
            decision: match with {
                Some(with) => Some(answer::add(before.decision.as_deref(), with, &code)),
                None => before.decision.clone(),
            },
            since: clock::now(),
            // What the last attempt came to stays until the next one has come to something.
            ..before
        };
        Ok(self.change(entry, progress, note))
    }

    /// Ends the document: it will never be posted. `what` was changed stands in the note before the
    /// reason.
    pub fn end(
        &self,
        entry: &Entry,
        state: document::State,
        code: ReasonCode,
        reason: String,
        what: Option<String>,
    ) -> Change {
        let progress = Progress {
            state,
            reason: Some(Reason {
                code: code.into(),
                message: reason,
                lines: Vec::new(),
            }),
            since: clock::now(),
            ..entry.progress.clone()
        };
        self.change(entry, progress, what.unwrap_or_else(|| code.to_string()))
    }

    /// Who decided, and a note with the reason, for an audit record.
    pub fn signed(&self, mut note: String) -> (String, String) {
        if let Some(reason) = &self.reason {
            note = format!("{note}: {reason}");
        }
        if let Some(over) = &self.over {
            note = format!("{note} (sent by user {over})");
        }
        (format!("user:{}", self.by), note)
    }

    fn change(&self, entry: &Entry, progress: Progress, note: String) -> Change {
        let (by, note) = self.signed(note);
        Change {
            number: entry.document.number,
            expect: document::State::Parked,
            progress,
            by,
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

    fn read(body: &str) -> Result<Decision, Problem> {
        let bytes = Ok(Bytes::copy_from_slice(body.as_bytes()));
        let body = Body::read(bytes, &["by", "reason"])?;
        Decision::of(body.by, body.reason, ROOT)
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
        for bad in [
            "{",
            "[]",
            r#"{"why": "x"}"#,
            r#"{"with": "allow"}"#,
            r#"{"by": "a\nb"}"#,
            &long,
        ] {
            assert_eq!(read(bad).unwrap_err().status, 400, "{bad}");
        }
    }

    #[test]
    fn users_are_found_by_their_number() {
        let users = "root:x:0:0::/root:/bin/sh\nbroken\nanna:x:1000:1000::/:/bin/sh\n";
        assert_eq!(named(users, 1000).as_deref(), Some("anna"));
        assert_eq!(named(users, 1), None);
    }
}
