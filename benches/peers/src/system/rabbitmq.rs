//! RabbitMQ: one node on loopback alone, with a name, data and an Erlang name server of its own, so
//! that a RabbitMQ of the machine and this one know nothing of each other.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Server, Store};
use crate::load::{Dialect, amqp, connect, mqtt};
use crate::process::{Process, free_address};

pub async fn start(program: &Path, epmd: &Path, dir: &Path, is_mqtt: bool) -> Result<Server> {
    let (amqp, door) = (free_address()?, free_address()?);
    let (names, distribution) = (free_address()?, free_address()?);
    let plugins = if is_mqtt { "[rabbitmq_mqtt]." } else { "[]." };
    fs::write(dir.join("enabled_plugins"), plugins)?;
    let door_config = if is_mqtt {
        format!(
            "mqtt.listeners.tcp.1 = {door}\nmqtt.allow_anonymous = true\n\
             mqtt.durable_queue_type = quorum\n"
        )
    } else {
        String::new()
    };
    let config = format!("listeners.tcp.1 = {amqp}\n{door_config}");
    fs::write(dir.join("rabbitmq.conf"), config)?;

    // RabbitMQ starts a name server in the background if it finds none, and that one would stay.
    let mut command = Command::new(epmd);
    command
        .args(["-port", &names.port().to_string()])
        .args(["-address", "127.0.0.1"]);
    let mut helper = Process::start(&mut command, dir, "epmd")?;
    helper.wait_for(names).await.context("epmd")?;

    let mut command = Command::new(program);
    command
        // Erlang makes its cookie there.
        .env("HOME", dir)
        .env("ERL_EPMD_PORT", names.port().to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODENAME", "peers@localhost")
        .env("RABBITMQ_DIST_PORT", distribution.port().to_string())
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1}",
        )
        .env("RABBITMQ_MNESIA_BASE", dir.join("data"))
        .env("RABBITMQ_LOG_BASE", dir.join("log"))
        .env("RABBITMQ_CONFIG_FILE", dir.join("rabbitmq.conf"))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", dir.join("advanced.config"))
        .env("RABBITMQ_CONF_ENV_FILE", dir.join("none.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", dir.join("enabled_plugins"))
        .env("RABBITMQ_PID_FILE", dir.join("pid"))
        .current_dir(dir);
    let mut process = Process::start(&mut command, dir, "rabbitmq")?;
    process.wait_for(amqp).await?;
    let (address, dialect, queue) = if is_mqtt {
        process.wait_for(door).await?;
        mqtt::subscribe_and_leave(connect(door).await?).await?;
        (door, Dialect::Mqtt, amqp::MQTT_QUEUE)
    } else {
        // The first connection makes the queue.
        amqp::Client::open(&mut connect(amqp).await?).await?;
        (amqp, Dialect::Amqp, amqp::QUEUE)
    };
    Ok(Server {
        process,
        _helper: Some(helper),
        address,
        dialect,
        store: Store::Queue(amqp, queue),
    })
}
