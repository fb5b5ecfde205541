//! The changes of a person during a demonstration: documents that were edited before they were
//! posted, and rejected readings that were sent again. Odoo has the person's values instead of the
//! devices'.

use rust_decimal::Decimal;

use super::books::{Moves, Way};
use crate::document::{Document, DocumentNumber, State};
use crate::event::{RejectedNumber, Seq};
use crate::journal::{EventDocument, Journal, JournalError};

/// Documents or rejected readings that one read of the journal returns, at most.
const READ_AT_ONCE: usize = 256;

/// Edited and posted documents, and readings that were sent again.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PersonChanges {
    /// Events of posted documents that a person has edited.
    pub events: u64,
    /// The movements of these documents, and the movements in the devices' lists that they replace.
    pub moved: Moves,
    pub replaced: Moves,
    pub resent: Resent,
}

/// Events from rejected readings that a person sent again: no device's list has them.
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
        let (mut resent, mut after) = (Self::default(), RejectedNumber::ZERO);
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

    fn add(&mut self, journal: &Journal, seq: Seq) -> Result<(), JournalError> {
        let Some(recorded) = journal.event(seq)? else {
            return Ok(());
        };
        self.events += 1;
        if let Some((way, quantity)) = Way::of_transfer(recorded.event.action) {
            *self.moves.entry(way).or_default() += quantity;
        }
        match journal.document_of(seq)? {
            EventDocument::Sealed(number) => {
                let entry = journal.document(number)?;
                match entry.map(|entry| entry.progress.state) {
                    Some(State::Posted) => self.posted += 1,
                    Some(State::Parked) => self.parked += 1,
                    _ => {}
                }
            }
            EventDocument::NotNeeded => self.no_document += 1,
            EventDocument::Open => {}
        }
        Ok(())
    }
}

/// Reads the numbers of the events at the end of a note: `sent again, corrected: events 4, 5`.
fn seqs(note: &str) -> Vec<Seq> {
    let named = note.rsplit_once(": event");
    let named = named.map(|(_, seqs)| seqs.trim_start_matches('s').split(','));
    named
        .into_iter()
        .flatten()
        .filter_map(|seq| seq.trim().parse().ok())
        .collect()
}

impl PersonChanges {
    pub fn read(journal: &Journal) -> Result<Self, JournalError> {
        let resent = Resent::read(journal)?;
        let mut changes = Self {
            resent,
            ..Self::default()
        };
        let mut after = DocumentNumber::ZERO;
        loop {
            let page = journal.documents(Some(State::Posted), after, READ_AT_ONCE)?;
            let Some(last) = page.last() else {
                return Ok(changes);
            };
            after = last.document.number;
            let edited = page.iter().map(|entry| &entry.document);
            for document in edited.filter(|document| document.corrects.is_some()) {
                changes.add(journal, document)?;
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
                *self.replaced.entry(way).or_default() += quantity;
            }
        }
        Ok(())
    }

    /// Applies the person's changes to the devices' list.
    #[must_use]
    pub fn apply_to(&self, list: &Moves) -> Moves {
        let mut list = list.clone();
        for (way, quantity) in &self.resent.moves {
            *list.entry(way.clone()).or_default() += *quantity;
        }
        for (way, quantity) in &self.replaced {
            // A product that Odoo does not have is in no list.
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
        assert_eq!(seqs("sent again as it was: event 12"), [Seq::new(12)]);
        assert_eq!(
            seqs("sent again, corrected: events 4, 5"),
            [4, 5].map(Seq::new)
        );
        assert_eq!(seqs("dismissed: a test"), Vec::<Seq>::new());
    }
}
