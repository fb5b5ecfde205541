//! Limits the disk space of the journal. **Invariant 10:** at the limit nothing more is
//! acknowledged, and the gateway reports it.
//!
//! redb's file does not shrink when records are removed: their pages are reused. So the length of
//! the file shows that it is full only until something was pruned. When the file is so long that
//! only the last part of the budget is left, the pages in use are counted (that walks the file),
//! and after that the written bytes are added up. The estimate is rather too high than too low, and
//! never refuses readings for long: the pages are counted again before the journal counts as full.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use redb::Database;

use super::Fatal;
use super::disk::Disk;
use crate::clock;

/// Bytes that stay free on the file system for everything else on the box.
pub const DISK_RESERVE_BYTES: u64 = 32 << 20;
/// Disk space of a record in percent of its bytes, with the half-empty pages of copy-on-write.
const OVERHEAD_PERCENT: i64 = 150;
/// The shortest time between two counts while little was written or removed.
const COUNT_EVERY_MIN: Duration = Duration::from_secs(1);
/// The time between two counts is at least this many times the duration of a count: the writer of a
/// large journal has other work to do.
const COUNT_COST_FACTOR: u32 = 20;

#[derive(Debug)]
pub(super) struct Budget {
    /// `None`: the journal is not in a file (tests bring their own storage), so there is no limit.
    path: Option<PathBuf>,
    disk: Disk,
    limit_bytes: u64,
    /// Above this size only devices that hold less than their share store more.
    scarce_bytes: u64,
    file_bytes: u64,
    /// Bytes in use by the last count, while the file is at least as long as `scarce_bytes`.
    /// `None`: not counted.
    counted: Option<i64>,
    /// Estimate of the bytes that were written since the last count.
    added: i64,
    /// Bytes that were removed since the last count.
    removed: i64,
    /// When the next count is allowed without any other reason.
    count_again: Option<Instant>,
    disk_full: bool,
    scarce: bool,
    full: bool,
}

/// Bytes of records that a transaction wrote and removed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    pub added: u64,
    pub removed: u64,
}

impl Budget {
    /// `reserve_percent`: the last part of the limit, for devices that hold little.
    pub fn new(path: Option<PathBuf>, disk: Disk, limit_bytes: u64, reserve_percent: u8) -> Self {
        let scarce_bytes = scarce_bytes(limit_bytes, reserve_percent);
        Self {
            path,
            disk,
            limit_bytes,
            scarce_bytes,
            file_bytes: 0,
            counted: None,
            added: 0,
            removed: 0,
            count_again: None,
            disk_full: false,
            scarce: false,
            full: false,
        }
    }

    /// Applies new limits. The next [`Self::measure`] finds out whether the journal is full.
    pub fn set_limits(&mut self, limit_bytes: u64, reserve_percent: u8) {
        self.limit_bytes = limit_bytes;
        self.scarce_bytes = scarce_bytes(limit_bytes, reserve_percent);
        self.count_again = None;
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

    /// Bytes in use: counted near the limit, else the length of the file.
    pub fn in_use_bytes(&self) -> u64 {
        let believed = self
            .counted
            .map(|counted| counted.saturating_add(self.added));
        believed
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(self.file_bytes)
    }

    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    pub fn budget_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Measures the file and the disk. The writer calls this before each transaction.
    pub fn measure(&mut self, database: &Database) -> Result<(), Fatal> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        self.file_bytes = std::fs::metadata(path)
            .map_err(redb::StorageError::from)?
            .len();
        self.disk_full = rustix::fs::statvfs(path.as_path())
            .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < DISK_RESERVE_BYTES)
            || !self.disk.reserve();
        let was_full = self.full;
        let over = if self.file_bytes < self.limit_bytes.min(self.scarce_bytes) {
            (self.counted, self.added, self.removed) = (None, 0, 0);
            self.scarce = false;
            false
        } else {
            // After the journal was full, it must have some more room before it accepts readings
            // again: the state must not flicker.
            let percent = if was_full { 90 } else { 97 };
            let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            let limit = signed(self.limit_bytes / 100 * percent);
            let scarce = signed(self.scarce_bytes);
            let in_use = self.in_use(database, limit, scarce)?;
            self.scarce = in_use >= scarce;
            in_use >= limit
        };
        self.full = over || self.disk_full;
        if self.full && !was_full {
            tracing::error!("{}", self.describe());
        } else if was_full && !self.full {
            tracing::info!("the journal has room again: the gateway acknowledges readings again");
        }
        Ok(())
    }

    /// Bytes in use: the estimate, or a new count where the estimate would say "full" or the last
    /// count is old.
    fn in_use(&mut self, database: &Database, limit: i64, scarce: i64) -> Result<i64, Fatal> {
        let part = |of: u64| i64::try_from(self.limit_bytes / of).unwrap_or(i64::MAX);
        if let Some(counted) = self.counted {
            let believed = counted.saturating_add(self.added);
            let much = self.removed > part(64) || self.added > part(16);
            let now = clock::instant();
            // Near the limit a new count is due only after some bytes were written, so that the
            // budget does not count before each transaction.
            let due = self.added > part(1_024) || self.count_again.is_none_or(|at| at <= now);
            let would_refuse = believed >= limit || (believed >= scarce && !self.scarce);
            let may_end =
                self.scarce && self.removed > 0 && self.count_again.is_none_or(|at| at <= now);
            let must_count = much || may_end || (would_refuse && due);
            if !must_count {
                return Ok(believed);
            }
        }
        let begun = clock::instant();
        let counted = count_in_use(database)?;
        let pause = (begun.elapsed() * COUNT_COST_FACTOR).max(COUNT_EVERY_MIN);
        self.count_again = Some(clock::instant() + pause);
        (self.counted, self.added, self.removed) = (Some(counted), 0, 0);
        Ok(counted)
    }

    pub fn wrote(&mut self, written: Written) {
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.removed = self.removed.saturating_add(signed(written.removed));
        let added = signed(written.added).saturating_mul(OVERHEAD_PERCENT) / 100;
        self.added = self.added.saturating_add(added);
    }

    fn describe(&self) -> String {
        if self.disk_full {
            format!(
                "the disk of the journal has less than {} MiB free: the gateway acknowledges nothing until there is room. Remove files or enlarge the disk",
                DISK_RESERVE_BYTES >> 20
            )
        } else {
            format!(
                "the journal has reached its budget of {} bytes (journal.budget): the gateway acknowledges nothing until it can prune posted events. Restore the link to Odoo, or raise journal.budget",
                self.limit_bytes
            )
        }
    }
}

fn scarce_bytes(limit_bytes: u64, reserve_percent: u8) -> u64 {
    limit_bytes / 100 * (100 - u64::from(reserve_percent.min(100)))
}

fn count_in_use(database: &Database) -> Result<i64, Fatal> {
    let write = database.begin_write()?;
    let stats = write.stats()?;
    write.abort()?;
    Ok(i64::try_from(
        stats
            .allocated_pages()
            .saturating_mul(stats.page_size() as u64),
    )
    .unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use redb::TableDefinition;

    use super::*;

    const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("t");

    fn write(database: &Database, records: std::ops::Range<u64>) {
        let write = database.begin_write().unwrap();
        {
            let mut table = write.open_table(TABLE).unwrap();
            for number in records {
                table.insert(number, [7; 4_000].as_slice()).unwrap();
            }
        }
        write.commit().unwrap();
    }

    /// A file that has its largest size and is half empty.
    fn long_file() -> (tempfile::TempDir, Database, Budget) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let database = Database::create(&path).unwrap();
        write(&database, 0..1_000);
        let bytes = std::fs::metadata(&path).unwrap().len();
        let all = database.begin_write().unwrap();
        all.open_table(TABLE)
            .unwrap()
            .retain(|number, _| number < 500)
            .unwrap();
        all.commit().unwrap();
        // Later commits can use the pages that a commit frees.
        write(&database, 0..1);
        write(&database, 0..1);
        let budget = Budget::new(Some(path), Disk::default(), bytes, 0);
        (dir, database, budget)
    }

    #[test]
    fn an_estimate_that_is_too_high_refuses_nothing() {
        let (_dir, database, mut budget) = long_file();
        budget.measure(&database).unwrap();
        assert!(!budget.is_full());
        // A record that is written many times needs no more room than one that is written once.
        for _ in 0..20 {
            budget.wrote(Written {
                added: budget.budget_bytes() / 4,
                removed: 0,
            });
            budget.measure(&database).unwrap();
            assert!(!budget.is_full());
        }
    }

    #[test]
    fn a_full_journal_is_said_to_be_full_and_recovers_by_itself() {
        let (_dir, database, mut budget) = long_file();
        let mut next = 500;
        while !budget.is_full() {
            write(&database, next..next + 10);
            budget.wrote(Written {
                added: 40_000,
                removed: 0,
            });
            next += 10;
            budget.measure(&database).unwrap();
            assert!(next < 2_000, "the journal never became full");
        }
        let less = database.begin_write().unwrap();
        less.open_table(TABLE)
            .unwrap()
            .retain(|number, _| number < 100)
            .unwrap();
        less.commit().unwrap();
        // The test does not report the removed bytes: after a while the budget counts again all the
        // same.
        let begun = clock::instant();
        while budget.is_full() {
            assert!(begun.elapsed() < Duration::from_secs(20), "still full");
            write(&database, 0..1);
            budget.measure(&database).unwrap();
        }
    }
}
