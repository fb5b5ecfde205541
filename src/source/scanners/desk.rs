//! The common part of serial and keyboard scanners: turns frames into readings, passes answers
//! back, and reports the scanner's state to the board.

use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::is_good;
use super::list::Scanner;
use crate::board::Board;
use crate::channel::identity::ReadingId;
use crate::channel::{Channel, Reading, Verdict};
use crate::clock;
use crate::decode;
use crate::decode::profile::Framing;
use crate::event::SourceKind;
use crate::journal::{Accepted, AppendError};
use crate::source::Intake;

/// The shortest and the longest pause before a scanner's task opens the port again.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The longest pause while the scanner is not plugged in: a check costs little, and a person waits.
const ABSENT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often a full journal is asked again.
const FULL_WAIT: Duration = Duration::from_secs(1);
/// The shortest time between two reports about a scanner that sends invalid codes.
const REPORT_EVERY: Duration = Duration::from_mins(1);
/// Codes per second of one scanner, at most. No operator and no conveyor scans more: further codes
/// wait for the next second.
const CODES_PER_S_MAX: u32 = 200;
/// How long a task that must end waits for the rest of a code.
const CODE_END_MAX: Duration = Duration::from_secs(2);
const SECOND: Duration = Duration::from_secs(1);

/// Why a port is not read any more.
#[derive(Debug)]
pub enum Ended {
    /// The gateway stops, or the journal has.
    Stopped,
    Gone {
        /// Something came before it went.
        heard: bool,
        /// No device file was found.
        absent: bool,
        why: String,
    },
}

/// The gateway's side of one scanner.
#[derive(Debug)]
pub struct Desk {
    pub scanner: Scanner,
    pub cancel: CancellationToken,
    kind: SourceKind,
    intake: Intake,
    board: Board,
    last: Timestamp,
    pause: Duration,
    down: Option<String>,
    trouble: Trouble,
    second: (Instant, u32),
}

/// The dropped bytes, and the time of the last report about them.
#[derive(Debug, Default)]
struct Trouble {
    bytes: usize,
    said: Option<Instant>,
}

impl Desk {
    pub fn new(
        scanner: Scanner,
        kind: SourceKind,
        intake: Intake,
        board: Board,
        cancel: CancellationToken,
    ) -> Self {
        board.scanner(&scanner.name, |view| "starting".clone_into(&mut view.state));
        Self {
            scanner,
            cancel,
            kind,
            intake,
            board,
            last: Timestamp::UNIX_EPOCH,
            pause: PAUSE_MIN,
            down: None,
            trouble: Trouble::default(),
            second: (clock::instant(), 0),
        }
    }

    pub fn up(&mut self, place: &str) {
        tracing::info!(scanner = %self.scanner.name, place, "the scanner is connected");
        self.down = None;
        self.board.scanner(&self.scanner.name, |view| {
            "up".clone_into(&mut view.state);
            view.devices = 1;
            view.detail = None;
        });
        self.online(true);
    }

    /// Resolves when the scanner's task must end. A code that has begun may be read to its end.
    pub async fn stopped(&self, is_inside: bool) {
        self.cancel.cancelled().await;
        if is_inside {
            tokio::time::sleep(CODE_END_MAX).await;
        }
    }

    /// Reports the fault, and waits. Returns whether to open the port again.
    pub async fn again(&mut self, ended: Ended) -> bool {
        let Ended::Gone { heard, absent, why } = ended else {
            return false;
        };
        let name = &self.scanner.name;
        self.board.scanner(name, |view| {
            "down".clone_into(&mut view.state);
            view.devices = 0;
            view.detail = Some(why.clone());
        });
        self.online(false);
        if self.down.as_ref() != Some(&why) {
            tracing::warn!(scanner = %self.scanner.name, "down: {why}");
            self.down = Some(why);
        }
        if heard {
            self.pause = PAUSE_MIN;
        }
        let pause = self
            .pause
            .min(if absent { ABSENT_PAUSE_MAX } else { PAUSE_MAX });
        self.pause = (pause * 2).min(PAUSE_MAX);
        let pause = tokio::time::sleep(pause);
        self.cancel.run_until_cancelled(pause).await.is_some()
    }

    fn online(&self, online: bool) {
        self.board.device(&self.scanner.name, self.kind, |view| {
            if view.online != online {
                view.since = Some(clock::now());
            }
            view.online = online;
        });
    }

    /// Has the codes stored, with one commit; whether each was right, for those that are to be
    /// answered now. None: the journal has stopped, or the gateway does. While the journal is full
    /// it waits, and the port is not read.
    pub async fn take(&mut self, frames: Vec<Vec<u8>>) -> Option<Vec<bool>> {
        let readings: Vec<_> = frames
            .into_iter()
            .map(|frame| self.reading(frame))
            .collect();
        if readings.is_empty() {
            return Some(Vec::new());
        }
        let taken = loop {
            match self.intake.take_many(&readings, true).await {
                Ok(verdicts) => break verdicts,
                Err(error) => self.wait_for_room(&error).await?,
            }
        };
        let verdicts: Vec<_> = taken.into_iter().flatten().collect();
        self.count(&verdicts);
        self.hold_pace(verdicts.len()).await;
        // Where a flow begins, its word is the answer to a code that was stored.
        let flow = self.scanner.profile.flow.start.is_some();
        let answers = verdicts.iter().filter_map(|verdict| {
            let good = was_good(verdict);
            (!flow || !good).then_some(good)
        });
        Some(answers.collect())
    }

    /// Stores a code without its end mark as a rejected reading. `None`: the journal has stopped,
    /// or the gateway stops.
    pub async fn refuse_unended(&mut self, bytes: Vec<u8>, framing: &Framing) -> Option<()> {
        let reading = self.reading(bytes);
        let rejection = decode::reject_unended(&reading, framing);
        let message = rejection.message.clone();
        loop {
            match self.intake.reject(vec![rejection.clone()]).await {
                Ok(()) => break,
                Err(error) => self.wait_for_room(&error).await?,
            }
        }
        let last = self.last;
        self.board.device(&self.scanner.name, self.kind, |view| {
            view.last_event = Some(last);
            view.rejected += 1;
        });
        self.report(&message);
        Some(())
    }

    /// `None`: the journal has stopped, or the gateway does.
    async fn wait_for_room(&self, error: &AppendError) -> Option<()> {
        match error {
            AppendError::Stopped => None,
            AppendError::Full | AppendError::Disk | AppendError::Share => {
                let detail = format!("not reading: {error}");
                self.board
                    .scanner(&self.scanner.name, |view| view.detail = Some(detail));
                let wait = tokio::time::sleep(FULL_WAIT);
                self.cancel.run_until_cancelled(wait).await
            }
        }
    }

    fn reading(&mut self, frame: Vec<u8>) -> Reading {
        self.last = clock::now();
        Reading {
            id: ReadingId::next(),
            redelivered: false,
            source: self.kind,
            device: self.scanner.name.clone(),
            channel: Channel::Scan,
            payload: Bytes::from(frame),
            received: self.last,
        }
    }

    fn count(&mut self, verdicts: &[Verdict]) {
        let count = |wanted: fn(&Accepted) -> bool| {
            verdicts
                .iter()
                .filter(|verdict| wanted(&verdict.accepted))
                .count() as u64
        };
        let levels = self.board.levels();
        for verdict in verdicts {
            levels.accepted(&verdict.accepted);
        }
        let stored = count(|accepted| matches!(accepted, Accepted::Stored { .. }));
        let duplicates = count(|accepted| matches!(accepted, Accepted::Duplicate { .. }));
        let rejected = count(|accepted| matches!(accepted, Accepted::Rejected { .. }));
        let last = self.last;
        self.board.device(&self.scanner.name, self.kind, |view| {
            view.last_event = Some(last);
            view.events += stored;
            view.duplicates += duplicates;
            view.rejected += rejected;
        });
        let quiet = (self.trouble.said).is_none_or(|said| said.elapsed() >= REPORT_EVERY);
        if stored > 0 && quiet {
            self.board
                .scanner(&self.scanner.name, |view| view.detail = None);
        }
    }

    /// Counts dropped bytes. Reports them at once, and then once a minute with their sum.
    pub fn threw_away(&mut self, bytes: usize) {
        self.trouble.bytes += bytes;
        let bytes = self.trouble.bytes;
        self.report(&format!(
            "threw away {bytes} bytes that were no code: check the profile's framing, max_bytes and the scanner's suffix"
        ));
    }

    fn report(&mut self, what: &str) {
        if self
            .trouble
            .said
            .is_some_and(|said| said.elapsed() < REPORT_EVERY)
        {
            return;
        }
        self.trouble = Trouble {
            bytes: 0,
            said: Some(clock::instant()),
        };
        tracing::warn!(scanner = %self.scanner.name, "{what}");
        self.board.scanner(&self.scanner.name, |view| {
            view.detail = Some(what.to_owned());
        });
    }

    /// A scanner that floods is read more slowly.
    async fn hold_pace(&mut self, codes: usize) {
        if self.second.0.elapsed() >= SECOND {
            self.second = (clock::instant(), 0);
        }
        self.second.1 += u32::try_from(codes).unwrap_or(u32::MAX);
        if self.second.1 > CODES_PER_S_MAX {
            self.report(&format!(
                "more than {CODES_PER_S_MAX} codes a second: it is read more slowly"
            ));
            let rest = tokio::time::sleep(SECOND.saturating_sub(self.second.0.elapsed()));
            self.cancel.run_until_cancelled(rest).await;
        }
    }
}

/// Whether the operator hears the good answer: as the display message says, or, without a message,
/// if the code was stored.
fn was_good(verdict: &Verdict) -> bool {
    let said = verdict.display.as_ref().and_then(is_good);
    said.unwrap_or(!matches!(verdict.accepted, Accepted::Rejected { .. }))
}
