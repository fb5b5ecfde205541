//! GS1 Digital Link URIs: `https://any.host/any/path/01/04012345678901/10/ABC?17=261231`.
//!
//! "GS1 Digital Link Standard: URI Syntax". Compressed links are not read, nor the words of older
//! releases for application identifiers, such as `gtin`.

use std::fmt::Write as _;

use super::ai::Ai;
use super::elements::{Element, ElementString, unknown};
use super::error::{Gs1Error, Gs1ErrorKind, shorten};
use super::table::{Spec, TABLE};

/// The most pairs that a path can have: a primary key and its qualifiers.
const PAIRS_MAX: usize = 4;

/// Whether it is an address of the web.
pub(super) fn is_address(text: &str) -> bool {
    authority(text).is_some()
}

/// Whether it is an address whose path has a primary key of GS1.
pub(super) fn is_digital_link(text: &str) -> bool {
    Parts::of(text).is_some_and(|parts| parts.pairs().is_some())
}

/// Reads a Digital Link; `offset` is its place in the text that was given.
pub(super) fn read(link: &str, offset: usize, year: i16) -> Result<ElementString, Gs1Error> {
    let pairs = Parts::of(link).and_then(|parts| Some((parts.pairs()?, parts.query)));
    let Some((pairs, query)) = pairs else {
        return Err(no_key(link, offset));
    };
    check_order(&pairs, offset)?;
    let mut elements = ElementString::empty(year);
    for pair in &pairs {
        add(&mut elements, pair.ai, pair.value, offset + pair.at)?;
    }
    let qualifiers = pairs
        .first()
        .and_then(|key| key.spec.key)
        .unwrap_or_default();
    for (ai, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        // Keys that are no digits are a web site's own.
        if ai.is_empty() || !ai.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let at = offset + place(link, value);
        match Spec::of(ai) {
            None => return Err(unknown(ai, Some(offset + place(link, ai)))),
            Some(_)
                if qualifiers
                    .split([',', '|'])
                    .any(|qualifier| qualifier == ai) =>
            {
                let accepted = "a qualifier of the key in the path, behind the key";
                return Err(refused(Some(at), ai, accepted));
            }
            Some(spec) if spec.attribute => add(&mut elements, ai, value, at)?,
            Some(_) => {
                return Err(refused(
                    Some(at),
                    ai,
                    "an application identifier that may be after the ?",
                ));
            }
        }
    }
    Ok(elements)
}

/// One more element of a link. Each application identifier stands in a link once, also where the
/// value is the same.
fn add(elements: &mut ElementString, ai: &str, escaped: &str, at: usize) -> Result<(), Gs1Error> {
    let mut value = unescape(escaped, at)?;
    // Shorter item numbers may stand in a link, and mean the same as with their zeros.
    if matches!(ai, "01" | "02") && matches!(value.len(), 8 | 12 | 13) {
        value = format!("{value:0>14}");
    }
    if elements.get(ai).is_some() {
        let accepted = format!("({ai}) once in a link");
        return Err(Gs1Error {
            kind: Gs1ErrorKind::Repeated,
            ai: Ai::new(ai),
            ..refused(Some(at), &value, &accepted)
        });
    }
    elements.add(ai, &value, Some(at))
}

impl ElementString {
    /// As a Digital Link under a stem such as `https://id.gs1.org`: a primary key, its qualifiers,
    /// and the rest behind the `?`. An error where there is no key, or something may not stand in a
    /// link beside it.
    pub fn to_digital_link(&self, stem: &str) -> Result<String, Gs1Error> {
        if !is_address(stem) || stem.contains(['?', '#']) {
            return Err(refused(
                None,
                stem,
                "an address without ? and #, such as https://id.gs1.org",
            ));
        }
        for element in self.elements() {
            let key = Spec::of(element.ai.as_str()).and_then(|spec| spec.key);
            for alternative in key.into_iter().flat_map(|key| key.split('|')) {
                if let Some(link) = self.link(stem, element, alternative) {
                    return Ok(link);
                }
            }
        }
        let all = self.to_bracketed();
        Err(refused(
            None,
            &all,
            "a primary key, its qualifiers, and attributes that may stand in a link",
        ))
    }

    fn link(&self, stem: &str, key: &Element, qualifiers: &str) -> Option<String> {
        let mut link = stem.trim_end_matches('/').to_owned();
        push(&mut link, '/', key.ai.as_str(), '/', &key.value);
        for ai in qualifiers.split(',') {
            if let Some(value) = self.get(ai) {
                push(&mut link, '/', ai, '/', value);
            }
        }
        let mut mark = '?';
        for Element { ai, value } in self.elements() {
            if *ai == key.ai
                || qualifiers
                    .split(',')
                    .any(|qualifier| qualifier == ai.as_str())
            {
                continue;
            }
            // A qualifier of the key must not be after the ?.
            let is_qualifier = (Spec::of(key.ai.as_str()).and_then(|spec| spec.key))
                .is_some_and(|all| all.split([',', '|']).any(|one| one == ai.as_str()));
            if is_qualifier {
                return None;
            }
            Spec::of(ai.as_str()).filter(|spec| spec.attribute)?;
            push(&mut link, mark, ai.as_str(), '=', value);
            mark = '&';
        }
        Some(link)
    }
}

/// An application identifier of the path with its value, which is still escaped.
struct Pair<'a> {
    ai: &'a str,
    spec: &'static Spec,
    value: &'a str,
    at: usize,
}

/// What of an address matters here.
struct Parts<'a> {
    path: &'a str,
    path_at: usize,
    query: &'a str,
}

/// The address without its scheme.
fn authority(text: &str) -> Option<&str> {
    ["https://", "http://"].into_iter().find_map(|scheme| {
        let begin = text.get(..scheme.len())?;
        let rest = &text[scheme.len()..];
        let host = !rest.is_empty() && !rest.starts_with(['/', '?', '#']);
        (begin.eq_ignore_ascii_case(scheme) && host).then_some(rest)
    })
}

impl<'a> Parts<'a> {
    fn of(link: &'a str) -> Option<Self> {
        let rest = authority(link)?;
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = address.strip_suffix('/').unwrap_or(address);
        let path = &path[path.find('/')?..];
        Some(Self {
            path,
            path_at: place(link, path),
            query,
        })
    }

    /// Finds the primary key and its qualifiers, in order. It reads from the end, because any text
    /// may precede them.
    fn pairs(&self) -> Option<Vec<Pair<'a>>> {
        let mut pairs = Vec::new();
        let mut rest = self.path;
        while pairs.len() < PAIRS_MAX {
            let (before, value) = rest.rsplit_once('/')?;
            let (before, ai) = before.rsplit_once('/')?;
            let spec = Spec::of(ai)?;
            let at = self.path_at + place(self.path, value);
            pairs.push(Pair {
                ai,
                spec,
                value,
                at,
            });
            if spec.key.is_some() {
                pairs.reverse();
                return Some(pairs);
            }
            rest = before;
        }
        None
    }
}

/// Qualifiers must be those of the key, in the key's order.
fn check_order(pairs: &[Pair<'_>], offset: usize) -> Result<(), Gs1Error> {
    let [key, qualifiers @ ..] = pairs else {
        return Ok(());
    };
    let Some(accepted) = key.spec.key else {
        return Ok(());
    };
    let follows = |alternative: &str| {
        let mut order = alternative.split(',');
        qualifiers
            .iter()
            .all(|qualifier| order.any(|ai| ai == qualifier.ai))
    };
    if qualifiers.is_empty() || accepted.split('|').any(follows) {
        return Ok(());
    }
    let found: Vec<_> = qualifiers.iter().map(|qualifier| qualifier.ai).collect();
    let accepted = match accepted {
        "" => format!("nothing behind the key {}", key.ai),
        order => format!("behind the key {} some of {order} in this order", key.ai),
    };
    Err(refused(
        Some(offset + qualifiers[0].at),
        &found.join(", "),
        &accepted,
    ))
}

fn no_key(link: &str, offset: usize) -> Gs1Error {
    let error = refused(
        Some(offset),
        link,
        "an address with a primary key such as /01/ in its path",
    );
    if !seems_compressed(link) {
        return error;
    }
    Gs1Error {
        kind: Gs1ErrorKind::Compressed,
        accepted: "an uncompressed Digital Link, such as https://id.gs1.org/01/04012345678901"
            .to_owned(),
        ..error
    }
}

/// A compressed link ends in base64url whose first byte holds the first two digits of a primary
/// key, or one of the codes (with a letter) for a usual set of application identifiers.
fn seems_compressed(link: &str) -> bool {
    let Some(parts) = Parts::of(link) else {
        return false;
    };
    let last = parts.path.rsplit('/').next().unwrap_or_default();
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    };
    let bits: Option<Vec<u8>> = last.bytes().map(value).collect();
    let Some([first, second, ..]) = bits.as_deref().filter(|bits| bits.len() >= 8) else {
        return false;
    };
    let begin = format!("{first:02x}", first = first << 2 | second >> 4);
    let set = begin.starts_with(|first: char| first.is_ascii_digit())
        && begin.ends_with(|second: char| second.is_ascii_lowercase());
    let key = |spec: &Spec| spec.key.is_some() && spec.ai.starts_with(&begin);
    let number = last.bytes().all(|byte| byte.is_ascii_digit());
    !number && (set || TABLE.iter().any(key))
}

/// `%41` is `A`. A plus is itself: no value can have a space.
fn unescape(escaped: &str, offset: usize) -> Result<String, Gs1Error> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, escape)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        let hex = escape
            .get(..2)
            .filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let Some(byte) = byte.filter(u8::is_ascii) else {
            let found: String = escape.chars().take(2).collect();
            let at = offset + plain.len() + place(escaped, rest);
            return Err(refused(
                Some(at),
                &format!("%{found}"),
                "an escaped character, %21 to %7A",
            ));
        };
        bytes.push(byte);
        rest = &escape[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn push(link: &mut String, before: char, ai: &str, between: char, value: &str) {
    link.push(before);
    link.push_str(ai);
    link.push(between);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            link.push(char::from(byte));
        } else {
            let _ = write!(link, "%{byte:02X}");
        }
    }
}

/// Where a part of a text begins in it.
fn place(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

fn refused(offset: Option<usize>, found: &str, accepted: &str) -> Gs1Error {
    Gs1Error {
        kind: Gs1ErrorKind::Link,
        ai: None,
        offset,
        found: shorten(found),
        accepted: accepted.to_owned(),
    }
}
