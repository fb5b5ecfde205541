//! From checked to applied: rings, stops, the clock, the quiet moment.
//!
//! **In**: the result of the check, and observations. **Out**: the bundle waits, is staged, is
//! refused, or is applied.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::{Action, Machine, Step, WallClock, set_state};
use crate::fleet::record::{
    Baseline, BundleId, BundleState, BundleWatch, ConfigSet, PendingBundle,
};
use crate::fleet::watch::{Observation, Signs};

/// What is next for a bundle that was checked.
enum NextStep {
    Refuse(String),
    Wait(String, Option<Timestamp>),
    Stage,
}

impl Machine {
    pub(super) fn take_check(
        &mut self,
        clock: WallClock,
        id: BundleId,
        faults: &[String],
        changes_odoo: bool,
    ) -> Step {
        let pending = self.record.pending.as_mut();
        let pending = pending
            .filter(|pending| pending.facts.id == id && pending.state == BundleState::Verified);
        let Some(pending) = pending else {
            return Step::none();
        };
        if !faults.is_empty() {
            let reason = format!("this gateway cannot use it: {}", faults.join("; "));
            return Step::of(self.refuse(clock, &reason));
        }
        pending.changes_odoo = changes_odoo;
        set_state(pending, clock, BundleState::Checked, None, None);
        Step::none()
    }

    /// Decides whether the pending bundle waits, is staged or is refused.
    pub(super) fn evaluate(&mut self, clock: WallClock) -> Vec<Action> {
        let Some(pending) = &self.record.pending else {
            return Vec::new();
        };
        let before = pending.state;
        if !matches!(
            before,
            BundleState::Checked | BundleState::Waiting | BundleState::Staged
        ) {
            return Vec::new();
        }
        let (state, reason, until) = match self.next_step(clock, pending) {
            NextStep::Refuse(reason) => return self.refuse(clock, &reason),
            NextStep::Wait(reason, until) => (BundleState::Waiting, reason, until),
            NextStep::Stage => {
                let quiet = self.times.quiet.as_secs();
                let max = self.times.quiet_max.as_secs();
                let reason = match quiet {
                    0 => "is applied at once".to_owned(),
                    _ => format!(
                        "waits until nothing was scanned for {quiet} s, at most for {max} s"
                    ),
                };
                (BundleState::Staged, reason, None)
            }
        };
        if state != before {
            self.live.staged = Duration::ZERO;
        }
        if let Some(pending) = &mut self.record.pending {
            set_state(pending, clock, state, Some(reason), until);
        }
        Vec::new()
    }

    fn next_step(&self, clock: WallClock, pending: &PendingBundle) -> NextStep {
        let facts = &pending.facts;
        let serial = facts.id.serial;
        if clock.is_trusted && clock.now >= facts.expires {
            return NextStep::Refuse(format!(
                "it expired at {}: publish a newer bundle",
                facts.expires
            ));
        }
        if let Some(highest) = self.record.highest.filter(|id| id.serial > serial) {
            let highest = highest.serial;
            return NextStep::Refuse(format!("serial {highest} was verified here since"));
        }
        if let Some(stop) = self.record.stop().filter(|stop| stop.stops(serial)) {
            let reason = format!(
                "{} stopped the rollout of bundle {}: {}",
                stop.by, stop.serial, stop.reason
            );
            return NextStep::Wait(reason, None);
        }
        if !clock.is_trusted {
            let reason = "the clock of the gateway is not trusted: check its time synchronisation";
            return NextStep::Wait(reason.to_owned(), None);
        }
        let not_before = facts.not_before.filter(|time| clock.now < *time);
        let ring = facts.ring.due.filter(|time| clock.now < *time);
        if let Some(time) = not_before.filter(|time| ring.is_none_or(|ring| ring <= *time)) {
            return NextStep::Wait(format!("not before {time}"), Some(time));
        }
        if let Some(due) = ring {
            let number = facts.ring.number;
            return NextStep::Wait(format!("ring {number} is due at {due}"), Some(due));
        }
        let may_retry = (self.record.rolled_back(facts.id)).is_some_and(|entry| entry.may_retry);
        match self.find_lost(pending) {
            Some(what) if may_retry => {
                let wait = self.times.watch.as_secs();
                let reason = format!(
                    "the connection to {what} was lost in the first try: the gateway tries once more when the connection has been up for {wait} s"
                );
                NextStep::Wait(reason, None)
            }
            _ => NextStep::Stage,
        }
    }

    /// Finds a connection that must be up for a further try, and has not been for long enough.
    fn find_lost(&self, pending: &PendingBundle) -> Option<&'static str> {
        let (live, wait) = (&self.live, self.times.watch);
        if !live.has_no_centre && live.centre_up < wait {
            return Some("the centre's broker");
        }
        (pending.changes_odoo && live.odoo_up < wait).then_some("Odoo")
    }

    /// Applies a staged bundle at a quiet moment.
    pub(super) fn advance(
        &mut self,
        clock: WallClock,
        passed: Duration,
        observation: &Observation,
    ) -> Step {
        let is_staged = |machine: &Self| match &machine.record.pending {
            Some(pending) => pending.state == BundleState::Staged,
            None => false,
        };
        let was_staged = is_staged(self);
        let actions = self.evaluate(clock);
        if !was_staged || !is_staged(self) {
            return Step::of(actions);
        }
        self.live.staged += passed;
        let is_quiet = (observation.quiet).is_none_or(|quiet| quiet >= self.times.quiet);
        let is_overdue = self.live.staged >= self.times.quiet_max;
        let is_known = self.live.observed >= self.times.before();
        // The process may still load what was running before.
        let is_settled = self.live.loaded == Some(self.record.running());
        if !is_known || !is_settled || !(is_quiet || is_overdue) {
            return Step::none();
        }
        let changes_odoo =
            (self.record.pending.as_ref()).is_some_and(|pending| pending.changes_odoo);
        if changes_odoo && observation.is_sending {
            if let Some(pending) = &mut self.record.pending {
                let reason = "waits until no document is being sent to Odoo";
                pending.reason = Some(reason.to_owned());
            }
            if self.live.is_pausing {
                return Step::none();
            }
            self.live.is_pausing = true;
            return Step::of(vec![Action::PauseSending(true)]);
        }
        self.apply(clock, observation)
    }

    fn apply(&mut self, clock: WallClock, observation: &Observation) -> Step {
        let baseline = self.baseline(observation);
        let Some(pending) = &mut self.record.pending else {
            return Step::none();
        };
        let id = pending.facts.id;
        set_state(pending, clock, BundleState::Applied, None, None);
        self.record.watch = Some(BundleWatch {
            begun: clock.now,
            elapsed: Duration::ZERO,
            baseline,
            refused: 0,
            unclean_starts: 0,
            is_stopped_cleanly: false,
        });
        Step::of(self.load(ConfigSet::Bundle(id))).needing_disk()
    }

    fn baseline(&self, observation: &Observation) -> Baseline {
        let pending = self.record.pending.as_ref();
        let changes_odoo = pending.is_some_and(|pending| pending.changes_odoo);
        let up = |(source, is_up): (&String, &bool)| is_up.then(|| source.clone());
        let before = self.times.before();
        let steady = (self.live.devices.iter()).filter(|(_, connected)| **connected >= before);
        let devices: BTreeSet<String> = steady.map(|(device, _)| device.clone()).collect();
        Baseline {
            odoo_is_held: observation.odoo_held.is_some(),
            odoo_must_be_up: changes_odoo && observation.odoo_down.is_none(),
            sources_up: observation.sources.iter().filter_map(up).collect(),
            devices,
            centre_is_up: observation.centre == Some(true),
            refused_per_hour: observation.refused_last_hour,
        }
    }

    /// Has the process load a configuration.
    pub(super) fn load(&mut self, set: ConfigSet) -> Vec<Action> {
        self.live.since_load = Duration::ZERO;
        self.live.observed = Duration::ZERO;
        self.live.signs = Signs::default();
        vec![Action::Load(set)]
    }
}
