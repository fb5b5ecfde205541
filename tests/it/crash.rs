//! The power goes at every moment it can: at each sync, with what was written since the last one
//! lost, kept, or kept in part.
//!
//! The journal runs on storage that logs each write and sync. Each moment is then opened again, as
//! after a power cut. **Invariants 1, 3, 4 and 5:** every event that was acknowledged by then
//! exists under its number; no sealed document differs; the numbers add up; the journal keeps
//! working.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;
use stockrelay::config;
use stockrelay::document::{Document, DocumentNumber, Progress, State};
use stockrelay::event::{Event, Seq};
use stockrelay::journal::{Accepted, Change, Journal};

use crate::floor::{scan, transfer};
use crate::moves::{Assembly, Random, adds_up, progress};

/// What a disk keeps or loses at once, in bytes.
const SECTOR: usize = 512;

#[derive(Debug, Clone)]
pub enum Step {
    Length(usize),
    Write(usize, Vec<u8>),
    Sync,
}

#[derive(Debug, Default)]
pub struct Log {
    current: Vec<u8>,
    steps: Vec<Step>,
    syncs: usize,
}

/// A disk that remembers each write and sync.
#[derive(Debug, Clone, Default)]
pub struct LoggedDisk(Arc<Mutex<Log>>);

impl LoggedDisk {
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Log {
            current: bytes,
            ..Log::default()
        })))
    }

    pub fn syncs(&self) -> usize {
        self.0.lock().unwrap().syncs
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

fn write_at(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}

impl StorageBackend for LoggedDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let log = self.0.lock().unwrap();
        let from = place(offset);
        out.copy_from_slice(
            log.current
                .get(from..from + out.len())
                .ok_or(io::ErrorKind::UnexpectedEof)?,
        );
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut log = self.0.lock().unwrap();
        log.current.resize(place(len), 0);
        log.steps.push(Step::Length(place(len)));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut log = self.0.lock().unwrap();
        log.steps.push(Step::Sync);
        log.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut log = self.0.lock().unwrap();
        write_at(&mut log.current, place(offset), data);
        log.steps.push(Step::Write(place(offset), data.to_vec()));
        Ok(())
    }
}

/// The answers that the workload received, and after how many syncs.
#[derive(Debug, Default)]
struct Told {
    events: Vec<(usize, Seq, Event)>,
    documents: Vec<(usize, Document)>,
    progress: Vec<(usize, DocumentNumber, Progress)>,
}

/// Devices publish (and repeat themselves), documents are sealed and go their way.
async fn work(disk: &LoggedDisk) -> Told {
    let config = config::Journal::default();
    let (journal, writer) = Journal::open_on(disk.clone(), &config).unwrap();
    let rules = config::Documents {
        lines_max: 3,
        events_max: 6,
        idle_s: 5,
        age_s: 20,
        ..config::Documents::default()
    };
    let mut assembly = Assembly::new(&journal, &rules);
    let mut random = Random(7);
    let mut told = Told::default();
    let mut sealed = DocumentNumber::ZERO;
    for second in 0..60 {
        let batch: Vec<Event> = (0..=random.below(4))
            .map(|_| {
                let (device, id) = (
                    format!("pda{}", random.below(3)),
                    random.below(200).to_string(),
                );
                match random.below(8) {
                    0 => scan(&device, &id, "X", second),
                    product => transfer(&device, &id, &format!("P{product}"), "A", "B", second),
                }
            })
            .collect();
        let answers = journal
            .inbox()
            .append(batch.iter().cloned().map(Ok).collect())
            .await
            .unwrap();
        for (event, answer) in batch.into_iter().zip(answers) {
            if let Accepted::Stored { seq } = answer {
                told.events.push((disk.syncs(), seq, event));
            }
        }
        assembly.advance(&journal, second).await;
        for entry in journal.documents(None, sealed, 100).unwrap() {
            sealed = entry.document.number;
            told.progress.push((disk.syncs(), sealed, entry.progress));
            told.documents.push((disk.syncs(), entry.document));
        }
        if sealed > DocumentNumber::ZERO {
            let number = DocumentNumber::new(1 + random.below(sealed.get()));
            let before = journal.document(number).unwrap().unwrap().progress.state;
            let next = progress(
                if before == State::Waiting {
                    State::Sending
                } else {
                    State::Posted
                },
                second,
            );
            let change = Change {
                number,
                expect: before,
                progress: next.clone(),
                by: "forward".to_owned(),
                note: String::new(),
            };
            assert_eq!(journal.inbox().change(vec![change]).await.unwrap(), [true]);
            told.progress.push((disk.syncs(), number, next));
        }
    }
    adds_up(&journal);
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
    told
}

/// Opens the disk as it was after this number of syncs, and looks for every answer that the
/// workload had received by then.
async fn look(bytes: Vec<u8>, syncs: usize, told: &Told, what: &str) {
    let disk = LoggedDisk::holding(bytes);
    let (journal, writer) = Journal::open_on(disk, &config::Journal::default())
        .unwrap_or_else(|error| panic!("after sync {syncs}, {what}: {error}"));
    adds_up(&journal);
    let mut again = Vec::new();
    for (_, seq, event) in told.events.iter().filter(|(at, ..)| *at <= syncs) {
        let found = journal.event(*seq).unwrap();
        assert_eq!(
            found.map(|found| found.event).as_ref(),
            Some(event),
            "after sync {syncs}, {what}: event {seq} is missing"
        );
        again.push((*seq, event.clone()));
    }
    let documents: BTreeMap<DocumentNumber, &Document> = told
        .documents
        .iter()
        .map(|(_, document)| (document.number, document))
        .collect();
    let found = journal
        .documents(None, DocumentNumber::ZERO, 100_000)
        .unwrap();
    for entry in &found {
        let number = entry.document.number;
        // Perhaps not yet confirmed, but never different from what is confirmed in the end.
        if let Some(document) = documents.get(&number) {
            assert_eq!(
                entry.document, **document,
                "after sync {syncs}, {what}: document {number} changed after its seal"
            );
        }
        let steps = || told.progress.iter().filter(|(_, of, _)| *of == number);
        let last_told = steps()
            .rfind(|(at, ..)| *at <= syncs)
            .map(|(_, _, progress)| progress);
        let first_after = steps()
            .find(|(at, ..)| *at > syncs)
            .map(|(_, _, progress)| progress);
        let is = Some(&entry.progress);
        assert!(
            is == last_told || is == first_after,
            "after sync {syncs}, {what}: document {number} is {is:?}, not {last_told:?}"
        );
    }
    let there = |document: &Document| {
        found
            .iter()
            .any(|entry| entry.document.number == document.number)
    };
    assert!(
        told.documents
            .iter()
            .filter(|(at, _)| *at <= syncs)
            .all(|(_, document)| there(document)),
        "a document is missing"
    );

    let repeated = journal
        .inbox()
        .append(again.iter().map(|(_, event)| Ok(event.clone())).collect())
        .await
        .unwrap();
    let expected: Vec<_> = again
        .iter()
        .map(|(seq, _)| Accepted::Duplicate { original: *seq })
        .collect();
    assert_eq!(repeated, expected, "after sync {syncs}, {what}");
    let fresh = journal
        .inbox()
        .append(vec![Ok(scan("new", "new", "X", 99))])
        .await
        .unwrap();
    let highest = again.iter().map(|(seq, _)| *seq).max().unwrap_or_default();
    assert!(
        matches!(fresh[0], Accepted::Stored { seq } if seq > highest),
        "after sync {syncs}, {what}: {fresh:?}"
    );
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
}

/// Adds what was written since the last sync to what is durable: sector by sector, as `keep` says.
fn torn(durable: &[u8], since: &[Step], mut keep: impl FnMut() -> bool) -> Vec<u8> {
    let mut bytes = durable.to_vec();
    for step in since {
        match step {
            Step::Length(length) => bytes.resize(*length, 0),
            Step::Write(offset, data) => {
                for (sector, piece) in data.chunks(SECTOR).enumerate() {
                    if keep() {
                        write_at(&mut bytes, offset + sector * SECTOR, piece);
                    }
                }
            }
            Step::Sync => {}
        }
    }
    bytes
}

/// What a power cut leaves.
pub struct Cut {
    pub bytes: Vec<u8>,
    /// How many had ended.
    pub syncs: usize,
    pub what: &'static str,
}

/// Every moment from the first commit on at which what is on the disk differs: before that there is
/// no journal to lose; redb's own creation is its own affair.
pub fn cuts(disk: &LoggedDisk, created: usize) -> impl Iterator<Item = Cut> + use<> {
    let steps = std::mem::take(&mut disk.0.lock().unwrap().steps);
    let mut random = Random(11);
    let (mut durable, mut since, mut syncs) = (Vec::new(), Vec::new(), 0);
    steps.into_iter().flat_map(move |step| {
        if !matches!(step, Step::Sync) {
            since.push(step);
            return Vec::new();
        }
        let cut = |bytes, syncs, what| Cut { bytes, syncs, what };
        let lost = torn(&durable, &since, || false);
        let some = torn(&durable, &since, || random.below(2) == 0);
        durable = torn(&durable, &since, || true);
        since.clear();
        let before = [
            cut(lost, syncs, "all since lost"),
            cut(some, syncs, "some since lost"),
        ];
        syncs += 1;
        let mut cuts = Vec::from(before);
        cuts.push(cut(durable.clone(), syncs, "at the sync"));
        cuts.retain(|cut| cut.syncs >= created);
        cuts
    })
}

#[tokio::test]
async fn at_every_sync_nothing_that_was_acknowledged_is_missing_and_no_sealed_document_has_changed()
{
    let disk = LoggedDisk::default();
    let told = work(&disk).await;
    assert!(
        told.events.len() > 50 && told.documents.len() > 10 && told.progress.len() > 40,
        "the workload does too little"
    );
    let mut syncs = 0;
    for cut in cuts(&disk, told.events[0].0) {
        syncs = cut.syncs;
        look(cut.bytes, cut.syncs, &told, cut.what).await;
    }
    assert!(syncs > 150, "{syncs} syncs");
}
