//! The object that `check --json` prints. `docs/operations.md` describes it. Fields may be added,
//! none is removed.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::{Finding, Level};
use crate::choice::Otherwise;

#[derive(Debug, Serialize)]
pub struct CheckAnswer<'a> {
    /// The version of `stockrelay`.
    pub version: &'static str,
    pub at: Timestamp,
    pub config: &'a Path,
    /// The site; `None` if the configuration cannot be read.
    pub site: Option<&'a str>,
    pub exit_code: u8,
    pub run: Run,
    pub counts: Counts,
    pub findings: &'a [Finding],
}

/// What `stockrelay run` does with this configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Run {
    /// It starts. Its findings may still hold the link to Odoo.
    Starts,
    /// It starts with the last good configuration.
    StartsWithLast,
    /// It ends with exit code 1, and systemd starts it again.
    Retries,
    /// It ends with exit code 64 or 65: a person must act.
    Ends,
    /// This user may not read the configuration.
    Unknown,
}

impl Run {
    /// `of_run`: what `run` does with a configuration that it cannot use. `is_damaged`: the journal
    /// is damaged.
    #[must_use]
    pub fn of(of_run: Option<&Otherwise>, is_damaged: bool) -> Self {
        match of_run {
            Some(Otherwise::Person(_)) => Self::Ends,
            Some(Otherwise::Retry) => Self::Retries,
            _ if is_damaged => Self::Ends,
            Some(Otherwise::Last(_)) => Self::StartsWithLast,
            None => Self::Starts,
        }
    }
}

/// How many findings each level has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub ok: usize,
    pub warning: usize,
    pub failed: usize,
}

impl Counts {
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let count = |level| {
            let of_level = findings.iter().filter(|finding| finding.level == level);
            of_level.count()
        };
        Self {
            ok: count(Level::Ok),
            warning: count(Level::Warn),
            failed: count(Level::Fail),
        }
    }
}
