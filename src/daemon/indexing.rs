//! Makes the search index: reads new events from the journal and writes segments of the index.
//!
//! Only whole segments are written, so a single event causes no further write, and an idle gateway
//! writes nothing. A search reads the newest events, which no segment has yet, themselves. While
//! many events arrive, the index yields to them and grows slowly; it catches up afterwards.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::event::Seq;
use crate::journal::{AppendError, Journal, JournalError, SEGMENT_EVENTS_MAX, SegmentBuilder};

/// How often it looks whether a segment is complete. That costs no read.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Events read at once.
const PAGE_EVENTS: usize = 512;
/// With more new events a second than this, it rests for [`BUSY_REST`] times its work, else for as
/// long as its work.
const BUSY_EVENTS: u128 = 2_000;
const BUSY_REST: u32 = 64;

#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the journal has stopped")]
    Stopped,
    #[error(transparent)]
    Read(#[from] JournalError),
    #[error("{0}")]
    Broke(String),
}

impl From<AppendError> for Ended {
    fn from(_: AppendError) -> Self {
        Self::Stopped
    }
}

/// Runs until it is cancelled or the journal has stopped.
pub async fn run(journal: Journal, cancel: CancellationToken) {
    let mut indexing = Indexing {
        last_rest: (journal.totals().last_seq, clock::instant()),
        journal,
    };
    tokio::select! {
        () = cancel.cancelled() => return,
        ended = indexing.run() => match ended {
            Ok(()) | Err(Ended::Stopped) => {}
            Err(error) => tracing::error!(
                "new events are no longer added to the search index, so searches get slower: {error}. Restart the gateway"
            ),
        }
    }
    // Other parts report that the journal has stopped or is damaged.
    cancel.cancelled().await;
}

struct Indexing {
    journal: Journal,
    /// The newest event at the last rest, and the time of the rest.
    last_rest: (Seq, Instant),
}

impl Indexing {
    async fn run(&mut self) -> Result<(), Ended> {
        let mut indexed = self.journal.indexed()?;
        while indexed.has_unknown && self.journal.inbox().drop_segment(indexed.upto).await? {
            indexed = self.journal.indexed()?;
        }
        while self.journal.inbox().add_old_terms().await? {
            tokio::task::yield_now().await;
        }
        if indexed.left >= 2 * SEGMENT_EVENTS_MAX as u64 {
            tracing::info!(
                "adds up to {} events to the search index in the background; searches are slower meanwhile",
                indexed.left
            );
        }
        // A segment needs so many events more.
        let mut upto = indexed.upto;
        loop {
            let due = upto.get() + SEGMENT_EVENTS_MAX as u64;
            while self.journal.totals().last_seq.get() < due || self.is_full() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            upto = self.make_segment(upto).await?;
        }
    }

    /// Without room on the disk, readings and documents come first.
    fn is_full(&self) -> bool {
        let totals = self.journal.totals();
        totals.full || totals.disk_full
    }

    /// Makes the segment after this event. Returns its last event.
    async fn make_segment(&mut self, after: Seq) -> Result<Seq, Ended> {
        let mut segment = SegmentBuilder::new(after, SEGMENT_EVENTS_MAX);
        loop {
            let begun = clock::instant();
            let journal = self.journal.clone();
            let before = segment.last();
            let read = move || {
                let is_complete = journal.index_next(&mut segment, PAGE_EVENTS)?;
                Ok::<_, JournalError>((segment, is_complete))
            };
            let is_complete;
            (segment, is_complete) = apart(read).await??;
            if is_complete {
                break;
            }
            if segment.last() == before {
                // Some events were pruned: the segment needs more of them.
                tokio::time::sleep(LOOK_EVERY).await;
            }
            self.rest(begun.elapsed()).await;
        }
        let last = segment.last();
        let begun = clock::instant();
        let parts = apart(move || segment.finish()).await?;
        self.rest(begun.elapsed()).await;
        for part in parts {
            let begun = clock::instant();
            self.journal.inbox().index(part).await?;
            self.rest(begun.elapsed()).await;
        }
        Ok(last)
    }

    /// Rests after some work: longer while many events arrive.
    async fn rest(&mut self, work: Duration) {
        let (before, since) = self.last_rest;
        let now = (self.journal.totals().last_seq, clock::instant());
        self.last_rest = now;
        let events = now.0.get().saturating_sub(before.get());
        let times = if is_busy(events, now.1.duration_since(since)) {
            BUSY_REST
        } else {
            1
        };
        tokio::time::sleep(work * times).await;
    }
}

/// Whether more than [`BUSY_EVENTS`] events a second arrived in this time.
fn is_busy(events: u64, time: Duration) -> bool {
    u128::from(events) * 1_000_000 > BUSY_EVENTS * time.as_micros()
}

/// Runs work that would hold up other tasks on a thread of its own.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Ended> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Ended::Broke(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_busy_with_more_than_two_thousand_events_a_second() {
        let second = Duration::from_secs(1);
        assert!(!is_busy(2_000, second) && is_busy(2_001, second));
        assert!(!is_busy(0, Duration::ZERO) && is_busy(1, Duration::from_micros(400)));
    }
}
