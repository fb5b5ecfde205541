//! Types: the requests of a person, what a key did to a dialog, and what a dialog shows. A dialog
//! returns a [`Step`]; `app` takes the request out of the step and returns the request to its
//! caller.

use ratatui::text::Line;

use super::data::Subject;
use super::keys::Hint;
use super::period::Period;
use crate::document::DocumentNumber;
use crate::event::RejectedNumber;

/// A request of a person. `Quit` ends the screen; all others go to the daemon.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Quit,
    Retry {
        numbers: Vec<DocumentNumber>,
        with: Option<&'static str>,
    },
    /// All documents that are parked with this reason code.
    RetryAll {
        code: String,
        with: Option<&'static str>,
    },
    /// The body is that of the control API.
    Edit {
        number: DocumentNumber,
        body: serde_json::Value,
    },
    Discard {
        numbers: Vec<DocumentNumber>,
        reason: String,
    },
    /// Undoes the discard of a document.
    Undiscard {
        number: DocumentNumber,
        reason: String,
    },
    /// Sends rejected readings again; without a payload, unchanged.
    Resend {
        numbers: Vec<RejectedNumber>,
        payload: Option<String>,
        /// Why; stored with the reading.
        reason: Option<String>,
    },
    Dismiss {
        numbers: Vec<RejectedNumber>,
        reason: String,
    },
    /// All open rejected readings up to this number that have this reason code.
    DismissAll {
        upto: RejectedNumber,
        code: String,
        reason: String,
    },
}

/// How the daemon answered a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The daemon carried the request out, or a part of it: the notice says which.
    Done {
        notice: String,
        /// The documents and readings that the daemon decided about.
        decided: Vec<Subject>,
    },
    /// The daemon changed nothing, or did not answer; the text is the reason.
    Refused(String),
}

/// The effect of a key on a dialog.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Stay,
    /// Close the dialog without a decision.
    Close,
    /// Send the request; the dialog stays until the daemon has answered.
    Done(Request),
    /// Close the dialog and count since another time.
    Period(Period),
}

/// The text of a box.
pub struct Shown {
    pub title: String,
    pub lines: Vec<Line<'static>>,
    /// Why the last key had no effect: what is wrong, and what is valid.
    pub fault: Option<String>,
    pub hints: Vec<Hint>,
}
