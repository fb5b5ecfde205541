//! The watch of a bundle that was applied: is the gateway as well as before?
//!
//! **In**: the state before ([`Baseline`]), what the gateway shows each second ([`Observation`]),
//! and how long the process ran with the bundle. **Out**: keep watching, wait for the centre or
//! Odoo, confirm, or roll back with a reason that names the rule and the numbers. Pure.
//!
//! **Guarantees**: only the monotonic clock counts. A condition that must last is timed from the
//! first observation that shows it, and again from the start after the process started. The watch
//! ends: at the latest after [`EXTENDED`] × `watch_s` and the time that a condition must last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::record::{Baseline, BundleWatch};

/// How long devices, sources or the centre are gone before that counts, in seconds. With a
/// `watch_s` below 300, it is a fifth of `watch_s`.
const GONE_S: u64 = 60;
const GONE_SHARE: u64 = 5;
/// How long the gateway is observed before a bundle is applied, in seconds; never longer than
/// `watch_s`.
const BEFORE_S: u64 = 120;
/// A lost connection to the centre or to Odoo extends the watch to this multiple of `watch_s`.
pub const EXTENDED: u32 = 3;
/// So many starts without a clean stop roll back.
pub const UNCLEAN_STARTS_MAX: u32 = 2;
/// So many refused readings and parked documents are normal while a bundle is watched.
const REFUSED_MAX: u64 = 5;
/// More than this multiple of the rate of the hour before is not.
const REFUSED_RATE: u64 = 2;
const HOUR_S: u64 = 3_600;

/// The times of `[fleet]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetTimes {
    /// `watch_s`
    pub watch: Duration,
    /// `quiet_s`
    pub quiet: Duration,
    /// `quiet_max_s`
    pub quiet_max: Duration,
}

impl Default for FleetTimes {
    fn default() -> Self {
        Self {
            watch: Duration::from_mins(5),
            quiet: Duration::from_secs(10),
            quiet_max: Duration::from_mins(10),
        }
    }
}

impl FleetTimes {
    /// How long something must be gone before that counts.
    #[must_use]
    pub fn gone(&self) -> Duration {
        let share = self.watch / u32::try_from(GONE_SHARE).unwrap_or(1);
        share.min(Duration::from_secs(GONE_S))
    }

    /// How long the gateway must be observed before a bundle is applied.
    #[must_use]
    pub fn before(&self) -> Duration {
        self.watch.min(Duration::from_secs(BEFORE_S))
    }

    /// The longest watch, while the connection to the centre or to Odoo is lost.
    #[must_use]
    pub fn extended(&self) -> Duration {
        self.watch.saturating_mul(EXTENDED)
    }
}

/// What the gateway shows at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Why the link to Odoo waits for a person. `None`: it does not wait.
    pub odoo_held: Option<String>,
    /// Why the link to Odoo is not up. `None`: it is up.
    pub odoo_down: Option<String>,
    /// From the name of each configured source to whether it is up. A source that the
    /// configuration no longer has is not in the map, and is not missed.
    pub sources: BTreeMap<String, bool>,
    /// The devices that are connected.
    pub devices: BTreeSet<String>,
    /// Whether the centre's broker is connected. `None`: the configuration has no broker.
    pub centre: Option<bool>,
    /// Readings and documents that were refused or parked, since the process started or longer.
    pub refused: u64,
    pub refused_last_hour: u64,
    /// How long no reading has come. `None`: none has come since the process started.
    pub quiet: Option<Duration>,
    /// Whether a batch of documents is being sent to Odoo.
    pub is_sending: bool,
}

/// What was observed while a bundle is watched, as far as it need not survive the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    /// The time since the record was last told: `BundleWatch::elapsed` is without it.
    pub unrecorded: Duration,
    pub unrecorded_refused: u64,
    /// The last value of `Observation::refused`.
    refused: Option<u64>,
    /// How long each source that was up before has been down.
    sources: BTreeMap<String, Duration>,
    /// How long half of the devices have been gone.
    devices: Duration,
    /// How long the centre's broker has been disconnected.
    centre: Duration,
    /// How long the link to Odoo has not been up, if it must be.
    odoo: Duration,
}

impl Signs {
    /// Takes in an observation, `passed` after the one before.
    pub fn observe(&mut self, baseline: &Baseline, observation: &Observation, passed: Duration) {
        self.unrecorded += passed;
        let before = self.refused.replace(observation.refused);
        // A counter that starts again at 0 with the process adds nothing.
        let more = before.map_or(0, |before| observation.refused.saturating_sub(before));
        self.unrecorded_refused = self.unrecorded_refused.saturating_add(more);
        let down = |source: &&String| observation.sources.get(*source) == Some(&false);
        let down: BTreeSet<&String> = baseline.sources_up.iter().filter(down).collect();
        self.sources.retain(|source, _| down.contains(source));
        for source in down {
            *self.sources.entry(source.clone()).or_default() += passed;
        }
        let gone = gone_devices(baseline, observation);
        let is_half = gone > 0 && gone * 2 >= baseline.devices.len();
        self.devices = if is_half {
            self.devices + passed
        } else {
            Duration::ZERO
        };
        let lasts = |is_lost, before: Duration| {
            if is_lost {
                before + passed
            } else {
                Duration::ZERO
            }
        };
        self.centre = lasts(lacks_centre(baseline, observation), self.centre);
        self.odoo = lasts(lacks_odoo(baseline, observation), self.odoo);
    }
}

fn lacks_centre(baseline: &Baseline, observation: &Observation) -> bool {
    baseline.centre_is_up && observation.centre != Some(true)
}

/// Odoo may be down for a reason of its own: that counts only if the bundle changes `odoo.*`.
fn lacks_odoo(baseline: &Baseline, observation: &Observation) -> bool {
    baseline.odoo_must_be_up && observation.odoo_down.is_some()
}

fn gone_devices(baseline: &Baseline, observation: &Observation) -> usize {
    baseline.devices.difference(&observation.devices).count()
}

/// What follows from an observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchDecision {
    Watch,
    /// The time is over, but the connection to the centre or to Odoo is lost.
    Extend {
        reason: String,
    },
    Confirm,
    RollBack {
        reason: String,
        /// A lost connection to the centre or to Odoo is the only cause.
        is_connection_only: bool,
    },
}

fn roll_back(reason: String) -> WatchDecision {
    WatchDecision::RollBack {
        reason,
        is_connection_only: false,
    }
}

/// Decides after an observation.
#[must_use]
pub fn decide(
    watch: &BundleWatch,
    signs: &Signs,
    observation: &Observation,
    times: &FleetTimes,
) -> WatchDecision {
    let elapsed = watch.elapsed + signs.unrecorded;
    if let Some(reason) = find_fault(watch, signs, observation, times) {
        return roll_back(reason);
    }
    if elapsed < times.watch {
        return WatchDecision::Watch;
    }
    let is_over = elapsed >= times.extended();
    if let Some(doubt) = find_doubt(signs) {
        return if is_over {
            roll_back(doubt)
        } else {
            WatchDecision::Watch
        };
    }
    let lost = find_lost(watch, signs, observation);
    if lost.is_empty() {
        return WatchDecision::Confirm;
    }
    let Some(lost) = lost.into_iter().find(|lost| lost.lasted >= times.gone()) else {
        return WatchDecision::Watch;
    };
    let (what, why, lasted) = (lost.what, lost.why, lost.lasted.as_secs());
    let (watched, limit) = (elapsed.as_secs(), times.extended().as_secs());
    if is_over {
        return WatchDecision::RollBack {
            reason: format!(
                "the connection to {what} was up before and has been lost for {lasted} s, {watched} s after the bundle was applied; the limit is {limit} s{why}"
            ),
            is_connection_only: true,
        };
    }
    WatchDecision::Extend {
        reason: format!(
            "the connection to {what} is lost: the gateway watches up to {limit} s, and then rolls back{why}"
        ),
    }
}

/// A connection that was up before, and is not now.
struct Lost {
    what: &'static str,
    lasted: Duration,
    /// Empty, or the reason after a colon.
    why: String,
}

fn find_lost(watch: &BundleWatch, signs: &Signs, observation: &Observation) -> Vec<Lost> {
    let mut lost = Vec::new();
    if lacks_odoo(&watch.baseline, observation) {
        let why = observation.odoo_down.as_deref().unwrap_or_default();
        lost.push(Lost {
            what: "Odoo, whose keys the bundle changes,",
            lasted: signs.odoo,
            why: format!(": {why}"),
        });
    }
    if lacks_centre(&watch.baseline, observation) {
        lost.push(Lost {
            what: "the centre's broker",
            lasted: signs.centre,
            why: String::new(),
        });
    }
    lost
}

/// The reason for which the bundle is rolled back at once.
fn find_fault(
    watch: &BundleWatch,
    signs: &Signs,
    observation: &Observation,
    times: &FleetTimes,
) -> Option<String> {
    let elapsed = (watch.elapsed + signs.unrecorded).as_secs();
    if let Some(reason) = unclean_starts(watch) {
        return Some(reason);
    }
    if let Some(why) = &observation.odoo_held
        && !watch.baseline.odoo_is_held
    {
        return Some(format!(
            "the link to Odoo became held {elapsed} s after the bundle was applied: {why}"
        ));
    }
    let refused = watch.refused + signs.unrecorded_refused;
    let hour = watch.baseline.refused_per_hour;
    // `refused / elapsed > REFUSED_RATE * hour / HOUR_S`, without division.
    let rate = REFUSED_RATE.saturating_mul(hour).saturating_mul(elapsed);
    let is_above_rate = refused.saturating_mul(HOUR_S) > rate;
    if refused > REFUSED_MAX && is_above_rate {
        return Some(format!(
            "{refused} readings and documents were refused or parked within {elapsed} s, and {hour} in the hour before; the limits are {REFUSED_MAX}, and {REFUSED_RATE} times the rate before"
        ));
    }
    let gone = times.gone();
    let down = signs.sources.iter().find(|(_, down)| **down >= gone);
    if let Some((source, down)) = down {
        let (down, limit) = (down.as_secs(), gone.as_secs());
        return Some(format!(
            "source {source} was up before and has been down for {down} s; the limit is {limit} s"
        ));
    }
    (signs.devices >= gone && !signs.devices.is_zero()).then(|| {
        let before = watch.baseline.devices.len();
        let (lost, limit) = (gone_devices(&watch.baseline, observation), gone.as_secs());
        format!(
            "{lost} of {before} devices that were connected before have been gone for {limit} s; the limit is half of them"
        )
    })
}

/// The reason to roll back at a start of the process.
#[must_use]
pub fn unclean_starts(watch: &BundleWatch) -> Option<String> {
    let starts = watch.unclean_starts;
    (starts >= UNCLEAN_STARTS_MAX).then(|| {
        format!(
            "the process started {starts} times without a clean stop while the bundle was watched; the limit is {}",
            UNCLEAN_STARTS_MAX - 1
        )
    })
}

/// A condition that does not last long enough yet: nothing is confirmed meanwhile.
fn find_doubt(signs: &Signs) -> Option<String> {
    if let Some(source) = signs.sources.keys().next() {
        return Some(format!(
            "source {source} was up before, and was down again when the extended watch ended"
        ));
    }
    (!signs.devices.is_zero()).then(|| {
        "half of the devices that were connected before were gone again when the extended watch ended".to_owned()
    })
}

#[cfg(test)]
mod tests;
