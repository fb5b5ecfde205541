//! `config reference`: the reference of the configuration.
//!
//! **In**: the keys, defaults and accepted values of `config`, the times of `reload`, and the texts
//! of `reference/keys.toml`, which the program contains. **Out**: docs/configuration.md, with
//! a table for each section, or some keys in lines or JSON. No file is read.

use std::collections::BTreeMap;
use std::io::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{self, KeyRule};
use crate::reload::{FIXED_KEYS, RESTART_KEYS, TARGET_KEYS};
use crate::view::commands::{CommandError, EXIT_DONE, json_line};
use crate::view::table::{grouped, size};

/// The page. A line `{{SECTION}}` is replaced by the table of the section's keys; `{{top}}` by
/// that of the keys outside of sections.
const PAGE: &str = include_str!("reference/page.txt");
const TEXTS: &str = include_str!("reference/keys.toml");

/// The texts about one key.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTexts {
    unit: Option<String>,
    /// Describes the value of a key without a default that is not set.
    absent: Option<String>,
    /// A value, in TOML.
    example: String,
    meaning: String,
}

/// One key of the reference.
#[derive(Debug, Serialize)]
struct Entry {
    key: &'static str,
    /// `None`: the key has no default.
    default: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    absent: Option<String>,
    unit: Option<String>,
    accepted: String,
    example: String,
    /// In Markdown.
    meaning: String,
    /// When a change takes effect.
    change: &'static str,
}

/// Prints the page, or the keys that `name` names.
pub fn print(name: Option<&str>, json: bool, out: &mut dyn Write) -> Result<u8, CommandError> {
    let entries = entries();
    let Some(name) = name else {
        if json {
            entries.iter().try_for_each(|entry| json_line(out, entry))?;
        } else {
            write!(out, "{}", page(&entries))?;
        }
        return Ok(EXIT_DONE);
    };
    let is_meant = |entry: &&Entry| entry.key == name || section(entry.key) == name;
    let meant: Vec<&Entry> = entries.iter().filter(is_meant).collect();
    if meant.is_empty() {
        return Err(CommandError::Usage(format!(
            "{name} is no key or section of the configuration: `stockrelay config reference` lists all"
        )));
    }
    for (index, entry) in meant.into_iter().enumerate() {
        if json {
            json_line(out, entry)?;
            continue;
        }
        if index > 0 {
            writeln!(out)?;
        }
        entry.write(out)?;
    }
    Ok(EXIT_DONE)
}

/// Returns all keys, in the order of the sample configuration.
fn entries() -> Vec<Entry> {
    let mut texts: BTreeMap<String, KeyTexts> = toml::from_str(TEXTS).unwrap_or_default();
    let mut defaults = config::defaults();
    let entry = |rule: KeyRule| {
        let texts = texts.remove(rule.key).unwrap_or_default();
        Entry {
            key: rule.key,
            default: defaults.remove(rule.key).filter(is_a_default),
            accepted: describe_accepted(&rule, texts.unit.as_deref()),
            change: describe_change(rule.key),
            absent: texts.absent,
            unit: texts.unit,
            example: texts.example,
            meaning: texts.meaning,
        }
    };
    config::key_rules().into_iter().map(entry).collect()
}

/// The section of a key. Empty: the key is in none.
fn section(key: &str) -> &str {
    key.rsplit_once('.').map_or("", |(section, _)| section)
}

fn is_a_default(value: &Value) -> bool {
    !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())
}

fn describe_accepted(rule: &KeyRule, unit: Option<&str>) -> String {
    let Some(range) = &rule.range else {
        return rule.accepted.clone();
    };
    let (least, greatest) = (range.start(), range.end());
    let unit = unit.map_or(String::new(), |unit| format!(" {unit}"));
    format!("{} to {}{unit}", grouped(*least), grouped(*greatest))
}

/// When a change of the key takes effect, in the words of the page.
fn describe_change(key: &str) -> &'static str {
    if FIXED_KEYS.contains(&key) {
        "restart only"
    } else if RESTART_KEYS.contains(&key) {
        "next start"
    } else if TARGET_KEYS.contains(&key) {
        "reload, after sending"
    } else {
        "reload"
    }
}

fn page(entries: &[Entry]) -> String {
    let mut page = String::new();
    for line in PAGE.lines() {
        let mark = line
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"));
        if let Some(mark) = mark {
            let name = if mark == "top" { "" } else { mark };
            page += "| key | default | accepted | example | change | meaning |\n";
            page += "|---|---|---|---|---|---|\n";
            let of_section = entries.iter().filter(|entry| section(entry.key) == name);
            page.extend(of_section.map(Entry::row));
        } else {
            page += line;
            page.push('\n');
        }
    }
    page
}

impl Entry {
    fn row(&self) -> String {
        let default = self.describe_default("`");
        let Self {
            key,
            accepted,
            change,
            meaning,
            ..
        } = self;
        // A bar would end the cell.
        let example = self.example.replace('|', "\\|");
        format!("| `{key}` | {default} | {accepted} | `{example}` | {change} | {meaning} |\n")
    }

    /// `mark` encloses values.
    fn describe_default(&self, mark: &str) -> String {
        let Some(default) = &self.default else {
            return self.absent.clone().unwrap_or_else(|| "none".to_owned());
        };
        let is_size = self.unit.as_deref() == Some("bytes");
        match default.as_u64() {
            Some(bytes) if is_size => format!("{} ({})", grouped(bytes), size(bytes)),
            Some(number) => grouped(number),
            None => match default.as_str() {
                Some(text) => format!("{mark}{text}{mark}"),
                None => format!("{mark}{default}{mark}"),
            },
        }
    }

    fn write(&self, out: &mut dyn Write) -> Result<(), CommandError> {
        let (_, name) = self.key.rsplit_once('.').unwrap_or(("", self.key));
        writeln!(out, "{}", self.key)?;
        writeln!(out, "  {}", without_links(&self.meaning))?;
        writeln!(out, "  default   {}", self.describe_default(""))?;
        writeln!(out, "  accepted  {}", self.accepted)?;
        writeln!(out, "  example   {name} = {}", self.example)?;
        writeln!(out, "  change    {}", self.change)?;
        Ok(())
    }
}

/// Leaves out the targets of links: `[mqtt.md](mqtt.md#topics)` becomes `mqtt.md`.
fn without_links(markdown: &str) -> String {
    let mut plain = String::new();
    let mut rest = markdown;
    while let Some((before, target)) = rest.split_once("](") {
        let (start, name) = before.rsplit_once('[').unwrap_or((before, ""));
        plain += start;
        plain += name;
        rest = target.split_once(')').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn each_key_has_texts_and_each_text_has_its_key() {
        let texts: BTreeMap<String, KeyTexts> = toml::from_str(TEXTS).unwrap();
        let mut known = config::known_keys();
        known.sort_unstable();
        let described: Vec<_> = texts.keys().map(String::as_str).collect();
        assert_eq!(described, known);
        for (key, text) in &texts {
            assert!(!text.meaning.is_empty(), "{key}");
        }
    }

    #[test]
    fn each_key_has_a_default_or_is_described_without_one() {
        for entry in entries() {
            assert!(
                entry.default.is_none() || entry.absent.is_none(),
                "{}",
                entry.key
            );
        }
        let default = |key| {
            entries()
                .into_iter()
                .find(|it| it.key == key)
                .unwrap()
                .default
        };
        assert_eq!(default("odoo.timeout_s"), Some(Value::from(55)));
        assert_eq!(default("mqtt.listen.devices"), None);
        assert_eq!(default("mqtt.broker.keep_alive_s"), Some(Value::from(30)));
    }

    #[test]
    fn the_unit_is_that_of_the_name_of_the_key() {
        for entry in entries() {
            let unit = entry.unit.as_deref();
            let expected = match entry.key {
                key if key.ends_with("_per_s") => "events a second",
                key if key.ends_with("_s") => "s",
                key if key.ends_with("_days") => "days",
                key if key.contains("_bytes") => "bytes",
                _ => continue,
            };
            assert_eq!(unit, Some(expected), "{}", entry.key);
        }
    }

    #[test]
    fn each_example_is_accepted_and_is_not_the_default() {
        let mut text = String::new();
        for entry in entries() {
            writeln!(text, "{} = {}", entry.key, entry.example).unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let config = config::load(&path, &[]).unwrap().config;
        let defaults = config::defaults();
        for (key, value) in config::effective::values(&config) {
            assert_ne!(Some(&value), defaults.get(key), "{key}");
        }
    }

    #[test]
    fn links_become_their_names() {
        let text = "see [mqtt.md](mqtt.md#topics), or [that](x.md).";
        assert_eq!(without_links(text), "see mqtt.md, or that.");
        assert_eq!(without_links("a list [1]"), "a list [1]");
    }
}
