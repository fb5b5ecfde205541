//! Parses the times in parameters.

use jiff::{SignedDuration, Timestamp};

use super::problem::{Problem, shorten};
use crate::clock;
use crate::view::gateway::SinceWhen;

/// The present shift and the present day, as a request names them.
const SHIFT: &str = "shift";
const DAY: &str = "day";
/// A time may be so far in the future: the clock of the client may be ahead.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Parses `since`: a time from 1970 to now, how long ago, `shift` or `day`.
pub fn since_when(value: &str) -> Result<SinceWhen, Problem> {
    since_at(value, clock::now())
}

fn since_at(value: &str, now: Timestamp) -> Result<SinceWhen, Problem> {
    match value {
        SHIFT => return Ok(SinceWhen::Shift),
        DAY => return Ok(SinceWhen::Day),
        _ => {}
    }
    let Some(time) = time(value, now) else {
        return Err(Problem::bad(
            format!("since is {:?}", shorten(value)),
            "give a time with its offset, such as 2026-11-23T06:00:00Z (percent-encode a +), how long ago, such as 1h or 90m, shift or day",
        ));
    };
    check_year("since", value, time)?;
    if time > now + AHEAD_MAX {
        return Err(Problem::bad(
            format!(
                "since is {:?}, which is in the future: the gateway's clock shows {now:.0}",
                shorten(value)
            ),
            "give a time before now",
        ));
    }
    Ok(SinceWhen::Time(time))
}

/// Parses `until`: a time from 1970 on, also in the future, or how long ago.
pub fn until(value: &str) -> Result<Timestamp, Problem> {
    let time = time(value, clock::now()).ok_or_else(|| {
        Problem::bad(
            format!("until is {:?}", shorten(value)),
            "give a time with its offset, such as 2026-11-23T06:00:00Z (percent-encode a +), or how long ago, such as 1h or 90m",
        )
    })?;
    check_year("until", value, time)?;
    Ok(time)
}

/// Checks that a period is not empty.
pub fn check_order(since: Option<Timestamp>, until: Option<Timestamp>) -> Result<(), Problem> {
    let Some((since, until)) = since.zip(until).filter(|(since, until)| since >= until) else {
        return Ok(());
    };
    Err(Problem::bad(
        format!("since ({since}) is not before until ({until}): no event was done between them"),
        "give an earlier since, or a later until",
    ))
}

/// A time, or the time so long ago.
fn time(value: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(time) = value.parse() {
        return Some(time);
    }
    let ago: SignedDuration = value.parse().ok()?;
    now.checked_sub(ago).ok().filter(|_| ago.is_positive())
}

fn check_year(key: &str, value: &str, time: Timestamp) -> Result<(), Problem> {
    if time >= Timestamp::UNIX_EPOCH {
        return Ok(());
    }
    Err(Problem::bad(
        format!("{key} is {:?}, which is before 1970", shorten(value)),
        "give a time from 1970 on",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn since(value: &str) -> Result<SinceWhen, Problem> {
        since_at(value, at("2026-11-30T12:00:00Z"))
    }

    #[test]
    fn a_time_how_long_ago_the_shift_or_the_day_is_accepted() {
        assert_eq!(since("shift"), Ok(SinceWhen::Shift));
        assert_eq!(since("day"), Ok(SinceWhen::Day));
        for (value, time) in [
            ("2026-11-23T06:00:00+01:00", "2026-11-23T05:00:00Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("2026-11-30T12:05:00Z", "2026-11-30T12:05:00Z"),
            ("1h", "2026-11-30T11:00:00Z"),
            ("90m", "2026-11-30T10:30:00Z"),
        ] {
            assert_eq!(since(value), Ok(SinceWhen::Time(at(time))), "{value}");
        }
    }

    #[test]
    fn another_text_or_time_is_refused() {
        for (value, named) in [
            ("", "such as"),
            ("06:00", "such as"),
            ("2026-11-23T06:00:00", "such as"),
            ("2026-11-23T06:00:00 01:00", "such as"),
            ("-1h", "such as"),
            ("0s", "such as"),
            ("99999999999h", "such as"),
            ("0000-01-01T00:00:00Z", "before 1970"),
            ("-009999-01-03T00:00:00Z", "before 1970"),
            ("9999-12-30T00:00:00Z", "clock shows 2026-11-30T12:00:00Z"),
            ("2026-11-30T12:05:01Z", "in the future"),
            ("99999-01-01T00:00:00Z", "such as"),
        ] {
            let problem = since(value).unwrap_err();
            let text = format!("{} {}", problem.refusal.error, problem.refusal.remedy);
            assert_eq!(problem.status, 400, "{value}");
            assert!(text.contains("since is") && text.contains(named), "{text}");
        }
    }

    #[test]
    fn until_may_be_in_the_future_and_is_after_since() {
        let late = until("9999-12-30T00:00:00Z").unwrap();
        let early = at("2026-11-30T12:00:00Z");
        assert_eq!(check_order(Some(early), Some(late)), Ok(()));
        assert_eq!(check_order(Some(late), None), Ok(()));
        for since in [early, late] {
            let problem = check_order(Some(since), Some(early)).unwrap_err();
            assert!(
                problem.refusal.error.contains("before until"),
                "{problem:?}"
            );
        }
        assert!(until("shift").is_err() && until("0000-01-01T00:00:00Z").is_err());
    }
}
