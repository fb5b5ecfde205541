//! `scanners.toml`: the list of scanners on this gateway's own ports.
//!
//! ```toml
//! [scanners.dock-1]                            # the device's name in events
//! profile = "zebra-serial"                     # a shipped profile, or a file's path from this file's directory
//! port = "/dev/serial/by-id/usb-Zebra_..."     # or the USB device:
//! # usb = { vendor = 0x05e0, product = 0x1701, serial = "S1" }
//! operator = "anna"                            # the operator, for codes that name none
//! flow = "transfer"                            # the flow that it starts in; replaces the profile's
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize as _;
use thiserror::Error;
use toml::{Table, Value};

use crate::decode::profile::{Connection, Fault, Profile, Usb};
use crate::decode::profiles;
use crate::event::{Name, TEXT_BYTES_MAX};
use crate::source::LastLists;

/// The name of its copy.
const KIND: &str = "scanners";
/// The largest `scanners.toml` that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Each scanner has a task, and no gateway has more ports.
const SCANNERS_MAX: usize = 256;
const KEYS: &str = "profile, port, usb, operator, flow";

#[derive(Debug, Error)]
pub enum ScannersError {
    #[error("scanners: the list of scanners {}: {reason}; {remedy}", file.display())]
    Unreadable {
        file: PathBuf,
        reason: String,
        remedy: &'static str,
    },
    /// Every fault at once, a line each.
    #[error("{}: {}", file.display(), describe_faults(faults))]
    Invalid { file: PathBuf, faults: Vec<Fault> },
}

/// A scanner of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Scanner {
    pub name: Name,
    pub profile: Arc<Profile>,
    pub place: Place,
    pub operator: Option<String>,
}

/// Where a scanner is plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A device file, best one whose name stays the same.
    Port(PathBuf),
    Usb(Usb),
}

pub fn read(file: &Path) -> Result<Vec<Scanner>, ScannersError> {
    understand(&read_text(file)?, file)
}

/// Reads the list and keeps it for a start at which it has a fault. While it has one: the list that
/// was good last, with the fault.
pub(super) fn read_or_last(
    file: &Path,
    last_lists: &LastLists,
) -> Result<(Vec<Scanner>, Option<ScannersError>), ScannersError> {
    let read = read_text(file).and_then(|text| Ok((understand(&text, file)?, text)));
    match read {
        Ok((scanners, text)) => {
            last_lists.keep(KIND, file, &text);
            Ok((scanners, None))
        }
        Err(error) => match find_last(file, last_lists) {
            Some(scanners) => Ok((scanners, Some(error))),
            None => Err(error),
        },
    }
}

/// Whether the list was in order at an earlier start: then the daemon starts while it has a fault.
#[must_use]
pub fn has_last(file: &Path, last_lists: &LastLists) -> bool {
    find_last(file, last_lists).is_some()
}

fn find_last(file: &Path, last_lists: &LastLists) -> Option<Vec<Scanner>> {
    understand(&last_lists.find(KIND, file)?, file).ok()
}

fn read_text(file: &Path) -> Result<String, ScannersError> {
    let mut text = String::new();
    File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| ScannersError::Unreadable {
            file: file.to_owned(),
            reason: error.to_string(),
            remedy: match error.kind() {
                std::io::ErrorKind::NotFound => "write it, or correct the key scanners",
                std::io::ErrorKind::PermissionDenied => {
                    "make it readable to the gateway's user: chgrp stockrelay, chmod 640"
                }
                _ => "check that the file is text in UTF-8 and that the disk has no faults",
            },
        })?;
    Ok(text)
}

fn understand(text: &str, file: &Path) -> Result<Vec<Scanner>, ScannersError> {
    let directory = file.parent().unwrap_or(Path::new(""));
    parse(text, directory).map_err(|faults| ScannersError::Invalid {
        file: file.to_owned(),
        faults,
    })
}

fn parse(text: &str, directory: &Path) -> Result<Vec<Scanner>, Vec<Fault>> {
    if text.len() as u64 > FILE_BYTES_MAX {
        let accepted = format!("a file of at most {FILE_BYTES_MAX} bytes");
        return Err(vec![fault("", "more", accepted)]);
    }
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().map_or("", |span| &text[..span.start]);
        let line = before.matches('\n').count() + 1;
        vec![fault(
            "",
            format!("an error in line {line}: {}", error.message()),
            "TOML",
        )]
    })?;
    let mut faults = Vec::new();
    for key in table.keys().filter(|key| *key != "scanners") {
        faults.push(fault(key, "a key that is not known", "[scanners.NAME]"));
    }
    let none = Table::new();
    let written = match table.get("scanners") {
        None => &none,
        Some(Value::Table(written)) if written.len() <= SCANNERS_MAX => written,
        Some(_) => {
            let accepted = format!("at most {SCANNERS_MAX} sections [scanners.NAME]");
            faults.push(fault("scanners", "something else", accepted));
            &none
        }
    };
    let scanners: Vec<_> = written
        .iter()
        .filter_map(|(name, value)| scanner(name, value, directory, &mut faults))
        .collect();
    share_no_place(&scanners, &mut faults);
    if faults.is_empty() {
        Ok(scanners)
    } else {
        Err(faults)
    }
}

/// Reads one section. `None` only if it has noted a fault.
fn scanner(
    name: &str,
    value: &Value,
    directory: &Path,
    faults: &mut Vec<Fault>,
) -> Option<Scanner> {
    let section = format!("scanners.{name}");
    let named = Name::new(name);
    if let Err(error) = &named {
        faults.push(fault(section.as_str(), error.to_string(), "such a name"));
    }
    let Value::Table(written) = value else {
        let accepted = format!("a section with {KEYS}");
        faults.push(fault(section, "a single value", accepted));
        return None;
    };
    let mut section = ScannerEntry {
        name: section,
        written,
        faults,
    };
    section.refuse_unknown();
    let operator = section.text("operator", "a text of 1 to 256 bytes");
    let place = section.place();
    let profile = section.profile(directory)?;
    let profile = section.with_flow(profile);
    let usual = usual_place(&profile);
    if usual.is_none() && !section.has("port") && !section.has("usb") {
        let accepted = "port or usb, as the profile names neither";
        section.fault("port", "nothing", accepted);
    }
    Some(Scanner {
        name: named.ok()?,
        profile: Arc::new(profile),
        place: place.or(usual)?,
        operator,
    })
}

/// A section as written in the file.
struct ScannerEntry<'a> {
    name: String,
    written: &'a Table,
    faults: &'a mut Vec<Fault>,
}

impl ScannerEntry<'_> {
    fn has(&self, key: &str) -> bool {
        self.written.contains_key(key)
    }

    fn fault(&mut self, key: &str, found: impl Into<String>, accepted: &str) {
        let key = format!("{}.{key}", self.name);
        self.faults.push(fault(key, found, accepted));
    }

    fn refuse_unknown(&mut self) {
        let written = self.written;
        for key in written.keys() {
            if !KEYS.split(", ").any(|own| own == key) {
                self.fault(key, "a key that is not known", KEYS);
            }
        }
    }

    fn text(&mut self, key: &str, accepted: &str) -> Option<String> {
        match self.written.get(key)? {
            Value::String(text) if is_text(text) => return Some(text.clone()),
            _ => self.fault(key, "something else", accepted),
        }
        None
    }

    fn place(&mut self) -> Option<Place> {
        let port = self.text("port", "the path of a device file");
        let usb = self.written.get("usb").cloned().and_then(|usb| {
            Usb::deserialize(usb)
                .map_err(|error| {
                    let accepted = "a table such as { vendor = 0x05e0, product = 0x1701, serial = \"S1\" }, of which vendor is needed";
                    self.fault("usb", error.message(), accepted);
                })
                .ok()
        });
        if port.is_some() && usb.is_some() {
            self.fault("usb", "port as well", "one of the two");
        }
        let port = port.map(|port| Place::Port(port.into()));
        port.or_else(|| usb.map(Place::Usb))
    }

    fn profile(&mut self, directory: &Path) -> Option<Profile> {
        let accepted = "a shipped profile's name or a file's path";
        if !self.has("profile") {
            self.fault("profile", "nothing", accepted);
        }
        let name = self.text("profile", accepted)?;
        match profiles::load(&name, directory) {
            Ok(profile) => {
                if matches!(profile.connection, Connection::Mqtt(_)) {
                    let accepted =
                        "one for serial or hid; MQTT devices name theirs in devices.toml";
                    self.fault("profile", "a profile for MQTT devices", accepted);
                }
                Some(profile)
            }
            Err(wrong) => {
                for Fault {
                    key,
                    found,
                    accepted,
                } in wrong
                {
                    let key = format!("profile {key}");
                    self.fault(key.trim_end(), found, &accepted);
                }
                None
            }
        }
    }

    /// Sets the flow that the scanner names.
    fn with_flow(&mut self, mut profile: Profile) -> Profile {
        let accepted = format!("one of {}", profile.flow.names());
        if let Some(flow) = self.text("flow", &accepted) {
            if !profile.flow.has(&flow) {
                self.fault("flow", format!("the text {flow}"), &accepted);
            }
            profile.flow.start = Some(flow);
        }
        profile
    }
}

/// The place of such scanners in the profile.
fn usual_place(profile: &Profile) -> Option<Place> {
    let (path, usb) = match &profile.connection {
        Connection::Serial(serial) => (&serial.path, &serial.usb),
        Connection::Hid(hid) => (&hid.path, &hid.usb),
        Connection::Mqtt(_) => return None,
    };
    let path = path.as_ref().map(|path| Place::Port(path.into()));
    path.or_else(|| usb.clone().map(Place::Usb))
}

/// Two scanners at one place would take each other's codes.
fn share_no_place(scanners: &[Scanner], faults: &mut Vec<Fault>) {
    let mut places = BTreeMap::new();
    for scanner in scanners {
        let place = format!("{:?}", scanner.place);
        if let Some(other) = places.insert(place, &scanner.name) {
            let found = format!("the place of scanners.{other}");
            let accepted = "a place of its own: another port, or usb with serial";
            faults.push(fault(format!("scanners.{}", scanner.name), found, accepted));
        }
    }
}

/// A line each.
fn describe_faults(faults: &[Fault]) -> String {
    let lines: Vec<_> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    lines.concat()
}

fn is_text(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn fault(key: impl Into<String>, found: impl Into<String>, accepted: impl Into<String>) -> Fault {
    Fault {
        key: key.into(),
        found: found.into(),
        accepted: accepted.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scanners_are_read_with_their_profiles_and_places() {
        let dir = tempfile::tempdir().unwrap();
        let own = "[profile]\nname = \"own\"\nfamily = \"f\"\nabout = \"a\"\nbuilt_from = [\"x\"]\n\
                   [connection]\nkind = \"serial\"\nbaud = 115200\n";
        std::fs::write(dir.path().join("own.toml"), own).unwrap();
        let text = "[scanners.dock-1]\nprofile = \"own.toml\"\nport = \"/dev/ttyS0\"\noperator = \"anna\"\nflow = \"pick\"\n\
                    [scanners.dock-2]\nprofile = \"zebra-hid\"\nusb = { vendor = 0x05e0, serial = \"S1\" }\n";
        let scanners = parse(text, dir.path()).unwrap();
        assert_eq!(scanners[0].name.as_str(), "dock-1");
        assert_eq!(scanners[0].profile.about.name, "own");
        assert_eq!(scanners[0].place, Place::Port("/dev/ttyS0".into()));
        assert_eq!(scanners[0].operator.as_deref(), Some("anna"));
        assert_eq!(scanners[0].profile.flow.start.as_deref(), Some("pick"));
        assert_eq!(scanners[1].profile.flow.start, None);
        let usb = Usb {
            vendor: 0x05e0,
            product: None,
            serial: Some("S1".to_owned()),
        };
        assert_eq!(scanners[1].place, Place::Usb(usb));
    }

    #[test]
    fn every_fault_is_told_at_once_with_its_key() {
        let text = "[scaners.a]\n\
                    [scanners.b]\nprofile = \"generic-serial\"\nprt = \"/dev/ttyS0\"\n\
                    [scanners.\"c/d\"]\nprofile = \"generic-serial\"\nport = \"/dev/ttyS1\"\n\
                    [scanners.e]\nport = 7\n\
                    [scanners.f]\nprofile = \"no-such\"\nusb = { vendor = \"05e0\" }\n\
                    [scanners.g]\nprofile = \"bare-mqtt\"\nport = \"/dev/ttyS2\"\n\
                    [scanners.h]\nprofile = \"generic-serial\"\nport = \"/dev/ttyS2\"\nusb = { vendor = 1 }\n\
                    [scanners.i]\nprofile = \"generic-serial\"\nport = \"/dev/ttyS3\"\nflow = \"pik\"\n";
        let faults = parse(text, Path::new("/nowhere")).unwrap_err();
        let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "scaners",
                "scanners.b.prt",
                "scanners.b.port",
                "scanners.c/d",
                "scanners.e.port",
                "scanners.e.profile",
                "scanners.f.usb",
                "scanners.f.profile",
                "scanners.g.profile",
                "scanners.h.usb",
                "scanners.i.flow",
                "scanners.h",
            ]
        );
        let told = faults.iter().find(|fault| fault.key == "scanners.i.flow");
        assert_eq!(
            told.unwrap().accepted,
            "one of transfer, pick, receive, count, scrap, return, pack"
        );
        let error = parse("[scanners.a]\nprofile = 1\nprofile = 2\n", Path::new("")).unwrap_err();
        assert!(error[0].found.contains("line 3"), "{}", error[0]);
    }
}
