//! Limits connections before and after CONNECT.
//!
//! - [`Doorstep`] holds a limited number of connections without a CONNECT. They cost an attacker
//!   nothing, so they do not count as clients. If there are too many, the oldest connection of the
//!   address with the most is closed. An honest client sends its CONNECT at once and leaves the
//!   doorstep.
//! - [`Places`] counts the clients. The last part of the places is for addresses that hold less
//!   than their share.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::limits::Bucket;

/// New connections of an address: the burst, and the rate per second after it. Further connections
/// are closed at once, because reading and refusing each of them would delay the others.
const ARRIVALS_MAX: u32 = 1_000;
const ARRIVALS_PER_S: u32 = 200;
/// Addresses whose arrivals are remembered.
const ADDRESSES_MAX: usize = 4_096;
/// Connections without a place, over all addresses and of one address.
pub const WAITING_MAX: usize = 512;
pub const WAITING_OF_ADDRESS_MAX: usize = 64;
/// This part of the places is for addresses that hold less than their share.
const RESERVE_DIVISOR: usize = 5;

#[derive(Debug, Default)]
pub struct Doorstep(Mutex<WaitingConnections>);

#[derive(Debug, Default)]
struct WaitingConnections {
    next: u64,
    connections: HashMap<u64, CancellationToken>,
    /// By arrival.
    by_address: BTreeMap<IpAddr, VecDeque<u64>>,
    arrivals: HashMap<IpAddr, Bucket>,
}

/// A connection at the doorstep; it leaves when this is dropped.
#[derive(Debug)]
pub struct Standing {
    doorstep: Arc<Doorstep>,
    address: IpAddr,
    number: u64,
    /// Cancelled when the connection has to make room.
    pub evicted: CancellationToken,
}

impl Doorstep {
    fn waiting(&self) -> MutexGuard<'_, WaitingConnections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection. Another connection may be closed for it. `None`: its address connects too
    /// often.
    pub fn arrive(self: &Arc<Self>, address: IpAddr, now: Instant) -> Option<Standing> {
        let mut waiting = self.waiting();
        if !waiting.may_arrive(address, now) {
            return None;
        }
        let own = waiting.by_address.get(&address).map_or(0, VecDeque::len);
        if own >= WAITING_OF_ADDRESS_MAX {
            waiting.evict_oldest(address);
        } else if waiting.connections.len() >= WAITING_MAX
            && let Some(greediest) = waiting.greediest()
        {
            waiting.evict_oldest(greediest);
        }
        let number = waiting.next;
        waiting.next += 1;
        let evicted = CancellationToken::new();
        waiting.connections.insert(number, evicted.clone());
        let of_address = waiting.by_address.entry(address).or_default();
        of_address.push_back(number);
        Some(Standing {
            doorstep: Arc::clone(self),
            address,
            number,
            evicted,
        })
    }
}

impl WaitingConnections {
    fn may_arrive(&mut self, address: IpAddr, now: Instant) -> bool {
        if self.arrivals.len() >= ADDRESSES_MAX {
            self.arrivals.retain(|_, bucket| {
                bucket.refill(now);
                !bucket.is_full()
            });
        }
        if self.arrivals.len() >= ADDRESSES_MAX {
            // There are more addresses than the meter can distinguish.
            return true;
        }
        let bucket = self
            .arrivals
            .entry(address)
            .or_insert_with(|| Bucket::with_burst(ARRIVALS_PER_S, ARRIVALS_MAX, now));
        bucket.refill(now);
        let may_arrive = !bucket.is_empty();
        if may_arrive {
            bucket.take(1);
        }
        may_arrive
    }

    fn greediest(&self) -> Option<IpAddr> {
        let most = self.by_address.iter().max_by_key(|(_, own)| own.len());
        most.map(|(address, _)| *address)
    }

    fn evict_oldest(&mut self, address: IpAddr) {
        let oldest = self.by_address.get(&address).and_then(VecDeque::front);
        if let Some(oldest) = oldest.copied()
            && let Some(evicted) = self.remove(address, oldest)
        {
            evicted.cancel();
        }
    }

    fn remove(&mut self, address: IpAddr, number: u64) -> Option<CancellationToken> {
        if let Some(own) = self.by_address.get_mut(&address) {
            own.retain(|other| *other != number);
            if own.is_empty() {
                self.by_address.remove(&address);
            }
        }
        self.connections.remove(&number)
    }
}

impl Standing {
    /// The connection has a place of its own from now on. False: it has to make room already.
    pub fn leave(&self) -> bool {
        let mut waiting = self.doorstep.waiting();
        waiting.remove(self.address, self.number).is_some()
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The places of clients.
#[derive(Debug)]
pub struct Places {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A client's place; free again when this is dropped.
#[derive(Debug)]
pub struct ClientPlace {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    pub fn new(max: usize) -> Self {
        Self {
            max,
            taken: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a client of this address. `None`: no place is free.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<ClientPlace> {
        let mut taken = self.lock();
        let own = taken.by_address.get(&address).copied().unwrap_or(0);
        // Divides by one address more than there are, so that the next address finds a place as
        // well.
        let share = self.max / (taken.by_address.len() + 1);
        let is_open = taken.all < self.max - self.max / RESERVE_DIVISOR || own < share;
        if taken.all >= self.max || !is_open {
            return None;
        }
        taken.all += 1;
        *taken.by_address.entry(address).or_default() += 1;
        Some(ClientPlace {
            places: Arc::clone(self),
            address,
        })
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        if let Some(own) = taken.by_address.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    fn arrive(doorstep: &Arc<Doorstep>, number: u8) -> Standing {
        let standing = doorstep.arrive(address(number), clock::instant());
        standing.expect("it does not come too often")
    }

    #[test]
    fn an_address_that_connects_over_and_over_is_not_heard_for_a_while() {
        let doorstep = Arc::new(Doorstep::default());
        let now = clock::instant();
        let heard = |now| {
            (0..5_000)
                .filter(|_| doorstep.arrive(address(1), now).is_some())
                .count()
        };
        assert_eq!(heard(now), ARRIVALS_MAX as usize);
        assert!(doorstep.arrive(address(2), now).is_some());
        let later = now + std::time::Duration::from_secs(1);
        assert_eq!(heard(later), ARRIVALS_PER_S as usize);
    }

    #[test]
    fn an_address_makes_room_for_its_own_newcomers() {
        let doorstep = Arc::new(Doorstep::default());
        let mut silent: Vec<_> = (0..WAITING_OF_ADDRESS_MAX)
            .map(|_| arrive(&doorstep, 1))
            .collect();
        let other = arrive(&doorstep, 2);
        let next = arrive(&doorstep, 1);
        assert!(silent[0].evicted.is_cancelled(), "the oldest");
        assert!(silent[1..].iter().all(|own| !own.evicted.is_cancelled()));
        assert!(!other.evicted.is_cancelled() && !next.evicted.is_cancelled());
        silent.clear();
        drop((other, next));
        assert!(doorstep.waiting().connections.is_empty());
        assert!(doorstep.waiting().by_address.is_empty());
    }

    #[test]
    fn at_the_limit_the_greediest_address_makes_room() {
        let doorstep = Arc::new(Doorstep::default());
        let modest = arrive(&doorstep, 200);
        let silent: Vec<_> = (0..16)
            .cycle()
            .take(1_100)
            .map(|number| arrive(&doorstep, number))
            .collect();
        assert!(!modest.evicted.is_cancelled());
        let late = arrive(&doorstep, 201);
        assert!(!late.evicted.is_cancelled());
        let left = silent
            .iter()
            .filter(|own| !own.evicted.is_cancelled())
            .count();
        assert_eq!(left, WAITING_MAX - 2);
    }

    #[test]
    fn the_last_places_are_for_addresses_with_less_than_their_share() {
        let places = Arc::new(Places::new(100));
        let greedy: Vec<_> = std::iter::from_fn(|| places.take(address(1))).collect();
        assert_eq!(greedy.len(), 80);
        let second: Vec<_> = std::iter::from_fn(|| places.take(address(2))).collect();
        assert_eq!(second.len(), 20);
        drop(greedy);
        assert!(places.take(address(3)).is_some());
        drop(second);
        assert!(places.lock().by_address.is_empty());
    }

    #[test]
    fn sixteen_greedy_addresses_leave_places() {
        let places = Arc::new(Places::new(1_000));
        let mut greedy = Vec::new();
        for number in (0..16).cycle().take(1_600) {
            greedy.extend(places.take(address(number)));
        }
        assert!(greedy.len() > 900);
        assert!(places.take(address(99)).is_some());
    }

    #[test]
    fn few_places_are_all_for_anyone() {
        let places = Arc::new(Places::new(2));
        let both = (places.take(address(1)), places.take(address(1)));
        assert!(both.0.is_some() && both.1.is_some());
        assert!(places.take(address(2)).is_none());
    }
}
