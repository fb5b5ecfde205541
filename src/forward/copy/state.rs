//! How far the copy goes, how fresh it is, and who hears of its changes.

use std::sync::PoisonError;
use std::time::Instant;

use jiff::Timestamp;
use redb::{ReadableDatabase, ReadableTable};
use tokio::sync::watch;

use super::{Copy, CopyError, META, since_key};
use crate::forward::odoo::Kind;

impl Copy {
    /// Wakes when what is looked up here has changed; the number rises.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub(super) fn changed(&self) {
        self.news.send_modify(|number| *number += 1);
    }

    /// All of it was brought up to date just now.
    pub fn note_refreshed(&self, now: Instant) {
        let mut refreshed = self
            .refreshed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *refreshed = Some(now);
    }

    /// When all of it was brought up to date, if it was since the start.
    #[must_use]
    pub fn refreshed(&self) -> Option<Instant> {
        *self
            .refreshed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on it has the orders as Odoo had them then, or later.
    pub fn note_orders(&self, then: Timestamp) {
        let mut as_of = self
            .orders_as_of
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *as_of = Some(then);
    }

    /// As of when it has the orders, by the gateway's clock; none before they were read since the start.
    #[must_use]
    pub fn orders_as_of(&self) -> Option<Timestamp> {
        *self
            .orders_as_of
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest `write_date` that the copy knows of this kind; none before it was complete once.
    pub fn since(&self, kind: Kind) -> Result<Option<String>, CopyError> {
        self.meta(&since_key(kind))
    }

    pub fn set_since(&self, kind: Kind, since: &str) -> Result<(), CopyError> {
        self.set_meta(&since_key(kind), since)?;
        Ok(())
    }

    pub(super) fn meta(&self, key: &str) -> Result<Option<String>, CopyError> {
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        let meta = read.open_table(META).map_err(|e| self.broken(&e))?;
        let value = meta.get(key).map_err(|e| self.broken(&e))?;
        Ok(value.map(|v| v.value().to_owned()))
    }

    pub(super) fn set_meta(&self, key: &str, value: &str) -> Result<bool, CopyError> {
        self.write(|write| {
            let mut meta = write.open_table(META)?;
            let known = meta.get(key)?.is_some_and(|v| v.value() == value);
            if !known {
                meta.insert(key, value)?;
            }
            Ok(!known)
        })
    }
}
