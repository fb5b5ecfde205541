//! Rates, from successive states of the gateway.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::view::snapshot::Status;

/// The number of rates that the curves show: about one for each second.
const RATES_KEPT: usize = 240;

/// Rates of the last minutes, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    /// When each rate was measured.
    pub at: VecDeque<Timestamp>,
    /// In tenths of an event a second.
    pub stored: VecDeque<u64>,
    pub posted: VecDeque<u64>,
    /// Odoo's response time in milliseconds.
    pub latency: VecDeque<u64>,
    last: Option<(Timestamp, u64, u64)>,
}

impl Rates {
    pub fn add(&mut self, status: &Status, now: Timestamp) {
        let (stored, posted) = (status.events.stored, status.events.posted);
        if let Some((then, stored_then, posted_then)) = self.last.replace((now, stored, posted)) {
            let Ok(millis @ 1..) = u64::try_from(now.duration_since(then).as_millis()) else {
                return;
            };
            let rate = |new: u64, old: u64| new.saturating_sub(old).saturating_mul(10_000) / millis;
            push(&mut self.at, now);
            push(&mut self.stored, rate(stored, stored_then));
            push(&mut self.posted, rate(posted, posted_then));
            push(&mut self.latency, status.odoo.latency_ms.unwrap_or(0));
        }
    }
}

fn push<T>(values: &mut VecDeque<T>, value: T) {
    if values.len() == RATES_KEPT {
        values.pop_front();
    }
    values.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_events_a_second() {
        let mut rates = Rates::default();
        let mut status = Status::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        rates.add(&status, at(0));
        status.events.stored = 10;
        rates.add(&status, at(2));
        assert_eq!(rates.stored, [50], "tenths");
        // The clock stood still or went back: there is no rate.
        rates.add(&status, at(2));
        assert_eq!(rates.stored, [50]);
    }
}
