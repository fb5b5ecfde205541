//! Pruning where documents were posted late.

use stockrelay::document::{DocumentNumber, State};
use stockrelay::event::Seq;
use stockrelay::journal::Accepted;

use super::{close, document, moved, open};
use crate::floor::{at, transfer};

const DAY: i64 = 86_400;
/// More than a request to prune examines.
const LATE: u64 = 790;
const ALL: u64 = 800;

#[tokio::test]
async fn what_is_behind_many_documents_that_were_posted_late_is_pruned_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let inbox = journal.inbox();
    let event = |number: u64| transfer("pda", &number.to_string(), "P", "A", "B", 1);
    let events = (1..=ALL).map(|number| Ok(event(number)));
    inbox.append(events.collect()).await.unwrap();
    let documents = (1..=ALL).map(|seq| document(&journal, &[seq]));
    let sealed = inbox.seal(documents.collect(), Vec::new(), Seq::new(ALL));
    sealed.await.unwrap();
    let posted = (1..=ALL).map(|number| {
        let second = if number <= LATE { 80 * DAY } else { 20 };
        moved(number, State::Waiting, State::Posted, second)
    });
    inbox.change(posted.collect()).await.unwrap();
    let (mut pruned, mut requests) = (0, 0);
    // On a busy machine a request has time for a few documents only.
    while pruned < ALL - LATE && requests <= ALL {
        pruned += inbox.prune(at(91 * DAY)).await.unwrap();
        requests += 1;
    }
    assert_eq!(pruned, ALL - LATE);
    let document = |number: u64| journal.document(DocumentNumber::new(number)).unwrap();
    assert!(document(1).is_some() && document(LATE).is_some());
    assert!(document(LATE + 1).is_none() && document(ALL).is_none());

    // Nothing is stored for an event that is not there, however often it comes again.
    let again = inbox.append(vec![Ok(event(1)), Ok(event(ALL))]);
    let original = |seq: u64| Accepted::Duplicate {
        original: Seq::new(seq),
    };
    assert_eq!(again.await.unwrap(), [original(1), original(ALL)]);
    assert!(journal.repeats(Seq::new(1)).unwrap().is_some());
    assert!(journal.repeats(Seq::new(ALL)).unwrap().is_none());

    for _ in 0..=ALL {
        inbox.prune(at(171 * DAY)).await.unwrap();
    }
    assert!(journal.events(Seq::ZERO, 1).unwrap().is_empty());
    close(journal, writer).await;
}
