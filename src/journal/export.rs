//! Writes everything that a journal holds as lines of JSON (`docs/backup.md`, *The export*).
//!
//! **In**: one read transaction, so all lines are of the same moment. **Out**: the lines, to a
//! writer. The memory holds one record at a time. Not in the export: the search index, which the
//! gateway makes again; the head of the log; and the mark of a restored journal, which an import
//! creates again.
//!
//! While the read transaction is open, redb cannot use the pages again that the writer frees: the
//! file grows by as much as the writer changes meanwhile.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use redb::{ReadTransaction, ReadableDatabase as _};

use super::changes::{count_records, each_record};
use super::damage::JournalError;
use super::stored::BadRecord;
use super::stored::lines::{ExportTable, FORMAT, Footer, Header, TABLES, VERSION};
use super::verify::{Closed, read_closed};
use super::work_done::WorkDone;
use super::{Damage, Fatal, Journal, Namespace, tables};
use crate::event::Name;

/// What an export has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// The records of each table that has some.
    pub records: BTreeMap<String, u64>,
    pub bytes: u64,
}

impl Exported {
    /// Count of the records of a table.
    #[must_use]
    pub fn of(&self, table: &str) -> u64 {
        self.records.get(table).copied().unwrap_or_default()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("there is no journal in {0}: name the right configuration with --config")]
    Missing(std::path::PathBuf),
    #[error("a daemon uses the journal in {0}: send it the request through its socket, or stop it")]
    InUse(std::path::PathBuf),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{0}")]
    Damaged(Damage),
    #[error("cannot read the journal: {0}")]
    Unreadable(String),
    #[error("cannot write the export: {0}")]
    Output(#[from] io::Error),
}

/// Why writing the lines ended early.
#[derive(Debug)]
enum Cut {
    Fatal(Fatal),
    Output(io::Error),
}

impl From<Fatal> for Cut {
    fn from(fatal: Fatal) -> Self {
        Self::Fatal(fatal)
    }
}

impl From<BadRecord> for Cut {
    fn from(bad: BadRecord) -> Self {
        Self::Fatal(bad.into())
    }
}

impl From<io::Error> for Cut {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Counts and hashes what is written.
struct Sealing<'a> {
    out: &'a mut dyn Write,
    hash: blake3::Hasher,
    bytes: u64,
}

impl Sealing<'_> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.hash.update(line);
        self.bytes += line.len() as u64;
        self.out.write_all(line)
    }
}

fn json_line(value: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value).map_err(io::Error::other)?;
    line.push(b'\n');
    Ok(line)
}

/// The numbers of the tables of which an export leaves out some records.
const SIDE_VALUES: u8 = 18;
const META: u8 = 19;

/// Whether an export has this record. The others belong to the file, or are created again.
fn is_exported(table: &ExportTable, key: &[u8]) -> bool {
    let own = [
        "format",
        tables::LOG,
        tables::ROOM,
        tables::TERMS_UPTO,
        tables::LINE_TERMS_UPTO,
    ];
    match table.number {
        META => !own.iter().any(|own| own.as_bytes() == key),
        // A gateway with the copy is another one, with a number of its own.
        SIDE_VALUES => ![Namespace::Restored, Namespace::Fence]
            .map(|own| own.only_key().to_string())
            .iter()
            .any(|own| own.as_bytes() == key),
        _ => true,
    }
}

fn write(
    read: &ReadTransaction,
    site: &Name,
    out: &mut dyn Write,
    progress: &WorkDone,
) -> Result<Exported, Cut> {
    let mut all = 0;
    for table in &TABLES {
        if matches!(table.number, SIDE_VALUES | META) {
            each_record(read, table.number, &mut |key, _| {
                all += u64::from(is_exported(table, key));
                Ok::<_, Cut>(())
            })?;
        } else {
            all += count_records(read, table.number)?;
        }
    }
    progress.set_all(all);
    let mut sealing = Sealing {
        out,
        hash: blake3::Hasher::new(),
        bytes: 0,
    };
    sealing.line(&json_line(&Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        site: site.to_string(),
        records: all,
    })?)?;
    let mut records = BTreeMap::new();
    for table in &TABLES {
        let mut count = 0;
        each_record(read, table.number, &mut |key, value| {
            if is_exported(table, key) {
                sealing.line(&table.line(key, value)?)?;
                count += 1;
                progress.add(1);
            }
            Ok::<_, Cut>(())
        })?;
        if count > 0 {
            records.insert(table.name.to_owned(), count);
        }
    }
    let blake3 = sealing.hash.finalize().to_hex().to_string();
    let end = records.clone();
    sealing.line(&json_line(&Footer { end, blake3 })?)?;
    sealing.out.flush()?;
    Ok(Exported {
        records,
        bytes: sealing.bytes,
    })
}

impl Journal {
    /// Writes everything that the journal holds now, while the writer goes on.
    pub fn export(
        &self,
        site: &Name,
        out: &mut dyn Write,
        progress: &WorkDone,
    ) -> Result<Exported, ExportError> {
        let mut ended = None;
        let exported = self.read_whole(|read| match write(read, site, out, progress) {
            Ok(exported) => Ok(Some(exported)),
            Err(Cut::Output(error)) => {
                ended = Some(error);
                Ok(None)
            }
            Err(Cut::Fatal(Fatal::Record(bad))) => Err(bad.into()),
            Err(Cut::Fatal(Fatal::Storage(error))) => Err(JournalError::Storage(error)),
            Err(Cut::Fatal(other)) => {
                let error = io::Error::new(io::ErrorKind::InvalidData, other.to_string());
                Err(redb::StorageError::Io(error).into())
            }
        })?;
        exported.ok_or_else(|| {
            let stopped = || io::ErrorKind::BrokenPipe.into();
            ExportError::Output(ended.unwrap_or_else(stopped))
        })
    }
}

/// Writes everything that the journal in `data_dir` holds, while no daemon has it open. Changes
/// nothing.
pub fn export_closed(
    data_dir: &Path,
    site: &Name,
    out: &mut dyn Write,
    progress: &WorkDone,
) -> Result<Exported, ExportError> {
    let mut ended = None;
    let closed = read_closed(
        data_dir,
        false,
        &WorkDone::default(),
        |database| match write(&database.begin_read()?, site, out, progress) {
            Ok(exported) => Ok(Some(exported)),
            Err(Cut::Fatal(fatal)) => Err(fatal),
            Err(Cut::Output(error)) => {
                ended = Some(error);
                Ok(None)
            }
        },
    );
    let path = data_dir.join(super::FILE);
    match closed.map_err(|error| ExportError::Unreadable(error.to_string()))? {
        Closed::Missing => Err(ExportError::Missing(data_dir.to_owned())),
        Closed::InUse => Err(ExportError::InUse(data_dir.to_owned())),
        Closed::Read(Ok(exported)) => exported.ok_or_else(|| {
            let stopped = || io::ErrorKind::BrokenPipe.into();
            ExportError::Output(ended.unwrap_or_else(stopped))
        }),
        Closed::Read(Err(Fatal::Format(found))) => Err(ExportError::Damaged(Damage::new(
            &path,
            super::unknown_format(&path, &found),
        ))),
        Closed::Read(Err(fatal)) if fatal.is_damage() => {
            Err(ExportError::Damaged(Damage::new(&path, fatal.to_string())))
        }
        Closed::Read(Err(fatal)) => Err(ExportError::Unreadable(fatal.to_string())),
    }
}
