//! The pauses of sending: a person begins and ends them, the journal stores them, the forwarder
//! obeys them.
//!
//! **In**: decisions of people. **Out**: the newest pause, to the forwarder and to the board. A
//! pause is on disk before the forwarder receives it, so that a restart keeps it.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Mutex, watch};

use crate::board::Board;
use crate::clock;
use crate::journal::stored::{BadRecord, pause_in};
use crate::journal::{AppendError, Journal, JournalError, Namespace, SideChange};
use crate::pause::{Pause, PauseEnd};

/// The limit of stored pauses. One more removes the oldest.
pub const PAUSES_MAX: usize = 200;

/// Why a pause was not stored, or the pauses were not read.
#[derive(Debug, thiserror::Error)]
pub enum PauseError {
    #[error(transparent)]
    Read(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] AppendError),
    #[error(transparent)]
    Record(#[from] BadRecord),
    #[error("the daemon is stopping")]
    Stopping,
}

/// Who decided, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decider {
    /// `user:NAME`.
    pub by: String,
    /// The person whom the request names, if that is another name.
    pub named: Option<String>,
    pub reason: Option<String>,
}

/// Begins and ends pauses. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pauses(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    journal: Journal,
    board: Board,
    newest: watch::Sender<Option<Pause>>,
    quiet: watch::Sender<bool>,
    /// One decision at a time.
    deciding: Mutex<()>,
}

impl Pauses {
    /// Reads the newest pause of the journal: a short blocking call.
    pub fn open(journal: Journal, board: Board) -> Result<Self, JournalError> {
        let newest = journal.pauses()?.pop().map(|(_, pause)| pause);
        board.pause(newest.clone());
        if let Some(pause) = newest.as_ref().filter(|pause| pause.is_on(clock::now())) {
            let (by, until) = (pause.name(), pause.until.map(|until| until.to_string()));
            tracing::info!(by, until, "sending to Odoo is paused, as before the start");
        }
        Ok(Self(Arc::new(Inner {
            journal,
            board,
            newest: watch::Sender::new(newest),
            quiet: watch::Sender::new(false),
            deciding: Mutex::new(()),
        })))
    }

    /// The newest pause, which may have ended, for the forwarder.
    #[must_use]
    pub fn orders(&self) -> watch::Receiver<Option<Pause>> {
        self.0.newest.subscribe()
    }

    /// Where the forwarder tells whether a pause is on and no document is being sent.
    #[must_use]
    pub fn quiet(&self) -> watch::Sender<bool> {
        self.0.quiet.clone()
    }

    /// Whether a pause is on and the gateway makes no call that may change anything in Odoo.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        *self.0.quiet.borrow()
    }

    /// Resolves when [`Self::is_quiet`].
    pub async fn wait_until_quiet(&self) {
        let mut quiet = self.0.quiet.subscribe();
        // The sender is in `self`, so the wait does not fail.
        drop(quiet.wait_for(|quiet| *quiet).await);
    }

    /// The stored pauses, the newest first.
    pub async fn history(&self) -> Result<Vec<Pause>, PauseError> {
        let mut pauses: Vec<_> = self.read().await?.into_iter().map(|(_, p)| p).collect();
        pauses.reverse();
        Ok(pauses)
    }

    /// Begins a pause. A pause that is on ends.
    pub async fn begin(
        &self,
        decider: Decider,
        until: Option<Timestamp>,
    ) -> Result<Pause, PauseError> {
        let _one = self.0.deciding.lock().await;
        let (stored, now) = (self.read().await?, clock::now());
        let number = stored.last().map_or(0, |(number, _)| *number) + 1;
        let pause = Pause {
            since: now,
            until,
            by: decider.by.clone(),
            named: decider.named.clone(),
            reason: decider.reason.clone(),
            ended: None,
        };
        let surplus = (stored.len() + 1).saturating_sub(PAUSES_MAX);
        let removed = stored.iter().take(surplus);
        let mut changes: Vec<SideChange> =
            removed.map(|(number, _)| (key(*number), None)).collect();
        if let Some((number, last)) = stored.last().filter(|(_, last)| last.is_on(now)) {
            changes.push(change(*number, &end(last, decider, now))?);
        }
        changes.push(change(number, &pause)?);
        self.store(changes, pause.clone()).await?;
        let (by, reason) = (pause.name(), pause.reason.as_deref());
        let until = until.map(|until| until.to_string());
        tracing::info!(by, reason, until, "sending to Odoo is paused");
        Ok(pause)
    }

    /// Ends the pause that is on, and returns it. `None`: no pause is on.
    pub async fn end(&self, decider: Decider) -> Result<Option<Pause>, PauseError> {
        let _one = self.0.deciding.lock().await;
        let now = clock::now();
        let newest = self.read().await?.pop();
        let Some((number, pause)) = newest.filter(|(_, pause)| pause.is_on(now)) else {
            return Ok(None);
        };
        let pause = end(&pause, decider, now);
        self.store(vec![change(number, &pause)?], pause.clone())
            .await?;
        let by = pause.ended.as_ref().map(PauseEnd::name);
        tracing::info!(by, "a person has ended the pause of sending");
        Ok(Some(pause))
    }

    async fn read(&self) -> Result<Vec<(u64, Pause)>, PauseError> {
        let journal = self.0.journal.clone();
        let read = tokio::task::spawn_blocking(move || journal.pauses());
        let read = read.await.map_err(|_| PauseError::Stopping)?;
        Ok(read?)
    }

    async fn store(&self, changes: Vec<SideChange>, newest: Pause) -> Result<(), PauseError> {
        self.0.journal.inbox().store_side_values(changes).await?;
        self.0.board.pause(Some(newest.clone()));
        // Until the forwarder has received it.
        self.0.quiet.send_replace(false);
        self.0.newest.send_replace(Some(newest));
        Ok(())
    }
}

fn end(pause: &Pause, decider: Decider, now: Timestamp) -> Pause {
    let Decider { by, named, reason } = decider;
    let ended = PauseEnd {
        at: now,
        by,
        named,
        reason,
    };
    Pause {
        ended: Some(ended),
        ..pause.clone()
    }
}

fn key(number: u64) -> crate::journal::SideKey {
    Namespace::Pauses.key(format!("{number:08}"))
}

fn change(number: u64, pause: &Pause) -> Result<SideChange, BadRecord> {
    Ok((key(number), Some(pause_in(pause)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn anna(reason: &str) -> Decider {
        Decider {
            by: "user:anna".to_owned(),
            named: None,
            reason: Some(reason.to_owned()),
        }
    }

    #[tokio::test]
    async fn a_pause_is_there_after_a_restart_until_a_person_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let (journal, writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
            let board = Board::new();
            let pauses = Pauses::open(journal.clone(), board.clone()).unwrap();
            (journal, writer, board, pauses)
        };
        let (journal, writer, board, pauses) = open();
        assert_eq!(*pauses.orders().borrow(), None, "an older journal");
        assert_eq!(pauses.end(anna("nothing")).await.unwrap(), None);
        let first = pauses.begin(anna("upgrade"), None).await.unwrap();
        assert_eq!(board.snapshot().pause, Some(first.clone()));
        let second = pauses.begin(anna("stocktake"), None).await.unwrap();
        let history = pauses.history().await.unwrap();
        assert_eq!(history[0], second);
        assert_eq!(history[1].ended.as_ref().unwrap().name(), "anna");
        journal.inbox().close().await.unwrap();
        drop((journal, writer, board, pauses));

        let (journal, _writer, board, pauses) = open();
        assert_eq!(*pauses.orders().borrow(), Some(second.clone()));
        assert_eq!(board.snapshot().pause, Some(second));
        let ended = pauses.end(anna("done")).await.unwrap().unwrap();
        assert_eq!(ended.ended.unwrap().reason.as_deref(), Some("done"));
        assert!(!board.snapshot().pause.unwrap().is_on(clock::now()));
        journal.inbox().close().await.unwrap();
    }

    #[tokio::test]
    async fn the_audit_has_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _writer) = Journal::open(dir.path(), &config::Journal::default()).unwrap();
        let stored: Vec<SideChange> = (1..=PAUSES_MAX as u64)
            .map(|number| {
                let pause = Pause {
                    since: clock::now(),
                    until: None,
                    by: "user:ben".to_owned(),
                    named: None,
                    reason: None,
                    ended: None,
                };
                change(number, &pause).unwrap()
            })
            .collect();
        journal.inbox().store_side_values(stored).await.unwrap();
        let pauses = Pauses::open(journal.clone(), Board::new()).unwrap();
        pauses.begin(anna("one more"), None).await.unwrap();
        let stored = journal.pauses().unwrap();
        assert_eq!(stored.len(), PAUSES_MAX);
        assert_eq!(
            (stored[0].0, stored[PAUSES_MAX - 1].0),
            (2, PAUSES_MAX as u64 + 1)
        );
        journal.inbox().close().await.unwrap();
    }
}
