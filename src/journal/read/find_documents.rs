//! Finds documents by number, key, picking, reason and changed lines, and rejected readings by
//! their texts.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::damage::JournalError;
use super::super::terms::{DocumentTermKind, Needle, TermKind};
use super::super::{stored, tables};
use super::Journal;
use crate::document::{DocumentKey, DocumentNumber};
use crate::event::RejectedNumber;

/// Documents that a search finds, at most.
pub const DOCUMENTS_FOUND_MAX: usize = 10_001;
/// The decimal digits of the largest document number.
const DIGITS_MAX: u32 = 19;
const KEY_DIGITS: usize = 32;

/// The documents that a text names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentsFound {
    /// Each document once, the newest first.
    pub numbers: Vec<DocumentNumber>,
    /// The pickings that match, folded, each with its newest document; the newest first.
    pub pickings: Vec<(String, DocumentNumber)>,
    /// The reason codes that match, in the same form.
    pub reasons: Vec<(String, DocumentNumber)>,
    /// Documents that replace another and have the text in a line, or as their order, with the
    /// kind of the text. A document may come several times.
    pub lines: Vec<(TermKind, DocumentNumber)>,
    /// There are more.
    pub is_cut: bool,
}

impl Journal {
    /// Finds the documents up to this number whose number, key, picking or reason matches, and
    /// those that replace another and have a matching text in a line.
    pub fn find_documents(
        &self,
        needle: &Needle,
        upto: DocumentNumber,
    ) -> Result<DocumentsFound, JournalError> {
        let mut found = self.find_terms(needle, upto)?;
        let mut numbers = std::mem::take(&mut found.numbers);
        self.find_numbers(needle, upto, &mut numbers)?;
        self.find_keys(needle, upto, &mut numbers)?;
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        numbers.dedup();
        found.is_cut |= numbers.len() >= DOCUMENTS_FOUND_MAX;
        numbers.truncate(DOCUMENTS_FOUND_MAX);
        Ok(DocumentsFound { numbers, ..found })
    }

    fn find_terms(
        &self,
        needle: &Needle,
        upto: DocumentNumber,
    ) -> Result<DocumentsFound, JournalError> {
        let mut found = DocumentsFound::default();
        let lines = TermKind::ALL.into_iter();
        let lines = lines.filter(|kind| needle.kinds().has(*kind));
        let kinds = [DocumentTermKind::Picking, DocumentTermKind::Reason];
        for kind in kinds.into_iter().chain(lines.map(DocumentTermKind::Line)) {
            let mut names: BTreeMap<String, DocumentNumber> = BTreeMap::new();
            self.alarm.look(|| {
                let terms = self.read()?.open_table(tables::DOCUMENT_TERMS)?;
                let stored_kind = stored::document_term_number(kind);
                for entry in terms.range((stored_kind, needle.folded(), 0)..)? {
                    let (key, ()) = (entry?.0, ());
                    let (of, text, number) = key.value();
                    let is_over = of != stored_kind || !text.starts_with(needle.folded());
                    if is_over || !needle.matches_text(text) {
                        break;
                    }
                    if found.numbers.len() + found.lines.len() >= DOCUMENTS_FOUND_MAX {
                        found.is_cut = true;
                        break;
                    }
                    let number = DocumentNumber::new(number);
                    if number > upto {
                        continue;
                    }
                    if let DocumentTermKind::Line(kind) = kind {
                        found.lines.push((kind, number));
                    } else {
                        found.numbers.push(number);
                        let newest = names.entry(text.to_owned()).or_default();
                        *newest = number.max(*newest);
                    }
                }
                Ok(())
            })?;
            let mut names: Vec<_> = names.into_iter().collect();
            names.sort_by_key(|(_, newest)| std::cmp::Reverse(*newest));
            match kind {
                DocumentTermKind::Picking => found.pickings = names,
                DocumentTermKind::Reason => found.reasons = names,
                DocumentTermKind::Line(_) => {}
            }
        }
        Ok(found)
    }

    /// Adds the documents whose number begins with these digits, or is this number.
    fn find_numbers(
        &self,
        needle: &Needle,
        upto: DocumentNumber,
        numbers: &mut Vec<DocumentNumber>,
    ) -> Result<(), JournalError> {
        let digits = needle.folded();
        let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
        let first = digits.parse::<u64>().ok().filter(|_| is_number);
        let Some(first) = first.filter(|first| *first > 0 && !digits.starts_with('0')) else {
            return Ok(());
        };
        self.alarm.look(|| {
            let progress = self.read()?.open_table(tables::PROGRESS)?;
            let more = if needle.is_prefix() { DIGITS_MAX } else { 0 };
            for more in 0..=more {
                let times = 10_u64.saturating_pow(more);
                let from = first.saturating_mul(times);
                if from > upto.get() || numbers.len() > 2 * DOCUMENTS_FOUND_MAX {
                    break;
                }
                let to = from.saturating_add(times - 1).min(upto.get());
                for entry in progress.range(from..=to)?.rev().take(DOCUMENTS_FOUND_MAX) {
                    numbers.push(DocumentNumber::new(entry?.0.value()));
                }
            }
            Ok(())
        })
    }

    /// Adds the documents whose key begins with these digits.
    fn find_keys(
        &self,
        needle: &Needle,
        upto: DocumentNumber,
        numbers: &mut Vec<DocumentNumber>,
    ) -> Result<(), JournalError> {
        let digits = needle.folded();
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !is_hex || digits.len() > KEY_DIGITS || !needle.is_prefix() && digits.len() < KEY_DIGITS
        {
            return Ok(());
        }
        let key = |fill: char| {
            let digits = digits.chars().chain(std::iter::repeat(fill));
            let key: String = digits.take(KEY_DIGITS).collect();
            key.parse::<DocumentKey>().ok()
        };
        let (Some(first), Some(last)) = (key('0'), key('f')) else {
            return Ok(());
        };
        self.alarm.look(|| {
            let keys = self.read()?.open_table(tables::DOCUMENT_KEYS)?;
            for entry in keys.range(first.0..=last.0)?.take(DOCUMENTS_FOUND_MAX) {
                let number = DocumentNumber::new(entry?.1.value());
                numbers.extend((number <= upto).then_some(number));
            }
            Ok(())
        })
    }

    /// Finds the rejected readings up to this number, among the newest 10,000, whose id, device or
    /// reason code matches, and that were received at or after `since`. The newest first.
    pub fn find_rejected(
        &self,
        needle: &Needle,
        since: Option<Timestamp>,
        upto: RejectedNumber,
    ) -> Result<Vec<RejectedNumber>, JournalError> {
        let since_us = since.map_or(i64::MIN, Timestamp::as_microsecond);
        self.alarm.look(|| {
            let table = self.read()?.open_table(tables::REJECTED)?;
            let mut numbers = Vec::new();
            let first = self.first_searched();
            for entry in table.range(first..=upto.get().max(first))?.rev() {
                let (number, bytes) = entry?;
                let texts = stored::rejection_texts(bytes.value())?;
                let has_id = |id: &str| {
                    needle.matches(TermKind::Event, id) && needle.accepts_device(texts.device)
                };
                let is_named = [texts.device, texts.code]
                    .into_iter()
                    .any(|text| !needle.needs_device() && needle.matches_text(text));
                if texts.received_us >= since_us && (is_named || texts.id.is_some_and(has_id)) {
                    numbers.push(RejectedNumber::new(number.value()));
                }
            }
            Ok(numbers)
        })
    }
}
