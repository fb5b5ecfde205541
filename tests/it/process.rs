//! The daemon as it is installed: a process that is signalled, killed and started twice.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Connect, Packet as Raw, Publish};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stockrelay::clock;
use stockrelay::view::client::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::free_address::free_address;

const SOON: Duration = Duration::from_secs(20);

pub struct Process {
    pub dir: tempfile::TempDir,
    pub child: Child,
    pub address: SocketAddr,
}

pub fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stockrelay"));
    command
        .args(["--config", "config.toml", "run"])
        .current_dir(dir);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

impl Process {
    async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    pub async fn start_in(dir: tempfile::TempDir) -> Self {
        let address = free_address();
        // Nobody listens at Odoo's address: the link is down all the time.
        let config = format!(
            "site = \"ams1\"\ndata_dir = \"data\"\n[mqtt.listen]\naddress = \"{address}\"\nanonymous = true\n\
             [odoo]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"\napi_key_file = \"odoo.key\"\n\
             [control]\nsocket = \"control.sock\"\n"
        );
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        std::fs::write(dir.path().join("odoo.key"), "none").unwrap();
        let child = command(dir.path()).spawn().unwrap();
        let process = Self {
            dir,
            child,
            address,
        };
        process.status().await;
        process
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("control.sock")
    }

    /// As soon as it answers.
    pub async fn status(&self) -> Value {
        let client = Client::new(&self.socket());
        let begun = clock::instant();
        loop {
            match client.get("/v1/status").await {
                Ok(status) => return status,
                Err(error) => assert!(begun.elapsed() < SOON, "no status: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(
            Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap(),
            signal,
        )
        .unwrap();
    }

    /// Sends equal scans without an id in one segment, by a client of its own, and waits for their
    /// PUBACKs.
    async fn scan_together(&self, count: u16, dup: bool) {
        let mut bytes = BytesMut::new();
        let mut write = |packet: Raw| packet.write(&mut bytes, 1 << 16).unwrap();
        write(Raw::Connect(Connect::new("pda")));
        for pkid in 1..=count {
            let topic = "stockrelay/v1/ams1/pda/scan";
            let mut publish = Publish::new(topic, QoS::AtLeastOnce, "4000000000006");
            (publish.pkid, publish.dup) = (pkid, dup);
            write(Raw::Publish(publish));
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        // CONNACK, and 4 bytes for each PUBACK.
        let mut answers = vec![0; 4 + 4 * usize::from(count)];
        let read = stream.read_exact(&mut answers);
        tokio::time::timeout(SOON, read).await.unwrap().unwrap();
        let acked = answers.chunks_exact(4).skip(1).map(|ack| ack[0]);
        assert!(acked.eq(std::iter::repeat_n(0x40, usize::from(count))));
    }

    /// Sends one QoS 2 scan without an id in a persistent session, and packets after it; reads this
    /// number of bytes after the CONNACK.
    async fn scan_once(&self, dup: bool, behind: &[u8], answers: usize) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        let mut connect = Connect::new("pda");
        connect.clean_session = false;
        let topic = "stockrelay/v1/ams1/pda/scan";
        let mut publish = Publish::new(topic, QoS::ExactlyOnce, "4000000000006");
        (publish.pkid, publish.dup) = (7, dup);
        for packet in [Raw::Connect(connect), Raw::Publish(publish)] {
            packet.write(&mut bytes, 1 << 16).unwrap();
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut read = vec![0; 8];
        let rec = stream.read_exact(&mut read);
        tokio::time::timeout(SOON, rec).await.unwrap().unwrap();
        assert_eq!(read[4..], [0x50, 2, 0, 7]);
        stream.write_all(behind).await.unwrap();
        let mut read = vec![0; answers];
        let rest = stream.read_exact(&mut read);
        tokio::time::timeout(SOON, rest).await.unwrap().unwrap();
        read
    }

    pub async fn kill_and_start(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = command(self.dir.path()).spawn().unwrap();
        self.status().await;
    }

    /// What a command prints.
    fn says(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stockrelay"));
        command.args(["--config", "config.toml"]).args(arguments);
        let output = command.current_dir(self.dir.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Publishes one event and waits for its PUBACK.
    pub async fn publish(&self, id: &str) {
        let mut options =
            MqttOptions::new("pda", self.address.ip().to_string(), self.address.port());
        options.set_keep_alive(Duration::from_secs(5));
        let (client, mut events) = AsyncClient::new(options, 10);
        let payload =
            format!(r#"{{"id":"{id}","type":"transfer","product":"P","from":"A","to":"B"}}"#);
        client
            .publish(
                "stockrelay/v1/ams1/pda/event",
                QoS::AtLeastOnce,
                false,
                payload,
            )
            .await
            .unwrap();
        let acknowledged = async {
            while !matches!(
                events.poll().await.unwrap(),
                Event::Incoming(Packet::PubAck(_))
            ) {}
        };
        tokio::time::timeout(SOON, acknowledged)
            .await
            .expect("a PUBACK");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already in most tests.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_acknowledged_survives_sigkill_and_sigterm_ends_it_well_within_10_seconds() {
    let mut process = Process::start().await;
    process.publish("1").await;
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    process.child = command(process.dir.path()).spawn().unwrap();
    let status = process.status().await;
    assert_eq!(status["events"]["stored"], 1, "{status}");
    process.publish("1").await;
    process.publish("2").await;
    let status = process.status().await;
    assert_eq!(
        (&status["events"]["stored"], &status["events"]["duplicates"]),
        (&2.into(), &1.into()),
        "{status}"
    );

    let begun = clock::instant();
    process.signal(Signal::TERM);
    let status = tokio::task::block_in_place(|| process.child.wait()).unwrap();
    assert!(status.success(), "{status}");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_scans_without_an_id_count_each_also_over_a_kill_and_those_with_dup_are_shown_as_such()
 {
    let mut process = Process::start().await;
    process.scan_together(20, false).await;
    process.kill_and_start().await;
    process.scan_together(20, false).await;
    process.kill_and_start().await;
    process.scan_together(2, true).await;
    let status = process.status().await;
    let events = &status["events"];
    let counts = [
        &events["stored"],
        &events["duplicates"],
        &events["possible_repeats"],
    ];
    assert_eq!(counts, [42, 0, 2], "{status}");
    let client = Client::new(&process.socket());
    let listed: Value = client.get("/v1/events?limit=100").await.unwrap();
    let listed = listed["events"].as_array().unwrap();
    let ids: HashSet<_> = listed
        .iter()
        .map(|event| event["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 42);
    for (place, event) in listed.iter().enumerate() {
        let flags = if place < 40 {
            json!([])
        } else {
            json!(["possible-repeat"])
        };
        assert_eq!(event["flags"], flags, "{event}");
    }
    let says = |arguments: &[&str]| process.says(arguments);
    assert!(says(&["trace", "42"]).contains("note: possible-repeat"));
    assert!(!says(&["trace", "40"]).contains("note"));
    assert_eq!(says(&["events"]).matches("[possible-repeat]").count(), 2);
    assert!(says(&["status"]).contains("may have sent 2 of the stored events twice"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_qos_2_scan_that_was_received_and_not_released_counts_once_over_a_kill() {
    let mut process = Process::start().await;
    process.scan_once(false, &[], 0).await;
    for _ in 0..2 {
        process.kill_and_start().await;
        process.scan_once(true, &[], 0).await;
    }
    let released = process.scan_once(true, &[0x62, 2, 0, 7], 4).await;
    assert_eq!(released, [0x70, 2, 0, 7]);
    let events = &process.status().await["events"];
    assert_eq!(events["stored"], 1, "{events}");
    assert!(events["possible_repeats"].is_null(), "{events}");
    // Released, so it is another message, also after a kill.
    process.kill_and_start().await;
    process.scan_once(false, &[], 0).await;
    assert_eq!(process.status().await["events"]["stored"], 2);
}

#[tokio::test]
async fn sighup_does_not_kill_it() {
    let process = Process::start().await;
    process.signal(Signal::HUP);
    process.publish("1").await;
    assert_eq!(process.status().await["events"]["stored"], 1);
}

#[tokio::test]
async fn a_second_process_is_told_the_first_ones_number() {
    let process = Process::start().await;
    let Output { status, stderr, .. } = command(process.dir.path())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("process {}", process.child.id())),
        "{said}"
    );
    process.publish("1").await;
}

/// Typed while the terminal starts, before anything is on the screen.
#[tokio::test]
#[ignore = "needs tmux"]
async fn top_takes_the_keys_that_are_typed_at_once() {
    let process = Process::start().await;
    let server = format!("stockrelay-{}", std::process::id());
    let tmux = |arguments: &[&str]| {
        let done = Command::new("tmux")
            .args(["-L", &server])
            .args(arguments)
            .status();
        assert!(done.expect("tmux is installed").success(), "{arguments:?}");
    };
    let binary = env!("CARGO_BIN_EXE_stockrelay");
    for start in 0..10 {
        let ended = process.dir.path().join(format!("ended-{start}"));
        let top = format!(
            "{binary} --socket {} top && touch {}",
            process.socket().display(),
            ended.display()
        );
        tmux(&["new-session", "-d", "-s", "top", &top]);
        tmux(&["send-keys", "-t", "top", "?", "?", "q"]);
        let begun = clock::instant();
        while !ended.exists() {
            assert!(begun.elapsed() < SOON, "start {start}: it ignores the keys");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The session has the same name each time.
        while Command::new("tmux")
            .args(["-L", &server, "has-session", "-t", "top"])
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The question about a rejected reading, in a terminal of 40 columns and 10 rows, and all of the
/// reading.
#[tokio::test]
#[ignore = "needs tmux"]
async fn top_asks_before_it_sends_a_reading_again() {
    let process = Process::start().await;
    let mut bytes = BytesMut::new();
    let topic = "stockrelay/v1/ams1/pda/event";
    let long = "no product ".repeat(300);
    let payload = format!(r#"{{"type":"transfer","reason":"{long}END"}}"#);
    let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
    publish.pkid = 1;
    for packet in [Raw::Connect(Connect::new("pda")), Raw::Publish(publish)] {
        packet.write(&mut bytes, 1 << 20).unwrap();
    }
    let mut stream = TcpStream::connect(process.address).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let begun = clock::instant();
    while process.status().await["events"]["rejected_open"] != 1 {
        assert!(begun.elapsed() < SOON, "no rejected reading is open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let server = format!("stockrelay-asks-{}", std::process::id());
    let tmux = |arguments: &[&str]| {
        let mut command = Command::new("tmux");
        let done = command.args(["-L", &server]).args(arguments).output();
        let done = done.expect("tmux is installed");
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let (binary, socket) = (env!("CARGO_BIN_EXE_stockrelay"), process.socket());
    let top = format!("{binary} --socket {} top", socket.display());
    tmux(&[
        "new-session",
        "-d",
        "-x",
        "40",
        "-y",
        "10",
        "-s",
        "asks",
        &top,
    ]);
    let steps: [(&[&str], &str); 6] = [
        (&[], "PROBLEM"),
        (&["5"], "Rejected: 1"),
        // At first the screen has only the beginning of the reading.
        (&["Enter"], "of 197"),
        (&["End"], "END\"}"),
        (&["r", "t", "y", "p", "o", "Enter"], "y yes"),
        (&["r", "r", "C-u", "y"], "missing-field: "),
    ];
    for (keys, wanted) in steps {
        if !keys.is_empty() {
            tmux(&[&["send-keys", "-t", "asks"], keys].concat());
        }
        let begun = clock::instant();
        loop {
            let screen = tmux(&["capture-pane", "-p", "-t", "asks"]);
            if screen.contains(wanted) {
                break;
            }
            assert!(begun.elapsed() < SOON, "no {wanted:?} in\n{screen}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    tmux(&["kill-server"]);
}
