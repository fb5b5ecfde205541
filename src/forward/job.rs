//! A document that the machine sends, with its work in Odoo.

use super::order::OrderJob;
use crate::document::DocumentNumber;
use crate::odoo::Transfer;

/// A document whose state in the journal is *sending*, with Odoo's ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub number: DocumentNumber,
    pub work: Work,
    /// Whether the document was deferred before. Then it is alone in its batch, and one more call
    /// with an unknown outcome defers it again.
    pub is_deferred: bool,
}

/// The work to do in Odoo. Several transfers share a call. Work on an order has calls of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    Transfer(Transfer),
    Order(OrderJob),
}
