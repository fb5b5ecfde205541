//! Parses the time since which a status counts.

use super::problem::{Problem, shorten};
use super::query::Pairs;
use super::times::since_when;
use crate::view::gateway::SinceWhen;

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
        since = Some(since_when(&value)?);
    }
    Ok(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_takes_only_since() {
        let parse_one = |key: &str, value: &str| parse(vec![(key.to_owned(), value.to_owned())]);
        assert_eq!(parse(Vec::new()), Ok(None));
        assert_eq!(parse_one("since", "shift"), Ok(Some(SinceWhen::Shift)));
        let problem = parse_one("until", "shift").unwrap_err();
        assert!(problem.refusal.error.contains("until"), "{problem:?}");
    }
}
