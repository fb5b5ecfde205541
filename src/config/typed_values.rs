//! A typed reader of the written values. It records the keys that are read; all others are unknown.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use toml::Value;

use super::fault::{Fault, MISSING};
use super::written::{Map, Origin, Written};

/// The longest path, name or URL that is accepted, in bytes: Linux's own limit on paths.
const TEXT_BYTES_MAX: usize = 4_095;

/// What a key accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRule {
    pub key: &'static str,
    /// In words, as in a fault.
    pub accepted: String,
    /// The least and the greatest number, in the unit of the key. `None`: the key is no whole
    /// number.
    pub range: Option<RangeInclusive<u64>>,
}

pub(super) struct Reader {
    directory: PathBuf,
    written: Map,
    pub known: Vec<&'static str>,
    /// What each known key accepts, as in faults; and its limits, if it is a number or a size.
    pub rules: Vec<KeyRule>,
    /// The keys that name a file, a directory, a port or a host.
    pub places: Vec<&'static str>,
    pub faults: Vec<Fault>,
}

impl Reader {
    pub fn new(directory: PathBuf, written: Map) -> Self {
        Self {
            directory,
            written,
            known: Vec::new(),
            rules: Vec::new(),
            places: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Whether a section is written, even an empty one.
    pub fn has(&self, section: &str) -> bool {
        self.written.iter().any(|(key, written)| {
            let below = key
                .strip_prefix(section)
                .is_some_and(|rest| rest.starts_with('.'));
            below || key == section && matches!(written.value, Value::Table(_))
        })
    }

    /// Whether the key is written.
    pub fn is_written(&self, key: &str) -> bool {
        self.written.contains_key(key)
    }

    /// Records a fault of the value at `key`. `found` must not contain a secret.
    pub fn fault(&mut self, key: &str, found: impl Into<String>, accepted: impl Into<String>) {
        let origin = self.written.get(key).map(|w| w.origin.to_string());
        self.faults.push(Fault {
            key: key.to_owned(),
            found: found.into(),
            accepted: accepted.into(),
            origin,
        });
    }

    pub fn missing(&mut self, key: &str, accepted: &str) {
        self.fault(key, MISSING, accepted);
    }

    /// Reads one key; a value that `read` does not accept is a fault.
    fn take<T>(
        &mut self,
        key: &'static str,
        accepted: &str,
        read: impl FnOnce(&Written) -> Option<T>,
    ) -> Option<T> {
        self.known.push(key);
        self.rules.push(KeyRule {
            key,
            accepted: accepted.to_owned(),
            range: None,
        });
        let written = self.written.get(key)?;
        let value = read(written);
        if value.is_none() {
            let found = describe(&written.value);
            self.fault(key, found, accepted);
        }
        value
    }

    /// Adds a hint to `accepted` if only the quotes are wrong in a file: a text without quotes, or
    /// (`in_quotes` false) a number or boolean with quotes.
    fn hint_at_quotes(&self, key: &str, accepted: &str, in_quotes: bool) -> String {
        let Some(written) = self.written.get(key) else {
            return accepted.to_owned();
        };
        let name = key.rsplit('.').next().unwrap_or(key);
        match &written.value {
            _ if !written.origin.is_typed() => accepted.to_owned(),
            Value::String(text) if !in_quotes && is_bare(text) => {
                format!("{accepted}, without quotes: {name} = {text}")
            }
            value @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_)) if in_quotes => {
                format!("{accepted}, in quotes: {name} = \"{}\"", describe(value))
            }
            _ => accepted.to_owned(),
        }
    }

    /// Reads a text that `read` can parse.
    pub fn parse_key<T>(
        &mut self,
        key: &'static str,
        accepted: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        // A port in quotes is not an address yet.
        let quoted = self.written.get(key).map(|it| describe(&it.value));
        let accepted = match quoted {
            Some(text) if read(&text).is_none() => accepted.to_owned(),
            _ => self.hint_at_quotes(key, accepted, true),
        };
        self.take(key, &accepted, |written| {
            written.value.as_str().and_then(read)
        })
    }

    /// Reads a value of any type.
    pub fn value<T>(
        &mut self,
        key: &'static str,
        accepted: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        self.take(key, accepted, |written| read(&written.value))
    }

    /// Reads a text of 1 to `bytes_max` bytes without control characters.
    pub fn text(&mut self, key: &'static str, bytes_max: usize) -> Option<String> {
        let accepted = format!("a text of 1 to {bytes_max} bytes");
        self.parse_key(key, &accepted, |text| {
            is_text(text, bytes_max).then(|| text.to_owned())
        })
    }

    /// Reads a path; a relative one starts at the configuration file's directory.
    pub fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.places.push(key);
        let directory = self.directory.clone();
        self.parse_key(key, "a path", |text| {
            is_text(text, TEXT_BYTES_MAX).then(|| directory.join(text))
        })
    }

    pub fn address(&mut self, key: &'static str) -> Option<SocketAddr> {
        self.places.push(key);
        let mut accepted =
            "an address and port such as 127.0.0.1:9464, 0.0.0.0:1883 or [::]:1883".to_owned();
        if let Some(Value::Integer(port)) = self.written.get(key).map(|it| &it.value) {
            let name = key.rsplit('.').next().unwrap_or(key);
            // Anyone who reaches the metrics can read them.
            let host = if name == "metrics" {
                "127.0.0.1"
            } else {
                "0.0.0.0"
            };
            accepted = format!("{accepted}, in quotes: {name} = \"{host}:{port}\"");
        }
        self.parse_key(key, &accepted, |text| SocketAddr::from_str(text).ok())
    }

    pub fn boolean(&mut self, key: &'static str, default: bool) -> bool {
        let read = |written: &Written| match &written.origin {
            Origin::Variable(_) => written.value.as_str()?.parse().ok(),
            _ => written.value.as_bool(),
        };
        let accepted = self.hint_at_quotes(key, "true or false", false);
        self.take(key, &accepted, read).unwrap_or(default)
    }

    pub fn integer<T: TryFrom<i64>>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
        default: T,
    ) -> T {
        let accepted = format!("a whole number from {} to {}", range.start(), range.end());
        let accepted = self.hint_at_quotes(key, &accepted, false);
        let value = self.take(key, &accepted, |written| {
            let number = match &written.origin {
                Origin::Variable(_) => written.value.as_str()?.parse().ok()?,
                _ => written.value.as_integer()?,
            };
            range.contains(&number).then(|| number.try_into().ok())?
        });
        // No key accepts a negative number.
        let least = u64::try_from(*range.start()).unwrap_or(0);
        self.limit(key, least..=u64::try_from(*range.end()).unwrap_or(0));
        value.unwrap_or(default)
    }

    /// Reads a fraction such as 0.2 as hundredths.
    pub fn hundredths(&mut self, key: &'static str, range: RangeInclusive<u8>, default: u8) -> u8 {
        let written = |hundredths: u8| f64::from(hundredths) / 100.0;
        let accepted = format!(
            "a number from {} to {}",
            written(*range.start()),
            written(*range.end())
        );
        let accepted = self.hint_at_quotes(key, &accepted, false);
        self.take(key, &accepted, |written| {
            let number: f64 = match (&written.origin, &written.value) {
                (Origin::Variable(_), value) => value.as_str()?.parse().ok()?,
                (_, Value::Integer(whole)) => i32::try_from(*whole).ok()?.into(),
                (_, value) => value.as_float()?,
            };
            // Exact to a hundredth: a finer number is a typing error.
            range
                .clone()
                .find(|hundredths| (number * 100.0 - f64::from(*hundredths)).abs() < 1e-6)
        })
        .unwrap_or(default)
    }

    /// Reads a size in bytes: a whole number, or a text with a unit.
    pub fn size<T: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        default: T,
    ) -> T {
        let accepted = format!(
            "a size from {} to {} bytes, as a whole number or with a unit (\"64 KiB\", \"500 MB\", \"1 GiB\")",
            range.start(),
            range.end()
        );
        let value = self.take(key, &accepted, |written| {
            let bytes = match &written.value {
                Value::String(text) => parse_size(text)?,
                value => u64::try_from(value.as_integer()?).ok()?,
            };
            range.contains(&bytes).then(|| bytes.try_into().ok())?
        });
        self.limit(key, range);
        value.unwrap_or(default)
    }

    /// Notes the limits of the key that was read last.
    fn limit(&mut self, key: &str, range: RangeInclusive<u64>) {
        if let Some(rule) = self.rules.last_mut().filter(|rule| rule.key == key) {
            rule.range = Some(range);
        }
    }

    /// Records a fault for each key that was written and never read. Its value is not shown: it may
    /// be a password in the wrong place.
    pub fn refuse_unknown(&mut self) {
        let sections: Vec<&str> = self
            .known
            .iter()
            .flat_map(|key| key.match_indices('.').map(|(at, _)| &key[..at]))
            .collect();
        let mut faults = Vec::new();
        for (key, written) in &self.written {
            let is_section = sections.contains(&key.as_str());
            if self.known.contains(&key.as_str())
                || is_section && matches!(written.value, Value::Table(_))
            {
                continue;
            }
            let (found, accepted) = if is_section {
                ("a single value".to_owned(), format!("a table [{key}]"))
            } else {
                let accepted = match nearest(key, &self.known) {
                    Some(near) => format!("{near}, if you mean that key"),
                    None => "a key of the reference, docs/configuration.md".to_owned(),
                };
                ("an unknown key".to_owned(), accepted)
            };
            faults.push(Fault {
                key: key.clone(),
                found,
                accepted,
                origin: Some(written.origin.to_string()),
            });
        }
        self.faults.extend(faults);
    }
}

/// Whether a text is a number or boolean, which TOML has without quotes.
fn is_bare(text: &str) -> bool {
    text.parse::<bool>().is_ok() || text.parse::<f64>().is_ok()
}

fn is_text(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Describes a value in a fault. A text with an `@` may be a URL with a password: it is not shown.
fn describe(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('@') => {
            "a text with an @, not shown because it may contain a password".to_owned()
        }
        Value::String(text) => {
            let beginning: String = text.chars().take(80).collect();
            let dots = if beginning.len() < text.len() {
                "..."
            } else {
                ""
            };
            format!("{beginning:?}{dots}")
        }
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Datetime(_) => "a date or time".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Table(_) => "a table".to_owned(),
    }
}

/// `1 GiB`, `500 MB`, `1.5GiB`, `4096`: whole bytes.
fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    let bytes = Decimal::from_str(number)
        .ok()?
        .checked_mul(Decimal::from(factor))?;
    bytes.is_integer().then(|| bytes.to_u64())?
}

/// Finds the known key that was most likely meant.
fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let parent = |key: &str| {
        key.rsplit_once('.')
            .map_or(String::new(), |(p, _)| p.to_owned())
    };
    let near = known
        .iter()
        .map(|candidate| (distance(key, candidate), *candidate))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, candidate)| candidate);
    near.or_else(|| {
        // `odoo.api_key` for `odoo.api_key_file`, then the right name in the wrong section.
        let is_beginning = |candidate: &&&str| {
            parent(candidate) == parent(key) && last(candidate).starts_with(&last(key))
        };
        let is_elsewhere = |candidate: &&&str| last(candidate) == last(key);
        let found = known
            .iter()
            .find(is_beginning)
            .or_else(|| known.iter().find(is_elsewhere));
        found.copied()
    })
}

/// Returns how many characters must be inserted, removed or changed to turn one text into the other
/// (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    // A long key must not take long: one of more than 80 characters is far from every key anyway.
    for (i, a) in a.chars().take(80).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_bytes_with_a_unit_that_is_clear() {
        for (text, bytes) in [
            ("1 GiB", 1 << 30),
            ("500 MB", 500_000_000),
            ("1.5gib", 1_610_612_736),
            ("4096", 4_096),
            ("4096 B", 4_096),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "GiB",
            "1 G",
            "-1 GiB",
            "1e9",
            "0.1 B",
            "99999999999999999999 TiB",
            "1 2 MB",
        ] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn the_distance_counts_single_changes() {
        assert_eq!(distance("address", "adress"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("site", "size"), 1);
    }
}
