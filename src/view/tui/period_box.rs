//! The box that chooses the period of the sentence.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use ratatui::crossterm::event::KeyCode;
use ratatui::text::Line;

use super::keys::Hint;
use super::period::Period;
use super::request::{Shown, Step};
use super::typing::{draw_typed, type_key};
use crate::view::words::Words;

/// The box in which a person chooses the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodBox {
    text: String,
    /// Why the typed text is no time.
    fault: Option<&'static str>,
    /// The time zone of the site, in which a person types a time.
    zone: TimeZone,
    /// A typed time is before it.
    now: Timestamp,
}

impl PeriodBox {
    #[must_use]
    pub fn new(zone: TimeZone, now: Timestamp) -> Self {
        Self {
            text: String::new(),
            fault: None,
            zone,
            now,
        }
    }

    /// Takes over the time of now.
    pub fn tick(&mut self, now: Timestamp) {
        self.now = now;
    }

    pub fn press(&mut self, key: KeyCode) -> Step {
        self.fault = None;
        match key {
            KeyCode::Esc => return Step::Close,
            // No time has a letter.
            KeyCode::Char('s') => return Step::Period(Period::Shift),
            KeyCode::Char('d') => return Step::Period(Period::Day),
            KeyCode::Char('h') => return Step::Period(Period::LastHour),
            KeyCode::Enter => match parse(self.text.trim(), self.now, &self.zone) {
                Ok(time) => return Step::Period(Period::Since(time)),
                Err(fault) => self.fault = Some(fault),
            },
            key => type_key(&mut self.text, key),
        }
        Step::Stay
    }

    #[must_use]
    pub fn show(&self, words: Words) -> Shown {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        let how = words.fill(
            "Press s, d or h, or type a time in {zone}: 06:00, or 2026-11-23 06:00.",
            &[("zone", zone)],
        );
        let line = |text: &str| Line::from(words.t(text).to_owned());
        let mut lines = vec![
            line("The sentence counts what was received since a time."),
            Line::default(),
            Line::from(how),
            Line::default(),
            draw_typed(&self.text, true),
        ];
        lines.push(Line::default());
        Shown {
            title: words.t("The period of the sentence").to_owned(),
            lines,
            fault: self.fault.map(|fault| words.t(fault).to_owned()),
            hints: vec![
                Hint::new(KeyCode::Char('s'), "s", words.t("shift")),
                Hint::new(KeyCode::Char('d'), "d", words.t("day")),
                Hint::new(KeyCode::Char('h'), "h", words.t("last hour")),
                Hint::new(KeyCode::Enter, "Enter", words.t("the typed time")),
                Hint::new(KeyCode::Esc, "Esc", words.t("cancel")),
            ],
        }
    }
}

/// Reads a time of a zone: `06:00` (today, or yesterday if it is later than now), a date, or a date
/// with a time. A time that a change of the clocks skips is the moment of the change; a time that
/// occurs twice is the first one: the period then has all that the person may mean.
fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, &'static str> {
    const FORMS: &str = "Type a time such as 06:00, or a date such as 2026-11-23 06:00.";
    let of = |time: DateTime| find_moment(time, zone).ok_or(FORMS);
    let today = now.to_zoned(zone.clone()).date();
    if let Ok(time) = Time::strptime("%H:%M", text) {
        let at = of(today.to_datetime(time))?;
        if at <= now {
            return Ok(at);
        }
        let before = today.yesterday().map_err(|_| FORMS)?;
        return of(before.to_datetime(time));
    }
    let time = DateTime::strptime("%Y-%m-%d %H:%M", text);
    let day = || Date::strptime("%Y-%m-%d", text).map(|day| day.to_datetime(Time::midnight()));
    let at = of(time.or_else(|_| day()).map_err(|_| FORMS)?)?;
    if at > now {
        return Err("This time is in the future.");
    }
    Ok(at)
}

/// The moment at which the clocks of a zone show a time. `None`: the time is out of range.
fn find_moment(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let found = zone.to_ambiguous_timestamp(time);
    let is_skipped = matches!(found.offset(), AmbiguousOffset::Gap { .. });
    let earlier = found.earlier().ok()?;
    if is_skipped {
        let change = zone.following(earlier).next()?;
        return Some(change.timestamp());
    }
    Some(earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn parse_in_berlin(text: &str) -> Result<Timestamp, &'static str> {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        parse(text, at("2026-11-23T08:15:30Z"), &zone)
    }

    #[test]
    fn a_time_of_the_site_is_today_or_yesterday() {
        assert_eq!(parse_in_berlin("06:00"), Ok(at("2026-11-23T05:00:00Z")));
        assert_eq!(parse_in_berlin("9:15"), Ok(at("2026-11-23T08:15:00Z")));
        assert_eq!(parse_in_berlin("22:00"), Ok(at("2026-11-22T21:00:00Z")));
    }

    #[test]
    fn a_time_that_the_clocks_skip_or_show_twice_leaves_nothing_out() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let parse_at = |text: &str, now: &str| parse(text, at(now), &zone);
        // On 29 March the clocks go from 02:00 to 03:00, at 01:00 UTC.
        let spring = "2026-03-29T10:00:00Z";
        assert_eq!(parse_at("01:59", spring), Ok(at("2026-03-29T00:59:00Z")));
        assert_eq!(parse_at("02:00", spring), Ok(at("2026-03-29T01:00:00Z")));
        assert_eq!(parse_at("02:30", spring), Ok(at("2026-03-29T01:00:00Z")));
        assert_eq!(parse_at("03:00", spring), Ok(at("2026-03-29T01:00:00Z")));
        let day = parse_at("2026-03-29", spring);
        assert_eq!(day, Ok(at("2026-03-28T23:00:00Z")));
        // On 25 October they go from 03:00 back to 02:00, at 01:00 UTC.
        let autumn = "2026-10-25T01:45:00Z";
        assert_eq!(parse_at("02:30", autumn), Ok(at("2026-10-25T00:30:00Z")));
        assert_eq!(parse_at("02:50", autumn), Ok(at("2026-10-25T00:50:00Z")));
        assert_eq!(parse_at("02:59", autumn), Ok(at("2026-10-25T00:59:00Z")));
        // The day of the change has 25 hours: 23:00 is that of the day before.
        let night = parse_at("23:00", autumn);
        assert_eq!(night, Ok(at("2026-10-24T21:00:00Z")));
        // In Santiago, the clocks skip the midnight of 6 September: the day begins at 01:00.
        let zone = TimeZone::get("America/Santiago").unwrap();
        let day = parse("2026-09-06", at("2026-09-06T12:00:00Z"), &zone);
        assert_eq!(day, Ok(at("2026-09-06T04:00:00Z")));
    }

    #[test]
    fn a_time_that_has_come_while_the_box_was_open_is_today() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let mut period = PeriodBox::new(zone, at("2026-11-23T04:59:00Z"));
        for c in "06:00".chars() {
            period.press(KeyCode::Char(c));
        }
        period.tick(at("2026-11-23T05:01:00Z"));
        let since = Period::Since(at("2026-11-23T05:00:00Z"));
        assert_eq!(period.press(KeyCode::Enter), Step::Period(since));
    }

    #[test]
    fn a_date_may_have_a_time_and_is_not_in_the_future() {
        let time = parse_in_berlin("2026-07-01 06:30");
        assert_eq!(time, Ok(at("2026-07-01T04:30:00Z")));
        let day = parse_in_berlin("2026-11-23");
        assert_eq!(day, Ok(at("2026-11-22T23:00:00Z")));
        assert!(
            parse_in_berlin("2026-11-24")
                .unwrap_err()
                .contains("future")
        );
        for text in [
            "",
            "6",
            "25:00",
            "2026-11-23 25:00",
            "2026-13-01",
            "-",
            "6:0:0",
        ] {
            assert!(
                parse_in_berlin(text).unwrap_err().contains("06:00"),
                "{text}"
            );
        }
    }
}
