//! Made-up devices that only beep: a serial scanner on a pseudo-terminal, and a ProGlove. Both move
//! goods by the order of their scans.
//!
//! Each has a list as other devices do: its codes, and their movements. It scans the next code
//! after the answer to the last one, as an operator does after the light.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_serial::{SerialPort as _, SerialStream};

use super::books::Way;
use super::devices::{DeviceLists, Floor, Random};
use crate::clock;

/// How long an operator waits for an answer.
const ANSWER: Duration = Duration::from_secs(20);
/// How long a scanner waits for its connection: on a busy machine the gateway checks the passwords
/// of all devices one after the other.
const CONNECTED: Duration = Duration::from_mins(1);
/// The command of the profile `honeywell-serial` for a good scan.
const GOOD: &[u8; 3] = b"\x1b7,";
const GLOVE: &str = "glove-01";
const SCANNER: &str = "bench-01";
/// The number of a ProGlove in its payloads.
const GLOVE_NUMBER: &str = "MDMR000000064";

/// The entry of the ProGlove in `devices.toml`.
#[must_use]
pub fn devices_toml(hash: &str) -> String {
    format!(
        "[devices.{GLOVE}]\npassword = \"{hash}\"\nprofile = \"proglove-streams\"\nflow = \"transfer\"\n"
    )
}

/// A serial line to the gateway: the scanner's end, and the gateway's end, which stays open as long
/// as this.
#[derive(Debug)]
pub struct Line {
    scanner: SerialStream,
    gateway: SerialStream,
}

impl Line {
    /// Opens a line. Fails if the machine has no pseudo-terminals.
    pub fn open() -> tokio_serial::Result<Self> {
        let (scanner, gateway) = SerialStream::pair()?;
        Ok(Self { scanner, gateway })
    }

    /// Writes `scanners.toml` for the line.
    #[must_use]
    pub fn scanners_toml(&self) -> String {
        let port = self.gateway.name().unwrap_or_default();
        format!(
            "[scanners.{SCANNER}]\nprofile = \"honeywell-serial\"\nport = \"{port}\"\nflow = \"transfer\"\n"
        )
    }

    /// The name of the source in the gateway.
    #[must_use]
    pub fn source() -> String {
        format!("scanner:{SCANNER}")
    }

    async fn beep(&mut self, code: &str) -> Option<bool> {
        // A code that waited for the copy of Odoo's data is answered twice. An old answer does not
        // belong to this code, and the line must stay open until the gateway has read it.
        let mut old = [0; 64];
        while self.scanner.try_read(&mut old).is_ok_and(|count| count > 0) {}
        let sent = self.scanner.write_all(format!("{code}\r").as_bytes()).await;
        let mut answer = [0; GOOD.len()];
        sent.and(self.scanner.read_exact(&mut answer).await).ok()?;
        if answer == *GOOD {
            return Some(true);
        }
        // The command for a bad scan is twice this command.
        self.scanner.read_exact(&mut answer).await.ok()?;
        Some(false)
    }
}

/// What a client has received.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    is_subscribed: bool,
    acked: u64,
    /// Broken connections.
    broken: u64,
}

/// A MARK scanner behind its gateway's MQTT integration. The client runs in its own task: otherwise
/// its queue would fill while it publishes, and stay full.
struct Glove {
    client: AsyncClient,
    screens: mpsc::UnboundedReceiver<Value>,
    heard: watch::Receiver<Heard>,
    turning: JoinHandle<()>,
    topic: String,
    published: u64,
}

impl Glove {
    async fn connect(floor: &Floor) -> Self {
        let (host, port) = (floor.address.ip().to_string(), floor.address.port());
        let mut options = MqttOptions::new(GLOVE, host, port);
        options
            .set_credentials(GLOVE, &floor.password)
            .set_clean_session(false)
            .set_keep_alive(Duration::from_secs(30));
        let (client, events) = AsyncClient::new(options, 10);
        let (screen, screens) = mpsc::unbounded_channel();
        let (sender, mut heard) = watch::channel(Heard::default());
        let turning = tokio::spawn(run_client(events, screen, sender));
        let topic = format!("stockrelay/v1/{}/{GLOVE}", floor.site);
        // A client that has ended receives nothing, which the list shows.
        drop(
            client
                .subscribe(format!("{topic}/display!"), QoS::AtLeastOnce)
                .await,
        );
        // A scanner without a connection shows that, and nobody scans.
        let subscribed = heard.wait_for(|heard| heard.is_subscribed);
        drop(tokio::time::timeout(CONNECTED, subscribed).await);
        Self {
            client,
            screens,
            heard,
            turning,
            topic,
            published: 0,
        }
    }

    async fn publish(&mut self, payload: &str) {
        let (topic, qos) = (format!("{}/scan", self.topic), QoS::AtLeastOnce);
        self.published += 1;
        drop(self.client.publish(topic, qos, false, payload).await);
    }

    /// Whether the scan was good, by the head of the screen.
    async fn beep(&mut self, payload: &str) -> Option<bool> {
        // A message that is sent twice may be answered twice. An old answer does not belong to this
        // code.
        while self.screens.try_recv().is_ok() {}
        self.publish(payload).await;
        let screen = self.screens.recv().await?;
        Some(screen["display_fields"][0]["display_field_header"] == "OK")
    }

    async fn end(mut self, lists: &mut DeviceLists) {
        let published = self.published;
        let all = self.heard.wait_for(|heard| heard.acked >= published);
        drop(tokio::time::timeout(ANSWER, all).await);
        let Heard { acked, broken, .. } = *self.heard.borrow();
        lists.reconnects += broken;
        lists.unacknowledged += published.saturating_sub(acked);
        drop(self.client.disconnect().await);
        drop(tokio::time::timeout(Duration::from_secs(1), &mut self.turning).await);
        self.turning.abort();
    }
}

async fn run_client(
    mut events: EventLoop,
    screens: mpsc::UnboundedSender<Value>,
    heard: watch::Sender<Heard>,
) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::PubAck(_))) => heard.send_modify(|heard| heard.acked += 1),
            Ok(Event::Incoming(Packet::SubAck(_))) => {
                heard.send_modify(|heard| heard.is_subscribed = true);
            }
            Ok(Event::Incoming(Packet::Publish(shown))) => {
                if let Ok(screen) = serde_json::from_slice(&shown.payload) {
                    // The receiver is gone: the scanner is about to end.
                    drop(screens.send(screen));
                }
            }
            Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
            Ok(_) => {}
            Err(_) => {
                heard.send_modify(|heard| heard.broken += 1);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Moves goods with a serial scanner until `stop` is set. Returns the line with the list: it must
/// stay open as long as the gateway runs.
pub async fn run_serial_scanner(mut line: Line, floor: Arc<Floor>) -> (DeviceLists, Line) {
    let (mut lists, mut random) = (DeviceLists::default(), Random(101));
    let mut last = String::new();
    let mut tick = tokio::time::interval(floor.pace());
    while !floor.stop.load(Ordering::Relaxed) {
        for code in transfer(&floor, &mut random, &mut last, &mut lists) {
            tick.tick().await;
            let answer = tokio::time::timeout(ANSWER, line.beep(&code)).await;
            lists.add_scan(answer.ok().flatten());
        }
    }
    (lists, line)
}

/// Moves goods with a ProGlove until `stop` is set. It sends some messages twice, as its gateway
/// may.
pub async fn run_proglove(floor: Arc<Floor>) -> DeviceLists {
    let (mut lists, mut random) = (DeviceLists::default(), Random(102));
    let mut last = String::new();
    let mut glove = Glove::connect(&floor).await;
    let mut tick = tokio::time::interval(floor.pace());
    while !floor.stop.load(Ordering::Relaxed) {
        for code in transfer(&floor, &mut random, &mut last, &mut lists) {
            tick.tick().await;
            let payload = payload(&code, lists.beeps);
            let answer = tokio::time::timeout(ANSWER, glove.beep(&payload)).await;
            lists.add_scan(answer.ok().flatten());
            if random.below(10) == 0 {
                lists.again += 1;
                glove.publish(&payload).await;
            }
        }
    }
    glove.end(&mut lists).await;
    lists
}

/// Builds a scan in the form of ProGlove Streams.
fn payload(code: &str, number: u64) -> String {
    json!({
        "api_version": "1.0",
        "event_type": "scan",
        "event_id": format!("02114da8-feae-46e3-8b00-{number:012x}"),
        "time_created": clock::now().as_millisecond(),
        "scan_code": code,
        "device_serial": GLOVE_NUMBER,
    })
    .to_string()
}

/// Builds the codes of a transfer, and adds them to the list before they are scanned. Some start
/// with a wrong code.
fn transfer(
    floor: &Floor,
    random: &mut Random,
    last: &mut String,
    lists: &mut DeviceLists,
) -> Vec<String> {
    // The location that was scanned last would be a repeat of that scan.
    let others = floor.bins.iter().filter(|bin| *bin != last);
    let from = random.pick(&others.cloned().collect::<Vec<_>>()).clone();
    let elsewhere = floor.bins.iter().filter(|bin| **bin != from);
    let to = random.pick(&elsewhere.cloned().collect::<Vec<_>>()).clone();
    last.clone_from(&to);
    let product = random.pick(&floor.products).clone();
    let quantity = 2 + random.below(4);
    let mut codes = vec![
        from.clone(),
        product.clone(),
        format!("SR-QTY-{quantity}"),
        to.clone(),
    ];
    if random.below(5) == 0 {
        codes.insert(0, product.clone());
    }
    lists.scans += codes.len() as u64;
    // The codes, and the event that the gateway creates from them.
    lists.events += codes.len() as u64 + 1;
    let way = Way { product, from, to };
    *lists.moves.entry(way).or_default() += Decimal::from(quantity);
    codes
}
