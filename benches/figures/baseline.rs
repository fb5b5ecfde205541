//! The baselines: a bare redb with default settings that commits each event by itself, and a bare
//! file to which each event is appended.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use redb::TableDefinition;
use stockrelay::clock;

use crate::load::{Ids, payload};
use crate::percentile::Percentiles;
use crate::process::Usage;

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
const SEEN: TableDefinition<[u8; 16], u64> = TableDefinition::new("seen");
/// The length of an appended record: a short event with what a log needs to read it back.
const RECORD_BYTES: usize = 300;

/// Durable writes, one after the other.
pub struct Commits {
    times: Vec<Duration>,
    written_bytes: u64,
}

impl Commits {
    /// Events a second.
    pub fn rate(&self) -> f64 {
        self.times.len() as f64 / self.times.iter().sum::<Duration>().as_secs_f64()
    }

    pub fn percentiles(&self) -> Percentiles {
        Percentiles::of(self.times.clone())
    }

    pub fn written_bytes_each(&self) -> f64 {
        self.written_bytes as f64 / self.times.len() as f64
    }
}

/// Makes one durable commit for each event: the payload by number, and its id to find duplicates.
pub fn commits(count: u64, ids: Ids) -> Answer<Commits> {
    let dir = tempfile::tempdir_in(crate::daemon::scratch()?)?;
    let database = redb::Database::create(dir.path().join("baseline.redb"))?;
    let before = Usage::of(std::process::id())?;
    let mut times = Vec::new();
    for seq in 0..count {
        let payload = payload(ids, seq);
        let mut id = [0; 16];
        id.copy_from_slice(&ids.id(seq).as_bytes()[..16]);
        let begun = clock::instant();
        let write = database.begin_write()?;
        write.open_table(EVENTS)?.insert(seq, payload.as_bytes())?;
        write.open_table(SEEN)?.insert(id, seq)?;
        write.commit()?;
        times.push(begun.elapsed());
    }
    let written_bytes = Usage::of(std::process::id())?.since(before).written_bytes;
    Ok(Commits {
        times,
        written_bytes,
    })
}

/// Appends one record for each event, with `fdatasync`, to a file that already has its length and
/// its blocks.
pub fn appends(count: u64) -> Answer<Commits> {
    let dir = tempfile::tempdir_in(crate::daemon::scratch()?)?;
    let mut file = File::create(dir.path().join("baseline.log"))?;
    file.write_all(&vec![0; usize::try_from(count)? * RECORD_BYTES])?;
    file.sync_all()?;
    let before = Usage::of(std::process::id())?;
    let mut times = Vec::new();
    for number in 0..count {
        let mut record = payload(Ids::Random, number).into_bytes();
        record.resize(RECORD_BYTES, b' ');
        let begun = clock::instant();
        file.write_all_at(&record, number * RECORD_BYTES as u64)?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    let written_bytes = Usage::of(std::process::id())?.since(before).written_bytes;
    Ok(Commits {
        times,
        written_bytes,
    })
}
