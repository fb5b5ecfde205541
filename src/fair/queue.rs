//! The two-level fair queue.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

use super::{Lane, Origin};
use crate::event::Name;

/// Chooses the next member by the cost that each was served before.
#[derive(Debug)]
struct Strides<K> {
    /// Members with work by their pass, and by when they came: the first is next.
    active: BTreeMap<(u64, u64), K>,
    /// The position of each member. An idle member stays as long as it is ahead of the clock.
    passes: HashMap<K, (u64, u64)>,
    /// The pass of the member that was served last.
    clock: u64,
    arrivals: u64,
}

impl<K> Default for Strides<K> {
    fn default() -> Self {
        Self {
            active: BTreeMap::new(),
            passes: HashMap::new(),
            clock: 0,
            arrivals: 0,
        }
    }
}

impl<K: Clone + Eq + Hash> Strides<K> {
    /// A member has work. One that was idle comes before all that are ahead of the clock.
    fn wake(&mut self, member: &K) {
        let pass = match self.passes.get(member) {
            Some(place) if self.active.contains_key(place) => return,
            Some((pass, _)) => (*pass).max(self.clock),
            None => self.clock,
        };
        self.place(member, pass);
    }

    fn place(&mut self, member: &K, pass: u64) {
        self.arrivals += 1;
        let place = (pass, self.arrivals);
        self.passes.insert(member.clone(), place);
        self.active.insert(place, member.clone());
    }

    fn next(&self) -> Option<&K> {
        self.active.first_key_value().map(|(_, member)| member)
    }

    /// The first member was served, at this cost.
    fn charge(&mut self, cost: u64, has_more: bool) {
        let Some(((pass, arrival), member)) = self.active.pop_first() else {
            return;
        };
        self.clock = pass;
        let pass = pass.saturating_add(cost);
        if has_more {
            self.place(&member, pass);
        } else {
            self.passes.insert(member, (pass, arrival));
            self.forget();
        }
    }

    /// Idle members that the clock has reached have no more to pay for.
    fn forget(&mut self) {
        if self.active.is_empty() {
            self.passes.clear();
        } else if self.passes.len() > 2 * self.active.len() + 64 {
            let (active, clock) = (&self.active, self.clock);
            self.passes
                .retain(|_, place| place.0 > clock || active.contains_key(place));
        }
    }
}

#[derive(Debug)]
struct Devices<T> {
    strides: Strides<Option<Name>>,
    waiting: HashMap<Option<Name>, VecDeque<(u64, T)>>,
}

/// Work that waits, in lanes.
#[derive(Debug)]
pub struct FairQueue<T> {
    strides: Strides<Origin>,
    origins: HashMap<Origin, Devices<T>>,
    len: usize,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            strides: Strides::default(),
            origins: HashMap::new(),
            len: 0,
        }
    }
}

impl<T> FairQueue<T> {
    /// Enqueues work at the end of its lane. The cost has the same unit for all work of a queue.
    pub fn push(&mut self, lane: Lane, cost: u64, work: T) {
        self.strides.wake(&lane.origin);
        let devices = self.origins.entry(lane.origin).or_insert_with(|| Devices {
            strides: Strides::default(),
            waiting: HashMap::new(),
        });
        devices.strides.wake(&lane.device);
        devices
            .waiting
            .entry(lane.device)
            .or_default()
            .push_back((cost, work));
        self.len += 1;
    }

    /// The next work, without removing it.
    #[must_use]
    pub fn peek(&self) -> Option<(u64, &T)> {
        let devices = self.origins.get(self.strides.next()?)?;
        let (cost, work) = devices.waiting.get(devices.strides.next()?)?.front()?;
        Some((*cost, work))
    }

    /// Takes the work that is next.
    pub fn pop(&mut self) -> Option<T> {
        let origin = *self.strides.next()?;
        let devices = self.origins.get_mut(&origin)?;
        let device = devices.strides.next()?.clone();
        let queue = devices.waiting.get_mut(&device)?;
        let (cost, work) = queue.pop_front()?;
        let has_more = !queue.is_empty();
        if !has_more {
            devices.waiting.remove(&device);
        }
        devices.strides.charge(cost, has_more);
        let has_more = !devices.waiting.is_empty();
        if !has_more && devices.strides.passes.is_empty() {
            self.origins.remove(&origin);
        }
        self.strides.charge(cost, has_more);
        self.len -= 1;
        Some(work)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn lane(address: u8, device: &str) -> Lane {
        let origin = Origin::Address(IpAddr::from([10, 0, 0, address]));
        Lane::device(origin, &Name::new(device).unwrap())
    }

    fn drain(queue: &mut FairQueue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn a_lane_that_was_idle_is_served_before_the_backlog_of_another() {
        let mut queue = FairQueue::default();
        for _ in 0..1_000 {
            queue.push(lane(1, "greedy"), 500, "greedy");
        }
        queue.pop();
        queue.push(lane(1, "modest"), 1, "neighbour");
        queue.push(lane(2, "modest"), 1, "modest");
        let served: Vec<_> = (0..3).filter_map(|_| queue.pop()).collect();
        assert!(served.contains(&"modest"), "{served:?}");
        assert!(served.contains(&"neighbour"), "{served:?}");
    }

    #[test]
    fn origins_share_by_cost_however_many_devices_one_of_them_names() {
        let mut queue = FairQueue::default();
        for number in 0..100 {
            for _ in 0..10 {
                queue.push(lane(1, &format!("made-up-{number}")), 10, "many");
            }
        }
        for _ in 0..100 {
            queue.push(lane(2, "only"), 1, "one");
        }
        // 10 turns of cost 10 for one origin are 100 turns of cost 1 for the other.
        let first: Vec<_> = (0..110).filter_map(|_| queue.pop()).collect();
        let ones = first.iter().filter(|work| **work == "one").count();
        assert!((98..=100).contains(&ones), "{ones}");
    }

    #[test]
    fn a_lane_keeps_its_order_and_nothing_is_lost() {
        let mut queue = FairQueue::default();
        for work in ["a", "b", "c"] {
            queue.push(lane(1, "x"), 7, work);
            queue.push(lane(1, "y"), 1, work);
        }
        queue.push(Lane::of(Origin::Gateway), 4_096, "gateway");
        assert_eq!(queue.len(), 7);
        let served = drain(&mut queue);
        assert_eq!(served.len(), 7);
        assert!(queue.is_empty() && queue.peek().is_none());
        for work in ["a", "b", "c"] {
            assert_eq!(served.iter().filter(|served| **served == work).count(), 2);
        }
    }

    #[test]
    fn a_device_that_leaves_and_comes_back_gains_nothing() {
        let mut queue = FairQueue::default();
        for _ in 0..50 {
            queue.push(lane(1, "steady"), 10, "steady");
        }
        let mut served = [0, 0];
        // It always has one piece of work alone: each time the queue is asked, it has just come
        // back.
        for _ in 0..40 {
            if !queue
                .origins
                .values()
                .any(|devices| devices.waiting.contains_key(&lane(1, "tricky").device))
            {
                queue.push(lane(1, "tricky"), 10, "tricky");
            }
            match queue.pop() {
                Some("steady") => served[0] += 1,
                _ => served[1] += 1,
            }
        }
        assert!(served[0] >= 19, "{served:?}");
    }

    #[test]
    fn idle_members_are_forgotten() {
        let mut queue = FairQueue::default();
        queue.push(lane(0, "steady"), 1, "steady");
        for number in 0..10_000 {
            queue.push(lane(0, &format!("device-{number}")), 1, "once");
            queue.push(lane(0, "steady"), 1, "steady");
            queue.pop();
            queue.pop();
        }
        let devices = queue.origins.values().next().unwrap();
        assert!(devices.strides.passes.len() < 200);
        drain(&mut queue);
        assert!(queue.origins.is_empty());
    }
}
