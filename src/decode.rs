//! Bytes become events, or rejections with a reason. Pure.

use crate::event::{Event, Rejection};
use crate::source::Reading;

/// All that a reading says, in its order; never empty.
///
/// **Invariant 2:** each part ends as an event (which the journal may find to be a duplicate) or as a rejection.
#[must_use]
pub fn decode(_reading: &Reading) -> Vec<Result<Event, Rejection>> {
    Vec::new()
}
