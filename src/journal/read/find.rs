//! Finds events, and the names in them, by any of their texts, newest first.
//!
//! **In**: searched texts ([`Needle`]). **Out**: parts of the answer, from the newest event to the
//! oldest. A part is found in a short read transaction: from the segments of the search index, and
//! from the events themselves where the index does not have them. The caller may stop after any
//! part, and start another search later at [`Find::below`].

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable as _};

use super::super::damage::JournalError;
use super::super::index::{IDS, NAMES};
use super::super::stored::{self, BadRecord, BlockReader, Events, SegmentHead, Term};
use super::super::tables::{self, BlockKey, Bytes};
use super::super::terms::{FoundName, Needle, TERM_BYTES_MAX, TermKind};
use super::Journal;
use crate::clock;
use crate::event::Seq;

/// A part ends after this time, at the next segment.
const PART_TIME_MAX: Duration = Duration::from_millis(4);
/// Events that are not indexed and that one step of a part reads.
const STEP_EVENTS: usize = 1_024;

/// What a search looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Each event with a text that matches.
    pub events: bool,
    /// Texts that match and that many events share.
    pub names: bool,
}

/// What a part of a search has found.
#[derive(Debug, Default)]
pub struct FoundPart {
    /// The newest first.
    pub events: Vec<Seq>,
    /// The newest first within a segment; the same name may come several times.
    pub names: Vec<FoundName>,
}

/// A search.
#[derive(Debug)]
pub struct Find<'a> {
    journal: &'a Journal,
    needles: Vec<Needle>,
    since_us: i64,
    below: Seq,
    searched: u64,
    is_over: bool,
}

impl Journal {
    /// Starts a search for events with a `seq` below this one, done at or after `since`.
    #[must_use]
    pub fn find_below(
        &self,
        below: Seq,
        needles: Vec<Needle>,
        since: Option<Timestamp>,
    ) -> Find<'_> {
        Find {
            journal: self,
            needles,
            since_us: since.map_or(i64::MIN, Timestamp::as_microsecond),
            below,
            searched: 0,
            is_over: false,
        }
    }
}

impl Find<'_> {
    /// The search has found everything from this event on.
    #[must_use]
    pub fn below(&self) -> Seq {
        self.below
    }

    /// How many events the search has passed.
    #[must_use]
    pub fn searched(&self) -> u64 {
        self.searched
    }

    /// Limit of the events that the search has not passed yet.
    pub fn left(&self) -> Result<u64, JournalError> {
        if self.is_over {
            return Ok(0);
        }
        self.journal.alarm.look(|| {
            let events = self.journal.read()?.open_table(tables::EVENTS)?;
            let first = events
                .first()?
                .map_or(self.below.get(), |(seq, _)| seq.value());
            Ok(self.below.get().saturating_sub(first))
        })
    }

    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Searches the next part.
    pub fn read_part(&mut self, wanted: Wanted) -> Result<FoundPart, JournalError> {
        let journal = self.journal;
        journal.alarm.look(|| {
            let tables = IndexTables::open(&journal.read()?)?;
            let begun = clock::instant();
            let mut part = FoundPart::default();
            loop {
                self.step(&tables, wanted, &mut part)?;
                if self.is_over || begun.elapsed() >= PART_TIME_MAX {
                    return Ok(part);
                }
            }
        })
    }

    /// Searches the newest segment below, or some of the events after it.
    fn step(
        &mut self,
        tables: &IndexTables,
        wanted: Wanted,
        part: &mut FoundPart,
    ) -> Result<(), JournalError> {
        let newest = self.below.get().saturating_sub(1);
        let segment = tables.heads.range(newest..)?.next().transpose()?;
        let segment = segment.and_then(|(segment, head)| {
            // The segment of another version is searched like events without an index.
            let head = stored::segment_head_out(head.value()).ok()?;
            (head.first.get() <= newest).then_some((segment.value(), head))
        });
        if let Some((segment, head)) = segment {
            self.searched += (newest - head.first.get() + 1).min(u64::from(head.events));
            if head.at_max_us >= self.since_us {
                self.search_segment(tables, (segment, head), wanted, part)?;
            }
            self.below = head.first;
        } else {
            self.search_events(tables, newest, wanted, part)?;
        }
        if tables.events.range(..self.below.get())?.next().is_none() {
            self.is_over = true;
        }
        Ok(())
    }

    /// Reads events that are not indexed, from `newest` down.
    fn search_events(
        &mut self,
        tables: &IndexTables,
        newest: u64,
        wanted: Wanted,
        part: &mut FoundPart,
    ) -> Result<(), JournalError> {
        let mut before = tables.heads.range(..newest)?.rev();
        let floor = loop {
            match before.next().transpose()? {
                Some((_, head)) if stored::segment_head_out(head.value()).is_err() => {}
                Some((segment, _)) => break segment.value() + 1,
                None => break 0,
            }
        };
        let mut count = 0;
        for entry in tables.events.range(floor..=newest)?.rev().take(STEP_EVENTS) {
            let (seq, bytes) = entry?;
            let seq = Seq::new(seq.value());
            let is_found = self.match_event(seq, bytes.value(), wanted, &mut part.names)?;
            if is_found && wanted.events {
                part.events.push(seq);
            }
            (self.below, count) = (seq, count + 1);
        }
        self.searched += count as u64;
        if count < STEP_EVENTS {
            self.below = Seq::new(floor);
        }
        Ok(())
    }

    /// Whether a text of an event matches. Adds the names that match.
    fn match_event(
        &self,
        seq: Seq,
        bytes: &[u8],
        wanted: Wanted,
        names: &mut Vec<FoundName>,
    ) -> Result<bool, BadRecord> {
        let mut is_found = false;
        let mut device = "";
        let before = names.len();
        let at_us = stored::event_texts(bytes, |kind, text| {
            if kind == TermKind::Device {
                device = text;
            }
            for needle in self.needles.iter().filter(|n| n.matches(kind, text)) {
                // The id comes before the device.
                is_found |= !needle.needs_device();
                if wanted.names && kind.is_name() && !needle.needs_device() {
                    names.push(found_name(kind, text, seq));
                }
            }
        })?;
        let mut of_device = self.needles.iter().filter(|needle| needle.needs_device());
        if let Some(needle) = of_device.find(|needle| needle.accepts_device(device)) {
            stored::event_texts(bytes, |kind, text| is_found |= needle.matches(kind, text))?;
        }
        if at_us < self.since_us {
            names.truncate(before);
            return Ok(false);
        }
        Ok(is_found)
    }

    fn search_segment(
        &self,
        tables: &IndexTables,
        (segment, head): (u64, SegmentHead),
        wanted: Wanted,
        part: &mut FoundPart,
    ) -> Result<(), JournalError> {
        let mut looking = Looking {
            find: self,
            tables,
            head,
            wanted,
            exists: (head.is_pruned || head.at_min_us < self.since_us).then(HashMap::new),
            events: Vec::new(),
            names: Vec::new(),
        };
        for needle in &self.needles {
            for class in [NAMES, IDS] {
                let is_name = class == NAMES;
                if needle.kinds().has_any(is_name) && (wanted.events || is_name && wanted.names) {
                    looking.look_up(segment, class, needle)?;
                }
            }
        }
        let Looking {
            mut events,
            mut names,
            ..
        } = looking;
        events.sort_unstable_by(|one, other| other.cmp(one));
        events.dedup();
        names.sort_unstable_by_key(|name| std::cmp::Reverse(name.newest));
        part.events.extend(events);
        part.names.extend(names);
        Ok(())
    }
}

fn found_name(kind: TermKind, text: &str, newest: Seq) -> FoundName {
    FoundName {
        kind,
        text: super::super::terms::fold(text),
        newest,
    }
}

/// A search in one segment.
struct Looking<'a> {
    find: &'a Find<'a>,
    tables: &'a IndexTables,
    head: SegmentHead,
    wanted: Wanted,
    /// Whether an event is stored and new enough. `None`: all events of the segment are.
    exists: Option<HashMap<Seq, bool>>,
    events: Vec<Seq>,
    names: Vec<FoundName>,
}

impl Looking<'_> {
    /// Finds the texts of a class that match.
    fn look_up(&mut self, segment: u64, class: u8, needle: &Needle) -> Result<(), JournalError> {
        let folded = needle.folded().as_bytes();
        let mut wanted = vec![class];
        wanted.extend(&folded[..folded.len().min(TERM_BYTES_MAX)]);
        let from = (segment, wanted.as_slice(), 0);
        let blocks = &self.tables.blocks;
        // The block that begins before the text may have it, or its beginning.
        let before = blocks.range((segment, &[][..], 0)..from)?.next_back();
        let after = blocks.range(from..(segment.saturating_add(1), &[][..], 0))?;
        for block in before.into_iter().chain(after) {
            let (key, bytes) = block?;
            let (_, first, _) = key.value();
            if first > wanted.as_slice() && !first.starts_with(&wanted) {
                break;
            }
            let mut reader = BlockReader::new(bytes.value());
            while let Some((term, events)) = reader.read()? {
                if term.text.starts_with(&wanted) {
                    if needle.is_prefix() || term.text.len() == wanted.len() {
                        self.found(needle, term, events)?;
                    } else {
                        return Ok(());
                    }
                } else if term.text > wanted.as_slice() {
                    return Ok(());
                } else if term.is_cut && wanted.starts_with(term.text) {
                    self.found(needle, term, events)?;
                }
            }
        }
        Ok(())
    }

    /// Adds the events of an entry whose text matches, or whose beginning is the beginning of the
    /// searched text.
    fn found(
        &mut self,
        needle: &Needle,
        term: Term<'_>,
        events: Events<'_>,
    ) -> Result<(), JournalError> {
        if !needle.kinds().has(term.kind) {
            return Ok(());
        }
        let mut seqs: Vec<Seq> = Vec::new();
        for event in events.decode()? {
            let seq = Seq::new(self.head.first.get() + u64::from(event));
            if seq < self.find.below && self.exists(seq)? {
                seqs.push(seq);
            }
        }
        // The class comes before the text.
        let text = &term.text[1..];
        let is_whole = !term.is_cut && text.len() >= needle.folded().len();
        let is_certain = is_whole || needle.is_prefix() && text.len() >= needle.folded().len();
        if needle.needs_device() || !is_certain || term.is_cut && term.kind.is_name() {
            return self.verify(needle, term.kind, &seqs);
        }
        if let (true, true, Some(newest)) =
            (self.wanted.names, term.kind.is_name(), seqs.last().copied())
        {
            self.names.push(FoundName {
                kind: term.kind,
                text: String::from_utf8_lossy(text).into_owned(),
                newest,
            });
        }
        if self.wanted.events {
            self.events.extend(seqs);
        }
        Ok(())
    }

    /// Adds those of the events that have a text of this kind that matches.
    fn verify(
        &mut self,
        needle: &Needle,
        kind: TermKind,
        seqs: &[Seq],
    ) -> Result<(), JournalError> {
        for seq in seqs.iter().rev() {
            let Some(bytes) = self.tables.events.get(seq.get())? else {
                continue;
            };
            let (mut device, mut found) = ("", Vec::new());
            stored::event_texts(bytes.value(), |of, text| {
                if of == TermKind::Device {
                    device = text;
                }
                if of == kind && needle.matches(of, text) {
                    found.push(text);
                }
            })?;
            if found.is_empty() || !needle.accepts_device(device) {
                continue;
            }
            if self.wanted.names && kind.is_name() && !needle.needs_device() {
                let names = found.iter().map(|text| found_name(kind, text, *seq));
                self.names.extend(names);
            }
            if self.wanted.events {
                self.events.push(*seq);
            }
        }
        Ok(())
    }

    /// Whether an event is stored and new enough.
    fn exists(&mut self, seq: Seq) -> Result<bool, JournalError> {
        let Some(known) = &mut self.exists else {
            return Ok(true);
        };
        if let Some(known) = known.get(&seq) {
            return Ok(*known);
        }
        let exists = match self.tables.events.get(seq.get())? {
            Some(bytes) => stored::event_texts(bytes.value(), |_, _| {})? >= self.find.since_us,
            None => false,
        };
        known.insert(seq, exists);
        Ok(exists)
    }
}

/// The tables of one read transaction.
struct IndexTables {
    events: ReadOnlyTable<u64, Bytes>,
    heads: ReadOnlyTable<u64, Bytes>,
    blocks: ReadOnlyTable<BlockKey, Bytes>,
}

impl IndexTables {
    fn open(read: &ReadTransaction) -> Result<Self, JournalError> {
        Ok(Self {
            events: read.open_table(tables::EVENTS)?,
            heads: read.open_table(tables::SEARCH_SEGMENTS)?,
            blocks: read.open_table(tables::SEARCH_BLOCKS)?,
        })
    }
}

#[cfg(test)]
mod tests;
