//! Power cuts while a journal starts: while it repeats the log, converts a journal of an older
//! format, or creates its files. And while the ids of events go to a segment.

use std::path::Path;

use stockrelay::event::Seq;
use stockrelay::journal::{Accepted, FILE, Journal, WriterHandle};

use super::contents::Contents;
use super::disk::{Files, LoggedDisk, cuts};
use super::gateway::config;
use super::{Load, look, work};
use crate::floor::{at, scan, transfer};
use crate::journal::{as_format_1, as_format_2};
use crate::turn::turn;

/// Of the moments at which the power goes first, one of so many is tried.
const EVERY: usize = 9;

/// What the disk may hold when the power goes while the journal is opened, and when it goes then.
fn cut_in_start(files: Files) -> Vec<(Files, &'static str)> {
    let disk = LoggedDisk::holding(files);
    let (journal, writer) = disk.open_with(&config()).unwrap();
    let cuts = cuts(&disk, 0).map(|cut| (cut.files, cut.what)).collect();
    drop(journal);
    writer.join().unwrap();
    cuts
}

#[tokio::test]
async fn nothing_is_lost_when_the_power_goes_again_while_the_log_is_repeated() {
    let load = Load {
        seconds: 8,
        before: 0,
        at_once: 0,
    };
    let disk = LoggedDisk::default();
    let told = work(&disk, &load).await;
    let mut tried = 0;
    for first in cuts(&disk, told.events[0].0).step_by(EVERY) {
        for (files, what) in cut_in_start(first.files) {
            tried += 1;
            let what = format!("{}, then {what}", first.what);
            look(files, first.syncs, &told, &what).await;
        }
    }
    assert!(tried > 30, "{tried} pairs of cuts");
}

/// Whether the journal holds this, and knows these ids.
async fn holds(files: Files, contents: &Contents, ids: &[(&str, Seq)], what: &str) {
    let opened = LoggedDisk::holding(files).open_with(&config());
    let (journal, writer) = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(Contents::of(&journal) == *contents, "{what}");
    knows(&journal, ids, what).await;
    close(journal, writer).await;
}

async fn knows(journal: &Journal, ids: &[(&str, Seq)], what: &str) {
    for (id, seq) in ids {
        let event = transfer("pda", id, "P", "A", "B", 1);
        let answers = journal.inbox().append(vec![Ok(event)]).await.unwrap();
        let expected = Accepted::Duplicate { original: *seq };
        assert_eq!(answers, [expected], "{what}: id {id}");
    }
}

async fn close(journal: Journal, writer: WriterHandle) {
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
}

/// A journal of an older format with a segment of ids.
async fn of_format(make_old: fn(&redb::WriteTransaction)) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = Journal::open(dir.path(), &config()).unwrap();
    let inbox = journal.inbox();
    let events = [
        transfer("pda", "1", "P", "A", "B", 1),
        scan("pda", "2", "X", 2),
    ];
    inbox.append(events.map(Ok).to_vec()).await.unwrap();
    let settled = inbox.seal(Vec::new(), vec![Seq::new(2)], Seq::new(2));
    settled.await.unwrap();
    // Pruning the scan puts the ids into a segment.
    assert_eq!(inbox.prune(at(91 * 86_400)).await, Ok(1));
    close(journal, writer).await;
    let path = dir.path().join(FILE);
    let database = redb::Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    make_old(&write);
    write.commit().unwrap();
    drop(database);
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn a_journal_of_an_older_format_is_converted_once_whenever_the_power_goes() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/0.1.0.redb");
    let shipped = std::fs::read(shipped).unwrap();
    let ids = [("1", Seq::new(1)), ("2", Seq::new(2))];
    let journals = [
        (shipped, &[][..]),
        (of_format(as_format_1).await, &ids),
        (of_format(as_format_2).await, &ids),
    ];
    for (tables, ids) in journals {
        let disk = LoggedDisk::holding([tables.clone(), Vec::new()]);
        let (journal, writer) = disk.open_with(&config()).unwrap();
        let contents = Contents::of(&journal);
        close(journal, writer).await;
        let mut tried = 0;
        for (place, (files, what)) in cut_in_start([tables, Vec::new()]).into_iter().enumerate() {
            if place % 3 == 0 {
                for (files, then) in cut_in_start(files.clone()) {
                    holds(files, &contents, ids, &format!("{what}, then {then}")).await;
                }
            }
            holds(files, &contents, ids, what).await;
            tried += 1;
        }
        assert!(tried >= 8, "{tried} cuts");
    }
}

#[tokio::test]
async fn no_id_is_forgotten_whenever_the_power_goes_while_ids_go_to_a_segment() {
    const BATCH: usize = 1_024;
    let _turn = turn().await;
    let disk = LoggedDisk::default();
    let (journal, writer) = disk.open_with(&config()).unwrap();
    let batch = async |number: usize| {
        let ids = number * BATCH..(number + 1) * BATCH;
        let events = ids.map(|id| Ok(scan("pda", &id.to_string(), "X", 1)));
        journal.inbox().append(events.collect()).await.unwrap();
    };
    // The next batch fills the ids in memory.
    for number in 0..31 {
        batch(number).await;
    }
    let before = disk.syncs();
    batch(31).await;
    batch(32).await;
    let after = disk.syncs();
    let cuts: Vec<_> = cuts(&disk, before).collect();
    close(journal, writer).await;
    assert!(after > before + 2, "nothing was written to the tables");
    for cut in cuts {
        let what = format!("after sync {}, {}", cut.syncs, cut.what);
        let opened = LoggedDisk::holding(cut.files).open_with(&config());
        let (journal, writer) = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
        let batches = if cut.syncs == after { 33 } else { 31 };
        let first = |batch: usize| batch * BATCH;
        for number in [0, 17, first(31) - 1, first(batches) - 1] {
            let id = number.to_string();
            let seq = Seq::new(number as u64 + 1);
            knows(&journal, &[(&id, seq)], &what).await;
        }
        close(journal, writer).await;
    }
}
