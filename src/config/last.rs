//! The last configuration that ran: what `run` uses when the configuration has a fault.
//!
//! Comes in: a configuration that the daemon has started with, and later the path of one with a
//! fault. Goes out: `last-config.toml` in `data_dir`, on disk before [`keep`] returns, and the
//! configuration that it holds. The configuration has no secrets (passwords and keys stand in files
//! of their own), so this file has none.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::read::{Loaded, understand};
use super::written::{self, Map, Origin, Written};

/// In `data_dir`.
pub const FILE: &str = "last-config.toml";
/// A file of another version is not used.
const VERSION: u32 = 1;
const FILE_BYTES_MAX: u64 = 4 << 20;
const HEAD: &str = "# The last configuration that the gateway ran with. `stockrelay run` writes this file, and uses it\n\
                    # while the configuration has a fault. Do not change it.\n";

/// The form on disk.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Stored {
    version: u32,
    /// The path of the main file: the configuration of another gateway is not used.
    main: PathBuf,
    /// From dotted key to value, as the files had it.
    files: Table,
    /// From dotted key to text, as the variables of the environment had it.
    variables: Table,
}

/// The last configuration that ran, and where it is kept.
#[derive(Debug)]
pub struct Last {
    pub loaded: Loaded,
    pub file: PathBuf,
}

/// Keeps the configuration; durable when this returns. Writes nothing where it is kept already.
pub fn keep(loaded: &Loaded) -> io::Result<()> {
    let data_dir = &loaded.config.data_dir;
    let (mut files, mut variables) = (Table::new(), Table::new());
    for (key, written) in &loaded.written {
        let of = match written.origin {
            Origin::File(..) => &mut files,
            Origin::Variable(_) => &mut variables,
        };
        of.insert(key.clone(), written.value.clone());
    }
    let stored = Stored {
        version: VERSION,
        main: loaded.main.clone(),
        files,
        variables,
    };
    let text = HEAD.to_owned() + &toml::to_string(&stored).map_err(io::Error::other)?;
    let path = data_dir.join(FILE);
    if fs::read_to_string(&path).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    let new = data_dir.join(format!("{FILE}.new"));
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(data_dir)?.sync_all()
}

/// The last configuration that ran from the file at `path`. `None`: none is kept, or this version
/// does not understand it.
#[must_use]
pub fn find(path: &Path, environment: &[(String, String)]) -> Option<Last> {
    let main = written::absolute(path);
    let mut places = data_dirs(&main, environment);
    places.dedup();
    places
        .iter()
        .find_map(|data_dir| open(&data_dir.join(FILE), &main))
}

/// The last configuration that ran in the `data_dir` of one that is in order.
#[must_use]
pub fn find_of(loaded: &Loaded) -> Option<Last> {
    open(&loaded.config.data_dir.join(FILE), &loaded.main)
}

fn open(file: &Path, main: &Path) -> Option<Last> {
    let text = written::read_text(file, FILE_BYTES_MAX).ok()?;
    let stored: Stored = toml::from_str(&text).ok()?;
    if stored.version != VERSION || stored.main != main {
        return None;
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
    let loaded = understand(main.to_owned(), map, vec![file.to_owned()]).ok()?;
    Some(Last {
        loaded,
        file: file.to_owned(),
    })
}

/// Where `data_dir` may be, while the configuration cannot be read as a whole: as the environment
/// says, as a readable file says, as a line of a broken file says, or where it is by default.
fn data_dirs(main: &Path, environment: &[(String, String)]) -> Vec<PathBuf> {
    let directory = written::directory(main);
    let mut found: Vec<PathBuf> = environment
        .iter()
        .filter(|(name, _)| name == "STOCKRELAY_DATA_DIR")
        .map(|(_, value)| directory.join(value))
        .collect();
    // The one that is read last wins.
    for file in written::list_files(main).iter().rev() {
        let text = written::read_text(file, FILE_BYTES_MAX).unwrap_or_default();
        found.extend(data_dir_in(&text).map(|data_dir| directory.join(data_dir)));
    }
    found.push(super::meaning::DATA_DIR.into());
    found
}

/// The `data_dir` of a file that may be broken elsewhere: it stands before the first section.
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
    fn what_was_kept_is_found_while_any_file_or_variable_has_a_fault() {
        let (dir, main) = directory();
        let part = dir.path().join("config.d/10.toml");
        fs::write(&part, "odoo.refresh_s = 7\njournal.budget = \"2 GiB\"").unwrap();
        let variables = [
            ("STOCKRELAY_ODOO__TIMEOUT_S".to_owned(), "9".to_owned()),
            ("HOME".to_owned(), "/root".to_owned()),
        ];
        let ran = load(&main, &variables).unwrap();
        keep(&ran).unwrap();
        let is_found = |variables: &[(String, String)]| {
            let faults = load(&main, variables).unwrap_err();
            assert!(matches!(faults, ConfigError::Faults(_)), "{faults}");
            let last = find(&main, variables).expect("it was kept");
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
        keep(&load(&main, &[]).unwrap()).unwrap();
        let other = dir.path().join("other.toml");
        fs::write(&other, MAIN.replace("[odoo]", "[odoo")).unwrap();
        assert!(find(&other, &[]).is_none());
    }

    #[test]
    fn it_is_for_the_daemons_user_alone_and_written_only_when_it_changes() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let (dir, main) = directory();
        let kept = dir.path().join("data").join(FILE);
        keep(&load(&main, &[]).unwrap()).unwrap();
        let first = fs::metadata(&kept).unwrap();
        assert_eq!(first.permissions().mode() & 0o777, 0o600);
        keep(&load(&main, &[]).unwrap()).unwrap();
        assert_eq!(fs::metadata(&kept).unwrap().ino(), first.ino());
        fs::write(&main, MAIN.replace("ams1", "ams2")).unwrap();
        keep(&load(&main, &[]).unwrap()).unwrap();
        assert_ne!(fs::metadata(&kept).unwrap().ino(), first.ino());
        assert!(!dir.path().join("data/last-config.toml.new").exists());
    }
}
