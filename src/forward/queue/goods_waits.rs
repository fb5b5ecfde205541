//! Documents whose goods are on their way. Each is checked again when stock may have changed, or
//! after a while. In memory: after a restart they are checked like any other document.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::document::DocumentNumber;
use crate::journal::Totals;

/// How long to wait between two looks, because changes by other people in Odoo do not show in the
/// numbers of documents.
const PAUSE: Duration = Duration::from_secs(15);
/// Limit of documents that wait for goods. A document beyond the limit does not wait.
const DOCUMENTS_MAX: usize = 50_000;

/// How many documents there were in each state, and how many events that are in no document. When
/// goods arrive through the gateway, one of these numbers changes.
type Seen = [u64; 5];

fn seen(totals: &Totals) -> Seen {
    [
        totals.waiting.documents,
        totals.posted.documents,
        totals.parked.documents,
        totals.discarded.documents,
        totals.settled.get(),
    ]
}

#[derive(Debug, Default)]
pub struct GoodsWaits {
    documents: BTreeMap<DocumentNumber, (Seen, Duration)>,
}

impl GoodsWaits {
    /// Adds a document. Returns whether there was space for it.
    pub fn put(&mut self, number: DocumentNumber, totals: &Totals, now: Duration) -> bool {
        if self.documents.len() >= DOCUMENTS_MAX && !self.documents.contains_key(&number) {
            return false;
        }
        self.documents.insert(number, (seen(totals), now + PAUSE));
        true
    }

    /// Whether this document waits: nothing has changed since the last look at it, and its pause is
    /// not over.
    pub fn is_waiting(&self, number: DocumentNumber, totals: &Totals, now: Duration) -> bool {
        let known = self.documents.get(&number);
        known.is_some_and(|(before, until)| *before == seen(totals) && now < *until)
    }

    pub fn release(&mut self, number: DocumentNumber) {
        self.documents.remove(&number);
    }

    /// Forgets the documents that are due, after a look found nothing to do.
    pub fn forget_due(&mut self, now: Duration) {
        self.documents.retain(|_, (_, until)| *until > now);
    }

    /// When the next document is due, if nothing changes before.
    pub fn next_due(&self) -> Option<Duration> {
        self.documents.values().map(|(_, until)| *until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_waits_until_something_changes_or_its_time_is_over() {
        let mut totals = Totals::default();
        let mut waits = GoodsWaits::default();
        let now = Duration::from_secs(5);
        assert!(!waits.is_waiting(DocumentNumber::new(7), &totals, now));
        assert!(waits.put(DocumentNumber::new(7), &totals, now));
        assert!(waits.is_waiting(DocumentNumber::new(7), &totals, now));
        assert_eq!(waits.next_due(), Some(now + PAUSE));
        assert!(!waits.is_waiting(DocumentNumber::new(7), &totals, now + PAUSE));
        totals.posted.documents += 1;
        assert!(!waits.is_waiting(DocumentNumber::new(7), &totals, now));
        waits.forget_due(now);
        assert_eq!(waits.next_due(), Some(now + PAUSE));
        waits.forget_due(now + PAUSE);
        assert_eq!(waits.next_due(), None);
        waits.put(DocumentNumber::new(7), &totals, now);
        waits.release(DocumentNumber::new(7));
        assert_eq!(waits.next_due(), None);
    }
}
