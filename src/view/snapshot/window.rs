//! What was received since a time, by its state now: the `window` of a status.
//!
//! **The numbers always add up:** `events.stored` = open + waiting + sending + posted + parked +
//! `no_document`, and `rejected.readings` = open + settled + `without_scan`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{LineCounts, is_zero};
use crate::journal::{PeriodCounts, Since};
use crate::reason::{Code, RejectionCode};

/// The counts since a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The counts have everything that was received since this time: the requested time, rounded
    /// down to five minutes. It is later than the requested time if the journal has no counts of
    /// that time any more, or not yet.
    pub since: Timestamp,
    /// The requested time.
    pub requested: Timestamp,
    pub begin: Begin,
    /// The time zone of the site, in which `since` is shown: an IANA name. `None`: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    pub events: WindowEvents,
    pub documents: WindowDocuments,
    pub lines: LineCounts,
    pub rejected: WindowRejected,
}

/// What began at the requested time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Begin {
    /// The present shift.
    Shift,
    /// The present day: the site has no shifts.
    Day,
    /// Nothing: a person chose the time.
    #[default]
    Time,
}

/// Events that were received in the window, by their state now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowEvents {
    pub stored: u64,
    /// Events that are not in a sealed document yet.
    pub open: u64,
    pub waiting: u64,
    pub sending: u64,
    pub posted: u64,
    pub parked: u64,
    /// Events that need no document, and the events of discarded documents.
    pub no_document: u64,
    /// Events of discarded documents; `no_document` includes them.
    pub discarded: u64,
    /// Events of posted documents that have no line: their movements are not in Odoo.
    pub left_out: u64,
    /// Messages that repeated a stored event; they are not in `stored`.
    pub duplicates: u64,
    /// Stored events that their devices may have sent twice, without an id.
    pub possible_repeats: u64,
    /// Raw scans of devices without a flow that no person has dismissed.
    pub unused_scans: u64,
    /// Scans that flows answered with an error: they changed nothing.
    pub wrong_scans: u64,
}

/// Documents whose newest event was received in the window, by their state now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowDocuments {
    pub waiting: u64,
    pub sending: u64,
    pub posted: u64,
    pub parked: u64,
    pub discarded: u64,
    /// How often a person replaced one of them by a corrected document.
    pub edited: u64,
    /// Parked documents by reason code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parked_by_code: BTreeMap<String, u64>,
}

/// Rejected readings that were received in the window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowRejected {
    pub readings: u64,
    /// Readings that neither a person nor their device has settled yet.
    pub open: u64,
    pub settled: u64,
    /// Readings in which nothing was scanned: they need no person.
    pub without_scan: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_code: BTreeMap<String, RejectedOfCode>,
}

/// Rejected readings with one reason code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedOfCode {
    pub readings: u64,
    /// Open readings that are still stored.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub open: u64,
}

impl Window {
    /// The time zone of the site, and its name if that is not obvious to a reader.
    #[must_use]
    pub fn time_zone(&self) -> (TimeZone, &'static str) {
        let zone = self.zone.as_deref().map(TimeZone::get);
        match zone {
            Some(Ok(zone)) => (zone, ""),
            _ => (TimeZone::UTC, " UTC"),
        }
    }

    /// Whether the counts have everything since the requested time.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.since <= self.requested
    }
}

impl From<Since> for Window {
    /// The requested time is that of the counts.
    fn from(since: Since) -> Self {
        let counts = &since.counts;
        let states = counts.states;
        Self {
            since: since.from,
            requested: since.from,
            begin: Begin::Time,
            zone: None,
            events: WindowEvents::of(counts),
            documents: WindowDocuments {
                waiting: states.waiting.documents,
                sending: states.sending.documents,
                posted: states.posted.documents,
                parked: states.parked.documents,
                discarded: states.discarded.documents,
                edited: counts.edited,
                parked_by_code: counts.parked_by_code.clone(),
            },
            lines: LineCounts {
                waiting: states.waiting.lines,
                sending: states.sending.lines,
                posted: states.posted.lines,
                parked: states.parked.lines,
                discarded: states.discarded.lines,
            },
            rejected: WindowRejected::of(counts),
        }
    }
}

impl WindowRejected {
    /// Readings in which something was scanned.
    #[must_use]
    pub fn scans(&self) -> u64 {
        self.readings.saturating_sub(self.without_scan)
    }

    fn of(counts: &PeriodCounts) -> Self {
        let mut rejected = Self {
            readings: counts.rejected,
            open: counts.rejected_open,
            ..Self::default()
        };
        for (code, counted) in &counts.rejected_by_code {
            let of_code = RejectedOfCode {
                readings: counted.readings,
                open: counted.open,
            };
            if !Code::<RejectionCode>::from(code.as_str()).needs_person() {
                rejected.without_scan += counted.readings;
            }
            rejected.by_code.insert(code.clone(), of_code);
        }
        let others = rejected.without_scan + rejected.open;
        rejected.settled = rejected.readings.saturating_sub(others);
        rejected
    }
}

impl WindowEvents {
    fn of(counts: &PeriodCounts) -> Self {
        let states = counts.states;
        Self {
            stored: counts.stored,
            open: counts.open_events(),
            waiting: states.waiting.events,
            sending: states.sending.events,
            posted: states.posted.events,
            parked: states.parked.events,
            no_document: counts.no_document + states.discarded.events,
            discarded: states.discarded.events,
            left_out: counts.left_out,
            duplicates: counts.duplicates,
            possible_repeats: counts.possible_repeats,
            unused_scans: counts.unused_scans,
            wrong_scans: counts.wrong_scans,
        }
    }

    /// Events of sealed documents.
    #[must_use]
    pub fn movements(&self) -> u64 {
        self.waiting + self.sending + self.posted + self.parked + self.discarded
    }

    /// Events whose movements were read back from Odoo.
    #[must_use]
    pub fn in_odoo(&self) -> u64 {
        self.posted.saturating_sub(self.left_out)
    }
}
