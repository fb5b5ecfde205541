//! The fleet's folder in the file system.
//!
//! **In**: operations of [`Storage`]. **Out**: the same in `data_dir/fleet`, which one process uses
//! at a time, and which only the daemon's user can read.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{FOLDER, Storage};

const LOCK: &str = "lock";
/// The rights of the group and of other users in the mode of a file.
const OTHERS: u32 = 0o077;

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
        // Who may write to `data_dir` must not choose where the record is.
        if !fs::symlink_metadata(&storage.root)?.is_dir() {
            let text = "it is no directory, but a file or a symbolic link: remove it, and move the directory to its place";
            return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
        }
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

    fn reserve(&mut self, path: &str, bytes: u64) -> io::Result<()> {
        let path = self.place(path);
        if fs::metadata(&path).is_ok_and(|data| data.len() >= bytes) {
            return Ok(());
        }
        let mut options = File::options();
        let file = (options.write(true).create(true).truncate(false).mode(0o600)).open(&path)?;
        let flags = rustix::fs::FallocateFlags::empty();
        rustix::fs::fallocate(&file, flags, 0, bytes).map_err(|error| {
            // It got only a part of the room: free that part for others.
            fs::remove_file(&path).ok();
            error.into()
        })
    }

    fn place(&self, path: &str) -> PathBuf {
        match path {
            "" => self.root.clone(),
            path => self.root.join(path),
        }
    }
}
