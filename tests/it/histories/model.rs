//! A history, and what its replay in true order says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What each bin holds before a history begins.
pub const BEFORE: i64 = 1_000;
/// Two bins are counted and moved between.
pub const BINS: [char; 2] = ['A', 'B'];

/// Numbers that look random, from a seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let digest = blake3::hash(&seed.to_le_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest.as_bytes()[..8]);
        Self(u64::from_le_bytes(first) | 1)
    }

    /// From 0 to one less than `below`.
    pub fn below(&mut self, below: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % below
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn quantity(&mut self) -> i64 {
        1 + i64::try_from(self.below(9)).unwrap()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Move {
        from: usize,
        to: usize,
        quantity: i64,
    },
    /// For the order of the history; without a bin it is taken from where Odoo reserved it, which
    /// is the first one.
    Pick {
        bin: Option<usize>,
        quantity: i64,
    },
    Receive {
        to: usize,
        quantity: i64,
    },
    Scrap {
        from: usize,
        quantity: i64,
    },
    /// Into a package, in the same bin.
    Pack {
        bin: usize,
        quantity: i64,
    },
    Count {
        bin: usize,
        counted: i64,
    },
    /// Of the event in this place of the history.
    Undo {
        of: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Seconds since the history began.
    pub second: i64,
    pub device: usize,
    pub deed: Deed,
}

/// Somebody moves goods in Odoo, from the first bin to the second.
#[derive(Debug, Clone, Copy)]
pub struct Foreign {
    pub second: i64,
    pub quantity: i64,
}

#[derive(Debug, Clone)]
pub struct History {
    pub events: Vec<Done>,
    pub foreign: Vec<Foreign>,
    /// By how many seconds the clock of the first device is ahead. It shows that before the history
    /// is delivered, and after.
    pub ahead: Option<i64>,
}

impl History {
    pub fn random(random: &mut Random) -> Self {
        let length = 2 + random.below(7);
        let mut events: Vec<Done> = Vec::new();
        let mut seconds = BTreeSet::new();
        let mut second = 10;
        for place in 0..length {
            // Some scans are close enough to share a line; no two are of one second.
            let apart = if random.chance(50) { 40 } else { 900 };
            second += 1 + i64::try_from(random.below(apart)).unwrap();
            seconds.insert(second);
            let deed = Self::deed(random, &events, place);
            let device = match deed {
                // A device undoes what it did itself.
                Deed::Undo { of } => events[of].device,
                _ => random.below(2),
            };
            events.push(Done {
                second,
                device,
                deed,
            });
        }
        if !events
            .iter()
            .any(|done| matches!(done.deed, Deed::Count { .. }))
        {
            let last = events.len() - 1;
            let bin = random.below(2);
            let counted = BEFORE - random.quantity();
            if !matches!(events[last].deed, Deed::Undo { .. }) {
                events[last].deed = Deed::Count { bin, counted };
            }
        }
        let mut foreign = Vec::new();
        while random.chance(30) {
            // Some in the very second of an event: Odoo's times are before ours then.
            let at = seconds
                .iter()
                .nth(random.below(seconds.len()))
                .copied()
                .unwrap_or(1);
            foreign.push(Foreign {
                second: if random.chance(30) { at } else { at - 1 },
                quantity: random.quantity(),
            });
        }
        let ahead = random
            .chance(30)
            .then(|| 1_800 + i64::try_from(random.below(5_400)).unwrap());
        Self {
            events,
            foreign,
            ahead,
        }
    }

    fn deed(random: &mut Random, before: &[Done], place: usize) -> Deed {
        let bin = random.below(2);
        let quantity = random.quantity();
        match random.below(100) {
            0..30 => Deed::Move {
                from: bin,
                to: 1 - bin,
                quantity,
            },
            30..62 => Deed::Count {
                bin,
                counted: BEFORE - 20 + i64::try_from(random.below(40)).unwrap(),
            },
            62..72 => Deed::Pick {
                bin: random.chance(50).then_some(bin),
                quantity,
            },
            72..79 => Deed::Receive { to: bin, quantity },
            79..85 => Deed::Scrap {
                from: bin,
                quantity,
            },
            85..90 => Deed::Pack { bin, quantity },
            _ => {
                let of = random.below(place.max(1));
                let is_undone = |done: &Done| done.deed == Deed::Undo { of };
                let can_be = before
                    .get(of)
                    .is_some_and(|done| !matches!(done.deed, Deed::Undo { .. }));
                if can_be && !before.iter().any(is_undone) {
                    Deed::Undo { of }
                } else {
                    Deed::Move {
                        from: bin,
                        to: 1 - bin,
                        quantity,
                    }
                }
            }
        }
    }

    pub fn has_picks(&self) -> bool {
        self.events
            .iter()
            .any(|done| matches!(done.deed, Deed::Pick { .. }))
    }

    pub fn random_order(&self, random: &mut Random) -> Vec<usize> {
        let mut left: Vec<usize> = (0..self.events.len()).collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            let at = random.below(left.len());
            if self.may_follow(&order, left[at]) {
                order.push(left.remove(at));
            }
        }
        order
    }

    /// An undo comes after what it undoes: they are of one device, which sends in order.
    fn may_follow(&self, order: &[usize], place: usize) -> bool {
        match self.events[place].deed {
            Deed::Undo { of } => order.contains(&of),
            _ => true,
        }
    }

    /// What each bin holds after the replay in true order, without the events in `parked`.
    pub fn replay(&self, parked: &BTreeSet<usize>) -> [i64; 2] {
        let mut bins = [BEFORE; 2];
        let mut changed: BTreeMap<usize, [i64; 2]> = BTreeMap::new();
        for (place, second) in self.in_true_order() {
            let Some(place) = place else {
                let moved: i64 = (self.foreign.iter())
                    .filter(|foreign| foreign.second == second)
                    .map(|foreign| foreign.quantity)
                    .sum();
                bins = [bins[0] - moved, bins[1] + moved];
                continue;
            };
            if parked.contains(&place) {
                continue;
            }
            let before = bins;
            match self.events[place].deed {
                Deed::Move { from, to, quantity } => {
                    bins[from] -= quantity;
                    bins[to] += quantity;
                }
                Deed::Pick { bin, quantity } => bins[bin.unwrap_or(0)] -= quantity,
                Deed::Receive { to, quantity } => bins[to] += quantity,
                Deed::Scrap { from, quantity } => bins[from] -= quantity,
                Deed::Pack { .. } => {}
                Deed::Count { bin, counted } => bins[bin] = counted,
                Deed::Undo { of } => {
                    let back = changed.get(&of).copied().unwrap_or_default();
                    bins = [bins[0] - back[0], bins[1] - back[1]];
                }
            }
            changed.insert(place, [bins[0] - before[0], bins[1] - before[1]]);
        }
        bins
    }

    /// The events by their true times; `None` is other people's moves of a second, which are before
    /// ours of that second.
    fn in_true_order(&self) -> Vec<(Option<usize>, i64)> {
        let foreign: BTreeSet<i64> = self.foreign.iter().map(|foreign| foreign.second).collect();
        let mut all: Vec<(i64, Option<usize>)> =
            foreign.into_iter().map(|second| (second, None)).collect();
        let events = self.events.iter().enumerate();
        all.extend(events.map(|(place, done)| (done.second, Some(place))));
        all.sort_by_key(|(second, place)| (*second, place.is_some()));
        all.into_iter()
            .map(|(second, place)| (place, second))
            .collect()
    }

    /// The events that may be for a person: counts between an event and its undo, and those undos.
    pub fn may_be_parked(&self) -> BTreeSet<usize> {
        let mut may_be = BTreeSet::new();
        for (place, done) in self.events.iter().enumerate() {
            let Deed::Undo { of } = done.deed else {
                continue;
            };
            let from = self.events[of].second;
            for (counted, other) in self.events.iter().enumerate() {
                let within = from < other.second && other.second < done.second;
                if matches!(other.deed, Deed::Count { .. }) && within {
                    may_be.extend([place, counted]);
                }
            }
        }
        may_be
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ahead) = self.ahead {
            writeln!(f, "  the clock of device 0 is {ahead} s ahead")?;
        }
        for (place, second) in self.in_true_order() {
            if let Some(place) = place {
                let Done { device, deed, .. } = self.events[place];
                writeln!(
                    f,
                    "  {second:5} s, event {place}, device {device}: {deed:?}"
                )?;
            } else {
                let of_second = |foreign: &&Foreign| foreign.second == second;
                let moves: Vec<&Foreign> = self.foreign.iter().filter(of_second).collect();
                writeln!(
                    f,
                    "  {second:5} s, somebody in Odoo, from A to B: {moves:?}"
                )?;
            }
        }
        Ok(())
    }
}

/// Every order in which the events of a history may arrive.
pub fn orders(history: &History) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..history.events.len() {
        let mut longer = Vec::new();
        for order in &all {
            for place in 0..history.events.len() {
                if !order.contains(&place) && history.may_follow(order, place) {
                    let mut next: Vec<usize> = order.clone();
                    next.push(place);
                    longer.push(next);
                }
            }
        }
        all = longer;
    }
    all
}
