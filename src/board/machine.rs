//! The machine that the gateway runs on: its clock, and the growth of the journal on its disk.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The time between two noted sizes.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// The limit of noted sizes: those of 26 hours.
const SIZES_MAX: usize = 26 * 12;

/// The clock of the gateway, which all its times are from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockView {
    /// Whether the gateway trusts its clock. If not, the alarm `clock` has the reason.
    pub trusted: bool,
    /// The service that synchronises the clock with time servers. `None`: no known one runs.
    pub service: Option<String>,
    /// Whether the service has synchronised the clock since the machine started. `None`: there is
    /// no service, or the service does not tell.
    pub synchronised: Option<bool>,
}

impl Default for ClockView {
    fn default() -> Self {
        Self {
            trusted: true,
            service: None,
            synchronised: None,
        }
    }
}

/// By how much the journal's file has grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    pub since: Timestamp,
    /// 0 also if the file has become smaller.
    pub bytes: u64,
}

/// Sizes of the journal since the daemon started, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Sizes(VecDeque<(Timestamp, u64)>);

impl Sizes {
    pub fn note(&mut self, at: Timestamp, bytes: u64) {
        let is_due = |(last, _): &(Timestamp, u64)| at.duration_since(*last) >= NOTE_EVERY;
        // Times that a clock showed before it was set back are of no use.
        self.0.retain(|(noted, _)| *noted <= at);
        if self.0.back().is_none_or(is_due) {
            if self.0.len() == SIZES_MAX {
                self.0.pop_front();
            }
            self.0.push_back((at, bytes));
        }
    }

    pub fn growth(&self, since: Timestamp, bytes: u64) -> Option<Growth> {
        let first = self.0.iter().find(|(at, _)| *at >= since);
        let (since, then) = *first.or(self.0.back())?;
        let bytes = bytes.saturating_sub(then);
        Some(Growth { since, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn growth_is_counted_from_the_first_size_after_a_time() {
        let mut sizes = Sizes::default();
        assert_eq!(sizes.growth(at(0), 500), None);
        for minute in 0..=12 {
            sizes.note(at(minute), 100 * minute.unsigned_abs());
        }
        let growth = |since, bytes| {
            let growth = sizes.growth(since, bytes).unwrap();
            (growth.since, growth.bytes)
        };
        // The daemon has started after this time.
        assert_eq!(growth(at(-60), 1_300), (at(0), 1_300));
        assert_eq!(growth(at(1), 1_300), (at(5), 800));
        assert_eq!(growth(at(10), 1_300), (at(10), 300));
        assert_eq!(growth(at(11), 1_300), (at(10), 300));
        assert_eq!(growth(at(10), 900), (at(10), 0), "the file became smaller");
    }

    #[test]
    fn sizes_of_a_day_are_stored_and_a_clock_that_goes_back_removes_later_ones() {
        let mut sizes = Sizes::default();
        for minute in 0..3 * 1_440 {
            sizes.note(at(minute), 7);
        }
        assert_eq!(sizes.0.len(), SIZES_MAX);
        assert!(sizes.0[0].0 <= at(3 * 1_440 - 25 * 60));
        sizes.note(at(0), 9);
        assert_eq!(sizes.0, [(at(0), 9)]);
    }
}
