//! Opens the journal: checks that no other process has it open and that the file is a journal, and
//! reads back what is in memory.

use std::any::Any;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase as _, ReadableTable as _, StorageBackend};
use thiserror::Error;
use tokio::sync::watch;

use super::budget::{Budget, DISK_REMEDY, describe_scarce_disk};
use super::changes::Noted;
use super::damage::{Alarm, Damage, OpenFile};
use super::disk::{Disk, Insisting};
use super::held::Held;
use super::ids::{self, Ids};
use super::inbox::Inbox;
use super::log;
use super::log_file::LogFile;
use super::panics::{Quiet, describe, panicked};
use super::periods::Periods;
use super::prepare::{FORMAT, Prepared, empty_unfinished, is_unfinished, prepare};
use super::read::Journal;
use super::stored::{self, Counters, LogHead};
use super::transaction::{Cursors, Limits};
use super::writer::Writer;
use super::{Fatal, rejected, tables};
use crate::config;
use crate::event::Seq;

/// The daemon alone may write the journal, whatever the umask: members of its group may not.
pub(super) const FILE_MODE: u32 = 0o600;

#[derive(Debug, Error)]
pub enum OpenError {
    #[error("{}", describe_directory(path, source))]
    Directory {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("journal in {path} is in use by process {pid}; stop that process first, or give this one another data_dir", path = .path.display())]
    InUse { path: PathBuf, pid: String },
    #[error("`stockrelay check` is reading the journal in {path}: start again when the check has ended", path = .path.display())]
    InCheck { path: PathBuf },
    #[error("{}: {}", unknown_format(path, found), FORMAT_REMEDY)]
    Format { path: PathBuf, found: String },
    /// The file cannot be used, whatever its content: the reason is its access rights, or the disk.
    #[error("cannot open the journal {path} ({source}): give the user that runs stockrelay the right to read and write the file, and check the disk", path = .path.display())]
    Unusable { path: PathBuf, source: Box<Fatal> },
    #[error("{}", Damage::new(path, source.to_string()))]
    Damaged { path: PathBuf, source: Box<Fatal> },
}

fn describe_directory(path: &Path, error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return format!("{}; {DISK_REMEDY}", describe_scarce_disk());
    }
    format!(
        "cannot use the data directory {} ({error}); create the directory and give the user that runs stockrelay the right to write there, or change data_dir",
        path.display()
    )
}

/// What to do about a journal with a format that this version does not know.
pub(crate) const FORMAT_REMEDY: &str = "run the version that wrote it, or a newer one";

/// Describes a journal with a format that this version does not know.
pub(crate) fn unknown_format(path: &Path, found: &str) -> String {
    format!(
        "journal {} has format {found}, but this version knows only format {}",
        path.display(),
        String::from_utf8_lossy(FORMAT)
    )
}

impl OpenError {
    /// Whether another start fails in the same way until a person has acted.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Format { .. })
    }
}

/// How long opening waits for a `stockrelay check` that reads the journal.
const CHECK_WAIT: Duration = Duration::from_secs(10);
const CHECK_POLL: Duration = Duration::from_millis(50);

/// Each start verifies a journal up to this size. On a slow disk a larger one would delay the start
/// by seconds: `stockrelay check` verifies it.
pub const VERIFIED_BYTES_MAX: u64 = 64 << 20;

/// The journal's file in the data directory, and the file that a process locks while it uses the
/// journal.
pub const FILE: &str = "journal.redb";
/// The file of the log in front of the tables.
pub const LOG_FILE: &str = "journal.log";
/// The name that the log of another journal gets.
const OTHER_LOG_FILE: &str = "journal.log.other";
pub(super) const LOCK: &str = "lock";

/// The thread of the writer. Join it to be sure that the file is closed.
#[derive(Debug)]
pub struct WriterHandle(JoinHandle<Result<(), Fatal>>);

impl WriterHandle {
    /// Blocks until the writer has ended. Returns the reason if nothing requested the end.
    pub fn join(self) -> Result<(), Fatal> {
        self.0
            .join()
            .unwrap_or_else(|_| Err(Fatal::Invariant("the journal's writer panicked".to_owned())))
    }
}

impl Journal {
    /// Opens (or creates) `journal.redb` in the data directory and starts its writer.
    pub fn open(
        data_dir: &Path,
        config: &config::Journal,
    ) -> Result<(Self, WriterHandle), OpenError> {
        std::fs::create_dir_all(data_dir).map_err(|source| OpenError::Directory {
            path: data_dir.to_owned(),
            source,
        })?;
        let lock = lock(data_dir)?;
        let path = data_dir.join(FILE);
        let damaged = |source: Fatal| {
            let (path, source) = (path.clone(), Box::new(source));
            if source.is_damage() {
                OpenError::Damaged { path, source }
            } else {
                OpenError::Unusable { path, source }
            }
        };
        let _quiet = Quiet::begin();
        let caught = |panic: Box<dyn Any + Send>| damaged(Fatal::Damage(describe(&*panic)));
        let disk = Disk::beside(&path);
        let created = catch_unwind(AssertUnwindSafe(|| create(config, &path, &disk)));
        let log = |head| open_log(data_dir, head, &disk);
        let database = created.map_err(caught)?.map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => OpenError::InUse {
                path: path.clone(),
                pid: "(number unknown)".to_owned(),
            },
            other => damaged(other.into()),
        })?;
        let file = (path.clone(), lock);
        let started = catch_unwind(AssertUnwindSafe(|| {
            Self::start(database, log, Some(file), disk.clone(), config)
        }));
        started.map_err(caught)?.map_err(|error| match error {
            Fatal::Format(found) => OpenError::Format {
                path: path.clone(),
                found,
            },
            other => damaged(other),
        })
    }

    /// Opens a journal on any storage, without a disk budget: for tests that simulate the disk.
    pub fn open_on(
        storage: impl StorageBackend,
        log: impl StorageBackend,
        config: &config::Journal,
    ) -> Result<(Self, WriterHandle), Fatal> {
        let disk = Disk::default();
        let storage = Insisting::new(storage, disk.clone());
        empty_unfinished(&storage).map_err(redb::StorageError::from)?;
        let database = builder(config).create_with_backend(storage)?;
        let log: Box<dyn StorageBackend> = Box::new(Insisting::new(log, disk.clone()));
        Self::start(database, |_| Ok(log), None, disk, config)
    }

    fn start(
        database: Database,
        open_log: impl FnOnce(LogHead) -> io::Result<Box<dyn StorageBackend>>,
        file: Option<(PathBuf, Lock)>,
        disk: Disk,
        config: &config::Journal,
    ) -> Result<(Self, WriterHandle), Fatal> {
        let Prepared { log, room } = prepare(&database, open_log)?;
        let (counters, ids) = read_back(&database)?;
        let held = Held::open(&database, counters.totals.last_seq)?;
        let periods = Periods::open(&database, &counters.totals)?;
        let (path, lock) = file.unzip();
        let alarm = Alarm::new(path.as_deref().unwrap_or(Path::new(FILE)));
        let writers = alarm.clone();
        let limit = config.budget_bytes;
        let mut budget = Budget::new(path, disk.clone(), limit, config.reserve_percent, room);
        budget.measure(&database)?;
        let mut totals = counters.totals.clone();
        totals.bytes = budget.file_bytes();
        totals.budget_bytes = budget.budget_bytes();
        totals.full = budget.is_full();
        totals.disk_full = budget.is_disk_full();
        let (sender, receiver) = watch::channel(totals);
        let (inbox, requests) = Inbox::new();
        let database = Arc::new(OpenFile::new(database));
        let ids = Arc::new(RwLock::new(ids));
        let settled = counters.totals.settled;
        let writer = Writer {
            database: Arc::clone(&database),
            ids: Arc::clone(&ids),
            counters,
            held,
            periods,
            totals: sender,
            budget,
            measured: None,
            limits: Limits::of(config),
            cursors: Cursors::default(),
            log,
            noted: Noted::default(),
            disk: disk.clone(),
            is_closed: false,
        };
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                // The lock lasts as long as the file is open.
                let _lock = lock;
                let _quiet = Quiet::begin();
                let ran = catch_unwind(AssertUnwindSafe(|| writer.run(requests)));
                ran.unwrap_or_else(|panic| Err(panicked(&*panic)))
                    .inspect_err(|fatal| {
                        tracing::error!("the journal stops: {fatal}");
                        if fatal.is_damage() {
                            writers.raise(fatal.to_string());
                        }
                    })
            })
            .map_err(|error| {
                Fatal::Invariant(format!("cannot start the journal's thread: {error}"))
            })?;
        Ok((
            Self::new(inbox, receiver, database, ids, settled, disk, alarm),
            WriterHandle(thread),
        ))
    }
}

/// Whether the journal in this directory is missing or empty.
#[must_use]
pub fn is_missing(data_dir: &Path) -> bool {
    let file = match File::open(data_dir.join(FILE)) {
        Ok(file) => file,
        // Opening the journal reports other faults.
        Err(error) => return error.kind() == io::ErrorKind::NotFound,
    };
    let is_empty = file.metadata().is_ok_and(|data| data.len() == 0);
    is_empty || FileBackend::new(file).is_ok_and(|file| is_unfinished(&file).unwrap_or(false))
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
    let file_bytes = file.metadata()?.len();
    let storage = Insisting::new(FileBackend::new(file)?, disk.clone());
    empty_unfinished(&storage)?;
    // A page that the disk has changed must not become another quantity: read all pages and check
    // their checksums, where that does not delay the devices.
    let is_quick = file_bytes <= VERIFIED_BYTES_MAX;
    builder(config)
        .set_check_integrity_on_open(is_quick)
        .create_with_backend(storage)
}

/// Opens the log of the journal with this head. The log of another journal, or of a later time, is
/// renamed: its own tables may lack what it has.
fn open_log(data_dir: &Path, head: LogHead, disk: &Disk) -> io::Result<Box<dyn StorageBackend>> {
    let path = data_dir.join(LOG_FILE);
    let open = || {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        options.mode(FILE_MODE).open(&path)
    };
    let mut file = open()?;
    if log::is_of_another(&file, head)? {
        let other = free_name(data_dir)?;
        tracing::warn!(
            "{} is the log of another journal, or later than {FILE}: renamed to {}",
            path.display(),
            other.display()
        );
        std::fs::rename(&path, other)?;
        file = open()?;
    }
    // The names of new files must be on disk, too.
    File::open(data_dir)?.sync_all()?;
    let file = LogFile::new(file, &path);
    Ok(Box::new(Insisting::new(file, disk.clone())))
}

/// A name for the log of another journal that no file has: it may be the only copy.
fn free_name(data_dir: &Path) -> io::Result<PathBuf> {
    let names = (1..).map(|number: u32| match number {
        1 => OTHER_LOG_FILE.to_owned(),
        _ => format!("{OTHER_LOG_FILE}.{number}"),
    });
    for path in names.map(|name| data_dir.join(name)) {
        if !path.try_exists()? {
            return Ok(path);
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn builder(config: &config::Journal) -> Builder {
    let mut builder = Database::builder();
    // redb's own default is 1 GiB: far too much for a gateway.
    builder.set_cache_size(config.cache_bytes);
    builder
}

/// Locks the data directory for this process.
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Unlocks the file. Closing it is not enough: a child process that is starting has the file
    /// open too until it runs its own program (`flock(2)`: forked file descriptors share the lock).
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "cannot unlock the data directory");
        }
    }
}

/// Locks the data directory for one process; the locked file names that process.
pub(super) fn lock(data_dir: &Path) -> Result<Lock, OpenError> {
    let unusable = |source| OpenError::Directory {
        path: data_dir.to_owned(),
        source,
    };
    let path = data_dir.join(LOCK);
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path)
        .map_err(unusable)?;
    match lock_alone(&file).map_err(unusable)? {
        Locked::Alone => {}
        Locked::ByCheck => {
            return Err(OpenError::InCheck {
                path: data_dir.to_owned(),
            });
        }
        Locked::ByDaemon => {
            let mut pid = String::new();
            file.take(20).read_to_string(&mut pid).map_err(unusable)?;
            return Err(OpenError::InUse {
                path: data_dir.to_owned(),
                pid: pid.trim().to_owned(),
            });
        }
    }
    file.set_len(0).map_err(unusable)?;
    file.rewind().map_err(unusable)?;
    writeln!(file, "{}", std::process::id()).map_err(unusable)?;
    Ok(Lock(file))
}

/// The process that has the lock.
enum Locked {
    Alone,
    ByDaemon,
    ByCheck,
}

/// Locks the file for this process alone. A check shares its lock: this function waits for the
/// check.
fn lock_alone(file: &File) -> std::io::Result<Locked> {
    use std::fs::TryLockError::{Error, WouldBlock};
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Locked::Alone),
            Err(Error(error)) => return Err(error),
            Err(WouldBlock) => {}
        }
        match file.try_lock_shared() {
            Ok(()) => file.unlock()?,
            Err(Error(error)) => return Err(error),
            Err(WouldBlock) => return Ok(Locked::ByDaemon),
        }
        if waited >= CHECK_WAIT {
            return Ok(Locked::ByCheck);
        }
        std::thread::sleep(CHECK_POLL);
        waited += CHECK_POLL;
    }
}

/// Reads everything that opening reads, for a verification. Fails where the records are damaged,
/// and where the format is not known.
pub(super) fn read_all(
    database: &Database,
    log: impl FnOnce(LogHead) -> io::Result<Box<dyn StorageBackend>>,
) -> Result<(), Fatal> {
    prepare(database, log)?;
    let (counters, _) = read_back(database)?;
    Held::open(database, counters.totals.last_seq)?;
    Periods::open(database, &counters.totals)?;
    Ok(())
}

/// Reads the counters and the index of event ids.
fn read_back(database: &Database) -> Result<(Counters, Ids), Fatal> {
    let read = database.begin_read()?;
    let mut counters = match read.open_table(tables::META)?.get("totals")? {
        Some(bytes) => stored::counters_out(bytes.value())?,
        None => Counters::default(),
    };
    counters.totals.rejected_wait(rejected::count_open(&read)?);
    let mut ids = Ids::default();
    let buckets = read.open_table(tables::ID_BUCKETS)?;
    for entry in read.open_table(tables::ID_FILTERS)?.iter()? {
        let (number, bytes) = entry?;
        let number = number.value();
        ids.load(number, bytes.value(), |add| {
            for entry in buckets.range((number, 0)..=(number, u16::MAX))? {
                add(entry?.1.value());
            }
            Ok::<_, Fatal>(())
        })?;
    }
    for entry in read.open_table(tables::DEVICES)?.iter()? {
        ids.know_device(entry?.0.value());
    }
    for entry in read
        .open_table(tables::EVENTS)?
        .range(ids.flushed_seq().next().get()..)?
    {
        let (seq, bytes) = entry?;
        let event = stored::event_out(bytes.value())?;
        ids.insert(
            ids::digest(event.device.as_str(), &event.id),
            Seq::new(seq.value()),
            event.received,
        );
    }
    Ok((counters, ids))
}
