//! What is wrong with a configuration, and how it is shown.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key with its path, such as `mqtt.listen.address`; empty where a file as a whole is
    /// meant.
    pub key: String,
    pub found: String,
    pub accepted: String,
    /// The file, or the variable of the environment; `None` where nothing was written.
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
        write!(f, "found {}; accepted is {}", self.found, self.accepted)
    }
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error(
        "there is no configuration file {}: write one (/usr/local/share/doc/stockrelay/gateway-defaults.toml has every key), or name another with --config",
        .0.display()
    )]
    Missing(PathBuf),
    #[error("{}", list(.0))]
    Faults(Vec<Fault>),
}

fn list(faults: &[Fault]) -> String {
    let lines: Vec<_> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    let noun = if faults.len() == 1 { "fault" } else { "faults" };
    format!(
        "the configuration has {} {noun}:{}",
        faults.len(),
        lines.concat()
    )
}
