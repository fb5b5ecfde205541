//! How much of a long work on the journal is done, for those who show it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Two counts of the same unit, such as bytes or records. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct WorkDone {
    done: Arc<AtomicU64>,
    all: Arc<AtomicU64>,
}

impl WorkDone {
    pub(super) fn set_all(&self, all: u64) {
        self.all.store(all, Ordering::Relaxed);
    }

    pub fn add(&self, done: u64) {
        self.done.fetch_add(done, Ordering::Relaxed);
    }

    /// What is done. A page or record that is read twice counts twice.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// What there is to do; 0: not known yet.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }
}
