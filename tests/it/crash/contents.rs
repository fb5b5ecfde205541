//! What the journal held after each request, and what it may hold after a power cut.
//!
//! After a power cut the journal must be as it was after one of the requests: not before the last
//! one that was answered, except for seals that were alone, and not after the one that was under
//! way. So each request is there whole or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use stockrelay::document::{DocumentNumber, State};
use stockrelay::event::{Recorded, RejectedNumber, Seq};
use stockrelay::journal::terms::{Kinds, Needle, TermKind};
use stockrelay::journal::{
    AuditRecord, Entry, EventDocument, Journal, Namespace, PeriodCounts, Rejected, Repeats, Totals,
    Wanted,
};

/// More than there is.
pub const ALL: usize = 1_000_000;

/// Everything that the journal shows.
#[derive(Debug, PartialEq)]
pub struct Contents {
    events: Vec<(Recorded, EventDocument, Option<Repeats>)>,
    documents: Vec<(Entry, Vec<AuditRecord>)>,
    queues: Vec<(State, Vec<DocumentNumber>)>,
    rejected: Vec<Rejected>,
    rejected_open: Vec<RejectedNumber>,
    /// Each key with the hash of its value.
    side_values: Vec<(String, blake3::Hash)>,
    totals: Totals,
    periods: PeriodCounts,
    /// The last event of the last segment of the search index.
    indexed: Seq,
    /// Scans that a flow answered with an error, with the answer.
    wrong_scans: Vec<(Seq, String)>,
}

impl Contents {
    fn is_empty(&self) -> bool {
        self.totals.last_seq == Seq::ZERO
            && self.totals.rejected == 0
            && self.side_values.is_empty()
    }

    pub fn of(journal: &Journal) -> Self {
        let events = journal.events(Seq::ZERO, ALL).unwrap();
        let documents = journal.documents(None, DocumentNumber::ZERO, ALL).unwrap();
        let queue = |state| {
            let queue = journal.documents(Some(state), DocumentNumber::ZERO, ALL);
            let queue = queue.unwrap().into_iter();
            (state, queue.map(|entry| entry.document.number).collect())
        };
        let open = journal.rejected_open(RejectedNumber::ZERO, ALL).unwrap();
        let side_values = journal.read_namespaces(&Namespace::ALL).unwrap();
        let side_values = side_values.into_iter();
        let periods = journal.sum_of_periods().unwrap();
        let totals = journal.totals();
        assert_eq!(periods.clone().without_details(), PeriodCounts::of(&totals));
        check_search(journal, &events, &documents);
        let wrong = |recorded: &Recorded| {
            let answer = journal.wrong_scan(recorded.seq).unwrap()?;
            Some((recorded.seq, answer))
        };
        Self {
            periods,
            indexed: journal.indexed().unwrap().upto,
            wrong_scans: events.iter().filter_map(wrong).collect(),
            events: events
                .into_iter()
                .map(|event| {
                    let document = journal.document_of(event.seq).unwrap();
                    let repeats = journal.repeats(event.seq).unwrap();
                    (event, document, repeats)
                })
                .collect(),
            documents: documents
                .into_iter()
                .map(|entry| {
                    let audit = journal.audit(entry.document.number).unwrap();
                    (entry, audit)
                })
                .collect(),
            queues: State::ALL.into_iter().map(queue).collect(),
            rejected: journal.rejected(RejectedNumber::ZERO, ALL).unwrap(),
            rejected_open: open.iter().map(|reading| reading.number).collect(),
            side_values: side_values
                .map(|(key, value)| (key.to_string(), blake3::hash(&value)))
                .collect(),
            totals: Totals {
                // They count in one process.
                commits: 0,
                clocks: 0,
                bytes: 0,
                full: false,
                disk_full: false,
                ..totals
            },
        }
    }
}

/// A search finds everything, however far the index is.
fn check_search(journal: &Journal, events: &[Recorded], documents: &[Entry]) {
    let find = |needle: Needle| {
        let mut find = journal.find_below(Seq::MAX, vec![needle], None);
        let wanted = Wanted {
            events: true,
            names: true,
        };
        let (mut seqs, mut names) = (Vec::new(), Vec::new());
        while !find.is_over() {
            let part = find.read_part(wanted).unwrap();
            seqs.extend(part.events);
            names.extend(part.names);
        }
        (seqs, names)
    };
    let is_pda = |recorded: &&Recorded| recorded.event.device.as_str().starts_with("pda");
    let (found, names) = find(Needle::new("pda"));
    let newest_first = events.iter().rev().filter(is_pda);
    let newest_first: Vec<_> = newest_first.map(|recorded| recorded.seq).collect();
    assert_eq!(found, newest_first);
    assert_eq!(names.is_empty(), found.is_empty());
    let Some(last) = events.last() else {
        return;
    };
    let own = Needle::whole(&last.event.id).of(Kinds::only(TermKind::Event));
    assert!(find(own).0.contains(&last.seq));
    for number in 0..5 {
        let product = format!("P{number}");
        let replacing = documents.iter().filter(|entry| {
            let mut lines = entry.document.lines.iter();
            entry.document.corrects.is_some() && lines.any(|line| line.goods.product == product)
        });
        let replacing: BTreeSet<_> = replacing.map(|entry| entry.document.number).collect();
        let needle = Needle::whole(&product);
        let found = journal
            .find_documents(&needle, DocumentNumber::MAX)
            .unwrap();
        let found: BTreeSet<_> = found.lines.into_iter().map(|(_, number)| number).collect();
        assert_eq!(found, replacing, "{product}");
    }
}

/// The journal after a request.
pub struct Moment {
    /// How many steps the disk had done.
    pub steps: usize,
    pub contents: Arc<Contents>,
    /// The request may be on disk only with the next one.
    pub waits: bool,
    /// The events that this request acknowledged first, by device and id.
    pub acknowledged: Vec<(String, String)>,
}

/// What the journal may hold after a power cut.
pub struct Allowed {
    /// In the order of the requests.
    contents: Vec<Arc<Contents>>,
    /// The place of the last request that was answered.
    answered: usize,
}

/// What a power cut left of the last requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    WithoutAnsweredSeals,
    Answered,
    WithTheNextRequest,
}

impl Allowed {
    /// An empty journal.
    pub fn nothing() -> Self {
        Self {
            contents: Vec::new(),
            answered: 0,
        }
    }

    /// When this number of requests had an answer. The first of the moments is the start.
    pub fn after(answered: usize, moments: &[Moment]) -> Self {
        let on_disk = moments[..=answered]
            .iter()
            .rposition(|moment| !moment.waits);
        let on_disk = on_disk.unwrap_or(0);
        let under_way = (answered + 1).min(moments.len() - 1);
        let contents = moments[on_disk..=under_way].iter();
        Self {
            contents: contents
                .map(|moment| Arc::clone(&moment.contents))
                .collect(),
            answered: answered - on_disk,
        }
    }

    /// In the middle of a start: the journal is as it was before.
    pub fn in_the_start(moments: &[Moment]) -> Self {
        Self {
            contents: vec![Arc::clone(&moments[0].contents)],
            answered: 0,
        }
    }

    /// Compares the journal with them.
    pub fn compare(&self, journal: &Journal, what: &str) -> Left {
        let found = Contents::of(journal);
        let Some(answered) = self.contents.get(self.answered) else {
            assert!(found.is_empty(), "{what}: {found:#?}");
            return Left::Answered;
        };
        if **answered == found {
            return Left::Answered;
        }
        let place = self.contents.iter().position(|allowed| **allowed == found);
        match place {
            Some(place) if place < self.answered => Left::WithoutAnsweredSeals,
            Some(_) => Left::WithTheNextRequest,
            None => panic!("{what}: found {found:#?}\nafter the last answer {answered:#?}"),
        }
    }
}
