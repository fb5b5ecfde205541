//! The number of a reading. Events whose device gives no id get their ids from it.
//!
//! Guarantee: no two readings of one process have the same number, however many readings one read
//! brings. Across restarts and gateways, the random number of the process distinguishes readings.
//! No clock is involved: readings of the same nanosecond, and of a gateway that starts in 1970 each
//! time, have different numbers.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::rand_core::{OsRng, RngCore as _};

use crate::channel::EVENTS_MAX;

/// Event ids that one reading reserves: one for each event that a payload can hold.
const RESERVED: u64 = EVENTS_MAX as u64;

/// A number that no other reading has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReadingId {
    run: u64,
    first: u64,
}

impl ReadingId {
    /// The next number of this process.
    #[must_use]
    pub fn next() -> Self {
        static RUN: LazyLock<u64> = LazyLock::new(random);
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            run: *RUN,
            first: NEXT.fetch_add(RESERVED, Ordering::Relaxed),
        }
    }

    /// A number for tests: `number` counts the readings of the run `run`.
    #[must_use]
    pub const fn of(run: u64, number: u64) -> Self {
        Self {
            run,
            first: number.wrapping_mul(RESERVED),
        }
    }

    /// The id of the event at `index` (from 0) of the reading: `~`, then 32 hexadecimal digits.
    /// Within a process, ids rise.
    #[must_use]
    pub fn event_id(self, index: usize) -> String {
        let number = self.first.wrapping_add(index as u64);
        format!("~{:016x}{number:016x}", self.run)
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    match OsRng.try_fill_bytes(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        // The kernel returned no random bytes: the standard library seeds its hash maps from
        // another source.
        Err(_) => RandomState::new().build_hasher().finish(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn readings_of_several_threads_have_ids_of_their_own() {
        let ids = |_| {
            let take = || (0..5_000).map(|_| ReadingId::next()).collect::<Vec<_>>();
            std::thread::spawn(take)
        };
        let threads: Vec<_> = (0..4).map(ids).collect();
        let mut seen = HashSet::new();
        for thread in threads {
            let readings = thread.join().unwrap();
            assert!(readings.is_sorted_by_key(|id| id.event_id(0)), "ids rise");
            for id in readings {
                assert!(seen.insert(id.event_id(0)));
                assert!(seen.insert(id.event_id(EVENTS_MAX - 1)));
            }
        }
    }

    proptest! {
        #[test]
        fn events_of_different_places_have_different_ids(
            a in (any::<u64>(), 0..u64::MAX / RESERVED, 0..EVENTS_MAX),
            b in (any::<u64>(), 0..u64::MAX / RESERVED, 0..EVENTS_MAX),
            same_run: bool,
            same_reading: bool,
        ) {
            let b = (if same_run { a.0 } else { b.0 }, if same_reading { a.1 } else { b.1 }, b.2);
            let id = |(run, number, index)| ReadingId::of(run, number).event_id(index);
            prop_assert_eq!(id(a) == id(b), a == b);
            prop_assert_eq!(id(a).len(), 33);
        }
    }
}
