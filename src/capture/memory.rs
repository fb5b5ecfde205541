//! What was captured since the copy was last brought up to date, as far as it matters to what comes
//! next: quantities for open orders, and serial numbers. Pure, and bounded: the oldest go.
//!
//! It is in memory alone; after a restart it is recalled from the journal's newest events.

use std::collections::{HashMap, HashSet, VecDeque};

use rust_decimal::Decimal;

use crate::event::{Event, Seq};
use crate::odoo_id::{PickingId, ProductId};

/// Events that are remembered.
pub const NOTED_MAX: usize = 100_000;

/// Which way goods go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
    /// It says nothing of where the goods are.
    Neither,
    /// After it, the goods may come in or go out.
    Forgotten,
}

/// What an event counts for, once it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// So much of a product for an open order.
    pub order: Option<(PickingId, ProductId, Decimal)>,
    /// A serial number of a product that came in, or went out.
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
struct Noted {
    counts: Counts,
    /// The journal's number, once it has one.
    seq: Option<Seq>,
    /// What the serial number's way was before.
    before: Option<Last>,
}

impl Noted {
    fn counting(&self, key: EventKey) -> Option<Counting> {
        let (order, ..) = self.counts.order?;
        let seq = self.seq?;
        Some(Counting {
            key,
            seq,
            order,
            is_back: takes_back(&self.counts),
        })
    }
}

/// The last way of a serial number, and the journal's number of the event; on its way to the
/// journal it is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Last {
    way: Way,
    seq: Seq,
}

const ON_ITS_WAY: Seq = Seq::MAX;

/// An event that counts for an order, with the journal's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    pub key: EventKey,
    pub seq: Seq,
    pub order: PickingId,
    /// It takes something back.
    pub is_back: bool,
}

#[derive(Debug, Default)]
pub struct Memory {
    noted: HashMap<EventKey, Noted>,
    order: VecDeque<EventKey>,
    /// Order and product → what was captured and is not in the copy yet.
    captured: HashMap<(PickingId, ProductId), Decimal>,
    serials: HashMap<(ProductId, String), Last>,
    /// Those that take something back for an order.
    backs: HashSet<EventKey>,
}

impl Memory {
    /// An event that counts, which is being kept.
    pub fn note(&mut self, key: EventKey, counts: Counts) {
        self.add(key, counts, None);
    }

    /// An event that the journal has. What it counts for an order may not have been known before;
    /// its serial number may have gone another way since.
    pub fn recall(&mut self, key: EventKey, counts: Counts, seq: Seq) {
        let Some(noted) = self.noted.get_mut(&key) else {
            return self.add(key, counts, Some(seq));
        };
        if noted.counts.order.is_none() {
            noted.counts.order = counts.order;
            if takes_back(&counts) {
                self.backs.insert(key);
            }
            self.count(&counts);
        }
    }

    fn add(&mut self, key: EventKey, counts: Counts, seq: Option<Seq>) {
        self.count(&counts);
        let mut before = None;
        if let Some((product, lot, way)) = &counts.serial {
            let last = Last {
                way: *way,
                seq: seq.unwrap_or(ON_ITS_WAY),
            };
            let place = (*product, lot.clone());
            before = self.serials.get(&place).copied();
            if before.is_none_or(|before| before.seq <= last.seq) {
                self.serials.insert(place, last);
            }
        }
        let noted = Noted {
            counts,
            seq,
            before,
        };
        if takes_back(&noted.counts) {
            self.backs.insert(key);
        }
        self.noted.insert(key, noted);
        self.order.push_back(key);
        while self.order.len() > NOTED_MAX {
            if let Some(oldest) = self.order.pop_front()
                && let Some(noted) = self.noted.remove(&oldest)
            {
                self.uncount(&noted.counts);
                self.backs.remove(&oldest);
                if let Some((product, lot, _)) = noted.counts.serial {
                    let place = (product, lot);
                    let last = self.serials.get(&place);
                    if last.is_some_and(|last| last.seq <= noted.seq.unwrap_or(ON_ITS_WAY)) {
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

    /// Whether this event is noted: then it is one that comes again.
    #[must_use]
    pub fn knows(&self, key: &EventKey) -> bool {
        self.noted.contains_key(key)
    }

    /// The journal has it.
    pub fn stored(&mut self, key: &EventKey, seq: Seq) {
        let Some(noted) = self.noted.get_mut(key) else {
            return;
        };
        noted.seq = Some(seq);
        if let Some((product, lot, way)) = &noted.counts.serial
            && let Some(last) = self.serials.get_mut(&(*product, lot.clone()))
            && last.seq == ON_ITS_WAY
            && last.way == *way
        {
            last.seq = seq;
        }
    }

    /// It was not kept, or had been before: it counts for nothing.
    pub fn undo(&mut self, key: &EventKey) {
        let Some(noted) = self.noted.remove(key) else {
            return;
        };
        // Most often it is the newest.
        if let Some(at) = self.order.iter().rposition(|known| known == key) {
            self.order.remove(at);
        }
        self.uncount(&noted.counts);
        self.backs.remove(key);
        if let Some((product, lot, _)) = noted.counts.serial {
            match noted.before {
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

    /// The events that count for an order.
    #[must_use]
    pub fn counting(&self) -> Vec<Counting> {
        let counting = |(key, noted): (&EventKey, &Noted)| noted.counting(*key);
        self.noted.iter().filter_map(counting).collect()
    }

    /// Whether something that was taken back counts.
    #[must_use]
    pub fn has_back(&self) -> bool {
        !self.backs.is_empty()
    }

    /// Those of them that take something back.
    #[must_use]
    pub fn counting_back(&self) -> Vec<Counting> {
        let counting = |key: &EventKey| self.noted.get(key)?.counting(*key);
        self.backs.iter().filter_map(counting).collect()
    }

    /// What these counted for an order is in Odoo, or will never be: the copy says the rest.
    pub fn settle(&mut self, keys: &[EventKey]) {
        for key in keys {
            let Some(noted) = self.noted.get_mut(key) else {
                continue;
            };
            let counts = Counts {
                order: noted.counts.order.take(),
                serial: None,
            };
            self.uncount(&counts);
            self.backs.remove(key);
        }
    }
}

fn takes_back(counts: &Counts) -> bool {
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

    fn counting(number: u32, seq: Seq, is_back: bool) -> Counting {
        Counting {
            key: key(number),
            seq,
            order: PickingId::new(1),
            is_back,
        }
    }

    fn counts(quantity: u32, lot: &str, way: Way) -> Counts {
        Counts {
            order: Some((PickingId::new(1), PRODUCT, quantity.into())),
            serial: Some((PRODUCT, lot.to_owned(), way)),
        }
    }

    #[test]
    fn what_was_not_kept_counts_for_nothing() {
        let mut memory = Memory::default();
        memory.note(key(1), counts(2, "S1", Way::In));
        memory.note(key(2), counts(3, "S1", Way::Out));
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(5)
        );
        assert_eq!(memory.last_way(PRODUCT, "S1"), Some(Way::Out));
        memory.undo(&key(2));
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(2)
        );
        assert_eq!(memory.last_way(PRODUCT, "S1"), Some(Way::In));
        assert!(memory.knows(&key(1)) && !memory.knows(&key(2)));
    }

    #[test]
    fn what_is_taken_back_counts_until_it_is_in_odoo() {
        let mut memory = Memory::default();
        let mut back = counts(2, "S1", Way::Forgotten);
        back.order = Some((PickingId::new(1), PRODUCT, Decimal::from(-2)));
        memory.note(key(1), counts(5, "S1", Way::Out));
        memory.note(key(2), back.clone());
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(3)
        );
        assert_eq!(memory.last_way(PRODUCT, "S1"), Some(Way::Forgotten));
        assert_eq!(memory.counting_back(), [], "it has no number yet");
        memory.stored(&key(2), Seq::new(8));
        assert_eq!(memory.counting_back(), [counting(2, Seq::new(8), true)]);
        memory.settle(&[key(2)]);
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(5)
        );
        assert_eq!(memory.counting_back(), []);
        memory.note(key(3), back);
        memory.undo(&key(3));
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(5)
        );
        assert!(memory.backs.is_empty());
    }

    #[test]
    fn what_is_in_odoo_is_not_counted_twice_but_known_for_the_next_time() {
        let mut memory = Memory::default();
        memory.note(key(1), counts(2, "S1", Way::Out));
        assert_eq!(memory.counting(), [], "it has no number yet");
        memory.stored(&key(1), Seq::new(7));
        assert_eq!(memory.counting(), [counting(1, Seq::new(7), false)]);
        memory.settle(&[key(1), key(1)]);
        assert_eq!(memory.captured(PickingId::new(1), PRODUCT), Decimal::ZERO);
        assert_eq!(memory.last_way(PRODUCT, "S1"), Some(Way::Out));
        assert!(memory.knows(&key(1)) && memory.counting().is_empty());
    }

    #[test]
    fn what_is_recalled_fills_what_was_not_known_and_changes_nothing_newer() {
        let mut memory = Memory::default();
        let serial_alone = Counts {
            order: None,
            ..counts(1, "S1", Way::Out)
        };
        memory.note(key(2), serial_alone);
        memory.stored(&key(2), Seq::new(50));
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
    fn the_oldest_go() {
        let mut memory = Memory::default();
        let max = u32::try_from(NOTED_MAX).unwrap();
        for number in 0..=max {
            memory.note(key(number), counts(1, &number.to_string(), Way::In));
        }
        assert!(!memory.knows(&key(0)) && memory.knows(&key(1)));
        assert_eq!(memory.last_way(PRODUCT, "0"), None);
        assert_eq!(
            memory.captured(PickingId::new(1), PRODUCT),
            Decimal::from(max)
        );
    }
}
