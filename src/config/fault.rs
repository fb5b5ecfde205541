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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        match self.found.as_str() {
            MISSING => write!(f, "missing; accepted is {}", self.accepted),
            found => write!(f, "found {found}; accepted is {}", self.accepted),
        }
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
