//! Fair shares of the journal: of its commits, of its budget, and of a disk that another process
//! fills.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use stockrelay::config;
use stockrelay::event::{Event, Rejection, Seq};
use stockrelay::fair::{Lane, Origin};
use stockrelay::journal::{Accepted, AppendError, Journal, WriterHandle};
use tokio::task::JoinHandle;

use crate::floor::{name, transfer};

/// Longer than anything here takes; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn lane(address: u8, device: &str) -> Lane {
    let origin = Origin::Address(IpAddr::from([10, 0, 0, address]));
    Lane::device(origin, &name(device))
}

pub fn events(device: &str, first: u64, count: u64) -> Vec<Result<Event, Rejection>> {
    (first..first + count)
        .map(|n| Ok(transfer(device, &n.to_string(), "P", "A", "B", 1)))
        .collect()
}

/// A disk in memory whose syncs wait and whose writes find no room, as the test wants it.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    state: Arc<(Mutex<State>, Condvar)>,
}

/// One file of the disk.
#[derive(Debug)]
struct DiskFile {
    storage: InMemoryBackend,
    disk: Disk,
}

#[derive(Debug, Default)]
pub struct State {
    pub is_held: bool,
    pub is_full: bool,
    refused: usize,
    pub writes: usize,
}

impl Disk {
    fn file(&self) -> DiskFile {
        DiskFile {
            storage: InMemoryBackend::new(),
            disk: self.clone(),
        }
    }

    pub fn open(&self, config: &config::Journal) -> (Journal, WriterHandle) {
        Journal::open_on(self.file(), self.file(), config).unwrap()
    }

    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.0.lock().unwrap());
        self.state.1.notify_all();
    }

    pub fn writes(&self) -> usize {
        self.state.0.lock().unwrap().writes
    }

    fn refused(&self) -> usize {
        self.state.0.lock().unwrap().refused
    }
}

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        self.storage.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.storage.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.storage.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let state = self.disk.state.0.lock().unwrap();
        drop(self.disk.state.1.wait_while(state, |state| state.is_held));
        self.storage.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state.0.lock().unwrap();
        if state.is_full {
            state.refused += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.writes += 1;
        drop(state);
        self.storage.write(offset, data)
    }
}

pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
    assert!(in_time, "never: {what}");
}

#[tokio::test]
async fn a_device_is_in_the_next_commit_whatever_others_have_sent_before() {
    let disk = Disk::default();
    let config = config::Journal::default();
    let (journal, _writer) = disk.open(&config);
    let inbox = journal.inbox();
    // The writer is in the middle of a commit while all of them arrive.
    disk.set(|state| state.is_held = true);
    let mut first = Box::pin(inbox.append_in(lane(9, "first"), events("first", 0, 1), Vec::new()));
    assert!((&mut first).now_or_never().is_none());
    until("the writer has taken the first", || inbox.waiting() == 0).await;
    let mut greedy: Vec<_> = (0..200)
        .map(|n| {
            let events = events("greedy", n * 500, 500);
            Box::pin(inbox.append_in(lane(1, "greedy"), events, Vec::new()))
        })
        .collect();
    for request in &mut greedy {
        assert!(request.now_or_never().is_none());
        // Else tokio lets this task do no more in one go.
        tokio::task::yield_now().await;
    }
    let modest = [lane(2, "modest"), lane(1, "neighbour")];
    let mut modest: Vec<_> = (modest.into_iter())
        .map(|lane| {
            let device = lane.device.clone().unwrap();
            let events = events(device.as_str(), 0, 1);
            Box::pin(inbox.append_in(lane, events, Vec::new()))
        })
        .collect();
    for request in &mut modest {
        assert!(request.now_or_never().is_none());
    }
    disk.set(|state| state.is_held = false);
    first.await.unwrap();
    for request in modest {
        let accepted = request.await.unwrap();
        let [Accepted::Stored { seq }] = accepted[..] else {
            panic!("{accepted:?}");
        };
        assert!(seq <= Seq::new(1_100), "after {seq} events of another");
    }
}

#[tokio::test]
async fn the_last_part_of_the_budget_is_for_devices_with_less_than_their_share() {
    let dir = tempfile::tempdir().unwrap();
    let config = config::Journal {
        budget_bytes: 4 << 20,
        ..config::Journal::default()
    };
    let (journal, writer) = Journal::open(dir.path(), &config).unwrap();
    let fill = async |journal: &Journal, device: &str, first: u64| {
        let mut stored = 0;
        loop {
            let batch = events(device, first + stored, 100);
            let kept = journal
                .inbox()
                .append_in(lane(1, device), batch, Vec::new());
            match kept.await {
                Ok(_) => stored += 100,
                Err(error) => return (stored, error),
            }
            assert!(stored < 100_000, "4 MiB hold no {stored} events");
        }
    };
    let (stored, error) = fill(&journal, "greedy", 0).await;
    assert_eq!(error, AppendError::Share);
    assert!(error.to_string().contains("journal.reserve"), "{error}");
    assert!(!journal.totals().full);
    for device in ["modest", "other"] {
        let batch = events(device, 0, 100);
        let kept = journal
            .inbox()
            .append_in(lane(1, device), batch, Vec::new());
        assert_eq!(kept.await.unwrap().len(), 100);
    }
    // After a restart as well: who holds what is on disk.
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
    let (journal, writer) = Journal::open(dir.path(), &config).unwrap();
    // What the last commits before the restart had freed is free by now.
    let (again, error) = fill(&journal, "greedy", stored).await;
    assert_eq!(error, AppendError::Share);
    assert!(again < stored / 4, "{again} after {stored}");
    // Others fill the rest, until nobody has room.
    let (filled, error) = fill(&journal, "third", 0).await;
    assert!(filled > 100, "{filled}");
    assert!(error.is_full(), "{error}");
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
}

type Appended = Result<Vec<Accepted>, AppendError>;

/// A journal whose disk was filled after its commit had begun, and the append that waits for room.
async fn filled_in_a_commit() -> (Disk, Journal, WriterHandle, JoinHandle<Appended>) {
    let disk = Disk::default();
    let config = config::Journal::default();
    let (journal, writer) = disk.open(&config);
    disk.set(|state| state.is_full = true);
    let inbox = journal.inbox().clone();
    let waiting = tokio::spawn(async move {
        let kept = inbox.append_in(lane(1, "pda"), events("pda", 0, 1), Vec::new());
        kept.await
    });
    until("the commit finds no room", || disk.refused() > 1).await;
    (disk, journal, writer, waiting)
}

#[tokio::test]
async fn a_disk_that_is_filled_in_the_middle_of_a_commit_is_waited_for() {
    let (disk, journal, writer, waiting) = filled_in_a_commit().await;
    assert!(!waiting.is_finished(), "acknowledged without room");
    assert!(journal.totals().full, "and the status says so");
    // What is on disk can be read meanwhile.
    assert_eq!(journal.events(Seq::ZERO, 10).unwrap(), []);
    disk.set(|state| state.is_full = false);
    let kept = tokio::time::timeout(PATIENCE, waiting).await;
    let kept = kept.expect("it goes on by itself").unwrap().unwrap();
    assert_eq!(kept, [Accepted::Stored { seq: Seq::new(1) }]);
    assert!(!journal.totals().full);
    assert_eq!(journal.events(Seq::ZERO, 10).unwrap().len(), 1);
    journal.inbox().close().await.unwrap();
    drop(journal);
    writer.join().unwrap();
}

#[tokio::test]
async fn the_gateway_can_be_stopped_while_it_waits_for_the_disk() {
    let (_disk, journal, writer, waiting) = filled_in_a_commit().await;
    journal.give_up_waiting();
    let kept = tokio::time::timeout(PATIENCE, waiting).await;
    let kept = kept.expect("it ends").unwrap();
    assert_eq!(kept, Err(AppendError::Stopped));
    drop(journal);
    writer.join().unwrap_err();
}
