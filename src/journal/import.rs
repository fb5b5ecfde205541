//! Reads an export of a journal (`export.rs`), and builds a new journal from it.
//!
//! **In**: lines. **Out**: [`Exported`], and with [`import`] the file `journal.redb`, which has its
//! name only after it is complete, synced, and verified: all lines, in order, with the counts and
//! the hash of the last line; then its books and its pages. The memory holds one line and what redb
//! has not written yet.
//!
//! The new journal has the mark of a restored journal (`restored.rs`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase as _, ReadableTable as _};

use super::books;
use super::changes::{self, Changing, Noted};
use super::export::Exported;
use super::open::{self, FILE, OpenError, is_missing};
use super::stored::lines::{FORMAT, Footer, Header, ParsedLine, TABLES, VERSION, parse};
use super::stored::logged::LoggedChange;
use super::stored::{self, Room};
use super::work_done::WorkDone;
use super::{Fatal, Namespace, Restored, prepare, tables, verify};
use crate::event::Name;

/// The longest line that is read, in bytes. An export has shorter ones.
const LINE_BYTES_MAX: u64 = 16 << 20;
/// A transaction of this many bytes is committed.
const TRANSACTION_BYTES: usize = 8 << 20;
const CACHE_BYTES: usize = 16 << 20;
/// The name of the file while it is built.
const UNFINISHED: &str = "journal.redb.importing";

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(
        "there is a journal in {path} already: move it away first (`mv {path}/journal.redb {path}/journal.redb.before`), or import into another data_dir", path = .0.display()
    )]
    Exists(PathBuf),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(
        "this is not an export of a journal ({0}): give a file that `stockrelay backup` or `stockrelay journal export` wrote"
    )]
    NotAnExport(String),
    #[error(
        "the export has version {0}, but this version of stockrelay reads only version {VERSION}: use the version that wrote it, or a newer one"
    )]
    Version(u64),
    #[error(
        "the export is of site {found}, but this gateway is site {own}: use the export of {own}, or correct site in the configuration"
    )]
    OtherSite { found: String, own: String },
    #[error("line {line}: {why}: the export is damaged or was changed; use another backup")]
    Line { line: u64, why: String },
    #[error(
        "the export ends after line {0}, without its last line: it is not complete; use another backup"
    )]
    Truncated(u64),
    #[error("the export has all its lines, but its books do not agree: {}; use another backup", .0.join("; "))]
    Books(Vec<String>),
    #[error("cannot read the export: {0}")]
    Input(io::Error),
    #[error("cannot write {path}: {source}: check the disk and the rights of this user", path = .path.display())]
    Output { path: PathBuf, source: io::Error },
    #[error("cannot build the journal: {0}")]
    Build(Box<Fatal>),
}

impl From<Fatal> for ImportError {
    fn from(fatal: Fatal) -> Self {
        Self::Build(Box::new(fatal))
    }
}

impl ImportError {
    /// Whether the export itself is at fault, so that another attempt ends in the same way.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::NotAnExport(_) | Self::Line { .. } | Self::Truncated(_) | Self::Books(_)
        )
    }
}

/// The lines of an export, each verified.
struct Lines<'a> {
    input: &'a mut dyn BufRead,
    hash: blake3::Hasher,
    /// The number of the line that was read last; the first has 1.
    number: u64,
    bytes: u64,
    records: BTreeMap<String, u64>,
    /// The table and the key of the record before.
    before: Option<(usize, Vec<u8>)>,
}

/// A record of an export.
struct Row {
    table: u8,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl<'a> Lines<'a> {
    /// Reads the first line. `site`: the site that the export must be of.
    fn begin(
        input: &'a mut dyn BufRead,
        site: Option<&Name>,
        progress: &WorkDone,
    ) -> Result<Self, ImportError> {
        let mut lines = Self {
            input,
            hash: blake3::Hasher::new(),
            number: 0,
            bytes: 0,
            records: BTreeMap::new(),
            before: None,
        };
        let not_one = |why: &str| ImportError::NotAnExport(why.to_owned());
        let first = match lines.read() {
            Err(ImportError::Line { why, .. }) => return Err(ImportError::NotAnExport(why)),
            other => other?,
        };
        let first = first.ok_or_else(|| not_one("it is empty"))?;
        let value: serde_json::Value =
            serde_json::from_slice(&first).map_err(|_| not_one("its first line is not JSON"))?;
        if value.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
            return Err(not_one("its first line names another format"));
        }
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => return Err(ImportError::Version(version)),
            None => return Err(not_one("its first line names no version")),
        }
        let header: Header = serde_json::from_value(value)
            .map_err(|error| ImportError::NotAnExport(error.to_string()))?;
        if let Some(own) = site.filter(|own| own.as_str() != header.site) {
            return Err(ImportError::OtherSite {
                found: header.site.chars().take(64).collect(),
                own: own.to_string(),
            });
        }
        progress.set_all(header.records);
        lines.hash.update(&first);
        Ok(lines)
    }

    /// Reads the next line with its line feed. `None`: the input has ended.
    fn read(&mut self) -> Result<Option<Vec<u8>>, ImportError> {
        let mut line = Vec::new();
        let mut limited = (&mut *self.input).take(LINE_BYTES_MAX);
        let count = limited.read_until(b'\n', &mut line);
        if count.map_err(ImportError::Input)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += line.len() as u64;
        if line.last() == Some(&b'\n') {
            return Ok(Some(line));
        }
        if line.len() as u64 >= LINE_BYTES_MAX {
            let mib = LINE_BYTES_MAX >> 20;
            return Err(self.fault(format!("it has more than {mib} MiB")));
        }
        Err(ImportError::Truncated(self.number - 1))
    }

    fn fault(&self, why: impl Into<String>) -> ImportError {
        ImportError::Line {
            line: self.number,
            why: why.into(),
        }
    }

    /// The next record. `None`: the last line agrees with all lines before it, and nothing follows.
    fn next(&mut self) -> Result<Option<Row>, ImportError> {
        let Some(line) = self.read()? else {
            return Err(ImportError::Truncated(self.number));
        };
        let (place, key, value) = match parse(&line).map_err(|why| self.fault(why))? {
            ParsedLine::Record { place, key, value } => (place, key, value),
            ParsedLine::Footer(footer) => {
                self.end(&footer)?;
                return Ok(None);
            }
        };
        self.hash.update(&line);
        let table = &TABLES[place];
        let is_after = self.before.as_ref().is_none_or(|(before, last)| {
            place > *before
                || place == *before && changes::compare_keys(table.number, &key, last).is_gt()
        });
        if !is_after {
            return Err(self.fault(format!(
                "this record of {} does not follow the record before it",
                table.name
            )));
        }
        match self.records.get_mut(table.name) {
            Some(count) => *count += 1,
            None => {
                self.records.insert(table.name.to_owned(), 1);
            }
        }
        self.before = Some((place, key.clone()));
        Ok(Some(Row {
            table: table.number,
            key,
            value,
        }))
    }

    fn end(&mut self, footer: &Footer) -> Result<(), ImportError> {
        if footer.end != self.records {
            return Err(self.fault("its counts differ from the lines before it"));
        }
        if footer.blake3 != self.hash.finalize().to_hex().as_str() {
            return Err(self.fault("its hash differs from that of the lines before it"));
        }
        if self.read()?.is_some() {
            return Err(self.fault("it follows the last line"));
        }
        Ok(())
    }

    fn into_exported(self) -> Exported {
        Exported {
            records: self.records,
            bytes: self.bytes,
        }
    }
}

/// Reads a whole export and verifies each line, without building a journal.
pub fn check_export(input: &mut dyn BufRead, progress: &WorkDone) -> Result<Exported, ImportError> {
    let mut lines = Lines::begin(input, None, progress)?;
    while lines.next()?.is_some() {
        progress.add(1);
    }
    Ok(lines.into_exported())
}

/// Builds the journal in `data_dir` from an export of this site. `None` as input: builds an empty
/// journal that replaces a lost one.
pub fn import(
    input: Option<&mut dyn BufRead>,
    site: &Name,
    data_dir: &Path,
    progress: &WorkDone,
) -> Result<Exported, ImportError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ImportError::Output { path, source }
    };
    if !is_missing(data_dir) {
        return Err(ImportError::Exists(data_dir.to_owned()));
    }
    std::fs::create_dir_all(data_dir).map_err(failed(data_dir))?;
    let _lock = open::lock(data_dir)?;
    // Also after the lock: a daemon may have created one meanwhile.
    if !is_missing(data_dir) {
        return Err(ImportError::Exists(data_dir.to_owned()));
    }
    let unfinished = data_dir.join(UNFINISHED);
    let built = build(input, site, &unfinished, progress);
    if built.is_err() {
        drop(std::fs::remove_file(&unfinished));
    }
    let exported = built?;
    std::fs::rename(&unfinished, data_dir.join(FILE)).map_err(failed(data_dir))?;
    let synced = File::open(data_dir).and_then(|folder| folder.sync_all());
    synced.map_err(failed(data_dir))?;
    Ok(exported)
}

fn build(
    input: Option<&mut dyn BufRead>,
    site: &Name,
    path: &Path,
    progress: &WorkDone,
) -> Result<Exported, ImportError> {
    let mut lines = match input {
        Some(input) => Some(Lines::begin(input, Some(site), progress)?),
        None => None,
    };
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true);
    let file = options.mode(open::FILE_MODE).open(path);
    file.map_err(|source| ImportError::Output {
        path: path.to_owned(),
        source,
    })?;
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    let database = builder.create(path).map_err(Fatal::from)?;
    prepare::create(&database)?;
    let mut room = Room::default();
    while let Some(lines) = &mut lines {
        if !fill(&database, lines, &mut room, progress)? {
            break;
        }
    }
    finish(&database, room)?;
    let read = database.begin_read().map_err(Fatal::from)?;
    let faults = books::check(&read, &WorkDone::default())?;
    drop(read);
    drop(database);
    if !faults.is_empty() {
        return Err(ImportError::Books(faults));
    }
    let file = File::open(path).map_err(|source| ImportError::Output {
        path: path.to_owned(),
        source,
    })?;
    verify::open(file, None, true, &WorkDone::default(), |_| Ok(()))?;
    Ok(lines.map(Lines::into_exported).unwrap_or_default())
}

/// Adds the next records, in one transaction. Returns whether there may be more.
fn fill(
    database: &Database,
    lines: &mut Lines<'_>,
    room: &mut Room,
    progress: &WorkDone,
) -> Result<bool, ImportError> {
    let write = prepare::begin(database)?;
    // Nothing is noted for a log: the transaction is durable.
    let unnoted = Noted {
        is_long: true,
        ..Noted::default()
    };
    let changes = Changing::new(&write, unnoted);
    let mut bytes = 0;
    let mut has_more = true;
    while bytes < TRANSACTION_BYTES {
        let Some(Row { table, key, value }) = lines.next()? else {
            has_more = false;
            break;
        };
        let (key, value) = (key.as_slice(), value.as_slice());
        changes::repeat(&changes, LoggedChange::Insert { table, key, value })
            .map_err(|fatal| lines.fault(fatal.to_string()))?;
        bytes += key.len() + value.len();
        progress.add(1);
    }
    let grown = changes.into_noted().grown;
    room.records = room.records.saturating_add_signed(grown);
    write.commit().map_err(Fatal::from)?;
    Ok(has_more)
}

/// Stores the mark of a restored journal, and what belongs to the file itself.
fn finish(database: &Database, room: Room) -> Result<(), Fatal> {
    let write = prepare::begin(database)?;
    let mut meta = write.open_table(tables::META)?;
    // The search index has no term of a document yet: the gateway adds them.
    meta.remove(tables::TERMS_UPTO)?;
    meta.remove(tables::LINE_TERMS_UPTO)?;
    let counters = match meta.get("totals")? {
        Some(bytes) => stored::counters_out(bytes.value())?,
        None => stored::Counters::default(),
    };
    drop(meta);
    let mark = Restored {
        seq: counters.totals.last_seq,
        document: counters.last_document,
        begun: None,
    };
    let mark = stored::restored_in(&mark)?;
    let key = Namespace::Restored.only_key().to_string();
    write
        .open_table(tables::SIDE_VALUES)?
        .insert(key.as_str(), mark.as_slice())?;
    prepare::store(&write, prepare::first_head(), room)?;
    write.commit()?;
    Ok(())
}
