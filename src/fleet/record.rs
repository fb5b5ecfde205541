//! What a gateway knows about bundles and must not forget: the domain types of the fleet record.
//!
//! **In**: nothing; `machine` changes the values, `disk` stores them. **Out**: plain values.
//!
//! **Guarantees**: texts and lists have limits, so a record has at most some 500 KB, and 1 MB while
//! 10,000 devices are watched. `Debug` shows no secret: a bundle has none.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::key_id::KeyId;

/// The names of the ways on which published bundles come, for the record and the history.
pub const BY_BROKER: &str = "broker";
pub const BY_URL: &str = "fleet.url";
/// The newest entries that the history keeps.
pub const HISTORY_MAX: usize = 200;
/// The newest serials that the record keeps as rolled back. Only the newest one can be offered
/// again: lower serials are refused anyway.
pub const ROLLED_BACK_MAX: usize = 20;
/// The longest text in a record, in characters.
pub const TEXT_CHARS_MAX: usize = 500;

/// SHA-256 of the bytes of a bundle's manifest, which has the hash of every file of the bundle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManifestHash(pub [u8; 32]);

impl fmt::Display for ManifestHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ManifestHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A bundle. Two bundles of one serial differ in the hash; only the first that was verified here
/// is ever used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    pub serial: u64,
    pub manifest: ManifestHash,
}

impl fmt::Display for BundleId {
    /// The name of its file and of its folder: `SERIAL-HASH`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.serial, self.manifest)
    }
}

/// The files that the gateway reads its configuration from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSet {
    /// The local files alone.
    Files,
    /// The local files, and the files of a bundle.
    Bundle(BundleId),
}

impl ConfigSet {
    /// `None`: the local files alone.
    #[must_use]
    pub fn bundle(self) -> Option<BundleId> {
        match self {
            Self::Files => None,
            Self::Bundle(id) => Some(id),
        }
    }
}

impl fmt::Display for ConfigSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files => f.write_str("the local files"),
            Self::Bundle(id) => write!(f, "bundle {}", id.serial),
        }
    }
}

/// The state of a bundle on a gateway. Serde is for the report; on the disk it is a
/// [`BundleStateV1`](crate::journal::stored::fleet::BundleStateV1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BundleState {
    /// Complete in memory, and not on disk yet. The record never has it.
    Fetched,
    /// On disk, with valid signatures and hashes. It is being checked against this gateway.
    Verified,
    /// This gateway can use it.
    Checked,
    /// Its time has not come, its rollout is stopped, or the clock is not trusted.
    Waiting,
    /// Due. It waits for a quiet moment.
    Staged,
    /// The process loads it, or will at its next start.
    Applied,
    /// The process runs with it, and the gateway compares with the minutes before.
    Watching,
    Confirmed,
    RolledBack,
    Refused,
}

impl BundleState {
    pub const ALL: [Self; 10] = [
        Self::Fetched,
        Self::Verified,
        Self::Checked,
        Self::Waiting,
        Self::Staged,
        Self::Applied,
        Self::Watching,
        Self::Confirmed,
        Self::RolledBack,
        Self::Refused,
    ];

    /// The word in documents, reports and on screens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Verified => "verified",
            Self::Checked => "checked",
            Self::Waiting => "waiting",
            Self::Staged => "staged",
            Self::Applied => "applied",
            Self::Watching => "watching",
            Self::Confirmed => "confirmed",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
        }
    }

    /// Whether the process runs with the bundle, or is about to.
    #[must_use]
    pub const fn is_applied(self) -> bool {
        matches!(self, Self::Applied | Self::Watching)
    }
}

/// How a bundle ended on this gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleOutcome {
    Confirmed,
    RolledBack,
    Refused,
    /// A newer bundle came before it was applied. Only the history has it.
    Superseded,
}

impl BundleOutcome {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
            Self::Superseded => "superseded",
        }
    }
}

/// What the gateway keeps about a bundle whose signatures and hashes are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFacts {
    pub id: BundleId,
    pub name: String,
    pub not_before: Option<Timestamp>,
    pub expires: Timestamp,
    pub ring: RingDue,
    /// The way that it came, or the person who applied it.
    pub by: String,
}

/// The ring of this site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingDue {
    /// Counts from 1.
    pub number: u32,
    /// `None`: due at once.
    pub due: Option<Timestamp>,
}

/// A bundle that is on its way to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingBundle {
    pub facts: BundleFacts,
    pub state: BundleState,
    /// When it entered the state.
    pub since: Timestamp,
    /// When the state ends by itself. `None`: unknown.
    pub until: Option<Timestamp>,
    /// What it waits for.
    pub reason: Option<String>,
    /// Whether it changes keys of `odoo.*`.
    pub changes_odoo: bool,
}

/// A bundle that was confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmedBundle {
    pub id: BundleId,
    pub name: String,
    pub expires: Timestamp,
    pub since: Timestamp,
}

/// The configuration that was confirmed before the present one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreviousSet {
    Files,
    Bundle(ConfirmedBundle),
}

/// A signed stop or resumption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopOrder {
    pub count: u64,
    pub serial: u64,
    /// `false`: the rollout is resumed.
    pub is_stopped: bool,
    pub reason: String,
    pub by: String,
}

/// A stop that comes in, and the keys that are trusted now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStop {
    pub stop: StopOrder,
    /// The trusted keys that signed it.
    pub signers: BTreeSet<KeyId>,
    pub trusted: BTreeSet<KeyId>,
}

impl StopOrder {
    /// Whether the bundle must not be applied. A stop holds for lower serials, too: the newer
    /// bundle that it names may still be on its way to this gateway.
    #[must_use]
    pub fn stops(&self, serial: u64) -> bool {
        serial <= self.stopped_to()
    }

    /// The highest serial that is stopped. 0: none.
    #[must_use]
    pub fn stopped_to(&self) -> u64 {
        if self.is_stopped { self.serial } else { 0 }
    }
}

/// The last outcome of a bundle here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastOutcome {
    pub id: BundleId,
    pub outcome: BundleOutcome,
    pub reason: String,
    pub at: Timestamp,
}

/// A bundle that was rolled back here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBackBundle {
    pub id: BundleId,
    pub reason: String,
    pub at: Timestamp,
    /// Whether the gateway tries it once more by itself.
    pub may_retry: bool,
}

/// The state of the gateway before a bundle was applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    pub odoo_is_held: bool,
    /// Odoo answered, and the bundle changes how the gateway reaches it.
    pub odoo_must_be_up: bool,
    pub sources_up: BTreeSet<String>,
    /// The devices that were connected all the time.
    pub devices: BTreeSet<String>,
    pub centre_is_up: bool,
    /// Readings and documents that were refused or parked in the hour before.
    pub refused_per_hour: u64,
}

/// The watch of a bundle that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleWatch {
    pub begun: Timestamp,
    /// The time that the process ran with the bundle, by the monotonic clock.
    pub elapsed: Duration,
    pub baseline: Baseline,
    /// Readings and documents that were refused or parked since.
    pub refused: u64,
    /// Starts of the process without a clean stop before.
    pub unclean_starts: u32,
    /// Whether the process stopped cleanly. A start clears it.
    pub is_stopped_cleanly: bool,
}

/// An outcome that the history keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    pub at: Timestamp,
    /// The person, or the way that the bundle came.
    pub by: String,
    pub serial: u64,
    pub outcome: BundleOutcome,
    pub reason: String,
}

/// Everything about bundles that is on the gateway's disk, except for the bundles themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetRecord {
    /// The bundle with the highest serial that was ever verified here.
    pub highest: Option<BundleId>,
    /// By trusted key: the stop that holds because the key signed it, or its last resumption; the
    /// count is the highest that the key signed.
    pub stops: BTreeMap<KeyId, StopOrder>,
    /// The highest count of a resumption. 0: there was none.
    pub resumed: u64,
    /// `None`: the local files are confirmed.
    pub confirmed: Option<ConfirmedBundle>,
    /// `None`: a person cannot go back further.
    pub previous: Option<PreviousSet>,
    pub pending: Option<PendingBundle>,
    /// Waits until the pending bundle, which is being watched, is confirmed or rolled back.
    pub next: Option<PendingBundle>,
    pub last: Option<LastOutcome>,
    /// The newest one last.
    pub rolled_back: Vec<RolledBackBundle>,
    /// While a bundle is applied or watched.
    pub watch: Option<BundleWatch>,
    /// The newest entry last.
    pub history: VecDeque<HistoryEntry>,
}

impl FleetRecord {
    /// The configuration that was confirmed last.
    #[must_use]
    pub fn confirmed_set(&self) -> ConfigSet {
        match &self.confirmed {
            Some(confirmed) => ConfigSet::Bundle(confirmed.id),
            None => ConfigSet::Files,
        }
    }

    /// The bundle that is applied or watched.
    #[must_use]
    pub fn applied(&self) -> Option<&PendingBundle> {
        self.pending
            .as_ref()
            .filter(|pending| pending.state.is_applied())
    }

    /// The configuration with which the process must run.
    #[must_use]
    pub fn running(&self) -> ConfigSet {
        match self.applied() {
            Some(pending) => ConfigSet::Bundle(pending.facts.id),
            None => self.confirmed_set(),
        }
    }

    /// The stop with the highest serial; without a stop, the last resumption.
    #[must_use]
    pub fn stop(&self) -> Option<&StopOrder> {
        let rank = |stop: &&StopOrder| (stop.stopped_to(), stop.count);
        self.stops.values().max_by_key(rank)
    }

    /// The bundles whose files must stay on disk.
    #[must_use]
    pub fn needed(&self) -> BTreeSet<BundleId> {
        let pending = [&self.pending, &self.next].into_iter().flatten();
        let mut needed: BTreeSet<_> = pending.map(|pending| pending.facts.id).collect();
        needed.extend(self.confirmed.as_ref().map(|confirmed| confirmed.id));
        if let Some(PreviousSet::Bundle(previous)) = &self.previous {
            needed.insert(previous.id);
        }
        needed
    }

    /// Whether the bundle is confirmed, or on its way.
    #[must_use]
    pub fn has(&self, id: BundleId) -> bool {
        let mut pending = [&self.pending, &self.next].into_iter().flatten();
        pending.any(|pending| pending.facts.id == id)
            || (self.confirmed.as_ref()).is_some_and(|confirmed| confirmed.id == id)
    }

    #[must_use]
    pub fn rolled_back(&self, id: BundleId) -> Option<&RolledBackBundle> {
        self.rolled_back.iter().find(|entry| entry.id == id)
    }

    /// Replaces what is known about a rolled-back bundle.
    pub fn add_rolled_back(&mut self, entry: RolledBackBundle) {
        self.rolled_back.retain(|known| known.id != entry.id);
        self.rolled_back.push(entry);
        let surplus = self.rolled_back.len().saturating_sub(ROLLED_BACK_MAX);
        self.rolled_back.drain(..surplus);
    }

    pub fn add_history(&mut self, entry: HistoryEntry) {
        self.history.push_back(entry);
        let surplus = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..surplus);
    }
}

/// Shortens a text to what a record holds.
#[must_use]
pub fn shorten(text: &str) -> String {
    if text.chars().count() <= TEXT_CHARS_MAX {
        return text.to_owned();
    }
    let kept: String = text.chars().take(TEXT_CHARS_MAX - 3).collect();
    kept + "..."
}
