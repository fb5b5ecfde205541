//! Searches the events by device, type and state.
//!
//! **In**: a filter, and the `seq` after which the search starts. **Out**: the events that match,
//! oldest first, part by part. A part reads at most [`PART_RECORDS`] records, in one short read
//! transaction. The caller may stop after any part, and start another search later at
//! [`Search::position`]. A search reads as little as its filter allows:
//!
//! - **A state of documents, if few documents are in it**: the events that these documents list.
//! - **Any other state but open**: the table from event to document, which is small, and then only
//!   the events that match.
//! - **Open**: the events after the newest one up to which all events are settled.
//! - **Scans that flows answered with an error**: the table of these scans.
//! - **A time**: only events that were received after the period before it.
//! - **No state**: each event. An event that does not match is not copied.

use jiff::Timestamp;
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable as _};

use super::super::damage::JournalError;
use super::super::{stored, tables};
use super::{EventDocument, Journal};
use crate::document::{DocumentNumber, State};
use crate::event::{EventType, Name, Recorded, Seq};

/// Records that a part of a search reads, at most.
pub const PART_RECORDS: usize = 1_024;
/// With more documents or events in a state, a search reads all events: it finds the first ones
/// soon. Fewer are read within a few hundredths of a second.
const LISTED_DOCUMENTS_MAX: usize = 1_000;
const LISTED_EVENTS_MAX: u64 = 50_000;

/// The events that a search finds. A field that is `None` matches any event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub device: Option<Name>,
    pub event_type: Option<&'static EventType>,
    pub state: Option<EventState>,
    /// Only scans that their flows answered with an error.
    pub is_wrong: bool,
    /// Only events that were done at or after `since` and before `until`. No event was done after
    /// its receipt: if the clock of its device says so, the time of its receipt counts.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// The state of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// The event waits to be assembled.
    Open,
    /// The event needs no document.
    NotNeeded,
    /// The event is in a sealed document in this state.
    Sealed(State),
}

/// An event that a search has found, and its document in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEvent {
    pub recorded: Recorded,
    pub document: EventDocument,
}

/// A search for events.
#[derive(Debug)]
pub struct Search<'a> {
    journal: &'a Journal,
    filter: EventFilter,
    records: Records,
    position: Seq,
    searched: u64,
    is_over: bool,
}

/// The records that a search reads.
#[derive(Debug)]
enum Records {
    Events,
    /// The table from event to document.
    Documents(EventState),
    /// The events of all documents in a state.
    Listed(Listed),
    /// The table of scans that flows answered with an error.
    Wrong,
}

#[derive(Debug)]
struct Listed {
    /// The last one is next.
    seqs: Vec<Seq>,
    /// The newest event that was stored when they were listed.
    newest: Seq,
}

impl Journal {
    /// Starts a search for events with a `seq` above `after`.
    pub fn search(&self, filter: EventFilter, after: Seq) -> Result<Search<'_>, JournalError> {
        let mut search = Search {
            journal: self,
            records: Records::Events,
            position: after,
            searched: 0,
            is_over: false,
            filter,
        };
        if let Some(newest) = self.find_nothing(&search.filter)? {
            search.end(newest);
            return Ok(search);
        }
        if let Some(since) = search.filter.since.filter(|_| after == Seq::ZERO) {
            search.position = self.received_before(since)?;
        }
        let after = search.position;
        if search.filter.is_wrong {
            search.records = Records::Wrong;
            return Ok(search);
        }
        match search.filter.state {
            None => {}
            Some(EventState::Open) => search.position = after.max(self.totals().settled),
            Some(state @ EventState::NotNeeded) => search.records = Records::Documents(state),
            Some(sealed @ EventState::Sealed(state)) => {
                let listed = self.list_events(state, after)?;
                search.records = listed.map_or(Records::Documents(sealed), Records::Listed);
            }
        }
        Ok(search)
    }

    /// The answer of a flow to a scan, if the answer was an error. `None`: the flow accepted the
    /// scan, or no flow uses it.
    pub fn wrong_scan(&self, seq: Seq) -> Result<Option<String>, JournalError> {
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::WRONG_SCANS)?;
            let answer = table.get(seq.get())?;
            let answer = answer.map(|bytes| stored::wrong_scan_out(bytes.value()));
            Ok(answer.transpose()?)
        })
    }

    /// Whether no stored event matches the filter, without a search. Returns the newest event.
    fn find_nothing(&self, filter: &EventFilter) -> Result<Option<Seq>, JournalError> {
        self.alarm.look(|| {
            let read = self.read()?;
            let is_unknown = match &filter.device {
                Some(device) => read
                    .open_table(tables::DEVICES)?
                    .get(device.as_str())?
                    .is_none(),
                None => false,
            };
            let has_none =
                filter.state == Some(EventState::NotNeeded) && self.totals().no_document == 0;
            let newest = is_unknown || has_none;
            newest.then(|| Tables::open(&read)?.newest()).transpose()
        })
    }

    /// Lists the events above `after` of all documents in this state. `None`: they are too many.
    fn list_events(&self, state: State, after: Seq) -> Result<Option<Listed>, JournalError> {
        if self.totals().of(state).events > LISTED_EVENTS_MAX {
            return Ok(None);
        }
        self.alarm.look(|| {
            let read = self.read()?;
            let documents = read.open_table(tables::DOCUMENTS)?;
            let by_state = read.open_table(tables::BY_STATE)?;
            let mut seqs = Vec::new();
            let in_state = by_state.range(tables::in_state(state, DocumentNumber::ZERO))?;
            for (count, entry) in in_state.enumerate() {
                if count == LISTED_DOCUMENTS_MAX {
                    return Ok(None);
                }
                let number = DocumentNumber::new(entry?.0.value().1);
                if let Some(bytes) = documents.get(number.get())? {
                    let document = stored::document_out(number, bytes.value())?;
                    seqs.extend(document.events.into_iter().filter(|seq| *seq > after));
                }
            }
            seqs.sort_unstable_by(|one, other| other.cmp(one));
            let newest = Tables::open(&read)?.newest()?;
            Ok(Some(Listed { seqs, newest }))
        })
    }
}

impl Search<'_> {
    /// The `seq` up to which the search has found all events.
    #[must_use]
    pub fn position(&self) -> Seq {
        self.position
    }

    /// How many records the search has read.
    #[must_use]
    pub fn searched(&self) -> u64 {
        self.searched
    }

    /// The limit of the records that the search has not read yet.
    #[must_use]
    pub fn left(&self) -> u64 {
        match &self.records {
            _ if self.is_over => 0,
            Records::Listed(listed) => listed.seqs.len() as u64,
            Records::Events | Records::Documents(_) | Records::Wrong => {
                let newest = self.journal.totals().last_seq.get();
                newest.saturating_sub(self.position.get())
            }
        }
    }

    /// Whether the search has read all records.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    fn end(&mut self, newest: Seq) {
        self.position = self.position.max(newest);
        self.is_over = true;
    }

    /// Reads the next part. Returns at most `limit` events.
    pub fn read_part(&mut self, limit: usize) -> Result<Vec<FoundEvent>, JournalError> {
        let journal = self.journal;
        journal.alarm.look(|| {
            let tables = Tables::open(&journal.read()?)?;
            match self.records {
                Records::Events => self.read_events(&tables, limit),
                Records::Documents(state) => self.read_documents(&tables, state, limit),
                Records::Listed(_) => self.read_listed(&tables, limit),
                Records::Wrong => self.read_wrong(&tables, limit),
            }
        })
    }

    fn read_events(
        &mut self,
        tables: &Tables,
        limit: usize,
    ) -> Result<Vec<FoundEvent>, JournalError> {
        let is_open = self.filter.state == Some(EventState::Open);
        let mut found = Vec::new();
        let mut rows = tables.events.range(self.position.next().get()..)?;
        for _ in 0..PART_RECORDS {
            let Some(row) = rows.next().transpose()? else {
                self.end(Seq::ZERO);
                break;
            };
            if found.len() == limit {
                break;
            }
            let (seq, bytes) = (row.0.value(), row.1.value());
            if !is_open || tables.event_document.get(seq)?.is_none() {
                found.extend(self.decode(tables, Seq::new(seq), bytes)?);
            }
            self.advance(Seq::new(seq));
        }
        Ok(found)
    }

    fn read_documents(
        &mut self,
        tables: &Tables,
        state: EventState,
        limit: usize,
    ) -> Result<Vec<FoundEvent>, JournalError> {
        let mut found = Vec::new();
        let mut documents = InState::new(tables, state);
        let mut rows = tables.event_document.range(self.position.next().get()..)?;
        for _ in 0..PART_RECORDS {
            let Some(row) = rows.next().transpose()? else {
                // The events after it are open.
                self.end(tables.newest()?);
                break;
            };
            if found.len() == limit {
                break;
            }
            let seq = Seq::new(row.0.value());
            if documents.has(row.1.value())? {
                found.extend(self.find(tables, seq)?);
            }
            self.advance(seq);
        }
        Ok(found)
    }

    fn read_listed(
        &mut self,
        tables: &Tables,
        limit: usize,
    ) -> Result<Vec<FoundEvent>, JournalError> {
        let mut found = Vec::new();
        for _ in 0..PART_RECORDS {
            let Records::Listed(listed) = &mut self.records else {
                break;
            };
            if found.len() == limit && !listed.seqs.is_empty() {
                break;
            }
            let Some(seq) = listed.seqs.pop() else {
                let newest = listed.newest;
                self.end(newest);
                break;
            };
            found.extend(self.find(tables, seq)?);
            self.advance(seq);
        }
        Ok(found)
    }

    fn read_wrong(
        &mut self,
        tables: &Tables,
        limit: usize,
    ) -> Result<Vec<FoundEvent>, JournalError> {
        let mut found = Vec::new();
        let mut rows = (tables.wrong_scans).range(self.position.next().get()..)?;
        for _ in 0..PART_RECORDS {
            let Some(row) = rows.next().transpose()? else {
                self.end(tables.newest()?);
                break;
            };
            if found.len() == limit {
                break;
            }
            let seq = Seq::new(row.0.value());
            found.extend(self.find(tables, seq)?);
            self.advance(seq);
        }
        Ok(found)
    }

    fn advance(&mut self, seq: Seq) {
        self.position = seq;
        self.searched += 1;
    }

    fn find(&self, tables: &Tables, seq: Seq) -> Result<Option<FoundEvent>, JournalError> {
        match tables.events.get(seq.get())? {
            Some(bytes) => self.decode(tables, seq, bytes.value()),
            None => Ok(None),
        }
    }

    /// Decodes an event of the device and type that the search is for.
    fn decode(
        &self,
        tables: &Tables,
        seq: Seq,
        bytes: &[u8],
    ) -> Result<Option<FoundEvent>, JournalError> {
        let (device, event_type) = (&self.filter.device, self.filter.event_type);
        if device.is_some() || event_type.is_some() {
            let (own_device, own_type) = stored::event_head(bytes)?;
            let is_device = device.as_ref().is_none_or(|of| of.as_str() == own_device);
            if !is_device || event_type.is_some_and(|of| of.name != own_type.name) {
                return Ok(None);
            }
        }
        let event = stored::event_out(bytes)?;
        let done = event.at.min(event.received);
        let (since, until) = (self.filter.since, self.filter.until);
        if since.is_some_and(|since| done < since) || until.is_some_and(|until| done >= until) {
            return Ok(None);
        }
        let number = tables.event_document.get(seq.get())?;
        Ok(Some(FoundEvent {
            recorded: Recorded { seq, event },
            document: EventDocument::of(number.map(|number| number.value())),
        }))
    }
}

impl Tables {
    fn open(read: &ReadTransaction) -> Result<Self, JournalError> {
        Ok(Self {
            events: read.open_table(tables::EVENTS)?,
            event_document: read.open_table(tables::EVENT_DOCUMENT)?,
            by_state: read.open_table(tables::BY_STATE)?,
            wrong_scans: read.open_table(tables::WRONG_SCANS)?,
        })
    }

    /// The newest event; 0 if none is stored.
    fn newest(&self) -> Result<Seq, JournalError> {
        let newest = self.events.last()?;
        Ok(Seq::new(newest.map_or(0, |(seq, _)| seq.value())))
    }
}

/// The tables of one read transaction.
struct Tables {
    events: ReadOnlyTable<u64, tables::Bytes>,
    event_document: ReadOnlyTable<u64, u64>,
    by_state: ReadOnlyTable<(u8, u64), ()>,
    wrong_scans: ReadOnlyTable<u64, tables::Bytes>,
}

/// Finds out which documents are in a state. Consecutive events are mostly in a few documents.
struct InState<'a> {
    by_state: &'a ReadOnlyTable<(u8, u64), ()>,
    state: EventState,
    /// Documents that were looked up, by the last digits of their numbers.
    known: [(u64, bool); KNOWN],
}

/// Documents that are remembered, at most.
const KNOWN: usize = 256;

impl<'a> InState<'a> {
    fn new(tables: &'a Tables, state: EventState) -> Self {
        Self {
            by_state: &tables.by_state,
            state,
            known: [(tables::NO_DOCUMENT, false); KNOWN],
        }
    }

    fn has(&mut self, number: u64) -> Result<bool, JournalError> {
        let state = match self.state {
            EventState::Open => return Ok(false),
            EventState::NotNeeded => return Ok(number == tables::NO_DOCUMENT),
            EventState::Sealed(state) => state,
        };
        let place = usize::try_from(number % KNOWN as u64).unwrap_or(0);
        if self.known[place].0 != number {
            let key = tables::by_state_key(state, DocumentNumber::new(number));
            self.known[place] = (number, self.by_state.get(key)?.is_some());
        }
        Ok(self.known[place].1)
    }
}
