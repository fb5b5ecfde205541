//! The live state that no table holds: what each part says of itself, for `status`, the terminal UI
//! and metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::event::{Name, SourceKind};

/// The alarm that tells of documents parked as `moved-unscanned`.
pub const MOVED_UNSCANNED: &str = "Odoo moved goods that nobody scanned, because somebody changed a picking while the gateway validated it. Look for moved-unscanned with stockrelay parked, and reverse in Odoo what was not moved.";

/// Devices that are remembered; the ones seen longest ago go first.
pub const DEVICES_MAX: usize = 10_000;

/// Fields of what a device says of itself that a status carries, and the longest text among them,
/// in characters.
const STATE_FIELDS_MAX: usize = 16;
pub const STATE_TEXT_CHARS_MAX: usize = 64;

/// Shared by all parts: each writes its own section, the views copy it out.
#[derive(Debug, Clone)]
pub struct Board(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    live: Mutex<Live>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Live {
    pub sources: BTreeMap<String, SourceView>,
    pub devices: BTreeMap<Name, DeviceView>,
    pub odoo: OdooView,
    /// Documents that are still taking lines.
    pub open_documents: u64,
    /// How many devices have begun what in a flow: `transfer`, `pick`, ... to a number.
    #[serde(default)]
    pub begun: BTreeMap<String, u64>,
    /// Scans that wait for the copy of Odoo's data, because a flow makes movements of them.
    #[serde(default)]
    pub waiting_scans: u64,
    /// Scans that flows have answered as wrong since the daemon started: they changed nothing.
    #[serde(default)]
    pub wrong_scans: u64,
    /// Raw scans of devices without a flow that the journal counts as open still.
    #[serde(default)]
    pub open_unused: u64,
    /// What a person should know at once: anonymous access, journal full, wrong clock. Code to
    /// sentence.
    pub alarms: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceView {
    /// `up`, `down`, `starting`.
    pub state: String,
    /// Devices connected now.
    pub devices: u64,
    /// Why it is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl SourceView {
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.state == "down"
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceView {
    pub source: String,
    pub online: bool,
    /// Last connected, disconnected or heard of.
    pub since: Option<Timestamp>,
    pub last_event: Option<Timestamp>,
    /// Events stored since the daemon started.
    pub events: u64,
    pub rejected: u64,
    /// What the device last published on `state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// Not tried yet.
    #[default]
    Starting,
    Up,
    /// No answer: trying again by itself.
    Down,
    /// Held until a person does something: bad key, no right, wrong database.
    Held,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OdooView {
    pub link: Link,
    pub version: Option<String>,
    /// `JSON-2` or `JSON-RPC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    pub last_success: Option<Timestamp>,
    /// When the link came into its present state.
    pub since: Option<Timestamp>,
    /// Of the last call, in milliseconds.
    pub latency_ms: Option<u64>,
    /// Lines that the next batch may hold.
    pub batch_lines: usize,
    /// What is wrong and what to do, while it is not up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When the next call is made, in a pause after a failure; `None` when there is no pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// When the copy of master data was last brought up to date.
    pub copy_refreshed: Option<Timestamp>,
}

impl OdooView {
    /// Whole seconds until the next call, in a pause.
    #[must_use]
    pub fn pause_s(&self, now: Timestamp) -> Option<i64> {
        let left = self.retry_at?.duration_since(now);
        let seconds = (left.as_millis() + 999) / 1_000;
        i64::try_from(seconds).ok().filter(|seconds| *seconds > 0)
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

impl Board {
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            started: clock::instant(),
            live: Mutex::default(),
        }))
    }

    #[must_use]
    pub fn uptime_s(&self) -> u64 {
        clock::instant().duration_since(self.0.started).as_secs()
    }

    /// Never held across an await, and nothing in it can panic half-way: a poisoned lock still
    /// holds a good value.
    fn live(&self) -> MutexGuard<'_, Live> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn snapshot(&self) -> Live {
        self.live().clone()
    }

    pub fn source(&self, kind: SourceKind, change: impl FnOnce(&mut SourceView)) {
        change(
            self.live()
                .sources
                .entry(kind.name().to_owned())
                .or_default(),
        );
    }

    /// A scanner of the gateway's own is a source by itself.
    pub fn scanner(&self, name: &Name, change: impl FnOnce(&mut SourceView)) {
        change(
            self.live()
                .sources
                .entry(format!("scanner:{name}"))
                .or_default(),
        );
    }

    pub fn device(&self, name: &Name, kind: SourceKind, change: impl FnOnce(&mut DeviceView)) {
        let mut live = self.live();
        if !live.devices.contains_key(name) && live.devices.len() >= DEVICES_MAX {
            let oldest = live
                .devices
                .iter()
                .min_by_key(|(_, view)| (view.online, view.since))
                .map(|(name, _)| name.clone());
            if let Some(oldest) = oldest {
                live.devices.remove(&oldest);
            }
        }
        let view = live.devices.entry(name.clone()).or_default();
        kind.name().clone_into(&mut view.source);
        change(view);
    }

    pub fn odoo(&self, change: impl FnOnce(&mut OdooView)) {
        change(&mut self.live().odoo);
    }

    pub fn open_documents(&self, count: u64) {
        self.live().open_documents = count;
    }

    /// How many devices have begun what in a flow, how many scans wait for the copy of Odoo's data,
    /// and how many were answered as wrong.
    pub fn flows(&self, begun: BTreeMap<String, u64>, (waiting, wrong): (u64, u64)) {
        let mut live = self.live();
        live.begun = begun;
        (live.waiting_scans, live.wrong_scans) = (waiting, wrong);
    }

    pub fn open_unused(&self, count: u64) {
        self.live().open_unused = count;
    }

    /// Raises an alarm, or clears it with `None`.
    pub fn alarm(&self, code: &str, sentence: Option<String>) {
        let mut live = self.live();
        match sentence {
            Some(sentence) => live.alarms.insert(code.to_owned(), sentence),
            None => live.alarms.remove(code),
        };
    }
}

/// What a device says of itself may be as large as a packet: a status carries the first plain
/// values of it.
#[must_use]
pub fn brief(state: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    let cut = |text: String| text.chars().take(STATE_TEXT_CHARS_MAX).collect::<String>();
    match state {
        Value::Object(fields) => fields
            .into_iter()
            .filter_map(|(key, value)| match value {
                Value::String(text) => Some((cut(key), Value::String(cut(text)))),
                Value::Number(_) | Value::Bool(_) => Some((cut(key), value)),
                _ => None,
            })
            .take(STATE_FIELDS_MAX)
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::String(text) => Value::String(cut(text)),
        Value::Array(_) => Value::Null,
        plain => plain,
    }
}
