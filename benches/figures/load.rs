//! A load of MQTT devices, as light as it can be: it shares the machine with what it measures.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stockrelay::clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, Clone, Copy)]
pub enum Ids {
    Rising,
    Random,
}

impl Ids {
    /// 32 characters, another one for each number.
    pub fn id(self, number: u64) -> String {
        match self {
            Self::Rising => format!("{number:032}"),
            Self::Random => {
                let digest = blake3::hash(&number.to_le_bytes());
                digest.to_hex()[..32].to_owned()
            }
        }
    }
}

pub fn payload(ids: Ids, number: u64) -> String {
    let id = ids.id(number);
    let (product, from, to) = (number % 500, number % 200, (number + 7) % 200);
    format!(
        r#"{{"id":"{id}","type":"transfer","product":"4000000{product:06}","quantity":1,"from":"LOC-BIN-{from:04}","to":"LOC-BIN-{to:04}"}}"#
    )
}

#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub address: SocketAddr,
    pub devices: usize,
    pub in_flight: usize,
    pub ids: Ids,
}

/// The acknowledgements of a load, of all devices together.
#[derive(Debug, Default)]
pub struct Acknowledged {
    /// From the first publish to the last PUBACK.
    pub took: Duration,
    /// From each publish to its PUBACK.
    pub times: Vec<Duration>,
    /// The longest time between two PUBACKs, whatever their devices are.
    pub longest_pause: Duration,
    last: Option<Instant>,
}

impl Acknowledged {
    fn add(&mut self, sent: Instant, now: Instant) {
        let pause = self.last.map_or(Duration::ZERO, |last| now - last);
        self.longest_pause = self.longest_pause.max(pause);
        self.last = Some(now);
        self.times.push(now - sent);
    }
}

type Record = Arc<Mutex<Acknowledged>>;

impl Load {
    /// Publishes `count` events with numbers from `first` on, shared among the devices.
    pub async fn publish(self, first: u64, count: u64) -> Answer<Acknowledged> {
        let record = Record::default();
        let mut devices = Vec::new();
        for device in 0..self.devices {
            devices.push(Device::connect(self.address, &format!("dev{device:02}")).await?);
        }
        let share = count / self.devices as u64;
        let begun = clock::instant();
        let mut running = JoinSet::new();
        for (place, mut device) in (0..).zip(devices) {
            let from = first + place * share;
            let record = Arc::clone(&record);
            running.spawn(async move {
                let payloads = (from..from + share).map(|number| payload(self.ids, number));
                device.publish(payloads, self.in_flight, &record).await
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        let took = begun.elapsed();
        let record = Arc::into_inner(record).ok_or("a device still runs")?;
        Ok(Acknowledged {
            took,
            ..record.into_inner()?
        })
    }

    /// Publishes one event after the other, with numbers from `first` on, and measures each time
    /// from publish to PUBACK.
    pub async fn latencies(self, first: u64, count: u64) -> Answer<Vec<Duration>> {
        let mut device = Device::connect(self.address, "dev00").await?;
        let mut times = Vec::new();
        for number in first..first + count {
            times.push(device.publish_one(payload(self.ids, number)).await?);
        }
        Ok(times)
    }
}

/// An MQTT 3.1.1 client that knows CONNECT, PUBLISH at QoS 1, and PUBACK.
pub struct Device {
    socket: TcpStream,
    topic: String,
    next_packet_id: u16,
}

impl Device {
    pub async fn connect(address: SocketAddr, name: &str) -> Answer<Self> {
        let mut socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let mut packet = vec![0x10, u8::try_from(12 + name.len())?, 0, 4];
        packet.extend(b"MQTT\x04\x02\x00\x3c\x00");
        packet.push(u8::try_from(name.len())?);
        packet.extend(name.as_bytes());
        socket.write_all(&packet).await?;
        let mut answer = [0; 4];
        socket.read_exact(&mut answer).await?;
        if answer != [0x20, 2, 0, 0] {
            return Err(format!("CONNACK is {answer:?}").into());
        }
        Ok(Self {
            socket,
            topic: format!("stockrelay/v1/bench/{name}/event"),
            next_packet_id: 1,
        })
    }

    /// Publishes one payload. Returns the time until its PUBACK.
    pub async fn publish_one(&mut self, payload: String) -> Answer<Duration> {
        let begun = clock::instant();
        self.publish_each([payload], 1).await?;
        Ok(begun.elapsed())
    }

    /// Publishes each payload and waits for all PUBACKs.
    pub async fn publish_each(
        &mut self,
        payloads: impl IntoIterator<Item = String>,
        in_flight: usize,
    ) -> Answer<()> {
        self.publish(payloads, in_flight, &Record::default()).await
    }

    /// PINGREQ, and the answer.
    pub async fn ping(&mut self) -> Answer<()> {
        self.socket.write_all(&[0xC0, 0]).await?;
        let mut answer = [0; 2];
        self.socket.read_exact(&mut answer).await?;
        if answer != [0xD0, 0] {
            return Err(format!("not a PINGRESP: {answer:?}").into());
        }
        Ok(())
    }

    async fn publish(
        &mut self,
        payloads: impl IntoIterator<Item = String>,
        in_flight: usize,
        record: &Mutex<Acknowledged>,
    ) -> Answer<()> {
        let mut sent = VecDeque::with_capacity(in_flight);
        let mut payloads = payloads.into_iter().peekable();
        let mut out = Vec::with_capacity(8_192);
        let mut acks = [0; 4_096];
        let mut held = 0;
        while payloads.peek().is_some() || !sent.is_empty() {
            out.clear();
            let now = clock::instant();
            while sent.len() < in_flight
                && let Some(payload) = payloads.next()
            {
                self.encode(&payload, &mut out)?;
                sent.push_back(now);
            }
            if !out.is_empty() {
                self.socket.write_all(&out).await?;
            }
            let read = self.socket.read(&mut acks[held..]).await?;
            if read == 0 {
                return Err("the gateway closed the connection".into());
            }
            held += read;
            let whole = held / 4 * 4;
            let now = clock::instant();
            let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
            for ack in acks[..whole].chunks(4) {
                if ack[..2] != [0x40, 2] {
                    return Err(format!("not a PUBACK: {ack:?}").into());
                }
                // The gateway acknowledges the publishes of a connection in order.
                let sent = sent.pop_front().ok_or("a PUBACK without a publish")?;
                record.add(sent, now);
            }
            acks.copy_within(whole..held, 0);
            held -= whole;
        }
        Ok(())
    }

    fn encode(&mut self, payload: &str, out: &mut Vec<u8>) -> Answer<()> {
        let mut length = 2 + self.topic.len() + 2 + payload.len();
        out.push(0x32);
        while length > 127 {
            out.push(u8::try_from(length % 128)? | 0x80);
            length /= 128;
        }
        out.push(u8::try_from(length)?);
        out.extend(u16::try_from(self.topic.len())?.to_be_bytes());
        out.extend(self.topic.as_bytes());
        out.extend(self.next_packet_id.to_be_bytes());
        self.next_packet_id = self.next_packet_id.checked_add(1).unwrap_or(1);
        out.extend(payload.as_bytes());
        Ok(())
    }
}
