//! Checks a bundle's files at one site, as a gateway does before it applies them.
//!
//! **In**: the unpacked files of a site, the path of the gateway's own configuration, and the
//! environment. **Out**: the effective configuration or all its faults, the faults of lists and
//! profiles, and the credentials that the configuration names. Nothing but links in the directory
//! of the unpacked files is written.

use std::io;
use std::path::{Path, PathBuf};

use super::layout::Use;
use super::site_set::{SiteSet, make_links};
use crate::config::{self, Config, ConfigError, Loaded};
use crate::decode::profile::Profile;
use crate::source::{devices, scanners};

/// The result of a check.
#[derive(Debug)]
pub struct Checked {
    /// `None`: the configuration has faults.
    pub loaded: Option<Loaded>,
    /// Each with its file, for people.
    pub faults: Vec<String>,
    pub warnings: Vec<String>,
    /// Empty if the configuration has faults.
    pub credentials: Vec<Credential>,
}

/// A secret or certificate on the gateway that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The configuration key.
    pub key: &'static str,
    /// `None`: the systemd credential `odoo-api-key`.
    pub file: Option<PathBuf>,
}

impl Credential {
    /// Whether its file does not exist on this machine. `None`: only the service can tell.
    #[must_use]
    pub fn is_missing(&self) -> Option<bool> {
        self.file.as_ref().map(|file| !file.exists())
    }
}

/// Checks the files of `set`, which are unpacked into `directory`, with the configuration at
/// `main`.
pub fn check(
    set: &SiteSet,
    directory: &Path,
    main: &Path,
    environment: &[(String, String)],
) -> io::Result<Checked> {
    let mut checked = Checked {
        loaded: None,
        faults: check_profiles(set),
        warnings: Vec::new(),
        credentials: Vec::new(),
    };
    match config::load_with(main, environment, Some(&set.overlay(directory))) {
        Ok(loaded) => {
            make_links(&loaded)?;
            let faults = check_lists(&loaded.config);
            let name = |fault: String| name_files(&fault, set, directory);
            checked.faults.extend(faults.into_iter().map(name));
            checked.warnings.clone_from(&loaded.warnings);
            checked.credentials = list_credentials(&loaded.config);
            checked.loaded = Some(loaded);
        }
        Err(ConfigError::Faults(faults)) => {
            checked
                .faults
                .extend(faults.iter().map(ToString::to_string));
        }
        Err(missing @ ConfigError::Missing(_)) => checked.faults.push(missing.to_string()),
    }
    Ok(checked)
}

fn check_profiles(set: &SiteSet) -> Vec<String> {
    let profiles = set.files.values().filter(|file| file.used == Use::Profile);
    let mut faults = Vec::new();
    for file in profiles {
        let text = String::from_utf8_lossy(&file.bytes);
        let name = |fault: String| format!("{}: {fault}", file.origin);
        match Profile::parse(&text) {
            Ok(profile) => faults.extend(profile.try_samples().into_iter().map(name)),
            Err(found) => faults.extend(found.iter().map(ToString::to_string).map(name)),
        }
    }
    faults
}

/// Checks the lists of devices and scanners. A local list that is not on this machine is left out.
fn check_lists(config: &Config) -> Vec<String> {
    let listen = config
        .listen
        .as_ref()
        .and_then(|listen| listen.devices.as_ref());
    let broker = config
        .broker
        .as_ref()
        .and_then(|broker| broker.devices.as_ref());
    let mut faults = Vec::new();
    if let Some(file) = listen.or(broker).filter(|file| file.exists()) {
        faults.extend(devices::read(file).err().map(|error| error.to_string()));
    }
    if let Some(file) = config.scanners.as_ref().filter(|file| file.exists()) {
        faults.extend(
            scanners::list::read(file)
                .err()
                .map(|error| error.to_string()),
        );
    }
    faults
}

/// Replaces the paths of unpacked files by those in the bundle.
fn name_files(fault: &str, set: &SiteSet, directory: &Path) -> String {
    let mut text = fault.to_owned();
    for (path, file) in &set.files {
        let unpacked = directory.join(path).display().to_string();
        text = text.replace(&unpacked, &file.origin);
    }
    text
}

/// Lists the secrets and certificates that a configuration names.
#[must_use]
pub fn list_credentials(config: &Config) -> Vec<Credential> {
    let mut list = Vec::new();
    let mut add = |key, file: Option<&PathBuf>| {
        let file = file.cloned();
        list.extend(file.map(|file| Credential {
            key,
            file: Some(file),
        }));
    };
    if let Some(listen) = &config.listen {
        add("mqtt.listen.tls_cert", listen.tls_cert.as_ref());
        add("mqtt.listen.tls_key", listen.tls_key.as_ref());
        add("mqtt.listen.client_ca", listen.client_ca.as_ref());
    }
    if let Some(broker) = &config.broker {
        add("mqtt.broker.password_file", broker.password_file.as_ref());
        add("mqtt.broker.ca", broker.ca.as_ref());
        add("mqtt.broker.client_cert", broker.client_cert.as_ref());
        add("mqtt.broker.client_key", broker.client_key.as_ref());
    }
    add("odoo.ca", config.odoo.ca.as_ref());
    add("odoo.api_key_file", config.odoo.api_key_file.as_ref());
    if config.odoo.api_key_file.is_none() {
        list.push(Credential {
            key: "odoo.api_key_file",
            file: None,
        });
    }
    list
}
