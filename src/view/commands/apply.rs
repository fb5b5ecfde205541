//! `stockrelay config apply`, `rollback` and `history`: hand a bundle to the daemon, watch it, and
//! return to the configuration before.

use std::io::{self, Write};
use std::time::Duration;

use super::config::{read_file, refused};
use super::{Client, CommandError, EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, json_line};
use crate::board::{ConfigView, LastView, PendingView};
use crate::clock;
use crate::fleet::Bundle;
use crate::view::cli::ApplyArgs;
use crate::view::client::ClientError;
use crate::view::headline::{describe_bundle, describe_config};
use crate::view::records::{BundleAnswer, ConfigHistory};
use crate::view::table::{plain, time};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long the command waits for a rollback, to name what it returns to.
const ROLLBACK_MAX: Duration = Duration::from_secs(10);
/// How long a daemon may be away while its bundle is watched: it may restart.
const AWAY_MAX: Duration = Duration::from_mins(2);

/// Applies a bundle. The exit code is 0 once it is confirmed (with `--no-wait`: once it waits for
/// its time or a quiet moment), and 1 if it is refused or rolled back. An interrupt ends the
/// command alone.
pub async fn apply(
    client: &Client,
    args: &ApplyArgs,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let bytes = read_file(&args.file)?;
    let serial = Bundle::read(&bytes).map_err(refused)?.manifest.serial;
    let before: ConfigView = client.get("/v1/config").await?;
    let path = if args.again {
        "/v1/config/bundle?again=true"
    } else {
        "/v1/config/bundle"
    };
    let answer: BundleAnswer = client.post_bytes(path, bytes).await?;
    if let Some(detail) = answer.detail.as_ref().filter(|_| !args.json) {
        writeln!(out, "{}", plain(detail))?;
    }
    let waiting = Waiting {
        serial,
        // The outcome of an earlier try is none of this one.
        old: answer.is_new.then_some(before.last).flatten(),
        until_staged: args.no_wait,
        json: args.json,
    };
    tokio::select! {
        ended = waiting.run(client, out) => return ended,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    writeln!(
        io::stderr(),
        "The gateway continues with bundle {serial}: `stockrelay status` shows its state, `stockrelay config rollback` ends it once it runs."
    )?;
    Ok(EXIT_INTERRUPTED)
}

struct Waiting {
    serial: u64,
    old: Option<LastView>,
    until_staged: bool,
    /// Only the end is printed, as JSON.
    json: bool,
}

/// What the configuration says about the bundle.
enum Seen {
    Pending(PendingView),
    Ended(LastView),
    /// A newer bundle came first.
    Superseded(u64),
    Nothing,
}

impl Waiting {
    async fn run(&self, client: &Client, out: &mut dyn Write) -> Result<u8, CommandError> {
        let (mut shown, mut seen_at) = (None, clock::instant());
        loop {
            let config = match client.get::<ConfigView>("/v1/config").await {
                Ok(config) => config,
                Err(ClientError::Refused { .. }) => return Ok(EXIT_FAILED),
                Err(error) if seen_at.elapsed() > AWAY_MAX => return Err(error.into()),
                Err(_) => {
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                }
            };
            seen_at = clock::instant();
            match self.look(config) {
                Seen::Ended(last) => return self.end(&last, out),
                Seen::Superseded(newer) => {
                    self.end_superseded(newer, out)?;
                    return Ok(EXIT_FAILED);
                }
                Seen::Pending(pending) => {
                    let line = self.describe(&pending);
                    if shown.as_ref() != Some(&line) && !self.json {
                        writeln!(out, "{}", plain(&line))?;
                        out.flush()?;
                    }
                    shown = Some(line);
                    let state = pending.state.as_str();
                    let is_early = ["fetched", "verified", "checked"].contains(&state);
                    if self.until_staged && !is_early {
                        if self.json {
                            json_line(out, &pending)?;
                        }
                        return Ok(EXIT_DONE);
                    }
                }
                Seen::Nothing => {}
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn look(&self, config: ConfigView) -> Seen {
        let last = config.last.filter(|last| Some(last) != self.old.as_ref());
        match (config.pending, last) {
            (Some(pending), _) if pending.serial == self.serial => Seen::Pending(pending),
            (_, Some(last)) if last.serial == self.serial => Seen::Ended(last),
            (Some(pending), _) if pending.serial > self.serial => Seen::Superseded(pending.serial),
            (_, Some(last)) if last.serial > self.serial => Seen::Superseded(last.serial),
            _ => Seen::Nothing,
        }
    }

    fn describe(&self, pending: &PendingView) -> String {
        let reason = pending.reason.as_ref();
        let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
        format!("bundle {} is {}{reason}", self.serial, pending.state)
    }

    fn end_superseded(&self, newer: u64, out: &mut dyn Write) -> Result<(), CommandError> {
        let serial = self.serial;
        let reason = format!("bundle {newer} came after it");
        if self.json {
            let outcome = "superseded";
            let end = serde_json::json!({ "serial": serial, "outcome": outcome, "reason": reason });
            json_line(out, &end)?;
        } else {
            writeln!(out, "bundle {serial} is not applied: {reason}")?;
        }
        Ok(())
    }

    fn end(&self, last: &LastView, out: &mut dyn Write) -> Result<u8, CommandError> {
        if self.json {
            json_line(out, last)?;
        } else {
            let reason = last.reason.clone().unwrap_or_default();
            let line = format!("bundle {} is {}: {reason}", self.serial, last.outcome);
            writeln!(out, "{}", plain(&line))?;
        }
        Ok(match last.outcome.as_str() {
            "confirmed" => EXIT_DONE,
            _ => EXIT_FAILED,
        })
    }
}

/// Returns to the configuration that was confirmed before.
pub async fn roll_back(
    client: &Client,
    json: bool,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let before: ConfigView = client.get("/v1/config").await?;
    let body = serde_json::json!({});
    let _: BundleAnswer = client.post("/v1/config/rollback", &body).await?;
    let asked = clock::instant();
    while asked.elapsed() < ROLLBACK_MAX {
        let now: ConfigView = client.get("/v1/config").await?;
        if (now.serial, &now.hash) != (before.serial, &before.hash) {
            if json {
                json_line(out, &now)?;
                return Ok(EXIT_DONE);
            }
            let name = match now.serial {
                Some(serial) => format!("bundle {serial}"),
                None => "its local files, without a bundle".to_owned(),
            };
            writeln!(out, "The gateway has returned to {name}.")?;
            return Ok(EXIT_DONE);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if json {
        json_line(out, &client.get::<ConfigView>("/v1/config").await?)?;
        return Ok(EXIT_DONE);
    }
    writeln!(
        out,
        "The gateway returns to the configuration before; `stockrelay status` shows which one runs."
    )?;
    Ok(EXIT_DONE)
}

/// Lists how bundles ended, after what runs and what is pending.
pub async fn history(client: &Client, json: bool, out: &mut dyn Write) -> Result<u8, CommandError> {
    let answer: ConfigHistory = client.get("/v1/config/history").await?;
    if json {
        json_line(out, &answer)?;
        return Ok(EXIT_DONE);
    }
    let config: ConfigView = client.get("/v1/config").await?;
    if let Some(runs) = describe_config(&config, |at| format!("since {}", time(at))) {
        writeln!(out, "runs: {runs}")?;
    }
    if let Some(pending) = config.pending.as_ref().and(describe_bundle(&config)) {
        writeln!(out, "pending: {pending}")?;
    }
    if answer.history.is_empty() {
        writeln!(out, "No bundle has ended on this gateway yet.")?;
    }
    for entry in &answer.history {
        let line = format!(
            "{}  bundle {}  {}  {}  {}",
            entry.at.strftime("%Y-%m-%d %H:%M:%SZ"),
            entry.serial,
            entry.outcome,
            entry.by,
            entry.reason
        );
        writeln!(out, "{}", plain(&line))?;
    }
    Ok(EXIT_DONE)
}
