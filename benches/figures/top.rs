//! What `stockrelay top` costs: processor and memory of the daemon without and with five of them
//! open, and of one of them, while devices send 200 events a second. Needs tmux, whose terminals
//! they run in.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::daemon::{Gateway, program};
use crate::load::{Device, Ids, payload};
use crate::process::{Usage, memory_kib};

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const TOPS: usize = 5;
const DEVICES: u64 = 20;
/// Each device sends one event in this time: 200 a second in all.
const EVERY: Duration = Duration::from_millis(100);
/// The time before a measurement: what starts is over.
const WARM_UP_ROUNDS: u64 = 50;
/// 30 s.
const ROUNDS: u64 = 300;
const MEASUREMENTS: usize = 3;
const COLUMNS: &str = "120";
const ROWS: &str = "40";

/// Terminals of tmux that run `top`. Dropped, they end.
struct Terminals {
    server: String,
}

impl Terminals {
    fn open(socket: &Path) -> Answer<Self> {
        let terminals = Self {
            server: format!("stockrelay-bench-{}", std::process::id()),
        };
        for number in 0..TOPS {
            let session = format!("top{number}");
            let (program, socket) = (program(), socket.to_string_lossy().into_owned());
            let program = program.to_string_lossy();
            terminals.tmux(&[
                "new-session",
                "-d",
                "-s",
                &session,
                "-x",
                COLUMNS,
                "-y",
                ROWS,
            ])?;
            let line = format!("exec '{program}' --socket '{socket}' top");
            terminals.tmux(&["send-keys", "-t", &session, &line, "Enter"])?;
        }
        Ok(terminals)
    }

    fn tmux(&self, arguments: &[&str]) -> Answer<String> {
        let mut command = Command::new("tmux");
        let done = command.args(["-L", &self.server]).args(arguments).output();
        let done = done.map_err(|error| format!("tmux: {error}: apt-get install tmux"))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            return Err(format!("tmux {}: {said}", arguments.join(" ")).into());
        }
        Ok(String::from_utf8(done.stdout)?)
    }

    /// The process of each `top`, after checking that it shows the gateway.
    fn processes(&self) -> Answer<Vec<u32>> {
        for number in 0..TOPS {
            let screen = self.tmux(&["capture-pane", "-p", "-t", &format!("top{number}")])?;
            if !screen.contains("1 Overview") || screen.contains("Not connected") {
                return Err(format!("top {number} does not show the gateway:\n{screen}").into());
            }
        }
        let processes = self.tmux(&["list-panes", "-a", "-F", "#{pane_pid}"])?;
        let processes = processes.lines().map(str::parse::<u32>);
        Ok(processes.collect::<Result<_, _>>()?)
    }
}

impl Drop for Terminals {
    fn drop(&mut self) {
        drop(self.tmux(&["kill-server"]));
    }
}

pub async fn top() -> Answer<()> {
    println!(
        "top: {DEVICES} devices send {} events/s in all, link to Odoo down; {TOPS} of `top` at {COLUMNS}x{ROWS}; {} s each",
        DEVICES * 1_000 / u64::try_from(EVERY.as_millis())?,
        ROUNDS * u64::try_from(EVERY.as_millis())? / 1_000
    );
    let mut gateway = Gateway::start()?;
    let mut devices = Vec::new();
    for number in 0..DEVICES {
        devices.push(Device::connect(gateway.address(), &format!("hand{number:02}")).await?);
    }
    let mut next = 0;
    for _ in 0..MEASUREMENTS {
        let (alone, memory) = measured(&gateway, &mut devices, &mut next, &[]).await?;
        let terminals = Terminals::open(&gateway.socket())?;
        send(&mut devices, &mut next, WARM_UP_ROUNDS).await?;
        let processes = terminals.processes()?;
        let (with, memory_with) = measured(&gateway, &mut devices, &mut next, &processes).await?;
        println!(
            "  daemon: {:.2} % of a core and {memory:.1} MiB alone, {:.2} % and {memory_with:.1} MiB with {TOPS} of `top`; one of them: {:.2} % and {:.1} MiB",
            alone[0],
            with[0],
            with[1..].iter().sum::<f64>() / processes.len() as f64,
            memory_kib(processes[0], "VmRSS")? as f64 / 1_024.0
        );
    }
    gateway.stop()
}

/// Percent of a core that the daemon and other processes used, and the resident memory of the
/// daemon in MiB.
async fn measured(
    gateway: &Gateway,
    devices: &mut [Device],
    next: &mut u64,
    others: &[u32],
) -> Answer<(Vec<f64>, f64)> {
    send(devices, next, WARM_UP_ROUNDS).await?;
    let data_dir = gateway.data_dir();
    let processes: Vec<u32> = [gateway.pid()]
        .into_iter()
        .chain(others.iter().copied())
        .collect();
    let usage = || {
        let each = processes.iter().map(|pid| Usage::of(*pid, &data_dir));
        each.collect::<Result<Vec<_>, _>>()
    };
    let before = usage()?;
    send(devices, next, ROUNDS).await?;
    let used = usage()?;
    let seconds = EVERY.as_secs_f64() * ROUNDS as f64;
    let percent = (used.iter().zip(before))
        .map(|(after, before)| 100.0 * after.since(before).processor.as_secs_f64() / seconds);
    Ok((percent.collect(), gateway.resident_mib()?))
}

/// One event of each device in each round.
async fn send(devices: &mut [Device], next: &mut u64, rounds: u64) -> Answer<()> {
    let mut round = tokio::time::interval(EVERY);
    for _ in 0..rounds {
        round.tick().await;
        for device in &mut *devices {
            device.publish_one(payload(Ids::Random, *next)).await?;
            *next += 1;
        }
    }
    Ok(())
}
