//! How much disk the journal may take. **Invariant 10:** at the limit nothing more is acknowledged, and that is said.
//!
//! redb's file does not shrink when records go: their pages are used again. So the length of the file alone
//! says "full" only until something was pruned. At the limit, the pages in use are counted once (that walks the
//! file), and from there on what is written and removed is added up, until it is worth counting again.

use std::path::PathBuf;

use redb::Database;

use super::Fatal;

/// Left free on the file system for everything else on the box, in bytes.
pub const DISK_RESERVE_BYTES: u64 = 32 << 20;
/// What a record takes on disk for each byte of it, copy-on-write's half-empty pages included.
const OVERHEAD_PERCENT: i64 = 150;

#[derive(Debug)]
pub(super) struct Budget {
    /// None: not in a file (tests bring their own storage); then there is no limit.
    path: Option<PathBuf>,
    limit_bytes: u64,
    file_bytes: u64,
    /// While the file is as long as it may get: bytes in use, by the last count and what was written since.
    in_use: Option<i64>,
    /// Removed since the last count: worth counting again.
    removed: i64,
    disk_full: bool,
    full: bool,
}

/// Bytes of records that a transaction wrote and removed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    pub added: u64,
    pub removed: u64,
}

impl Budget {
    pub fn new(path: Option<PathBuf>, limit_bytes: u64) -> Self {
        Self {
            path,
            limit_bytes,
            file_bytes: 0,
            in_use: None,
            removed: 0,
            disk_full: false,
            full: false,
        }
    }

    pub fn is_full(&self) -> bool {
        self.full
    }

    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    pub fn budget_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Looks at the file and the disk; called before each transaction.
    pub fn measure(&mut self, database: &Database) -> Result<(), Fatal> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        self.file_bytes = std::fs::metadata(path)
            .map_err(redb::StorageError::from)?
            .len();
        self.disk_full = rustix::fs::statvfs(path.as_path())
            .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < DISK_RESERVE_BYTES);
        let was_full = self.full;
        let over = if self.file_bytes < self.limit_bytes {
            self.in_use = None;
            false
        } else {
            let worth_counting =
                self.removed > i64::try_from(self.limit_bytes / 64).unwrap_or(i64::MAX);
            let in_use = match self.in_use {
                Some(in_use) if !worth_counting => in_use,
                _ => {
                    self.removed = 0;
                    count_in_use(database)?
                }
            };
            self.in_use = Some(in_use);
            // Once full, it takes some room to be not full again, so that it does not flicker.
            let limit = if was_full {
                self.limit_bytes / 100 * 90
            } else {
                self.limit_bytes / 100 * 97
            };
            in_use >= i64::try_from(limit).unwrap_or(i64::MAX)
        };
        self.full = over || self.disk_full;
        if self.full && !was_full {
            tracing::error!("{}", self.describe());
        } else if was_full && !self.full {
            tracing::info!("the journal has room again: acknowledging");
        }
        Ok(())
    }

    pub fn wrote(&mut self, written: Written) {
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.removed += signed(written.removed);
        if let Some(in_use) = &mut self.in_use {
            *in_use += signed(written.added) * OVERHEAD_PERCENT / 100;
        }
    }

    fn describe(&self) -> String {
        if self.disk_full {
            format!(
                "the disk of the journal has less than {} MiB free: nothing is acknowledged until there is room",
                DISK_RESERVE_BYTES >> 20
            )
        } else {
            format!(
                "the journal has reached its budget of {} bytes (journal.budget): nothing is acknowledged until posted events are past their retention, or the budget is raised",
                self.limit_bytes
            )
        }
    }
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
