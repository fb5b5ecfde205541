//! Reads what processes use, and what the broker counts.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
use stockrelay::clock;
use tokio::task::JoinHandle;

/// Processor time is counted in hundredths of a second.
const TICKS: f64 = 100.0;
/// How often a command is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// Resident now, and at most, in MiB.
    pub resident: f64,
    pub peak: f64,
    /// Processor time in seconds.
    pub processor: f64,
}

impl Used {
    /// Reads it of a process. `None`: it has ended.
    pub fn of(process: impl Display) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let mib = |name: &str| -> Option<f64> {
            let line = status.lines().find(|line| line.starts_with(name))?;
            let kib = line.split_whitespace().nth(1)?;
            Some(kib.parse::<f64>().ok()? / 1_024.0)
        };
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // Behind the name, which may have spaces: utime and stime are fields 14 and 15.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |index: usize| fields[index].parse::<f64>().ok();
        Some(Self {
            resident: mib("VmRSS:")?,
            peak: mib("VmHWM:")?,
            processor: (ticks(11)? + ticks(12)?) / TICKS,
        })
    }

    pub fn own() -> Self {
        Self::of("self").unwrap()
    }
}

/// A command that runs, and what it uses.
pub struct Watched {
    child: Child,
    began: Instant,
    output: PathBuf,
}

/// A command that has ended.
pub struct Ended {
    pub code: i32,
    pub text: String,
    pub lasted: Duration,
    pub used: Used,
}

impl Watched {
    /// Starts a command. `output`: the file for what it prints.
    pub fn start(mut command: Command, output: PathBuf) -> Self {
        let file = File::create(&output).unwrap();
        command.stdin(Stdio::null());
        command.stderr(file.try_clone().unwrap()).stdout(file);
        Self {
            child: command.spawn().unwrap(),
            began: clock::instant(),
            output,
        }
    }

    pub fn text(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    /// Waits until it ends.
    pub async fn end(mut self) -> Ended {
        let mut used = Used::default();
        loop {
            // A process that has ended has no memory any more.
            used = Used::of(self.child.id()).unwrap_or(used);
            if let Some(status) = self.child.try_wait().unwrap() {
                return Ended {
                    code: status.code().expect("it ended by itself"),
                    text: self.text(),
                    lasted: self.began.elapsed(),
                    used,
                };
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.child.kill());
    }
}

/// The broker's own counters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub messages_in: f64,
    pub messages_out: f64,
    pub bytes_in: f64,
    pub bytes_out: f64,
}

impl Counts {
    pub fn since(self, before: Self) -> Self {
        Self {
            messages_in: self.messages_in - before.messages_in,
            messages_out: self.messages_out - before.messages_out,
            bytes_in: self.bytes_in - before.bytes_in,
            bytes_out: self.bytes_out - before.bytes_out,
        }
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        write!(
            f,
            "{} messages and {:.1} MiB from clients, {} messages and {:.1} MiB to them",
            self.messages_in,
            mib(self.bytes_in),
            self.messages_out,
            mib(self.bytes_out)
        )
    }
}

/// A client that reads the broker's counters.
pub struct Counter {
    values: Arc<Mutex<BTreeMap<String, f64>>>,
    task: JoinHandle<()>,
}

impl Counter {
    pub fn start(port: u16) -> Self {
        let options = MqttOptions::new("counter", "127.0.0.1", port);
        let (client, mut eventloop) = AsyncClient::new(options, 16);
        for topic in ["messages", "bytes"] {
            let topic = format!("$SYS/broker/{topic}/+");
            client.try_subscribe(topic, QoS::AtMostOnce).unwrap();
        }
        let values = Arc::<Mutex<BTreeMap<String, f64>>>::default();
        let heard = Arc::clone(&values);
        let task = tokio::spawn(async move {
            let _client = client;
            while let Ok(event) = eventloop.poll().await {
                if let Event::Incoming(Incoming::Publish(message)) = event {
                    let text = String::from_utf8_lossy(&message.payload);
                    let value = text.parse().unwrap_or_default();
                    heard.lock().unwrap().insert(message.topic, value);
                }
            }
        });
        Self { values, task }
    }

    /// Reads the counters after the broker has published them again, which it does each second.
    pub async fn read(&self) -> Counts {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let values = self.values.lock().unwrap();
        let value = |name: &str| {
            let value = values.get(&format!("$SYS/broker/{name}"));
            value.copied().unwrap_or_default()
        };
        Counts {
            messages_in: value("messages/received"),
            messages_out: value("messages/sent"),
            bytes_in: value("bytes/received"),
            bytes_out: value("bytes/sent"),
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.task.abort();
    }
}
