//! Reads the configuration: the file, then `config.d/*.toml` beside it in name order, then the
//! `config.d` of central IT's bundle if there is one, then the environment.
//!
//! Comes in: a path and the process's environment. Goes out: a [`Config`] with warnings, or
//! **every** fault at once, each with its key, the value found, the values accepted, and the file
//! and line. A value that may be a secret is never in a fault: an unknown key has only its name, a
//! URL never its password.
//!
//! - `fault`: one fault, and the error that lists all of them.
//! - `written`: files and variables become one flat map from key to value and origin.
//! - `overlay`: the keys of a bundle.
//! - `typed_values`: a typed reader of that map, which records the keys that are read.
//! - `known_keys`: every key with its default and limits, and the rules between keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::fault::ConfigError;
use super::overlay::{Link, Overlay};
use super::typed_values::KeyRule;
use super::{Config, Fleet, effective, fleet, typed_values, written};
use crate::event::Name;

/// A configuration, its warnings and its files.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<String>,
    pub files: Vec<PathBuf>,
    /// The links that the directory of the bundle's files needs. Empty without a bundle.
    pub links: Vec<Link>,
    /// The absolute path of the main file.
    pub(super) main: PathBuf,
    pub(super) written: written::Map,
}

impl Loaded {
    /// Returns where the value of a key is written. `None`: the key has its default.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<String> {
        Some(self.written.get(key)?.origin.to_string())
    }
}

/// Reads the configuration at `path`. `environment` is that of the process: variables that do not
/// start with `STOCKRELAY_` are ignored.
pub fn load(path: &Path, environment: &[(String, String)]) -> Result<Loaded, ConfigError> {
    load_with(path, environment, None)
}

/// Reads the configuration at `path` with that of a bundle, which the environment overrides.
pub fn load_with(
    path: &Path,
    environment: &[(String, String)],
    overlay: Option<&Overlay>,
) -> Result<Loaded, ConfigError> {
    let (files, mut written) = written::read_files(path)?;
    let main = written::absolute(path);
    let (mut links, mut faults) = (Vec::new(), Vec::new());
    if let Some(overlay) = overlay {
        written::read_bundle(overlay.serial, &overlay.parts, &mut written)?;
        let mut all = written.clone();
        written::read_environment(environment, &mut all);
        links = overlay.point(&main, &mut written, &all);
        faults = overlay.point_secrets(&mut written, &all);
    }
    written::read_environment(environment, &mut written);
    let unused = overlay.map_or_else(Vec::new, |overlay| overlay.list_unused(&written));
    match interpret(main, written, files) {
        Ok(mut loaded) if faults.is_empty() => {
            loaded.warnings.extend(unused);
            Ok(Loaded { links, ..loaded })
        }
        Err(ConfigError::Faults(more)) => {
            faults.extend(more);
            Err(ConfigError::Faults(faults))
        }
        Ok(_) => Err(ConfigError::Faults(faults)),
        Err(missing) => Err(missing),
    }
}

/// The keys that no bundle may set. The gateway reads them before it knows its bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    pub site: Name,
    pub data_dir: PathBuf,
    pub fleet: Fleet,
}

/// Reads the keys that no bundle may set. Faults of other keys do not matter here: a bundle may
/// bring what the local files lack.
pub fn load_ground(path: &Path, environment: &[(String, String)]) -> Result<Ground, ConfigError> {
    let (_, mut written) = written::read_files(path)?;
    written::read_environment(environment, &mut written);
    written.retain(|key, _| {
        key == "site" || key == "data_dir" || key == "fleet" || key.starts_with("fleet.")
    });
    let directory = written::directory(&written::absolute(path));
    let mut reader = typed_values::Reader::new(directory, written);
    let site = super::known_keys::site(&mut reader);
    let data_dir = reader.path("data_dir");
    let fleet = fleet::read(&mut reader, &mut Vec::new(), site.as_ref());
    reader.refuse_unknown();
    match site {
        Some(site) if reader.faults.is_empty() => Ok(Ground {
            site,
            data_dir: data_dir.unwrap_or_else(|| super::known_keys::DATA_DIR.into()),
            fleet,
        }),
        _ => Err(ConfigError::Faults(reader.faults)),
    }
}

/// Reads `[fleet]` alone: on central IT's machines a configuration file may have nothing else.
pub fn load_fleet(path: &Path, environment: &[(String, String)]) -> Result<Fleet, ConfigError> {
    let (_, mut written) = written::read_files(path)?;
    written::read_environment(environment, &mut written);
    written.retain(|key, _| key == "fleet" || key.starts_with("fleet."));
    let directory = written::directory(&written::absolute(path));
    let mut reader = typed_values::Reader::new(directory, written);
    let fleet = fleet::read(&mut reader, &mut Vec::new(), None);
    reader.refuse_unknown();
    if reader.faults.is_empty() {
        Ok(fleet)
    } else {
        Err(ConfigError::Faults(reader.faults))
    }
}

/// Whether the file at `path`, with its `config.d`, has `[fleet]` and no other key: it is that of
/// central IT's desk, and not that of a gateway.
#[must_use]
pub fn has_only_fleet(path: &Path) -> bool {
    let read = written::read_files(path);
    read.is_ok_and(|(_, written)| {
        let is_fleet = |key: &String| key == "fleet" || key.starts_with("fleet.");
        !written.is_empty() && written.keys().all(is_fleet)
    })
}

/// Interprets the keys and values from `files` and the environment.
pub(super) fn interpret(
    main: PathBuf,
    written: written::Map,
    files: Vec<PathBuf>,
) -> Result<Loaded, ConfigError> {
    let mut reader = typed_values::Reader::new(written::directory(&main), written.clone());
    let mut warnings = Vec::new();
    let config = super::known_keys::read(&mut reader, &mut warnings);
    reader.refuse_unknown();
    match config {
        Some(config) if reader.faults.is_empty() => Ok(Loaded {
            config,
            warnings,
            files,
            links: Vec::new(),
            main,
            written,
        }),
        _ => Err(ConfigError::Faults(reader.faults)),
    }
}

/// Returns every key, in the order of the reference.
#[must_use]
pub fn known_keys() -> Vec<&'static str> {
    read_nothing().known
}

/// Returns what each key accepts, in the order of the reference.
#[must_use]
pub fn key_rules() -> Vec<KeyRule> {
    read_nothing().rules
}

/// Returns the default of each key. Null: the key has none.
#[must_use]
pub fn defaults() -> effective::Values {
    let needed = [
        ("site", "x"),
        ("mqtt.listen.devices", "x"),
        ("mqtt.broker.url", "mqtts://x"),
        ("odoo.url", "https://x"),
        ("odoo.database", "x"),
    ];
    let mut written = BTreeMap::new();
    for (key, value) in needed {
        let value = toml::Value::String(value.to_owned());
        let origin = written::Origin::File(PathBuf::new(), None);
        written.insert(key.to_owned(), written::Written { value, origin });
    }
    let mut reader = typed_values::Reader::new(PathBuf::new(), written);
    let config = super::known_keys::read(&mut reader, &mut Vec::new());
    let mut values = config.as_ref().map(effective::values).unwrap_or_default();
    for key in needed
        .map(|(key, _)| key)
        .into_iter()
        .chain(["mqtt.broker.devices"])
    {
        values.insert(key, serde_json::Value::Null);
    }
    values
}

/// Returns the keys that name a file, a directory, a port or a host.
#[must_use]
pub fn known_places() -> Vec<&'static str> {
    read_nothing().places
}

fn read_nothing() -> typed_values::Reader {
    let mut reader = typed_values::Reader::new(PathBuf::new(), BTreeMap::new());
    let _ = super::known_keys::read(&mut reader, &mut Vec::new());
    reader
}
