//! The status of the whole gateway: the answer of `GET /v1/status`.
//!
//! It comes from the journal's counts (one transaction) and the board's live state, and goes out as
//! JSON to programs, the commands and the terminal UI, which parse it into the same type. **The
//! numbers always add up:** `events.stored` = open + waiting + sending + posted + parked +
//! `no_document`.

mod machine;
mod window;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::board::levels::{LevelsView, Outcomes};
use crate::board::{
    Board, ClockView, ConfigView, DeviceView, DriftView, FleetView, Growth, Live, OdooView,
    SourceView,
};
use crate::clock;
use crate::document::DocumentNumber;
use crate::event::{Name, RejectedNumber, Seq, SourceKind};
use crate::journal::{Journal, JournalError, Totals};
use crate::pause::Pause;

pub use machine::{describe_clock, describe_left};
pub use window::{Begin, RejectedOfCode, Window, WindowDocuments, WindowEvents, WindowRejected};

/// The limit of devices in a status: those that drift first, then connected devices, then those
/// with the newest messages.
pub const DEVICES_LISTED_MAX: usize = 200;
/// The code of the alarm about sources that are down.
pub const SOURCE_DOWN: &str = "source-down";
/// The beginning of the name of a source that is a scanner on the gateway's own ports.
const SCANNER: &str = "scanner:";

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub site: String,
    pub version: String,
    pub uptime_s: u64,
    pub events: EventCounts,
    pub documents: DocumentCounts,
    pub lines: LineCounts,
    /// Age of the oldest event that is in no sealed document yet, or in one that waits or is being
    /// sent; 0: there is none.
    pub oldest_waiting_s: f64,
    /// How many movements were in Odoo how soon after their beep, since the daemon started.
    #[serde(default)]
    pub outcomes: Outcomes,
    /// For the metrics alone.
    #[serde(skip)]
    pub levels: Box<LevelsView>,
    pub odoo: OdooView,
    /// The pause of sending that is on. Absent: none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    pub journal: JournalSize,
    pub sources: Vec<Source>,
    pub devices: Devices,
    /// Unfinished movements of devices with a flow: from `transfer`, `pick`, ... to the number of
    /// devices.
    #[serde(default, rename = "begun", skip_serializing_if = "BTreeMap::is_empty")]
    pub unfinished: BTreeMap<String, u64>,
    /// The raised alarms, from code to sentence.
    pub alarms: BTreeMap<String, String>,
    /// When each of them was raised, as far as it is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alarms_since: BTreeMap<String, Timestamp>,
    /// The clock of the gateway, which all times are from.
    #[serde(default)]
    pub clock: ClockView,
    /// When keys, certificates and the bundle expire, by name. Those that do not expire are absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expires: BTreeMap<String, Timestamp>,
    /// The configuration that runs.
    #[serde(default)]
    pub config: ConfigView,
    /// The ways to central IT.
    #[serde(default, skip_serializing_if = "FleetView::is_empty")]
    pub fleet: FleetView,
    /// What was received since a time, if the request names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// Counts of events and readings. Pruning lowers none of them. `stored`, `duplicates`, `rejected`
/// and `posted` count since the journal was created; `open`, `waiting`, `sending` and `parked`
/// count what is in that state now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCounts {
    pub stored: u64,
    /// Stored events that their devices may have sent twice, without an id. Absent if 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub possible_repeats: u64,
    pub duplicates: u64,
    pub rejected: u64,
    /// Rejected readings that neither a person nor their device has settled yet.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejected_open: u64,
    /// Open rejected readings that were deleted to save space, so that no list has them, and the
    /// number of the newest.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejected_dropped: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejected_dropped_upto: RejectedNumber,
    /// Raw scans of devices without a flow that no person has dismissed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unused_scans: u64,
    /// The unused scans that `open` still counts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub open_unused: u64,
    /// Scans that flows have answered with an error since the daemon started: they changed nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wrong_scans: u64,
    /// Scans of devices with a flow that wait for the first copy of Odoo's data.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting_scans: u64,
    /// Events of posted documents that have no line, because a person removed them or the device
    /// undid them: their movements are not in Odoo.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// Events of discarded documents; `no_document` includes them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub discarded: u64,
    /// Events that are not in a sealed document yet.
    pub open: u64,
    pub waiting: u64,
    pub sending: u64,
    pub posted: u64,
    pub parked: u64,
    /// Events that need no document, and the events of discarded documents.
    pub no_document: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentCounts {
    pub open: u64,
    pub waiting: u64,
    pub sending: u64,
    pub posted: u64,
    pub parked: u64,
    pub discarded: u64,
    /// The number of the newest document. It is higher than the sum of the counts if documents were
    /// replaced, which are in no count.
    pub newest: DocumentNumber,
}

impl DocumentCounts {
    /// Documents that were ever sealed, and not replaced.
    #[must_use]
    pub fn sealed(&self) -> u64 {
        self.waiting + self.sending + self.posted + self.parked + self.discarded
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCounts {
    pub waiting: u64,
    pub sending: u64,
    pub posted: u64,
    pub parked: u64,
    pub discarded: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalSize {
    pub bytes: u64,
    pub budget_bytes: u64,
    /// The journal is at its limit: the gateway acknowledges nothing.
    pub full: bool,
    /// The disk is full, not the budget.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disk_full: bool,
    /// Bytes that the gateway may still use on the disk of the journal. `None`: not read yet.
    #[serde(default)]
    pub disk_free_bytes: Option<u64>,
    /// By how much the journal has grown since the day began, or since the daemon started if that
    /// is later. In the first hour of a day: since the day before began. `None`: not known yet.
    #[serde(default)]
    pub growth: Option<Growth>,
    /// Durable commits since the daemon started.
    pub commits: u64,
    /// The `seq` of the newest event; 0 before the first.
    pub last_seq: Seq,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    pub name: String,
    #[serde(flatten)]
    pub view: SourceView,
}

/// Devices that have connected or sent something since the daemon started, and those that drift.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Devices {
    /// Devices that have connected or sent something since the daemon started.
    pub known: u64,
    pub online: u64,
    /// Devices that do not use the configuration that they should.
    #[serde(default)]
    pub drift: u64,
    /// At most [`DEVICES_LISTED_MAX`] of them.
    pub listed: Vec<Device>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Device {
    pub name: Name,
    #[serde(flatten)]
    pub view: DeviceView,
    /// `None`: the device uses the configuration that it should, or has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftView>,
    /// What the device has scanned of its unfinished movement. `None`: it has none, or no flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_step: Option<String>,
}

impl Status {
    /// Reads the journal: a short blocking call.
    pub fn take(site: &Name, journal: &Journal, board: &Board) -> Result<Self, JournalError> {
        let oldest = journal.oldest_waiting()?;
        let mut status = Self::build(
            site,
            &journal.totals(),
            oldest,
            board.snapshot(),
            board.uptime_s(),
            clock::now(),
        );
        status.levels = Box::new(board.levels().view());
        status.outcomes = Outcomes::of(&status.levels.in_odoo);
        status.documents.newest = journal.newest_document()?;
        Ok(status)
    }

    #[must_use]
    pub fn build(
        site: &Name,
        totals: &Totals,
        oldest: Option<Timestamp>,
        live: Live,
        uptime_s: u64,
        now: Timestamp,
    ) -> Self {
        let down = filter_down(&live.sources);
        let mut events = EventCounts::of(totals);
        // The board may be a moment behind the journal.
        events.open_unused = live.open_unused.min(events.open);
        events.unused_scans += events.open_unused;
        (events.waiting_scans, events.wrong_scans) = (live.waiting_scans, live.wrong_scans);
        let mut alarms = live.alarms;
        if let Some(alarm) = down_alarm(&down) {
            alarms.insert(SOURCE_DOWN.to_owned(), alarm);
        }
        Self {
            site: site.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s,
            events,
            documents: DocumentCounts {
                open: live.open_documents,
                waiting: totals.waiting.documents,
                sending: totals.sending.documents,
                posted: totals.posted.documents,
                parked: totals.parked.documents,
                discarded: totals.discarded.documents,
                newest: DocumentNumber::ZERO,
            },
            lines: LineCounts {
                waiting: totals.waiting.lines,
                sending: totals.sending.lines,
                posted: totals.posted.lines,
                parked: totals.parked.lines,
                discarded: totals.discarded.lines,
            },
            outcomes: Outcomes::default(),
            levels: Box::default(),
            oldest_waiting_s: oldest.map_or(0.0, |at| age_s(at, now)),
            odoo: live.odoo,
            pause: live.pause.filter(|pause| pause.is_on(now)),
            journal: JournalSize {
                bytes: totals.bytes,
                budget_bytes: totals.budget_bytes,
                full: totals.full,
                disk_full: totals.disk_full,
                disk_free_bytes: live.disk_free_bytes,
                growth: None,
                commits: totals.commits,
                last_seq: totals.last_seq,
            },
            sources: (live.sources.into_iter())
                .map(|(name, view)| Source { name, view })
                .collect(),
            devices: Devices::of(live.devices, live.drift, live.flow_steps, &down),
            unfinished: live.unfinished,
            alarms,
            alarms_since: live.alarms_since,
            clock: live.clock,
            expires: live.expires,
            config: live.config,
            fleet: live.fleet,
            window: None,
        }
    }

    /// The names of the sources that are down.
    pub fn sources_down(&self) -> impl Iterator<Item = &str> {
        let down = self.sources.iter().filter(|source| source.view.is_down());
        down.map(|source| source.name.as_str())
    }
}

/// The sources that are down.
fn filter_down(sources: &BTreeMap<String, SourceView>) -> BTreeMap<String, SourceView> {
    let down = sources.iter().filter(|(_, view)| view.is_down());
    down.map(|(name, view)| (name.clone(), view.clone()))
        .collect()
}

/// Describes the sources that are down, why, and what to do about it.
fn down_alarm(down: &BTreeMap<String, SourceView>) -> Option<String> {
    let (name, view) = down.first_key_value()?;
    let why = view.detail.as_deref().unwrap_or("the reason is unknown");
    let remedy = if name.starts_with(SCANNER) {
        "Plug the scanner in, or correct its port in the file of scanners"
    } else if name == SourceKind::Broker.name() {
        "Start the broker, or correct [mqtt.broker]"
    } else {
        "See the log, and restart the gateway"
    };
    let others = match down.len() {
        1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    Some(format!(
        "Nothing is received from {name}{others}: {}. {remedy}; the gateway retries by itself.",
        why.trim_end_matches('.')
    ))
}

fn is_zero<T: Default + PartialEq>(count: &T) -> bool {
    *count == T::default()
}

impl EventCounts {
    #[must_use]
    pub fn of(totals: &Totals) -> Self {
        Self {
            stored: totals.stored,
            possible_repeats: totals.possible_repeats,
            duplicates: totals.duplicates,
            rejected: totals.rejected,
            rejected_open: totals.rejected_open,
            rejected_dropped: totals.rejected_dropped,
            rejected_dropped_upto: totals.rejected_dropped_upto,
            unused_scans: totals.unused_scans,
            open_unused: 0,
            waiting_scans: 0,
            wrong_scans: 0,
            left_out: totals.left_out,
            discarded: totals.discarded.events,
            open: totals.open_events(),
            waiting: totals.waiting.events,
            sending: totals.sending.events,
            posted: totals.posted.events,
            parked: totals.parked.events,
            no_document: totals.no_document + totals.discarded.events,
        }
    }

    /// Stored events that are not in a sealed document yet, and scans that wait for the first copy
    /// of Odoo's data.
    #[must_use]
    pub fn undecided(&self) -> u64 {
        self.open.saturating_sub(self.open_unused) + self.waiting_scans
    }

    /// Movements of sealed documents that are not in Odoo yet.
    #[must_use]
    pub fn on_the_way(&self) -> u64 {
        self.waiting + self.sending
    }
}

impl Devices {
    /// A device is not online if its source is `down`.
    fn of(
        mut devices: BTreeMap<Name, DeviceView>,
        mut drifting: BTreeMap<Name, DriftView>,
        mut flow_steps: BTreeMap<Name, String>,
        down: &BTreeMap<String, SourceView>,
    ) -> Self {
        let (known, drift) = (devices.len() as u64, drifting.len() as u64);
        for name in drifting.keys() {
            devices.entry(name.clone()).or_default();
        }
        let device = |(name, mut view): (Name, DeviceView)| {
            view.online &= !down.contains_key(&view.source);
            let drift = drifting.remove(&name);
            let flow_step = flow_steps.remove(&name);
            Device {
                name,
                view,
                drift,
                flow_step,
            }
        };
        let mut listed: Vec<Device> = devices.into_iter().map(device).collect();
        let online = listed.iter().filter(|device| device.view.online).count() as u64;
        if listed.len() > DEVICES_LISTED_MAX {
            listed.sort_by_key(|device| {
                let newest = device.view.last_event.max(device.view.since);
                std::cmp::Reverse((device.drift.is_some(), device.view.online, newest))
            });
            listed.truncate(DEVICES_LISTED_MAX);
        }
        // A row moves when its device comes or goes, not with each event.
        listed.sort_by(|one, other| {
            let key = |device: &Device| !device.view.online;
            (key(one), &one.name).cmp(&(key(other), &other.name))
        });
        for device in &mut listed {
            device.view.state = device.view.state.take().map(crate::board::shorten_state);
        }
        Self {
            known,
            online,
            drift,
            listed,
        }
    }
}

/// Seconds since `at`, to the millisecond; 0 where the clock went back.
fn age_s(at: Timestamp, now: Timestamp) -> f64 {
    let seconds = now.duration_since(at).as_secs_f64().max(0.0);
    (seconds * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests;
