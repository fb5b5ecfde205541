//! A load of MQTT devices, as light as it can be: it shares the machine with what it measures.

use std::net::SocketAddr;
use std::time::Duration;

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

impl Load {
    /// Publishes `count` events with numbers from `first` on, shared among the devices; the time
    /// from the first publish to the last PUBACK.
    pub async fn publish(self, first: u64, count: u64) -> Answer<Duration> {
        let mut devices = Vec::new();
        for device in 0..self.devices {
            devices.push(Device::connect(self.address, &format!("dev{device:02}")).await?);
        }
        let share = count / self.devices as u64;
        let begun = clock::instant();
        let mut running = JoinSet::new();
        for (place, mut device) in (0..).zip(devices) {
            let from = first + place * share;
            running.spawn(async move {
                device
                    .publish_all(self.ids, from..from + share, self.in_flight)
                    .await
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(begun.elapsed())
    }

    /// Publishes one message after the other, and measures each time from publish to PUBACK.
    pub async fn latencies(self, count: u64) -> Answer<Vec<Duration>> {
        let mut device = Device::connect(self.address, "dev00").await?;
        let mut times = Vec::new();
        for number in 0..count {
            let begun = clock::instant();
            device.publish_all(self.ids, number..number + 1, 1).await?;
            times.push(begun.elapsed());
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

    async fn publish_all(
        &mut self,
        ids: Ids,
        numbers: std::ops::Range<u64>,
        in_flight: usize,
    ) -> Answer<()> {
        self.publish_each(numbers.map(|number| payload(ids, number)), in_flight)
            .await
    }

    /// Publishes each payload and waits for all PUBACKs.
    pub async fn publish_each(
        &mut self,
        payloads: impl IntoIterator<Item = String>,
        in_flight: usize,
    ) -> Answer<()> {
        let mut waiting = 0;
        let mut payloads = payloads.into_iter().peekable();
        let mut out = Vec::with_capacity(8_192);
        let mut acks = [0; 4_096];
        let mut held = 0;
        while payloads.peek().is_some() || waiting > 0 {
            out.clear();
            while waiting < in_flight
                && let Some(payload) = payloads.next()
            {
                self.encode(&payload, &mut out)?;
                waiting += 1;
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
            for ack in acks[..whole].chunks(4) {
                if ack[..2] != [0x40, 2] {
                    return Err(format!("not a PUBACK: {ack:?}").into());
                }
                waiting -= 1;
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
