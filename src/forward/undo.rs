//! Everything that reverses what was sent to Odoo, or keeps it from being sent.
//!
//! - `by_device`: a device takes one of its events back.
//! - `by_person`: a person discarded or corrected a document that Odoo still holds open.
//! - `late_effects`: a call without an answer took effect after its document was discarded,
//!   replaced or reversed.
//! - `remainder`: what is left of an event in its document, and which part is to be reversed. Pure.
//! - `withdraw`: cancels a picking of our own that is not posted, or removes our lines from an
//!   order.
//!
//! The transfer that reverses a posted document is built in `resolve::reverse`; lines are taken off
//! an order in `order::reduce`.

pub(super) mod by_device;
pub(super) mod by_person;
mod late_effects;
mod marks;
mod remainder;
pub(super) mod withdraw;
