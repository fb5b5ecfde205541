//! Decides the next call to Odoo. Pure: state, answer, `now` and a jitter fraction in; a command
//! out.
//!
//! A batch of documents goes through the steps *load* (create if absent), *read* (does Odoo hold
//! what the document says, and is the picking still unposted), *validate*, *set the true time and
//! read back*. `load` with an external id creates all or nothing in one transaction, and only once:
//! exactly-once rests on it (`docs/odoo.md`). After a call:
//!
//! - no answer, or a temporary error: the outcome is **unknown** (**invariant 6**). The batch
//!   starts again at *load* with the same keys, after a back-off with jitter.
//! - a call that took too long, or that a proxy cut: a probe shows whether the link is the cause.
//!   If not, the batch is halved. A document whose calls get no answer again and again is deferred,
//!   still unknown; the others go on.
//! - refused by Odoo: the document that Odoo names is parked. If it names none, the batch is halved
//!   until one document is left. The others go on (**invariant 8**). A refused *load* is sent again
//!   three times, with growing pauses, before its document is parked: its answer does not
//!   distinguish a refusal from a conflict with another transaction. After a refused *validate* of
//!   one document its picking is read: the document is parked only if the picking is still open.
//!   After a refused true time the document is read back without it.
//! - in a pause of at most 60 s: Odoo is pinged every 5 s. While it answers, a pause is at most 15
//!   s. A ping that is answered after one without an answer ends the pause. A pause that the server
//!   asked for (`Retry-After`, 429) is not shortened.
//! - held: nothing is sent until a probe, once a minute, succeeds.
//! - paused by a person: no document is taken. The documents in progress are finished, up to the
//!   first call that fails. Queries continue.
//!
//! Only the class of a failure counts, never the text of its message. The batch grows while calls
//! are fast and shrinks when they are slow.
//!
//! **Promises:** a document of a batch is *posted* only when it was read back as done with exactly
//! its lines. At most one batch, or the parts of one batch, is in memory.

mod batch;
mod compare;
mod failure;
pub(super) mod lanes;
mod pause;
mod refused;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;

use self::batch::{Batch, Step};
use self::pause::{Ping, backoff};
use super::job::{Job, Work};
use super::order::{OrderJob, OrderStep, Reconciling};
use crate::config;
use crate::document::DocumentNumber;
use crate::odoo::order::Seen;
use crate::odoo::{Picking, Transfer};
use crate::odoo_id::PickingId;
use crate::outcome::{Failure, Outcome};

/// The size of the first batch, in lines.
const BATCH_LINES_START: usize = 50;
/// A batch whose slowest call was faster than this may grow; a batch with a slower call shrinks.
/// Real servers cut a call off at 60 s.
const CALL_FAST: Duration = Duration::from_secs(2);
const CALL_SLOW: Duration = Duration::from_secs(4);
const CALL_TARGET_S: f64 = 3.0;
/// The gateway defers a document after so many calls in a row about this document alone got no
/// answer, although Odoo answered a probe after each call.
const UNANSWERED_MAX: u32 = 3;
/// How long interrupted work sleeps at a time in a pause by a person. The end of the pause wakes it.
const PAUSED_LOOK: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub orders: config::Orders,
    pub batch_lines_max: usize,
    /// The time between two refreshes of the catalog.
    pub refresh: Duration,
}

/// The document about an order that is in progress.
#[derive(Debug)]
struct Alone {
    number: DocumentNumber,
    reconciling: Reconciling,
    unanswered: u32,
    /// Calls in a row that Odoo refused and that are retried after reading the order again.
    refused: u32,
}

/// What the driver does next. The driver answers each command with one [`Input`].
#[derive(Debug, PartialEq)]
pub enum Command<'a> {
    /// Asks for the version and the warehouse: [`Input::Probed`].
    Probe,
    /// In a pause, asks for the version alone, which needs no key: [`Input::Ping`].
    Ping,
    /// Refreshes the catalog: [`Input::Refreshed`].
    Refresh,
    /// Takes waiting documents with about so many lines, at least one document: [`Input::Taken`].
    Take {
        lines_max: usize,
    },
    Load(Vec<&'a Transfer>),
    Read(Vec<PickingId>),
    /// Validates the pickings, each with its transfer, which decides whether two calls can share
    /// the work.
    Validate(Vec<(PickingId, &'a Transfer)>),
    SetDone(Vec<(PickingId, Option<Timestamp>)>),
    /// One step about an order. The answer is [`Input::Seen`] for [`OrderStep::Read`],
    /// [`Input::Reserved`] for [`OrderStep::Reserve`], else [`Input::Done`].
    Order(&'a OrderJob, &'a OrderStep),
    /// Writes the outcomes of documents: [`Input::Settled`].
    Settle(&'a [(DocumentNumber, Outcome)]),
    /// Waits until a time or until there is a new document: [`Input::Woken`].
    Sleep {
        until: Duration,
    },
}

impl Command<'_> {
    /// Whether the command may change anything in Odoo.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::Load(_) | Self::Validate(_) | Self::SetDone(_) => true,
            Self::Order(_, next) => **next != OrderStep::Read,
            _ => false,
        }
    }
}

#[derive(Debug)]
pub enum Input {
    Probed,
    Refreshed,
    /// `None`: no document waits. `Some` with no jobs: the waiting documents were parked before
    /// they were sent.
    Taken(Option<Vec<Job>>),
    Loaded(Vec<PickingId>),
    Pickings(Vec<Picking>),
    Validated,
    Seen(Seen),
    Done,
    /// For [`OrderStep::Reserve`]: whether the source location of the picking is a bin, that is,
    /// holds no other locations.
    Reserved {
        is_bin: bool,
    },
    /// Whether Odoo answered a ping.
    Ping(Result<(), Failure>),
    Failed(Failure),
    Settled,
    Woken,
}

/// The state of the link to Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    Starting,
    Up,
    /// The link is down; the gateway retries by itself.
    Down {
        why: String,
    },
    /// The link is held until a person acts.
    Held {
        why: String,
    },
}

#[derive(Debug)]
pub struct Machine {
    limits: Limits,
    link: Link,
    probed: bool,
    batch_lines: usize,
    /// The batches to send; the current one is last. Together they are one batch that was taken,
    /// halved as often as needed.
    work: Vec<Batch>,
    /// The document about an order, in progress instead of a batch.
    order: Option<Alone>,
    settled: Vec<(DocumentNumber, Outcome)>,
    /// The step and the failure text of the batch's last call, if the call got no answer. A probe
    /// decides whether the link or the call is the cause.
    doubt: Option<(Step, String)>,
    /// Failures in a row.
    failures: u32,
    /// Nothing is sent before this time.
    pause_until: Duration,
    /// When the present pause began, and when its next ping is due. `None`: there is no pause, or
    /// the server asked for it and nothing shortens it.
    ping: Option<Ping>,
    refresh_at: Duration,
    /// No document was waiting at the last look.
    idle: bool,
    halt: Halt,
}

/// A pause by a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Halt {
    /// There is none.
    Off,
    /// No document is taken.
    On,
    /// A call of the work has failed in the pause: the work waits for its end.
    Interrupted,
}

impl Machine {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            link: Link::Starting,
            probed: false,
            batch_lines: BATCH_LINES_START.min(limits.batch_lines_max).max(1),
            limits,
            work: Vec::new(),
            order: None,
            settled: Vec::new(),
            doubt: None,
            failures: 0,
            pause_until: Duration::ZERO,
            ping: None,
            refresh_at: Duration::ZERO,
            idle: false,
            halt: Halt::Off,
        }
    }

    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// How long, from `now` on, nothing is sent. `None`: there is no pause.
    #[must_use]
    pub fn pause_left(&self, now: Duration) -> Option<Duration> {
        let left = self.pause_until.checked_sub(now)?;
        Some(left).filter(|left| !left.is_zero())
    }

    /// How many lines the next batch may have.
    #[must_use]
    pub fn batch_lines(&self) -> usize {
        self.batch_lines
    }

    /// Whether no document was waiting at the last look, and nothing else is due now.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.idle && !self.is_busy()
    }

    /// Whether no document is being sent, and each outcome is on disk.
    #[must_use]
    pub fn is_between_batches(&self) -> bool {
        !self.is_busy() && self.settled.is_empty()
    }

    /// Applies new limits, between two batches.
    pub fn set_limits(&mut self, limits: Limits) {
        self.batch_lines = self.batch_lines.min(limits.batch_lines_max).max(1);
        // A shorter time between two refreshes counts from the last one.
        let next = self.refresh_at.saturating_sub(self.limits.refresh) + limits.refresh;
        self.refresh_at = self.refresh_at.min(next);
        self.limits = limits;
        self.idle = false;
    }

    /// Ends a pause, and probes before the next call: the client is a new one.
    pub fn probe_again(&mut self) {
        self.probed = false;
        self.pause_until = Duration::ZERO;
        self.ping = None;
    }

    /// Starts or ends a pause by a person. In a pause the machine takes no documents. Those that it
    /// has taken are finished, unless a call about them fails: then they wait, with the same keys.
    pub fn set_paused(&mut self, is_paused: bool) {
        if is_paused == (self.halt != Halt::Off) {
            return;
        }
        self.idle = false;
        self.halt = if is_paused { Halt::On } else { Halt::Off };
    }

    /// Whether a pause by a person stops every call that may change anything in Odoo.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        match self.halt {
            Halt::Off => false,
            Halt::On => self.is_between_batches(),
            Halt::Interrupted => true,
        }
    }

    fn is_busy(&self) -> bool {
        !self.work.is_empty() || self.order.is_some()
    }

    /// The command to perform at `now`.
    #[must_use]
    pub fn next(&self, now: Duration) -> Command<'_> {
        if !self.settled.is_empty() {
            return Command::Settle(&self.settled);
        }
        if self.halt == Halt::Interrupted {
            return Command::Sleep {
                until: now + PAUSED_LOOK,
            };
        }
        if now < self.pause_until {
            let ping = self.ping.map(|ping| ping.due);
            return match ping.filter(|due| *due < self.pause_until) {
                Some(due) if due <= now => Command::Ping,
                due => Command::Sleep {
                    until: due.unwrap_or(self.pause_until),
                },
            };
        }
        if !self.probed {
            return Command::Probe;
        }
        if let Some(order) = &self.order {
            return Command::Order(&order.reconciling.job, order.reconciling.next());
        }
        match self.work.last() {
            Some(batch) => batch.command(),
            None if now >= self.refresh_at => Command::Refresh,
            None if self.idle || self.halt != Halt::Off => Command::Sleep {
                until: self.refresh_at,
            },
            None => Command::Take {
                lines_max: self.batch_lines,
            },
        }
    }

    /// Processes the result of the last command, which took `took`. `jitter` is a random fraction
    /// from 0 to 1.
    pub fn answer(&mut self, input: Input, now: Duration, took: Duration, jitter: f64) {
        match input {
            Input::Failed(failure) => {
                let is_about_one = matches!(failure, Failure::Person { .. });
                if self.halt == Halt::On && self.is_busy() && !is_about_one {
                    self.halt = Halt::Interrupted;
                }
                return self.failed(failure, now, jitter);
            }
            Input::Ping(answer) => return self.pinged(&answer, now),
            Input::Settled => {
                self.settled.clear();
                return self.turn(now);
            }
            Input::Woken => {
                self.idle = false;
                return self.turn(now);
            }
            Input::Taken(None) => {
                self.idle = true;
                return;
            }
            Input::Taken(Some(jobs)) => {
                // The next document or batch has not failed yet.
                self.failures = 0;
                self.ping = None;
                return self.taken(jobs);
            }
            Input::Probed => {
                self.probed = true;
                self.refresh_at = now;
                if let Some((step, why)) = self.doubt.take() {
                    self.blame_call(step, &why);
                }
            }
            Input::Refreshed => {
                self.refresh_at = now + self.limits.refresh;
                // Documents that were parked because of missing master data may be waiting again.
                self.idle = false;
            }
            Input::Loaded(ids) => self.advance(took, |batch| batch.loaded(&ids)),
            Input::Validated => self.advance(took, |batch| {
                batch.validated_alone = batch.documents.len() == 1;
                batch.step = Step::SetDone;
                Vec::new()
            }),
            Input::Pickings(pickings) => self.pickings(&pickings, took),
            Input::Seen(seen) => self.reconcile(|order| order.seen(&seen)),
            Input::Done => self.reconcile(Reconciling::done),
            Input::Reserved { is_bin } => self.reconcile(|order| order.reserved(is_bin)),
        }
        self.failures = 0;
        self.ping = None;
        self.link = Link::Up;
    }

    fn taken(&mut self, jobs: Vec<Job>) {
        let mut transfers = Vec::new();
        for Job {
            number,
            work,
            is_deferred,
        } in jobs
        {
            match work {
                Work::Transfer(transfer) => transfers.push((number, transfer, is_deferred)),
                Work::Order(job) => {
                    self.order = Some(Alone {
                        number,
                        reconciling: Reconciling::new(job, self.limits.orders.clone()),
                        unanswered: if is_deferred { UNANSWERED_MAX - 1 } else { 0 },
                        refused: 0,
                    });
                }
            }
        }
        if !transfers.is_empty() {
            self.work.push(Batch::new(transfers));
        }
    }

    /// Moves the document about an order to its next step. A finished document is settled.
    fn reconcile(&mut self, step: impl FnOnce(&mut Reconciling)) {
        let Some(order) = &mut self.order else {
            return;
        };
        step(&mut order.reconciling);
        if let OrderStep::Finish(outcome) = order.reconciling.next() {
            self.settled.push((order.number, outcome.clone()));
            self.order = None;
        }
    }

    /// Moves the batch that was answered to its next step. A document that the step settles leaves
    /// the batch.
    fn advance(
        &mut self,
        took: Duration,
        step: impl FnOnce(&mut Batch) -> Vec<(DocumentNumber, Outcome)>,
    ) {
        let Some(batch) = self.work.last_mut() else {
            return;
        };
        batch.slowest = batch.slowest.max(took);
        self.settled.extend(step(batch));
        if batch.documents.is_empty() {
            self.work.pop();
        }
    }

    fn pickings(&mut self, pickings: &[Picking], took: Duration) {
        match self.work.last().map(|batch| batch.step) {
            Some(Step::Read) => self.advance(took, |batch| batch.before_validation(pickings)),
            Some(Step::Refused) => self.advance(took, |batch| batch.judge_refusal(pickings)),
            Some(Step::SetDone | Step::ReadBack) => {
                self.fit_size(took);
                self.advance(took, |batch| batch.read_back(pickings));
                // Odoo asks a person something about one of the documents that are left: find that
                // document.
                if self.work.last().is_some_and(|b| b.step == Step::Validate) {
                    self.halve();
                }
            }
            _ => {}
        }
    }

    /// Grows or shrinks the next batches by how long the slowest call of this batch took.
    fn fit_size(&mut self, took: Duration) {
        let Some(batch) = self.work.last().filter(|batch| !batch.part) else {
            return;
        };
        let lines = batch.lines();
        let slowest = batch.slowest.max(took);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "lines are few thousands, and the cast saturates"
        )]
        let ideal = (lines as f64 * CALL_TARGET_S / slowest.as_secs_f64().max(0.001)) as usize;
        let size = self.batch_lines;
        if slowest < CALL_FAST && lines * 4 >= size * 3 {
            self.batch_lines = ideal.clamp(size, size * 2);
        } else if slowest > CALL_SLOW {
            self.batch_lines = ideal.clamp(size / 2, size);
        }
        self.batch_lines = self
            .batch_lines
            .clamp(1, self.limits.batch_lines_max.max(1));
    }
}
