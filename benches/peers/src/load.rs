//! The load generator: the same loop for every system, as light as it can be, because it shares the
//! machine with the server.
//!
//! The loop knows connections, windows and times. A [`Protocol`] writes publishes and reads
//! acknowledgements; each is as much of the protocol as the load needs. Client libraries would
//! differ in what they cost: a task and a channel for each message takes more processor time than
//! some of the servers do, and the comparison would be one of clients.

pub mod amqp;
pub mod mqtt;
pub mod nats;

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::event::{PAYLOAD_BYTES, write_payload};

/// The place of a publish in the window of its connection, from 1.
pub type Slot = u16;

/// A server has failed if it sends nothing for this time while publishes wait.
const PATIENCE: Duration = Duration::from_mins(1);

pub trait Protocol: Send {
    /// Appends a publish of `payload` to `out`. Its acknowledgement will name `slot`.
    fn publish(&mut self, slot: Slot, payload: &[u8], out: &mut Vec<u8>);

    /// Reads the whole messages at the start of `input` and returns how many bytes they have.
    ///
    /// Appends the slots of acknowledged publishes to `slots`, and to `out` what the server must be
    /// sent in return. An acknowledgement that reports a failure is an error.
    fn read(&mut self, input: &[u8], slots: &mut Vec<Slot>, out: &mut Vec<u8>) -> Result<usize>;
}

/// Which protocol a server has at its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// MQTT 3.1.1 at QoS 1.
    Mqtt,
    /// JetStream: a publish with a reply subject, to which the server sends the acknowledgement.
    Nats,
    /// AMQP 0-9-1 with publisher confirms.
    Amqp,
}

#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub address: SocketAddr,
    pub dialect: Dialect,
    pub connections: u16,
    pub in_flight: Slot,
}

/// What a load measured.
#[derive(Debug)]
pub struct Outcome {
    /// From the first publish to the last acknowledgement.
    pub took: Duration,
    /// From each publish to its acknowledgement.
    pub times: Vec<Duration>,
}

impl Load {
    /// Publishes the events with these numbers, shared among the connections.
    pub async fn publish(self, numbers: Range<u64>) -> Result<Outcome> {
        let mut connections = Vec::new();
        for index in 0..self.connections {
            let device = format!("dev{index:02}");
            let connection = Connection::open(self, device);
            connections.push(connection.await.context("cannot open a connection")?);
        }
        let begun = Instant::now();
        let mut running = JoinSet::new();
        for (mut connection, share) in connections
            .into_iter()
            .zip(shares(&numbers, self.connections))
        {
            running.spawn(async move { connection.publish(share, self.in_flight).await });
        }
        let mut times = Vec::new();
        while let Some(ended) = running.join_next().await {
            times.append(&mut ended??);
        }
        Ok(Outcome {
            took: begun.elapsed(),
            times,
        })
    }
}

/// Divides the numbers among the connections; the first shares have one number more if the division
/// leaves a rest.
fn shares(numbers: &Range<u64>, connections: u16) -> Vec<Range<u64>> {
    let (all, parts) = (numbers.end - numbers.start, u64::from(connections));
    let at = |part: u64| numbers.start + part * (all / parts) + part.min(all % parts);
    (0..parts).map(|part| at(part)..at(part + 1)).collect()
}

struct Connection {
    socket: TcpStream,
    protocol: Box<dyn Protocol>,
    device: String,
}

impl Connection {
    async fn open(load: Load, device: String) -> Result<Self> {
        let mut socket = connect(load.address).await?;
        let protocol: Box<dyn Protocol> = match load.dialect {
            Dialect::Mqtt => Box::new(mqtt::Client::open(&mut socket, &device).await?),
            Dialect::Nats => Box::new(nats::Client::open(&mut socket, &device).await?),
            Dialect::Amqp => Box::new(amqp::Client::open(&mut socket).await?.0),
        };
        Ok(Self {
            socket,
            protocol,
            device,
        })
    }

    /// Publishes the events and waits for all acknowledgements.
    async fn publish(&mut self, mut numbers: Range<u64>, in_flight: Slot) -> Result<Vec<Duration>> {
        let mut free: Vec<Slot> = (1..=in_flight).rev().collect();
        let mut begun = vec![Instant::now(); usize::from(in_flight) + 1];
        let mut times = Vec::with_capacity(usize::try_from(numbers.end - numbers.start)?);
        let (mut payload, mut out) = (Vec::with_capacity(PAYLOAD_BYTES), Vec::new());
        let mut slots = Vec::new();
        let mut input = Input::default();
        loop {
            let now = Instant::now();
            while !free.is_empty()
                && let Some(number) = numbers.next()
                && let Some(slot) = free.pop()
            {
                write_payload(number, &self.device, &mut payload);
                self.protocol.publish(slot, &payload, &mut out);
                begun[usize::from(slot)] = now;
            }
            if !out.is_empty() {
                self.socket.write_all(&out).await?;
                out.clear();
            }
            if free.len() == usize::from(in_flight) {
                return Ok(times);
            }
            input.fill(&mut self.socket).await?;
            let whole = self.protocol.read(input.bytes(), &mut slots, &mut out)?;
            input.consume(whole);
            for slot in slots.drain(..) {
                ensure!(
                    (1..=in_flight).contains(&slot) && !free.contains(&slot),
                    "the server acknowledged publish {slot}, which is not in flight"
                );
                times.push(begun[usize::from(slot)].elapsed());
                free.push(slot);
            }
        }
    }
}

/// Opens a connection that sends each packet at once: else the kernel holds small packets back.
pub async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Received bytes that do not yet make a whole message.
#[derive(Default)]
pub struct Input {
    bytes: Vec<u8>,
    used: usize,
}

impl Input {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// Receives more bytes.
    pub async fn fill(&mut self, socket: &mut TcpStream) -> Result<()> {
        if self.bytes.len() < self.used + 4_096 {
            self.bytes.resize(self.used + 8_192, 0);
        }
        let read = socket.read(&mut self.bytes[self.used..]);
        let Ok(read) = tokio::time::timeout(PATIENCE, read).await else {
            bail!("the server sent nothing for {} s", PATIENCE.as_secs());
        };
        match read? {
            0 => bail!("the server closed the connection"),
            count => self.used += count,
        }
        Ok(())
    }

    pub fn consume(&mut self, count: usize) {
        self.bytes.copy_within(count..self.used, 0);
        self.used -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_in_one_share() {
        let all = shares(&(10..33), 5);
        let numbers: Vec<u64> = all.iter().cloned().flatten().collect();
        assert_eq!(numbers, (10..33).collect::<Vec<_>>());
        assert!(
            all.iter()
                .all(|share| (4..=5).contains(&share.clone().count()))
        );
    }
}
