//! Opening the journal: one process, a file that is a journal, and what is in memory read back.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase as _, ReadableTable as _, StorageBackend};
use thiserror::Error;
use tokio::sync::watch;

use super::budget::Budget;
use super::disk::{Disk, Insisting};
use super::held::Held;
use super::ids::{self, Ids};
use super::inbox::Inbox;
use super::read::Journal;
use super::stored::{self, Kept};
use super::writer::{Limits, Writer};
use super::{Fatal, rejected, tables};
use crate::config;

/// The version of the tables' layout. A newer one is refused, never guessed at.
const FORMAT: &[u8] = b"1";
/// The journal is the daemon's alone, whatever the umask: members of its group may not write it.
const FILE_MODE: u32 = 0o600;

#[derive(Debug, Error)]
pub enum OpenError {
    #[error("data directory {path} cannot be used ({source}): create it and give this user the right to write there, or change data_dir", path = .path.display())]
    Directory {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("journal in {path} is in use by process {pid}: stop that one first, or give this one another data_dir", path = .path.display())]
    InUse { path: PathBuf, pid: String },
    #[error("journal {path} has format {found}, and this version knows only {known}: run the version that wrote it, or a newer one", path = .path.display(), known = String::from_utf8_lossy(FORMAT))]
    Format { path: PathBuf, found: String },
    #[error("journal {path} cannot be opened ({source}): keep a copy of the file for support; the gateway starts empty once it is moved away", path = .path.display())]
    Damaged { path: PathBuf, source: Box<Fatal> },
}

/// The writer's thread: wait for it to be sure that the file is closed.
#[derive(Debug)]
pub struct WriterHandle(JoinHandle<Result<(), Fatal>>);

impl WriterHandle {
    /// Blocks until the writer has ended; answers why, where it was not asked to.
    pub fn join(self) -> Result<(), Fatal> {
        self.0
            .join()
            .unwrap_or_else(|_| Err(Fatal::Invariant("the journal's writer panicked".to_owned())))
    }
}

impl Journal {
    /// Opens (or makes) `journal.redb` in the data directory and starts its writer.
    pub fn open(
        data_dir: &Path,
        config: &config::Journal,
    ) -> Result<(Self, WriterHandle), OpenError> {
        std::fs::create_dir_all(data_dir).map_err(|source| OpenError::Directory {
            path: data_dir.to_owned(),
            source,
        })?;
        let lock = lock(data_dir)?;
        let path = data_dir.join("journal.redb");
        let damaged = |source: Fatal| OpenError::Damaged {
            path: path.clone(),
            source: Box::new(source),
        };
        let disk = Disk::beside(&path);
        let created = create(config, &path, &disk);
        let database = created.map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => OpenError::InUse {
                path: path.clone(),
                pid: "that does not say its number".to_owned(),
            },
            other => damaged(other.into()),
        })?;
        let file = (path.clone(), lock);
        Self::start(database, Some(file), disk, config).map_err(|error| match error {
            Fatal::Format(found) => OpenError::Format {
                path: path.clone(),
                found,
            },
            other => damaged(other),
        })
    }

    /// The same on any storage, without a disk budget: for tests that play the disk.
    pub fn open_on(
        storage: impl StorageBackend,
        config: &config::Journal,
    ) -> Result<(Self, WriterHandle), Fatal> {
        let disk = Disk::default();
        let storage = Insisting::new(storage, disk.clone());
        let database = builder(config).create_with_backend(storage)?;
        Self::start(database, None, disk, config)
    }

    fn start(
        database: Database,
        file: Option<(PathBuf, Lock)>,
        disk: Disk,
        config: &config::Journal,
    ) -> Result<(Self, WriterHandle), Fatal> {
        make_tables(&database)?;
        let (kept, ids) = read_back(&database)?;
        let held = Held::open(&database, kept.totals.last_seq)?;
        let (path, lock) = file.unzip();
        let limit = config.budget_bytes;
        let mut budget = Budget::new(path, disk.clone(), limit, config.reserve_percent);
        budget.measure(&database)?;
        let mut totals = kept.totals.clone();
        totals.bytes = budget.file_bytes();
        totals.budget_bytes = budget.budget_bytes();
        totals.full = budget.is_full();
        let (sender, receiver) = watch::channel(totals);
        let (inbox, requests) = Inbox::new();
        let database = Arc::new(database);
        let ids = Arc::new(RwLock::new(ids));
        let settled = kept.totals.settled;
        let writer = Writer {
            database: Arc::clone(&database),
            ids: Arc::clone(&ids),
            kept,
            held,
            totals: sender,
            budget,
            limits: Limits {
                dedup_days: config.dedup_days,
                retention_days: config.retention_days,
                rejected_bytes_max: config.budget_bytes / rejected::BUDGET_DIVISOR,
            },
        };
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                // Held as long as the file is open.
                let _lock = lock;
                writer.run(requests)
            })
            .map_err(|error| {
                Fatal::Invariant(format!("cannot start the journal's thread: {error}"))
            })?;
        Ok((
            Self::new(inbox, receiver, database, ids, settled, disk),
            WriterHandle(thread),
        ))
    }
}

fn create(
    config: &config::Journal,
    path: &Path,
    disk: &Disk,
) -> Result<Database, redb::DatabaseError> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path)?;
    let storage = Insisting::new(FileBackend::new(file)?, disk.clone());
    builder(config).create_with_backend(storage)
}

fn builder(config: &config::Journal) -> Builder {
    let mut builder = Database::builder();
    // redb's own default is 1 GiB: far too much for a gateway.
    builder.set_cache_size(config.cache_bytes);
    builder
}

/// Holds the data directory for this process.
struct Lock(File);

impl Drop for Lock {
    /// Closing the file alone would not do: a child process that is being started has it open too,
    /// until it runs its own program (`flock(2)`: forked file descriptors share the lock).
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "cannot unlock the data directory");
        }
    }
}

/// One process only: a lock on a file that names who holds it.
fn lock(data_dir: &Path) -> Result<Lock, OpenError> {
    let unusable = |source| OpenError::Directory {
        path: data_dir.to_owned(),
        source,
    };
    let path = data_dir.join("lock");
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path)
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut pid = String::new();
            file.take(20).read_to_string(&mut pid).map_err(unusable)?;
            return Err(OpenError::InUse {
                path: data_dir.to_owned(),
                pid: pid.trim().to_owned(),
            });
        }
        Err(std::fs::TryLockError::Error(source)) => return Err(unusable(source)),
    }
    file.set_len(0).map_err(unusable)?;
    file.rewind().map_err(unusable)?;
    writeln!(file, "{}", std::process::id()).map_err(unusable)?;
    Ok(Lock(file))
}

/// Makes every table, so that readers find them all, and checks the format.
fn make_tables(database: &Database) -> Result<(), Fatal> {
    let format = match database.begin_read()?.open_table(tables::META) {
        Ok(meta) => meta.get("format")?.map(|format| format.value().to_vec()),
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(error.into()),
    };
    match format {
        Some(format) if format == FORMAT => return Ok(()),
        Some(format) => return Err(Fatal::Format(String::from_utf8_lossy(&format).into_owned())),
        None => {}
    }
    let mut write = database.begin_write()?;
    write.set_quick_repair(true);
    write.open_table(tables::EVENTS)?;
    write.open_table(tables::EVENT_DOCUMENT)?;
    write.open_table(tables::REPEATS)?;
    write.open_table(tables::REJECTED)?;
    write.open_table(tables::DEVICES)?;
    write.open_table(tables::ID_BUCKETS)?;
    write.open_table(tables::ID_FILTERS)?;
    write.open_table(tables::DOCUMENTS)?;
    write.open_table(tables::PROGRESS)?;
    write.open_table(tables::DOCUMENT_KEYS)?;
    write.open_table(tables::BY_STATE)?;
    write.open_table(tables::AUDIT)?;
    write.open_table(tables::KEPT)?;
    write.open_table(tables::META)?.insert("format", FORMAT)?;
    write.commit()?;
    Ok(())
}

/// The counters, and the index of event ids.
fn read_back(database: &Database) -> Result<(Kept, Ids), Fatal> {
    let read = database.begin_read()?;
    let kept = match read.open_table(tables::META)?.get("totals")? {
        Some(bytes) => stored::kept_out(bytes.value())?,
        None => Kept::default(),
    };
    let mut ids = Ids::default();
    for entry in read.open_table(tables::ID_FILTERS)?.iter()? {
        let (number, bytes) = entry?;
        ids.load(number.value(), bytes.value())?;
    }
    for entry in read.open_table(tables::DEVICES)?.iter()? {
        ids.know_device(entry?.0.value());
    }
    for entry in read
        .open_table(tables::EVENTS)?
        .range(ids.flushed_seq() + 1..)?
    {
        let (seq, bytes) = entry?;
        let event = stored::event_out(bytes.value())?;
        ids.insert(
            ids::digest(event.device.as_str(), &event.id),
            seq.value(),
            event.received,
        );
    }
    Ok((kept, ids))
}
