//! The file of the log, written past the page cache where the file system can do that.
//!
//! Through the page cache a write of one block may make the kernel write the whole folio of the
//! cache that the block is in: 128 KiB for 4. Direct writes need memory and offsets that are
//! multiples of a block, so this file copies what it writes.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use redb::StorageBackend;
use rustix::fs::OFlags;

const ALIGNMENT: usize = 4_096;

#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    /// The same file for direct writes, and memory for them. `None`: the file system has none.
    direct: Mutex<Option<(File, Vec<u8>)>>,
}

impl LogFile {
    /// `file` is the open file at `path`.
    pub fn new(file: File, path: &Path) -> Self {
        let flags = OFlags::DIRECT.bits().cast_signed();
        let direct = File::options().write(true).custom_flags(flags).open(path);
        Self {
            file,
            direct: Mutex::new(direct.ok().map(|file| (file, Vec::new()))),
        }
    }
}

/// Writes from aligned memory. `data` and `offset` are whole blocks.
fn write_direct(file: &File, memory: &mut Vec<u8>, offset: u64, data: &[u8]) -> io::Result<()> {
    memory.resize(memory.len().max(data.len() + ALIGNMENT), 0);
    let first = memory.as_ptr().align_offset(ALIGNMENT);
    let aligned = memory
        .get_mut(first..first + data.len())
        .ok_or(io::ErrorKind::InvalidInput)?;
    aligned.copy_from_slice(data);
    file.write_all_at(aligned, offset)
}

impl StorageBackend for LogFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut direct = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((file, memory)) = &mut *direct {
            match write_direct(file, memory, offset, data) {
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => *direct = None,
                done => return done,
            }
        }
        self.file.write_all_at(data, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_with_and_without_direct_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(true);
        let log = LogFile::new(file.open(&path).unwrap(), &path);
        log.set_len(20_480).unwrap();
        for (offset, bytes, byte) in [(0, 20_480, 0), (4_096, 4_096, 7), (8_192, 8_192, 8)] {
            log.write(offset, &vec![byte; bytes]).unwrap();
        }
        // Not whole blocks: the file system refuses a direct write, if it has any.
        log.write(100, b"abc").unwrap();
        log.write(12_288, &[9; 4_096]).unwrap();
        log.sync_data().unwrap();
        assert_eq!(log.len().unwrap(), 20_480);
        let mut all = vec![0; 20_480];
        log.read(0, &mut all).unwrap();
        assert_eq!(&all[100..103], b"abc");
        let first: Vec<u8> = all.chunks(4_096).map(|block| block[4_000]).collect();
        assert_eq!(first, [0, 7, 8, 9, 0]);
    }
}
