//! The arguments of `stockrelay fleet`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::without_socket;
use crate::event::Name;

#[derive(Debug, Args)]
pub struct FleetArgs {
    #[command(flatten)]
    pub broker: BrokerArgs,
    #[command(subcommand)]
    pub command: FleetCommand,
}

/// Central IT's broker. Without `--broker` it is that of `[fleet]` in the configuration.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Central IT's broker")]
pub struct BrokerArgs {
    /// Central IT's broker; without it, `[fleet]` of the file of --config names the broker
    #[arg(long, global = true, value_name = "URL")]
    pub broker: Option<String>,
    /// Certificate authorities to trust in addition to the system's (PEM)
    #[arg(long, global = true, value_name = "FILE", requires = "broker")]
    pub ca: Option<PathBuf>,
    /// The client certificate (PEM)
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        requires = "broker",
        requires = "key_file"
    )]
    pub cert: Option<PathBuf>,
    /// The key of the client certificate (PEM)
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        requires = "broker",
        requires = "cert"
    )]
    pub key_file: Option<PathBuf>,
    /// The login name at the broker
    #[arg(long, global = true, value_name = "NAME", requires = "broker")]
    pub username: Option<String>,
    /// A file that contains only the password at the broker
    #[arg(long, global = true, value_name = "FILE", requires = "username")]
    pub password_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum FleetCommand {
    /// Show all gateways: failures first, then those that wait, then by what expires first
    #[command(defer(without_socket))]
    #[command(after_help = "\
A gateway that is not connected counts as a failure.

Examples:
  stockrelay fleet status
  stockrelay fleet status --broker mqtts://it.example --ca ca.pem --cert it.pem --key-file it.key
  stockrelay fleet status --json | jq -r 'select(.state == \"rolled-back\") | .site'")]
    Status {
        /// Print one JSON object per gateway and line
        #[arg(long)]
        json: bool,
    },
    /// Show everything that one gateway reports
    #[command(defer(without_socket))]
    #[command(after_help = "\
Examples:
  stockrelay fleet show ams1
  stockrelay fleet show ams1 --json | jq .report.expires")]
    Show {
        /// The site of the gateway
        site: Name,
        /// Print the JSON of the report
        #[arg(long)]
        json: bool,
    },
    /// Publish a bundle for all gateways, or for a group
    #[command(defer(without_socket))]
    #[command(after_help = "\
The command refuses a serial that is not above that of the bundle on the broker, unless it is the same bundle. It waits until the broker acknowledged the bundle and handed it out again.

With --url the command publishes only the address, size and SHA-256 of the bundle, for bundles that are too large for the broker. Copy the file to the web server first.

Examples:
  stockrelay fleet push autumn.bundle --trust trust.toml
  stockrelay fleet push autumn.bundle --group nl
  stockrelay fleet push autumn.bundle --url https://it.example/stockrelay/42.bundle")]
    Push(PushArgs),
    /// Watch a rollout, and stop it if too many gateways of a ring fail
    #[command(defer(without_socket))]
    #[command(after_help = "\
A gateway fails if it rolls the bundle back, refuses it, or goes silent: for --silent-s there was no sign of life, although it was alive when its ring was due or had the bundle. A gateway that was switched off before is away, and counts for nothing.

On a terminal the command shows the rings live; otherwise it prints a line for each change.

Exit code 0: every gateway that is not away has confirmed the bundle. 1: the rollout is stopped, by this command or by another person or program. 3: all gateways have ended, and some failed, but not more than --max-failed. 4: none failed, and some have a newer bundle: how this one ended there is unknown. 69: the broker cannot be reached at the start, or refuses the stop.

Examples:
  stockrelay fleet watch 42 --sign anna.key
  stockrelay fleet watch 42 --max-failed 0.02 --silent-s 1800 --sign ci.key --sign-password-file /run/credentials/ci
  stockrelay fleet watch 42 --bundle autumn.bundle --trust trust.toml --sign anna.key")]
    Watch(WatchArgs),
    /// Stop a rollout: no further gateway applies the bundle
    #[command(defer(without_socket))]
    #[command(after_help = "\
One trusted key is enough. Gateways that have applied the bundle keep it, or roll it back by themselves.

Examples:
  stockrelay fleet stop 42 --reason \"wrong database at group nl\" --sign anna.key")]
    Stop(StopArgs),
    /// Resume a stopped rollout
    #[command(defer(without_socket))]
    #[command(after_help = "\
It takes as many keys as `threshold` of trust.toml says. If the keys are on several machines, the first writes the message with -o, and the next adds a signature with --from.

Examples:
  stockrelay fleet resume 42 --sign anna.key --sign ben.key --reason \"database corrected\"
  stockrelay fleet resume 42 --sign anna.key -o resume.tar
  stockrelay fleet resume 42 --sign ben.key --from resume.tar")]
    Resume(ResumeArgs),
}

#[derive(Debug, Args)]
pub struct PushArgs {
    /// The bundle
    pub bundle: PathBuf,
    /// Verify the bundle first, with these trusted keys; default: trust.toml beside the file of
    /// --config, if there is one
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Publish the bundle for the gateways of this group only
    #[arg(long, value_name = "NAME")]
    pub group: Option<Name>,
    /// Publish the address of the bundle instead of the bundle
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The serial of the bundle
    pub serial: u64,
    /// The share of a ring that may fail: 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    pub max_failed: f64,
    /// A gateway without a sign of life for this time is silent, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub silent_s: u64,
    /// The secret key that signs the stop
    #[arg(long, value_name = "KEY")]
    pub sign: PathBuf,
    #[command(flatten)]
    pub stop: StopOptions,
    /// Read the rings from this bundle instead of the one on the broker
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct StopArgs {
    /// The serial of the bundle
    pub serial: u64,
    /// Why; each gateway shows it
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The secret key that signs the stop
    #[arg(long, value_name = "KEY")]
    pub sign: PathBuf,
    #[command(flatten)]
    pub stop: StopOptions,
    /// The count of the stop, instead of the time in seconds since 1970
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The serial of the bundle
    pub serial: u64,
    /// Why; each gateway shows it
    #[arg(long, value_name = "TEXT", default_value = "resumed")]
    pub reason: String,
    /// A secret key that signs the message; repeat it for further keys
    #[arg(long, value_name = "KEY", required = true)]
    pub sign: Vec<PathBuf>,
    #[command(flatten)]
    pub stop: StopOptions,
    /// The count of the message, instead of the time in seconds since 1970
    #[arg(long, value_name = "N", conflicts_with = "from")]
    pub count: Option<u64>,
    /// Write the message to a file instead of publishing it
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Add the signatures to this message
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `watch`, `stop` and `resume` share.
#[derive(Debug, Clone, Args)]
pub struct StopOptions {
    /// Read the password of the keys from the first line of this file
    #[arg(long, value_name = "FILE")]
    pub sign_password_file: Option<PathBuf>,
    /// The trusted keys; default: trust.toml beside the file of --config, if there is one
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Who stops or resumes; default: the user who runs the command
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok();
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a number from 0 to 1, such as 0.1".to_owned())
}
