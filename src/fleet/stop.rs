//! The stop of a rollout: a signed message that every gateway keeps on disk.
//!
//! **In**: the bytes of a tar file with `stop.toml` and its signatures. **Out**: a [`Stop`]. One
//! trusted key suffices to stop a rollout; to resume it takes the threshold. An old message that is
//! sent again changes nothing: its count is not above what its keys signed before. A stop ends with
//! the trust in its keys, so that a stolen key cannot stop the fleet for good. What a gateway does
//! with a message is in `machine/offer.rs`.

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::Timestamp;

use super::error::BundleError;
use super::key_id::KeyId;
use super::keys::{self, Keys};
use super::manifest::NUMBER_MAX;
use super::parts::{self, Parts};
use super::trust::Trust;
use crate::config::Fault;

/// The name of the file, which is the first of the archive.
pub const STOP: &str = "stop.toml";
/// How far a count may be ahead of the clock, in seconds: a day. A higher one would leave no count
/// for later stops.
const COUNT_AHEAD_MAX_S: u64 = 86_400;
/// The longest `reason` and `by`, in bytes.
pub const TEXT_BYTES_MAX: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The bundle whose rollout is stopped or resumed.
    pub serial: u64,
    /// `false`: the rollout is resumed.
    pub stop: bool,
    /// Rises with every stop and resumption of the fleet: seconds since 1970 (UTC), or more.
    pub count: u64,
    pub reason: String,
    /// The person or program.
    pub by: String,
}

impl Stop {
    /// Parses stop.toml. The error has every fault.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        keys::parse(text, STOP, read)
    }

    /// Reads a message without its signatures: for commands that count and sign stops.
    pub fn read(bytes: &Bytes) -> Result<Self, BundleError> {
        understand(&parts::read(bytes, STOP)?.signed)
    }

    /// Writes stop.toml.
    #[must_use]
    pub fn text(&self) -> String {
        // TOML's basic strings have the escapes of JSON for what a text can contain here.
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        format!(
            "serial = {}\nstop = {}\ncount = {}\nreason = {}\nby = {}\n",
            self.serial,
            self.stop,
            self.count,
            quote(&self.reason),
            quote(&self.by)
        )
    }

    /// Builds the unsigned message.
    pub fn build(&self) -> Result<Vec<u8>, BundleError> {
        let text = self.text();
        understand(text.as_bytes())?;
        let parts = Parts {
            signed: text.into(),
            signatures: Vec::new(),
            files: [].into(),
        };
        parts.write(STOP)
    }

    /// Whether the rollout of this bundle is stopped. A stop holds for lower serials, too.
    #[must_use]
    pub fn stops(&self, serial: u64) -> bool {
        self.stop && serial <= self.serial
    }

    /// Whether this message replaces the one that the gateway has.
    #[must_use]
    pub fn replaces(&self, known: Option<&Self>) -> bool {
        known.is_none_or(|known| known.count < self.count)
    }
}

/// The lowest count of a message that is made now.
#[must_use]
pub fn count_at(now: Timestamp) -> u64 {
    u64::try_from(now.as_second()).unwrap_or(0).max(1)
}

/// Whether a count is more than a day ahead of the clock.
#[must_use]
pub fn is_ahead(count: u64, now: Timestamp) -> bool {
    count > count_at(now).saturating_add(COUNT_AHEAD_MAX_S)
}

/// Verifies a message. An empty one is refused: it changes nothing.
pub fn verify(bytes: &Bytes, trust: &Trust) -> Result<Stop, BundleError> {
    verify_with_signers(bytes, trust).map(|(stop, _)| stop)
}

/// As [`verify`]; also returns the trusted keys that signed it.
pub fn verify_with_signers(
    bytes: &Bytes,
    trust: &Trust,
) -> Result<(Stop, BTreeSet<KeyId>), BundleError> {
    let parts = parts::read(bytes, STOP)?;
    // First one key, so that no text of an attacker is parsed.
    let require = |needed| {
        let signed = trust.require(needed, &parts.signed, &parts.signatures);
        signed.map_err(BundleError::Signatures)
    };
    let signers = require(1)?;
    if let Some(path) = parts.files.keys().next() {
        return Err(BundleError::Foreign {
            path: format!("{}{path}", parts::FILES),
        });
    }
    let stop = understand(&parts.signed)?;
    if !stop.stop {
        require(trust.threshold)?;
    }
    Ok((stop, signers))
}

fn understand(text: &[u8]) -> Result<Stop, BundleError> {
    let stop = Stop::parse(&String::from_utf8_lossy(text));
    stop.map_err(|faults| BundleError::Faults { file: STOP, faults })
}

fn read(keys: &mut Keys) -> Option<Stop> {
    keys.require("serial", "the serial of the bundle");
    keys.require("stop", "true to stop the rollout, false to resume it");
    keys.require("count", "a whole number above that of the stop before");
    keys.require("reason", "a text for people");
    keys.require("by", "the person or program");
    let serial = keys.integer("serial", 1..=NUMBER_MAX);
    let stop = keys.boolean("stop");
    let count = keys.integer("count", 1..=NUMBER_MAX);
    let reason = keys.text("reason", TEXT_BYTES_MAX);
    let by = keys.text("by", TEXT_BYTES_MAX);
    Some(Stop {
        serial: serial?,
        stop: stop?,
        count: count?,
        reason: reason?,
        by: by?,
    })
}

#[cfg(test)]
mod tests;
