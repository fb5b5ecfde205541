//! The configuration of this gateway: its own files, with those of a bundle on its disk.
//!
//! **In**: the folder of a bundle's files for this gateway, or none. **Out**: the effective
//! configuration and the configurations for floor devices, or every fault. Nothing outside the
//! bundle's folder is written: links and decrypted secrets, and each file that is damaged, missing,
//! or of another group, again from the stored bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::bundle::Bundle;
use super::disk::{FolderStorage, Storage as _, bundle_of_set};
use super::identity::GatewayKey;
use super::record::{BundleId, ManifestHash};
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
        let files = open(folder, &self.site, self.group.as_ref()).map_err(one)?;
        repair(&files, folder).map_err(one)?;
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
}

/// Opens the stored bundle of a folder, and chooses its files for this site. The name of the folder
/// has the hash of the manifest, which was verified when the bundle came.
pub fn open(folder: &Path, site: &Name, group: Option<&Name>) -> Result<SiteSet, String> {
    let path = bundle_of_set(folder);
    let unusable = |why: String| {
        format!(
            "{}: {why}; apply the bundle again, or a newer one",
            path.display()
        )
    };
    let bytes = fs::read(&path).map_err(|error| unusable(error.to_string()))?;
    let bundle = Bundle::read(&bytes.into()).map_err(|error| unusable(error.to_string()))?;
    let id = BundleId {
        serial: bundle.manifest.serial,
        manifest: ManifestHash(bundle.hash()),
    };
    if folder.file_name() != Some(OsStr::new(&id.to_string())) {
        return Err(unusable("its manifest is another one".to_owned()));
    }
    Ok(SiteSet::of(&bundle, site, group))
}

/// Writes each file of a set that is damaged or missing, and removes files that the set does not
/// have: the group of this gateway may have changed.
fn repair(set: &SiteSet, folder: &Path) -> Result<(), String> {
    let fault = |path: &Path, error: io::Error| {
        format!("cannot write {}: {error}; check the disk", path.display())
    };
    let mut storage = FolderStorage::inside(folder);
    if !folder.exists() {
        let created = create_folders(&mut storage, "");
        created.map_err(|error| fault(folder, error))?;
    }
    let mut present = BTreeSet::new();
    list_files(folder, "", &mut present).map_err(|error| fault(folder, error))?;
    let surplus = present.iter().filter(|path| !set.files.contains_key(*path));
    for path in surplus {
        let removed = remove_file(&mut storage, path);
        removed.map_err(|error| fault(&folder.join(path), error))?;
    }
    for (path, file) in &set.files {
        let place = folder.join(path);
        let is_whole = |bytes: Vec<u8>| bytes == file.bytes;
        if present.contains(path) && fs::read(&place).is_ok_and(is_whole) {
            continue;
        }
        let written = write_file(&mut storage, path, &file.bytes);
        written.map_err(|error| fault(&place, error))?;
        tracing::warn!(
            "wrote {} again from the stored bundle: it was damaged or missing, or fleet.group changed",
            place.display()
        );
    }
    Ok(())
}

/// Lists the regular files below `path`, except for secrets. Links are no files of a set.
fn list_files(folder: &Path, path: &str, found: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(path))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = match path {
            "" => name,
            path => format!("{path}/{name}"),
        };
        let kind = entry.file_type()?;
        if kind.is_dir() && name != secrets::FOLDER {
            list_files(folder, &name, found)?;
        } else if kind.is_file() {
            found.insert(name);
        }
    }
    Ok(())
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn remove_file(storage: &mut FolderStorage, path: &str) -> io::Result<()> {
    storage.remove(path)?;
    storage.sync(parent(path))
}

fn write_file(storage: &mut FolderStorage, path: &str, bytes: &[u8]) -> io::Result<()> {
    create_folders(storage, parent(path))?;
    let new = format!("{path}.new");
    storage.write(&new, bytes)?;
    storage.sync(&new)?;
    storage.rename(&new, path)?;
    storage.sync(parent(path))
}

/// Creates a folder of the set, and those that it is in.
fn create_folders(storage: &mut FolderStorage, path: &str) -> io::Result<()> {
    if !path.is_empty() {
        create_folders(storage, parent(path))?;
    }
    storage.create_folder(path)?;
    match path {
        "" => storage.sync(".."),
        path => storage.sync(parent(path)),
    }
}

#[cfg(test)]
mod tests;
