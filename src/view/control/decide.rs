//! The decisions of a person about parked documents: retry and discard.
//!
//! The decision goes through the journal's inbox like every other change, with its audit record,
//! and takes effect only if the document is still parked. Corrections are in `edit`.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;

use super::problem::Problem;
use super::query::{Id, shorten};
use super::read::{detail, find_document, find_parked_with};
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

/// The body of a decision. Without `by`, the person is the user at the other end of the socket.
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
    /// The user at the other end of the socket, if `by` names another person.
    over: Option<String>,
    pub reason: Option<String>,
}

pub type DecisionAnswer = Result<Json<DocumentDetail>, Problem>;
pub type RawBody = Result<Bytes, BytesRejection>;

pub async fn retry(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: RawBody,
) -> DecisionAnswer {
    let body = Body::read(body, &["by", "reason", "with"])?;
    let decision = Decision::of(body.by, body.reason, peer)?;
    let entry = find_parked(&gateway, id).await?;
    let change = decision.retry(&entry, body.with.as_deref())?;
    decide(&gateway, change).await
}

pub async fn discard(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: RawBody,
) -> DecisionAnswer {
    let body = Body::read(body, &["by", "reason"])?;
    let decision = Decision::of(body.by, body.reason, peer)?;
    let Some(reason) = decision.reason.clone() else {
        return Err(Problem::bad(
            "a discard needs a reason",
            "give it in \"reason\"; it is stored with the document",
        ));
    };
    let entry = find_parked(&gateway, id).await?;
    let change = decision.end(
        &entry,
        document::State::Discarded,
        ReasonCode::Discarded,
        reason,
        None,
    );
    decide(&gateway, change).await
}

/// Retries the documents with one reason code, a bounded number per request. If the answer has
/// `more`, the next request continues from its `next`.
pub async fn retry_all(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    body: RawBody,
) -> Result<Json<Retried>, Problem> {
    let body = Body::read(body, &["code", "by", "reason", "with", "after"])?;
    let decision = Decision::of(body.by, body.reason, peer)?;
    let Some(code) = body.code else {
        return Err(Problem::bad(
            "\"code\" is missing",
            r#"give the reason code of the documents, such as {"code": "unknown-product"}"#,
        ));
    };
    let code = Code::from(code);
    check_answer(&code, body.with.as_deref())?;
    let after = body.after.unwrap_or(DocumentNumber::ZERO);
    let (entries, next, more) =
        reading(&gateway, move |g| find_parked_with(g, &code, after)).await?;
    let changes = (entries.iter())
        .map(|entry| decision.retry(entry, body.with.as_deref()))
        .collect::<Result<_, _>>()?;
    // Documents that another person has decided meanwhile stay unchanged.
    let made = gateway.journal.inbox().change(changes).await?;
    Ok(Json(Retried {
        retried: made.into_iter().filter(|made| *made).count() as u64,
        next,
        more,
    }))
}

/// Finds the document with this id, if it is parked.
pub async fn find_parked(gateway: &Gateway, id: String) -> Result<Entry, Problem> {
    let entry = reading(gateway, move |g| find_document(g, &id)).await?;
    match entry.progress.state {
        document::State::Parked => Ok(entry),
        _ => Err(not_parked(&entry)),
    }
}

async fn decide(gateway: &Gateway, change: Change) -> DecisionAnswer {
    let number = change.number;
    let made = gateway.journal.inbox().change(vec![change]).await?;
    if made != [true] {
        return Err(changed_meanwhile(gateway, number).await?);
    }
    answer_with(gateway, number).await
}

/// Answers with the whole document as it is after a decision.
pub async fn answer_with(gateway: &Gateway, number: DocumentNumber) -> DecisionAnswer {
    let detail = move |g: &Gateway| match g.journal.document(number)? {
        Some(entry) => detail(g, entry),
        None => Err(Problem::internal(format!(
            "document {number} no longer exists"
        ))),
    };
    reading(gateway, detail).await.map(Json)
}

/// Builds the refusal if another decision came between reading the document and changing it.
pub async fn changed_meanwhile(
    gateway: &Gateway,
    number: DocumentNumber,
) -> Result<Problem, Problem> {
    reading(gateway, move |g| {
        Ok(match g.journal.document(number)? {
            Some(entry) => not_parked(&entry),
            None => Problem::internal(format!("document {number} no longer exists")),
        })
    })
    .await
}

/// Checks that the reason code takes the answer of the request.
fn check_answer(code: &Code<ReasonCode>, with: Option<&str>) -> Result<Option<Answer>, Problem> {
    let Some(with) = with else {
        return Ok(None);
    };
    let answers: Vec<Answer> = code.answers().collect();
    if let Some(answer) = answers.iter().find(|answer| answer.as_str() == with) {
        return Ok(Some(*answer));
    }
    Err(Problem::bad(
        format!(
            "\"with\" is {:?}, which a document with reason {code:?} does not take",
            shorten(with)
        ),
        if answers.is_empty() {
            "this reason takes no answer: omit --with (\"with\")".to_owned()
        } else {
            let answers: Vec<_> = answers.iter().map(|answer| answer.as_str()).collect();
            format!("give --with (\"with\") {}", answers.join(" or "))
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
        "nothing was changed: only parked documents take a decision",
    )
}

impl Body {
    /// Parses the body. `accepted` are the keys that this decision takes; an empty body has none.
    fn read(body: RawBody, accepted: &[&str]) -> Result<Self, Problem> {
        let bytes = read_bytes(body)?;
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let remedy = format!("send a JSON object with the keys {}", accepted.join(", "));
        let body: Self = serde_json::from_slice(&bytes)
            .map_err(|error| Problem::bad(format!("cannot read the body: {error}"), &remedy))?;
        for (key, there) in [
            ("with", body.with.is_some()),
            ("code", body.code.is_some()),
            ("after", body.after.is_some()),
        ] {
            if there && !accepted.contains(&key) {
                return Err(Problem::bad(
                    format!("this request does not take \"{key}\""),
                    remedy,
                ));
            }
        }
        Ok(body)
    }
}

pub fn read_bytes(body: RawBody) -> Result<Bytes, Problem> {
    body.map_err(|rejection| {
        Problem::new(
            rejection.status(),
            rejection.body_text(),
            "send a JSON object within the size limit",
        )
    })
}

impl Decision {
    pub fn of(by: Option<String>, reason: Option<String>, peer: Peer) -> Result<Self, Problem> {
        let by = check_text("by", by, BY_CHARS_MAX)?;
        let reason = check_text("reason", reason, REASON_CHARS_MAX)?;
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
            // The result of the last attempt stays until the next attempt has one.
            ..before
        };
        Ok(self.change(entry, progress, note))
    }

    /// Ends the document: it will never be posted. `what` is the change, which precedes the reason
    /// in the note.
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

    /// Returns who decided, and the note with the reason, for an audit record.
    pub fn sign(&self, mut note: String) -> (String, String) {
        if let Some(reason) = &self.reason {
            note = format!("{note}: {reason}");
        }
        if let Some(over) = &self.over {
            note = format!("{note} (sent by user {over})");
        }
        (format!("user:{}", self.by), note)
    }

    fn change(&self, entry: &Entry, progress: Progress, note: String) -> Change {
        let (by, note) = self.sign(note);
        Change {
            number: entry.document.number,
            expect: document::State::Parked,
            progress,
            by,
            note,
        }
    }
}

/// Checks a text of a person: one line, not too long. `None`: it is absent or blank.
fn check_text(
    key: &str,
    value: Option<String>,
    chars_max: usize,
) -> Result<Option<String>, Problem> {
    let Some(value) = value else {
        return Ok(None);
    };
    let value = value.trim();
    if value.chars().count() > chars_max || value.chars().any(char::is_control) {
        return Err(Problem::bad(
            format!("the value of \"{key}\" is too long or has control characters"),
            format!("give one line of at most {chars_max} characters"),
        ));
    }
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

/// Finds the name of a user of this machine; the number if the user has no name.
fn user_name(uid: Option<u32>) -> String {
    let Some(uid) = uid else {
        return "unknown".to_owned();
    };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    find_user(&users, uid).unwrap_or_else(|| uid.to_string())
}

fn find_user(users: &str, uid: u32) -> Option<String> {
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
    fn without_a_name_the_person_is_the_user_at_the_other_end() {
        let decision = read("").unwrap();
        assert_eq!((decision.by.as_str(), decision.over), ("root", None));
        let decision = read(r#"{"by": "anna", "reason": " broken "}"#).unwrap();
        assert_eq!(decision.by, "anna");
        assert_eq!(decision.over.as_deref(), Some("root"));
        assert_eq!(decision.reason.as_deref(), Some("broken"));
    }

    #[test]
    fn a_body_that_cannot_be_read_is_refused() {
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
        assert_eq!(find_user(users, 1000).as_deref(), Some("anna"));
        assert_eq!(find_user(users, 1), None);
    }
}
