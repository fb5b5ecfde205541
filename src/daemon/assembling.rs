//! Drives the assembler: reads events from the journal and stores sealed documents in it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::assemble::{Assembler, Now, Sealed};
use crate::board::Board;
use crate::channel::sealing::SealRequests;
use crate::clock;
use crate::config::{self, Config};
use crate::decode::profiles::Profiles;
use crate::event::{Action, Recorded, Seq};
use crate::journal::{AppendError, Journal, JournalError, device_clock_change};
use crate::source::clock_time::ClockTime;

/// Events read from the journal at once.
const PAGE_EVENTS: usize = 250;

pub struct Assembling {
    assembler: Assembler,
    journal: Journal,
    board: Board,
    clock_times: mpsc::Receiver<ClockTime>,
    profiles: Profiles,
    /// Requests to seal all open documents.
    seals: SealRequests,
    /// The event up to which such a request seals, and its reply.
    sealing: Option<(Seq, oneshot::Sender<()>)>,
    /// `[documents]`, which a reload changes.
    rules: watch::Receiver<config::Documents>,
    /// Raw scans of devices without a flow, as long as they are not known to be skipped.
    unused: BTreeSet<Seq>,
    started: Instant,
    /// The last event that was read.
    cursor: Seq,
    /// Up to here, an event may be settled already: by a run before this one.
    maybe_settled: Seq,
}

impl Assembling {
    pub fn new(
        config: &Config,
        journal: Journal,
        board: Board,
        (clock_times, seals): (mpsc::Receiver<ClockTime>, SealRequests),
        profiles: Profiles,
        rules: watch::Receiver<config::Documents>,
    ) -> Result<Self, JournalError> {
        let settled = journal.settled_at_open();
        let assembler = Assembler::new(config.site.clone(), config.documents.clone(), settled);
        Ok(Self {
            assembler: assembler.with_clocks(journal.device_clocks()?),
            clock_times,
            seals,
            sealing: None,
            profiles,
            rules,
            unused: BTreeSet::new(),
            maybe_settled: journal.totals().last_seq,
            cursor: settled,
            started: clock::instant(),
            journal,
            board,
        })
    }

    /// Runs until it is cancelled or the journal has stopped.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut last_read = None;
        while !cancel.is_cancelled() {
            if self.rules.has_changed().unwrap_or(false) {
                let rules = self.rules.borrow_and_update().clone();
                self.assembler.set_rules(rules);
            }
            let read = match self.read_page() {
                Ok(read) => read,
                Err(error) => {
                    return tracing::error!(
                        "documents are no longer assembled, because the journal cannot be read: {error}. Restart the gateway"
                    );
                }
            };
            let asked = self.take_sealing();
            if asked.is_some() {
                self.assembler.seal_all(self.now());
            }
            if let Some(sealed) = self.assembler.seal(self.now())
                && self.write(sealed).await.is_err()
            {
                return;
            }
            if let Some(reply) = asked {
                // The sender may have ended meanwhile.
                reply.send(()).ok();
            }
            self.board
                .open_documents(self.assembler.open_documents() as u64);
            if read > 0 {
                last_read = Some(tokio::time::Instant::now());
                tokio::task::yield_now().await;
                continue;
            }
            let nap = self
                .assembler
                .wake_at()
                .map(|wake| wake.saturating_sub(self.now().monotonic));
            tokio::select! {
                () = cancel.cancelled() => {}
                Some(reply) = self.seals.recv(), if self.sealing.is_none() => {
                    self.begin_sealing(reply);
                }
                Some(clock_time) = self.clock_times.recv() => self.apply_clock_time(&clock_time),
                Ok(()) = self.rules.changed() => self.rules.mark_changed(),
                is_open = self.journal.wait_for_newer(self.cursor, last_read) => if !is_open { return },
                () = tokio::time::sleep(nap.unwrap_or(Duration::from_hours(1))) => {}
            }
        }
    }

    fn begin_sealing(&mut self, reply: oneshot::Sender<()>) {
        self.sealing = Some((self.journal.totals().last_seq, reply));
    }

    /// The request to seal all open documents, if each of its events was read.
    fn take_sealing(&mut self) -> Option<oneshot::Sender<()>> {
        // While events arrive all the time, the loop does not wait for requests.
        if self.sealing.is_none()
            && let Ok(reply) = self.seals.try_recv()
        {
            self.begin_sealing(reply);
        }
        let cursor = self.cursor;
        let (_, reply) = self.sealing.take_if(|(upto, _)| *upto <= cursor)?;
        Some(reply)
    }

    /// Writes what was sealed, and the clocks that were seen with it, in one commit.
    async fn write(&mut self, sealed: Sealed) -> Result<(), AppendError> {
        let mut side_changes = Vec::with_capacity(sealed.clocks.len());
        for (device, clock) in &sealed.clocks {
            match device_clock_change(device, clock.as_ref()) {
                Ok(change) => side_changes.push(change),
                Err(error) => {
                    tracing::error!(%device, "cannot store the state of its clock: {error}");
                }
            }
        }
        let (documents, skipped) = (sealed.documents, sealed.skipped);
        let is_unused = |seq: &Seq| self.unused.remove(seq);
        let unused = skipped.iter().copied().filter(is_unused).collect();
        let inbox = self.journal.inbox();
        inbox
            .seal_and_store(documents, skipped, unused, sealed.settled, side_changes)
            .await?;
        self.show_unused();
        Ok(())
    }

    fn show_unused(&self) {
        self.board.open_unused(self.unused.len() as u64);
    }

    /// Events that were received before are in the journal, and are not overtaken: the assembler
    /// uses the times of receipt.
    fn apply_clock_time(&mut self, clock_time: &ClockTime) {
        let ClockTime {
            device,
            at,
            received,
        } = clock_time;
        let now = self.now();
        self.assembler.observe_clock(device, *at, *received, now);
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
            let is_scan = matches!(event.event.action, Action::Scan { .. });
            if is_scan && !self.profiles.has_flow(&event.event.device) {
                self.unused.insert(event.seq);
            }
            match self.find_undone(event)? {
                Some(undone) => self.assembler.take_undo(event, &undone, self.now()),
                None => self.assembler.take(event, self.now()),
            }
        }
        self.cursor = last;
        self.show_unused();
        Ok(events.len())
    }

    /// Finds the event that this one undoes, if it came before.
    fn find_undone(&self, recorded: &Recorded) -> Result<Option<Recorded>, JournalError> {
        let Action::Undo { event, .. } = &recorded.event.action else {
            return Ok(None);
        };
        let device = recorded.event.device.as_str();
        let undone = self.journal.event_of(device, event)?;
        Ok(undone.filter(|undone| undone.seq < recorded.seq))
    }
}
