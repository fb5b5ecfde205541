//! SQLite behind the acceptor, which is this program in a process of its own.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{Server, Store};
use crate::acceptor;
use crate::load::Dialect;
use crate::process::{Process, free_address};

pub async fn start(dir: &Path) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("acceptor").arg(address.to_string()).arg(dir);
    let mut process = Process::start(&mut command, dir, "acceptor")?;
    process.wait_for(address).await?;
    Ok(Server {
        process,
        _helper: None,
        address,
        dialect: Dialect::Mqtt,
        store: Store::Sqlite(dir.join(acceptor::FILE)),
    })
}
