//! Deferred documents: Odoo gives no answer to calls about them, while it answers other calls; or
//! it still holds them open after an interrupted send, and they no longer resolve. Each is retried
//! alone, after growing pauses. Pure, and in memory: after a restart they are sent like any other
//! document.

use crate::document::DocumentNumber;
use std::collections::BTreeMap;
use std::time::Duration;

const PAUSE_MIN: Duration = Duration::from_mins(1);
const PAUSE_MAX: Duration = Duration::from_hours(1);
/// Limit of deferred documents. One more, and the document that is due first is sent like any
/// other.
const DOCUMENTS_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub struct Deferred {
    documents: BTreeMap<DocumentNumber, Pause>,
}

#[derive(Debug)]
struct Pause {
    times: u32,
    until: Duration,
}

impl Deferred {
    /// Defers a document, and returns for how long.
    pub fn put(&mut self, number: DocumentNumber, now: Duration) -> Duration {
        let first = self.documents.iter().min_by_key(|(_, pause)| pause.until);
        if let Some(first) = first.map(|(first, _)| *first)
            && self.documents.len() >= DOCUMENTS_MAX
            && !self.contains(number)
        {
            self.documents.remove(&first);
        }
        let pause = self.documents.entry(number).or_insert(Pause {
            times: 0,
            until: now,
        });
        let length = PAUSE_MIN
            .saturating_mul(1 << pause.times.min(6))
            .min(PAUSE_MAX);
        pause.times += 1;
        pause.until = now + length;
        length
    }

    /// Odoo answered about this document. It may answer about the other documents as well, so they
    /// are due.
    pub fn answered(&mut self, number: DocumentNumber, now: Duration) {
        if self.documents.remove(&number).is_some() {
            for pause in self.documents.values_mut() {
                pause.until = pause.until.min(now);
            }
        }
    }

    pub fn contains(&self, number: DocumentNumber) -> bool {
        self.documents.contains_key(&number)
    }

    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// The deferred document that is due first and can be retried now.
    pub fn due(&self, now: Duration) -> Option<DocumentNumber> {
        let (number, pause) = self.documents.iter().min_by_key(|(_, p)| p.until)?;
        (pause.until <= now).then_some(*number)
    }

    /// When the next deferred document is due.
    pub fn next_due(&self) -> Option<Duration> {
        self.documents.values().map(|pause| pause.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_a_minute_to_an_hour() {
        let mut aside = Deferred::default();
        let mut now = Duration::ZERO;
        let mut minutes = Vec::new();
        for _ in 0..8 {
            assert_eq!(
                aside.due(now),
                minutes.last().map(|_| DocumentNumber::new(7))
            );
            let pause = aside.put(DocumentNumber::new(7), now);
            minutes.push(pause.as_secs() / 60);
            assert_eq!(aside.due(now), None);
            now += pause;
            assert_eq!(aside.next_due(), Some(now));
        }
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn an_answer_about_one_makes_the_others_due() {
        let mut aside = Deferred::default();
        let now = Duration::from_secs(5);
        for number in [7, 8].map(DocumentNumber::new) {
            aside.put(number, now);
        }
        aside.answered(DocumentNumber::new(1), now);
        assert_eq!(aside.due(now), None);
        aside.answered(DocumentNumber::new(7), now);
        assert_eq!(aside.due(now), Some(DocumentNumber::new(8)));
        assert_eq!(aside.documents.len(), 1);
    }

    #[test]
    fn it_holds_so_many_and_no_more() {
        let mut aside = Deferred::default();
        for number in 0..=DOCUMENTS_MAX as u64 {
            aside.put(DocumentNumber::new(number), Duration::from_secs(number));
        }
        assert_eq!(aside.documents.len(), DOCUMENTS_MAX);
        assert!(!aside.contains(DocumentNumber::ZERO) && aside.contains(DocumentNumber::new(1)));
    }
}
