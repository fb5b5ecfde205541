//! The last good configuration, which `run` uses when the configuration has a fault.
//!
//! Comes in: a configuration that the daemon has started with, and later the path of one with a
//! fault. Goes out: `last-config.toml` in `data_dir`, on disk before [`store`] returns, and the
//! configuration in it. Under systemd a copy is in the state directory, where it is found even if
//! `data_dir` is unknown. The configuration has no secrets (passwords and keys are in files of
//! their own), so this file has none.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::read::{Loaded, interpret};
use super::written::{self, Map, Origin, Written};

/// In `data_dir`.
pub const FILE: &str = super::known_keys::LAST_CONFIG;
/// The version of the file; a file of another version is not used.
const VERSION: u32 = 1;
const FILE_BYTES_MAX: u64 = 4 << 20;
/// The name of a file has up to 255 bytes (limits.h, `NAME_MAX`); a character up to 4.
const COPY_NAME_CHARS_MAX: usize = 50;
const HEAD: &str = "# The last configuration that the gateway ran with. `stockrelay run` writes this file, and uses it\n\
                    # while the configuration has a fault. Do not change it.\n";

/// The content of the file.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Stored {
    version: u32,
    /// The path of the main file: the configuration of another gateway is not used.
    main: PathBuf,
    /// The serial of the bundle that sets some of the keys. `None`: no bundle sets any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bundle: Option<u64>,
    /// From dotted key to value, as written in the files.
    files: Table,
    /// From dotted key to text, as set in environment variables.
    variables: Table,
}

/// The last good configuration, and its file.
#[derive(Debug)]
pub struct Last {
    pub loaded: Loaded,
    pub file: PathBuf,
    /// The serial of the bundle that set some of its keys. `None`: no bundle set any.
    pub bundle: Option<u64>,
}

/// Why there is no last good configuration.
#[derive(Debug)]
pub enum NoLast {
    /// No configuration has run yet.
    Never,
    /// The file is damaged, or has a version that this program does not know.
    Unusable { file: PathBuf, why: String },
}

impl NoLast {
    /// Describes the fault for people. `None`: no configuration has run yet.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Never => None,
            Self::Unusable { file, why } => Some(format!(
                "the last good configuration cannot be used either: {}: {why}",
                file.display()
            )),
        }
    }
}

/// Stores the configuration in its `data_dir`, and in the state directory of systemd if that is
/// another directory. It is durable when this returns. An unchanged file is not written again.
pub fn store(loaded: &Loaded, state_directory: Option<&Path>) -> io::Result<()> {
    let data_dir = &loaded.config.data_dir;
    store_as(loaded, &data_dir.join(FILE))?;
    match state_directory {
        Some(directory) if directory != data_dir => {
            store_as(loaded, &directory.join(copy_name(&loaded.main)))
        }
        _ => Ok(()),
    }
}

/// Builds the name of the copy in the state directory, which several gateways may share.
fn copy_name(main: &Path) -> String {
    let main = identity(main).to_string_lossy().replace('/', "-");
    let skipped = main.chars().count().saturating_sub(COPY_NAME_CHARS_MAX);
    let end: String = main.chars().skip(skipped).collect();
    format!("last-config{end}")
}

/// Returns the path of the main file without links and `..` in its directory. Relative paths start
/// at the directory, so a link to the file itself is another configuration.
fn identity(main: &Path) -> PathBuf {
    let directory = written::directory(main);
    let directory = directory.canonicalize().unwrap_or(directory);
    directory.join(main.file_name().unwrap_or_default())
}

/// Returns the state directory that systemd has created for the service (systemd.exec(5),
/// `StateDirectory=`).
#[must_use]
pub fn state_directory(environment: &[(String, String)]) -> Option<PathBuf> {
    let (_, paths) = environment
        .iter()
        .find(|(name, _)| name == "STATE_DIRECTORY")?;
    let first = paths.split(':').next().unwrap_or_default();
    (!first.is_empty()).then(|| first.into())
}

fn store_as(loaded: &Loaded, path: &Path) -> io::Result<()> {
    let (mut files, mut variables) = (Table::new(), Table::new());
    for (key, written) in &loaded.written {
        let of = match written.origin {
            Origin::File(..) | Origin::Bundle(..) => &mut files,
            Origin::Variable(_) => &mut variables,
        };
        of.insert(key.clone(), written.value.clone());
    }
    let stored = Stored {
        version: VERSION,
        main: identity(&loaded.main),
        bundle: (loaded.written.values()).find_map(|written| match written.origin {
            Origin::Bundle(serial, ..) => Some(serial),
            Origin::File(..) | Origin::Variable(_) => None,
        }),
        files,
        variables,
    };
    let text = HEAD.to_owned() + &toml::to_string(&stored).map_err(io::Error::other)?;
    replace(path, &text)
}

/// Writes a file that only the daemon's user can read, as a whole or not at all. A file with the
/// same text is not written again.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|stored| stored == text) {
        return Ok(());
    }
    let directory = written::directory(path);
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(directory)?.sync_all()
}

/// Finds the last good configuration of the main file at `path`.
pub fn find(path: &Path, environment: &[(String, String)]) -> Result<Last, NoLast> {
    let main = written::absolute(path);
    let mut places: Vec<_> = data_dirs(&main, environment)
        .iter()
        .map(|data_dir| data_dir.join(FILE))
        .collect();
    let states = [
        state_directory(environment),
        Some(super::known_keys::DATA_DIR.into()),
    ];
    let copy = copy_name(&main);
    places.extend(states.into_iter().flatten().map(|state| state.join(&copy)));
    places.dedup();
    let mut none = NoLast::Never;
    for place in &places {
        match open(place, &main) {
            Ok(last) => return Ok(last),
            Err(NoLast::Never) => {}
            Err(unusable) => none = unusable,
        }
    }
    Err(none)
}

/// Finds the last good configuration in the `data_dir` of a valid configuration.
pub fn find_of(loaded: &Loaded) -> Result<Last, NoLast> {
    open(&loaded.config.data_dir.join(FILE), &loaded.main)
}

/// Describes a change of the site since the last start. `None`: the site is the same.
#[must_use]
pub fn site_change(loaded: &Loaded) -> Option<String> {
    let last = find_of(loaded).ok()?;
    let (before, now) = (&last.loaded.config.site, &loaded.config.site);
    (before != now).then(|| {
        format!(
            "site was {before} at the last start and is now {now}: messages of devices under {before} are rejected, and waiting documents keep the keys of {before}. Set site back to {before}, or make the devices publish under {now}"
        )
    })
}

fn open(file: &Path, main: &Path) -> Result<Last, NoLast> {
    let unusable = |why: String| NoLast::Unusable {
        file: file.to_owned(),
        why,
    };
    let text = written::read_text(file, FILE_BYTES_MAX).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NoLast::Never,
        _ => unusable(error.to_string()),
    })?;
    // The parser's message may quote a value.
    let stored: Stored = toml::from_str(&text)
        .map_err(|_| unusable("the gateway did not write this content".to_owned()))?;
    if stored.version != VERSION {
        let version = stored.version;
        return Err(unusable(format!("another version wrote it ({version})")));
    }
    if identity(&stored.main) != identity(main) {
        return Err(NoLast::Never);
    }
    let mut map = Map::new();
    for (key, value) in stored.files {
        let origin = Origin::File(file.to_owned(), None);
        map.insert(key, Written { value, origin });
    }
    for (key, value) in stored.variables {
        let origin = Origin::Variable(format!("of {key} at that time"));
        map.insert(key, Written { value, origin });
    }
    let loaded = interpret(main.to_owned(), map, vec![file.to_owned()])
        .map_err(|_| unusable("this version does not accept its keys and values".to_owned()))?;
    Ok(Last {
        loaded,
        file: file.to_owned(),
        bundle: stored.bundle,
    })
}

/// Lists where `data_dir` may be while the configuration cannot be read as a whole: from the
/// environment, from a readable file, from a line of a broken file, or the default.
fn data_dirs(main: &Path, environment: &[(String, String)]) -> Vec<PathBuf> {
    let directory = written::directory(main);
    let mut found: Vec<PathBuf> = environment
        .iter()
        .filter(|(name, _)| name == "STOCKRELAY_DATA_DIR")
        .map(|(_, value)| directory.join(value))
        .collect();
    // The file that is read last has priority.
    for file in written::list_files(main).iter().rev() {
        // A byte that is not UTF-8, perhaps in a comment, must not hide the rest.
        let bytes = written::read_bytes(file, FILE_BYTES_MAX).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        found.extend(data_dir_in(&text).map(|data_dir| directory.join(data_dir)));
    }
    found.push(super::known_keys::DATA_DIR.into());
    found
}

/// Finds `data_dir`, which precedes the first section, in a file that may be broken elsewhere.
fn data_dir_in(text: &str) -> Option<String> {
    let head = text
        .lines()
        .take_while(|line| !line.trim_start().starts_with('['));
    head.filter(|line| line.trim_start().starts_with("data_dir"))
        .filter_map(|line| line.parse::<Table>().ok())
        .find_map(|table| match table.get("data_dir") {
            Some(Value::String(path)) => Some(path.clone()),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigError, load};
    use super::*;

    const MAIN: &str = "site = \"ams1\"\ndata_dir = \"data\"\n[mqtt.listen]\nanonymous = true\n\
                        [odoo]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"d\"\n";

    fn directory() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("config.d")).unwrap();
        fs::create_dir_all(dir.path().join("data")).unwrap();
        let main = dir.path().join("config.toml");
        fs::write(&main, MAIN).unwrap();
        (dir, main)
    }

    #[test]
    fn the_last_configuration_is_found_while_any_file_or_variable_has_a_fault() {
        let (dir, main) = directory();
        let part = dir.path().join("config.d/10.toml");
        fs::write(&part, "odoo.refresh_s = 7\njournal.budget = \"2 GiB\"").unwrap();
        let variables = [
            ("STOCKRELAY_ODOO__TIMEOUT_S".to_owned(), "9".to_owned()),
            ("HOME".to_owned(), "/root".to_owned()),
        ];
        let ran = load(&main, &variables).unwrap();
        store(&ran, None).unwrap();
        let is_found = |variables: &[(String, String)]| {
            let faults = load(&main, variables).unwrap_err();
            assert!(matches!(faults, ConfigError::Faults(_)), "{faults}");
            let last = find(&main, variables).expect("it was stored");
            assert_eq!(last.loaded.config, ran.config);
            assert_eq!(last.file, dir.path().join("data").join(FILE));
        };
        for broken in ["this is no TOML", "odoo.urll = 1", "site = 12"] {
            fs::write(&part, broken).unwrap();
            is_found(&variables);
        }
        fs::remove_file(&part).unwrap();
        for broken in [
            MAIN.replace("ams1\"", "ams1"),
            format!("{MAIN}unheard = 1"),
            MAIN.replace("[odoo]", "[odoo"),
        ] {
            fs::write(&main, broken).unwrap();
            is_found(&variables);
        }
        fs::write(&main, MAIN).unwrap();
        is_found(&[("STOCKRELAY_ODOO__TIMEOUT_S".to_owned(), "soon".to_owned())]);
    }

    #[test]
    fn the_configuration_of_another_gateway_is_not_used() {
        let (dir, main) = directory();
        store(&load(&main, &[]).unwrap(), None).unwrap();
        let other = dir.path().join("other.toml");
        fs::write(&other, MAIN.replace("[odoo]", "[odoo")).unwrap();
        assert!(matches!(find(&other, &[]), Err(NoLast::Never)));
    }

    #[test]
    fn only_the_daemons_user_can_read_the_file_and_it_is_written_only_when_it_changes() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let (dir, main) = directory();
        let stored = dir.path().join("data").join(FILE);
        store(&load(&main, &[]).unwrap(), None).unwrap();
        let first = fs::metadata(&stored).unwrap();
        assert_eq!(first.permissions().mode() & 0o777, 0o600);
        store(&load(&main, &[]).unwrap(), None).unwrap();
        assert_eq!(fs::metadata(&stored).unwrap().ino(), first.ino());
        fs::write(&main, MAIN.replace("ams1", "ams2")).unwrap();
        store(&load(&main, &[]).unwrap(), None).unwrap();
        assert_ne!(fs::metadata(&stored).unwrap().ino(), first.ino());
        assert!(!dir.path().join("data/last-config.toml.new").exists());
    }

    #[test]
    fn the_file_is_found_whatever_byte_is_in_a_comment_and_however_the_path_is_written() {
        let (dir, main) = directory();
        store(&load(&main, &[]).unwrap(), None).unwrap();
        let broken = [MAIN.as_bytes(), b"# caf\xe9\n"].concat();
        fs::write(&main, broken).unwrap();
        assert!(load(&main, &[]).is_err());
        find(&main, &[]).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        find(&link.join("config.toml"), &[]).unwrap();
        find(&dir.path().join("data/../config.toml"), &[]).unwrap();
    }

    #[test]
    fn the_copy_in_the_state_directory_is_used_while_data_dir_is_unknown() {
        let (dir, main) = directory();
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        let variables = [(
            "STATE_DIRECTORY".to_owned(),
            state.to_string_lossy().into_owned(),
        )];
        let ran = load(&main, &variables).unwrap();
        store(&ran, state_directory(&variables).as_deref()).unwrap();
        fs::write(&main, MAIN.replace("\"data\"", "12")).unwrap();
        assert_eq!(find(&main, &variables).unwrap().loaded.config, ran.config);
        fs::remove_file(&main).unwrap();
        assert_eq!(find(&main, &variables).unwrap().loaded.config, ran.config);
        // Another gateway's copy is another file.
        let other = dir.path().join("other.toml");
        assert!(matches!(find(&other, &variables), Err(NoLast::Never)));
    }

    #[test]
    fn another_site_than_at_the_last_start_is_reported() {
        let (_dir, main) = directory();
        let ran = load(&main, &[]).unwrap();
        assert_eq!(site_change(&ran), None);
        store(&ran, None).unwrap();
        assert_eq!(site_change(&ran), None);
        fs::write(&main, MAIN.replace("ams1", "ams2")).unwrap();
        let text = site_change(&load(&main, &[]).unwrap()).unwrap();
        assert!(
            text.contains("was ams1") && text.contains("is now ams2"),
            "{text}"
        );
    }

    #[test]
    fn a_damaged_file_is_reported() {
        let (dir, main) = directory();
        store(&load(&main, &[]).unwrap(), None).unwrap();
        let stored = dir.path().join("data").join(FILE);
        fs::write(&stored, "x[").unwrap();
        let text = find(&main, &[]).unwrap_err().text().unwrap();
        assert!(text.contains(&*stored.to_string_lossy()), "{text}");
    }
}
