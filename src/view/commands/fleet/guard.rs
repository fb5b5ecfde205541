//! `fleet watch`: watches a rollout, and publishes a signed stop when too many gateways of a ring
//! fail.
//!
//! A lost connection to the broker decides nothing: the command connects again, and no gateway
//! counts as silent for that time.

use std::io::Write;
use std::time::Duration;

use super::centre::{Ear, Published};
use super::progress::Progress;
use super::stopping::{StopSigner, describe_stop, describe_stop_of, publish_stop};
use super::{Central, EXIT_REPLACED, EXIT_SOME_FAILED, warn};
use crate::clock;
use crate::event::Name;
use crate::fleet::desk::Desk;
use crate::fleet::manifest::Chosen;
use crate::fleet::rollout::{Decision, Limits, Rollout};
use crate::fleet::stop::{Stop, TEXT_BYTES_MAX};
use crate::fleet::{self, Bundle, Manifest};
use crate::view::cli::WatchArgs;
use crate::view::commands::config::{Process, failed, read_file, refused};
use crate::view::commands::{CommandError, EXIT_DONE, EXIT_FAILED};
use crate::view::table::plain;

/// How often the rollout is judged and shown.
const JUDGE_EACH: Duration = Duration::from_millis(500);
/// The pause before another attempt to connect.
const CONNECT_AGAIN: Duration = Duration::from_secs(2);

/// Watches a rollout until it has ended or is stopped.
pub async fn watch(
    central: &Central,
    args: &WatchArgs,
    process: &Process<'_>,
    out: &mut (dyn Write + Send),
) -> Result<u8, CommandError> {
    let begun = Guard::begin(central, args, process).await;
    let (guard, desk) = begun.map_err(|error| match error {
        // Exit code 1 would claim that the rollout is stopped.
        CommandError::Failed(text) => CommandError::Usage(text),
        error => error,
    })?;
    guard.run(desk, out).await
}

/// Finds the bundle, for its rings.
async fn find_manifest(
    central: &Central,
    args: &WatchArgs,
    signer: &StopSigner,
    published: &Published,
) -> Result<Manifest, CommandError> {
    let serial = args.serial;
    let trust = signer.trust.as_ref();
    if let Some(file) = &args.bundle {
        let bytes = read_file(file)?;
        let bundle = match trust {
            Some(trust) => fleet::verify(&bytes, trust).map(|verified| verified.bundle),
            None => Bundle::read(&bytes),
        };
        let manifest = bundle.map_err(refused)?.manifest;
        if manifest.serial != serial {
            let (shown, found) = (file.display(), manifest.serial);
            return Err(failed(format!("{shown} has serial {found}, not {serial}")));
        }
        return Ok(manifest);
    }
    let bundles = published.bundles(central, serial, trust).await;
    let serials: Vec<_> = (bundles.iter())
        .map(|(topic, bundle)| format!("{topic} has serial {}", bundle.manifest.serial))
        .collect();
    let mut manifests = bundles.into_iter().map(|(_, bundle)| bundle.manifest);
    let found = manifests.find(|manifest| manifest.serial == serial);
    found.ok_or_else(|| {
        let others = if serials.is_empty() {
            String::new()
        } else {
            format!(" ({})", serials.join(", "))
        };
        failed(format!(
            "the broker has no bundle with serial {serial}{others}: publish it with `stockrelay fleet push`, or name its file with --bundle"
        ))
    })
}

/// The sites that the manifest names.
fn named_sites(manifest: &Manifest) -> impl Iterator<Item = Name> + '_ {
    let rings = manifest.rings.iter().map(|ring| &ring.sites);
    let chosen = std::iter::once(&manifest.targets).chain(rings);
    let named = chosen.filter_map(|chosen| match chosen {
        Chosen::Named { sites, .. } => Some(sites),
        Chosen::All | Chosen::Share(_) => None,
    });
    named.flatten().cloned()
}

struct Guard<'a> {
    central: &'a Central,
    args: &'a WatchArgs,
    signer: StopSigner,
    manifest: Manifest,
    ear: Ear,
    /// The newest message about a stop that trusted keys signed.
    newest: Option<Stop>,
    progress: Progress,
}

impl<'a> Guard<'a> {
    /// Opens the key, finds the bundle, and reads what the gateways have reported.
    async fn begin(
        central: &'a Central,
        args: &'a WatchArgs,
        process: &Process<'_>,
    ) -> Result<(Self, Desk), CommandError> {
        let signer = StopSigner::open(std::slice::from_ref(&args.sign), &args.stop, process)?;
        // Now, not when the stop is urgent.
        signer.check(&signer.build(args.serial, true, "test of the key", 1)?)?;
        let mut desk = central.connect().await?;
        let published = Published::read(&mut desk).await?;
        let manifest = find_manifest(central, args, &signer, &published).await?;
        let mut ear = Ear::default();
        ear.sites.keep(named_sites(&manifest));
        ear.listen(&mut desk).await?;
        let guard = Self {
            central,
            args,
            signer,
            manifest,
            ear,
            newest: None,
            progress: Progress::new(),
        };
        Ok((guard, desk))
    }

    async fn run(
        mut self,
        mut desk: Desk,
        out: &mut (dyn Write + Send),
    ) -> Result<u8, CommandError> {
        let mut tick = tokio::time::interval(JUDGE_EACH);
        loop {
            let message = tokio::select! {
                message = desk.next() => Some(message),
                _ = tick.tick() => None,
            };
            match message {
                Some(Ok(message)) => self.ear.hear(&message, clock::now()),
                Some(Err(error)) => {
                    self.ear.sites.lose_connection(clock::now());
                    self.progress.note(&error.to_string(), out);
                    desk = self.connect_again(out).await?;
                }
                None => {
                    if let Some(code) = self.judge(out).await? {
                        desk.close().await;
                        return Ok(code);
                    }
                }
            }
        }
    }

    /// Judges the rollout and acts. `None`: it goes on.
    async fn judge(&mut self, out: &mut (dyn Write + Send)) -> Result<Option<u8>, CommandError> {
        self.ear.warn();
        if let Some(stop) = self.find_stop() {
            return Ok(Some(self.end(
                &describe_stop_of(self.args.serial, &stop),
                EXIT_FAILED,
                out,
            )));
        }
        let now = clock::now();
        let limits = Limits {
            max_failed: self.args.max_failed,
            silent_s: self.args.silent_s,
        };
        let rollout = Rollout::judge(&self.manifest, &self.ear.sites, limits, now);
        self.progress.show(&self.manifest, &rollout, now, out);
        match rollout.decision {
            Decision::Continue => Ok(None),
            Decision::Stop { ring } => {
                let reason = describe_failures(&rollout, ring, self.args.max_failed);
                let stop = self.publish(&reason, out).await?;
                Ok(Some(self.end(
                    &describe_stop_of(self.args.serial, &stop),
                    EXIT_FAILED,
                    out,
                )))
            }
            Decision::Confirmed => {
                let text = "every gateway that is not away has confirmed the bundle";
                Ok(Some(self.end(text, EXIT_DONE, out)))
            }
            Decision::Ended => {
                let failed = rollout.failed().count();
                let text = format!(
                    "all gateways have ended, and {failed} failed; that is not more than --max-failed {}",
                    self.args.max_failed
                );
                Ok(Some(self.end(&text, EXIT_SOME_FAILED, out)))
            }
            Decision::Replaced => {
                let text = describe_replaced(&rollout);
                Ok(Some(self.end(&text, EXIT_REPLACED, out)))
            }
        }
    }

    /// Publishes the stop. While the broker cannot be reached, it tries again.
    async fn publish(
        &mut self,
        reason: &str,
        out: &mut (dyn Write + Send),
    ) -> Result<Stop, CommandError> {
        loop {
            let serial = self.args.serial;
            let published = publish_stop(self.central, &self.signer, serial, reason, None).await;
            match published {
                Ok(stop) => return Ok(stop),
                Err(CommandError::Unavailable(text)) => {
                    let text = format!("the stop is not published yet: {text}");
                    self.progress.note(&text, out);
                    tokio::time::sleep(CONNECT_AGAIN).await;
                }
                // Exit code 1 would claim that the rollout is stopped.
                Err(error) => {
                    return Err(CommandError::Unavailable(format!(
                        "THE ROLLOUT IS NOT STOPPED, although {reason}. The stop could not be published: {error}"
                    )));
                }
            }
        }
    }

    async fn connect_again(&mut self, out: &mut (dyn Write + Send)) -> Result<Desk, CommandError> {
        loop {
            tokio::time::sleep(CONNECT_AGAIN).await;
            match self.central.connect().await {
                Ok(mut desk) => match self.ear.listen(&mut desk).await {
                    Ok(()) => {
                        self.progress.note("connected again", out);
                        return Ok(desk);
                    }
                    Err(error) => self.progress.note(&error.to_string(), out),
                },
                Err(error @ CommandError::Config(_)) => return Err(error),
                Err(error) => self.progress.note(&error.to_string(), out),
            }
        }
    }

    /// Finds a stop of this rollout that the gateways follow, among the messages since the last
    /// call. An old message that somebody sends again is none.
    fn find_stop(&mut self) -> Option<Stop> {
        let message = self.ear.stop.take()?;
        let known = self.signer.known(Some(&message))?;
        if self.signer.trust.is_none() {
            if known.stops(self.args.serial) {
                warn(
                    "the broker has a stop of this rollout that is not verified, so the watch goes on: name your keys with --trust",
                );
            }
            return None;
        }
        if self.newest.as_ref() == Some(&known) {
            return None;
        }
        if !known.replaces(self.newest.as_ref()) {
            warn(&format!(
                "an old message was published again on the topic of stops, and has no effect: {}",
                describe_stop(&known)
            ));
            return None;
        }
        self.newest = Some(known.clone());
        Some(known).filter(|known| known.stops(self.args.serial))
    }

    fn end(&mut self, text: &str, code: u8, out: &mut (dyn Write + Send)) -> u8 {
        self.progress.end(text, out);
        code
    }
}

fn describe_replaced(rollout: &Rollout) -> String {
    let newer: usize = rollout.rings.iter().map(|ring| ring.newer).sum();
    let confirmed: usize = rollout.rings.iter().map(|ring| ring.confirmed).sum();
    format!(
        "the rollout is over, and not confirmed everywhere: {confirmed} gateways have confirmed the bundle, and {newer} report a newer one, so it is unknown how this one ended there. Watch the newer bundle"
    )
}

/// Describes why the rollout is stopped, in at most [`TEXT_BYTES_MAX`] bytes.
fn describe_failures(rollout: &Rollout, ring: usize, max_failed: f64) -> String {
    let counts = &rollout.rings[ring];
    let mut text = format!(
        "{} of {} gateways of ring {} failed ({} rolled back, {} refused, {} silent), and {max_failed} of a ring may",
        counts.failed(),
        counts.present(),
        ring + 1,
        counts.rolled_back,
        counts.refused,
        counts.silent
    );
    if let Some(first) = rollout.failed().find(|site| site.ring == ring) {
        let reason = plain(&first.reason);
        text = format!("{text}; {} {}: {reason}", first.site, first.fate.name());
    }
    while text.len() > TEXT_BYTES_MAX {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sites_that_targets_and_rings_name_are_kept() {
        let text = r#"
format = 1
serial = 42
name = "autumn"
created = "2026-11-29T04:00:00Z"
expires = "2027-03-01T00:00:00Z"
[targets]
all = true
[[ring]]
sites = ["ams1", "ams2"]
[[ring]]
share = 0.5
[[ring]]
all = true
"#;
        let manifest = Manifest::parse_draft(text).unwrap();
        let named: Vec<_> = named_sites(&manifest)
            .map(|site| site.to_string())
            .collect();
        assert_eq!(named, ["ams1", "ams2"]);
    }
}
