//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum as _};

use crate::system::System;

/// Measures stockrelay beside other systems that store what they acknowledge.
///
/// Every system gets the same load from the same generator: 200-byte events with random ids, from
/// 50 connections with 20 events in flight each, and then from one connection with one event in
/// flight. Rounds alternate: each round starts each system once, in another order. The table has
/// the medians over the rounds.
///
/// The generator runs on the same cores as the server and limits all systems alike: on two cores
/// the server has little more than one. Only rows of one run can be compared.
///
/// Servers are looked for on this machine and nothing is downloaded. Rows of servers that are
/// missing are left out, and the program prints how to install them. It starts each server on
/// loopback with its data in a temporary directory, and ends it by its process id.
#[derive(Debug, Parser)]
#[command(name = "peers", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// How often each system is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,

    /// Events of the full load in each round.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub events: u64,

    /// Events of the measurement with one event in flight. A quarter as many follow under strace,
    /// to count syncs.
    #[arg(long, value_name = "COUNT", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub singles: u64,

    /// Measure stockrelay and SQLite also with this many events stored: one or more numbers. The
    /// load itself stores them before the first round. Later rounds go on with the same data, so
    /// that the count grows by what the rounds add.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..))]
    pub at: Vec<u64>,

    /// Measure only these systems, by their names in `--list` [default: all].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    only: Vec<System>,

    /// Connections of the full load.
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub connections: u16,

    /// Events in flight on each connection of the full load.
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=60))]
    pub in_flight: u16,

    /// The directory for the data of all servers. It must be on a disk: in memory a sync costs
    /// nothing.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/data"))]
    pub dir: PathBuf,

    /// The binary of stockrelay, as `cargo build --profile dist` makes it.
    #[arg(long, value_name = "PATH", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/dist/stockrelay"))]
    pub stockrelay: PathBuf,

    /// The program `nats-server` [default: from PATH].
    #[arg(long, value_name = "PATH")]
    pub nats: Option<PathBuf>,

    /// The program `rabbitmq-server` [default: Debian's in /usr/lib/rabbitmq/bin, or from PATH].
    #[arg(long, value_name = "PATH")]
    pub rabbitmq: Option<PathBuf>,

    /// The program `mosquitto` [default: from PATH].
    #[arg(long, value_name = "PATH")]
    pub mosquitto: Option<PathBuf>,

    /// Print which systems this machine has and how to install the others, and measure nothing.
    #[arg(long)]
    pub list: bool,

    #[command(subcommand)]
    pub role: Option<Role>,
}

impl Arguments {
    /// The systems to measure, in the order of the table.
    pub fn systems(&self) -> impl Iterator<Item = System> {
        let is_wanted = |system: &&System| self.only.is_empty() || self.only.contains(system);
        System::value_variants().iter().filter(is_wanted).copied()
    }
}

/// What this program is beside the load.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// The acceptor before SQLite.
    #[command(hide = true)]
    Acceptor { address: SocketAddr, dir: PathBuf },
}

const EXAMPLES: &str = "Examples:
  peers --list
  peers --rounds 3 --nats ~/nats-server
  peers --only stockrelay,sqlite --at 1000000
  peers --only stockrelay,rabbitmq --rounds 1 --events 20000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_is_measured_unless_some_are_named() {
        let all = Arguments::parse_from(["peers"]);
        assert_eq!(all.systems().collect::<Vec<_>>(), System::value_variants());
        let some =
            Arguments::parse_from(["peers", "--only", "nats-unsynced,sqlite", "--at", "1,2"]);
        let systems: Vec<_> = some.systems().collect();
        assert_eq!(systems, [System::Sqlite, System::NatsUnsynced]);
        assert_eq!(some.at, [1, 2]);
    }
}
