//! Parses the time since which a status counts. Pure.

use jiff::Timestamp;

use super::problem::Problem;
use super::query::{Pairs, shorten};
use crate::view::gateway::SinceWhen;

/// The present shift and the present day, as a request names them.
const SHIFT: &str = "shift";
const DAY: &str = "day";

/// Parses the parameters of a status. `None`: the status has no window.
pub fn parse(pairs: Pairs) -> Result<Option<SinceWhen>, Problem> {
    let mut since = None;
    for (key, value) in pairs {
        if key != "since" {
            return Err(Problem::bad(
                format!("unknown parameter {:?}", shorten(&key)),
                "use since",
            ));
        }
        since = Some(time(&value)?);
    }
    Ok(since)
}

fn time(value: &str) -> Result<SinceWhen, Problem> {
    match value {
        SHIFT => return Ok(SinceWhen::Shift),
        DAY => return Ok(SinceWhen::Day),
        _ => {}
    }
    value.parse::<Timestamp>().map(SinceWhen::Time).map_err(|_| {
        Problem::bad(
            format!("since is {:?}", shorten(value)),
            "give a time with its offset, such as 2026-11-23T06:00:00Z (percent-encode a +), shift or day",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_one(key: &str, value: &str) -> Result<Option<SinceWhen>, Problem> {
        parse(vec![(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_time_the_shift_or_the_day_is_accepted() {
        assert_eq!(parse(Vec::new()), Ok(None));
        assert_eq!(parse_one("since", "shift"), Ok(Some(SinceWhen::Shift)));
        assert_eq!(parse_one("since", "day"), Ok(Some(SinceWhen::Day)));
        let time: Timestamp = "2026-11-23T05:00:00Z".parse().unwrap();
        let found = parse_one("since", "2026-11-23T06:00:00+01:00");
        assert_eq!(found, Ok(Some(SinceWhen::Time(time))));
    }

    #[test]
    fn another_text_or_parameter_is_refused() {
        for (key, value) in [
            ("since", ""),
            ("since", "06:00"),
            ("since", "2026-11-23T06:00:00"),
            ("since", "2026-11-23T06:00:00 01:00"),
            ("until", "shift"),
        ] {
            let problem = parse_one(key, value).unwrap_err();
            assert_eq!(problem.status, 400, "{key}={value}");
            assert!(problem.refusal.error.contains(key), "{problem:?}");
        }
    }
}
