//! The writer's transaction, which notes each change of a table for the log.
//!
//! **In**: inserts and removals. **Out**: the changes as the log stores them, and by how many bytes
//! the records grew or shrank. While the changes need more than [`NOTED_MAX`] bytes, they are not
//! noted: the commit itself then makes them durable.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::ops::{Deref, RangeBounds};

use redb::{
    AccessGuard, Key, ReadTransaction, ReadableTable as _, ReadableTableMetadata as _,
    StorageError, Table, TableDefinition, TableError, TableHandle as _, Value, WriteTransaction,
};

use super::stored::BadRecord;
use super::stored::logged::{HEADER_BYTES, LoggedChange};
use super::{Fatal, tables};

/// Limit of the bytes of one group in the log. A longer group is as cheap without the log.
pub const NOTED_MAX: usize = 256 << 10;
/// Bytes that redb needs for a record in addition to its key and value.
const RECORD_BYTES: i64 = 8;

/// The changes of one or more transactions.
#[derive(Debug)]
pub(super) struct Noted {
    /// Room for the header of the group, and the changes.
    pub group: Vec<u8>,
    /// The changes need more room than a group has.
    pub is_long: bool,
    /// By how many bytes the records have grown.
    pub grown: i64,
}

impl Default for Noted {
    fn default() -> Self {
        Self {
            group: vec![0; HEADER_BYTES],
            is_long: false,
            grown: 0,
        }
    }
}

impl Noted {
    pub fn is_empty(&self) -> bool {
        !self.is_long && self.group.len() == HEADER_BYTES
    }

    /// Forgets the changes: they are durable.
    pub fn clear(&mut self) {
        self.group.truncate(HEADER_BYTES);
        self.is_long = false;
    }

    fn note(&mut self, change: LoggedChange<'_>) {
        if self.is_long {
            return;
        }
        self.is_long = change.append_to(&mut self.group).is_err() || self.group.len() > NOTED_MAX;
        if self.is_long {
            self.group = vec![0; HEADER_BYTES];
        }
    }
}

/// The writer's transaction.
pub(super) struct Changing<'a> {
    write: &'a WriteTransaction,
    noted: RefCell<Noted>,
}

impl<'a> Changing<'a> {
    /// Adds the changes to those that are noted already.
    pub fn new(write: &'a WriteTransaction, noted: Noted) -> Self {
        Self {
            write,
            noted: RefCell::new(noted),
        }
    }

    pub fn into_noted(self) -> Noted {
        self.noted.into_inner()
    }

    pub fn open_table<K: Key, V: Value>(
        &self,
        definition: TableDefinition<K, V>,
    ) -> Result<ChangingTable<'_, K, V>, TableError> {
        Ok(ChangingTable {
            number: number(definition.name()),
            table: self.write.open_table(definition)?,
            noted: &self.noted,
        })
    }
}

/// A table of the writer's transaction. Dereferences to redb's table, for reading.
pub(super) struct ChangingTable<'a, K: Key + 'static, V: Value + 'static> {
    number: u8,
    table: Table<'a, K, V>,
    noted: &'a RefCell<Noted>,
}

impl<'a, K: Key, V: Value> Deref for ChangingTable<'a, K, V> {
    type Target = Table<'a, K, V>;

    fn deref(&self) -> &Self::Target {
        &self.table
    }
}

fn size(key: &[u8], value: &[u8]) -> i64 {
    i64::try_from(key.len() + value.len()).unwrap_or(i64::MAX) + RECORD_BYTES
}

impl<K: Key, V: Value> ChangingTable<'_, K, V> {
    /// Returns the value that the key had before. The same value again is no change.
    pub fn insert<'k, 'v>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
        value: impl Borrow<V::SelfType<'v>>,
    ) -> Result<Option<AccessGuard<'_, V>>, StorageError> {
        let (key, value) = (key.borrow(), value.borrow());
        let (key_bytes, value_bytes) = (K::as_bytes(key), V::as_bytes(value));
        let (key_bytes, value_bytes) = (key_bytes.as_ref(), value_bytes.as_ref());
        let before = self.table.insert(key, value)?;
        let mut noted = self.noted.borrow_mut();
        noted.grown += size(key_bytes, value_bytes);
        let is_same = before.as_ref().is_some_and(|before| {
            let before = before.value();
            let before = V::as_bytes(&before);
            noted.grown -= size(key_bytes, before.as_ref());
            before.as_ref() == value_bytes
        });
        if !is_same {
            noted.note(LoggedChange::Insert {
                table: self.number,
                key: key_bytes,
                value: value_bytes,
            });
        }
        drop(noted);
        Ok(before)
    }

    /// Returns the removed value.
    pub fn remove<'k>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<AccessGuard<'_, V>>, StorageError> {
        let key = key.borrow();
        let key_bytes = K::as_bytes(key);
        let key_bytes = key_bytes.as_ref();
        let before = self.table.remove(key)?;
        if let Some(before) = &before {
            let mut noted = self.noted.borrow_mut();
            noted.grown -= size(key_bytes, V::as_bytes(&before.value()).as_ref());
            noted.note(LoggedChange::Remove {
                table: self.number,
                key: key_bytes,
            });
        }
        Ok(before)
    }

    /// Removes all records of a range.
    pub fn remove_range<'k, R>(
        &mut self,
        range: impl RangeBounds<R> + 'k,
    ) -> Result<(), StorageError>
    where
        R: Borrow<K::SelfType<'k>> + 'k,
    {
        let noted = self.noted;
        let number = self.number;
        self.table.retain_in(range, |key, value| {
            let mut noted = noted.borrow_mut();
            let (key, value) = (K::as_bytes(&key), V::as_bytes(&value));
            let (key, value) = (key.as_ref(), value.as_ref());
            noted.grown -= size(key, value);
            noted.note(LoggedChange::Remove { table: number, key });
            false
        })
    }
}

/// Numbers the tables for the log. A number is never used for another table.
macro_rules! numbered {
    ($($number:literal => $table:ident,)*) => {
        /// The number of a table in the log.
        ///
        /// # Panics
        /// If the table has no number: the writer changes only tables of this list.
        fn number(name: &str) -> u8 {
            $(if name == tables::$table.name() {
                return $number;
            })*
            unreachable!("table {name} has no number for the log")
        }

        /// Makes a change of the log again. The same change twice does no harm.
        pub fn repeat(write: &Changing<'_>, change: LoggedChange<'_>) -> Result<(), Fatal> {
            let (LoggedChange::Insert { table, .. } | LoggedChange::Remove { table, .. }) = change;
            match table {
                $($number => repeat_in(&mut write.open_table(tables::$table)?, change),)*
                unknown => Err(bad(format!("table {unknown} is not known")).into()),
            }
        }

        /// Gives the key and the value of each record of a table as bytes, in the order of the
        /// keys.
        pub fn each_record<E: From<Fatal>>(
            read: &ReadTransaction,
            table: u8,
            give: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), E>,
        ) -> Result<(), E> {
            match table {
                $($number => each_in(read, tables::$table, give),)*
                unknown => Err(Fatal::from(bad(format!("table {unknown} is not known"))).into()),
            }
        }

        /// Count of the records of a table.
        pub fn count_records(read: &ReadTransaction, table: u8) -> Result<u64, Fatal> {
            match table {
                $($number => count_in(read, tables::$table),)*
                unknown => Err(bad(format!("table {unknown} is not known")).into()),
            }
        }

        /// The order of two keys of a table.
        pub fn compare_keys(table: u8, a: &[u8], b: &[u8]) -> Ordering {
            match table {
                $($number => compare_in(tables::$table, a, b),)*
                _ => Ordering::Equal,
            }
        }
    };
}
numbered! {
    1 => EVENTS,
    2 => EVENT_DOCUMENT,
    3 => REPEATS,
    4 => REJECTED,
    5 => REJECTED_OPEN,
    6 => REJECTED_BY_ID,
    7 => REJECTED_ID,
    8 => REJECTED_AUDIT,
    9 => DEVICES,
    10 => HELD,
    11 => ID_BUCKETS,
    12 => ID_FILTERS,
    13 => DOCUMENTS,
    14 => PROGRESS,
    15 => DOCUMENT_KEYS,
    16 => BY_STATE,
    17 => AUDIT,
    18 => SIDE_VALUES,
    19 => META,
    20 => PERIODS,
    21 => SEARCH_SEGMENTS,
    22 => SEARCH_BLOCKS,
    23 => DOCUMENT_TERMS,
    24 => WRONG_SCANS,
}

/// Takes a key and its value.
type Give<'a, E> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), E>;

fn each_in<K: Key, V: Value, E: From<Fatal>>(
    read: &ReadTransaction,
    definition: TableDefinition<K, V>,
    give: Give<'_, E>,
) -> Result<(), E> {
    let table = match read.open_table(definition) {
        Ok(table) => table,
        // Made with its first record.
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(Fatal::from(error).into()),
    };
    for entry in table.iter().map_err(Fatal::from)? {
        let (key, value) = entry.map_err(Fatal::from)?;
        let (key, value) = (key.value(), value.value());
        give(K::as_bytes(&key).as_ref(), V::as_bytes(&value).as_ref())?;
    }
    Ok(())
}

fn count_in<K: Key, V: Value>(
    read: &ReadTransaction,
    definition: TableDefinition<K, V>,
) -> Result<u64, Fatal> {
    match read.open_table(definition) {
        Ok(table) => Ok(table.len()?),
        Err(TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn compare_in<K: Key, V: Value>(_of: TableDefinition<K, V>, a: &[u8], b: &[u8]) -> Ordering {
    K::compare(a, b)
}

fn bad(why: String) -> BadRecord {
    BadRecord { what: "log", why }
}

fn repeat_in<K: Key, V: Value>(
    table: &mut ChangingTable<'_, K, V>,
    change: LoggedChange<'_>,
) -> Result<(), Fatal> {
    let fits = |width: Option<usize>, bytes: &[u8]| match width {
        Some(width) if width != bytes.len() => {
            Err(bad(format!("{} bytes instead of {width}", bytes.len())))
        }
        _ => Ok(()),
    };
    match change {
        LoggedChange::Insert { key, value, .. } => {
            fits(K::fixed_width(), key)?;
            fits(V::fixed_width(), value)?;
            table.insert(K::from_bytes(key), V::from_bytes(value))?;
        }
        LoggedChange::Remove { key, .. } => {
            fits(K::fixed_width(), key)?;
            table.remove(K::from_bytes(key))?;
        }
    }
    Ok(())
}
