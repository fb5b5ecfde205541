//! The baselines: a bare redb with default settings that commits each event by itself, and a bare
//! file to which each event is appended.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use redb::TableDefinition;
use stockrelay::clock;
use tempfile::TempDir;

use crate::cost::{Calls, Cost};
use crate::load::{Ids, payload};
use crate::percentile::Percentiles;
use crate::process::Usage;
use crate::trace::Trace;

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
const SEEN: TableDefinition<[u8; 16], u64> = TableDefinition::new("seen");
/// The length of an appended record: a short event with what a log needs to read it back.
const RECORD_BYTES: usize = 300;

/// One durable write for each event, one after the other.
pub struct Commits {
    folder: TempDir,
    store: Store,
    next: u64,
}

enum Store {
    Redb(redb::Database),
    File(File),
}

impl Commits {
    /// A bare redb: the payload by number, and its id to find duplicates.
    pub fn to_redb() -> Answer<Self> {
        let folder = tempfile::tempdir_in(crate::daemon::scratch()?)?;
        let database = redb::Database::create(folder.path().join("baseline.redb"))?;
        Ok(Self {
            folder,
            store: Store::Redb(database),
            next: 0,
        })
    }

    /// A file that has the length and the blocks for this many events, and `fdatasync`. Writes of
    /// `fill_bytes` fill the file before: large writes make large folios in the page cache.
    pub fn to_file(count: u64, fill_bytes: usize) -> Answer<Self> {
        let folder = tempfile::tempdir_in(crate::daemon::scratch()?)?;
        let mut file = File::create(folder.path().join("baseline.log"))?;
        for _ in 0..(usize::try_from(count)? * RECORD_BYTES).div_ceil(fill_bytes) {
            file.write_all(&vec![0; fill_bytes])?;
        }
        file.sync_all()?;
        Ok(Self {
            folder,
            store: Store::File(file),
            next: 0,
        })
    }

    /// Stores the next events. Returns how long each took.
    pub fn store(&mut self, count: u64, ids: Ids) -> Answer<Vec<Duration>> {
        let numbers = self.next..self.next + count;
        self.next += count;
        let store = |number| match &self.store {
            Store::Redb(database) => commit(database, ids, number),
            Store::File(file) => append(file, ids, number),
        };
        numbers.map(store).collect()
    }

    /// Stores the next events: `count` without strace, and then `traced` with strace.
    pub fn measure(&mut self, count: u64, traced: u64, ids: Ids) -> Answer<Cost> {
        let folder = self.folder.path().to_owned();
        let usage = || Usage::of(std::process::id(), &folder);
        let before = usage()?;
        let times = Percentiles::of(self.store(count, ids)?);
        let used = usage()?.since(before);
        let calls = match Trace::start(std::process::id())? {
            Some(trace) => {
                self.store(traced, ids)?;
                Some(Calls::of(trace.stop(&folder)?, traced))
            }
            None => None,
        };
        Ok(Cost::of(count, times, used, calls))
    }
}

fn commit(database: &redb::Database, ids: Ids, number: u64) -> Answer<Duration> {
    let payload = payload(ids, number);
    let mut id = [0; 16];
    id.copy_from_slice(&ids.id(number).as_bytes()[..16]);
    let begun = clock::instant();
    let write = database.begin_write()?;
    write
        .open_table(EVENTS)?
        .insert(number, payload.as_bytes())?;
    write.open_table(SEEN)?.insert(id, number)?;
    write.commit()?;
    Ok(begun.elapsed())
}

fn append(file: &File, ids: Ids, number: u64) -> Answer<Duration> {
    let mut record = payload(ids, number).into_bytes();
    record.resize(RECORD_BYTES, b' ');
    let begun = clock::instant();
    file.write_all_at(&record, number * RECORD_BYTES as u64)?;
    file.sync_data()?;
    Ok(begun.elapsed())
}

/// How long each commit took.
pub struct Times(Vec<Duration>);

impl Times {
    /// Events a second.
    pub fn rate(&self) -> f64 {
        self.0.len() as f64 / self.0.iter().sum::<Duration>().as_secs_f64()
    }

    pub fn percentiles(&self) -> Percentiles {
        Percentiles::of(self.0.clone())
    }
}

/// Makes one durable commit to a bare redb for each event.
pub fn commits(count: u64, ids: Ids) -> Answer<Times> {
    Ok(Times(Commits::to_redb()?.store(count, ids)?))
}
