//! The journal space of each device, so that the last part of the journal is for devices below
//! their share.
//!
//! **In**: the bytes of events that were stored and pruned. **Out**: whether a device may store
//! more while the journal is nearly full. The sums are in a table of their own and change in the
//! transaction that changes the events.

use std::collections::{HashMap, HashSet};

use redb::{Database, ReadableDatabase as _, ReadableTable as _};

use super::changes::{Changing, Noted};
use super::{Fatal, stored, tables};
use crate::event::{Event, Seq, SourceKind};
use crate::fair::{Lane, Origin};

/// Devices behind a broker share one connection, which acknowledges messages in the order of their
/// arrival: one device that waits delays all. So they count as one holder. No device has this name.
const BROKER: &str = "*broker";
/// In the table: the `last_seq` of the journal when the table was written. Older versions of the
/// gateway do not update it.
const AS_OF: &str = "";
/// Bytes that an event needs in addition to its payload.
const EVENT_BYTES: u64 = 48;

#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: HashMap<Box<str>, u64>,
    /// Bytes of all holders.
    all: u64,
    changed: HashSet<Box<str>>,
}

fn holder(event: &Event) -> &str {
    match event.source {
        SourceKind::Broker => BROKER,
        _ => event.device.as_str(),
    }
}

impl Held {
    /// Reads the stored sizes. Counts all events again where no sizes are stored, or where they do
    /// not include the newest event.
    pub fn open(database: &Database, last_seq: Seq) -> Result<Self, Fatal> {
        let read = database.begin_read()?;
        let mut held = Self::default();
        match read.open_table(tables::HELD) {
            Ok(table) if table.get(AS_OF)?.map(|seq| seq.value()) == Some(last_seq.get()) => {
                for entry in table.iter()? {
                    let (holder, bytes) = entry?;
                    if holder.value() != AS_OF {
                        held.all += bytes.value();
                        held.bytes.insert(holder.value().into(), bytes.value());
                    }
                }
                return Ok(held);
            }
            Ok(_) | Err(redb::TableError::TableDoesNotExist(_)) => {}
            Err(error) => return Err(error.into()),
        }
        for entry in read.open_table(tables::EVENTS)?.iter()? {
            let (_, bytes) = entry?;
            held.add(&stored::event_out(bytes.value())?, bytes.value().len());
        }
        let mut write = database.begin_write()?;
        write.set_quick_repair(true);
        write.delete_table(tables::HELD)?;
        // The commit below is durable: it needs no log.
        held.write(&Changing::new(&write, Noted::default()), last_seq)?;
        write.commit()?;
        Ok(held)
    }

    pub fn add(&mut self, event: &Event, bytes: usize) {
        let holder = holder(event);
        let bytes = bytes as u64 + EVENT_BYTES;
        self.all += bytes;
        match self.bytes.get_mut(holder) {
            Some(held) => *held += bytes,
            None => {
                self.bytes.insert(holder.into(), bytes);
            }
        }
        self.note(holder);
    }

    pub fn remove(&mut self, event: &Event, bytes: usize) {
        let holder = holder(event);
        if let Some(held) = self.bytes.get_mut(holder) {
            let gone = (bytes as u64 + EVENT_BYTES).min(*held);
            self.all -= gone;
            *held -= gone;
            if *held == 0 {
                self.bytes.remove(holder);
            }
            self.note(holder);
        }
    }

    fn note(&mut self, holder: &str) {
        if !self.changed.contains(holder) {
            self.changed.insert(holder.into());
        }
    }

    /// Writes the sizes that have changed.
    pub fn write(&mut self, write: &Changing<'_>, last_seq: Seq) -> Result<(), Fatal> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let mut table = write.open_table(tables::HELD)?;
        for holder in self.changed.drain() {
            match self.bytes.get(&holder) {
                Some(bytes) => table.insert(&*holder, bytes)?,
                None => table.remove(&*holder)?,
            };
        }
        table.insert(AS_OF, last_seq.get())?;
        Ok(())
    }

    /// Whether the device of a lane holds less than its share of the budget. `in_use`: bytes of the
    /// journal; the device's part of them is its part of the events. One share is for a device that
    /// holds nothing yet, so the share of one device alone is half. The writer asks only when the
    /// last part of the budget is in use.
    pub fn is_modest(&self, lane: &Lane, in_use: u64, budget_bytes: u64) -> bool {
        let holder = match (lane.origin, &lane.device) {
            // The gateway's own work is about readings that are stored already.
            (Origin::Gateway | Origin::SideStorage | Origin::Prune | Origin::Index, _)
            | (_, None) => return true,
            (Origin::Source(SourceKind::Broker), _) => BROKER,
            (_, Some(device)) => device.as_str(),
        };
        let held = self.bytes.get(holder).copied().unwrap_or(0);
        let part = u128::from(in_use) * u128::from(held) / u128::from(self.all.max(1));
        part < u128::from(budget_bytes) / (self.bytes.len() as u128 + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::event::Name;

    fn lane(device: &str) -> Lane {
        let origin = Origin::Address(IpAddr::from([10, 0, 0, 1]));
        Lane::device(origin, &Name::new(device).unwrap())
    }

    fn held(devices: &[(&str, u64)]) -> Held {
        Held {
            bytes: (devices.iter())
                .map(|(device, bytes)| ((*device).into(), *bytes))
                .collect(),
            all: devices.iter().map(|(_, bytes)| bytes).sum(),
            changed: HashSet::new(),
        }
    }

    #[test]
    fn a_device_alone_has_not_all_and_a_newcomer_has_a_share() {
        let held = held(&[("greedy", 400)]);
        assert!(!held.is_modest(&lane("greedy"), 800, 1_000));
        assert!(held.is_modest(&lane("new"), 800, 1_000));
        assert!(held.is_modest(&Lane::of(Origin::Gateway), 800, 1_000));
    }

    #[test]
    fn devices_with_less_than_their_share_are_modest() {
        let held = held(&[("greedy", 300), ("a", 50), ("b", 50)]);
        assert!(!held.is_modest(&lane("greedy"), 800, 1_000));
        assert!(held.is_modest(&lane("a"), 800, 1_000));
    }

    #[test]
    fn all_devices_behind_a_broker_are_one_holder() {
        let held = held(&[(BROKER, 800), ("a", 100)]);
        let origin = Origin::Source(SourceKind::Broker);
        let behind = Lane::device(origin, &Name::new("any").unwrap());
        assert!(!held.is_modest(&behind, 900, 1_000));
    }
}
