//! Records that were written once stay readable, byte for byte: `v1.txt` has a line a record, name
//! and hex.
//!
//! A form that changes is a new version with a file of its own; nothing is ever changed in
//! `v1.txt`.

mod codes;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::book::{Count, Doubt, Span};
use crate::device_clock::{DeviceClock, Sighting};
use crate::document::{
    Document, DocumentKey, DocumentNumber, EventTime, Line, OdooRef, Progress, Purpose, Reason,
    State,
};
use crate::event::{
    Action, Channel, Event, EventFlag, Goods, Measures, Move, Movement, RejectedNumber, Seq,
    SourceKind,
};
use crate::journal::{AuditRecord, tables};
use crate::odoo_id::PickingId;
use crate::reason::RejectionCode;

fn at(second: i64) -> Timestamp {
    Timestamp::new(1_795_000_000 + second, 250_000_000).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "most fields are optional")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn event(action: Action) -> Event {
    Event {
        device: Name::new("pda-07").unwrap(),
        id: "8c1f".to_owned(),
        id_derived: false,
        source: SourceKind::Listen,
        at: at(-3),
        received: at(0),
        measures: Measures::new(),
        operator: text("anna"),
        flags: Vec::new(),
        action,
    }
}

/// One event of each type, with every field filled.
fn events() -> Vec<(&'static str, Event)> {
    let order = "WH/OUT/00042".to_owned();
    let quantity: Decimal = "2.50".parse().unwrap();
    let goods = |from: Option<&str>, to: Option<&str>, package: Option<&str>| Goods {
        product: "4000000000020".to_owned(),
        quantity,
        from: from.and_then(text),
        to: to.and_then(text),
        lot: text("L1"),
        package: package.and_then(text),
        ..Goods::default()
    };
    let (from, to) = (Some("LOC-BIN-0002"), Some("LOC-BIN-0007"));
    let package = Some("PACK1");
    let moved = |movement, order: Option<&String>, reason: Option<&str>, goods| {
        Action::Move(Move {
            movement,
            goods,
            order: order.cloned(),
            reason: reason.and_then(text),
        })
    };
    let (of_order, why) = (Some(&order), Some("broken"));
    let transfer = moved(Movement::Transfer, None, None, goods(from, to, package));
    let pick = moved(Movement::Pick, of_order, None, goods(from, None, package));
    let received = Goods {
        expiry: text("2027-01-31"),
        ..goods(None, to, package)
    };
    let receive = moved(Movement::Receive, of_order, None, received);
    let count = moved(Movement::Count, None, None, goods(from, None, package));
    let scrap = moved(Movement::Scrap, None, why, goods(from, None, None));
    let give_back = moved(Movement::Return, of_order, why, goods(None, to, None));
    let packed = moved(Movement::Pack, of_order, None, goods(from, None, package));
    let ship = Action::Ship {
        order: order.clone(),
        carrier_ref: text("1Z999"),
        weight_kg: Some(quantity),
        parcels: Some(3),
    };
    let scan = Action::Scan {
        code: "]C10104012345678901".to_owned(),
        symbology: text("code128"),
    };
    let actions = [
        scan,
        transfer,
        pick,
        receive,
        count,
        scrap,
        give_back,
        packed,
        ship,
        Action::Validate { order },
    ];
    actions
        .into_iter()
        .map(|action| (action.kind(), event(action)))
        .collect()
}

fn document() -> Document {
    let line = |product: &str, events: &[Seq]| Line {
        goods: Goods {
            product: product.to_owned(),
            lot: text("L1"),
            from: Some("A".to_owned()),
            to: Some("B".to_owned()),
            quantity: "3.5".parse().unwrap(),
            ..Goods::default()
        },
        events: events.to_vec(),
    };
    Document {
        number: DocumentNumber::new(9),
        key: DocumentKey([7; 16]),
        purpose: Purpose::Transfer,
        group: "pda-07".to_owned(),
        lines: vec![
            line("4000000000020", &[300, 70_000].map(Seq::new)),
            line("4000000000037ä", &[Seq::new(301)]),
        ],
        occurred: at(5),
        sealed: at(9),
        corrects: None,
        times: Vec::new(),
        flags: Vec::new(),
        events: [300, 301, 70_000].map(Seq::new).to_vec(),
    }
}

fn progress() -> Progress {
    Progress {
        state: State::Parked,
        attempts: 3,
        reason: Some(Reason {
            code: "unknown-product".into(),
            message: "no product P".to_owned(),
            lines: Vec::new(),
        }),
        odoo: Some(OdooRef {
            id: PickingId::new(42),
            name: "WH/INT/00042".to_owned(),
        }),
        since: at(11),
        plan: None,
        decision: None,
        flags: Vec::new(),
        undone: Vec::new(),
    }
}

fn counters() -> Counters {
    let mut totals = Totals {
        last_seq: Seq::new(900),
        stored: 800,
        duplicates: 7,
        rejected: 6,
        no_document: 5,
        settled: Seq::new(890),
        ..Totals::default()
    };
    for (number, state) in (1..).zip(State::COUNTED) {
        *totals.of_mut(state).unwrap() = StateTotals {
            documents: number,
            lines: number * 2,
            events: number * 3,
        };
    }
    Counters {
        totals,
        last_document: DocumentNumber::new(15),
    }
}

/// One document of each purpose, with every field of a line filled.
fn documents_v2() -> Vec<(&'static str, Document)> {
    let order = || "WH/OUT/00042".to_owned();
    let purposes = [
        ("pick", Purpose::Pick { order: order() }),
        ("receive", Purpose::Receive { order: None }),
        ("count", Purpose::Count),
        (
            "scrap",
            Purpose::Scrap {
                reason: text("broken"),
            },
        ),
        (
            "return",
            Purpose::Return {
                order: text("S00007"),
                reason: None,
            },
        ),
        ("pack", Purpose::Pack { order: None }),
        (
            "pack-order",
            Purpose::PackOrder {
                order: order(),
                package: "PACK1".to_owned(),
            },
        ),
        (
            "ship",
            Purpose::Ship {
                order: order(),
                carrier_ref: text("1Z9"),
                weight_kg: Some("12.5".parse().unwrap()),
                parcels: Some(2),
            },
        ),
        ("validate", Purpose::Validate { order: order() }),
    ];
    let line = Line {
        goods: Goods {
            product: "4000000000020".to_owned(),
            lot: text("L1"),
            package: text("PACK1"),
            from: text("A"),
            owner: text("ACME"),
            expiry: text("2026-12-31"),
            quantity: "3.5".parse().unwrap(),
            ..Goods::default()
        },
        events: vec![Seq::new(300)],
    };
    let document = |purpose| Document {
        purpose,
        lines: vec![line.clone()],
        events: vec![Seq::new(300)],
        corrects: Some(DocumentNumber::new(4)),
        flags: vec!["time-corrected".into()],
        ..document()
    };
    purposes
        .map(|(name, purpose)| (name, document(purpose)))
        .into()
}

/// A document that this version cannot post: as version 1 writes it, and with flags, as version 2
/// does.
fn unsupported() -> [(&'static str, Document); 2] {
    let plain = Document {
        purpose: Purpose::Unsupported {
            kind: "kit".to_owned(),
        },
        ..document()
    };
    let flagged = Document {
        flags: vec!["time-corrected".into()],
        ..plain.clone()
    };
    [("plain", plain), ("flagged", flagged)]
}

fn progress_v2() -> Progress {
    Progress {
        plan: text("{}"),
        decision: text("backorder"),
        flags: vec!["negative-stock".into()],
        ..progress()
    }
}

/// The records after version 2: an event that undoes another one, and the progress after the undo.
fn undo_v3() -> (Event, Document, Progress) {
    let undo = event(Action::Undo {
        event: "8c20".to_owned(),
        reason: text("wrong bin"),
    });
    let (_, pick) = documents_v2().swap_remove(0);
    let document = Document {
        purpose: Purpose::Undo {
            event: "8c20".to_owned(),
            seq: Some(Seq::new(300)),
            of: Some(Box::new(pick.purpose.clone())),
            reason: text("wrong bin"),
        },
        ..pick
    };
    let progress = Progress {
        undone: [7, 300].map(Seq::new).to_vec(),
        ..progress_v2()
    };
    (undo, document, progress)
}

fn device_clock() -> DeviceClock {
    let sighting = |from, to, ahead| Sighting {
        from: at(from),
        to: at(to),
        ahead: SignedDuration::from_millis(ahead),
    };
    DeviceClock {
        sightings: vec![sighting(-900, -60, 7_200_250), sighting(0, 0, -18_000_000)],
        doubted: Some(at(30)),
        is_changed: true,
        seq: Seq::new(300),
    }
}

/// Documents with true times of events, and a document that corrects a count.
fn documents_v4() -> [(&'static str, Document); 2] {
    let times = vec![
        EventTime {
            seq: Seq::new(300),
            time: at(-7200),
            other: None,
        },
        EventTime {
            seq: Seq::new(301),
            time: at(-60),
            other: Some(at(-7260)),
        },
    ];
    let document_with_times = Document {
        times,
        flags: vec!["clock-in-doubt".into()],
        ..document()
    };
    let recount = Document {
        purpose: Purpose::Recount {
            count: DocumentNumber::new(7),
        },
        lines: vec![Line {
            goods: Goods {
                to: None,
                ..document().lines.swap_remove(0).goods
            },
            events: Vec::new(),
        }],
        events: Vec::new(),
        ..document()
    };
    [("times", document_with_times), ("recount", recount)]
}

/// An event with a flag, and totals that count such events.
fn flagged() -> (Event, Counters) {
    let mut event = events().swap_remove(1).1;
    event.flags = vec![EventFlag::PossibleRepeat];
    let mut counters = counters();
    counters.totals.possible_repeats = 9;
    (event, counters)
}

/// The same totals with events that a person left out of documents.
fn left_out() -> Counters {
    let mut counters = flagged().1;
    counters.totals.left_out = 3;
    counters
}

/// The same totals with unused raw scans.
fn unused_scans() -> Counters {
    let mut counters = left_out();
    counters.totals.unused_scans = 4;
    counters
}

/// The same event with the weight from its label.
fn measured() -> Event {
    let mut event = flagged().0;
    event.measures = Measures::from([("net_kg".to_owned(), Decimal::new(125, 1))]);
    event
}

/// The posted counts and spans of places.
fn book() -> (Vec<Count>, Vec<Span>) {
    let count = |number, recounts| Count {
        time: at(number),
        number: DocumentNumber::new(number.unsigned_abs()),
        counted: "95.5".parse().unwrap(),
        recounts,
    };
    let span = |doubt| Span {
        from: at(-60),
        until: at(0),
        number: DocumentNumber::new(9),
        doubt,
    };
    let spans = vec![span(Doubt::Undone), span(Doubt::Clock), span(Doubt::Ended)];
    (vec![count(8, 2), count(3, 0)], spans)
}

fn golden(name: &str) -> Vec<u8> {
    golden_in(include_str!("v1.txt"), name)
}

fn golden_in(file: &str, name: &str) -> Vec<u8> {
    let lines = file.lines();
    let hex = lines
        .filter_map(|line| line.split_once(' '))
        .find(|(known, _)| *known == name);
    let (_, hex) = hex.unwrap_or_else(|| panic!("no record of {name}"));
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn events_of_version_1_are_read_and_written_as_ever() {
    for (name, event) in events() {
        let bytes = golden(name);
        assert_eq!(event_out(&bytes).unwrap(), event, "{name}");
        assert_eq!(event_in(&event).unwrap(), bytes, "{name}");
    }
}

#[test]
fn documents_and_their_progress_of_version_1_are_read_and_written_as_ever() {
    assert_eq!(
        document_out(DocumentNumber::new(9), &golden("document")).unwrap(),
        document()
    );
    assert_eq!(document_in(&document()).unwrap(), golden("document"));
    assert_eq!(progress_out(&golden("progress")).unwrap(), progress());
    assert_eq!(progress_in(&progress()).unwrap(), golden("progress"));
    let record = AuditRecord {
        at: at(1),
        state: "posted".to_owned(),
        by: "forward".to_owned(),
        note: "read back".to_owned(),
    };
    assert_eq!(audit_out(&golden("audit")).unwrap(), record);
    assert_eq!(audit_in(&record).unwrap(), golden("audit"));
}

#[test]
fn documents_and_their_progress_of_version_2_are_read_and_written_as_ever() {
    let golden = |name: &str| golden_in(include_str!("v2.txt"), name);
    for (name, document) in documents_v2() {
        assert_eq!(
            document_out(DocumentNumber::new(9), &golden(name)).unwrap(),
            document,
            "{name}"
        );
        assert_eq!(document_in(&document).unwrap(), golden(name), "{name}");
    }
    assert_eq!(progress_out(&golden("progress")).unwrap(), progress_v2());
    assert_eq!(progress_in(&progress_v2()).unwrap(), golden("progress"));
}

#[test]
fn what_is_taken_back_is_read_and_written_as_ever() {
    let golden = |name: &str| golden_in(include_str!("v3.txt"), name);
    let (event, document, progress) = undo_v3();
    assert_eq!(event_out(&golden("undo")).unwrap(), event);
    assert_eq!(event_in(&event).unwrap(), golden("undo"));
    assert_eq!(
        document_out(DocumentNumber::new(9), &golden("document")).unwrap(),
        document
    );
    assert_eq!(document_in(&document).unwrap(), golden("document"));
    assert_eq!(progress_out(&golden("progress")).unwrap(), progress);
    assert_eq!(progress_in(&progress).unwrap(), golden("progress"));
}

#[test]
fn documents_with_times_and_recounts_are_read_and_written_as_ever() {
    let golden = |name: &str| golden_in(include_str!("times.txt"), name);
    for (name, document) in documents_v4() {
        assert_eq!(
            document_out(DocumentNumber::new(9), &golden(name)).unwrap(),
            document,
            "{name}"
        );
        assert_eq!(document_in(&document).unwrap(), golden(name), "{name}");
    }
}

#[test]
fn documents_that_cannot_be_posted_are_read_and_written_as_ever() {
    let golden = |name: &str| golden_in(include_str!("unsupported.txt"), name);
    for (name, document) in unsupported() {
        assert_eq!(
            document_out(DocumentNumber::new(9), &golden(name)).unwrap(),
            document,
            "{name}"
        );
        assert_eq!(document_in(&document).unwrap(), golden(name), "{name}");
    }
}

/// A receipt with a best before date, as an event and as a document.
fn best_before() -> (Event, Document) {
    let receive = event(Action::Move(Move::new(
        Movement::Receive,
        Goods {
            product: "4000000000020".to_owned(),
            quantity: "2.5".parse().unwrap(),
            to: text("B"),
            lot: text("L1"),
            expiry: text("2027-06-30"),
            best_before: text("2027-05-31"),
            ..Goods::default()
        },
    )));
    let (_, mut document) = documents_v2().swap_remove(1);
    let plain = document.lines[0].clone();
    document.lines[0].goods.best_before = text("2027-05-31");
    document.lines.insert(
        0,
        Line {
            events: Vec::new(),
            ..plain
        },
    );
    (receive, document)
}

#[test]
fn best_before_dates_are_read_and_written_as_ever() {
    let golden = |name: &str| golden_in(include_str!("best_before.txt"), name);
    let (event, document) = best_before();
    assert_eq!(event_out(&golden("event")).unwrap(), event);
    assert_eq!(event_in(&event).unwrap(), golden("event"));
    assert_eq!(
        document_out(DocumentNumber::new(9), &golden("document")).unwrap(),
        document
    );
    assert_eq!(document_in(&document).unwrap(), golden("document"));
}

#[test]
fn flags_of_an_event_and_their_count_are_read_and_written_as_ever() {
    let golden = |name: &str| golden_in(include_str!("event_v2.txt"), name);
    let (event, counters) = flagged();
    assert_eq!(event_out(&golden("transfer")).unwrap(), event);
    assert_eq!(event_in(&event).unwrap(), golden("transfer"));
    assert_eq!(counters_out(&golden("totals")).unwrap(), counters);
    assert_eq!(counters_in(&counters).unwrap(), golden("totals"));
}

#[test]
fn totals_with_events_that_were_left_out_are_read_and_written_as_ever() {
    let golden = golden_in(include_str!("totals_v3.txt"), "totals");
    assert_eq!(counters_out(&golden).unwrap(), left_out());
    assert_eq!(counters_in(&left_out()).unwrap(), golden);
}

#[test]
fn totals_with_unused_scans_are_read_and_written_as_ever() {
    let golden = golden_in(include_str!("totals_v4.txt"), "totals");
    assert_eq!(counters_out(&golden).unwrap(), unused_scans());
    assert_eq!(counters_in(&unused_scans()).unwrap(), golden);
}

#[test]
fn measures_of_an_event_are_read_and_written_as_ever() {
    let golden = golden_in(include_str!("event_v3.txt"), "transfer");
    assert_eq!(event_out(&golden).unwrap(), measured());
    assert_eq!(event_in(&measured()).unwrap(), golden);
}

#[test]
fn the_book_of_places_is_read_and_written_as_ever() {
    let golden = |name: &str| golden_in(include_str!("book.txt"), name);
    let (counts, spans) = book();
    assert_eq!(counts_out(&golden("counts")).unwrap(), counts);
    assert_eq!(counts_in(&counts).unwrap(), golden("counts"));
    assert_eq!(spans_out(&golden("spans")).unwrap(), spans);
    assert_eq!(spans_in(&spans).unwrap(), golden("spans"));
    // Decoding refuses a doubt that only a newer version knows.
    let mut newer = golden("spans");
    *newer.last_mut().unwrap() = 3;
    assert!(spans_out(&newer).is_err());
}

#[test]
fn device_clocks_are_read_and_written_as_ever() {
    let golden = |name: &str| golden_in(include_str!("clocks.txt"), name);
    let clock = device_clock();
    assert_eq!(device_clock_out(&golden("clock")).unwrap(), clock);
    assert_eq!(device_clock_in(&clock).unwrap(), golden("clock"));
    let new = DeviceClock::default();
    assert_eq!(device_clock_out(&golden("new")).unwrap(), new);
    assert_eq!(device_clock_in(&new).unwrap(), golden("new"));
}

#[test]
fn the_rest_of_version_1_is_read_and_written_as_ever() {
    let rejection = Rejection {
        device: Name::new("pda-07").unwrap(),
        source: SourceKind::Broker,
        channel: None,
        received: at(2),
        id: text("8c1f"),
        code: RejectionCode::BadJson,
        message: "no JSON".to_owned(),
        payload: b"{".to_vec(),
        cut: false,
    };
    assert_eq!(rejection_in(&rejection).unwrap(), golden("rejected"));
    let read = rejection_out(RejectedNumber::new(4), &golden("rejected")).unwrap();
    assert_eq!(
        (read.number, read.code.as_str(), read.payload.as_slice()),
        (RejectedNumber::new(4), "bad-json", b"{".as_slice())
    );
    let repeats = Repeats {
        count: 2,
        first: at(3),
        last: at(4),
    };
    assert_eq!(repeats_out(&golden("repeats")).unwrap(), repeats);
    assert_eq!(repeats_in(repeats).unwrap(), golden("repeats"));
    assert_eq!(counters_out(&golden("totals")).unwrap(), counters());
    assert_eq!(counters_in(&counters()).unwrap(), golden("totals"));
}

#[test]
fn version_2_of_a_rejected_reading_has_its_channel_and_whether_it_is_cut() {
    for (name, channel, cut) in [
        ("event", Some(Channel::Event), true),
        ("scan", Some(Channel::Scan), false),
        ("none", None, true),
    ] {
        let rejection = Rejection {
            device: Name::new("pda-07").unwrap(),
            source: SourceKind::Broker,
            channel,
            received: at(2),
            id: text("8c1f"),
            code: RejectionCode::BadJson,
            message: "no JSON".to_owned(),
            payload: b"{".to_vec(),
            cut,
        };
        let golden = golden_in(include_str!("rejected_v2.txt"), name);
        assert_eq!(rejection_in(&rejection).unwrap(), golden);
        let read = rejection_out(RejectedNumber::new(4), &golden).unwrap();
        assert_eq!((read.channel, read.cut, read.bytes), (channel, cut, 1));
    }
    let read = rejection_out(RejectedNumber::new(4), &golden("rejected")).unwrap();
    assert_eq!((read.channel, read.cut), (None, false));
}

/// The state is the second byte of a progress record, after the version; the keys of the table of
/// queues have the same number.
#[test]
fn each_state_has_its_number_for_ever() {
    let golden = |name: &str| golden_in(include_str!("states.txt"), name);
    assert_eq!(
        State::ALL.len(),
        include_str!("states.txt").lines().count() - 1
    );
    for state in State::ALL {
        let progress = Progress {
            state,
            ..progress()
        };
        let bytes = golden(state.as_str());
        assert_eq!(progress_in(&progress).unwrap(), bytes, "{state}");
        assert_eq!(progress_out(&bytes).unwrap(), progress, "{state}");
        assert_eq!(
            tables::by_state_key(state, DocumentNumber::new(9)),
            (bytes[1], 9),
            "{state}"
        );
    }
    // Decoding refuses a state that only a newer version knows.
    let mut newer = golden("replaced");
    newer[1] = 6;
    let error = progress_out(&newer).unwrap_err().to_string();
    assert!(error.contains("no state has the number 6"), "{error}");
}

/// The source is the byte after the version, device, id and `id_derived`; its numbers are on disk
/// and must stay.
#[test]
fn each_source_has_its_number_for_ever() {
    let mut event = events().remove(0).1;
    let at = 1 + (1 + "pda-07".len()) + (1 + "8c1f".len()) + 1;
    for (number, source) in [
        SourceKind::Listen,
        SourceKind::Broker,
        SourceKind::Serial,
        SourceKind::Hid,
        SourceKind::Flow,
    ]
    .into_iter()
    .enumerate()
    {
        event.source = source;
        let bytes = event_in(&event).unwrap();
        assert_eq!(usize::from(bytes[at]), number);
        assert_eq!(event_out(&bytes).unwrap().source, source);
    }
}

#[test]
fn what_a_newer_version_wrote_is_refused_and_never_guessed_at() {
    // The first byte is the version; 2 would be the third one.
    let mut newer = golden("transfer");
    newer[0] = 2;
    let error = event_out(&newer).unwrap_err().to_string();
    assert!(
        error.contains("event") && error.contains("newer version"),
        "{error}"
    );
    for cut in 0..golden("document").len() {
        assert!(
            document_out(DocumentNumber::new(9), &golden("document")[..cut]).is_err(),
            "cut at {cut}"
        );
    }
}

#[test]
#[ignore = "prints the records of this version, for the file of a new version: cargo test stored -- --ignored --nocapture"]
fn print_the_present_forms() {
    let mut records: Vec<(&str, Vec<u8>)> = events()
        .iter()
        .map(|(name, event)| (*name, event_in(event).unwrap()))
        .collect();
    let record = AuditRecord {
        at: at(1),
        state: "posted".to_owned(),
        by: "forward".to_owned(),
        note: "read back".to_owned(),
    };
    let rejection = Rejection {
        device: Name::new("pda-07").unwrap(),
        source: SourceKind::Broker,
        channel: None,
        received: at(2),
        id: text("8c1f"),
        code: RejectionCode::BadJson,
        message: "no JSON".to_owned(),
        payload: b"{".to_vec(),
        cut: false,
    };
    records.push(("document", document_in(&document()).unwrap()));
    records.push(("progress", progress_in(&progress()).unwrap()));
    records.push(("audit", audit_in(&record).unwrap()));
    records.push(("rejected", rejection_in(&rejection).unwrap()));
    records.push((
        "repeats",
        repeats_in(Repeats {
            count: 2,
            first: at(3),
            last: at(4),
        })
        .unwrap(),
    ));
    records.push(("totals", counters_in(&counters()).unwrap()));
    for (name, document) in documents_v2() {
        records.push((name, document_in(&document).unwrap()));
    }
    records.push(("progress", progress_in(&progress_v2()).unwrap()));
    for (name, document) in documents_v4().into_iter().chain(unsupported()) {
        records.push((name, document_in(&document).unwrap()));
    }
    let (counts, spans) = book();
    records.push(("counts", counts_in(&counts).unwrap()));
    records.push(("spans", spans_in(&spans).unwrap()));
    let (event, document, progress) = undo_v3();
    records.push(("undo", event_in(&event).unwrap()));
    records.push(("document", document_in(&document).unwrap()));
    records.push(("progress", progress_in(&progress).unwrap()));
    let (event, counters) = flagged();
    records.push(("transfer", event_in(&event).unwrap()));
    records.push(("totals", counters_in(&counters).unwrap()));
    records.push(("transfer", event_in(&measured()).unwrap()));
    let (event, document) = best_before();
    records.push(("event", event_in(&event).unwrap()));
    records.push(("document", document_in(&document).unwrap()));
    records.push(("totals", counters_in(&left_out()).unwrap()));
    for (name, bytes) in records {
        print!("{name} ");
        for byte in bytes {
            print!("{byte:02x}");
        }
        println!();
    }
}
