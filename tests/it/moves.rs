//! Drives journal and assembler as the daemon does, in time that a test owns.

use std::time::Duration;

use stockrelay::assemble::{Assembler, Now};
use stockrelay::config;
use stockrelay::document::{DocumentNumber, OdooRef, Progress, Reason, State};
use stockrelay::event::Seq;
use stockrelay::journal::{AppendError, EventDocument, Journal};

use crate::floor::{at, name};
use stockrelay::odoo_id::PickingId;

/// A small random number generator: the same seed, the same run.
pub struct Random(pub u64);

impl Random {
    /// The next one, below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64, by Sebastiano Vigna (public domain).
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

pub fn now(second: i64) -> Now {
    Now {
        wall: at(second),
        monotonic: Duration::from_secs(second.unsigned_abs()),
    }
}

/// An assembler that stands where the journal's events are settled, and the last event it has seen.
pub struct Assembly {
    pub assembler: Assembler,
    pub cursor: Seq,
    settled_before: Seq,
}

impl Assembly {
    pub fn new(journal: &Journal, rules: &config::Documents) -> Self {
        let cursor = journal.settled_at_open();
        let assembler = Assembler::new(name("ams1"), rules.clone(), cursor);
        Self {
            assembler,
            cursor,
            settled_before: journal.totals().last_seq,
        }
    }

    /// Takes what is new and seals what is due.
    pub async fn advance(&mut self, journal: &Journal, second: i64) {
        self.try_advance(journal, second).await.unwrap();
    }

    /// The same on a journal that may stop.
    pub async fn try_advance(&mut self, journal: &Journal, second: i64) -> Result<(), AppendError> {
        loop {
            let events = journal.events(self.cursor, 7).unwrap();
            let Some(last) = events.last().map(|event| event.seq) else {
                break;
            };
            let settled = if self.cursor < self.settled_before {
                journal.settled_between(self.cursor, last).unwrap()
            } else {
                Vec::new()
            };
            for event in events.iter().filter(|event| !settled.contains(&event.seq)) {
                self.assembler.take(event, now(second));
            }
            self.cursor = last;
        }
        if let Some(sealed) = self.assembler.seal(now(second)) {
            journal
                .inbox()
                .seal(sealed.documents, sealed.skipped, sealed.settled)
                .await?;
        }
        Ok(())
    }
}

pub fn progress(state: State, second: i64) -> Progress {
    Progress {
        state,
        attempts: 1,
        reason: (state == State::Parked).then(|| Reason {
            code: "unknown-product".into(),
            message: "?".to_owned(),
            lines: Vec::new(),
        }),
        odoo: (state == State::Posted).then(|| OdooRef {
            id: PickingId::new(second),
            name: format!("WH/INT/{second:05}"),
        }),
        since: at(second),
        plan: None,
        decision: None,
        flags: Vec::new(),
        undone: Vec::new(),
    }
}

/// What must hold for every journal at every time: the counts are those of the records, every event
/// is in at most one document, and the documents' lines say what their events say.
pub fn adds_up(journal: &Journal) {
    let totals = journal.totals();
    let events = journal.events(Seq::ZERO, 100_000).unwrap();
    assert_eq!(totals.stored, events.len() as u64, "stored");
    assert_eq!(
        totals.last_seq,
        events.last().map_or(Seq::ZERO, |event| event.seq)
    );
    let mut open = 0;
    let mut none = 0;
    for event in &events {
        match journal.document_of(event.seq).unwrap() {
            EventDocument::Open => open += 1,
            EventDocument::NotNeeded => none += 1,
            EventDocument::Sealed(number) => {
                let document = journal
                    .document(number)
                    .unwrap()
                    .expect("a document that an event names")
                    .document;
                assert!(
                    document.events.binary_search(&event.seq).is_ok(),
                    "event {} of document {number}",
                    event.seq
                );
            }
        }
    }
    assert_eq!((totals.open_events(), totals.no_document), (open, none));
    let mut counted = [(0, 0, 0); State::ALL.len()];
    for entry in journal
        .documents(None, DocumentNumber::ZERO, 100_000)
        .unwrap()
    {
        let count = &mut counted[entry.progress.state as usize];
        let document = &entry.document;
        count.0 += 1;
        count.1 += document.lines.len() as u64;
        count.2 += document.events.len() as u64;
        let in_lines: usize = document.lines.iter().map(|line| line.events.len()).sum();
        assert_eq!(in_lines, document.events.len());
        // The events of a replaced document are in the one that corrects it.
        let is_replaced = entry.progress.state == State::Replaced;
        for seq in document.events.iter().filter(|_| !is_replaced) {
            assert_eq!(
                journal.document_of(*seq).unwrap(),
                EventDocument::Sealed(document.number)
            );
        }
        let last = journal
            .audit(document.number)
            .unwrap()
            .pop()
            .expect("an audit record");
        assert_eq!(
            last.state,
            entry.progress.state.as_str(),
            "a state without its audit record"
        );
        assert_eq!(
            journal
                .documents(Some(entry.progress.state), document.number.back_by(1), 1)
                .unwrap()[0],
            entry,
            "the queue"
        );
    }
    for state in State::COUNTED {
        let kept = totals.of(state);
        assert_eq!(
            counted[state as usize],
            (kept.documents, kept.lines, kept.events),
            "{state}"
        );
    }
}
