//! The live state that is in no table: each part of the daemon writes its section, and `status`,
//! the terminal UI and the metrics read it.

mod bundles;
pub mod levels;
mod machine;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::event::{Name, SourceKind};
use crate::pause::Pause;
use crate::pulse::Pulses;

pub use bundles::{ConfigOrigin, ConfigView, FleetView, LastView, PendingView, WayView};
use levels::Levels;
use machine::Sizes;
pub use machine::{ClockView, Growth};

/// The text of the alarm about documents that are parked as `moved-unscanned`.
pub const MOVED_UNSCANNED: &str = "Odoo moved goods that no device scanned, because a user changed a picking while the gateway validated it. Run `stockrelay parked list --code moved-unscanned`, reverse in Odoo the goods that did not move, and then retry the documents: `stockrelay parked retry --code moved-unscanned`.";

/// The limit of devices; beyond it, the device whose last message is oldest is removed.
pub const DEVICES_MAX: usize = 10_000;

/// The limit of fields of a device's `state` in a status, and of characters in a text of it.
const STATE_FIELDS_MAX: usize = 16;
pub const STATE_TEXT_CHARS_MAX: usize = 64;

/// Shared by all parts: each writes its own section, and the views copy all of it.
#[derive(Debug, Clone)]
pub struct Board(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    live: Mutex<Live>,
    sizes: Mutex<Sizes>,
    pulses: Pulses,
    levels: Levels,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Live {
    pub sources: BTreeMap<String, SourceView>,
    pub devices: BTreeMap<Name, DeviceView>,
    pub odoo: OdooView,
    /// The newest pause of sending, which may have ended.
    #[serde(default)]
    pub pause: Option<Pause>,
    /// Documents that are not sealed yet.
    pub open_documents: u64,
    /// Unfinished movements of devices with a flow: from `transfer`, `pick`, ... to the number of
    /// devices.
    #[serde(default, rename = "begun")]
    pub unfinished: BTreeMap<String, u64>,
    /// The unfinished movement of each device with a flow: what it has scanned so far.
    #[serde(default)]
    pub flow_steps: BTreeMap<Name, String>,
    /// Scans of devices with a flow that wait for the first copy of Odoo's data.
    #[serde(default)]
    pub waiting_scans: u64,
    /// Scans that flows have answered with an error since the daemon started: they changed nothing.
    #[serde(default)]
    pub wrong_scans: u64,
    /// Raw scans of devices without a flow that the journal still counts as open.
    #[serde(default)]
    pub open_unused: u64,
    /// The devices that do not use the configuration that they should.
    #[serde(default)]
    pub drift: BTreeMap<Name, DriftView>,
    /// The raised alarms (anonymous access, journal full, wrong clock), from code to sentence.
    pub alarms: BTreeMap<String, String>,
    /// When each of them was raised.
    #[serde(default)]
    pub alarms_since: BTreeMap<String, Timestamp>,
    /// The gateway's clock.
    #[serde(default)]
    pub clock: ClockView,
    /// Bytes that the gateway may still use on the disk of its journal. `None`: not read yet.
    #[serde(default)]
    pub disk_free_bytes: Option<u64>,
    /// The configuration that runs.
    #[serde(default)]
    pub config: ConfigView,
    /// The ways to central IT.
    #[serde(default)]
    pub fleet: FleetView,
    /// When keys, certificates and the bundle expire, by name. Those that do not expire are absent.
    #[serde(default)]
    pub expires: BTreeMap<String, Timestamp>,
    /// The name of the time zone in which dates are sent to Odoo. `None`: no probe of Odoo has
    /// succeeded yet, or the time zone has no name.
    #[serde(default)]
    pub zone: Option<String>,
}

/// The part of the live state that central IT gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// SHA-256 of the effective configuration.
    pub hash: String,
    pub odoo: Link,
    /// As in [`OdooView`], while the link is up.
    pub clock_ahead_ms: Option<i64>,
    /// The number of devices that drift.
    pub drift: u64,
    /// The codes of the raised alarms.
    pub alarms: Vec<String>,
    pub is_source_down: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceView {
    /// `up`, `down`, `starting`.
    pub state: String,
    /// Devices connected now.
    pub devices: u64,
    /// Why the source is down.
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
    /// When the device last connected, disconnected or sent a message.
    pub since: Option<Timestamp>,
    pub last_event: Option<Timestamp>,
    /// Events stored since the daemon started.
    pub events: u64,
    /// Messages since the daemon started that repeated a stored event.
    #[serde(default)]
    pub duplicates: u64,
    pub rejected: u64,
    /// The last message of the device on `state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<serde_json::Value>,
}

/// A device that does not use the configuration that it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftView {
    /// The version that the device should use. `None`: the configuration has no version.
    pub desired: Option<String>,
    /// The version that the device reported. `None`: it reported none.
    pub reported: Option<String>,
    /// The error that the device reported.
    pub error: Option<String>,
    /// When the versions began to differ, or when the device reported the error.
    pub since: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// The first connection is in progress.
    #[default]
    Starting,
    Up,
    /// Odoo does not answer; the gateway retries by itself.
    Down,
    /// The link waits for a person: wrong key, missing right, wrong database.
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
    /// When the link entered its current state.
    pub since: Option<Timestamp>,
    /// The duration of the last call, in milliseconds.
    pub latency_ms: Option<u64>,
    /// The time by which the gateway's clock is ahead of Odoo's, in milliseconds. `None`: Odoo has
    /// not told its time yet. For central IT's report alone.
    #[serde(skip)]
    pub clock_ahead_ms: Option<i64>,
    /// The maximum of lines in the next batch.
    pub batch_lines: usize,
    /// What is wrong and what to do, while the link is not up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When the next call is made after a failure. `None`: the link is not paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Another gateway of the site has replaced this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaced: bool,
    /// When the copy of master data was last refreshed.
    pub copy_refreshed: Option<Timestamp>,
    /// When the first of the valid API keys of the gateway's user expires. `None`: no key expires,
    /// or the gateway has not read that yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_expires: Option<Timestamp>,
}

impl OdooView {
    /// Whole seconds until the next call. `None`: the link is not paused.
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
            sizes: Mutex::default(),
            pulses: Pulses::default(),
            levels: Levels::default(),
        }))
    }

    /// The signs of life of all parts.
    #[must_use]
    pub fn pulses(&self) -> &Pulses {
        &self.0.pulses
    }

    /// Durations and counts by reason since the daemon started.
    #[must_use]
    pub fn levels(&self) -> &Levels {
        &self.0.levels
    }

    #[must_use]
    pub fn uptime_s(&self) -> u64 {
        clock::instant().duration_since(self.0.started).as_secs()
    }

    /// The lock is never held across an await, and nothing under it can panic half-way: a poisoned
    /// lock still has a good value.
    fn live(&self) -> MutexGuard<'_, Live> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn snapshot(&self) -> Live {
        self.live().clone()
    }

    /// As [`Self::snapshot`], for central IT alone: without a copy of all devices.
    #[must_use]
    pub fn summarize(&self) -> Summary {
        let live = self.live();
        Summary {
            hash: live.config.hash.clone(),
            odoo: live.odoo.link.clone(),
            clock_ahead_ms: (live.odoo.clock_ahead_ms).filter(|_| live.odoo.link == Link::Up),
            drift: live.drift.len() as u64,
            alarms: live.alarms.keys().cloned().collect(),
            is_source_down: live.sources.values().any(SourceView::is_down),
        }
    }

    pub fn fleet(&self, view: FleetView) {
        self.live().fleet = view;
    }

    pub fn source(&self, kind: SourceKind, change: impl FnOnce(&mut SourceView)) {
        change(
            self.live()
                .sources
                .entry(kind.name().to_owned())
                .or_default(),
        );
    }

    /// Changes the view of a scanner on the gateway's own ports, which is a source of its own.
    pub fn scanner(&self, name: &Name, change: impl FnOnce(&mut SourceView)) {
        change(
            self.live()
                .sources
                .entry(format!("scanner:{name}"))
                .or_default(),
        );
    }

    /// Removes a source that the configuration no longer has.
    pub fn remove_source(&self, kind: SourceKind) {
        self.live().sources.remove(kind.name());
    }

    /// Removes a scanner that the list of scanners no longer has.
    pub fn remove_scanner(&self, name: &Name) {
        let mut live = self.live();
        live.sources.remove(&format!("scanner:{name}"));
        if let Some(view) = live.devices.get_mut(name) {
            view.online = false;
        }
    }

    pub fn config(&self, change: impl FnOnce(&mut ConfigView)) {
        change(&mut self.live().config);
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

    /// Replaces the devices that drift.
    pub fn drift(&self, devices: BTreeMap<Name, DriftView>) {
        self.live().drift = devices;
    }

    pub fn odoo(&self, change: impl FnOnce(&mut OdooView)) {
        change(&mut self.live().odoo);
    }

    /// Sets the newest pause of sending.
    pub fn pause(&self, pause: Option<Pause>) {
        self.live().pause = pause;
    }

    /// Sets the name of the time zone in which dates are sent to Odoo.
    pub fn zone(&self, name: Option<&str>) {
        self.live().zone = name.map(str::to_owned);
    }

    pub fn open_documents(&self, count: u64) {
        self.live().open_documents = count;
    }

    /// Sets the unfinished movements of devices with a flow, the number of scans that wait for the
    /// first copy of Odoo's data, and the number that flows answered with an error.
    pub fn flows(&self, unfinished: BTreeMap<String, u64>, (waiting, wrong): (u64, u64)) {
        let mut live = self.live();
        live.unfinished = unfinished;
        (live.waiting_scans, live.wrong_scans) = (waiting, wrong);
    }

    /// Sets what each device with a flow has scanned of its unfinished movement.
    pub fn flow_steps(&self, steps: BTreeMap<Name, String>) {
        self.live().flow_steps = steps;
    }

    /// Sets the state of the gateway's clock.
    pub fn clock(&self, view: ClockView) {
        self.live().clock = view;
    }

    /// Sets what expires when.
    pub fn expires(&self, expires: BTreeMap<String, Timestamp>) {
        self.live().expires = expires;
    }

    /// Sets the free space on the disk of the journal, in bytes.
    pub fn disk_free(&self, bytes: Option<u64>) {
        self.live().disk_free_bytes = bytes;
    }

    /// Notes the size of the journal, from which [`Self::growth`] is calculated.
    pub fn note_size(&self, at: Timestamp, bytes: u64) {
        self.sizes().note(at, bytes);
    }

    /// Calculates by how much the journal has grown since a time, or since the start of the daemon
    /// if that is later. `None`: no size was noted yet.
    #[must_use]
    pub fn growth(&self, since: Timestamp, bytes: u64) -> Option<Growth> {
        self.sizes().growth(since, bytes)
    }

    fn sizes(&self) -> MutexGuard<'_, Sizes> {
        self.0.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn open_unused(&self, count: u64) {
        self.live().open_unused = count;
    }

    #[must_use]
    pub fn has_alarm(&self, code: &str) -> bool {
        self.live().alarms.contains_key(code)
    }

    /// Raises an alarm, or clears it with `None`.
    pub fn alarm(&self, code: &str, sentence: Option<String>) {
        let mut live = self.live();
        if let Some(sentence) = sentence {
            live.alarms.insert(code.to_owned(), sentence);
            let since = live.alarms_since.entry(code.to_owned());
            since.or_insert_with(clock::now);
        } else {
            live.alarms.remove(code);
            live.alarms_since.remove(code);
        }
    }
}

/// Shortens a device's `state`, which may be as large as a packet, to its first plain values.
#[must_use]
pub fn shorten_state(state: serde_json::Value) -> serde_json::Value {
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
