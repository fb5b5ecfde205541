//! Compares the memory with the journal and the copy: removes events that Odoo has, and recalls
//! events after a start.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;

use super::memory::Counts;
use super::memory::{Counting, EventKey};
use super::{Capture, News, PAGE_EVENTS, RECALLED_MAX};
use crate::config::Check;
use crate::document::{Progress, State};
use crate::event::{Recorded, Seq};
use crate::journal::{EventDocument, Journal, JournalError};

impl Capture {
    /// Recalls the journal's newest events: after a start, before anything is received; when the
    /// copy has Odoo's orders for the first time; and when a reload switches the check on. Reads
    /// the disk.
    pub fn recall(&self) {
        if let Some(journal) = self.0.journal.clone()
            && self.rules().config.check != Check::Off
            && let Err(error) = self.recall_from(&journal)
        {
            tracing::error!(%error, "cannot read the events before the start from the journal: devices may report wrong scans as right");
        }
    }

    fn recall_from(&self, journal: &Journal) -> Result<(), JournalError> {
        // Odoo may have the recalled events already.
        self.state().settled = None;
        let mut after = journal.totals().last_seq.back_by(RECALLED_MAX);
        loop {
            let page = journal.events(after, PAGE_EVENTS)?;
            let Some(last) = page.last() else {
                return self.settle_with(journal);
            };
            after = last.seq;
            let rules = self.rules();
            let mut state = self.state();
            for Recorded { seq, event } in &page {
                let undone = self.find_undone(event);
                if !super::is_relevant(undone.as_ref().unwrap_or(event)) {
                    continue;
                }
                let judged = super::judgement(&rules, &mut state, event, undone.as_ref());
                let mut counts = judged.counts;
                if counts.serial.is_some() && is_voided(journal, *seq)? {
                    counts.serial = None;
                }
                if counts != Counts::default() {
                    state.memory.recall(EventKey::of(event), counts, *seq);
                }
            }
        }
    }

    /// Removes the quantities for orders that Odoo has by now, or will never get.
    pub fn settle(&self) {
        if let Some(journal) = self.0.journal.clone()
            && let Err(error) = self.settle_with(&journal)
        {
            tracing::error!(%error, "cannot read from the journal which events Odoo has already");
        }
    }

    pub(super) fn settle_with(&self, journal: &Journal) -> Result<(), JournalError> {
        let counting = {
            let mut state = self.state();
            // A device whose events are rejected one after the other comes here each time: without
            // news the result is the same.
            let news = read_news(journal, &mut state);
            if state.settled.as_ref() == Some(&news) {
                return Ok(());
            }
            state.settled = Some(news);
            state.memory.counting()
        };
        let settled = self.settle_events(journal, counting);
        if settled.is_err() {
            self.state().settled = None;
        }
        settled
    }

    /// Removes undos that Odoo has by now, so that they do not allow more than was ordered.
    pub(super) fn settle_undos(&self) {
        let Some(journal) = self.0.journal.as_ref() else {
            return;
        };
        let undos = {
            let mut state = self.state();
            if !state.memory.has_undo() {
                return;
            }
            let news = read_news(journal, &mut state);
            if state.looked_for_undone.as_ref() == Some(&news) {
                return;
            }
            state.looked_for_undone = Some(news);
            state.memory.counting_undos()
        };
        if let Err(error) = self.settle_events(journal, undos) {
            tracing::error!(%error, "cannot read from the journal which events were undone");
        }
    }

    fn settle_events(
        &self,
        journal: &Journal,
        counting: Vec<Counting>,
    ) -> Result<(), JournalError> {
        let copy = self.state().lookup.copy();
        let mut over = HashMap::new();
        let mut settled = Vec::new();
        for Counting {
            key,
            seq,
            order,
            is_undo,
        } in counting
        {
            let as_of = copy.as_ref().and_then(|copy| copy.order_as_of(order));
            let is_over = match journal.document_of(seq)? {
                EventDocument::Open => false,
                EventDocument::NotNeeded => true,
                EventDocument::Sealed(number) => match over.entry((number, order)) {
                    Entry::Occupied(is_over) => *is_over.get(),
                    Entry::Vacant(unread) => {
                        let document = journal.document(number)?;
                        // A pruned document was posted long ago.
                        *unread.insert(document.is_none_or(|document| {
                            is_over(&document.progress, as_of)
                                || is_undo && undoes_nothing(&document.progress)
                        }))
                    }
                },
            };
            if is_over {
                settled.push(key);
            }
        }
        self.state().memory.settle(&settled);
        Ok(())
    }
}

/// Returns a value that changes when documents end or the copy is refreshed.
fn read_news(journal: &Journal, state: &mut super::State) -> News {
    let totals = journal.totals();
    let ended = [totals.posted, totals.parked, totals.discarded].map(|of| of.documents);
    let copy = state.lookup.copy();
    (ended, copy.map(|copy| *copy.news().borrow()))
}

/// Whether a person or the device discarded the event's document, or another document replaced it.
fn is_voided(journal: &Journal, seq: Seq) -> Result<bool, JournalError> {
    let Some(number) = journal.document_of(seq)?.number() else {
        return Ok(false);
    };
    let entry = journal.document(number)?;
    Ok(entry.is_some_and(|entry| {
        entry.progress.state == State::Discarded || entry.document.corrects.is_some()
    }))
}

/// Whether the copy of Odoo's orders, as of this time, has the final effect of a document. A
/// document that was sent more than once may have been in Odoo long before it was read back: its
/// quantity counts rather too little than twice.
fn is_over(progress: &Progress, as_of: Option<Timestamp>) -> bool {
    match progress.state {
        State::Posted => progress.attempts > 1 || as_of.is_none_or(|as_of| progress.since < as_of),
        State::Discarded | State::Replaced => true,
        State::Waiting | State::Sending | State::Parked => false,
    }
}

/// Whether the document of an undo is parked, or found nothing to undo.
fn undoes_nothing(progress: &Progress) -> bool {
    match progress.state {
        State::Parked => true,
        State::Posted => progress.odoo.is_none(),
        _ => false,
    }
}
