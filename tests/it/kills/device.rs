//! A device that has many events in flight and sends again what was not acknowledged.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};
use serde_json::json;
use stockrelay::demo::books::{Moves, Way};
use stockrelay::demo::odoo::seed::{bin_barcode, product_barcode, tracking};

use super::BINS;
use super::gateway::SITE;
use crate::moves::Random;

/// What a device has in flight, at most.
const IN_FLIGHT: usize = 20;
/// What a device sends at once, and how often.
const BURST: usize = 10;
const BURST_EVERY: Duration = Duration::from_millis(250);
const RECONNECT: Duration = Duration::from_millis(30);

/// Device and id of an event.
pub type Id = (String, String);

/// What all devices did.
#[derive(Debug, Default)]
pub struct Said {
    is_over: AtomicBool,
    moved: Mutex<Moves>,
    acknowledged: Mutex<BTreeSet<Id>>,
    messages: AtomicU64,
    in_flight: AtomicUsize,
}

impl Said {
    /// From now on the devices have no new events. They end when everything is acknowledged.
    pub fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub fn moved(&self) -> Moves {
        self.moved.lock().unwrap().clone()
    }

    pub fn acknowledged(&self) -> BTreeSet<Id> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// How many messages of all devices are not acknowledged yet.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub fn sent_again(&self) -> u64 {
        let events = self.acknowledged.lock().unwrap().len() as u64;
        self.messages.load(Ordering::Relaxed) - events
    }
}

pub struct Device {
    name: String,
    random: Random,
    address: SocketAddr,
    said: Arc<Said>,
    /// What is not acknowledged yet, by id.
    waiting: BTreeMap<u64, String>,
    next: u64,
}

impl Device {
    pub fn new(number: u64, seed: u64, address: SocketAddr, said: Arc<Said>) -> Self {
        Self {
            name: format!("pda-{number}"),
            random: Random(seed << 8 | number),
            address,
            said,
            waiting: BTreeMap::new(),
            next: 0,
        }
    }

    fn is_over(&self) -> bool {
        self.said.is_over.load(Ordering::Relaxed)
    }

    /// Moves one piece out of the bin that has the product.
    fn make_event(&mut self) -> u64 {
        let mut below = |limit: usize| usize::try_from(self.random.below(limit as u64)).unwrap();
        let product = loop {
            let product = below(BINS);
            if tracking(product) == "none" {
                break product;
            }
        };
        let to = (product + 1 + below(BINS - 1)) % BINS;
        let way = Way {
            product: product_barcode(product),
            from: bin_barcode(product),
            to: bin_barcode(to),
        };
        let id = self.next;
        self.next += 1;
        let payload = json!({
            "id": id.to_string(), "type": "transfer", "product": way.product, "from": way.from,
            "to": way.to,
        });
        self.waiting.insert(id, payload.to_string());
        *self.said.moved.lock().unwrap().entry(way).or_default() += rust_decimal::Decimal::ONE;
        id
    }

    /// Works until the work is over and everything is acknowledged.
    pub async fn work(mut self) {
        loop {
            let (ip, port) = (self.address.ip().to_string(), self.address.port());
            let mut options = MqttOptions::new(&self.name, ip, port);
            options
                .set_clean_session(true)
                .set_keep_alive(Duration::from_secs(5))
                .set_inflight(u16::try_from(IN_FLIGHT).unwrap());
            let (client, events) = AsyncClient::new(options, 2 * IN_FLIGHT);
            let mut in_flight = BTreeMap::new();
            let ended = self.converse(&client, events, &mut in_flight).await;
            let count = in_flight.len();
            self.said.in_flight.fetch_sub(count, Ordering::Relaxed);
            if ended.is_ok() {
                return;
            }
            // The gateway was killed.
            tokio::time::sleep(RECONNECT).await;
        }
    }

    /// One connection: first what was not acknowledged on the last one, then what is new.
    async fn converse(
        &mut self,
        client: &AsyncClient,
        mut events: EventLoop,
        in_flight: &mut BTreeMap<u16, u64>,
    ) -> Result<(), ConnectionError> {
        let topic = format!("stockrelay/v1/{SITE}/{}/event", self.name);
        let mut to_send: VecDeque<u64> = self.waiting.keys().copied().collect();
        let mut sent: VecDeque<u64> = VecDeque::new();
        let mut bursts = tokio::time::interval(BURST_EVERY);
        loop {
            if self.waiting.is_empty() && self.is_over() {
                return Ok(());
            }
            tokio::select! {
                _ = bursts.tick() => {
                    for _ in 0..BURST {
                        if self.waiting.len() < IN_FLIGHT && !self.is_over() {
                            to_send.push_back(self.make_event());
                        }
                    }
                    while let Some(id) = to_send.pop_front() {
                        let payload = self.waiting[&id].clone();
                        if client.try_publish(&topic, QoS::AtLeastOnce, false, payload).is_err() {
                            to_send.push_front(id);
                            break;
                        }
                        sent.push_back(id);
                    }
                }
                event = events.poll() => match event? {
                    Event::Outgoing(Outgoing::Publish(packet_id)) => {
                        in_flight.insert(packet_id, sent.pop_front().expect("it was sent"));
                        self.said.messages.fetch_add(1, Ordering::Relaxed);
                        self.said.in_flight.fetch_add(1, Ordering::Relaxed);
                    }
                    Event::Incoming(Packet::PubAck(ack)) => {
                        let id = in_flight.remove(&ack.pkid).expect("it is in flight");
                        self.said.in_flight.fetch_sub(1, Ordering::Relaxed);
                        self.waiting.remove(&id);
                        let id = (self.name.clone(), id.to_string());
                        self.said.acknowledged.lock().unwrap().insert(id);
                    }
                    _ => {}
                },
            }
        }
    }
}
