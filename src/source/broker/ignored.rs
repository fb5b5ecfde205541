//! Logs the messages that the client ignores: one line for many.

use std::time::{Duration, Instant};

use crate::clock;

/// The shortest time between two log lines about ignored messages.
const IGNORED_LOG: Duration = Duration::from_secs(10);

/// Logs ignored messages, but not each of them.
#[derive(Default)]
pub(super) struct Ignored {
    logged: Option<Instant>,
    since: u64,
}

impl Ignored {
    pub(super) fn log(&mut self, what: &str, why: &str) {
        self.since += 1;
        let now = clock::instant();
        if self
            .logged
            .is_none_or(|at| now.duration_since(at) >= IGNORED_LOG)
        {
            let what: String = what.chars().take(100).collect();
            tracing::warn!(?what, messages = self.since, "ignored {why}");
            self.logged = Some(now);
            self.since = 0;
        }
    }
}
