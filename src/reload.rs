//! The words of a reload: the request for one, its outcome, and the reasons why it is refused.
//!
//! Comes in: requests of the control API ([`Reloads`]). Goes out: each request, to the task that
//! owns the daemon. `daemon/reload.rs` carries the reload out.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::config::{ConfigError, Fault, Loaded};
use crate::opens::Opened;

/// Requests that wait while a reload is in progress, at most.
const REQUESTS_MAX: usize = 16;
/// The keys that change only at a restart: a reload with another value is refused.
pub const FIXED_KEYS: [&str; 2] = ["site", "data_dir"];
/// The keys that change only when no document is being sent.
pub const TARGET_KEYS: [&str; 3] = ["odoo.url", "odoo.database", "odoo.warehouse"];
/// The keys that belong to the open journal, and to the rollout of a bundle: they change at the
/// next start.
pub const RESTART_KEYS: [&str; 5] = [
    "journal.cache_bytes",
    "fleet.group",
    "fleet.watch_s",
    "fleet.quiet_s",
    "fleet.quiet_max_s",
];

/// The outcome of a reload that was carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// The keys whose values changed.
    pub changed: Vec<String>,
    /// The changed keys that take effect when no document is being sent to Odoo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after_batch: Vec<String>,
    /// The changed keys that take effect at the next start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_restart: Vec<String>,
}

/// Every fault for which the configuration was not reloaded, a text for each, with file, line, key,
/// value found and values accepted. The gateway continues with the configuration that it has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", faults.join("\n"))]
pub struct ReloadError {
    pub faults: Vec<String>,
}

impl ReloadError {
    /// Describes the faults and the remedy for the status, as one text.
    #[must_use]
    pub fn alarm(&self) -> String {
        format!(
            "The gateway did not reload the configuration, and continues with the one before: {}. Correct this, and run `stockrelay config reload`.",
            self.faults.join("; ")
        )
    }
}

impl From<ConfigError> for ReloadError {
    fn from(error: ConfigError) -> Self {
        let faults = match error {
            ConfigError::Faults(faults) => faults.iter().map(ToString::to_string).collect(),
            missing @ ConfigError::Missing(_) => vec![missing.to_string()],
        };
        Self { faults }
    }
}

/// Describes the entries that cannot be opened, each with the file and line of its key.
#[must_use]
pub fn describe_unopened(loaded: &Loaded, opened: &[Opened]) -> Vec<String> {
    let describe = |opened: &Opened| {
        let fault = opened.fault.as_ref()?;
        let place = match loaded.origin(opened.key) {
            Some(origin) => format!("{origin}: "),
            None => String::new(),
        };
        let key = if fault.text.contains(opened.key) {
            String::new()
        } else {
            format!("{}: ", opened.key)
        };
        Some(format!("{place}{key}{}", fault.text))
    };
    opened.iter().filter_map(describe).collect()
}

/// Describes a change of a key that only a new installation may have.
#[must_use]
pub fn refuse_change(loaded: &Loaded, key: &str, running: &str, found: &str) -> String {
    let fault = Fault {
        key: key.to_owned(),
        found: format!("{found:?}"),
        accepted: format!(
            "{running:?}, with which the gateway runs: to change {key}, restart the gateway"
        ),
        origin: loaded.origin(key),
    };
    fault.to_string()
}

/// A request to read the configuration files again.
#[derive(Debug)]
pub struct Request {
    pub reply: oneshot::Sender<Result<Reloaded, ReloadError>>,
}

/// A request to load the local files with those of a bundle.
#[derive(Debug)]
pub struct SetRequest {
    /// The folder of the bundle's files. `None`: the local files alone.
    pub set: Option<PathBuf>,
    pub reply: oneshot::Sender<Result<(), String>>,
}

/// The sender of requests; cheap to clone.
#[derive(Debug, Clone)]
pub struct Reloads(mpsc::Sender<Request>);

/// Why a request has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotServed;

impl Reloads {
    /// The sender, and the receiver for the task that owns the daemon.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Request>) {
        let (sender, receiver) = mpsc::channel(REQUESTS_MAX);
        (Self(sender), receiver)
    }

    /// Has the configuration files read again, after the request was made. Requests that wait share
    /// one reload.
    pub async fn request(&self) -> Result<Result<Reloaded, ReloadError>, NotServed> {
        let (reply, outcome) = oneshot::channel();
        let sent = self.0.send(Request { reply }).await;
        sent.map_err(|_| NotServed)?;
        outcome.await.map_err(|_| NotServed)
    }
}
