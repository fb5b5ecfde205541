//! The stored forms of the search index: the head of a segment, its blocks, and the terms of
//! documents. See `journal/index.rs`.
//!
//! A block is a list of entries in the order of their texts. An entry has the count of bytes that
//! its text shares with the text before it (1 byte), the count of the other bytes (1), its kind
//! with two flags (1), these other bytes, and its events. Events are numbers from the first event
//! of the segment on, each as its distance to the one before, 7 bits a byte, lowest first. One
//! event (`SINGLE`) stands alone; before several is the count of their bytes, in the same form.

use serde::{Deserialize, Serialize};

use super::{BadRecord, bad, decode, encode};
use crate::document::DocumentNumber;
use crate::event::Seq;
use crate::journal::terms::{DocumentTermKind, TermKind};

/// What a segment has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHead {
    /// The first event. All stored events from it to the last one, the segment's key, are in the
    /// segment.
    pub first: Seq,
    /// Count of the events.
    pub events: u32,
    /// The earliest and the latest time of an event.
    pub at_min_us: i64,
    pub at_max_us: i64,
    /// Some of the events were pruned.
    pub is_pruned: bool,
}

/// A version is added when the head or the blocks change. A segment of an unknown version is made
/// again.
#[derive(Serialize, Deserialize)]
enum StoredSegmentHead {
    V1 {
        first: u64,
        events: u32,
        at_min_us: i64,
        at_max_us: i64,
        is_pruned: bool,
    },
}

pub fn segment_head_in(head: SegmentHead) -> Result<Vec<u8>, BadRecord> {
    let SegmentHead {
        first,
        events,
        at_min_us,
        at_max_us,
        is_pruned,
    } = head;
    encode(
        "head of a search segment",
        &StoredSegmentHead::V1 {
            first: first.get(),
            events,
            at_min_us,
            at_max_us,
            is_pruned,
        },
    )
}

/// `Err`: a newer version wrote the segment.
pub fn segment_head_out(bytes: &[u8]) -> Result<SegmentHead, BadRecord> {
    let StoredSegmentHead::V1 {
        first,
        events,
        at_min_us,
        at_max_us,
        is_pruned,
    } = decode("head of a search segment", bytes)?;
    Ok(SegmentHead {
        first: Seq::new(first),
        events,
        at_min_us,
        at_max_us,
        is_pruned,
    })
}

/// The number of a kind in a block. It is never used for another kind.
#[must_use]
pub fn term_kind_number(kind: TermKind) -> u8 {
    match kind {
        TermKind::Event => 1,
        TermKind::Device => 2,
        TermKind::Operator => 3,
        TermKind::Order => 4,
        TermKind::Product => 5,
        TermKind::Location => 6,
        TermKind::Lot => 7,
        TermKind::Package => 8,
        TermKind::Scan => 9,
    }
}

fn term_kind(number: u8) -> Result<TermKind, BadRecord> {
    let mut kinds = TermKind::ALL.into_iter();
    kinds
        .find(|kind| term_kind_number(*kind) == number)
        .ok_or_else(|| bad("search block", format!("kind {number} is unknown")))
}

/// The number of a kind in the table of documents' terms. It is never used for another kind.
#[must_use]
pub fn document_term_number(kind: DocumentTermKind) -> u8 {
    match kind {
        DocumentTermKind::Picking => 1,
        DocumentTermKind::Reason => 2,
        DocumentTermKind::Line(kind) => LINE_KINDS + term_kind_number(kind),
    }
}

/// The texts of lines have the numbers after this one.
const LINE_KINDS: u8 = 16;

/// The number of the last document whose terms are in the table. `None`: the terms of all documents
/// are.
pub fn terms_upto_in(upto: Option<DocumentNumber>) -> [u8; 8] {
    upto.map_or(u64::MAX, DocumentNumber::get).to_le_bytes()
}

/// `bytes`: `None` in a journal of an older version, which has no terms of documents.
pub fn terms_upto_out(bytes: Option<&[u8]>) -> Result<Option<DocumentNumber>, BadRecord> {
    let Some(bytes) = bytes else {
        return Ok(Some(DocumentNumber::ZERO));
    };
    let bytes = <[u8; 8]>::try_from(bytes).map_err(|error| bad("terms of documents", error))?;
    let number = u64::from_le_bytes(bytes);
    Ok((number != u64::MAX).then_some(DocumentNumber::new(number)))
}

/// The entry has only the beginning of its text.
const CUT: u8 = 0x80;
/// The entry has one event.
const SINGLE: u8 = 0x40;
const KIND: u8 = 0x3f;
const HEADER_BYTES: usize = 3;
/// The longest form of an event or a count.
const NUMBER_BYTES_MAX: usize = 3;
/// An entry with several events begins in a block only if this number of bytes is free for them.
const EVENTS_BYTES_MIN: usize = 64;

/// A text with its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term<'a> {
    pub text: &'a [u8],
    pub kind: TermKind,
    /// `text` is only the beginning.
    pub is_cut: bool,
}

/// Writes a block of at most `limit` bytes.
#[derive(Debug, Default)]
pub struct BlockWriter {
    bytes: Vec<u8>,
    last: Vec<u8>,
}

impl BlockWriter {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds an entry with as many of the rising `events` as there is room for. Returns their count;
    /// 0: the block is full.
    pub fn push(&mut self, term: Term<'_>, events: &[u16], limit: usize) -> usize {
        let shared = self.last.iter().zip(term.text);
        let shared = shared.take_while(|(one, other)| one == other).count();
        let shared = shared.min(usize::from(u8::MAX));
        let rest = &term.text[shared..];
        let (Ok(shared_byte), Ok(rest_byte)) = (u8::try_from(shared), u8::try_from(rest.len()))
        else {
            return events.len();
        };
        let before = self.bytes.len();
        let head = before + HEADER_BYTES + rest.len();
        let wanted = NUMBER_BYTES_MAX
            + (events.len() - 1).min(EVENTS_BYTES_MIN / NUMBER_BYTES_MAX) * NUMBER_BYTES_MAX;
        if before > 0 && head + NUMBER_BYTES_MAX + wanted > limit {
            return 0;
        }
        let mut kind = term_kind_number(term.kind);
        kind |= if term.is_cut { CUT } else { 0 };
        kind |= if events.len() == 1 { SINGLE } else { 0 };
        self.bytes.extend([shared_byte, rest_byte, kind]);
        self.bytes.extend(rest);
        self.last.clear();
        self.last.extend(term.text);
        let (mut numbers, mut last, mut count) = (Vec::new(), 0, 0);
        for event in events {
            if count > 0 && head + NUMBER_BYTES_MAX + numbers.len() + NUMBER_BYTES_MAX > limit {
                break;
            }
            put_number(u32::from(event - last), &mut numbers);
            (last, count) = (*event, count + 1);
        }
        if events.len() > 1 {
            put_number(u32::try_from(numbers.len()).unwrap_or(0), &mut self.bytes);
        }
        self.bytes.extend(numbers);
        count
    }

    /// The bytes of the block. A new block begins.
    pub fn take(&mut self) -> Vec<u8> {
        self.last.clear();
        std::mem::take(&mut self.bytes)
    }
}

fn put_number(mut number: u32, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn short() -> BadRecord {
    bad("search block", "too short")
}

/// Reads a number, and returns it with the rest.
fn number(bytes: &[u8]) -> Result<(u32, &[u8]), BadRecord> {
    let mut number = 0;
    for (place, byte) in bytes.iter().take(NUMBER_BYTES_MAX).enumerate() {
        number |= u32::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok((number, &bytes[place + 1..]));
        }
    }
    Err(short())
}

/// Reads the entries of a block, one after the other.
#[derive(Debug)]
pub struct BlockReader<'a> {
    rest: &'a [u8],
    text: Vec<u8>,
}

impl<'a> BlockReader<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            text: Vec::new(),
        }
    }

    /// The next entry. `None`: the block ends.
    pub fn read(&mut self) -> Result<Option<(Term<'_>, Events<'a>)>, BadRecord> {
        let Some((header, rest)) = self.rest.split_first_chunk::<HEADER_BYTES>() else {
            return if self.rest.is_empty() {
                Ok(None)
            } else {
                Err(short())
            };
        };
        let [shared, other, kind] = *header;
        let (other, rest) = rest
            .split_at_checked(usize::from(other))
            .ok_or_else(short)?;
        if usize::from(shared) > self.text.len() {
            return Err(bad("search block", "an entry shares more than there is"));
        }
        self.text.truncate(usize::from(shared));
        self.text.extend(other);
        let (events, rest) = if kind & SINGLE != 0 {
            let (_, after) = number(rest)?;
            rest.split_at(rest.len() - after.len())
        } else {
            let (length, rest) = number(rest)?;
            rest.split_at_checked(length as usize).ok_or_else(short)?
        };
        self.rest = rest;
        let term = Term {
            text: &self.text,
            kind: term_kind(kind & KIND)?,
            is_cut: kind & CUT != 0,
        };
        Ok(Some((term, Events(events))))
    }
}

/// The events of an entry, as stored.
#[derive(Debug, Clone, Copy)]
pub struct Events<'a>(&'a [u8]);

impl Events<'_> {
    /// Their numbers, rising.
    pub fn decode(self) -> Result<Vec<u16>, BadRecord> {
        let (mut rest, mut last) = (self.0, 0_u32);
        let mut events = Vec::with_capacity(rest.len());
        while !rest.is_empty() {
            let (distance, after) = number(rest)?;
            last += distance;
            let event = u16::try_from(last).map_err(|error| bad("search block", error))?;
            events.push(event);
            rest = after;
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::stored::tests::golden_in;

    fn golden(name: &str) -> Vec<u8> {
        golden_in(include_str!("search_segment.txt"), name)
    }

    #[test]
    fn a_head_is_written_as_it_always_was() {
        let head = SegmentHead {
            first: Seq::new(300),
            events: 16_384,
            at_min_us: -1,
            at_max_us: 1_000,
            is_pruned: true,
        };
        let bytes = segment_head_in(head).unwrap();
        assert_eq!(bytes, golden("segment-head"));
        assert_eq!(segment_head_out(&bytes), Ok(head));
        let newer = [&[1], &bytes[1..]].concat();
        assert!(segment_head_out(&newer).is_err());
    }

    fn entries(bytes: &[u8]) -> Vec<(Vec<u8>, TermKind, bool, Vec<u16>)> {
        let mut reader = BlockReader::new(bytes);
        let mut entries = Vec::new();
        while let Some((term, events)) = reader.read().unwrap() {
            let events = events.decode().unwrap();
            entries.push((term.text.to_vec(), term.kind, term.is_cut, events));
        }
        entries
    }

    #[test]
    fn a_block_is_written_as_it_always_was() {
        let mut block = BlockWriter::default();
        let mut push = |text: &str, kind, is_cut, events: &[u16]| {
            let text = text.as_bytes();
            let term = Term { text, kind, is_cut };
            assert_eq!(block.push(term, events, 4_000), events.len());
        };
        push("wh/in/1", TermKind::Order, false, &[0, 1, 300]);
        push("wh/in/2", TermKind::Lot, false, &[65_535]);
        push("wh/in/2", TermKind::Package, true, &[7]);
        let bytes = block.take();
        assert_eq!(bytes, golden("block"));
        let (one, two) = (b"wh/in/1".to_vec(), b"wh/in/2".to_vec());
        assert_eq!(
            entries(&bytes),
            [
                (one, TermKind::Order, false, vec![0, 1, 300]),
                (two.clone(), TermKind::Lot, false, vec![65_535]),
                (two, TermKind::Package, true, vec![7]),
            ]
        );
        assert!(block.is_empty());
    }

    #[test]
    fn the_place_of_documents_terms_is_written_as_it_always_was() {
        let bytes = terms_upto_in(Some(DocumentNumber::new(300)));
        assert_eq!(bytes.to_vec(), golden("terms-upto"));
        let read = |bytes: Option<&[u8]>| terms_upto_out(bytes).unwrap();
        assert_eq!(read(Some(&bytes)), Some(DocumentNumber::new(300)));
        assert_eq!(read(Some(&terms_upto_in(None))), None);
        assert_eq!(read(None), Some(DocumentNumber::ZERO));
    }

    #[test]
    fn each_kind_has_a_number_of_its_own() {
        for kind in TermKind::ALL {
            assert_eq!(term_kind(term_kind_number(kind)), Ok(kind));
        }
        assert!(term_kind(0).is_err() && term_kind(10).is_err());
        let picking = document_term_number(DocumentTermKind::Picking);
        let product = document_term_number(DocumentTermKind::Line(TermKind::Product));
        assert_eq!((picking, product), (1, 21));
    }

    #[test]
    fn an_entry_that_is_longer_than_a_block_continues_in_the_next() {
        let events: Vec<u16> = (0..5_000).collect();
        let mut block = BlockWriter::default();
        let term = Term {
            text: b"pda-1",
            kind: TermKind::Device,
            is_cut: false,
        };
        let mut found = Vec::new();
        let mut left = events.as_slice();
        while !left.is_empty() {
            let count = block.push(term, left, 1_000);
            left = &left[count..];
            let bytes = block.take();
            assert!(count > 0 && bytes.len() <= 1_000, "{}", bytes.len());
            found.extend(entries(&bytes).into_iter().flat_map(|entry| entry.3));
        }
        assert_eq!(found, events);
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let block = golden("block");
        for length in 0..block.len() {
            let mut reader = BlockReader::new(&block[..length]);
            while let Ok(Some((_, events))) = reader.read() {
                drop(events.decode());
            }
        }
    }
}
