//! The stored form of a segment of event ids: what is known about it, and its filter.
//!
//! Two forms exist. In format 1 of the journal: the newest `seq` and the newest time of receipt in
//! microseconds (8 bytes each, little-endian), then a filter of any length. Since format 2: the
//! same, the oldest time of receipt (8 bytes), the count of ids (4), then a filter of 65,536
//! bytes. Since format 3 also: the same with a filter of 229,376 bytes, or none in the newest
//! segment. The journal's format says which.

use super::{BadRecord, bad};

/// A segment as stored since format 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdSegment<'a> {
    pub last_seq: u64,
    pub last_received_us: i64,
    pub first_received_us: i64,
    pub count: u32,
    pub filter: &'a [u8],
}

impl<'a> IdSegment<'a> {
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(28 + self.filter.len());
        bytes.extend(self.last_seq.to_le_bytes());
        bytes.extend(self.last_received_us.to_le_bytes());
        bytes.extend(self.first_received_us.to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.filter);
        bytes
    }

    /// Reads a segment whose filter has one of these lengths.
    pub fn read(bytes: &'a [u8], filter_bytes: &[usize]) -> Result<Self, BadRecord> {
        let (last_seq, last_received_us, rest) = times(bytes)?;
        let (first_received, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (count, filter) = rest.split_first_chunk().ok_or_else(short)?;
        if !filter_bytes.contains(&filter.len()) {
            return Err(bad(
                "id filter",
                format!("{} bytes instead of one of {filter_bytes:?}", filter.len()),
            ));
        }
        Ok(Self {
            last_seq,
            last_received_us,
            first_received_us: i64::from_le_bytes(*first_received),
            count: u32::from_le_bytes(*count),
            filter,
        })
    }

    /// Reads the newest `seq` and the newest time of a segment of format 1.
    pub fn read_format_1(bytes: &[u8]) -> Result<(u64, i64), BadRecord> {
        let (last_seq, last_received_us, filter) = times(bytes)?;
        if filter.is_empty() {
            return Err(short());
        }
        Ok((last_seq, last_received_us))
    }
}

fn short() -> BadRecord {
    bad("id filter", "too short")
}

fn times(bytes: &[u8]) -> Result<(u64, i64, &[u8]), BadRecord> {
    let (last_seq, rest) = bytes.split_first_chunk().ok_or_else(short)?;
    let (last_received, rest) = rest.split_first_chunk().ok_or_else(short)?;
    Ok((
        u64::from_le_bytes(*last_seq),
        i64::from_le_bytes(*last_received),
        rest,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::stored::tests::golden_in;

    #[test]
    fn a_segment_is_written_as_it_always_was() {
        let segment = IdSegment {
            last_seq: 0x0102_0304,
            last_received_us: 0x0506_0708,
            first_received_us: 0x0A0B_0C0D,
            count: 9,
            filter: &[0xAA, 0xBB],
        };
        let bytes = segment.to_bytes();
        assert_eq!(bytes, golden_in(include_str!("logged.txt"), "id-segment"));
        assert_eq!(IdSegment::read(&bytes, &[2, 4]), Ok(segment));
        assert!(IdSegment::read(&bytes, &[3, 4]).is_err());
        let old = &bytes[..17];
        assert_eq!(
            IdSegment::read_format_1(old),
            Ok((0x0102_0304, 0x0506_0708))
        );
        assert!(IdSegment::read_format_1(&bytes[..16]).is_err());
    }
}
