//! Reads the whole journal in one transaction, for an export.

use redb::ReadTransaction;

use super::super::damage::JournalError;
use super::Journal;

impl Journal {
    /// Runs a reader of everything that the writer has answered. Until it returns, redb cannot use
    /// pages again that the writer frees.
    pub(in crate::journal) fn read_whole<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.alarm.look(|| read(&self.read()?))
    }
}
