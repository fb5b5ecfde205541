//! What a gateway reports about its bundles.
//!
//! **In**: the status of the agent. **Out**: the part of a [`Report`] about bundles. Pure.
//!
//! An offer that was rejected is `wanted` with the state `refused`, while no bundle is pending. Its
//! serial is 0 if the signatures do not prove it, or if the gateway runs with that serial: what an
//! attacker sends must not count as the outcome of a bundle.

use jiff::Timestamp;

use super::machine::RejectedOffer;
use super::orders::FleetStatus;
use super::record::{BundleOutcome, BundleState, PendingBundle, shorten};
use super::report::{LastBundle, Report, ReportedOutcome, Running, UNPROVEN, Wanted};
use crate::event::Name;

/// Describes the bundles. Everything else of the report is empty.
#[must_use]
pub fn describe(site: &Name, group: Option<&Name>, status: &FleetStatus, now: Timestamp) -> Report {
    Report {
        site: site.clone(),
        group: group.cloned(),
        at: now,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        running: Running {
            serial: status.running.bundle().map(|id| id.serial),
            hash: String::new(),
        },
        wanted: wanted(status),
        last: status.last.as_ref().and_then(|last| {
            Some(LastBundle {
                serial: last.id.serial,
                outcome: outcome(last.outcome)?,
                reason: last.reason.clone(),
                at: Some(last.at),
            })
        }),
        clock_offset_ms: None,
        disk_free_bytes: None,
        odoo: String::new(),
        oldest_waiting_s: 0,
        parked: 0,
        alarms: Vec::new(),
        drift: 0,
        expires: std::collections::BTreeMap::new(),
        recipient: None,
    }
}

fn wanted(status: &FleetStatus) -> Option<Wanted> {
    let rejected = status.rejected.as_ref().map(describe_rejected);
    if let Some(pending) = &status.pending {
        return Some(describe_pending(pending, rejected));
    }
    let serial = status.rejected.as_ref().and_then(|offer| offer.serial);
    let serial = serial.filter(|serial| !is_known(status, *serial));
    Some(Wanted {
        serial: serial.unwrap_or(UNPROVEN),
        state: BundleState::Refused,
        reason: rejected?,
        ring: None,
    })
}

/// Whether the gateway has used, or uses, a bundle with this serial.
fn is_known(status: &FleetStatus, serial: u64) -> bool {
    let last = status.last.as_ref().map(|last| last.id.serial);
    let running = status.running.bundle().map(|id| id.serial);
    last == Some(serial) || running == Some(serial)
}

fn describe_pending(pending: &PendingBundle, rejected: Option<String>) -> Wanted {
    let parts = [pending.reason.clone(), rejected];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    Wanted {
        serial: pending.facts.id.serial,
        state: pending.state,
        reason: shorten(&parts.join("; ")),
        ring: usize::try_from(pending.facts.ring.number)
            .ok()
            .filter(|ring| *ring > 0),
    }
}

fn describe_rejected(offer: &RejectedOffer) -> String {
    let RejectedOffer { reason, by, at, .. } = offer;
    shorten(&format!("rejected what came from {by} at {at}: {reason}"))
}

/// `None`: only the history has it.
fn outcome(outcome: BundleOutcome) -> Option<ReportedOutcome> {
    match outcome {
        BundleOutcome::Confirmed => Some(ReportedOutcome::Confirmed),
        BundleOutcome::RolledBack => Some(ReportedOutcome::RolledBack),
        BundleOutcome::Refused => Some(ReportedOutcome::Refused),
        BundleOutcome::Superseded => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::record::{
        BundleFacts, BundleId, ConfigSet, LastOutcome, ManifestHash, RingDue,
    };

    fn now() -> Timestamp {
        "2026-11-29T08:00:00Z".parse().unwrap()
    }

    fn id(serial: u64) -> BundleId {
        BundleId {
            serial,
            manifest: ManifestHash([1; 32]),
        }
    }

    fn rejected(serial: Option<u64>) -> RejectedOffer {
        RejectedOffer {
            serial,
            reason: "unknown-key: no trusted key".to_owned(),
            by: "broker".to_owned(),
            at: now(),
        }
    }

    fn describe_status(status: &FleetStatus) -> Report {
        describe(&Name::new("ams1").unwrap(), None, status, now())
    }

    #[test]
    fn a_pending_bundle_is_wanted_with_its_ring_and_reason() {
        let mut status = FleetStatus::default();
        assert_eq!(describe_status(&status).wanted, None);
        status.pending = Some(PendingBundle {
            facts: BundleFacts {
                id: id(43),
                name: String::new(),
                not_before: None,
                expires: now(),
                ring: RingDue {
                    number: 2,
                    due: None,
                },
                by: "broker".to_owned(),
            },
            state: BundleState::Waiting,
            since: now(),
            until: None,
            reason: Some("ring 2 is due later".to_owned()),
            changes_odoo: false,
        });
        let wanted = describe_status(&status).wanted.unwrap();
        assert_eq!((wanted.serial, wanted.ring), (43, Some(2)));
        assert_eq!(wanted.state, BundleState::Waiting);
        assert_eq!(wanted.reason, "ring 2 is due later");
        status.rejected = Some(rejected(None));
        let wanted = describe_status(&status).wanted.unwrap();
        assert_eq!(wanted.serial, 43);
        assert!(wanted.reason.contains("unknown-key"), "{}", wanted.reason);
    }

    #[test]
    fn a_rejected_offer_is_no_outcome_of_the_bundle_that_runs() {
        let mut status = FleetStatus {
            running: ConfigSet::Bundle(id(42)),
            last: Some(LastOutcome {
                id: id(42),
                outcome: BundleOutcome::Confirmed,
                reason: String::new(),
                at: now(),
            }),
            ..FleetStatus::default()
        };
        for (rejected_serial, reported) in [(None, 0), (Some(42), 0), (Some(41), 41)] {
            status.rejected = Some(rejected(rejected_serial));
            let report = describe_status(&status);
            let wanted = report.wanted.unwrap();
            assert_eq!(wanted.serial, reported);
            assert_eq!(wanted.state, BundleState::Refused);
            assert!(wanted.reason.contains("unknown-key"));
            assert_eq!(report.last.unwrap().outcome, ReportedOutcome::Confirmed);
        }
    }
}
