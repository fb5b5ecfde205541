//! The stored form of the fleet record: what the gateway knows about central IT's bundles.
//! `fleet::stored` converts its record to this form and back.
//!
//! Times are microseconds since 1970-01-01 UTC, durations are milliseconds.

use serde::{Deserialize, Serialize};

use super::{BadRecord, bad, decode, encode};

const WHAT: &str = "fleet record";

#[derive(Serialize, Deserialize)]
enum StoredFleet {
    V1(FleetV1),
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FleetV1 {
    pub highest: Option<BundleIdV1>,
    pub stops: Vec<StopOrderV1>,
    /// The highest count of a resumption; 0 without one.
    pub resumed: u64,
    pub confirmed: Option<ConfirmedV1>,
    pub previous: Option<PreviousV1>,
    pub pending: Option<PendingV1>,
    pub next: Option<PendingV1>,
    pub last: Option<LastOutcomeV1>,
    pub rolled_back: Vec<RolledBackV1>,
    pub watch: Option<BundleWatchV1>,
    pub history: Vec<HistoryEntryV1>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleIdV1 {
    pub serial: u64,
    /// SHA-256 of the manifest.
    pub manifest: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopOrderV1 {
    /// The id of the key, the lowest byte first.
    pub key: [u8; 8],
    pub count: u64,
    pub serial: u64,
    pub is_stopped: bool,
    pub reason: String,
    pub by: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedV1 {
    pub id: BundleIdV1,
    pub name: String,
    pub expires_us: i64,
    pub since_us: i64,
}

/// Frozen: a new variant is added at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PreviousV1 {
    Files,
    Bundle(ConfirmedV1),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingV1 {
    pub id: BundleIdV1,
    pub name: String,
    pub not_before_us: Option<i64>,
    pub expires_us: i64,
    pub ring: u32,
    pub due_us: Option<i64>,
    pub by: String,
    /// The number of a [`BundleStateV1`].
    pub state: u8,
    pub since_us: i64,
    pub until_us: Option<i64>,
    pub reason: Option<String>,
    pub changes_odoo: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastOutcomeV1 {
    pub id: BundleIdV1,
    /// The number of a [`BundleOutcomeV1`].
    pub outcome: u8,
    pub reason: String,
    pub at_us: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBackV1 {
    pub id: BundleIdV1,
    pub reason: String,
    pub at_us: i64,
    pub may_retry: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleWatchV1 {
    pub begun_us: i64,
    pub elapsed_ms: u64,
    pub odoo_is_held: bool,
    pub odoo_must_be_up: bool,
    pub sources_up: Vec<String>,
    pub devices: Vec<String>,
    pub centre_is_up: bool,
    pub refused_per_hour: u64,
    pub refused: u64,
    pub unclean_starts: u32,
    pub is_stopped_cleanly: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntryV1 {
    pub at_us: i64,
    pub by: String,
    pub serial: u64,
    /// The number of a [`BundleOutcomeV1`].
    pub outcome: u8,
    pub reason: String,
}

/// Frozen: a new state gets the next number, and no number is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum BundleStateV1 {
    Fetched = 0,
    Verified = 1,
    Checked = 2,
    Waiting = 3,
    Staged = 4,
    Applied = 5,
    Watching = 6,
    Confirmed = 7,
    RolledBack = 8,
    Refused = 9,
}

impl BundleStateV1 {
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl TryFrom<u8> for BundleStateV1 {
    type Error = BadRecord;

    fn try_from(number: u8) -> Result<Self, BadRecord> {
        Ok(match number {
            0 => Self::Fetched,
            1 => Self::Verified,
            2 => Self::Checked,
            3 => Self::Waiting,
            4 => Self::Staged,
            5 => Self::Applied,
            6 => Self::Watching,
            7 => Self::Confirmed,
            8 => Self::RolledBack,
            9 => Self::Refused,
            _ => return Err(bad(WHAT, format!("no state has the number {number}"))),
        })
    }
}

/// Frozen: a new outcome gets the next number, and no number is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum BundleOutcomeV1 {
    Confirmed = 0,
    RolledBack = 1,
    Refused = 2,
    Superseded = 3,
}

impl BundleOutcomeV1 {
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl TryFrom<u8> for BundleOutcomeV1 {
    type Error = BadRecord;

    fn try_from(number: u8) -> Result<Self, BadRecord> {
        Ok(match number {
            0 => Self::Confirmed,
            1 => Self::RolledBack,
            2 => Self::Refused,
            3 => Self::Superseded,
            _ => return Err(bad(WHAT, format!("no outcome has the number {number}"))),
        })
    }
}

/// Describes a value that the domain does not accept.
#[must_use]
pub fn bad_fleet(why: impl std::fmt::Display) -> BadRecord {
    bad(WHAT, why)
}

/// The time of a stored number of microseconds.
pub fn fleet_time(micros: i64) -> Result<jiff::Timestamp, BadRecord> {
    super::time(WHAT, micros)
}

pub fn fleet_in(record: FleetV1) -> Result<Vec<u8>, BadRecord> {
    encode(WHAT, &StoredFleet::V1(record))
}

pub fn fleet_out(bytes: &[u8]) -> Result<FleetV1, BadRecord> {
    let StoredFleet::V1(record) = decode(WHAT, bytes)?;
    Ok(record)
}
