//! Pauses between attempts to connect to the broker.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// Pauses between attempts to connect. They double from `BACKOFF_MIN` to `BACKOFF_MAX`, each
/// shortened by up to a half by chance, so that the gateways of a company do not all come back in
/// the same moment.
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: BACKOFF_MIN }
    }
}

impl Backoff {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub fn next(&mut self, random: u16) -> Duration {
        let wait = self.next / 2 + self.next / 2 * u32::from(random) / u32::from(u16::MAX);
        self.next = (self.next * 2).min(BACKOFF_MAX);
        wait
    }
}

/// Chance enough to spread reconnects: the standard library seeds its hash maps with it.
#[must_use]
pub fn random() -> u16 {
    let bytes = RandomState::new().build_hasher().finish().to_le_bytes();
    u16::from_le_bytes([bytes[0], bytes[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_vary_by_half() {
        let mut longest = Backoff::new();
        let waits: Vec<_> = (0..8).map(|_| longest.next(u16::MAX).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        let mut shortest = Backoff::new();
        assert_eq!(shortest.next(0), BACKOFF_MIN / 2);
        assert_eq!(shortest.next(0), BACKOFF_MIN);
    }
}
