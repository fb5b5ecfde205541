//! Processes that this program starts, and ends by their ids.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Signal, kill_process};
use tokio::time::sleep;

use crate::usage::{Pid, tree};

/// RabbitMQ needs some 6 s on an idle machine.
const START_MAX: Duration = Duration::from_mins(2);
const STOP_MAX: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);

/// A process with its output in a file. When it is dropped, it and all processes below it end.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command; its output goes to `NAME.log` in `dir`.
    pub fn start(command: &mut Command, dir: &Path, name: &str) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let file = File::options().append(true).create(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child, log })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The end of its output, for an error message.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    /// Waits until it accepts connections.
    pub async fn wait_for(&mut self, address: SocketAddr) -> Result<()> {
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.ended()? {
                bail!("it ended with {status}:\n{}", self.last_words());
            }
            if begun.elapsed() > START_MAX {
                let seconds = START_MAX.as_secs();
                bail!(
                    "it does not listen after {seconds} s:\n{}",
                    self.last_words()
                );
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Sends the signal and waits until it and all processes below it have ended.
    pub async fn stop(mut self, signal: Signal) -> Result<()> {
        let all = tree(self.id())?;
        let own = i32::try_from(self.id())?;
        let own = rustix::process::Pid::from_raw(own).context("no process id")?;
        let begun = Instant::now();
        if self.ended()?.is_none() {
            kill_process(own, signal)?;
        }
        while self.ended()?.is_none() || all.iter().any(|pid| pid.is_running()) {
            if begun.elapsed() > STOP_MAX {
                bail!("it runs {} s after {signal:?}", STOP_MAX.as_secs());
            }
            sleep(LOOK).await;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let all = if matches!(self.child.try_wait(), Ok(None)) {
            tree(self.id()).unwrap_or_default()
        } else {
            Vec::new()
        };
        for pid in all {
            kill(pid);
        }
        // It may have ended before.
        drop(self.child.wait());
    }
}

fn kill(pid: Pid) {
    if let Some(number) = rustix::process::Pid::from_raw(pid.number)
        && pid.is_running()
    {
        // It may end in this moment.
        let _ = kill_process(number, Signal::KILL);
    }
}

/// A free address of the loopback interface.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_process_ends_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 60 & sleep 60 & wait"]);
        let process = Process::start(&mut shell, dir.path(), "shell").unwrap();
        let begun = Instant::now();
        let mut all = tree(process.id()).unwrap();
        while all.len() < 3 {
            assert!(begun.elapsed() < START_MAX, "{all:?}");
            all = tree(process.id()).unwrap();
        }
        drop(process);
        while all.iter().any(|pid| pid.is_running()) {
            assert!(begun.elapsed() < START_MAX, "{all:?}");
        }
    }

    #[tokio::test]
    async fn a_server_that_ends_at_once_reports_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo no such key; exit 3"]);
        let mut process = Process::start(&mut shell, dir.path(), "shell").unwrap();
        let address = free_address().unwrap();
        let failed = process.wait_for(address).await.unwrap_err().to_string();
        assert!(failed.contains("no such key"), "{failed}");
    }
}
