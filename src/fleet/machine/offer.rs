//! Bundles and stops that come in.
//!
//! **In**: a verified bundle, a verified stop, a person's rollback. **Out**: the pending bundle,
//! the stored stop, or the load of the earlier configuration; or the answer why nothing changed.

use std::collections::BTreeSet;

use super::{Action, Answer, Machine, OfferedBundle, RejectedOffer, Step, WallClock};
use crate::fleet::key_id::KeyId;
use crate::fleet::record::{
    BY_BROKER, BundleId, BundleOutcome, BundleState, ConfigSet, HistoryEntry, PendingBundle,
    PreviousSet, RolledBackBundle, SignedStop, StopOrder, shorten,
};
use crate::fleet::stop;

/// How far a count may be ahead of the clock. Counts are made of the time, in seconds since 1970.
fn is_ahead(count: u64, clock: WallClock) -> bool {
    clock.is_trusted && stop::is_ahead(count, clock.now)
}

impl Machine {
    pub(super) fn offer(&mut self, clock: WallClock, offered: OfferedBundle) -> Step {
        let id = offered.facts.id;
        match self.judge(&offered) {
            Answer::Done => {}
            Answer::Refused(reason) => {
                return self.reject(clock, Some(id.serial), reason, &offered.facts.by);
            }
            known @ Answer::Known(_) => {
                // What comes is in order again.
                self.live.rejected = None;
                return Step::answer(known);
            }
        }
        self.record.highest = Some(id);
        self.live.rejected = None;
        self.forget_stops(&offered.trusted);
        if offered.is_again {
            self.record.rolled_back.retain(|entry| entry.id != id);
        }
        let pending = PendingBundle {
            facts: offered.facts,
            state: BundleState::Verified,
            since: clock.now,
            until: None,
            reason: None,
            changes_odoo: false,
        };
        let is_applied = self.record.applied().is_some();
        let waiting = if is_applied {
            &mut self.record.next
        } else {
            &mut self.record.pending
        };
        if let Some(older) = waiting.take() {
            self.supersede(clock, &older, id);
        }
        let (mut actions, mut answer) = (Vec::new(), Answer::Done);
        if let Some(reason) = offered.unsupported {
            self.refuse_facts(clock, &pending.facts, &reason);
            answer = Answer::Refused(reason);
        } else if is_applied {
            self.record.next = Some(self.wait_for_watch(pending));
        } else {
            self.record.pending = Some(pending);
            actions = self.check();
        }
        actions.push(Action::CleanUp);
        Step {
            actions,
            answer,
            needs_disk: true,
        }
    }

    fn wait_for_watch(&self, pending: PendingBundle) -> PendingBundle {
        let applied = self.record.applied().map(|applied| applied.facts.id.serial);
        let reason = applied.map(|serial| format!("bundle {serial} is being watched"));
        PendingBundle {
            state: BundleState::Waiting,
            reason,
            ..pending
        }
    }

    /// Whether a bundle may become the pending one ([`Answer::Done`]).
    #[must_use]
    pub fn judge(&self, offered: &OfferedBundle) -> Answer {
        let id = offered.facts.id;
        let serial = id.serial;
        if !offered.is_for_site {
            return Answer::Refused(format!("bundle {serial} is for other sites"));
        }
        if let Some(highest) = self.record.highest {
            if serial < highest.serial {
                return Answer::Refused(format!(
                    "serial {serial} is below {}, the highest serial that was verified here",
                    highest.serial
                ));
            }
            if serial == highest.serial && id.manifest != highest.manifest {
                return Answer::Refused(format!(
                    "serial {serial} was verified here with another manifest: give the bundle a new serial"
                ));
            }
        }
        if self.record.has(id) {
            return Answer::Known(format!("the gateway has bundle {serial} already"));
        }
        match self.record.rolled_back(id) {
            Some(entry) if !offered.is_again => Answer::Known(format!(
                "bundle {serial} was rolled back at {} and is not tried again by itself: {}. To try it again, run `stockrelay config apply --again`",
                entry.at, entry.reason
            )),
            _ => Answer::Done,
        }
    }

    /// Notes an offer that changes nothing.
    pub(super) fn reject(
        &mut self,
        clock: WallClock,
        serial: Option<u64>,
        reason: String,
        by: &str,
    ) -> Step {
        self.live.rejected = Some(RejectedOffer {
            serial,
            reason: shorten(&reason),
            by: shorten(by),
            at: clock.now,
        });
        Step::answer(Answer::Refused(reason))
    }

    fn supersede(&mut self, clock: WallClock, older: &PendingBundle, newer: BundleId) {
        self.record.add_history(HistoryEntry {
            at: clock.now,
            by: older.facts.by.clone(),
            serial: older.facts.id.serial,
            outcome: BundleOutcome::Superseded,
            reason: format!("bundle {} came before it was applied", newer.serial),
        });
    }

    /// Takes in a stop or a resumption. A stop releases nothing: if the same key stopped a bundle
    /// with a higher serial before, that stop continues to hold. A resumption releases every stop
    /// with a lower count.
    pub(super) fn take_stop(&mut self, clock: WallClock, signed: SignedStop) -> Step {
        let SignedStop {
            stop,
            signers,
            trusted,
        } = signed;
        if is_ahead(stop.count, clock) {
            let reason = format!(
                "the count {} of a stop by {} is more than a day ahead of the clock of the gateway: make the stop again with `stockrelay fleet stop`, on a machine whose clock is right",
                stop.count, stop.by
            );
            return self.reject(clock, None, reason, BY_BROKER);
        }
        let held = self.stopped_to();
        self.forget_stops(&trusted);
        let count = stop.count;
        if !self.is_newer(clock, &stop, &signers) {
            return Step::answer(Answer::Known(format!(
                "the gateway has a stop or a resumption that count {count} does not replace"
            )));
        }
        let stop = StopOrder {
            reason: shorten(&stop.reason),
            by: shorten(&stop.by),
            ..stop
        };
        if !stop.is_stopped {
            self.record.resumed = count;
            let older = self.record.stops.values_mut();
            older
                .filter(|known| known.count < count || is_ahead(known.count, clock))
                .for_each(|known| known.is_stopped = false);
        }
        for signer in signers {
            let mut order = stop.clone();
            if let Some(known) = self.record.stops.remove(&signer) {
                if known.count >= count && !is_ahead(known.count, clock) {
                    order = known;
                } else if stop.is_stopped && known.stopped_to() > stop.serial {
                    order = StopOrder { count, ..known };
                }
            }
            self.record.stops.insert(signer, order);
        }
        // A stop holds at once, a resumption when it is on disk.
        Step {
            needs_disk: self.stopped_to() < held,
            ..Step::of(self.evaluate(clock))
        }
    }

    fn stopped_to(&self) -> u64 {
        self.record.stop().map_or(0, StopOrder::stopped_to)
    }

    /// Whether a message is newer than what its signers signed before, and than the last
    /// resumption. Other keys do not matter, so that a stolen key cannot use up the counts.
    fn is_newer(&self, clock: WallClock, stop: &StopOrder, signers: &BTreeSet<KeyId>) -> bool {
        let is_above = |known: u64| known < stop.count || is_ahead(known, clock);
        let known = |signer| self.record.stops.get(signer).map_or(0, |stop| stop.count);
        let mut known = signers.iter().map(known);
        let is_new = if stop.is_stopped {
            known.any(is_above)
        } else {
            known.all(is_above)
        };
        is_new && is_above(self.record.resumed)
    }

    /// A stop ends with the trust in its keys: a stolen key that is revoked must not hold the
    /// fleet. The counts of the other keys stay, so that no older stop can be sent again.
    fn forget_stops(&mut self, trusted: &BTreeSet<KeyId>) {
        self.record.stops.retain(|key, _| trusted.contains(key));
    }

    pub(super) fn roll_back_by(&mut self, clock: WallClock, by: &str) -> Step {
        let reason = format!("{by} rolled back");
        if self.record.applied().is_some() {
            return Step::of(self.roll_back(clock, &reason, false, Some(by)));
        }
        let Some(previous) = self.record.previous.clone() else {
            let running = self.record.running();
            return Step::answer(Answer::Refused(format!(
                "the gateway runs with {running} and has no earlier configuration: apply a bundle with a higher serial instead"
            )));
        };
        let to = match &previous {
            PreviousSet::Files => ConfigSet::Files,
            PreviousSet::Bundle(previous) => ConfigSet::Bundle(previous.id),
        };
        if let Some(confirmed) = self.record.confirmed.take() {
            self.record.add_rolled_back(RolledBackBundle {
                id: confirmed.id,
                reason: reason.clone(),
                at: clock.now,
                may_retry: false,
            });
            self.end(clock, confirmed.id, by, BundleOutcome::RolledBack, &reason);
        }
        self.record.confirmed = match previous {
            PreviousSet::Files => None,
            PreviousSet::Bundle(previous) => Some(previous),
        };
        self.record.previous = None;
        Step::of(self.load(to))
    }
}
