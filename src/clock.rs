//! The only reader of time.
//!
//! Everything that decides (`decode`, `assemble`, `forward::machine`) takes `now` as an argument;
//! what drives them asks here. `clippy.toml` forbids the standard clocks everywhere else.

use std::time::Instant;

use jiff::Timestamp;

/// The wall clock, in UTC. It may jump: use it for what people and Odoo read, never for waiting.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one module that may")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The monotonic clock: for measuring and waiting.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one module that may")]
pub fn instant() -> Instant {
    Instant::now()
}
