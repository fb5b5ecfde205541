//! The times at which shifts begin, and the start of the present shift. Pure.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use toml::Value;

use super::Config;

/// Limit of the shifts of a day.
const SHIFTS_MAX: usize = 24;

/// The shifts and the time zone that the configuration has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShiftRules {
    pub shifts: Shifts,
    /// `None`: the configuration names no time zone.
    pub zone: Option<TimeZone>,
}

impl ShiftRules {
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            shifts: config.shifts.clone(),
            zone: config.time_zone.clone(),
        }
    }
}

/// The times of a day at which shifts begin, rising. Empty: the day is the shift.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shifts(Vec<Time>);

impl Shifts {
    /// The value that a configuration may have.
    pub(super) const ACCEPTED: &'static str = "a list of up to 24 different times from \"00:00\" to \"23:59\", such as [\"06:00\", \"14:00\", \"22:00\"]";

    /// Reads a list of times; in an environment variable, a text with commas between them.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let times: Vec<&str> = match value {
            Value::Array(times) => times.iter().map(Value::as_str).collect::<Option<_>>()?,
            Value::String(text) if text.trim().is_empty() => Vec::new(),
            Value::String(text) => text.split(',').map(str::trim).collect(),
            _ => return None,
        };
        let mut times: Vec<Time> = times.into_iter().map(parse).collect::<Option<_>>()?;
        let written = times.len();
        times.sort_unstable();
        times.dedup();
        (times.len() == written && written <= SHIFTS_MAX).then_some(Self(times))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The times, as the configuration writes them.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|time| time.strftime("%H:%M").to_string())
            .collect()
    }

    /// Returns when the shift that runs at `now` began; without shifts, when the day began. A time
    /// that the clocks skip begins as much later; one that they repeat begins at its first time.
    #[must_use]
    pub fn began(&self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        let today = now.to_zoned(zone.clone()).date();
        let times = match self.0.as_slice() {
            [] => &[Time::midnight()],
            times => times,
        };
        // After the clocks were set back past midnight, the shift that runs may be of tomorrow.
        let days = [-1, 0, 1].into_iter().filter_map(|days| {
            let day = today.checked_add(Span::new().days(days)).ok()?;
            Some(times.iter().map(move |time| day.to_datetime(*time)))
        });
        let begins = days.flatten().filter_map(|begin| {
            let begin = zone.to_ambiguous_zoned(begin).compatible().ok()?;
            Some(begin.timestamp()).filter(|begin| *begin <= now)
        });
        begins.max().unwrap_or(now)
    }
}

/// `06:00`, and nothing else.
fn parse(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let is_number = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(hour) || !is_number(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shifts(times: &[&str]) -> Option<Shifts> {
        let times = times.iter().map(|time| Value::from(*time)).collect();
        Shifts::read(&Value::Array(times))
    }

    fn began(times: &[&str], zone: &str, now: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let now: Timestamp = now.parse().unwrap();
        let began = shifts(times).unwrap().began(now, &zone);
        assert!(began <= now, "{began} is after {now}");
        began.to_string()
    }

    const THREE: [&str; 3] = ["06:00", "14:00", "22:00"];

    #[test]
    fn a_shift_runs_until_the_next_one_begins() {
        for (now, begin) in [
            ("2026-11-23T05:59:59Z", "2026-11-22T22:00:00Z"),
            ("2026-11-23T06:00:00Z", "2026-11-23T06:00:00Z"),
            ("2026-11-23T13:59:59Z", "2026-11-23T06:00:00Z"),
            ("2026-11-23T14:00:00Z", "2026-11-23T14:00:00Z"),
            ("2026-11-23T23:30:00Z", "2026-11-23T22:00:00Z"),
            ("2026-11-24T00:30:00Z", "2026-11-23T22:00:00Z"),
        ] {
            assert_eq!(began(&THREE, "Etc/UTC", now), begin, "{now}");
        }
        // In the zone of the site.
        let new_york = began(&THREE, "America/New_York", "2026-11-23T12:00:00Z");
        assert_eq!(new_york, "2026-11-23T11:00:00Z");
        // One shift a day: until its time, that of yesterday runs.
        let one = began(&["06:00"], "Etc/UTC", "2026-11-23T05:00:00Z");
        assert_eq!(one, "2026-11-22T06:00:00Z");
    }

    #[test]
    fn without_shifts_the_day_is_the_shift() {
        let day = began(&[], "America/New_York", "2026-11-23T04:59:00Z");
        assert_eq!(day, "2026-11-22T05:00:00Z");
        let day = began(&[], "America/New_York", "2026-11-23T05:00:00Z");
        assert_eq!(day, "2026-11-23T05:00:00Z");
    }

    #[test]
    fn a_shift_begins_once_when_the_clocks_change() {
        // 02:00 becomes 03:00 in Amsterdam at 01:00 UTC.
        let begin = began(&["02:30"], "Europe/Amsterdam", "2026-03-29T01:29:00Z");
        assert_eq!(begin, "2026-03-28T01:30:00Z", "that of yesterday");
        let begin = began(&["02:30"], "Europe/Amsterdam", "2026-03-29T01:31:00Z");
        assert_eq!(begin, "2026-03-29T01:30:00Z", "at 03:30");
        // 03:00 becomes 02:00 at 01:00 UTC: 02:30 is there twice.
        for now in ["2026-10-25T00:31:00Z", "2026-10-25T01:31:00Z"] {
            let begin = began(&["02:30"], "Europe/Amsterdam", now);
            assert_eq!(begin, "2026-10-25T00:30:00Z", "{now}");
        }
        // Havana: midnight does not exist, and 00:00 becomes 23:00 again... at 01:00.
        let begin = began(&[], "America/Havana", "2026-03-08T12:00:00Z");
        assert_eq!(begin, "2026-03-08T05:00:00Z", "the day begins at 01:00");
        // Scoresbysund in 2024: the day had 25 hours, and midnight was there twice.
        let first = began(&[], "Africa/Cairo", "2026-10-29T20:59:00Z");
        let second = began(&[], "Africa/Cairo", "2026-10-29T21:30:00Z");
        assert_eq!(first, second, "the clocks went back to 23:00");
    }

    #[test]
    fn only_different_times_of_a_day_are_accepted() {
        for bad in [
            &["24:00"][..],
            &["6:00"],
            &["06:60"],
            &["06:00:00"],
            &["+6:00"],
            &["06:00", "06:00"],
            &[""],
            &["noon"],
        ] {
            assert_eq!(shifts(bad), None, "{bad:?}");
        }
        let many: Vec<String> = (0..25).map(|minute| format!("00:{minute:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(shifts(&many), None);
        assert_eq!(Shifts::read(&Value::from(6)), None);
        let sorted = shifts(&["22:00", "06:00"]).unwrap();
        assert_eq!(sorted.texts(), ["06:00", "22:00"]);
        let variable = Shifts::read(&Value::from("06:00, 22:00"));
        assert_eq!(variable, Some(sorted));
        assert_eq!(Shifts::read(&Value::from("")), Some(Shifts::default()));
    }
}
