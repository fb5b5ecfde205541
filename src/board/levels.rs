//! How well the gateway serves, since the daemon started: durations, and counts by reason.
//!
//! **Guarantee:** constant memory. A histogram has a fixed number of buckets, and reasons come from
//! the tables of the code. All counts begin with the process, as Prometheus expects.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::Accepted;

/// Upper bounds of the buckets from a publish to its PUBACK, in milliseconds.
const PUBACK_MS: [u64; 10] = [1, 3, 5, 10, 30, 100, 300, 1_000, 3_000, 10_000];
/// Upper bounds of the buckets from the beep to Odoo: 5 s to 1 day. The service levels are at 1, 15
/// and 60 minutes.
const IN_ODOO_MS: [u64; 9] = [
    5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000, 28_800_000, 86_400_000,
];
/// Upper bounds of the buckets of a request to Odoo, in milliseconds.
const ODOO_MS: [u64; 9] = [30, 100, 300, 1_000, 3_000, 10_000, 30_000, 60_000, 300_000];
/// The limit of reasons of one kind.
const REASONS_MAX: usize = 200;

/// What a request to Odoo does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Asks for the version, or logs in.
    Connect,
    Read,
    /// Creates pickings or lines unless they exist.
    Load,
    Validate,
    /// Any other change.
    Write,
}

impl Call {
    pub const ALL: [Self; 5] = [
        Self::Connect,
        Self::Read,
        Self::Load,
        Self::Validate,
        Self::Write,
    ];

    #[must_use]
    pub fn of(method: &str) -> Self {
        match method {
            "read" | "web_read" | "search" | "search_read" | "search_count" | "web_search_read"
            | "fields_get" | "has_access" | "get_external_id" | "context_get" => Self::Read,
            "load" => Self::Load,
            "button_validate" => Self::Validate,
            _ => Self::Write,
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Read => "read",
            Self::Load => "load",
            Self::Validate => "validate",
            Self::Write => "write",
        }
    }
}

#[derive(Debug)]
struct Histogram {
    bounds_ms: &'static [u64],
    /// One for each bound, and one for everything above.
    counts: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

impl Histogram {
    fn new(bounds_ms: &'static [u64]) -> Self {
        Self {
            bounds_ms,
            counts: (0..=bounds_ms.len()).map(|_| AtomicU64::new(0)).collect(),
            sum_us: AtomicU64::new(0),
        }
    }

    fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = self.bounds_ms.partition_point(|ms| ms * 1_000 < us);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    fn view(&self) -> HistogramView {
        let counts = self.counts.iter().map(|it| it.load(Ordering::Relaxed));
        HistogramView {
            bounds_ms: self.bounds_ms,
            counts: counts.collect(),
            sum: Duration::from_micros(self.sum_us.load(Ordering::Relaxed)),
        }
    }
}

/// A histogram as of one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistogramView {
    pub bounds_ms: &'static [u64],
    /// One for each bound, and one for everything above; each counts its own bucket alone.
    pub counts: Vec<u64>,
    pub sum: Duration,
}

impl HistogramView {
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many took no longer than a bound.
    #[must_use]
    pub fn within(&self, bound: Duration) -> u64 {
        let bound_ms = bound.as_millis();
        let bounds = self.bounds_ms.iter().zip(&self.counts);
        let inside = bounds.filter(|(ms, _)| u128::from(**ms) <= bound_ms);
        inside.map(|(_, count)| count).sum()
    }
}

/// The counts; clones share them.
#[derive(Debug, Clone)]
pub struct Levels(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    puback: Histogram,
    in_odoo: Histogram,
    calls: [Histogram; Call::ALL.len()],
    reasons: Mutex<Reasons>,
}

/// Counts by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Rejected readings, by rejection code.
    pub rejected: BTreeMap<String, u64>,
    /// Documents that were parked, by reason code.
    pub parked: BTreeMap<String, u64>,
    /// Devices that the front door refused or disconnected.
    pub refused: BTreeMap<String, u64>,
}

/// All counts as of one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LevelsView {
    pub puback: HistogramView,
    pub in_odoo: HistogramView,
    pub calls: Vec<(&'static str, HistogramView)>,
    pub reasons: Reasons,
}

impl Default for Levels {
    fn default() -> Self {
        Self(Arc::new(Counts {
            puback: Histogram::new(&PUBACK_MS),
            in_odoo: Histogram::new(&IN_ODOO_MS),
            calls: Call::ALL.map(|_| Histogram::new(&ODOO_MS)),
            reasons: Mutex::default(),
        }))
    }
}

impl Levels {
    /// Notes a scan or event from its receipt to its acknowledgement.
    pub fn acknowledged(&self, took: Duration) {
        self.0.puback.observe(took);
    }

    /// Notes a movement that is in Odoo, by the time of its beep.
    pub fn posted(&self, beep: Timestamp, now: Timestamp) {
        let took = Duration::try_from(now.duration_since(beep));
        self.0.in_odoo.observe(took.unwrap_or_default());
    }

    /// Notes a request to Odoo that has ended, with or without an answer.
    pub fn called(&self, call: Call, took: Duration) {
        self.0.calls[call as usize].observe(took);
    }

    /// Notes the result of one reading.
    pub fn accepted(&self, accepted: &Accepted) {
        if let Accepted::Rejected { code, .. } = accepted {
            add(&mut self.reasons().rejected, code.as_str());
        }
    }

    pub fn parked(&self, code: &str) {
        add(&mut self.reasons().parked, code);
    }

    pub fn refused(&self, reason: &str) {
        add(&mut self.reasons().refused, reason);
    }

    #[must_use]
    pub fn view(&self) -> LevelsView {
        let calls = Call::ALL.iter().zip(&self.0.calls);
        LevelsView {
            puback: self.0.puback.view(),
            in_odoo: self.0.in_odoo.view(),
            calls: calls.map(|(call, it)| (call.name(), it.view())).collect(),
            reasons: self.reasons().clone(),
        }
    }

    fn reasons(&self) -> MutexGuard<'_, Reasons> {
        (self.0.reasons.lock()).unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(counts: &mut BTreeMap<String, u64>, reason: &str) {
    if let Some(count) = counts.get_mut(reason) {
        *count += 1;
    } else if counts.len() < REASONS_MAX {
        counts.insert(reason.to_owned(), 1);
    }
}

/// The service levels of the outcome: how many movements were in Odoo how soon after their beep,
/// since the daemon started. A movement that still waits is in none of these counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcomes {
    pub in_odoo: u64,
    pub within_1_min: u64,
    pub within_15_min: u64,
    pub within_60_min: u64,
}

impl Outcomes {
    #[must_use]
    pub fn of(in_odoo: &HistogramView) -> Self {
        let within = |minutes| in_odoo.within(Duration::from_mins(minutes));
        Self {
            in_odoo: in_odoo.count(),
            within_1_min: within(1),
            within_15_min: within(15),
            within_60_min: within(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::reason::RejectionCode;

    #[test]
    fn a_movement_counts_for_each_level_that_it_keeps() {
        let (levels, now) = (Levels::default(), clock::now());
        for seconds in [-5, 0, 60, 61, 900, 3_600, 3_601, 200_000] {
            levels.posted(now - jiff::SignedDuration::from_secs(seconds), now);
        }
        let outcomes = Outcomes::of(&levels.view().in_odoo);
        let expected = Outcomes {
            in_odoo: 8,
            within_1_min: 3,
            within_15_min: 5,
            within_60_min: 6,
        };
        assert_eq!(outcomes, expected);
    }

    #[test]
    fn the_sum_and_the_buckets_count_each_duration_once() {
        let levels = Levels::default();
        levels.called(Call::Load, Duration::from_millis(30));
        levels.called(Call::of("button_validate"), Duration::from_millis(31));
        levels.called(Call::of("load"), Duration::from_hours(1));
        let view = levels.view();
        let of = |name: &str| &view.calls.iter().find(|(it, _)| *it == name).unwrap().1;
        assert_eq!(of("load").counts, [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(of("load").sum, Duration::from_millis(3_600_030));
        assert_eq!(of("validate").counts[1], 1);
        assert_eq!(of("read").count(), 0);
    }

    #[test]
    fn reasons_have_a_limit() {
        let levels = Levels::default();
        let code = RejectionCode::ALL[0];
        let message = String::new();
        levels.accepted(&Accepted::Rejected { code, message });
        for number in 0..=REASONS_MAX {
            levels.parked(&number.to_string());
        }
        let reasons = levels.view().reasons;
        assert_eq!(reasons.rejected.values().sum::<u64>(), 1);
        assert_eq!(reasons.parked.len(), REASONS_MAX);
    }
}
