//! The ways to central IT, and the configuration that runs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The ways to central IT. `None`: the configuration does not have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FleetView {
    pub broker: Option<WayView>,
    pub url: Option<WayView>,
}

/// A way to central IT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayView {
    /// `up`, `down`, `starting`.
    pub state: String,
    /// When the way entered the state.
    pub since: Timestamp,
    /// Why it is down, or what does not work while it is up.
    pub detail: Option<String>,
    /// What the gateway answered to the newest message.
    pub last: Option<String>,
}

impl FleetView {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.broker.is_none() && self.url.is_none()
    }
}

/// The configuration that runs, and the bundles that are about to run or ran last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigView {
    /// SHA-256 of the effective configuration.
    pub hash: String,
    /// The bundle's serial. `None`: the configuration is from files alone.
    pub serial: Option<u64>,
    /// The bundle's name.
    pub name: Option<String>,
    pub origin: ConfigOrigin,
    /// When the gateway began to run with it.
    pub since: Option<Timestamp>,
    /// When the bundle expires.
    pub expires: Option<Timestamp>,
    pub pending: Option<PendingView>,
    pub last: Option<LastView>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigOrigin {
    #[default]
    Files,
    Bundle,
}

/// A bundle that does not run yet, or is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingView {
    pub serial: u64,
    pub state: String,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
    pub reason: Option<String>,
}

/// The outcome of the last bundle: `confirmed`, `rolled-back` or `refused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastView {
    pub serial: u64,
    pub outcome: String,
    pub reason: Option<String>,
    pub at: Timestamp,
}
