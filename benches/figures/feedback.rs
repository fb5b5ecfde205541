//! How soon the operator gets an answer to a scan: from a code to the text on the display, or to
//! the scanner's beep.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use stockrelay::clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_serial::{SerialPort as _, SerialStream};

use crate::baseline;
use crate::daemon::Gateway;
use crate::load::Ids;
use crate::percentile::Percentiles;

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const CODES: usize = 2_000;
/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Faster than a hand, and slower than the limit for a flood of codes.
const APART: Duration = Duration::from_millis(6);
/// The codes of one movement, again and again.
const TRANSFER: [&str; 3] = ["LOC-BIN-0001", "4000000000001", "LOC-BIN-0002"];

pub async fn feedback() -> Answer<()> {
    println!(
        "feedback: {CODES} codes, one after the other, {} ms apart; against as many single commits",
        APART.as_millis()
    );
    let commits = baseline::commits(CODES as u64, Ids::Rising)?.percentiles();
    println!("  one commit: {commits}");
    let lines = [SerialStream::pair()?, SerialStream::pair()?];
    let [plain, flow] = [&lines[0].1, &lines[1].1].map(|line| line.name().unwrap_or_default());
    let own = |name: &str, connection: &str| {
        format!(
            "[profile]\nname = \"{name}\"\nfamily = \"f\"\nabout = \"a\"\nbuilt_from = [\"x\"]\n[connection]\nkind = \"{connection}\"\n"
        )
    };
    let beeps = "[[feedback.good]]\nsend = \"G\"\n[[feedback.bad]]\nsend = \"B\"\n";
    let files = [
        ("serial.toml", own("serial", "serial") + beeps),
        (
            "devices.toml",
            "[devices.ring]\nflow = \"transfer\"\n".to_owned(),
        ),
        (
            "scanners.toml",
            format!(
                "[scanners.plain]\nprofile = \"serial.toml\"\nport = \"{plain}\"\n\
                 [scanners.flow]\nprofile = \"serial.toml\"\nport = \"{flow}\"\nflow = \"transfer\"\n"
            ),
        ),
    ];
    let mut gateway = Gateway::start_with_files(&files)?;
    let [mut plain, mut flow] = lines.map(|(scanner, _line)| scanner);
    println!("  MQTT, a flow, the display: {}", display(&gateway).await?);
    println!("  serial, stored, the beep: {}", beep(&mut plain).await?);
    println!("  serial, a flow, the beep: {}", beep(&mut flow).await?);
    gateway.stop()
}

async fn display(gateway: &Gateway) -> Answer<Percentiles> {
    let address = gateway.address();
    let options = MqttOptions::new("ring", address.ip().to_string(), address.port());
    let (client, mut events) = AsyncClient::new(options, 10);
    // As devices do that want an answer at once: else the kernel holds small packets back for 40
    // ms.
    events.network_options.set_tcp_nodelay(true);
    let topic = "stockrelay/v1/bench/ring";
    client
        .subscribe(format!("{topic}/display"), QoS::AtLeastOnce)
        .await?;
    until(&mut events, |packet| matches!(packet, Packet::SubAck(_))).await?;
    let mut times = Vec::with_capacity(CODES);
    for code in TRANSFER.iter().cycle().take(CODES) {
        let begun = clock::instant();
        client
            .publish(format!("{topic}/scan"), QoS::AtLeastOnce, false, *code)
            .await?;
        until(&mut events, |packet| matches!(packet, Packet::Publish(_))).await?;
        times.push(begun.elapsed());
        tokio::time::sleep(APART).await;
    }
    Ok(Percentiles::of(times))
}

async fn until(events: &mut EventLoop, is_it: impl Fn(&Packet) -> bool) -> Answer<()> {
    let waiting = async {
        loop {
            if let Event::Incoming(packet) = events.poll().await?
                && is_it(&packet)
            {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await?
}

async fn beep(scanner: &mut SerialStream) -> Answer<Percentiles> {
    let mut times = Vec::with_capacity(CODES);
    for code in TRANSFER.iter().cycle().take(CODES) {
        let begun = clock::instant();
        scanner.write_all(format!("{code}\r").as_bytes()).await?;
        let heard = tokio::time::timeout(PATIENCE, scanner.read_u8()).await??;
        times.push(begun.elapsed());
        if heard != b'G' {
            return Err(format!("{code} was answered with {heard:#04x}").into());
        }
        tokio::time::sleep(APART).await;
    }
    Ok(Percentiles::of(times))
}
