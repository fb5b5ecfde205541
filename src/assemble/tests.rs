//! The assembler alone, in time that the test owns.

use super::*;
use crate::event::{Action, Measures, Move, Movement, Seq, SourceKind};

fn now(second: u64) -> Now {
    let wall = Timestamp::from_second(1_795_000_000 + i64::try_from(second).unwrap()).unwrap();
    Now {
        wall,
        monotonic: Duration::from_secs(second),
    }
}

fn event(seq: u64, device: &str, action: Action) -> Recorded {
    let at = now(seq).wall;
    let device = Name::new(device).unwrap();
    let (id, source) = (format!("e{seq}"), SourceKind::Listen);
    let event = Event {
        device,
        id,
        id_derived: false,
        source,
        at,
        received: at,
        measures: Measures::new(),
        operator: None,
        flags: Vec::new(),
        action,
    };
    Recorded {
        seq: Seq::new(seq),
        event,
    }
}

fn transfer(product: &str, quantity: i64, to: &str) -> Action {
    Action::Move(Move::new(
        Movement::Transfer,
        Goods {
            product: product.to_owned(),
            quantity: quantity.into(),
            from: Some("A".to_owned()),
            to: Some(to.to_owned()),
            ..Goods::default()
        },
    ))
}

fn assembler(rules: config::Documents) -> Assembler {
    Assembler::new(Name::new("ams1").unwrap(), rules, Seq::ZERO)
}

#[test]
fn equal_movements_are_one_line_with_the_sum_and_the_rest_are_lines_of_their_own() {
    let mut assembler = assembler(config::Documents::default());
    assembler.take(&event(1, "pda", transfer("P", 2, "B")), now(1));
    assembler.take(&event(2, "pda", transfer("Q", 1, "B")), now(2));
    assembler.take(&event(3, "pda", transfer("P", 3, "B")), now(3));
    assembler.take(&event(4, "pda", transfer("P", 1, "C")), now(4));
    assert_eq!(assembler.seal(now(13)), None);
    let sealed = assembler.seal(now(14)).unwrap();
    let [document] = sealed.documents.as_slice() else {
        panic!("{sealed:?}")
    };
    let lines: Vec<_> = document
        .lines
        .iter()
        .map(|l| {
            (
                l.goods.product.as_str(),
                l.goods.to.as_deref().unwrap(),
                l.goods.quantity,
                bare(&l.events),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("P", "B", 5.into(), vec![1, 3]),
            ("Q", "B", 1.into(), vec![2]),
            ("P", "C", 1.into(), vec![4])
        ]
    );
    assert_eq!(
        (
            bare(&document.events),
            document.occurred,
            sealed.settled.get()
        ),
        (vec![1, 2, 3, 4], now(4).wall, 4)
    );
}

#[test]
fn a_document_is_sealed_by_lines_by_events_by_idle_time_and_by_age() {
    let rules = config::Documents {
        lines_max: 2,
        events_max: 5,
        idle_s: 10,
        age_s: 25,
        ..config::Documents::default()
    };
    let sealed_events = |actions: &[(u64, &str)]| {
        let mut assembler = assembler(rules.clone());
        let mut cuts = Vec::new();
        for (seq, (second, product)) in (1..).zip(actions) {
            let moved = event(seq, "pda", transfer(product, 1, "B"));
            // As the driver does: what is due by now is sealed before the next event is taken.
            cuts.extend(assembler.seal(now(*second)));
            assembler.take(&moved, now(*second));
        }
        let last = actions.last().unwrap().0;
        cuts.extend(assembler.seal(now(last)));
        cuts.into_iter()
            .flat_map(|cut| cut.documents)
            .map(|document| bare(&document.events))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        sealed_events(&[(1, "P"), (1, "Q"), (1, "R")]),
        [vec![1, 2]],
        "lines"
    );
    assert_eq!(
        sealed_events(&[(1, "P"); 6]),
        [vec![1, 2, 3, 4, 5]],
        "events"
    );
    assert_eq!(sealed_events(&[(1, "P"), (11, "P")]), [vec![1]], "idle");
    assert_eq!(
        sealed_events(&[(1, "P"), (10, "P"), (19, "P"), (26, "Q")]),
        [vec![1, 2, 3]],
        "age"
    );
    assert!(sealed_events(&[(1, "P"), (10, "P"), (19, "Q")]).is_empty());
}

#[test]
fn devices_and_on_request_operators_have_documents_of_their_own() {
    let by = |seq, device, operator: Option<&str>| {
        let mut moved = event(seq, device, transfer("P", 1, "B"));
        moved.event.operator = operator.map(str::to_owned);
        moved
    };
    let events = [
        by(1, "pda1", Some("anna")),
        by(2, "pda2", Some("anna")),
        by(3, "pda1", Some("ben")),
        by(4, "pda2", None),
    ];
    let cut = |per| {
        let mut assembler = assembler(config::Documents {
            per,
            ..config::Documents::default()
        });
        for event in &events {
            assembler.take(event, now(1));
        }
        let sealed = assembler.seal(now(100)).unwrap();
        sealed
            .documents
            .into_iter()
            .map(|document| (document.group, bare(&document.events)))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        cut(Per::Device),
        [
            ("pda1".to_owned(), vec![1, 3]),
            ("pda2".to_owned(), vec![2, 4])
        ]
    );
    let by_operator = [
        ("anna".to_owned(), vec![1, 2]),
        ("ben".to_owned(), vec![3]),
        ("pda2".to_owned(), vec![4]),
    ];
    assert_eq!(cut(Per::Operator), by_operator);
}

#[test]
fn scans_need_no_document_and_a_validation_is_one_of_its_own() {
    let mut assembler = assembler(config::Documents::default());
    assembler.take(&event(1, "pda", transfer("P", 1, "B")), now(1));
    assembler.take(
        &event(
            2,
            "pda",
            Action::Scan {
                code: "X".to_owned(),
                symbology: None,
            },
        ),
        now(1),
    );
    assert_eq!(assembler.seal(now(1)), None);
    assembler.take(
        &event(
            3,
            "pda",
            Action::Validate {
                order: "WH/OUT/1".to_owned(),
            },
        ),
        now(1),
    );
    let sealed = assembler.seal(now(1)).unwrap();
    assert_eq!((bare(&sealed.skipped), sealed.settled.get()), (vec![2], 0));
    assert_eq!(
        sealed.documents[0].purpose,
        Purpose::Validate {
            order: "WH/OUT/1".to_owned()
        }
    );
    assert_eq!(sealed.documents[0].events, [Seq::new(3)]);
    assert_eq!(assembler.wake_at(), Some(Duration::from_secs(11)));
}

#[test]
fn the_key_says_which_events_and_whose_site_and_nothing_else() {
    let events = [
        event(1, "pda", transfer("P", 1, "B")),
        event(2, "pda", transfer("Q", 1, "B")),
    ];
    let key = |site: &str, events: &[Recorded], at| {
        let mut assembler = Assembler::new(
            Name::new(site).unwrap(),
            config::Documents::default(),
            Seq::ZERO,
        );
        for event in events {
            assembler.take(event, now(at));
        }
        assembler.seal(now(at + 100)).unwrap().documents[0].key
    };
    let first = key("ams1", &events, 1);
    assert_eq!(first, key("ams1", &events, 50));
    assert_eq!(
        first,
        crate::document::DocumentKey::of(&Name::new("ams1").unwrap(), &events)
    );
    assert_ne!(first, key("ams2", &events, 1));
    assert_ne!(first, key("ams1", &events[..1], 1));
}

fn pick(order: &str, product: &str, from: Option<&str>) -> Action {
    Action::Move(Move {
        order: Some(order.to_owned()),
        ..Move::new(
            Movement::Pick,
            Goods {
                product: product.to_owned(),
                quantity: 1.into(),
                from: from.map(str::to_owned),
                ..Goods::default()
            },
        )
    })
}

fn bare(seqs: &[Seq]) -> Vec<u64> {
    seqs.iter().copied().map(Seq::get).collect()
}

/// Purpose and events of what is sealed by now, in the order in which it is sent.
fn sealed(assembler: &mut Assembler, second: u64) -> Vec<(Purpose, Vec<u64>)> {
    let sealed = assembler.seal(now(second)).unwrap_or_default();
    let documents = sealed.documents.into_iter();
    documents
        .map(|document| (document.purpose, bare(&document.events)))
        .collect()
}

#[test]
fn what_completes_an_order_is_sent_after_all_that_was_picked_for_it() {
    let order = || "O1".to_owned();
    let mut assembler = assembler(config::Documents::default());
    assembler.take(&event(1, "pda1", pick("O1", "P", None)), now(1));
    assembler.take(&event(2, "pda2", pick("O1", "Q", None)), now(1));
    assembler.take(&event(3, "pda2", pick("O2", "Q", None)), now(1));
    assembler.take(&event(4, "pda1", pick("O1", "Q", None)), now(1));
    let validate = Action::Validate { order: order() };
    assembler.take(&event(5, "pda3", validate), now(1));
    assert_eq!(
        sealed(&mut assembler, 1),
        [
            (Purpose::Pick { order: order() }, vec![1, 4]),
            (Purpose::Pick { order: order() }, vec![2]),
            (Purpose::Validate { order: order() }, vec![5]),
        ]
    );
    assert_eq!(assembler.open_documents(), 1, "the other order goes on");
}

#[test]
fn a_count_is_sent_after_what_was_done_in_its_bin_before() {
    let mut assembler = assembler(config::Documents::default());
    assembler.take(&event(1, "pda1", transfer("P", 1, "B")), now(1));
    assembler.take(&event(2, "pda2", transfer("P", 1, "C")), now(1));
    assembler.take(&event(3, "pda3", pick("O1", "P", None)), now(1));
    assembler.take(&event(4, "pda4", pick("O2", "P", Some("C"))), now(1));
    let count = Action::Move(Move::new(
        Movement::Count,
        Goods {
            product: "P".to_owned(),
            quantity: 7.into(),
            from: Some("B".to_owned()),
            ..Goods::default()
        },
    ));
    assembler.take(&event(5, "pda5", count), now(1));
    let events: Vec<_> = sealed(&mut assembler, 1)
        .into_iter()
        .map(|(_, events)| events)
        .collect();
    // The pick that does not say its bin may have been there; C is another bin, and A is where 2
    // comes from.
    assert_eq!(events, [vec![1], vec![3], vec![5]]);
}

#[test]
fn a_document_that_could_not_be_posted_is_what_its_event_says_now() {
    let recorded = event(7, "pda", pick("O1", "P", Some("A")));
    let mut assembler = assembler(config::Documents::default());
    assembler.take(&recorded, now(1));
    let today = assembler.seal(now(60)).unwrap().documents.remove(0);
    let then = Document {
        purpose: Purpose::Unsupported {
            kind: "pick".to_owned(),
        },
        lines: Vec::new(),
        ..today.clone()
    };
    assert_eq!(revive(&then, &recorded), today);
}

#[test]
fn what_takes_an_event_back_goes_after_the_document_that_has_it() {
    let mut assembler = assembler(config::Documents::default());
    let (first, other) = (
        event(1, "pda", pick("O1", "P", Some("A"))),
        event(2, "pda", transfer("P", 1, "B")),
    );
    assembler.take(&first, now(1));
    assembler.take(&other, now(1));
    let undo = Action::Undo {
        event: first.event.id.clone(),
        reason: None,
    };
    assembler.take_undo(&event(3, "pda", undo.clone()), &first, now(1));
    let [(pick, picked), (back, taken)] = &sealed(&mut assembler, 1)[..] else {
        panic!("the document that has it, and the one that takes it back");
    };
    assert_eq!((picked, taken), (&vec![1], &vec![3]));
    assert_eq!((back.kind(), back.order()), ("undo", Some("O1")));
    let of = Purpose::Undo {
        event: first.event.id.clone(),
        seq: Some(Seq::new(1)),
        of: Some(Box::new(pick.clone())),
        reason: None,
    };
    assert_eq!(back, &of);
    assert_eq!(assembler.open_documents(), 1, "the transfer goes on");
    // An undo of an unknown event gets a document, too: it is for the sending to say so.
    assembler.take(&event(4, "pda", undo), now(1));
    assert_eq!(sealed(&mut assembler, 1)[0].0.order(), None);
}

#[test]
fn events_that_were_done_more_than_two_minutes_apart_are_in_documents_of_their_own() {
    let mut assembler = assembler(config::Documents::default());
    let late = |seq: u64, done: u64| {
        let mut recorded = event(seq, "pda", transfer("P", 1, "B"));
        recorded.event.at = now(done).wall;
        recorded.event.received = now(5_000 + seq).wall;
        recorded
    };
    for (seq, done) in [(1, 1_000), (2, 1_120), (3, 1_121), (4, 4_000), (5, 3_990)] {
        assembler.take(&late(seq, done), now(5_000 + seq));
    }
    let sealed = assembler.seal(now(6_000)).unwrap();
    let documents = sealed.documents.iter();
    let documents: Vec<_> = documents
        .map(|document| (bare(&document.events), document.occurred))
        .collect();
    assert_eq!(
        documents,
        [
            (vec![1, 2], now(1_120).wall),
            (vec![3], now(1_121).wall),
            (vec![4, 5], now(4_000).wall),
        ]
    );
}

#[test]
fn a_document_has_the_true_times_of_events_whose_clock_was_wrong() {
    let mut assembler = assembler(config::Documents::default());
    let mut ahead = event(1, "pda", transfer("P", 1, "B"));
    ahead.event.at = now(7_201).wall;
    assembler.take(&ahead, now(1));
    assembler.take(&event(2, "other", transfer("P", 1, "B")), now(2));
    let sealed = assembler.seal(now(60)).unwrap();
    let times: Vec<_> = sealed.documents.iter().map(|d| d.times.clone()).collect();
    // The event was received before it was done by its device's clock.
    assert_eq!(times, [vec![], vec![]]);
    // A later one of the same device comes late.
    let mut late = event(3, "pda", transfer("P", 1, "B"));
    late.event.at = now(17_000).wall;
    late.event.received = now(17_300).wall;
    assembler.take(&late, now(17_300));
    let sealed = assembler.seal(now(17_400)).unwrap();
    let time = now(9_800).wall;
    let expected = EventTime {
        seq: Seq::new(3),
        time,
        other: Some(late.event.at),
    };
    let document = &sealed.documents[0];
    assert_eq!(
        (&document.times, document.occurred),
        (&vec![expected], time)
    );
    assert_eq!(document.flags, [Flag::TimeCorrected, Flag::ClockInDoubt]);
}

#[test]
fn an_open_document_has_the_times_of_the_clock_that_its_device_shows_before_it_is_sealed() {
    for is_right in [true, false] {
        let mut assembler = assembler(config::Documents::default());
        let scan = Action::Scan {
            code: "X".to_owned(),
            symbology: None,
        };
        let mut ahead = event(1, "pda", scan.clone());
        ahead.event.at = now(7_201).wall;
        assembler.take(&ahead, now(1));
        let mut late = event(2, "pda", transfer("P", 1, "B"));
        late.event.at = now(17_000).wall;
        late.event.received = now(17_300).wall;
        assembler.take(&late, now(17_300));
        let mut shown = event(3, "pda", scan);
        let ahead = if is_right { 0 } else { 7_200 };
        (shown.event.at, shown.event.received) = (now(17_305 + ahead).wall, now(17_306).wall);
        assembler.take(&shown, now(17_306));
        let sealed = assembler.seal(now(17_310)).unwrap();
        let document = &sealed.documents[0];
        let (time, flags) = if is_right {
            (now(17_000).wall, vec![])
        } else {
            (now(9_800).wall, vec![Flag::TimeCorrected.into()])
        };
        assert_eq!((document.occurred, &document.flags), (time, &flags));
        assert_eq!(document.times.len(), usize::from(!is_right));
        let [(device, Some(clock))] = &sealed.clocks[..] else {
            panic!("{:?}", sealed.clocks)
        };
        assert_eq!((device.as_str(), clock.doubted), ("pda", None));
    }
}

#[test]
fn a_document_has_the_flags_of_its_events_once() {
    let mut assembler = assembler(config::Documents::default());
    for seq in 1..=3 {
        let mut moved = event(seq, "pda", transfer("P", 1, "B"));
        if seq > 1 {
            moved.event.flags = vec![EventFlag::PossibleRepeat];
        }
        assembler.take(&moved, now(seq));
    }
    assembler.take(&event(4, "other", transfer("P", 1, "B")), now(4));
    let sealed = assembler.seal(now(60)).unwrap().documents;
    let flags: Vec<_> = sealed.iter().map(|document| &document.flags[..]).collect();
    assert_eq!(flags, [&[Code::from(Flag::PossibleRepeat)][..], &[]]);
    assert_eq!(
        EventFlag::PossibleRepeat.as_str(),
        Flag::PossibleRepeat.as_str()
    );
}
