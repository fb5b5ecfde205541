//! Calls that got no answer, by document. Odoo may still carry out such a call after its document
//! has ended. When the call can no longer be running, `forward/undo/late_effects.rs` decides
//! whether the gateway looks for the effect of the call in Odoo.
//!
//! The journal stores when the gateway abandoned the last such call, under the number of the
//! document. If the document was undone, the journal stores the time also under the number of the
//! undo.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::document::DocumentNumber;
use crate::journal::{Journal, JournalError, Namespace, SideChange, SideKey};

#[derive(Debug, Default)]
pub struct LateCalls(BTreeMap<DocumentNumber, Timestamp>);

impl LateCalls {
    pub fn load(journal: &Journal) -> Result<Self, JournalError> {
        let values = journal.read_namespace(Namespace::LateCalls)?;
        let read = |(path, at): &(String, Vec<u8>)| {
            let number = path.parse().ok()?;
            Some((number, std::str::from_utf8(at).ok()?.parse().ok()?))
        };
        Ok(Self(values.iter().filter_map(read).collect()))
    }

    /// Notes that the gateway abandons calls about these documents. Returns the changes to store.
    pub fn note(&mut self, numbers: &[DocumentNumber], now: Timestamp) -> Vec<SideChange> {
        let mut changes = Vec::new();
        for number in numbers {
            self.0.insert(*number, now);
            changes.push((path(*number), Some(now.to_string().into_bytes())));
        }
        changes
    }

    /// Notes that `by` undoes document `of`. From now on the late effect of a call about `of` is
    /// judged by `by`.
    pub fn taken_back(&mut self, of: DocumentNumber, by: DocumentNumber) -> Vec<SideChange> {
        match self.0.get(&of).max(self.0.get(&by)).copied() {
            Some(at) => self.note(&[by], at),
            None => Vec::new(),
        }
    }

    /// A document, with a number above `after`, whose last call without an answer cannot be running
    /// any more.
    #[must_use]
    pub fn due(
        &self,
        now: Timestamp,
        late: SignedDuration,
        after: DocumentNumber,
    ) -> Option<DocumentNumber> {
        let over = |at: &Timestamp| now.duration_since(*at) >= late;
        let mut above = self.0.range(after.next()..);
        above.find(|(_, at)| over(at)).map(|(number, _)| *number)
    }

    /// Whether a call about this document got no answer and may still be running.
    #[must_use]
    pub fn holds(&self, number: DocumentNumber) -> bool {
        self.0.contains_key(&number)
    }

    /// Removes a call whose late effect was looked for. Returns the changes to store.
    pub fn remove(&mut self, number: DocumentNumber) -> Vec<SideChange> {
        match self.0.remove(&number) {
            Some(_) => vec![(path(number), None)],
            None => Vec::new(),
        }
    }
}

fn path(number: DocumentNumber) -> SideKey {
    Namespace::LateCalls.key(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVEN: DocumentNumber = DocumentNumber::new(7);
    const NINE: DocumentNumber = DocumentNumber::new(9);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_document_is_due_when_its_last_call_can_no_longer_run() {
        let mut late = LateCalls::default();
        let limit = SignedDuration::from_secs(900);
        assert_eq!(late.note(&[SEVEN, NINE], at(100)).len(), 2);
        assert_eq!(late.due(at(999), limit, DocumentNumber::ZERO), None);
        assert_eq!(
            late.due(at(1_000), limit, DocumentNumber::ZERO),
            Some(SEVEN)
        );
        assert_eq!(late.due(at(1_000), limit, SEVEN), Some(NINE));
        // A later call about the document was abandoned as well.
        late.note(&[SEVEN], at(150));
        assert_eq!(late.due(at(1_000), limit, DocumentNumber::ZERO), Some(NINE));
        assert_eq!(late.remove(NINE), [(Namespace::LateCalls.key("9"), None)]);
        assert_eq!(late.remove(NINE), []);
        assert_eq!(
            late.due(at(1_050), limit, DocumentNumber::ZERO),
            Some(SEVEN)
        );
    }

    #[test]
    fn what_takes_a_document_back_is_looked_at_in_its_place() {
        let mut late = LateCalls::default();
        assert_eq!(late.taken_back(SEVEN, SEVEN.next()), []);
        late.note(&[SEVEN], at(100));
        assert_eq!(
            late.taken_back(SEVEN, SEVEN.next()),
            [(
                Namespace::LateCalls.key("8"),
                Some(at(100).to_string().into_bytes())
            )]
        );
    }
}
