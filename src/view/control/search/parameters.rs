//! Parses the parameters of a search. Pure.

use jiff::Timestamp;

use super::super::problem::Problem;
use super::super::query::{Pairs, shorten};
use super::cursor::Cursor;
use super::hits::term_kind;
use crate::event::Name;
use crate::journal::terms::{Kinds, Needle, TermKind};
use crate::view::records::HitKind;

const TEXT_BYTES_MAX: usize = 256;
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// Without white space around it.
    pub text: String,
    pub limit: usize,
    pub after: Option<Cursor>,
    /// `None`: results of all kinds.
    pub kind: Option<HitKind>,
    pub since: Option<Timestamp>,
}

impl SearchQuery {
    /// `raw`: the parameters as they were sent.
    pub fn parse(raw: &str, pairs: Pairs) -> Result<Self, Problem> {
        let mut query = Self {
            text: String::new(),
            limit: LIMIT_DEFAULT,
            after: None,
            kind: None,
            since: None,
        };
        let mut has_text = false;
        for (key, value) in pairs {
            match key.as_str() {
                "q" => {
                    has_text = true;
                    query.text = text(raw, &value)?;
                }
                "limit" => query.limit = limit(&value)?,
                "after" => query.after = Some(cursor(&value)?),
                "kind" => query.kind = Some(kind(&value)?),
                "since" => query.since = Some(since(&value)?),
                other => {
                    return Err(Problem::bad(
                        format!("unknown parameter {:?}", shorten(other)),
                        "use q, limit, after, kind, since",
                    ));
                }
            }
        }
        if has_text {
            Ok(query)
        } else {
            Err(Problem::bad("q is missing", "give the text to search as q"))
        }
    }

    /// The text as it is searched in documents.
    pub fn needle(&self) -> Needle {
        Needle::new(&self.text)
    }

    /// The text as it is searched in events and rejected readings: alone, and as `DEVICE/ID`.
    pub fn needles(&self) -> Vec<Needle> {
        let kinds = match self.kind.map(term_kind) {
            Some(Some(kind)) => Kinds::only(kind),
            _ => Kinds::ALL,
        };
        let mut needles = vec![self.needle().of(kinds)];
        let parts = self.text.split_once('/');
        if let Some((device, id)) = parts.filter(|(device, id)| {
            Name::new(device).is_ok() && !id.is_empty() && kinds.has(TermKind::Event)
        }) {
            let of_event = Needle::new(id).of(Kinds::only(TermKind::Event));
            needles.push(of_event.from_device(device));
        }
        needles
    }

    pub fn wants_events(&self) -> bool {
        self.kind.is_none_or(|kind| kind == HitKind::Event)
    }

    pub fn wants_names(&self) -> bool {
        self.kind.is_none_or(|kind| term_kind(kind).is_some())
    }
}

fn text(raw: &str, value: &str) -> Result<String, Problem> {
    if !(1..=TEXT_BYTES_MAX).contains(&value.len()) {
        return Err(Problem::bad(
            format!("q has {} bytes", value.len()),
            format!("give a text of 1 to {TEXT_BYTES_MAX} bytes"),
        ));
    }
    // Bytes that are not UTF-8 were replaced by U+FFFD, which in UTF-8 is EF BF BD.
    if value.contains('\u{fffd}') && !raw.to_ascii_lowercase().contains("%ef%bf%bd") {
        return Err(Problem::bad(
            "q is not UTF-8",
            "send the text in UTF-8, percent-encoded",
        ));
    }
    let text = value.trim();
    if text.is_empty() {
        return Err(Problem::bad(
            "q has only white space",
            "give a text to search",
        ));
    }
    Ok(text.to_owned())
}

fn limit(value: &str) -> Result<usize, Problem> {
    let limit = value.parse().ok();
    limit
        .filter(|limit| (1..=LIMIT_MAX).contains(limit))
        .ok_or_else(|| {
            Problem::bad(
                format!("limit is {:?}", shorten(value)),
                format!("give a whole number from 1 to {LIMIT_MAX}"),
            )
        })
}

fn cursor(value: &str) -> Result<Cursor, Problem> {
    value.parse().map_err(|_| {
        Problem::bad(
            format!("after is {:?}", shorten(value)),
            "give the next of the page before, with the same q, kind and since",
        )
    })
}

fn kind(value: &str) -> Result<HitKind, Problem> {
    HitKind::named(value).ok_or_else(|| {
        let kinds = HitKind::ALL.map(HitKind::as_str).join(", ");
        Problem::bad(
            format!("kind is {:?}", shorten(value)),
            format!("give one of {kinds}"),
        )
    })
}

fn since(value: &str) -> Result<Timestamp, Problem> {
    value.parse().map_err(|_| {
        Problem::bad(
            format!("since is {:?}", shorten(value)),
            "give a time such as 2026-11-30T06:00:00Z",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(list: &[(&str, &str)]) -> Result<SearchQuery, Problem> {
        let pairs = list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        SearchQuery::parse("", pairs.collect())
    }

    #[test]
    fn a_wrong_parameter_is_named_with_what_is_accepted() {
        let long = "x".repeat(257);
        for (key, value, remedy) in [
            ("q", "", "1 to 256 bytes"),
            ("q", &long, "1 to 256 bytes"),
            ("q", " \t", "text to search"),
            ("q", "\u{fffd}", "percent-encoded"),
            ("limit", "0", "1 to 200"),
            ("limit", "201", "1 to 200"),
            ("after", "7", "page before"),
            ("kind", "orders", "order, device"),
            ("since", "yesterday", "2026"),
            ("text", "x", "q, limit, after, kind, since"),
        ] {
            let problem = parse(&[(key, value)]).unwrap_err();
            assert_eq!(problem.status, 400);
            assert!(problem.refusal.error.contains(key), "{problem:?}");
            assert!(problem.refusal.remedy.contains(remedy), "{problem:?}");
            assert!(problem.refusal.error.len() < 200, "{problem:?}");
        }
        assert!(
            parse(&[("limit", "5")])
                .unwrap_err()
                .refusal
                .error
                .contains('q')
        );
    }

    #[test]
    fn a_text_is_trimmed_and_may_name_a_device_and_an_id() {
        let query = parse(&[("q", " pda-07/8c1f ")]).unwrap();
        assert_eq!((query.text.as_str(), query.limit), ("pda-07/8c1f", 50));
        let of = |text: &str, kind: &str| parse(&[("q", text), ("kind", kind)]).unwrap();
        assert_eq!(query.needles().len(), 2);
        assert_eq!(of("pda-07/8c1f", "order").needles().len(), 1);
        assert_eq!(of("pda 07/8c1f", "event").needles().len(), 1);
        let query = SearchQuery::parse("q=%EF%BF%BD", vec![("q".into(), "\u{fffd}".into())]);
        assert_eq!(query.unwrap().text, "\u{fffd}", "sent as such");
    }
}
