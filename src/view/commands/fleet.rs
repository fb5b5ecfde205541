//! `stockrelay fleet`: central IT's desk. It works on any machine with an account at the broker.
//!
//! - `centre`: what the broker has retained: bundles, the stop, reports.
//! - `overview`: `fleet status` and `fleet show`.
//! - `push`: publishes a bundle.
//! - `guard`: `fleet watch`; `progress` is its text.
//! - `stopping`: signs and publishes stops and resumptions.

mod centre;
mod guard;
mod overview;
mod progress;
mod push;
mod stopping;

use std::io::Write;
use std::path::Path;

use super::CommandError;
use super::config::Process;
use crate::config::{self, ConfigError, FleetBroker};
use crate::fleet::Trust;
use crate::fleet::desk::{Desk, DeskError};
use crate::source::broker::{Account, SettingNames};
use crate::view::cli::{BrokerArgs, FleetArgs, FleetCommand};

/// All gateways that are not away have ended, and some failed.
pub const EXIT_SOME_FAILED: u8 = 3;
/// No gateway failed, and some have a newer bundle.
pub const EXIT_REPLACED: u8 = 4;

const CLIENT: &str = "this account";
const KEYS: SettingNames = SettingNames {
    client: CLIENT,
    url: "fleet.broker",
    username: "fleet.username",
    password_file: "fleet.password_file",
    ca: "fleet.ca",
    client_cert: "fleet.client_cert",
    client_key: "fleet.client_key",
    packet_bytes_max: "the largest bundle",
};
const OPTIONS: SettingNames = SettingNames {
    client: CLIENT,
    url: "--broker",
    username: "--username",
    password_file: "--password-file",
    ca: "--ca",
    client_cert: "--cert",
    client_key: "--key-file",
    packet_bytes_max: "the largest bundle",
};

/// Central IT's broker, and how messages name its settings.
struct Central {
    broker: FleetBroker,
    names: &'static SettingNames,
}

/// Runs the command.
pub async fn fleet(
    args: &FleetArgs,
    process: &Process<'_>,
    out: &mut (dyn Write + Send),
) -> Result<u8, CommandError> {
    let central = Central::find(&args.broker, process)?;
    match &args.command {
        FleetCommand::Status { json } => overview::status(&central, *json, process.now, out).await,
        FleetCommand::Show { site, json } => overview::show(&central, site, *json, out).await,
        FleetCommand::Push(args) => push::push(&central, args, process, out).await,
        FleetCommand::Watch(args) => guard::watch(&central, args, process, out).await,
        FleetCommand::Stop(args) => stopping::stop(&central, args, process, out).await,
        FleetCommand::Resume(args) => stopping::resume(&central, args, process, out).await,
    }
}

impl Central {
    /// Finds the broker in the arguments, or else in the configuration.
    fn find(args: &BrokerArgs, process: &Process) -> Result<Self, CommandError> {
        if let Some(url) = &args.broker {
            if args.password_file.is_some() && args.username.is_none() {
                let text = "--password-file needs --username NAME";
                return Err(CommandError::Usage(text.to_owned()));
            }
            return Ok(Self {
                broker: FleetBroker {
                    url: url.clone(),
                    ca: args.ca.clone(),
                    client_cert: args.cert.clone(),
                    client_key: args.key_file.clone(),
                    username: args.username.clone(),
                    password_file: args.password_file.clone(),
                },
                names: &OPTIONS,
            });
        }
        let shown = process.config.display();
        let none = || {
            CommandError::Usage(format!(
                "no broker: name it with --broker mqtts://HOST, or in [fleet] broker of {shown}"
            ))
        };
        match config::load_fleet(process.config, process.environment) {
            Ok(fleet) => Ok(Self {
                broker: fleet.broker.ok_or_else(none)?,
                names: &KEYS,
            }),
            Err(ConfigError::Missing(_)) => Err(none()),
            Err(error) => Err(CommandError::Config(error.to_string())),
        }
    }

    fn account(&self) -> Account<'_> {
        let broker = &self.broker;
        Account {
            url: &broker.url,
            username: broker.username.as_deref(),
            password_file: broker.password_file.as_deref(),
            ca: broker.ca.as_deref(),
            client_cert: broker.client_cert.as_deref(),
            client_key: broker.client_key.as_deref(),
            names: self.names,
        }
    }

    async fn connect(&self) -> Result<Desk, CommandError> {
        Desk::connect(&self.account()).await.map_err(describe)
    }
}

/// Turns an error of the broker into that of a command.
fn describe(error: DeskError) -> CommandError {
    match error {
        DeskError::Account(error) => CommandError::Config(error.to_string()),
        DeskError::Connection(text) => CommandError::Unavailable(text),
        error @ (DeskError::NoAnswer(_) | DeskError::Ended { .. }) => {
            CommandError::Unavailable(error.to_string())
        }
        error => CommandError::Failed(error.to_string()),
    }
}

/// Reads the trusted keys: the named ones, or else trust.toml beside the configuration file if
/// there is one.
fn find_trust(named: Option<&Path>, process: &Process<'_>) -> Result<Option<Trust>, CommandError> {
    let beside = process.config.with_file_name("trust.toml");
    let file = match named {
        Some(file) => file,
        None if beside.exists() => &beside,
        None => return Ok(None),
    };
    let trust = Trust::read(file).map_err(super::config::failed)?;
    Ok(Some(trust))
}

/// Prints a warning to standard error. A closed standard error is no failure.
fn warn(text: &str) {
    drop(writeln!(std::io::stderr(), "stockrelay: warning: {text}"));
}
