//! NATS JetStream with files. With MQTT the server itself stores what clients publish at QoS 1.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{Server, Store};
use crate::load::{Dialect, connect, mqtt, nats};
use crate::process::{Process, free_address};

pub async fn start(program: &Path, dir: &Path, is_synced: bool, is_mqtt: bool) -> Result<Server> {
    let (core, door) = (free_address()?, free_address()?);
    let store = dir.join("data");
    // Without the line the server syncs every two minutes.
    let sync = if is_synced {
        "sync_interval: always"
    } else {
        ""
    };
    let door_config = if is_mqtt {
        format!("mqtt {{ listen: \"{door}\" }}\n")
    } else {
        String::new()
    };
    let config = format!(
        "listen: \"{core}\"\nserver_name: peers\n\
         jetstream {{\n  store_dir: \"{}\"\n  {sync}\n}}\n{door_config}",
        store.display()
    );
    let file = dir.join("nats.conf");
    fs::write(&file, config)?;
    let mut command = Command::new(program);
    command.arg("-c").arg(file);
    let mut process = Process::start(&mut command, dir, "nats")?;
    process.wait_for(core).await?;
    let (address, dialect, stream) = if is_mqtt {
        process.wait_for(door).await?;
        mqtt::subscribe_and_leave(connect(door).await?).await?;
        (door, Dialect::Mqtt, nats::MQTT_STREAM)
    } else {
        nats::create_stream(connect(core).await?).await?;
        (core, Dialect::Nats, nats::STREAM)
    };
    Ok(Server {
        process,
        _helper: None,
        address,
        dialect,
        store: Store::Stream(core, stream),
    })
}
