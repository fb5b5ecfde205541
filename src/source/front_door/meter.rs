//! Counts the bytes that wait for clients, over all sessions: clients that do not read must not
//! fill the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Limit, in bytes, of the messages that wait in all sessions. Each session may hold at most half
/// of the bytes that are still free, or [`FREE_BYTES`] if that is more.
const ALL_BYTES_MAX: usize = 8 << 20;
/// The bytes that each session may always hold.
const FREE_BYTES: usize = 4 << 10;

/// The bytes that wait in one session, and in all of them.
#[derive(Debug, Default)]
pub struct Meter {
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Meter {
    /// A meter for one of the sessions that share `all`.
    pub fn new(all: Arc<AtomicUsize>) -> Self {
        Self { bytes: 0, all }
    }

    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.all.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn subtract(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.all.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub fn set(&mut self, bytes: usize) {
        self.subtract(self.bytes);
        self.add(bytes);
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the sessions hold so many messages that none should send further ahead of its
    /// client.
    pub fn is_scarce(&self) -> bool {
        self.all.load(Ordering::Relaxed) > ALL_BYTES_MAX / 2
    }

    /// Whether the oldest messages have to go, so that other sessions find room.
    pub fn is_over(&self) -> bool {
        let all = self.all.load(Ordering::Relaxed);
        let free = ALL_BYTES_MAX.saturating_sub(all);
        self.bytes > FREE_BYTES.max(free / 2)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_sessions_that_are_not_read_keep_what_there_is_room_for() {
        let all = Arc::new(AtomicUsize::new(0));
        let mut sessions: Vec<_> = (0..1_000).map(|_| Meter::new(Arc::clone(&all))).collect();
        for _ in 0..1_000 {
            for session in &mut sessions {
                session.add(200);
                while session.is_over() {
                    session.subtract(200);
                }
            }
        }
        let kept = all.load(Ordering::Relaxed);
        assert!(kept <= ALL_BYTES_MAX + 1_000 * FREE_BYTES, "{kept}");
        assert!(sessions.iter().all(|session| session.bytes() > 3_000));
        drop(sessions);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_session_alone_keeps_megabytes() {
        let mut session = Meter::default();
        session.add(2 << 20);
        assert!(!session.is_over());
    }
}
