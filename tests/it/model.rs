//! Journal and assembly against plain maps: whatever is done, in whatever order, both say the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rust_decimal::Decimal;
use stockrelay::config;
use stockrelay::document::{DocumentNumber, State};
use stockrelay::event::{Action, Event, Move, Movement, Seq};
use stockrelay::journal::{Accepted, Change, Journal};

use crate::floor::{rejection, scan, transfer};
use crate::moves::{Assembly, adds_up, progress};

#[derive(Debug, Clone)]
enum Act {
    /// Device, id, product, where to.
    Publish(Vec<(u8, u8, u8, u8)>),
    Scan(u8, u8),
    Garbage(u8),
    Wait(u8),
    /// A document, by a share of those there are, goes its way.
    Move(u8, bool),
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let event = (0..3u8, any::<u8>(), 0..4u8, 0..3u8);
    let act = prop_oneof![
        6 => proptest::collection::vec(event, 1..8).prop_map(Act::Publish),
        1 => (0..3u8, any::<u8>()).prop_map(|(device, id)| Act::Scan(device, id)),
        1 => (0..3u8).prop_map(Act::Garbage),
        3 => (1..30u8).prop_map(Act::Wait),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(which, well)| Act::Move(which, well)),
        1 => Just(Act::Restart),
    ];
    proptest::collection::vec(act, 1..40)
}

/// What a person with a sheet of paper would have.
#[derive(Debug, Default)]
struct Model {
    events: Vec<Event>,
    ids: BTreeMap<(String, String), Seq>,
    duplicates: u64,
    rejected: u64,
}

impl Model {
    fn append(&mut self, event: &Event) -> Accepted {
        let key = (event.device.to_string(), event.id.clone());
        if let Some(original) = self.ids.get(&key) {
            self.duplicates += 1;
            return Accepted::Duplicate {
                original: *original,
            };
        }
        self.events.push(event.clone());
        let seq = Seq::new(self.events.len() as u64);
        self.ids.insert(key, seq);
        Accepted::Stored { seq }
    }

    /// What moved, by product, from and to.
    fn moved(&self) -> BTreeMap<(String, String, String), Decimal> {
        let mut moved = BTreeMap::new();
        for event in &self.events {
            if let Action::Move(Move {
                movement: Movement::Transfer,
                goods,
                ..
            }) = &event.action
            {
                let (from, to) = (goods.from.clone().unwrap(), goods.to.clone().unwrap());
                let way = (goods.product.clone(), from, to);
                *moved.entry(way).or_default() += goods.quantity;
            }
        }
        moved
    }
}

fn moved_in_documents(journal: &Journal) -> BTreeMap<(String, String, String), Decimal> {
    let mut moved = BTreeMap::new();
    for entry in journal
        .documents(None, DocumentNumber::ZERO, 100_000)
        .unwrap()
    {
        for line in entry.document.lines {
            let (from, to) = (line.goods.from.unwrap(), line.goods.to.unwrap());
            *moved.entry((line.goods.product, from, to)).or_default() += line.goods.quantity;
        }
    }
    moved
}

async fn append(journal: &Journal, model: &mut Model, events: Vec<Event>) {
    let expected: Vec<_> = events.iter().map(|event| model.append(event)).collect();
    let answers = journal
        .inbox()
        .append(events.into_iter().map(Ok).collect())
        .await
        .unwrap();
    assert_eq!(answers, expected);
}

async fn move_on(journal: &Journal, which: u8, well: bool, second: i64) {
    let documents = journal
        .documents(None, DocumentNumber::ZERO, 100_000)
        .unwrap();
    let Some(entry) = documents.get(usize::from(which) * documents.len() / 256) else {
        return;
    };
    let next = match (entry.progress.state, well) {
        (State::Waiting, _) | (State::Parked, true) => State::Sending,
        (State::Sending, true) => State::Posted,
        (State::Sending, false) => State::Parked,
        (State::Parked, false) => State::Discarded,
        (State::Posted | State::Discarded | State::Replaced, _) => return,
    };
    let change = Change {
        number: entry.document.number,
        expect: entry.progress.state,
        progress: progress(next, second),
        by: "test".to_owned(),
        note: String::new(),
    };
    assert_eq!(journal.inbox().change(vec![change]).await.unwrap(), [true]);
}

async fn run(acts: Vec<Act>) {
    let dir = tempfile::tempdir().unwrap();
    let rules = config::Documents {
        lines_max: 3,
        events_max: 5,
        idle_s: 10,
        age_s: 40,
        ..config::Documents::default()
    };
    let open = || Journal::open(dir.path(), &config::Journal::default()).unwrap();
    let (mut journal, mut writer) = open();
    let mut assembly = Assembly::new(&journal, &rules);
    let mut model = Model::default();
    let mut second = 0;
    for act in acts {
        match act {
            Act::Publish(events) => {
                let events = events.into_iter().map(|(device, id, product, to)| {
                    transfer(
                        &format!("d{device}"),
                        &id.to_string(),
                        &format!("P{product}"),
                        "A",
                        &format!("B{to}"),
                        second,
                    )
                });
                append(&journal, &mut model, events.collect()).await;
            }
            Act::Scan(device, id) => {
                append(
                    &journal,
                    &mut model,
                    vec![scan(&format!("d{device}"), &id.to_string(), "X", second)],
                )
                .await;
            }
            Act::Garbage(device) => {
                model.rejected += 1;
                let answers = journal
                    .inbox()
                    .append(vec![Err(rejection(&format!("d{device}"), b"{", second))])
                    .await
                    .unwrap();
                assert!(matches!(answers[..], [Accepted::Rejected { .. }]));
            }
            Act::Wait(seconds) => {
                second += i64::from(seconds);
                assembly.advance(&journal, second).await;
            }
            Act::Move(which, well) => move_on(&journal, which, well, second).await,
            Act::Restart => {
                journal.inbox().close().await.unwrap();
                drop(journal);
                writer.join().unwrap();
                (journal, writer) = open();
                assembly = Assembly::new(&journal, &rules);
            }
        }
    }
    let totals = journal.totals();
    assert_eq!(
        (totals.stored, totals.duplicates, totals.rejected),
        (model.events.len() as u64, model.duplicates, model.rejected)
    );
    let kept: Vec<Event> = journal
        .events(Seq::ZERO, 100_000)
        .unwrap()
        .into_iter()
        .map(|recorded| recorded.event)
        .collect();
    assert_eq!(kept, model.events);
    adds_up(&journal);
    // In the end everything is sealed, once.
    assembly.advance(&journal, second).await;
    assembly.advance(&journal, second + 1_000).await;
    adds_up(&journal);
    assert_eq!(journal.totals().open_events(), 0);
    assert_eq!(moved_in_documents(&journal), model.moved());
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_the_journal_says_what_plain_maps_say(acts in acts()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(acts));
    }
}
