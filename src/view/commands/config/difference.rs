//! `config diff`: what changes from one bundle to the next, key by key where files are TOML.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use serde_json::json;
use toml::{Table, Value};

use super::inspect::describe;
use super::read_bundle;
use crate::fleet::Bundle;
use crate::view::commands::{CommandError, EXIT_DONE, json_line};
use crate::view::table::plain;

/// The longest value that is shown, in characters.
const VALUE_CHARS_MAX: usize = 100;

/// Prints the differences of two bundles.
pub fn diff(old: &Path, new: &Path, json: bool, out: &mut dyn Write) -> Result<u8, CommandError> {
    let lines = compare(&read_bundle(old)?, &read_bundle(new)?);
    if json {
        json_line(out, &json!({ "differences": lines }))?;
        return Ok(EXIT_DONE);
    }
    if lines.is_empty() {
        writeln!(out, "no difference")?;
    }
    for line in lines {
        writeln!(out, "{}", plain(&line))?;
    }
    Ok(EXIT_DONE)
}

/// Lists the differences, one per line.
fn compare(old: &Bundle, new: &Bundle) -> Vec<String> {
    let mut lines = changes("manifest.toml: ", &manifest(old), &manifest(new));
    let both: BTreeSet<&String> = old.files.keys().chain(new.files.keys()).collect();
    for path in both {
        match (old.files.get(path), new.files.get(path)) {
            (Some(before), Some(after)) => lines.extend(change(path, before, after)),
            (None, Some(after)) => lines.push(format!("{path}: new, {} bytes", after.len())),
            (Some(_), None) => lines.push(format!("{path}: removed")),
            (None, None) => {}
        }
    }
    lines
}

/// The values of a manifest that are not about its files.
fn manifest(bundle: &Bundle) -> BTreeMap<String, String> {
    let manifest = &bundle.manifest;
    let shown = |value: Option<String>| value.unwrap_or_else(|| "nothing".to_owned());
    let mut values = BTreeMap::from([
        ("serial".to_owned(), manifest.serial.to_string()),
        ("name".to_owned(), manifest.name.clone()),
        (
            "not_before".to_owned(),
            shown(manifest.not_before.map(|time| time.to_string())),
        ),
        ("expires".to_owned(), manifest.expires.to_string()),
        (
            "requires".to_owned(),
            shown(manifest.requires.as_ref().map(ToString::to_string)),
        ),
        ("targets".to_owned(), describe(&manifest.targets)),
    ]);
    for (index, ring) in manifest.rings.iter().enumerate() {
        let text = format!("{}, wait_s {}", describe(&ring.sites), ring.wait_s);
        values.insert(format!("ring {}", index + 1), text);
    }
    values
}

/// Lists the differences of one file, key by key if it is TOML.
pub(super) fn change(path: &str, before: &Bytes, after: &Bytes) -> Vec<String> {
    if before == after {
        return Vec::new();
    }
    let parse = |bytes: &Bytes| str::from_utf8(bytes).ok()?.parse::<Table>().ok();
    if let (true, Some(old), Some(new)) = (
        Path::new(path)
            .extension()
            .is_some_and(|ending| ending == "toml"),
        parse(before),
        parse(after),
    ) {
        let (mut old_keys, mut new_keys) = (BTreeMap::new(), BTreeMap::new());
        flatten("", &old, &mut old_keys);
        flatten("", &new, &mut new_keys);
        let lines = changes(&format!("{path}: "), &old_keys, &new_keys);
        if lines.is_empty() {
            return vec![format!("{path}: only comments or order")];
        }
        return lines;
    }
    vec![format!(
        "{path}: changed, {} ▸ {} bytes",
        before.len(),
        after.len()
    )]
}

fn changes(
    start: &str,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Vec<String> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let line = |key: &String| match (old.get(key), new.get(key)) {
        (Some(before), Some(after)) if before == after => None,
        (Some(before), Some(after)) => {
            let before = shorten(key, before);
            Some(format!("{start}{key}: {before} ▸ {}", shorten(key, after)))
        }
        (None, Some(after)) => Some(format!("{start}{key}: new, {}", shorten(key, after))),
        (Some(_), None) => Some(format!("{start}{key}: removed")),
        (None, None) => None,
    };
    keys.into_iter().filter_map(line).collect()
}

/// The hash of a password is not shown.
pub(super) fn shorten(key: &str, value: &str) -> String {
    if key.ends_with("password") {
        return "(a hash)".to_owned();
    }
    let mut text: String = value.chars().take(VALUE_CHARS_MAX).collect();
    if text.len() < value.len() {
        text.push_str("...");
    }
    text
}

fn flatten(prefix: &str, table: &Table, keys: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        match value {
            Value::Table(inner) if !inner.is_empty() => flatten(&format!("{key}."), inner, keys),
            value => drop(keys.insert(key, value.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_keys_are_listed_and_hashes_of_passwords_are_not_shown() {
        let of = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let old = of("[capture]\ncheck = \"off\"\nlanguage = \"de\"\n");
        let new = of("[capture]\ncheck = \"strict\"\n[orders]\npick_over = \"ask\"\n");
        assert_eq!(
            change("config.d/1.toml", &old, &new),
            [
                "config.d/1.toml: capture.check: \"off\" ▸ \"strict\"",
                "config.d/1.toml: capture.language: removed",
                "config.d/1.toml: orders.pick_over: new, \"ask\"",
            ]
        );
        let old = of("[devices.pda-1]\npassword = \"$argon2id$a\"\n");
        let new = of("[devices.pda-1]\npassword = \"$argon2id$b\"\n");
        assert_eq!(
            change("devices.toml", &old, &new),
            ["devices.toml: devices.pda-1.password: (a hash) ▸ (a hash)"]
        );
        let lines = change("devices.toml", &of("# a\n"), &of("# b\n"));
        assert_eq!(lines, ["devices.toml: only comments or order"]);
        let lines = change("floor/esp32.json", &of("{}"), &of("{ }"));
        assert_eq!(lines, ["floor/esp32.json: changed, 2 ▸ 3 bytes"]);
    }
}
