//! The files of a bundle for one site: what its gateway reads.
//!
//! **In**: a bundle, a site and its group. **Out**: the files, of which a site's replaces the
//! group's of the same path, and the group's the common one. `unpack` writes them into a new
//! directory, on disk before it returns; `overlay` is what they add to the configuration.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::Path;

use bytes::Bytes;

use super::bundle::Bundle;
use super::layout::{self, Use, Whose};
use crate::config::{Loaded, Overlay};
use crate::event::Name;

/// The files of a bundle for one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteSet {
    pub serial: u64,
    pub site: Name,
    pub group: Option<Name>,
    /// By their path without group and site, such as `config.d/50-capture.toml`.
    pub files: BTreeMap<String, SiteFile>,
    /// Encrypted secrets by their name. Others can decrypt none of them.
    pub secrets: BTreeMap<String, Bytes>,
}

/// A file for one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFile {
    /// In the archive, such as `files/groups/nl/devices.toml`.
    pub origin: String,
    pub used: Use,
    pub bytes: Bytes,
}

impl SiteSet {
    /// Chooses the files of a bundle for a site.
    #[must_use]
    pub fn of(bundle: &Bundle, site: &Name, group: Option<&Name>) -> Self {
        let mut set = Self {
            serial: bundle.manifest.serial,
            site: site.clone(),
            group: group.cloned(),
            files: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        let mut chosen: Vec<_> = bundle
            .files
            .iter()
            .filter_map(|(path, bytes)| Some((layout::place(path)?, path, bytes)))
            .filter(|(placed, ..)| match &placed.whose {
                Whose::All => true,
                Whose::Group(own) => Some(own) == group,
                Whose::Site(own) => own == site,
            })
            .collect();
        // Common files first, then the group's, then the site's: the order of `Whose`.
        chosen.sort_by(|(one, ..), (other, ..)| one.whose.cmp(&other.whose));
        for (placed, path, bytes) in chosen {
            let bytes = bytes.clone();
            if let Some(secret) = layout::secret_name(placed.path) {
                set.secrets.insert(secret.to_owned(), bytes);
            } else if placed.used != Use::Trust {
                let file = SiteFile {
                    origin: format!("files/{path}"),
                    used: placed.used,
                    bytes,
                };
                set.files.insert(placed.path.to_owned(), file);
            }
        }
        set
    }

    /// Describes what the files add to the configuration, if they are unpacked into `directory`.
    #[must_use]
    pub fn overlay(&self, directory: &Path) -> Overlay {
        let of = |used: Use| self.files.values().filter(move |file| file.used == used);
        let text = |file: &SiteFile| {
            let text = String::from_utf8_lossy(&file.bytes).into_owned();
            (file.origin.clone(), text)
        };
        let origin = |used| of(used).next().map(|file| file.origin.clone());
        Overlay {
            serial: self.serial,
            parts: of(Use::Config).map(text).collect(),
            directory: directory.to_owned(),
            devices: origin(Use::Devices),
            scanners: origin(Use::Scanners),
            has_profiles: of(Use::Profile).next().is_some(),
            secrets: (self.secrets.keys())
                .map(|name| (name.clone(), self.secret_origin(name)))
                .collect(),
        }
    }

    /// The path of a secret in the archive.
    #[must_use]
    pub fn secret_origin(&self, name: &str) -> String {
        format!("files/sites/{}/secrets/{name}.age", self.site)
    }

    /// Writes the files into `directory`, which must not exist. [`super::secrets`] writes
    /// the secrets. All is on disk when this returns, except for the entry of `directory` in its
    /// parent.
    pub fn unpack(&self, directory: &Path) -> io::Result<()> {
        self.write(directory)?;
        for path in self.files.keys() {
            let path = directory.join(path);
            File::open(&path)?.sync_all()?;
            if let Some(parent) = path.parent() {
                File::open(parent)?.sync_all()?;
            }
        }
        File::open(directory)?.sync_all()
    }

    /// Writes the files into `directory`, which must not exist. They are not on disk yet.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        make_directory(directory)?;
        for (path, file) in &self.files {
            let path = directory.join(path);
            if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
                make_directory(parent)?;
            }
            let mut options = File::options();
            let mut written = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            written.write_all(&file.bytes)?;
        }
        Ok(())
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Creates the links that the configuration needs in the directory of the unpacked files. Links of
/// an earlier configuration are replaced.
pub fn make_links(loaded: &Loaded) -> io::Result<()> {
    for (link, target) in &loaded.links {
        if fs::read_link(link).is_ok_and(|present| present == *target) {
            continue;
        }
        // A rename replaces the link at once.
        let mut new = link.as_os_str().to_owned();
        new.push(".new");
        if let Err(error) = fs::remove_file(&new)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        symlink(target, &new)?;
        fs::rename(&new, link)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
