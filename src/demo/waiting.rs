//! Reads the movements that wait in the gateway when a demonstration is stopped.

use std::collections::BTreeMap;

use super::books::{Moves, Way};
use crate::document::State;
use crate::event::{Recorded, Seq};
use crate::journal::{Journal, JournalError};

/// Events that one read of the journal returns, at most.
const EVENTS_READ: usize = 1_000;

/// Reads the movements of open, waiting, sending and parked documents, which Odoo may not have yet.
pub fn read_moves(journal: &Journal) -> Result<Moves, JournalError> {
    let totals = journal.totals();
    let mut moves = Moves::new();
    if totals.stored == totals.posted.events + totals.no_document {
        return Ok(moves);
    }
    let (mut after, mut posted) = (Seq::ZERO, BTreeMap::new());
    loop {
        let events = journal.events(after, EVENTS_READ)?;
        let Some(last) = events.last() else {
            return Ok(moves);
        };
        after = last.seq;
        for Recorded { seq, event } in events {
            let Some((way, quantity)) = Way::of_transfer(event.action) else {
                continue;
            };
            if let Some(number) = journal.document_of(seq)?.number() {
                let is_posted = match posted.get(&number) {
                    Some(is_posted) => *is_posted,
                    None => (journal.document(number)?)
                        .is_some_and(|entry| entry.progress.state == State::Posted),
                };
                posted.insert(number, is_posted);
                if is_posted {
                    continue;
                }
            }
            *moves.entry(way).or_default() += quantity;
        }
    }
}
