//! The index of event ids, which finds duplicates.
//!
//! In a table keyed by event id, each commit would rewrite as many leaves as it has events, because
//! ids may be random. So the index is a log-structured merge tree: the newest ids are in memory
//! only (at a start they are read back from the events), and each [`HOT_MAX`] of them are written
//! together, sorted, into a segment. A filter in memory shows for nearly every segment that it does
//! not have an id. If the filter reports "perhaps", the segment itself is read, so an error of the
//! filter costs a lookup and never an event.
//!
//! The filters of [`LANES`] segments are stored across each other (`Block`): one word has the same
//! bit of all of them, so that a lookup reads eight words for 32 segments.
//!
//! An id is stored as 128 bits of BLAKE3 over device and id. A segment is dropped whole when its
//! newest event is older than `journal.dedup_days`.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use redb::{ReadableTable, StorageError};

use super::stored::{BadRecord, IdSegment};
use crate::event::Seq;

/// Limit of the ids in memory: some 40 bytes each, and the time to read that many events at start.
pub const HOT_MAX: usize = 16_384;
/// Limit of the ids in a segment: more ids mean fewer filters, but the second part of a segment
/// writes its first one again.
const SEGMENT_MAX: usize = 2 * HOT_MAX;
/// 16 digests in a bucket on average, so that several buckets share a page.
const BUCKETS: usize = 2_048;
/// 16 bits and 8 probes for each id: for each segment, one in about 1,700 ids causes a needless
/// read.
const FILTER_BITS: usize = 16 * SEGMENT_MAX;
const FILTER_BYTES: usize = FILTER_BITS / 8;
const FILTER_PROBES: u64 = 8;
/// Segments whose filters are in one block: the bits of a word.
const LANES: usize = 32;
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

/// The bits that represent a digest in a Bloom filter. They come from the two halves of the digest,
/// which is as good as random.
fn probes(digest: &Digest) -> impl Iterator<Item = usize> + use<> {
    let (start, step) = halves(digest);
    (0..FILTER_PROBES).map(move |probe| {
        let bit = start.wrapping_add(probe.wrapping_mul(step | 1)) % FILTER_BITS as u64;
        usize::try_from(bit).unwrap_or(0)
    })
}

/// The Bloom filter of one segment, as it is stored.
fn filter_of<'a>(digests: impl Iterator<Item = &'a Digest>) -> Vec<u8> {
    let mut filter = vec![0; FILTER_BYTES];
    for digest in digests {
        for bit in probes(digest) {
            filter[bit / 8] |= 1 << (bit % 8);
        }
    }
    filter
}

/// The filters of up to [`LANES`] segments: word *n* has bit *n* of each.
#[derive(Debug)]
struct Block(Box<[u32]>);

impl Block {
    fn new() -> Self {
        Self(vec![0; FILTER_BITS].into())
    }

    /// Adds the bits of a filter.
    fn add(&mut self, lane: usize, filter: &[u8]) {
        for (words, byte) in self.0.chunks_exact_mut(8).zip(filter) {
            for (bit, word) in words.iter_mut().enumerate() {
                *word |= u32::from(byte >> bit & 1) << lane;
            }
        }
    }

    /// The filter of one segment.
    fn filter(&self, lane: usize) -> Vec<u8> {
        let byte = |words: &[u32]| {
            let bits = words.iter().rev();
            bits.fold(0, |byte, word| byte << 1 | u8::from(word >> lane & 1 == 1))
        };
        self.0.chunks_exact(8).map(byte).collect()
    }

    fn clear(&mut self, lane: usize) {
        for word in &mut self.0 {
            *word &= !(1 << lane);
        }
    }

    /// The lanes whose segments perhaps have the digest, as bits.
    fn perhaps(&self, digest: &Digest) -> u32 {
        probes(digest).fold(u32::MAX, |lanes, bit| lanes & self.0[bit])
    }
}

#[derive(Debug)]
struct Segment {
    number: u32,
    last_seq: Seq,
    last_received_us: i64,
    first_received_us: i64,
    count: usize,
    /// Where its filter is: block and lane in one number.
    slot: usize,
}

/// The whole index of event ids. The writer alone changes the index; readers look ids up for
/// `trace`.
#[derive(Debug, Default)]
pub struct Ids {
    hot: HashMap<Digest, Seq>,
    hot_last_received_us: i64,
    hot_first_received_us: i64,
    segments: Vec<Segment>,
    blocks: Vec<Block>,
    /// The segment of each slot.
    slots: Vec<Option<u32>>,
    next_segment: u32,
    /// Every device that ever sent an event.
    devices: BTreeSet<Box<str>>,
}

/// Ids to write to disk.
pub struct Flush {
    pub number: u32,
    /// Sorted.
    entries: Vec<(Digest, Seq)>,
    /// The segment, with its filter.
    pub segment: Vec<u8>,
}

impl Flush {
    /// The new entries of each bucket. They follow the entries that the segment has.
    pub fn buckets(&self) -> impl Iterator<Item = (u16, Vec<u8>)> {
        let parts = (self.entries).chunk_by(|(a, _), (b, _)| bucket_of(a) == bucket_of(b));
        parts.map(|entries| {
            let mut bytes = Vec::with_capacity(ENTRY_BYTES * entries.len());
            for (digest, seq) in entries {
                bytes.extend(digest);
                bytes.extend(seq.get().to_le_bytes());
            }
            (bucket_of(&entries[0].0), bytes)
        })
    }
}

impl Ids {
    /// Adds a segment that was read from disk. Segments must come in the order of their numbers.
    pub fn load(&mut self, number: u32, bytes: &[u8]) -> Result<(), BadRecord> {
        let stored = IdSegment::read(bytes, FILTER_BYTES)?;
        let slot = self.occupy(number);
        self.blocks[slot / LANES].add(slot % LANES, stored.filter);
        self.segments.push(Segment {
            number,
            last_seq: Seq::new(stored.last_seq),
            last_received_us: stored.last_received_us,
            first_received_us: stored.first_received_us,
            count: stored.count as usize,
            slot,
        });
        self.next_segment = number + 1;
        Ok(())
    }

    /// Finds a place for the filter of a segment.
    fn occupy(&mut self, number: u32) -> usize {
        if let Some(slot) = self.slots.iter().position(Option::is_none) {
            self.slots[slot] = Some(number);
            return slot;
        }
        let slot = self.slots.len();
        if slot / LANES == self.blocks.len() {
            self.blocks.push(Block::new());
        }
        self.slots.push(Some(number));
        slot
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
        for (block, slots) in self.blocks.iter().zip(self.slots.chunks(LANES)) {
            let mut lanes = block.perhaps(digest);
            while lanes != 0 {
                let lane = lanes.trailing_zeros() as usize;
                lanes &= lanes - 1;
                if let Some(Some(number)) = slots.get(lane)
                    && let Some(entries) = buckets.get((*number, bucket))?
                    && let Some(seq) = find_in(entries.value(), digest)
                {
                    return Ok(Some(seq));
                }
            }
        }
        Ok(None)
    }

    pub fn insert(&mut self, digest: Digest, seq: Seq, received: Timestamp) {
        let received_us = received.as_microsecond();
        if self.hot.is_empty() {
            self.hot_first_received_us = received_us;
        }
        self.hot.insert(digest, seq);
        self.hot_first_received_us = self.hot_first_received_us.min(received_us);
        self.hot_last_received_us = self.hot_last_received_us.max(received_us);
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

    /// Puts ids in memory, the oldest [`HOT_MAX`], into a segment: the newest segment, while it has
    /// room and is not older than `age`, or a new one. `None`: no ids are in memory.
    pub fn flush(&mut self, age: SignedDuration) -> Option<Flush> {
        if self.hot.is_empty() {
            return None;
        }
        let mut entries: Vec<(Digest, Seq)> = self.hot.drain().collect();
        if entries.len() > HOT_MAX {
            // The newest stay in memory, so that two flushes fill a segment.
            entries.select_nth_unstable_by_key(HOT_MAX, |(_, seq)| *seq);
            self.hot.extend(entries.drain(HOT_MAX..));
        }
        entries.sort_unstable();
        let last_seq = (entries.iter().map(|(_, seq)| *seq).max()).unwrap_or(Seq::ZERO);
        let filter = filter_of(entries.iter().map(|(digest, _)| digest));
        let oldest_us = self.hot_last_received_us.saturating_sub_unsigned(
            age.unsigned_abs()
                .as_micros()
                .try_into()
                .unwrap_or(u64::MAX),
        );
        let has_room = |segment: &Segment| {
            segment.count + entries.len() <= SEGMENT_MAX && segment.first_received_us >= oldest_us
        };
        if !self.segments.last().is_some_and(has_room) {
            let number = self.next_segment;
            self.next_segment += 1;
            let slot = self.occupy(number);
            self.segments.push(Segment {
                number,
                last_seq,
                last_received_us: self.hot_last_received_us,
                first_received_us: self.hot_first_received_us,
                count: 0,
                slot,
            });
        }
        let segment = self.segments.last_mut()?;
        segment.count += entries.len();
        segment.last_seq = segment.last_seq.max(last_seq);
        segment.last_received_us = segment.last_received_us.max(self.hot_last_received_us);
        segment.first_received_us = segment.first_received_us.min(self.hot_first_received_us);
        if self.hot.is_empty() {
            self.hot_last_received_us = 0;
        }
        let (block, lane) = (&mut self.blocks[segment.slot / LANES], segment.slot % LANES);
        block.add(lane, &filter);
        let stored = IdSegment {
            last_seq: segment.last_seq.get(),
            last_received_us: segment.last_received_us,
            first_received_us: segment.first_received_us,
            count: u32::try_from(segment.count).unwrap_or(u32::MAX),
            filter: &block.filter(lane),
        };
        Some(Flush {
            number: segment.number,
            entries,
            segment: stored.to_bytes(),
        })
    }

    /// Removes the oldest segment whose newest event was received before `before`, and returns its
    /// number. The newest segment stays: its `last_seq` tells from where to read events back.
    pub fn expire(&mut self, before: Timestamp) -> Option<u32> {
        let before_us = before.as_microsecond();
        let (_, older) = self.segments.split_last()?;
        let past = |segment: &Segment| segment.last_received_us < before_us;
        let segment = self.segments.remove(older.iter().position(past)?);
        self.blocks[segment.slot / LANES].clear(segment.slot % LANES);
        self.slots[segment.slot] = None;
        Some(segment.number)
    }
}

/// Makes a segment of format 1 of the journal to one of this format: `old` without its filter, and
/// the filter of the `entries`, the buckets of the segment.
pub fn converted<'a>(
    old: &[u8],
    entries: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, BadRecord> {
    let mut digests = Vec::with_capacity(SEGMENT_MAX);
    for entries in entries {
        for entry in entries.chunks_exact(ENTRY_BYTES) {
            let mut digest = [0; 16];
            digest.copy_from_slice(&entry[..16]);
            digests.push(digest);
        }
    }
    let (last_seq, last_received_us) = IdSegment::read_format_1(old)?;
    let stored = IdSegment {
        last_seq,
        last_received_us,
        first_received_us: last_received_us,
        count: u32::try_from(digests.len()).unwrap_or(u32::MAX),
        filter: &filter_of(digests.iter()),
    };
    Ok(stored.to_bytes())
}

fn find_in(entries: &[u8], digest: &Digest) -> Option<Seq> {
    entries
        .chunks_exact(ENTRY_BYTES)
        .find(|entry| &entry[..16] == digest)
        .and_then(|entry| entry[16..].try_into().ok())
        .map(|seq| Seq::new(u64::from_le_bytes(seq)))
}

#[cfg(test)]
mod tests;
