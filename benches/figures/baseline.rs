//! The baseline: a bare redb with default settings that commits each event by itself.

use std::time::Duration;

use redb::TableDefinition;
use stockrelay::clock;

use crate::load::{Ids, payload};
use crate::percentile::Percentiles;

const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
const SEEN: TableDefinition<[u8; 16], u64> = TableDefinition::new("seen");

pub struct Commits(Vec<Duration>);

impl Commits {
    /// Events a second.
    pub fn rate(&self) -> f64 {
        self.0.len() as f64 / self.0.iter().sum::<Duration>().as_secs_f64()
    }

    pub fn percentiles(&self) -> Percentiles {
        Percentiles::of(self.0.clone())
    }
}

/// Makes one durable commit for each event: the payload by number, and its id to find duplicates.
pub fn commits(count: u64, ids: Ids) -> Result<Commits, Box<dyn std::error::Error + Send + Sync>> {
    let dir = tempfile::tempdir_in(crate::daemon::scratch()?)?;
    let database = redb::Database::create(dir.path().join("baseline.redb"))?;
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
    Ok(Commits(times))
}
