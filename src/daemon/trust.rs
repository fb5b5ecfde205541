//! Decides whether the wall clock can be trusted: a wrong clock would prune data that is not past
//! its time. Pure.
//!
//! The clock is trusted unless it shows a time before this version, has moved by more than
//! [`JUMP_MAX`] against the monotonic clock, or was at the start more than [`AHEAD_MAX`] later than
//! the last trusted time. After a gateway was off for that long, its clock is trusted once it has
//! run for [`PROBATION`]; until then the alarm gives people the time to set the clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::view::check::CLOCK_REMEDY;

/// A clock that moves so much against the monotonic one was set, rightly or wrongly: until the next
/// start.
const JUMP_MAX: SignedDuration = SignedDuration::from_hours(24);
/// A clock at the start may be this much later than when it was last right: longer than a holiday.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long one that was later than that has to run steadily.
const PROBATION: SignedDuration = SignedDuration::from_hours(24);
/// No correct clock shows an earlier time than that of this version: 2026-01-01T00:00:00Z.
const CLOCK_MIN_S: i64 = 1_767_225_600;

#[derive(Debug)]
pub struct Trust {
    /// When the clock was last right, as it said itself.
    last_right: Option<Timestamp>,
    /// Both clocks at the start, or when the wall clock was set to a time that is possible.
    began: Option<(Timestamp, Duration)>,
}

impl Trust {
    /// A check that continues from an earlier process.
    pub fn new(last_right: Option<Timestamp>) -> Self {
        Self {
            last_right,
            began: None,
        }
    }

    /// Compares both clocks. Returns the fault of the wall clock and what to do.
    pub fn doubt(&mut self, now: Timestamp, monotonic: Duration) -> Option<String> {
        if now.as_second() < CLOCK_MIN_S {
            self.began = None;
            return Some(format!(
                "The clock of this gateway shows {now}, which is wrong; {CLOCK_REMEDY}. Nothing is pruned until then."
            ));
        }
        let (wall, since) = *self.began.get_or_insert((now, monotonic));
        let passed = SignedDuration::try_from(monotonic.saturating_sub(since))
            .unwrap_or(SignedDuration::MAX);
        if now.duration_since(wall).saturating_sub(passed).abs() > JUMP_MAX {
            return Some(format!(
                "The clock of this gateway jumped to {now}: check it, then restart. Nothing is pruned until then."
            ));
        }
        if let Some(last) = self.last_right
            && wall.duration_since(last) > AHEAD_MAX
            && passed < PROBATION
        {
            let days = wall.duration_since(last).as_hours() / 24;
            return Some(format!(
                "The clock of this gateway says {now}, and was last seen to be right {days} days earlier. If it is wrong, set it and restart. \
                 Nothing is pruned for the first 24 hours."
            ));
        }
        self.last_right = Some(now);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + day * DAY).unwrap()
    }

    fn after(days: i64) -> Duration {
        Duration::from_secs((1_000 + days * DAY).unsigned_abs())
    }

    #[test]
    fn a_clock_that_runs_is_right_however_long() {
        let mut trust = Trust::new(None);
        for day in 0..400 {
            assert_eq!(trust.doubt(at(day), after(day)), None, "day {day}");
        }
        let mut later = Trust::new(Some(at(400)));
        assert_eq!(later.doubt(at(429), after(0)), None);
        // Once it was set back by hand, an earlier time is right.
        let mut earlier = Trust::new(Some(at(400)));
        assert_eq!(earlier.doubt(at(10), after(0)), None);
    }

    #[test]
    fn a_clock_that_is_far_ahead_at_the_start_is_believed_after_a_day() {
        let mut trust = Trust::new(Some(at(0)));
        let said = trust.doubt(at(1_000), after(0)).unwrap();
        assert!(said.contains("1000 days"), "{said}");
        let almost = after(1).checked_sub(Duration::from_secs(1)).unwrap();
        assert!(trust.doubt(at(1_001), almost).is_some());
        assert_eq!(trust.doubt(at(1_001), after(1)), None);
        // A person corrects the clock: that is a jump now, and a correct clock at the next start.
        let mut trust = Trust::new(Some(at(0)));
        assert!(trust.doubt(at(1_000), after(0)).is_some());
        assert!(trust.doubt(at(1), after(0)).unwrap().contains("jumped"));
        assert!(trust.doubt(at(3), after(2)).unwrap().contains("jumped"));
        assert_eq!(Trust::new(Some(at(0))).doubt(at(3), after(0)), None);
    }

    #[test]
    fn a_jump_or_an_impossible_time_is_doubted_until_it_is_undone() {
        let mut trust = Trust::new(None);
        assert_eq!(trust.doubt(at(0), after(0)), None);
        assert!(trust.doubt(at(3), after(1)).unwrap().contains("jumped"));
        assert_eq!(trust.doubt(at(2), after(2)), None);
        let mut trust = Trust::new(Some(at(0)));
        assert!(
            trust
                .doubt(at(-10_000), after(0))
                .unwrap()
                .contains("set it")
        );
        assert_eq!(trust.doubt(at(1), after(0)), None);
    }
}
