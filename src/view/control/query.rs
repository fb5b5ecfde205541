//! Parses the parameters of lists. Pure.

use axum::extract::{FromRequestParts, Path, Query as UrlQuery};
use axum::http::request::Parts;

use crate::document::State;
use crate::event::{EventType, Name};
use crate::journal::{EventFilter, EventState};
use crate::view::control::problem::Problem;

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

pub type Pairs = Vec<(String, String)>;

/// The id in a request's path. A fault is answered as a [`Problem`], not as axum's plain text.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(rejection) => Err(Problem::bad(
                format!("cannot read the id: {}", rejection.body_text()),
                "send it in UTF-8, percent-encoded",
            )),
        }
    }
}

/// The parameters of a request as text.
pub struct Parameters(pub Pairs);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match UrlQuery::from_request_parts(parts, state).await {
            Ok(UrlQuery(pairs)) => Ok(Self(pairs)),
            Err(rejection) => Err(Problem::bad(
                format!("cannot read the parameters: {}", rejection.body_text()),
                "send ?key=value&key=value, percent-encoded",
            )),
        }
    }
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
                other => return Err(unknown(other, accepted)),
            }
        }
        Ok(query)
    }

    /// The filter of a list of events.
    pub fn event_filter(&self) -> EventFilter {
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
            event_type: self.kind.as_deref().and_then(EventType::named),
            state: self.state.as_deref().and_then(state),
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

/// Shortens a value for an error message.
pub fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
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
        Query::parse(pairs(list), &["device", "type", "state"], &EVENT_STATES)
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
        assert_eq!(parse(&[]).unwrap().event_filter(), EventFilter::default());
        for state in EVENT_STATES {
            let filter = parse(&[("state", state)]).unwrap().event_filter();
            assert!(filter.state.is_some(), "{state}");
        }
        for event_type in EventType::all() {
            let filter = parse(&[("type", event_type.name)]).unwrap().event_filter();
            assert_eq!(filter.event_type, Some(event_type));
        }
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
            ("code", "x", "after, limit, device, type, state"),
            ("pretty", "1", "after, limit, device, type, state"),
        ] {
            let problem = parse(&[(key, value)]).unwrap_err();
            assert_eq!(problem.status, 400);
            assert!(problem.refusal.error.contains(key), "{problem:?}");
            assert!(problem.refusal.remedy.contains(remedy), "{problem:?}");
        }
    }

    #[test]
    fn a_long_value_is_cut_in_the_answer() {
        let problem = parse(&[("state", &"x".repeat(100_000))]).unwrap_err();
        assert!(problem.refusal.error.len() < 200);
    }
}
