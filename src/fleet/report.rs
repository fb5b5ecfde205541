//! The report of a gateway to central IT: which bundle it runs, which it waits for, and what a
//! person should look at.
//!
//! **In**: the bytes of a message, and the site that its topic names. **Out**: a [`Report`], or why
//! the message is not used. The sender may be anyone who can publish: a report has at most
//! [`REPORT_BYTES_MAX`] bytes, its texts are cut, and its site must be that of the topic. Unknown
//! fields have no effect, so that an older command reads the reports of newer gateways.
//!
//! A report has nothing about people or orders. Alarms are codes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::record::BundleState;
use crate::event::Name;

/// The largest report, in bytes.
pub const REPORT_BYTES_MAX: usize = 16 << 10;
/// The longest text in a report that is kept, in characters.
const TEXT_CHARS_MAX: usize = 500;
/// The serial of a refused bundle that no signature proves.
pub const UNPROVEN: u64 = 0;
/// Maximum of alarms, and of entries in `expires`.
const ENTRIES_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub site: Name,
    /// The group of the site. `None`: it has none, or an older gateway does not report it.
    pub group: Option<Name>,
    /// By the clock of the gateway.
    pub at: Timestamp,
    /// Of stockrelay.
    pub version: String,
    pub running: Running,
    /// `None`: no bundle is pending.
    pub wanted: Option<Wanted>,
    /// The end of the last bundle that ended. `None`: none has ended yet.
    pub last: Option<LastBundle>,
    /// The time by which the clock is ahead, in milliseconds. `None`: unknown.
    pub clock_offset_ms: Option<i64>,
    pub disk_free_bytes: Option<u64>,
    /// The state of the link to Odoo, such as `up`.
    pub odoo: String,
    /// The age of the oldest document that waits, in seconds.
    pub oldest_waiting_s: u64,
    /// The number of parked documents.
    pub parked: u64,
    /// Codes.
    pub alarms: Vec<String>,
    /// The number of floor devices that differ from their wanted configuration.
    pub drift: u64,
    /// What expires when, such as `odoo_key`.
    pub expires: BTreeMap<String, Timestamp>,
    /// The public key to which secrets for this gateway are encrypted.
    pub recipient: Option<String>,
}

/// The configuration that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// `None`: the local files.
    pub serial: Option<u64>,
    /// SHA-256 of the effective configuration.
    pub hash: String,
}

/// A bundle on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub serial: u64,
    pub state: BundleState,
    /// For people. Empty: there is nothing to explain.
    pub reason: String,
    /// Counted from 1. `None`: unknown.
    pub ring: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastBundle {
    pub serial: u64,
    pub outcome: ReportedOutcome,
    pub reason: String,
    pub at: Option<Timestamp>,
}

/// How a bundle ended on a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportedOutcome {
    Confirmed,
    RolledBack,
    Refused,
}

impl Wanted {
    /// How the bundle ended. `None`: it has not ended.
    #[must_use]
    pub fn outcome(&self) -> Option<ReportedOutcome> {
        match self.state {
            BundleState::Confirmed => Some(ReportedOutcome::Confirmed),
            BundleState::RolledBack => Some(ReportedOutcome::RolledBack),
            BundleState::Refused => Some(ReportedOutcome::Refused),
            _ => None,
        }
    }
}

impl ReportedOutcome {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
        }
    }
}

/// Why a message is not used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReportError {
    #[error("the message has {bytes} bytes; a report has at most {REPORT_BYTES_MAX}")]
    TooLarge { bytes: usize },
    /// With the place, without the content.
    #[error("the message is no report: line {line}, column {column}")]
    Malformed { line: usize, column: usize },
    #[error("the report is of site {named}, and its topic is of site {topic}")]
    OtherSite { named: Name, topic: Name },
}

/// The JSON of a report.
#[derive(Serialize, Deserialize)]
struct ReportForm {
    site: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<Name>,
    at: Timestamp,
    #[serde(default)]
    version: String,
    running: RunningForm,
    #[serde(default)]
    wanted: Option<WantedForm>,
    #[serde(default)]
    last: Option<LastForm>,
    #[serde(default)]
    clock_offset_ms: Option<i64>,
    #[serde(default)]
    disk_free_bytes: Option<u64>,
    #[serde(default)]
    odoo: String,
    #[serde(default)]
    oldest_waiting_s: u64,
    #[serde(default)]
    parked: u64,
    #[serde(default)]
    alarms: Vec<String>,
    #[serde(default)]
    drift: u64,
    #[serde(default)]
    expires: BTreeMap<String, Option<Timestamp>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipient: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct RunningForm {
    serial: Option<u64>,
    #[serde(default)]
    hash: String,
}

#[derive(Serialize, Deserialize)]
struct WantedForm {
    serial: u64,
    state: BundleState,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    ring: Option<usize>,
}

#[derive(Serialize, Deserialize)]
struct LastForm {
    serial: u64,
    outcome: ReportedOutcome,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    at: Option<Timestamp>,
}

/// The JSON of `online/SITE`.
#[derive(Serialize, Deserialize)]
struct OnlineForm {
    online: bool,
}

impl Report {
    /// Parses a message on the report topic of `site`.
    pub fn parse(site: &Name, payload: &[u8]) -> Result<Self, ReportError> {
        let form: ReportForm = read_json(payload)?;
        if form.site != *site {
            return Err(ReportError::OtherSite {
                named: form.site,
                topic: site.clone(),
            });
        }
        let expires = form.expires.into_iter().take(ENTRIES_MAX);
        let alarms = form.alarms.into_iter().take(ENTRIES_MAX);
        Ok(Self {
            site: form.site,
            group: form.group,
            at: form.at,
            version: cut(form.version),
            running: Running {
                serial: form.running.serial,
                hash: cut(form.running.hash),
            },
            wanted: form.wanted.map(|wanted| Wanted {
                serial: wanted.serial,
                state: wanted.state,
                reason: cut(wanted.reason.unwrap_or_default()),
                ring: wanted.ring,
            }),
            last: form.last.map(|last| LastBundle {
                serial: last.serial,
                outcome: last.outcome,
                reason: cut(last.reason.unwrap_or_default()),
                at: last.at,
            }),
            clock_offset_ms: form.clock_offset_ms,
            disk_free_bytes: form.disk_free_bytes,
            odoo: cut(form.odoo),
            oldest_waiting_s: form.oldest_waiting_s,
            parked: form.parked,
            alarms: alarms.map(cut).collect(),
            drift: form.drift,
            expires: expires
                .filter_map(|(name, at)| Some((cut(name), at?)))
                .collect(),
            recipient: form.recipient.map(cut),
        })
    }

    /// Writes the JSON of the report.
    #[must_use]
    pub fn to_json(&self) -> String {
        let form = ReportForm {
            site: self.site.clone(),
            group: self.group.clone(),
            at: self.at,
            version: self.version.clone(),
            running: RunningForm {
                serial: self.running.serial,
                hash: self.running.hash.clone(),
            },
            wanted: self.wanted.as_ref().map(|wanted| WantedForm {
                serial: wanted.serial,
                state: wanted.state,
                reason: Some(wanted.reason.clone()),
                ring: wanted.ring,
            }),
            last: self.last.as_ref().map(|last| LastForm {
                serial: last.serial,
                outcome: last.outcome,
                reason: Some(last.reason.clone()),
                at: last.at,
            }),
            clock_offset_ms: self.clock_offset_ms,
            disk_free_bytes: self.disk_free_bytes,
            odoo: self.odoo.clone(),
            oldest_waiting_s: self.oldest_waiting_s,
            parked: self.parked,
            alarms: self.alarms.clone(),
            drift: self.drift,
            expires: (self.expires.iter())
                .map(|(name, at)| (name.clone(), Some(*at)))
                .collect(),
            recipient: self.recipient.clone(),
        };
        serde_json::to_string(&form).expect("texts, numbers and times are JSON")
    }

    /// Finds what expires first.
    #[must_use]
    pub fn first_expiry(&self) -> Option<(&str, Timestamp)> {
        let entries = self.expires.iter();
        let first = entries.min_by_key(|(_, at)| **at);
        first.map(|(name, at)| (name.as_str(), *at))
    }
}

/// Parses a message on an `online` topic: whether the gateway is connected.
pub fn parse_online(payload: &[u8]) -> Result<bool, ReportError> {
    read_json::<OnlineForm>(payload).map(|form| form.online)
}

/// Writes the message for an `online` topic.
#[must_use]
pub fn online_json(online: bool) -> String {
    serde_json::to_string(&OnlineForm { online }).expect("a boolean is JSON")
}

fn read_json<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, ReportError> {
    let bytes = payload.len();
    if bytes > REPORT_BYTES_MAX {
        return Err(ReportError::TooLarge { bytes });
    }
    serde_json::from_slice(payload).map_err(|error| ReportError::Malformed {
        line: error.line(),
        column: error.column(),
    })
}

fn cut(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
        text.truncate(at);
    }
    text
}

#[cfg(test)]
mod tests;
