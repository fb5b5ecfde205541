//! Reads the configuration: the file, then `config.d/*.toml` beside it in name order, then the
//! environment.
//!
//! Comes in: a path and the process's environment. Goes out: a [`Config`] with warnings, or
//! **every** fault at once, each with its key, the value found, the values accepted, and the file
//! and line. A value that may be a secret is never in a fault: an unknown key has only its name, a
//! URL never its password.
//!
//! - `fault`: one fault, and the error that lists all of them.
//! - `written`: files and variables become one flat map from key to value and origin.
//! - `typed_values`: a typed reader of that map, which records the keys that are read.
//! - `known_keys`: every key with its default and limits, and the rules between keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::fault::ConfigError;
use super::{Config, typed_values, written};

/// A configuration, its warnings and its files.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<String>,
    pub files: Vec<PathBuf>,
    /// The absolute path of the main file.
    pub(super) main: PathBuf,
    pub(super) written: written::Map,
}

/// Reads the configuration at `path`. `environment` is that of the process: variables that do not
/// start with `STOCKRELAY_` are ignored.
pub fn load(path: &Path, environment: &[(String, String)]) -> Result<Loaded, ConfigError> {
    let (files, mut written) = written::read_files(path)?;
    written::read_environment(environment, &mut written);
    interpret(written::absolute(path), written, files)
}

/// Interprets the keys and values from `files` and the environment.
pub(super) fn interpret(
    main: PathBuf,
    written: written::Map,
    files: Vec<PathBuf>,
) -> Result<Loaded, ConfigError> {
    let mut reader = typed_values::Reader::new(written::directory(&main), written.clone());
    let mut warnings = Vec::new();
    let config = super::known_keys::read(&mut reader, &mut warnings);
    reader.refuse_unknown();
    match config {
        Some(config) if reader.faults.is_empty() => Ok(Loaded {
            config,
            warnings,
            files,
            main,
            written,
        }),
        _ => Err(ConfigError::Faults(reader.faults)),
    }
}

/// Returns every key, in the order of the reference.
#[must_use]
pub fn known_keys() -> Vec<&'static str> {
    read_nothing().known
}

/// Returns the keys that name a file, a directory, a port or a host.
#[must_use]
pub fn known_places() -> Vec<&'static str> {
    read_nothing().places
}

fn read_nothing() -> typed_values::Reader {
    let mut reader = typed_values::Reader::new(PathBuf::new(), BTreeMap::new());
    let _ = super::known_keys::read(&mut reader, &mut Vec::new());
    reader
}
