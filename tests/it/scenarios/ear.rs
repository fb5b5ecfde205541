//! A device that stays connected and records the messages that it receives.

use std::net::SocketAddr;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};

use super::script::Told;

const DEADLINE: Duration = Duration::from_mins(1);

pub struct Ear {
    events: EventLoop,
    heard: Vec<(String, String)>,
    client: AsyncClient,
}

impl Ear {
    pub async fn open(device: &str, address: SocketAddr, topics: &str) -> Self {
        let mut options = MqttOptions::new(device, address.ip().to_string(), address.port());
        options.set_clean_session(false);
        let (client, mut events) = AsyncClient::new(options, 10);
        for channel in ["display", "receipt"] {
            let topic = format!("{topics}/{channel}");
            client
                .subscribe(topic, QoS::AtLeastOnce)
                .await
                .expect("room in the queue");
        }
        let mut missing = 2;
        while missing > 0 {
            let event = events.poll().await.expect("a connection to the front door");
            if let Event::Incoming(Packet::SubAck(_)) = event {
                missing -= 1;
            }
        }
        Self {
            events,
            heard: Vec::new(),
            client,
        }
    }

    /// Publishes on the same connection, as a device does, until all is acknowledged.
    pub async fn publish(&mut self, messages: Vec<(String, Vec<u8>)>) {
        let mut missing = messages.len();
        for (topic, payload) in messages {
            let sent = self.client.publish(topic, QoS::AtLeastOnce, false, payload);
            sent.await.expect("room in the queue");
            missing -= usize::from(self.listen().await);
        }
        while missing > 0 {
            missing -= usize::from(self.listen().await);
        }
    }

    /// Until a message with the wanted part has come; it may have come before.
    pub async fn hear(&mut self, wanted: &Told, place: &str) {
        let parts = [("display", &wanted.display), ("receipt", &wanted.receipt)];
        for (channel, part) in parts {
            let Some(part) = part else { continue };
            let found = tokio::time::timeout(DEADLINE, async {
                while !self.has(channel, part) {
                    self.listen().await;
                }
            });
            let heard = found.await.is_ok();
            assert!(
                heard,
                "{place}: no {channel} with {part:?} in {:?}",
                self.heard
            );
        }
    }

    fn has(&self, channel: &str, part: &str) -> bool {
        let mut heard = self.heard.iter();
        heard.any(|(on, text)| on == channel && text.contains(part))
    }

    /// Takes what comes next; whether it is an acknowledgement.
    async fn listen(&mut self) -> bool {
        let event = self.events.poll().await;
        match event.expect("a connection to the front door") {
            Event::Incoming(Packet::Publish(message)) => {
                let channel = message.topic.rsplit('/').next().unwrap_or("").to_owned();
                let text = String::from_utf8_lossy(&message.payload).into_owned();
                self.heard.push((channel, text));
                false
            }
            Event::Incoming(Packet::PubAck(_)) => true,
            _ => false,
        }
    }
}
