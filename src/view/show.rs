//! `stockrelay config show`: writes every key of the configuration with its value in force and its
//! origin, as TOML that parses to the same configuration. A key without a value is a comment.
//!
//! It contains no secrets, only the paths of files with secrets. A password in a URL is left out.

use super::control::{EffectiveKey, EffectiveView};
use super::table::plain;
use crate::config::known_keys;

/// The column at which origins begin, unless the value is longer.
const ORIGIN_COLUMN: usize = 48;

/// A section and its keys, in the order of the reference.
type Section<'a> = (&'a str, Vec<(&'a str, &'a EffectiveKey)>);

/// Writes the configuration: a line for each key, with its origin.
#[must_use]
pub fn show(view: &EffectiveView) -> String {
    let site = view.keys.get("site").and_then(|key| key.value.as_str());
    let site = site.unwrap_or_default();
    let mut out = String::new();
    for (name, keys) in sections(view) {
        if !name.is_empty() {
            let is_set = keys.iter().any(|(_, key)| !key.value.is_null());
            if !is_set {
                let remark = format!("\n# [{name}]: not set\n");
                out.push_str(&remark);
                continue;
            }
            let heading = format!("\n[{name}]\n");
            out.push_str(&heading);
        }
        for (key, found) in keys {
            out.push_str(&line(name, key, found, site));
        }
    }
    out
}

/// Groups the keys by their section. Keys of a newer daemon are at the end of their section.
fn sections(view: &EffectiveView) -> Vec<Section<'_>> {
    let known = known_keys();
    let place = |key: &str| known.iter().position(|known| *known == key);
    let mut keys: Vec<(&str, &EffectiveKey)> = (view.keys.iter())
        .map(|(key, found)| (key.as_str(), found))
        .collect();
    keys.sort_by_key(|(key, _)| place(key).unwrap_or(usize::MAX));
    // In TOML, the keys without a section come first.
    let mut sections: Vec<Section> = vec![("", Vec::new())];
    for (path, found) in keys {
        let (name, key) = path.rsplit_once('.').unwrap_or(("", path));
        match sections.iter_mut().find(|(section, _)| *section == name) {
            Some((_, keys)) => keys.push((key, found)),
            None => sections.push((name, vec![(key, found)])),
        }
    }
    sections
}

fn line(section: &str, key: &str, found: &EffectiveKey, site: &str) -> String {
    let value = toml::Value::try_from(without_password(&found.value));
    match value {
        Ok(value) if !found.value.is_null() => {
            let assigned = format!("{key} = {value}");
            let origin = plain(&found.origin);
            format!("{assigned:<ORIGIN_COLUMN$}  # {origin}\n")
        }
        _ => match instead(section, key) {
            Some(instead) => format!("# {key}: not set, so {}\n", instead.replace("SITE", site)),
            None => format!("# {key}: not set\n"),
        },
    }
}

/// Describes what applies while a key has no value.
fn instead(section: &str, key: &str) -> Option<&'static str> {
    match (section, key) {
        ("", "time_zone") => Some("that of the key's user in Odoo, else the machine's"),
        ("mqtt.broker", "client_id") => Some("stockrelay-SITE"),
        ("odoo", "api_key_file") => Some("the systemd credential odoo-api-key"),
        _ => None,
    }
}

/// The configuration refuses a URL with a password. Another version may not.
fn without_password(value: &serde_json::Value) -> serde_json::Value {
    let text = value.as_str().and_then(|text| {
        let (scheme, rest) = text.split_once("://")?;
        let (_, host) = rest.rsplit_once('@')?;
        Some(format!("{scheme}://{host}"))
    });
    text.map_or_else(|| value.clone(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let written = directory.path().join("config.toml");
        let text = r#"
            site = "ams1"
            data_dir = "/var/lib/stockrelay"
            [mqtt.listen]
            devices = "devices.toml"
            [mqtt.broker]
            url = "mqtts://broker.example:8883"
            [odoo]
            url = "https://odoo.example.com"
            database = "prod"
            [control]
            metrics = "127.0.0.1:9464"
            [journal]
            budget = "2 GiB"
            [fleet]
            broker = "mqtts://it.example"
            username = "ams1"
            url = "https://it.example/{site}.bundle"
            watch_s = 60
            [stock]
            closed_until = "2026-10-31"
            [capture]
            language = "nl"
            lot_pattern = '[A-Z]"\d'
        "#;
        std::fs::write(&written, text).unwrap();
        let first = config::load(&written, &[]).unwrap();
        let shown = show(&EffectiveView::of(&first.config, |key| first.origin(key)));
        let line = |key: &str| shown.lines().find(|line| line.starts_with(key)).unwrap();
        let origin = |key: &str| line(key).split_once("  # ").unwrap().1.to_owned();
        let file = written.display();
        assert_eq!(origin("watch_s = 60"), format!("{file}:19"), "{shown}");
        assert_eq!(origin("poll_s"), "default");
        std::fs::write(&written, &shown).unwrap();
        let second = config::load(&written, &[]).unwrap();
        assert_eq!(first.config, second.config);
    }

    #[test]
    fn a_password_in_a_url_is_left_out() {
        let shown = |url: &str| without_password(&url.into());
        let (with, without) = ("mqtt://anna:s3cret@broker:1883", "mqtt://broker:1883");
        assert_eq!(shown(with), without);
        assert_eq!(shown(without), without);
    }
}
