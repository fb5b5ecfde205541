//! Parses the parameters of a search.

use sha2::{Digest as _, Sha256};

use super::super::problem::Problem;
use super::super::query::{Pairs, shorten};
use super::super::times::since_when;
use super::cursor::Cursor;
use super::hits::term_kind;
use crate::event::{Name, Seq};
use crate::journal::terms::{Kinds, Needle, TermKind};
use crate::view::gateway::SinceWhen;
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
    pub since: Option<SinceWhen>,
    /// A digest of `text`, `kind` and `since`, for the cursor.
    pub digest: u32,
}

impl SearchQuery {
    pub fn parse(pairs: Pairs) -> Result<Self, Problem> {
        let mut query = Self {
            text: String::new(),
            limit: LIMIT_DEFAULT,
            after: None,
            kind: None,
            since: None,
            digest: 0,
        };
        let (mut has_text, mut since) = (false, String::new());
        for (key, value) in pairs {
            match key.as_str() {
                "q" => {
                    has_text = true;
                    query.text = text(&value)?;
                }
                "limit" => query.limit = limit(&value)?,
                "after" => query.after = Some(cursor(&value)?),
                "kind" => query.kind = Some(kind(&value)?),
                "since" => {
                    query.since = Some(since_when(&value)?);
                    since = value;
                }
                other => {
                    return Err(Problem::bad(
                        format!("unknown parameter {:?}", shorten(other)),
                        "use q, limit, after, kind, since",
                    ));
                }
            }
        }
        if !has_text {
            return Err(Problem::bad("q is missing", "give the text to search as q"));
        }
        query.digest = digest(&query.text, query.kind, &since);
        if query
            .after
            .is_some_and(|after| after.search != query.digest)
        {
            return Err(Problem::bad(
                "after is the next of another search",
                "give the next of the page before, with the same q, kind and since",
            ));
        }
        Ok(query)
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

    /// The number of an event that the text is, as lists show it: `123`, `event 123` or `seq:123`.
    pub fn event_number(&self) -> Option<Seq> {
        let text = self.text.as_str();
        let prefixes = ["event ", "seq:", "#"];
        let digits = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
        let digits = digits.unwrap_or(text);
        let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| is_number);
        number.filter(|_| self.wants_events())
    }

    pub fn wants_events(&self) -> bool {
        self.kind.is_none_or(|kind| kind == HitKind::Event)
    }

    pub fn wants_names(&self) -> bool {
        self.kind.is_none_or(|kind| term_kind(kind).is_some())
    }
}

fn text(value: &str) -> Result<String, Problem> {
    if !(1..=TEXT_BYTES_MAX).contains(&value.len()) {
        return Err(Problem::bad(
            format!("q has {} bytes", value.len()),
            format!("give a text of 1 to {TEXT_BYTES_MAX} bytes"),
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

/// The first four bytes of SHA-256: the same in all versions.
fn digest(text: &str, kind: Option<HitKind>, since: &str) -> u32 {
    let kind = kind.map_or("", HitKind::as_str);
    let parameters = format!("{kind}\n{since}\n{text}");
    let digest = Sha256::digest(parameters.as_bytes());
    let first = digest.iter().take(4);
    first.fold(0, |digest, byte| digest << 8 | u32::from(*byte))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(list: &[(&str, &str)]) -> Result<SearchQuery, Problem> {
        let pairs = list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        SearchQuery::parse(pairs.collect())
    }

    #[test]
    fn a_wrong_parameter_is_named_with_what_is_accepted() {
        let long = "x".repeat(257);
        for (key, value, remedy) in [
            ("q", "", "1 to 256 bytes"),
            ("q", &long, "1 to 256 bytes"),
            ("q", " \t", "text to search"),
            ("limit", "0", "1 to 200"),
            ("limit", "201", "1 to 200"),
            ("after", "7", "page before"),
            ("kind", "orders", "order, device"),
            ("since", "yesterday", "shift or day"),
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
    fn a_text_may_be_the_number_of_an_event() {
        let of = |text: &str| parse(&[("q", text)]).unwrap().event_number();
        for text in ["123", "event 123", "seq:123", "#123", " 123 "] {
            assert_eq!(of(text), Some(Seq::new(123)), "{text}");
        }
        for text in ["12a", "event", "event 1 2", "+123", "99999999999999999999"] {
            assert_eq!(of(text), None, "{text}");
        }
        let documents = parse(&[("q", "123"), ("kind", "document")]).unwrap();
        assert_eq!(documents.event_number(), None);
    }

    #[test]
    fn a_cursor_continues_only_its_own_search() {
        let digest = parse(&[("q", "abc")]).unwrap().digest;
        let cursor = format!("e7.9.8.7.6.{digest:08x}");
        let of = |parameters: &[(&str, &str)]| {
            let after = [("after", cursor.as_str())];
            parse(&[parameters, &after].concat())
        };
        assert!(of(&[("q", " abc "), ("limit", "7")]).is_ok());
        for other in [
            [("q", "abd"), ("limit", "7")],
            [("q", "abc"), ("kind", "event")],
            [("q", "abc"), ("since", "1h")],
        ] {
            let problem = of(&other).unwrap_err();
            assert_eq!(problem.refusal.error, "after is the next of another search");
        }
    }

    #[test]
    fn a_text_is_trimmed_and_may_name_a_device_and_an_id() {
        let query = parse(&[("q", " pda-07/8c1f ")]).unwrap();
        assert_eq!((query.text.as_str(), query.limit), ("pda-07/8c1f", 50));
        let of = |text: &str, kind: &str| parse(&[("q", text), ("kind", kind)]).unwrap();
        assert_eq!(query.needles().len(), 2);
        assert_eq!(of("pda-07/8c1f", "order").needles().len(), 1);
        assert_eq!(of("pda 07/8c1f", "event").needles().len(), 1);
    }
}
