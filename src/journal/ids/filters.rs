//! The Bloom filters of the segments of event ids, as one table of bits.

use std::iter;

use super::Digest;

const FILTER_PROBES: usize = 8;
/// The rows of filters are stored in parts of this size: while the rows get longer, only one part
/// needs memory twice. Its size stays the same, so that the memory of one fits the next.
const CHUNK_BYTES: usize = 64 << 10;

/// The number of rows in a part: a multiple of eight, so that no byte of a filter is in two parts.
fn chunk_rows(row_bytes: usize) -> usize {
    CHUNK_BYTES / (8 * row_bytes) * 8
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

/// The bits that represent a digest in a Bloom filter of this length. They come from the two halves
/// of the digest, which is as good as random.
pub(super) fn probes<const BITS: usize>(digest: &Digest) -> [usize; FILTER_PROBES] {
    let (start, step) = halves(digest);
    std::array::from_fn(|probe| {
        let bit = start.wrapping_add((probe as u64).wrapping_mul(step | 1)) % BITS as u64;
        usize::try_from(bit).unwrap_or(0)
    })
}

/// Up to eight bytes of a row, from this one on.
fn word(row: &[u8], at: usize) -> u64 {
    if let Some(bytes) = row[at..].first_chunk() {
        return u64::from_le_bytes(*bytes);
    }
    // The end of a row. Its last eight bytes include bytes of the word before: they are shifted out.
    if let Some(bytes) = row.last_chunk() {
        return u64::from_le_bytes(*bytes) >> (8 * (at + 8 - row.len()));
    }
    let bytes = row[at..].iter().rev();
    bytes.fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The Bloom filters of segments as a table of bits: row *n* has bit *n* of each filter, and each
/// segment has a lane. `BITS`: the length of a filter.
#[derive(Debug, Default)]
pub(super) struct Filters<const BITS: usize> {
    pub row_bytes: usize,
    chunk_rows: usize,
    chunks: Vec<Box<[u8]>>,
    /// The segment of each lane.
    pub lanes: Vec<Option<u32>>,
}

impl<const BITS: usize> Filters<BITS> {
    /// Finds a lane for the filter of a segment.
    pub fn occupy(&mut self, segment: u32) -> usize {
        if let Some(lane) = self.lanes.iter().position(Option::is_none) {
            self.lanes[lane] = Some(segment);
            return lane;
        }
        let lane = self.lanes.len();
        self.lanes.push(Some(segment));
        if lane >= 8 * self.row_bytes {
            self.widen();
        }
        lane
    }

    /// Makes each row one byte longer.
    fn widen(&mut self) {
        let before = self.row_bytes;
        self.row_bytes += 1;
        self.chunk_rows = chunk_rows(self.row_bytes);
        let length = BITS.div_ceil(self.chunk_rows);
        let old = std::mem::replace(&mut self.chunks, Vec::with_capacity(length));
        let mut room = 0..0;
        let mut left = BITS;
        for chunk in old {
            let rows = chunk_rows(before);
            for row in chunk.chunks_exact(before).take(rows.min(left)) {
                if room.is_empty() {
                    self.chunks.push(vec![0; CHUNK_BYTES].into());
                    room = 0..self.chunk_rows;
                }
                if let (Some(chunk), Some(at)) = (self.chunks.last_mut(), room.next()) {
                    let at = at * self.row_bytes;
                    chunk[at..at + before].copy_from_slice(row);
                }
            }
            left = left.saturating_sub(rows);
        }
        self.chunks
            .resize_with(length, || vec![0; CHUNK_BYTES].into());
    }

    /// Where a row begins: its chunk, and the place in it.
    fn place(&self, bit: usize) -> (usize, usize) {
        (
            bit / self.chunk_rows,
            bit % self.chunk_rows * self.row_bytes,
        )
    }

    fn row(&self, bit: usize) -> &[u8] {
        let (chunk, at) = self.place(bit);
        &self.chunks[chunk][at..at + self.row_bytes]
    }

    fn set(&mut self, lane: usize, bit: usize) {
        let (chunk, at) = self.place(bit);
        self.chunks[chunk][at + lane / 8] |= 1 << (lane % 8);
    }

    pub fn insert(&mut self, lane: usize, digest: &Digest) {
        for bit in probes::<BITS>(digest) {
            self.set(lane, bit);
        }
    }

    /// The filter of one segment, as it is stored.
    pub fn filter(&self, lane: usize) -> Vec<u8> {
        let is_set = |bit: usize| self.row(bit)[lane / 8] >> (lane % 8) & 1 == 1;
        let byte = |at: usize| {
            (0..8)
                .rev()
                .fold(0, |byte, bit| byte << 1 | u8::from(is_set(8 * at + bit)))
        };
        (0..BITS / 8).map(byte).collect()
    }

    /// Adds the stored filter of a segment. Returns its lane.
    pub fn add(&mut self, segment: u32, filter: &[u8]) -> usize {
        let lane = self.occupy(segment);
        // Not by `set`: a start adds all filters, and must not take long.
        let row_bytes = self.row_bytes;
        for (rows, byte) in self.eight_rows().zip(filter) {
            let mut at = lane / 8;
            for bit in 0..8 {
                rows[at] |= (byte >> bit & 1) << (lane % 8);
                at += row_bytes;
            }
        }
        lane
    }

    /// All rows, eight in each slice: those of a byte of a filter.
    fn eight_rows(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let bytes = 8 * self.row_bytes;
        let chunks = self.chunks.iter_mut();
        chunks.flat_map(move |chunk| chunk.chunks_exact_mut(bytes))
    }

    /// Frees the lane of a segment.
    pub fn free(&mut self, lane: usize) {
        self.lanes[lane] = None;
        for rows in self.eight_rows() {
            for row in rows.chunks_exact_mut(rows.len() / 8) {
                row[lane / 8] &= !(1 << (lane % 8));
            }
        }
    }

    /// The segments that perhaps have the digest.
    pub fn perhaps(&self, digest: &Digest) -> impl Iterator<Item = u32> {
        let rows = if self.row_bytes == 0 {
            [&[][..]; FILTER_PROBES]
        } else {
            probes::<BITS>(digest).map(|bit| self.row(bit))
        };
        // Nearly all bits are zero.
        (0..self.row_bytes).step_by(8).flat_map(move |at| {
            let mut word = (rows.iter()).fold(u64::MAX, |common, row| common & word(row, at));
            let lanes = iter::from_fn(move || {
                let lane = word.trailing_zeros() as usize;
                (word != 0).then(|| word &= word - 1)?;
                Some(8 * at + lane)
            });
            lanes.filter_map(|lane| *self.lanes.get(lane)?)
        })
    }
}
