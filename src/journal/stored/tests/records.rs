//! The records in the files of stored forms, as domain values: one of each kind, with every field
//! filled.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use crate::book::{Count, Doubt, Span};
use crate::device_clock::{DeviceClock, Sighting};
use crate::document::{
    Document, DocumentKey, DocumentNumber, EventTime, Line, OdooRef, Progress, Purpose, Reason,
    State,
};
use crate::event::{
    Action, Event, EventFlag, Goods, Measures, Move, Movement, Name, Seq, SourceKind,
};
use crate::journal::stored::Counters;
use crate::journal::{DocumentTotals, Period, PeriodCounts, ReadingCounts, StateTotals, Totals};
use crate::odoo_id::PickingId;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::new(1_795_000_000 + second, 250_000_000).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "most fields are optional")]
pub(super) fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub(super) fn event(action: Action) -> Event {
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
pub(super) fn events() -> Vec<(&'static str, Event)> {
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

pub(super) fn document() -> Document {
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

pub(super) fn progress() -> Progress {
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

pub(super) fn counters() -> Counters {
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
pub(super) fn documents_v2() -> Vec<(&'static str, Document)> {
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
pub(super) fn unsupported() -> [(&'static str, Document); 2] {
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

pub(super) fn progress_v2() -> Progress {
    Progress {
        plan: text("{}"),
        decision: text("backorder"),
        flags: vec!["negative-stock".into()],
        ..progress()
    }
}

/// The records after version 2: an event that undoes another one, and the progress after the undo.
pub(super) fn undo_v3() -> (Event, Document, Progress) {
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

pub(super) fn device_clock() -> DeviceClock {
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
pub(super) fn documents_v4() -> [(&'static str, Document); 2] {
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
pub(super) fn flagged() -> (Event, Counters) {
    let mut event = events().swap_remove(1).1;
    event.flags = vec![EventFlag::PossibleRepeat];
    let mut counters = counters();
    counters.totals.possible_repeats = 9;
    (event, counters)
}

/// The same totals with events that a person left out of documents.
pub(super) fn left_out() -> Counters {
    let mut counters = flagged().1;
    counters.totals.left_out = 3;
    counters
}

/// The same totals with unused raw scans.
pub(super) fn unused_scans() -> Counters {
    let mut counters = left_out();
    counters.totals.unused_scans = 4;
    counters
}

/// The same event with the weight from its label.
pub(super) fn measured() -> Event {
    let mut event = flagged().0;
    event.measures = Measures::from([("net_kg".to_owned(), Decimal::new(125, 1))]);
    event
}

/// The posted counts and spans of places.
pub(super) fn book() -> (Vec<Count>, Vec<Span>) {
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

/// A receipt with a best before date, as an event and as a document.
pub(super) fn best_before() -> (Event, Document) {
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

/// A period with every count, and an empty one.
pub(super) fn periods() -> [(&'static str, Period); 2] {
    let of = |documents| StateTotals {
        documents,
        lines: documents + 1,
        events: documents + 2,
    };
    let full = Period {
        first_seqs: vec![1, 300],
        first_readings: vec![7],
        complete_from_us: at(0).as_microsecond(),
        counts: PeriodCounts {
            stored: 1_000,
            possible_repeats: 1,
            duplicates: 2,
            no_document: 3,
            unused_scans: 4,
            wrong_scans: 5,
            left_out: 6,
            edited: 7,
            states: DocumentTotals {
                waiting: of(10),
                sending: of(20),
                posted: of(30),
                parked: of(40),
                discarded: of(50),
            },
            parked_by_code: [("unknown-product".to_owned(), 40)].into(),
            rejected: 9,
            rejected_open: 8,
            rejected_dropped: 7,
            rejected_by_code: [(
                "bad-json".to_owned(),
                ReadingCounts {
                    readings: 9,
                    open: 1,
                },
            )]
            .into(),
        },
    };
    [("period", full), ("empty", Period::default())]
}
