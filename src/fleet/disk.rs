//! `data_dir/fleet/`: the fleet record, the bundles, and their unpacked files.
//!
//! ```text
//! record                      what the gateway knows about bundles
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

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use thiserror::Error;

use super::chain::Link;
use super::record::{BundleId, ConfigSet, FleetRecord};
use super::stored;

/// The folder in `data_dir`.
pub const FOLDER: &str = "fleet";
const RECORD: &str = "record";
const BUNDLES: &str = "bundles";
/// The folder below it with the unpacked files of each bundle.
pub const SETS: &str = "sets";
pub const TRUST: &str = "trust";
const LOCK: &str = "lock";
/// The rights of the group and of other users in the mode of a file.
const OTHERS: u32 = 0o077;
/// What is not complete yet, or no longer, ends with one of these.
const NEW: &str = ".new";
const OLD: &str = ".old";
/// The record begins with the BLAKE3 hash of the rest.
const HASH_BYTES: usize = blake3::OUT_LEN;

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
        "cannot read {}: {why}. Restore the file from a backup; or remove it, and the gateway begins with the local files and accepts any serial",
        path.display()
    )]
    Corrupt { path: PathBuf, why: String },
}

/// The fleet's folder.
#[derive(Debug)]
pub struct FleetDisk<S> {
    storage: S,
}

impl<S: Storage> FleetDisk<S> {
    /// Opens the folder and reads the record, which is empty if there is none.
    pub fn open(mut storage: S) -> Result<(Self, FleetRecord), DiskError> {
        for folder in [BUNDLES, SETS] {
            let created = storage.create_folder(folder);
            created.map_err(|error| fault(&storage, folder, error))?;
        }
        let synced = storage.sync("");
        synced.map_err(|error| fault(&storage, "", error))?;
        let corrupt = |why: String| DiskError::Corrupt {
            path: storage.place(RECORD),
            why,
        };
        let record = match storage.read(RECORD) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => FleetRecord::default(),
            Err(error) => return Err(corrupt(error.to_string())),
            Ok(bytes) => read_record(&bytes).map_err(corrupt)?,
        };
        Ok((Self { storage }, record))
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

    /// Replaces the record.
    pub fn write_record(&mut self, record: &FleetRecord) -> Result<(), DiskError> {
        let bytes = stored::record_in(record).map_err(|error| DiskError::Io {
            path: self.storage.place(RECORD),
            source: io::Error::other(error),
        })?;
        let hash = blake3::hash(&bytes);
        let bytes = [hash.as_bytes().as_slice(), &bytes].concat();
        self.replace("", RECORD, &bytes)
    }

    /// Stores a bundle and its files for this site, unless they are stored already.
    pub fn store(
        &mut self,
        id: BundleId,
        bundle: &[u8],
        files: &[(String, Bytes)],
    ) -> Result<(), DiskError> {
        let path = bundle_path(id);
        let name = path.trim_start_matches(BUNDLES).trim_start_matches('/');
        if !self.has(BUNDLES, name)? {
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
        self.run(&format!("{RECORD}{NEW}"), Storage::remove)
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
    let record = match fs::read(&path) {
        Ok(bytes) => read_record(&bytes).map_err(|why| format!("cannot read {shown}: {why}"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => FleetRecord::default(),
        Err(error) => {
            let remedy = "run the command as root, or as the daemon's user";
            return Err(format!("cannot read {shown}: {error}; {remedy}"));
        }
    };
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

fn read_record(bytes: &[u8]) -> Result<FleetRecord, String> {
    let (hash, record) = (bytes.split_at_checked(HASH_BYTES))
        .ok_or_else(|| format!("it has {} bytes, which is too short", bytes.len()))?;
    if blake3::hash(record).as_bytes() != hash {
        return Err("its checksum is wrong, so the file is damaged".to_owned());
    }
    stored::record_out(record).map_err(|error| error.to_string())
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

/// The folder in the file system. Only the daemon's user can read it.
#[derive(Debug)]
pub struct FolderStorage {
    root: PathBuf,
    /// Locked: a second process must not count as a start.
    lock: Option<File>,
}

impl FolderStorage {
    /// Creates the folder in `data_dir`, unless it exists.
    pub fn create(data_dir: &Path) -> io::Result<Self> {
        let mut storage = Self {
            root: data_dir.join(FOLDER),
            lock: None,
        };
        storage.create_folder("")?;
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(storage.place(LOCK))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another process of stockrelay uses the directory",
            ),
        })?;
        storage.lock = Some(lock);
        File::open(data_dir)?.sync_all()?;
        Ok(storage)
    }

    /// A folder that exists, without a lock: that of a bundle's files.
    #[must_use]
    pub fn inside(folder: &Path) -> Self {
        Self {
            root: folder.to_owned(),
            lock: None,
        }
    }
}

impl Storage for FolderStorage {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.place(path))
    }

    fn is_private(&self, path: &str) -> io::Result<bool> {
        let mode = fs::metadata(self.place(path))?.mode();
        Ok(mode & OTHERS == 0)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let names = fs::read_dir(self.place(folder))?.map(|entry| {
            let name = entry?.file_name();
            Ok(name.to_string_lossy().into_owned())
        });
        names.collect()
    }

    fn create_folder(&mut self, path: &str) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(self.place(path)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            created => created,
        }
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(self.place(path))?.write_all(bytes)
    }

    fn sync(&mut self, path: &str) -> io::Result<()> {
        File::open(self.place(path))?.sync_all()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.place(from), self.place(to))
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        let path = self.place(path);
        let removed = match fs::symlink_metadata(&path) {
            Ok(data) if data.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn place(&self, path: &str) -> PathBuf {
        match path {
            "" => self.root.clone(),
            path => self.root.join(path),
        }
    }
}

#[cfg(test)]
mod tests;
