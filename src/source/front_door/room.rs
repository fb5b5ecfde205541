//! Limits the bytes that were read from clients and are not decoded yet, or wait for the disk, over
//! all connections.
//!
//! Each connection may hold [`FREE_BYTES`], which is plenty for scans and events. For more it takes
//! a share of the room. An address gets at most half of the free room, so some room is left for
//! addresses that come later: 16 greedy addresses leave a ninth.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bytes that a connection may hold without a share of the room.
pub const FREE_BYTES: usize = 8 << 10;
/// The bytes that all connections together may hold in addition.
const ROOM_BYTES: usize = 12 << 20;
/// Bytes that a client may send ahead of the disk if there is room.
const AHEAD_BYTES: usize = 256 << 10;
/// The smallest share that a connection requests, so that a fast client does not request one for
/// each read.
const STEP_BYTES: usize = 64 << 10;
/// Less than this is not worth a read.
const READ_BYTES_MIN: usize = 1_024;

#[derive(Debug)]
pub struct Room {
    bytes_max: AtomicUsize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Room {
    /// The largest packet has room even where other addresses hold some.
    pub fn new(packet_bytes_max: usize) -> Self {
        let room = Self {
            bytes_max: AtomicUsize::new(ROOM_BYTES),
            held: Mutex::default(),
        };
        room.fit(packet_bytes_max);
        room
    }

    /// Makes room for larger packets. It is never less than before: connections may still send
    /// packets of the size in their CONNACK.
    pub fn fit(&self, packet_bytes_max: usize) {
        self.bytes_max
            .fetch_max(4 * packet_bytes_max, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, address: IpAddr, bytes: usize) -> bool {
        let mut held = self.lock();
        let bytes_max = self.bytes_max.load(Ordering::Relaxed);
        let free = bytes_max.saturating_sub(held.all);
        let own = held.by_address.get(&address).copied().unwrap_or(0);
        if own + bytes > free / 2 {
            return false;
        }
        held.all += bytes;
        *held.by_address.entry(address).or_default() += bytes;
        true
    }

    fn give_back(&self, address: IpAddr, bytes: usize) {
        let mut held = self.lock();
        held.all -= bytes;
        if let Some(own) = held.by_address.get_mut(&address) {
            *own -= bytes;
            if *own == 0 {
                held.by_address.remove(&address);
            }
        }
    }
}

/// A connection's part of the room; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    room: Arc<Room>,
    address: IpAddr,
    taken: usize,
}

impl Share {
    pub fn new(room: Arc<Room>, address: IpAddr) -> Self {
        Self {
            room,
            address,
            taken: 0,
        }
    }

    /// Whether the connection holds more than what is free for all.
    pub fn is_taken(&self) -> bool {
        self.taken > 0
    }

    /// How many bytes may be read now. `held`: bytes that the connection holds; `missing`: bytes to
    /// the end of the packet that has begun. 0: there is no room now.
    pub fn readable(&mut self, held: usize, missing: usize) -> usize {
        let allowed = FREE_BYTES + self.taken;
        let needed = held + missing;
        if held + READ_BYTES_MIN <= allowed && needed <= allowed {
            if self.taken > 0 && needed + READ_BYTES_MIN <= FREE_BYTES {
                self.release();
            }
            return FREE_BYTES + self.taken - held;
        }
        let wanted = needed.max((held + STEP_BYTES).min(AHEAD_BYTES));
        // All of the packet, or none of it: two clients with half a packet each would wait for one
        // another.
        if !self.grow(wanted) {
            let is_enough = needed > held && self.grow(needed);
            // If no packet is incomplete, the connection first decodes the bytes that it holds.
            if !is_enough && needed > FREE_BYTES + self.taken {
                return 0;
            }
        }
        (FREE_BYTES + self.taken).saturating_sub(held)
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(FREE_BYTES + self.taken);
        if more > 0 && self.room.take(self.address, more) {
            self.taken += more;
            return true;
        }
        more == 0
    }

    fn release(&mut self) {
        if self.taken > 0 {
            self.room.give_back(self.address, self.taken);
            self.taken = 0;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: usize = 256 << 10;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    #[test]
    fn small_packets_need_no_share() {
        let room = Arc::new(Room::new(PACKET));
        let mut share = Share::new(Arc::clone(&room), address(1));
        assert_eq!(share.readable(0, 0), FREE_BYTES);
        assert_eq!(share.readable(1_000, 200), FREE_BYTES - 1_000);
        assert!(!share.is_taken());
    }

    #[test]
    fn sixteen_greedy_addresses_leave_room_for_the_largest_packet_of_another() {
        let room = Arc::new(Room::new(PACKET));
        let mut greedy = Vec::new();
        let mut refused = 0;
        for number in (0..16).cycle().take(1_600) {
            let mut share = Share::new(Arc::clone(&room), address(number));
            if share.readable(4_096, 250_000) == 0 {
                refused += 1;
            }
            greedy.push(share);
        }
        assert!(refused > 1_500);
        assert!(room.lock().all <= ROOM_BYTES);
        let mut honest = Share::new(Arc::clone(&room), address(99));
        assert!(honest.readable(4_096, PACKET - 4_096) >= PACKET - 4_096);
        drop(greedy);
        drop(honest);
        assert_eq!(room.lock().all, 0);
        assert!(room.lock().by_address.is_empty());
    }

    #[test]
    fn a_share_goes_back_once_its_packet_is_decoded() {
        let room = Arc::new(Room::new(PACKET));
        let mut share = Share::new(Arc::clone(&room), address(1));
        assert!(share.readable(4_096, 100_000) >= 100_000);
        assert!(share.is_taken());
        assert_eq!(share.readable(0, 0), FREE_BYTES);
        assert!(!share.is_taken());
        assert_eq!(room.lock().all, 0);
    }

    #[test]
    fn the_largest_packet_that_is_configured_has_room() {
        let largest = 16 << 20;
        let mut share = Share::new(Arc::new(Room::new(largest)), address(1));
        assert!(share.readable(4_096, largest - 4_096) >= largest - 4_096);
    }
}
