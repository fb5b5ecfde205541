//! Reads events for the search index, and how far the index is.

use redb::ReadableTable as _;

use super::super::damage::JournalError;
use super::super::index::SegmentBuilder;
use super::super::{stored, tables};
use super::Journal;
use crate::event::Seq;

/// The state of the search index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Indexed {
    /// All events up to this one are in segments that this version can read.
    pub upto: Seq,
    /// A segment after them is of another version: the segments after `upto` must be made again.
    pub has_unknown: bool,
    /// Limit of the events after `upto`.
    pub left: u64,
}

impl Journal {
    /// The state of the search index.
    pub fn indexed(&self) -> Result<Indexed, JournalError> {
        let newest = self.totals().last_seq;
        self.alarm.look(|| {
            let read = self.read()?;
            let heads = read.open_table(tables::SEARCH_SEGMENTS)?;
            let mut indexed = Indexed::default();
            for entry in heads.iter()? {
                let (segment, head) = entry?;
                if stored::segment_head_out(head.value()).is_err() {
                    indexed.has_unknown = true;
                    break;
                }
                indexed.upto = Seq::new(segment.value());
            }
            let events = read.open_table(tables::EVENTS)?;
            let first = events.first()?;
            let first = first.map_or(newest.next(), |(seq, _)| Seq::new(seq.value()));
            let from = indexed.upto.next().max(first);
            indexed.left = newest.next().get().saturating_sub(from.get());
            Ok(indexed)
        })
    }

    /// Adds events to a segment of the search index, at most `limit`. Returns whether the segment
    /// is complete: it has no room for the next event.
    pub fn index_next(
        &self,
        segment: &mut SegmentBuilder,
        limit: usize,
    ) -> Result<bool, JournalError> {
        self.alarm.look(|| {
            let events = self.read()?.open_table(tables::EVENTS)?;
            for entry in events.range(segment.last().next().get()..)?.take(limit) {
                let (seq, bytes) = entry?;
                let seq = Seq::new(seq.value());
                if !segment.has_room_for(seq) {
                    return Ok(true);
                }
                segment.add(seq, bytes.value())?;
            }
            Ok(segment.is_full())
        })
    }
}
