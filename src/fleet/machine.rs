//! The state machine of bundles on one gateway: from *verified* to *confirmed* or *rolled-back*.
//!
//! **In**: the record, the time, and an [`Input`]. **Out**: the changed record, the [`Action`]s
//! that the caller executes after the record is on disk, and the answer to the sender of the input.
//! Pure.
//!
//! ```text
//! offered ▸ verified ▸ checked ▸ waiting ◂▸ staged ▸ applied ▸ watching ▸ confirmed
//!    │         │          │         │          │        │          │
//!    └─────────┴─────────┴──── refused ────┘        └─ rolled-back ┘
//! ```
//!
//! **Guarantees**: these bundles are never applied: one below the highest serial that was verified
//! here; one whose rollout is stopped; one that was rolled back, except for one further try after a
//! lost connection or if a person wants it; any bundle while the clock is not trusted. The wall
//! clock decides only about `not_before`, rings and expiry; the watch and the quiet moment use the
//! monotonic clock. The process runs with [`FleetRecord::running`], or loads it: an interrupted
//! step is repeated.
//!
//! `offer`: bundles and stops that come in. `apply`: from checked to applied. `finish`: confirmed,
//! rolled back, refused.

mod apply;
mod finish;
mod offer;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::key_id::KeyId;
use super::record::{
    BundleFacts, BundleId, BundleState, BundleWatch, ConfigSet, FleetRecord, PendingBundle,
    SignedStop,
};
use super::watch::{self, FleetTimes, Observation, Signs, WatchDecision};

/// How long the machine waits before it repeats a check or a load that had no result.
const REPEAT_AFTER: Duration = Duration::from_secs(30);
/// A longer time between two observations, because the machine slept, counts as this.
const PASSED_MAX: Duration = Duration::from_secs(10);
/// How often the record receives the elapsed time of the watch: a power cut loses at most this.
const RECORD_EVERY: Duration = Duration::from_secs(10);
/// The limit of connected devices that are observed; the rule about devices uses these alone.
const DEVICES_MAX: usize = 10_000;

/// The wall clock, and whether it is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock {
    pub now: Timestamp,
    pub is_trusted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The process starts, and has not read its configuration yet.
    Started,
    /// The process stops cleanly.
    Stopping,
    /// A bundle came whose signatures and hashes are verified. Its files are on disk.
    Offered(OfferedBundle),
    /// The result of [`Action::Check`].
    Checked {
        id: BundleId,
        /// What this gateway lacks for the bundle. Empty: it can use the bundle.
        faults: Vec<String>,
        /// Whether keys of `odoo.*` differ from those that run.
        changes_odoo: bool,
    },
    /// A stop or a resumption came whose signatures are verified.
    Stop(SignedStop),
    /// Time passed, by the monotonic clock.
    Tick {
        passed: Duration,
        observation: Observation,
    },
    /// The result of [`Action::Load`], or of reading the configuration at the start.
    Loaded {
        set: ConfigSet,
        result: Result<(), String>,
    },
    /// A person rolls back.
    RollBack { by: String },
    /// A bundle that cannot be used came. Nothing of it is trusted.
    Rejected { reason: String, by: String },
}

/// A bundle that came in, with what `admit` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedBundle {
    pub facts: BundleFacts,
    pub is_for_site: bool,
    /// Why this gateway cannot use it: its version, or no ring.
    pub unsupported: Option<String>,
    /// A person wants a bundle that was rolled back to be tried again.
    pub is_again: bool,
    /// The keys that are trusted from now on.
    pub trusted: BTreeSet<KeyId>,
}

/// What the caller executes, in this order, after the record is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Check the files of the bundle against this gateway; answer with [`Input::Checked`].
    Check(BundleId),
    /// Load this configuration, all or nothing; answer with [`Input::Loaded`].
    Load(ConfigSet),
    /// Start no further batch to Odoo (`true`), or continue.
    PauseSending(bool),
    /// Remove the files of all bundles except for [`FleetRecord::needed`].
    CleanUp,
}

/// The answer to the sender of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The input took effect.
    Done,
    /// Nothing changed, and nothing is wrong: the gateway had the input already.
    Known(String),
    Refused(String),
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub actions: Vec<Action>,
    pub answer: Answer,
    /// The step leads to a new configuration: it holds only once the record is on disk. Any other
    /// step is safe to continue with while the disk is full, and to repeat after a power cut.
    pub needs_disk: bool,
}

impl Step {
    fn of(actions: Vec<Action>) -> Self {
        Self {
            actions,
            answer: Answer::Done,
            needs_disk: false,
        }
    }

    fn none() -> Self {
        Self::of(Vec::new())
    }

    fn answer(answer: Answer) -> Self {
        Self {
            answer,
            ..Self::none()
        }
    }

    fn needing_disk(self) -> Self {
        Self {
            needs_disk: true,
            ..self
        }
    }
}

/// An offer that the gateway rejected without a change of its record. It may be a message that an
/// attacker sent again: it must cost no write, and hide no outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedOffer {
    /// `None`: the serial is not verified.
    pub serial: Option<u64>,
    pub reason: String,
    pub by: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    times: FleetTimes,
    record: FleetRecord,
    live: Live,
}

/// What ends with the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Live {
    /// What the process runs with. `None`: unknown.
    loaded: Option<ConfigSet>,
    /// Why the process could not load the running configuration.
    load_fault: Option<String>,
    /// The time since the last load or check began.
    since_load: Duration,
    since_check: Duration,
    /// The time that the gateway was observed without a change of its configuration.
    observed: Duration,
    /// How long each device has been connected.
    devices: BTreeMap<String, Duration>,
    /// How long the centre's broker has been connected.
    centre_up: Duration,
    /// The configuration has no broker of the centre.
    has_no_centre: bool,
    /// How long the link to Odoo has been up.
    odoo_up: Duration,
    /// How long the pending bundle has been staged.
    staged: Duration,
    is_pausing: bool,
    signs: Signs,
    rejected: Option<RejectedOffer>,
}

impl Live {
    fn observe(&mut self, observation: &Observation, passed: Duration) {
        self.since_load += passed;
        self.since_check += passed;
        self.observed += passed;
        self.devices
            .retain(|device, _| observation.devices.contains(device));
        for device in observation.devices.iter().take(DEVICES_MAX) {
            *self.devices.entry(device.clone()).or_default() += passed;
        }
        self.has_no_centre = observation.centre.is_none();
        self.centre_up = match observation.centre {
            Some(true) => self.centre_up + passed,
            _ => Duration::ZERO,
        };
        self.odoo_up = match observation.odoo_down {
            None => self.odoo_up + passed,
            Some(_) => Duration::ZERO,
        };
    }
}

impl Machine {
    #[must_use]
    pub fn new(record: FleetRecord, times: FleetTimes) -> Self {
        Self {
            times,
            record,
            live: Live::default(),
        }
    }

    #[must_use]
    pub fn record(&self) -> &FleetRecord {
        &self.record
    }

    /// The newest offer that the gateway rejected since the process started.
    #[must_use]
    pub fn rejected(&self) -> Option<&RejectedOffer> {
        self.live.rejected.as_ref()
    }

    /// What the process runs with. `None`: it is still starting.
    #[must_use]
    pub fn loaded(&self) -> Option<ConfigSet> {
        self.live.loaded
    }

    /// Whether the process could not load the bundle with which it must run.
    #[must_use]
    pub fn lacks(&self, id: BundleId) -> bool {
        self.live.load_fault.is_some() && self.record.running() == ConfigSet::Bundle(id)
    }

    /// The alarms that bundles raise, from code to sentence.
    #[must_use]
    pub fn alarms(&self, clock: WallClock) -> BTreeMap<&'static str, String> {
        let mut alarms = BTreeMap::new();
        let applied = self.record.applied().map(|pending| &pending.facts);
        let running = match (applied, &self.record.confirmed) {
            (Some(facts), _) => Some((facts.id.serial, facts.expires)),
            (None, Some(confirmed)) => Some((confirmed.id.serial, confirmed.expires)),
            (None, None) => None,
        };
        if let Some((serial, expires)) = running
            && clock.is_trusted
            && clock.now >= expires
        {
            let text = format!(
                "Bundle {serial}, with which the gateway runs, expired at {expires}. The gateway continues with it; publish a newer bundle."
            );
            alarms.insert("bundle-expired", text);
        }
        if let Some(why) = &self.live.load_fault {
            let wanted = self.record.running();
            let text = format!(
                "The gateway cannot load its confirmed configuration, {wanted}: {why}. It tries again every {} s; correct the fault, or publish a newer bundle.",
                REPEAT_AFTER.as_secs()
            );
            alarms.insert("bundle-not-loaded", text);
        }
        if let Some(rejected) = &self.live.rejected {
            let text = format!(
                "The gateway rejected a bundle that came from {} at {}: {}.",
                rejected.by, rejected.at, rejected.reason
            );
            alarms.insert("bundle-rejected", text);
        }
        alarms
    }

    /// Takes in an input.
    pub fn step(&mut self, clock: WallClock, input: Input) -> Step {
        let mut step = match input {
            Input::Started => self.start(clock),
            Input::Stopping => {
                if let Some(watch) = &mut self.record.watch {
                    watch.is_stopped_cleanly = true;
                    flush(watch, &mut self.live.signs);
                }
                Step::none()
            }
            Input::Offered(offered) => self.offer(clock, offered),
            Input::Checked {
                id,
                faults,
                changes_odoo,
            } => self.take_check(clock, id, &faults, changes_odoo),
            Input::Stop(signed) => self.take_stop(clock, signed),
            Input::Tick {
                passed,
                observation,
            } => self.tick(clock, passed.min(PASSED_MAX), &observation),
            Input::Loaded { set, result } => self.take_load(clock, set, result),
            Input::RollBack { by } => self.roll_back_by(clock, &by),
            Input::Rejected { reason, by } => self.reject(clock, None, reason, &by),
        };
        let is_changing_odoo = (self.record.pending.as_ref()).is_some_and(|pending| {
            let state = pending.state;
            pending.changes_odoo && (state == BundleState::Staged || state == BundleState::Applied)
        });
        if self.live.is_pausing && !is_changing_odoo {
            self.live.is_pausing = false;
            step.actions.push(Action::PauseSending(false));
        }
        step
    }

    /// A new process: checks what is not applied once more, because the gateway may have changed.
    fn start(&mut self, clock: WallClock) -> Step {
        self.live = Live::default();
        if let Some(watch) = &mut self.record.watch {
            if !watch.is_stopped_cleanly {
                watch.unclean_starts += 1;
            }
            watch.is_stopped_cleanly = false;
            if let Some(reason) = watch::unclean_starts(watch) {
                // No load: the caller reads the confirmed configuration next.
                self.roll_back(clock, &reason, false, None);
            }
        }
        let is_open = self.record.applied().is_none();
        let Some(pending) = self.record.pending.as_mut().filter(|_| is_open) else {
            return Step::none();
        };
        let id = pending.facts.id;
        set_state(pending, clock, BundleState::Verified, None, None);
        Step::of(vec![Action::Check(id)])
    }

    fn tick(&mut self, clock: WallClock, passed: Duration, observation: &Observation) -> Step {
        self.live.observe(observation, passed);
        let mut step = match self.record.pending.as_ref().map(|pending| pending.state) {
            Some(BundleState::Verified) => self.repeat_check(),
            Some(BundleState::Checked | BundleState::Waiting | BundleState::Staged) => {
                self.advance(clock, passed, observation)
            }
            Some(BundleState::Watching) => self.watch(clock, passed, observation),
            _ => Step::none(),
        };
        let running = self.record.running();
        let is_loading = (step.actions.iter()).any(|action| matches!(action, Action::Load(_)));
        let is_other = (self.live.loaded).is_some_and(|loaded| loaded != running);
        if is_other && !is_loading && self.live.since_load >= REPEAT_AFTER {
            step.actions.extend(self.load(running));
        }
        step
    }

    fn repeat_check(&mut self) -> Step {
        if self.live.since_check < REPEAT_AFTER {
            return Step::none();
        }
        Step::of(self.check())
    }

    /// Has the pending bundle checked.
    fn check(&mut self) -> Vec<Action> {
        self.live.since_check = Duration::ZERO;
        let pending = self.record.pending.iter();
        pending
            .map(|pending| Action::Check(pending.facts.id))
            .collect()
    }

    fn watch(&mut self, clock: WallClock, passed: Duration, observation: &Observation) -> Step {
        // The time before the process has loaded the bundle is not watched.
        if self.live.loaded != Some(self.record.running()) {
            return Step::none();
        }
        let Some(watch) = &mut self.record.watch else {
            return Step::none();
        };
        let signs = &mut self.live.signs;
        signs.observe(&watch.baseline, observation, passed);
        match watch::decide(watch, signs, observation, &self.times) {
            WatchDecision::Watch => self.record_watch(None),
            WatchDecision::Extend { reason } => self.record_watch(Some(reason)),
            WatchDecision::Confirm => self.confirm(clock),
            WatchDecision::RollBack {
                reason,
                is_connection_only,
            } => Step::of(self.roll_back(clock, &reason, is_connection_only, None)),
        }
    }

    fn record_watch(&mut self, reason: Option<String>) -> Step {
        let (Some(pending), Some(watch)) = (&mut self.record.pending, &mut self.record.watch)
        else {
            return Step::none();
        };
        if reason.is_some() {
            pending.until = watch.begun.checked_add(self.times.extended()).ok();
        }
        pending.reason = reason;
        if self.live.signs.unrecorded >= RECORD_EVERY {
            flush(watch, &mut self.live.signs);
        }
        Step::none()
    }
}

/// Moves what was observed into the record.
fn flush(watch: &mut BundleWatch, signs: &mut Signs) {
    watch.elapsed += std::mem::take(&mut signs.unrecorded);
    watch.refused += std::mem::take(&mut signs.unrecorded_refused);
}

fn set_state(
    pending: &mut PendingBundle,
    clock: WallClock,
    state: BundleState,
    reason: Option<String>,
    until: Option<Timestamp>,
) {
    if pending.state != state {
        pending.state = state;
        pending.since = clock.now;
    }
    pending.reason = reason;
    pending.until = until;
}
