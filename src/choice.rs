//! Chooses the configuration for `run`: the present files, or, while they cannot be used, the last
//! configuration that ran.
//!
//! **In**: the path and the environment. **Out**: a configuration with which the daemon can start,
//! or the exit code. So a new file in `config.d` that does not parse, or that names a missing file,
//! does not stop a site.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::last::{self, Last, NoLast};
use crate::config::{self, ConfigError, Loaded};
use crate::opens::{self, Fault};

/// Why the written configuration is not used.
#[derive(Debug)]
pub enum Unusable {
    /// The file cannot be read or parsed.
    Config(ConfigError),
    /// Something that the configuration names cannot be opened.
    Opens(Vec<Fault>),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::Opens(faults) => {
                let texts: Vec<_> = faults.iter().map(|fault| fault.text.as_str()).collect();
                f.write_str(&texts.join("\n"))
            }
        }
    }
}

/// The last configuration that ran is used, and why the written one is not.
#[derive(Debug)]
pub struct Instead {
    pub why: Unusable,
    /// The file of the last configuration that ran.
    pub used: PathBuf,
}

impl Instead {
    /// Describes file, line and fault, and what to do, for the status.
    #[must_use]
    pub fn alarm(&self) -> String {
        let more = |count: usize| match count {
            0 | 1 => String::new(),
            many => format!(" (and {} more faults)", many - 1),
        };
        let what = match &self.why {
            Unusable::Config(ConfigError::Missing(path)) => {
                format!("There is no configuration file {}", path.display())
            }
            Unusable::Config(ConfigError::Faults(faults)) => format!(
                "The configuration has a fault: {}{}",
                faults.first().map(ToString::to_string).unwrap_or_default(),
                more(faults.len())
            ),
            Unusable::Opens(faults) => format!(
                "The gateway cannot start with the configuration: {}{}",
                faults.first().map_or("", |fault| &fault.text),
                more(faults.len())
            ),
        };
        format!(
            "{what}. The gateway uses the last good configuration ({}): correct the fault, run stockrelay check, and then stockrelay config reload.",
            self.used.display()
        )
    }
}

/// The decision of `run` while the written configuration has `faults` that prevent its start.
#[derive(Debug)]
pub enum Otherwise {
    /// The daemon uses the last good configuration.
    Last(Box<Last>),
    /// The daemon ends with exit code 1 and is started again: the configuration has run before, or
    /// the fault passes by itself.
    Retry,
    /// The daemon ends with exit code 64: a person must act. The value says why the last good
    /// configuration cannot be used.
    Person(NoLast),
}

/// Why there is no configuration to start with.
#[derive(Debug)]
pub struct NoChoice {
    pub why: Unusable,
    /// Whether another start may end better.
    pub may_end_better: bool,
    last: Option<NoLast>,
}

impl fmt::Display for NoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)?;
        match self.last.as_ref().and_then(NoLast::text) {
            Some(text) => write!(f, "\n{text}"),
            None => Ok(()),
        }
    }
}

/// Decides what `run` does if the configuration is valid, but an entry in it cannot be opened.
/// `running` is the process of a running daemon, whose ports count as free.
#[must_use]
pub fn otherwise(written: &Loaded, faults: &[Fault], running: Option<i32>) -> Otherwise {
    match last::find_of(written) {
        Ok(last) if last.loaded.config != written.config => {
            if opens::faults(&last.loaded.config, running).is_empty() {
                Otherwise::Last(Box::new(last))
            } else {
                Otherwise::Retry
            }
        }
        Err(none) if faults.iter().any(|fault| fault.is_lasting) => Otherwise::Person(none),
        // This configuration has run before, or only time is needed.
        Ok(_) | Err(_) => Otherwise::Retry,
    }
}

/// The configuration to start with.
pub fn choose(
    path: &Path,
    environment: &[(String, String)],
) -> Result<(Loaded, Option<Instead>), NoChoice> {
    let use_last = |why, last: Last| {
        let used = last.file;
        Ok((last.loaded, Some(Instead { why, used })))
    };
    let none = |why, may_end_better, last| {
        Err(NoChoice {
            why,
            may_end_better,
            last,
        })
    };
    let written = match config::load(path, environment) {
        Ok(written) => written,
        Err(error) => {
            let why = Unusable::Config(error);
            return match last::find(path, environment) {
                Ok(last) => use_last(why, last),
                Err(no_last) => none(why, false, Some(no_last)),
            };
        }
    };
    let faults = opens::faults(&written.config, None);
    if faults.is_empty() {
        return Ok((written, None));
    }
    match otherwise(&written, &faults, None) {
        Otherwise::Last(last) => use_last(Unusable::Opens(faults), *last),
        Otherwise::Retry => none(Unusable::Opens(faults), true, None),
        Otherwise::Person(no_last) => none(Unusable::Opens(faults), false, Some(no_last)),
    }
}
