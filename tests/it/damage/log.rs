//! A log that is damaged, missing, or of another journal.

use std::fs::{self, OpenOptions};
use std::path::Path;

use stockrelay::config;
use stockrelay::journal::{Journal, Verified, verify};

use super::{PAGE_BYTES, Seeded, all};
use crate::floor::transfer;

/// Stores events one by one, and stops as after a power cut, with all in the log. Returns the log
/// and the number of its groups.
async fn logged(dir: &Path) -> (Vec<u8>, usize) {
    logged_groups(dir, 40).await
}

async fn logged_groups(dir: &Path, groups: i64) -> (Vec<u8>, usize) {
    let (journal, writer) = Journal::open(dir, &config::Journal::default()).unwrap();
    // The first group after a clean end goes to the tables.
    for number in 0..=groups {
        let event = transfer(
            "pda",
            &number.to_string(),
            "4000000000006",
            "A",
            "B",
            number,
        );
        journal.inbox().append(vec![Ok(event)]).await.unwrap();
    }
    let log = fs::read(dir.join("journal.log")).unwrap();
    let tables = fs::read(dir.join("journal.redb")).unwrap();
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
    fs::write(dir.join("journal.log"), &log).unwrap();
    fs::write(dir.join("journal.redb"), tables).unwrap();
    (log, usize::try_from(groups).unwrap())
}

/// How many events the journal has; the text of the error, if it does not open.
async fn events_or_error(dir: &Path) -> Result<usize, String> {
    let opened = Journal::open(dir, &config::Journal::default());
    let (journal, writer) = opened.map_err(|error| error.to_string())?;
    let events = all(&journal).len();
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
    Ok(events)
}

#[tokio::test]
async fn a_damaged_log_is_told_unless_the_damage_is_like_the_end_of_a_write() {
    let dir = tempfile::tempdir().unwrap();
    let (log, groups) = logged(dir.path()).await;
    let tables = fs::read(dir.path().join("journal.redb")).unwrap();
    let page = usize::try_from(PAGE_BYTES).unwrap();
    let (mut told, mut last) = (0, 0);
    for seed in 0..100 {
        let mut seeded = Seeded(seed + 1);
        let mut damaged = log.clone();
        let group = usize::try_from(seeded.next(groups as u64)).unwrap();
        // A group fills only the first part of its block.
        let at = group * page + usize::try_from(seeded.next(120)).unwrap();
        match seeded.next(3) {
            0 => damaged[at] ^= 1 << seeded.next(8),
            1 => damaged[group * page..(group + 1) * page].fill(0),
            _ => damaged[group * page..(group + 1) * page].fill(0x5A),
        }
        fs::write(dir.path().join("journal.redb"), &tables).unwrap();
        fs::write(dir.path().join("journal.log"), &damaged).unwrap();
        let verified = verify(dir.path()).unwrap();
        match events_or_error(dir.path()).await {
            Err(error) => {
                told += 1;
                assert!(matches!(verified, Verified::Damaged(_)), "seed {seed}");
                assert!(error.contains("its log lacks"), "seed {seed}: {error}");
            }
            Ok(events) => {
                // Nothing tells a damaged last group from one that was never written in full.
                assert_eq!((group, events), (groups - 1, groups), "seed {seed}");
                last += 1;
            }
        }
    }
    assert!(told > 80 && last > 0, "{told} and {last}");
}

#[tokio::test]
async fn a_file_whose_creation_was_cut_off_is_created_again() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(events_or_error(dir.path()).await, Ok(0));
    let path = dir.path().join("journal.redb");
    let created = fs::read(&path).unwrap();
    let mut unfinished = vec![0; 100 << 10];
    // redb writes its first bytes last.
    unfinished[9..320].copy_from_slice(&created[9..320]);
    fs::write(&path, &unfinished).unwrap();
    assert!(matches!(
        verify(dir.path()).unwrap(),
        Verified::Sound { .. }
    ));
    assert_eq!(events_or_error(dir.path()).await, Ok(0));
    // A page that is not zero was written by a journal that was there.
    let mut damaged = created;
    damaged[..9].fill(0);
    fs::write(&path, &damaged).unwrap();
    assert!(matches!(verify(dir.path()).unwrap(), Verified::Damaged(_)));
    assert!(
        events_or_error(dir.path())
            .await
            .unwrap_err()
            .contains("is damaged")
    );
}

#[tokio::test]
async fn a_log_that_is_missing_or_cut_is_told_with_the_way_to_start_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let (log, groups) = logged(dir.path()).await;
    let tables = fs::read(dir.path().join("journal.redb")).unwrap();
    for left in [None, Some(0), Some(PAGE_BYTES)] {
        fs::write(dir.path().join("journal.redb"), &tables).unwrap();
        let path = dir.path().join("journal.log");
        match left {
            None => fs::remove_file(&path).unwrap(),
            Some(bytes) => fs::write(&path, &log[..usize::try_from(bytes).unwrap()]).unwrap(),
        }
        let checked = verify(dir.path()).unwrap();
        assert!(matches!(checked, Verified::Damaged(_)), "{left:?}");
        let error = events_or_error(dir.path()).await.unwrap_err();
        let (_, command) = error.split_once("run `truncate -s ").unwrap();
        let (bytes, _) = command.split_once('`').unwrap();
        let log = OpenOptions::new().write(true).open(&path).unwrap();
        log.set_len(bytes.parse().unwrap()).unwrap();
        let kept = left.map_or(0, |bytes| usize::try_from(bytes / PAGE_BYTES).unwrap());
        // The first event is in the tables.
        assert_eq!(events_or_error(dir.path()).await, Ok(1 + kept), "{left:?}");
    }
    // After a clean end the tables have everything.
    fs::write(dir.path().join("journal.redb"), &tables).unwrap();
    fs::write(dir.path().join("journal.log"), &log).unwrap();
    assert_eq!(events_or_error(dir.path()).await, Ok(groups + 1));
    fs::remove_file(dir.path().join("journal.log")).unwrap();
    assert_eq!(events_or_error(dir.path()).await, Ok(groups + 1));
}

#[tokio::test]
async fn the_log_of_another_journal_is_kept_beside_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = logged(dir.path()).await;
    fs::remove_file(dir.path().join("journal.redb")).unwrap();
    assert_eq!(events_or_error(dir.path()).await, Ok(0));
    let kept = fs::read(dir.path().join("journal.log.other")).unwrap();
    assert_eq!(kept, log);
}

#[tokio::test]
async fn the_log_of_later_tables_is_kept_beside_when_a_closed_copy_of_the_tables_is_put_back() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(events_or_error(dir.path()).await, Ok(0));
    let copy = fs::read(dir.path().join("journal.redb")).unwrap();
    let (log, _) = logged(dir.path()).await;
    fs::write(dir.path().join("journal.redb"), copy).unwrap();
    // These groups have the numbers and the places of the later ones.
    let (_, groups) = logged_groups(dir.path(), 3).await;
    assert_eq!(events_or_error(dir.path()).await, Ok(groups + 1));
    let kept = fs::read(dir.path().join("journal.log.other")).unwrap();
    assert_eq!(kept, log);
}

#[tokio::test]
async fn tables_that_are_older_than_their_log_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let old = logged(dir.path()).await.0;
    let tables = fs::read(dir.path().join("journal.redb")).unwrap();
    assert!(events_or_error(dir.path()).await.is_ok());
    let (journal, writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
    for number in 100..105 {
        let event = transfer(
            "pda",
            &number.to_string(),
            "4000000000006",
            "A",
            "B",
            number,
        );
        journal.inbox().append(vec![Ok(event)]).await.unwrap();
    }
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
    assert_ne!(fs::read(dir.path().join("journal.log")).unwrap(), old);
    fs::write(dir.path().join("journal.redb"), &tables).unwrap();
    let error = events_or_error(dir.path()).await.unwrap_err();
    assert!(error.contains("not from the same time"), "{error}");
}
