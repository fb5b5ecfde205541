//! Earlier meanings of codes: when a code gets another meaning, the catalog stores the old one and
//! the time until which it held, by Odoo's clock.
//!
//! **In**: each change that [`Catalog::apply`] makes to a row with a code. **Out**:
//! [`Catalog::meant_at`]. The present meaning comes from Odoo, so a stored change that was none
//! does no harm. This file also stores which codes were looked up in Odoo, and when.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{MutexGuard, PoisonError};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use redb::{ReadableDatabase, ReadableTableMetadata, TableDefinition, TableError};
use serde::{Deserialize, Serialize};

use super::codes::{CodeOf, codes};
use super::{CODES, Catalog, CatalogError, Found, name};
use crate::clock;
use crate::odoo::{Kind, Row};
use crate::odoo_id::{ProductId, UnitId};

/// Kind of code, code, and the end of the meaning (µs) → the meaning as JSON.
pub(super) const MEANT: TableDefinition<(u8, &str, i64), &[u8]> = TableDefinition::new("meant");
/// The most notes in the catalog. Above this number, the catalog deletes notes older than
/// [`NOTES_AGE_MAX`].
const NOTES_MAX: u64 = 20_000;
const NOTES_AGE_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The most codes whose look-ups the catalog remembers. Above this number, it forgets all.
const LOOKED_UP_MAX: usize = 20_000;
/// Odoo writes whole seconds, without the fraction.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// With correct clocks, Odoo's time may be at most this much older than the gateway's time.
const BEHIND_MAX: SignedDuration = SignedDuration::from_millis(1_500);

/// The kind of record that a code names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coded {
    /// A product: its barcode, a packaging's barcode, or the internal reference.
    Product = 1,
    Location = 2,
    /// A lot: the code is `lot_code`.
    Lot = 3,
}

impl Coded {
    fn of(code: CodeOf) -> Option<Self> {
        match code {
            CodeOf::ProductBarcode | CodeOf::ProductReference | CodeOf::Packaging => {
                Some(Self::Product)
            }
            CodeOf::Location => Some(Self::Location),
            CodeOf::Lot => Some(Self::Lot),
            _ => None,
        }
    }
}

/// The meaning of a code. Two meanings are the same if they lead to the same movement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    pub id: i64,
    /// The quantity in the product's own unit that one scan means.
    pub units: Option<String>,
    pub name: String,
}

impl Meaning {
    /// Whether both name the same record, whatever its name.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id && self.units == other.units
    }
}

/// The times at which the gateway looked up codes in Odoo, by its own clock.
#[derive(Debug, Default)]
pub(super) struct LookedUp {
    all: Option<Timestamp>,
    each: HashMap<(Coded, String), Timestamp>,
    /// The difference of Odoo's clock from the gateway's clock.
    ahead: SignedDuration,
}

/// The meaning of a code until a time.
pub(super) struct Note {
    coded: Coded,
    code: String,
    meaning: Meaning,
    until: Timestamp,
}

impl Catalog {
    /// The meaning of a code in the catalog. `None`: the code has no meaning, or several.
    pub fn meaning(&self, coded: Coded, code: &str) -> Result<Option<Meaning>, CatalogError> {
        Ok(match coded {
            Coded::Product => match self.product(code)? {
                Found::One(product) => Some(Meaning {
                    id: product.id.get(),
                    units: Some(product.measure.factor().to_string()),
                    name: product.name,
                }),
                _ => None,
            },
            Coded::Location => match self.location(code)? {
                Found::One(id) => self.named(Kind::Location, id.get())?,
                _ => None,
            },
            Coded::Lot => {
                let rows = self.rows(Kind::Lot, CodeOf::Lot, code)?;
                match rows.as_slice() {
                    [row] => self.named(Kind::Lot, row.id)?,
                    _ => None,
                }
            }
        })
    }

    fn named(&self, kind: Kind, id: i64) -> Result<Option<Meaning>, CatalogError> {
        let row = self.row(kind, id)?;
        Ok(row.map(|row| Meaning {
            id,
            units: None,
            name: match &row.display_name {
                Some(called) => called.clone(),
                None => row.name.clone().unwrap_or_else(|| name(&row)),
            },
        }))
    }

    /// The meaning of a code at an earlier time, if it changed afterwards. `None`: the catalog
    /// knows no later change.
    pub fn meant_at(
        &self,
        coded: Coded,
        code: &str,
        at: Timestamp,
    ) -> Result<Option<Meaning>, CatalogError> {
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        let meant = match read.open_table(MEANT) {
            // The catalog of an earlier version has no notes.
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            meant => meant.map_err(|e| self.broken(&e))?,
        };
        if meant.is_empty().map_err(|e| self.broken(&e))? {
            return Ok(None);
        }
        let kind = coded as u8;
        let after = at.as_microsecond().saturating_add(1);
        let mut notes = meant
            .range((kind, code, after)..=(kind, code, i64::MAX))
            .map_err(|e| self.broken(&e))?;
        let Some(note) = notes.next() else {
            return Ok(None);
        };
        let (_, meaning) = note.map_err(|e| self.broken(&e))?;
        serde_json::from_slice(meaning.value())
            .map(Some)
            .map_err(|e| self.broken(&e))
    }

    /// The meanings that these rows may change, as they are before the change. A kind that was
    /// never complete has no meanings yet.
    pub(super) fn notes(&self, kind: Kind, rows: &[Row]) -> Result<Vec<Note>, CatalogError> {
        let has_codes = matches!(
            kind,
            Kind::Product | Kind::Packaging | Kind::Location | Kind::Lot
        );
        if !has_codes || self.since(kind)?.is_none() {
            return Ok(Vec::new());
        }
        let mut until = BTreeMap::<(Coded, String), (bool, Timestamp)>::new();
        for row in rows {
            let before = self.row(kind, row.id)?;
            let gone = before.as_ref().map(|before| codes_of(kind, before));
            let come = if row.active {
                codes_of(kind, row)
            } else {
                BTreeSet::new()
            };
            let same = before
                .as_ref()
                .is_some_and(|before| contents(before) == contents(row));
            let gone = gone.unwrap_or_default();
            for code in gone.union(&come) {
                let (had, has) = (gone.contains(code), come.contains(code));
                if had && has && same {
                    continue;
                }
                // The new meaning began when its new row was written. Without a new row, the old
                // meaning ended when its row changed.
                let changed = (has, self.changed_by(row));
                let known = until.entry(code.clone()).or_insert(changed);
                *known = (*known).max(changed);
            }
        }
        let mut notes = Vec::new();
        for ((coded, code), (_, until)) in until {
            if let Some(meaning) = self.meaning(coded, &code)? {
                notes.push(Note {
                    coded,
                    code,
                    meaning,
                    until,
                });
            }
        }
        Ok(notes)
    }

    /// The time of the row's change, by the gateway's clock. A deleted row has no time of its own,
    /// so the result is the present time.
    fn changed_by(&self, row: &Row) -> Timestamp {
        let written = row.write_date.as_deref().and_then(|text| {
            let written = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
            let written = written.to_zoned(TimeZone::UTC).ok()?.timestamp();
            let ahead = self.looked_up().ahead;
            written.checked_add(SECOND).ok()?.checked_sub(ahead).ok()
        });
        written.unwrap_or_else(clock::now)
    }

    /// Stores the difference between Odoo's present time and the gateway's.
    pub fn note_clock(&self, odoo: Timestamp) {
        let ahead = odoo.duration_since(clock::now());
        // HTTP times have whole seconds, and an answer takes time: a smaller difference counts as
        // zero.
        let same = ahead <= SignedDuration::ZERO && ahead >= -BEHIND_MAX;
        let ahead = if same { SignedDuration::ZERO } else { ahead };
        self.looked_up().ahead = ahead;
    }

    /// Whether the catalog has Odoo's meaning of a code as of this time or later.
    #[must_use]
    pub fn is_looked_up(&self, coded: Coded, code: &str, since: Timestamp) -> bool {
        let looked_up = self.looked_up();
        let each = looked_up.each.get(&(coded, code.to_owned())).copied();
        each.max(looked_up.all) >= Some(since)
    }

    /// Notes that the catalog has Odoo's meanings of these codes as of this time.
    pub fn note_looked_up<'a>(
        &self,
        coded: Coded,
        scanned: impl Iterator<Item = &'a String>,
        at: Timestamp,
    ) {
        let mut looked_up = self.looked_up();
        if looked_up.each.len() >= LOOKED_UP_MAX {
            looked_up.each.clear();
        }
        looked_up
            .each
            .extend(scanned.map(|code| ((coded, code.clone()), at)));
    }

    /// Notes that the catalog has Odoo's meanings of all codes as of this time.
    pub fn note_all_looked_up(&self, at: Timestamp) {
        let mut looked_up = self.looked_up();
        looked_up.each.clear();
        looked_up.all = Some(at);
    }

    pub(super) fn forget_looked_up(&self) {
        *self.looked_up() = LookedUp::default();
    }

    fn looked_up(&self) -> MutexGuard<'_, LookedUp> {
        self.looked_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The ids of the rows of a kind that have one of these codes in the catalog.
    pub fn ids_with(
        &self,
        kind: Kind,
        wanted: &BTreeSet<String>,
    ) -> Result<BTreeSet<i64>, CatalogError> {
        let fields: &[CodeOf] = match kind {
            Kind::Product => &[CodeOf::ProductBarcode, CodeOf::ProductReference],
            Kind::Packaging => &[CodeOf::Packaging],
            Kind::Location => &[CodeOf::Location],
            Kind::Lot => &[CodeOf::Lot],
            _ => &[],
        };
        let read = self.db.begin_read().map_err(|e| self.broken(&e))?;
        let index = read
            .open_multimap_table(CODES)
            .map_err(|e| self.broken(&e))?;
        let mut ids = BTreeSet::new();
        for code in wanted {
            for of in fields {
                let found = index
                    .get((*of as u8, code.as_str()))
                    .map_err(|e| self.broken(&e))?;
                for id in found {
                    ids.insert(id.map_err(|e| self.broken(&e))?.value());
                }
            }
        }
        Ok(ids)
    }

    /// Stores Odoo's answer about these rows: a row that is absent from the answer is gone.
    pub fn take_in(
        &self,
        kind: Kind,
        asked: &BTreeSet<i64>,
        rows: Vec<Row>,
    ) -> Result<bool, CatalogError> {
        let answered: BTreeSet<i64> = rows.iter().map(|row| row.id).collect();
        let gone = asked.difference(&answered).map(|id| gone(*id));
        let rows: Vec<Row> = rows.into_iter().chain(gone).collect();
        self.apply(kind, &rows)
    }
}

/// A row that Odoo has deleted or no longer shows to the gateway.
pub(super) fn gone(id: i64) -> Row {
    Row {
        id,
        active: false,
        ..Row::default()
    }
}

fn codes_of(kind: Kind, row: &Row) -> BTreeSet<(Coded, String)> {
    let codes = codes(kind, row).into_iter();
    codes
        .filter_map(|(of, code)| Some((Coded::of(of)?, code)))
        .collect()
}

/// The fields of a row that change the meaning of its codes.
fn contents(row: &Row) -> (Option<ProductId>, Option<UnitId>, Option<String>) {
    let contained = row.contained.map(|contained| contained.to_string());
    (row.product_id, row.uom_id, contained)
}

/// Stores notes, and deletes old notes if there are too many.
pub(super) fn write(
    meant: &mut redb::Table<'_, (u8, &'static str, i64), &'static [u8]>,
    notes: &[Note],
) -> Result<(), Box<dyn std::error::Error>> {
    for note in notes {
        let until = note.until.as_microsecond();
        let key = (note.coded as u8, note.code.as_str(), until);
        let meaning = serde_json::to_vec(&note.meaning)?;
        meant.insert(key, meaning.as_slice())?;
    }
    if meant.len()? > NOTES_MAX {
        let oldest = clock::now().checked_sub(NOTES_AGE_MAX)?.as_microsecond();
        meant.retain(|(_, _, until), _| until >= oldest)?;
    }
    Ok(())
}
