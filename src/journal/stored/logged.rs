//! The stored forms of the log: the header of a group, the changes in it, and the place in the
//! tables that says from which group on the log is needed. See `journal/log.rs`.
//!
//! A group is `SRL1`, the journal's id (8 bytes), the group's number (8), the length of its changes
//! (4), the first 16 bytes of a BLAKE3 hash over these three and the changes, then the changes.
//! Numbers are little-endian.

use serde::{Deserialize, Serialize, Serializer};

use super::{BadRecord, bad, decode, encode};

/// The first bytes of each group. A new form of the changes gets a new number.
const MAGIC: [u8; 4] = *b"SRL1";
/// Length of a group's header.
pub const HEADER_BYTES: usize = 4 + 8 + 8 + 4 + HASH_BYTES;
const HASH_BYTES: usize = 16;

/// The header of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupHeader {
    /// The id of the journal that the group belongs to.
    pub journal: u64,
    pub number: u64,
    /// Count of the bytes of its changes.
    pub length: u32,
    hash: [u8; HASH_BYTES],
}

impl GroupHeader {
    /// Writes the header of a group into the first [`HEADER_BYTES`] of `group`; its changes follow
    /// them.
    pub fn write(journal: u64, number: u64, group: &mut [u8]) -> Result<(), BadRecord> {
        let Some((header, changes)) = group.split_at_mut_checked(HEADER_BYTES) else {
            return Err(bad("group of the log", "too short"));
        };
        let length =
            u32::try_from(changes.len()).map_err(|error| bad("group of the log", error))?;
        header[..4].copy_from_slice(&MAGIC);
        header[4..12].copy_from_slice(&journal.to_le_bytes());
        header[12..20].copy_from_slice(&number.to_le_bytes());
        header[20..24].copy_from_slice(&length.to_le_bytes());
        let hash = hash(&header[4..24], changes);
        header[24..].copy_from_slice(&hash);
        Ok(())
    }

    /// Reads a header. `None`: no group begins here.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (journal, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        Some(Self {
            journal: u64::from_le_bytes(*journal),
            number: u64::from_le_bytes(*number),
            length: u32::from_le_bytes(*length),
            hash: *rest.first_chunk()?,
        })
    }

    /// Whether the changes are those that the header was written for.
    #[must_use]
    pub fn is_of(&self, changes: &[u8]) -> bool {
        let mut header = [0; 20];
        header[..8].copy_from_slice(&self.journal.to_le_bytes());
        header[8..16].copy_from_slice(&self.number.to_le_bytes());
        header[16..].copy_from_slice(&self.length.to_le_bytes());
        changes.len() == self.length as usize && hash(&header, changes) == self.hash
    }
}

fn hash(header: &[u8], changes: &[u8]) -> [u8; HASH_BYTES] {
    let mut hash = blake3::Hasher::new();
    hash.update(header).update(changes);
    let mut first = [0; HASH_BYTES];
    first.copy_from_slice(&hash.finalize().as_bytes()[..HASH_BYTES]);
    first
}

/// One change of a table. The numbers of the tables are in `tables.rs`; keys and values are as redb
/// stores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoggedChange<'a> {
    Insert {
        table: u8,
        #[serde(serialize_with = "as_bytes")]
        key: &'a [u8],
        #[serde(serialize_with = "as_bytes")]
        value: &'a [u8],
    },
    Remove {
        table: u8,
        #[serde(serialize_with = "as_bytes")]
        key: &'a [u8],
    },
}

/// Writes the bytes at once. Otherwise serde writes them one by one, in the same form.
fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

impl LoggedChange<'_> {
    /// Appends the change to the changes of a group.
    pub fn append_to(&self, changes: &mut Vec<u8>) -> Result<(), BadRecord> {
        let buffer = std::mem::take(changes);
        *changes = postcard::to_extend(self, buffer).map_err(|error| bad("log", error))?;
        Ok(())
    }
}

/// The changes of a group, in their order.
pub fn logged_changes(
    mut bytes: &[u8],
) -> impl Iterator<Item = Result<LoggedChange<'_>, BadRecord>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        Some(match postcard::take_from_bytes(bytes) {
            Ok((change, rest)) => {
                bytes = rest;
                Ok(change)
            }
            Err(error) => {
                bytes = &[];
                Err(bad("log", error))
            }
        })
    })
}

/// Which groups of the log the tables do not have yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// The id of this journal, which each group of its log has.
    pub journal: u64,
    /// The number of the first group that the tables do not have. Numbers are never used again.
    pub next: u64,
    /// The log holds no group that the tables need, and none was written since.
    pub is_clean: bool,
    /// Length of the log's file, in bytes: it never shrinks.
    pub length: u64,
}

#[derive(Serialize, Deserialize)]
enum StoredLogHead {
    V1 {
        journal: u64,
        next: u64,
        is_clean: bool,
        length: u64,
    },
}

pub fn log_head_in(head: LogHead) -> Result<Vec<u8>, BadRecord> {
    let LogHead {
        journal,
        next,
        is_clean,
        length,
    } = head;
    encode(
        "head of the log",
        &StoredLogHead::V1 {
            journal,
            next,
            is_clean,
            length,
        },
    )
}

pub fn log_head_out(bytes: &[u8]) -> Result<LogHead, BadRecord> {
    let StoredLogHead::V1 {
        journal,
        next,
        is_clean,
        length,
    } = decode("head of the log", bytes)?;
    Ok(LogHead {
        journal,
        next,
        is_clean,
        length,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::stored::tests::golden_in;

    fn group() -> Vec<u8> {
        let mut group = vec![0; HEADER_BYTES];
        let changes = [
            LoggedChange::Insert {
                table: 1,
                key: &7u64.to_le_bytes(),
                value: b"event",
            },
            LoggedChange::Remove {
                table: 15,
                key: b"flows/ring-1",
            },
        ];
        for change in changes {
            change.append_to(&mut group).unwrap();
        }
        GroupHeader::write(0x0102_0304_0506_0708, 9, &mut group).unwrap();
        group
    }

    #[test]
    fn a_group_is_written_as_it_always_was() {
        let file = include_str!("logged.txt");
        assert_eq!(group(), golden_in(file, "group"));
        let head = LogHead {
            journal: 0x0102_0304_0506_0708,
            next: 300,
            is_clean: true,
            length: 131_072,
        };
        let bytes = log_head_in(head).unwrap();
        assert_eq!(bytes, golden_in(file, "head"));
        assert_eq!(log_head_out(&bytes).unwrap(), head);
    }

    #[test]
    fn a_group_is_read_back_and_any_changed_bit_is_noticed() {
        let group = group();
        let number = |group: &[u8]| {
            let header = GroupHeader::read(group)?;
            let changes = group.get(HEADER_BYTES..)?;
            header
                .is_of(changes)
                .then_some((header.number, changes.len()))
        };
        assert_eq!(number(&group), Some((9, group.len() - HEADER_BYTES)));
        let changes: Result<Vec<_>, _> = logged_changes(&group[HEADER_BYTES..]).collect();
        let changes = changes.unwrap();
        assert_eq!(changes.len(), 2);
        assert_eq!(
            changes[1],
            LoggedChange::Remove {
                table: 15,
                key: b"flows/ring-1"
            }
        );
        for bit in 0..group.len() * 8 {
            let mut other = group.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(number(&other), None, "bit {bit}");
        }
    }

    #[test]
    fn changes_that_were_cut_are_an_error() {
        let group = group();
        let cut = &group[HEADER_BYTES..group.len() - 1];
        assert!(logged_changes(cut).any(|change| change.is_err()));
        assert_eq!(logged_changes(cut).count(), 2);
    }
}
