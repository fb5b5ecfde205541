//! Documents that are parked because a device's clock was in doubt, and what the gateway does with
//! them when it knows the clock again.
//!
//! - If the document's own times were in doubt, a new document with the true times replaces it, as
//!   a correction does: a sealed document never changes.
//! - If only the clock of another document was in doubt, the parked document itself waits again.

use std::collections::BTreeMap;

use super::changes::{change, wait};
use super::{Ended, PAGE_DOCUMENTS, Queue};
use crate::assemble;
use crate::clock;
use crate::device_clock::DeviceClock;
use crate::document::{Document, DocumentNumber, Reason, State};
use crate::event::{Name, Recorded};
use crate::forward::Interrupted;
use crate::forward::resolve::Ground;
use crate::journal::{Change, Entry, JournalError};
use crate::odoo::Client;
use crate::reason::ReasonCode;

/// Limit of documents, looked at when a clock is stored, that depend on the clocks of other
/// documents.
const OTHERS_MAX: usize = 512;

/// How many clocks were stored, and how many documents were parked, at the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    clocks: u64,
    parked: u64,
}

impl Queue {
    /// Lets documents wait again that were parked because a clock was in doubt, if the gateway
    /// knows the clocks of their devices again.
    pub async fn end_doubts(
        &mut self,
        odoo: &mut Client,
        ground: Ground<'_>,
    ) -> Result<(), Interrupted> {
        let totals = self.journal.totals();
        let seen = Looked {
            clocks: totals.clocks,
            parked: totals.parked.documents,
        };
        if self.doubts == Some(seen) {
            return Ok(());
        }
        let mut others = self.replace_doubtful().await?;
        if self
            .doubts
            .is_some_and(|before| before.clocks == seen.clocks)
        {
            // Only a clock can release these documents.
            others.clear();
        }
        others.truncate(OTHERS_MAX);
        let ended = self.end_doubtful_spans()?;
        if !ended.is_empty() {
            let inbox = self.journal.inbox();
            let keep = || inbox.change_and_add(Vec::new(), ended.clone(), Vec::new());
            self.while_full(keep).await?;
        }
        for page in others.chunks(PAGE_DOCUMENTS) {
            let entries: Vec<&Entry> = page.iter().collect();
            let looked = self.looked_at(odoo, ground, &entries).await?;
            let free = page.iter().zip(looked).filter(|(_, looked)| looked.is_ok());
            let note = || {
                "the clocks of all devices that the document depends on are known now".to_owned()
            };
            let changes: Vec<Change> = free.map(|(entry, _)| wait(entry, note())).collect();
            if !changes.is_empty() {
                self.change(changes).await?;
            }
        }
        self.doubts = Some(seen);
        Ok(())
    }

    /// Replaces each document whose own time was in doubt and is known now. Returns the documents
    /// that are parked because of another document's clock.
    pub async fn replace_doubtful(&mut self) -> Result<Vec<Entry>, Ended> {
        let mut others = Vec::new();
        let mut after = DocumentNumber::ZERO;
        loop {
            let page = (self.journal).documents(Some(State::Parked), after, PAGE_DOCUMENTS)?;
            let Some(last) = page.last() else {
                return Ok(others);
            };
            after = last.document.number;
            for entry in page.into_iter().filter(is_in_doubt) {
                if !entry.document.times.iter().any(|time| time.other.is_some()) {
                    others.push(entry);
                } else if let Some(new) = self.with_true_times(&entry.document)? {
                    let change = known(&entry);
                    let inbox = self.journal.inbox();
                    let replace = || inbox.replace(change.clone(), new.clone());
                    // `None`: a person changed the document first.
                    self.while_full(replace).await?;
                }
            }
        }
    }

    /// The document with true times, if some or all of its doubtful times are known by now.
    pub fn with_true_times(&self, document: &Document) -> Result<Option<Document>, JournalError> {
        let mut events: Vec<Recorded> = Vec::with_capacity(document.events.len());
        let mut clocks: BTreeMap<Name, DeviceClock> = BTreeMap::new();
        for seq in &document.events {
            let Some(recorded) = self.journal.event(*seq)? else {
                continue;
            };
            let device = &recorded.event.device;
            if !clocks.contains_key(device)
                && let Some(clock) = self.journal.device_clock(device)?
            {
                clocks.insert(device.clone(), clock);
            }
            events.push(recorded);
        }
        let clock = |device: &Name| clocks.get(device);
        Ok(assemble::resolve(document, &events, clock, clock::now()))
    }
}

/// Whether the document is parked because the clock of a device is in doubt.
fn is_in_doubt(entry: &Entry) -> bool {
    let reason = entry.progress.reason.as_ref();
    reason.is_some_and(|reason| reason.code == ReasonCode::ClockInDoubt)
}

fn known(entry: &Entry) -> Change {
    let message = "the gateway knows the device's clock again; a document with the true time replaces this one";
    let mut change = change(entry, State::Replaced, message.to_owned());
    change.progress.reason = Some(Reason {
        code: ReasonCode::Replaced.into(),
        message: message.to_owned(),
        lines: Vec::new(),
    });
    change
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::assemble::{Assembler, Now};
    use crate::channel::Outlets;
    use crate::config;
    use crate::document::{EventTime, Purpose};
    use crate::event::{Action, Event, Goods, Move, Movement, Seq, SourceKind};
    use crate::journal::{Journal, WriterHandle, device_clock_change};
    use crate::reason::Flag;

    const HOUR: i64 = 3_600;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000).unwrap() + SignedDuration::from_secs(second)
    }

    fn device() -> Name {
        Name::new("pda").unwrap()
    }

    /// A gateway's journal, and the assembler that builds documents from its events.
    struct Rig {
        journal: Journal,
        writer: WriterHandle,
        assembler: Assembler,
    }

    impl Rig {
        fn start(dir: &Path) -> Self {
            let (journal, writer) = Journal::open(dir, &config::Journal::default()).unwrap();
            let site = Name::new("ams1").unwrap();
            let settled = journal.settled_at_open();
            let assembler = Assembler::new(site, config::Documents::default(), settled)
                .with_clocks(journal.device_clocks().unwrap());
            Self {
                journal,
                writer,
                assembler,
            }
        }

        async fn restart(self, dir: &Path) -> Self {
            self.journal.inbox().close().await.unwrap();
            drop(self.journal);
            self.writer.join().unwrap();
            Self::start(dir)
        }

        /// Stores an event with time `at` that was received at `received`. Afterwards the documents
        /// that the event seals are in the journal.
        async fn take(&mut self, at: i64, received: i64, action: Action) {
            let last = self.journal.totals().last_seq;
            let event = Event {
                device: device(),
                id: format!("e{last}"),
                id_derived: false,
                source: SourceKind::Listen,
                at: time(at),
                received: time(received),
                measures: crate::event::Measures::new(),
                operator: None,
                flags: Vec::new(),
                action,
            };
            let inbox = self.journal.inbox();
            inbox.append(vec![Ok(event)]).await.unwrap();
            let now = now(received);
            for recorded in self.journal.events(last, 10).unwrap() {
                self.assembler.take(&recorded, now);
            }
            self.seal(now).await;
        }

        async fn seal(&mut self, now: Now) {
            let Some(sealed) = self.assembler.seal(now) else {
                return;
            };
            let keep = sealed.clocks.iter();
            let keep = keep.map(|(device, clock)| device_clock_change(device, clock.as_ref()));
            let keep = keep.collect::<Result<_, _>>().unwrap();
            let inbox = self.journal.inbox();
            let sealing = inbox.seal_and_store(
                sealed.documents,
                sealed.skipped,
                Vec::new(),
                sealed.settled,
                keep,
            );
            sealing.await.unwrap();
        }

        fn document(&self, number: u64) -> Entry {
            let number = DocumentNumber::new(number);
            self.journal.document(number).unwrap().unwrap()
        }

        async fn park(&self, number: u64, code: &str) {
            let mut change = change(&self.document(number), State::Parked, code.to_owned());
            change.progress.reason = Some(Reason {
                code: code.into(),
                message: String::new(),
                lines: Vec::new(),
            });
            let made = self.journal.inbox().change(vec![change]).await.unwrap();
            assert_eq!(made, [true]);
        }

        fn queue(&self) -> Queue {
            Queue::new(
                self.journal.clone(),
                Outlets::default(),
                CancellationToken::new(),
            )
        }
    }

    fn now(second: i64) -> Now {
        Now {
            wall: time(second),
            monotonic: Duration::from_secs(u64::try_from(second).unwrap()),
        }
    }

    fn count() -> Action {
        Action::Move(Move::new(
            Movement::Count,
            Goods {
                product: "P".to_owned(),
                quantity: 9_995.into(),
                from: Some("A".to_owned()),
                ..Goods::default()
            },
        ))
    }

    fn scan() -> Action {
        Action::Scan {
            code: "P".to_owned(),
            symbology: None,
        }
    }

    /// The clock is two hours ahead; then a count arrives that is five minutes old by a correct
    /// clock.
    async fn counted(rig: &mut Rig) {
        rig.take(2 * HOUR, 0, scan()).await;
        rig.take(1_000 - 300, 1_000, count()).await;
        let document = rig.document(1).document;
        let known = EventTime {
            seq: Seq::new(2),
            time: time(700 - 2 * HOUR),
            other: Some(time(700)),
        };
        assert_eq!(
            (document.times, document.occurred),
            (vec![known], known.time)
        );
        assert_eq!(document.flags, [Flag::TimeCorrected, Flag::ClockInDoubt]);
        rig.park(1, Flag::ClockInDoubt.as_str()).await;
    }

    #[tokio::test]
    async fn a_parked_count_takes_the_time_of_the_clock_that_is_shown_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = Rig::start(dir.path());
        counted(&mut rig).await;
        let others = rig.queue().replace_doubtful().await.unwrap();
        assert!(others.is_empty());
        assert_eq!(rig.document(1).progress.state, State::Parked);
        let mut rig = rig.restart(dir.path()).await;
        rig.take(2_000, 2_001, scan()).await;
        let mut rig = rig.restart(dir.path()).await;
        rig.queue().replace_doubtful().await.unwrap();
        let old = rig.document(1);
        assert_eq!(old.progress.state, State::Replaced);
        assert_eq!(old.progress.reason.unwrap().code, ReasonCode::Replaced);
        let new = rig.document(2);
        assert_eq!(new.progress.state, State::Waiting);
        let document = new.document;
        assert_eq!(
            (&document.purpose, document.corrects),
            (&Purpose::Count, Some(DocumentNumber::new(1)))
        );
        assert_eq!(document.key, old.document.key.corrected());
        assert_eq!((document.occurred, document.times), (time(700), Vec::new()));
        assert!(document.flags.is_empty());
        assert_eq!(
            rig.journal.document_of(Seq::new(2)).unwrap().number(),
            Some(DocumentNumber::new(2))
        );
        // The time of the next event, from a correct clock, stays as it is.
        rig.take(2_500, 3_000, count()).await;
        assert_eq!(rig.document(3).document.times, []);
    }

    #[tokio::test]
    async fn a_parked_count_keeps_the_corrected_time_where_the_clock_is_still_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = Rig::start(dir.path());
        counted(&mut rig).await;
        rig.take(2_000 + 2 * HOUR, 2_000, scan()).await;
        rig.queue().replace_doubtful().await.unwrap();
        let document = rig.document(2).document;
        let known = EventTime {
            seq: Seq::new(2),
            time: time(700 - 2 * HOUR),
            other: None,
        };
        assert_eq!(
            (document.times, document.occurred),
            (vec![known], known.time)
        );
        assert_eq!(document.flags, [Flag::TimeCorrected]);
    }

    #[tokio::test]
    async fn a_state_shows_the_clock_and_wakes_whoever_waits_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = Rig::start(dir.path());
        counted(&mut rig).await;
        let before = rig.journal.totals().clocks;
        let (at, received) = (time(2_000), time(2_001));
        rig.assembler
            .observe_clock(&device(), at, received, now(2_001));
        rig.seal(now(2_001)).await;
        assert_eq!(rig.journal.totals().clocks, before + 1);
        rig.queue().replace_doubtful().await.unwrap();
        assert_eq!(rig.document(2).document.occurred, time(700));
    }

    #[tokio::test]
    async fn what_is_parked_for_another_document_or_another_reason_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = Rig::start(dir.path());
        rig.take(60, 61, count()).await;
        rig.park(1, Flag::ClockInDoubt.as_str()).await;
        rig.take(2 * HOUR, 100, scan()).await;
        rig.take(1_000 - 300, 1_000, count()).await;
        rig.park(2, "open-picks").await;
        rig.take(2_000, 2_001, scan()).await;
        let others = rig.queue().replace_doubtful().await.unwrap();
        let numbers: Vec<DocumentNumber> =
            others.iter().map(|entry| entry.document.number).collect();
        assert_eq!(numbers, [DocumentNumber::new(1)]);
        assert_eq!(rig.document(2).progress.state, State::Parked);
        assert_eq!(rig.journal.totals().parked.documents, 2);
    }
}
