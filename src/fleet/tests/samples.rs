//! Sample bundles and times.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::fleet::key_id::KeyId;
use crate::fleet::machine::OfferedBundle;
use crate::fleet::record::{BundleFacts, BundleId, ManifestHash, RingDue, SignedStop, StopOrder};

/// Seconds after a fixed time.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The bundle of a serial; `other` is another manifest of the same serial.
pub fn id_of(serial: u64, other: u8) -> BundleId {
    let mut manifest = [other; 32];
    manifest[..8].copy_from_slice(&serial.to_be_bytes());
    BundleId {
        serial,
        manifest: ManifestHash(manifest),
    }
}

pub fn id(serial: u64) -> BundleId {
    id_of(serial, 0)
}

pub fn facts(serial: u64) -> BundleFacts {
    BundleFacts {
        id: id(serial),
        name: format!("bundle {serial}"),
        not_before: None,
        expires: at(0) + SignedDuration::from_hours(1_000),
        ring: RingDue {
            number: 1,
            due: None,
        },
        by: "broker".to_owned(),
    }
}

pub fn offered(serial: u64) -> OfferedBundle {
    OfferedBundle {
        facts: facts(serial),
        is_for_site: true,
        unsupported: None,
        is_again: false,
        trusted: [KEY].into_iter().map(KeyId::from_bytes).collect(),
    }
}

/// The key that signs everything.
pub const KEY: [u8; 8] = *b"keyofnoc";

pub fn signed_stop(stop: StopOrder) -> SignedStop {
    SignedStop {
        stop,
        signers: [KeyId::from_bytes(KEY)].into(),
        trusted: [KeyId::from_bytes(KEY)].into(),
    }
}

pub fn stop(count: u64, serial: u64, is_stopped: bool) -> StopOrder {
    StopOrder {
        count,
        serial,
        is_stopped,
        reason: "ams1 rolled back".to_owned(),
        by: "noc".to_owned(),
    }
}
