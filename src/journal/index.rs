//! The search index: from the texts of events to the events.
//!
//! As with the index of event ids (`ids.rs`), a table by text would rewrite a page for nearly each
//! text. So the index has segments. **In**: the next [`SEGMENT_EVENTS_MAX`] events, in the order of
//! their numbers. **Out**: the blocks of one segment, and its head. A segment is written by several
//! small requests, so that no group of the writer gets long. The head is written last and makes the
//! segment valid: without it, its events count as not indexed.
//!
//! A block has sorted texts, each with its events ([`BlockWriter`]). Its key is the segment, its
//! first text, and the first event of that text, so that the table finds the block of a text. Texts
//! that many events share (names) come before ids and scans: a search for names need not read the
//! ids. Of an id, the index has only as many bytes as distinguish it from its neighbours, and
//! [`ID_BYTES_MORE`]; a match is then verified with the event.

use std::cmp::Ordering;

use super::stored::{self, BadRecord, BlockWriter, SegmentHead, Term};
use super::terms::{TERM_BYTES_MAX, TermKind, fold};
use crate::event::Seq;

/// Events of a segment.
pub const SEGMENT_EVENTS_MAX: usize = 8_192;
/// Limits of the memory that a segment needs while it is made. A segment whose events have longer
/// texts has fewer events.
const TEXTS_BYTES_MAX: usize = 512 << 10;
const ENTRIES_MAX: usize = 64 << 10;
/// A block and its key fit in a page of redb.
const BLOCK_BYTES_MAX: usize = 3_840;
/// Limit of the bytes of one request.
const PART_BYTES_MAX: usize = 60 << 10;
/// Bytes of an id after those that distinguish it from its neighbours: an id that is not in the
/// segment is then nearly never verified.
const ID_BYTES_MORE: usize = 2;

/// The first byte of each text in a block.
pub(super) const NAMES: u8 = 1;
pub(super) const IDS: u8 = 2;

/// The class of a kind's texts.
pub(super) fn class(kind: TermKind) -> u8 {
    if kind.is_name() { NAMES } else { IDS }
}

/// A block, with its first text and the number that distinguishes it from other blocks with this
/// first text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexBlock {
    pub text: Vec<u8>,
    pub number: u32,
    pub bytes: Vec<u8>,
}

/// A part of a segment: one request to the writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexPart {
    /// The last event of the segment before. The first part removes blocks after it, which an
    /// earlier attempt left.
    pub after: Seq,
    /// The last event of this segment: its key.
    pub segment: Seq,
    pub is_first: bool,
    pub blocks: Vec<IndexBlock>,
    /// Only the last part has the head.
    pub head: Option<SegmentHead>,
}

/// A text of an event: where it is, its kind, and the event as a number from the first one on.
#[derive(Debug, Clone, Copy)]
struct Posting {
    at: u32,
    bytes: u8,
    kind: TermKind,
    event: u16,
}

const RECENT: usize = 1 << 10;

/// Makes a segment.
#[derive(Debug)]
pub struct SegmentBuilder {
    after: Seq,
    last: Seq,
    events_max: usize,
    events: u32,
    head: Option<SegmentHead>,
    texts: Vec<u8>,
    entries: Vec<Posting>,
    /// Texts that were added last, by their hash: most texts come again soon.
    recent: Vec<(u32, u8)>,
}

impl SegmentBuilder {
    /// A segment that follows event `after`, with at most `events_max` events.
    #[must_use]
    pub fn new(after: Seq, events_max: usize) -> Self {
        Self {
            after,
            last: after,
            events_max: events_max.min(SEGMENT_EVENTS_MAX),
            events: 0,
            head: None,
            texts: Vec::new(),
            entries: Vec::new(),
            recent: vec![(0, 0); RECENT],
        }
    }

    /// The last event that was added; at first, the last event of the segment before.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.last
    }

    /// Count of the events.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events as usize
    }

    /// Whether it has as many events as it may have.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.events as usize >= self.events_max
            || self.texts.len() >= TEXTS_BYTES_MAX
            || self.entries.len() >= ENTRIES_MAX
    }

    /// Whether the segment can have the event: event numbers within a segment have 16 bits.
    #[must_use]
    pub fn has_room_for(&self, seq: Seq) -> bool {
        let first = self.head.map_or(seq, |head| head.first);
        !self.is_full() && u16::try_from(seq.get() - first.get()).is_ok()
    }

    /// Adds the next event, as stored. There must be room for it.
    pub fn add(&mut self, seq: Seq, stored: &[u8]) -> Result<(), BadRecord> {
        let mut texts = Vec::new();
        let at_us = stored::event_texts(stored, |kind, text| texts.push((kind, text)))?;
        let head = self.head.get_or_insert(SegmentHead {
            first: seq,
            events: 0,
            at_min_us: at_us,
            at_max_us: at_us,
            is_pruned: false,
        });
        head.at_min_us = head.at_min_us.min(at_us);
        head.at_max_us = head.at_max_us.max(at_us);
        let event = u16::try_from(seq.get() - head.first.get())
            .map_err(|error| stored::bad("search segment", error))?;
        self.events += 1;
        head.events = self.events;
        self.last = seq;
        for (kind, text) in texts {
            self.add_text(kind, &fold(text), event);
        }
        Ok(())
    }

    fn add_text(&mut self, kind: TermKind, folded: &str, event: u16) {
        let text = &folded.as_bytes()[..folded.len().min(TERM_BYTES_MAX + 1)];
        let hash = text.iter().fold(0_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
        let place = (hash ^ hash >> 16) as usize % RECENT;
        let (at, bytes) = self.recent[place];
        let known = self
            .texts
            .get(at as usize..at as usize + usize::from(bytes));
        let (at, bytes) = if known == Some(text) {
            (at, bytes)
        } else {
            let (Ok(at), Ok(bytes)) = (u32::try_from(self.texts.len()), u8::try_from(text.len()))
            else {
                return;
            };
            self.texts.extend(text);
            if kind.is_name() {
                self.recent[place] = (at, bytes);
            }
            (at, bytes)
        };
        self.entries.push(Posting {
            at,
            bytes,
            kind,
            event,
        });
    }

    /// Makes the parts of the segment. None: it has no event.
    #[must_use]
    pub fn finish(mut self) -> Vec<IndexPart> {
        self.recent = Vec::new();
        let mut entries = std::mem::take(&mut self.entries);
        let texts = &self.texts;
        entries.sort_unstable_by(|one, other| order(texts, *one, *other));
        entries.dedup_by(|one, other| order(texts, *one, *other) == Ordering::Equal);
        let mut parts = Parts {
            blocks: Vec::new(),
            bytes: 0,
            done: Vec::new(),
            after: self.after,
            segment: self.last,
        };
        let mut writing = Writing::default();
        let mut rest = entries.as_slice();
        let mut before: &[u8] = &[];
        while let Some(first) = rest.first() {
            let text = text_of(texts, *first);
            let same = rest.partition_point(|entry| {
                (class(entry.kind), text_of(texts, *entry), entry.kind)
                    <= (class(first.kind), text, first.kind)
            });
            let (own, after) = rest.split_at(same);
            let next = after
                .first()
                .map_or(&[][..], |entry| text_of(texts, *entry));
            let bytes = if first.kind == TermKind::Event && own.len() == 1 {
                (shared(before, text).max(shared(text, next)) + 1 + ID_BYTES_MORE).min(text.len())
            } else {
                text.len()
            };
            let bytes = bytes.min(TERM_BYTES_MAX);
            writing.write(
                first.kind,
                &text[..bytes],
                bytes < text.len(),
                own,
                &mut parts,
            );
            (before, rest) = (text, after);
        }
        writing.end(&mut parts);
        parts.end(self.head)
    }
}

/// The bytes that two texts share.
fn shared(one: &[u8], other: &[u8]) -> usize {
    let both = one.iter().zip(other);
    both.take_while(|(one, other)| one == other).count()
}

fn text_of(texts: &[u8], entry: Posting) -> &[u8] {
    &texts[entry.at as usize..entry.at as usize + usize::from(entry.bytes)]
}

fn order(texts: &[u8], one: Posting, other: Posting) -> Ordering {
    let key = |entry: Posting| {
        (
            class(entry.kind),
            text_of(texts, entry),
            entry.kind,
            entry.event,
        )
    };
    key(one).cmp(&key(other))
}

/// Fills blocks.
#[derive(Debug, Default)]
struct Writing {
    block: BlockWriter,
    /// The first text of the block, and its number.
    key: (Vec<u8>, u32),
    text: Vec<u8>,
    events: Vec<u16>,
}

impl Writing {
    fn write(
        &mut self,
        kind: TermKind,
        text: &[u8],
        is_cut: bool,
        entries: &[Posting],
        parts: &mut Parts,
    ) {
        self.text.clear();
        self.text.push(class(kind));
        self.text.extend(text);
        self.events.clear();
        self.events.extend(entries.iter().map(|entry| entry.event));
        // A text that is cut may be the same as the one before, with the same event.
        self.events.dedup();
        let mut done = 0;
        while let Some(first) = self.events.get(done) {
            let term = Term {
                text: &self.text,
                kind,
                is_cut,
            };
            if self.block.is_empty() {
                let number = u32::from(stored::term_kind_number(kind)) << 16 | u32::from(*first);
                self.key = (self.text.clone(), number);
            }
            let limit = BLOCK_BYTES_MAX - self.key.0.len();
            match self.block.push(term, &self.events[done..], limit) {
                0 => self.end(parts),
                count => done += count,
            }
        }
    }

    fn end(&mut self, parts: &mut Parts) {
        if self.block.is_empty() {
            return;
        }
        let (text, number) = std::mem::take(&mut self.key);
        parts.add(IndexBlock {
            text,
            number,
            bytes: self.block.take(),
        });
    }
}

/// Divides blocks into parts.
struct Parts {
    blocks: Vec<IndexBlock>,
    bytes: usize,
    done: Vec<IndexPart>,
    after: Seq,
    segment: Seq,
}

impl Parts {
    fn add(&mut self, block: IndexBlock) {
        let bytes = block.text.len() + block.bytes.len();
        if self.bytes + bytes > PART_BYTES_MAX {
            self.part(None);
        }
        self.bytes += bytes;
        self.blocks.push(block);
    }

    fn part(&mut self, head: Option<SegmentHead>) {
        self.bytes = 0;
        self.done.push(IndexPart {
            after: self.after,
            segment: self.segment,
            is_first: self.done.is_empty(),
            blocks: std::mem::take(&mut self.blocks),
            head,
        });
    }

    fn end(mut self, head: Option<SegmentHead>) -> Vec<IndexPart> {
        if head.is_some() {
            self.part(head);
        }
        self.done
    }
}
