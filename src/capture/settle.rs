//! What was captured is held against the journal and the copy: what counts no more, and what is
//! recalled after a start.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;

use super::memory::Counts;
use super::memory::{Counting, EventKey};
use super::{Capture, Known, News, PAGE_EVENTS, RECALLED_MAX};
use crate::config::Check;
use crate::document::{Progress, State};
use crate::event::{Recorded, Seq};
use crate::journal::{EventDocument, Journal, JournalError};

impl Capture {
    /// What the journal's newest events count for: after a start, before anything comes in; and
    /// once more when Odoo's orders are known, for what came while they were not. Reads the disk.
    pub fn recall(&self) {
        if let Some(journal) = self.0.journal.clone()
            && self.0.config.check != Check::Off
            && let Err(error) = self.recall_from(&journal)
        {
            tracing::error!(%error, "cannot recall from the journal what was scanned before the start: devices may be told right too generously");
        }
    }

    fn recall_from(&self, journal: &Journal) -> Result<(), JournalError> {
        // What is recalled may be in Odoo already.
        self.state().settled = None;
        let mut after = journal.totals().last_seq.back_by(RECALLED_MAX);
        loop {
            let page = journal.events(after, PAGE_EVENTS)?;
            let Some(last) = page.last() else {
                return self.settle_with(journal);
            };
            after = last.seq;
            let mut state = self.state();
            for Recorded { seq, event } in &page {
                let undone = self.undone_by(event);
                if !super::counts(undone.as_ref().unwrap_or(event)) {
                    continue;
                }
                let mut counts = self.judgement(&mut state, event, undone.as_ref()).counts;
                if counts.serial.is_some() && is_void(journal, *seq)? {
                    counts.serial = None;
                }
                if counts != Counts::default() {
                    state.memory.recall(EventKey::of(event), counts, *seq);
                }
            }
        }
    }

    /// What was counted for orders and is in Odoo by now, or will never be, counts no more: the
    /// copy says it.
    pub fn settle(&self) {
        if let Some(journal) = self.0.journal.clone()
            && let Err(error) = self.settle_with(&journal)
        {
            tracing::error!(%error, "cannot look into the journal for what is in Odoo already");
        }
    }

    pub(super) fn settle_with(&self, journal: &Journal) -> Result<(), JournalError> {
        let counting = {
            let mut state = self.state();
            // A device whose events are refused one after the other asks each time: without news
            // there is no new answer.
            let news = news(journal, &mut state);
            if state.settled.as_ref() == Some(&news) {
                return Ok(());
            }
            state.settled = Some(news);
            state.memory.counting()
        };
        let settled = self.settle_those(journal, counting);
        if settled.is_err() {
            self.state().settled = None;
        }
        settled
    }

    /// What was taken back and is in Odoo by now must not let more through than was ordered: nobody
    /// looks again before that.
    pub(super) fn settle_back(&self) {
        let Some(journal) = self.0.journal.as_ref() else {
            return;
        };
        let backs = {
            let mut state = self.state();
            if !state.memory.has_back() {
                return;
            }
            let news = news(journal, &mut state);
            if state.looked.as_ref() == Some(&news) {
                return;
            }
            state.looked = Some(news);
            state.memory.counting_back()
        };
        if let Err(error) = self.settle_those(journal, backs) {
            tracing::error!(%error, "cannot look into the journal for what was taken back");
        }
    }

    fn settle_those(&self, journal: &Journal, counting: Vec<Counting>) -> Result<(), JournalError> {
        let copy = self.state().lookup.copy();
        let mut over = HashMap::new();
        let mut settled = Vec::new();
        for Counting {
            key,
            seq,
            order,
            is_back,
        } in counting
        {
            let as_of = copy.as_ref().and_then(|copy| copy.order_as_of(order));
            let is_over = match journal.document_of(seq)? {
                EventDocument::Open => false,
                EventDocument::NotNeeded => true,
                EventDocument::Sealed(number) => match over.entry((number, order)) {
                    Entry::Occupied(is_over) => *is_over.get(),
                    Entry::Vacant(unasked) => {
                        let document = journal.document(number)?;
                        // What was pruned was posted long ago.
                        *unasked.insert(document.is_none_or(|document| {
                            is_over(&document.progress, as_of)
                                || is_back && takes_nothing_back(&document.progress)
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

/// Without news of documents or of orders there is nothing to be found out.
fn news(journal: &Journal, state: &mut Known) -> News {
    let totals = journal.totals();
    let ended = [totals.posted, totals.parked, totals.discarded].map(|of| of.documents);
    let copy = state.lookup.copy();
    (ended, copy.map(|copy| *copy.news().borrow()))
}

/// Whether a person decided that an event did not happen, or not as it says.
fn is_void(journal: &Journal, seq: Seq) -> Result<bool, JournalError> {
    let Some(number) = journal.document_of(seq)?.number() else {
        return Ok(false);
    };
    let entry = journal.document(number)?;
    Ok(entry.is_some_and(|entry| {
        entry.progress.state == State::Discarded || entry.document.corrects.is_some()
    }))
}

/// Whether the copy of Odoo's orders, which is as of then, has all that there will ever be of a
/// document. One that had to be sent more than once may have been in Odoo long before that was
/// known: rather too little is counted of it than twice.
fn is_over(progress: &Progress, as_of: Option<Timestamp>) -> bool {
    match progress.state {
        State::Posted => progress.attempts > 1 || as_of.is_none_or(|as_of| progress.since < as_of),
        State::Discarded | State::Replaced => true,
        State::Waiting | State::Sending | State::Parked => false,
    }
}

/// A document that is to take something back, and is parked or found nothing to be taken back.
fn takes_nothing_back(progress: &Progress) -> bool {
    match progress.state {
        State::Parked => true,
        State::Posted => progress.odoo.is_none(),
        _ => false,
    }
}
