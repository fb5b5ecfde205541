//! `stockrelay check`: finds faults of this gateway and says how to fix them. Changes nothing.
//!
//! Each finding is one line: `ok`, `warn` or `FAIL`, what was checked, and the remedy.

mod gateway;
mod groups;
mod journal;
mod odoo;
mod service;

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub use gateway::{Report, gateway};
pub use groups::groups;
pub use journal::journal;
pub use odoo::{odoo, odoo_with_key};
pub use service::{Credentials, become_service, running};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::client::{Client, ClientError};
use super::snapshot::{SOURCE_DOWN, Source, Status};
use super::table::{plain, size, span};
use crate::board::Link;
use crate::choice::Otherwise;
use crate::config::{self, Config};
use crate::event::Name;
use crate::fleet::Trust;
use crate::fleet::reception::TRUST_FILE;
use crate::fleet::trust::TrustError;
use crate::opens::{Effect, Opened};
use crate::source::broker::{Account, FLEET_KEYS};
use crate::source::{broker, devices, front_door};

/// A clock that shows an earlier year was never set: this version is from this year.
const YEAR_MIN: i16 = 2026;
/// The minimum of free disk space, in bytes.
const FREE_BYTES_MIN: u64 = 64 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    pub what: String,
    /// Empty: there is nothing to do.
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

/// Checks the machine; [`daemon`] and [`odoo()`] check the rest. `opened` is the list of
/// [`crate::opens`].
#[must_use]
pub fn machine(
    config: &Config,
    opened: Vec<Opened>,
    credentials: &Credentials,
    now: Timestamp,
) -> Vec<Finding> {
    let mut findings: Vec<_> = opened
        .into_iter()
        .map(|opened| match opened.fault {
            None => Finding::ok(format!("{} {}", opened.key, opened.what)),
            Some(fault) => Finding {
                level: level(opened.effect),
                what: fault.text,
                remedy: effect(opened.effect).to_owned(),
            },
        })
        .collect();
    findings.extend(disk(config));
    findings.push(clock(now));
    findings.extend(key(&config.odoo, credentials));
    findings.extend(config.listen.as_ref().map(listen).unwrap_or_default());
    findings
}

fn level(effect: Effect) -> Level {
    match effect {
        Effect::NoStart | Effect::LinkHeld | Effect::LastList => Level::Fail,
        Effect::Without => Level::Warn,
    }
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::NoStart => "`stockrelay run` does not use this configuration until you correct it",
        Effect::LinkHeld => "`stockrelay run` starts, but sends nothing to Odoo; correct it",
        Effect::LastList => {
            "`stockrelay run` starts with the last valid list and raises an alarm; correct the file"
        }
        Effect::Without => "`stockrelay run` starts without it and retries",
    }
}

/// Describes what `run` does while this configuration cannot be used.
#[must_use]
pub fn otherwise(of_run: &Otherwise) -> Vec<Finding> {
    let no_last = match of_run {
        Otherwise::Person(no_last) => no_last.text(),
        _ => None,
    };
    let then = match of_run {
        Otherwise::Last(last) => Finding::warn(
            format!(
                "`stockrelay run` uses the last good configuration, {}",
                last.file.display()
            ),
            "correct the faults above, then restart stockrelay",
        ),
        Otherwise::Retry => Finding::fail(
            "`stockrelay run` ends with exit code 1, and systemd restarts it until it can open everything",
            "correct the faults above",
        ),
        Otherwise::Person(_) => Finding::fail(
            "`stockrelay run` has no configuration that it can use: it ends with exit code 64, and systemd does not restart it",
            "correct the faults above, then run `systemctl start stockrelay`",
        ),
    };
    let no_last = no_last.map(|text| Finding::warn(text, ""));
    no_last.into_iter().chain([then]).collect()
}

/// Checks whether the journal can grow to its budget on this disk.
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
    let (free_size, to_grow_size, budget) = (size(free), size(to_grow), size(budget));
    if free < FREE_BYTES_MIN {
        Finding::fail(
            format!("the disk has only {free_size} free"),
            format!("free at least {} of disk space", size(FREE_BYTES_MIN)),
        )
    } else if free < to_grow {
        Finding::warn(
            format!(
                "the disk has only {free_size} free; the journal may need {to_grow_size} more (journal.budget {budget})"
            ),
            "free disk space or lower journal.budget, so that the journal reaches its budget before the disk is full",
        )
    } else {
        Finding::ok(format!(
            "the disk has {free_size} free; the journal needs at most {to_grow_size} more (journal.budget {budget})"
        ))
    }
}

fn clock(now: Timestamp) -> Finding {
    let year = now.to_zoned(TimeZone::UTC).year();
    if year < YEAR_MIN {
        Finding::fail(
            format!("the clock shows {now}: it was never set"),
            "set it, and turn on NTP: movements have the time of this clock",
        )
    } else {
        Finding::ok(format!("the clock shows {}", super::table::time(now)))
    }
}

/// Checks the systemd credential, or who may read `odoo.api_key_file`. The list of `opens` has
/// whether the daemon can read the file.
fn key(odoo: &config::Odoo, credentials: &Credentials) -> Option<Finding> {
    let Some(path) = &odoo.api_key_file else {
        return Some(credentials.finding());
    };
    let shown = path.display();
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        Finding::warn(
            format!(
                "the file with the Odoo API key, {shown}, has mode {mode:04o}: other users than its owner have access to it"
            ),
            format!("run chown stockrelay {shown} && chmod 600 {shown}"),
        )
    })
}

/// Checks trust.toml beside the configuration file `main`. `user` is the daemon's. `None`: there is
/// none, and the gateway has no link to central IT, which may hand in bundles.
fn trust(main: &Path, fleet: &config::Fleet, user: u32) -> Option<Finding> {
    let file = main.with_file_name(TRUST_FILE);
    let shown = file.display();
    let is_linked = fleet.broker.is_some() || fleet.url.is_some();
    if !file.exists() {
        let remedy = format!(
            "copy central IT's newest trust.toml to {shown}; without it the gateway accepts no bundle"
        );
        return is_linked
            .then(|| Finding::fail(format!("trust.toml: {shown} does not exist"), remedy));
    }
    Some(match Trust::read_installed(&file, user) {
        Ok(trust) => {
            let (version, keys) = (trust.version, trust.valid_keys().len());
            let threshold = trust.threshold;
            Finding::ok(format!(
                "trust.toml version {version}: {threshold} of {keys} keys must sign a bundle"
            ))
        }
        Err(TrustError::Unreadable { reason, remedy, .. }) => {
            Finding::fail(format!("trust.toml: {shown}: {reason}"), remedy)
        }
        Err(error) => Finding::fail(
            format!("trust.toml: {error}"),
            format!(
                "copy central IT's newest trust.toml to {shown}; with this one the gateway accepts no bundle"
            ),
        ),
    })
}

fn listen(listen: &config::Listen) -> Vec<Finding> {
    let mut findings = Vec::new();
    if listen.tls_cert.is_none() && !listen.address.ip().is_loopback() {
        findings.push(Finding::warn(
            format!(
                "mqtt.listen at {} has no TLS: others on the network can read passwords",
                listen.address
            ),
            "set mqtt.listen.tls_cert and tls_key, unless you trust everyone on the network",
        ));
    }
    // The list of [`opens`] has a file that cannot be read.
    let devices = listen.devices.as_deref().map(devices::read).transpose();
    let nobody = devices.map(|known| front_door::nobody(listen, &known.unwrap_or_default()));
    if let Ok(Some(nobody)) = nobody {
        findings.push(Finding::warn(
            nobody,
            "add a device with a password to the list, or enable one; a running daemon reads the changed list by itself",
        ));
    }
    findings
}

/// Checks whether the MQTT broker accepts the gateway.
pub async fn broker(config: &config::Broker, site: &Name) -> Finding {
    match broker::log_in(config, site).await {
        Ok(()) => Finding::ok(format!(
            "the MQTT broker {} accepts the gateway",
            config.url
        )),
        Err(why) => Finding::warn(why, effect(Effect::Without)),
    }
}

/// Checks whether central IT's broker accepts the gateway.
pub async fn centre(config: &config::FleetBroker, site: &Name) -> Finding {
    let options = Account::of_fleet(config).options(format!("stockrelay-fleet-{site}"));
    let logged_in = match options {
        Ok(options) => broker::log_in_with(options, &FLEET_KEYS).await,
        Err(error) => Err(error.to_string()),
    };
    match logged_in {
        Ok(()) => Finding::ok(format!(
            "central IT's broker {} accepts the gateway",
            config.url
        )),
        Err(why) => Finding::warn(why, effect(Effect::Without)),
    }
}

/// Checks whether a daemon is running, and reports its alarms.
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
            "the disk of the journal is full: the gateway acknowledges nothing",
            "free disk space, or enlarge the disk of data_dir",
        ));
    } else if status.journal.full {
        findings.push(Finding::fail(
            "the journal is full: the gateway acknowledges nothing",
            "raise journal.budget, or restore the link to Odoo, so that posted events can be pruned",
        ));
    }
    let is_down = |source: &&Source| source.view.state == "down";
    findings.extend(status.sources.iter().filter(is_down).map(|source| {
        let detail = source
            .view
            .detail
            .as_deref()
            .unwrap_or("the reason is unknown");
        let what = format!("{} is down: {detail}", source.name);
        Finding::warn(what, "the daemon retries; fix the cause if it persists")
    }));
    if let Some(pause) = &status.pause {
        let until = pause
            .until
            .map(|until| format!(" until {}", super::table::time(until)));
        let what = format!(
            "{} has paused the sending to Odoo{}: documents wait",
            pause.name(),
            until.unwrap_or_default()
        );
        findings.push(Finding::warn(what, "`stockrelay resume` ends the pause"));
    }
    let is_upgrade = status.pause.is_some() && status.odoo.link == Link::Down;
    if let (Link::Down | Link::Held, Some(detail), false) =
        (&status.odoo.link, &status.odoo.detail, is_upgrade)
    {
        findings.push(Finding::warn(detail, "see `stockrelay status`"));
    }
    // The findings about the configuration have these two already.
    let alarms = status
        .alarms
        .into_iter()
        .filter(|(code, _)| code != "anonymous" && code != SOURCE_DOWN);
    for (code, sentence) in alarms {
        findings.push(Finding::warn(sentence, format!("alarm {code}")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_toml_that_cannot_be_used_is_a_failure_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let main = dir.path().join("config.toml");
        let file = dir.path().join("trust.toml");
        let user = rustix::process::geteuid().as_raw();
        let alone = config::Fleet::default();
        assert_eq!(trust(&main, &alone, user), None);
        let linked = config::Fleet {
            url: Some("https://it.example/x.bundle".to_owned()),
            ..alone.clone()
        };
        let fails = |fleet: &config::Fleet, part: &str| {
            let finding = trust(&main, fleet, user).unwrap();
            assert_eq!(finding.level, Level::Fail);
            assert!(finding.to_string().contains(part), "{finding}");
        };
        fails(&linked, "copy central IT's newest trust.toml to");
        std::fs::write(&file, "threshold = ").unwrap();
        fails(&alone, "copy central IT's newest trust.toml to");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o666)).unwrap();
        fails(&alone, "chmod go-w");
    }

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
    fn free_disk_is_compared_with_the_growth_of_the_journal() {
        let gib = 1 << 30;
        assert_eq!(room(2 * gib, 0, gib).level, Level::Ok);
        assert_eq!(room(gib / 2, 0, gib).level, Level::Warn);
        assert_eq!(room(gib / 2, gib, gib).level, Level::Ok);
        assert_eq!(room(1 << 20, gib, gib).level, Level::Fail);
    }

    #[test]
    fn a_key_that_others_can_reach_is_warned_about() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("odoo.key");
        std::fs::write(&path, "0123abcd\n").unwrap();
        let mut odoo = config::Odoo::new("http://127.0.0.1:8069", "db");
        odoo.api_key_file = Some(path.clone());
        for (mode, is_warned) in [(0o400, false), (0o600, false), (0o640, true), (0o644, true)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let finding = key(&odoo, &Credentials::default());
            assert_eq!(finding.is_some(), is_warned, "{mode:o}");
        }
    }

    #[test]
    fn a_finding_is_one_line_with_its_remedy() {
        let text = Finding::fail("disk\nfull", "free space").to_string();
        assert_eq!(text, "FAIL  disk·full — free space");
    }
}
