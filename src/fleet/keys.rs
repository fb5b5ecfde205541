//! A typed reader of a short TOML file: manifest, trust.toml, stop.toml.
//!
//! **In**: a text, and a function that reads keys. **Out**: the value, or **every** fault at once,
//! each with its key, line, the value found and the values accepted. A key that the function did
//! not read is a fault. Tables of an array count from 1: `ring[2].wait_s`.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::{Fault, MISSING};
use crate::event::Name;

const TIME_ACCEPTED: &str = "a time in quotes, such as \"2026-11-28T09:00:00Z\"";
/// The longest part of a value that a fault shows, in characters.
const SHOWN_CHARS_MAX: usize = 80;

/// The keys of one table.
pub(super) struct Keys<'a> {
    file: &'a str,
    text: &'a str,
    /// The path of the table with a dot at its end. Empty for the whole file.
    prefix: String,
    /// The place of the table in the text, for keys that are missing. `None`: the whole file.
    at: Option<usize>,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

/// Parses a text as TOML and reads it. `file` is its name in faults.
pub(super) fn parse<T>(
    text: &str,
    file: &str,
    read: impl FnOnce(&mut Keys) -> Option<T>,
) -> Result<T, Vec<Fault>> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = line_of(text, error.span().map_or(0, |span| span.start));
        vec![Fault {
            key: String::new(),
            found: format!("a syntax error: {}", error.message().replace('\n', ", ")),
            accepted: "a TOML file".to_owned(),
            origin: Some(format!("{file}:{line}")),
        }]
    })?;
    let mut keys = Keys {
        file,
        text,
        prefix: String::new(),
        at: None,
        table: table.get_ref(),
        known: Vec::new(),
        faults: Vec::new(),
    };
    let value = read(&mut keys);
    keys.refuse_unknown();
    match value {
        Some(value) if keys.faults.is_empty() => Ok(value),
        _ => Err(keys.faults),
    }
}

/// Lists faults, one per line.
pub(super) fn list_faults(file: &str, faults: &[Fault]) -> String {
    let lines: Vec<_> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    let noun = if faults.len() == 1 { "fault" } else { "faults" };
    format!("{file} has {} {noun}:{}", faults.len(), lines.concat())
}

/// Returns the line of a place in the text, counted from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
}

impl<'a> Keys<'a> {
    /// Finds a value, and the place of its key in the text.
    fn find(&self, key: &str) -> Option<(&'a Spanned<DeValue<'a>>, usize)> {
        let (name, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        Some((value, name.span().start))
    }

    /// Records a fault of a key of this table.
    pub fn fault(&mut self, key: &str, found: impl Into<String>, accepted: impl Into<String>) {
        let at = self.find(key).map(|(_, at)| at).or(self.at);
        let origin = match at {
            Some(at) => format!("{}:{}", self.file, line_of(self.text, at)),
            None => self.file.to_owned(),
        };
        let key = match key {
            "" => self.prefix.trim_end_matches('.').to_owned(),
            key => format!("{}{key}", self.prefix),
        };
        self.faults.push(Fault {
            key,
            found: found.into(),
            accepted: accepted.into(),
            origin: Some(origin),
        });
    }

    pub fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Records a fault if the key is missing.
    pub fn require(&mut self, key: &str, accepted: &str) {
        if !self.has(key) {
            self.fault(key, MISSING, accepted);
        }
    }

    /// Reads one key; a value that `read` does not accept is a fault.
    fn take<T>(
        &mut self,
        key: &'static str,
        accepted: &str,
        read: impl FnOnce(&DeValue) -> Option<T>,
    ) -> Option<T> {
        self.known.push(key);
        let (value, _) = self.find(key)?;
        let read = read(value.get_ref());
        if read.is_none() {
            self.fault(key, describe(value.get_ref()), accepted);
        }
        read
    }

    /// Reads a text that `read` can parse.
    pub fn parse_text<T>(
        &mut self,
        key: &'static str,
        accepted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.take(key, accepted, |value| value.as_str().and_then(read))
    }

    /// Reads a text of 1 to `bytes_max` bytes without control characters.
    pub fn text(&mut self, key: &'static str, bytes_max: usize) -> Option<String> {
        let accepted = format!("a text of 1 to {bytes_max} bytes");
        let is_text = |text: &&str| {
            (1..=bytes_max).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        self.parse_text(key, &accepted, |text| {
            Some(text).filter(is_text).map(str::to_owned)
        })
    }

    pub fn time(&mut self, key: &'static str) -> Option<Timestamp> {
        self.parse_text(key, TIME_ACCEPTED, |text| text.parse().ok())
    }

    pub fn integer(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let accepted = format!("a whole number from {} to {}", range.start(), range.end());
        self.take(key, &accepted, |value| {
            let digits = value.as_integer()?;
            let number = u64::from_str_radix(digits.as_str(), digits.radix()).ok();
            number.filter(|number| range.contains(number))
        })
    }

    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        self.take(key, "true or false", |value| match value {
            DeValue::Boolean(value) => Some(*value),
            _ => None,
        })
    }

    /// Reads a fraction above 0, up to 1.
    pub fn share(&mut self, key: &'static str) -> Option<f64> {
        let accepted = "a number above 0, up to 1, such as 0.1";
        self.take(key, accepted, |value| {
            let number = match value {
                DeValue::Float(float) => float.as_str().parse().ok()?,
                DeValue::Integer(digits) if digits.as_str() == "1" => 1.0,
                _ => return None,
            };
            (number > 0.0 && number <= 1.0).then_some(number)
        })
    }

    /// Reads an array of texts, each of which `read` can parse. An empty array is a fault.
    pub fn list<T>(
        &mut self,
        key: &'static str,
        accepted: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.take(key, accepted, |value| {
            let values = value.as_array()?;
            let values = values
                .iter()
                .map(|value| value.get_ref().as_str().and_then(&read));
            values.collect::<Option<Vec<T>>>()
        })
    }

    /// Reads an array of names of sites or groups.
    pub fn names(&mut self, key: &'static str) -> Option<Vec<Name>> {
        let accepted = "an array of names, each of 1 to 64 characters of A-Z a-z 0-9 _ . -";
        self.list(key, accepted, |text| Name::new(text).ok())
    }

    /// Reads the table at `key`.
    pub fn section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Keys) -> Option<T>,
    ) -> Option<T> {
        self.known.push(key);
        let (value, _) = self.find(key)?;
        let Some(table) = value.get_ref().as_table() else {
            let found = describe(value.get_ref());
            self.fault(key, found, format!("a section [{key}]"));
            return None;
        };
        let prefix = format!("{}{key}.", self.prefix);
        self.read_table(prefix, (table, value.span().start), read)
    }

    /// Reads the array of tables at `key`. A table with a fault is left out.
    pub fn sections<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&mut Keys) -> Option<T>,
    ) -> Vec<T> {
        self.known.push(key);
        let Some((value, _)) = self.find(key) else {
            return Vec::new();
        };
        let tables = value.get_ref().as_array().and_then(|values| {
            let tables = values.iter().map(|value| {
                let table = value.get_ref().as_table()?;
                Some((table, value.span().start))
            });
            tables.collect::<Option<Vec<_>>>()
        });
        let Some(tables) = tables else {
            let found = describe(value.get_ref());
            self.fault(key, found, format!("sections [[{key}]]"));
            return Vec::new();
        };
        let mut all = Vec::new();
        for (index, table) in tables.into_iter().enumerate() {
            let prefix = format!("{}{key}[{}].", self.prefix, index + 1);
            all.extend(self.read_table(prefix, table, &read));
        }
        all
    }

    fn read_table<T>(
        &mut self,
        prefix: String,
        (table, at): (&'a DeTable<'a>, usize),
        read: impl FnOnce(&mut Keys) -> Option<T>,
    ) -> Option<T> {
        let mut keys = Keys {
            file: self.file,
            text: self.text,
            prefix,
            at: Some(at),
            table,
            known: Vec::new(),
            faults: Vec::new(),
        };
        let value = read(&mut keys);
        keys.refuse_unknown();
        let is_whole = keys.faults.is_empty();
        self.faults.append(&mut keys.faults);
        value.filter(|_| is_whole)
    }

    /// Records a fault for each key that was not read. Its value is not shown.
    fn refuse_unknown(&mut self) {
        let accepted = format!("one of {}", self.known.join(", "));
        let unknown: Vec<String> = (self.table.iter())
            .map(|(name, _)| name.get_ref().to_string())
            .filter(|name| !self.known.contains(&name.as_str()))
            .collect();
        for name in unknown {
            self.fault(&name, "an unknown key", accepted.as_str());
        }
    }
}

fn describe(value: &DeValue) -> String {
    match value {
        DeValue::String(text) => {
            let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            let dots = if start.len() < text.len() { "..." } else { "" };
            format!("{start:?}{dots}")
        }
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(boolean) => boolean.to_string(),
        DeValue::Datetime(_) => "a time without quotes".to_owned(),
        DeValue::Array(_) => "an array with another value".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
