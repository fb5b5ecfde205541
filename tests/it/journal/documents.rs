//! Documents in the journal: states, reasons, corrections.

use super::{close, document, moved, open};
use crate::floor::transfer;
use stockrelay::document::{Document, DocumentNumber, Reason, State};
use stockrelay::event::Seq;
use stockrelay::journal::{AppendError, EventDocument};

#[tokio::test]
async fn a_document_moves_on_only_from_the_state_it_is_in_and_the_numbers_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let inbox = journal.inbox();
    inbox
        .append(
            (1..=5)
                .map(|n| Ok(transfer("pda", &n.to_string(), "P", "A", "B", n)))
                .collect(),
        )
        .await
        .unwrap();
    let sealed = document(&journal, &[1, 3]);
    inbox
        .seal(
            vec![sealed.clone(), document(&journal, &[2])],
            vec![Seq::new(4)],
            Seq::new(4),
        )
        .await
        .unwrap();
    let add_up = |waiting, sending, posted, parked, discarded| {
        let totals = journal.totals();
        let events = [
            State::Waiting,
            State::Sending,
            State::Posted,
            State::Parked,
            State::Discarded,
        ]
        .map(|s| totals.of(s).events);
        assert_eq!(events, [waiting, sending, posted, parked, discarded]);
        assert_eq!((totals.no_document, totals.open_events()), (1, 1));
        assert_eq!(events.iter().sum::<u64>() + 2, totals.stored);
    };
    add_up(3, 0, 0, 0, 0);
    assert_eq!(
        inbox
            .change(vec![moved(1, State::Waiting, State::Sending, 11)])
            .await
            .unwrap(),
        [true]
    );
    add_up(1, 2, 0, 0, 0);
    // Someone else was faster; and a document that is not there.
    let late = inbox.change(vec![
        moved(1, State::Parked, State::Discarded, 12),
        moved(99, State::Waiting, State::Posted, 12),
    ]);
    assert_eq!(late.await.unwrap(), [false, false]);
    assert_eq!(
        inbox
            .change(vec![moved(1, State::Sending, State::Posted, 13)])
            .await
            .unwrap(),
        [true]
    );
    add_up(1, 0, 2, 0, 0);

    let entry = journal.document_by_key(sealed.key).unwrap().unwrap();
    assert_eq!(
        entry.document,
        Document {
            number: DocumentNumber::new(1),
            ..sealed
        }
    );
    assert_eq!(entry.progress.odoo.as_ref().unwrap().name, "WH/INT/00007");
    let audit = journal.audit(DocumentNumber::new(1)).unwrap();
    assert_eq!(
        audit
            .iter()
            .map(|step| step.state.as_str())
            .collect::<Vec<_>>(),
        ["waiting", "sending", "posted"]
    );
    assert_eq!(
        journal.document_of(Seq::new(3)).unwrap(),
        EventDocument::Sealed(DocumentNumber::new(1))
    );
    assert_eq!(
        journal.document_of(Seq::new(4)).unwrap(),
        EventDocument::NotNeeded
    );
    assert_eq!(
        journal.document_of(Seq::new(5)).unwrap(),
        EventDocument::Open
    );
    assert_eq!(
        journal
            .documents(Some(State::Waiting), DocumentNumber::ZERO, 10)
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        journal
            .documents(None, DocumentNumber::ZERO, 10)
            .unwrap()
            .len(),
        2
    );
    close(journal, writer).await;
}

#[tokio::test]
async fn an_event_that_is_put_into_two_documents_stops_the_writer_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let inbox = journal.inbox();
    inbox
        .append(
            (1..=2)
                .map(|n| Ok(transfer("pda", &n.to_string(), "P", "A", "B", n)))
                .collect(),
        )
        .await
        .unwrap();
    inbox
        .seal(vec![document(&journal, &[1])], vec![], Seq::new(1))
        .await
        .unwrap();
    // A seal alone is on disk with the next request.
    inbox.append(vec![]).await.unwrap();
    let twice = inbox
        .seal(vec![document(&journal, &[1, 2])], vec![], Seq::new(2))
        .await;
    assert_eq!(twice, Err(AppendError::Stopped));
    assert_eq!(inbox.append(vec![]).await, Err(AppendError::Stopped));
    assert!(writer.join().unwrap_err().to_string().contains("event 1"));
    drop(journal);
    let (journal, writer) = open(dir.path());
    assert_eq!(
        journal
            .documents(None, DocumentNumber::ZERO, 10)
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        journal.document_of(Seq::new(2)).unwrap(),
        EventDocument::Open
    );
    close(journal, writer).await;
}

#[tokio::test]
async fn a_parked_document_keeps_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let inbox = journal.inbox();
    inbox
        .append(vec![Ok(transfer("pda", "1", "P", "A", "B", 1))])
        .await
        .unwrap();
    inbox
        .seal(vec![document(&journal, &[1])], vec![], Seq::new(1))
        .await
        .unwrap();
    let mut change = moved(1, State::Waiting, State::Parked, 3);
    let reason = Reason {
        code: "unknown-product".into(),
        message: "no product has barcode P".to_owned(),
        lines: Vec::new(),
    };
    change.progress.reason = Some(reason.clone());
    inbox.change(vec![change]).await.unwrap();
    assert_eq!(
        journal
            .document(DocumentNumber::new(1))
            .unwrap()
            .unwrap()
            .progress
            .reason,
        Some(reason)
    );
    close(journal, writer).await;
}

#[tokio::test]
async fn a_corrected_document_takes_the_events_over_and_the_old_one_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let events = vec![
        Ok(transfer("pda", "1", "P", "A", "B", 1)),
        Ok(transfer("pda", "2", "P", "A", "B", 1)),
    ];
    let inbox = journal.inbox();
    inbox.append(events).await.unwrap();
    let old = document(&journal, &[1, 2]);
    inbox
        .seal(vec![old.clone()], vec![], Seq::new(2))
        .await
        .unwrap();
    let corrected = Document {
        key: old.key.corrected(),
        ..old.clone()
    };
    let replaced = |expect| moved(1, expect, State::Replaced, 20);
    // Not parked: nothing is changed.
    let answer = inbox
        .replace(replaced(State::Parked), corrected.clone())
        .await;
    assert_eq!(answer, Ok(None));
    let parked = moved(1, State::Waiting, State::Parked, 15);
    assert_eq!(inbox.change(vec![parked]).await.unwrap(), [true]);
    let answer = inbox
        .replace(replaced(State::Parked), corrected.clone())
        .await;
    assert_eq!(answer, Ok(Some(DocumentNumber::new(2))));
    // There is at most one correction of a document.
    let answer = inbox.replace(replaced(State::Replaced), corrected).await;
    assert_eq!(answer, Ok(None));
    close(journal, writer).await;

    let (journal, writer) = open(dir.path());
    let (old, new) = (
        journal.document(DocumentNumber::new(1)).unwrap().unwrap(),
        journal.document(DocumentNumber::new(2)).unwrap().unwrap(),
    );
    assert_eq!(
        (old.progress.state, new.progress.state),
        (State::Replaced, State::Waiting)
    );
    assert_eq!(
        (new.document.corrects, new.document.events),
        (Some(DocumentNumber::new(1)), [1, 2].map(Seq::new).to_vec())
    );
    assert_eq!(
        journal.document_of(Seq::new(2)).unwrap(),
        EventDocument::Sealed(DocumentNumber::new(2))
    );
    let totals = journal.totals();
    assert_eq!(
        (
            totals.open_events(),
            totals.waiting.events,
            totals.parked.events
        ),
        (0, 2, 0)
    );
    assert!(
        journal.audit(DocumentNumber::new(2)).unwrap()[0]
            .note
            .contains("document 1")
    );
    close(journal, writer).await;
}
