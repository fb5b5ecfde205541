//! Journals of older versions with the format of this one: what they lack is made.

use redb::{Database, TableDefinition};
use stockrelay::document::{Document, DocumentNumber, State};
use stockrelay::event::Seq;
use stockrelay::journal::terms::Needle;
use stockrelay::journal::{EventFilter, WrongScan};

use super::{close, delete_table, document, moved, open};
use crate::floor::{scan, transfer};

#[tokio::test]
async fn a_journal_without_a_list_of_wrong_scans_and_without_line_terms_gets_both() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let events = vec![
        Ok(transfer("pda", "1", "P", "A", "B", 1)),
        Ok(scan("pda", "2", "X", 2)),
    ];
    journal.inbox().append(events).await.unwrap();
    let old = document(&journal, &[1]);
    let inbox = journal.inbox();
    let seal = inbox.seal(vec![old.clone()], vec![Seq::new(2)], Seq::new(2));
    seal.await.unwrap();
    for (before, after) in [
        (State::Waiting, State::Sending),
        (State::Sending, State::Parked),
    ] {
        let change = moved(1, before, after, 10);
        assert_eq!(inbox.change(vec![change]).await.unwrap(), [true]);
    }
    let mut new = Document {
        key: old.key.corrected(),
        ..old
    };
    new.lines[0].goods.product = "NEW".to_owned();
    let replaced = moved(1, State::Parked, State::Replaced, 11);
    let number = inbox.replace(replaced, new).await.unwrap();
    assert_eq!(number, Some(DocumentNumber::new(2)));
    close(journal, writer).await;

    let database = Database::open(dir.path().join("journal.redb")).unwrap();
    let write = database.begin_write().unwrap();
    delete_table(&write, "wrong_scans");
    let mut terms = write
        .open_table(TableDefinition::<(u8, &str, u64), ()>::new(
            "document_terms",
        ))
        .unwrap();
    terms.retain(|(kind, ..), ()| kind < 16).unwrap();
    drop(terms);
    let mut meta = write
        .open_table(TableDefinition::<&str, &[u8]>::new("meta"))
        .unwrap();
    meta.remove("line_terms_upto").unwrap();
    drop(meta);
    write.commit().unwrap();
    drop(database);

    let (journal, writer) = open(dir.path());
    let is_found = |text: &str| {
        let found = journal.find_documents(&Needle::new(text), DocumentNumber::MAX);
        found
            .unwrap()
            .lines
            .iter()
            .any(|(_, found)| Some(*found) == number)
    };
    assert!(!is_found("NEW"));
    while journal.inbox().add_old_terms().await.unwrap() {}
    assert!(is_found("NEW") && is_found("new") && !is_found("P"));
    let wrong = WrongScan {
        seq: Seq::new(2),
        answer: "scan a bin".to_owned(),
    };
    journal
        .inbox()
        .store_of_flow(Vec::new(), vec![wrong])
        .await
        .unwrap();
    let filter = EventFilter {
        is_wrong: true,
        ..EventFilter::default()
    };
    let found = journal.search(filter, Seq::ZERO).unwrap().read_part(9);
    assert_eq!(found.unwrap().len(), 1);
    close(journal, writer).await;
}
