//! Calls that got no answer, by document. Odoo may still carry out such a call after the document
//! was posted by a later call, discarded or reversed. So the gateway checks each of these documents
//! once the call can no longer be running.
//!
//! The journal stores, under the number of the document, when the gateway abandoned the last such
//! call.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::journal::{Journal, JournalError, Namespace, SideChange, SideKey};

#[derive(Debug, Default)]
pub struct LateCalls(BTreeMap<u64, Timestamp>);

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
    pub fn note(&mut self, numbers: &[u64], now: Timestamp) -> Vec<SideChange> {
        let mut changes = Vec::new();
        for number in numbers {
            self.0.insert(*number, now);
            changes.push((path(*number), Some(now.to_string().into_bytes())));
        }
        changes
    }

    /// `by` takes back what document `of` did. What a call about `of` may still do is then to be
    /// judged by `by`.
    pub fn taken_back(&mut self, of: u64, by: u64) -> Vec<SideChange> {
        match self.0.get(&of).max(self.0.get(&by)).copied() {
            Some(at) => self.note(&[by], at),
            None => Vec::new(),
        }
    }

    /// A document whose last call without an answer can no longer be running, with a number above
    /// `after`.
    #[must_use]
    pub fn due(&self, now: Timestamp, late: SignedDuration, after: u64) -> Option<u64> {
        let over = |at: &Timestamp| now.duration_since(*at) >= late;
        let mut above = self.0.range(after + 1..);
        above.find(|(_, at)| over(at)).map(|(number, _)| *number)
    }

    /// A call about this document came to no answer, and may still be running.
    #[must_use]
    pub fn holds(&self, number: u64) -> bool {
        self.0.contains_key(&number)
    }

    /// Removes a call whose late effect was looked for. Returns the changes to store.
    pub fn remove(&mut self, number: u64) -> Vec<SideChange> {
        match self.0.remove(&number) {
            Some(_) => vec![(path(number), None)],
            None => Vec::new(),
        }
    }
}

fn path(number: u64) -> SideKey {
    Namespace::LateCalls.key(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_document_is_due_when_its_last_call_can_no_longer_run() {
        let mut late = LateCalls::default();
        let limit = SignedDuration::from_secs(900);
        assert_eq!(late.note(&[7, 9], at(100)).len(), 2);
        assert_eq!(late.due(at(999), limit, 0), None);
        assert_eq!(late.due(at(1_000), limit, 0), Some(7));
        assert_eq!(late.due(at(1_000), limit, 7), Some(9));
        // A later call about it was given up as well.
        late.note(&[7], at(150));
        assert_eq!(late.due(at(1_000), limit, 0), Some(9));
        assert_eq!(late.remove(9), [(Namespace::LateCalls.key("9"), None)]);
        assert_eq!(late.remove(9), []);
        assert_eq!(late.due(at(1_050), limit, 0), Some(7));
    }

    #[test]
    fn what_takes_a_document_back_is_looked_at_in_its_place() {
        let mut late = LateCalls::default();
        assert_eq!(late.taken_back(7, 8), []);
        late.note(&[7], at(100));
        assert_eq!(
            late.taken_back(7, 8),
            [(
                Namespace::LateCalls.key("8"),
                Some(at(100).to_string().into_bytes())
            )]
        );
    }
}
