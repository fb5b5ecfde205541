//! `stockrelay fleet` with a real mosquitto, and gateways whose reports are made up.

mod desk;
mod stops;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
use serde_json::{Value, json};
use stockrelay::clock;
use stockrelay::fleet::topics::{BUNDLE_TOPIC, STOP_TOPIC};
use stockrelay::fleet::{Stop, Trust, stop};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::broker::rig::{Mosquitto, until};
use crate::commands::stockrelay;

const CAPTURE: &str = "[capture]\ncheck = \"strict\"\n";

/// The exit code, standard output and standard error.
type Ended = (i32, String, String);

/// Central IT's machine: keys, trust.toml and the configuration with `[fleet]`.
pub struct Office {
    dir: TempDir,
}

impl Office {
    /// With the keys anna and ben; both must sign what takes the threshold.
    pub fn new(broker: &str) -> Self {
        let office = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let entries = ["anna", "ben", "eve"].map(|name| office.keygen(name));
        let trust = format!("threshold = 2\n{}", entries[..2].concat());
        office.write("trust.toml", &trust);
        office.write("config.toml", &format!("[fleet]\n{broker}\n"));
        office
    }

    pub fn plain(mosquitto: &Mosquitto) -> Self {
        Self::new(&format!("broker = \"mqtt://127.0.0.1:{}\"", mosquitto.port))
    }

    fn keygen(&self, name: &str) -> String {
        let out = self
            .run(&["config", "keygen", "-o", name, "--no-password"])
            .1;
        let (_, entry) = out.split_once("[[key]]").unwrap();
        format!("[[key]]{entry}")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = stockrelay();
        command.current_dir(&self.dir).args(arguments);
        command.arg("--config").arg(self.path("config.toml"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().expect("it ended by itself"),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// Runs a command that ends with this exit code, and returns what it printed.
    #[track_caller]
    pub fn ends(&self, arguments: &[&str], expected: i32) -> String {
        let (code, stdout, stderr) = self.run(arguments);
        assert_eq!(code, expected, "{arguments:?}: {stdout}{stderr}");
        format!("{stdout}{stderr}")
    }

    /// Builds and signs NAME.bundle. Ring 1 has a1 to a4 and is due at once, ring 2 a day later.
    fn bundle(&self, name: &str, serial: u64, capture: &str) {
        let created = clock::now();
        let manifest = format!(
            "format = 1\nserial = {serial}\nname = \"{name}\"\ncreated = \"{created}\"\n\
             expires = \"2096-03-01T00:00:00Z\"\n[targets]\nall = true\n\
             [[ring]]\nsites = [\"a1\", \"a2\", \"a3\", \"a4\"]\nwait_s = 86400\n\
             [[ring]]\nall = true\n"
        );
        self.write(&format!("{name}/manifest.toml"), &manifest);
        self.write(&format!("{name}/files/config.d/50-capture.toml"), capture);
        let file = format!("{name}.bundle");
        self.ends(&["config", "bundle", name, "-o", &file], 0);
        for key in ["anna.key", "ben.key"] {
            self.ends(&["config", "sign", &file, "--key", key], 0);
        }
    }

    fn trust(&self) -> Trust {
        Trust::read(&self.path("trust.toml")).unwrap()
    }

    /// Starts a command whose lines are read one by one.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines }
    }
}

pub struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    /// Reads lines up to one that contains a text, and returns it.
    pub async fn line(self, part: &'static str) -> (Self, String) {
        self.line_within(Duration::from_mins(1), part).await
    }

    pub async fn line_within(mut self, patience: Duration, part: &'static str) -> (Self, String) {
        let read = move || {
            let mut all = String::new();
            loop {
                let mut line = String::new();
                let bytes = self.lines.read_line(&mut line).unwrap();
                assert!(bytes > 0, "no line with {part:?} in:\n{all}");
                if line.contains(part) {
                    return (self, line);
                }
                all.push_str(&line);
            }
        };
        let read = tokio::task::spawn_blocking(read);
        let read = tokio::time::timeout(patience, read).await;
        read.unwrap_or_else(|_| panic!("not within {patience:?}: {part}"))
            .unwrap()
    }

    pub async fn code(mut self) -> i32 {
        let wait = tokio::task::spawn_blocking(move || self.child.wait().unwrap());
        wait.await.unwrap().code().expect("it ended by itself")
    }
}

/// A client that is all gateways, and reads what central IT publishes.
struct Gateways {
    client: AsyncClient,
    heard: Arc<Mutex<Vec<(String, Bytes)>>>,
    acknowledged: Arc<Mutex<usize>>,
    published: usize,
    task: JoinHandle<()>,
}

impl Gateways {
    async fn new(mosquitto: &Mosquitto) -> Self {
        let mut options = MqttOptions::new("gateways", "127.0.0.1", mosquitto.port);
        options.set_max_packet_size(32 << 20, 32 << 20);
        let (client, mut eventloop) = AsyncClient::new(options, 100);
        for topic in [BUNDLE_TOPIC, "stockrelay-fleet/v1/bundle/+", STOP_TOPIC] {
            client.subscribe(topic, QoS::AtLeastOnce).await.unwrap();
        }
        let heard = Arc::new(Mutex::new(Vec::new()));
        let acknowledged = Arc::new(Mutex::new(0));
        let (events, acks) = (heard.clone(), acknowledged.clone());
        let task = tokio::spawn(async move {
            // A lost connection ends the task; the tests restart the client.
            while let Ok(event) = eventloop.poll().await {
                match event {
                    Event::Incoming(Incoming::Publish(message)) => {
                        let message = (message.topic, message.payload);
                        events.lock().unwrap().push(message);
                    }
                    Event::Incoming(Incoming::PubAck(_)) => *acks.lock().unwrap() += 1,
                    _ => {}
                }
            }
        });
        Self {
            client,
            heard,
            acknowledged,
            published: 0,
            task,
        }
    }

    /// Publishes retained messages, and waits until the broker has them.
    async fn publish(&mut self, topic: &str, payload: impl Into<Vec<u8>>) {
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

    async fn online(&mut self, site: &str, online: bool) {
        let topic = format!("stockrelay-fleet/v1/online/{site}");
        self.publish(&topic, json!({ "online": online }).to_string())
            .await;
    }

    async fn report(&mut self, site: &str, fields: Value) {
        let mut report = json!({
            "site": site, "at": clock::now().to_string(), "version": "0.2.0",
            "running": {"serial": 41, "hash": "ab"}, "wanted": null, "last": null,
            "odoo": "up", "oldest_waiting_s": 0, "parked": 0, "alarms": [], "drift": 0,
        });
        for (key, value) in fields.as_object().unwrap() {
            report[key] = value.clone();
        }
        let topic = format!("stockrelay-fleet/v1/report/{site}");
        self.publish(&topic, report.to_string()).await;
    }

    /// A connected gateway with the bundle in this state.
    async fn state(&mut self, site: &str, serial: u64, state: &str) {
        self.online(site, true).await;
        let wanted = json!({"serial": serial, "state": state, "reason": "", "ring": 1});
        self.report(site, json!({ "wanted": wanted })).await;
    }

    async fn ended(&mut self, site: &str, serial: u64, outcome: &str, reason: &str) {
        self.online(site, true).await;
        let running = if outcome == "confirmed" { serial } else { 41 };
        let last = json!({"serial": serial, "outcome": outcome, "reason": reason});
        let running = json!({"serial": running, "hash": "ab"});
        self.report(site, json!({"last": last, "running": running}))
            .await;
    }

    /// The newest message on a topic.
    fn newest(&self, topic: &str) -> Option<Bytes> {
        let heard = self.heard.lock().unwrap();
        let newest = heard.iter().rev().find(|(found, _)| found == topic);
        newest.map(|(_, payload)| payload.clone())
    }

    /// Waits for a stop with this count, and verifies it as a gateway does.
    /// The bytes of the stop with this count.
    fn first_stop(&self, count: u64) -> Bytes {
        let heard = self.heard.lock().unwrap();
        let of_topic = heard.iter().filter(|(topic, _)| topic == STOP_TOPIC);
        let is_it = |bytes: &&Bytes| Stop::read(bytes).is_ok_and(|stop| stop.count == count);
        of_topic
            .map(|(_, bytes)| bytes)
            .find(is_it)
            .unwrap()
            .clone()
    }

    async fn stop(&self, office: &Office, is_it: impl Fn(&Stop) -> bool) -> Stop {
        let trust = office.trust();
        let verified = || {
            let bytes = self.newest(STOP_TOPIC)?;
            stop::verify(&bytes, &trust).ok()
        };
        let found = || verified().filter(|stop| is_it(stop));
        until("a stop", || found().is_some()).await;
        found().unwrap()
    }
}

impl Drop for Gateways {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_commands"]
async fn a_pushed_bundle_is_on_the_broker_and_its_serial_is_used_once() {
    let mosquitto = Mosquitto::plain().await;
    let office = Office::plain(&mosquitto);
    let gateways = Gateways::new(&mosquitto).await;
    office.bundle("autumn", 42, CAPTURE);
    let trusted = ["fleet", "push", "autumn.bundle", "--trust", "trust.toml"];
    let out = office.ends(&trusted, 0);
    assert!(out.contains("the broker has bundle 42 (autumn)"), "{out}");
    let autumn = fs::read(office.path("autumn.bundle")).unwrap();
    until("the bundle arrives", || {
        gateways
            .newest(BUNDLE_TOPIC)
            .is_some_and(|bytes| bytes == autumn)
    })
    .await;
    // The same bundle again is no fault.
    office.ends(&["fleet", "push", "autumn.bundle"], 0);
    // Another one with the same serial, and one with a lower serial, are.
    office.bundle("other", 42, "[capture]\ncheck = \"off\"\n");
    let out = office.ends(&["fleet", "push", "other.bundle"], 1);
    assert!(out.contains("another bundle with serial 42"), "{out}");
    office.bundle("summer", 41, CAPTURE);
    for arguments in [
        &["fleet", "push", "summer.bundle"][..],
        &["fleet", "push", "summer.bundle", "--group", "nl"],
    ] {
        let out = office.ends(arguments, 1);
        assert!(out.contains("has bundle 42"), "{out}");
    }
    // For one group.
    office.bundle("winter", 43, CAPTURE);
    office.ends(&["fleet", "push", "winter.bundle", "--group", "nl"], 0);
    until("the group's bundle arrives", || {
        gateways.newest("stockrelay-fleet/v1/bundle/nl").is_some()
    })
    .await;
    // As an address.
    office.bundle("spring", 44, CAPTURE);
    let url = ["--url", "https://it.example/44.bundle"];
    let push = ["fleet", "push", "spring.bundle"];
    office.ends(&[&push[..], &url].concat(), 0);
    until("the address arrives", || {
        let newest = gateways.newest(BUNDLE_TOPIC).unwrap_or_default();
        serde_json::from_slice::<Value>(&newest).is_ok_and(|json| json["serial"] == 44)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_commands"]
async fn a_bundle_that_the_gateways_would_refuse_is_not_pushed() {
    let mosquitto = Mosquitto::plain().await;
    let office = Office::plain(&mosquitto);
    let mut gateways = Gateways::new(&mosquitto).await;
    office.bundle("autumn", 42, CAPTURE);
    office.ends(&["config", "bundle", "autumn", "-o", "unsigned.bundle"], 0);
    let out = office.ends(&["fleet", "push", "unsigned.bundle"], 1);
    assert!(out.contains("has no signature"), "{out}");
    office.ends(
        &["config", "sign", "unsigned.bundle", "--key", "eve.key"],
        0,
    );
    let push = ["fleet", "push", "unsigned.bundle"];
    let trusted = ["--trust", "trust.toml"];
    // trust.toml is beside the configuration, too.
    for trusted in [&trusted[..], &[]] {
        let out = office.ends(&[&push[..], trusted].concat(), 1);
        assert!(out.contains("unknown-key"), "{out}");
    }
    let mut cut = fs::read(office.path("autumn.bundle")).unwrap();
    cut.truncate(1_500);
    fs::write(office.path("cut.bundle"), cut).unwrap();
    let out = office.ends(&["fleet", "push", "cut.bundle"], 1);
    assert!(out.contains("truncated"), "{out}");
    assert_eq!(gateways.newest(BUNDLE_TOPIC), None);
    // A bundle of an attacker with the highest serial blocks nothing.
    office.bundle("evil", 9_000_000, CAPTURE);
    office.ends(&["config", "bundle", "evil", "-o", "evil.bundle"], 0);
    office.ends(&["config", "sign", "evil.bundle", "--key", "eve.key"], 0);
    let evil = fs::read(office.path("evil.bundle")).unwrap();
    gateways.publish(BUNDLE_TOPIC, evil).await;
    fs::rename(office.path("trust.toml"), office.path("keys.toml")).unwrap();
    let push = ["fleet", "push", "autumn.bundle"];
    let out = office.ends(&push, 1);
    assert!(out.contains("are not verified"), "{out}");
    assert!(out.contains("name your keys with --trust"), "{out}");
    let out = office.ends(&[&push[..], &["--trust", "keys.toml"]].concat(), 0);
    assert!(out.contains("is left out: unknown-key"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_commands"]
async fn status_shows_failures_first_and_show_shows_one_gateway() {
    let mosquitto = Mosquitto::plain().await;
    let office = Office::plain(&mosquitto);
    let mut gateways = Gateways::new(&mosquitto).await;
    let out = office.ends(&["fleet", "status"], 0);
    assert!(out.contains("no gateway has reported"), "{out}");
    gateways.ended("well", 42, "confirmed", "").await;
    gateways.state("waits", 42, "waiting").await;
    gateways
        .ended("failed", 42, "rolled-back", "the link to Odoo is held")
        .await;
    // Hostile messages: another site's report, one that is too large, one that is no JSON.
    let topic = |site: &str| format!("stockrelay-fleet/v1/report/{site}");
    let stolen = json!({"site": "well", "at": "2096-01-01T00:00:00Z", "running": {"serial": 1}});
    gateways.publish(&topic("thief"), stolen.to_string()).await;
    let large = format!("{{\"site\": \"large\", \"x\": \"{}\"}}", "x".repeat(20_000));
    gateways.publish(&topic("large"), large).await;
    gateways
        .publish(&topic("noise"), b"\x00\xff[[[[".to_vec())
        .await;
    let (code, out, warnings) = office.run(&["fleet", "status"]);
    assert_eq!(code, 0, "{out}");
    let sites: Vec<_> = out
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(sites, ["site", "failed", "waits", "well", "3"], "{out}");
    assert!(out.contains("the link to Odoo is held"), "{out}");
    assert!(warnings.contains("3 messages left out"), "{warnings}");
    let (_, json, _) = office.run(&["fleet", "status", "--json"]);
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["site"], &first["state"]),
        (&"failed".into(), &"rolled-back".into())
    );
    let shown = office.ends(&["fleet", "show", "failed"], 0);
    assert!(shown.contains("last         42: rolled-back"), "{shown}");
    office.ends(&["fleet", "show", "thief"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto: apt-get install mosquitto, then cargo test -- --ignored fleet_commands"]
async fn watch_ends_when_every_gateway_has_confirmed() {
    let mut mosquitto = Mosquitto::plain().await;
    let office = Office::plain(&mosquitto);
    let mut gateways = Gateways::new(&mosquitto).await;
    office.bundle("autumn", 42, CAPTURE);
    let watch = ["fleet", "watch", "42", "--sign", "anna.key"];
    let out = office.ends(&watch, 2);
    assert!(out.contains("no bundle with serial 42"), "{out}");
    office.ends(&["fleet", "push", "autumn.bundle"], 0);
    let stranger = ["fleet", "watch", "42", "--sign", "eve.key"];
    let out = office.ends(&stranger, 2);
    assert!(out.contains("no gateway would accept the message"), "{out}");
    gateways.state("a1", 42, "staged").await;
    gateways.ended("a2", 42, "confirmed", "").await;
    let running = office.start(&watch);
    let (running, line) = running.line("ring 1").await;
    assert!(
        line.contains("2 sites, 2 due, 1 waiting, 1 confirmed"),
        "{line}"
    );
    gateways.state("a1", 42, "watching").await;
    let (running, line) = running.line("ring 1").await;
    assert!(line.contains("1 applied, 1 confirmed"), "{line}");
    // The broker restarts; what it had retained is on its disk.
    mosquitto.restart().await;
    let (running, _) = running.line("connected again").await;
    let mut gateways = Gateways::new(&mosquitto).await;
    gateways.ended("a1", 42, "confirmed", "").await;
    let (running, _) = running.line("has confirmed the bundle").await;
    assert_eq!(running.code().await, 0);
    assert_eq!(gateways.newest(STOP_TOPIC), None);
}

#[test]
fn without_a_broker_the_commands_name_the_key_and_the_argument() {
    let office = Office::new("poll_s = 60");
    let out = office.ends(&["fleet", "status"], 2);
    assert!(
        out.contains("--broker") && out.contains("[fleet] broker"),
        "{out}"
    );
    office.write("config.toml", "[fleet]\nbrokr = \"mqtts://it.example\"\n");
    let out = office.ends(&["fleet", "status"], 64);
    assert!(out.contains("fleet.broker, if you mean that key"), "{out}");
    let nowhere = ["fleet", "status", "--broker", "mqtt://127.0.0.1:1"];
    let out = office.ends(&nowhere, 69);
    assert!(out.contains("host and port in --broker"), "{out}");
    let out = office.ends(
        &["fleet", "watch", "42", "--max-failed", "2", "--sign", "k"],
        2,
    );
    assert!(out.contains("a number from 0 to 1"), "{out}");
}
