//! The requests of a person to the daemon, and the effect of a key on a dialog.

use crate::event::RejectedNumber;
/// A request that the screen passes on: to the daemon, or to end.
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
