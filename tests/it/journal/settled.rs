//! Rejected readings whose device has sent the event before: nobody need settle them.

use stockrelay::event::{RejectedNumber, Rejection, Seq, SourceKind};
use stockrelay::journal::Accepted;

use super::rejected::with_id;
use super::{as_format_1, close, open};
use crate::floor::transfer;

#[tokio::test]
async fn a_reading_whose_device_sent_the_event_before_waits_for_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let event = || Ok(transfer("pda", "7", "P", "A", "B", 1));
    let of_flow = Rejection {
        source: SourceKind::Flow,
        ..with_id("pda", "7", 4)
    };
    let batch = vec![
        event(),
        Err(with_id("pda", "7", 2)),
        Err(with_id("other", "7", 3)),
        // It may hold more events than the one that gives its id.
        Err(of_flow),
    ];
    journal.inbox().append(batch).await.unwrap();
    assert_eq!(journal.totals().rejected_open, 2);
    close(journal, writer).await;
    let (journal, writer) = open(dir.path());
    let later = journal.inbox().append(vec![Err(with_id("pda", "7", 5))]);
    assert!(matches!(
        later.await.unwrap().as_slice(),
        [Accepted::Rejected { .. }]
    ));
    let totals = journal.totals();
    assert_eq!((totals.rejected, totals.rejected_open), (4, 2));
    let all = journal.rejected(RejectedNumber::ZERO, 10).unwrap();
    for at in [0, 3] {
        let record = all[at].settled.clone().expect("it is settled");
        assert_eq!(
            (record.state.as_str(), record.by.as_str()),
            ("resent", "device:pda")
        );
        assert_eq!(
            record.note,
            "its device sent the event earlier: was stored before as event 1"
        );
        assert!(!record.names(Seq::new(1)), "the event was there before it");
    }
    assert_eq!((&all[1].settled, &all[2].settled), (&None, &None));
    close(journal, writer).await;
    {
        // As an older version left it: both readings of the device are open.
        let database = redb::Database::create(dir.path().join("journal.redb")).unwrap();
        let write = database.begin_write().unwrap();
        let open = redb::TableDefinition::<u64, ()>::new("rejected_open");
        let audit = redb::TableDefinition::<u64, &[u8]>::new("rejected_audit");
        assert!(write.delete_table(open).unwrap() && write.delete_table(audit).unwrap());
        as_format_1(&write);
        write.commit().unwrap();
    }
    let (journal, writer) = open(dir.path());
    assert_eq!(journal.totals().rejected_open, 4);
    // The event once more: a duplicate.
    journal.inbox().append(vec![event()]).await.unwrap();
    let totals = journal.totals();
    assert_eq!((totals.duplicates, totals.rejected_open), (1, 1));
    close(journal, writer).await;
}
