//! Checks a bundle's files at one site, as a gateway does before it applies them.
//!
//! **In**: the unpacked files of a site, the path of the gateway's own configuration, and the
//! environment. **Out**: the effective configuration or all its faults, the faults of lists and
//! profiles, the configurations for floor devices, and the credentials that the configuration
//! names. Nothing but links in the directory of the unpacked files is written.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::floor::{self, FloorDevice, FloorFiles, FloorList};
use super::keys::line_of;
use super::layout::Use;
use super::site_set::{SiteSet, make_links};
use crate::channel::desired::DesiredConfig;
use crate::config::{self, Config, ConfigError, Loaded};
use crate::decode::profile::Profile;
use crate::event::Name;
use crate::source::devices::{self, Device};
use crate::source::scanners;

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
    /// The configurations for floor devices. Empty if the bundle has none.
    pub floor: BTreeMap<Name, DesiredConfig>,
}

/// A secret or certificate on the gateway that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The configuration key.
    pub key: &'static str,
    /// `None`: the systemd credential `odoo-api-key`.
    pub file: Option<PathBuf>,
    /// The encrypted file of the bundle that becomes [`Self::file`]. `None`: the gateway's own
    /// files have it.
    pub secret: Option<String>,
}

impl Credential {
    /// Whether its file does not exist on this machine, and the bundle does not bring it. `None`:
    /// only the service can tell.
    #[must_use]
    pub fn is_missing(&self) -> Option<bool> {
        let file = self.file.as_ref()?;
        Some(self.secret.is_none() && !file.exists())
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
        floor: BTreeMap::new(),
    };
    match config::load_with(main, environment, Some(&set.overlay(directory))) {
        Ok(loaded) => {
            make_links(&loaded)?;
            let name = |fault: String| name_files(&fault, set, directory);
            checked.warnings.clone_from(&loaded.warnings);
            let (list, faults) = check_lists(&loaded.config);
            checked.faults.extend(faults.into_iter().map(name));
            let filled = floor::fill(
                &FloorFiles::of(set),
                &set.site,
                set.group.as_ref(),
                &list.unwrap_or_default(),
            );
            let faults = filled.faults.iter().map(|fault| name(fault.to_string()));
            checked.faults.extend(faults);
            let warnings = filled.warnings.into_iter().map(name);
            checked.warnings.extend(warnings);
            checked.floor = filled.configs;
            checked.credentials = list_credentials(&loaded.config);
            name_secrets(&mut checked.credentials, set, directory);
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

/// Finds the faults of the profiles.
pub(super) fn check_profiles(set: &SiteSet) -> Vec<String> {
    let profiles = set.files.values().filter(|file| file.used == Use::Profile);
    let mut faults = Vec::new();
    for file in profiles {
        let text = String::from_utf8_lossy(&file.bytes);
        match Profile::parse(&text) {
            Ok(profile) => {
                let wrong = profile.try_samples().into_iter();
                faults.extend(wrong.map(|fault| format!("{}: {fault}", file.origin)));
            }
            Err(found) => faults.extend(found.iter().map(|fault| match fault.key.as_str() {
                "" => format!("{}: {fault}", file.origin),
                key => format!("{}:{}: {fault}", file.origin, find_line(&text, key)),
            })),
        }
    }
    faults
}

/// Checks the lists of devices and scanners, and returns the devices with a family. A local list
/// that is not on this machine is left out.
fn check_lists(config: &Config) -> (Option<FloorList>, Vec<String>) {
    let listen = config
        .listen
        .as_ref()
        .and_then(|listen| listen.devices.as_ref());
    let broker = config
        .broker
        .as_ref()
        .and_then(|broker| broker.devices.as_ref());
    let mut faults = Vec::new();
    let mut list = None;
    if let Some(file) = listen.or(broker).filter(|file| file.exists()) {
        match devices::read(file) {
            Ok(devices) => list = Some(list_floor_devices(file, &devices)),
            Err(error) => faults.push(error.to_string()),
        }
    }
    if let Some(file) = config.scanners.as_ref().filter(|file| file.exists()) {
        faults.extend(
            scanners::list::read(file)
                .err()
                .map(|error| error.to_string()),
        );
    }
    (list, faults)
}

/// Lists the devices that have a family.
fn list_floor_devices(file: &Path, devices: &BTreeMap<Name, Device>) -> FloorList {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let with_family = devices.iter().filter_map(|(name, device)| {
        Some(FloorDevice {
            name: name.clone(),
            family: device.family.clone()?,
            line: devices::find_line_in(&text, name.as_str()),
        })
    });
    FloorList {
        origin: file.display().to_string(),
        devices: with_family.collect(),
    }
}

/// Finds the line of a key with its path, such as `payload.fields[1].name`; without the key, the
/// line of its section. 1 if the text has neither.
pub(super) fn find_line(text: &str, key: &str) -> usize {
    let Ok(table) = DeTable::parse(text) else {
        return 1;
    };
    let (mut at, mut place) = (0, Some(table.get_ref()));
    for step in key.split('.') {
        let (name, index) = step.split_once('[').unwrap_or((step, ""));
        let entry = place.and_then(|table| table.iter().find(|(key, _)| key.get_ref() == name));
        let Some((key, value)) = entry else {
            break;
        };
        at = key.span().start;
        place = match value.get_ref() {
            DeValue::Table(table) => Some(table),
            DeValue::Array(values) => {
                let index = index.trim_end_matches(']').parse::<usize>();
                let value = index.ok().and_then(|index| values.get(index));
                at = value.map_or(at, |value| value.span().start);
                value.and_then(|value| value.get_ref().as_table())
            }
            _ => None,
        };
    }
    line_of(text, at)
}

/// Replaces the paths of unpacked files by those in the bundle.
pub(super) fn name_files(fault: &str, set: &SiteSet, directory: &Path) -> String {
    let mut text = fault.to_owned();
    for (path, file) in &set.files {
        let unpacked = directory.join(path).display().to_string();
        text = text.replace(&unpacked, &file.origin);
    }
    text
}

/// Finds the credentials that the bundle brings.
fn name_secrets(credentials: &mut [Credential], set: &SiteSet, directory: &Path) {
    for credential in credentials {
        let folder = directory.join(config::SECRETS_FOLDER);
        let name = (credential.file.as_ref()).and_then(|file| file.strip_prefix(folder).ok());
        let name = name.and_then(Path::to_str);
        credential.secret = name.map(|name| set.secret_origin(name));
    }
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
            secret: None,
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
            secret: None,
        });
    }
    list
}
