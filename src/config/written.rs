//! Reads files and variables into one flat map from key to value and origin; a later value replaces
//! an earlier one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::fault::{ConfigError, Fault};

/// The longest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
const VARIABLE_PREFIX: &str = "STOCKRELAY_";

/// A value and its origin.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub value: Value,
    pub origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The path, and the line of the key. `None`: the line is unknown.
    File(PathBuf, Option<usize>),
    /// A file of a bundle: the serial, the path in the archive, and the line of the key. `None`:
    /// the bundle brings the file that the key names.
    Bundle(u64, String, Option<usize>),
    /// An environment variable. Its value is always a text, whatever type the key has.
    Variable(String),
}

impl Origin {
    /// Whether the value has the type that it was written with. In the environment each is a text.
    pub fn is_typed(&self) -> bool {
        !matches!(self, Self::Variable(_))
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            // As in the manifest: relative to `files/`.
            Self::Bundle(serial, path, line) => {
                let path = path.strip_prefix("files/").unwrap_or(path);
                write!(f, "bundle {serial}, {path}")?;
                line.map_or(Ok(()), |line| write!(f, ":{line}"))
            }
            Self::Variable(name) => write!(f, "variable {name}"),
        }
    }
}

/// From dotted key to value. A table is in it only if it is empty: a section with all defaults.
pub(super) type Map = BTreeMap<String, Written>;

/// Returns the directory at which relative paths start, wherever they are written.
pub(super) fn directory(path: &Path) -> PathBuf {
    let absolute = absolute(path);
    absolute.parent().unwrap_or(Path::new("/")).to_owned()
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Lists the existing files, readable or not, in the order in which they are read.
pub(super) fn list_files(path: &Path) -> Vec<PathBuf> {
    let mut files = vec![path.to_owned()];
    files.extend(read_parts(&directory(path).join("config.d")).unwrap_or_default());
    files
}

/// Reads the text of a file, cut one byte after `bytes_max`.
pub(super) fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?
        .take(bytes_max + 1)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Reads the bytes of a file, cut one byte after `bytes_max`.
pub(super) fn read_bytes(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the file at `path`, then those of `config.d` beside it.
pub(super) fn read_files(path: &Path) -> Result<(Vec<PathBuf>, Map), ConfigError> {
    if let Err(error) = fs::metadata(path)
        && error.kind() == io::ErrorKind::NotFound
    {
        return Err(ConfigError::Missing(path.to_owned()));
    }
    let mut faults = Vec::new();
    let mut files = vec![path.to_owned()];
    let parts = directory(path).join("config.d");
    match read_parts(&parts) {
        Ok(more) => files.extend(more),
        Err(error) => faults.push(fault_of_file(
            parts.display().to_string(),
            format!("an error: {error}"),
        )),
    }
    let mut map = Map::new();
    for file in &files {
        match read_file(file) {
            Ok((table, lines)) => {
                let origin = |line| Origin::File(file.clone(), line);
                flatten("", table, (&origin, &lines), &mut map);
            }
            Err(fault) => faults.push(fault),
        }
    }
    // If one file cannot be read, it is uncertain which keys are missing or unknown.
    if faults.is_empty() {
        Ok((files, map))
    } else {
        Err(ConfigError::Faults(faults))
    }
}

/// Lists the TOML files of `config.d`, in name order. Empty: the directory does not exist.
fn read_parts(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        // Editors create hidden files such as `.#10-odoo.toml`.
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension().is_some_and(|ext| ext == "toml") && !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads the values of a file, and the line of each key.
fn read_file(path: &Path) -> Result<(Table, Lines), Fault> {
    let text = read_text(path, FILE_BYTES_MAX).map_err(|error| unreadable(path, &error))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(fault_of_file(
            path.display().to_string(),
            format!("more than {FILE_BYTES_MAX} bytes"),
        ));
    }
    parse_text(&text, &path.display().to_string())
}

/// Reads the files of a bundle: their path in the archive, and their text.
pub(super) fn read_bundle(
    serial: u64,
    files: &[(String, String)],
    map: &mut Map,
) -> Result<(), ConfigError> {
    let mut faults = Vec::new();
    for (path, text) in files {
        let shown = Origin::Bundle(serial, path.clone(), None).to_string();
        match parse_text(text, &shown) {
            Ok((table, lines)) => {
                let origin = |line| Origin::Bundle(serial, path.clone(), line);
                flatten("", table, (&origin, &lines), map);
            }
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Faults(faults))
    }
}

/// Parses the text of a file, whose name in faults is `shown`.
fn parse_text(text: &str, shown: &str) -> Result<(Table, Lines), Fault> {
    let table = text.parse::<Table>().map_err(|error| {
        // The error's own text shows the line, which may contain a secret: only its place and kind
        // are shown.
        let before = &text[..error.span().map_or(0, |span| floor(text, span.start))];
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        let origin = format!("{shown}:{line}:{column}");
        find_bare_text(text, line, &origin).unwrap_or_else(|| {
            let what = error.message().replace('\n', ", ");
            fault_of_file(origin, format!("a syntax error: {what}"))
        })
    })?;
    let mut lines = Lines::new();
    if let Ok(spanned) = DeTable::parse(text) {
        note_lines("", spanned.get_ref(), text, &mut lines);
    }
    Ok((table, lines))
}

/// Builds the fault of a file that this user cannot read.
fn unreadable(path: &Path, error: &io::Error) -> Fault {
    let shown = path.display();
    let mut fault = fault_of_file(shown.to_string(), format!("an error: {error}"));
    if error.kind() == io::ErrorKind::PermissionDenied {
        fault.accepted = format!(
            "a file that the daemon's user may read: run chgrp stockrelay {shown} && chmod 640 {shown}"
        );
    }
    fault
}

/// Finds the fault of a line whose value is a text without quotes: with its key, never its value,
/// which may be a secret.
fn find_bare_text(text: &str, line: usize, origin: &str) -> Option<Fault> {
    let (name, value) = text.lines().nth(line - 1)?.split_once('=')?;
    let (name, value) = (name.trim(), value.split('#').next()?.trim());
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(is_key) || value.contains(['"', '\'', '[', '{']) {
        return None;
    }
    let before = text.lines().take(line - 1);
    let sections = before.filter_map(|line| line.trim().strip_prefix('[')?.split(']').next());
    let accepted = match value.to_ascii_lowercase().as_str() {
        "" => return None,
        "yes" | "on" | "true" => format!("{name} = true"),
        "no" | "off" | "false" => format!("{name} = false"),
        _ => format!("a text in quotes: {name} = \"...\""),
    };
    Some(Fault {
        key: join(sections.last().unwrap_or_default().trim(), name),
        found: "a syntax error: a text without quotes".to_owned(),
        accepted,
        origin: Some(origin.to_owned()),
    })
}

/// From dotted key to the line on which it is written, counted from 1.
type Lines = BTreeMap<String, usize>;

fn note_lines(prefix: &str, table: &DeTable<'_>, text: &str, lines: &mut Lines) {
    for (name, value) in table {
        let key = join(prefix, name.get_ref());
        let before = &text[..floor(text, name.span().start)];
        lines.insert(key.clone(), before.matches('\n').count() + 1);
        if let DeValue::Table(table) = value.get_ref() {
            note_lines(&key, table, text, lines);
        }
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// Returns the last boundary between characters at or before `index`.
fn floor(text: &str, index: usize) -> usize {
    (0..=index.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}

fn fault_of_file(origin: String, found: String) -> Fault {
    Fault {
        key: String::new(),
        found,
        accepted: "a readable TOML file".to_owned(),
        origin: Some(origin),
    }
}

/// The origin of a key by its line, and the lines of all keys.
type Source<'a> = (&'a dyn Fn(Option<usize>) -> Origin, &'a Lines);

fn flatten(prefix: &str, table: Table, source: Source, map: &mut Map) {
    for (name, value) in table {
        let key = join(prefix, &name);
        match value {
            Value::Table(table) if !table.is_empty() => flatten(&key, table, source, map),
            value => {
                let (origin, lines) = source;
                let origin = origin(lines.get(&key).copied());
                map.insert(key, Written { value, origin });
            }
        }
    }
}

/// `STOCKRELAY_MQTT__LISTEN__ADDRESS` is `mqtt.listen.address`.
pub(super) fn read_environment(environment: &[(String, String)], map: &mut Map) {
    for (name, value) in environment {
        if let Some(key) = name.strip_prefix(VARIABLE_PREFIX) {
            map.insert(
                key.to_lowercase().replace("__", "."),
                Written {
                    value: Value::String(value.clone()),
                    origin: Origin::Variable(name.clone()),
                },
            );
        }
    }
}
