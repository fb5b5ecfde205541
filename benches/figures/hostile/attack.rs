//! The attackers: a separate process at nice 19, so that it uses only idle processor time.
//!
//! It prints `ready` after the attack has started, and ends when its standard input is closed.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::task::JoinSet;

use super::packet;

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Elements of an array, and the arrays of one burst.
const ELEMENTS: usize = 500;
const ARRAYS: usize = 64;

#[derive(Debug, Clone)]
pub struct Order {
    pub name: String,
    pub mqtt: SocketAddr,
    pub metrics: SocketAddr,
    pub socket: PathBuf,
    pub connections: usize,
    pub addresses: usize,
}

impl Order {
    pub fn arguments(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.mqtt.to_string(),
            self.metrics.to_string(),
            self.socket.display().to_string(),
            self.connections.to_string(),
            self.addresses.to_string(),
        ]
    }

    pub fn parse(arguments: &[String]) -> Answer<Self> {
        let [name, mqtt, metrics, socket, connections, addresses] = arguments else {
            return Err("an attack has six arguments".into());
        };
        Ok(Self {
            name: name.clone(),
            mqtt: mqtt.parse()?,
            metrics: metrics.parse()?,
            socket: socket.into(),
            connections: connections.parse()?,
            addresses: addresses.parse()?,
        })
    }

    /// Between two attempts of one attacker. Guesses are many at once; without a pause the kernel
    /// runs out of ports.
    fn pause(&self) -> Duration {
        Duration::from_millis(if self.name == "passwords" { 1_000 } else { 20 })
    }

    /// Attackers come from 127.0.1.1 on; honest clients are 127.0.0.1.
    async fn open(&self, number: usize) -> Answer<TcpStream> {
        open_from(number % self.addresses, self.mqtt).await
    }

    async fn log_in(&self, number: usize, keep_alive_s: u16) -> Answer<TcpStream> {
        let mut stream = self.open(number).await?;
        let hello = packet::connect(&format!("evil{number}"), None, keep_alive_s);
        stream.write_all(&hello).await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        if answer[3] != 0 {
            return Err(format!("CONNACK {}", answer[3]).into());
        }
        Ok(stream)
    }
}

async fn open_from(address: usize, to: SocketAddr) -> Answer<TcpStream> {
    let own = Ipv4Addr::new(127, 0, 1, u8::try_from(address + 1)?);
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(own), 0))?;
    Ok(socket.connect(to).await?)
}

/// The whole life of the attacking process.
pub async fn run(order: Order) -> Answer<()> {
    let mut attackers = JoinSet::new();
    for number in 0..order.connections {
        let order = order.clone();
        attackers.spawn(async move {
            // The gateway may disconnect an attacker: the attacker reconnects.
            loop {
                drop(attack(&order, number).await);
                tokio::time::sleep(order.pause()).await;
            }
        });
    }
    println!("ready");
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
    drop(closed.await?);
    Ok(())
}

async fn attack(order: &Order, number: usize) -> Answer<()> {
    match order.name.as_str() {
        "burst" => burst(order, number).await,
        "flood" => flood(order, number, &junk()).await,
        "events" => events(order, number).await,
        "passwords" => guess(order, number).await,
        "silent" => wait_for_end(order.open(number).await?).await,
        "slow" => slow(order, number).await,
        "unfinished" => unfinished(order, number).await,
        "deaf" => deaf(order, number).await,
        "small" => small(order, number).await,
        "churn" => {
            drop(order.log_in(number, 60).await?);
            Ok(())
        }
        "control" => control(order, number).await,
        other => Err(format!("no attack is called {other}").into()),
    }
}

fn topic(number: usize) -> String {
    format!("stockrelay/v1/bench/evil{number}/event")
}

/// An array of 500 elements in 1,001 bytes, of which each is refused by itself.
fn junk() -> String {
    format!("[{}]", vec!["0"; ELEMENTS].join(","))
}

async fn wait_for_end(mut stream: TcpStream) -> Answer<()> {
    while stream.read(&mut [0; 4_096]).await? > 0 {}
    Ok(())
}

/// 64 arrays, once.
async fn burst(order: &Order, number: usize) -> Answer<()> {
    let mut stream = order.log_in(number, 60).await?;
    let mut bytes = Vec::new();
    for pkid in 1..=u16::try_from(ARRAYS)? {
        bytes.extend(packet::publish(&topic(number), pkid, junk().as_bytes()));
    }
    stream.write_all(&bytes).await?;
    drop(wait_for_end(stream).await);
    std::future::pending().await
}

/// Arrays as fast as TCP takes them.
async fn flood(order: &Order, number: usize, payload: &str) -> Answer<()> {
    let stream = order.log_in(number, 60).await?;
    let (reading, mut writing) = stream.into_split();
    let ended = tokio::spawn(drain(reading));
    let array = packet::publish(&topic(number), 1, payload.as_bytes());
    while !ended.is_finished() {
        writing.write_all(&array).await?;
    }
    Ok(())
}

async fn drain(mut reading: tokio::net::tcp::OwnedReadHalf) {
    while reading
        .read(&mut [0; 4_096])
        .await
        .is_ok_and(|read| read > 0)
    {}
}

/// Arrays of events that the journal stores, each with an id of its own.
async fn events(order: &Order, number: usize) -> Answer<()> {
    let stream = order.log_in(number, 60).await?;
    let (reading, mut writing) = stream.into_split();
    let ended = tokio::spawn(drain(reading));
    while !ended.is_finished() {
        let elements = (0..ELEMENTS).map(|_| {
            r#"{"type":"transfer","product":"4000000000006","from":"LOC-BIN-0001","to":"LOC-BIN-0002","operator":"an operator with a name that is as long as names may be, and as useless"}"#
        });
        let array = format!("[{}]", elements.collect::<Vec<_>>().join(","));
        let bytes = packet::publish(&topic(number), 1, array.as_bytes());
        writing.write_all(&bytes).await?;
    }
    Ok(())
}

/// Wrong passwords, and another name each time.
async fn guess(order: &Order, number: usize) -> Answer<()> {
    let mut stream = order.open(number).await?;
    let hello = packet::connect(&format!("new{number}"), Some("a guess"), 60);
    stream.write_all(&hello).await?;
    wait_for_end(stream).await
}

/// Sends one byte a second of a packet that never ends.
async fn slow(order: &Order, number: usize) -> Answer<()> {
    let mut stream = order.log_in(number, 2).await?;
    let bytes = packet::publish(&topic(number), 1, junk().as_bytes());
    for byte in bytes {
        stream.write_all(&[byte]).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    wait_for_end(stream).await
}

/// 200 KB of a packet that never ends.
async fn unfinished(order: &Order, number: usize) -> Answer<()> {
    let mut stream = order.log_in(number, 3_600).await?;
    let bytes = packet::publish(&topic(number), 1, &vec![b' '; 250_000]);
    stream.write_all(&bytes[..200_000]).await?;
    wait_for_end(stream).await
}

/// Subscribes to its receipts, sends arrays and reads nothing.
async fn deaf(order: &Order, number: usize) -> Answer<()> {
    let mut stream = order.log_in(number, 60).await?;
    let filter = format!("stockrelay/v1/bench/evil{number}/receipt");
    stream.write_all(&packet::subscribe(&filter, 1)).await?;
    let array = packet::publish(&topic(number), 1, junk().as_bytes());
    loop {
        stream.write_all(&array).await?;
    }
}

/// Packets that cost a packet each: PINGREQ, SUBSCRIBE, publishes of QoS 0 to nowhere.
async fn small(order: &Order, number: usize) -> Answer<()> {
    let stream = order.log_in(number, 60).await?;
    let (reading, mut writing) = stream.into_split();
    let ended = tokio::spawn(drain(reading));
    let filter = format!("stockrelay/v1/bench/evil{number}/display");
    let bytes = match number % 3 {
        0 => [0xC0, 0].repeat(1_000),
        1 => packet::subscribe(&filter, 1).repeat(50),
        _ => packet::framed(0x30, b"\0\x01aX").repeat(500),
    };
    while !ended.is_finished() {
        writing.write_all(&bytes).await?;
    }
    Ok(())
}

/// Half requests on the control socket, and clients that do not read the metrics.
async fn control(order: &Order, number: usize) -> Answer<()> {
    if number.is_multiple_of(2) {
        let mut stream = UnixStream::connect(&order.socket).await?;
        stream.write_all(b"GET /v1/status HTTP/1.1\r\n").await?;
        while stream.read(&mut [0; 64]).await? > 0 {}
        return Ok(());
    }
    let mut stream = open_from(number / 2 % order.addresses, order.metrics).await?;
    // As many as the socket takes: the answers fill it in the other direction.
    let request = b"GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n".repeat(1_000);
    stream.write_all(&request).await?;
    std::future::pending().await
}
