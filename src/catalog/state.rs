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
    all: Option<Timestamp>,
    /// The start of a read that has not finished; `each` has the orders that it has stored.
    reading: Option<Timestamp>,
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

    /// Notes that the catalog was fully refreshed at this time.
    pub fn note_refreshed(&self, now: Instant) {
        let mut refreshed = self
            .refreshed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *refreshed = Some(now);
    }

    /// The time of the last full refresh. `None`: no full refresh since the daemon started.
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

    /// The start of the last full read of the orders, by the gateway's clock. `None`: no full read
    /// since the daemon started.
    #[must_use]
    pub fn orders_as_of(&self) -> Option<Timestamp> {
        self.as_of().all
    }

    /// The start of the last read that covers this order.
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

    /// The newest `write_date` of this kind in the catalog. `None`: the kind was never complete.
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
