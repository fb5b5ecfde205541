//! How a bundle ends: loaded or not, confirmed, rolled back, refused.
//!
//! **In**: the result of a load, the decision of the watch. **Out**: the outcome in the record and
//! the history, what the process loads next, and the bundle that waited.

use std::time::Duration;

use super::{Action, Machine, Step, WallClock, flush, set_state};
use crate::fleet::record::{
    BundleFacts, BundleId, BundleOutcome, BundleState, ConfigSet, ConfirmedBundle, HistoryEntry,
    LastOutcome, PendingBundle, PreviousSet, RolledBackBundle, shorten,
};

/// Who rolls back by itself, in the history.
const GATEWAY: &str = "gateway";

impl Machine {
    pub(super) fn take_load(
        &mut self,
        clock: WallClock,
        set: ConfigSet,
        result: Result<(), String>,
    ) -> Step {
        let is_wanted = set == self.record.running();
        match result {
            Ok(()) => {
                self.live.loaded = Some(set);
                self.live.observed = Duration::ZERO;
                if !is_wanted {
                    return Step::of(self.load(self.record.running()));
                }
                self.live.load_fault = None;
                let until = clock.now.checked_add(self.times.watch).ok();
                let applied = self.record.pending.as_mut();
                if let Some(pending) =
                    applied.filter(|pending| pending.state == BundleState::Applied)
                {
                    set_state(pending, clock, BundleState::Watching, None, until);
                }
                Step::of(vec![Action::CleanUp])
            }
            Err(_) if !is_wanted => Step::none(),
            Err(why) if self.record.applied().is_some() => {
                let reason = format!("the gateway cannot load it: {why}");
                Step::of(self.roll_back(clock, &reason, false, None))
            }
            Err(why) => {
                self.live.load_fault = Some(shorten(&why));
                Step::none()
            }
        }
    }

    /// The watched bundle is as good as the configuration before.
    pub(super) fn confirm(&mut self, clock: WallClock) -> Step {
        let watch = self.record.watch.take();
        let Some(pending) = self.record.pending.take() else {
            return Step::none();
        };
        let facts = pending.facts;
        self.record.rolled_back.retain(|entry| entry.id != facts.id);
        let confirmed = ConfirmedBundle {
            id: facts.id,
            name: facts.name,
            expires: facts.expires,
            since: clock.now,
        };
        self.record.previous = Some(match self.record.confirmed.replace(confirmed) {
            None => PreviousSet::Files,
            Some(before) => PreviousSet::Bundle(before),
        });
        let elapsed = watch.map_or(0, |mut watch| {
            flush(&mut watch, &mut self.live.signs);
            watch.elapsed.as_secs()
        });
        let reason = format!("watched for {elapsed} s");
        self.end(
            clock,
            facts.id,
            &facts.by,
            BundleOutcome::Confirmed,
            &reason,
        );
        let mut actions = self.promote(clock);
        actions.push(Action::CleanUp);
        Step::of(actions).needing_disk()
    }

    /// Returns from the applied bundle to the confirmed configuration. `by`: a person, or `None`
    /// for the gateway.
    pub(super) fn roll_back(
        &mut self,
        clock: WallClock,
        reason: &str,
        is_connection_only: bool,
        by: Option<&str>,
    ) -> Vec<Action> {
        self.record.watch = None;
        let Some(pending) = self.record.pending.take() else {
            return Vec::new();
        };
        let id = pending.facts.id;
        let is_newest = self.record.highest == Some(id);
        let is_first = self.record.rolled_back(id).is_none();
        let may_retry = is_connection_only && is_newest && is_first;
        self.record.add_rolled_back(RolledBackBundle {
            id,
            reason: shorten(reason),
            at: clock.now,
            may_retry,
        });
        let by = by.unwrap_or(GATEWAY);
        self.end(clock, id, by, BundleOutcome::RolledBack, reason);
        let running = self.record.running();
        let mut actions = match self.live.loaded {
            // A start reads the running configuration anyway, and a load that failed changed
            // nothing.
            None => Vec::new(),
            Some(loaded) if loaded == running => Vec::new(),
            Some(_) => self.load(running),
        };
        if self.record.next.is_some() {
            actions.extend(self.promote(clock));
        } else if may_retry {
            self.record.pending = Some(PendingBundle {
                state: BundleState::Verified,
                since: clock.now,
                until: None,
                reason: None,
                ..pending
            });
            actions.extend(self.check());
        }
        actions
    }

    /// The pending bundle is not used.
    pub(super) fn refuse(&mut self, clock: WallClock, reason: &str) -> Vec<Action> {
        let Some(pending) = self.record.pending.take() else {
            return Vec::new();
        };
        self.refuse_facts(clock, &pending.facts, reason);
        vec![Action::CleanUp]
    }

    /// Records that a bundle is refused. The same bundle may come again and again: the history has
    /// each reason once.
    pub(super) fn refuse_facts(&mut self, clock: WallClock, facts: &BundleFacts, reason: &str) {
        let is_repeated = self.record.last.as_ref().is_some_and(|last| {
            let is_refused = last.outcome == BundleOutcome::Refused;
            is_refused && last.id == facts.id && last.reason == shorten(reason)
        });
        if !is_repeated {
            self.end(clock, facts.id, &facts.by, BundleOutcome::Refused, reason);
        }
    }

    /// Records how a bundle ended.
    pub(super) fn end(
        &mut self,
        clock: WallClock,
        id: BundleId,
        by: &str,
        outcome: BundleOutcome,
        reason: &str,
    ) {
        let (reason, at) = (shorten(reason), clock.now);
        self.record.last = Some(LastOutcome {
            id,
            outcome,
            reason: reason.clone(),
            at,
        });
        self.record.add_history(HistoryEntry {
            at,
            by: shorten(by),
            serial: id.serial,
            outcome,
            reason,
        });
    }

    /// The bundle that waited for the watch becomes the pending one.
    fn promote(&mut self, clock: WallClock) -> Vec<Action> {
        let Some(mut next) = self.record.next.take() else {
            return Vec::new();
        };
        set_state(&mut next, clock, BundleState::Verified, None, None);
        self.record.pending = Some(next);
        self.check()
    }
}
