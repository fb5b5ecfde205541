//! A pause: a person stops the sending to Odoo for a time, for a stocktake or an upgrade of Odoo.
//! Pure.
//!
//! A pause stops no collecting: the gateway stores and acknowledges every event meanwhile. The
//! record of a pause stays after its end, as the audit of who stopped the sending and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One pause, with who began it and who ended it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub since: Timestamp,
    /// When the pause ends by itself. `None`: a person ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who began it: `user:anna`.
    pub by: String,
    /// The person whom the request named, if that is another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How a person ended it. `None`: no person has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<PauseEnd>,
}

/// The end of a pause by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseEnd {
    pub at: Timestamp,
    /// Who ended it: `user:anna`.
    pub by: String,
    /// The person whom the request named, if that is another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Pause {
    /// Whether the pause still stops the sending.
    #[must_use]
    pub fn is_on(&self, now: Timestamp) -> bool {
        self.ended.is_none() && self.until.is_none_or(|until| now < until)
    }

    /// The name of the person who began it, as people write it.
    #[must_use]
    pub fn name(&self) -> &str {
        name_of(&self.by, self.named.as_deref())
    }
}

impl PauseEnd {
    /// The name of the person who ended it, as people write it.
    #[must_use]
    pub fn name(&self) -> &str {
        name_of(&self.by, self.named.as_deref())
    }
}

fn name_of<'a>(by: &'a str, named: Option<&'a str>) -> &'a str {
    named.unwrap_or_else(|| by.strip_prefix("user:").unwrap_or(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn pause() -> Pause {
        Pause {
            since: at(0),
            until: Some(at(60)),
            by: "user:root".to_owned(),
            named: None,
            reason: None,
            ended: None,
        }
    }

    #[test]
    fn a_pause_ends_at_its_time_or_by_a_person() {
        let timed = pause();
        assert!(timed.is_on(at(59)) && !timed.is_on(at(60)));
        let open = Pause {
            until: None,
            ..pause()
        };
        assert!(open.is_on(at(1_000_000)));
        let ended = Pause {
            ended: Some(PauseEnd {
                at: at(5),
                by: "user:anna".to_owned(),
                named: None,
                reason: None,
            }),
            ..pause()
        };
        assert!(!ended.is_on(at(6)));
    }

    #[test]
    fn the_named_person_goes_before_the_user_of_the_machine() {
        assert_eq!(pause().name(), "root");
        let named = Pause {
            named: Some("anna".to_owned()),
            ..pause()
        };
        assert_eq!(named.name(), "anna");
    }
}
