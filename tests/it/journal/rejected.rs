//! Rejected readings in the journal: open until a person settles them, and bounded.

use stockrelay::config;
use stockrelay::event::{Event, RejectedNumber, Rejection, Seq};
use stockrelay::journal::{Accepted, AuditRecord, Journal, Outcome, Settlement};

use super::{as_format_1, close, open};
use crate::floor::{at, rejection, transfer};
use stockrelay::reason::RejectionCode;

pub(super) fn dismissal(number: u64) -> Settlement {
    Settlement {
        number: RejectedNumber::new(number),
        record: AuditRecord {
            at: at(0),
            state: "dismissed".to_owned(),
            by: "user:anna".to_owned(),
            note: "a test".to_owned(),
        },
        events: Vec::new(),
    }
}

#[tokio::test]
async fn a_rejected_reading_is_settled_once_and_what_is_sent_again_is_in_the_same_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let batch = vec![
        Err(rejection("pda", b"{", 1)),
        Err(rejection("pda", b"[", 2)),
    ];
    journal.inbox().append(batch).await.unwrap();
    assert_eq!(journal.totals().rejected_open, 2);
    close(journal, writer).await;

    let (journal, writer) = open(dir.path());
    assert_eq!(journal.totals().rejected_open, 2);
    let again = Settlement {
        events: vec![transfer("pda", "1", "P", "A", "B", 1)],
        ..dismissal(2)
    };
    let settled = journal.inbox().settle(vec![again.clone()], None).await;
    let stored = Outcome::Settled(vec![Accepted::Stored { seq: Seq::new(1) }]);
    assert_eq!(settled.unwrap().readings, [stored]);
    let settled = journal.inbox().settle(vec![again], None).await.unwrap();
    assert_eq!(settled.readings, [Outcome::NotOpen], "two people at once");
    assert_eq!(
        (journal.totals().rejected_open, journal.totals().stored),
        (1, 1)
    );
    let open_ones = journal.rejected_open(RejectedNumber::ZERO, 10).unwrap();
    assert_eq!((open_ones.len(), open_ones[0].number.get()), (1, 1));
    let all = journal.rejected(RejectedNumber::ZERO, 10).unwrap();
    assert_eq!(all[0].settled, None);
    let record = AuditRecord {
        note: "a test: event 1".to_owned(),
        ..dismissal(2).record
    };
    assert_eq!(all[1].settled, Some(record));
    close(journal, writer).await;
    let (journal, writer) = open(dir.path());
    assert_eq!(journal.totals().rejected_open, 1);
    close(journal, writer).await;
}

#[tokio::test]
async fn a_reading_in_which_nothing_was_scanned_waits_for_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let nothing = [RejectionCode::NoRead, RejectionCode::NotAScan].map(|code| {
        Err(Rejection {
            code,
            ..rejection("pda", b"NR", 1)
        })
    });
    journal.inbox().append(nothing.to_vec()).await.unwrap();
    let totals = journal.totals();
    assert_eq!((totals.rejected, totals.rejected_open), (2, 0));
    let settled = journal.inbox().settle(vec![dismissal(1)], None).await;
    assert_eq!(settled.unwrap().readings, [Outcome::NotOpen]);
    close(journal, writer).await;
}

#[tokio::test]
async fn rejected_readings_of_an_older_versions_journal_are_open() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let batch = vec![Err(rejection("pda", b"{", 1))];
    journal.inbox().append(batch).await.unwrap();
    close(journal, writer).await;
    {
        // As an older version left it.
        let database = redb::Database::create(dir.path().join("journal.redb")).unwrap();
        let write = database.begin_write().unwrap();
        let open = redb::TableDefinition::<u64, ()>::new("rejected_open");
        let audit = redb::TableDefinition::<u64, &[u8]>::new("rejected_audit");
        assert!(write.delete_table(open).unwrap() && write.delete_table(audit).unwrap());
        as_format_1(&write);
        write.commit().unwrap();
    }
    let (journal, writer) = open(dir.path());
    assert_eq!(journal.totals().rejected_open, 1);
    assert_eq!(
        journal.rejected_open(RejectedNumber::ZERO, 10).unwrap()[0].payload,
        b"{"
    );
    close(journal, writer).await;
}

#[tokio::test]
async fn rejected_readings_take_their_share_of_the_budget_and_the_oldest_go_first() {
    let dir = tempfile::tempdir().unwrap();
    let small = config::Journal {
        budget_bytes: 16 << 20,
        ..config::Journal::default()
    };
    let (mut journal, mut writer) = Journal::open(dir.path(), &small).unwrap();
    let nonsense = vec![b'x'; 4_096];
    for round in 0..10 {
        let batch = (0..500).map(|n| Err(rejection("pda", &nonsense, round * 500 + n)));
        let taken = journal.inbox().append(batch.collect()).await;
        assert!(taken.is_ok(), "{taken:?} in round {round}");
        // What they take is known again after a restart.
        close(journal, writer).await;
        (journal, writer) = Journal::open(dir.path(), &small).unwrap();
    }
    assert_eq!(journal.totals().rejected, 5_000);
    let kept = journal.rejected(RejectedNumber::ZERO, 10_000).unwrap();
    let bytes: usize = kept.iter().map(|kept| kept.payload.len()).sum();
    assert!((700_000..=(16 << 20) / 20).contains(&bytes), "{bytes}");
    let numbers: Vec<_> = kept.iter().map(|kept| kept.number.get()).collect();
    let newest = 5_001 - numbers.len() as u64..=5_000;
    assert_eq!(numbers, newest.collect::<Vec<_>>());
    // Those that were removed for room are open all the same, until a person dismisses them.
    assert_eq!(journal.totals().rejected_open, 5_000);
    let all = numbers.iter().copied().map(dismissal).collect();
    let totals = journal.totals();
    let dropped = 5_000 - numbers.len() as u64;
    assert_eq!(
        (totals.rejected_dropped, totals.rejected_dropped_upto.get()),
        (dropped, dropped)
    );
    // Who has not seen the newest of the removed ones does not dismiss them.
    let record = |upto| Some((dismissal(0).record, RejectedNumber::new(upto)));
    let unseen = journal
        .inbox()
        .settle(Vec::new(), record(dropped - 1))
        .await;
    assert_eq!(unseen.unwrap().dropped, 0);
    let settled = journal.inbox().settle(all, record(dropped)).await.unwrap();
    assert_eq!(settled.dropped, 5_000 - numbers.len() as u64);
    assert_eq!(journal.totals().rejected_open, 0);
    close(journal, writer).await;
    (journal, writer) = Journal::open(dir.path(), &small).unwrap();
    assert_eq!(journal.totals().rejected_open, 0);
    // Those that are past their time make room in the share.
    journal.inbox().prune(at(200 * 86_400)).await.unwrap();
    assert!(
        journal
            .rejected(RejectedNumber::ZERO, 10)
            .unwrap()
            .is_empty()
    );
    let again = (0..100).map(|n| Err(rejection("pda", &nonsense, 200 * 86_400 + n)));
    journal.inbox().append(again.collect()).await.unwrap();
    assert_eq!(
        journal.rejected(RejectedNumber::ZERO, 1_000).unwrap().len(),
        100
    );
    close(journal, writer).await;
}

pub(super) fn with_id(device: &str, id: &str, seconds: i64) -> Rejection {
    Rejection {
        id: Some(id.to_owned()),
        ..rejection(device, b"{\"id\":", seconds)
    }
}

#[tokio::test]
async fn a_device_that_sends_the_event_again_settles_its_rejected_reading() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let batch = vec![
        Err(with_id("pda", "7", 1)),
        Err(with_id("pda", "7", 2)),
        Err(with_id("other", "7", 3)),
        Err(with_id("pda", "8", 4)),
        Err(rejection("pda", b"{", 5)),
        // In the same commit.
        Err(with_id("pda", "9", 6)),
        Ok(transfer("pda", "9", "P", "A", "B", 7)),
    ];
    journal.inbox().append(batch).await.unwrap();
    assert_eq!(journal.totals().rejected_open, 5);
    close(journal, writer).await;

    // Also after a restart; and one that a person has dismissed stays dismissed.
    let (journal, writer) = open(dir.path());
    let settled = journal.inbox().settle(vec![dismissal(4)], None).await;
    assert_eq!(settled.unwrap().readings, [Outcome::Settled(Vec::new())]);
    let again = ["7", "8"].map(|id| Ok(transfer("pda", id, "P", "A", "B", 8)));
    journal.inbox().append(again.to_vec()).await.unwrap();
    assert_eq!(journal.totals().rejected_open, 2);
    let all = journal.rejected(RejectedNumber::ZERO, 10).unwrap();
    let record = |at: usize| all[at].settled.clone();
    for (at, seq) in [(0, 2), (1, 2), (5, 1)] {
        let record = record(at).expect("it is settled");
        assert_eq!(
            (record.state.as_str(), record.by.as_str()),
            ("resent", "device:pda")
        );
        assert_eq!(
            record.note,
            format!("sent again by its device: event {seq}")
        );
    }
    assert_eq!(record(3), Some(dismissal(4).record));
    assert_eq!(
        (record(2), record(4)),
        (None, None),
        "of another device, and without an id"
    );
    // A second copy of it changes nothing.
    let copy = vec![Ok(transfer("other", "8", "P", "A", "B", 8))];
    journal.inbox().append(copy).await.unwrap();
    assert_eq!(journal.totals().rejected_open, 2);
    close(journal, writer).await;
    let (journal, writer) = open(dir.path());
    assert_eq!(journal.totals().rejected_open, 2);
    close(journal, writer).await;
}

#[tokio::test]
async fn a_reading_that_was_removed_for_room_is_settled_by_its_device_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let small = config::Journal {
        budget_bytes: 16 << 20,
        ..config::Journal::default()
    };
    let (journal, writer) = Journal::open(dir.path(), &small).unwrap();
    let first = ["7", "8", "9"].map(|id| Err(with_id("pda", id, 1)));
    journal.inbox().append(first.to_vec()).await.unwrap();
    let nonsense = (0..500).map(|n| Err(rejection("pda", &[b'x'; 4_096], n)));
    journal.inbox().append(nonsense.collect()).await.unwrap();
    assert!(
        journal
            .rejected_one(RejectedNumber::new(1))
            .unwrap()
            .is_none(),
        "it was removed"
    );
    assert_eq!(journal.totals().rejected_open, 503);
    close(journal, writer).await;
    let (journal, writer) = Journal::open(dir.path(), &small).unwrap();
    let again = vec![Ok(transfer("pda", "7", "P", "A", "B", 8))];
    journal.inbox().append(again).await.unwrap();
    assert_eq!(journal.totals().rejected_open, 502);
    // What a person dismissed is settled, and its device changes nothing about it.
    let record = Some((dismissal(0).record, RejectedNumber::new(503)));
    let dropped = journal.inbox().settle(Vec::new(), record).await.unwrap();
    assert!(dropped.dropped > 2, "{dropped:?}");
    let left = journal.totals().rejected_open;
    assert_eq!(left, 502 - dropped.dropped);
    let again = vec![Ok(transfer("pda", "8", "P", "A", "B", 9))];
    journal.inbox().append(again).await.unwrap();
    assert_eq!(journal.totals().rejected_open, left);
    close(journal, writer).await;
}

#[tokio::test]
async fn the_ids_of_open_readings_are_found_in_a_journal_of_an_older_version() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let batch = ["7", "8"].map(|id| Err(with_id("pda", id, 1)));
    journal.inbox().append(batch.to_vec()).await.unwrap();
    let settled = journal.inbox().settle(vec![dismissal(2)], None).await;
    assert_eq!(settled.unwrap().readings, [Outcome::Settled(Vec::new())]);
    close(journal, writer).await;
    {
        let database = redb::Database::create(dir.path().join("journal.redb")).unwrap();
        let write = database.begin_write().unwrap();
        let by_id = redb::TableDefinition::<([u8; 16], u64), ()>::new("rejected_by_id");
        let id_of = redb::TableDefinition::<u64, [u8; 16]>::new("rejected_id");
        assert!(write.delete_table(by_id).unwrap() && write.delete_table(id_of).unwrap());
        as_format_1(&write);
        write.commit().unwrap();
    }
    let (journal, writer) = open(dir.path());
    assert_eq!(journal.totals().rejected_open, 1);
    let again = ["7", "8"].map(|id| Ok(transfer("pda", id, "P", "A", "B", 8)));
    journal.inbox().append(again.to_vec()).await.unwrap();
    assert_eq!(journal.totals().rejected_open, 0);
    assert_eq!(
        journal
            .rejected_one(RejectedNumber::new(2))
            .unwrap()
            .unwrap()
            .settled,
        Some(dismissal(2).record)
    );
    close(journal, writer).await;
}

#[tokio::test]
async fn a_retained_message_is_a_rejected_reading_once_however_often_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let retained = |id: &str| {
        let code = RejectionCode::Retained;
        vec![Err(Rejection {
            code,
            ..with_id("pda", id, 1)
        })]
    };
    let stored = vec![Ok(transfer("pda", "6", "P", "A", "B", 8))];
    journal.inbox().append(stored).await.unwrap();
    let copy = journal.inbox().append(retained("6")).await.unwrap();
    assert_eq!(
        copy,
        [Accepted::Duplicate {
            original: Seq::new(1)
        }],
        "it is stored"
    );
    for _ in 0..2 {
        journal.inbox().append(retained("7")).await.unwrap();
        journal.inbox().append(retained("8")).await.unwrap();
    }
    assert_eq!(
        (journal.totals().rejected, journal.totals().rejected_open),
        (2, 2)
    );
    close(journal, writer).await;

    // After a restart, and after a person has dismissed it, the broker hands it out again.
    let (journal, writer) = open(dir.path());
    let settled = journal.inbox().settle(vec![dismissal(2)], None).await;
    assert_eq!(settled.unwrap().readings, [Outcome::Settled(Vec::new())]);
    journal.inbox().append(retained("7")).await.unwrap();
    journal.inbox().append(retained("8")).await.unwrap();
    assert_eq!(
        (journal.totals().rejected, journal.totals().rejected_open),
        (2, 1)
    );
    // Its device sends it without retain.
    let again = ["7", "8"].map(|id| Ok(transfer("pda", id, "P", "A", "B", 8)));
    journal.inbox().append(again.to_vec()).await.unwrap();
    assert_eq!(
        (journal.totals().stored, journal.totals().rejected_open),
        (3, 0)
    );
    close(journal, writer).await;
}

#[tokio::test]
async fn scans_of_devices_without_a_flow_are_counted_until_a_person_dismisses_them() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let inbox = journal.inbox();
    let scans = (1..=3).map(|n| Ok(crate::floor::scan("ring", &n.to_string(), "X", n)));
    inbox.append(scans.collect()).await.unwrap();
    // One of them is of a device with a flow.
    let keep = Vec::new();
    inbox
        .seal_and_store(
            Vec::new(),
            [1, 2, 3].map(Seq::new).to_vec(),
            [1, 2].map(Seq::new).to_vec(),
            Seq::new(3),
            keep,
        )
        .await
        .unwrap();
    assert_eq!(journal.totals().unused_scans, 2);
    close(journal, writer).await;
    let (journal, writer) = open(dir.path());
    assert_eq!(journal.totals().unused_scans, 2);
    let record = dismissal(0).record;
    let dismissed = journal.inbox().dismiss_scans(record.clone()).await;
    assert_eq!(dismissed.unwrap(), 2);
    let dismissed = journal.inbox().dismiss_scans(record).await;
    assert_eq!((dismissed.unwrap(), journal.totals().unused_scans), (0, 0));
    close(journal, writer).await;
}

#[tokio::test]
async fn a_whole_payload_is_stored_and_one_beyond_the_share_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let small = config::Journal {
        budget_bytes: 16 << 20,
        ..config::Journal::default()
    };
    let (journal, writer) = Journal::open(dir.path(), &small).unwrap();
    let batch = [200 << 10, 4 << 20].map(|bytes| Err(rejection("pda", &vec![b'x'; bytes], 1)));
    journal.inbox().append(batch.to_vec()).await.unwrap();
    let whole = journal
        .rejected_one(RejectedNumber::new(1))
        .unwrap()
        .unwrap();
    assert_eq!((whole.payload.len(), whole.cut), (200 << 10, false));
    let cut = journal
        .rejected_one(RejectedNumber::new(2))
        .unwrap()
        .unwrap();
    assert_eq!((cut.payload.len(), cut.cut), ((16 << 20) / 20 / 2, true));
    let listed = &journal.rejected(RejectedNumber::ZERO, 10).unwrap()[0];
    assert!(listed.payload.len() < 5_000 && listed.bytes == 200 << 10);
    close(journal, writer).await;
}

#[tokio::test]
async fn what_is_sent_again_with_the_id_of_something_else_settles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let batch = vec![
        Ok(transfer("pda", "7", "P", "A", "B", 1)),
        Err(rejection("pda", b"{", 2)),
        Err(with_id("pda", "8", 3)),
    ];
    journal.inbox().append(batch).await.unwrap();
    let again = |number, events: &[Event]| Settlement {
        events: events.to_vec(),
        ..dismissal(number)
    };
    let differs = |original| Outcome::Differs {
        id: if original == Some(Seq::new(1)) {
            "7"
        } else {
            "8"
        }
        .to_owned(),
        original,
    };
    let other = transfer("pda", "7", "P", "A", "C", 2);
    let both = ["B", "C"].map(|to| transfer("pda", "8", "P", "A", to, 2));
    let wishes = vec![again(1, &[other]), again(2, &both)];
    let settled = journal.inbox().settle(wishes, None).await.unwrap();
    assert_eq!(
        settled.readings,
        [differs(Some(Seq::new(1))), differs(None)]
    );
    let totals = journal.totals();
    assert_eq!((totals.stored, totals.rejected_open), (1, 2));
    // The same movement, at another time, is the one that is stored.
    let same = transfer("pda", "7", "P", "A", "B", 99);
    let settled = journal.inbox().settle(vec![again(1, &[same])], None).await;
    let duplicate = Accepted::Duplicate {
        original: Seq::new(1),
    };
    assert_eq!(
        settled.unwrap().readings,
        [Outcome::Settled(vec![duplicate])]
    );
    let note = journal
        .rejected_one(RejectedNumber::new(1))
        .unwrap()
        .unwrap()
        .settled
        .unwrap()
        .note;
    assert_eq!(note, "a test: was stored before as event 1");
    close(journal, writer).await;
}
