//! The only reader of time.
//!
//! Everything that decides (`decode`, `assemble`, `forward::machine`) takes `now` as an argument;
//! what drives them asks here. `clippy.toml` forbids the standard clocks everywhere else.

pub mod service;

use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The wall clock, in UTC. It may jump: use it for what people and Odoo read, never for waiting.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one module that may")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The time zone of the machine; UTC where it has none.
#[must_use]
pub fn zone() -> TimeZone {
    TimeZone::try_system().unwrap_or(TimeZone::UTC)
}

/// The monotonic clock: for measuring and waiting.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one module that may")]
pub fn instant() -> Instant {
    Instant::now()
}
