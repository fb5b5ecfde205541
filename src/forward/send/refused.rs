//! Handles a call that Odoo refused: halves the batch, sends the *load* again, reads the picking or
//! the order again, or parks the document. Pure.

use std::time::Duration;

use super::batch::{Batch, Step};
use super::{Machine, backoff};
use crate::forward::faults::describe_refusal;
use crate::outcome::Outcome;
use crate::reason::ReasonCode;

impl Machine {
    /// Odoo refused a call about an order. If the reason may be the order's state or another
    /// transaction, the gateway reads the order again after a pause.
    pub(super) fn order_refused(&mut self, message: &str, now: Duration, jitter: f64) {
        self.reconcile(|order| order.refused(message));
        if let Some(order) = &mut self.order
            && order.reconciling.was_refused()
        {
            self.pause_until = now + backoff(order.refused, jitter);
            order.refused += 1;
        }
    }

    pub(super) fn refused(
        &mut self,
        message: &str,
        mut named: Vec<(usize, String)>,
        now: Duration,
        jitter: f64,
    ) {
        let Some(batch) = self.work.last_mut() else {
            return;
        };
        if batch.step == Step::SetDone && batch.documents.len() == 1 {
            batch.step = Step::ReadBack;
            return;
        }
        if batch.step == Step::Validate && batch.documents.len() == 1 {
            batch.refusal = Some(message.to_owned());
            batch.step = Step::Refused;
            return;
        }
        if named.is_empty() && batch.documents.len() == 1 {
            let lines = batch.documents[0].transfer.lines.len();
            named.push((0, describe_refusal(message.to_owned(), lines)));
        }
        if named.is_empty() {
            return self.halve();
        }
        // From the back, so that the positions of the documents before stay valid.
        named.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
        let mut again = Vec::new();
        for (place, message) in named {
            if place >= batch.documents.len() {
                continue;
            }
            let alone = batch.take(place);
            match alone.load_again(now, jitter) {
                Ok(alone) => again.push(alone),
                Err(sent) => {
                    let number = sent.number;
                    let outcome = Outcome::refused(ReasonCode::OdooRefused, message, sent.named());
                    self.settled.push((number, outcome));
                }
            }
        }
        if batch.documents.is_empty() {
            self.work.pop();
        }
        self.work.splice(0..0, again);
        self.turn(now);
    }

    /// Moves a batch that may be sent now to the end. If all batches wait for their time, nothing
    /// is sent before the earliest time.
    pub(super) fn turn(&mut self, now: Duration) {
        let due = |batch: &Batch| batch.not_before <= now;
        if let Some(place) = self.work.iter().rposition(due) {
            let batch = self.work.remove(place);
            self.work.push(batch);
        } else {
            let first = self.work.iter().map(|batch| batch.not_before).min();
            self.pause_until = self.pause_until.max(first.unwrap_or_default());
        }
    }

    /// Splits the batch being sent; its first half is next.
    pub(super) fn halve(&mut self) {
        let Some(mut first) = self.work.pop() else {
            return;
        };
        if first.documents.len() > 1 {
            first.part = true;
            let documents = first.documents.split_off(first.documents.len().div_ceil(2));
            let second = Batch {
                documents,
                refusal: None,
                ..first
            };
            self.work.push(second.skipping());
        }
        self.work.push(first.skipping());
    }
}
