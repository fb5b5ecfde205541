//! Damage of the journal's file: its text, its error, and the alarm that reports it.
//!
//! Whoever meets a damaged page raises the [`Alarm`]: an opening, a reader or the writer. The
//! daemon then ends with exit code 65, because the next start would end in the same way.

use std::any::Any;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use redb::{Database, ReadTransaction, ReadableDatabase as _, TransactionError};
use tokio::sync::watch;

use super::panics::{Quiet, describe};
use super::stored::BadRecord;

/// A damaged journal: describes the damage, what is safe, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    path: PathBuf,
    why: String,
}

impl Damage {
    pub(super) fn new(path: &Path, why: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            why: why.into(),
        }
    }

    /// Describes the damage, and what is safe.
    #[must_use]
    pub fn what(&self) -> String {
        format!(
            "journal {} is damaged ({}): the data that Odoo has is safe, and devices still have the readings that the gateway did not acknowledge, but documents that wait for Odoo are in this file alone",
            self.path.display(),
            self.why
        )
    }

    /// Describes what to do.
    #[must_use]
    pub fn remedy(&self) -> String {
        format!(
            "If a newer version of stockrelay ran here before, run that version again. If not, copy the file and journal.log beside it for support, and check the disk; then run `mv {path} {path}.damaged`, and restore a backup with `stockrelay journal import FILE`, or start stockrelay again with an empty journal (docs/backup.md). What devices send again from before is then compared with Odoo, and parked as maybe-posted where Odoo does not have it",
            path = self.path.display()
        )
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.what(), self.remedy())
    }
}

/// Why a read of the journal failed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot read the journal: {0}")]
    Storage(Box<redb::Error>),
    #[error("cannot read the journal: {0}")]
    Record(#[from] BadRecord),
    /// The daemon is about to end with exit code 65.
    #[error("{0}")]
    Damaged(Damage),
}

/// Boxes redb's errors: they are large, and every result has room for this one.
macro_rules! from_redb {
    ($($error:ty),*) => {
        $(impl From<$error> for JournalError {
            fn from(error: $error) -> Self {
                Self::Storage(Box::new(error.into()))
            }
        })*
    };
}
from_redb!(redb::StorageError, redb::TableError, redb::TransactionError);

/// The open file. Closing the file reads pages too, and a damaged page must not cause a panic then.
#[derive(Debug)]
pub(super) struct OpenFile {
    database: Option<Database>,
    /// The writer holds it while the tables lack what it has answered.
    behind: RwLock<()>,
}

impl OpenFile {
    pub fn new(database: Database) -> Self {
        Self {
            database: Some(database),
            behind: RwLock::default(),
        }
    }

    /// Begins to read all that the writer has answered: waits while the tables lack some of it.
    pub fn begin_read(&self) -> Result<ReadTransaction, TransactionError> {
        let _caught_up = self.behind.read().unwrap_or_else(PoisonError::into_inner);
        (**self).begin_read()
    }

    /// The tables lack what the writer answers next, until the guard is dropped.
    pub fn fall_behind(&self) -> RwLockWriteGuard<'_, ()> {
        self.behind.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for OpenFile {
    type Target = Database;

    fn deref(&self) -> &Database {
        let Some(database) = &self.database else {
            unreachable!("only `drop` takes it")
        };
        database
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let _quiet = Quiet::begin();
        let database = self.database.take();
        if catch_unwind(AssertUnwindSafe(|| drop(database))).is_err() {
            tracing::error!("a damaged page prevents the journal from closing in order");
        }
    }
}

/// Reports the first damage to the daemon. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Alarm {
    path: PathBuf,
    met: watch::Sender<Option<Damage>>,
}

impl Alarm {
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            met: watch::Sender::new(None),
        }
    }

    pub fn watch(&self) -> watch::Receiver<Option<Damage>> {
        self.met.subscribe()
    }

    pub fn raise(&self, why: impl Into<String>) -> Damage {
        let damage = Damage::new(&self.path, why);
        self.met.send_if_modified(|met| {
            let is_first = met.is_none();
            met.get_or_insert_with(|| damage.clone());
            is_first
        });
        damage
    }

    /// Runs a read. If a page is damaged, raises the alarm (`watch`) and returns the damage as an
    /// error. redb panics if a page holds bytes that redb never writes; the panic is caught.
    pub fn look<T>(
        &self,
        read: impl FnOnce() -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let _quiet = Quiet::begin();
        let looked = catch_unwind(AssertUnwindSafe(read));
        looked
            .unwrap_or_else(|panic: Box<dyn Any + Send>| {
                Err(JournalError::Damaged(self.raise(describe(&*panic))))
            })
            .map_err(|error| match error {
                JournalError::Storage(error) if is_damage(&error) => {
                    JournalError::Damaged(self.raise(error.to_string()))
                }
                JournalError::Record(error) => JournalError::Damaged(self.raise(error.to_string())),
                other => other,
            })
    }
}

/// Whether the error is about the content of the file. All tables exist once the journal is open.
pub(super) fn is_damage(error: &redb::Error) -> bool {
    use redb::Error;
    match error {
        Error::Corrupted(_)
        | Error::TableDoesNotExist(_)
        | Error::TableTypeMismatch { .. }
        | Error::TableIsMultimap(_)
        | Error::TypeDefinitionChanged { .. } => true,
        // The file is not a redb file: its first bytes differ.
        Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        ),
        _ => false,
    }
}
