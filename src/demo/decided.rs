//! What a person has decided in a demonstration: documents that were edited before they were posted.
//! Odoo has what the person wrote, and not what the devices' lists say.

use rust_decimal::Decimal;

use super::books::{Moves, Way};
use crate::document::{Document, State};
use crate::event::Action;
use crate::journal::{Journal, JournalError};

/// Documents that are read from the journal at a time.
const DOCUMENTS_READ: usize = 256;

/// What was edited and is in Odoo.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Events of posted documents that a person has edited.
    pub events: u64,
    /// What these documents moved, and what the devices had said of it.
    pub moved: Moves,
    pub said: Moves,
}

impl Decided {
    pub fn read(journal: &Journal) -> Result<Self, JournalError> {
        let (mut decided, mut after) = (Self::default(), 0);
        loop {
            let page = journal.documents(Some(State::Posted), after, DOCUMENTS_READ)?;
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
            if let (Some(from), Some(to)) = (line.from.clone(), line.to.clone()) {
                let product = line.product.clone();
                *self.moved.entry(Way { product, from, to }).or_default() += line.quantity;
            }
        }
        for seq in &document.events {
            let event = journal.event(*seq)?.map(|recorded| recorded.event.action);
            if let Some(Action::Transfer {
                product,
                quantity,
                from,
                to,
                ..
            }) = event
            {
                *self.said.entry(Way { product, from, to }).or_default() += quantity;
            }
        }
        Ok(())
    }

    /// The devices' list with what the person has made of it.
    #[must_use]
    pub fn applied_to(&self, list: &Moves) -> Moves {
        let mut list = list.clone();
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
