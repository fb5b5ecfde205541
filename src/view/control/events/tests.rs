//! The list of events against a list that reads everything.

use jiff::Timestamp;

use super::*;
use crate::board::Board;
use crate::config;
use crate::document::{Document, DocumentKey, Line, Progress, Purpose, State as DocumentState};
use crate::event::{Action, Event, Goods, Measures, Move, Movement, Name, Recorded, SourceKind};
use crate::journal::{Change, Journal, PART_RECORDS};

/// So many documents wait that their events are not listed through them.
const WAITING: u64 = 1_100;
/// Documents of each other state.
const FEW: u64 = 15;
/// Events that need no document, and events that are open.
const UNUSED: u64 = 700;
const OPEN: u64 = 40;

const STATES: [DocumentState; 4] = [
    DocumentState::Sending,
    DocumentState::Posted,
    DocumentState::Parked,
    DocumentState::Discarded,
];

struct Stage {
    gateway: Gateway,
    _dir: tempfile::TempDir,
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + i64::try_from(seconds).unwrap()).unwrap()
}

/// Every third event is a count, every fifth is of another device.
fn event(number: u64) -> Event {
    let goods = Goods {
        product: "4000000000006".to_owned(),
        quantity: 1.into(),
        from: Some("A".to_owned()),
        to: Some("B".to_owned()),
        ..Goods::default()
    };
    let movement = if number.is_multiple_of(3) {
        Movement::Count
    } else {
        Movement::Transfer
    };
    let device = if number.is_multiple_of(5) { "b" } else { "a" };
    Event {
        device: Name::new(device).unwrap(),
        id: number.to_string(),
        id_derived: false,
        source: SourceKind::Listen,
        at: at(number),
        received: at(number),
        measures: Measures::new(),
        operator: None,
        flags: Vec::new(),
        action: Action::Move(Move::new(movement, goods)),
    }
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
        Self {
            gateway: Gateway::new(Name::new("ams1").unwrap(), journal, Board::new()),
            _dir: dir,
        }
    }

    fn journal(&self) -> &Journal {
        &self.gateway.journal
    }

    /// Appends events with these numbers. Their `seq` is the number.
    async fn append(&self, numbers: std::ops::RangeInclusive<u64>) {
        let events = numbers.map(|number| Ok(event(number))).collect();
        self.journal().inbox().append(events).await.unwrap();
    }

    /// Seals a document with these events.
    fn document(&self, seqs: &[u64]) -> Document {
        let recorded = |seq: &u64| self.journal().event(Seq::new(*seq)).unwrap().unwrap();
        let events: Vec<Recorded> = seqs.iter().map(recorded).collect();
        Document {
            number: DocumentNumber::ZERO,
            key: DocumentKey::of(&self.gateway.site, &events),
            purpose: Purpose::Transfer,
            group: "a".to_owned(),
            lines: vec![Line {
                goods: Goods::default(),
                events: events.iter().map(|recorded| recorded.seq).collect(),
            }],
            occurred: at(1),
            sealed: at(1),
            events: events.iter().map(|recorded| recorded.seq).collect(),
            corrects: None,
            times: Vec::new(),
            flags: Vec::new(),
        }
    }

    async fn seal(&self, documents: Vec<Document>, unused: Vec<u64>, settled: u64) {
        let unused = unused.into_iter().map(Seq::new).collect();
        let inbox = self.journal().inbox();
        let sealed = inbox.seal(documents, unused, Seq::new(settled));
        sealed.await.unwrap();
    }

    /// A journal in which the events of all states are mixed: first those without a document, then
    /// pairs in documents, then open ones. The newest document corrects one of the oldest.
    async fn filled() -> Self {
        let stage = Self::new();
        let pairs = WAITING + FEW * STATES.len() as u64;
        let sealed = UNUSED + 2 * pairs;
        stage.append(1..=sealed + OPEN).await;
        // The events of two documents overlap.
        let first = |pair: u64| UNUSED + 1 + pair / 2 * 4 + pair % 2;
        let documents = (0..pairs).map(|pair| stage.document(&[first(pair), first(pair) + 2]));
        let documents = documents.collect();
        stage.seal(documents, (1..=UNUSED).collect(), sealed).await;
        for (place, state) in (0..).zip(STATES) {
            // Every seventh document, from the beginning.
            let numbers = (0..FEW).map(|count| (count * 4 + place) * 7 + 1);
            let batch = numbers.map(|number| change(number, state)).collect();
            let changed = stage.journal().inbox().change(batch).await.unwrap();
            assert!(changed.iter().all(|changed| *changed), "{state}");
        }
        // The second document is replaced: its events belong to the newest document.
        let corrected = stage.document(&[first(1), first(1) + 2]);
        let corrected = Document {
            key: corrected.key.corrected(),
            ..corrected
        };
        let replaced = change(2, DocumentState::Replaced);
        let inbox = stage.journal().inbox();
        let number = inbox.replace(replaced, corrected).await.unwrap();
        let parked = change(number.unwrap().get(), DocumentState::Parked);
        assert_eq!(inbox.change(vec![parked]).await, Ok(vec![true]));
        stage
    }

    /// All events with their states.
    fn list(&self) -> Vec<(Recorded, &'static str)> {
        let all = self.journal().events(Seq::ZERO, 1_000_000).unwrap();
        let mut places = Places::new(&self.gateway);
        let state = |recorded: Recorded| {
            let document = self.journal().document_of(recorded.seq).unwrap();
            let state = places.of(document).unwrap().state();
            (recorded, state)
        };
        all.into_iter().map(state).collect()
    }

    /// A page of a request that has no time: it reads one part.
    fn page(&self, query: &Query) -> EventPage {
        event_page(&self.gateway, query, Duration::ZERO).unwrap()
    }
}

fn change(number: u64, state: DocumentState) -> Change {
    Change {
        number: DocumentNumber::new(number),
        expect: DocumentState::Waiting,
        progress: Progress {
            state,
            attempts: 1,
            reason: None,
            odoo: None,
            since: at(2),
            plan: None,
            decision: None,
            flags: Vec::new(),
            undone: Vec::new(),
        },
        by: "forward".to_owned(),
        note: "as a test has it".to_owned(),
    }
}

/// The `seq` of each event of a list that matches.
fn filter(all: &[(Recorded, &'static str)], query: &Query) -> Vec<u64> {
    let matches = |(recorded, state): &&(Recorded, &'static str)| {
        let (device, kind) = (&recorded.event.device, recorded.event.action.kind());
        query.device.as_ref().is_none_or(|of| of == device)
            && query.kind.as_deref().is_none_or(|of| of == kind)
            && query.state.as_deref().is_none_or(|of| of == *state)
    };
    let found = all.iter().filter(matches);
    found.map(|(recorded, _)| recorded.seq.get()).collect()
}

fn seqs(page: &EventPage) -> Vec<u64> {
    page.events.iter().map(|event| event.seq.get()).collect()
}

/// Every state with every type and device, and without.
fn queries() -> Vec<Query> {
    let with_none = |names: &[&str]| {
        let names = names.iter().map(|name| Some((*name).to_owned()));
        names.chain([None]).collect::<Vec<Option<String>>>()
    };
    let mut queries = Vec::new();
    for state in with_none(&EVENT_STATES) {
        for kind in with_none(&["transfer", "count", "pick"]) {
            for device in with_none(&["a", "b", "unknown"]) {
                queries.push(Query {
                    limit: 40,
                    device: device.map(|name| Name::new(&name).unwrap()),
                    kind: kind.clone(),
                    state: state.clone(),
                    ..Query::default()
                });
            }
        }
    }
    queries
}

#[tokio::test]
async fn each_filter_finds_what_a_full_scan_finds_and_no_event_twice() {
    let stage = Stage::filled().await;
    let all = stage.list();
    let mut prolonged = 0;
    for query in queries() {
        let (mut found, mut after, mut searched) = (Vec::new(), 0, 0);
        loop {
            let page = stage.page(&Query {
                after,
                ..query.clone()
            });
            found.extend(seqs(&page));
            assert!(page.events.len() <= query.limit);
            assert!(page.events.iter().all(|event| event.seq <= page.next));
            assert!(page.next.get() > after || !page.more, "{query:?}");
            // A page that is not full says how far the search is.
            let is_cut = page.more && page.events.len() < query.limit;
            assert_eq!(page.search.is_some(), is_cut, "{query:?}");
            searched += page.search.map_or(0, |search| search.searched);
            after = page.next.get();
            if !page.more {
                break;
            }
        }
        assert_eq!(found, filter(&all, &query), "{query:?}");
        prolonged += usize::from(!found.is_empty() && searched > 0);
    }
    assert!(prolonged > 0, "no search took more than one request");
}

#[tokio::test]
async fn events_that_arrive_between_two_pages_are_found_and_none_is_found_twice() {
    for query in queries() {
        // What no document needs is found only once it is settled.
        if query.state.as_deref().is_some_and(|state| state != "open") {
            continue;
        }
        let stage = Stage::new();
        let (mut found, mut after, mut stored) = (Vec::new(), 0, 0);
        for step in 0..12 {
            let next = stored + [900, 0, 7, 1][step % 4];
            if next > stored && step < 8 {
                stage.append(stored + 1..=next).await;
                stored = next;
            }
            let page = stage.page(&Query {
                after,
                limit: 400,
                ..query.clone()
            });
            found.extend(seqs(&page));
            after = page.next.get();
        }
        assert_eq!(found, filter(&stage.list(), &query), "{query:?}");
    }
}

#[tokio::test]
async fn one_request_reads_a_limited_part_and_says_how_far_it_is() {
    let stage = Stage::filled().await;
    let newest = stage.journal().totals().last_seq.get();
    let part = PART_RECORDS as u64;
    let cut = |query: Query| {
        let page = stage.page(&query);
        assert!(page.more);
        let search = page.search.unwrap();
        (page.next.get(), search.searched, search.left)
    };
    let query = Query {
        limit: 1_000,
        ..Query::default()
    };
    let by_type = Query {
        kind: Some("pick".to_owned()),
        ..query.clone()
    };
    assert_eq!(cut(by_type.clone()), (part, part, newest - part));
    // The second request continues.
    let second = Query {
        after: part,
        ..by_type
    };
    assert_eq!(cut(second), (2 * part, part, newest - 2 * part));
    let by_document = Query {
        state: Some("no_document".to_owned()),
        ..query.clone()
    };
    assert_eq!(cut(by_document), (part, part, newest - part));
    let many = Query {
        state: Some("waiting".to_owned()),
        ..query.clone()
    };
    assert_eq!(cut(many), (part, part, newest - part));

    // Few documents are in these states, all events before the open ones are settled, and the
    // device has sent nothing: the first part ends the search.
    for state in ["open", "sending", "posted", "parked", "discarded"] {
        let page = stage.page(&Query {
            state: Some(state.to_owned()),
            ..query.clone()
        });
        assert_eq!((page.more, page.next.get()), (false, newest), "{state}");
        assert!(!page.events.is_empty(), "{state}");
    }
    let page = stage.page(&Query {
        device: Some(Name::new("unknown").unwrap()),
        ..query
    });
    assert_eq!(
        (page.events.len(), page.more, page.next.get()),
        (0, false, newest)
    );
}

#[tokio::test]
async fn a_document_that_corrects_an_old_one_is_in_the_order_of_its_events() {
    let stage = Stage::filled().await;
    let query = Query {
        limit: 10,
        state: Some("parked".to_owned()),
        ..Query::default()
    };
    let page = stage.page(&query);
    let newest = stage.journal().newest_document().unwrap();
    let (key, _) = stage.journal().progress(newest).unwrap().unwrap();
    assert_eq!(page.events[0].document, Some(key.to_string()));
    assert!(seqs(&page).is_sorted(), "{:?}", seqs(&page));
}
