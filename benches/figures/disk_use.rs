//! The disk space of a folder.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The size of a block in `st_blocks`, whatever the file system is.
const BLOCK_BYTES: u64 = 512;

/// The disk space of all files in a folder.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskUse {
    /// Sum of the lengths of the files, in bytes.
    pub length: u64,
    /// Sum of the blocks that the file system allocated for the files, in bytes.
    pub allocated: u64,
}

impl DiskUse {
    pub fn of(folder: &Path) -> io::Result<Self> {
        let mut sum = Self::default();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let more = if entry.file_type()?.is_dir() {
                Self::of(&entry.path())?
            } else {
                let file = entry.metadata()?;
                Self {
                    length: file.len(),
                    allocated: file.blocks() * BLOCK_BYTES,
                }
            };
            sum.length += more.length;
            sum.allocated += more.allocated;
        }
        Ok(sum)
    }
}
