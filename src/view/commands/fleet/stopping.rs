//! `fleet stop` and `fleet resume`: a signed message whose `count` is the time, in seconds since
//! 1970, or one above that of the message on the broker.
//!
//! Who may write to the broker may also put a message there that nobody signed, an old one, or an
//! empty one. So a stop is always published, also if the broker seems to have one, and its count is
//! above that of every message that the gateways have. A message that is not verified counts only
//! if a gateway could accept its count.

use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::centre::{Ear, Published};
use super::{Central, describe, find_trust, warn};
use crate::clock;
use crate::fleet::heard::HeardSites;
use crate::fleet::record::BundleState;
use crate::fleet::signing::{self, Signer};
use crate::fleet::stop::{self, Stop};
use crate::fleet::topics::STOP_TOPIC;
use crate::fleet::trust::Doubt;
use crate::fleet::{BundleError, KeyId, Trust};
use crate::view::cli::{ResumeArgs, StopArgs, StopOptions};
use crate::view::commands::config::{Process, failed, open_key, read_file, refused, write_file};
use crate::view::commands::{CommandError, EXIT_DONE, json_line};
use crate::view::table::plain;

/// Names that a list shows.
const NAMES_MAX: usize = 5;

/// The keys, and who uses them.
pub struct StopSigner {
    signers: Vec<Signer>,
    pub trust: Option<Trust>,
    by: String,
}

impl StopSigner {
    /// Opens the keys. The terminal asks for a password that no file has.
    pub fn open(
        keys: &[PathBuf],
        options: &StopOptions,
        process: &Process<'_>,
    ) -> Result<Self, CommandError> {
        let trust = find_trust(options.trust.as_deref(), process)?;
        let password = options.sign_password_file.as_deref();
        let signers: Result<Vec<_>, _> = keys.iter().map(|key| open_key(key, password)).collect();
        let user = process.environment.iter().find(|(key, _)| key == "USER");
        let user = user.map(|(_, user)| user.clone());
        let by = options.by.clone().or(user);
        let signer = Self {
            signers: signers?,
            trust,
            by: by.unwrap_or_else(find_user),
        };
        if signer.trust.is_none() {
            warn("the messages on the broker are not verified: name your keys with --trust");
        }
        Ok(signer)
    }

    /// Reads the message on the broker. `None`: there is none that a gateway may have accepted.
    pub fn known(&self, retained: Option<&Bytes>) -> Option<Stop> {
        let bytes = retained?;
        let known = match &self.trust {
            Some(trust) => stop::verify(bytes, trust),
            None => Stop::read(bytes),
        };
        let known = match known {
            Ok(known) => known,
            Err(error) => {
                let code = error.code();
                warn(&format!(
                    "the message on {STOP_TOPIC} has no effect ({code}): {error}"
                ));
                return None;
            }
        };
        if stop::is_ahead(known.count, clock::now()) {
            warn(&format!(
                "the message on {STOP_TOPIC} has no effect: its count {} is more than a day ahead of the clock of this machine",
                known.count
            ));
            return None;
        }
        Some(known)
    }

    /// Builds and signs a message.
    pub fn build(
        &self,
        serial: u64,
        stop: bool,
        reason: &str,
        count: u64,
    ) -> Result<Bytes, CommandError> {
        let stop = Stop {
            serial,
            stop,
            count,
            reason: reason.to_owned(),
            by: self.by.clone(),
        };
        self.sign(stop.build().map_err(refused)?.into())
    }

    fn sign(&self, message: Bytes) -> Result<Bytes, CommandError> {
        let mut message = message;
        for signer in &self.signers {
            message = signing::sign_stop(&message, signer).map_err(failed)?.into();
        }
        Ok(message)
    }

    /// Checks that the gateways accept the message. Without trusted keys that is unknown.
    pub fn check(&self, message: &Bytes) -> Result<(), CommandError> {
        let Some(trust) = &self.trust else {
            return Ok(());
        };
        let verified = stop::verify(message, trust);
        verified.map(drop).map_err(|error| match error {
            BundleError::Signatures(too_few) => failed(format!(
                "no gateway would accept the message: {} of {} signatures count{}. Sign it with --sign and a key of trust.toml, repeated for each key; for keys on another machine use -o",
                too_few.good.len(),
                too_few.needed,
                list_doubts(&too_few.doubts)
            )),
            error => refused(error),
        })
    }
}

/// ` (KEYID: the key is revoked; ...)`, or nothing.
fn list_doubts(doubts: &[(KeyId, Doubt)]) -> String {
    let doubts = doubts
        .iter()
        .map(|(id, doubt)| format!("{id}: {}", doubt.text()));
    let doubts = doubts.collect::<Vec<_>>().join("; ");
    match doubts.as_str() {
        "" => String::new(),
        doubts => format!(" ({doubts})"),
    }
}

/// Finds the name of this process's user in /etc/passwd, or else its number.
fn find_user() -> String {
    let id = rustix::process::getuid().as_raw().to_string();
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    name.unwrap_or(format!("user {id}"))
}

/// Returns the count of the next message.
fn next_count(
    known: Option<&Stop>,
    given: Option<u64>,
    now: Timestamp,
) -> Result<u64, CommandError> {
    let known = known.map_or(0, |known| known.count);
    match given {
        Some(given) if given <= known => Err(failed(format!(
            "--count {given} is not above {known}, the count of the message on the broker"
        ))),
        Some(given) if stop::is_ahead(given, now) => Err(failed(format!(
            "--count {given} is more than a day ahead of the clock, and gateways refuse it: leave it out, or give at most {}, the time in seconds since 1970",
            stop::count_at(now)
        ))),
        Some(given) => Ok(given),
        // The broker may have lost the last message, or somebody replaced it.
        None => Ok(known.saturating_add(1).max(stop::count_at(now))),
    }
}

/// Publishes a stop, and returns it. It also holds what the message on the broker holds.
pub async fn publish_stop(
    central: &Central,
    signer: &StopSigner,
    serial: u64,
    reason: &str,
    count: Option<u64>,
) -> Result<Stop, CommandError> {
    let mut desk = central.connect().await?;
    let retained = Published::read_stop(&mut desk).await?;
    let known = signer.known(retained.as_ref());
    let count = next_count(known.as_ref(), count, clock::now())?;
    // The message may be an old one that gateways ignore: a stop is never left out because of it.
    let higher = known.filter(|known| known.stops(serial) && known.serial > serial);
    if let Some(known) = &higher {
        warn(&format!(
            "the broker has a stop of a higher serial, and the new one includes it: {}",
            describe_stop(known)
        ));
    }
    let stopped = higher.map_or(serial, |known| known.serial);
    let message = signer.build(stopped, true, reason, count)?;
    signer.check(&message)?;
    let published = desk.publish(STOP_TOPIC, &message).await;
    published.map_err(describe)?;
    desk.close().await;
    Stop::read(&message).map_err(refused)
}

/// Stops a rollout.
pub async fn stop(
    central: &Central,
    args: &StopArgs,
    process: &Process<'_>,
    out: &mut (dyn Write + Send),
) -> Result<u8, CommandError> {
    let signer = StopSigner::open(std::slice::from_ref(&args.sign), &args.stop, process)?;
    let stop = publish_stop(central, &signer, args.serial, &args.reason, args.count).await?;
    let serial = args.serial;
    if !args.json {
        writeln!(out, "{}", describe_stop_of(serial, &stop))?;
        writeln!(
            out,
            "The broker has the stop. Not known yet: which gateways have received it. One that has shows `stopped the rollout` in `stockrelay fleet show SITE`, if bundle {serial} waits there."
        )?;
    }
    let mut desk = central.connect().await?;
    let mut ear = Ear::default();
    ear.listen(&mut desk).await?;
    desk.close().await;
    ear.warn();
    if find_highest(&ear.sites).is_none_or(|highest| highest < serial) {
        warn(&format!(
            "no gateway has reported a bundle with serial {serial} or above: if the number is wrong, resume with it, because the stop holds every bundle up to {serial}"
        ));
    }
    let reach = describe_reach(&ear.sites, serial);
    if args.json {
        json_line(out, &list(&stop, Some(&reach)))?;
    } else {
        writeln!(out, "{reach}")?;
    }
    Ok(EXIT_DONE)
}

/// A stop or resumption for programs. `note`: what a person should know about it.
fn list(stop: &Stop, note: Option<&str>) -> Value {
    let (serial, is_stop, count) = (stop.serial, stop.stop, stop.count);
    let (reason, by) = (&stop.reason, &stop.by);
    json!({
        "serial": serial, "stop": is_stop, "count": count, "reason": reason, "by": by, "note": note
    })
}

/// The highest serial that a gateway has reported.
fn find_highest(sites: &HeardSites) -> Option<u64> {
    let reports = sites.iter().filter_map(|(_, heard)| heard.report.as_ref());
    let serials = reports.flat_map(|report| {
        let wanted = report.wanted.as_ref().map(|wanted| wanted.serial);
        let last = report.last.as_ref().map(|last| last.serial);
        [wanted, report.running.serial, last]
    });
    serials.flatten().max()
}

/// Describes how far a bundle has come that a stop does not undo any more.
fn describe_reach(sites: &HeardSites, serial: u64) -> String {
    let is_applied = |report: &crate::fleet::report::Report| {
        let wanted = report.wanted.as_ref();
        report.running.serial == Some(serial)
            || wanted.is_some_and(|wanted| {
                let state = wanted.state;
                wanted.serial == serial
                    && matches!(state, BundleState::Applied | BundleState::Watching)
            })
    };
    let reports = (sites.iter())
        .filter_map(|(site, heard)| heard.report.as_ref().map(|report| (site, report)));
    let (mut names, mut others) = (Vec::new(), 0_usize);
    for (site, report) in reports {
        if is_applied(report) {
            names.push(site.to_string());
        } else {
            others += 1;
        }
    }
    let applied = names.len();
    let mut shown = names;
    if applied > NAMES_MAX {
        shown.truncate(NAMES_MAX);
        shown.push("...".to_owned());
    }
    let list = if shown.is_empty() {
        String::new()
    } else {
        format!(" ({})", shown.join(", "))
    };
    format!(
        "By their reports, {applied} gateways have applied bundle {serial}{list}, and a stop does not undo that; {others} have not."
    )
}

/// Describes a stop or a resumption that holds.
pub fn describe_stop(stop: &Stop) -> String {
    let what = if stop.stop { "stopped" } else { "resumed" };
    format!(
        "the rollout of bundle {} is {what} (count {}) by {}: {}",
        stop.serial,
        stop.count,
        plain(&stop.by),
        plain(&stop.reason)
    )
}

/// As [`describe_stop`], for a bundle that the stop of a higher serial may hold.
pub fn describe_stop_of(serial: u64, stop: &Stop) -> String {
    let text = describe_stop(stop);
    if stop.serial == serial {
        return text;
    }
    format!("bundle {serial} is stopped, too, because its serial is lower: {text}")
}

/// Resumes a rollout.
pub async fn resume(
    central: &Central,
    args: &ResumeArgs,
    process: &Process<'_>,
    out: &mut (dyn Write + Send),
) -> Result<u8, CommandError> {
    let signer = StopSigner::open(&args.sign, &args.stop, process)?;
    let mut desk = central.connect().await?;
    let retained = Published::read_stop(&mut desk).await?;
    let known = signer.known(retained.as_ref());
    // A resumption releases every stop, whichever bundle it names.
    let is_other = |known: &&Stop| known.stop && known.serial != args.serial;
    if let Some(known) = known.as_ref().filter(is_other) {
        desk.close().await;
        return Err(failed(format!(
            "the last stop is not about bundle {}: {}. To resume that rollout, run `stockrelay fleet resume {}`",
            args.serial,
            describe_stop(known),
            known.serial
        )));
    }
    let message = if let Some(file) = &args.from {
        signer.sign(read_started(file, args.serial, known.as_ref())?)?
    } else {
        let count = next_count(known.as_ref(), args.count, clock::now())?;
        signer.build(args.serial, false, &args.reason, count)?
    };
    if let Some(file) = &args.output {
        desk.close().await;
        write_file(file, &message)?;
        let (shown, serial) = (file.display(), args.serial);
        if args.json {
            let started = Stop::read(&message).map_err(refused)?;
            json_line(out, &list(&started, Some("the message is not published")))?;
        } else {
            writeln!(
                out,
                "{shown} is not published: add a signature with `stockrelay fleet resume {serial} --from {shown} --sign KEY`"
            )?;
        }
        return Ok(EXIT_DONE);
    }
    signer.check(&message)?;
    let published = desk.publish(STOP_TOPIC, &message).await;
    published.map_err(describe)?;
    desk.close().await;
    let stop = Stop::read(&message).map_err(refused)?;
    if args.json {
        json_line(out, &list(&stop, None))?;
    } else {
        writeln!(out, "{}", describe_stop(&stop))?;
    }
    Ok(EXIT_DONE)
}

/// Reads a message that another key signed first.
fn read_started(file: &Path, serial: u64, known: Option<&Stop>) -> Result<Bytes, CommandError> {
    let bytes = read_file(file)?;
    let started = Stop::read(&bytes).map_err(refused)?;
    let shown = file.display();
    let problem = if started.stop {
        "is a stop, not a resumption".to_owned()
    } else if started.serial != serial {
        format!("is about bundle {}", started.serial)
    } else if !started.replaces(known) {
        format!("has count {}, which is used already", started.count)
    } else {
        return Ok(bytes);
    };
    Err(failed(format!(
        "{shown} {problem}: make it again with `stockrelay fleet resume {serial} --sign KEY -o FILE`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(count: u64) -> Stop {
        Stop {
            serial: 42,
            stop: true,
            count,
            reason: "r".to_owned(),
            by: "b".to_owned(),
        }
    }

    fn signer() -> StopSigner {
        StopSigner {
            signers: Vec::new(),
            trust: None,
            by: "b".to_owned(),
        }
    }

    #[test]
    fn the_highest_serial_of_all_reports_is_found() {
        let mut heard = HeardSites::default();
        assert_eq!(find_highest(&heard), None);
        let now = "2026-11-29T05:00:00Z".parse().unwrap();
        for (site, fields) in [
            (
                "ams1",
                r#""running": {"serial": 41}, "wanted": {"serial": 43, "state": "waiting"}"#,
            ),
            (
                "rtm1",
                r#""running": {"serial": 40}, "last": {"serial": 42, "outcome": "refused"}"#,
            ),
        ] {
            let text = format!(r#"{{"site": "{site}", "at": "2026-11-29T04:00:00Z", {fields}}}"#);
            let topic = format!("stockrelay-fleet/v1/report/{site}");
            heard.hear(&topic, text.as_bytes(), true, now).unwrap();
        }
        assert_eq!(find_highest(&heard), Some(43));
    }

    #[test]
    fn the_count_is_the_time_or_one_above_the_last_one() {
        let now = clock::now();
        let time = stop::count_at(now);
        // The broker has lost the message, or somebody put an old one there.
        assert_eq!(next_count(None, None, now).unwrap(), time);
        assert_eq!(next_count(Some(&stop(7)), None, now).unwrap(), time);
        let last = stop(time + 5);
        assert_eq!(next_count(Some(&last), None, now).unwrap(), time + 6);
        assert_eq!(next_count(Some(&stop(7)), Some(20), now).unwrap(), 20);
        assert!(next_count(Some(&stop(7)), Some(7), now).is_err());
        assert!(next_count(None, Some(time + 100_000), now).is_err());
    }

    #[test]
    fn a_count_that_gateways_refuse_is_not_used() {
        let message = |count| Bytes::from(stop(count).build().unwrap());
        let known = |count| signer().known(Some(&message(count)));
        assert_eq!(known(7), Some(stop(7)));
        assert_eq!(known(stop::count_at(clock::now()) + 100_000), None);
        let garbage = Bytes::from_static(b"no tar file");
        assert_eq!(signer().known(Some(&garbage)), None);
    }

    #[test]
    fn the_gateways_that_a_stop_does_not_reach_are_named() {
        let mut sites = HeardSites::default();
        let running = |serial: u64| format!(r#""running": {{"serial": {serial}, "hash": ""}}"#);
        let wanted = |state: &str| {
            format!(
                r#"{}, "wanted": {{"serial": 42, "state": "{state}", "reason": ""}}"#,
                running(41)
            )
        };
        let reports = [
            ("a1", running(42)),
            ("a2", wanted("watching")),
            ("a3", wanted("staged")),
            ("a4", running(41)),
        ];
        for (site, state) in reports {
            let report = format!(
                r#"{{"site": "{site}", "at": "2026-11-28T09:00:00Z", "version": "0.2.0", {state}}}"#
            );
            let topic = format!("stockrelay-fleet/v1/report/{site}");
            let heard = sites.hear(&topic, report.as_bytes(), true, clock::now());
            heard.unwrap();
        }
        let text = describe_reach(&sites, 42);
        assert!(
            text.contains("2 gateways have applied bundle 42 (a1, a2)"),
            "{text}"
        );
        assert!(text.contains("2 have not"), "{text}");
    }
}
