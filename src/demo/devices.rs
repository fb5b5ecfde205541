//! Made-up devices: real MQTT clients, some of 3.1.1 and some of 5, with passwords.
//!
//! Each device has a list of its events. It publishes with QoS 1, and at the end waits until all
//! messages are acknowledged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, v5};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::books::{Moves, Way};
use crate::clock;

/// How long a device waits for the last acknowledgements when it stops.
const LAST_ACKS: Duration = Duration::from_mins(1);
/// Messages in a client's queue before its device waits.
const CLIENT_QUEUE: usize = 64;

/// The work of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Moves goods, sends some events twice, and sometimes a message that is not JSON.
    Mover,
    /// Scans barcodes and nothing else.
    Scanner,
    /// Sometimes moves a product that Odoo does not have.
    Stranger,
}

/// The list of a device: its events and messages. Lists add up.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DeviceLists {
    /// Events with different ids, scans included.
    pub events: u64,
    pub scans: u64,
    /// Events with a product that Odoo does not have.
    pub unknown: u64,
    /// Events that were sent a second time.
    pub again: u64,
    /// Messages from which the gateway cannot create an event.
    pub malformed: u64,
    pub moves: Moves,
    /// Broken connections: the client sent its unacknowledged messages again.
    pub reconnects: u64,
    /// Messages that the gateway never acknowledged.
    pub unacknowledged: u64,
    /// Codes of devices that only beep, and how many of them were answered as good and as wrong.
    pub beeps: u64,
    pub right: u64,
    pub wrong: u64,
}

impl DeviceLists {
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.scans += other.scans;
        self.unknown += other.unknown;
        self.again += other.again;
        self.malformed += other.malformed;
        self.reconnects += other.reconnects;
        self.unacknowledged += other.unacknowledged;
        self.beeps += other.beeps;
        self.right += other.right;
        self.wrong += other.wrong;
        for (way, quantity) in &other.moves {
            *self.moves.entry(way.clone()).or_default() += quantity;
        }
    }

    /// Counts a scanned code and its answer. `None`: no answer.
    pub fn add_scan(&mut self, answer: Option<bool>) {
        self.beeps += 1;
        match answer {
            Some(true) => self.right += 1,
            Some(false) => self.wrong += 1,
            None => {}
        }
    }
}

/// A small random number generator: the same seed gives the same work.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// Returns the next number, below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64, by Sebastiano Vigna (public domain).
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit.max(1)
    }

    pub fn pick<'a>(&mut self, lists: &'a [String]) -> &'a String {
        let place = usize::try_from(self.below(lists.len() as u64)).unwrap_or(0);
        &lists[place]
    }
}

/// The data that all devices share.
#[derive(Debug)]
pub struct Floor {
    pub site: String,
    pub address: SocketAddr,
    pub password: String,
    pub bins: Vec<String>,
    pub products: Vec<String>,
    /// Events a second of one device.
    pub rate: f64,
    pub stop: AtomicBool,
}

impl Floor {
    /// Pause between two events of a device.
    #[must_use]
    pub fn pace(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate.clamp(0.01, 10_000.0))
    }
}

/// One made-up device.
#[derive(Debug, Clone)]
pub struct Device {
    pub name: String,
    pub role: Role,
    /// Whether the device uses MQTT 5 instead of 3.1.1.
    pub v5: bool,
    pub seed: u64,
}

/// Builds the devices of a demonstration: devices that send movements, a scanner, and a device that
/// sends unknown products. Every second device uses MQTT 5, the others MQTT 3.1.1.
#[must_use]
pub fn build_devices(devices: usize) -> Vec<Device> {
    (0..devices)
        .map(|number| {
            let role = match number {
                1 => Role::Scanner,
                2 => Role::Stranger,
                _ => Role::Mover,
            };
            let kind = match role {
                Role::Mover => "pda",
                Role::Scanner => "ring",
                Role::Stranger => "dock",
            };
            Device {
                name: format!("{kind}-{:02}", number + 1),
                role,
                v5: number % 2 == 1,
                seed: number as u64 + 1,
            }
        })
        .collect()
}

impl Device {
    /// Works until `stop` is set, waits for the last acknowledgements, and returns its list.
    pub async fn work(self, floor: Arc<Floor>) -> DeviceLists {
        let client = Client::connect(&self, &floor);
        let mut random = Random(self.seed);
        let mut lists = DeviceLists::default();
        let mut last: Option<Value> = None;
        let pace = match self.role {
            Role::Stranger => floor.pace() * 20,
            Role::Mover | Role::Scanner => floor.pace(),
        };
        let mut tick = tokio::time::interval(pace);
        let mut published = 0;
        let mut run = (random.pick(&floor.products).clone(), 0, 1);
        while !floor.stop.load(Ordering::Relaxed) {
            tick.tick().await;
            if self.role == Role::Mover && random.below(200) == 0 {
                lists.malformed += 1;
                published += 1;
                client
                    .publish(&self.topic(&floor, "event"), b"{not json".to_vec())
                    .await;
            }
            let (channel, event) = self.next(&floor, &mut random, &mut run, &mut lists);
            let topic = self.topic(&floor, channel);
            client.publish(&topic, event.to_string().into_bytes()).await;
            published += 1;
            if random.below(20) == 0 {
                // As a device does that missed its acknowledgement; sometimes an older one.
                let again = last
                    .take()
                    .filter(|_| random.below(2) == 0)
                    .unwrap_or(event.clone());
                lists.again += 1;
                published += 1;
                client.publish(&topic, again.to_string().into_bytes()).await;
            }
            last = Some(event);
        }
        (lists.reconnects, lists.unacknowledged) = client.end(published).await;
        lists
    }

    fn topic(&self, floor: &Floor, channel: &str) -> String {
        format!("stockrelay/v1/{}/{}/{channel}", floor.site, self.name)
    }

    /// Builds the next event, and adds it to the list before it is sent. A mover uses the same
    /// product and locations for a while.
    fn next(
        &self,
        floor: &Floor,
        random: &mut Random,
        run: &mut (String, u64, u64),
        lists: &mut DeviceLists,
    ) -> (&'static str, Value) {
        let number = lists.events;
        lists.events += 1;
        let id = format!("{:08x}", number + 1);
        let at = clock::now().to_string();
        if self.role == Role::Scanner {
            lists.scans += 1;
            let code = random.pick(&floor.products);
            return ("scan", json!({"id": id, "at": at, "code": code}));
        }
        if run.1 == 0 {
            *run = (
                random.pick(&floor.products).clone(),
                1 + random.below(8),
                random.below(u64::MAX),
            );
        }
        run.1 -= 1;
        let mut ways = Random(run.2);
        let from = ways.pick(&floor.bins).clone();
        let rest: Vec<String> = floor
            .bins
            .iter()
            .filter(|bin| **bin != from)
            .cloned()
            .collect();
        let to = ways.pick(&rest).clone();
        let quantity = 1 + random.below(4);
        let mut event = json!({
            "id": id, "at": at, "type": "transfer", "product": run.0, "quantity": quantity, "from": from, "to": to,
        });
        if self.role == Role::Stranger {
            lists.unknown += 1;
            event["product"] = json!("2999999999990");
        } else {
            let way = Way {
                product: run.0.clone(),
                from,
                to,
            };
            *lists.moves.entry(way).or_default() += Decimal::from(quantity);
        }
        ("event", event)
    }
}

/// Acknowledged messages, and broken connections.
type Acks = (u64, u64);

enum Publisher {
    V4(AsyncClient),
    V5(v5::AsyncClient),
}

/// An MQTT client and the task that runs it.
struct Client {
    publisher: Publisher,
    acks: watch::Receiver<Acks>,
    turning: JoinHandle<()>,
}

impl Client {
    fn connect(device: &Device, floor: &Floor) -> Self {
        let (host, port) = (floor.address.ip().to_string(), floor.address.port());
        let (sender, acks) = watch::channel((0, 0));
        let (name, password) = (&device.name, &floor.password);
        if device.v5 {
            let mut options = v5::MqttOptions::new(name, host, port);
            options
                .set_credentials(name, password)
                .set_clean_start(false);
            options.set_keep_alive(Duration::from_secs(30));
            let (client, events) = v5::AsyncClient::new(options, CLIENT_QUEUE);
            let turning = tokio::spawn(run_v5(events, sender));
            let publisher = Publisher::V5(client);
            Self {
                publisher,
                acks,
                turning,
            }
        } else {
            let mut options = MqttOptions::new(name, host, port);
            options
                .set_credentials(name, password)
                .set_clean_session(false);
            options.set_keep_alive(Duration::from_secs(30));
            let (client, events) = AsyncClient::new(options, CLIENT_QUEUE);
            let turning = tokio::spawn(run_v4(events, sender));
            let publisher = Publisher::V4(client);
            Self {
                publisher,
                acks,
                turning,
            }
        }
    }

    /// Waits while the client's queue is full. A client that has ended sends nothing, which the
    /// totals show.
    async fn publish(&self, topic: &str, payload: Vec<u8>) {
        match &self.publisher {
            Publisher::V4(client) => {
                drop(
                    client
                        .publish(topic, QoS::AtLeastOnce, false, payload)
                        .await,
                );
            }
            Publisher::V5(client) => {
                let qos = v5::mqttbytes::QoS::AtLeastOnce;
                drop(client.publish(topic, qos, false, payload).await);
            }
        }
    }

    /// Waits for the last acknowledgements. Returns the broken connections and the unacknowledged
    /// messages.
    async fn end(mut self, published: u64) -> (u64, u64) {
        let all = self.acks.wait_for(|(acked, _)| *acked >= published);
        drop(tokio::time::timeout(LAST_ACKS, all).await);
        let (acked, reconnects) = *self.acks.borrow();
        match &self.publisher {
            Publisher::V4(client) => drop(client.disconnect().await),
            Publisher::V5(client) => drop(client.disconnect().await),
        }
        drop(tokio::time::timeout(Duration::from_secs(1), &mut self.turning).await);
        self.turning.abort();
        (reconnects, published.saturating_sub(acked))
    }
}

async fn run_v4(mut events: EventLoop, acks: watch::Sender<Acks>) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::PubAck(_))) => acks.send_modify(|(acked, _)| *acked += 1),
            Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
            Ok(_) => {}
            Err(_) => {
                acks.send_modify(|(_, broken)| *broken += 1);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn run_v5(mut events: v5::EventLoop, acks: watch::Sender<Acks>) {
    loop {
        match events.poll().await {
            Ok(v5::Event::Incoming(v5::Incoming::PubAck(_))) => {
                acks.send_modify(|(acked, _)| *acked += 1);
            }
            Ok(v5::Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
            Ok(_) => {}
            Err(_) => {
                acks.send_modify(|(_, broken)| *broken += 1);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Writes `devices.toml` for these devices, all with one password.
#[must_use]
pub fn devices_toml(devices: &[Device], hash: &str) -> String {
    let one = |device: &Device| format!("[devices.{}]\npassword = \"{hash}\"", device.name);
    devices.iter().map(one).collect::<Vec<_>>().join("\n")
}
