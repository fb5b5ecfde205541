//! The log in front of the tables: each group of changes is on disk here before anyone receives an
//! answer, with one write and one sync.
//!
//! **In**: the changes of a group. **Out**: after a restart, the groups that the tables do not
//! have. A commit of redb writes a dozen pages, whatever it changes; a group here needs one block
//! of [`BLOCK_BYTES`] if it is small. The tables change in memory at once and become durable when
//! the log is full ([`Log::restart`]), so that one commit of redb serves hundreds of groups.
//!
//! A group begins at a block, so that no later write touches it. It has the id of the journal, a
//! number, and a hash. Reading ends at the first block that is not the next group. A group is
//! written only after the group before it is on disk. So if a later group exists behind a group
//! that cannot be read, the disk has lost data that was acknowledged: the log is damaged.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use redb::StorageBackend;

use super::Fatal;
use super::stored::logged::{GroupHeader, HEADER_BYTES, LogHead, LoggedChange, logged_changes};

/// What the disk writes as a whole, and what a small group needs.
const BLOCK_BYTES: u64 = 4_096;
/// The file grows by this many bytes, written as zeros: a write into them needs no new metadata.
const GROW_BYTES: u64 = 128 << 10;
/// The smallest and the largest length at which the log is full.
const FULL_BYTES_MIN: u64 = 1 << 20;
const FULL_BYTES_MAX: u64 = 4 << 20;
/// The log is full at this part of the tables' length: the larger the tables, the more does their
/// commit write.
const TABLES_DIVISOR: u64 = 16;
/// More than the groups of a full log.
const SKIPPED_NUMBERS: u64 = 1 << 20;

/// The log of a journal, open for writing.
#[derive(Debug)]
pub(super) struct Log {
    file: Box<dyn StorageBackend>,
    head: LogHead,
    /// The number of the next group.
    next: u64,
    /// Where the next group begins.
    at: u64,
    length: u64,
}

/// The groups that the tables do not have.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// The changes of each group.
    groups: Vec<Vec<u8>>,
}

impl Recovered {
    /// Gives each change, in the order in which it was made, to `repeat`.
    pub fn repeat(
        &self,
        mut repeat: impl FnMut(LoggedChange<'_>) -> Result<(), Fatal>,
    ) -> Result<(), Fatal> {
        for group in &self.groups {
            for change in logged_changes(&group[HEADER_BYTES..]) {
                repeat(change?)?;
            }
        }
        Ok(())
    }
}

impl Log {
    /// Reads the groups from the head on. The caller makes them durable in the tables, with the
    /// head that [`Self::next_head`] returns, and then calls [`Self::restart`].
    pub fn recover(
        file: Box<dyn StorageBackend>,
        head: LogHead,
    ) -> Result<(Self, Recovered), Fatal> {
        let length = file.len().map_err(redb::StorageError::from)?;
        let mut log = Self {
            file,
            head,
            next: head.next,
            at: 0,
            length,
        };
        let mut recovered = Recovered::default();
        if head.is_clean {
            log.prepare().map_err(redb::StorageError::from)?;
            return Ok((log, recovered));
        }
        if length < head.length {
            return Err(Fatal::Damage(format!(
                "its log, the file journal.log beside it, has {length} bytes instead of {length_before}: put the file back, or, to start without the newest changes, run `truncate -s {length_before}` on it",
                length_before = head.length
            )));
        }
        while let Some(group) = log.group_at(log.at)?
            && group.header.number == log.next
        {
            log.at += blocks(group.bytes.len());
            log.next += 1;
            recovered.groups.push(group.bytes);
        }
        log.look_behind()?;
        Ok((log, recovered))
    }

    /// Looks for a later group behind the last one that could be read.
    fn look_behind(&self) -> Result<(), Fatal> {
        let mut at = self.at;
        while at < self.length {
            let later = self.group_at(at)?;
            if let Some(later) = later.filter(|later| later.header.number > self.next) {
                return Err(Fatal::Damage(format!(
                    "its log lacks the changes of group {}, but has group {}: the disk has lost data, or journal.log and journal.redb are not from the same time",
                    self.next, later.header.number
                )));
            }
            at += BLOCK_BYTES;
        }
        Ok(())
    }

    /// The group of this journal that begins at a block and is whole.
    fn group_at(&self, at: u64) -> Result<Option<Group>, Fatal> {
        let read = |bytes: &mut [u8]| self.file.read(at, bytes).map_err(redb::StorageError::from);
        if at + HEADER_BYTES as u64 > self.length {
            return Ok(None);
        }
        let mut header = [0; HEADER_BYTES];
        read(&mut header)?;
        let Some(header) = GroupHeader::read(&header) else {
            return Ok(None);
        };
        let length = HEADER_BYTES as u64 + u64::from(header.length);
        if header.journal != self.head.journal || at + length > self.length {
            return Ok(None);
        }
        let mut bytes = vec![0; HEADER_BYTES + header.length as usize];
        read(&mut bytes)?;
        let is_whole = header.is_of(&bytes[HEADER_BYTES..]);
        Ok(is_whole.then_some(Group { header, bytes }))
    }

    /// Whether the tables must become durable before another group of this size. `tables`: the
    /// length of their file.
    pub fn is_full(&self, group: &[u8], tables: u64) -> bool {
        let full = (tables / TABLES_DIVISOR).clamp(FULL_BYTES_MIN, FULL_BYTES_MAX);
        self.head.is_clean || self.at + blocks(group.len()) > full
    }

    /// Writes a group durably. `group` has room for the header in front of the changes.
    pub fn append(&mut self, group: &mut Vec<u8>) -> Result<(), Fatal> {
        GroupHeader::write(self.head.journal, self.next, group)?;
        let end = self.at + blocks(group.len());
        self.write(group, end).map_err(redb::StorageError::from)?;
        self.next += 1;
        self.at = end;
        Ok(())
    }

    /// Makes the length of the file durable: the next head says it, and a start refuses a file that
    /// is shorter.
    fn prepare(&mut self) -> io::Result<()> {
        if self.length == 0 {
            self.grow(GROW_BYTES)?;
        }
        self.file.sync_data()
    }

    /// Makes the file longer, with zeros.
    fn grow(&mut self, length: u64) -> io::Result<()> {
        let zeros = vec![0; usize::try_from(length - self.length).unwrap_or_default()];
        self.file.set_len(length)?;
        self.file.write(self.length, &zeros)?;
        self.length = length;
        Ok(())
    }

    fn write(&mut self, group: &mut Vec<u8>, end: u64) -> io::Result<()> {
        if end > self.length {
            self.grow(end.next_multiple_of(GROW_BYTES))?;
        }
        group.resize(usize::try_from(end - self.at).unwrap_or_default(), 0);
        self.file.write(self.at, group)?;
        self.file.sync_data()
    }

    /// Leaves out numbers, so that no group gets the number of one that this start did not find: a
    /// person may have removed the log, and may put it back later.
    pub fn skip_numbers(&mut self) {
        self.next += SKIPPED_NUMBERS;
    }

    /// The head that a commit of the tables stores when they have all groups so far. `is_clean`: no
    /// group follows until the next such commit.
    pub fn next_head(&self, is_clean: bool) -> LogHead {
        LogHead {
            next: self.next,
            is_clean,
            length: self.length,
            ..self.head
        }
    }

    /// The tables have all groups, durably, with this head: the log begins again.
    pub fn restart(&mut self, head: LogHead) {
        self.head = head;
        self.at = 0;
    }
}

/// Whether the file begins with a group that the tables with this head cannot have or continue: a
/// group of another journal, or, after a clean end, a group that followed. In the second case the
/// tables are an older copy of the journal.
pub(super) fn is_of_another(file: &File, head: LogHead) -> io::Result<bool> {
    let mut header = [0; HEADER_BYTES];
    match file.read_exact_at(&mut header, 0) {
        Ok(()) => Ok(GroupHeader::read(&header).is_some_and(|group| {
            group.journal != head.journal || head.is_clean && group.number >= head.next
        })),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

struct Group {
    header: GroupHeader,
    bytes: Vec<u8>,
}

/// The blocks that a group needs, in bytes.
fn blocks(bytes: usize) -> u64 {
    (bytes as u64).next_multiple_of(BLOCK_BYTES)
}
