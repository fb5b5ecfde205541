//! The process on a disk that another program has filled.
//!
//! `crash::faults` fills a disk in memory at each step.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use rustix::process::Signal;
use serde_json::{Value, json};
use stockrelay::clock;
use stockrelay::view::client::Client;

use crate::mounted::Mounted;
use crate::process::{Process, command};

const SOON: Duration = Duration::from_secs(20);
/// So long a device waits for an answer that must not come.
const NO_ANSWER: Duration = Duration::from_secs(1);
/// Less than the room that the gateway wants to be free, and more.
const SIZE: &str = "96m";

/// Fills a file system, and returns the file to remove.
fn fill(dir: &Path) -> PathBuf {
    let path = dir.join("of-another-program");
    let mut file = fs::File::create(&path).unwrap();
    for size in [1 << 20, 1 << 12] {
        let bytes = vec![0; size];
        while file.write_all(&bytes).is_ok() {}
    }
    path
}

/// A device that stays connected.
struct Device(AsyncClient, EventLoop);

impl Device {
    fn connect(process: &Process) -> Self {
        let (ip, port) = (process.address.ip().to_string(), process.address.port());
        let mut options = MqttOptions::new("pda", ip, port);
        options.set_keep_alive(Duration::from_mins(1));
        let (client, events) = AsyncClient::new(options, 10);
        Self(client, events)
    }

    async fn publish(&self, id: u32) {
        let payload =
            format!(r#"{{"id":"{id}","type":"transfer","product":"P","from":"A","to":"B"}}"#);
        let topic = "stockrelay/v1/ams1/pda/event";
        let published = self.0.publish(topic, QoS::AtLeastOnce, false, payload);
        published.await.unwrap();
    }

    /// Whether the acknowledgement of one message comes within this time.
    async fn is_acknowledged(&mut self, within: Duration) -> bool {
        let acknowledged = async {
            while !matches!(
                self.1.poll().await.unwrap(),
                Event::Incoming(Packet::PubAck(_))
            ) {}
        };
        tokio::time::timeout(within, acknowledged).await.is_ok()
    }
}

async fn until(process: &Process, what: &str, so: impl Fn(&Value) -> bool) {
    let begun = clock::instant();
    loop {
        let status = process.status().await;
        if so(&status) {
            return;
        }
        assert!(begun.elapsed() < SOON, "never {what}: {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A gateway whose journal is on a file system of its own.
async fn start() -> (Mounted, PathBuf, Process) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let disk = Mounted::new(data.clone(), SIZE);
    (disk, data, Process::start_in(dir).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, which mounts a small file system: cargo test -- --ignored full_disk"]
async fn on_a_full_disk_nothing_is_acknowledged_until_there_is_room_also_over_a_kill() {
    let (_disk, data, mut process) = start().await;
    let mut device = Device::connect(&process);
    for id in 0..200 {
        device.publish(id).await;
        assert!(device.is_acknowledged(SOON).await, "{id}");
    }
    let filled = fill(&data);
    device.publish(200).await;
    assert!(!device.is_acknowledged(NO_ANSWER).await);
    let is_full = |status: &Value| status["journal"]["disk_full"] == json!(true);
    until(&process, "the status says so", is_full).await;
    fs::remove_file(&filled).unwrap();
    assert!(device.is_acknowledged(SOON).await, "on the same connection");

    fill(&data);
    until(&process, "the status says so", is_full).await;
    // The start has room for what it writes: the gateway has reserved it.
    process.kill_and_start().await;
    let status = process.status().await;
    assert_eq!(status["events"]["stored"], 201, "{status}");
    until(&process, "the status says so", is_full).await;
    fs::remove_file(&filled).unwrap();
    process.publish("201").await;
    assert_eq!(process.status().await["events"]["stored"], 202);
    process.signal(Signal::TERM);
    let ended = tokio::task::block_in_place(|| process.child.wait());
    assert!(ended.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, which mounts a small file system: cargo test -- --ignored full_disk"]
async fn a_start_without_room_waits_for_it_and_can_be_stopped() {
    let (_disk, data, mut process) = start().await;
    let mut device = Device::connect(&process);
    for id in 0..200 {
        device.publish(id).await;
        assert!(device.is_acknowledged(SOON).await, "{id}");
    }
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    // Somebody has removed what the gateway had reserved.
    fs::remove_file(data.join("journal.ballast")).unwrap();
    let filled = fill(&data);
    let log = process.dir.path().join("log");
    let start = || {
        let mut command = command(process.dir.path());
        command.stderr(fs::File::create(&log).unwrap());
        command.spawn().unwrap()
    };
    let is_waiting = || {
        fs::read_to_string(&log)
            .unwrap()
            .contains("the disk of the journal is full")
    };
    process.child = start();
    wait_until("it waits", is_waiting).await;
    let begun = clock::instant();
    process.signal(Signal::TERM);
    let ended = tokio::task::block_in_place(|| process.child.wait());
    assert!(ended.unwrap().success());
    assert!(begun.elapsed() < Duration::from_secs(10));

    process.child = start();
    wait_until("it waits", is_waiting).await;
    let client = Client::new(&process.socket());
    assert!(client.get::<Value>("/v1/status").await.is_err());
    fs::remove_file(filled).unwrap();
    assert_eq!(process.status().await["events"]["stored"], 200);
}

async fn wait_until(what: &str, so: impl Fn() -> bool) {
    let begun = clock::instant();
    while !so() {
        assert!(begun.elapsed() < SOON, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
