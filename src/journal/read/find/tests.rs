//! The search against a naive one, which reads all events.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::config;
use crate::event::{Action, Event, Goods, Measures, Move, Movement, Name, Recorded, SourceKind};
use crate::journal::terms::{Kinds, fold};
use crate::journal::{Inbox, IndexPart, SegmentBuilder, WriterHandle};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

#[derive(Debug, Clone)]
struct Texts {
    device: usize,
    id: String,
    operator: Option<String>,
    product: String,
    bins: (String, String),
    lot: Option<String>,
    second: i64,
}

const DEVICES: [&str; 3] = ["pda-1", "PDA-2", "aab"];

fn event(number: usize, texts: &Texts) -> Event {
    let mut moved = Move::new(
        Movement::Transfer,
        Goods {
            product: texts.product.clone(),
            quantity: 1.into(),
            from: Some(texts.bins.0.clone()),
            to: Some(texts.bins.1.clone()),
            lot: texts.lot.clone(),
            ..Goods::default()
        },
    );
    moved.order = (number.is_multiple_of(5)).then(|| format!("WH/OUT/{number}"));
    Event {
        device: Name::new(DEVICES[texts.device]).unwrap(),
        id: format!("{}{number}", texts.id),
        id_derived: false,
        source: SourceKind::Listen,
        at: at(texts.second),
        received: at(1_000),
        measures: Measures::new(),
        operator: texts.operator.clone(),
        flags: Vec::new(),
        action: Action::Move(moved),
    }
}

/// Texts that share beginnings, some with more bytes than the index has.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[aAb1]{1,5}",
        2 => "[aß仓]{1,4}",
        1 => (55_usize..75, "[ab]{0,2}").prop_map(|(length, end)| "ab".repeat(length / 2) + &end),
    ]
}

fn texts() -> impl Strategy<Value = Texts> {
    let goods = (text(), (text(), text()), proptest::option::of(text()));
    let head = (
        0..DEVICES.len(),
        text(),
        proptest::option::of(text()),
        0_i64..100,
    );
    (head, goods).prop_map(
        |((device, id, operator, second), (product, bins, lot))| Texts {
            device,
            id,
            operator,
            product,
            bins,
            lot,
            second,
        },
    )
}

/// The texts of an event, by kind.
fn all_texts(event: &Event) -> Vec<(TermKind, &str)> {
    let Action::Move(moved) = &event.action else {
        unreachable!("only movements")
    };
    let goods = &moved.goods;
    let mut texts = vec![
        (TermKind::Event, event.id.as_str()),
        (TermKind::Device, event.device.as_str()),
        (TermKind::Product, goods.product.as_str()),
    ];
    let optional = [
        (TermKind::Operator, &event.operator),
        (TermKind::Location, &goods.from),
        (TermKind::Location, &goods.to),
        (TermKind::Lot, &goods.lot),
        (TermKind::Order, &moved.order),
    ];
    texts.extend(
        optional
            .iter()
            .filter_map(|(kind, text)| Some((*kind, text.as_deref()?))),
    );
    texts
}

type Names = BTreeMap<(TermKind, String), Seq>;

/// What a search must find: it reads all events.
fn naive(
    events: &[Recorded],
    (text, device): (&str, Option<&str>),
    below: Seq,
    since: Option<Timestamp>,
) -> (BTreeSet<Seq>, Names) {
    let wanted = fold(text);
    let is_prefix = text.chars().count() >= 3;
    let (mut found, mut names) = (BTreeSet::new(), Names::new());
    for Recorded { seq, event } in events {
        if *seq >= below || since.is_some_and(|since| event.at < since) {
            continue;
        }
        for (kind, text) in all_texts(event) {
            let folded = fold(text);
            let is_match = folded == wanted || is_prefix && folded.starts_with(&wanted);
            if let Some(device) = device {
                let is_own = kind == TermKind::Event && fold(event.device.as_str()) == fold(device);
                found.extend((is_match && is_own).then_some(*seq));
            } else if is_match {
                found.insert(*seq);
                if kind.is_name() {
                    names.insert((kind, folded), *seq);
                }
            }
        }
    }
    (found, names)
}

fn searched(mut find: Find<'_>) -> (BTreeSet<Seq>, Names) {
    let wanted = Wanted {
        events: true,
        names: true,
    };
    let (mut events, mut names) = (Vec::new(), Names::new());
    while !find.is_over() {
        let part = find.read_part(wanted).unwrap();
        for name in part.names {
            names.entry((name.kind, name.text)).or_insert(name.newest);
        }
        events.extend(part.events);
    }
    assert!(events.is_sorted_by(|one, other| one > other), "{events:?}");
    (events.into_iter().collect(), names)
}

struct Rig {
    _dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    journal: Journal,
    _writer: WriterHandle,
}

impl Rig {
    fn with(all: &[Texts]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (journal, writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let events = all.iter().enumerate();
        let events = events
            .map(|(number, texts)| Ok(event(number, texts)))
            .collect();
        runtime.block_on(journal.inbox().append(events)).unwrap();
        Self {
            _dir: dir,
            runtime,
            journal,
            _writer: writer,
        }
    }

    fn inbox(&self) -> &Inbox {
        self.journal.inbox()
    }

    fn parts(&self, after: Seq, events_max: usize) -> Vec<IndexPart> {
        let mut segment = SegmentBuilder::new(after, events_max);
        while !self.journal.index_next(&mut segment, 3).unwrap() {
            if segment.last() == self.journal.totals().last_seq {
                break;
            }
        }
        segment.finish()
    }

    /// Makes segments of this size, up to this event.
    fn index(&self, events_max: usize, upto: u64) {
        loop {
            let indexed = self.journal.indexed().unwrap().upto;
            if indexed.get() >= upto {
                break;
            }
            for part in self.parts(indexed, events_max) {
                self.runtime.block_on(self.inbox().index(part)).unwrap();
            }
        }
    }

    fn events(&self) -> Vec<Recorded> {
        self.journal.events(Seq::ZERO, 10_000).unwrap()
    }

    /// Compares the answers for a text.
    fn compare(&self, text: &str, below: Seq, since: Option<Timestamp>) {
        let events = self.events();
        for device in [None, Some("PDA-1")] {
            let needle = Needle::new(text);
            let needle = match device {
                None => needle,
                Some(device) => needle.of(Kinds::only(TermKind::Event)).from_device(device),
            };
            let found = searched(self.journal.find_below(below, vec![needle], since));
            let expected = naive(&events, (text, device), below, since);
            assert_eq!(
                found, expected,
                "{text:?} of {device:?} below {below} since {since:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_index_finds_what_a_search_of_all_events_finds(
        all in proptest::collection::vec(texts(), 1..60),
        needles in proptest::collection::vec(text(), 1..8),
        events_max in 1_usize..20,
        share in 0_u64..=100,
        below in 1_u64..70,
        since in proptest::option::of(0_i64..100),
    ) {
        let rig = Rig::with(&all);
        rig.index(events_max, all.len() as u64 * share / 100);
        let since = since.map(at);
        let of_events = rig.events();
        let own = of_events.iter().flat_map(|recorded| all_texts(&recorded.event)).step_by(7);
        let own: Vec<String> = own.map(|(_, text)| text.to_uppercase()).collect();
        for text in needles.iter().chain(&own) {
            rig.compare(text, Seq::new(below), None);
            rig.compare(text, Seq::MAX, since);
        }
    }
}

fn many(count: usize) -> Vec<Texts> {
    let texts = |number: usize| Texts {
        device: number % 3,
        id: blake3::hash(&number.to_le_bytes()).to_hex()[..20].to_owned(),
        operator: None,
        product: format!("4000000{:04}", number % 50),
        bins: (format!("LOC-{:03}", number % 20), "OUT".to_owned()),
        lot: (number.is_multiple_of(4)).then(|| format!("LOT-{number}")),
        second: i64::try_from(number).unwrap(),
    };
    (0..count).map(texts).collect()
}

#[test]
fn a_segment_of_several_parts_counts_only_with_its_last_part() {
    let rig = Rig::with(&many(6_000));
    let parts = rig.parts(Seq::ZERO, 6_000);
    assert!(parts.len() > 1 && parts[0].is_first && !parts[1].is_first);
    assert!(parts.iter().rev().skip(1).all(|part| part.head.is_none()));
    let put = |part: &IndexPart| {
        let stored = rig.runtime.block_on(rig.inbox().index(part.clone()));
        stored.unwrap();
    };
    parts[..parts.len() - 1].iter().for_each(put);
    assert_eq!(rig.journal.indexed().unwrap().left, 6_000);
    rig.compare("lot-40", Seq::MAX, None);
    // As after a restart: a smaller segment, over the blocks of the unfinished one.
    rig.parts(Seq::ZERO, 4_000).iter().for_each(put);
    let indexed = rig.journal.indexed().unwrap();
    assert_eq!((indexed.upto, indexed.left), (Seq::new(4_000), 2_000));
    for text in ["lot-40", "loc-003", "40000000007", "pda-1", "out", "aab"] {
        rig.compare(text, Seq::MAX, None);
    }
    let bytes: usize = parts
        .iter()
        .flat_map(|part| &part.blocks)
        .map(|block| block.text.len() + block.bytes.len())
        .sum();
    assert!(bytes < 6_000 * 40, "{bytes} bytes for 6,000 events");
    assert!(parts.iter().all(|part| {
        let bytes = part.blocks.iter().map(|block| block.bytes.len());
        bytes.sum::<usize>() <= 64 << 10
    }));
}

#[test]
fn the_segment_of_an_unknown_version_is_not_used_and_can_be_dropped() {
    let rig = Rig::with(&many(100));
    rig.index(40, 80);
    let write = rig.journal.database.begin_write().unwrap();
    let mut heads = write.open_table(tables::SEARCH_SEGMENTS).unwrap();
    drop(heads.insert(80, [9, 9].as_slice()).unwrap());
    drop(heads);
    write.commit().unwrap();
    let indexed = rig.journal.indexed().unwrap();
    assert_eq!((indexed.upto, indexed.has_unknown), (Seq::new(40), true));
    rig.compare("lot-6", Seq::MAX, None);
    let drop_one = || rig.runtime.block_on(rig.inbox().drop_segment(indexed.upto));
    assert_eq!((drop_one(), drop_one()), (Ok(true), Ok(false)));
    assert!(!rig.journal.indexed().unwrap().has_unknown);
    rig.index(40, 80);
    rig.compare("lot-6", Seq::MAX, None);
}

#[test]
fn pruned_events_are_not_found_and_a_segment_goes_with_its_last_event() {
    let rig = Rig::with(&many(120));
    rig.index(40, 120);
    let skipped = (1..=50).chain([90]).map(Seq::new).collect();
    let seal = rig.inbox().seal(Vec::new(), skipped, Seq::new(50));
    rig.runtime.block_on(seal).unwrap();
    let later = at(1_000) + jiff::SignedDuration::from_hours(24 * 400);
    let pruned = rig.runtime.block_on(rig.inbox().prune(later)).unwrap();
    assert_eq!(pruned, 51);
    let read = rig.journal.read().unwrap();
    let heads = read.open_table(tables::SEARCH_SEGMENTS).unwrap();
    let heads: Vec<_> = heads
        .iter()
        .unwrap()
        .map(|entry| {
            let (segment, head) = entry.unwrap();
            let head = stored::segment_head_out(head.value()).unwrap();
            (segment.value(), head.is_pruned)
        })
        .collect();
    assert_eq!(heads, [(80, true), (120, true)]);
    let blocks = read.open_table(tables::SEARCH_BLOCKS).unwrap();
    let (first, _) = blocks.first().unwrap().unwrap();
    assert_eq!(first.value().0, 80);
    drop(read);
    for text in ["lot-4", "loc-003", "40000000007", "pda-1", "lot-88"] {
        rig.compare(text, Seq::MAX, None);
    }
    assert_eq!(rig.journal.indexed().unwrap().left, 0);
}
