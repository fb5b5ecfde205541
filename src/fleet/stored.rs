//! Converts the fleet record to its stored form, and back.
//!
//! **In**: a [`FleetRecord`], or bytes. **Out**: bytes, or the record; an error if a newer version
//! wrote the bytes or they are damaged.

use std::time::Duration;

use jiff::Timestamp;

use super::key_id::KeyId;
use super::record::{
    Baseline, BundleFacts, BundleId, BundleOutcome, BundleState, BundleWatch, ConfirmedBundle,
    FleetRecord, HistoryEntry, LastOutcome, ManifestHash, PendingBundle, PreviousSet, RingDue,
    RolledBackBundle, StopOrder,
};
use crate::journal::stored::BadRecord;
use crate::journal::stored::fleet::{
    BundleIdV1, BundleOutcomeV1, BundleStateV1, BundleWatchV1, ConfirmedV1, FleetV1,
    HistoryEntryV1, LastOutcomeV1, PendingV1, PreviousV1, RolledBackV1, StopOrderV1, bad_fleet,
    fleet_in, fleet_out, fleet_time,
};

pub fn record_in(record: &FleetRecord) -> Result<Vec<u8>, BadRecord> {
    let FleetRecord {
        highest,
        stops,
        resumed,
        confirmed,
        previous,
        pending,
        next,
        last,
        rolled_back,
        watch,
        history,
    } = record;
    fleet_in(FleetV1 {
        highest: highest.map(id_in),
        stops: stops.iter().map(stop_in).collect(),
        resumed: *resumed,
        confirmed: confirmed.as_ref().map(confirmed_in),
        previous: previous.as_ref().map(|previous| match previous {
            PreviousSet::Files => PreviousV1::Files,
            PreviousSet::Bundle(confirmed) => PreviousV1::Bundle(confirmed_in(confirmed)),
        }),
        pending: pending.as_ref().map(pending_in),
        next: next.as_ref().map(pending_in),
        last: last.as_ref().map(|last| LastOutcomeV1 {
            id: id_in(last.id),
            outcome: outcome_in(last.outcome),
            reason: last.reason.clone(),
            at_us: last.at.as_microsecond(),
        }),
        rolled_back: rolled_back.iter().map(rolled_back_in).collect(),
        watch: watch.as_ref().map(watch_in).transpose()?,
        history: history.iter().map(history_in).collect(),
    })
}

pub fn record_out(bytes: &[u8]) -> Result<FleetRecord, BadRecord> {
    let stored = fleet_out(bytes)?;
    Ok(FleetRecord {
        highest: stored.highest.map(id_out),
        stops: stored.stops.into_iter().map(stop_out).collect(),
        resumed: stored.resumed,
        confirmed: stored.confirmed.map(confirmed_out).transpose()?,
        previous: stored.previous.map(previous_out).transpose()?,
        pending: stored.pending.map(pending_out).transpose()?,
        next: stored.next.map(pending_out).transpose()?,
        last: stored.last.map(last_out).transpose()?,
        rolled_back: each(stored.rolled_back, rolled_back_out)?,
        watch: stored.watch.map(watch_out).transpose()?,
        history: each(stored.history, history_out)?.into(),
    })
}

fn each<T, U>(
    stored: Vec<T>,
    convert: impl Fn(T) -> Result<U, BadRecord>,
) -> Result<Vec<U>, BadRecord> {
    stored.into_iter().map(convert).collect()
}

fn micros(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_microsecond)
}

fn id_in(id: BundleId) -> BundleIdV1 {
    BundleIdV1 {
        serial: id.serial,
        manifest: id.manifest.0,
    }
}

fn id_out(stored: BundleIdV1) -> BundleId {
    BundleId {
        serial: stored.serial,
        manifest: ManifestHash(stored.manifest),
    }
}

fn stop_in((key, stop): (&KeyId, &StopOrder)) -> StopOrderV1 {
    StopOrderV1 {
        key: key.to_bytes(),
        count: stop.count,
        serial: stop.serial,
        is_stopped: stop.is_stopped,
        reason: stop.reason.clone(),
        by: stop.by.clone(),
    }
}

fn stop_out(stored: StopOrderV1) -> (KeyId, StopOrder) {
    let stop = StopOrder {
        count: stored.count,
        serial: stored.serial,
        is_stopped: stored.is_stopped,
        reason: stored.reason,
        by: stored.by,
    };
    (KeyId::from_bytes(stored.key), stop)
}

fn confirmed_in(confirmed: &ConfirmedBundle) -> ConfirmedV1 {
    ConfirmedV1 {
        id: id_in(confirmed.id),
        name: confirmed.name.clone(),
        expires_us: confirmed.expires.as_microsecond(),
        since_us: confirmed.since.as_microsecond(),
    }
}

fn confirmed_out(stored: ConfirmedV1) -> Result<ConfirmedBundle, BadRecord> {
    Ok(ConfirmedBundle {
        id: id_out(stored.id),
        name: stored.name,
        expires: fleet_time(stored.expires_us)?,
        since: fleet_time(stored.since_us)?,
    })
}

fn previous_out(stored: PreviousV1) -> Result<PreviousSet, BadRecord> {
    Ok(match stored {
        PreviousV1::Files => PreviousSet::Files,
        PreviousV1::Bundle(confirmed) => PreviousSet::Bundle(confirmed_out(confirmed)?),
    })
}

fn pending_in(pending: &PendingBundle) -> PendingV1 {
    let facts = &pending.facts;
    PendingV1 {
        id: id_in(facts.id),
        name: facts.name.clone(),
        not_before_us: micros(facts.not_before),
        expires_us: facts.expires.as_microsecond(),
        ring: facts.ring.number,
        due_us: micros(facts.ring.due),
        by: facts.by.clone(),
        state: state_in(pending.state),
        since_us: pending.since.as_microsecond(),
        until_us: micros(pending.until),
        reason: pending.reason.clone(),
        changes_odoo: pending.changes_odoo,
    }
}

fn pending_out(stored: PendingV1) -> Result<PendingBundle, BadRecord> {
    Ok(PendingBundle {
        facts: BundleFacts {
            id: id_out(stored.id),
            name: stored.name,
            not_before: stored.not_before_us.map(fleet_time).transpose()?,
            expires: fleet_time(stored.expires_us)?,
            ring: RingDue {
                number: stored.ring,
                due: stored.due_us.map(fleet_time).transpose()?,
            },
            by: stored.by,
        },
        state: state_out(stored.state)?,
        since: fleet_time(stored.since_us)?,
        until: stored.until_us.map(fleet_time).transpose()?,
        reason: stored.reason,
        changes_odoo: stored.changes_odoo,
    })
}

fn last_out(stored: LastOutcomeV1) -> Result<LastOutcome, BadRecord> {
    Ok(LastOutcome {
        id: id_out(stored.id),
        outcome: outcome_out(stored.outcome)?,
        reason: stored.reason,
        at: fleet_time(stored.at_us)?,
    })
}

fn rolled_back_in(entry: &RolledBackBundle) -> RolledBackV1 {
    RolledBackV1 {
        id: id_in(entry.id),
        reason: entry.reason.clone(),
        at_us: entry.at.as_microsecond(),
        may_retry: entry.may_retry,
    }
}

fn rolled_back_out(stored: RolledBackV1) -> Result<RolledBackBundle, BadRecord> {
    Ok(RolledBackBundle {
        id: id_out(stored.id),
        reason: stored.reason,
        at: fleet_time(stored.at_us)?,
        may_retry: stored.may_retry,
    })
}

fn watch_in(watch: &BundleWatch) -> Result<BundleWatchV1, BadRecord> {
    let Baseline {
        odoo_is_held,
        odoo_must_be_up,
        sources_up,
        devices,
        centre_is_up,
        refused_per_hour,
    } = &watch.baseline;
    Ok(BundleWatchV1 {
        begun_us: watch.begun.as_microsecond(),
        elapsed_ms: u64::try_from(watch.elapsed.as_millis()).map_err(bad_fleet)?,
        odoo_is_held: *odoo_is_held,
        odoo_must_be_up: *odoo_must_be_up,
        sources_up: sources_up.iter().cloned().collect(),
        devices: devices.iter().cloned().collect(),
        centre_is_up: *centre_is_up,
        refused_per_hour: *refused_per_hour,
        refused: watch.refused,
        unclean_starts: watch.unclean_starts,
        is_stopped_cleanly: watch.is_stopped_cleanly,
    })
}

fn watch_out(stored: BundleWatchV1) -> Result<BundleWatch, BadRecord> {
    Ok(BundleWatch {
        begun: fleet_time(stored.begun_us)?,
        elapsed: Duration::from_millis(stored.elapsed_ms),
        baseline: Baseline {
            odoo_is_held: stored.odoo_is_held,
            odoo_must_be_up: stored.odoo_must_be_up,
            sources_up: stored.sources_up.into_iter().collect(),
            devices: stored.devices.into_iter().collect(),
            centre_is_up: stored.centre_is_up,
            refused_per_hour: stored.refused_per_hour,
        },
        refused: stored.refused,
        unclean_starts: stored.unclean_starts,
        is_stopped_cleanly: stored.is_stopped_cleanly,
    })
}

fn history_in(entry: &HistoryEntry) -> HistoryEntryV1 {
    HistoryEntryV1 {
        at_us: entry.at.as_microsecond(),
        by: entry.by.clone(),
        serial: entry.serial,
        outcome: outcome_in(entry.outcome),
        reason: entry.reason.clone(),
    }
}

fn history_out(stored: HistoryEntryV1) -> Result<HistoryEntry, BadRecord> {
    Ok(HistoryEntry {
        at: fleet_time(stored.at_us)?,
        by: stored.by,
        serial: stored.serial,
        outcome: outcome_out(stored.outcome)?,
        reason: stored.reason,
    })
}

fn state_in(state: BundleState) -> u8 {
    let stored = match state {
        BundleState::Fetched => BundleStateV1::Fetched,
        BundleState::Verified => BundleStateV1::Verified,
        BundleState::Checked => BundleStateV1::Checked,
        BundleState::Waiting => BundleStateV1::Waiting,
        BundleState::Staged => BundleStateV1::Staged,
        BundleState::Applied => BundleStateV1::Applied,
        BundleState::Watching => BundleStateV1::Watching,
        BundleState::Confirmed => BundleStateV1::Confirmed,
        BundleState::RolledBack => BundleStateV1::RolledBack,
        BundleState::Refused => BundleStateV1::Refused,
    };
    stored.number()
}

fn state_out(number: u8) -> Result<BundleState, BadRecord> {
    Ok(match BundleStateV1::try_from(number)? {
        BundleStateV1::Fetched => BundleState::Fetched,
        BundleStateV1::Verified => BundleState::Verified,
        BundleStateV1::Checked => BundleState::Checked,
        BundleStateV1::Waiting => BundleState::Waiting,
        BundleStateV1::Staged => BundleState::Staged,
        BundleStateV1::Applied => BundleState::Applied,
        BundleStateV1::Watching => BundleState::Watching,
        BundleStateV1::Confirmed => BundleState::Confirmed,
        BundleStateV1::RolledBack => BundleState::RolledBack,
        BundleStateV1::Refused => BundleState::Refused,
    })
}

fn outcome_in(outcome: BundleOutcome) -> u8 {
    let stored = match outcome {
        BundleOutcome::Confirmed => BundleOutcomeV1::Confirmed,
        BundleOutcome::RolledBack => BundleOutcomeV1::RolledBack,
        BundleOutcome::Refused => BundleOutcomeV1::Refused,
        BundleOutcome::Superseded => BundleOutcomeV1::Superseded,
    };
    stored.number()
}

fn outcome_out(number: u8) -> Result<BundleOutcome, BadRecord> {
    Ok(match BundleOutcomeV1::try_from(number)? {
        BundleOutcomeV1::Confirmed => BundleOutcome::Confirmed,
        BundleOutcomeV1::RolledBack => BundleOutcome::RolledBack,
        BundleOutcomeV1::Refused => BundleOutcome::Refused,
        BundleOutcomeV1::Superseded => BundleOutcome::Superseded,
    })
}

#[cfg(test)]
mod tests;
