//! The outcome of a call to Odoo, and of a document.
//!
//! No answer is neither success nor failure: it is *unknown* (**invariant 6**), which is a
//! [`Failure::Wait`] here, and the next step is always safe in both cases.

use std::time::Duration;

use thiserror::Error;

use crate::document::{OdooRef, Reason};
use crate::odoo_id::MoveLineId;
use crate::reason::ReasonCode;

/// Why a call to Odoo did not do what it should. Each variant is a decision of its caller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The fault passes by itself: the gateway retries without end. The outcome of the call is
    /// unknown.
    #[error("{message}")]
    Wait {
        message: String,
        /// How long the server asks the gateway to wait; zero: it asks for fewer requests (429).
        /// `None`: it asks for nothing.
        after: Option<Duration>,
        /// The call took too long, broke off, or a proxy gave it up: smaller calls may succeed.
        slow: bool,
    },
    /// Odoo refused the call: a person must decide.
    #[error("{message}")]
    Person {
        message: String,
        /// The refused documents, by their place in the call, each with Odoo's message. Empty:
        /// unknown.
        documents: Vec<(usize, String)>,
    },
    /// The link is held until a person does what `remedy` says.
    #[error("{message}; {remedy}")]
    Stop { message: String, remedy: String },
}

impl Failure {
    #[must_use]
    pub fn wait(message: impl Into<String>) -> Self {
        Self::Wait {
            message: message.into(),
            after: None,
            slow: false,
        }
    }

    #[must_use]
    pub fn person(message: impl Into<String>) -> Self {
        Self::Person {
            message: message.into(),
            documents: Vec::new(),
        }
    }

    #[must_use]
    pub fn stop(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Stop {
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

/// The outcome of a document that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Odoo has posted it: read back with exactly the lines of the document.
    Posted {
        odoo: OdooRef,
        already: bool,
        /// What Odoo did with the missing part of an order, for people.
        note: Option<String>,
    },
    /// Odoo has it because a person posted it there with these lines, which no other document may
    /// claim.
    Claimed {
        odoo: OdooRef,
        lines: Vec<MoveLineId>,
    },
    /// Odoo's data changed after the gateway looked them up: it must look them up again.
    Overtaken { why: String },
    /// Odoo answers, but not to calls about this document: its outcome is unknown, and the gateway
    /// defers it.
    Unanswered { why: String },
    /// Odoo or a rule refused it. `odoo`: the picking that Odoo has for it, if any.
    Refused {
        reason: Reason,
        odoo: Option<OdooRef>,
    },
}

impl Outcome {
    #[must_use]
    pub fn refused(code: ReasonCode, message: impl Into<String>, odoo: Option<OdooRef>) -> Self {
        Self::Refused {
            reason: Reason {
                code: code.into(),
                message: message.into(),
                lines: Vec::new(),
            },
            odoo,
        }
    }
}
