//! The gate before decoding: limits the work between its bytes and its commit, and chooses the next
//! work.
//!
//! An array of 1 KB becomes 500 events or rejections of 1 KB each, so a limit on packets limits
//! nothing. The gate counts elements and the bytes of the decoded events. It admits waiting work in
//! the order of the fair queue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{FairQueue, Lane, Origin};

/// The cost of a piece of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Events and rejections that it may become.
    pub elements: usize,
    /// Their bytes in memory, about.
    pub bytes: usize,
}

/// How much may be admitted at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub elements: usize,
    pub bytes: usize,
    /// An origin that holds at most so many elements does not wait for other origins. Together such
    /// origins may hold another `elements` and `bytes`.
    pub modest_elements: usize,
}

/// Clones share one gate.
#[derive(Debug, Clone)]
pub struct Gate {
    state: Arc<Mutex<State>>,
    limits: Limits,
}

#[derive(Debug, Default)]
struct State {
    admitted: Cost,
    /// Elements that each origin has admitted.
    held: HashMap<Origin, usize>,
    waiting: FairQueue<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    origin: Origin,
    cost: Cost,
    grant: oneshot::Sender<Permit>,
}

/// Admitted work; it leaves the gate when this is dropped.
#[derive(Debug)]
pub struct Permit {
    gate: Gate,
    origin: Origin,
    cost: Cost,
}

impl Gate {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            state: Arc::default(),
            limits,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when the work may begin. Dropping the future gives the place up.
    pub async fn enter(&self, lane: Lane, cost: Cost) -> Permit {
        let waiting = {
            let mut state = self.state();
            let origin = lane.origin;
            if self.admits_now(&state, origin, cost) {
                return self.admit(&mut state, origin, cost);
            }
            let (grant, waiting) = oneshot::channel();
            let waiter = Waiter {
                origin,
                cost,
                grant,
            };
            state
                .waiting
                .push(lane, cost.elements.max(1) as u64, waiter);
            waiting
        };
        match waiting.await {
            Ok(permit) => permit,
            // The queue holds the sender, and this gate holds the queue.
            Err(_) => unreachable!("a gate drops no waiter"),
        }
    }

    fn admits_now(&self, state: &State, origin: Origin, cost: Cost) -> bool {
        if state.waiting.is_empty() && self.fits(state, cost, 1) {
            return true;
        }
        let held = state.held.get(&origin).copied().unwrap_or(0);
        held + cost.elements <= self.limits.modest_elements && self.fits(state, cost, 2)
    }

    fn fits(&self, state: &State, cost: Cost, times: usize) -> bool {
        let admitted = state.admitted;
        // A piece of work that is larger than the limit is admitted alone.
        admitted == Cost::default()
            || (admitted.elements + cost.elements <= times * self.limits.elements
                && admitted.bytes + cost.bytes <= times * self.limits.bytes)
    }

    fn admit(&self, state: &mut State, origin: Origin, cost: Cost) -> Permit {
        state.admitted.elements += cost.elements;
        state.admitted.bytes += cost.bytes;
        *state.held.entry(origin).or_default() += cost.elements;
        Permit {
            gate: self.clone(),
            origin,
            cost,
        }
    }

    /// Admits what fits now.
    fn admit_waiting(&self) {
        loop {
            let (waiter, permit) = {
                let mut state = self.state();
                let Some((_, next)) = state.waiting.peek() else {
                    return;
                };
                // The waiter has left.
                if next.grant.is_closed() {
                    drop(state.waiting.pop());
                    continue;
                }
                if !self.fits(&state, next.cost, 1) {
                    return;
                }
                let Some(waiter) = state.waiting.pop() else {
                    return;
                };
                let permit = self.admit(&mut state, waiter.origin, waiter.cost);
                (waiter, permit)
            };
            // A waiter that left meanwhile gives the permit back.
            drop(waiter.grant.send(permit));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        {
            let mut state = self.gate.state();
            state.admitted.elements -= self.cost.elements;
            state.admitted.bytes -= self.cost.bytes;
            if let Some(held) = state.held.get_mut(&self.origin) {
                *held -= self.cost.elements;
                if *held == 0 {
                    state.held.remove(&self.origin);
                }
            }
        }
        self.gate.admit_waiting();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::event::Name;

    fn lane(address: u8) -> Lane {
        let origin = Origin::Address(IpAddr::from([10, 0, 0, address]));
        Lane::device(origin, &Name::new("pda").unwrap())
    }

    fn cost(elements: usize) -> Cost {
        Cost {
            elements,
            bytes: elements * 1_000,
        }
    }

    fn gate() -> Gate {
        Gate::new(Limits {
            elements: 1_000,
            bytes: 1_000_000,
            modest_elements: 20,
        })
    }

    #[test]
    fn elements_are_admitted_up_to_the_limit_and_a_modest_origin_does_not_wait() {
        let gate = gate();
        let greedy: Vec<_> = (0..2)
            .map(|_| gate.enter(lane(1), cost(500)).now_or_never().unwrap())
            .collect();
        assert!(gate.enter(lane(1), cost(1)).now_or_never().is_none());
        assert!(gate.enter(lane(1), cost(500)).now_or_never().is_none());
        let modest = gate.enter(lane(2), cost(20)).now_or_never();
        assert!(modest.is_some(), "it holds nothing yet");
        assert!(
            gate.enter(lane(2), cost(1)).now_or_never().is_none(),
            "it holds as much as a modest one may"
        );
        drop(greedy);
        drop(modest);
        assert!(gate.enter(lane(1), cost(500)).now_or_never().is_some());
    }

    #[test]
    fn bytes_are_limited_too() {
        let gate = gate();
        let heavy = Cost {
            elements: 1,
            bytes: 999_000,
        };
        let first = gate.enter(lane(1), heavy).now_or_never();
        assert!(first.is_some());
        assert!(gate.enter(lane(1), cost(30)).now_or_never().is_none());
    }

    #[tokio::test]
    async fn places_go_to_the_origins_in_turn() {
        let gate = gate();
        let first = gate.enter(lane(1), cost(1_000)).await;
        let mut greedy: Vec<_> = (0..10)
            .map(|_| Box::pin(gate.enter(lane(1), cost(500))))
            .collect();
        for waiting in &mut greedy {
            assert!(waiting.now_or_never().is_none());
        }
        let mut other = Box::pin(gate.enter(lane(2), cost(500)));
        assert!((&mut other).now_or_never().is_none());
        // Work that no longer waits uses no place.
        drop(greedy.remove(0));
        drop(first);
        let admitted = [other.now_or_never(), greedy.remove(0).now_or_never()];
        assert!(admitted.iter().all(Option::is_some));
        assert!((&mut greedy[0]).now_or_never().is_none());
    }

    #[test]
    fn what_is_larger_than_the_gate_enters_alone() {
        let gate = gate();
        let huge = gate.enter(lane(1), cost(5_000)).now_or_never();
        assert!(huge.is_some());
        assert!(gate.enter(lane(1), cost(100)).now_or_never().is_none());
        drop(huge);
        let state = gate.state();
        assert_eq!(state.admitted, Cost::default());
        assert!(state.held.is_empty());
    }
}
