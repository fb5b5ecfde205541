//! The writer: one thread that turns what waits in the inbox into one durable transaction after another.
//!
//! **Invariant 1:** a reply is sent only after `commit` returned with `Durability::Immediate`.
//! **Invariant 11:** after an I/O error nothing more is written. The thread ends, every request is answered with
//! [`AppendError::Stopped`], and the process exits so that redb recovers on the next start.

use std::mem;
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Database, Durability};
use tokio::sync::{mpsc, watch};

use super::budget::Budget;
use super::ids::Ids;
use super::inbox::{AppendError, Reply, Request};
use super::stored::{self, Kept};
use super::transaction::Transaction;
use super::{Fatal, Totals, tables};

/// Events in one transaction at most: enough that the fsync is a small part, few enough that nobody waits long.
pub const GROUP_EVENTS_MAX: usize = 4_096;

pub(super) struct Writer {
    pub database: Arc<Database>,
    pub ids: Arc<RwLock<Ids>>,
    pub kept: Kept,
    pub totals: watch::Sender<Totals>,
    pub budget: Budget,
    pub limits: Limits,
}

/// What the writer prunes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub dedup_days: u32,
    pub retention_days: u32,
    pub rejected_bytes_max: u64,
}

/// Sends an answer after the commit.
type Answer = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

impl Writer {
    /// Works until the inbox is closed or something fails.
    pub fn run(mut self, mut inbox: mpsc::Receiver<Request>) -> Result<(), Fatal> {
        let mut group = Vec::new();
        let mut closing = None;
        while closing.is_none() {
            let Some(first) = inbox.blocking_recv() else {
                break;
            };
            let mut weight = weigh(&first);
            group.push(first);
            while weight < GROUP_EVENTS_MAX
                && let Ok(next) = inbox.try_recv()
            {
                weight += weigh(&next);
                group.push(next);
            }
            let requests = mem::take(&mut group);
            let (requests, close) = split_at_close(requests);
            self.commit(requests).inspect_err(|error| {
                tracing::error!("the journal stops: {error}");
            })?;
            closing = close;
        }
        // The file itself closes when the last reader has gone, too.
        drop(self);
        if let Some(reply) = closing {
            drop(reply.send(Ok(())));
        }
        Ok(())
    }

    /// One transaction for all of them. A request that is turned away (full) is answered without a commit.
    fn commit(&mut self, requests: Vec<Request>) -> Result<(), Fatal> {
        if requests.is_empty() {
            return Ok(());
        }
        self.budget.measure(&self.database)?;
        let requests = if self.budget.is_full() {
            // Whoever is turned away finds the status saying why.
            self.publish();
            refuse(requests)
        } else {
            requests
        };
        if requests.is_empty() {
            return Ok(());
        }
        let mut answers: Vec<Answer> = Vec::with_capacity(requests.len());
        {
            let mut write = self.database.begin_write()?;
            write.set_durability(Durability::Immediate)?;
            // Two-phase commit, and an allocator state on disk: opening after a kill takes milliseconds.
            write.set_quick_repair(true);
            {
                // Readers take this lock for a `trace` alone, and shortly.
                let mut ids = self.ids.write().unwrap_or_else(PoisonError::into_inner);
                let mut transaction =
                    Transaction::open(&write, &mut ids, &mut self.kept, self.limits)?;
                for request in requests {
                    answers.push(apply(&mut transaction, request)?);
                }
                self.budget.wrote(transaction.close()?);
            }
            {
                let mut meta = write.open_table(tables::META)?;
                meta.insert("totals", stored::kept_in(&self.kept)?.as_slice())?;
            }
            write.commit()?;
        }
        self.kept.totals.commits += 1;
        self.publish();
        for answer in answers {
            answer(Ok(()));
        }
        Ok(())
    }

    fn publish(&mut self) {
        let totals = &mut self.kept.totals;
        totals.bytes = self.budget.file_bytes();
        totals.budget_bytes = self.budget.budget_bytes();
        totals.full = self.budget.is_full();
        self.totals.send_replace(totals.clone());
    }
}

/// At the limit readings are turned away; what takes documents further still gets through, because it is the way out.
fn refuse(requests: Vec<Request>) -> Vec<Request> {
    let turn_away = |request| match request {
        Request::Append { reply, .. } => {
            // Whoever asked may have gone meanwhile.
            drop(reply.send(Err(AppendError::Full)));
            None
        }
        other => Some(other),
    };
    requests.into_iter().filter_map(turn_away).collect()
}

/// Applies one request to the transaction and says how to answer it once that is on disk.
fn apply(transaction: &mut Transaction, request: Request) -> Result<Answer, Fatal> {
    Ok(match request {
        Request::Append {
            decoded,
            keep,
            reply,
        } => {
            let accepted = transaction.append(&decoded)?;
            transaction.keep(keep)?;
            answer(reply, accepted)
        }
        Request::Seal {
            documents,
            skipped,
            settled,
            keep,
            reply,
        } => {
            transaction.keep(keep)?;
            answer(reply, transaction.seal(documents, &skipped, settled)?)
        }
        Request::Change {
            changes,
            keep,
            documents,
            reply,
        } => {
            transaction.keep(keep)?;
            transaction.add(documents)?;
            answer(reply, transaction.change(changes)?)
        }
        Request::Replace {
            change,
            document,
            reply,
        } => answer(reply, transaction.replace(&change, *document)?),
        Request::Keep { changes, reply } => answer(reply, transaction.keep(changes)?),
        Request::Prune { now, reply } => answer(reply, transaction.prune(now)?),
        Request::Close { reply } => answer(reply, ()),
    })
}

fn answer<T: Send + 'static>(reply: Reply<T>, value: T) -> Answer {
    // Whoever asked may have gone meanwhile; what was written stays written.
    Box::new(move |committed| drop(reply.send(committed.map(|()| value))))
}

fn weigh(request: &Request) -> usize {
    match request {
        Request::Append { decoded, keep, .. } => decoded.len() + keep.len(),
        Request::Seal {
            documents, keep, ..
        } => {
            let events: usize = documents.iter().map(|document| document.events.len()).sum();
            events + keep.len()
        }
        Request::Change {
            changes,
            keep,
            documents,
            ..
        } => changes.len() + keep.len() + documents.len(),
        Request::Replace { document, .. } => document.events.len(),
        Request::Keep { changes, .. } => changes.len(),
        // Pruning is a good deal of work: let it end its group.
        Request::Prune { .. } | Request::Close { .. } => GROUP_EVENTS_MAX,
    }
}

/// What comes before a request to close, and whom to tell. What comes after it is dropped, so its senders hear
/// [`AppendError::Stopped`].
fn split_at_close(requests: Vec<Request>) -> (Vec<Request>, Option<Reply<()>>) {
    let mut before = Vec::with_capacity(requests.len());
    for request in requests {
        match request {
            Request::Close { reply } => return (before, Some(reply)),
            other => before.push(other),
        }
    }
    (before, None)
}
