//! Handles a call that failed: pauses, doubts the link or the call, defers a document whose calls
//! get no answer, or holds the link. Pure.
//!
//! The outcome of a call without an answer is unknown (**invariant 6**): all documents of the batch
//! start again at their first step.

use std::time::Duration;

use super::batch::Step;
use super::pause::{Ping, pause};
use super::{Link, Machine, UNANSWERED_MAX};
use crate::outcome::{Failure, Outcome};

/// While the link is held, a person may have corrected the cause: probe once a minute.
pub(super) const HELD_PROBE: Duration = Duration::from_mins(1);

impl Machine {
    pub(super) fn failed(&mut self, failure: Failure, now: Duration, jitter: f64) {
        match failure {
            Failure::Wait {
                message,
                after,
                slow,
            } => {
                let pause = pause(self.failures, after, jitter);
                self.failures = self.failures.saturating_add(1);
                self.pause_until = now + pause;
                self.ping = after.is_none().then(|| Ping::new(now));
                self.doubt_link(slow.then(|| message.clone()));
                self.link = Link::Down { why: message };
                self.begin_again();
            }
            // A probe is not about the documents that wait for it.
            Failure::Person { message, documents } if self.probed && self.is_busy() => {
                self.failures = 0;
                self.ping = None;
                self.link = Link::Up;
                if self.order.is_some() {
                    self.order_refused(&message, now, jitter);
                } else {
                    self.refused(&message, documents, now, jitter);
                }
            }
            // The failure is not about a document: this Odoo does not work as it must.
            Failure::Person { message, .. } => self.hold(message, now),
            stop @ Failure::Stop { .. } => self.hold(stop.to_string(), now),
        }
    }

    /// After a call of the batch that was too slow, probes the link. Any other failure is caused by
    /// the link itself.
    fn doubt_link(&mut self, slow: Option<String>) {
        if let Some(order) = &mut self.order {
            self.doubt = slow.filter(|_| self.probed).map(|why| (Step::Read, why));
            if self.doubt.is_some() {
                self.probed = false;
            } else {
                order.unanswered = 0;
            }
            return;
        }
        let Some(batch) = self.work.last_mut() else {
            return;
        };
        self.doubt = slow.filter(|_| self.probed).map(|why| (batch.step, why));
        if self.doubt.is_some() {
            self.probed = false;
        } else {
            batch.unanswered = 0;
        }
    }

    /// The link answers, so the call was the cause: smaller calls may get an answer, and a document
    /// that is alone may have to be deferred.
    pub(super) fn blame_call(&mut self, step: Step, why: &str) {
        if let Some(order) = &mut self.order {
            order.unanswered += 1;
            if order.unanswered >= UNANSWERED_MAX {
                let why = why.to_owned();
                self.settled
                    .push((order.number, Outcome::Unanswered { why }));
                self.order = None;
            }
            return;
        }
        let Some(batch) = self.work.last_mut() else {
            return;
        };
        if batch.documents.len() > 1 {
            self.batch_lines = (self.batch_lines / 2).max(1);
            return self.halve();
        }
        // An answer at an earlier step, and none at a later step, is progress.
        if batch.unanswered_at.replace(step).is_some_and(|s| s != step) {
            batch.unanswered = 0;
        }
        batch.unanswered += 1;
        if batch.unanswered >= UNANSWERED_MAX {
            let outcome = Outcome::Unanswered {
                why: why.to_owned(),
            };
            let aside = batch.documents.drain(..);
            self.settled
                .extend(aside.map(|sent| (sent.number, outcome.clone())));
            self.work.pop();
        }
    }

    fn hold(&mut self, why: String, now: Duration) {
        self.link = Link::Held { why };
        self.probed = false;
        self.doubt = None;
        self.pause_until = now + HELD_PROBE;
        self.ping = None;
        self.begin_again();
    }

    /// The outcome of the last call is unknown, and much may happen meanwhile: all documents start
    /// again at their first step.
    fn begin_again(&mut self) {
        for batch in &mut self.work {
            batch.step = Step::Load;
        }
        if let Some(order) = &mut self.order {
            order.reconciling.answer_lost();
        }
    }
}
