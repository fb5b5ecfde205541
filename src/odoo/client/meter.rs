//! What learns of each request to Odoo: the sign of life of the part that waits for it, and the
//! durations by kind of call.

use std::time::Duration;

use crate::board::levels::{Call, Levels};
use crate::clock;
use crate::pulse::Pulse;

/// Learns of each request. The default learns nothing.
#[derive(Debug, Clone, Default)]
pub struct Meter(Option<(Pulse, Levels)>);

impl Meter {
    #[must_use]
    pub fn new(pulse: Pulse, levels: Levels) -> Self {
        Self(Some((pulse, levels)))
    }

    /// Sets the limit of the sign of life.
    pub fn set_limit(&self, limit: Duration) {
        if let Some((pulse, _)) = &self.0 {
            pulse.set_limit(limit);
        }
    }

    /// Makes the request. The part beats before it, and its duration counts also if it fails.
    pub(super) async fn measure<T>(&self, call: Call, request: impl Future<Output = T>) -> T {
        let Some((pulse, levels)) = &self.0 else {
            return request.await;
        };
        pulse.beat();
        let begun = clock::instant();
        let answer = request.await;
        levels.called(call, begun.elapsed());
        answer
    }
}
