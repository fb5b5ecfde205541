//! What became of a call to Odoo, and of a document.
//!
//! No answer is neither success nor failure: it is *unknown* (**invariant 6**), which is a
//! [`Failure::Wait`] here, and the next step is always one that is safe either way.

use std::time::Duration;

use thiserror::Error;

use crate::document::{OdooRef, Reason};
use crate::odoo_id::MoveLineId;
use crate::reason::ReasonCode;

/// Why a call to Odoo did not do what it should. Each variant is a decision of its caller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// Passes by itself: try again later, for ever. What the call did is unknown.
    #[error("{message}")]
    Wait {
        message: String,
        /// The server asked for so much time; zero: for fewer requests, without naming a time
        /// (429). `None`: it asked for nothing.
        after: Option<Duration>,
        /// It took too long, broke half-way, or a proxy gave up on it: smaller calls may fare
        /// better.
        slow: bool,
    },
    /// Odoo refused it: for a person.
    #[error("{message}")]
    Person {
        message: String,
        /// Which of the call's documents, by their place in it, and what Odoo says of each. Empty:
        /// unknown which.
        documents: Vec<(usize, String)>,
    },
    /// The whole link is held until somebody does what `remedy` says.
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

/// What became of a document that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Read back from Odoo: done, with exactly the lines of the document.
    Posted {
        odoo: OdooRef,
        already: bool,
        /// What Odoo did besides, for people: with what was missing of an order.
        note: Option<String>,
    },
    /// Odoo has it because a person posted it there: these lines, which no other document may
    /// claim.
    Claimed {
        odoo: OdooRef,
        lines: Vec<MoveLineId>,
    },
    /// Odoo has something else by now than when it was looked up what to say: to be looked up
    /// again.
    Overtaken { why: String },
    /// Odoo answers, but never to calls about this document: unknown, and to be tried again later,
    /// out of the others' way.
    Unanswered { why: String },
    /// By Odoo or by rule; where Odoo holds a picking for it, it is named.
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
