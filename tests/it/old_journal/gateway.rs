//! A gateway that runs on a copy of an old journal.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::BytesMut;
use jiff::tz::TimeZone;
use redb::{ReadableDatabase as _, ReadableTable as _};
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish};
use serde_json::Value;
use stockrelay::config::{self, Config};
use stockrelay::daemon::Daemon;
use stockrelay::journal::{FILE, Journal, WriterHandle};
use stockrelay::view::client::Client;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::floor::name;

const SITE: &str = "old1";
const PATIENCE: Duration = Duration::from_mins(1);
/// The test runs long after the scans: no pause may end what a device has begun.
const PROFILE: &str = "[profile]\nname = \"own\"\nfamily = \"f\"\nabout = \"a\"\nbuilt_from = [\"x\"]\n\
    [connection]\nkind = \"mqtt\"\n[flow]\nstart = \"transfer\"\nidle_s = 0\n";

fn shipped(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/journals").join(file)
}

/// What the version before listed of its journal.
pub fn lists() -> Value {
    serde_json::from_str(&fs::read_to_string(shipped("0.1.0.json")).unwrap()).unwrap()
}

pub struct Gateway {
    dir: TempDir,
    pub config: Config,
    daemon: Option<Daemon>,
}

impl Gateway {
    pub fn holding_the_old_journal() -> Self {
        let gateway = Self::empty();
        let data = &gateway.config.data_dir;
        fs::create_dir(data).unwrap();
        fs::copy(shipped("0.1.0.redb"), data.join(FILE)).unwrap();
        gateway
    }

    /// Nobody listens at Odoo's address.
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        fs::write(file("own.toml"), PROFILE).unwrap();
        fs::write(
            file("devices.toml"),
            "[devices.ring-1]\nprofile = \"own.toml\"\n",
        )
        .unwrap();
        fs::write(file("odoo.key"), stockrelay::demo::odoo::API_KEY).unwrap();
        let config = Config {
            time_zone: Some(TimeZone::UTC),
            shifts: config::Shifts::default(),
            site: name(SITE),
            data_dir: file("data"),
            listen: Some(config::Listen {
                address: SocketAddr::from(([127, 0, 0, 1], 0)),
                anonymous: true,
                devices: Some(file("devices.toml")),
                ..config::Listen::default()
            }),
            broker: None,
            scanners: None,
            odoo: config::Odoo {
                api_key_file: Some(file("odoo.key")),
                ..config::Odoo::new("http://127.0.0.1:9", "none")
            },
            documents: config::Documents {
                idle_s: 1,
                ..config::Documents::default()
            },
            orders: config::Orders {
                blind_receipts: true,
                blind_returns: true,
                validate_complete: false,
                ..config::Orders::default()
            },
            stock: config::Stock::default(),
            capture: config::Capture::default(),
            journal: config::Journal {
                retention_days: 3_650,
                dedup_days: 3_650,
                ..config::Journal::default()
            },
            control: config::Control {
                socket: file("control.sock"),
                metrics: None,
            },
            log: config::Log::default(),
            fleet: config::Fleet::default(),
        };
        Self {
            dir,
            config,
            daemon: None,
        }
    }

    pub fn key_file(&self) -> PathBuf {
        self.dir.path().join("odoo.key")
    }

    pub async fn start(&mut self) {
        self.daemon = Some(Daemon::start(self.config.clone()).await.unwrap());
    }

    pub async fn stop(&mut self) {
        self.daemon.take().unwrap().stop().await.unwrap();
    }

    /// The journal, while no daemon has it.
    pub fn journal(&self) -> (Journal, WriterHandle) {
        Journal::open(&self.config.data_dir, &self.config.journal).unwrap()
    }

    /// The keys of the table `kept`, as they are on disk.
    pub fn kept(&self) -> Vec<String> {
        let file = self.config.data_dir.join(FILE);
        let database = redb::Database::open(file).unwrap();
        let table = redb::TableDefinition::<&str, &[u8]>::new("kept");
        let table = database.begin_read().unwrap().open_table(table).unwrap();
        let keys = table.iter().unwrap();
        keys.map(|pair| pair.unwrap().0.value().to_owned())
            .collect()
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = Client::new(&self.config.control.socket).get(path).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let client = Client::new(&self.config.control.socket);
        let answer = client.post(path, &body).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Until the status is so.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let status = self.get("/v1/status").await;
            if is_so(&status) {
                return;
            }
            let in_time = tokio::time::Instant::now() < deadline;
            assert!(in_time, "waited in vain until {what}: {status}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Publishes on a connection of its own, and reads the answer to it.
    pub async fn publish(&self, device: &str, channel: &str, payload: &str, how: How) -> [u8; 4] {
        let topic = format!("stockrelay/v1/{SITE}/{device}/{channel}");
        let mut publish = Publish::new(topic, how.qos, payload);
        (publish.pkid, publish.dup) = (7, how.resumes);
        let mut stream = self.connect(device, how.resumes).await;
        let mut bytes = BytesMut::new();
        Packet::Publish(publish).write(&mut bytes, 1 << 16).unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        answer
    }

    /// Connects; a device that resumes has a session already.
    async fn connect(&self, device: &str, resumes: bool) -> TcpStream {
        let mut connect = Connect::new(device);
        connect.clean_session = !resumes;
        let mut bytes = BytesMut::new();
        Packet::Connect(connect).write(&mut bytes, 1 << 16).unwrap();
        let address = self.daemon.as_ref().unwrap().mqtt_address().unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [0x20, 2, u8::from(resumes), 0]);
        stream
    }

    /// The first message that waits for a device in its session.
    pub async fn missed(&self, device: &str) -> String {
        let mut stream = self.connect(device, true).await;
        let mut message = [0; 1_024];
        let read = stream.read(&mut message).await.unwrap();
        String::from_utf8_lossy(&message[..read]).into_owned()
    }
}

/// How a message is published.
#[derive(Clone, Copy)]
pub struct How {
    pub qos: QoS,
    /// In the session that the journal has, as a message that was sent before.
    pub resumes: bool,
}

impl How {
    pub const NEW: Self = Self {
        qos: QoS::AtLeastOnce,
        resumes: false,
    };
    pub const AGAIN: Self = Self {
        qos: QoS::ExactlyOnce,
        resumes: true,
    };
}
