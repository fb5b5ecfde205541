//! The gateway itself, configured as the gateway's own `cargo bench` does it.
//!
//! Without a copy of Odoo's data, which only Odoo or the gateway's library can make: codes are not
//! looked up.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Server, Store};
use crate::load::{Dialect, connect};
use crate::process::{Process, free_address};

pub async fn start(program: &Path, dir: &Path) -> Result<Server> {
    let (address, metrics) = (free_address()?, free_address()?);
    fs::write(dir.join("odoo.key"), "none")?;
    // Port 9 has no server: the link to Odoo is down. One client may be faster than a person, and
    // the journal larger than by default, so that no limit is measured.
    let config = format!(
        "site = \"bench\"\ndata_dir = \"data\"\n\
         [mqtt.listen]\naddress = \"{address}\"\nanonymous = true\nrate_per_s = 1000000\n\
         [odoo]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"\napi_key_file = \"odoo.key\"\n\
         [journal]\nbudget = \"64 GiB\"\n\
         [control]\nsocket = \"control.sock\"\nmetrics = \"{metrics}\"\n[log]\nlevel = \"warn\"\n"
    );
    fs::write(dir.join("config.toml"), config)?;
    let mut command = Command::new(program);
    command
        .args(["--config", "config.toml", "run"])
        .current_dir(dir);
    let mut process = Process::start(&mut command, dir, "stockrelay")?;
    process.wait_for(address).await?;
    Ok(Server {
        process,
        _helper: None,
        address,
        dialect: Dialect::Mqtt,
        store: Store::Metrics(metrics),
    })
}

pub async fn stored(metrics: SocketAddr) -> Result<u64> {
    let mut socket = connect(metrics).await?;
    socket
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    let name = "stockrelay_events_stored_total ";
    let count = answer.lines().find_map(|line| line.strip_prefix(name));
    Ok(count
        .context("the metrics have no count of stored events")?
        .parse()?)
}
