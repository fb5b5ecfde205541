//! Parses the parameters of lists.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use crate::document::State;
use crate::event::{EventType, Name};
use crate::journal::{EventFilter, EventState};
use crate::view::control::problem::Problem;
pub use crate::view::control::problem::shorten;
use crate::view::control::times;
use crate::view::gateway::SinceWhen;

pub const LIMIT_DEFAULT: usize = 100;
pub const LIMIT_MAX: usize = 1_000;

/// The states by which a list of rejected readings can be filtered.
pub const REJECTED_STATES: [&str; 1] = ["open"];
/// The states that an event can be in.
pub const EVENT_STATES: [&str; 7] = [
    "open",
    "waiting",
    "sending",
    "posted",
    "parked",
    "discarded",
    NO_DOCUMENT,
];
const NO_DOCUMENT: &str = "no_document";
/// The parameters of a list of events, in addition to `after` and `limit`.
pub const EVENT_PARAMETERS: [&str; 6] = ["device", "type", "state", "scans", "since", "until"];
const SCANS: [&str; 2] = ["unused", "wrong"];

pub type Pairs = Vec<(String, String)>;

/// The id in a request's path. A fault is answered as a [`Problem`], not as axum's plain text.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let refused = |why: &str| {
            Problem::bad(
                format!("the id in the path {why}"),
                "send it in UTF-8, percent-encoded",
            )
        };
        check_escapes(parts.uri.path()).map_err(|why| refused(&why))?;
        match Path::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(refused("is not UTF-8")),
        }
    }
}

/// The parameters of a request as text.
pub struct Parameters(pub Pairs);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse_pairs(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// Parses the part of a URI after the question mark. Refuses what is not percent-encoded UTF-8.
fn parse_pairs(query: &str) -> Result<Pairs, Problem> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let parse = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key).map_err(|why| refuse("the name of a parameter", &why))?;
        let value = decode(value).map_err(|why| refuse(&shorten(&key), &why))?;
        Ok((key, value))
    };
    pairs.map(parse).collect()
}

fn refuse(what: &str, why: &str) -> Problem {
    Problem::bad(
        format!("{what} {why}"),
        "send the text in UTF-8, percent-encoded: %25 is a percent sign",
    )
}

/// Decodes a name or a value. `Err`: why it cannot be decoded.
fn decode(text: &str) -> Result<String, String> {
    check_escapes(text)?;
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    let decoded = decoded.map_err(|_| "is not UTF-8".to_owned())?;
    Ok(decoded.into_owned())
}

/// Checks that two hexadecimal digits follow each percent sign. `Err`: the escape that is wrong.
fn check_escapes(text: &str) -> Result<(), String> {
    for (_, rest) in (text.match_indices('%')).map(|(at, _)| text.split_at(at)) {
        let digits = rest.as_bytes().get(1..3).unwrap_or_default();
        if digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            let escape: String = rest.chars().take(3).collect();
            return Err(format!("has {escape:?}, which is no percent-encoded byte"));
        }
    }
    Ok(())
}

/// The filter and the page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pub after: u64,
    pub limit: usize,
    pub device: Option<Name>,
    pub kind: Option<String>,
    pub state: Option<String>,
    /// The reason code of parked documents.
    pub code: Option<String>,
    /// Scans that never became a movement.
    pub scans: Option<Scans>,
    pub since: Option<SinceWhen>,
    pub until: Option<Timestamp>,
}

/// Why a scan never became a movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scans {
    /// Its device has no flow.
    Unused,
    /// Its flow answered with an error.
    Wrong,
}

impl Query {
    /// Parses the parameters. `accepted` are those that the path takes in addition to `after` and
    /// `limit`.
    pub fn parse(pairs: Pairs, accepted: &[&str], states: &[&str]) -> Result<Self, Problem> {
        let mut query = Self {
            limit: LIMIT_DEFAULT,
            ..Self::default()
        };
        for (key, value) in pairs {
            match key.as_str() {
                "after" => query.after = number("after", &value, 0, u64::MAX)?,
                "limit" => {
                    let limit = number("limit", &value, 1, LIMIT_MAX as u64)?;
                    query.limit = usize::try_from(limit).unwrap_or(LIMIT_MAX);
                }
                "device" if accepted.contains(&"device") => {
                    let name = Name::new(&value);
                    query.device = Some(name.map_err(|bad| {
                        Problem::bad(format!("device: {bad}"), "give one device's name")
                    })?);
                }
                "type" if accepted.contains(&"type") => {
                    let types: Vec<_> = EventType::all().map(|of| of.name).collect();
                    query.kind = Some(word("type", value, &types)?);
                }
                "state" if accepted.contains(&"state") => {
                    // People write all other codes with hyphens.
                    let value = match value.as_str() {
                        "no-document" => NO_DOCUMENT.to_owned(),
                        _ => value,
                    };
                    query.state = Some(word("state", value, states)?);
                }
                "code" if accepted.contains(&"code") => query.code = Some(shorten(&value)),
                "scans" if accepted.contains(&"scans") => {
                    let is_wrong = word("scans", value, &SCANS)? == "wrong";
                    query.scans = Some(if is_wrong {
                        Scans::Wrong
                    } else {
                        Scans::Unused
                    });
                }
                "since" if accepted.contains(&"since") => {
                    query.since = Some(times::since_when(&value)?);
                }
                "until" if accepted.contains(&"until") => {
                    query.until = Some(times::until(&value)?);
                }
                other => return Err(unknown(other, accepted)),
            }
        }
        if query.scans.is_some() && query.kind.is_some() {
            return Err(Problem::bad(
                "scans and type exclude each other",
                "omit type: scans lists only scans",
            ));
        }
        Ok(query)
    }

    /// The filter of a list of events. `since`: when the period began.
    pub fn event_filter(&self, since: Option<Timestamp>) -> EventFilter {
        let state = |name: &str| match name {
            "open" => Some(EventState::Open),
            NO_DOCUMENT => Some(EventState::NotNeeded),
            name => {
                let mut states = State::ALL.into_iter();
                states
                    .find(|state| state.as_str() == name)
                    .map(EventState::Sealed)
            }
        };
        EventFilter {
            device: self.device.clone(),
            event_type: match self.scans {
                Some(Scans::Unused) => Some(EventType::SCAN),
                _ => self.kind.as_deref().and_then(EventType::named),
            },
            state: self.state.as_deref().and_then(state),
            is_wrong: self.scans == Some(Scans::Wrong),
            since,
            until: self.until,
        }
    }
}

fn number(key: &str, value: &str, least: u64, most: u64) -> Result<u64, Problem> {
    match value.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(Problem::bad(
            format!("{key} is {:?}", shorten(value)),
            format!("give a whole number from {least} to {most}"),
        )),
    }
}

fn word(key: &str, value: String, accepted: &[&str]) -> Result<String, Problem> {
    if accepted.contains(&value.as_str()) {
        return Ok(value);
    }
    Err(Problem::bad(
        format!("{key} is {:?}", shorten(&value)),
        format!("give one of {}", accepted.join(", ")),
    ))
}

fn unknown(key: &str, accepted: &[&str]) -> Problem {
    let mut known = vec!["after", "limit"];
    known.extend(accepted);
    Problem::bad(
        format!("unknown parameter {:?}", shorten(key)),
        format!("use {}", known.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Pairs {
        (list.iter())
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn parse(list: &[(&str, &str)]) -> Result<Query, Problem> {
        Query::parse(pairs(list), &EVENT_PARAMETERS, &EVENT_STATES)
    }

    #[test]
    fn a_list_without_parameters_starts_at_the_beginning() {
        let query = parse(&[]).unwrap();
        assert_eq!((query.after, query.limit), (0, LIMIT_DEFAULT));
    }

    #[test]
    fn a_state_may_have_a_hyphen() {
        let query = parse(&[("state", "no-document")]).unwrap();
        assert_eq!(query.state.as_deref(), Some("no_document"));
    }

    #[test]
    fn each_state_and_type_becomes_a_filter() {
        let filter = |list: &[(&str, &str)]| parse(list).unwrap().event_filter(None);
        assert_eq!(filter(&[]), EventFilter::default());
        for state in EVENT_STATES {
            let filter = filter(&[("state", state)]);
            assert!(filter.state.is_some(), "{state}");
        }
        for event_type in EventType::all() {
            let filter = filter(&[("type", event_type.name)]);
            assert_eq!(filter.event_type, Some(event_type));
        }
        assert!(filter(&[("scans", "wrong")]).is_wrong);
        let unused = filter(&[("scans", "unused")]);
        assert_eq!(unused.event_type, Some(EventType::SCAN));
    }

    #[test]
    fn a_wrong_parameter_is_named_with_the_accepted_ones() {
        for (key, value, remedy) in [
            ("limit", "0", "1 to 1000"),
            ("limit", "1001", "1 to 1000"),
            ("after", "-1", "whole number"),
            ("after", "", "whole number"),
            ("device", "a/b", "device's name"),
            ("type", "transfers", "transfer"),
            ("state", "done", "posted"),
            ("scans", "all", "unused, wrong"),
            ("since", "yesterday", "shift or day"),
            ("until", "shift", "1h or 90m"),
            (
                "code",
                "x",
                "after, limit, device, type, state, scans, since, until",
            ),
            (
                "pretty",
                "1",
                "after, limit, device, type, state, scans, since, until",
            ),
        ] {
            let problem = parse(&[(key, value)]).unwrap_err();
            assert_eq!(problem.status, 400);
            assert!(problem.refusal.error.contains(key), "{problem:?}");
            assert!(problem.refusal.remedy.contains(remedy), "{problem:?}");
        }
    }

    #[test]
    fn parameters_are_percent_encoded_utf_8() {
        let read = parse_pairs("q=a%2Fb+c&state=%C3%A9%20&&x").unwrap();
        let expected = [("q", "a/b c"), ("state", "é "), ("x", "")];
        assert_eq!(read, pairs(&expected));
        for (query, named) in [
            ("q=%zz", "q has \"%zz\""),
            ("q=%", "q has \"%\""),
            ("q=100%", "q has \"%\""),
            ("limit=1&q=%4", "q has \"%4\""),
            ("q=%€", "q has"),
            ("device=%ff", "device is not UTF-8"),
            ("%zz=1", "the name of a parameter has"),
        ] {
            let problem = parse_pairs(query).unwrap_err();
            assert!(problem.refusal.error.starts_with(named), "{problem:?}");
        }
    }

    #[test]
    fn a_long_value_is_cut_in_the_answer() {
        let problem = parse(&[("state", &"x".repeat(100_000))]).unwrap_err();
        assert!(problem.refusal.error.len() < 200);
    }
}
