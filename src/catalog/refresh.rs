//! Refreshes the catalog: all records once, then those written since, in small pages. It reads all
//! units each time.
//!
//! First barcodes, without which nothing can be posted; then, in `floor`, stock, open orders and
//! what else Odoo may refuse: the gateway works without it.
//!
//! Archived records arrive as changes. A deleted record shows only as a difference in the count:
//! then, and once a day, all records of the kind are read again. A difference that remains after
//! that causes no further read until it changes.

mod floor;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use super::{Catalog, CatalogError};
use crate::board::Board;
use crate::clock;
use crate::odoo::{Client, Kind, Lots, PAGE_ROWS, Row, Warehouse};
use crate::odoo_id::{CompanyId, UnitId};
use crate::outcome::Failure;
use floor::Floor;

/// A record has the start time of its transaction, but is visible only after the transaction's end.
/// So the refresh reads this much more.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);
const FULL_EVERY: Duration = Duration::from_hours(24);

/// The reason why the gateway could not refresh the catalog.
#[derive(Debug, Error)]
pub enum Trouble {
    #[error(transparent)]
    Odoo(#[from] Failure),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

#[derive(Debug, Default)]
pub struct Refresh {
    /// The time of the last full read of each kind since the daemon started.
    full_at: BTreeMap<Kind, Duration>,
    /// Counts (Odoo's, the catalog's) that still differed after a full read: they cause no further
    /// full read.
    accepted: BTreeMap<Kind, (u64, u64)>,
    floor: Floor,
}

impl Refresh {
    /// Has the expiry of API keys read again: the gateway logs in with another key.
    pub fn forget_keys(&mut self) {
        self.floor.forget_keys();
    }

    /// Refreshes the catalog; returns whether records of [`Kind::ALL`] changed. Stock, orders and
    /// names do not count.
    pub async fn run(
        &mut self,
        odoo: &mut Client,
        copy: &Catalog,
        warehouse: &Warehouse,
        board: &Board,
        now: Duration,
    ) -> Result<bool, Trouble> {
        let company = warehouse.company;
        let mut news = false;
        let begun = clock::now();
        for kind in Kind::ALL {
            let since = copy.since(kind)?;
            let aged = self
                .full_at
                .get(&kind)
                .is_some_and(|at| now >= *at + FULL_EVERY);
            self.full_at.entry(kind).or_insert(now);
            // Units are few, and Odoo changes their computed fields without a new `write_date`.
            let whole = aged || kind == Kind::Unit;
            news |= fetch(odoo, copy, kind, company, since.filter(|_| !whole)).await?;
            let counts = (odoo.count(kind, company).await?, copy.count(kind)?);
            if counts.0 != counts.1 && self.accepted.get(&kind) != Some(&counts) {
                news |= fetch(odoo, copy, kind, company, None).await?;
                self.accepted
                    .insert(kind, (odoo.count(kind, company).await?, copy.count(kind)?));
            }
            if aged {
                self.full_at.insert(kind, now);
            }
        }
        if let Some(digits) = odoo.quantity_digits().await? {
            copy.set_digits(digits)?;
        }
        copy.note_all_looked_up(begun);
        copy.set_lots_off(warehouse.lots == Lots::Off)?;
        self.floor.run(odoo, copy, warehouse, board, now).await?;
        copy.note_refreshed(clock::instant());
        Ok(news)
    }
}

/// Reads the records that changed since a time, or all records, page by page.
async fn fetch(
    odoo: &mut Client,
    copy: &Catalog,
    kind: Kind,
    company: CompanyId,
    since: Option<String>,
) -> Result<bool, Trouble> {
    let mut news = false;
    let mut ids = BTreeSet::new();
    let mut after = 0;
    let mut begun = None;
    loop {
        let mut page = odoo.page(kind, company, since.as_deref(), after).await?;
        if kind == Kind::Unit {
            name_units(odoo, copy, &mut page).await?;
        }
        begun.get_or_insert_with(|| odoo.server_time());
        copy.note_clock(odoo.server_time());
        news |= copy.apply(kind, &page)?;
        if since.is_none() {
            ids.extend(page.iter().map(|row| row.id));
        }
        match page.last() {
            Some(last) if page.len() >= PAGE_ROWS => after = last.id,
            _ => break,
        }
    }
    if since.is_none() {
        news |= copy.keep_only(kind, &ids)?;
    }
    if let Some(begun) = begun {
        copy.set_since(kind, &before(begun))?;
    }
    Ok(news)
}

/// Adds the external ids to units. They never change, so the function reads only those of new
/// units.
async fn name_units(odoo: &mut Client, copy: &Catalog, units: &mut [Row]) -> Result<(), Trouble> {
    let mut new = Vec::new();
    for unit in units.iter_mut() {
        let id = UnitId::new(unit.id);
        unit.external = copy.unit_name(id)?;
        if unit.external.is_none() {
            new.push(id);
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    let names = odoo.unit_names(&new).await?;
    for unit in units.iter_mut().filter(|unit| unit.external.is_none()) {
        unit.external = Some(
            names
                .get(&UnitId::new(unit.id))
                .cloned()
                .unwrap_or_default(),
        );
    }
    Ok(())
}

/// The time at which the next read starts, in Odoo's form.
fn before(begun: Timestamp) -> String {
    let since = begun.checked_sub(OVERLAP).unwrap_or(begun);
    since
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}
