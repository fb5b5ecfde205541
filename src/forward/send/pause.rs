//! How long nothing is sent after a failure, and what ends a pause early. Pure.

use std::time::Duration;

use super::Machine;
use crate::outcome::Failure;

const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(1);
/// The longest pause while Odoo answers a ping: the gateway uses a restored link soon.
const PAUSE_ANSWERED_MAX: Duration = Duration::from_secs(15);
/// The time between two pings of a pause.
const PING_EVERY: Duration = Duration::from_secs(5);

/// The pings of a pause.
#[derive(Debug, Clone, Copy)]
pub struct Ping {
    paused_at: Duration,
    pub due: Duration,
    /// The last ping got no answer: the next ping that Odoo answers shows that the link is back,
    /// and ends the pause. The failed call says nothing about that, because Odoo may answer pings
    /// while its database is away.
    is_silent: bool,
}

impl Ping {
    /// The pings of a pause that starts now.
    pub fn new(now: Duration) -> Self {
        Self {
            paused_at: now,
            due: now + PING_EVERY,
            is_silent: false,
        }
    }
}

impl Machine {
    /// Processes a ping's result: an answer from Odoo shortens the pause, a server that asks for
    /// time lengthens it.
    pub(super) fn pinged(&mut self, answer: &Result<(), Failure>, now: Duration) {
        let Some(ping) = &mut self.ping else {
            return;
        };
        ping.due = now + PING_EVERY;
        match answer {
            Err(Failure::Wait { after: None, .. }) => ping.is_silent = true,
            Err(Failure::Wait {
                after: Some(after), ..
            }) => {
                self.ping = None;
                self.pause_until = self.pause_until.max(now + *after);
            }
            Ok(()) | Err(_) if ping.is_silent => self.pause_until = now,
            Ok(()) | Err(_) => {
                let soon = ping.paused_at + PAUSE_ANSWERED_MAX;
                self.pause_until = self.pause_until.min(soon);
            }
        }
    }
}

/// The pause after a failure. The time that a server asked for wins over the back-off.
pub fn pause(failures: u32, after: Option<Duration>, jitter: f64) -> Duration {
    match after {
        Some(after) if !after.is_zero() => after.max(BACKOFF_MIN),
        _ => backoff(failures, jitter),
    }
}

/// Half of the doubled delay is fixed and half is random, so that many gateways do not come back at
/// once.
pub fn backoff(failures: u32, jitter: f64) -> Duration {
    let full = BACKOFF_MIN
        .saturating_mul(1 << failures.min(6))
        .min(BACKOFF_MAX);
    (full / 2 + (full / 2).mul_f64(jitter.clamp(0.0, 1.0))).max(BACKOFF_MIN)
}
