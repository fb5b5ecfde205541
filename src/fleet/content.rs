//! What the files of a bundle may contain.
//!
//! **In**: the files below `files/`. **Out**: every fault at once. A fault names file, line and
//! key, and never shows a value, because it may be a secret.
//!
//! **Guarantees**: after a check without a fault, each file has a place in the layout and is a text
//! (TOML and JSON files also parse), no file of `config.d` sets a key that belongs to the gateway,
//! no file has a private key, a password in a URL, or a key such as `password` with another value
//! than an argon2id hash, and each secret is a file of age.

use std::collections::BTreeMap;

use bytes::Bytes;
use toml::de::{DeTable, DeValue};

use super::key_id::{ENCRYPTED_KEY, PLAIN_KEY};
use super::keys::line_of;
use super::layout::{self, Placed, SECRET_BYTES_MAX, Use};
use crate::config::{Fault, SECRETS, secret_key};

/// Keys that a bundle must not set, with all keys below them: they keep the gateway in reach.
const FORBIDDEN: [&str; 4] = ["site", "data_dir", "control", "fleet"];
/// The ends of keys whose value is a secret.
const SECRET_KEYS: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "private_key",
    "psk",
];
/// Marks of private keys: PEM, age, minisign.
const PRIVATE_KEYS: [(&str, &str); 4] = [
    ("PRIVATE KEY-----", "a private key in PEM form"),
    ("AGE-SECRET-KEY-", "a private key of age"),
    (ENCRYPTED_KEY, "a secret key of minisign"),
    (PLAIN_KEY, "a secret key of minisign"),
];
/// The first bytes of an encrypted file of age, binary and as text.
const AGE: [&[u8]; 2] = [
    b"age-encryption.org/v1\n",
    b"-----BEGIN AGE ENCRYPTED FILE-----",
];
/// The largest encrypted file, in bytes: as text it is a third larger, and the header has room for
/// other recipients.
const AGE_BYTES_MAX: usize = 2 * SECRET_BYTES_MAX;
const HASH: &str = "$argon2id$";

/// The cause of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The file is not in the layout.
    Layout,
    /// The file is no text, no TOML or no JSON.
    Syntax,
    ForbiddenKey,
    Secret,
    /// A template for floor devices or its values.
    Floor,
}

impl Cause {
    /// Returns the stable code of the cause.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Layout => "layout",
            Self::Syntax => "syntax",
            Self::ForbiddenKey => "forbidden-key",
            Self::Secret => "secret",
            Self::Floor => "floor",
        }
    }
}

/// Finds all faults of the files, by their path relative to `files/`.
#[must_use]
pub fn find_faults(files: &BTreeMap<String, Bytes>) -> Vec<(Cause, Fault)> {
    let mut faults = Vec::new();
    for (path, bytes) in files {
        let mut file = FileCheck {
            path,
            faults: &mut faults,
        };
        match layout::place(path) {
            None => file.fault(
                Cause::Layout,
                "",
                None,
                "a file in another place",
                layout::ACCEPTED,
            ),
            Some(placed) => file.check(&placed, bytes),
        }
    }
    faults
}

struct FileCheck<'a> {
    path: &'a str,
    faults: &'a mut Vec<(Cause, Fault)>,
}

impl FileCheck<'_> {
    fn fault(&mut self, cause: Cause, key: &str, line: Option<usize>, found: &str, accepted: &str) {
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        let fault = Fault {
            key: key.to_owned(),
            found: found.to_owned(),
            accepted: accepted.to_owned(),
            origin: Some(format!("files/{}{line}", self.path)),
        };
        self.faults.push((cause, fault));
    }

    fn check(&mut self, placed: &Placed, bytes: &[u8]) {
        if placed.used == Use::Secret {
            return self.check_secret(placed, bytes);
        }
        let Ok(text) = str::from_utf8(bytes) else {
            self.fault(
                Cause::Syntax,
                "",
                None,
                "bytes that are no UTF-8",
                "a text file",
            );
            return;
        };
        self.refuse_private_keys(text);
        if placed.used == Use::FloorTemplate {
            self.check_json(text);
        } else {
            self.check_toml(placed, text);
        }
    }

    /// Only the gateway can decrypt a secret: this checks its name, its size and its form.
    fn check_secret(&mut self, placed: &Placed, bytes: &[u8]) {
        let name = layout::secret_name(placed.path).unwrap_or_default();
        if secret_key(name).is_none() {
            let names = SECRETS.map(|(name, _)| format!("{name}.age"));
            let found = "a secret that no gateway uses";
            self.fault(Cause::Secret, "", None, found, &names.join(", "));
        }
        if !AGE.iter().any(|start| bytes.starts_with(start)) {
            let accepted = "a file encrypted with age to the recipient that the gateway reports: age -r age1...";
            let found = "a secret that is not encrypted";
            self.fault(Cause::Secret, "", None, found, accepted);
        }
        if bytes.len() > AGE_BYTES_MAX {
            let found = format!("{} bytes", bytes.len());
            let accepted =
                format!("at most {AGE_BYTES_MAX} bytes: a password, a key or a certificate");
            self.fault(Cause::Secret, "", None, &found, &accepted);
        }
    }

    fn refuse_private_keys(&mut self, text: &str) {
        for (index, line) in text.lines().enumerate() {
            let line_number = Some(index + 1);
            for (mark, what) in PRIVATE_KEYS {
                if line.contains(mark) {
                    let accepted = "a bundle without private keys: put the key on the gateway, and name its file in the configuration";
                    self.fault(Cause::Secret, "", line_number, what, accepted);
                }
            }
            if has_password_in_url(line) {
                let accepted = "a URL without a password: name the user and the file of the password in their own keys";
                self.fault(
                    Cause::Secret,
                    "",
                    line_number,
                    "a password in a URL",
                    accepted,
                );
            }
        }
    }

    fn check_toml(&mut self, placed: &Placed, text: &str) {
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let line = line_of(text, error.span().map_or(0, |span| span.start));
                let what = error.message().replace('\n', ", ");
                let found = format!("a syntax error: {what}");
                self.fault(Cause::Syntax, "", Some(line), &found, "a TOML file");
                return;
            }
        };
        self.check_table("", table.get_ref(), (placed, text));
    }

    fn check_table(&mut self, prefix: &str, table: &DeTable, (placed, text): (&Placed, &str)) {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            let line = Some(line_of(text, name.span().start));
            let is_top = prefix.is_empty();
            if is_top && placed.used == Use::Config && FORBIDDEN.contains(&key.as_str()) {
                let accepted = "a bundle without site, data_dir, [control] and [fleet]: set the key in the gateway's own files";
                self.fault(
                    Cause::ForbiddenKey,
                    &key,
                    line,
                    "a key that only the gateway's own files may set",
                    accepted,
                );
                continue;
            }
            if is_secret_key(name.get_ref()) && is_plain_toml(value.get_ref()) {
                self.refuse_plain(&key, line);
            }
            match value.get_ref() {
                DeValue::Table(inner) => {
                    self.check_table(&format!("{key}."), inner, (placed, text));
                }
                DeValue::Array(values) => {
                    for inner in values.iter().filter_map(|value| value.get_ref().as_table()) {
                        self.check_table(&format!("{key}."), inner, (placed, text));
                    }
                }
                _ => {}
            }
        }
    }

    fn refuse_plain(&mut self, key: &str, line: Option<usize>) {
        let accepted = "an argon2id hash (`stockrelay devices hash`), the name of a file on the gateway, or sites/SITE/secrets/NAME.age";
        self.fault(
            Cause::Secret,
            key,
            line,
            "a secret as plain text (not shown)",
            accepted,
        );
    }

    fn check_json(&mut self, text: &str) {
        match serde_json::from_str(text) {
            Ok(value) => self.check_json_value("", &value),
            Err(error) => {
                let found = format!("a syntax error in column {}", error.column());
                self.fault(Cause::Syntax, "", Some(error.line()), &found, "a JSON file");
            }
        }
    }

    fn check_json_value(&mut self, prefix: &str, value: &serde_json::Value) {
        match value {
            serde_json::Value::Object(object) => {
                for (name, value) in object {
                    let key = format!("{prefix}{name}");
                    if is_secret_key(name) && is_plain_json(value) {
                        self.refuse_plain(&key, None);
                    }
                    self.check_json_value(&format!("{key}."), value);
                }
            }
            serde_json::Value::Array(values) => {
                for value in values {
                    self.check_json_value(prefix, value);
                }
            }
            _ => {}
        }
    }
}

/// Whether the value of this key is a secret. `password_file` names a file, and is not.
pub(super) fn is_secret_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let squeezed = name.replace('_', "");
    let ends = |ending: &&str| name.ends_with(*ending) || squeezed.ends_with(*ending);
    SECRET_KEYS.iter().any(ends)
}

fn is_plain_text(text: &str) -> bool {
    // A placeholder of a template has no value here.
    let is_placeholder = text.starts_with("{{") && text.ends_with("}}");
    !text.is_empty() && !text.starts_with(HASH) && !is_placeholder
}

fn is_plain_toml(value: &DeValue) -> bool {
    match value {
        DeValue::String(text) => is_plain_text(text),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) => true,
        DeValue::Array(values) => values.iter().any(|value| is_plain_toml(value.get_ref())),
        DeValue::Boolean(_) | DeValue::Table(_) => false,
    }
}

pub(super) fn is_plain_json(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => is_plain_text(text),
        serde_json::Value::Number(_) => true,
        serde_json::Value::Array(values) => values.iter().any(is_plain_json),
        _ => false,
    }
}

/// Whether a line has `://NAME:PASSWORD@`.
fn has_password_in_url(line: &str) -> bool {
    line.match_indices("://").any(|(at, _)| {
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '?' | '#');
        let host = line[at + 3..].split(ends).next().unwrap_or_default();
        let login = host.rsplit_once('@').map(|(login, _)| login);
        login.is_some_and(|login| {
            login
                .split_once(':')
                .is_some_and(|(_, word)| !word.is_empty())
        })
    })
}

#[cfg(test)]
mod tests;
