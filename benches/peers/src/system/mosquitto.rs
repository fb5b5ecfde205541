//! mosquitto with persistence. It acknowledges what it has in memory, and writes its database at
//! intervals and at its end.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{Server, Store};
use crate::load::{Dialect, connect, mqtt};
use crate::process::{Process, free_address};

pub async fn start(program: &Path, dir: &Path) -> Result<Server> {
    let address = free_address()?;
    // It would change from root to a user who may not write to our directory. The session that is
    // away may miss any number of messages. Statistics each second, so that they can be read.
    let config = format!(
        "listener {} 127.0.0.1\nallow_anonymous true\nuser root\n\
         persistence true\npersistence_location {}/\n\
         max_queued_messages 0\nset_tcp_nodelay true\nsys_interval 1\n",
        address.port(),
        dir.display()
    );
    let file = dir.join("mosquitto.conf");
    fs::write(&file, config)?;
    let mut command = Command::new(program);
    command.arg("-c").arg(file);
    let mut process = Process::start(&mut command, dir, "mosquitto")?;
    process.wait_for(address).await?;
    mqtt::subscribe_and_leave(connect(address).await?).await?;
    Ok(Server {
        process,
        _helper: None,
        address,
        dialect: Dialect::Mqtt,
        store: Store::Statistics(address),
    })
}
