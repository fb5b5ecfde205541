//! Rate limits: publishes of a client, failed log-ins of an address, lines in the log.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failed log-ins of one address within [`FAILURES_WINDOW`] before it is refused unheard.
pub const FAILURES_MAX: u32 = 10;
pub const FAILURES_WINDOW: Duration = Duration::from_mins(1);
/// Addresses that are remembered; when there are more, the oldest are forgotten.
const ADDRESSES_MAX: usize = 4_096;

/// A token bucket.
#[derive(Debug)]
pub struct Bucket {
    per_s: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// A limit that starts with one second's worth of events.
    pub fn new(per_s: u32, now: Instant) -> Self {
        Self::with_burst(per_s, per_s, now)
    }

    pub fn with_burst(per_s: u32, burst: u32, now: Instant) -> Self {
        Self {
            per_s: f64::from(per_s),
            burst: f64::from(burst),
            tokens: f64::from(burst),
            filled: now,
        }
    }

    /// Applies another rate, with one second's worth as the burst.
    pub fn set_rate(&mut self, per_s: u32) {
        (self.per_s, self.burst) = (f64::from(per_s), f64::from(per_s));
        self.tokens = self.tokens.min(self.burst);
    }

    pub fn is_full(&self) -> bool {
        self.tokens >= self.burst
    }

    pub fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_s).min(self.burst);
        self.filled = now;
    }

    pub fn is_empty(&self) -> bool {
        self.tokens < 1.0
    }

    /// The bucket may go below zero: the client then waits until it is refilled.
    pub fn take(&mut self, tokens: u32) {
        self.tokens -= f64::from(tokens);
    }

    /// The cost of a packet that becomes no event: a hundred such packets a second are enough.
    pub fn chore(&self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a hundredth of a u32"
        )]
        let hundredth = (self.per_s / 100.0) as u32;
        hundredth.max(1)
    }

    /// How long until there is a token. Many clients above their rate must not wake for each token.
    pub fn wait(&self) -> Duration {
        Duration::from_secs_f64((1.0 - self.tokens).max(0.0) / self.per_s)
            .max(Duration::from_millis(20))
    }
}

/// Counts failed log-ins by address.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<IpAddr, (u32, Instant)>>);

impl Failures {
    pub fn too_many(&self, address: IpAddr, now: Instant) -> bool {
        self.of(address, now) >= FAILURES_MAX
    }

    /// Failed log-ins of an address within the window.
    pub fn of(&self, address: IpAddr, now: Instant) -> u32 {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.get(&address)
            .filter(|(_, since)| now.saturating_duration_since(*since) < FAILURES_WINDOW)
            .map_or(0, |(count, _)| *count)
    }

    /// Removes a failure that was counted by mistake.
    pub fn forgive(&self, address: IpAddr) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((count, _)) = map.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                map.remove(&address);
            }
        }
    }

    pub fn count(&self, address: IpAddr, now: Instant) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= ADDRESSES_MAX && !map.contains_key(&address) {
            map.retain(|_, (_, since)| now.saturating_duration_since(*since) < FAILURES_WINDOW);
            if map.len() >= ADDRESSES_MAX
                && let Some(oldest) = map.iter().min_by_key(|(_, (_, since))| *since)
            {
                let oldest = *oldest.0;
                map.remove(&oldest);
            }
        }
        let entry = map.entry(address).or_insert((0, now));
        if now.saturating_duration_since(entry.1) >= FAILURES_WINDOW {
            *entry = (0, now);
        }
        entry.0 += 1;
    }
}

/// Lets a few log lines a while through, and counts the others.
#[derive(Debug, Default)]
pub struct Quiet(Mutex<(Option<Instant>, u32)>);

impl Quiet {
    const LINES_MAX: u32 = 20;
    const WINDOW: Duration = Duration::from_secs(10);

    /// Whether this line may be written.
    pub fn allows(&self, now: Instant) -> bool {
        let mut state = self.begin_window(now);
        state.1 = state.1.saturating_add(1);
        state.1 <= Self::LINES_MAX
    }

    /// Logs how many lines were left out, as soon as their window is over.
    pub fn report(&self, now: Instant) {
        drop(self.begin_window(now));
    }

    fn begin_window(&self, now: Instant) -> MutexGuard<'_, (Option<Instant>, u32)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = state
            .0
            .is_none_or(|since| now.saturating_duration_since(since) >= Self::WINDOW);
        if fresh {
            let held = state.1.saturating_sub(Self::LINES_MAX);
            if held > 0 {
                tracing::warn!(held, "further log lines about clients were left out");
            }
            *state = (Some(now), 0);
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_bucket_gives_its_rate_and_no_more() {
        let start = clock::instant();
        let mut bucket = Bucket::new(10, start);
        for _ in 0..10 {
            assert!(!bucket.is_empty());
            bucket.take(1);
        }
        assert!(bucket.is_empty());
        let wait = bucket.wait();
        assert!(wait > Duration::from_millis(90) && wait <= Duration::from_millis(100));
        bucket.refill(start + Duration::from_millis(500));
        let mut taken = 0;
        while !bucket.is_empty() {
            bucket.take(1);
            taken += 1;
        }
        assert_eq!(taken, 5);
        bucket.refill(start + Duration::from_hours(1));
        assert!(bucket.tokens <= 10.0);
    }

    #[test]
    fn an_address_that_fails_often_is_refused_for_a_while_alone() {
        let start = clock::instant();
        let failures = Failures::default();
        let (bad, good) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for _ in 0..FAILURES_MAX {
            assert!(!failures.too_many(bad, start));
            failures.count(bad, start);
        }
        assert!(failures.too_many(bad, start));
        assert!(!failures.too_many(good, start));
        assert!(!failures.too_many(bad, start + FAILURES_WINDOW));
    }

    #[test]
    fn addresses_are_forgotten_at_the_limit() {
        let start = clock::instant();
        let failures = Failures::default();
        for n in 0..u32::try_from(ADDRESSES_MAX).unwrap() + 100 {
            failures.count(IpAddr::from(n.to_be_bytes()), start);
        }
        assert_eq!(failures.0.lock().unwrap().len(), ADDRESSES_MAX);
    }

    #[test]
    fn the_log_is_not_flooded() {
        let start = clock::instant();
        let quiet = Quiet::default();
        let allowed = (0..1_000).filter(|_| quiet.allows(start)).count();
        assert_eq!(allowed, 20);
        // The count of lines that were left out is logged once the time is over, and once.
        quiet.report(start + Duration::from_secs(9));
        assert_eq!(quiet.0.lock().unwrap().1, 1_000);
        quiet.report(start + Duration::from_secs(10));
        assert_eq!(quiet.0.lock().unwrap().1, 0);
        assert!(quiet.allows(start + Duration::from_secs(10)));
    }
}
