//! What a person wants done outside of the screen, and what a key did to a dialog.

use crate::event::RejectedNumber;

/// What the person wants done outside of the screen.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    Quit,
    Retry {
        key: String,
        with: Option<&'static str>,
    },
    /// All that are parked for this reason code.
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
    /// Sends a rejected reading again; without a payload as it came.
    Resend {
        number: RejectedNumber,
        payload: Option<String>,
        /// Why, for whoever asks later.
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

/// What a key did to a dialog.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Stay,
    /// Nothing is decided.
    Close,
    Done(Wish),
}
