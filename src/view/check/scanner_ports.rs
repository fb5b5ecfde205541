//! The scanners on this gateway's own ports: the file of each, and its rights. The list of `opens`
//! has whether the daemon can open it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};

use super::Finding;
use crate::config::Config;
use crate::source::scanners;
use crate::source::scanners::list::{Place, Scanner};

/// The name of these findings.
const SCANNERS: &str = "scanners";
const PROFILES: &str = "profiles";

/// Reports the file and the rights of each scanner that is plugged in.
pub(super) fn scanners(config: &Config) -> Vec<Finding> {
    let list = config.scanners.as_deref().map(scanners::list::read);
    let list = list.and_then(Result::ok).unwrap_or_default();
    let found = list.iter().filter_map(|scanner| {
        let path = scanners::find(scanner).ok()?;
        Some(judge(scanner, &path))
    });
    found.collect()
}

fn judge(scanner: &Scanner, path: &Path) -> Finding {
    let what = format!(
        "scanner:{} is at {}{}",
        scanner.name,
        path.display(),
        rights(path).unwrap_or_default()
    );
    let changes = matches!(&scanner.place, Place::Port(port) if is_unstable(port));
    if !changes {
        return Finding::ok(SCANNERS, what);
    }
    Finding::warn(
        SCANNERS,
        what,
        "after a restart or another plug the same name may be another scanner",
        "write the scanner's name below /dev/serial/by-id, or its usb numbers, into port of scanners.toml",
    )
}

/// Whether the kernel numbers the ports of this name as they come.
fn is_unstable(port: &Path) -> bool {
    let name = port.to_string_lossy();
    ["/dev/ttyUSB", "/dev/ttyACM", "/dev/input/event"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// Owner, group and mode of a file: ` (/dev/ttyACM0, root:dialout, 0660)`.
fn rights(path: &Path) -> Option<String> {
    let file = path.canonicalize().ok()?;
    let metadata = fs::metadata(&file).ok()?;
    let user = User::from_uid(Uid::from_raw(metadata.uid())).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(metadata.gid()))
        .ok()
        .flatten();
    let user = user.map_or_else(|| metadata.uid().to_string(), |user| user.name);
    let group = group.map_or_else(|| metadata.gid().to_string(), |group| group.name);
    let mode = metadata.permissions().mode() & 0o777;
    Some(format!(" ({}, {user}:{group}, {mode:04o})", file.display()))
}

/// Finds profiles beside the lists that no scanner and no device uses.
pub(super) fn unused_profiles(config: &Config) -> Vec<Finding> {
    let lists = [
        config.scanners.clone(),
        config.listen.as_ref().and_then(|it| it.devices.clone()),
        config.broker.as_ref().and_then(|it| it.devices.clone()),
    ];
    let lists: BTreeSet<PathBuf> = lists.into_iter().flatten().collect();
    let mut used = BTreeSet::new();
    for list in &lists {
        let Some(named) = named_profiles(list) else {
            // The list of `opens` has a list that cannot be read.
            return Vec::new();
        };
        used.extend(named);
    }
    let directories: BTreeSet<&Path> = lists.iter().filter_map(|list| list.parent()).collect();
    let places = directories
        .iter()
        .flat_map(|directory| [directory.to_path_buf(), directory.join("profiles")]);
    let files = places.flat_map(|place| fs::read_dir(place).into_iter().flatten().flatten());
    let files = files.map(|entry| entry.path());
    let mut unused: Vec<PathBuf> = files
        .filter(|file| is_profile(file) && !used.contains(file))
        .collect();
    unused.sort();
    unused.iter().map(|file| describe_unused(file)).collect()
}

fn describe_unused(file: &Path) -> Finding {
    let shown = file.display();
    Finding::warn(
        PROFILES,
        format!("no device and no scanner uses the profile {shown}"),
        "the gateway reads its scanner with another profile, or without one",
        format!("name {shown} as the profile of its device or scanner, or remove the file"),
    )
}

/// The files of the profiles that a list names. `None`: the list cannot be read.
fn named_profiles(list: &Path) -> Option<BTreeSet<PathBuf>> {
    let table: toml::Table = toml::from_str(&fs::read_to_string(list).ok()?).ok()?;
    let directory = list.parent()?;
    let entries = table.values().filter_map(toml::Value::as_table);
    let entries = entries.flat_map(toml::Table::values);
    let names = entries.filter_map(|entry| entry.get("profile")?.as_str());
    Some(names.map(|name| directory.join(name)).collect())
}

/// Whether a file is a profile: TOML with a table `profile`.
fn is_profile(file: &Path) -> bool {
    let is_toml = file
        .extension()
        .is_some_and(|extension| extension == "toml");
    let read = || toml::from_str::<toml::Table>(&fs::read_to_string(file).ok()?).ok();
    is_toml && read().is_some_and(|table| table.get("profile").is_some_and(toml::Value::is_table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn a_profile_that_no_device_uses_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write(
            "scanners.toml",
            "[scanners.a]\nprofile = \"used.toml\"\nport = \"/dev/x\"\n",
        );
        write("used.toml", "[profile]\nname = \"a\"\n");
        write("unused.toml", "[profile]\nname = \"b\"\n");
        write("other.toml", "site = \"ams1\"\n");
        write("notes.txt", "[profile]\n");
        let named = named_profiles(&dir.path().join("scanners.toml")).unwrap();
        assert_eq!(named.len(), 1);
        let text = "site = \"ams1\"\nscanners = \"scanners.toml\"\n[odoo]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"d\"\n";
        write("config.toml", text);
        let config = config::load(&dir.path().join("config.toml"), &[])
            .unwrap()
            .config;
        let found = unused_profiles(&config);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].what.ends_with("unused.toml"), "{}", found[0]);
    }

    #[test]
    fn a_port_that_the_kernel_numbers_is_unstable() {
        assert!(is_unstable(Path::new("/dev/ttyACM0")));
        assert!(!is_unstable(Path::new("/dev/serial/by-id/usb-Zebra-if00")));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(rights(file.path()).unwrap().ends_with(", 0600)"));
    }
}
