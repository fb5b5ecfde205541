//! What a bundle of central IT adds to the configuration of a gateway.
//!
//! **In**: the bundle's files of `config.d`, and which lists and profiles it brings. **Out**: keys
//! between those of the gateway's own files and those of the environment. The keys that name the
//! list of devices or scanners point into the directory of the bundle's files:
//!
//! ```text
//! DIRECTORY/devices.toml         the bundle's list; if it brings only profiles: link to the local one
//! DIRECTORY/scanners.toml        the same
//! DIRECTORY/scanner-profiles/    the bundle's profiles: `decode::profiles` reads them first
//! DIRECTORY/local                a link to the directory of the local configuration
//! DIRECTORY/secrets/NAME         a decrypted secret: the key of NAME in [`SECRETS`] points to it
//! ```

use std::path::{Path, PathBuf};

use toml::Value;

use super::fault::Fault;
use super::written::{self, Map, Origin, Written};

/// The name of the link to the directory of the local configuration.
pub const LOCAL: &str = "local";
/// The directory of the bundle's profiles.
pub const PROFILES: &str = "scanner-profiles";
/// The files of the lists.
pub const DEVICES: &str = "devices.toml";
pub const SCANNERS: &str = "scanners.toml";

/// The directory of the decrypted secrets.
pub const SECRETS_FOLDER: &str = "secrets";
/// The secrets that a bundle may bring for one gateway: the name, and the key of the file that it
/// replaces.
pub const SECRETS: [(&str, &str); 9] = [
    ("odoo-api-key", "odoo.api_key_file"),
    ("odoo-ca", "odoo.ca"),
    ("mqtt-broker-password", "mqtt.broker.password_file"),
    ("mqtt-broker-ca", "mqtt.broker.ca"),
    ("mqtt-broker-client-cert", "mqtt.broker.client_cert"),
    ("mqtt-broker-client-key", "mqtt.broker.client_key"),
    ("mqtt-listen-tls-cert", "mqtt.listen.tls_cert"),
    ("mqtt-listen-tls-key", "mqtt.listen.tls_key"),
    ("mqtt-listen-client-ca", "mqtt.listen.client_ca"),
];

/// Returns the key of the file that a secret replaces. `None`: a bundle has no such secret.
#[must_use]
pub fn secret_key(name: &str) -> Option<&'static str> {
    let found = SECRETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, key)| *key)
}

/// The files of a bundle for one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The serial of the bundle.
    pub serial: u64,
    /// The files of `config.d` in the order in which they are read: path in the bundle, and text.
    pub parts: Vec<(String, String)>,
    /// The directory into which the bundle's files for this gateway are unpacked.
    pub directory: PathBuf,
    /// The path of the list in the bundle. `None`: the bundle brings none.
    pub devices: Option<String>,
    pub scanners: Option<String>,
    pub has_profiles: bool,
    /// The secrets of the bundle: the name, and the path in the bundle.
    pub secrets: Vec<(String, String)>,
}

/// A symbolic link to create in the directory, and its target.
pub type Link = (PathBuf, PathBuf);

impl Overlay {
    /// Points the keys of the lists into the directory. `all` are the keys with those of the
    /// environment. Returns the links that the directory needs.
    pub(super) fn point(&self, main: &Path, map: &mut Map, all: &Map) -> Vec<Link> {
        let local = written::directory(main);
        let mut links = vec![(self.directory.join(LOCAL), local.clone())];
        let has = |section: &str| {
            let start = format!("{section}.");
            all.keys()
                .any(|key| key == section || key.starts_with(&start))
        };
        let is_set = |key: &&str| all.contains_key(*key);
        let both = ["mqtt.listen.devices", "mqtt.broker.devices"];
        let mut keys: Vec<&str> = both.into_iter().filter(is_set).collect();
        if keys.is_empty() && self.devices.is_some() {
            keys.push(if has("mqtt.listen") { both[0] } else { both[1] });
        }
        self.point_list(
            DEVICES,
            self.devices.as_deref(),
            (&keys, &local),
            map,
            &mut links,
        );
        let keys = ["scanners"];
        let is_used = self.scanners.is_some() || is_set(&keys[0]);
        let keys = if is_used { &keys[..] } else { &[] };
        self.point_list(
            SCANNERS,
            self.scanners.as_deref(),
            (keys, &local),
            map,
            &mut links,
        );
        links
    }

    /// Points the keys of the secrets into the directory. `all` are the keys with those of the
    /// environment. Returns a fault for each secret whose section the gateway does not have: a
    /// secret must not open a front door or a link.
    pub(super) fn point_secrets(&self, map: &mut Map, all: &Map) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (name, path) in &self.secrets {
            let Some(key) = secret_key(name) else {
                continue;
            };
            let origin = Origin::Bundle(self.serial, path.clone(), None);
            let section = key.rsplit_once('.').map_or(key, |(section, _)| section);
            let start = format!("{section}.");
            if !all
                .keys()
                .any(|key| key == section || key.starts_with(&start))
            {
                faults.push(Fault {
                    key: key.to_owned(),
                    found: format!("the secret {name}, and no [{section}]"),
                    accepted: format!(
                        "a configuration with [{section}], or a bundle without the secret"
                    ),
                    origin: Some(origin.to_string()),
                });
                continue;
            }
            let file = self.directory.join(SECRETS_FOLDER).join(name);
            let value = Value::String(file.to_string_lossy().into_owned());
            map.insert(key.to_owned(), Written { value, origin });
        }
        faults
    }

    /// Describes the secrets that have no effect, because the environment sets their keys.
    pub(super) fn list_unused(&self, map: &Map) -> Vec<String> {
        let unused = self.secrets.iter().filter_map(|(name, path)| {
            let key = secret_key(name)?;
            match &map.get(key)?.origin {
                origin @ Origin::Variable(_) => Some(format!(
                    "{path} has no effect, because {origin} sets {key}: remove the variable"
                )),
                _ => None,
            }
        });
        unused.collect()
    }

    /// Points the keys of one list into the directory.
    fn point_list(
        &self,
        name: &str,
        brought: Option<&str>,
        (keys, local): (&[&str], &Path),
        map: &mut Map,
        links: &mut Vec<Link>,
    ) {
        let file = self.directory.join(name);
        let value = Value::String(file.to_string_lossy().into_owned());
        if let Some(path) = brought {
            for key in keys {
                let origin = Origin::Bundle(self.serial, path.to_owned(), None);
                let value = value.clone();
                map.insert((*key).to_owned(), Written { value, origin });
            }
        } else if self.has_profiles {
            // Beside the local list the bundle's profiles are found, too. A second key that names
            // another list is a fault, and stays one.
            let mut target = None;
            for key in keys {
                let Some(written) = map.get_mut(*key) else {
                    continue;
                };
                let Some(named) = written.value.as_str().map(|path| local.join(path)) else {
                    continue;
                };
                if *target.get_or_insert_with(|| named.clone()) == named {
                    written.value = value.clone();
                }
            }
            links.extend(target.map(|target| (file, target)));
        }
    }
}
