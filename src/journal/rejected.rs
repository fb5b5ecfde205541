//! Rejected readings on disk: the newest of them, bounded in number and in bytes, so that a device which sends nonsense
//! does not take the room of the events.

use jiff::Timestamp;
use redb::{ReadableTable as _, ReadableTableMetadata as _, Table, WriteTransaction};

use super::budget::Written;
use super::{Fatal, stored, tables};
use crate::event::Rejection;

/// Rejected readings that are kept; the oldest go first.
pub const REJECTED_MAX: u64 = 100_000;
/// What their records may take is the budget divided by this; on disk it is up to twice as much: a tenth.
pub const BUDGET_DIVISOR: u64 = 20;
/// What goes at once at the most because it is past its time.
const REMOVED_MAX: usize = 2_000;
/// Where `META` has the bytes of all the records, so that opening need not read them.
const BYTES: &str = "rejected_bytes";

type Bytes = &'static [u8];

/// The table within one transaction: a device that sends nonsense sends much of it.
pub(super) struct Rejections<'a> {
    table: Table<'a, u64, Bytes>,
    /// Of all records.
    bytes: u64,
}

impl<'a> Rejections<'a> {
    pub fn open(write: &'a WriteTransaction) -> Result<Self, Fatal> {
        let table = write.open_table(tables::REJECTED)?;
        let bytes = bytes_of(write, &table)?;
        Ok(Self { table, bytes })
    }

    /// Keeps one.
    pub fn append(
        &mut self,
        number: u64,
        rejection: &Rejection,
        written: &mut Written,
    ) -> Result<(), Fatal> {
        let record = stored::rejection_in(rejection)?;
        self.bytes += record.len() as u64;
        written.added += record.len() as u64;
        self.table.insert(number, record.as_slice())?;
        Ok(())
    }

    /// Removes the oldest beyond the limits: all at once, since one by one costs as much as to
    /// write them.
    fn trim(&mut self, bytes_max: u64, written: &mut Written) -> Result<(), Fatal> {
        let surplus = self.table.len()?.saturating_sub(REJECTED_MAX);
        let bytes_surplus = self.bytes.saturating_sub(bytes_max);
        let (mut count, mut bytes, mut last) = (0, 0, None);
        for entry in self.table.iter()? {
            if count >= surplus && bytes >= bytes_surplus {
                break;
            }
            let (number, record) = entry?;
            (count, bytes) = (count + 1, bytes + record.value().len() as u64);
            last = Some(number.value());
        }
        if let Some(last) = last {
            self.table.retain_in(..=last, |_, _| false)?;
            self.bytes = self.bytes.saturating_sub(bytes);
            written.removed += bytes;
        }
        Ok(())
    }

    /// Removes those that are past their time.
    pub fn prune(&mut self, retained: Timestamp, written: &mut Written) -> Result<(), Fatal> {
        for _ in 0..REMOVED_MAX {
            let Some((number, record)) = self
                .table
                .first()?
                .map(|(number, record)| (number.value(), record.value().to_vec()))
            else {
                break;
            };
            if stored::rejection_out(number, &record)?.received >= retained {
                break;
            }
            self.table.remove(number)?;
            self.bytes = self.bytes.saturating_sub(record.len() as u64);
            written.removed += record.len() as u64;
        }
        Ok(())
    }

    /// Makes room and notes the bytes of all records. To be called once, at the end of the
    /// transaction.
    pub fn close(
        mut self,
        write: &WriteTransaction,
        bytes_max: u64,
        written: &mut Written,
    ) -> Result<(), Fatal> {
        self.trim(bytes_max, written)?;
        write
            .open_table(tables::META)?
            .insert(BYTES, self.bytes.to_le_bytes().as_slice())?;
        Ok(())
    }
}

/// The bytes of all the records; added up once where they were not noted yet.
fn bytes_of(write: &WriteTransaction, table: &Table<u64, Bytes>) -> Result<u64, Fatal> {
    let noted = write
        .open_table(tables::META)?
        .get(BYTES)?
        .and_then(|bytes| bytes.value().try_into().ok())
        .map(u64::from_le_bytes);
    if let Some(bytes) = noted {
        return Ok(bytes);
    }
    let mut bytes = 0;
    for entry in table.iter()? {
        bytes += entry?.1.value().len() as u64;
    }
    Ok(bytes)
}
