//! Signs of life: each part that the gateway cannot do without has a [`Pulse`], and `life` feeds
//! systemd's watchdog only while none of them is overdue.
//!
//! `life` asks all parts at each of its ticks ([`Pulses::ask`]). A part reports progress with
//! [`Pulse::beat`]. While it has nothing to do, it waits for [`Pulse::asked`] beside its work, and
//! then beats. A part hangs when it has not beaten for its limit after it was asked: a machine that
//! slept, or a process that was stopped, makes no part hang.
//!
//! A write that waits for room on the disk is no hang: a restart makes no room ([`Pulse::exempt`]).
//! Other parts may wait for that write, so no part counts as hanging meanwhile.

#[cfg(feature = "demo")]
mod hang;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The sign of life of one part. Clones are of the same part.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    part: &'static str,
    state: Mutex<State>,
    ask: Notify,
}

#[derive(Debug)]
struct State {
    limit: Duration,
    /// When the part was first asked after its last beat. `None`: it has beaten since it was asked.
    asked: Option<Instant>,
    is_exempt: bool,
}

impl Pulse {
    /// `part` is for the log. `limit`: how long the part may take from a question to its next beat.
    #[must_use]
    pub fn new(part: &'static str, limit: Duration) -> Self {
        Self(Arc::new(Inner {
            part,
            state: Mutex::new(State {
                limit,
                asked: None,
                is_exempt: false,
            }),
            ask: Notify::new(),
        }))
    }

    pub fn set_limit(&self, limit: Duration) {
        self.state().limit = limit;
    }

    /// Reports progress.
    pub fn beat(&self) {
        self.state().asked = None;
    }

    /// Resolves when the part is asked for a sign of life.
    pub async fn asked(&self) {
        self.0.ask.notified().await;
    }

    /// Exempts all parts, or ends that: the write of this part waits for room on the disk.
    pub fn exempt(&self, is_exempt: bool) {
        self.state().is_exempt = is_exempt;
    }

    /// Beats. In a test that makes this part hang, it never returns.
    #[cfg_attr(
        not(feature = "demo"),
        expect(clippy::unused_async, reason = "waits in tests only")
    )]
    pub async fn turn(&self) {
        #[cfg(feature = "demo")]
        hang::wait(self.0.part).await;
        self.beat();
    }

    /// As [`Self::turn`], on a thread of the part's own.
    pub fn turn_thread(&self) {
        #[cfg(feature = "demo")]
        hang::block(self.0.part);
        self.beat();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part that has not beaten for its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hang {
    pub part: &'static str,
    /// How long the part has not answered.
    pub silent: Duration,
    pub limit: Duration,
}

/// The pulses of all parts that run. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Pulses(Arc<Mutex<Vec<Weak<Inner>>>>);

impl Pulses {
    /// Adds a part. Its end, when the last clone of its pulse is dropped, removes it.
    pub fn add(&self, pulse: &Pulse) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.push(Arc::downgrade(&pulse.0));
    }

    /// Returns the parts that hang, and asks all parts.
    #[must_use]
    pub fn ask(&self, now: Instant) -> Vec<Hang> {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.retain(|part| part.strong_count() > 0);
        let parts: Vec<_> = parts.iter().filter_map(Weak::upgrade).map(Pulse).collect();
        let is_exempt = parts.iter().any(|part| part.state().is_exempt);
        let mut hangs = Vec::new();
        for part in parts {
            let mut state = part.state();
            if is_exempt {
                state.asked = None;
            }
            let asked = *state.asked.get_or_insert(now);
            let silent = now.saturating_duration_since(asked);
            #[cfg(feature = "demo")]
            let limit = hang::shorten(state.limit);
            #[cfg(not(feature = "demo"))]
            let limit = state.limit;
            if silent > limit {
                hangs.push(Hang {
                    part: part.0.part,
                    silent,
                    limit,
                });
            }
            drop(state);
            part.0.ask.notify_one();
        }
        hangs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const LIMIT: Duration = Duration::from_mins(1);

    #[test]
    fn a_part_hangs_when_it_has_not_beaten_for_its_limit_after_it_was_asked() {
        let (pulses, begun) = (Pulses::default(), clock::instant());
        let (quick, stuck) = (Pulse::new("quick", LIMIT), Pulse::new("stuck", LIMIT));
        pulses.add(&quick);
        pulses.add(&stuck);
        let at = |seconds| begun + Duration::from_secs(seconds);
        // Nobody was asked while the machine slept for a day.
        assert_eq!(pulses.ask(at(86_400)), []);
        quick.beat();
        assert_eq!(pulses.ask(at(86_460)), []);
        quick.beat();
        let hang = Hang {
            part: "stuck",
            silent: Duration::from_secs(61),
            limit: LIMIT,
        };
        assert_eq!(pulses.ask(at(86_461)), [hang]);
        stuck.beat();
        assert_eq!(pulses.ask(at(86_470)), []);
        drop(stuck);
        // A part that has ended is not asked.
        quick.beat();
        assert_eq!(pulses.ask(at(90_000)), []);
    }

    #[test]
    fn no_part_hangs_while_a_write_waits_for_room_and_each_has_its_whole_limit_afterwards() {
        let (pulses, begun) = (Pulses::default(), clock::instant());
        let (writer, other) = (Pulse::new("writer", LIMIT), Pulse::new("other", LIMIT));
        pulses.add(&writer);
        pulses.add(&other);
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(pulses.ask(at(0)), []);
        writer.exempt(true);
        assert_eq!(pulses.ask(at(3_600)), []);
        writer.exempt(false);
        assert_eq!(pulses.ask(at(3_660)), []);
        assert_eq!(pulses.ask(at(3_661)).len(), 2);
    }

    #[tokio::test]
    async fn a_part_that_waits_for_the_question_is_woken_also_if_it_was_asked_before() {
        let (pulses, part) = (Pulses::default(), Pulse::new("part", LIMIT));
        pulses.add(&part);
        assert_eq!(pulses.ask(clock::instant()), []);
        part.asked().await;
        part.beat();
        assert!(part.state().asked.is_none());
    }
}
