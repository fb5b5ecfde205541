//! `data_dir/fleet/`: the fleet record, the bundles, and their unpacked files.
//!
//! ```text
//! record                      what the gateway knows about bundles
//! record.copy                 its second copy
//! record.reserve              room for a rollback or a stop when the disk is full
//! bundles/SERIAL-HASH.bundle  as received
//! sets/SERIAL-HASH/           the files for this site, unpacked; its secrets, decrypted
//! identity.key                the key to which secrets for this gateway are encrypted
//! lock                        locked by the process that uses the folder
//! trust/VERSION               the link of each change of trusted keys
//! ```
//!
//! **In**: a record, a bundle and its files. **Out**: the same, durable when the function returns.
//!
//! **Guarantees**: each of them is written beside its place, synced, and renamed. After a power cut
//! at any write, the record is the old one or the new one, and a set is complete or not there. A
//! full disk leaves everything as before. Every write goes through [`Storage`], so that tests can
//! cut the power after each.

mod folder;
mod record_file;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use thiserror::Error;

use super::chain::Link;
use super::record::{BundleId, ConfigSet, FleetRecord};
use super::stored;
pub use folder::FolderStorage;
use record_file::{COPY, RECORD, read_copies};

/// The folder in `data_dir`.
pub const FOLDER: &str = "fleet";
const BUNDLES: &str = "bundles";
/// The folder below it with the unpacked files of each bundle.
pub const SETS: &str = "sets";
pub const TRUST: &str = "trust";
/// What is not complete yet, or no longer, ends with one of these.
const NEW: &str = ".new";
const OLD: &str = ".old";
/// The file that reserves room for the record.
const RESERVE: &str = "record.reserve";
/// Upper bound of the bytes of a record.
const RESERVE_BYTES: u64 = 1 << 20;

/// The files below `data_dir/fleet/`. Paths are relative to it, with `/` between their parts.
pub trait Storage: Send + 'static {
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
    /// Whether only this user can read a file.
    fn is_private(&self, path: &str) -> io::Result<bool>;
    /// The names in a folder.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Creates a folder, unless it exists.
    fn create_folder(&mut self, path: &str) -> io::Result<()>;
    /// Writes a file, not durably.
    fn write(&mut self, path: &str, bytes: &[u8]) -> io::Result<()>;
    /// Makes the content of a file durable, or the names in a folder.
    fn sync(&mut self, path: &str) -> io::Result<()>;
    /// Renames a file or a folder, not durably.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file, or a folder with everything in it, not durably.
    fn remove(&mut self, path: &str) -> io::Result<()>;
    /// Creates a file that takes this much room, unless there is one.
    fn reserve(&mut self, path: &str, bytes: u64) -> io::Result<()>;
    /// Where a path is in the file system.
    fn place(&self, path: &str) -> PathBuf;
}

/// Why the disk did not do it. The gateway continues with what it has.
#[derive(Debug, Error)]
pub enum DiskError {
    #[error(
        "the disk is full: cannot write {}; free some space, the gateway tries again by itself",
        path.display()
    )]
    Full { path: PathBuf },
    #[error("cannot write {}: {source}; check the disk and the owner of the folder", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "cannot read {}: {why}. Restore the file from a backup; or remove it and record.copy, and the gateway begins with the local files and accepts any serial",
        path.display()
    )]
    Corrupt { path: PathBuf, why: String },
}

/// The fleet's folder.
#[derive(Debug)]
pub struct FleetDisk<S> {
    storage: S,
    /// Why the record was read from its second copy.
    warning: Option<String>,
}

impl<S: Storage> FleetDisk<S> {
    /// Opens the folder and reads the record, which is empty if there is none. A damaged record is
    /// read from its second copy.
    pub fn open(mut storage: S) -> Result<(Self, FleetRecord), DiskError> {
        for folder in [BUNDLES, SETS] {
            let created = storage.create_folder(folder);
            created.map_err(|error| fault(&storage, folder, error))?;
        }
        let synced = storage.sync("");
        synced.map_err(|error| fault(&storage, "", error))?;
        let path = storage.place(RECORD);
        let read = read_copies(|name| storage.read(name));
        let (record, why) = read.map_err(|why| DiskError::Corrupt {
            path: path.clone(),
            why,
        })?;
        let warning = why.map(|why| {
            format!(
                "cannot read {}: {why}. The gateway uses the second copy, and writes both again",
                path.display()
            )
        });
        let mut disk = Self { storage, warning };
        disk.keep_room();
        Ok((disk, record))
    }

    /// Why the record was read from its second copy. `None`: it was not.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    #[must_use]
    pub fn sets(&self) -> PathBuf {
        self.storage.place(SETS)
    }

    /// The folder of a bundle's files. They are complete once the record has the bundle.
    #[must_use]
    pub fn set(&self, id: BundleId) -> PathBuf {
        self.storage.place(&format!("{SETS}/{id}"))
    }

    #[must_use]
    pub fn bundle(&self, id: BundleId) -> PathBuf {
        self.storage.place(&bundle_path(id))
    }

    /// Replaces the record. Room is reserved for it again, if there is any.
    pub fn write_record(&mut self, record: &FleetRecord) -> Result<(), DiskError> {
        let bytes = self.frame(record)?;
        self.replace("", RECORD, &bytes)?;
        // The first copy counts. The second one is at most older, and the next write repairs it.
        if let Err(error) = self.replace("", COPY, &bytes) {
            tracing::debug!("bundles: {error}");
        }
        self.keep_room();
        Ok(())
    }

    /// Replaces the record. If the disk is full, it gets the room that is reserved for it.
    pub fn write_record_anyway(&mut self, record: &FleetRecord) -> Result<(), DiskError> {
        match self.write_record(record) {
            Err(DiskError::Full { .. }) => {
                self.run(RESERVE, Storage::remove)?;
                self.run("", Storage::sync)?;
                self.write_record(record)
            }
            written => written,
        }
    }

    fn keep_room(&mut self) {
        if let Err(error) = self.storage.reserve(RESERVE, RESERVE_BYTES) {
            tracing::debug!(%error, "bundles: cannot reserve room for the record");
        }
    }

    fn frame(&self, record: &FleetRecord) -> Result<Vec<u8>, DiskError> {
        let bytes = stored::record_in(record).map_err(|error| DiskError::Io {
            path: self.storage.place(RECORD),
            source: io::Error::other(error),
        })?;
        Ok(record_file::frame(&bytes))
    }

    /// Stores a bundle and its files for this site, unless they are stored already. A damaged
    /// bundle is replaced; [`super::local`] repairs its files.
    pub fn store(
        &mut self,
        id: BundleId,
        bundle: &[u8],
        files: &[(String, Bytes)],
    ) -> Result<(), DiskError> {
        let path = bundle_path(id);
        let name = path.trim_start_matches(BUNDLES).trim_start_matches('/');
        let stored = self.storage.read(&path);
        if !stored.is_ok_and(|stored| stored == bundle) {
            self.replace(BUNDLES, name, bundle)?;
        }
        let name = id.to_string();
        if self.has(SETS, &name)? {
            // A process that was killed may have renamed it, and not synced the folder.
            return self.run(SETS, Storage::sync);
        }
        let set = format!("{SETS}/{name}");
        let new = format!("{set}{NEW}");
        let stored = self
            .unpack(&new, files)
            .and_then(|()| self.rename(&new, &set, SETS));
        stored.inspect_err(|_| self.give_up(&new))
    }

    /// Stores a change of trusted keys, unless it is stored already. A damaged file is replaced.
    pub fn store_link(&mut self, link: &Link) -> Result<(), DiskError> {
        self.run(TRUST, Storage::create_folder)?;
        self.run("", Storage::sync)?;
        let name = link.version.to_string();
        let stored = self.storage.read(&format!("{TRUST}/{name}"));
        if stored.is_ok_and(|stored| stored == link.bytes) {
            return self.run(TRUST, Storage::sync);
        }
        self.replace(TRUST, &name, &link.bytes)
    }

    /// Reads the changes of trusted keys. One that cannot be read has no effect.
    #[must_use]
    pub fn links(&self) -> Vec<Bytes> {
        let names = self.storage.list(TRUST).unwrap_or_default();
        let is_link = |name: &&String| name.bytes().all(|byte| byte.is_ascii_digit());
        let read = |name: &String| self.storage.read(&format!("{TRUST}/{name}")).ok();
        let read = names.iter().filter(is_link).filter_map(read);
        read.map(Bytes::from).collect()
    }

    /// Removes everything that the record does not need.
    pub fn clean_up(&mut self, needed: &BTreeSet<BundleId>) -> Result<(), DiskError> {
        let bundles: BTreeSet<String> = needed.iter().map(|id| format!("{id}.bundle")).collect();
        let sets: BTreeSet<String> = needed.iter().map(BundleId::to_string).collect();
        for (folder, names) in [(BUNDLES, bundles), (SETS, sets)] {
            let found = self.storage.list(folder);
            let found = found.map_err(|error| fault(&self.storage, folder, error))?;
            for name in found.iter().filter(|name| !names.contains(*name)) {
                self.remove(folder, name)?;
            }
        }
        self.run(&format!("{RECORD}{NEW}"), Storage::remove)?;
        self.run(&format!("{COPY}{NEW}"), Storage::remove)
    }

    /// Removes a bundle or a set. A power cut leaves no incomplete set under the name of a complete
    /// one: the bundle may come again.
    fn remove(&mut self, folder: &str, name: &str) -> Result<(), DiskError> {
        let path = format!("{folder}/{name}");
        if name.ends_with(NEW) || name.ends_with(OLD) {
            return self.run(&path, Storage::remove);
        }
        let old = format!("{path}{OLD}");
        self.run(&old, Storage::remove)?;
        self.rename(&path, &old, folder)?;
        self.run(&old, Storage::remove)
    }

    fn has(&self, folder: &str, name: &str) -> Result<bool, DiskError> {
        let names = self.storage.list(folder);
        let names = names.map_err(|error| fault(&self.storage, folder, error))?;
        Ok(names.iter().any(|found| found == name))
    }

    /// Writes a file beside its place, and renames it.
    fn replace(&mut self, folder: &str, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let path = match folder {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        let new = format!("{path}{NEW}");
        let written = self
            .run(&new, |storage, new| storage.write(new, bytes))
            .and_then(|()| self.run(&new, Storage::sync))
            .and_then(|()| self.rename(&new, &path, folder));
        written.inspect_err(|_| self.give_up(&new))
    }

    fn unpack(&mut self, new: &str, files: &[(String, Bytes)]) -> Result<(), DiskError> {
        // Left from an interrupted attempt.
        self.run(new, Storage::remove)?;
        self.run(new, Storage::create_folder)?;
        let mut folders = BTreeSet::from([new.to_owned()]);
        for (path, bytes) in files {
            check_path(path).map_err(|source| DiskError::Io {
                path: path.into(),
                source,
            })?;
            for (end, _) in path.match_indices('/') {
                let folder = format!("{new}/{}", &path[..end]);
                if !folders.contains(&folder) {
                    self.run(&folder, Storage::create_folder)?;
                    folders.insert(folder);
                }
            }
            let path = format!("{new}/{path}");
            self.run(&path, |storage, path| storage.write(path, bytes))?;
            self.run(&path, Storage::sync)?;
        }
        // The deepest first: a folder is complete before its name is durable.
        for folder in folders.iter().rev() {
            self.run(folder, Storage::sync)?;
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str, folder: &str) -> Result<(), DiskError> {
        self.run(to, |storage, to| storage.rename(from, to))?;
        self.run(folder, Storage::sync)
    }

    /// Frees the space of what cannot be completed. A fault here changes nothing.
    fn give_up(&mut self, new: &str) {
        if let Err(error) = self.storage.remove(new) {
            tracing::debug!(%error, path = new, "cannot remove an incomplete file");
        }
    }

    fn run(
        &mut self,
        path: &str,
        work: impl FnOnce(&mut S, &str) -> io::Result<()>,
    ) -> Result<(), DiskError> {
        work(&mut self.storage, path).map_err(|error| fault(&self.storage, path, error))
    }
}

/// Finds the configuration with which a process would start, and the folder of its files. Another
/// process may use the folder meanwhile: nothing is locked or written.
pub fn find_running(data_dir: &Path) -> Result<(ConfigSet, Option<PathBuf>), String> {
    let root = data_dir.join(FOLDER);
    let path = root.join(RECORD);
    let shown = path.display();
    if let Err(error) = File::open(&path)
        && error.kind() == io::ErrorKind::PermissionDenied
    {
        let remedy = "run the command as root, or as the daemon's user";
        return Err(format!("cannot read {shown}: {error}; {remedy}"));
    }
    let read = read_copies(|name| fs::read(root.join(name)));
    let (record, _) = read.map_err(|why| format!("cannot read {shown}: {why}"))?;
    let running = record.running();
    let folder = running
        .bundle()
        .map(|id| root.join(SETS).join(id.to_string()));
    Ok((running, folder))
}

/// Returns the file of the bundle whose files are in the folder `set`.
#[must_use]
pub fn bundle_of_set(set: &Path) -> PathBuf {
    let mut name = set.file_name().unwrap_or_default().to_owned();
    name.push(".bundle");
    let root = set.parent().and_then(Path::parent);
    root.unwrap_or(Path::new("")).join(BUNDLES).join(name)
}

fn bundle_path(id: BundleId) -> String {
    format!("{BUNDLES}/{id}.bundle")
}

fn fault(storage: &impl Storage, path: &str, source: io::Error) -> DiskError {
    let path = storage.place(path);
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskError::Full { path },
        _ => DiskError::Io { path, source },
    }
}

/// The paths of a verified bundle are relative already; a path that is not stays out of the disk.
fn check_path(path: &str) -> io::Result<()> {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if path.split('/').all(is_plain) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{path:?} is no path of a bundle"),
    ))
}

#[cfg(test)]
mod tests;
