//! Removes secrets and people from texts.
//!
//! Two nets: the secrets that the configuration names, by their value; and everything that has the
//! form of a secret. People are removed by the key of a JSON value, and by the words before a name
//! in a log.

use std::collections::BTreeSet;
use std::path::Path;

use regex_lite::Regex;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::config::overlay::SECRETS_FOLDER;

/// What stands for a secret.
pub const SECRET: &str = "(secret)";
/// What stands for a person.
pub const PERSON: &str = "(person)";
/// Shorter values are not looked for: they would be found in ordinary words.
const SECRET_CHARS_MIN: usize = 6;
/// A file of secrets that is longer has another content.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// JSON keys whose values name a person.
const PEOPLE: [&str; 6] = [
    "by",
    "named",
    "operator",
    "operators",
    "claimed",
    "group_by",
];
/// JSON keys whose values are secrets, whatever their form.
const SECRETS: [&str; 7] = [
    "password", "passwd", "secret", "token", "api_key", "apikey", "key_pem",
];

/// Replaces secrets and people in texts.
pub struct Redactor {
    /// The longest first, so that a part of a secret is not replaced before the whole.
    secrets: Vec<String>,
    forms: Vec<(Regex, String)>,
}

impl Redactor {
    /// Reads the secrets that the configuration names, as far as this user may.
    pub fn of(config: Option<&Config>) -> Self {
        let mut secrets = BTreeSet::new();
        if let Some(config) = config {
            for file in secret_files(config) {
                secrets.extend(read_secrets(&file));
            }
            for file in bundle_secrets(&config.data_dir.join("fleet")) {
                secrets.extend(read_secrets(&file));
            }
            let of_listen = config.listen.as_ref().and_then(|it| it.devices.as_deref());
            let of_broker = config.broker.as_ref().and_then(|it| it.devices.as_deref());
            for file in [of_listen, of_broker].into_iter().flatten() {
                secrets.extend(read_hashes(file));
            }
        }
        Self::with(secrets)
    }

    fn with(secrets: BTreeSet<String>) -> Self {
        let mut secrets: Vec<String> = secrets.into_iter().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self {
            secrets,
            forms: forms(),
        }
    }

    /// A text without secrets, and without the names of people in lines of a log.
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), SECRET);
            }
        }
        for (form, instead) in &self.forms {
            text = form.replace_all(&text, instead.as_str()).into_owned();
        }
        text
    }

    /// A JSON value without secrets and without people.
    pub fn json(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(values) => values.into_iter().map(|value| self.json(value)).collect(),
            Value::Object(fields) => {
                let field = |(key, value): (String, Value)| {
                    let value = if is_one_of(&SECRETS, &key) && !value.is_null() {
                        SECRET.into()
                    } else if is_one_of(&PEOPLE, &key) && !value.is_null() {
                        PERSON.into()
                    } else {
                        self.json(value)
                    };
                    (self.text(&key), value)
                };
                Value::Object(fields.into_iter().map(field).collect::<Map<_, _>>())
            }
            other => other,
        }
    }
}

fn is_one_of(keys: &[&str], key: &str) -> bool {
    keys.iter().any(|known| key.eq_ignore_ascii_case(known))
}

/// The forms of secrets and of people in a text, each with what replaces it.
fn forms() -> Vec<(Regex, String)> {
    let forms = [
        // PEM: private keys and also certificates, whose names are nobody's matter.
        (
            r"(?s)-----BEGIN [A-Z0-9 ]+-----.*?(-----END [A-Z0-9 ]+-----|$)",
            SECRET.to_owned(),
        ),
        // age's private keys, and PHC hashes.
        (r"AGE-SECRET-KEY-[A-Z0-9]+", SECRET.to_owned()),
        (
            r"\$(argon2[id]{1,2}|scrypt|2[aby]|[156])\$[^\s\x22']+",
            SECRET.to_owned(),
        ),
        // User and password of a URL.
        (r"://[^/\s@\x22']+@", format!("://{SECRET}@")),
        // An HTTP header, and `password=...` in its usual forms.
        (
            r"(?i)(authorization[\x22']?\s*[:=]\s*[\x22']?)(\w+ )?[^\s\x22',;]+",
            format!("${{1}}{SECRET}"),
        ),
        (r"(?i)\b(bearer) [^\s\x22',;]+", format!("${{1}} {SECRET}")),
        (
            r"(?i)\b([\w-]*(?:password|passwd|api[_-]?key|secret|token))([\x22']?\s*[:=]\s*)[\x22']?[^\s\x22',;}]+",
            format!("${{1}}${{2}}{SECRET}"),
        ),
        // Odoo's API keys: 40 hexadecimal digits. A SHA-256 has 64, a document's key has 32.
        (r"\b[0-9a-f]{40}\b", SECRET.to_owned()),
        // People in lines of the log, and in notes of the audit.
        (r"\buser:[^\s\x22',;)]+", format!("user:{PERSON}")),
        (
            r"\b(by|operator|named|user)=(\x22[^\x22]*\x22|[^\s,;]+)",
            format!("${{1}}={PERSON}"),
        ),
        (
            r"named in the request: [^)\n]*",
            format!("named in the request: {PERSON}"),
        ),
        (
            r"[^\s]+ has paused the sending",
            format!("{PERSON} has paused the sending"),
        ),
    ];
    let compile = |(form, instead): (&str, String)| Some((Regex::new(form).ok()?, instead));
    forms.into_iter().filter_map(compile).collect()
}

/// The files that hold a secret.
fn secret_files(config: &Config) -> Vec<std::path::PathBuf> {
    let broker = config.broker.as_ref();
    let fleet = config.fleet.broker.as_ref();
    let files = [
        config.odoo.api_key_file.clone(),
        broker.and_then(|it| it.password_file.clone()),
        broker.and_then(|it| it.client_key.clone()),
        fleet.and_then(|it| it.password_file.clone()),
        fleet.and_then(|it| it.client_key.clone()),
        config.listen.as_ref().and_then(|it| it.tls_key.clone()),
    ];
    let mut files: Vec<_> = files.into_iter().flatten().collect();
    if let Some(directory) = std::env::var_os("CREDENTIALS_DIRECTORY")
        && let Ok(entries) = std::fs::read_dir(directory)
    {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files
}

/// The decrypted secrets of bundles: the files in each folder `secrets`.
fn bundle_secrets(root: &Path) -> Vec<std::path::PathBuf> {
    let (mut folders, mut files) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        let is_secret = folder.ends_with(SECRETS_FOLDER);
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            // Of a link itself, so that no circle is followed.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() && is_secret => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

/// The lines of a file with a secret. A password may have one line, a PEM key has many.
fn read_secrets(file: &Path) -> Vec<String> {
    let is_small = std::fs::metadata(file).is_ok_and(|found| found.len() <= FILE_BYTES_MAX);
    let text = std::fs::read_to_string(file).ok().filter(|_| is_small);
    let text = text.unwrap_or_default();
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| line.chars().count() >= SECRET_CHARS_MIN && !line.starts_with("-----"))
        .map(str::to_owned)
        .collect()
}

/// The quoted values of `password` in a list of devices.
fn read_hashes(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let values = text.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        let is_password = key.trim().ends_with("password");
        is_password.then(|| value.split(['"', '\'']).nth(1))?
    });
    values
        .filter(|value| value.chars().count() >= SECRET_CHARS_MIN)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_form_is_compiled() {
        assert_eq!(forms().len(), 12);
    }

    #[test]
    fn everything_that_has_the_form_of_a_secret_is_replaced() {
        let none = Redactor::with(BTreeSet::new());
        for (text, secret) in [
            ("see https://anna:hunter22@odoo.example/web", "hunter22"),
            (
                "hash $argon2id$v=19$m=7168,t=5,p=1$c2FsdA$aGFzaA end",
                "aGFzaA",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----\nx",
                "MIIEvQ",
            ),
            ("-----BEGIN EC PRIVATE KEY-----\nMIIEvQ", "MIIEvQ"),
            ("Authorization: Bearer abc.def-7", "abc.def-7"),
            ("{\"authorization\":\"bearer zyx\"}", "zyx"),
            ("password=hunter22 next", "hunter22"),
            ("mqtt_password = 'hunter22'", "hunter22"),
            ("STOCKRELAY_TOKEN=hunter22", "hunter22"),
            (
                "key 0123456789abcdef0123456789abcdef01234567 refused",
                "89abcdef",
            ),
            ("AGE-SECRET-KEY-1QQQQ", "1QQQQ"),
            ("paused by=user:anna since", "anna"),
            ("paused by=\"Anna B\" since", "Anna"),
            ("discarded (named in the request: anna)", "anna"),
            ("anna has paused the sending to Odoo", "anna"),
        ] {
            let redacted = none.text(text);
            assert!(!redacted.contains(secret), "{redacted}");
        }
        for text in [
            "posted document 17 as WH/INT/00007 in 84 ms",
            "key 0123456789abcdef0123456789abcdef",
            "https://odoo.example:8069/json/2",
        ] {
            assert_eq!(none.text(text), text);
        }
    }

    #[test]
    fn a_known_secret_is_found_in_keys_values_and_longer_texts() {
        let secrets = BTreeSet::from(["tiger-7".to_owned(), "tiger-7-cub".to_owned()]);
        let redactor = Redactor::with(secrets);
        let value =
            json!({"a": ["x tiger-7-cub y"], "tiger-7": {"by": "anna", "n": 1}, "password": 5});
        let redacted = redactor.json(value);
        let expected = json!({
            "a": ["x (secret) y"],
            "(secret)": {"by": "(person)", "n": 1},
            "password": "(secret)",
        });
        assert_eq!(redacted, expected);
    }
}
