//! What a person has decided in a demonstration: documents that were edited before they were
//! posted, and rejected readings that were sent again. Odoo has what the person wrote, and not what
//! the devices' lists say.

use rust_decimal::Decimal;

use super::books::{Moves, Way};
use crate::document::{Document, State};
use crate::journal::{Journal, JournalError};

/// Documents, or rejected readings, that are read from the journal at a time.
const READ_AT_ONCE: usize = 256;

/// What was edited and is in Odoo.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Events of posted documents that a person has edited.
    pub events: u64,
    /// What these documents moved, and what the devices had said of it.
    pub moved: Moves,
    pub said: Moves,
    pub resent: Resent,
}

/// Events that a person has made of rejected readings: no device has them in its list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Resent {
    pub events: u64,
    pub posted: u64,
    pub parked: u64,
    pub no_document: u64,
    pub moves: Moves,
}

impl Resent {
    fn read(journal: &Journal) -> Result<Self, JournalError> {
        let (mut resent, mut after) = (Self::default(), 0);
        loop {
            let page = journal.rejected(after, READ_AT_ONCE)?;
            let Some(last) = page.last() else {
                return Ok(resent);
            };
            after = last.number;
            let notes = page.iter().filter_map(|reading| reading.settled.as_ref());
            for record in notes.filter(|record| !record.by.starts_with("device:")) {
                for seq in seqs(&record.note) {
                    resent.add(journal, seq)?;
                }
            }
        }
    }

    fn add(&mut self, journal: &Journal, seq: u64) -> Result<(), JournalError> {
        let Some(recorded) = journal.event(seq)? else {
            return Ok(());
        };
        self.events += 1;
        if let Some((way, quantity)) = Way::of_transfer(recorded.event.action) {
            *self.moves.entry(way).or_default() += quantity;
        }
        match journal.document_of(seq)? {
            Some(Some(number)) => {
                let entry = journal.document(number)?;
                match entry.map(|entry| entry.progress.state) {
                    Some(State::Posted) => self.posted += 1,
                    Some(State::Parked) => self.parked += 1,
                    _ => {}
                }
            }
            Some(None) => self.no_document += 1,
            None => {}
        }
        Ok(())
    }
}

/// The numbers of the events that a note names last: `sent again, corrected: events 4, 5`.
fn seqs(note: &str) -> Vec<u64> {
    let named = note.rsplit_once(": event");
    let named = named.map(|(_, seqs)| seqs.trim_start_matches('s').split(','));
    named
        .into_iter()
        .flatten()
        .filter_map(|seq| seq.trim().parse().ok())
        .collect()
}

impl Decided {
    pub fn read(journal: &Journal) -> Result<Self, JournalError> {
        let resent = Resent::read(journal)?;
        let mut decided = Self {
            resent,
            ..Self::default()
        };
        let mut after = 0;
        loop {
            let page = journal.documents(Some(State::Posted), after, READ_AT_ONCE)?;
            let Some(last) = page.last() else {
                return Ok(decided);
            };
            after = last.document.number;
            let edited = page.iter().map(|entry| &entry.document);
            for document in edited.filter(|document| document.corrects.is_some()) {
                decided.add(journal, document)?;
            }
        }
    }

    fn add(&mut self, journal: &Journal, document: &Document) -> Result<(), JournalError> {
        self.events += document.events.len() as u64;
        for line in &document.lines {
            if let (Some(from), Some(to)) = (line.goods.from.clone(), line.goods.to.clone()) {
                let product = line.goods.product.clone();
                *self.moved.entry(Way { product, from, to }).or_default() += line.goods.quantity;
            }
        }
        for seq in &document.events {
            let event = journal.event(*seq)?.map(|recorded| recorded.event.action);
            if let Some((way, quantity)) = event.and_then(Way::of_transfer) {
                *self.said.entry(way).or_default() += quantity;
            }
        }
        Ok(())
    }

    /// The devices' list with what the person has made of it.
    #[must_use]
    pub fn applied_to(&self, list: &Moves) -> Moves {
        let mut list = list.clone();
        for (way, quantity) in &self.resent.moves {
            *list.entry(way.clone()).or_default() += *quantity;
        }
        for (way, quantity) in &self.said {
            // What Odoo cannot know is in no list.
            if let Some(listed) = list.get_mut(way) {
                *listed = (*listed - *quantity).max(Decimal::ZERO);
            }
        }
        for (way, quantity) in &self.moved {
            *list.entry(way.clone()).or_default() += *quantity;
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_names_the_events_that_were_sent_again() {
        assert_eq!(seqs("sent again as it was: event 12"), [12]);
        assert_eq!(seqs("sent again, corrected: events 4, 5"), [4, 5]);
        assert_eq!(seqs("dismissed: a test"), Vec::<u64>::new());
    }
}
