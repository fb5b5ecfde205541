//! Reads a journal that no daemon has open, and changes nothing: to verify its pages against their
//! checksums and its books, or to export it.
//!
//! **In**: a data directory. **Out**: [`Verified`], or what a reader found. redb repairs a file
//! when it opens it, so its writes stay in memory here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{Database, ReadableDatabase as _, StorageBackend};

use super::log::is_of_another;
use super::open::{FILE, LOCK, LOG_FILE};
use super::panics::{Quiet, describe};
use super::prepare::empty_unfinished;
use super::work_done::WorkDone;
use super::{Damage, Fatal};

/// Size of the blocks that the memory is divided into.
const BLOCK_BYTES: u64 = 4_096;
const CACHE_BYTES: usize = 4 << 20;

/// The result of a verification.
#[derive(Debug)]
pub enum Verified {
    /// The file is missing or empty.
    Missing,
    /// A daemon has the journal open.
    InUse,
    /// Every page in use is as the gateway wrote it.
    Sound {
        bytes: u64,
    },
    Damaged(Damage),
    /// Another version wrote the journal; this is the text of its format.
    UnknownFormat(String),
}

/// How much a verification reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The header, the format and what the file needs to be opened.
    Opens,
    /// Each page, against its checksum.
    Pages,
    /// Also each record, and whether the tables agree with one another and with the sums.
    Books,
}

/// Reads all pages of the journal in `data_dir`. The duration is the time that the disk needs to
/// read the file.
pub fn verify(data_dir: &Path) -> io::Result<Verified> {
    let unseen = WorkDone::default();
    verify_with(data_dir, Depth::Pages, &unseen, &unseen)
}

/// As [`verify`]. `pages` counts the bytes that are read, `books` the records.
pub fn verify_with(
    data_dir: &Path,
    depth: Depth,
    pages: &WorkDone,
    books: &WorkDone,
) -> io::Result<Verified> {
    let path = data_dir.join(FILE);
    let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
    let read = |database: &Database| match depth {
        Depth::Opens | Depth::Pages => Ok(Vec::new()),
        Depth::Books => super::books::check(&database.begin_read()?, books),
    };
    Ok(
        match read_closed(data_dir, depth != Depth::Opens, pages, read)? {
            Closed::Missing => Verified::Missing,
            Closed::InUse => Verified::InUse,
            Closed::Read(Ok(faults)) if faults.is_empty() => Verified::Sound { bytes },
            Closed::Read(Ok(faults)) => Verified::Damaged(Damage::new(
                &path,
                format!("its books do not agree: {}", faults.join("; ")),
            )),
            Closed::Read(Err(Fatal::Format(found))) => Verified::UnknownFormat(found),
            Closed::Read(Err(fatal)) if fatal.is_damage() => {
                Verified::Damaged(Damage::new(&path, fatal.to_string()))
            }
            Closed::Read(Err(fatal)) => return Err(io::Error::other(fatal.to_string())),
        },
    )
}

/// What was found in a journal that no daemon has open.
#[derive(Debug)]
pub(super) enum Closed<T> {
    /// The file is missing or empty.
    Missing,
    /// A daemon has the journal open.
    InUse,
    Read(Result<T, Fatal>),
}

/// Opens the journal in `data_dir` for `read`. `has_checks`: each page is compared with its
/// checksum first. `progress` counts the bytes that are read.
pub(super) fn read_closed<T>(
    data_dir: &Path,
    has_checks: bool,
    progress: &WorkDone,
    read: impl FnOnce(&Database) -> Result<T, Fatal>,
) -> io::Result<Closed<T>> {
    let path = data_dir.join(FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Closed::Missing),
        Err(error) => return Err(error),
    };
    let bytes = file.metadata()?.len();
    // The lock lasts until the end, so that no daemon starts to write meanwhile.
    let lock = match File::open(data_dir.join(LOCK)) {
        Ok(lock) => Some(lock),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if let Some(lock) = &lock {
        match lock.try_lock_shared() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(Closed::InUse),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    if bytes == 0 {
        // A daemon was killed while it created the file.
        return Ok(Closed::Missing);
    }
    let log = match File::open(data_dir.join(LOG_FILE)) {
        Ok(log) => Some(log),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    progress.set_all(bytes);
    Ok(Closed::Read(open(file, log, has_checks, progress, read)))
}

/// Opens a file of tables with its log, if it has one.
pub(super) fn open<T>(
    file: File,
    log: Option<File>,
    has_checks: bool,
    progress: &WorkDone,
    read: impl FnOnce(&Database) -> Result<T, Fatal>,
) -> Result<T, Fatal> {
    let storage = Overlay::new(Some(file), progress.clone());
    let storage = storage.map_err(redb::StorageError::from)?;
    empty_unfinished(&storage).map_err(redb::StorageError::from)?;
    let _quiet = Quiet::begin();
    let verified = catch_unwind(AssertUnwindSafe(|| {
        let mut builder = Database::builder();
        builder
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(has_checks);
        let database = builder.create_with_backend(storage)?;
        // A start renames the log of another journal.
        let own = |log: &File, head| Ok::<bool, io::Error>(!is_of_another(log, head)?);
        super::open::read_all(&database, |head| {
            let log = match log {
                Some(log) if own(&log, head)? => Some(log),
                _ => None,
            };
            Ok(Box::new(Overlay::new(log, WorkDone::default())?))
        })?;
        read(&database)
    }));
    verified.unwrap_or_else(|panic| Err(Fatal::Damage(describe(&*panic))))
}

/// The file for reading, if it exists, and memory for the writes.
#[derive(Debug)]
struct Overlay {
    file: Option<File>,
    file_bytes: u64,
    written: Mutex<Memory>,
    progress: WorkDone,
}

#[derive(Debug)]
struct Memory {
    blocks: BTreeMap<u64, Vec<u8>>,
    len: u64,
}

impl Overlay {
    fn new(file: Option<File>, progress: WorkDone) -> io::Result<Self> {
        let length = |file: &File| Ok::<u64, io::Error>(file.metadata()?.len());
        let file_bytes = file.as_ref().map_or(Ok(0), length)?;
        Ok(Self {
            file,
            file_bytes,
            written: Mutex::new(Memory {
                blocks: BTreeMap::new(),
                len: file_bytes,
            }),
            progress,
        })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a block of the file. Bytes after the end of the file are zeros.
    fn block(&self, number: u64) -> io::Result<Vec<u8>> {
        let mut block = vec![0; usize::try_from(BLOCK_BYTES).unwrap_or_default()];
        let begin = number * BLOCK_BYTES;
        let there = self.file_bytes.saturating_sub(begin).min(BLOCK_BYTES);
        let there = usize::try_from(there).unwrap_or_default();
        if let Some(file) = &self.file {
            file.read_exact_at(&mut block[..there], begin)?;
        }
        Ok(block)
    }
}

/// The parts of a range by block: block, first byte in it, and count of bytes.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset + length as u64;
    let mut at = offset;
    std::iter::from_fn(move || {
        (at < end).then(|| {
            let (number, first) = (at / BLOCK_BYTES, at % BLOCK_BYTES);
            let count = (BLOCK_BYTES - first).min(end - at);
            at += count;
            let size = |bytes: u64| usize::try_from(bytes).unwrap_or_default();
            (number, size(first), size(count))
        })
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.memory().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let memory = self.memory();
        if offset.saturating_add(out.len() as u64) > memory.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.progress.add(out.len() as u64);
        let mut done = 0;
        for (number, first, count) in parts(offset, out.len()) {
            let target = &mut out[done..done + count];
            match memory.blocks.get(&number) {
                Some(block) => target.copy_from_slice(&block[first..first + count]),
                None => target.copy_from_slice(&self.block(number)?[first..first + count]),
            }
            done += count;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.memory().len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut memory = self.memory();
        let mut done = 0;
        for (number, first, count) in parts(offset, data.len()) {
            let block = match memory.blocks.entry(number) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(self.block(number)?)
                }
            };
            block[first..first + count].copy_from_slice(&data[done..done + count]);
            done += count;
        }
        Ok(())
    }
}
