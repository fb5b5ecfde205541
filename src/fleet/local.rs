//! The configuration of this gateway: its own files, with those of a bundle on its disk.
//!
//! **In**: the folder of a bundle's files for this gateway, or none. **Out**: the effective
//! configuration and the configurations for floor devices, or every fault. Nothing but links and
//! decrypted secrets in the bundle's folder is written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::bundle::Bundle;
use super::disk::{FolderStorage, bundle_of_set};
use super::identity::GatewayKey;
use super::secrets;
use super::site_check;
use super::site_set::SiteSet;
use crate::channel::desired::DesiredConfig;
use crate::config::{self, ConfigError, Loaded};
use crate::event::Name;

/// Where the gateway's own configuration is, and which files of a bundle are for it.
#[derive(Debug, Clone)]
pub struct LocalFiles {
    /// The path of the main file.
    pub main: PathBuf,
    pub environment: Vec<(String, String)>,
    pub site: Name,
    pub group: Option<Name>,
    /// Decrypts the secrets of a bundle.
    pub key: GatewayKey,
}

/// A configuration without a fault.
#[derive(Debug)]
pub struct LocalConfig {
    pub loaded: Loaded,
    /// Empty without a bundle.
    pub floor: BTreeMap<Name, DesiredConfig>,
}

impl LocalFiles {
    /// Reads the local files with those of a bundle, whose folder is `set`; `None`: alone.
    pub fn read(&self, set: Option<&Path>) -> Result<LocalConfig, Vec<String>> {
        let Some(folder) = set else {
            let loaded =
                config::load(&self.main, &self.environment).map_err(|error| match error {
                    ConfigError::Faults(faults) => faults.iter().map(ToString::to_string).collect(),
                    missing @ ConfigError::Missing(_) => vec![missing.to_string()],
                })?;
            return Ok(LocalConfig {
                loaded,
                floor: BTreeMap::new(),
            });
        };
        let one = |fault: String| vec![fault];
        let files = self.open(folder).map_err(one)?;
        let faults = secrets::unpack(&files, &self.key, &mut FolderStorage::inside(folder));
        if !faults.is_empty() {
            return Err(faults);
        }
        let checked = site_check::check(&files, folder, &self.main, &self.environment);
        let checked = checked.map_err(|error| {
            one(format!(
                "{}: cannot create links to the local files: {error}",
                folder.display()
            ))
        })?;
        match checked.loaded {
            Some(loaded) if checked.faults.is_empty() => Ok(LocalConfig {
                loaded,
                floor: checked.floor,
            }),
            _ => Err(checked.faults),
        }
    }

    fn open(&self, folder: &Path) -> Result<SiteSet, String> {
        open(folder, &self.site, self.group.as_ref())
    }
}

/// Opens the bundle of a folder, and compares its files for this site with those in the folder.
pub fn open(folder: &Path, site: &Name, group: Option<&Name>) -> Result<SiteSet, String> {
    let path = bundle_of_set(folder);
    let bytes = fs::read(&path).map_err(|error| {
        format!(
            "{}: {error}; apply the bundle again, or a newer one",
            path.display()
        )
    })?;
    let bundle = Bundle::read(&bytes.into()).map_err(|error| error.to_string())?;
    let files = SiteSet::of(&bundle, site, group);
    for (name, file) in &files.files {
        let unpacked = folder.join(name);
        if fs::read(&unpacked).is_ok_and(|bytes| bytes == file.bytes) {
            continue;
        }
        return Err(format!(
            "{} is not the file of the bundle, because it is damaged or fleet.group has changed; apply a bundle with a higher serial",
            unpacked.display()
        ));
    }
    Ok(files)
}
