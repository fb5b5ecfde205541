//! Rejected readings on disk: the newest, limited in number and in bytes, so that a device that
//! sends nonsense does not take the space of events. A reading in which something was scanned is
//! *open* until a person settles it (dismisses it, or sends it again), or until its device sends an
//! event with the same id that is stored. If the device sent that event before, the reading is
//! settled from the start. A reading without a scan is never open.

use jiff::Timestamp;
use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata as _, WriteTransaction};

use super::changes::{Changing, ChangingTable};
use super::ids::{self, Digest};
use super::tables::Bytes;
use super::{AuditRecord, Fatal, stored, tables};
use crate::event::{RejectedNumber, Rejection, Seq};
use crate::reason::{Code, RejectionCode};

/// Limit of the stored rejected readings; the journal removes the oldest first.
pub const REJECTED_MAX: u64 = 100_000;
/// The records of rejected readings get the budget divided by this. On disk they need up to twice
/// as much: a tenth of the budget.
pub const BUDGET_DIVISOR: u64 = 20;
/// Limit of the readings that one request removes because their retention has ended.
const REMOVED_MAX: usize = 2_000;
/// The payload of one reading gets the room of all readings, divided by this.
const ONE_DIVISOR: u64 = 2;
/// Limit of the records that one request to prune examines.
const LOOKED_AT_MAX: usize = 50_000;
/// The key in `META` of the bytes of all records, so that opening need not read them.
const BYTES: &str = "rejected_bytes";
/// The key in `META` of the count of readings that were removed for room before a person had
/// settled them.
const DROPPED: &str = "rejected_dropped";
/// The key in `META` of the number of the newest removed reading.
const DROPPED_UPTO: &str = "rejected_dropped_upto";
/// The number in the audit that represents the unused scans.
pub(super) const AUDIT_OF_SCANS: RejectedNumber = RejectedNumber::MAX;
/// Bytes that the ids of one open reading need in the journal.
const ID_BYTES: u64 = 64;
/// The ids of open readings get the room of all readings, divided by this.
const IDS_DIVISOR: u64 = 4;

/// The tables of rejected readings within one transaction: a device that sends nonsense sends much
/// of it.
pub(super) struct Rejections<'a> {
    table: ChangingTable<'a, u64, Bytes>,
    open: ChangingTable<'a, u64, ()>,
    audit: ChangingTable<'a, u64, Bytes>,
    by_id: ChangingTable<'a, (Digest, u64), ()>,
    /// Ids of readings that are open, or were removed for room while open; and of settled ones that
    /// a broker may send again.
    id_of: ChangingTable<'a, u64, Digest>,
    /// Bytes of all records.
    bytes: u64,
    /// Count of readings that were removed for room before a person had settled them, and the
    /// number of the newest.
    dropped: u64,
    dropped_upto: RejectedNumber,
    changes: Vec<ReadingChange>,
}

/// A change of a rejected reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadingChange {
    /// A person or its device settled the open reading.
    Settled(RejectedNumber, Code<RejectionCode>),
    /// The open reading was removed for room.
    Dropped(RejectedNumber, Code<RejectionCode>),
    /// Its device settled a reading that was removed for room.
    DroppedSettled(RejectedNumber),
    /// A person dismissed all readings that were removed for room.
    AllDroppedSettled,
}

impl<'a> Rejections<'a> {
    pub fn open(write: &'a Changing<'a>) -> Result<Self, Fatal> {
        let table = write.open_table(tables::REJECTED)?;
        let meta = write.open_table(tables::META)?;
        let bytes = bytes_of(&*meta, &*table)?;
        let (dropped, dropped_upto) = dropped_in(&*meta, &*table)?;
        drop(meta);
        Ok(Self {
            table,
            open: write.open_table(tables::REJECTED_OPEN)?,
            audit: write.open_table(tables::REJECTED_AUDIT)?,
            by_id: write.open_table(tables::REJECTED_BY_ID)?,
            id_of: write.open_table(tables::REJECTED_ID)?,
            bytes,
            dropped,
            dropped_upto,
            changes: Vec::new(),
        })
    }

    /// Stores a rejected reading.
    pub fn append(
        &mut self,
        number: RejectedNumber,
        rejection: &Rejection,
        bytes_max: u64,
    ) -> Result<(), Fatal> {
        let payload_max = usize::try_from(bytes_max / ONE_DIVISOR).unwrap_or(usize::MAX);
        let record = if rejection.payload.len() > payload_max {
            stored::rejection_in(&Rejection {
                payload: rejection.payload[..payload_max].to_vec(),
                cut: true,
                ..rejection.clone()
            })?
        } else {
            stored::rejection_in(rejection)?
        };
        self.bytes += record.len() as u64;
        self.table.insert(number.get(), record.as_slice())?;
        if rejection.code.needs_person() {
            self.open.insert(number.get(), ())?;
            if let Some(id) = &rejection.id {
                let digest = ids::digest(rejection.device.as_str(), id);
                self.by_id.insert((digest, number.get()), ())?;
                self.id_of.insert(number.get(), digest)?;
            }
        }
        Ok(())
    }

    /// Whether a reading with this id is open, was removed for room, or is a settled copy.
    pub fn is_known(&self, device: &str, id: &str) -> Result<bool, Fatal> {
        for digest in [ids::digest(device, id), copy_digest(device, id)] {
            let mut numbers = self.by_id.range((digest, 0)..=(digest, u64::MAX))?;
            if numbers.next().transpose()?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn is_open(&self, number: RejectedNumber) -> Result<bool, Fatal> {
        Ok(self.open.get(number.get())?.is_some())
    }

    /// Settles an open reading by the decision of a person, or because its device sent the event
    /// again. False: the reading is not open, and nothing changed.
    pub fn settle(&mut self, number: RejectedNumber, record: &AuditRecord) -> Result<bool, Fatal> {
        if self.open.remove(number.get())?.is_none() {
            return Ok(false);
        }
        self.forget_id(number)?;
        let code = self.code_of(number)?.unwrap_or_else(|| Code::from(""));
        self.changes.push(ReadingChange::Settled(number, code));
        if let Some(copy) = self.copy_of(number)? {
            self.by_id.insert((copy, number.get()), ())?;
            self.id_of.insert(number.get(), copy)?;
        }
        self.put_audit(number, record)?;
        Ok(true)
    }

    fn code_of(&self, number: RejectedNumber) -> Result<Option<Code<RejectionCode>>, Fatal> {
        let record = self.table.get(number.get())?;
        let code = record.map(|record| stored::rejection_code(record.value()));
        Ok(code.transpose()?)
    }

    /// The digest that identifies a settled reading that a broker may send again.
    fn copy_of(&self, number: RejectedNumber) -> Result<Option<Digest>, Fatal> {
        let Some(record) = self.table.get(number.get())? else {
            return Ok(None);
        };
        let rejected = stored::rejection_out(number, record.value())?;
        let id = rejected
            .id
            .filter(|_| rejected.code == RejectionCode::Retained);
        Ok(id.map(|id| copy_digest(rejected.device.as_str(), &id)))
    }

    /// An event with this id is stored: settles the earlier readings with the same id.
    pub fn settle_id(&mut self, digest: Digest, record: &AuditRecord) -> Result<(), Fatal> {
        if self.by_id.is_empty()? {
            return Ok(());
        }
        let mut numbers = Vec::new();
        for entry in self.by_id.range((digest, 0)..=(digest, u64::MAX))? {
            numbers.push(RejectedNumber::new(entry?.0.value().1));
        }
        for number in numbers {
            if !self.settle(number, record)? {
                // The reading was removed for room.
                self.dropped = self.dropped.saturating_sub(1);
                self.changes.push(ReadingChange::DroppedSettled(number));
                self.forget_id(number)?;
            }
        }
        Ok(())
    }

    fn forget_id(&mut self, number: RejectedNumber) -> Result<(), Fatal> {
        let digest = self
            .id_of
            .remove(number.get())?
            .map(|digest| digest.value());
        if let Some(digest) = digest {
            self.by_id.remove((digest, number.get()))?;
        }
        Ok(())
    }

    /// Removes the ids of the oldest readings, up to a number, while more ids than this limit are
    /// stored.
    fn forget_ids(&mut self, upto: RejectedNumber, ids_max: u64) -> Result<(), Fatal> {
        let surplus = self.id_of.len()?.saturating_sub(ids_max);
        let surplus = usize::try_from(surplus).unwrap_or(usize::MAX);
        let mut numbers = Vec::new();
        for entry in self.id_of.range(..=upto.get())?.take(surplus) {
            numbers.push(RejectedNumber::new(entry?.0.value()));
        }
        for number in numbers {
            self.forget_id(number)?;
        }
        Ok(())
    }

    /// Dismisses the readings that were removed for room, if the number of the newest is not above
    /// `upto`. Returns their count.
    pub fn settle_dropped(
        &mut self,
        upto: RejectedNumber,
        record: &AuditRecord,
    ) -> Result<u64, Fatal> {
        if self.dropped_upto > upto {
            return Ok(0);
        }
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            self.changes.push(ReadingChange::AllDroppedSettled);
            // No record with this number exists any longer, so nothing is overwritten.
            self.put_audit(self.dropped_upto, record)?;
            self.forget_ids(self.dropped_upto, 0)?;
        }
        Ok(dropped)
    }

    pub fn put_audit(&mut self, number: RejectedNumber, record: &AuditRecord) -> Result<(), Fatal> {
        let bytes = stored::audit_in(record)?;
        self.audit.insert(number.get(), bytes.as_slice())?;
        Ok(())
    }

    /// Removes the oldest readings beyond the limits: all together, since removing one by one costs
    /// as much as writing them.
    fn trim(&mut self, bytes_max: u64) -> Result<(), Fatal> {
        let surplus = self.table.len()?.saturating_sub(REJECTED_MAX);
        let bytes_surplus = self.bytes.saturating_sub(bytes_max);
        let (mut count, mut bytes, mut first, mut last) = (0, 0, None, None);
        for entry in self.table.iter()? {
            if count >= surplus && bytes >= bytes_surplus {
                break;
            }
            let (number, record) = entry?;
            (count, bytes) = (count + 1, bytes + record.value().len() as u64);
            if self.open.get(number.value())?.is_some() {
                let code = stored::rejection_code(record.value())?;
                let number = RejectedNumber::new(number.value());
                self.changes.push(ReadingChange::Dropped(number, code));
            }
            first.get_or_insert(number.value());
            last = Some(number.value());
        }
        if let Some(last) = last {
            self.table.remove_range(..=last)?;
            let newest = self.open.range(..=last)?.next_back().transpose()?;
            if let Some(newest) = newest.map(|(number, _)| number.value()) {
                self.dropped_upto = RejectedNumber::new(newest);
            }
            let open = self.open.len()?;
            self.open.remove_range(..=last)?;
            self.dropped += open - self.open.len()?;
            if let Some(first) = first {
                self.audit.remove_range(first..=last)?;
            }
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        Ok(())
    }

    /// Removes readings whose retention has ended. An open reading stays until it is settled, or
    /// removed for room.
    pub fn prune(&mut self, retained: Timestamp) -> Result<(), Fatal> {
        let mut past = Vec::new();
        for entry in self.table.iter()?.take(LOOKED_AT_MAX) {
            let (number, record) = entry?;
            let number = RejectedNumber::new(number.value());
            if self.open.get(number.get())?.is_some() {
                continue;
            }
            if past.len() == REMOVED_MAX
                || stored::rejection_out(number, record.value())?.received >= retained
            {
                break;
            }
            past.push((number, record.value().len() as u64));
        }
        for (number, bytes) in past {
            self.table.remove(number.get())?;
            self.audit.remove(number.get())?;
            self.forget_id(number)?;
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        Ok(())
    }

    /// Makes room and stores the bytes of all records. Call this once, at the end of the
    /// transaction. Returns the count of open readings, and how many of them were removed for room;
    /// and the changes of readings in this transaction, in order.
    pub fn close(
        mut self,
        write: &Changing<'_>,
        bytes_max: u64,
    ) -> Result<(OpenOnes, Vec<ReadingChange>), Fatal> {
        self.trim(bytes_max)?;
        let ids_max = REJECTED_MAX.min(bytes_max / ID_BYTES / IDS_DIVISOR);
        self.forget_ids(RejectedNumber::MAX, ids_max)?;
        let mut meta = write.open_table(tables::META)?;
        meta.insert(BYTES, self.bytes.to_le_bytes().as_slice())?;
        meta.insert(DROPPED, self.dropped.to_le_bytes().as_slice())?;
        meta.insert(
            DROPPED_UPTO,
            self.dropped_upto.get().to_le_bytes().as_slice(),
        )?;
        let ones = OpenOnes {
            open: self.open.len()? + self.dropped,
            dropped: self.dropped,
            dropped_upto: self.dropped_upto,
        };
        Ok((ones, self.changes))
    }
}

/// The words in a note before the numbers of duplicates.
pub(super) const STORED_BEFORE: &str = "was stored before as ";

impl AuditRecord {
    /// Whether the record names this event as the result of a rejected reading. The end of its note
    /// lists the events.
    #[must_use]
    pub fn names(&self, seq: Seq) -> bool {
        let mut parts = self.note.rsplit(": ");
        let last = parts.next().filter(|part| !part.starts_with(STORED_BEFORE));
        let Some(new) = last.or_else(|| parts.next()) else {
            return false;
        };
        let seqs = new.strip_prefix("event ").or(new.strip_prefix("events "));
        let mut seqs = seqs.into_iter().flat_map(|seqs| seqs.split(", "));
        seqs.any(|named| named.parse() == Ok(seq))
    }
}

/// No event has this digest: a NUL is in no id.
fn copy_digest(device: &str, id: &str) -> Digest {
    ids::digest(device, &format!("\0{id}"))
}

/// Creates the tables of open and settled readings. A journal of an older version has no such
/// tables: in it, all stored readings in which something was scanned are open. `knows_open`: only
/// the ids of open readings are missing.
pub(super) fn make_tables(write: &WriteTransaction, knows_open: bool) -> Result<(), Fatal> {
    write.open_table(tables::REJECTED_AUDIT)?;
    let mut open = write.open_table(tables::REJECTED_OPEN)?;
    let mut by_id = write.open_table(tables::REJECTED_BY_ID)?;
    let mut id_of = write.open_table(tables::REJECTED_ID)?;
    for entry in write.open_table(tables::REJECTED)?.iter()? {
        let (number, record) = entry?;
        let number = number.value();
        let rejected = stored::rejection_out(RejectedNumber::new(number), record.value())?;
        if !rejected.code.needs_person() || knows_open && open.get(number)?.is_none() {
            continue;
        }
        open.insert(number, ())?;
        if let Some(id) = &rejected.id {
            let digest = ids::digest(rejected.device.as_str(), id);
            by_id.insert((digest, number), ())?;
            id_of.insert(number, digest)?;
        }
    }
    Ok(())
}

/// The rejected readings that wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenOnes {
    /// Count of open readings, including those that were removed for room.
    pub open: u64,
    pub dropped: u64,
    /// The number of the newest reading that was removed for room.
    pub dropped_upto: RejectedNumber,
}

pub(super) fn count_open(read: &ReadTransaction) -> Result<OpenOnes, Fatal> {
    let meta = read.open_table(tables::META)?;
    let (dropped, dropped_upto) = dropped_in(&meta, &read.open_table(tables::REJECTED)?)?;
    Ok(OpenOnes {
        open: read.open_table(tables::REJECTED_OPEN)?.len()? + dropped,
        dropped,
        dropped_upto,
    })
}

/// Count of readings that were removed for room, and the number of the newest. Older versions did
/// not store that number: then the number before the oldest stored reading is used.
fn dropped_in(
    meta: &impl ReadableTable<&'static str, Bytes>,
    table: &impl ReadableTable<u64, Bytes>,
) -> Result<(u64, RejectedNumber), Fatal> {
    let dropped = number_in(meta, DROPPED)?.unwrap_or(0);
    let upto = match number_in(meta, DROPPED_UPTO)? {
        Some(upto) => upto,
        None if dropped == 0 => 0,
        None => {
            let oldest = table.first()?.map(|(number, _)| number.value());
            oldest.unwrap_or(1).saturating_sub(1)
        }
    };
    Ok((dropped, RejectedNumber::new(upto)))
}

fn number_in(
    meta: &impl ReadableTable<&'static str, Bytes>,
    key: &str,
) -> Result<Option<u64>, Fatal> {
    let bytes = meta.get(key)?;
    Ok(bytes.and_then(|bytes| Some(u64::from_le_bytes(bytes.value().try_into().ok()?))))
}

/// The bytes of all records. Adds them up once where the sum was not stored yet.
fn bytes_of(
    meta: &impl ReadableTable<&'static str, Bytes>,
    table: &impl ReadableTable<u64, Bytes>,
) -> Result<u64, Fatal> {
    let noted = number_in(meta, BYTES)?;
    if let Some(bytes) = noted {
        return Ok(bytes);
    }
    let mut bytes = 0;
    for entry in table.iter()? {
        bytes += entry?.1.value().len() as u64;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_names_the_events_that_a_reading_became() {
        let names = |note: &str, seq| {
            AuditRecord {
                at: Timestamp::UNIX_EPOCH,
                state: "resent".to_owned(),
                by: "user:anna".to_owned(),
                note: note.to_owned(),
            }
            .names(seq)
        };
        assert!(names("sent again, corrected: a typo: event 7", Seq::new(7)));
        assert!(names(
            "sent again: events 6, 7: was stored before as event 5",
            Seq::new(7)
        ));
        assert!(!names(
            "sent again: was stored before as event 7",
            Seq::new(7)
        ));
        assert!(!names(
            "sent again, corrected: of event 7: event 8",
            Seq::new(7)
        ));
        assert!(!names("dismissed: 7", Seq::new(7)));
    }
}
