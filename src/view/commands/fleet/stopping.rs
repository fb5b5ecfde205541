//! `fleet stop` and `fleet resume`: a signed message whose `count` is one above that of the message
//! on the broker.
//!
//! Who may write to the broker may also put a message there that nobody signed. With trusted keys
//! such a message has no effect. Without them its count is used, up to [`UNVERIFIED_COUNT_MAX`], so
//! that it cannot use up the numbers.

use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::centre::Published;
use super::{Central, describe, find_trust, warn};
use crate::fleet::signing::{self, Signer};
use crate::fleet::stop::{self, Stop};
use crate::fleet::topics::STOP_TOPIC;
use crate::fleet::trust::Doubt;
use crate::fleet::{BundleError, KeyId, Trust};
use crate::view::cli::{ResumeArgs, StopArgs, StopOptions};
use crate::view::commands::config::{Process, failed, open_key, read_file, refused, write_file};
use crate::view::commands::{CommandError, EXIT_DONE};
use crate::view::table::plain;

/// The highest count that is used of a message that is not verified.
const UNVERIFIED_COUNT_MAX: u64 = 1_000_000_000;

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
    pub fn known(&self, retained: Option<&Bytes>) -> Result<Option<Stop>, CommandError> {
        let Some(bytes) = retained else {
            return Ok(None);
        };
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
                return Ok(None);
            }
        };
        if self.trust.is_none() && known.count > UNVERIFIED_COUNT_MAX {
            return Err(failed(format!(
                "the count of the message on {STOP_TOPIC} is {}, which is no plausible number: name your keys with --trust, so that the message is verified",
                known.count
            )));
        }
        Ok(Some(known))
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
fn next_count(known: Option<&Stop>, given: Option<u64>) -> Result<u64, CommandError> {
    let known = known.map_or(0, |known| known.count);
    match given {
        Some(given) if given <= known => Err(failed(format!(
            "--count {given} is not above {known}, the count of the message on the broker"
        ))),
        Some(given) => Ok(given),
        None => Ok(known.saturating_add(1)),
    }
}

/// Publishes a stop, unless the rollout is stopped already. Returns the stop that holds.
pub async fn publish_stop(
    central: &Central,
    signer: &StopSigner,
    serial: u64,
    reason: &str,
    count: Option<u64>,
) -> Result<Stop, CommandError> {
    let mut desk = central.connect().await?;
    let retained = Published::read_stop(&mut desk).await?;
    let known = signer.known(retained.as_ref())?;
    if let Some(known) = known.as_ref().filter(|known| known.stops(serial)) {
        desk.close().await;
        return Ok(known.clone());
    }
    let count = next_count(known.as_ref(), count)?;
    let message = signer.build(serial, true, reason, count)?;
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
    writeln!(out, "{}", describe_stop(&stop))?;
    Ok(EXIT_DONE)
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
    let known = signer.known(retained.as_ref())?;
    if let Some(known) = known.as_ref().filter(|known| known.serial != args.serial) {
        warn(&format!(
            "the last message is about another bundle: {}",
            describe_stop(known)
        ));
    }
    let message = if let Some(file) = &args.from {
        signer.sign(read_started(file, args.serial, known.as_ref())?)?
    } else {
        let count = next_count(known.as_ref(), args.count)?;
        signer.build(args.serial, false, &args.reason, count)?
    };
    if let Some(file) = &args.output {
        desk.close().await;
        write_file(file, &message)?;
        let (shown, serial) = (file.display(), args.serial);
        writeln!(
            out,
            "{shown} is not published: add a signature with `stockrelay fleet resume {serial} --from {shown} --sign KEY`"
        )?;
        return Ok(EXIT_DONE);
    }
    signer.check(&message)?;
    let published = desk.publish(STOP_TOPIC, &message).await;
    published.map_err(describe)?;
    desk.close().await;
    let stop = Stop::read(&message).map_err(refused)?;
    writeln!(out, "{}", describe_stop(&stop))?;
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

    #[test]
    fn the_count_is_one_above_the_last_one() {
        assert_eq!(next_count(None, None).unwrap(), 1);
        assert_eq!(next_count(Some(&stop(7)), None).unwrap(), 8);
        assert_eq!(next_count(Some(&stop(7)), Some(20)).unwrap(), 20);
        assert!(next_count(Some(&stop(7)), Some(7)).is_err());
    }

    #[test]
    fn a_count_that_nobody_signed_is_used_only_if_it_is_plausible() {
        let signer = StopSigner {
            signers: Vec::new(),
            trust: None,
            by: "b".to_owned(),
        };
        let message = |count| Bytes::from(stop(count).build().unwrap());
        let known = |count| signer.known(Some(&message(count)));
        assert_eq!(known(7).unwrap(), Some(stop(7)));
        assert!(known(UNVERIFIED_COUNT_MAX + 1).is_err());
        let garbage = Bytes::from_static(b"no tar file");
        assert_eq!(signer.known(Some(&garbage)).unwrap(), None);
    }
}
