//! Drives the assembler: events come from the journal, sealed documents go back to it.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::assemble::{Assembler, Now};
use crate::clock;
use crate::config::Config;
use crate::event::{Action, Recorded};
use crate::journal::{Journal, JournalError};
use crate::view::board::Board;

/// Events read from the journal at once.
const PAGE_EVENTS: usize = 1_000;

pub struct Assembling {
    assembler: Assembler,
    journal: Journal,
    board: Board,
    started: Instant,
    /// The last event that was read.
    cursor: u64,
    /// Up to here, an event may be settled already: by a run before this one.
    maybe_settled: u64,
}

impl Assembling {
    pub fn new(config: &Config, journal: Journal, board: Board) -> Self {
        let settled = journal.settled_at_open();
        Self {
            assembler: Assembler::new(config.site.clone(), config.documents.clone(), settled),
            maybe_settled: journal.totals().last_seq,
            cursor: settled,
            started: clock::instant(),
            journal,
            board,
        }
    }

    /// Runs until it is cancelled or the journal has stopped.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut totals = self.journal.watch();
        while !cancel.is_cancelled() {
            let read = match self.read_page() {
                Ok(read) => read,
                Err(error) => return tracing::error!("assembling stops: {error}"),
            };
            if let Some(sealed) = self.assembler.seal(self.now()) {
                let answer = self
                    .journal
                    .inbox()
                    .seal(sealed.documents, sealed.skipped, sealed.settled)
                    .await;
                if answer.is_err() {
                    return;
                }
            }
            self.board
                .open_documents(self.assembler.open_documents() as u64);
            if read > 0 {
                tokio::task::yield_now().await;
                continue;
            }
            let nap = self
                .assembler
                .wake_at()
                .map(|wake| wake.saturating_sub(self.now().monotonic));
            tokio::select! {
                () = cancel.cancelled() => {}
                newer = totals.wait_for(|totals| totals.last_seq > self.cursor) => if newer.is_err() { return },
                () = tokio::time::sleep(nap.unwrap_or(Duration::from_hours(1))) => {}
            }
        }
    }

    fn now(&self) -> Now {
        Now {
            wall: clock::now(),
            monotonic: clock::instant().duration_since(self.started),
        }
    }

    /// Hands the next events to the assembler; answers how many there were.
    fn read_page(&mut self) -> Result<usize, JournalError> {
        let events = self.journal.events(self.cursor, PAGE_EVENTS)?;
        let Some(last) = events.last().map(|event| event.seq) else {
            return Ok(0);
        };
        let settled = if self.cursor < self.maybe_settled {
            self.journal.settled_between(self.cursor, last)?
        } else {
            Vec::new()
        };
        for event in events
            .iter()
            .filter(|event| settled.binary_search(&event.seq).is_err())
        {
            match self.undone_by(event)? {
                Some(undone) => self.assembler.take_back(event, &undone, self.now()),
                None => self.assembler.take(event, self.now()),
            }
        }
        self.cursor = last;
        Ok(events.len())
    }

    /// The event that this one takes back, if it came before it.
    fn undone_by(&self, recorded: &Recorded) -> Result<Option<Recorded>, JournalError> {
        let Action::Undo { event, .. } = &recorded.event.action else {
            return Ok(None);
        };
        let device = recorded.event.device.as_str();
        let undone = self.journal.event_of(device, event)?;
        Ok(undone.filter(|undone| undone.seq < recorded.seq))
    }
}
