//! The writer: one thread that turns waiting requests into one durable group after another.
//!
//! Requests wait in a fair queue: each group takes some requests of every device that has any,
//! until it has [`GROUP_EVENTS_MAX`] events or [`GROUP_TIME_MAX`] is over. So a device waits for
//! one group, whatever others have sent.
//!
//! A group changes the tables in one transaction of redb. Its changes are first written to the log,
//! with one sync, and the transaction needs none. When the log is full, or the group is too long
//! for the log, the transaction itself is durable, with all before it, and the log begins again.
//!
//! Sealing documents alone is not worth a sync: a group of nothing but seals waits in memory and is
//! written with the next group. Until a sealed document changes, a restart seals its events again,
//! with the same keys. Sending a document begins with a change, so its seal is on disk by then.
//!
//! **Invariant 1:** a reply is sent only after the group is on disk: in the log, or by a commit
//! with `Durability::Immediate`. Seals alone are the exception. A reply need not wait for the
//! tables; who then reads them waits ([`OpenFile::begin_read`]). **Invariant 11:** after an I/O
//! error nothing more is written. The thread ends, every request gets [`AppendError::Stopped`], and
//! the process exits so that redb recovers on the next start.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redb::{Durability, WriteTransaction};
use tokio::sync::{mpsc, watch};

use super::budget::Budget;
use super::changes::{Changing, Noted};
use super::damage::OpenFile;
use super::disk::Disk;
use super::held::Held;
use super::ids::Ids;
use super::inbox::{AppendError, Reply, Request, Settlement};
use super::log::Log;
use super::periods::Periods;
use super::stored::{self, Counters};
use super::transaction::{Cursors, Limits, Transaction};
use super::{Fatal, Totals, prepare, tables};
use crate::clock;
use crate::fair::{FairQueue, Lane, Origin};

/// Limit of the events in one group: enough that the fsync is a small part of the time, few
/// enough that no device waits long.
pub const GROUP_EVENTS_MAX: usize = 4_096;
/// The weight in a group of one request of the search index.
const INDEX_WEIGHT: usize = GROUP_EVENTS_MAX / 8;
/// How long a group accepts further requests. Rejections and documents take longer than
/// events.
const GROUP_TIME_MAX: Duration = Duration::from_millis(4);
/// The time between two measurements of file and disk. A small group takes less, and the file grows
/// by less than 1 MiB meanwhile.
const MEASURE_EACH: Duration = Duration::from_millis(1);

pub(super) struct Writer {
    pub database: Arc<OpenFile>,
    pub ids: Arc<RwLock<Ids>>,
    pub counters: Counters,
    pub held: Held,
    pub periods: Periods,
    pub totals: watch::Sender<Totals>,
    pub budget: Budget,
    /// When the budget was measured last.
    pub measured: Option<Instant>,
    pub limits: Limits,
    pub cursors: Cursors,
    pub log: Log,
    /// Changes that the tables have, but not durably, and the log has not.
    pub noted: Noted,
    pub disk: Disk,
    /// The tables have everything, durably, and nothing follows.
    pub is_closed: bool,
}

impl Drop for Writer {
    /// Runs before the tables close. Without a clean end the log has groups that the tables do not
    /// have durably, and the next start repeats them: redb must not store some of them by itself.
    fn drop(&mut self) {
        if !self.is_closed {
            self.disk.refuse_writes();
        }
    }
}

/// Sends a reply after the group is on disk.
type Answer = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

impl Writer {
    /// Runs until the inbox is closed or an error occurs.
    pub fn run(mut self, mut inbox: mpsc::Receiver<Request>) -> Result<(), Fatal> {
        let mut waiting = FairQueue::default();
        let mut closing = None;
        loop {
            if waiting.is_empty() {
                if closing.is_some() {
                    break;
                }
                match inbox.blocking_recv() {
                    Some(first) => self.receive(&mut waiting, &mut closing, first)?,
                    None => break,
                }
            }
            // The writer drops requests that follow a request to close, so their senders receive
            // `AppendError::Stopped`.
            while closing.is_none()
                && let Ok(next) = inbox.try_recv()
            {
                self.receive(&mut waiting, &mut closing, next)?;
            }
            self.commit(&mut waiting)?;
        }
        self.checkpoint(self.database.begin_write()?, true)?;
        self.is_closed = true;
        // The file itself closes when the last reader has ended, too.
        drop(self);
        if let Some(reply) = closing {
            drop(reply.send(Ok(())));
        }
        Ok(())
    }

    /// Takes a request from the inbox. The writer completes the requests before a request to close
    /// first. New limits and a ping need no commit.
    fn receive(
        &mut self,
        waiting: &mut FairQueue<Request>,
        closing: &mut Option<Reply<()>>,
        request: Request,
    ) -> Result<(), Fatal> {
        match request {
            Request::Close { reply } => *closing = Some(reply),
            Request::SetLimits { config, reply } => {
                self.limits = Limits::of(&config);
                self.budget
                    .set_limits(config.budget_bytes, config.reserve_percent);
                self.budget.measure(&self.database)?;
                self.set_totals();
                self.totals.send_modify(|_| {});
                drop(reply.send(Ok(())));
            }
            Request::Ping { reply } => {
                self.disk.pulse().turn_thread();
                drop(reply.send(Ok(())));
            }
            other => enqueue(waiting, other),
        }
        Ok(())
    }

    /// Makes one group of the next requests. Replies to a request that is rejected (full) without a
    /// group.
    fn commit(&mut self, waiting: &mut FairQueue<Request>) -> Result<(), Fatal> {
        if (self.measured).is_none_or(|at| clock::instant().duration_since(at) >= MEASURE_EACH) {
            self.budget.measure(&self.database)?;
            self.measured = Some(clock::instant());
        }
        if self.budget.is_full() {
            // First of all: the sender of a rejected request finds the reason in the status.
            self.set_totals();
            self.totals.send_modify(|_| {});
        }
        let Some(first) = next(waiting, &self.budget, &self.held) else {
            return Ok(());
        };
        let mut answers: Vec<Answer> = Vec::new();
        let write = self.database.begin_write()?;
        // Readers find an id in memory or in a segment of the tables. They lock the ids before they
        // open the tables, so that no id is on its way from one to the other.
        let ids = Arc::clone(&self.ids);
        let mut ids = ids.write().unwrap_or_else(PoisonError::into_inner);
        let can_wait = self.apply(&write, &mut ids, waiting, first, &mut answers)?;
        self.counters.totals.commits += 1;
        self.store(write, can_wait, answers)?;
        drop(ids);
        // Wake those who watch the totals. The senders of the requests come first.
        self.totals.send_modify(|_| {});
        Ok(())
    }

    /// Applies the first request and those that follow it to the tables. Returns whether the group
    /// has nothing but seals.
    fn apply(
        &mut self,
        write: &WriteTransaction,
        ids: &mut Ids,
        waiting: &mut FairQueue<Request>,
        first: Request,
        answers: &mut Vec<Answer>,
    ) -> Result<bool, Fatal> {
        let changes = Changing::new(write, std::mem::take(&mut self.noted));
        let (counters, sums) = (&mut self.counters, (&mut self.held, &mut self.periods));
        let (limits, cursors) = (self.limits, &mut self.cursors);
        let mut transaction = Transaction::open(&changes, ids, counters, sums, limits, cursors)?;
        let begun = clock::instant();
        let (mut next, mut weight, mut can_wait) = (Some(first), 0, true);
        while let Some(request) = next.take() {
            weight += weigh(&request);
            can_wait &= is_seal_alone(&request);
            answers.push(apply(&mut transaction, request)?);
            if weight < GROUP_EVENTS_MAX && begun.elapsed() < GROUP_TIME_MAX {
                next = self::next(waiting, &self.budget, transaction.held());
            }
        }
        transaction.close()?;
        let totals = stored::counters_in(&self.counters)?;
        changes
            .open_table(tables::META)?
            .insert("totals", totals.as_slice())?;
        self.noted = changes.into_noted();
        Ok(can_wait)
    }

    /// Makes the transaction durable, with all before it; or keeps it in memory, if it `can_wait`.
    /// Then answers the requests.
    fn store(
        &mut self,
        mut write: WriteTransaction,
        can_wait: bool,
        answers: Vec<Answer>,
    ) -> Result<(), Fatal> {
        self.budget
            .add_records(std::mem::take(&mut self.noted.grown));
        let Noted { is_long, group, .. } = &self.noted;
        if *is_long || self.log.is_full(group, self.budget.file_bytes()) {
            self.checkpoint(write, false)?;
            self.answer(answers);
            return Ok(());
        }
        if !can_wait && !self.noted.is_empty() {
            self.log.append(&mut self.noted.group)?;
            self.noted.clear();
        }
        write.set_durability(Durability::None)?;
        // The log has the group: the requests need not wait for the tables, but readers do.
        let database = Arc::clone(&self.database);
        let behind = database.fall_behind();
        self.answer(answers);
        write.commit()?;
        drop(behind);
        Ok(())
    }

    /// Answers requests whose group is durable. Who is answered finds new totals.
    fn answer(&mut self, answers: Vec<Answer>) {
        self.set_totals();
        for answer in answers {
            answer(Ok(()));
        }
    }

    /// Makes the tables durable with this transaction and all before it: the log begins again.
    fn checkpoint(&mut self, mut write: WriteTransaction, is_clean: bool) -> Result<(), Fatal> {
        let head = self.log.next_head(is_clean);
        prepare::store(&write, head, self.budget.room())?;
        prepare::make_durable(&mut write)?;
        write.commit()?;
        self.log.restart(head);
        self.noted.clear();
        Ok(())
    }

    /// Shows the totals, without waking those who watch them.
    fn set_totals(&mut self) {
        let totals = &mut self.counters.totals;
        totals.bytes = self.budget.file_bytes();
        totals.budget_bytes = self.budget.budget_bytes();
        totals.full = self.budget.is_full();
        totals.disk_full = self.budget.is_disk_full();
        self.totals.send_if_modified(|shown| {
            shown.clone_from(totals);
            false
        });
    }
}

/// Whether a restart makes the same changes again, from the events.
fn is_seal_alone(request: &Request) -> bool {
    match request {
        Request::Seal {
            unused_scans,
            side_changes,
            ..
        } => unused_scans.is_empty() && side_changes.is_empty(),
        _ => false,
    }
}

/// Puts a request in its lane.
fn enqueue(waiting: &mut FairQueue<Request>, request: Request) {
    let lane = match &request {
        Request::Append { lane, .. } => lane.clone(),
        Request::StoreSideValues { .. } => Lane::of(Origin::SideStorage),
        Request::Prune { .. } => Lane::of(Origin::Prune),
        Request::Index { .. } | Request::DropSegment { .. } | Request::AddOldTerms { .. } => {
            Lane::of(Origin::Index)
        }
        _ => Lane::of(Origin::Gateway),
    };
    waiting.push(lane, weigh(&request).max(1) as u64, request);
}

/// The next request. At the limit the writer rejects readings, but still runs requests that change
/// documents: posting them makes room.
fn next(waiting: &mut FairQueue<Request>, budget: &Budget, held: &Held) -> Option<Request> {
    loop {
        match waiting.pop()? {
            Request::Append { lane, reply, .. }
                if let Some(error) = refusal(budget, held, &lane) =>
            {
                // The sender may have ended meanwhile.
                drop(reply.send(Err(error)));
            }
            request => return Some(request),
        }
    }
}

fn refusal(budget: &Budget, held: &Held, lane: &Lane) -> Option<AppendError> {
    if budget.is_disk_full() {
        return Some(AppendError::Disk);
    }
    if budget.is_full() {
        return Some(AppendError::Full);
    }
    let is_over =
        budget.is_scarce() && !held.is_modest(lane, budget.in_use_bytes(), budget.budget_bytes());
    is_over.then_some(AppendError::Share)
}

/// Applies one request to the transaction and returns the reply for the time after the commit.
fn apply(transaction: &mut Transaction, request: Request) -> Result<Answer, Fatal> {
    Ok(match request {
        Request::Append {
            decoded,
            side_changes,
            wrong_scans,
            reply,
            ..
        } => {
            transaction.add_wrong(&wrong_scans)?;
            let accepted = transaction.append(&decoded)?;
            transaction.store_side_values(side_changes)?;
            answer(reply, accepted)
        }
        Request::Seal {
            documents,
            skipped,
            unused_scans,
            settled,
            side_changes,
            reply,
        } => {
            transaction.store_side_values(side_changes)?;
            transaction.count_unused(&unused_scans)?;
            answer(reply, transaction.seal(documents, &skipped, settled)?)
        }
        Request::Change {
            changes,
            side_changes,
            documents,
            reply,
        } => {
            transaction.store_side_values(side_changes)?;
            transaction.add(documents)?;
            answer(reply, transaction.change(changes)?)
        }
        Request::Replace {
            change,
            document,
            reply,
        } => answer(reply, transaction.replace(&change, *document)?),
        Request::Settle {
            readings,
            dropped,
            reply,
        } => answer(reply, transaction.settle(readings, dropped.as_ref())?),
        Request::DismissScans { record, reply } => {
            answer(reply, transaction.dismiss_scans(&record)?)
        }
        Request::StoreSideValues {
            changes,
            wrong_scans,
            reply,
        } => {
            transaction.add_wrong(&wrong_scans)?;
            answer(reply, transaction.store_side_values(changes)?)
        }
        Request::Index { part, reply } => answer(reply, transaction.index(&part)?),
        Request::DropSegment { after, reply } => answer(reply, transaction.drop_segment(after)?),
        Request::AddOldTerms { reply } => answer(reply, transaction.add_old_terms()?),
        Request::Prune { now, reply } => answer(reply, transaction.prune(now)?),
        Request::SetLimits { reply, .. } | Request::Ping { reply } | Request::Close { reply } => {
            answer(reply, ())
        }
    })
}

fn answer<T: Send + 'static>(reply: Reply<T>, value: T) -> Answer {
    // The sender may have ended meanwhile; the written data stays.
    Box::new(move |committed| drop(reply.send(committed.map(|()| value))))
}

fn weigh(request: &Request) -> usize {
    match request {
        Request::Append {
            decoded,
            side_changes,
            ..
        } => decoded.len() + side_changes.len(),
        Request::Seal {
            documents,
            side_changes,
            ..
        } => {
            let events: usize = documents.iter().map(|document| document.events.len()).sum();
            events + side_changes.len()
        }
        Request::Change {
            changes,
            side_changes,
            documents,
            ..
        } => changes.len() + side_changes.len() + documents.len(),
        Request::Replace { document, .. } => document.events.len(),
        Request::Settle { readings, .. } => {
            let events = |settlement: &Settlement| settlement.events.len().max(1);
            readings.iter().map(events).sum()
        }
        Request::StoreSideValues { changes, .. } => changes.len(),
        Request::DismissScans { .. } => 1,
        Request::Index { .. } | Request::AddOldTerms { .. } => INDEX_WEIGHT,
        // Much work: these end their group.
        Request::DropSegment { .. }
        | Request::Prune { .. }
        | Request::SetLimits { .. }
        | Request::Ping { .. }
        | Request::Close { .. } => GROUP_EVENTS_MAX,
    }
}
