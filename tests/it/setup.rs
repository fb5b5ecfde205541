//! `stockrelay setup`: from nothing to the first movement in Odoo.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::Value;
use stockrelay::clock;
use stockrelay::demo::odoo::{API_KEY, DATABASE, Seed, StandIn};
use stockrelay::view::client::Client;

use crate::free_address::free_address;

const SOON: Duration = Duration::from_secs(30);

/// The command in a directory, with a free address and paths of its own.
struct Machine {
    dir: tempfile::TempDir,
    address: std::net::SocketAddr,
}

impl Machine {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            address: free_address(),
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stockrelay"));
        command
            .arg("--config")
            .arg(self.path("config.toml"))
            .args(arguments)
            .env("STOCKRELAY_MQTT__LISTEN__ADDRESS", self.address.to_string())
            .env("STOCKRELAY_DATA_DIR", self.path("data"))
            .env("STOCKRELAY_CONTROL__SOCKET", self.path("control.sock"));
        command
    }

    fn setup(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(&[&["setup"], arguments].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may end before it reads.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// All that `setup` needs; the key comes from standard input.
fn arguments<'a>(odoo: &'a str, database: &'a str) -> [&'a str; 10] {
    [
        "--site",
        "ams1",
        "--odoo",
        odoo,
        "--database",
        database,
        "--warehouse",
        "WH",
        "--api-key-file",
        "-",
    ]
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn setup_and_run_suffice_for_the_first_movement_in_odoo() {
    let seed = Seed {
        bins: 3,
        products: 3,
    };
    let odoo = StandIn::start(seed, Duration::ZERO).await.unwrap();
    let machine = Machine::new();
    let url = odoo.url();
    let arguments = arguments(&url, DATABASE);
    let done = machine.setup(&arguments, &format!("{API_KEY}\n"));
    let (out, err) = (text(&done.stdout), text(&done.stderr));
    assert!(done.status.success(), "{out}\n{err}");
    assert!(!out.contains(API_KEY) && !err.contains(API_KEY));
    assert_eq!(machine.names(), ["config.toml", "devices.toml", "odoo.key"]);
    for (name, wanted) in [
        ("config.toml", 0o640),
        ("devices.toml", 0o600),
        ("odoo.key", 0o600),
    ] {
        assert_eq!(mode(&machine.path(name)), wanted, "{name}");
    }
    let password = out.lines().find_map(|line| {
        let word = line.trim().strip_prefix("password")?;
        Some(word.trim().to_owned())
    });
    let password = password.expect("a password");
    let devices = fs::read_to_string(machine.path("devices.toml")).unwrap();
    assert!(!devices.contains(&password));

    // A second time it changes nothing.
    let again = machine.setup(&arguments, "other\n");
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("exists"), "{again:?}");
    let key = fs::read_to_string(machine.path("odoo.key")).unwrap();
    assert_eq!(key.trim(), API_KEY);

    let mut run = machine.command(&["run"]);
    run.stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _run = Killed(run.spawn().unwrap());
    let client = Client::new(&machine.path("control.sock"));
    let begun = clock::instant();
    while client.get::<Value>("/v1/status").await.is_err() {
        assert!(begun.elapsed() < SOON, "no status");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let address = machine.address;
    let mut options = MqttOptions::new("pda-01", address.ip().to_string(), address.port());
    options.set_credentials("pda-01", password);
    let (mqtt, mut events) = AsyncClient::new(options, 10);
    let event = r#"{"id": "8c1f", "type": "transfer", "product": "4000000000020", "quantity": 2,
        "from": "LOC-BIN-0002", "to": "LOC-BIN-0001"}"#;
    let topic = "stockrelay/v1/ams1/pda-01/event";
    mqtt.publish(topic, QoS::AtLeastOnce, false, event)
        .await
        .unwrap();
    let acknowledged = async {
        while !matches!(
            events.poll().await.unwrap(),
            Event::Incoming(Packet::PubAck(_))
        ) {}
    };
    tokio::time::timeout(SOON, acknowledged).await.unwrap();
    let begun = clock::instant();
    loop {
        let status: Value = client.get("/v1/status").await.unwrap();
        if status["documents"]["posted"] == 1 {
            break;
        }
        assert!(begun.elapsed() < SOON, "{status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn setup_says_what_is_missing_or_wrong_and_writes_nothing() {
    let machine = Machine::new();
    let right = arguments("https://odoo.example.com", "prod");
    let replaced = |at: usize, by: &'static str| {
        let mut arguments = right;
        arguments[at] = by;
        arguments
    };
    let without_key = &right[..8];
    for (arguments, input, code, said) in [
        (&right[..2], "", 2, "give --odoo, --database, --warehouse"),
        (without_key, "", 2, "give --api-key-file"),
        (&right[..], "", 1, "the API key is empty"),
        (&replaced(9, "/nowhere/key"), "", 1, "/nowhere/key"),
        (&replaced(1, "ams 1"), "key\n", 64, "site"),
        (&replaced(3, "ftp://odoo"), "key\n", 64, "odoo.url"),
    ] {
        let done = machine.setup(arguments, input);
        let err = text(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {err}");
        assert!(err.contains(said), "{arguments:?}: {err}");
        assert!(!err.contains(".setup-"), "{err}");
        assert!(machine.names().is_empty(), "{arguments:?}");
    }
}

#[test]
fn setup_names_what_check_finds_and_does_not_start() {
    let machine = Machine::new();
    // Nobody listens there.
    let url = format!("http://{}", free_address());
    let arguments = arguments(&url, "prod");
    let done = machine.setup(&arguments, "key\n");
    let out = text(&done.stdout);
    assert_eq!(done.status.code(), Some(1), "{out}");
    assert!(
        out.contains("FAIL") && out.contains("is not started"),
        "{out}"
    );
    assert!(machine.path("config.toml").exists());
}
