//! How far the gateway's clock is ahead of Odoo's.
//!
//! **In**: the gateway's time, and the time in the `Date` header of an answer. **Out**: the
//! difference. Pure.

use jiff::{SignedDuration, Timestamp};

/// A server's time that is at most so much older than the gateway's is the same time.
const SAME_TIME_MAX: SignedDuration = SignedDuration::from_millis(1_500);

/// The header has whole seconds, and an answer takes time: a small difference counts as zero.
pub fn ahead_of(now: Timestamp, server: Timestamp) -> SignedDuration {
    let ahead = now.duration_since(server);
    if (SignedDuration::ZERO..=SAME_TIME_MAX).contains(&ahead) {
        return SignedDuration::ZERO;
    }
    ahead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_the_header_cannot_show_is_zero() {
        let server: Timestamp = "2026-11-29T08:00:00Z".parse().unwrap();
        for (milliseconds, ahead) in [
            (0, 0),
            (1_500, 0),
            (1_501, 1_501),
            (90_000, 90_000),
            (-1, -1),
            (-90_000, -90_000),
        ] {
            let now = server + SignedDuration::from_millis(milliseconds);
            let found = ahead_of(now, server).as_millis();
            assert_eq!(found, ahead, "{milliseconds}");
        }
    }
}
