//! What became of a call to Odoo, and of a document.
//!
//! No answer is neither success nor failure: it is *unknown* (**invariant 6**), which is a
//! [`Failure::Wait`] here, and the next step is always one that is safe either way.

use std::time::Duration;

use thiserror::Error;

use crate::document::{OdooRef, Reason};

/// The reason codes that capturing and sending give; `docs/reason-codes.md` explains each to
/// people.
pub mod code {
    pub const UNKNOWN_PRODUCT: &str = "unknown-product";
    pub const UNIT_MISMATCH: &str = "unit-mismatch";
    pub const UNKNOWN_LOCATION: &str = "unknown-location";
    pub const UNKNOWN_LOT: &str = "unknown-lot";
    pub const UNKNOWN_PACKAGE: &str = "unknown-package";
    pub const AMBIGUOUS_PRODUCT: &str = "ambiguous-product";
    pub const AMBIGUOUS_LOCATION: &str = "ambiguous-location";
    pub const AMBIGUOUS_PACKAGE: &str = "ambiguous-package";
    pub const LOT_REQUIRED: &str = "lot-required";
    pub const LOTS_OFF: &str = "lots-off";
    pub const UNKNOWN_PARTNER: &str = "unknown-partner";
    pub const AMBIGUOUS_PARTNER: &str = "ambiguous-partner";
    pub const OWNER_AMBIGUOUS: &str = "owner-ambiguous";
    pub const ORDER_REQUIRED: &str = "order-required";
    pub const BIN_REQUIRED: &str = "bin-required";
    pub const PACKAGE_REQUIRED: &str = "package-required";
    pub const NEGATIVE_STOCK: &str = "negative-stock";
    pub const COUNTED_SINCE: &str = "counted-since";
    pub const COUNTED_TWICE: &str = "counted-twice";
    pub const CLOCK_IN_DOUBT: &str = "clock-in-doubt";
    pub const OPEN_PICKS: &str = "open-picks";
    pub const MEANING_CHANGED: &str = "meaning-changed";
    pub const NOT_DELIVERED: &str = "not-delivered";
    pub const OVER_RETURNED: &str = "over-returned";
    pub const SERIAL_QUANTITY: &str = "serial-quantity";
    pub const SERIAL_SEEN: &str = "serial-seen";
    pub const QUANTITY_PRECISION: &str = "quantity-precision";
    pub const MORE_THAN_ORDERED: &str = "more-than-ordered";
    pub const UNKNOWN_ORDER: &str = "unknown-order";
    pub const ORDER_DONE: &str = "order-done";
    pub const ORDER_CANCELLED: &str = "order-cancelled";
    pub const NOT_ON_ORDER: &str = "not-on-order";
    pub const UNSUPPORTED_TYPE: &str = "unsupported-type";
    pub const ODOO_REFUSED: &str = "odoo-refused";
    pub const NOT_VALIDATED: &str = "not-validated";
    pub const HELD_BACK: &str = "held-back";
    pub const NOT_WITHDRAWN: &str = "not-withdrawn";
    pub const ALREADY_POSTED: &str = "already-posted";
    pub const POSTED_LATE: &str = "posted-late";
    pub const ORDER_CHANGED: &str = "order-changed";
    pub const OVER_PICKED: &str = "over-picked";
    pub const UNDER_PICKED: &str = "under-picked";
    pub const OVER_RECEIVED: &str = "over-received";
    pub const UNDER_RECEIVED: &str = "under-received";
    pub const NOTHING_PICKED: &str = "nothing-picked";
    pub const CANCELLED_IN_ODOO: &str = "cancelled-in-odoo";
    pub const DIFFERS_IN_ODOO: &str = "differs-in-odoo";
    pub const UNKNOWN_OUTCOME: &str = "unknown-outcome";
    pub const UNKNOWN_EVENT: &str = "unknown-event";
    pub const NOT_UNDONE: &str = "not-undone";
    pub const MOVED_UNSCANNED: &str = "moved-unscanned";

    /// Each code once. A test reads this file and holds it to be complete.
    pub const ALL: &[&str] = &[
        UNKNOWN_PRODUCT,
        UNIT_MISMATCH,
        UNKNOWN_LOCATION,
        UNKNOWN_LOT,
        UNKNOWN_PACKAGE,
        AMBIGUOUS_PRODUCT,
        AMBIGUOUS_LOCATION,
        AMBIGUOUS_PACKAGE,
        LOT_REQUIRED,
        LOTS_OFF,
        UNKNOWN_PARTNER,
        AMBIGUOUS_PARTNER,
        OWNER_AMBIGUOUS,
        ORDER_REQUIRED,
        BIN_REQUIRED,
        PACKAGE_REQUIRED,
        NEGATIVE_STOCK,
        COUNTED_SINCE,
        COUNTED_TWICE,
        CLOCK_IN_DOUBT,
        OPEN_PICKS,
        MEANING_CHANGED,
        NOT_DELIVERED,
        OVER_RETURNED,
        SERIAL_QUANTITY,
        SERIAL_SEEN,
        QUANTITY_PRECISION,
        MORE_THAN_ORDERED,
        UNKNOWN_ORDER,
        ORDER_DONE,
        ORDER_CANCELLED,
        NOT_ON_ORDER,
        UNSUPPORTED_TYPE,
        ODOO_REFUSED,
        NOT_VALIDATED,
        HELD_BACK,
        NOT_WITHDRAWN,
        ALREADY_POSTED,
        POSTED_LATE,
        ORDER_CHANGED,
        OVER_PICKED,
        UNDER_PICKED,
        OVER_RECEIVED,
        UNDER_RECEIVED,
        NOTHING_PICKED,
        CANCELLED_IN_ODOO,
        DIFFERS_IN_ODOO,
        UNKNOWN_OUTCOME,
        UNKNOWN_EVENT,
        NOT_UNDONE,
        MOVED_UNSCANNED,
    ];

    /// Codes of what was captured alone: no document is parked for them.
    pub const CAPTURED: [&str; 1] = [MORE_THAN_ORDERED];

    /// Codes of validations that more goods for the order may cure.
    pub const LACKING: [&str; 3] = [UNDER_PICKED, UNDER_RECEIVED, NOTHING_PICKED];

    /// Codes of documents that go back to waiting by themselves once Odoo's master data resolves
    /// them.
    pub const MASTER_DATA: [&str; 14] = [
        UNKNOWN_PRODUCT,
        UNIT_MISMATCH,
        UNKNOWN_LOCATION,
        UNKNOWN_LOT,
        UNKNOWN_PACKAGE,
        AMBIGUOUS_PRODUCT,
        AMBIGUOUS_LOCATION,
        AMBIGUOUS_PACKAGE,
        LOT_REQUIRED,
        UNKNOWN_PARTNER,
        AMBIGUOUS_PARTNER,
        // Where the policy is another one by now.
        ORDER_REQUIRED,
        UNKNOWN_OUTCOME,
        UNKNOWN_ORDER,
    ];
}

/// What a person should know of a document although it is not refused; `docs/reason-codes.md`
/// explains each.
pub mod flag {
    pub const TIME_CORRECTED: &str = "time-corrected";
    pub const CLOCK_IN_DOUBT: &str = "clock-in-doubt";
    pub const TIME_UNKNOWN: &str = "time-unknown";
    pub const CLOSED_PERIOD: &str = "closed-period";
    pub const NEGATIVE_STOCK: &str = "negative-stock";
    pub const COUNTED_SINCE: &str = "counted-since";
    pub const SUPERSEDED: &str = "superseded";
    pub const RECOUNTED: &str = "recounted";
    pub const WITHDRAWN: &str = "withdrawn";
    pub const POSTED_IN_ODOO: &str = "posted-in-odoo";
    pub const LEFT_IN_ODOO: &str = "left-in-odoo";
    pub const TAKEN_BACK: &str = "taken-back";
    pub const POSSIBLE_REPEAT: &str = "possible-repeat";

    /// Each flag once. A test reads this file and holds it to be complete.
    pub const ALL: &[&str] = &[
        TIME_CORRECTED,
        CLOCK_IN_DOUBT,
        TIME_UNKNOWN,
        CLOSED_PERIOD,
        NEGATIVE_STOCK,
        COUNTED_SINCE,
        SUPERSEDED,
        RECOUNTED,
        WITHDRAWN,
        POSTED_IN_ODOO,
        LEFT_IN_ODOO,
        TAKEN_BACK,
        POSSIBLE_REPEAT,
    ];
}

/// How a parked document came to an end that is not Odoo's.
pub mod ended {
    pub const DISCARDED: &str = "discarded";
    pub const REPLACED: &str = "replaced";
}

/// What a device is told of an event whose own line has no fault; no document is parked for it.
pub mod told {
    pub const DOCUMENT_PARKED: &str = "document-parked";
}

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
    Claimed { odoo: OdooRef, lines: Vec<i64> },
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
    pub fn refused(code: &str, message: impl Into<String>, odoo: Option<OdooRef>) -> Self {
        Self::Refused {
            reason: Reason {
                code: code.to_owned(),
                message: message.into(),
                lines: Vec::new(),
            },
            odoo,
        }
    }
}
