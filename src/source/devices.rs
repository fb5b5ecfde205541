//! `devices.toml`: the list of MQTT devices, with their passwords and settings.
//!
//! ```toml
//! [devices.pda-07]
//! password = "$argon2id$v=19$m=7168,t=5,p=1$..."   # or a scrypt hash; `stockrelay` makes them
//! enabled = true                                    # false: refused, also with a certificate
//! language = "de"                                   # of its displays, unless its state names one
//! tasks = ["incoming", "internal"]                  # the kinds of orders it receives; default: all
//! profile = "proglove-streams"                      # describes its scans: a shipped profile, or a path from this directory
//! flow = "transfer"                                 # the flow that it starts in; replaces the profile's
//! family = "esp32-scanner"                          # the template of its configuration in a bundle
//! ```

pub mod edit;
mod faults;
mod list;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use argon2::password_hash::{PasswordHash, PasswordHasher, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::Deserialize;
use thiserror::Error;

use crate::capture::Settings;
use crate::config::Language;
use crate::decode::profile::Profile;
use crate::decode::profiles;
use crate::event::Name;
use crate::odoo::Direction;
use crate::source::LastLists;
pub use faults::find_faults;
pub use list::{DeviceList, Devices, ReadList, Told};

/// The name of its copy.
const KIND: &str = "devices";
/// The largest `devices.toml` that is read, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DevicesError {
    #[error("the list of devices {}: {reason}; {remedy}", file.display())]
    Unreadable {
        file: PathBuf,
        reason: String,
        remedy: &'static str,
    },
    #[error("{}: device {device} is there twice, in lines {} and {}; keep the entry with the new password and remove the other", file.display(), lines.0, lines.1)]
    Twice {
        file: PathBuf,
        device: String,
        lines: (usize, usize),
    },
    #[error("{}: {reason}; correct the entry: it has the form [devices.NAME] with password = \"$argon2id$...\" and, if need be, enabled = false", file.display())]
    Invalid { file: PathBuf, reason: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    devices: BTreeMap<Name, Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    password: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
    language: Option<String>,
    tasks: Option<Vec<Direction>>,
    profile: Option<String>,
    flow: Option<String>,
    family: Option<Name>,
}

/// The profile of a device that has a flow and names none: it can read text, and that is all it has
/// to say.
const BARE: &str = "bare-mqtt";

/// Odoo's names for the kinds of orders.
const TASKS: [Direction; 3] = [
    Direction::Incoming,
    Direction::Outgoing,
    Direction::Internal,
];

fn yes() -> bool {
    true
}

/// A device of the list.
#[derive(Clone)]
pub struct Device {
    /// A PHC string. `None`: the device logs in with a certificate only.
    pub hash: Option<String>,
    pub enabled: bool,
    pub settings: Settings,
    pub profile: Option<Arc<Profile>>,
    /// The template of its configuration in central IT's bundle. `None`: it has none.
    pub family: Option<Name>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device")
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

/// The metadata that shows whether the file has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

pub(super) fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(file).ok()?;
    Some(Stamp {
        modified: metadata.modified().ok(),
        bytes: metadata.len(),
    })
}

/// Whether the daemon can read the list.
pub fn check(file: &Path) -> Result<(), DevicesError> {
    read(file).map(drop)
}

/// Whether the daemon has read the list without a fault before: then it starts while the list has a
/// fault.
#[must_use]
pub fn has_last(file: &Path, last_lists: &LastLists) -> bool {
    find_last(file, last_lists).is_some()
}

/// The list as it was last in order.
fn find_last(file: &Path, last_lists: &LastLists) -> Option<BTreeMap<Name, Device>> {
    let text = last_lists.find(KIND, file)?;
    parse(&text, file).ok()
}

/// Reads the list and keeps it for a start at which it has a fault.
pub(super) fn read_and_keep(
    file: &Path,
    last_lists: &LastLists,
) -> Result<BTreeMap<Name, Device>, DevicesError> {
    let text = read_text(file)?;
    let devices = parse(&text, file)?;
    last_lists.keep(KIND, file, &text);
    Ok(devices)
}

/// Reads the list; every hash in it is one that can be verified here.
pub fn read(file: &Path) -> Result<BTreeMap<Name, Device>, DevicesError> {
    parse(&read_text(file)?, file)
}

fn read_text(file: &Path) -> Result<String, DevicesError> {
    let unreadable = |reason: String, remedy: &'static str| DevicesError::Unreadable {
        file: file.to_owned(),
        reason,
        remedy,
    };
    let failed = |error: std::io::Error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "add a device with `stockrelay devices add`, or correct the key devices"
            }
            std::io::ErrorKind::PermissionDenied => {
                "make it readable to the gateway's user: its owner is stockrelay, its mode 600"
            }
            _ => "check that the file is text in UTF-8 and that the disk has no faults",
        };
        unreadable(error.to_string(), remedy)
    };
    let bytes = std::fs::metadata(file).map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(unreadable(
            format!("it has {bytes} bytes, more than {FILE_BYTES_MAX}"),
            "name the list of devices in the key devices",
        ));
    }
    std::fs::read_to_string(file).map_err(failed)
}

/// Parses the text of the list at `file`. This gateway can verify every hash in the result.
fn parse(text: &str, file: &Path) -> Result<BTreeMap<Name, Device>, DevicesError> {
    let invalid = |reason: String| DevicesError::Invalid {
        file: file.to_owned(),
        reason,
    };
    // The parser's message quotes lines of the file, hashes among them: only the place may leave
    // this function.
    let parsed: File = toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        if let Some((device, first)) = section_before(text, line) {
            return DevicesError::Twice {
                file: file.to_owned(),
                device: device.to_owned(),
                lines: (first, line),
            };
        }
        // The name of a key is no secret, but the parser's message quotes values.
        let what = Some(error.message())
            .filter(|what| what.starts_with("unknown field") || what.starts_with("name "));
        invalid(format!(
            "line {line}: {}",
            what.unwrap_or("that is no entry")
        ))
    })?;
    parsed
        .devices
        .into_iter()
        .map(|(name, written)| {
            if let Some(hash) = &written.password {
                check_hash(hash)
                    .map_err(|reason| invalid(format!("devices.{name}.password {reason}")))?;
            }
            let device = Device {
                settings: settings(&name, &written).map_err(invalid)?,
                profile: profile(&name, &written, file).map_err(invalid)?,
                hash: written.password,
                enabled: written.enabled,
                family: written.family,
            };
            Ok((name, device))
        })
        .collect()
}

/// The device whose section begins in this line, and the line of an earlier section of the same.
fn section_before(text: &str, line: usize) -> Option<(&str, usize)> {
    let device = device_of(text.lines().nth(line - 1)?)?;
    let mut before = text.lines().take(line - 1);
    let first = before.position(|other| device_of(other) == Some(device))?;
    Some((device, first + 1))
}

/// The device of a line such as `[devices."pda-07"]`.
fn device_of(line: &str) -> Option<&str> {
    let header = line.trim().strip_prefix('[')?.split(']').next()?.trim();
    let name = header.strip_prefix("devices")?.trim().strip_prefix('.')?;
    Some(name.trim().trim_matches(['"', '\'']))
}

/// Finds the line of the device's section in a file. `None`: no such section, or this user cannot
/// read the file.
#[must_use]
pub fn find_line(file: &Path, device: &Name) -> Option<usize> {
    let text = std::fs::read_to_string(file).ok()?;
    find_line_in(&text, device.as_str())
}

/// Finds the line of the device's section in the text of a list.
#[must_use]
pub fn find_line_in(text: &str, device: &str) -> Option<usize> {
    let mut lines = text.lines();
    let at = lines.position(|line| device_of(line) == Some(device))?;
    Some(at + 1)
}

fn settings(name: &Name, written: &Written) -> Result<Settings, String> {
    let language = written.language.as_deref().map(|tag| {
        Language::of(tag)
            .ok_or_else(|| format!("devices.{name}.language is none of en, de, fr, nl, es and ar"))
    });
    let tasks = written.tasks.iter().flatten();
    if tasks.into_iter().any(|kind| !TASKS.contains(kind)) {
        return Err(format!(
            "devices.{name}.tasks holds more than {}",
            TASKS.map(String::from).join(", ")
        ));
    }
    Ok(Settings {
        language: language.transpose()?,
        tasks: written.tasks.clone(),
    })
}

fn profile(name: &Name, written: &Written, file: &Path) -> Result<Option<Arc<Profile>>, String> {
    let bare = written.flow.as_ref().map(|_| BARE);
    let Some(profile) = written.profile.as_deref().or(bare) else {
        return Ok(None);
    };
    let directory = file.parent().unwrap_or(Path::new(""));
    let mut loaded = profiles::load(profile, directory).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        format!("devices.{name}.profile: {}", faults.join("; "))
    })?;
    if let Some(flow) = &written.flow {
        if !loaded.flow.has(flow) {
            let names = loaded.flow.names();
            return Err(format!("devices.{name}.flow is none of {names}"));
        }
        loaded.flow.start = Some(flow.clone());
    }
    Ok(Some(Arc::new(loaded)))
}

fn check_hash(hash: &str) -> Result<(), &'static str> {
    let parsed = PasswordHash::new(hash)
        .map_err(|_| "is not a hash in PHC form ($argon2id$... or $scrypt$...)")?;
    match parsed.algorithm.as_str() {
        "argon2id" | "argon2i" | "argon2d" | "scrypt" if parsed.hash.is_some() => Ok(()),
        _ => Err("is hashed with neither argon2 nor scrypt"),
    }
}

/// Whether the password is the one that was hashed. Takes tens of milliseconds and some MiB: not
/// for an async thread.
pub(super) fn verify(hash: &str, password: &[u8]) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        hash.verify_password(&[&Argon2::default(), &scrypt::Scrypt], password)
            .is_ok()
    })
}

/// Hashes a password for `devices.toml`: argon2id, m = 7 MiB, t = 5, p = 1 (OWASP Password Storage
/// Cheat Sheet).
#[must_use]
pub fn hash_password(password: impl AsRef<[u8]>) -> String {
    let params = Params::new(7_168, 5, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password.as_ref(), &salt())
        .map(|hash| hash.to_string())
        .unwrap_or_default()
}

fn salt() -> SaltString {
    SaltString::generate(&mut argon2::password_hash::rand_core::OsRng)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("devices.toml");
        std::fs::write(&file, text).unwrap();
        (dir, file)
    }

    #[test]
    fn a_hash_verifies_its_password_alone() {
        let hash = hash_password("tr0ub4dor");
        assert!(hash.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{hash}");
        assert!(verify(&hash, b"tr0ub4dor"));
        assert!(!verify(&hash, b"tr0ub4dor "));
        assert_ne!(hash, hash_password("tr0ub4dor"));
        let bytes = [0xFF, 0, 0x80];
        assert!(verify(&hash_password(bytes), &bytes));
        let scrypt = scrypt::Scrypt
            .hash_password_customized(
                b"pw",
                None,
                None,
                scrypt::Params::new(8, 8, 1, 32).unwrap(),
                &salt(),
            )
            .unwrap()
            .to_string();
        assert!(verify(&scrypt, b"pw") && !verify(&scrypt, b"pW"));
    }

    #[test]
    fn the_list_is_read_and_faults_name_the_device_but_never_the_hash() {
        let hash = hash_password("x");
        let (_dir, file) = write(&format!(
            "[devices.a]\npassword = \"{hash}\"\nlanguage = \"de-AT\"\ntasks = [\"incoming\"]\n[devices.b]\nenabled = false\n"
        ));
        let list = read(&file).unwrap();
        let settings = &list[&Name::new("a").unwrap()].settings;
        assert_eq!(settings.language, Some(Language::German));
        assert_eq!(settings.tasks, Some(vec![Direction::Incoming]));
        assert!(list[&Name::new("a").unwrap()].enabled);
        assert!(!list[&Name::new("b").unwrap()].enabled);

        for (text, names) in [
            ("[devices.a]\npassword = \"secret\"\n", "devices.a.password"),
            ("[devices.a]\nlanguage = \"secret\"\n", "devices.a.language"),
            ("[devices.a]\ntasks = [\"secret\"]\n", "devices.a.tasks"),
            ("[devices.a]\npasword = \"secret\"\n", "pasword"),
            ("[devices.\"a/b\"]\n", "a/b"),
            ("[devices.a]\npassword = \"secret\n", "line 2"),
            ("[devices]\na = \"secret\"\n", "line "),
            ("[devices.a]\nenabled = \"secret\"\n", "line "),
            ("[devices.a]\nprofile = \"none\"\n", "devices.a.profile"),
            (
                "[devices.a]\nflow = \"secret\"\n",
                "devices.a.flow is none of transfer, pick, receive, count, scrap, return, pack",
            ),
        ] {
            let (_dir, file) = write(text);
            let error = read(&file).unwrap_err().to_string();
            assert!(error.contains(names), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let missing = read(Path::new("/nowhere/devices.toml")).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/devices.toml"));
    }

    #[test]
    fn a_device_that_is_there_twice_is_told_with_both_lines() {
        let (_dir, file) = write(
            "# the list\n[devices.\"a\"]\npassword = \"secret\"\n[devices.b]\n[devices.a]\npassword = \"x\"\n",
        );
        let error = read(&file).unwrap_err().to_string();
        let told = "device a is there twice, in lines 2 and 5";
        assert!(error.contains(told), "{error}");
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(find_line(&file, &Name::new("b").unwrap()), Some(4));
        assert_eq!(find_line(&file, &Name::new("c").unwrap()), None);
    }

    #[test]
    fn a_flow_goes_before_the_profiles_and_without_a_profile_scans_are_bare() {
        let own = "[profile]\nname = \"own\"\nfamily = \"f\"\nabout = \"a\"\nbuilt_from = [\"x\"]\n\
                   [connection]\nkind = \"mqtt\"\n[flow]\nstart = \"pick\"\n[flow.custom.blind]\nmovement = \"receive\"\n\
                   start = \"s\"\non = [{ state = \"s\", code = \"product\", do = [\"product\"] }]\n";
        let (dir, file) = write(
            "[devices.a]\nprofile = \"proglove-streams\"\nflow = \"transfer\"\n[devices.b]\nflow = \"count\"\n\
             [devices.c]\nprofile = \"own.toml\"\nflow = \"blind\"\n[devices.d]\nprofile = \"own.toml\"\n",
        );
        std::fs::write(dir.path().join("own.toml"), own).unwrap();
        let list = read(&file).unwrap();
        for (device, profile, start) in [
            ("a", "proglove-streams", "transfer"),
            ("b", "bare-mqtt", "count"),
            ("c", "own", "blind"),
            ("d", "own", "pick"),
        ] {
            let found = list[&Name::new(device).unwrap()].profile.as_ref().unwrap();
            assert_eq!(found.about.name, profile);
            assert_eq!(found.flow.start.as_deref(), Some(start));
        }
    }
}
