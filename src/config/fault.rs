//! The faults of a configuration, and their texts.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// `found` of a fault whose value is missing.
pub const MISSING: &str = "nothing";

/// A fault of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key with its path, such as `mqtt.listen.address`. Empty: the fault is of a whole file.
    pub key: String,
    pub found: String,
    pub accepted: String,
    /// The file or the environment variable. `None`: the value is missing.
    pub origin: Option<String>,
}

impl Fault {
    /// Where the fault is and what was found, without what is accepted.
    #[must_use]
    pub fn what(&self) -> String {
        let found = match self.found.as_str() {
            MISSING => "missing".to_owned(),
            found => format!("found {found}"),
        };
        let key = Some(self.key.clone()).filter(|key| !key.is_empty());
        let parts = [self.origin.clone(), key, Some(found)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; accepted is {}", self.what(), self.accepted)
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error(
        "configuration file {} does not exist: write it (/usr/share/doc/stockrelay/gateway-defaults.toml has every key), or name another file with --config",
        .0.display()
    )]
    Missing(PathBuf),
    #[error("{}", list_faults(.0))]
    Faults(Vec<Fault>),
}

fn list_faults(faults: &[Fault]) -> String {
    let lines: Vec<_> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    let noun = if faults.len() == 1 { "fault" } else { "faults" };
    format!(
        "the configuration has {} {noun}:{}",
        faults.len(),
        lines.concat()
    )
}
