//! The state of the catalog: what it covers, when it was refreshed, and who is notified of changes.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use redb::{ReadableDatabase, ReadableTable};
use tokio::sync::watch;

use super::{Catalog, CatalogError, META, since_key};
use crate::odoo::{Kind, Order};
use crate::odoo_id::PickingId;

/// As of when the orders are as Odoo had them.
#[derive(Debug, Default)]
pub(super) struct AsOf {
    all: Option<Timestamp>,
    /// While they are read: since when, and those that were put in already.
    reading: Option<Timestamp>,
    each: HashMap<PickingId, Timestamp>,
}

impl Catalog {
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

    /// Orders that are put in from here on are as Odoo has them now, or later.
    pub fn reads_orders(&self, now: Timestamp) {
        self.as_of().reading = Some(now);
    }

    /// All of them are: what was not put in has not changed.
    pub fn read_orders(&self) {
        let mut as_of = self.as_of();
        as_of.all = as_of.reading.take();
        as_of.each.clear();
    }

    pub(super) fn put_in(&self, orders: &[Order]) {
        let mut as_of = self.as_of();
        if let Some(now) = as_of.reading {
            as_of
                .each
                .extend(orders.iter().map(|order| (order.id, now)));
        }
    }

    /// As of when it has all orders, by the gateway's clock; none before they were read since the
    /// start.
    #[must_use]
    pub fn orders_as_of(&self) -> Option<Timestamp> {
        self.as_of().all
    }

    /// As of when it has this order.
    #[must_use]
    pub fn order_as_of(&self, order: PickingId) -> Option<Timestamp> {
        let as_of = self.as_of();
        as_of.each.get(&order).copied().or(as_of.all)
    }

    fn as_of(&self) -> MutexGuard<'_, AsOf> {
        self.orders_as_of
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest `write_date` that the copy knows of this kind; none before it was complete once.
    pub fn since(&self, kind: Kind) -> Result<Option<String>, CatalogError> {
        self.meta(&since_key(kind))
    }

    pub fn set_since(&self, kind: Kind, since: &str) -> Result<(), CatalogError> {
        self.set_meta(&since_key(kind), since)?;
        Ok(())
    }

    pub(super) fn meta(&self, key: &str) -> Result<Option<String>, CatalogError> {
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        let meta = read.open_table(META).map_err(|e| self.broken(&e))?;
        let value = meta.get(key).map_err(|e| self.broken(&e))?;
        Ok(value.map(|v| v.value().to_owned()))
    }

    pub(super) fn set_meta(&self, key: &str, value: &str) -> Result<bool, CatalogError> {
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
