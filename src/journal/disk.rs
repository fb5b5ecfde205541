//! Reserves room on the disk for a commit.
//!
//! redb cannot go on after a write that failed: the process would have to exit, and every device
//! would lose its connection. So a commit begins only while a file of [`BALLAST_BYTES`] reserves
//! room for it ([`Disk::reserve`]). If another process fills the disk during a commit, that file
//! gives its room to the commit. If that is not enough, the write waits until there is room, or
//! until the gateway stops. Meanwhile the gateway acknowledges nothing.
//!
//! **Invariant 11:** after a write or sync that failed, and after any other error of the writer,
//! nothing more is written ([`Disk::refuse_writes`]). By itself, redb makes its last transactions
//! durable when it closes the file. Only the writer may do that: it stores with them up to which
//! group the tables have the log.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redb::{BackendError, StorageBackend};

use crate::pulse::Pulse;

/// Upper bound of the bytes that a commit writes, with redb's own pages. The ballast file beside
/// the journal holds this room all the time.
pub const BALLAST_BYTES: u64 = 16 << 20;
/// The file that reserves the room.
const BALLAST: &str = "journal.ballast";
/// The name of the writer, for the log.
const WRITER: &str = "the journal's writer";
/// How long the writer may take to answer: far longer than a worn SD card takes for one sync of one
/// group.
const WRITER_MAX: Duration = Duration::from_mins(2);
/// How often a write without room on the disk is attempted again.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// The reserved room beside a journal's file. Clones share the room.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None`: the journal is not in a file of the gateway (tests bring their own storage).
    ballast: Option<Mutex<Ballast>>,
    is_waiting: AtomicBool,
    has_given_up: AtomicBool,
    refuses_writes: AtomicBool,
    /// The sign of life of the writer.
    pulse: Pulse,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            ballast: None,
            is_waiting: AtomicBool::new(false),
            has_given_up: AtomicBool::new(false),
            refuses_writes: AtomicBool::new(false),
            pulse: Pulse::new(WRITER, WRITER_MAX),
        }
    }
}

#[derive(Debug)]
struct Ballast {
    path: PathBuf,
    /// `None`: a commit used the room, or the disk had no room for the ballast yet.
    file: Option<File>,
}

impl Disk {
    pub(super) fn beside(journal: &Path) -> Self {
        let path = journal.with_file_name(BALLAST);
        // The ballast of an earlier run: opening the journal writes, too.
        let file = File::options().write(true).open(&path).ok();
        let is_whole = |file: &File| {
            file.metadata()
                .is_ok_and(|data| data.len() >= BALLAST_BYTES)
        };
        let file = file.filter(is_whole);
        Self(Arc::new(Inner {
            ballast: Some(Mutex::new(Ballast { path, file })),
            ..Inner::default()
        }))
    }

    /// The sign of life of the writer. A write that waits for room exempts all parts.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        &self.0.pulse
    }

    /// Whether a write waits for room.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.0.is_waiting.load(Ordering::Relaxed)
    }

    /// The gateway is about to stop: a waiting write fails, and redb recovers at the next start.
    pub fn give_up(&self) {
        self.0.has_given_up.store(true, Ordering::Relaxed);
    }

    /// From now on every write fails.
    pub(super) fn refuse_writes(&self) {
        self.0.refuses_writes.store(true, Ordering::Relaxed);
    }

    /// Runs a write or a sync. If it fails, it is the last.
    fn run(&self, write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.0.refuses_writes.load(Ordering::Relaxed) {
            return Err(io::Error::other(
                "nothing is written after an error of the journal",
            ));
        }
        write().inspect_err(|_| self.refuse_writes())
    }

    fn ballast(&self) -> Option<MutexGuard<'_, Ballast>> {
        let ballast = self.0.ballast.as_ref()?;
        Some(ballast.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ensures that the room is reserved. False: the disk has no room, and no commit may start.
    pub(super) fn reserve(&self) -> bool {
        let Some(mut ballast) = self.ballast() else {
            return true;
        };
        if ballast.file.is_some() {
            return true;
        }
        match allocate(&ballast.path) {
            Ok(file) => {
                ballast.file = Some(file);
                true
            }
            Err(error) if is_no_room(&error) => false,
            Err(error) => {
                // The file system cannot allocate: a commit that finds no room waits in the middle.
                tracing::debug!(%error, "cannot reserve room for a commit");
                true
            }
        }
    }

    /// Gives the room to the current commit. False: the commit has the room already.
    fn release(&self) -> bool {
        let Some(mut ballast) = self.ballast() else {
            return false;
        };
        let Some(file) = ballast.file.take() else {
            return false;
        };
        tracing::error!(
            "the disk is full: the current commit uses the room that the gateway reserved for it"
        );
        file.set_len(0).is_ok()
    }

    /// Repeats a write until the disk has room for it.
    fn insist(&self, write: impl Fn() -> io::Result<()>) -> io::Result<()> {
        loop {
            match write() {
                Err(error) if is_no_room(&error) => {
                    if self.release() {
                        continue;
                    }
                    if self.0.has_given_up.load(Ordering::Relaxed) {
                        return Err(error);
                    }
                    if !self.0.is_waiting.swap(true, Ordering::Relaxed) {
                        self.0.pulse.exempt(true);
                        tracing::error!(
                            "the disk of the journal is full: the gateway acknowledges nothing until there is room; remove files or enlarge the disk"
                        );
                    }
                    std::thread::sleep(RETRY_EVERY);
                }
                done => {
                    if self.0.is_waiting.swap(false, Ordering::Relaxed) {
                        self.0.pulse.exempt(false);
                        tracing::info!("the disk of the journal has room again");
                    }
                    return done;
                }
            }
        }
    }
}

fn allocate(path: &Path) -> io::Result<File> {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let flags = rustix::fs::FallocateFlags::empty();
    match rustix::fs::fallocate(&file, flags, 0, BALLAST_BYTES) {
        Ok(()) => Ok(file),
        Err(error) => {
            // The ballast got only a part of its room: free that part for others.
            drop(file.set_len(0));
            Err(error.into())
        }
    }
}

fn is_no_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Storage on which a write waits for room instead of failing.
#[derive(Debug)]
pub(super) struct Insisting<B> {
    storage: B,
    disk: Disk,
}

impl<B> Insisting<B> {
    pub fn new(storage: B, disk: Disk) -> Self {
        Self { storage, disk }
    }
}

type Range = Bound<u64>;

impl<B: StorageBackend> StorageBackend for Insisting<B> {
    fn len(&self) -> io::Result<u64> {
        self.storage.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.storage.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let set = || self.disk.insist(|| self.storage.set_len(len));
        self.disk.run(set)
    }

    /// A failed sync has lost the data that it should have written: a second attempt is useless.
    fn sync_data(&self) -> io::Result<()> {
        self.disk.run(|| self.storage.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let write = || self.disk.insist(|| self.storage.write(offset, data));
        self.disk.run(write)
    }

    fn close(&self) -> io::Result<()> {
        self.storage.close()
    }

    fn try_lock_range(&self, start: Range, end: Range) -> Result<bool, BackendError> {
        self.storage.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Range, end: Range) -> Result<bool, BackendError> {
        self.storage.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Range, end: Range) -> Result<(), BackendError> {
        self.storage.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Range, end: Range) -> Result<(), BackendError> {
        self.storage.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Range, end: Range) -> Result<(), BackendError> {
        self.storage.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Range, end: Range) -> Result<bool, BackendError> {
        self.storage.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_commit_that_has_begun_gets_the_room_that_was_reserved_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::beside(&dir.path().join("journal.redb"));
        assert!(disk.reserve());
        let ballast = dir.path().join(BALLAST);
        let length = || std::fs::metadata(&ballast).unwrap().len();
        assert_eq!(length(), BALLAST_BYTES);
        // Another process takes the rest of the disk: the commit has only the room that the ballast
        // frees.
        let attempts = Cell::new(0);
        let written = disk.insist(|| {
            attempts.set(attempts.get() + 1);
            if length() > 0 {
                Err(io::ErrorKind::StorageFull.into())
            } else {
                Ok(())
            }
        });
        written.unwrap();
        assert_eq!(attempts.get(), 2);
        assert!(!disk.is_waiting());
        assert!(disk.reserve(), "for the next commit");
        assert_eq!(length(), BALLAST_BYTES);
        // Also after a restart, before the ballast is reserved again.
        let disk = Disk::beside(&dir.path().join("journal.redb"));
        assert!(disk.release());
        assert_eq!(length(), 0);
    }

    #[test]
    fn other_errors_are_not_waited_for() {
        let disk = Disk::default();
        let broken = disk.insist(|| Err(io::ErrorKind::BrokenPipe.into()));
        assert_eq!(broken.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
