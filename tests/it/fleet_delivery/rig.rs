//! Central IT's broker with TLS for gateways, and a client that is central IT.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
use serde_json::Value;
use stockrelay::clock;
use tokio::task::JoinHandle;

use crate::apply::Gateway;
use crate::broker::rig::{Mosquitto, until};
use crate::broker::write_certificates;
use crate::free_address::free_address;
use crate::reload::site::PATIENCE;

/// The newest message of each topic.
type Heard = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

pub struct Centre {
    pub mosquitto: Mosquitto,
    tls_port: u16,
    client: AsyncClient,
    heard: Heard,
    acknowledged: Arc<Mutex<usize>>,
    published: usize,
    task: JoinHandle<()>,
}

impl Centre {
    pub async fn new() -> Self {
        let tls_port = free_address().port();
        let extra = format!(
            "allow_anonymous true\nlistener {tls_port} 127.0.0.1\ncertfile DIR/server.pem\nkeyfile DIR/server.key"
        );
        let mosquitto = Mosquitto::start(&extra, write_certificates).await;
        let heard = Heard::default();
        let acknowledged = Arc::default();
        let (client, task) = listen(mosquitto.port, &heard, &acknowledged);
        Self {
            mosquitto,
            tls_port,
            client,
            heard,
            acknowledged,
            published: 0,
            task,
        }
    }

    pub fn dir(&self) -> &Path {
        self.mosquitto.dir.path()
    }

    /// The keys of `[fleet]` for this broker.
    pub fn keys(&self) -> String {
        let ca = self.dir().join("ca.pem");
        let port = self.tls_port;
        format!(
            "broker = \"mqtts://localhost:{port}\"\nca = \"{}\"",
            ca.display()
        )
    }

    /// Starts a gateway whose link is up.
    pub async fn gateway(&self, watch_s: u64, fleet: &str) -> Gateway {
        let keys = format!("{}\n{fleet}", self.keys());
        let gateway = Gateway::start_with(watch_s, &keys).await;
        gateway
            .until("the link is up", |status| {
                status["fleet"]["broker"]["state"] == "up"
            })
            .await;
        gateway
    }

    /// Restarts the broker after a kill.
    pub async fn restart(&mut self) {
        self.mosquitto.restart().await;
        self.task.abort();
        self.heard.lock().unwrap().clear();
        let (client, task) = listen(self.mosquitto.port, &self.heard, &self.acknowledged);
        (self.client, self.task) = (client, task);
    }

    /// Publishes a retained message, and waits until the broker has it.
    pub async fn publish(&mut self, topic: &str, payload: impl Into<Vec<u8>>) {
        let qos = QoS::AtLeastOnce;
        self.client
            .publish(topic, qos, true, payload)
            .await
            .unwrap();
        self.published += 1;
        let published = self.published;
        until("the broker acknowledged", || {
            *self.acknowledged.lock().unwrap() == published
        })
        .await;
    }

    /// Waits for a report.
    pub async fn report(&self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let begun = clock::instant();
        loop {
            let report = self.newest("stockrelay-fleet/v1/report/ams1");
            match report {
                Some(report) if so(&report) => return report,
                report => assert!(begun.elapsed() < PATIENCE, "never: {what}: {report:?}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether the gateway is connected. `None`: unknown.
    pub fn online(&self) -> Option<bool> {
        self.newest("stockrelay-fleet/v1/online/ams1")?["online"].as_bool()
    }

    fn newest(&self, topic: &str) -> Option<Value> {
        let heard = self.heard.lock().unwrap();
        serde_json::from_slice(heard.get(topic)?).ok()
    }

    /// How often the gateway connected, by the broker's log.
    pub fn connections(&self) -> usize {
        let log = std::fs::read_to_string(self.dir().join("log")).unwrap();
        let is_connect = |line: &&str| {
            line.contains("New client connected") && line.contains("stockrelay-fleet-ams1")
        };
        log.lines().filter(is_connect).count()
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn listen(
    port: u16,
    heard: &Heard,
    acknowledged: &Arc<Mutex<usize>>,
) -> (AsyncClient, JoinHandle<()>) {
    let mut options = MqttOptions::new("desk", "127.0.0.1", port);
    options.set_max_packet_size(64 << 20, 64 << 20);
    let (client, mut eventloop) = AsyncClient::new(options, 100);
    for topic in [
        "stockrelay-fleet/v1/report/+",
        "stockrelay-fleet/v1/online/+",
    ] {
        client.try_subscribe(topic, QoS::AtLeastOnce).unwrap();
    }
    let (heard, acknowledged) = (Arc::clone(heard), Arc::clone(acknowledged));
    let task = tokio::spawn(async move {
        // A lost connection ends the task: `restart` begins another one.
        while let Ok(event) = eventloop.poll().await {
            match event {
                Event::Incoming(Incoming::Publish(message)) => {
                    let payload = message.payload.to_vec();
                    heard.lock().unwrap().insert(message.topic, payload);
                }
                Event::Incoming(Incoming::PubAck(_)) => *acknowledged.lock().unwrap() += 1,
                _ => {}
            }
        }
    });
    (client, task)
}
