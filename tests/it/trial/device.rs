//! A device that keeps what was not acknowledged, and sends it again.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};
use serde_json::Value;

use super::REPEATED_EVERY;

/// What a device has under way at once.
const IN_FLIGHT: usize = 10;
/// Between two publishes of a device: all of it takes about a minute, so that the faults fall into
/// it.
const PACE: Duration = Duration::from_millis(200);

pub struct Device {
    pub name: String,
    pub address: SocketAddr,
    /// In the order in which it does things.
    pub events: Vec<Value>,
}

impl Device {
    /// All payloads in order, with every tenth a second time some events later.
    fn payloads(&self) -> Vec<String> {
        let mut payloads = Vec::new();
        for (place, event) in (0..).zip(&self.events) {
            payloads.push(event.to_string());
            if place % REPEATED_EVERY == REPEATED_EVERY - 1 {
                let before = usize::try_from(place - place % 7).unwrap();
                payloads.push(self.events[before].to_string());
            }
        }
        payloads
    }

    pub async fn work(self, acknowledged: Arc<AtomicU64>) {
        let mut waiting: Vec<String> = Vec::new();
        let mut payloads = self.payloads().into_iter();
        let mut connection = 0;
        loop {
            connection += 1;
            let mut options = MqttOptions::new(
                &self.name,
                self.address.ip().to_string(),
                self.address.port(),
            );
            options
                .set_clean_session(true)
                .set_keep_alive(Duration::from_secs(5));
            let (client, events) = AsyncClient::new(options, IN_FLIGHT * 2);
            match self
                .converse(&client, events, &mut waiting, &mut payloads, &acknowledged)
                .await
            {
                Ok(()) => return,
                // The daemon is being killed all the time.
                Err(_) if connection < 1_000 => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => panic!("{} cannot reach the gateway: {error}", self.name),
            }
        }
    }

    /// One connection: first what was not acknowledged on the last one, then what is new.
    async fn converse(
        &self,
        client: &AsyncClient,
        mut events: EventLoop,
        waiting: &mut Vec<String>,
        payloads: &mut std::vec::IntoIter<String>,
        acknowledged: &AtomicU64,
    ) -> Result<(), rumqttc::ConnectionError> {
        let topic = format!("stockrelay/v1/trial/{}/event", self.name);
        let mut to_send: VecDeque<String> = waiting.iter().cloned().collect();
        let mut sent: VecDeque<String> = VecDeque::new();
        let mut under_way: BTreeMap<u16, String> = BTreeMap::new();
        let mut pace = tokio::time::interval(PACE);
        loop {
            if waiting.is_empty() && payloads.len() == 0 {
                return Ok(());
            }
            tokio::select! {
                _ = pace.tick() => {
                    if waiting.len() < IN_FLIGHT && let Some(payload) = payloads.next() {
                        waiting.push(payload.clone());
                        to_send.push_back(payload);
                    }
                    while let Some(payload) = to_send.pop_front() {
                        if client.try_publish(&topic, QoS::AtLeastOnce, false, payload.clone()).is_err() {
                            to_send.push_front(payload);
                            break;
                        }
                        sent.push_back(payload);
                    }
                }
                event = events.poll() => match event? {
                    Event::Outgoing(Outgoing::Publish(packet_id)) => {
                        under_way.insert(packet_id, sent.pop_front().expect("what goes out was sent"));
                    }
                    Event::Incoming(Packet::PubAck(ack)) => {
                        let payload = under_way.remove(&ack.pkid).expect("an acknowledgement of what is under way");
                        let found = waiting.iter().position(|held| *held == payload);
                        waiting.remove(found.expect("it waits"));
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => {}
                },
            }
        }
    }
}
