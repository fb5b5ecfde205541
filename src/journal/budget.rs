//! Limits the disk space of the journal. **Invariant 10:** at the limit nothing more is
//! acknowledged, and the gateway reports it.
//!
//! redb's file does not shrink when records are removed: their pages are used again. So the length
//! of the file shows that it is full only until something was pruned. To know the pages in use, the
//! writer adds up the bytes of all records. When redb makes the file longer, all its pages are in
//! use: that gives the bytes of pages for each byte of records, until the file grows again.
//! Counting the pages themselves reads the whole file: the writer does that only before it refuses
//! readings, and then once an hour.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use redb::Database;

use super::Fatal;
use super::disk::Disk;
use super::stored::Room;
use crate::clock;

/// Bytes that stay free on the file system for everything else on the box.
pub const DISK_RESERVE_BYTES: u64 = 32 << 20;
/// How often the pages are counted while the journal is full.
const COUNT_EVERY: Duration = Duration::from_hours(1);

#[derive(Debug)]
pub(super) struct Budget {
    /// `None`: the journal is not in a file (tests bring their own storage), so there is no limit.
    path: Option<PathBuf>,
    disk: Disk,
    limit_bytes: u64,
    /// Above this size only devices that hold less than their share store more.
    scarce_bytes: u64,
    file_bytes: u64,
    room: Room,
    disk_full: bool,
    scarce: bool,
    full: bool,
    /// When the pages were last counted.
    counted: Option<Instant>,
}

impl Budget {
    /// `reserve_percent`: the last part of the limit, for devices that hold little. `room`: as
    /// stored when the tables were last durable.
    pub fn new(
        path: Option<PathBuf>,
        disk: Disk,
        limit_bytes: u64,
        reserve_percent: u8,
        room: Room,
    ) -> Self {
        Self {
            path,
            disk,
            limit_bytes,
            scarce_bytes: scarce_bytes(limit_bytes, reserve_percent),
            file_bytes: 0,
            room,
            disk_full: false,
            scarce: false,
            full: false,
            counted: None,
        }
    }

    /// Applies new limits. The next [`Self::measure`] finds out whether the journal is full.
    pub fn set_limits(&mut self, limit_bytes: u64, reserve_percent: u8) {
        self.limit_bytes = limit_bytes;
        self.scarce_bytes = scarce_bytes(limit_bytes, reserve_percent);
    }

    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Whether the disk is full, and not the budget.
    pub fn is_disk_full(&self) -> bool {
        self.disk_full
    }

    /// Whether the last part of the budget is in use.
    pub fn is_scarce(&self) -> bool {
        self.scarce
    }

    /// Bytes of the pages in use, not above the length of the file.
    pub fn in_use_bytes(&self) -> u64 {
        let Room {
            records,
            records_full,
            pages_full,
        } = self.room;
        if records_full == 0 {
            return self.file_bytes;
        }
        let pages = u128::from(records) * u128::from(pages_full) / u128::from(records_full);
        u64::try_from(pages).map_or(self.file_bytes, |pages| pages.min(self.file_bytes))
    }

    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    pub fn budget_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// What is stored when the tables become durable.
    pub fn room(&self) -> Room {
        self.room
    }

    /// The records of the tables have grown (or shrunk) by these bytes.
    pub fn add_records(&mut self, bytes: i64) {
        self.room.records = self.room.records.saturating_add_signed(bytes);
    }

    /// Measures the file and the disk. The writer calls this before each group.
    pub fn measure(&mut self, database: &Database) -> Result<(), Fatal> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let before = self.file_bytes;
        self.file_bytes = std::fs::metadata(path)
            .map_err(redb::StorageError::from)?
            .len();
        if before > 0 && self.file_bytes > before && self.room.records > 0 {
            (self.room.records_full, self.room.pages_full) = (self.room.records, before);
        }
        self.disk_full = rustix::fs::statvfs(path.as_path())
            .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < DISK_RESERVE_BYTES)
            || !self.disk.reserve();
        let was_full = self.full;
        // After the journal was full, it must have some more room before it accepts readings again:
        // the state must not flicker.
        let percent = if was_full { 90 } else { 97 };
        let limit = self.limit_bytes / 100 * percent;
        let is_recent = |at: Instant| at.elapsed() < COUNT_EVERY;
        if self.in_use_bytes() >= limit && !self.counted.is_some_and(is_recent) {
            self.count(database)?;
        }
        self.scarce = self.in_use_bytes() >= self.scarce_bytes;
        self.full = self.in_use_bytes() >= limit || self.disk_full;
        if self.full && !was_full {
            tracing::error!("{}", self.describe());
        } else if was_full && !self.full {
            tracing::info!("the journal has room again: the gateway acknowledges readings again");
        }
        Ok(())
    }

    /// Counts the pages in use.
    fn count(&mut self, database: &Database) -> Result<(), Fatal> {
        let write = database.begin_write()?;
        let stats = write.stats()?;
        write.abort()?;
        self.room.records_full = self.room.records;
        self.room.pages_full = stats.allocated_pages() * stats.page_size() as u64;
        self.counted = Some(clock::instant());
        Ok(())
    }

    fn describe(&self) -> String {
        if self.disk_full {
            format!("{}; {DISK_REMEDY}", describe_scarce_disk())
        } else {
            format!(
                "the journal has reached its budget of {} bytes (journal.budget): the gateway acknowledges nothing until it can prune posted events. Restore the link to Odoo, or raise journal.budget",
                self.limit_bytes
            )
        }
    }
}

/// What to do about a full disk.
pub const DISK_REMEDY: &str = "remove files or enlarge the disk";

/// Describes a disk on which the gateway acknowledges nothing.
#[must_use]
pub fn describe_scarce_disk() -> String {
    format!(
        "the disk of the journal has less than {} MiB free: the gateway acknowledges nothing until there is room",
        DISK_RESERVE_BYTES >> 20
    )
}

fn scarce_bytes(limit_bytes: u64, reserve_percent: u8) -> u64 {
    limit_bytes / 100 * (100 - u64::from(reserve_percent.min(100)))
}

#[cfg(test)]
mod tests {
    use redb::TableDefinition;

    use super::*;

    const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("t");
    const RECORD_BYTES: usize = 400;

    struct Filled {
        database: Database,
        budget: Budget,
        next: u64,
        first: u64,
        _dir: tempfile::TempDir,
    }

    impl Filled {
        fn new(limit_bytes: u64, reserve_percent: u8) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("journal");
            let database = Database::create(&path).unwrap();
            let room = Room::default();
            let path = Some(path);
            let mut budget = Budget::new(path, Disk::default(), limit_bytes, reserve_percent, room);
            budget.measure(&database).unwrap();
            Self {
                database,
                budget,
                next: 0,
                first: 0,
                _dir: dir,
            }
        }

        fn change(&mut self, added: u64, removed: u64) {
            let write = self.database.begin_write().unwrap();
            {
                let mut table = write.open_table(TABLE).unwrap();
                for number in self.next..self.next + added {
                    table.insert(number, [7; RECORD_BYTES].as_slice()).unwrap();
                }
                for number in self.first..self.first + removed {
                    table.remove(number).unwrap();
                }
            }
            write.commit().unwrap();
            self.next += added;
            self.first += removed;
            let bytes = i64::try_from(RECORD_BYTES).unwrap() + 8;
            let records = added.cast_signed() - removed.cast_signed();
            self.budget.add_records(records * bytes);
            self.budget.measure(&self.database).unwrap();
        }

        /// The pages in use, counted.
        fn counted(&self) -> u64 {
            let write = self.database.begin_write().unwrap();
            let stats = write.stats().unwrap();
            stats.allocated_pages() * stats.page_size() as u64
        }
    }

    #[test]
    fn the_bytes_in_use_are_known_without_a_count() {
        let mut filled = Filled::new(1 << 30, 0);
        let mut far = Vec::new();
        for round in 0..600u64 {
            // Growth, a long time of constant size, and shrinking to a quarter.
            let (added, removed) = match round {
                0..200 => (100, 0),
                200..500 => (100, 100),
                _ => (0, 150),
            };
            filled.change(added, removed);
            if round % 20 == 19 && round >= 100 {
                let (said, counted) = (filled.budget.in_use_bytes(), filled.counted());
                let percent = said * 100 / counted;
                if !(80..=125).contains(&percent) {
                    far.push((round, said, counted));
                }
            }
        }
        assert_eq!(far, [], "round, said, counted");
    }

    #[test]
    fn a_full_journal_is_said_to_be_full_and_has_room_again_after_pruning() {
        let mut filled = Filled::new(12 << 20, 10);
        while !filled.budget.is_scarce() {
            filled.change(100, 0);
            assert!(filled.next < 100_000, "the journal never became scarce");
        }
        assert!(!filled.budget.is_full());
        while !filled.budget.is_full() {
            filled.change(100, 0);
            assert!(filled.next < 100_000, "the journal never became full");
        }
        assert!(filled.counted() < 13 << 20);
        filled.change(0, 100);
        assert!(filled.budget.is_full(), "a little room is not enough");
        filled.change(0, filled.next / 5);
        assert!(!filled.budget.is_full());
        // The file is as long as before.
        assert!(filled.budget.file_bytes() > 12 << 20);
    }
}
