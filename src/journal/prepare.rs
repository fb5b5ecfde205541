//! Makes the tables of an open file those of this version, with everything that the log has:
//! creates them, converts those of an older format, and takes over the log.
//!
//! Each of them is one durable commit, so a power cut leaves what was before or what is after.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::time::Duration;

use redb::{
    Database, Durability, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    StorageBackend, WriteTransaction,
};

use super::changes::{self, Changing, Noted};
use super::log::Log;
use super::stored::{self, LogHead, Room};
use super::{Fatal, ids, rejected, tables};
use crate::clock;

/// The version of the tables' layout. The gateway refuses a newer version.
pub(super) const FORMAT: &[u8] = b"3";
/// The layout with shorter filters of event ids only, and perhaps without a search index.
const FORMAT_2: &[u8] = b"2";
/// The layout before the log: it has no log, and filters of event ids in another form.
const FORMAT_1: &[u8] = b"1";
/// How often a conversion reports its progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// The first bytes of a file of redb, which redb writes last when it creates the file.
const MAGIC_BYTES: usize = 9;
/// The header of a file of redb.
const HEADER_BYTES: usize = 4_096;
/// redb creates a file that is much smaller.
const UNFINISHED_BYTES_MAX: u64 = 1 << 20;

/// Whether redb began to create this file and did not finish: the process was killed, or the power
/// failed, at the first start. The file has no page then.
pub(super) fn is_unfinished(storage: &impl StorageBackend) -> io::Result<bool> {
    let length = storage.len()?;
    if length == 0 || length > UNFINISHED_BYTES_MAX {
        return Ok(false);
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    storage.read(0, &mut bytes)?;
    let is_header = |place| (MAGIC_BYTES..HEADER_BYTES).contains(&place);
    let mut rest = bytes.iter().enumerate();
    Ok(rest.all(|(place, byte)| *byte == 0 || is_header(place)))
}

/// Empties a file that redb did not finish, so that redb creates it again.
pub(super) fn empty_unfinished(storage: &impl StorageBackend) -> io::Result<()> {
    if is_unfinished(storage)? {
        storage.set_len(0)?;
    }
    Ok(())
}

/// What opening found.
pub(super) struct Prepared {
    pub log: Log,
    pub room: Room,
}

/// `open_log` opens the log of the journal with this head.
pub(super) fn prepare(
    database: &Database,
    open_log: impl FnOnce(LogHead) -> io::Result<Box<dyn StorageBackend>>,
) -> Result<Prepared, Fatal> {
    match meta(database, "format")? {
        None => create(database)?,
        Some(format) if format == FORMAT => make_missing_tables(database)?,
        Some(format) if format == FORMAT_2 => convert_format_2(database)?,
        Some(format) if format == FORMAT_1 => convert(database)?,
        Some(format) => {
            return Err(Fatal::Format(String::from_utf8_lossy(&format).into_owned()));
        }
    }
    let head = meta(database, tables::LOG)?
        .ok_or_else(|| Fatal::Damage("it does not say where its log begins".to_owned()))?;
    let head = stored::log_head_out(&head)?;
    let room = meta(database, tables::ROOM)?;
    let mut room = room.map_or(Ok(Room::default()), |room| stored::room_out(&room))?;
    let file = open_log(head).map_err(redb::StorageError::from)?;
    let (mut log, recovered) = Log::recover(file, head)?;
    if !head.is_clean {
        let write = begin(database)?;
        let changes = Changing::new(&write, Noted::default());
        recovered.repeat(|change| changes::repeat(&changes, change))?;
        let grown = changes.into_noted().grown;
        room.records = room.records.saturating_add_signed(grown);
        log.skip_numbers();
        let head = log.next_head(false);
        store(&write, head, room)?;
        write.commit()?;
        log.restart(head);
    }
    Ok(Prepared { log, room })
}

/// Stores what a durable commit of the tables stores in addition to its changes.
pub(super) fn store(write: &WriteTransaction, head: LogHead, room: Room) -> Result<(), Fatal> {
    let mut meta = write.open_table(tables::META)?;
    meta.insert(tables::LOG, stored::log_head_in(head)?.as_slice())?;
    meta.insert(tables::ROOM, stored::room_in(room)?.as_slice())?;
    Ok(())
}

/// Begins a durable transaction. Its two-phase commit writes the allocator's state, so that opening
/// after a kill takes milliseconds.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, Fatal> {
    let mut write = database.begin_write()?;
    make_durable(&mut write)?;
    Ok(write)
}

/// Makes a transaction durable, with all transactions before it.
pub(super) fn make_durable(write: &mut WriteTransaction) -> Result<(), Fatal> {
    write.set_durability(Durability::Immediate)?;
    write.set_quick_repair(true);
    Ok(())
}

fn meta(database: &Database, key: &str) -> Result<Option<Vec<u8>>, Fatal> {
    match database.begin_read()?.open_table(tables::META) {
        Ok(meta) => Ok(meta.get(key)?.map(|value| value.value().to_vec())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The head of the log of a new journal.
pub(super) fn first_head() -> LogHead {
    LogHead {
        // Random: std seeds each of these hashers with other keys.
        journal: RandomState::new().build_hasher().finish(),
        next: 1,
        is_clean: true,
        length: 0,
    }
}

/// Creates all tables, so that readers find them.
pub(super) fn create(database: &Database) -> Result<(), Fatal> {
    let write = begin(database)?;
    write.open_table(tables::EVENTS)?;
    write.open_table(tables::EVENT_DOCUMENT)?;
    write.open_table(tables::REPEATS)?;
    write.open_table(tables::REJECTED)?;
    write.open_table(tables::DEVICES)?;
    write.open_table(tables::ID_BUCKETS)?;
    write.open_table(tables::ID_FILTERS)?;
    write.open_table(tables::DOCUMENTS)?;
    write.open_table(tables::PROGRESS)?;
    write.open_table(tables::DOCUMENT_KEYS)?;
    write.open_table(tables::BY_STATE)?;
    write.open_table(tables::AUDIT)?;
    write.open_table(tables::SIDE_VALUES)?;
    write.open_table(tables::PERIODS)?;
    rejected::make_tables(&write, false)?;
    make_search_tables(&write)?;
    let mut meta = write.open_table(tables::META)?;
    meta.insert("format", FORMAT)?;
    for upto in [tables::TERMS_UPTO, tables::LINE_TERMS_UPTO] {
        meta.insert(upto, stored::terms_upto_in(None).as_slice())?;
    }
    drop(meta);
    store(&write, first_head(), Room::default())?;
    write.commit()?;
    Ok(())
}

/// Converts a journal of format 1.
fn convert(database: &Database) -> Result<(), Fatal> {
    tracing::info!(
        "converts the journal to format 3, once: an older version cannot open it afterwards"
    );
    let begun = clock::instant();
    let write = begin(database)?;
    complete_tables(database, &write)?;
    convert_segments(&write)?;
    make_search_tables(&write)?;
    tracing::info!("counts the pages of the journal");
    let stats = write.stats()?;
    let records = stats.stored_bytes();
    let pages = stats.allocated_pages() * stats.page_size() as u64;
    let room = Room {
        records,
        records_full: records,
        pages_full: pages,
    };
    write.open_table(tables::META)?.insert("format", FORMAT)?;
    store(&write, first_head(), room)?;
    write.commit()?;
    tracing::info!(
        "the journal has format 3, after {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Makes a journal of format 2 one of this format, which an older version cannot read. The daemon
/// then fills the search index in the background.
fn convert_format_2(database: &Database) -> Result<(), Fatal> {
    let write = begin(database)?;
    make_search_tables(&write)?;
    write.open_table(tables::META)?.insert("format", FORMAT)?;
    write.commit()?;
    tracing::info!("the journal has format 3 now: an older version cannot open it");
    Ok(())
}

fn make_search_tables(write: &WriteTransaction) -> Result<(), Fatal> {
    write.open_table(tables::SEARCH_SEGMENTS)?;
    write.open_table(tables::SEARCH_BLOCKS)?;
    write.open_table(tables::DOCUMENT_TERMS)?;
    write.open_table(tables::WRONG_SCANS)?;
    Ok(())
}

/// Makes the tables that a journal of this format may lack, so that readers find them.
fn make_missing_tables(database: &Database) -> Result<(), Fatal> {
    let opened = database.begin_read()?.open_table(tables::WRONG_SCANS);
    match opened.err() {
        None => Ok(()),
        Some(redb::TableError::TableDoesNotExist(_)) => {
            let write = begin(database)?;
            make_search_tables(&write)?;
            write.commit()?;
            Ok(())
        }
        Some(error) => Err(error.into()),
    }
}

/// Creates the tables that a journal of an older version lacks.
fn complete_tables(database: &Database, write: &WriteTransaction) -> Result<(), Fatal> {
    let read = database.begin_read()?;
    let is_missing = |opened: Option<redb::TableError>| match opened {
        None => Ok(false),
        Some(redb::TableError::TableDoesNotExist(_)) => Ok(true),
        Some(error) => Err(error),
    };
    let lacks_open = is_missing(read.open_table(tables::REJECTED_OPEN).err())?;
    if lacks_open || is_missing(read.open_table(tables::REJECTED_ID).err())? {
        rejected::make_tables(write, !lacks_open)?;
    }
    Ok(())
}

/// Gives the filters of event ids their new form.
fn convert_segments(write: &WriteTransaction) -> Result<(), Fatal> {
    let buckets = write.open_table(tables::ID_BUCKETS)?;
    let mut segments = write.open_table(tables::ID_FILTERS)?;
    let all = segments.len()?;
    let (mut done, mut last) = (0, None);
    let mut said = clock::instant();
    loop {
        let next = match last {
            None => segments.first()?,
            Some(last) => segments.range(last + 1..)?.next().transpose()?,
        };
        let Some((number, old)) = next.map(|(number, old)| (number.value(), old.value().to_vec()))
        else {
            return Ok(());
        };
        let mut entries = Vec::new();
        for entry in buckets.range((number, 0)..=(number, u16::MAX))? {
            entries.push(entry?.1.value().to_vec());
        }
        let new = ids::converted(&old, entries.iter().map(Vec::as_slice))?;
        segments.insert(number, new.as_slice())?;
        (done, last) = (done + 1, Some(number));
        if said.elapsed() >= PROGRESS_EVERY {
            said = clock::instant();
            tracing::info!("has converted {done} of {all} segments of event ids");
        }
    }
}
