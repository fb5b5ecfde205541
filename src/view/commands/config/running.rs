//! What runs on this gateway, and `config show`.
//!
//! **In**: the daemon's answer if it runs, else the local files and the bundle that the next start
//! loads. **Out**: each key with its value and origin. Nothing is written.

use std::io::Write;

use super::{Process, failed, load};
use crate::board::ConfigView;
use crate::config;
use crate::fleet::{disk, local};
use crate::view::client::{Client, ClientError};
use crate::view::commands::{CommandError, EXIT_DONE, json_line};
use crate::view::control::EffectiveView;
use crate::view::show;
use crate::view::table::{plain, time};

/// The configuration of this gateway.
pub struct Running {
    pub effective: EffectiveView,
    /// From the daemon. `None`: no daemon answers, and its next start uses the configuration.
    pub shown: Option<ConfigView>,
    /// The serial of its bundle. `None`: it is from the local files alone.
    pub serial: Option<u64>,
}

impl Running {
    /// Describes the files.
    pub fn name(&self) -> String {
        match self.serial {
            Some(serial) => format!("bundle {serial} and the local files"),
            None => "the local files".to_owned(),
        }
    }
}

/// Prints the configuration.
pub async fn show(
    client: Option<&Client>,
    process: &Process<'_>,
    json: bool,
    out: &mut dyn Write,
) -> Result<u8, CommandError> {
    let running = find(client, process).await?;
    if json {
        json_line(out, &running.effective)?;
        return Ok(EXIT_DONE);
    }
    let files = running.name();
    match &running.shown {
        Some(shown) => {
            let since = shown
                .since
                .map_or(String::new(), |since| format!(" since {}", time(since)));
            writeln!(out, "# The daemon runs with {files}{since}.")?;
        }
        None => writeln!(out, "# The next start of the daemon reads {files}.")?,
    }
    writeln!(out, "{}", show::show(&running.effective).trim_end())?;
    Ok(EXIT_DONE)
}

/// Finds what runs on this gateway, or would run.
pub async fn find(client: Option<&Client>, process: &Process<'_>) -> Result<Running, CommandError> {
    if let Some(client) = client {
        match client.get::<EffectiveView>("/v1/config/effective").await {
            Ok(effective) => {
                let shown: ConfigView = client.get("/v1/config").await?;
                return Ok(Running {
                    effective,
                    serial: shown.serial,
                    shown: Some(shown),
                });
            }
            Err(ClientError::NotRunning { .. } | ClientError::NoSocket(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    find_offline(process)
}

fn find_offline(process: &Process) -> Result<Running, CommandError> {
    // The faults of all keys are of more use than those of a few.
    let Ok(ground) = config::load_ground(process.config, process.environment) else {
        let loaded = load(process)?;
        return Ok(of_files(&loaded, None));
    };
    let (set, folder) = disk::find_running(&ground.data_dir).map_err(failed)?;
    let (Some(bundle), Some(folder)) = (set.bundle(), folder) else {
        return Ok(of_files(&load(process)?, None));
    };
    let unusable = |why: String| {
        let why = plain(&why);
        CommandError::Config(format!("the gateway cannot use {set}: {why}"))
    };
    let files = local::open(&folder, &ground.site, ground.fleet.group.as_ref());
    let overlay = files.map_err(unusable)?.overlay(&folder);
    let loaded = config::load_with(process.config, process.environment, Some(&overlay));
    let loaded = loaded.map_err(|error| unusable(error.to_string()))?;
    Ok(of_files(&loaded, Some(bundle.serial)))
}

fn of_files(loaded: &config::Loaded, serial: Option<u64>) -> Running {
    Running {
        effective: EffectiveView::of(&loaded.config, |key| loaded.origin(key)),
        shown: None,
        serial,
    }
}
