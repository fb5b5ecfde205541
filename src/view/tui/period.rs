//! The period that the sentence is about.

use jiff::{SignedDuration, Timestamp};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What the sentence counts: what was received since a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Period {
    /// Since the present shift began; without shifts, since the day began.
    #[default]
    Shift,
    Day,
    LastHour,
    Since(Timestamp),
}

impl Period {
    /// The parameter `since` of a status. A time that is in the future, because the clock went back
    /// after a person chose it, counts from now.
    #[must_use]
    pub fn parameter(self, now: Timestamp) -> String {
        match self {
            Self::Shift => "shift".to_owned(),
            Self::Day => "day".to_owned(),
            Self::LastHour => now.saturating_sub(HOUR).unwrap_or(now).to_string(),
            Self::Since(time) => time.min(now).to_string(),
        }
    }

    /// The name of the period for the title.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Shift => "shift",
            Self::Day => "day",
            Self::LastHour => "last hour",
            Self::Since(_) => "chosen time",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hour_has_an_hour_also_when_the_clock_of_the_site_changes() {
        // At 01:00 UTC the clocks of Berlin go back from 03:00 to 02:00.
        let now = "2026-10-25T01:20:00Z".parse().unwrap();
        assert_eq!(Period::LastHour.parameter(now), "2026-10-25T00:20:00Z");
    }

    #[test]
    fn each_period_is_a_parameter_of_the_status() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-23T08:15:30Z");
        assert_eq!(Period::default().parameter(now), "shift");
        assert_eq!(Period::Day.parameter(now), "day");
        assert_eq!(Period::LastHour.parameter(now), "2026-11-23T07:15:30Z");
        let time = at("2026-11-22T21:00:00Z");
        assert_eq!(Period::Since(time).parameter(now), "2026-11-22T21:00:00Z");
        let future = at("2026-11-23T08:20:00Z");
        assert_eq!(Period::Since(future).parameter(now), "2026-11-23T08:15:30Z");
    }
}
