//! Dates and times of element strings.

use jiff::civil::{Date, Time, time as civil_time};

/// The year that two digits mean: from 49 years before the given one to 50 years after it.
///
/// GS1 General Specifications section 7.12. Given years stay within what a [`Date`] can hold.
fn full_year(two_digits: i16, year: i16) -> i16 {
    let year = year.clamp(100, 9_800);
    let century = year - year % 100;
    match two_digits - year % 100 {
        51.. => century - 100 + two_digits,
        ..=-50 => century + 100 + two_digits,
        _ => century + two_digits,
    }
}

/// `YYMMDD`.
pub(super) fn day(digits: &str, year: i16) -> Option<Date> {
    let full_year = full_year(two(digits, 0)?, year);
    date(full_year, two(digits, 2)?, two(digits, 4)?)
}

/// `YYMMDD`, where day 00 is the last day of the month: section 3.4.
pub(in crate::decode) fn day_or_month(digits: &str, year: i16) -> Option<Date> {
    if two(digits, 4)? != 0 {
        return day(digits, year);
    }
    let full_year = full_year(two(digits, 0)?, year);
    date(full_year, two(digits, 2)?, 1).map(Date::last_of_month)
}

/// `YYYYMMDD`.
pub(super) fn day_of_full_year(digits: &str) -> Option<Date> {
    let year = two(digits, 0)? * 100 + two(digits, 2)?;
    date(year, two(digits, 4)?, two(digits, 6)?)
}

/// `HHMM`.
pub(super) fn time(digits: &str) -> Option<Time> {
    let (hour, minute) = (two(digits, 0)?, two(digits, 2)?);
    (hour < 24 && minute < 60).then(|| {
        let [hour, minute] = [hour, minute].map(|n| i8::try_from(n).unwrap_or_default());
        civil_time(hour, minute, 0, 0)
    })
}

fn date(year: i16, month: i16, day: i16) -> Option<Date> {
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Reads two digits of a text. `None`: other characters, such as a sign.
fn two(digits: &str, at: usize) -> Option<i16> {
    let two = digits.get(at..at + 2)?;
    let all = two.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| two.parse().ok())?
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn two_digits_are_the_year_that_is_nearest_to_the_given_one() {
        // The example of section 7.12: in 2026 two digits mean a year from 1977 to 2076.
        for (two_digits, year, full) in [
            (26, 2026, 2026),
            (76, 2026, 2076),
            (77, 2026, 1977),
            (99, 2026, 1999),
            (0, 2026, 2000),
            (0, 1999, 2000),
            (49, 1999, 2049),
            (50, 1999, 1950),
            (10, 2060, 2110),
            (11, 2060, 2011),
        ] {
            assert_eq!(full_year(two_digits, year), full, "{two_digits} in {year}");
        }
    }

    #[test]
    fn day_00_is_the_last_day_of_the_month() {
        assert_eq!(day_or_month("240200", 2026), Some(date(2024, 2, 29)));
        assert_eq!(day_or_month("261200", 2026), Some(date(2026, 12, 31)));
        assert_eq!(day_or_month("261231", 2026), Some(date(2026, 12, 31)));
        assert_eq!(day("261200", 2026), None);
        assert_eq!(day_or_month("260000", 2026), None);
    }

    #[test]
    fn no_year_and_no_text_make_it_panic() {
        for year in [i16::MIN, -1, 0, 99, 100, 9_999, i16::MAX] {
            assert!(day_or_month("991231", year).is_some());
            assert!(day("000101", year).is_some());
        }
        for text in ["", "1", "+1+1+1", "ääää"] {
            assert_eq!(day(text, 2026), None);
            assert_eq!(time(text), None);
        }
    }
}
