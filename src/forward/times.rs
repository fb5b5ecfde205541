//! The true times of the movements of a document, from the journal's events.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use crate::assemble::SPAN_MAX;
use crate::document::{Document, Line};
use crate::event::{CLOCK_MIN, Event, Recorded, Seq};
use crate::journal::{Journal, JournalError};
use crate::reason::Flag;

/// The gateway assumes that an event of unknown time happened at most this long before its receipt.
pub const UNKNOWN_SPAN: SignedDuration = SignedDuration::from_hours(24);

/// The time of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    pub time: Timestamp,
    /// The other possible time of the event, while its device's clock is in doubt. For an event of
    /// unknown time: its earliest possible time.
    pub other: Option<Timestamp>,
    /// No clock showed the time of the event. The event happened before its receipt, which is
    /// `time`.
    pub is_unknown: bool,
}

impl Done {
    fn at(time: Timestamp) -> Self {
        Self {
            time,
            other: None,
            is_unknown: false,
        }
    }

    /// The earliest and the latest possible time of the event.
    #[must_use]
    pub fn bounds(&self) -> (Timestamp, Timestamp) {
        let other = self.other.unwrap_or(self.time);
        (self.time.min(other), self.time.max(other))
    }
}

/// The part of a line that comes from one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatedPart {
    pub seq: Seq,
    pub done: Done,
    /// The quantity as it was scanned.
    pub quantity: Decimal,
}

/// The time of an event of this document.
#[must_use]
pub fn done(document: &Document, seq: Seq, event: &Event) -> Done {
    let given = event.given_time();
    let known = document.times.binary_search_by_key(&seq, |time| time.seq);
    let done = match known {
        Ok(at) => Done {
            other: document.times[at].other,
            ..Done::at(document.times[at].time)
        },
        // A document of an older version has no times of its events. It may span hours.
        Err(_) if is_of_corrected_clock(document, given) => Done::at(document.occurred),
        Err(_) => Done::at(given),
    };
    if done.time >= CLOCK_MIN {
        return done;
    }
    let received = match event.received {
        received if received >= CLOCK_MIN => received,
        _ => document.sealed,
    };
    Done {
        time: received,
        other: Some(received.saturating_sub(UNKNOWN_SPAN).unwrap_or(received)),
        is_unknown: true,
    }
}

fn is_of_corrected_clock(document: &Document, given: Timestamp) -> bool {
    let is_flagged = document
        .flags
        .iter()
        .any(|flag| *flag == Flag::TimeCorrected);
    let is_near = document.occurred.duration_since(given).abs() <= SPAN_MAX;
    is_flagged && document.times.is_empty() && !is_near
}

/// The time of an event of this document, with what the device has shown of its clock since the
/// document was sealed.
pub fn done_by_now(
    journal: &Journal,
    document: &Document,
    recorded: &Recorded,
) -> Result<Done, JournalError> {
    let event = &recorded.event;
    let done = done(document, recorded.seq, event);
    if done.other.is_none() || done.is_unknown {
        return Ok(done);
    }
    let clock = journal.device_clock(&event.device)?;
    let shown = clock.and_then(|clock| clock.resolve(event.at, event.received));
    Ok(shown.map_or(done, Done::at))
}

/// The time and the quantity of each event of a line. What a person added to the sum belongs to the
/// last event.
pub fn parts(
    journal: &Journal,
    document: &Document,
    line: &Line,
) -> Result<Vec<DatedPart>, JournalError> {
    let mut parts = Vec::with_capacity(line.events.len());
    for seq in &line.events {
        if let Some(recorded) = journal.event(*seq)? {
            parts.push(DatedPart {
                seq: *seq,
                done: done_by_now(journal, document, &recorded)?,
                quantity: recorded.event.action.quantity().unwrap_or_default(),
            });
        }
    }
    if parts.is_empty() {
        parts.push(DatedPart {
            seq: Seq::ZERO,
            done: of_document(document),
            quantity: Decimal::ZERO,
        });
    }
    let sum: Decimal = parts.iter().map(|part| part.quantity).sum();
    if let Some(last) = parts.last_mut() {
        last.quantity += line.goods.quantity - sum;
    }
    Ok(parts)
}

/// The time of a document with no event or only one event: a count, an undo, a recount.
pub fn of_one(journal: &Journal, document: &Document) -> Result<Done, JournalError> {
    let Some(seq) = document.events.last() else {
        return Ok(of_document(document));
    };
    match journal.event(*seq)? {
        Some(recorded) => done_by_now(journal, document, &recorded),
        None => Ok(of_document(document)),
    }
}

fn of_document(document: &Document) -> Done {
    if document.occurred >= CLOCK_MIN {
        return Done::at(document.occurred);
    }
    Done {
        is_unknown: true,
        ..Done::at(document.sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{DocumentKey, DocumentNumber, EventTime, Purpose};
    use crate::event::{Action, Name, SourceKind};

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn event(at: Timestamp, received: Timestamp) -> Event {
        Event {
            device: Name::new("pda").unwrap(),
            id: "1".to_owned(),
            id_derived: false,
            source: SourceKind::Listen,
            at,
            received,
            measures: crate::event::Measures::new(),
            operator: None,
            flags: Vec::new(),
            action: Action::Validate {
                order: "O".to_owned(),
            },
        }
    }

    fn document(times: Vec<EventTime>, flags: &[Flag], occurred: Timestamp) -> Document {
        Document {
            number: DocumentNumber::new(1),
            key: DocumentKey([1; 16]),
            purpose: Purpose::Transfer,
            group: "pda".to_owned(),
            lines: Vec::new(),
            occurred,
            sealed: time(9_000),
            events: vec![Seq::new(7)],
            corrects: None,
            flags: flags.iter().map(|flag| (*flag).into()).collect(),
            times,
        }
    }

    #[test]
    fn an_event_was_done_when_its_device_says_unless_the_document_knows_better() {
        let plain = document(Vec::new(), &[], time(500));
        let said = event(time(100), time(200));
        assert_eq!(done(&plain, Seq::new(7), &said), Done::at(time(100)));
        let early = event(time(300), time(200));
        assert_eq!(
            done(&plain, Seq::new(7), &early),
            Done::at(time(200)),
            "not before it was received"
        );
        let known = EventTime {
            seq: Seq::new(7),
            time: time(-7_100),
            other: Some(time(100)),
        };
        let corrected = document(vec![known], &[Flag::TimeCorrected], time(-7_100));
        let found = done(&corrected, Seq::new(7), &said);
        assert_eq!((found.time, found.other), (time(-7_100), Some(time(100))));
        assert_eq!(found.bounds(), (time(-7_100), time(100)));
        assert_eq!(
            done(&corrected, Seq::new(8), &said).time,
            time(100),
            "another event of it"
        );
    }

    #[test]
    fn a_corrected_document_of_an_older_version_is_of_one_time() {
        let older = document(Vec::new(), &[Flag::TimeCorrected], time(7_300));
        let behind = event(time(100), time(7_300));
        assert_eq!(done(&older, Seq::new(7), &behind).time, time(7_300));
        let near = event(time(7_250), time(7_300));
        assert_eq!(done(&older, Seq::new(7), &near).time, time(7_250));
    }

    #[test]
    fn where_no_clock_was_right_it_was_done_in_the_day_before_it_was_received() {
        let unset = document(Vec::new(), &[], Timestamp::UNIX_EPOCH);
        let said = event(Timestamp::UNIX_EPOCH, time(200));
        let found = done(&unset, Seq::new(7), &said);
        assert!(found.is_unknown);
        assert_eq!(found.bounds(), (time(200) - UNKNOWN_SPAN, time(200)));
        let neither = event(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        assert_eq!(done(&unset, Seq::new(7), &neither).time, unset.sealed);
    }
}
