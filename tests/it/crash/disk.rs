//! A disk in memory with two files, the tables and the log. It remembers each write, change of
//! length and sync, so that a test can make what a power cut would have left. From any step on it
//! can be full, or fail once.
//!
//! A sync of one file says nothing about the other. Of what was written since the last sync of a
//! file, a power cut loses any part: each sector and each change of length is there or is not.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use redb::StorageBackend;
use stockrelay::config;
use stockrelay::journal::{Fatal, Journal, WriterHandle};

use crate::moves::Random;

/// What a disk keeps or loses at once, in bytes.
const SECTOR: usize = 512;

/// The bytes of the tables, and of the log.
pub type Files = [Vec<u8>; 2];
pub const TABLES: usize = 0;
pub const LOG: usize = 1;

#[derive(Debug, Clone)]
enum Step {
    Length(usize),
    Write(usize, Vec<u8>),
    Sync,
}

/// What the disk does wrong, from the step with a number on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// No write and no change of length finds room, until the fault is removed.
    Full { from: usize },
    /// This one write, change of length or sync fails.
    Broken { at: usize },
}

#[derive(Debug, Default)]
struct Steps {
    before: Files,
    current: Files,
    /// Each with its file.
    done: Vec<(usize, Step)>,
    syncs: usize,
    fault: Fault,
    /// How many steps the fault has prevented.
    refused: usize,
}

impl Steps {
    /// Prevents the next step if the disk has a fault.
    fn attempt(&mut self, step: &Step) -> io::Result<()> {
        let next = self.done.len();
        let kind = match self.fault {
            Fault::Full { from } if next >= from && !matches!(step, Step::Sync) => {
                io::ErrorKind::StorageFull
            }
            Fault::Broken { at } if next >= at => {
                self.fault = Fault::None;
                io::ErrorKind::Other
            }
            _ => return Ok(()),
        };
        self.refused += 1;
        Err(kind.into())
    }

    fn run(&mut self, file: usize, step: Step) -> io::Result<()> {
        self.attempt(&step)?;
        match &step {
            Step::Length(length) => self.current[file].resize(*length, 0),
            Step::Write(offset, data) => write_at(&mut self.current[file], *offset, data),
            Step::Sync => self.syncs += 1,
        }
        self.done.push((file, step));
        Ok(())
    }
}

/// The disk. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LoggedDisk(Arc<(Mutex<Steps>, Condvar)>);

/// One file of the disk.
#[derive(Debug)]
struct LoggedFile(LoggedDisk, usize);

impl LoggedDisk {
    pub fn holding(files: Files) -> Self {
        let steps = Steps {
            before: files.clone(),
            current: files,
            ..Steps::default()
        };
        Self(Arc::new((Mutex::new(steps), Condvar::new())))
    }

    fn lock(&self) -> MutexGuard<'_, Steps> {
        self.0.0.lock().unwrap()
    }

    pub fn files(&self) -> Files {
        self.lock().current.clone()
    }

    pub fn syncs(&self) -> usize {
        self.lock().syncs
    }

    /// How many steps a fault has prevented.
    pub fn refused(&self) -> usize {
        self.lock().refused
    }

    /// What was done from this step on.
    pub fn describe(&self, from: usize) -> Vec<String> {
        let disk = self.lock();
        let steps = disk.done.iter().skip(from).map(|(file, step)| {
            let file = ["tables", "log"][*file];
            match step {
                Step::Length(length) => format!("{file}: length {length}"),
                Step::Write(offset, data) => format!("{file}: {} bytes at {offset}", data.len()),
                Step::Sync => format!("{file}: sync"),
            }
        });
        steps.collect()
    }

    /// How many writes, changes of length and syncs there were.
    pub fn steps(&self) -> usize {
        self.lock().done.len()
    }

    pub fn set_fault(&self, fault: Fault) {
        self.lock().fault = fault;
        self.0.1.notify_all();
    }

    /// Waits until the fault has prevented this number of steps. False: it was removed before.
    pub fn wait_for_refused(&self, count: usize) -> bool {
        let steps = self.lock();
        let waits = |steps: &mut Steps| steps.refused < count && steps.fault != Fault::None;
        self.0.1.wait_while(steps, waits).unwrap().refused >= count
    }

    /// How many of these syncs were of the tables. A commit needs two.
    pub fn syncs_of_tables(&self, which: Range<usize>) -> usize {
        let disk = self.lock();
        let steps = disk.done.iter();
        let syncs = steps.filter(|(_, step)| matches!(step, Step::Sync));
        let syncs = syncs.skip(which.start).take(which.len());
        syncs.filter(|(file, _)| *file == TABLES).count()
    }

    pub fn open(&self) -> (Journal, WriterHandle) {
        self.open_with(&config::Journal::default()).unwrap()
    }

    pub fn open_with(&self, config: &config::Journal) -> Result<(Journal, WriterHandle), Fatal> {
        let file = |number| LoggedFile(self.clone(), number);
        Journal::open_on(file(TABLES), file(LOG), config)
    }

    /// What a power cut leaves before the step with this number: each part that was not synced is
    /// there as `keep` says.
    pub fn cut_before(&self, step: usize, mut keep: impl FnMut() -> bool) -> Files {
        let disk = self.lock();
        let mut cutting = Cutting::new(disk.before.clone());
        for (file, step) in &disk.done[..step] {
            cutting.add(*file, step.clone());
        }
        cutting.files(|_| keep())
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

impl LoggedFile {
    fn run(&self, step: Step) -> io::Result<()> {
        let done = self.0.lock().run(self.1, step);
        self.0.0.1.notify_all();
        done
    }
}

impl StorageBackend for LoggedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().current[self.1].len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.0.lock();
        let from = place(offset);
        out.copy_from_slice(
            disk.current[self.1]
                .get(from..from + out.len())
                .ok_or(io::ErrorKind::UnexpectedEof)?,
        );
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.run(Step::Length(place(len)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.run(Step::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.run(Step::Write(place(offset), data.to_vec()))
    }
}

/// What is durable, and what was written since.
struct Cutting {
    durable: Files,
    since: [Vec<Step>; 2],
}

impl Cutting {
    fn new(durable: Files) -> Self {
        Self {
            durable,
            since: [const { Vec::new() }; 2],
        }
    }

    fn add(&mut self, file: usize, step: Step) {
        if matches!(step, Step::Sync) {
            self.durable[file] = torn(&self.durable[file], &self.since[file], || true);
            self.since[file].clear();
        } else {
            self.since[file].push(step);
        }
    }

    fn has_unsynced(&self, file: usize) -> bool {
        !self.since[file].is_empty()
    }

    /// `keep`: whether a part of this file is kept.
    fn files(&self, mut keep: impl FnMut(usize) -> bool) -> Files {
        let mut torn_file =
            |file: usize| torn(&self.durable[file], &self.since[file], || keep(file));
        [torn_file(TABLES), torn_file(LOG)]
    }
}

/// Adds what was written since the last sync to what is durable. `keep`: whether a sector, or a
/// change of length, is there. What was written behind the end is not there if the length is not.
fn torn(durable: &[u8], since: &[Step], mut keep: impl FnMut() -> bool) -> Vec<u8> {
    let mut bytes = durable.to_vec();
    for step in since {
        match step {
            Step::Length(length) => {
                if keep() {
                    bytes.resize(*length, 0);
                }
            }
            Step::Write(offset, data) => {
                for (sector, piece) in data.chunks(SECTOR).enumerate() {
                    let at = offset + sector * SECTOR;
                    if keep() && at + piece.len() <= bytes.len() {
                        write_at(&mut bytes, at, piece);
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
    pub files: Files,
    /// How many had ended.
    pub syncs: usize,
    pub what: &'static str,
}

/// Every moment from this sync on at which what is on the disk differs. Before the first commit
/// there is no journal to lose.
pub fn cuts(disk: &LoggedDisk, created: usize) -> impl Iterator<Item = Cut> + use<> {
    let (before, steps) = {
        let mut disk = disk.lock();
        (disk.before.clone(), std::mem::take(&mut disk.done))
    };
    let mut random = Random(11);
    let (mut cutting, mut syncs) = (Cutting::new(before), 0);
    steps.into_iter().flat_map(move |(file, step)| {
        let is_sync = matches!(step, Step::Sync);
        if !is_sync || syncs + 1 < created {
            cutting.add(file, step);
            syncs += usize::from(is_sync);
            return Vec::new();
        }
        let mut cuts = Vec::new();
        let mut push = |files, syncs, what| cuts.push(Cut { files, syncs, what });
        // That all is lost, and that nothing is, are the moments after the syncs.
        if syncs >= created {
            let some = cutting.files(|_| random.below(2) == 0);
            push(some, syncs, "some since lost");
            if cutting.has_unsynced(TABLES) && cutting.has_unsynced(LOG) {
                let tables = cutting.files(|file| file == TABLES);
                push(tables, syncs, "of the log all since lost");
                let log = cutting.files(|file| file == LOG);
                push(log, syncs, "of the tables all since lost");
            }
        }
        cutting.add(file, step);
        syncs += 1;
        let lost = cutting.files(|_| false);
        push(lost, syncs, "at the sync, the rest lost");
        if cutting.has_unsynced(TABLES) || cutting.has_unsynced(LOG) {
            let kept = cutting.files(|_| true);
            push(kept, syncs, "at the sync, the rest kept");
        }
        cuts
    })
}
