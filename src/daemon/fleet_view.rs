//! Shows the state of bundles: in the status, and as alarms.
//!
//! **In**: a [`FleetStatus`] of the agent. **Out**: its part of the board.

use crate::board::{Board, ConfigOrigin, LastView, PendingView};
use crate::clock;
use crate::fleet::orders::FleetStatus;
use crate::fleet::record::{ConfigSet, PendingBundle};

/// The alarms of the agent.
const ALARMS: [&str; 4] = [
    "bundle-expired",
    "bundle-not-loaded",
    "bundle-rejected",
    "fleet-disk",
];
/// The alarm while the process takes no bundles.
pub const FLEET_ALARM: &str = "fleet-record";

/// The alarm while the gateway cannot decrypt secrets.
pub const KEY_ALARM: &str = "fleet-identity";

/// Shows a status.
pub fn show(board: &Board, status: &FleetStatus) {
    let running = status.running.bundle();
    let of_pending = (status.pending.as_ref())
        .filter(|pending| Some(pending.facts.id) == running)
        .map(|pending| (pending.facts.name.clone(), pending.facts.expires));
    let of_confirmed = (status.confirmed.as_ref())
        .filter(|confirmed| Some(confirmed.id) == running)
        .map(|confirmed| (confirmed.name.clone(), confirmed.expires));
    let (name, expires) = of_pending.or(of_confirmed).unzip();
    let serial = running.map(|id| id.serial);
    board.config(|view| {
        let is_same = view.serial == serial;
        if !is_same && view.since.is_some() {
            view.since = Some(clock::now());
        }
        // After a rollback that cannot be loaded, the record has not the bundle that runs.
        if !is_same || name.is_some() {
            view.name = name;
            view.expires = expires;
        }
        view.serial = serial;
        view.origin = match status.running {
            ConfigSet::Files => ConfigOrigin::Files,
            ConfigSet::Bundle(_) => ConfigOrigin::Bundle,
        };
        view.pending = status.pending.as_ref().map(pending_view);
        view.last = status.last.as_ref().map(|last| LastView {
            serial: last.id.serial,
            outcome: last.outcome.name().to_owned(),
            reason: Some(last.reason.clone()),
            at: last.at,
        });
    });
    for code in ALARMS {
        board.alarm(code, status.alarms.get(code).cloned());
    }
}

fn pending_view(pending: &PendingBundle) -> PendingView {
    PendingView {
        serial: pending.facts.id.serial,
        state: pending.state.name().to_owned(),
        since: pending.since,
        until: pending.until,
        reason: pending.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::record::{BundleId, ConfirmedBundle, ManifestHash};

    fn status(running: Option<u64>, confirmed: u64) -> FleetStatus {
        let id = |serial| BundleId {
            serial,
            manifest: ManifestHash([0; 32]),
        };
        FleetStatus {
            running: running.map_or(ConfigSet::Files, |serial| ConfigSet::Bundle(id(serial))),
            confirmed: Some(ConfirmedBundle {
                id: id(confirmed),
                name: format!("bundle {confirmed}"),
                expires: clock::now(),
                since: clock::now(),
            }),
            ..FleetStatus::default()
        }
    }

    #[test]
    fn since_changes_with_the_serial() {
        let board = Board::new();
        show(&board, &status(Some(1), 1));
        assert_eq!(board.snapshot().config.since, None);
        let begun = jiff::Timestamp::UNIX_EPOCH;
        board.config(|view| view.since = Some(begun));
        show(&board, &status(Some(1), 1));
        assert_eq!(board.snapshot().config.since, Some(begun));
        // A bundle that changes no key has the same hash.
        show(&board, &status(Some(2), 2));
        assert!(board.snapshot().config.since > Some(begun));
    }

    #[test]
    fn the_bundle_that_still_runs_after_a_rollback_has_its_name() {
        let board = Board::new();
        show(&board, &status(Some(2), 2));
        // Bundle 1 is confirmed again, and cannot be loaded.
        show(&board, &status(Some(2), 1));
        let config = board.snapshot().config;
        assert_eq!(config.serial, Some(2));
        assert_eq!(config.name.as_deref(), Some("bundle 2"));
        assert!(config.expires.is_some());
        show(&board, &status(None, 1));
        assert_eq!(board.snapshot().config.name, None);
    }
}
