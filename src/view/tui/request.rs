//! Types: the requests of a person, and what a key did to a dialog. A dialog returns a [`Step`];
//! `app` takes the request out of the step and returns the request to its caller.

use crate::event::RejectedNumber;

/// A request of a person. `Quit` ends the screen; all others go to the daemon.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Quit,
    Retry {
        key: String,
        with: Option<&'static str>,
    },
    /// All documents that are parked with this reason code.
    RetryAll {
        code: String,
        with: Option<&'static str>,
    },
    /// The body is that of the control API.
    Edit {
        key: String,
        body: serde_json::Value,
    },
    Discard {
        key: String,
        reason: String,
    },
    /// Sends a rejected reading again; without a payload, unchanged.
    Resend {
        number: RejectedNumber,
        payload: Option<String>,
        /// Why; stored with the reading.
        reason: Option<String>,
    },
    Dismiss {
        number: RejectedNumber,
        reason: String,
    },
    /// All open rejected readings up to this number that have this reason code.
    DismissAll {
        upto: RejectedNumber,
        code: String,
        reason: String,
    },
}

/// The effect of a key on a dialog.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Stay,
    /// Close the dialog without a decision.
    Close,
    Done(Request),
}
