//! Honest clients while others attack: devices that scan, devices that log in, people who ask.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stockrelay::clock;
use stockrelay::view::client::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::packet;
use crate::load::{Ids, payload};

/// Honest devices, and how often each of them publishes.
pub const DEVICES: usize = 5;
const EVERY: Duration = Duration::from_millis(50);
/// How long a device waits for its last acknowledgements.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a new device logs in, and somebody asks for the status.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// A later answer counts as no answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The results of the honest clients in one phase.
#[derive(Debug, Default)]
pub struct Seen {
    /// From the moment at which an event was due to its PUBACK.
    pub acknowledged: Vec<Duration>,
    pub unacknowledged: usize,
    /// Connections of honest devices that the gateway closed.
    pub cut: usize,
    pub logins: Answers,
    pub status: Answers,
    pub healthz: Answers,
}

#[derive(Debug, Default)]
pub struct Answers {
    pub times: Vec<Duration>,
    pub none: usize,
}

impl Answers {
    pub fn longest(&self) -> Duration {
        self.times.iter().max().copied().unwrap_or_default()
    }

    fn add(&mut self, begun: Instant, answered: bool) {
        if answered {
            self.times.push(begun.elapsed());
        } else {
            self.none += 1;
        }
    }
}

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Target {
    pub mqtt: SocketAddr,
    pub metrics: SocketAddr,
    pub socket: std::path::PathBuf,
}

/// Runs all honest clients for a while. `round` keeps names and ids of phases apart.
pub async fn watch(target: &Target, round: usize, time: Duration, password: Option<&str>) -> Seen {
    let mut devices = JoinSet::new();
    for device in 0..DEVICES {
        devices.spawn(scan(target.mqtt, device, round, time));
    }
    let (logins, status, healthz, pieces) = tokio::join!(
        log_in(target.mqtt, round, time, password),
        ask_status(&target.socket, time),
        ask_healthz(target.metrics, time),
        devices.join_all(),
    );
    let mut seen = Seen {
        logins,
        status,
        healthz,
        ..Seen::default()
    };
    for piece in pieces {
        seen.acknowledged.extend(piece.acknowledged);
        seen.unacknowledged += piece.unacknowledged;
        seen.cut += piece.cut;
    }
    seen
}

/// The messages that one connection waits for, and how long it waited for earlier ones.
#[derive(Debug, Default)]
struct Log {
    due: VecDeque<Instant>,
    times: Vec<Duration>,
}

/// Publishes on time, without waiting for earlier events.
async fn scan(address: SocketAddr, device: usize, round: usize, time: Duration) -> Seen {
    let name = format!("honest{device}");
    let topic = format!("stockrelay/v1/bench/{name}/event");
    let mut seen = Seen::default();
    let begun = clock::instant();
    let mut number: u32 = 0;
    while begun.elapsed() < time {
        let hello = packet::connect(&name, None, 60);
        let Ok(socket) = connect(address, &hello).await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let log = Arc::new(Mutex::new(Log::default()));
        let (reading, mut writing) = socket.into_split();
        let acks = tokio::spawn(acknowledgements(reading, Arc::clone(&log)));
        while begun.elapsed() < time && !acks.is_finished() {
            tokio::time::sleep_until((begun + EVERY * number).into()).await;
            let id = (round * DEVICES + device) as u64 * 1_000_000 + u64::from(number);
            let text = payload(Ids::Rising, id);
            let pkid = u16::try_from(number % 60_000).unwrap_or_default() + 1;
            // Measures from the due time: a gateway that keeps the device waiting does not shorten
            // the wait.
            log.lock().unwrap().due.push_back(begun + EVERY * number);
            number += 1;
            let bytes = packet::publish(&topic, pkid, text.as_bytes());
            if writing.write_all(&bytes).await.is_err() {
                break;
            }
        }
        let ended = async {
            while !log.lock().unwrap().due.is_empty() && !acks.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        drop(tokio::time::timeout(PATIENCE, ended).await);
        seen.cut += usize::from(acks.is_finished());
        acks.abort();
        let mut log = log.lock().unwrap();
        seen.unacknowledged += log.due.len();
        seen.acknowledged.append(&mut log.times);
    }
    seen
}

async fn acknowledgements(mut reading: tokio::net::tcp::OwnedReadHalf, log: Arc<Mutex<Log>>) {
    let mut ack = [0; 4];
    while reading.read_exact(&mut ack).await.is_ok() {
        let mut log = log.lock().unwrap();
        let Some(due) = log.due.pop_front() else {
            return;
        };
        log.times.push(due.elapsed());
    }
}

/// Connects, and waits for the CONNACK that lets it in.
async fn connect(address: SocketAddr, hello: &[u8]) -> Result<TcpStream, std::io::Error> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    socket.write_all(hello).await?;
    let mut answer = [0; 4];
    socket.read_exact(&mut answer).await?;
    if answer[3] == 0 {
        Ok(socket)
    } else {
        Err(std::io::Error::other(format!("CONNACK {}", answer[3])))
    }
}

async fn log_in(
    address: SocketAddr,
    round: usize,
    time: Duration,
    password: Option<&str>,
) -> Answers {
    let mut answers = Answers::default();
    let begun = clock::instant();
    while begun.elapsed() < time {
        let asked = clock::instant();
        let name = format!("new{}", round * 100 + answers.times.len() + answers.none);
        let hello = packet::connect(&name, password, 60);
        let opened = tokio::time::timeout(ANSWER_MAX, connect(address, &hello)).await;
        let opened = opened.ok().and_then(Result::ok);
        answers.add(asked, opened.is_some());
        tokio::time::sleep_until((asked + ASK_EVERY).into()).await;
    }
    answers
}

async fn ask_status(socket: &Path, time: Duration) -> Answers {
    let client = Client::new(socket);
    let mut answers = Answers::default();
    let begun = clock::instant();
    while begun.elapsed() < time {
        let asked = clock::instant();
        let status = client.get::<serde_json::Value>("/v1/status").await;
        answers.add(asked, status.is_ok());
        tokio::time::sleep_until((asked + ASK_EVERY).into()).await;
    }
    answers
}

async fn ask_healthz(address: SocketAddr, time: Duration) -> Answers {
    let mut answers = Answers::default();
    let begun = clock::instant();
    while begun.elapsed() < time {
        let asked = clock::instant();
        let health = tokio::time::timeout(ANSWER_MAX, healthz(address)).await;
        answers.add(asked, health.is_ok_and(|health| health.is_ok()));
        tokio::time::sleep_until((asked + ASK_EVERY).into()).await;
    }
    answers
}

/// 200 or 503: what counts is that it answers.
async fn healthz(address: SocketAddr) -> Result<(), std::io::Error> {
    let mut socket = TcpStream::connect(address).await?;
    let request = b"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await?;
    let mut answer = [0; 9];
    socket.read_exact(&mut answer).await.map(|_| ())
}
