//! The catalog: a copy on disk of Odoo's master data. It gives the meaning of barcodes, so that the
//! gateway does not ask Odoo about each scan.
//!
//! **In**: rows as Odoo has them, first all and then those written since. **Out**: products with
//! their factor, locations, lots, packages, orders. Each reader has a clone and reads at the same
//! time as others. The catalog is a cache: if its file is damaged, has another format, or belongs
//! to another server, database or company, the gateway empties the catalog and fetches it again.
//! Records that are archived in Odoo are dropped here.

mod codes;
mod floor;
pub mod known;
mod meaning;
mod quantity;
pub mod refresh;
mod state;
mod units;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use redb::{
    Database, MultimapTableDefinition, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition, TableError, WriteTransaction,
};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use thiserror::Error;
use tokio::sync::watch;

pub(crate) use self::codes::lot_code;
use self::codes::{CodeOf, codes, number};
use self::meaning::{LookedUp, MEANT};
use self::state::AsOf;
pub use floor::{Called, Lot, OrderFound, Planned, PlannedLine};
pub use meaning::{Coded, Meaning};
pub use quantity::{Measure, Unfit};
pub use words::ProductsNamed;

use crate::odoo::{Kind, Row};
use crate::odoo_id::{CompanyId, LocationId, ProductId, UnitId};

const FILE: &str = "odoo-copy.redb";
const CACHE_BYTES: usize = 1 << 20;
/// The version of the stored form. The daemon fetches a catalog of another version again.
const FORMAT: u8 = 3;

/// Kind and id → the row as JSON. The catalog is a cache, so [`FORMAT`] is the only version that
/// its form needs.
const ROWS: TableDefinition<(u8, i64), &[u8]> = TableDefinition::new("rows");
/// A key in [`META`]: the decimals of quantities.
const DIGITS: &str = "digits";
/// The most decimals. Odoo's precision is one or two digits; the floating point of a stock has less
/// than ten decimals.
const DIGITS_MAX: u32 = 10;
/// The kind of a code (see [`CodeOf`]) and the code → ids.
const CODES: MultimapTableDefinition<(u8, &str), i64> = MultimapTableDefinition::new("codes");
/// `identity`, and `since/KIND`: the time from which the next read asks for changes.
const META: TableDefinition<&str, &str> = TableDefinition::new("meta");

/// The daemon cannot use the catalog; [`Catalog::open`] creates a new one.
#[derive(Debug, Error)]
#[error(
    "cannot use the copy of Odoo's data {path}: {why}; the gateway fetches it again by itself; if the error stays, check that the disk is not full or broken"
)]
pub struct CatalogError {
    path: PathBuf,
    why: String,
}

/// The meaning of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    One(T),
    Nothing,
    /// The names of several records with the code. A person must change their codes so that each is
    /// unique.
    Several(Vec<String>),
}

/// A product, and the quantity in its own unit that one scan of the code means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    pub id: ProductId,
    /// The product's own unit of measure.
    pub unit: UnitId,
    pub name: String,
    /// Tracked by lot or by serial number.
    pub tracked: bool,
    /// Tracked by serial number: each number has the quantity one.
    pub serial: bool,
    pub measure: Measure,
    /// Whether the product's lots have dates in Odoo.
    pub has_dates: bool,
}

/// The catalog of one database; clones share it.
#[derive(Debug, Clone)]
pub struct Catalog {
    path: Arc<Path>,
    db: Arc<Database>,
    /// The number rises with each change in the catalog.
    news: Arc<watch::Sender<u64>>,
    refreshed: Arc<Mutex<Option<Instant>>>,
    orders_as_of: Arc<Mutex<AsOf>>,
    looked_up: Arc<Mutex<LookedUp>>,
}

/// Identifies the server, database and company of a catalog.
#[must_use]
pub fn identity(url: &str, database: &str, company: CompanyId) -> String {
    format!("{}{company}", site(url, database))
}

fn site(url: &str, database: &str) -> String {
    format!("{url} {database} ")
}

impl Catalog {
    /// Opens the catalog in `data_dir`. Deletes a catalog that is damaged or has another `identity`
    /// (server, database, company), and creates a new one.
    pub fn open(data_dir: &Path, identity: &str) -> Result<Self, CatalogError> {
        let path = data_dir.join(FILE);
        let open = || {
            let copy = Self::over(&path, builder().create(&path))?;
            copy.claim(identity)?;
            Ok(copy)
        };
        open().or_else(|first: CatalogError| {
            tracing::warn!(error = %first, "deleting the copy of Odoo's data: the gateway fetches it again");
            std::fs::remove_file(&path).map_err(|e| error(&path, &e))?;
            open()
        })
    }

    /// Opens the last catalog in `data_dir` if it belongs to this server and database, with any
    /// company. The daemon uses it until Odoo answers. An error means that the catalog is damaged;
    /// [`Catalog::open`] creates a new one.
    pub fn open_last(
        data_dir: &Path,
        url: &str,
        database: &str,
    ) -> Result<Option<Self>, CatalogError> {
        let path = data_dir.join(FILE);
        if !path.try_exists().map_err(|e| error(&path, &e))? {
            return Ok(None);
        }
        let copy = Self::over(&path, builder().open(&path))?;
        let known = copy.identity()?;
        let site = format!("{FORMAT} {}", site(url, database));
        let company = known.as_deref().and_then(|known| known.strip_prefix(&site));
        Ok(company
            .is_some_and(|company| company.parse::<i64>().is_ok())
            .then_some(copy))
    }

    fn over(path: &Path, db: Result<Database, redb::DatabaseError>) -> Result<Self, CatalogError> {
        Ok(Self {
            db: Arc::new(db.map_err(|e| error(path, &e))?),
            path: path.into(),
            news: Arc::new(watch::Sender::new(0)),
            refreshed: Arc::default(),
            orders_as_of: Arc::default(),
            looked_up: Arc::default(),
        })
    }

    /// Removes the catalog from the disk. Clones still read the deleted file.
    pub fn discard(self) -> Result<(), CatalogError> {
        std::fs::remove_file(&self.path).map_err(|e| error(&self.path, &e))
    }

    fn identity(&self) -> Result<Option<String>, CatalogError> {
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        match read.open_table(META) {
            Ok(meta) => {
                let known = meta.get("identity").map_err(|e| self.broken(&e))?;
                Ok(known.map(|v| v.value().to_owned()))
            }
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(e) => Err(self.broken(&e)),
        }
    }

    /// Empties the catalog, for all clones, unless it has this `identity`.
    pub fn claim(&self, identity: &str) -> Result<(), CatalogError> {
        let identity = format!("{FORMAT} {identity}");
        let own = self.identity()?.as_ref() == Some(&identity);
        self.write(|write| {
            if !own {
                write.delete_table(ROWS)?;
                write.delete_table(floor::ORDERS)?;
                write.delete_multimap_table(CODES)?;
                write.delete_table(META)?;
                write.delete_table(MEANT)?;
                write
                    .open_table(META)?
                    .insert("identity", identity.as_str())?;
            }
            write.open_table(ROWS)?;
            write.open_table(floor::ORDERS)?;
            write.open_multimap_table(CODES)?;
            Ok(!own)
        })?;
        if !own {
            self.forget_looked_up();
            self.changed();
        }
        Ok(())
    }

    /// Whether the catalog was once complete. Before that, a missing record may exist in Odoo.
    pub fn is_complete(&self) -> Result<bool, CatalogError> {
        for kind in Kind::ALL {
            if self.since(kind)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Stores rows; returns whether they changed the catalog.
    pub fn apply(&self, kind: Kind, rows: &[Row]) -> Result<bool, CatalogError> {
        let notes = self.notes(kind, rows)?;
        let news = self.write(|write| {
            if !notes.is_empty() {
                meaning::write(&mut write.open_table(MEANT)?, &notes)?;
            }
            let mut stored = write.open_table(ROWS)?;
            let mut index = write.open_multimap_table(CODES)?;
            let mut news = false;
            for row in rows {
                let key = (number(kind), row.id);
                let bytes = serde_json::to_vec(row)?;
                let before = stored.get(key)?.map(|v| v.value().to_vec());
                if row.active && before.as_deref() == Some(&bytes) {
                    continue;
                }
                news |= row.active || before.is_some();
                if let Some(before) = before {
                    let old: Row = serde_json::from_slice(&before)?;
                    for (of, code) in codes(kind, &old) {
                        index.remove((of as u8, code.as_str()), row.id)?;
                    }
                    stored.remove(key)?;
                }
                if row.active {
                    stored.insert(key, bytes.as_slice())?;
                    for (of, code) in codes(kind, row) {
                        index.insert((of as u8, code.as_str()), row.id)?;
                    }
                }
            }
            Ok(news)
        })?;
        if news {
            self.changed();
        }
        Ok(news)
    }

    /// Removes the rows whose ids are not in `ids`: Odoo deletes records without a trace.
    pub fn keep_only(&self, kind: Kind, ids: &BTreeSet<i64>) -> Result<bool, CatalogError> {
        let mut gone = Vec::new();
        self.each(kind, |row| {
            if !ids.contains(&row.id) {
                gone.push(meaning::gone(row.id));
            }
        })?;
        self.apply(kind, &gone)
    }

    /// Passes each row of a kind to `take`.
    fn each(&self, kind: Kind, mut take: impl FnMut(Row)) -> Result<(), CatalogError> {
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        let rows = read.open_table(ROWS).map_err(|e| self.broken(&e))?;
        let range = (number(kind), i64::MIN)..=(number(kind), i64::MAX);
        for entry in rows.range(range).map_err(|e| self.broken(&e))? {
            let (_, value) = entry.map_err(|e| self.broken(&e))?;
            take(serde_json::from_slice(value.value()).map_err(|e| self.broken(&e))?);
        }
        Ok(())
    }

    pub fn count(&self, kind: Kind) -> Result<u64, CatalogError> {
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        let rows = read.open_table(ROWS).map_err(|e| self.broken(&e))?;
        if rows.is_empty().map_err(|e| self.broken(&e))? {
            return Ok(0);
        }
        let range = (number(kind), i64::MIN)..=(number(kind), i64::MAX);
        let mut count = 0;
        for entry in rows.range(range).map_err(|e| self.broken(&e))? {
            entry.map_err(|e| self.broken(&e))?;
            count += 1;
        }
        Ok(count)
    }

    /// Looks up a product code: a barcode of the product or of its packaging, or else an internal
    /// reference.
    pub fn product(&self, code: &str) -> Result<Found<Product>, CatalogError> {
        let mut found = BTreeMap::new();
        for row in self.rows(Kind::Product, CodeOf::ProductBarcode, code)? {
            found.insert((row.id, 0), self.product_of(&row, None)?);
        }
        for packaging in self.rows(Kind::Packaging, CodeOf::Packaging, code)? {
            if let Some(row) = self.row(
                Kind::Product,
                packaging.product_id.unwrap_or_default().get(),
            )? {
                found.insert(
                    (row.id, packaging.id),
                    self.product_of(&row, Some(&packaging))?,
                );
            }
        }
        if found.is_empty() {
            for row in self.rows(Kind::Product, CodeOf::ProductReference, code)? {
                found.insert((row.id, 0), self.product_of(&row, None)?);
            }
        }
        Ok(one_of(found.into_values().flatten().collect()))
    }

    pub fn location(&self, code: &str) -> Result<Found<LocationId>, CatalogError> {
        let rows = self.rows(Kind::Location, CodeOf::Location, code)?;
        Ok(one_of(
            rows.iter()
                .map(|row| (LocationId::new(row.id), name(row)))
                .collect(),
        ))
    }

    /// `None`: the factor of the packaging is unknown, so the gateway does not guess a quantity.
    fn product_of(
        &self,
        row: &Row,
        packaging: Option<&Row>,
    ) -> Result<Option<(Product, String)>, CatalogError> {
        let measure = match packaging {
            None => Some(Measure::OWN),
            Some(packaging) => self.contained(row, packaging)?,
        };
        let precision = self.precision(row.uom_id.unwrap_or_default())?;
        Ok(measure.map(|measure| {
            let product = Product {
                id: ProductId::new(row.id),
                unit: row.uom_id.unwrap_or_default(),
                name: row.display_name.clone().unwrap_or_default(),
                tracked: row.tracking.as_deref().is_some_and(|t| t != "none"),
                serial: row.tracking.as_deref() == Some("serial"),
                measure: measure.with_precision(precision),
                has_dates: row.use_expiration_date == Some(true),
            };
            (product, name(row))
        }))
    }

    fn contained(&self, row: &Row, packaging: &Row) -> Result<Option<Measure>, CatalogError> {
        if let Some(contained) = packaging.contained {
            return Ok(Measure::of(contained, 1.0));
        }
        let packed = self.row(Kind::Unit, packaging.uom_id.unwrap_or_default().get())?;
        let own = self.row(Kind::Unit, row.uom_id.unwrap_or_default().get())?;
        let units = packed.zip(own);
        Ok(units.and_then(|(packed, own)| units::measure(&packed, &own, 1.0)))
    }

    fn factor(&self, unit: UnitId) -> Result<Option<f64>, CatalogError> {
        Ok(self.row(Kind::Unit, unit.get())?.and_then(|row| row.factor))
    }

    /// Stores the number of decimals that Odoo's decimal precision gives to quantities.
    pub fn set_digits(&self, digits: u32) -> Result<(), CatalogError> {
        if self.set_meta(DIGITS, &digits.to_string())? {
            self.changed();
        }
        Ok(())
    }

    /// The smallest quantity of a unit that Odoo stores. `None`: Odoo did not state it.
    fn precision(&self, unit: UnitId) -> Result<Option<Decimal>, CatalogError> {
        let rounding = self
            .row(Kind::Unit, unit.get())?
            .and_then(|row| row.rounding);
        // The floating point 0.01 becomes exactly 0.01.
        let rounding = rounding.and_then(Decimal::from_f64);
        let digits = self.meta(DIGITS)?.and_then(|digits| digits.parse().ok());
        let digits = digits.map(|digits: u32| Decimal::new(1, digits.min(DIGITS_MAX)));
        Ok(rounding.max(digits))
    }

    fn row(&self, kind: Kind, id: i64) -> Result<Option<Row>, CatalogError> {
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        let rows = read.open_table(ROWS).map_err(|e| self.broken(&e))?;
        match rows.get((number(kind), id)).map_err(|e| self.broken(&e))? {
            Some(bytes) => serde_json::from_slice(bytes.value())
                .map(Some)
                .map_err(|e| self.broken(&e)),
            None => Ok(None),
        }
    }

    fn rows(&self, kind: Kind, of: CodeOf, code: &str) -> Result<Vec<Row>, CatalogError> {
        let mut rows = Vec::new();
        for id in self.ids_by(of, code)? {
            rows.extend(self.row(kind, id)?);
        }
        Ok(rows)
    }

    fn ids_by(&self, of: CodeOf, code: &str) -> Result<Vec<i64>, CatalogError> {
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        let index = read
            .open_multimap_table(CODES)
            .map_err(|e| self.broken(&e))?;
        let found = index.get((of as u8, code)).map_err(|e| self.broken(&e))?;
        found
            .map(|id| id.map(|id| id.value()))
            .collect::<Result<_, _>>()
            .map_err(|e| self.broken(&e))
    }

    /// Runs one transaction, and commits it only if `change` returns `true`.
    fn write(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<bool, Box<dyn std::error::Error>>,
    ) -> Result<bool, CatalogError> {
        let write = self.db.begin_write().map_err(|e| self.broken(&e))?;
        let changed = change(&write).map_err(|e| self.broken(&e))?;
        if changed {
            write.commit().map_err(|e| self.broken(&e))?;
        } else {
            write.abort().map_err(|e| self.broken(&e))?;
        }
        Ok(changed)
    }

    fn broken(&self, why: &impl ToString) -> CatalogError {
        error(&self.path, why)
    }
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    // The check finds a page that the disk has changed, and the daemon then fetches the catalog
    // again. Without the check, redb would panic at every start when it reads the page.
    builder
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true);
    builder
}

fn error(path: &Path, why: &impl ToString) -> CatalogError {
    CatalogError {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

fn name(row: &Row) -> String {
    let name = row.display_name.as_deref().unwrap_or("unnamed");
    format!("{name} (id {})", row.id)
}

fn one_of<T>(mut found: Vec<(T, String)>) -> Found<T> {
    match found.len() {
        0 => Found::Nothing,
        1 => Found::One(found.remove(0).0),
        _ => Found::Several(found.into_iter().map(|(_, name)| name).collect()),
    }
}

#[cfg(test)]
mod tests;
