//! The index of event ids, which finds duplicates.
//!
//! In a table keyed by event id, each commit would rewrite as many leaves as it has events, because
//! ids may be random. So the index is a log-structured merge tree: the newest ids are in memory
//! only (at a start they are read back from the events), and each [`HOT_MAX`] of them are written
//! together, sorted, into a segment. A filter in memory shows for nearly every segment that it does
//! not have an id. If the filter reports "perhaps", the segment itself is read, so an error of the
//! filter costs a lookup and never an event.
//!
//! The filters of all segments are one table ([`Filters`]): a row has the same bit of each of them,
//! so that a lookup reads eight rows, however many segments there are.
//!
//! An id is stored as 128 bits of BLAKE3 over device and id. A segment is dropped whole when its
//! newest event is older than `journal.dedup_days`.

mod filters;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use redb::{ReadableTable, StorageError};

use self::filters::{Filters, probes};
use super::stored::{BadRecord, IdSegment};
use crate::event::Seq;

/// Limit of the ids in memory: some 40 bytes each, and the time to read that many events at start.
pub const HOT_MAX: usize = 16_384;
/// Limit of the ids in a segment: more ids mean fewer segments, and so fewer needless reads; but
/// each part of a segment writes the parts before it again.
const SEGMENT_MAX: usize = 8 * HOT_MAX;
/// 128 digests in a bucket on average, in a page.
const BUCKETS: usize = 1_024;
const OLD_BUCKETS: usize = 2_048;
/// 14 bits and 8 probes for each id: for each segment, one in about 780 ids causes a needless read.
const FILTER_BITS: usize = 14 * SEGMENT_MAX;
/// A segment of an older version: up to 32,768 ids, and 16 bits for each. It takes no further ids.
const OLD_FILTER_BITS: usize = 16 * 32_768;
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

fn bucket_of(digest: &Digest, buckets: usize) -> u16 {
    u16::from_be_bytes([digest[0], digest[1]]) >> (16 - buckets.trailing_zeros())
}

#[derive(Debug)]
struct Segment {
    number: u32,
    last_seq: Seq,
    last_received_us: i64,
    first_received_us: i64,
    count: usize,
    lane: usize,
    /// An older version wrote it: it has a filter of [`OLD_FILTER_BITS`].
    is_old: bool,
}

/// The whole index of event ids. The writer alone changes the index; readers look ids up for
/// `trace`.
#[derive(Debug, Default)]
pub struct Ids {
    hot: HashMap<Digest, Seq>,
    hot_last_received_us: i64,
    hot_first_received_us: i64,
    segments: Vec<Segment>,
    filters: Filters<FILTER_BITS>,
    old_filters: Filters<OLD_FILTER_BITS>,
    next_segment: u32,
    /// Every device that ever sent an event.
    devices: BTreeSet<Box<str>>,
}

/// Ids to write to disk.
pub struct Flush {
    pub number: u32,
    /// Sorted.
    entries: Vec<(Digest, Seq)>,
    /// The segment, without a filter: it may take further ids.
    pub segment: Vec<u8>,
    /// The segment before, with its filter: it takes no further ids.
    pub complete: Option<(u32, Vec<u8>)>,
}

impl Flush {
    /// The new entries of each bucket. They follow the entries that the segment has.
    pub fn buckets(&self) -> impl Iterator<Item = (u16, Vec<u8>)> {
        let bucket = |digest: &Digest| bucket_of(digest, BUCKETS);
        let parts = (self.entries).chunk_by(move |(a, _), (b, _)| bucket(a) == bucket(b));
        parts.map(move |entries| {
            let mut bytes = Vec::with_capacity(ENTRY_BYTES * entries.len());
            for (digest, seq) in entries {
                bytes.extend(digest);
                bytes.extend(seq.get().to_le_bytes());
            }
            (bucket(&entries[0].0), bytes)
        })
    }
}

impl Ids {
    /// Adds a segment that was read from disk. Segments must come in the order of their numbers.
    /// `entries`: the buckets of a segment without a filter.
    pub fn load<E: From<BadRecord>>(
        &mut self,
        number: u32,
        bytes: &[u8],
        entries: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), E>,
    ) -> Result<(), E> {
        let stored = IdSegment::read(bytes, &[0, FILTER_BITS / 8, OLD_FILTER_BITS / 8])?;
        let is_old = stored.filter.len() == OLD_FILTER_BITS / 8;
        let lane = if is_old {
            self.old_filters.add(number, stored.filter)
        } else if stored.filter.is_empty() {
            let lane = self.filters.occupy(number);
            entries(&mut |entries| {
                for digest in digests_of(entries) {
                    self.filters.insert(lane, &digest);
                }
            })?;
            lane
        } else {
            self.filters.add(number, stored.filter)
        };
        self.segments.push(Segment {
            number,
            last_seq: Seq::new(stored.last_seq),
            last_received_us: stored.last_received_us,
            first_received_us: stored.first_received_us,
            count: stored.count as usize,
            lane,
            is_old,
        });
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
        for key in self.perhaps(digest) {
            if let Some(entries) = buckets.get(key)?
                && let Some(seq) = find_in(entries.value(), digest)
            {
                return Ok(Some(seq));
            }
        }
        Ok(None)
    }

    /// The buckets that perhaps have the digest.
    fn perhaps(&self, digest: &Digest) -> impl Iterator<Item = (u32, u16)> {
        let with = |buckets| {
            let bucket = bucket_of(digest, buckets);
            move |segment| (segment, bucket)
        };
        let old = self.old_filters.perhaps(digest).map(with(OLD_BUCKETS));
        self.filters.perhaps(digest).map(with(BUCKETS)).chain(old)
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
            // The newest stay in memory, so that whole flushes fill a segment.
            entries.select_nth_unstable_by_key(HOT_MAX, |(_, seq)| *seq);
            self.hot.extend(entries.drain(HOT_MAX..));
        }
        entries.sort_unstable();
        let last_seq = (entries.iter().map(|(_, seq)| *seq).max()).unwrap_or(Seq::ZERO);
        let oldest_us = self.hot_last_received_us.saturating_sub_unsigned(
            age.unsigned_abs()
                .as_micros()
                .try_into()
                .unwrap_or(u64::MAX),
        );
        let has_room = |segment: &Segment| {
            !segment.is_old
                && segment.count + entries.len() <= SEGMENT_MAX
                && segment.first_received_us >= oldest_us
        };
        let mut complete = None;
        if !self.segments.last().is_some_and(has_room) {
            let number = self.next_segment;
            self.next_segment += 1;
            complete = (self.segments.last())
                .filter(|segment| !segment.is_old)
                .map(|segment| (segment.number, self.stored(segment, true)));
            let lane = self.filters.occupy(number);
            self.segments.push(Segment {
                number,
                last_seq,
                last_received_us: self.hot_last_received_us,
                first_received_us: self.hot_first_received_us,
                count: 0,
                lane,
                is_old: false,
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
        for (digest, _) in &entries {
            self.filters.insert(segment.lane, digest);
        }
        let segment = self.segments.last()?;
        Some(Flush {
            number: segment.number,
            entries,
            segment: self.stored(segment, false),
            complete,
        })
    }

    fn stored(&self, segment: &Segment, is_complete: bool) -> Vec<u8> {
        let filter = if is_complete {
            self.filters.filter(segment.lane)
        } else {
            Vec::new()
        };
        let stored = IdSegment {
            last_seq: segment.last_seq.get(),
            last_received_us: segment.last_received_us,
            first_received_us: segment.first_received_us,
            count: u32::try_from(segment.count).unwrap_or(u32::MAX),
            filter: &filter,
        };
        stored.to_bytes()
    }

    /// Removes the oldest segment whose newest event was received before `before`, and returns its
    /// number. The newest segment stays: its `last_seq` tells from where to read events back.
    pub fn expire(&mut self, before: Timestamp) -> Option<u32> {
        let before_us = before.as_microsecond();
        let (_, older) = self.segments.split_last()?;
        let past = |segment: &Segment| segment.last_received_us < before_us;
        let segment = self.segments.remove(older.iter().position(past)?);
        if segment.is_old {
            self.old_filters.free(segment.lane);
        } else {
            self.filters.free(segment.lane);
        }
        Some(segment.number)
    }
}

/// Makes a segment of format 1 of the journal to one of format 2: `old` without its filter, and the
/// filter of the `entries`, the buckets of the segment.
pub fn converted<'a>(
    old: &[u8],
    entries: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, BadRecord> {
    let (mut filter, mut count) = (vec![0; OLD_FILTER_BITS / 8], 0);
    for entries in entries {
        for digest in digests_of(entries) {
            for bit in probes::<OLD_FILTER_BITS>(&digest) {
                filter[bit / 8] |= 1 << (bit % 8);
            }
            count += 1;
        }
    }
    let (last_seq, last_received_us) = IdSegment::read_format_1(old)?;
    let stored = IdSegment {
        last_seq,
        last_received_us,
        first_received_us: last_received_us,
        count,
        filter: &filter,
    };
    Ok(stored.to_bytes())
}

fn digests_of(entries: &[u8]) -> impl Iterator<Item = Digest> {
    entries.chunks_exact(ENTRY_BYTES).map(|entry| {
        let mut digest = [0; 16];
        digest.copy_from_slice(&entry[..16]);
        digest
    })
}

fn find_in(entries: &[u8], digest: &Digest) -> Option<Seq> {
    // As a number: comparing slices calls a function for each entry.
    let wanted = u128::from_le_bytes(*digest);
    let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
    entries.iter().find_map(|entry| {
        let (digest, seq) = entry.split_first_chunk()?;
        (u128::from_le_bytes(*digest) == wanted).then_some(())?;
        Some(Seq::new(u64::from_le_bytes(*seq.first_chunk()?)))
    })
}
