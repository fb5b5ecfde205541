//! The systems of the comparison: how each is configured and started, and how many events it has
//! stored.

mod mosquitto;
mod nats;
mod rabbitmq;
mod sqlite;
mod stockrelay;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use rustix::process::Signal;

use crate::acceptor;
use crate::load::{Dialect, amqp, connect, mqtt, nats as nats_load};
use crate::process::Process;
use crate::programs::{Program, Programs};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum System {
    /// Its MQTT front door; the link to Odoo is down.
    Stockrelay,
    /// WAL, synchronous FULL, behind this program's own batching acceptor for MQTT.
    Sqlite,
    /// A quorum queue, AMQP with publisher confirms.
    Rabbitmq,
    /// The same with the MQTT plugin.
    RabbitmqMqtt,
    /// JetStream, `sync_interval: always`, its own protocol with acknowledged publishes.
    Nats,
    /// The same with the server's MQTT.
    NatsMqtt,
    /// With persistence: promises nothing at the acknowledgement.
    Mosquitto,
    /// JetStream with its default of a sync every two minutes: promises nothing either.
    NatsUnsynced,
}

impl System {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stockrelay => "stockrelay",
            Self::Sqlite => "sqlite",
            Self::Rabbitmq => "rabbitmq",
            Self::RabbitmqMqtt => "rabbitmq-mqtt",
            Self::Nats => "nats",
            Self::NatsMqtt => "nats-mqtt",
            Self::Mosquitto => "mosquitto",
            Self::NatsUnsynced => "nats-unsynced",
        }
    }

    /// The row of the table.
    pub fn title(self, version: &str) -> String {
        match self {
            Self::Stockrelay => format!("stockrelay {version}, MQTT"),
            Self::Sqlite => {
                format!("SQLite {version}, WAL, synchronous FULL, our own batching acceptor, MQTT")
            }
            Self::Rabbitmq => format!("RabbitMQ {version}, quorum queue, AMQP confirms"),
            Self::RabbitmqMqtt => format!("RabbitMQ {version}, quorum queue, MQTT"),
            Self::Nats => format!("NATS JetStream {version}, sync always"),
            Self::NatsMqtt => format!("NATS {version}, sync always, MQTT"),
            Self::Mosquitto => format!("mosquitto {version}, persistence, MQTT *"),
            Self::NatsUnsynced => format!("NATS JetStream {version}, without sync *"),
        }
    }

    /// Whether an acknowledged event is on the disk. The others promise nothing.
    pub fn is_durable(self) -> bool {
        !matches!(self, Self::Mosquitto | Self::NatsUnsynced)
    }

    /// Starts the server with its data in `dir`, which may have those of an earlier start.
    pub async fn start(self, programs: &Programs, dir: &Path) -> Result<Server> {
        let server = match self {
            Self::Stockrelay => stockrelay::start(found(programs.stockrelay.as_ref())?, dir).await,
            Self::Sqlite => sqlite::start(dir).await,
            Self::Rabbitmq | Self::RabbitmqMqtt => {
                let epmd = programs.epmd.as_deref().context("epmd was not found")?;
                let is_mqtt = self == Self::RabbitmqMqtt;
                rabbitmq::start(found(programs.rabbitmq.as_ref())?, epmd, dir, is_mqtt).await
            }
            Self::Nats => nats::start(found(programs.nats.as_ref())?, dir, true, false).await,
            Self::NatsMqtt => nats::start(found(programs.nats.as_ref())?, dir, true, true).await,
            Self::NatsUnsynced => {
                nats::start(found(programs.nats.as_ref())?, dir, false, false).await
            }
            Self::Mosquitto => mosquitto::start(found(programs.mosquitto.as_ref())?, dir).await,
        };
        server.with_context(|| format!("cannot start {}", self.name()))
    }
}

/// A system is started only if [`Programs::missing`] has nothing to say about it.
fn found(program: Option<&Program>) -> Result<&Path> {
    Ok(&program.context("the program was not found")?.path)
}

/// A server that accepts events.
pub struct Server {
    process: Process,
    /// What the server needs beside itself.
    _helper: Option<Process>,
    pub address: SocketAddr,
    pub dialect: Dialect,
    store: Store,
}

/// Where the number of stored events is read.
enum Store {
    /// The metrics of stockrelay.
    Metrics(SocketAddr),
    Sqlite(PathBuf),
    /// A queue of RabbitMQ.
    Queue(SocketAddr, &'static str),
    /// A stream of NATS.
    Stream(SocketAddr, &'static str),
    /// The statistics of mosquitto, which count retained messages, too.
    Statistics(SocketAddr),
}

impl Server {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// How many events it has stored: since its start, or in all. Only the difference of two counts
    /// means something.
    pub async fn stored(&self) -> Result<u64> {
        match &self.store {
            Store::Metrics(address) => stockrelay::stored(*address).await,
            Store::Sqlite(path) => acceptor::count(path),
            Store::Queue(address, queue) => {
                amqp::Client::count(connect(*address).await?, queue).await
            }
            Store::Stream(address, stream) => {
                nats_load::messages(connect(*address).await?, stream).await
            }
            Store::Statistics(address) => {
                let topic = "$SYS/broker/store/messages/count";
                let count = mqtt::retained(connect(*address).await?, topic).await?;
                Ok(std::str::from_utf8(&count)?.parse()?)
            }
        }
    }

    /// The end of its output, for an error message.
    pub fn last_words(&self) -> String {
        self.process.last_words()
    }

    pub async fn stop(self) -> Result<()> {
        self.process.stop(Signal::TERM).await
    }
}
