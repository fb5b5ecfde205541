//! The decisions of a person about parked documents: retry and discard.
//!
//! The decision goes through the journal's inbox like every other change, with its audit record,
//! and takes effect only if the document is still parked. Corrections are in `edit`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};

use super::body::{Fields, RawBody, read_bytes};
use super::problem::Problem;
use super::query::{Id, shorten};
use super::read::{detail, find_document};
use super::{BODY_BYTES_MAX, Gateway, reading};
use crate::clock;
use crate::document::{self, DocumentNumber, Progress, Reason, answer};
use crate::journal::{Change, Entry};
use crate::reason::{Answer, Code, ReasonCode};
use crate::view::http::Peer;
use crate::view::records::DocumentDetail;
use crate::view::rights::user_name;

/// The longest `by` and the longest `reason`, in characters.
const BY_CHARS_MAX: usize = 64;
const REASON_CHARS_MAX: usize = 500;

const RETRY: &str = r#"send nothing, or {"reason": "TEXT", "with": "allow"}"#;
const DISCARD: &str = r#"send {"reason": "TEXT"}"#;

/// The body of a decision. The user at the other end of the socket decides; `by` names the person
/// at a terminal that several people share.
#[derive(Debug, Default, PartialEq, Eq)]
struct Body {
    by: Option<String>,
    reason: Option<String>,
    with: Option<String>,
}

/// Who decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The user at the other end of the socket.
    by: String,
    /// The person whom the request names, if that is another name.
    claimed: Option<String>,
    pub reason: Option<String>,
}

pub type DecisionAnswer = Result<Json<DocumentDetail>, Problem>;

pub async fn retry(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    Id(id): Id,
    body: RawBody,
) -> DecisionAnswer {
    let body = Body::read(body, &["by", "reason", "with"], RETRY)?;
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
    let body = Body::read(body, &["by", "reason"], DISCARD)?;
    let decision = Decision::of(body.by, body.reason, peer)?;
    let reason = require_reason(&decision)?;
    let entry = find_parked(&gateway, id).await?;
    decide(&gateway, decision.discard(&entry, reason)).await
}

/// Returns the reason of a decision that ends a document, or revives a discarded one.
pub fn require_reason(decision: &Decision) -> Result<String, Problem> {
    decision.reason.clone().ok_or_else(|| {
        Problem::bad(
            "this decision needs a reason",
            "give it in \"reason\"; it is stored with the document",
        )
    })
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
pub fn check_answer(
    code: &Code<ReasonCode>,
    with: Option<&str>,
) -> Result<Option<Answer>, Problem> {
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

pub fn not_parked(entry: &Entry) -> Problem {
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
    /// Parses the body. `accepted`: the fields that this decision takes.
    fn read(
        body: RawBody,
        accepted: &'static [&'static str],
        remedy: &'static str,
    ) -> Result<Self, Problem> {
        let bytes = read_bytes(body, BODY_BYTES_MAX)?;
        let mut fields = Fields::read(&bytes, accepted, remedy)?;
        Ok(Self {
            by: fields.text("by")?,
            reason: fields.text("reason")?,
            with: if accepted.contains(&"with") {
                fields.text("with")?
            } else {
                None
            },
        })
    }
}

/// Takes the answer of a retry of several documents, which must be one of all answers.
pub fn take_answer(fields: &mut Fields) -> Result<Option<String>, Problem> {
    let with = fields.text("with")?;
    let is_known = |with: &String| Answer::ALL.iter().any(|answer| answer.as_str() == with);
    match with {
        Some(with) if !is_known(&with) => {
            let answers = Answer::ALL.map(Answer::as_str).join(", ");
            let with = shorten(&with);
            Err(fields.refuse(format!(
                "the field \"with\" is the text {with:?}; accepted are {answers}"
            )))
        }
        with => Ok(with),
    }
}

impl Decision {
    pub fn of(by: Option<String>, reason: Option<String>, peer: Peer) -> Result<Self, Problem> {
        let by = check_text("by", by, BY_CHARS_MAX)?;
        let reason = check_text("reason", reason, REASON_CHARS_MAX)?;
        let user = user_name(peer.uid);
        Ok(Self {
            claimed: by.filter(|by| *by != user),
            by: user,
            reason,
        })
    }

    /// Returns who decided (`user:NAME`), the person whom the request names, and the reason.
    pub fn into_parts(self) -> (String, Option<String>, Option<String>) {
        (format!("user:{}", self.by), self.claimed, self.reason)
    }

    pub fn discard(&self, entry: &Entry, reason: String) -> Change {
        let (state, code) = (document::State::Discarded, ReasonCode::Discarded);
        self.end(entry, state, code, reason, None)
    }

    pub fn retry(&self, entry: &Entry, with: Option<&str>) -> Result<Change, Problem> {
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
        if let Some(claimed) = &self.claimed {
            note = format!("{note} (named in the request: {claimed})");
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

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    const ROOT: Peer = Peer {
        uid: Some(0),
        gid: Some(0),
    };

    fn read(body: &str) -> Result<Decision, Problem> {
        let bytes = Ok(Bytes::copy_from_slice(body.as_bytes()));
        let body = Body::read(bytes, &["by", "reason"], DISCARD)?;
        Decision::of(body.by, body.reason, ROOT)
    }

    #[test]
    fn the_user_at_the_other_end_decides_and_a_claimed_name_stays_beside() {
        let decision = read("").unwrap();
        assert_eq!((decision.by.as_str(), decision.claimed), ("root", None));
        let decision = read(r#"{"by": "anna", "reason": " broken "}"#).unwrap();
        assert_eq!(decision.by, "root");
        assert_eq!(decision.claimed.as_deref(), Some("anna"));
        assert_eq!(decision.reason.as_deref(), Some("broken"));
    }

    #[test]
    fn an_answer_is_one_of_all_answers() {
        let read = |body: &str| {
            let mut fields = Fields::read(body.as_bytes(), &["with"], RETRY)?;
            take_answer(&mut fields)
        };
        let allow = read(r#"{"with": "allow"}"#).unwrap();
        assert_eq!(allow.as_deref(), Some("allow"));
        for bad in [r#"{"with": "maybe"}"#, r#"{"with": {"allow": true}}"#] {
            let problem = read(bad).unwrap_err();
            assert!(problem.refusal.error.contains("\"with\""), "{problem:?}");
        }
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
}
