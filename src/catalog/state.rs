//! The state of the catalog: what it covers, when it was refreshed, and who is notified of changes.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use redb::{ReadableDatabase, ReadableTable};
use tokio::sync::watch;

use super::codes::since_key;
use super::{Catalog, CatalogError, META};
use crate::odoo::{Kind, Order};
use crate::odoo_id::PickingId;

/// The times at which the gateway read the orders in the catalog from Odoo.
#[derive(Debug, Default)]
pub(super) struct AsOf {
    /// The start of the last read that finished. `None`: none finished since the daemon started.
    all: Option<Timestamp>,
    /// The start of the newest read, if it has not finished or has failed. `None`: the last read
    /// finished.
    reading: Option<Timestamp>,
    /// The orders that were stored since the last finished read, and the start of the read that
    /// stored them.
    each: HashMap<PickingId, Timestamp>,
}

impl Catalog {
    /// Subscribes to changes in the catalog; the number rises with each change.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub(super) fn changed(&self) {
        self.news.send_modify(|number| *number += 1);
    }

    /// Notes that a refresh of the catalog finished at this time.
    pub fn note_refreshed(&self, now: Instant) {
        let mut refreshed = self
            .refreshed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *refreshed = Some(now);
    }

    /// The time at which the last refresh finished. `None`: none finished since the daemon started.
    #[must_use]
    pub fn refreshed(&self) -> Option<Instant> {
        *self
            .refreshed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the start of a read: an order that the gateway stores from now on is as in Odoo at
    /// this time or later.
    pub fn reads_orders(&self, now: Timestamp) {
        self.as_of().reading = Some(now);
    }

    /// Notes the end of the read: an order that the read did not store has not changed.
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

    /// The start of the last finished read of the orders, by the gateway's clock. `None`: none
    /// finished since the daemon started.
    #[must_use]
    pub fn orders_as_of(&self) -> Option<Timestamp> {
        self.as_of().all
    }

    /// The start of the last read that covers this order. `None`: no read has since the daemon
    /// started.
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

    /// The time from which the next read asks for changed records of this kind: the start of the
    /// last finished read, less an overlap, in Odoo's form. `None`: the kind was never complete.
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
