//! The disk of the journal.

use super::Finding;
use crate::config::Config;
use crate::journal::{DISK_REMEDY, DISK_RESERVE_BYTES, FILE, describe_scarce_disk};
use crate::view::table::size;

/// The name of these findings.
const DISK: &str = "disk";
/// Below this free space the disk is full soon.
const FREE_BYTES_LOW: u64 = 2 * DISK_RESERVE_BYTES;
const NO_ROOM: &str = "on a full disk the gateway acknowledges no scan";

/// Checks whether the journal can grow to its budget on this disk.
pub(super) fn space(config: &Config) -> Option<Finding> {
    let there = config.data_dir.ancestors().find(|path| path.exists())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let journal = std::fs::metadata(config.data_dir.join(FILE)).map_or(0, |file| file.len());
    let disk = format!("the disk of data_dir {}", config.data_dir.display());
    Some(room(&disk, free, journal, config.journal.budget_bytes))
}

fn room(disk: &str, free: u64, journal: u64, budget: u64) -> Finding {
    let to_grow = budget.saturating_sub(journal);
    let (free_size, to_grow_size, budget) = (size(free), size(to_grow), size(budget));
    if free < DISK_RESERVE_BYTES {
        Finding::fail(
            DISK,
            describe_scarce_disk(),
            format!(
                "{disk} has {free_size} free; devices repeat their scans, and show them as not stored"
            ),
            DISK_REMEDY,
        )
    } else if free < FREE_BYTES_LOW {
        let what = format!("{disk} has only {free_size} free");
        Finding::warn(DISK, what, NO_ROOM, DISK_REMEDY)
    } else if free < to_grow {
        Finding::warn(
            DISK,
            format!(
                "{disk} has only {free_size} free; the journal may need {to_grow_size} more (journal.budget {budget})"
            ),
            NO_ROOM,
            "free disk space or lower journal.budget, so that the journal reaches its budget before the disk is full",
        )
    } else {
        Finding::ok(
            DISK,
            format!(
                "{disk} has {free_size} free; the journal needs at most {to_grow_size} more (journal.budget {budget})"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::check::Level;

    #[test]
    fn free_disk_is_compared_with_the_growth_of_the_journal() {
        let gib = 1 << 30;
        let level = |free, journal, budget| room("the disk", free, journal, budget).level;
        assert_eq!(level(2 * gib, 0, gib), Level::Ok);
        assert_eq!(level(gib / 2, 0, gib), Level::Warn);
        assert_eq!(level(gib / 2, gib, gib), Level::Ok);
        assert_eq!(level(60 << 20, gib, gib), Level::Warn);
        assert_eq!(level(1 << 20, gib, gib), Level::Fail);
    }
}
