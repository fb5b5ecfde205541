//! The newest events that affect later ones: quantities for open orders, until the copy of Odoo's
//! data has them, and serial numbers. Pure. Beyond the limit, the oldest events are removed.
//!
//! It is only in memory; after a restart it is recalled from the journal's newest events.

use std::collections::{HashMap, HashSet, VecDeque};

use rust_decimal::Decimal;

use crate::event::{Event, Seq};
use crate::odoo_id::{PickingId, ProductId};

/// The limit of events.
pub const EVENTS_MAX: usize = 100_000;

/// The direction of goods through the door of the warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
    /// The goods stay in the warehouse.
    Neither,
    /// The goods may come in or go out next: an undo, a return or a scrap.
    Unknown,
}

/// What an event counts for, once it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// A quantity for an open order: the ids of order and product, and the quantity.
    pub order: Option<(PickingId, ProductId, Decimal)>,
    /// A serial number that came in or went out: the product's id, the serial number, and the
    /// direction.
    pub serial: Option<(ProductId, String, Way)>,
}

/// Device and id of an event, in a few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventKey([u8; 16]);

impl EventKey {
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(event.device.as_str().as_bytes());
        hasher.update(&[0]);
        hasher.update(event.id.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(key)
    }
}

#[derive(Debug)]
struct Entry {
    counts: Counts,
    /// The event's number. `None`: it is not stored yet.
    seq: Option<Seq>,
    /// The last direction of the serial number before this event.
    before: Option<Last>,
}

impl Entry {
    fn counting(&self, key: EventKey) -> Option<Counting> {
        let (order, ..) = self.counts.order?;
        let seq = self.seq?;
        Some(Counting {
            key,
            seq,
            order,
            is_undo: is_undo(&self.counts),
        })
    }
}

/// The last direction of a serial number, and the number of the event; an event that is not stored
/// yet is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Last {
    way: Way,
    seq: Seq,
}

const NOT_STORED: Seq = Seq::MAX;

/// A stored event that counts for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    pub key: EventKey,
    pub seq: Seq,
    pub order: PickingId,
    /// The event is an undo.
    pub is_undo: bool,
}

#[derive(Debug, Default)]
pub struct Memory {
    entries: HashMap<EventKey, Entry>,
    order: VecDeque<EventKey>,
    /// The captured quantities that the copy does not have yet, by order and product.
    captured: HashMap<(PickingId, ProductId), Decimal>,
    serials: HashMap<(ProductId, String), Last>,
    /// The undos of events for an order.
    undos: HashSet<EventKey>,
}

impl Memory {
    /// Adds an event that is about to be stored.
    pub fn add(&mut self, key: EventKey, counts: Counts) {
        self.insert(key, counts, None);
    }

    /// Adds a stored event. If the memory has it already, it adds only the quantity for an order,
    /// which may have been unknown before.
    pub fn recall(&mut self, key: EventKey, counts: Counts, seq: Seq) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return self.insert(key, counts, Some(seq));
        };
        if entry.counts.order.is_none() {
            entry.counts.order = counts.order;
            if is_undo(&counts) {
                self.undos.insert(key);
            }
            self.count(&counts);
        }
    }

    fn insert(&mut self, key: EventKey, counts: Counts, seq: Option<Seq>) {
        self.count(&counts);
        let mut before = None;
        if let Some((product, lot, way)) = &counts.serial {
            let last = Last {
                way: *way,
                seq: seq.unwrap_or(NOT_STORED),
            };
            let place = (*product, lot.clone());
            before = self.serials.get(&place).copied();
            if before.is_none_or(|before| before.seq <= last.seq) {
                self.serials.insert(place, last);
            }
        }
        let entry = Entry {
            counts,
            seq,
            before,
        };
        if is_undo(&entry.counts) {
            self.undos.insert(key);
        }
        self.entries.insert(key, entry);
        self.order.push_back(key);
        while self.order.len() > EVENTS_MAX {
            if let Some(oldest) = self.order.pop_front()
                && let Some(entry) = self.entries.remove(&oldest)
            {
                self.uncount(&entry.counts);
                self.undos.remove(&oldest);
                if let Some((product, lot, _)) = entry.counts.serial {
                    let place = (product, lot);
                    let last = self.serials.get(&place);
                    if last.is_some_and(|last| last.seq <= entry.seq.unwrap_or(NOT_STORED)) {
                        self.serials.remove(&place);
                    }
                }
            }
        }
    }

    fn count(&mut self, counts: &Counts) {
        if let Some((order, product, quantity)) = counts.order {
            *self.captured.entry((order, product)).or_default() += quantity;
        }
    }

    /// Whether the memory has this event: then it is a duplicate.
    #[must_use]
    pub fn has(&self, key: &EventKey) -> bool {
        self.entries.contains_key(key)
    }

    /// Records that the journal has stored the event.
    pub fn mark_stored(&mut self, key: &EventKey, seq: Seq) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.seq = Some(seq);
        if let Some((product, lot, way)) = &entry.counts.serial
            && let Some(last) = self.serials.get_mut(&(*product, lot.clone()))
            && last.seq == NOT_STORED
            && last.way == *way
        {
            last.seq = seq;
        }
    }

    /// Removes an event that was not stored, or that was a duplicate.
    pub fn remove(&mut self, key: &EventKey) {
        let Some(entry) = self.entries.remove(key) else {
            return;
        };
        // Mostly it is the newest event.
        if let Some(at) = self.order.iter().rposition(|known| known == key) {
            self.order.remove(at);
        }
        self.uncount(&entry.counts);
        self.undos.remove(key);
        if let Some((product, lot, _)) = entry.counts.serial {
            match entry.before {
                Some(last) => self.serials.insert((product, lot), last),
                None => self.serials.remove(&(product, lot)),
            };
        }
    }

    fn uncount(&mut self, counts: &Counts) {
        let Some((order, product, quantity)) = counts.order else {
            return;
        };
        if let Some(captured) = self.captured.get_mut(&(order, product)) {
            *captured -= quantity;
            if captured.is_zero() {
                self.captured.remove(&(order, product));
            }
        }
    }

    #[must_use]
    pub fn captured(&self, order: PickingId, product: ProductId) -> Decimal {
        self.captured
            .get(&(order, product))
            .copied()
            .unwrap_or_default()
    }

    #[must_use]
    pub fn last_way(&self, product: ProductId, lot: &str) -> Option<Way> {
        self.serials
            .get(&(product, lot.to_owned()))
            .map(|last| last.way)
    }

    /// Returns the stored events that count for an order.
    #[must_use]
    pub fn counting(&self) -> Vec<Counting> {
        let counting = |(key, entry): (&EventKey, &Entry)| entry.counting(*key);
        self.entries.iter().filter_map(counting).collect()
    }

    /// Whether the memory has an undo that counts.
    #[must_use]
    pub fn has_undo(&self) -> bool {
        !self.undos.is_empty()
    }

    /// Returns the stored undos that count for an order.
    #[must_use]
    pub fn counting_undos(&self) -> Vec<Counting> {
        let counting = |key: &EventKey| self.entries.get(key)?.counting(*key);
        self.undos.iter().filter_map(counting).collect()
    }

    /// Removes the quantities of these events: Odoo has them, or will never get them.
    pub fn settle(&mut self, keys: &[EventKey]) {
        for key in keys {
            let Some(entry) = self.entries.get_mut(key) else {
                continue;
            };
            let counts = Counts {
                order: entry.counts.order.take(),
                serial: None,
            };
            self.uncount(&counts);
            self.undos.remove(key);
        }
    }
}

fn is_undo(counts: &Counts) -> bool {
    matches!(counts.order, Some((_, _, quantity)) if quantity < Decimal::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> EventKey {
        let mut key = [0; 16];
        key[..4].copy_from_slice(&number.to_le_bytes());
        EventKey(key)
    }

    const PRODUCT: ProductId = ProductId::new(2);

    fn counting(number: u32, seq: u64, is_undo: bool) -> Counting {
        Counting {
            key: key(number),
            seq: Seq::new(seq),
            order: PickingId::new(1),
            is_undo,
        }
    }

    fn counts(quantity: u32, lot: &str, way: Way) -> Counts {
        Counts {
            order: Some((PickingId::new(1), PRODUCT, quantity.into())),
            serial: Some((PRODUCT, lot.to_owned(), way)),
        }
    }

    #[test]
    fn an_event_that_was_not_stored_does_not_count() {
        let mut memory = Memory::default();
        memory.add(key(1), counts(2, "S1", Way::In));
        memory.add(key(2), counts(3, "S1", Way::Out));
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(5)
        );
        assert_eq!(memory.last_way(PRODUCT, "S1"), Some(Way::Out));
        memory.remove(&key(2));
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(2)
        );
        assert_eq!(memory.last_way(PRODUCT, "S1"), Some(Way::In));
        assert!(memory.has(&key(1)) && !memory.has(&key(2)));
    }

    #[test]
    fn an_undo_counts_until_it_is_in_odoo() {
        let mut memory = Memory::default();
        let mut undo = counts(2, "S1", Way::Unknown);
        undo.order = Some((PickingId::new(1), PRODUCT, Decimal::from(-2)));
        memory.add(key(1), counts(5, "S1", Way::Out));
        memory.add(key(2), undo.clone());
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(3)
        );
        assert_eq!(memory.last_way(PRODUCT, "S1"), Some(Way::Unknown));
        assert_eq!(memory.counting_undos(), [], "it has no number yet");
        memory.mark_stored(&key(2), Seq::new(8));
        assert_eq!(memory.counting_undos(), [counting(2, 8, true)]);
        memory.settle(&[key(2)]);
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(5)
        );
        assert_eq!(memory.counting_undos(), []);
        memory.add(key(3), undo);
        memory.remove(&key(3));
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(5)
        );
        assert!(memory.undos.is_empty());
    }

    #[test]
    fn an_event_in_odoo_does_not_count_twice_but_is_still_known() {
        let mut memory = Memory::default();
        memory.add(key(1), counts(2, "S1", Way::Out));
        assert_eq!(memory.counting(), [], "it has no number yet");
        memory.mark_stored(&key(1), Seq::new(7));
        assert_eq!(memory.counting(), [counting(1, 7, false)]);
        memory.settle(&[key(1), key(1)]);
        assert_eq!(memory.captured(PickingId::new(1), PRODUCT), Decimal::ZERO);
        assert_eq!(memory.last_way(PRODUCT, "S1"), Some(Way::Out));
        assert!(memory.has(&key(1)) && memory.counting().is_empty());
    }

    #[test]
    fn a_recalled_event_adds_its_order_and_changes_nothing_newer() {
        let mut memory = Memory::default();
        let serial_alone = Counts {
            order: None,
            ..counts(1, "S1", Way::Out)
        };
        memory.add(key(2), serial_alone);
        memory.mark_stored(&key(2), Seq::new(50));
        memory.recall(key(1), counts(4, "S1", Way::In), Seq::new(10));
        assert_eq!(memory.last_way(PRODUCT, "S1"), Some(Way::Out));
        memory.recall(key(2), counts(1, "S1", Way::Out), Seq::new(50));
        memory.recall(key(2), counts(1, "S1", Way::Out), Seq::new(50));
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(5)
        );
        assert_eq!(memory.counting().len(), 2);
    }

    #[test]
    fn the_oldest_events_are_removed() {
        let mut memory = Memory::default();
        let max = u32::try_from(EVENTS_MAX).unwrap();
        for number in 0..=max {
            memory.add(key(number), counts(1, &number.to_string(), Way::In));
        }
        assert!(!memory.has(&key(0)) && memory.has(&key(1)));
        assert_eq!(memory.last_way(PRODUCT, "0"), None);
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(max)
        );
    }
}
