//! The writer answers once a group is in its log, before the tables have the group: who reads after
//! an answer must find what was answered all the same.

use super::{close, open};
use crate::floor::scan;
use stockrelay::event::Seq;
use stockrelay::journal::Accepted;

/// Enough that a reader would come too early: without the wait for the tables, some in a hundred
/// do.
const EVENTS: u64 = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_after_an_answer_finds_what_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, writer) = open(dir.path());
    let mut missed = Vec::new();
    for number in 1..=EVENTS {
        let id = format!("id-{number}");
        let accepted = journal
            .inbox()
            .append(vec![Ok(scan("pda", &id, "4000000000006", 9))]);
        let accepted = accepted.await.unwrap();
        let seq = Seq::new(number);
        assert!(matches!(accepted[..], [Accepted::Stored { seq: stored }] if stored == seq));
        let is_there = journal.event(seq).unwrap().is_some();
        let is_known = journal.event_of("pda", &id).unwrap().is_some();
        let is_counted = journal.totals().stored == number;
        if !(is_there && is_known && is_counted) {
            missed.push((number, is_there, is_known, is_counted));
        }
    }
    assert_eq!(missed, [], "event, whether it is there, known, and counted");
    close(journal, writer).await;
}
