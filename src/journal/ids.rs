//! The index of event ids, which finds duplicates.
//!
//! In a table keyed by event id, each commit would rewrite as many leaves as it has events, because
//! ids may be random. So the index is a log-structured merge tree: the newest ids are in memory
//! only (at a start they are read back from the events), and each [`HOT_MAX`] of them are written
//! together, sorted, as a segment that never changes. A filter in memory shows for nearly every
//! segment that it does not have an id. If the filter reports "perhaps", the segment itself is
//! read, so an error of the filter costs a lookup and never an event.
//!
//! An id is stored as 128 bits of BLAKE3 over device and id. A segment is dropped whole when its
//! newest event is older than `journal.dedup_days`.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use redb::{ReadableTable, StorageError};

use super::stored::BadRecord;
use crate::event::Seq;

/// Limit of the ids in memory: 24 bytes each, and the time to read that many events at start (about
/// 30 ms).
pub const HOT_MAX: usize = 32_768;
/// 16 digests in a bucket on average, so that several buckets share a page.
const BUCKETS: usize = 2_048;
/// 16 bits and 8 probes for each id: for each segment, one in about 1,700 ids causes a needless
/// read.
const FILTER_BITS_PER_ID: usize = 16;
const FILTER_PROBES: u64 = 8;
const ENTRY_BYTES: usize = 16 + 8;

pub type Digest = [u8; 16];

/// The digest that identifies an event id of a device.
#[must_use]
pub fn digest(device: &str, id: &str) -> Digest {
    let mut hash = blake3::Hasher::new();
    // The name of a device holds no NUL, so the separator is unambiguous.
    hash.update(device.as_bytes())
        .update(b"\0")
        .update(id.as_bytes());
    let mut digest = [0; 16];
    digest.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    digest
}

fn halves(digest: &Digest) -> (u64, u64) {
    let (a, b) = digest.split_at(8);
    let word = |half: &[u8]| {
        half.iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte))
    };
    (word(a), word(b))
}

fn bucket_of(digest: &Digest) -> u16 {
    u16::from_be_bytes([digest[0], digest[1]]) >> (16 - BUCKETS.trailing_zeros())
}

/// A Bloom filter. Its probes come from the two halves of the digest, which is as good as
/// random.
#[derive(Debug)]
struct Filter(Box<[u8]>);

impl Filter {
    fn for_ids(count: usize) -> Self {
        Self(vec![0; (count * FILTER_BITS_PER_ID).div_ceil(8).max(8)].into())
    }

    fn add(&mut self, digest: &Digest) {
        for (byte, mask) in probes(self.0.len(), digest) {
            self.0[byte] |= mask;
        }
    }

    fn perhaps(&self, digest: &Digest) -> bool {
        probes(self.0.len(), digest).all(|(byte, mask)| self.0[byte] & mask != 0)
    }
}

/// The bits (byte and mask) that represent a digest in a filter of this size.
fn probes(bytes: usize, digest: &Digest) -> impl Iterator<Item = (usize, u8)> + use<> {
    let (start, step) = halves(digest);
    let bits = bytes as u64 * 8;
    (0..FILTER_PROBES).map(move |probe| {
        let bit = start.wrapping_add(probe.wrapping_mul(step | 1)) % bits;
        (usize::try_from(bit / 8).unwrap_or(0), 1 << (bit % 8))
    })
}

#[derive(Debug)]
struct Segment {
    number: u32,
    last_seq: Seq,
    last_received_us: i64,
    filter: Filter,
}

impl Segment {
    const HEADER_BYTES: usize = 16;

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::HEADER_BYTES + self.filter.0.len());
        bytes.extend(self.last_seq.get().to_le_bytes());
        bytes.extend(self.last_received_us.to_le_bytes());
        bytes.extend(&self.filter.0);
        bytes
    }

    fn from_bytes(number: u32, bytes: &[u8]) -> Result<Self, BadRecord> {
        let short = || BadRecord {
            what: "id filter",
            why: "too short".to_owned(),
        };
        let (last_seq, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
        let (last_received, filter) = rest.split_first_chunk::<8>().ok_or_else(short)?;
        if filter.is_empty() {
            return Err(short());
        }
        Ok(Self {
            number,
            last_seq: Seq::new(u64::from_le_bytes(*last_seq)),
            last_received_us: i64::from_le_bytes(*last_received),
            filter: Filter(filter.into()),
        })
    }
}

/// The whole index of event ids. The writer alone changes the index; readers look ids up for
/// `trace`.
#[derive(Debug, Default)]
pub struct Ids {
    hot: HashMap<Digest, Seq>,
    hot_last_received_us: i64,
    segments: Vec<Segment>,
    next_segment: u32,
    /// Every device that ever sent an event.
    devices: BTreeSet<Box<str>>,
}

/// A segment to write to disk: buckets in key order, then the filter.
pub struct Flush {
    pub number: u32,
    pub buckets: Vec<(u16, Vec<u8>)>,
    pub filter: Vec<u8>,
}

impl Ids {
    /// Adds a filter that was read from disk. Filters must come in the order of their numbers.
    pub fn load(&mut self, number: u32, bytes: &[u8]) -> Result<(), BadRecord> {
        self.segments.push(Segment::from_bytes(number, bytes)?);
        self.next_segment = number + 1;
        Ok(())
    }

    /// The newest event that is in a segment. Opening reads all events after it back into memory.
    #[must_use]
    pub fn flushed_seq(&self) -> Seq {
        self.segments
            .last()
            .map_or(Seq::ZERO, |segment| segment.last_seq)
    }

    /// The event with this digest. `None`: no event has the digest, or its segment was dropped
    /// after `journal.dedup_days`.
    pub fn find(
        &self,
        digest: &Digest,
        buckets: &impl ReadableTable<(u32, u16), &'static [u8]>,
    ) -> Result<Option<Seq>, StorageError> {
        if let Some(seq) = self.hot.get(digest) {
            return Ok(Some(*seq));
        }
        let bucket = bucket_of(digest);
        // Newest first: a duplicate mostly follows soon.
        for segment in self.segments.iter().rev() {
            if segment.filter.perhaps(digest)
                && let Some(entries) = buckets.get((segment.number, bucket))?
                && let Some(seq) = find_in(entries.value(), digest)
            {
                return Ok(Some(seq));
            }
        }
        Ok(None)
    }

    pub fn insert(&mut self, digest: Digest, seq: Seq, received: Timestamp) {
        self.hot.insert(digest, seq);
        self.hot_last_received_us = self.hot_last_received_us.max(received.as_microsecond());
    }

    /// Adds a device. True: the device is new.
    pub fn know_device(&mut self, device: &str) -> bool {
        !self.devices.contains(device) && self.devices.insert(device.into())
    }

    pub fn devices(&self) -> impl Iterator<Item = &str> {
        self.devices.iter().map(AsRef::as_ref)
    }

    #[must_use]
    pub fn is_hot_full(&self) -> bool {
        self.hot.len() >= HOT_MAX
    }

    /// Makes a segment of the ids in memory. `None`: no ids are in memory.
    pub fn flush(&mut self) -> Option<Flush> {
        if self.hot.is_empty() {
            return None;
        }
        let mut entries: Vec<(Digest, Seq)> = self.hot.drain().collect();
        entries.sort_unstable();
        let mut filter = Filter::for_ids(entries.len());
        let mut buckets: Vec<(u16, Vec<u8>)> = Vec::with_capacity(BUCKETS);
        let mut last_seq = Seq::ZERO;
        for (digest, seq) in &entries {
            filter.add(digest);
            last_seq = last_seq.max(*seq);
            let bucket = bucket_of(digest);
            if buckets.last().is_none_or(|(last, _)| *last != bucket) {
                buckets.push((bucket, Vec::with_capacity(ENTRY_BYTES * 16)));
            }
            if let Some((_, bytes)) = buckets.last_mut() {
                bytes.extend(digest);
                bytes.extend(seq.get().to_le_bytes());
            }
        }
        let number = self.next_segment;
        let segment = Segment {
            number,
            last_seq,
            last_received_us: self.hot_last_received_us,
            filter,
        };
        let flush = Flush {
            number,
            buckets,
            filter: segment.to_bytes(),
        };
        self.segments.push(segment);
        self.next_segment += 1;
        self.hot_last_received_us = 0;
        Some(flush)
    }

    /// Removes the segments whose newest event was received before `before`, and returns their
    /// numbers. The newest segment stays: its `last_seq` tells from where to read events back.
    pub fn expire(&mut self, before: Timestamp) -> Vec<u32> {
        let before_us = before.as_microsecond();
        let newest = self.segments.last().map(|segment| segment.number);
        let mut expired = Vec::new();
        self.segments.retain(|segment| {
            let keep = segment.last_received_us >= before_us || Some(segment.number) == newest;
            if !keep {
                expired.push(segment.number);
            }
            keep
        });
        expired
    }
}

fn find_in(entries: &[u8], digest: &Digest) -> Option<Seq> {
    entries
        .chunks_exact(ENTRY_BYTES)
        .find(|entry| &entry[..16] == digest)
        .and_then(|entry| entry[16..].try_into().ok())
        .map(|seq| Seq::new(u64::from_le_bytes(seq)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_never_denies_what_was_added_and_rarely_claims_what_was_not() {
        let mut filter = Filter::for_ids(HOT_MAX);
        let known = |n: usize| digest("pda", &n.to_string());
        (0..HOT_MAX).for_each(|n| filter.add(&known(n)));
        assert!((0..HOT_MAX).all(|n| filter.perhaps(&known(n))));
        let wrong = (HOT_MAX..4 * HOT_MAX)
            .filter(|n| filter.perhaps(&known(*n)))
            .count();
        assert!(
            wrong < 3 * HOT_MAX / 500,
            "the filter matches {wrong} of {} unknown ids",
            3 * HOT_MAX
        );
    }

    #[test]
    fn every_bucket_of_a_segment_is_found_again_by_the_digest() {
        let mut ids = Ids::default();
        for n in 0..1_000u64 {
            ids.insert(
                digest("pda", &n.to_string()),
                Seq::new(n),
                Timestamp::UNIX_EPOCH,
            );
        }
        let flush = ids.flush().unwrap();
        for n in 0..1_000u64 {
            let digest = digest("pda", &n.to_string());
            let (_, entries) = flush
                .buckets
                .iter()
                .find(|(bucket, _)| *bucket == bucket_of(&digest))
                .unwrap();
            assert_eq!(find_in(entries, &digest), Some(Seq::new(n)));
        }
        assert!(flush.buckets.is_sorted_by_key(|(bucket, _)| *bucket));
        assert!(ids.flush().is_none());
    }

    #[test]
    fn ids_do_not_run_into_the_device() {
        assert_ne!(digest("a", "bc"), digest("ab", "c"));
    }
}
