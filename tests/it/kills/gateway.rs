//! The daemon as it is installed: a process that is killed at any moment and started again.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use stockrelay::clock;
use stockrelay::demo::odoo::{API_KEY, DATABASE};
use stockrelay::view::client::Client;

use super::device::Said;
use crate::free_address::free_address;
use crate::moves::Random;

pub const SITE: &str = "kills";
/// How long the gateway waits for an answer of Odoo.
pub const ANSWER_MAX_S: u64 = 5;
/// How long a process lives after its start, at most.
const LIFE_MAX_MS: u64 = 1_500;
/// A process that is killed in its start lives so long, at most.
const START_MAX_MS: u64 = 60;
/// A process that is killed while it repeats the log lives so long after it has opened the log, at
/// most.
const REPEAT_MAX_US: u64 = 12_000;
/// A kill under load waits for this number of messages in flight, at most, and for this time.
const FLIGHT_MAX: u64 = 24;
const FLIGHT_WITHIN: Duration = Duration::from_millis(500);
/// A start that takes longer is shown with its log.
const SLOW_START: Duration = Duration::from_secs(1);
const STARTED_WITHIN: Duration = Duration::from_mins(1);
/// Without a fault, everything is in Odoo long before.
const DRAINED_WITHIN: Duration = Duration::from_mins(15);
const STATUS_EVERY: Duration = Duration::from_millis(10);

/// What the kills met.
#[derive(Debug, Default)]
pub struct Kills {
    all: usize,
    /// The process did not answer yet.
    in_start: usize,
    /// The process had just opened the log.
    at_log: usize,
    starts: Vec<Duration>,
}

impl fmt::Display for Kills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut starts = self.starts.clone();
        starts.sort_unstable();
        let longest = starts.last().copied().unwrap_or_default();
        let median = starts.get(starts.len() / 2).copied().unwrap_or_default();
        write!(
            f,
            "kills: {}, of them {} before the process answered and {} just after it had opened the log; a start took {:.2} s (median of {}), the longest {:.2} s",
            self.all,
            self.in_start,
            self.at_log,
            median.as_secs_f64(),
            starts.len(),
            longest.as_secs_f64()
        )
    }
}

pub struct Gateway {
    dir: tempfile::TempDir,
    process: Child,
    spawned: Instant,
    /// Length of the process's log when it was started.
    logged: usize,
    pub address: SocketAddr,
}

impl Gateway {
    pub fn start(url: &str) -> Self {
        Self::start_on(url, |_| ())
    }

    /// `fill` makes the data directory before the process starts.
    pub fn start_on(url: &str, fill: impl FnOnce(&Path)) -> Self {
        // On the project's disk, not in memory.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let address = free_address();
        fs::write(dir.path().join("odoo.key"), API_KEY).unwrap();
        let config = format!(
            "site = \"{SITE}\"\ndata_dir = \"data\"\n\
             [mqtt.listen]\naddress = \"{address}\"\nanonymous = true\n\
             [odoo]\nurl = \"{url}\"\ndatabase = \"{DATABASE}\"\napi_key_file = \"odoo.key\"\ntimeout_s = {ANSWER_MAX_S}\n\
             [documents]\nidle_s = 1\nage_s = 3\nlines_max = 20\n\
             [control]\nsocket = \"control.sock\"\n"
        );
        fs::write(dir.path().join("config.toml"), config).unwrap();
        fill(&dir.path().join("data"));
        let process = spawn(dir.path());
        Self {
            dir,
            process,
            spawned: clock::instant(),
            logged: 0,
            address,
        }
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn client(&self) -> Client {
        Client::new(&self.dir.path().join("control.sock"))
    }

    async fn status(&self) -> Option<Value> {
        self.client().get("/v1/status").await.ok()
    }

    /// Kills the process and starts it again. A quarter of the kills is in the start, another one
    /// while the process repeats the log.
    pub async fn kill_often(&mut self, kills: u64, seed: u64, said: &Said) -> Kills {
        let mut random = Random(seed);
        let mut met = Kills::default();
        for _ in 0..kills {
            match random.below(4) {
                0 => {
                    let life = Duration::from_millis(random.below(START_MAX_MS));
                    tokio::time::sleep(life).await;
                    met.in_start += usize::from(self.status().await.is_none());
                }
                1 => {
                    let life = Duration::from_micros(random.below(REPEAT_MAX_US));
                    tokio::task::block_in_place(|| self.wait_for_log());
                    std::thread::sleep(life);
                    met.at_log += 1;
                    met.in_start += 1;
                }
                _ => {
                    met.starts.push(self.started().await);
                    let life = Duration::from_millis(random.below(LIFE_MAX_MS));
                    tokio::time::sleep(life).await;
                    let count = usize::try_from(random.below(FLIGHT_MAX)).unwrap();
                    tokio::task::block_in_place(|| wait_for_flight(said, count));
                }
            }
            self.kill_and_start();
            met.all += 1;
        }
        met.starts.push(self.started().await);
        met
    }

    pub fn kill_and_start(&mut self) {
        assert!(
            self.process.try_wait().unwrap().is_none(),
            "the daemon ended by itself: {}",
            self.log()
        );
        // SIGKILL: no chance to write anything.
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.logged = self.log().len();
        self.spawned = clock::instant();
        self.process = spawn(self.dir.path());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// Waits until the process answers; returns the time since it was started.
    pub async fn started(&self) -> Duration {
        while self.status().await.is_none() {
            let is_late = self.spawned.elapsed() > STARTED_WITHIN;
            assert!(
                !is_late,
                "it does not answer: {}",
                self.dir.path().display()
            );
            tokio::time::sleep(STATUS_EVERY).await;
        }
        let time = self.spawned.elapsed();
        if time > SLOW_START {
            let log = self.log().split_off(self.logged);
            println!("kills: a start took {:.2} s: {log}", time.as_secs_f64());
        }
        time
    }

    /// Waits until the process has opened the log.
    fn wait_for_log(&self) {
        let files = PathBuf::from(format!("/proc/{}/fd", self.process.id()));
        let is_log = |file: fs::DirEntry| {
            fs::read_link(file.path()).is_ok_and(|path| path.ends_with("journal.log"))
        };
        let has_log = || {
            let files = fs::read_dir(&files).ok();
            files.is_some_and(|files| files.flatten().any(is_log))
        };
        while !has_log() {
            let is_late = self.spawned.elapsed() > STARTED_WITHIN;
            assert!(!is_late, "it opens no log: {}", self.dir.path().display());
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Waits until nothing is on its way to Odoo.
    pub async fn drained(&self) {
        let begun = clock::instant();
        loop {
            let status = self.status().await;
            if let Some(status) = &status {
                let of = |state: &&str| status["events"][state].as_u64().unwrap();
                if ["open", "waiting", "sending"].iter().map(of).sum::<u64>() == 0 {
                    return;
                }
            }
            let is_late = begun.elapsed() > DRAINED_WITHIN;
            assert!(!is_late, "not drained: {status:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub fn end_in_order(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let ended = tokio::task::block_in_place(|| self.process.wait());
        assert!(ended.unwrap().success(), "{}", self.dir.path().display());
    }
}

fn wait_for_flight(said: &Said, count: usize) {
    let begun = clock::instant();
    while said.in_flight() < count && begun.elapsed() < FLIGHT_WITHIN {
        std::thread::sleep(Duration::from_micros(100));
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It has ended already, unless the test has failed.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn spawn(dir: &Path) -> Child {
    let mut options = fs::File::options();
    let log = options.append(true).create(true).open(dir.join("log"));
    let log = log.unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stockrelay"));
    command
        .args(["--config", "config.toml", "run"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    // The gateway refuses variables of its own prefix that it does not know.
    for name in ["STOCKRELAY_KILLS", "STOCKRELAY_SEED"] {
        command.env_remove(name);
    }
    command.spawn().unwrap()
}
