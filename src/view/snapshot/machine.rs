//! The time until the journal or its disk is full, and the clock, for people.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::JournalSize;
use crate::board::ClockView;
use crate::journal::DISK_RESERVE_BYTES;
use crate::view::table::{grouped, plain, span};
use crate::view::words::Words;

/// The growth of a shorter time is no forecast.
const GROWTH_MIN: SignedDuration = SignedDuration::from_mins(10);

impl JournalSize {
    /// The time until the journal has reached its budget, at today's rate. `None`: it does not
    /// grow, or the daemon does not know the rate yet.
    #[must_use]
    pub fn budget_left(&self, now: Timestamp) -> Option<Duration> {
        self.time_for(self.budget_bytes.saturating_sub(self.bytes), now)
    }

    /// The time until the disk is full, at today's rate of the journal. `None`: as in
    /// [`Self::budget_left`], or the free space is not known.
    #[must_use]
    pub fn disk_left(&self, now: Timestamp) -> Option<Duration> {
        let free = self.disk_free_bytes?;
        self.time_for(free.saturating_sub(DISK_RESERVE_BYTES), now)
    }

    /// The time until the journal has grown by so many bytes.
    fn time_for(&self, bytes: u64, now: Timestamp) -> Option<Duration> {
        let growth = self.growth.filter(|growth| growth.bytes > 0)?;
        let passed = now.duration_since(growth.since);
        let passed = u64::try_from(passed.as_secs()).ok()?;
        if passed < GROWTH_MIN.as_secs().unsigned_abs() {
            return None;
        }
        let seconds = u128::from(bytes) * u128::from(passed) / u128::from(growth.bytes);
        Some(Duration::from_secs(
            u64::try_from(seconds).unwrap_or(u64::MAX),
        ))
    }
}

/// Describes a time until something is full: from one day on, in whole days.
#[must_use]
pub fn describe_left(left: Duration) -> String {
    match left.as_secs() / 86_400 {
        0 => span(left.as_secs()),
        days => format!("{} d", grouped(days)),
    }
}

/// Describes why the gateway trusts its clock or not, and what keeps the clock right.
#[must_use]
pub fn describe_clock(clock: &ClockView, words: Words) -> String {
    if !clock.trusted {
        return words.t("in doubt: see the alarm clock").to_owned();
    }
    let by = |text, service: &str| words.fill(text, &[("service", &plain(service))]);
    match (&clock.service, clock.synchronised) {
        (Some(service), Some(true)) => by("trusted, synchronised by {service}", service),
        (Some(service), Some(false)) => by("trusted, {service} has not synchronised it", service),
        (Some(service), None) => by("trusted, {service} runs", service),
        (None, _) => words.t("trusted, no time service found").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Growth;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + 60 * minute).unwrap()
    }

    fn grown(bytes: u64) -> JournalSize {
        JournalSize {
            bytes: 400,
            budget_bytes: 1_000,
            disk_free_bytes: Some(DISK_RESERVE_BYTES + 300),
            growth: Some(Growth {
                since: at(0),
                bytes,
            }),
            ..JournalSize::default()
        }
    }

    #[test]
    fn the_time_left_is_that_of_todays_rate() {
        let journal = grown(300);
        assert_eq!(journal.budget_left(at(60)), Some(2 * HOUR));
        assert_eq!(journal.disk_left(at(60)), Some(HOUR));
        // Half as fast.
        assert_eq!(journal.budget_left(at(120)), Some(4 * HOUR));
    }

    #[test]
    fn a_time_left_has_no_more_digits_than_a_forecast() {
        assert_eq!(describe_left(HOUR), "1:00:00");
        assert_eq!(describe_left(36 * HOUR), "1 d");
        assert_eq!(describe_left(24_000 * HOUR), "1,000 d");
    }

    #[test]
    fn without_a_rate_there_is_no_time_left() {
        assert_eq!(grown(0).budget_left(at(60)), None, "no growth");
        assert_eq!(grown(300).budget_left(at(9)), None, "too short");
        assert_eq!(grown(300).budget_left(at(-60)), None, "the clock went back");
        assert_eq!(JournalSize::default().budget_left(at(60)), None);
        let unknown = JournalSize {
            disk_free_bytes: None,
            ..grown(300)
        };
        assert_eq!(unknown.disk_left(at(60)), None);
        let full = JournalSize {
            disk_free_bytes: Some(7),
            ..grown(300)
        };
        assert_eq!(full.disk_left(at(60)), Some(Duration::ZERO));
    }

    #[test]
    fn the_clock_has_its_service_and_its_doubt() {
        let clock = |trusted, service: Option<&str>, synchronised| {
            let service = service.map(str::to_owned);
            let view = ClockView {
                trusted,
                service,
                synchronised,
            };
            describe_clock(&view, Words::ENGLISH)
        };
        let by = Some("chrony");
        assert_eq!(clock(false, by, None), "in doubt: see the alarm clock");
        assert_eq!(clock(true, by, None), "trusted, chrony runs");
        assert_eq!(clock(true, None, None), "trusted, no time service found");
        let by = Some("systemd-timesyncd");
        assert_eq!(
            clock(true, by, Some(true)),
            "trusted, synchronised by systemd-timesyncd"
        );
        assert_eq!(
            clock(true, by, Some(false)),
            "trusted, systemd-timesyncd has not synchronised it"
        );
    }
}
