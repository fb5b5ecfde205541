//! Finds the service that keeps the machine's clock right, from what it leaves below `/run`.
//!
//! The unit of the gateway forbids each call that reads the kernel's own record of the clock
//! (`ProtectClock`, which filters `adjtimex`), so the gateway looks for the files of the services.

use std::path::Path;

/// A service that synchronises the clock with time servers (NTP).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeService {
    pub name: &'static str,
    /// Whether the service has synchronised the clock since the machine started. `None`: the
    /// service runs, and tells no other program whether it has.
    pub is_synchronised: Option<bool>,
}

/// The services, each with the file or folder that exists while it runs. The first one that runs
/// counts.
const SERVICES: [(&str, &str); 5] = [
    ("chrony", "chrony"),
    ("ntpd-rs", "ntpd-rs"),
    ("ntpd", "ntpd.pid"),
    ("openntpd", "openntpd"),
    (TIMESYNCD, "systemd/timesync"),
];
const TIMESYNCD: &str = "systemd-timesyncd";
/// The file that systemd-timesyncd creates when it has synchronised the clock for the first time.
const SYNCHRONISED: &str = "systemd/timesync/synchronized";

/// Finds the service that runs. `run` is `/run`, except in tests. `None`: none of the known ones
/// runs; a virtual machine may still have the clock of its host.
#[must_use]
pub fn find(run: &Path) -> Option<TimeService> {
    let runs = |(_, place): &&(&str, &str)| run.join(place).exists();
    let (name, _) = SERVICES.iter().find(runs)?;
    let is_synchronised = (*name == TIMESYNCD).then(|| run.join(SYNCHRONISED).exists());
    Some(TimeService {
        name,
        is_synchronised,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_with(paths: &[&str]) -> Option<(&'static str, Option<bool>)> {
        let run = tempfile::tempdir().unwrap();
        for path in paths {
            std::fs::create_dir_all(run.path().join(path)).unwrap();
        }
        find(run.path()).map(|found| (found.name, found.is_synchronised))
    }

    #[test]
    fn the_service_that_runs_is_found_by_what_it_leaves() {
        assert_eq!(find_with(&[]), None);
        assert_eq!(find_with(&["ntpd.pid"]), Some(("ntpd", None)));
        assert_eq!(find_with(&["chrony"]), Some(("chrony", None)));
        let timesyncd = "systemd-timesyncd";
        assert_eq!(
            find_with(&["systemd/timesync"]),
            Some((timesyncd, Some(false)))
        );
        assert_eq!(find_with(&[SYNCHRONISED]), Some((timesyncd, Some(true))));
        // systemd removes the folder of timesyncd only at its stop, and chrony replaces timesyncd.
        assert_eq!(find_with(&[SYNCHRONISED, "chrony"]), Some(("chrony", None)));
    }
}
