//! The power goes at every moment it can: at each sync, with what was written since the last one
//! lost, kept, or kept in part.
//!
//! The journal runs on storage that logs each write and sync of its two files, the tables and the
//! log. A sync of one file says nothing about the other. Each moment is then opened again, as after
//! a power cut. **Invariants 1, 3, 4 and 5:** every event that was acknowledged by then
//! exists under its number; no sealed document differs; the numbers add up; the journal keeps
//! working.

mod again;
mod contents;
mod disk;
mod faults;
mod gateway;
mod histories;

use std::collections::BTreeMap;

use stockrelay::config;
use stockrelay::document::{Document, DocumentNumber, Progress, State};
use stockrelay::event::{Event, Seq};
use stockrelay::journal::{Accepted, Change, Journal};

use self::disk::Files;
pub use self::disk::{Cut, LoggedDisk, cuts};
use crate::floor::{scan, transfer};
use crate::moves::{Assembly, Random, adds_up, progress};
use crate::turn::turn;

/// The answers that the workload received, and after how many syncs.
#[derive(Debug, Default)]
struct Told {
    events: Vec<(usize, Seq, Event)>,
    documents: Vec<(usize, Document)>,
    progress: Vec<(usize, DocumentNumber, Progress)>,
    /// All syncs before the end.
    all: usize,
}

fn rules() -> config::Documents {
    config::Documents {
        lines_max: 3,
        events_max: 6,
        idle_s: 5,
        age_s: 20,
        ..config::Documents::default()
    }
}

/// How much is done.
struct Load {
    seconds: i64,
    /// Events that come before, one in each group.
    before: usize,
    /// Events that one request stores in the middle.
    at_once: usize,
}

/// Stores events of devices that the rest of the work does not know.
async fn store(journal: &Journal, disk: &LoggedDisk, told: &mut Told, events: Vec<Event>) {
    let batch = events.iter().cloned().map(Ok).collect();
    let answers = journal.inbox().append(batch).await.unwrap();
    for (event, answer) in events.into_iter().zip(answers) {
        let Accepted::Stored { seq } = answer else {
            panic!("{answer:?}")
        };
        told.events.push((disk.syncs(), seq, event));
    }
}

/// Devices publish (and repeat themselves), documents are sealed and go their way.
async fn work(disk: &LoggedDisk, load: &Load) -> Told {
    let (journal, writer) = disk.open();
    let mut assembly = Assembly::new(&journal, &rules());
    let mut random = Random(7);
    let mut told = Told::default();
    let mut sealed = DocumentNumber::ZERO;
    for n in 0..load.before {
        let event = scan("before", &n.to_string(), "X", 0);
        store(&journal, disk, &mut told, vec![event]).await;
    }
    for second in 0..load.seconds {
        if second == load.seconds / 2 {
            let product = "P".repeat(900);
            let event = |n: usize| transfer("bulk", &n.to_string(), &product, "A", "B", second);
            let events = (0..load.at_once).map(event).collect();
            store(&journal, disk, &mut told, events).await;
        }
        let batch: Vec<Event> = (0..=random.below(4))
            .map(|_| {
                let (device, id) = (
                    format!("pda{}", random.below(3)),
                    random.below(200).to_string(),
                );
                match random.below(8) {
                    0 => scan(&device, &id, "X", second),
                    product => transfer(&device, &id, &format!("P{product}"), "A", "B", second),
                }
            })
            .collect();
        let answers = journal
            .inbox()
            .append(batch.iter().cloned().map(Ok).collect())
            .await
            .unwrap();
        for (event, answer) in batch.into_iter().zip(answers) {
            if let Accepted::Stored { seq } = answer {
                told.events.push((disk.syncs(), seq, event));
            }
        }
        assembly.advance(&journal, second).await;
        for entry in journal.documents(None, sealed, 100).unwrap() {
            sealed = entry.document.number;
            told.progress.push((disk.syncs(), sealed, entry.progress));
            told.documents.push((disk.syncs(), entry.document));
        }
        if sealed > DocumentNumber::ZERO {
            let number = DocumentNumber::new(1 + random.below(sealed.get()));
            let before = journal.document(number).unwrap().unwrap().progress.state;
            let next = progress(
                if before == State::Waiting {
                    State::Sending
                } else {
                    State::Posted
                },
                second,
            );
            let change = Change {
                number,
                expect: before,
                progress: next.clone(),
                by: "forward".to_owned(),
                note: String::new(),
            };
            assert_eq!(journal.inbox().change(vec![change]).await.unwrap(), [true]);
            told.progress.push((disk.syncs(), number, next));
        }
    }
    adds_up(&journal);
    told.all = disk.syncs();
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
    told
}

/// Opens the disk as it was after this number of syncs, and looks for every answer that the
/// workload had received by then.
async fn look(files: Files, syncs: usize, told: &Told, what: &str) {
    let disk = LoggedDisk::holding(files);
    let (journal, writer) = disk
        .open_with(&config::Journal::default())
        .unwrap_or_else(|error| panic!("after sync {syncs}, {what}: {error}"));
    adds_up(&journal);
    let mut again = Vec::new();
    for (_, seq, event) in told.events.iter().filter(|(at, ..)| *at <= syncs) {
        let found = journal.event(*seq).unwrap();
        assert_eq!(
            found.map(|found| found.event).as_ref(),
            Some(event),
            "after sync {syncs}, {what}: event {seq} is missing"
        );
        again.push((*seq, event.clone()));
    }
    let documents: BTreeMap<DocumentNumber, &Document> = told
        .documents
        .iter()
        .map(|(_, document)| (document.number, document))
        .collect();
    let found = journal
        .documents(None, DocumentNumber::ZERO, 100_000)
        .unwrap();
    for entry in &found {
        let number = entry.document.number;
        // Perhaps not yet confirmed, but never different from what is confirmed in the end.
        if let Some(document) = documents.get(&number) {
            assert_eq!(
                entry.document, **document,
                "after sync {syncs}, {what}: document {number} changed after its seal"
            );
        }
        let steps = || told.progress.iter().filter(|(_, of, _)| *of == number);
        let last_told = steps()
            .rfind(|(at, ..)| *at <= syncs)
            .map(|(_, _, progress)| progress);
        let first_after = steps()
            .find(|(at, ..)| *at > syncs)
            .map(|(_, _, progress)| progress);
        let is = Some(&entry.progress);
        assert!(
            is == last_told || is == first_after,
            "after sync {syncs}, {what}: document {number} is {is:?}, not {last_told:?}"
        );
    }
    let there = |document: &Document| {
        found
            .iter()
            .any(|entry| entry.document.number == document.number)
    };
    // A seal alone waits for the next group: until a document changes, it may be sealed again.
    let is_changed = |document: &Document| {
        let mut steps = told.progress.iter();
        steps.any(|(at, of, progress)| {
            *at <= syncs && *of == document.number && progress.state != State::Waiting
        })
    };
    for (_, document) in &told.documents {
        assert!(
            there(document) || !is_changed(document),
            "after sync {syncs}, {what}: document {} is missing",
            document.number
        );
    }

    let repeated = journal
        .inbox()
        .append(again.iter().map(|(_, event)| Ok(event.clone())).collect())
        .await
        .unwrap();
    let expected: Vec<_> = again
        .iter()
        .map(|(seq, _)| Accepted::Duplicate { original: *seq })
        .collect();
    assert_eq!(repeated, expected, "after sync {syncs}, {what}");
    // What was not sealed, or whose seal is lost, is sealed now.
    let mut assembly = Assembly::new(&journal, &rules());
    assembly.advance(&journal, 1_000).await;
    assembly.advance(&journal, 1_100).await;
    adds_up(&journal);
    assert_eq!(
        journal.totals().open_events(),
        0,
        "after sync {syncs}, {what}"
    );
    let fresh = journal
        .inbox()
        .append(vec![Ok(scan("new", "new", "X", 99))])
        .await
        .unwrap();
    let highest = again.iter().map(|(seq, _)| *seq).max().unwrap_or_default();
    assert!(
        matches!(fresh[0], Accepted::Stored { seq } if seq > highest),
        "after sync {syncs}, {what}: {fresh:?}"
    );
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
}

/// Does the work, and looks at every cut from the event with this index on. Returns the counts of
/// syncs, and of syncs of the tables.
async fn cut_everywhere(load: &Load, from: usize) -> (usize, usize) {
    let disk = LoggedDisk::default();
    let told = work(&disk, load).await;
    assert!(
        told.events.len() > from + 20 && told.documents.len() > 5 && told.progress.len() > 10,
        "the workload does too little"
    );
    let of_tables = disk.syncs_of_tables(told.events[from].0..told.all);
    let mut syncs = 0;
    for cut in cuts(&disk, told.events[from].0) {
        syncs = cut.syncs;
        look(cut.files, cut.syncs, &told, cut.what).await;
    }
    (syncs, of_tables)
}

#[tokio::test]
async fn at_every_sync_nothing_that_was_acknowledged_is_missing_and_no_sealed_document_has_changed()
{
    let _turn = turn().await;
    let load = Load {
        seconds: 60,
        before: 0,
        at_once: 0,
    };
    let (syncs, of_tables) = cut_everywhere(&load, 0).await;
    assert!(syncs > 120, "{syncs} syncs");
    // One when the file of the tables grows.
    assert!(of_tables < 2, "the tables became durable before the end");
}

#[tokio::test]
async fn nothing_is_lost_at_any_sync_while_the_tables_take_the_log_over() {
    let _turn = turn().await;
    let load = Load {
        seconds: 14,
        before: 240,
        at_once: 0,
    };
    let (_, of_tables) = cut_everywhere(&load, load.before - 2).await;
    assert!(of_tables >= 2, "the log was never full");
}

#[tokio::test]
async fn nothing_is_lost_at_any_sync_around_a_group_that_is_too_long_for_the_log() {
    let _turn = turn().await;
    let load = Load {
        seconds: 6,
        before: 3,
        at_once: 1_200,
    };
    let (_, of_tables) = cut_everywhere(&load, 0).await;
    assert!(of_tables >= 2, "the long group went into the log");
}
