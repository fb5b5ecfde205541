//! The answer to a request that fails: a status, the error, and the remedy.

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::journal::{AppendError, JournalError};
use crate::view::records::Refusal;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    pub refusal: Refusal,
}

impl Problem {
    pub fn new(status: StatusCode, error: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status,
            refusal: Refusal {
                error: error.into(),
                remedy: remedy.into(),
                journal_damaged: false,
                faults: Vec::new(),
            },
        }
    }

    pub fn bad(error: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, remedy)
    }

    pub fn missing(error: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error, remedy)
    }

    pub fn internal(error: impl Into<String>) -> Self {
        let remedy = "see the daemon's log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error, remedy)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self.refusal)).into_response()
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        let JournalError::Damaged(damage) = &error else {
            return Self::internal(error.to_string());
        };
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let mut problem = Self::new(status, damage.what(), damage.remedy());
        problem.refusal.journal_damaged = true;
        problem
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        let remedy = match error {
            AppendError::Full | AppendError::Disk | AppendError::Share => {
                "free disk space or raise journal.budget, then send the request again; nothing was changed"
            }
            AppendError::Stopped => {
                "send the request again when the daemon has restarted; nothing was changed"
            }
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), remedy)
    }
}

/// Shortens a value for an error message.
pub fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

pub async fn unknown_path(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::missing(
        format!("unknown path {path:?}"),
        "use /v1/status, /v1/events, /v1/search, /v1/rejected, /v1/documents, /v1/parked, /v1/trace/ID, /v1/stream, /v1/config, /v1/pause or /v1/meaning",
    )
}

pub async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{path:?} does not take {method}"),
        "use GET to read; POST is for /v1/parked/ID/retry, /edit and /discard, /v1/parked/retry and /discard, /v1/documents/ID/undiscard, /v1/rejected/NUMBER/dismiss and /resend, /v1/rejected/dismiss, /v1/config/reload, /v1/config/bundle, /v1/config/rollback, /v1/pause, /v1/resume and /v1/meaning",
    )
}
