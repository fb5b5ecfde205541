//! What the disk alone does, as the scale of all times in the table.

use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

const RECORD_BYTES: usize = 300;
const RECORDS: usize = 1_000;

/// The type of a file system in memory (statfs(2)).
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// A file system in memory makes every sync free, and the comparison worthless.
pub fn check(dir: &Path) -> Result<()> {
    let kind = rustix::fs::statfs(dir)?.f_type;
    ensure!(
        kind != TMPFS_MAGIC,
        "{} is in memory, where a sync costs nothing: choose a directory on a disk with --dir",
        dir.display()
    );
    Ok(())
}

/// Appends records to a file whose space is written already, with one fdatasync for each.
pub fn appends(dir: &Path) -> Result<Vec<Duration>> {
    let mut file = tempfile::tempfile_in(dir)?;
    file.write_all(&vec![0; RECORD_BYTES * RECORDS])?;
    file.sync_all()?;
    file.rewind()?;
    let mut times = Vec::with_capacity(RECORDS);
    for _ in 0..RECORDS {
        let begun = Instant::now();
        file.write_all(&[1; RECORD_BYTES])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    Ok(times)
}
