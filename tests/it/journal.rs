//! The journal by itself: what it keeps, what it says, what it refuses.

mod behind;
mod documents;
mod late;
mod older;
mod periods;
mod rejected;
mod settled;
mod year;

use self::rejected::dismissal;
use crate::floor::{at, name, rejection, scan, transfer};
use std::path::Path;
use stockrelay::config;
use stockrelay::document::{
    Document, DocumentKey, DocumentNumber, Line, OdooRef, Progress, Purpose, State,
};
use stockrelay::event::{Goods, Recorded, RejectedNumber, Seq};
use stockrelay::journal::{
    Accepted, AppendError, Change, EventDocument, Journal, Namespace, OpenError, Outcome,
    WriterHandle,
};
use stockrelay::odoo_id::PickingId;
use stockrelay::reason::RejectionCode;

fn open(dir: &Path) -> (Journal, WriterHandle) {
    Journal::open(dir, &config::Journal::default()).expect("the journal opens")
}

/// Makes the format of a journal that of versions without a log.
pub fn as_format_1(write: &redb::WriteTransaction) {
    let meta: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("meta");
    let mut meta = write.open_table(meta).unwrap();
    meta.insert("format", b"1".as_slice()).unwrap();
    meta.remove("log").unwrap();
    meta.remove("room").unwrap();
    make_old_buckets(write);
}

/// Divides the event ids of segments into 2,048 buckets, as older versions did.
fn make_old_buckets(write: &redb::WriteTransaction) {
    let buckets: redb::TableDefinition<(u32, u16), &[u8]> =
        redb::TableDefinition::new("id_buckets");
    let mut table = write.open_table(buckets).unwrap();
    let mut old = std::collections::BTreeMap::<(u32, u16), Vec<u8>>::new();
    for bucket in redb::ReadableTable::iter(&table).unwrap() {
        let (key, entries) = bucket.unwrap();
        for entry in entries.value().chunks(24) {
            let bucket = u16::from_be_bytes([entry[0], entry[1]]) >> 5;
            let own = old.entry((key.value().0, bucket)).or_default();
            own.extend(entry);
        }
    }
    table.retain(|_, _| false).unwrap();
    for (key, entries) in old {
        table.insert(key, entries.as_slice()).unwrap();
    }
}

/// Makes the format of a journal that of versions without a search index.
pub fn as_format_2(write: &redb::WriteTransaction) {
    let meta: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("meta");
    let mut meta = write.open_table(meta).unwrap();
    meta.insert("format", b"2".as_slice()).unwrap();
    meta.remove("terms_upto").unwrap();
    meta.remove("line_terms_upto").unwrap();
    drop(meta);
    let tables = [
        "search_segments",
        "search_blocks",
        "document_terms",
        "wrong_scans",
    ];
    for name in tables {
        delete_table(write, name);
    }
}

fn delete_table(write: &redb::WriteTransaction, name: &str) {
    let tables: Vec<_> = write.list_tables().unwrap().collect();
    let mut tables = tables.into_iter();
    let table = tables.find(|table| redb::TableHandle::name(table) == name);
    assert!(write.delete_table(table.unwrap()).unwrap());
}

async fn close(journal: Journal, writer: WriterHandle) {
    journal.inbox().close().await.expect("the writer closes");
    writer.join().expect("the writer ended well");
}

/// A document of these events, one line each.
fn document(journal: &Journal, seqs: &[u64]) -> Document {
    let events: Vec<Recorded> = seqs
        .iter()
        .map(|seq| journal.event(Seq::new(*seq)).unwrap().unwrap())
        .collect();
    Document {
        number: DocumentNumber::ZERO,
        key: DocumentKey::of(&name("ams1"), &events),
        purpose: Purpose::Transfer,
        group: "pda".to_owned(),
        lines: seqs
            .iter()
            .map(|seq| Line {
                goods: Goods {
                    product: "4000000000006".to_owned(),
                    from: Some("A".to_owned()),
                    to: Some("B".to_owned()),
                    quantity: 1.into(),
                    ..Goods::default()
                },
                events: vec![Seq::new(*seq)],
            })
            .collect(),
        occurred: at(9),
        sealed: at(10),
        corrects: None,
        times: Vec::new(),
        flags: Vec::new(),
        events: seqs.iter().copied().map(Seq::new).collect(),
    }
}

fn moved(number: u64, expect: State, state: State, second: i64) -> Change {
    Change {
        number: DocumentNumber::new(number),
        expect,
        progress: Progress {
            state,
            attempts: 1,
            reason: None,
            odoo: Some(OdooRef {
                id: PickingId::new(7),
                name: "WH/INT/00007".to_owned(),
            }),
            since: at(second),
            plan: None,
            decision: None,
            flags: Vec::new(),
            undone: Vec::new(),
        },
        by: "forward".to_owned(),
        note: "moved".to_owned(),
    }
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart_and_repeats_name_their_original() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let first = transfer("pda", "1", "P", "A", "B", 1);
    let answers = journal
        .inbox()
        .append(vec![
            Ok(first.clone()),
            Ok(scan("pda", "2", "X", 2)),
            Err(rejection("pda", b"{", 3)),
            Ok(first.clone()),
        ])
        .await
        .unwrap();
    assert_eq!(answers[0], Accepted::Stored { seq: Seq::new(1) });
    assert_eq!(answers[1], Accepted::Stored { seq: Seq::new(2) });
    assert!(matches!(
        &answers[2],
        Accepted::Rejected {
            code: RejectionCode::BadJson,
            ..
        }
    ));
    assert_eq!(
        answers[3],
        Accepted::Duplicate {
            original: Seq::new(1)
        }
    );
    // The same id of another device is another event.
    let other = journal
        .inbox()
        .append(vec![Ok(transfer("pda2", "1", "P", "A", "B", 1))])
        .await
        .unwrap();
    assert_eq!(other, [Accepted::Stored { seq: Seq::new(3) }]);
    close(journal, writer).await;

    let (journal, writer) = open(dir.path());
    assert_eq!(
        journal
            .inbox()
            .append(vec![Ok(first.clone())])
            .await
            .unwrap(),
        [Accepted::Duplicate {
            original: Seq::new(1)
        }]
    );
    assert_eq!(journal.event(Seq::new(1)).unwrap().unwrap().event, first);
    assert_eq!(journal.repeats(Seq::new(1)).unwrap().unwrap().count, 2);
    assert_eq!(
        journal.rejected(RejectedNumber::ZERO, 10).unwrap()[0].payload,
        b"{"
    );
    assert_eq!(journal.events_by_id("1").unwrap().len(), 2);
    assert_eq!(
        journal.event_of("pda", "2").unwrap().unwrap().seq,
        Seq::new(2)
    );
    assert_eq!(
        journal
            .events(Seq::new(1), 10)
            .unwrap()
            .iter()
            .map(|e| e.seq)
            .collect::<Vec<_>>(),
        [2, 3].map(Seq::new)
    );
    let totals = journal.totals();
    assert_eq!(
        (
            totals.stored,
            totals.duplicates,
            totals.rejected,
            totals.open_events()
        ),
        (3, 2, 1, 3)
    );
    close(journal, writer).await;
}

#[tokio::test]
async fn ids_are_known_again_when_they_are_in_segments_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let event = |n: usize| {
        transfer(
            "pda",
            &format!("{:x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            "P",
            "A",
            "B",
            1,
        )
    };
    // Two segments and a part of a third.
    for batch in 0..80 {
        let answers = journal
            .inbox()
            .append((0..1_000).map(|n| Ok(event(batch * 1_000 + n))).collect())
            .await
            .unwrap();
        assert!(answers.iter().all(|a| matches!(a, Accepted::Stored { .. })));
    }
    let again = async |journal: &Journal| {
        for n in [0, 1, 32_767, 32_768, 40_000, 65_536, 79_999] {
            let answers = journal.inbox().append(vec![Ok(event(n))]).await.unwrap();
            assert_eq!(
                answers,
                [Accepted::Duplicate {
                    original: Seq::new(n as u64 + 1)
                }],
                "event {n}"
            );
        }
    };
    again(&journal).await;
    close(journal, writer).await;
    let (journal, writer) = open(dir.path());
    again(&journal).await;
    close(journal, writer).await;
}

#[tokio::test]
async fn only_what_was_posted_and_is_past_its_time_is_pruned_and_its_ids_stay_known() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let inbox = journal.inbox();
    inbox
        .append(
            (1..=4)
                .map(|n| Ok(transfer("pda", &n.to_string(), "P", "A", "B", n)))
                .collect(),
        )
        .await
        .unwrap();
    inbox
        .append(vec![
            Ok(scan("pda", "scan", "X", 5)),
            Err(rejection("pda", b"?", 6)),
        ])
        .await
        .unwrap();
    inbox
        .seal(
            vec![
                document(&journal, &[1]),
                document(&journal, &[2]),
                document(&journal, &[3]),
            ],
            vec![Seq::new(5)],
            Seq::new(5),
        )
        .await
        .unwrap();
    inbox
        .change(vec![
            moved(1, State::Waiting, State::Posted, 20),
            moved(2, State::Waiting, State::Parked, 20),
        ])
        .await
        .unwrap();
    let before = journal.totals();
    let day = 86_400;
    assert_eq!(inbox.prune(at(89 * day)).await.unwrap(), 0);
    // The posted document's event and the scan; not what waits, is parked, or is still open.
    assert_eq!(inbox.prune(at(91 * day)).await.unwrap(), 2);
    let left: Vec<u64> = journal
        .events(Seq::ZERO, 10)
        .unwrap()
        .iter()
        .map(|event| event.seq.get())
        .collect();
    assert_eq!(left, [2, 3, 4]);
    assert_eq!(journal.document(DocumentNumber::new(1)).unwrap(), None);
    assert_eq!(journal.audit(DocumentNumber::new(1)).unwrap(), []);
    // The rejected reading waits for a person, and goes once that one has dismissed it.
    assert_eq!(journal.rejected(RejectedNumber::ZERO, 10).unwrap().len(), 1);
    let settled = inbox.settle(vec![dismissal(1)], None).await.unwrap();
    assert_eq!(settled.readings, [Outcome::Settled(Vec::new())]);
    inbox.prune(at(91 * day)).await.unwrap();
    assert_eq!(journal.rejected(RejectedNumber::ZERO, 10).unwrap(), []);
    let after = journal.totals();
    assert_eq!(
        (after.stored, after.posted, after.rejected),
        (before.stored, before.posted, before.rejected)
    );
    close(journal, writer).await;
    let (journal, writer) = open(dir.path());
    let again = journal
        .inbox()
        .append(vec![Ok(transfer("pda", "1", "P", "A", "B", 1))])
        .await
        .unwrap();
    assert_eq!(
        again,
        [Accepted::Duplicate {
            original: Seq::new(1)
        }]
    );
    close(journal, writer).await;
}

#[tokio::test]
async fn at_its_budget_the_journal_refuses_says_so_and_takes_again_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let small = config::Journal {
        budget_bytes: 4 << 20,
        retention_days: 1,
        ..config::Journal::default()
    };
    let (journal, writer) = Journal::open(dir.path(), &small).unwrap();
    let inbox = journal.inbox();
    let mut sent = 0;
    let full = loop {
        let batch = (0..500)
            .map(|n| {
                Ok(transfer(
                    "pda",
                    &format!("{}", sent + n),
                    &"P".repeat(200),
                    "A",
                    "B",
                    1,
                ))
            })
            .collect();
        match inbox.append(batch).await {
            Ok(_) => sent += 500,
            Err(error) => break error,
        }
        assert!(sent < 100_000, "a budget of 4 MiB holds no {sent} events");
    };
    assert_eq!(full, AppendError::Full);
    assert!(journal.totals().full);
    // Stored documents can still change their state: that makes room.
    let mut documents = Vec::new();
    for first in (1..=sent).step_by(500) {
        documents.push(document(
            &journal,
            &(first..first + 500).collect::<Vec<_>>(),
        ));
    }
    inbox.seal(documents, vec![], Seq::new(sent)).await.unwrap();
    inbox
        .change(
            (1..=sent / 500)
                .map(|n| moved(n, State::Waiting, State::Posted, 20))
                .collect(),
        )
        .await
        .unwrap();
    assert_eq!(
        inbox.append(vec![Ok(scan("pda", "more", "X", 1))]).await,
        Err(AppendError::Full)
    );
    while inbox.prune(at(5 * 86_400)).await.unwrap() > 0 {}
    assert!(matches!(
        inbox
            .append(vec![Ok(scan("pda", "more", "X", 1))])
            .await
            .unwrap()[0],
        Accepted::Stored { .. }
    ));
    assert!(!journal.totals().full);
    close(journal, writer).await;
}

#[tokio::test]
async fn a_second_process_is_told_who_holds_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let error = Journal::open(dir.path(), &config::Journal::default()).unwrap_err();
    let OpenError::InUse { pid, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(*pid, std::process::id().to_string());
    close(journal, writer).await;
}

#[test]
fn a_file_that_is_no_journal_is_named_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("journal.redb"), vec![7; 10_000]).unwrap();
    let error = Journal::open(dir.path(), &config::Journal::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("journal.redb is damaged") && error.contains("`mv "),
        "{error}"
    );
}

#[tokio::test]
async fn values_are_stored_by_namespace() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let keep = |namespace: Namespace, name: &str, value: Option<&[u8]>| {
        (namespace.key(name), value.map(<[u8]>::to_vec))
    };
    journal
        .inbox()
        .store_side_values(vec![
            keep(Namespace::Sessions, "a", Some(b"1")),
            keep(Namespace::Sessions, "b", Some(b"2")),
            keep(Namespace::Retained, "a", Some(b"3")),
            // Not the front door's.
            keep(Namespace::FlowStates, "a", Some(b"4")),
        ])
        .await
        .unwrap();
    journal
        .inbox()
        .store_side_values(vec![keep(Namespace::Sessions, "a", None)])
        .await
        .unwrap();
    close(journal, writer).await;
    let (journal, writer) = open(dir.path());
    assert_eq!(
        journal.read_namespace(Namespace::Sessions).unwrap(),
        [("b".to_owned(), b"2".to_vec())]
    );
    let front_door = journal.read_namespaces(&Namespace::FRONT_DOOR).unwrap();
    let keys: Vec<String> = (front_door.iter())
        .map(|(key, _)| key.to_string())
        .collect();
    assert_eq!(keys, ["session/b", "retained/a"]);
    close(journal, writer).await;
}

#[tokio::test]
async fn an_id_that_comes_again_after_its_time_makes_no_second_document_and_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = config::Journal {
        dedup_days: 1,
        ..config::Journal::default()
    };
    let (journal, writer) = Journal::open(dir.path(), &config).unwrap();
    let inbox = journal.inbox();
    let event = || Ok(transfer("pda", "1", "P", "A", "B", 1));
    inbox
        .append(vec![event(), Ok(scan("pda", "2", "X", 2))])
        .await
        .unwrap();
    inbox
        .seal(
            vec![document(&journal, &[1])],
            vec![Seq::new(2)],
            Seq::new(2),
        )
        .await
        .unwrap();
    inbox
        .change(vec![moved(1, State::Waiting, State::Parked, 20)])
        .await
        .unwrap();
    // The scan is pruned, which puts the ids into a segment; another one makes the first old enough
    // to go.
    inbox.prune(at(91 * 86_400)).await.unwrap();
    inbox
        .append(vec![Ok(scan("pda", "3", "X", 92 * 86_400))])
        .await
        .unwrap();
    inbox
        .seal(vec![], vec![Seq::new(3)], Seq::new(3))
        .await
        .unwrap();
    inbox.prune(at(200 * 86_400)).await.unwrap();
    inbox.prune(at(200 * 86_400)).await.unwrap();
    assert_eq!(
        inbox.append(vec![event()]).await.unwrap(),
        [Accepted::Stored { seq: Seq::new(4) }]
    );
    inbox
        .seal(vec![document(&journal, &[4])], vec![], Seq::new(4))
        .await
        .unwrap();
    assert_eq!(
        journal.document_of(Seq::new(4)).unwrap(),
        EventDocument::NotNeeded
    );
    assert_eq!(
        journal
            .documents(None, DocumentNumber::ZERO, 10)
            .unwrap()
            .len(),
        1
    );
    assert_eq!(journal.totals().open_events(), 0);
    close(journal, writer).await;
}

#[tokio::test]
async fn what_arrives_together_shares_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let before = journal.totals().commits;
    let mut together = tokio::task::JoinSet::new();
    for n in 0..500 {
        let inbox = journal.inbox().clone();
        together.spawn(async move {
            inbox
                .append(vec![Ok(scan("pda", &n.to_string(), "X", 1))])
                .await
                .unwrap()
        });
    }
    assert_eq!(together.join_all().await.len(), 500);
    let commits = journal.totals().commits - before;
    assert!(commits <= 100, "{commits} commits for 500 events at once");
    close(journal, writer).await;
}
