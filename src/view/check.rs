//! `stockrelay check`: what is wrong with this gateway, and what to do. Changes nothing.
//!
//! Each finding is one line: `ok`, `warn` or `FAIL`, what was looked at, and the remedy.

mod journal;
mod odoo;

use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub use odoo::odoo;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::client::{Client, ClientError};
use super::snapshot::Status;
use super::table::{plain, size, span};
use crate::config::{self, Config};

/// A clock that is behind this year was never set: the gateway is younger.
const YEAR_MIN: i16 = 2026;
/// Below so much free disk, in bytes, nothing works for long.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// The name of the systemd credential that holds the key where no file is named.
const CREDENTIAL: &str = "odoo-api-key";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub level: Level,
    pub what: String,
    /// Empty where there is nothing to do.
    pub remedy: String,
}

impl Finding {
    pub fn ok(what: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            what: what.into(),
            remedy: String::new(),
        }
    }

    pub fn warn(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            level: Level::Warn,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    pub fn fail(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            level: Level::Fail,
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        write!(f, "{level}  {}", plain(&self.what))?;
        if !self.remedy.is_empty() {
            write!(f, " — {}", plain(&self.remedy))?;
        }
        Ok(())
    }
}

/// What the machine itself shows; the daemon and Odoo are asked by [`daemon`] and [`odoo`].
#[must_use]
pub fn machine(config: &Config, credentials: Option<&Path>, now: Timestamp) -> Vec<Finding> {
    let mut findings = vec![data_dir(&config.data_dir)];
    findings.extend(disk(config));
    findings.extend(journal::journal(&config.data_dir));
    findings.push(clock(now));
    findings.extend(key(&config.odoo, credentials));
    findings.extend(config.listen.as_ref().map(listen).unwrap_or_default());
    if config.listen.is_none() && config.broker.is_none() {
        findings.push(Finding::fail(
            "no source: neither mqtt.listen nor mqtt.broker is configured",
            "add [mqtt.listen] or [mqtt.broker]",
        ));
    }
    findings
}

fn data_dir(path: &Path) -> Finding {
    let shown = path.display();
    let probe = path.join(format!(".check-{}", std::process::id()));
    match std::fs::File::create_new(&probe) {
        Ok(_) => {
            drop(std::fs::remove_file(&probe));
            Finding::ok(format!("data directory {shown} can be written"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::warn(
            format!("data directory {shown} is not there yet"),
            "`stockrelay run` makes it if it may; under systemd StateDirectory= does",
        ),
        Err(error) => Finding::fail(
            format!("data directory {shown} cannot be written by this user: {error}"),
            "run the check as the daemon's user, or give it the directory, or change data_dir",
        ),
    }
}

/// Whether the disk has room for what the journal may still grow.
fn disk(config: &Config) -> Option<Finding> {
    let there = config.data_dir.ancestors().find(|path| path.exists())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let journal =
        std::fs::metadata(config.data_dir.join("journal.redb")).map_or(0, |file| file.len());
    Some(room(free, journal, config.journal.budget_bytes))
}

fn room(free: u64, journal: u64, budget: u64) -> Finding {
    let to_grow = budget.saturating_sub(journal);
    let what = format!(
        "disk has {} free, the journal may grow by {} to its budget of {}",
        size(free),
        size(to_grow),
        size(budget)
    );
    if free < FREE_BYTES_MIN {
        Finding::fail(
            what,
            format!("make room: at least {}", size(FREE_BYTES_MIN)),
        )
    } else if free < to_grow {
        Finding::warn(
            what,
            "make room, or lower journal.budget, so that the limit is reached in order",
        )
    } else {
        Finding::ok(what)
    }
}

fn clock(now: Timestamp) -> Finding {
    let year = now.to_zoned(TimeZone::UTC).year();
    if year < YEAR_MIN {
        Finding::fail(
            format!("clock says {now}: it was never set"),
            "set it and keep it with NTP: movements carry the time at which they were done",
        )
    } else {
        Finding::ok(format!("clock says {}", super::table::time(now)))
    }
}

fn key(odoo: &config::Odoo, credentials: Option<&Path>) -> Vec<Finding> {
    let path: PathBuf = match (&odoo.api_key_file, credentials) {
        (Some(path), _) => path.clone(),
        (None, Some(directory)) => directory.join(CREDENTIAL),
        (None, None) => {
            return vec![Finding::fail(
                "no Odoo API key: odoo.api_key_file is not set, and there is no systemd credential odoo-api-key here",
                "name the file in odoo.api_key_file; a credential is seen by the service alone",
            )];
        }
    };
    let shown = path.display();
    let content = match std::fs::read_to_string(&path) {
        Ok(content) => content,
        Err(error) => {
            return vec![Finding::fail(
                format!("Odoo API key {shown} cannot be read: {error}"),
                "make one in Odoo (Preferences, Account Security) and put it there, alone, readable for the daemon's user",
            )];
        }
    };
    let key = content.trim();
    if key.is_empty() || key.contains(char::is_whitespace) {
        return vec![Finding::fail(
            format!("Odoo API key {shown} is empty or holds more than the key"),
            "the file holds the key alone",
        )];
    }
    let mut findings = vec![Finding::ok(format!("Odoo API key {shown} can be read"))];
    let mode = std::fs::metadata(&path).map_or(0, |file| file.permissions().mode() & 0o777);
    if mode & 0o037 != 0 {
        findings.push(Finding::warn(
            format!(
                "Odoo API key {shown} has mode {mode:04o}: others than the daemon can reach it"
            ),
            format!("chmod 0600 {shown}"),
        ));
    }
    findings
}

fn listen(listen: &config::Listen) -> Vec<Finding> {
    let mut findings = Vec::new();
    if listen.tls_cert.is_none() && !listen.address.ip().is_loopback() {
        findings.push(Finding::warn(
            format!(
                "mqtt.listen at {} speaks without TLS: passwords can be read on the way",
                listen.address
            ),
            "set mqtt.listen.tls_cert and tls_key, unless the network is yours alone",
        ));
    }
    findings
}

/// Whether a daemon is running, and what it says of itself.
pub async fn daemon(socket: &Path) -> Vec<Finding> {
    let status = match Client::new(socket).get::<Status>("/v1/status").await {
        Ok(status) => status,
        Err(ClientError::NotRunning { socket }) => {
            return vec![Finding::warn(
                format!("no daemon answers on {}", socket.display()),
                "start it with `stockrelay run` or `systemctl start stockrelay`",
            )];
        }
        Err(error) => return vec![Finding::warn(error.to_string(), "")],
    };
    let up = format!(
        "daemon {} is up for {}",
        status.version,
        span(status.uptime_s)
    );
    let mut findings = vec![Finding::ok(up)];
    if status.journal.disk_full {
        findings.push(Finding::fail(
            "the disk of the journal is full: nothing is acknowledged",
            "remove files or enlarge the disk that data_dir is on",
        ));
    } else if status.journal.full {
        findings.push(Finding::fail(
            "the journal is full: nothing is acknowledged",
            "raise journal.budget, or restore the link to Odoo, so that posted events can be pruned",
        ));
    }
    // What the configuration says by itself was said above.
    let alarms = status
        .alarms
        .into_iter()
        .filter(|(code, _)| code != "anonymous");
    for (code, sentence) in alarms {
        findings.push(Finding::warn(sentence, format!("alarm {code}")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_a_failure() {
        assert_eq!(
            clock("1970-01-01T00:02:00Z".parse().unwrap()).level,
            Level::Fail
        );
        assert_eq!(
            clock("2026-11-23T08:00:00Z".parse().unwrap()).level,
            Level::Ok
        );
    }

    #[test]
    fn room_is_judged_against_what_the_journal_may_still_grow() {
        let gib = 1 << 30;
        assert_eq!(room(2 * gib, 0, gib).level, Level::Ok);
        assert_eq!(room(gib / 2, 0, gib).level, Level::Warn);
        assert_eq!(room(gib / 2, gib, gib).level, Level::Ok);
        assert_eq!(room(1 << 20, gib, gib).level, Level::Fail);
    }

    #[test]
    fn a_key_is_there_alone_and_for_few_eyes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("odoo-api-key");
        let levels = |odoo: &config::Odoo| -> Vec<Level> {
            key(odoo, Some(directory.path()))
                .iter()
                .map(|f| f.level)
                .collect()
        };
        let odoo = config::Odoo::new("http://127.0.0.1:8069", "db");
        assert_eq!(levels(&odoo), [Level::Fail], "missing");
        std::fs::write(&path, "key and more\n").unwrap();
        assert_eq!(levels(&odoo), [Level::Fail], "more than the key");
        std::fs::write(&path, "0123abcd\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(levels(&odoo), [Level::Ok]);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(levels(&odoo), [Level::Ok, Level::Warn]);
        assert_eq!(key(&odoo, None)[0].level, Level::Fail);
    }

    #[test]
    fn the_check_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(data_dir(directory.path()).level, Level::Ok);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        assert_eq!(data_dir(&directory.path().join("no")).level, Level::Warn);
    }

    #[test]
    fn a_finding_is_one_line_with_its_remedy() {
        let text = Finding::fail("disk\nfull", "make room").to_string();
        assert_eq!(text, "FAIL  disk·full — make room");
    }
}
