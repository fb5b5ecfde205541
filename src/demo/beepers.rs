//! Made-up devices that only beep: a serial scanner on a pseudo-terminal, and a ProGlove. Both move
//! goods by the order of codes.
//!
//! Each keeps its list as other devices do: the codes that it read, and the movements that they
//! mean. It reads its next code when the last one was answered, as a person does that waits for the
//! light.

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
use super::devices::{Deeds, Floor, Random};
use crate::clock;

/// How long a person looks at a scanner that says nothing.
const ANSWER: Duration = Duration::from_secs(20);
/// What the profile `honeywell-serial` has a scanner sent for a good read.
const GOOD: &[u8; 3] = b"\x1b7,";
const GLOVE: &str = "glove-01";
const SCANNER: &str = "bench-01";
/// What a ProGlove calls itself in its payloads.
const GLOVE_NUMBER: &str = "MDMR000000064";

/// The entry of the ProGlove in `devices.toml`.
#[must_use]
pub fn devices_toml(hash: &str) -> String {
    format!(
        "[devices.{GLOVE}]\npassword = \"{hash}\"\nprofile = \"proglove-streams\"\nflow = \"transfer\"\n"
    )
}

/// A serial line to the gateway: the scanner's end, and the end whose name the gateway opens, kept
/// so that it stays.
#[derive(Debug)]
pub struct Line {
    scanner: SerialStream,
    gateway: SerialStream,
}

impl Line {
    /// Fails where the machine has no pseudo-terminals for us.
    pub fn open() -> tokio_serial::Result<Self> {
        let (scanner, gateway) = SerialStream::pair()?;
        Ok(Self { scanner, gateway })
    }

    /// `scanners.toml` for it.
    #[must_use]
    pub fn scanners_toml(&self) -> String {
        let port = self.gateway.name().unwrap_or_default();
        format!(
            "[scanners.{SCANNER}]\nprofile = \"honeywell-serial\"\nport = \"{port}\"\nflow = \"transfer\"\n"
        )
    }

    /// The name under which the gateway shows it.
    #[must_use]
    pub fn source() -> String {
        format!("scanner:{SCANNER}")
    }

    async fn beep(&mut self, code: &str) -> Option<bool> {
        // A code that was kept until there was a copy is answered twice: an old answer is none to
        // this code, and the line must not be hung up before the gateway has read it.
        let mut old = [0; 64];
        while self.scanner.try_read(&mut old).is_ok_and(|count| count > 0) {}
        let sent = self.scanner.write_all(format!("{code}\r").as_bytes()).await;
        let mut answer = [0; GOOD.len()];
        sent.and(self.scanner.read_exact(&mut answer).await).ok()?;
        if answer == *GOOD {
            return Some(true);
        }
        // The command for a bad read is two of its kind.
        self.scanner.read_exact(&mut answer).await.ok()?;
        Some(false)
    }
}

/// A MARK scanner behind its gateway's MQTT integration. The client turns in a task of its own: if
/// nobody turned it while it publishes, its queue would fill up and stay full.
struct Glove {
    client: AsyncClient,
    screens: mpsc::UnboundedReceiver<Value>,
    /// Acknowledged messages, and broken connections.
    heard: watch::Receiver<(u64, u64)>,
    turning: JoinHandle<()>,
    topic: String,
    published: u64,
}

impl Glove {
    async fn on(floor: &Floor) -> Self {
        let (host, port) = (floor.address.ip().to_string(), floor.address.port());
        let mut options = MqttOptions::new(GLOVE, host, port);
        options
            .set_credentials(GLOVE, &floor.password)
            .set_clean_session(false)
            .set_keep_alive(Duration::from_secs(30));
        let (client, events) = AsyncClient::new(options, 10);
        let (screen, screens) = mpsc::unbounded_channel();
        let (sender, heard) = watch::channel((0, 0));
        let turning = tokio::spawn(turn(events, screen, sender));
        let topic = format!("stockrelay/v1/{}/{GLOVE}", floor.site);
        // A client that has ended hears nothing, which the list shows.
        drop(
            client
                .subscribe(format!("{topic}/display!"), QoS::AtLeastOnce)
                .await,
        );
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

    /// Whether the read was right, by the head of the screen.
    async fn beep(&mut self, payload: &str) -> Option<bool> {
        // A message that is sent twice may be answered twice: an old answer is none to this code.
        while self.screens.try_recv().is_ok() {}
        self.publish(payload).await;
        let screen = self.screens.recv().await?;
        Some(screen["display_fields"][0]["display_field_header"] == "OK")
    }

    async fn end(mut self, deeds: &mut Deeds) {
        let published = self.published;
        let all = self.heard.wait_for(|(acked, _)| *acked >= published);
        drop(tokio::time::timeout(ANSWER, all).await);
        let (acked, reconnects) = *self.heard.borrow();
        deeds.reconnects += reconnects;
        deeds.unacknowledged += published.saturating_sub(acked);
        drop(self.client.disconnect().await);
        drop(tokio::time::timeout(Duration::from_secs(1), &mut self.turning).await);
        self.turning.abort();
    }
}

async fn turn(
    mut events: EventLoop,
    screens: mpsc::UnboundedSender<Value>,
    heard: watch::Sender<(u64, u64)>,
) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::PubAck(_))) => heard.send_modify(|(acked, _)| *acked += 1),
            Ok(Event::Incoming(Packet::Publish(shown))) => {
                if let Ok(screen) = serde_json::from_slice(&shown.payload) {
                    // Nobody looks any more: the scanner is about to end.
                    drop(screens.send(screen));
                }
            }
            Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
            Ok(_) => {}
            Err(_) => {
                heard.send_modify(|(_, broken)| *broken += 1);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Moves goods with a serial scanner until the floor says stop.
pub async fn scan(mut line: Line, floor: Arc<Floor>) -> Deeds {
    let (mut deeds, mut random) = (Deeds::default(), Random(101));
    let mut last = String::new();
    let mut tick = tokio::time::interval(floor.pace());
    while !floor.stop.load(Ordering::Relaxed) {
        for code in transfer(&floor, &mut random, &mut last, &mut deeds) {
            tick.tick().await;
            let answer = tokio::time::timeout(ANSWER, line.beep(&code)).await;
            deeds.beeped(answer.ok().flatten());
        }
    }
    deeds
}

/// Moves goods with a ProGlove until the floor says stop; some messages are sent twice, as its
/// gateway may.
pub async fn glove(floor: Arc<Floor>) -> Deeds {
    let (mut deeds, mut random) = (Deeds::default(), Random(102));
    let mut last = String::new();
    let mut glove = Glove::on(&floor).await;
    let mut tick = tokio::time::interval(floor.pace());
    while !floor.stop.load(Ordering::Relaxed) {
        for code in transfer(&floor, &mut random, &mut last, &mut deeds) {
            tick.tick().await;
            let payload = payload(&code, deeds.beeps);
            let answer = tokio::time::timeout(ANSWER, glove.beep(&payload)).await;
            deeds.beeped(answer.ok().flatten());
            if random.below(10) == 0 {
                deeds.again += 1;
                glove.publish(&payload).await;
            }
        }
    }
    glove.end(&mut deeds).await;
    deeds
}

/// A scan as ProGlove Streams has it.
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

/// The codes of a transfer, noted down before they are read. Some begin with a code that is wrong
/// there.
fn transfer(
    floor: &Floor,
    random: &mut Random,
    last: &mut String,
    deeds: &mut Deeds,
) -> Vec<String> {
    // The bin that was read last would be a repeat of that read.
    let others = floor.bins.iter().filter(|bin| *bin != last);
    let from = random.of(&others.cloned().collect::<Vec<_>>()).clone();
    let elsewhere = floor.bins.iter().filter(|bin| **bin != from);
    let to = random.of(&elsewhere.cloned().collect::<Vec<_>>()).clone();
    last.clone_from(&to);
    let product = random.of(&floor.products).clone();
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
    deeds.scans += codes.len() as u64;
    // The codes, and the event that the gateway makes of them.
    deeds.events += codes.len() as u64 + 1;
    let way = Way { product, from, to };
    *deeds.moves.entry(way).or_default() += Decimal::from(quantity);
    codes
}
