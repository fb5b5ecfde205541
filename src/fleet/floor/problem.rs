//! Faults of floor devices. A fault that several devices have is one fault, with the first device.

use std::collections::BTreeMap;

use crate::config::Fault;
use crate::event::Name;

/// Where a fault is: the file (with its line, if it is known), and the key or JSON pointer in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub origin: String,
    pub key: String,
}

impl Spot {
    pub fn new(origin: impl Into<String>, key: impl Into<String>) -> Self {
        let (origin, key) = (origin.into(), key.into());
        Self { origin, key }
    }

    pub fn in_line(file: &str, line: usize, key: impl Into<String>) -> Self {
        Self::new(format!("{file}:{line}"), key)
    }

    pub fn fault(self, found: impl Into<String>, accepted: impl Into<String>) -> Fault {
        Fault {
            key: self.key,
            found: found.into(),
            accepted: accepted.into(),
            origin: Some(self.origin),
        }
    }
}

/// Collects the faults of single devices.
#[derive(Debug, Default)]
pub(super) struct Problems {
    /// From the place and the thing found to the accepted values and the devices.
    found: BTreeMap<(Spot, String), (String, Vec<Name>)>,
    /// A device has a fault that is reported elsewhere.
    is_marked: bool,
}

impl Problems {
    pub fn add(&mut self, spot: Spot, found: &str, accepted: &str, device: &Name) {
        let entry = self.found.entry((spot, found.to_owned()));
        let (_, devices) = entry.or_insert_with(|| (accepted.to_owned(), Vec::new()));
        devices.push(device.clone());
    }

    /// Notes that the device has a fault that is reported for the whole template.
    pub fn mark(&mut self) {
        self.is_marked = true;
    }

    pub fn has_none(&self) -> bool {
        self.found.is_empty() && !self.is_marked
    }

    /// Moves all problems of `other` here.
    pub fn append(&mut self, other: Self) {
        for ((spot, found), (accepted, devices)) in other.found {
            for device in &devices {
                self.add(spot.clone(), &found, &accepted, device);
            }
        }
    }

    pub fn into_faults(self) -> impl Iterator<Item = Fault> {
        self.found
            .into_iter()
            .map(|((spot, found), (accepted, devices))| {
                spot.fault(format!("{found}{}", list(&devices)), accepted)
            })
    }
}

/// ` (device pda-1, and 2 more)`.
fn list(devices: &[Name]) -> String {
    match devices {
        [] => String::new(),
        [one] => format!(" (device {one})"),
        [first, rest @ ..] => format!(" (device {first}, and {} more)", rest.len()),
    }
}
