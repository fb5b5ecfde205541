//! Stored records as JSON, for an export (`journal/export.rs`).
//!
//! A record is shown with the names of the fields and variants of its stored form. These names are
//! a part of the export's format, like the form itself: they never change.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BadRecord, bad};

/// Shows a record. `None`: JSON cannot represent the record so that the same bytes come back, and
/// the export has the bytes instead.
pub(super) fn show<'a, T>(what: &'static str, bytes: &'a [u8]) -> Result<Option<Value>, BadRecord>
where
    T: Serialize + Deserialize<'a>,
{
    let record: T = postcard::from_bytes(bytes).map_err(|error| bad(what, error))?;
    let again = postcard::to_stdvec(&record).map_err(|error| bad(what, error))?;
    Ok(serde_json::to_value(&record)
        .ok()
        .filter(|_| again == bytes))
}

/// Reads a record that [`show`] has shown.
pub(super) fn read<'a, T>(what: &'static str, value: &'a Value) -> Result<Vec<u8>, BadRecord>
where
    T: Serialize + Deserialize<'a>,
{
    let record = T::deserialize(value).map_err(|error| bad(what, error))?;
    postcard::to_stdvec(&record).map_err(|error| bad(what, error))
}

/// A kind of record, with the two directions of its form in JSON.
pub struct Shown {
    pub show: fn(&[u8]) -> Result<Option<Value>, BadRecord>,
    pub read: fn(&Value) -> Result<Vec<u8>, BadRecord>,
}

/// Makes a [`Shown`] of a stored form.
macro_rules! shown {
    ($name:ident, $what:literal, $stored:ty) => {
        /// The form in JSON.
        pub const $name: crate::journal::stored::json::Shown =
            crate::journal::stored::json::Shown {
                show: |bytes| crate::journal::stored::json::show::<$stored>($what, bytes),
                read: |value| crate::journal::stored::json::read::<$stored>($what, value),
            };
    };
}
pub(super) use shown;
