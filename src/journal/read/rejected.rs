//! Finds rejected readings among the newest ones, without decoding the others: they have no index
//! by id, or by the event that a person created from them.

use super::super::damage::JournalError;
use super::super::{stored, tables};
use super::{Journal, Rejected, with_audit};
use crate::event::{RejectedNumber, Seq};

/// Numbers of rejected readings that are searched, the newest ones.
const SEARCHED_MAX: u64 = 10_000;

impl Journal {
    /// The newest rejected reading whose device and id match, among the newest 10,000.
    pub fn rejected_with(
        &self,
        matches: impl Fn(&str, &str) -> bool,
    ) -> Result<Option<Rejected>, JournalError> {
        self.alarm.look(|| {
            let read = self.read()?;
            let table = read.open_table(tables::REJECTED)?;
            for entry in table.range(self.first_searched()..)?.rev() {
                let (number, bytes) = entry?;
                let (device, id) = stored::rejection_head(bytes.value())?;
                if id.is_some_and(|id| matches(device, id)) {
                    let number = RejectedNumber::new(number.value());
                    return Ok(Some(with_audit(&read, number, bytes.value())?));
                }
            }
            Ok(None)
        })
    }

    /// The rejected reading from which a person or its device created this event, among the newest
    /// 10,000.
    pub fn rejected_before(&self, event: Seq) -> Result<Option<Rejected>, JournalError> {
        self.alarm.look(|| {
            let read = self.read()?;
            let table = read.open_table(tables::REJECTED)?;
            let audit = read.open_table(tables::REJECTED_AUDIT)?;
            for entry in audit.range(self.first_searched()..)?.rev() {
                let (number, record) = entry?;
                if stored::audit_out(record.value())?.names(event)
                    && let Some(bytes) = table.get(number.value())?
                {
                    let number = RejectedNumber::new(number.value());
                    return Ok(Some(with_audit(&read, number, bytes.value())?));
                }
            }
            Ok(None)
        })
    }

    /// The oldest rejected reading that a search reads.
    pub(super) fn first_searched(&self) -> u64 {
        let newest = RejectedNumber::new(self.totals().rejected);
        newest.back_by(SEARCHED_MAX).next().get()
    }
}
