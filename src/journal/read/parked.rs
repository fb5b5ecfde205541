//! Finds parked documents by their reason code or by the beginning of their key, without decoding
//! other documents.

use super::super::damage::JournalError;
use super::super::{stored, tables};
use super::Journal;
use super::search::PART_RECORDS;
use crate::document::{DocumentKey, DocumentNumber, State};
use crate::reason::{Code, ReasonCode};

/// A part of the parked documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedPart {
    /// The documents that are parked for the reason, in the order of their numbers.
    pub numbers: Vec<DocumentNumber>,
    /// All parked documents up to this number were read.
    pub next: DocumentNumber,
    /// How many parked documents were read.
    pub searched: u64,
    /// No further document is parked.
    pub is_last: bool,
}

impl Journal {
    /// Finds documents with a number above `after` that are parked with this reason code: at most
    /// `limit`, among the next [`PART_RECORDS`] parked documents.
    pub fn parked_with(
        &self,
        code: &Code<ReasonCode>,
        after: DocumentNumber,
        limit: usize,
    ) -> Result<ParkedPart, JournalError> {
        self.alarm.look(|| {
            let read = self.read()?;
            let by_state = read.open_table(tables::BY_STATE)?;
            let progress = read.open_table(tables::PROGRESS)?;
            let mut part = ParkedPart {
                next: after,
                ..ParkedPart::default()
            };
            let mut parked = by_state.range(tables::in_state(State::Parked, after.next()))?;
            for _ in 0..PART_RECORDS {
                let Some(entry) = parked.next().transpose()? else {
                    part.is_last = true;
                    break;
                };
                if part.numbers.len() == limit {
                    break;
                }
                let number = DocumentNumber::new(entry.0.value().1);
                let stored = progress.get(number.get())?;
                let stored = stored.map(|bytes| stored::progress_out(bytes.value()));
                let reason = stored.transpose()?.and_then(|progress| progress.reason);
                if reason.is_some_and(|reason| reason.code == *code) {
                    part.numbers.push(number);
                }
                part.next = number;
                part.searched += 1;
            }
            Ok(part)
        })
    }

    /// Finds the parked documents whose keys are in this range: at most `limit`, in the order of
    /// their keys.
    pub fn parked_between(
        &self,
        first: DocumentKey,
        last: DocumentKey,
        limit: usize,
    ) -> Result<Vec<DocumentNumber>, JournalError> {
        self.alarm.look(|| {
            let read = self.read()?;
            let by_state = read.open_table(tables::BY_STATE)?;
            let keys = read.open_table(tables::DOCUMENT_KEYS)?;
            let mut numbers = Vec::new();
            for entry in keys.range(first.0..=last.0)? {
                let number = DocumentNumber::new(entry?.1.value());
                let parked = tables::by_state_key(State::Parked, number);
                if by_state.get(parked)?.is_some() {
                    numbers.push(number);
                }
                if numbers.len() == limit {
                    break;
                }
            }
            Ok(numbers)
        })
    }
}
