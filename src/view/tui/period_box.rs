//! The box that chooses the period of the sentence.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
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
    /// When the box was opened: a typed time is before it.
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
        if let Some(fault) = self.fault {
            lines.push(Line::from(format!("   {}", words.t(fault))));
        }
        lines.push(Line::default());
        Shown {
            title: words.t("The period of the sentence").to_owned(),
            lines,
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
/// with a time.
fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, &'static str> {
    const FORMS: &str = "Type a time such as 06:00, or a date such as 2026-11-23 06:00.";
    let of = |time: DateTime| {
        let zoned = time.to_zoned(zone.clone());
        zoned.map(|zoned| zoned.timestamp()).map_err(|_| FORMS)
    };
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
