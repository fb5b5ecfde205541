//! A gateway in this process that is configured by files, its Odoo, and a device made of bytes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{Connect, Login, Packet, Publish, Subscribe};
use stockrelay::clock;
use stockrelay::config;
use stockrelay::daemon::{Daemon, StartOptions};
use stockrelay::demo::odoo::Version;
use stockrelay::demo::odoo::seed::{bin_barcode, product_barcode};
use stockrelay::reload::{ReloadError, Reloaded};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::free_address::free_address;
use crate::scenarios::target::Target;

/// Longer than anything here takes; a test that needs it has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn free_port() -> u16 {
    free_address().port()
}

pub struct Site {
    pub dir: tempfile::TempDir,
    pub target: Target,
    daemon: Option<Daemon>,
}

impl Site {
    /// Starts a gateway whose anonymous front door has this device list. `extra` replaces keys.
    pub async fn start(devices: &str, extra: &str) -> Self {
        let site = Self::build(devices, extra).await;
        site.open().await
    }

    /// The files of a gateway that has not started yet.
    pub async fn build(devices: &str, extra: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::small_stand_in(Version::V19).await;
        let port = free_port();
        let (url, database) = (&target.url, &target.database);
        let main = format!(
            "site = \"ams1\"\ndata_dir = \"data\"\nmqtt.listen.address = \"127.0.0.1:{port}\"\n\
             mqtt.listen.anonymous = true\nmqtt.listen.devices = \"devices.toml\"\n\
             odoo.url = \"{url}\"\nodoo.database = \"{database}\"\nodoo.api_key_file = \"odoo.key\"\n\
             documents.idle_s = 0\ncontrol.socket = \"control.sock\"\n"
        );
        std::fs::create_dir(dir.path().join("config.d")).unwrap();
        let site = Self {
            dir,
            target,
            daemon: None,
        };
        site.write("config.toml", &main);
        site.write("odoo.key", &site.target.api_key);
        site.write("devices.toml", devices);
        site.write("config.d/50.toml", extra);
        site
    }

    pub async fn open(mut self) -> Self {
        let loaded = config::load(&self.path("config.toml"), &[]).unwrap();
        let origin = |key: &str| loaded.origin(key);
        let daemon =
            Daemon::start_with(loaded.config.clone(), origin, StartOptions::default()).await;
        self.daemon = Some(daemon.unwrap());
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.daemon().mqtt_address().unwrap()
    }

    /// Replaces the keys of `config.d`, and reloads.
    pub async fn try_reload(&mut self, extra: &str) -> Result<Reloaded, ReloadError> {
        self.write("config.d/50.toml", extra);
        let path = self.path("config.toml");
        let reloaded = self.daemon.as_mut().unwrap().reload_files(&path, &[]).await;
        reloaded.map(|(_, reloaded)| reloaded)
    }

    pub async fn reload(&mut self, extra: &str) -> Reloaded {
        let reloaded = self.try_reload(extra).await;
        reloaded.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn until(&self, what: &str, so: impl Fn(&Daemon) -> bool) {
        let daemon = self.daemon();
        let begun = clock::instant();
        while !so(daemon) {
            let (totals, live) = (daemon.journal().totals(), daemon.board().snapshot());
            assert!(
                begun.elapsed() < PATIENCE,
                "never: {what}: {totals:?} {live:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn until_copied(&self) {
        self.until("the copy of Odoo's data", |daemon| {
            daemon.board().snapshot().odoo.copy_refreshed.is_some()
        })
        .await;
    }

    pub async fn until_posted(&self, events: u64) {
        self.until("all is posted", |daemon| {
            daemon.journal().totals().posted.events == events
        })
        .await;
    }

    pub fn alarm(&self, code: &str) -> Option<String> {
        self.daemon().board().snapshot().alarms.get(code).cloned()
    }

    pub async fn stop(mut self) {
        self.daemon.take().unwrap().stop().await.unwrap();
    }
}

/// One piece moves from the first bin to the second.
pub fn transfer(id: &str) -> String {
    let (product, from, to) = (product_barcode(2), bin_barcode(0), bin_barcode(1));
    format!(
        r#"{{"id":"{id}","type":"transfer","product":"{product}","from":"{from}","to":"{to}","quantity":1}}"#
    )
}

/// A connected MQTT 3.1.1 client.
pub struct Device {
    name: String,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    input: BytesMut,
    next: u16,
}

impl Device {
    pub async fn connect(address: SocketAddr, name: &str) -> Self {
        let connected = Self::try_connect(address, name, None).await;
        connected.unwrap_or_else(|code| panic!("{name} is refused: {code}"))
    }

    /// The error is the code of the CONNACK.
    pub async fn try_connect(
        address: SocketAddr,
        name: &str,
        password: Option<&str>,
    ) -> Result<Self, u8> {
        let stream = TcpStream::connect(address).await.unwrap();
        let (reader, writer) = stream.into_split();
        let mut device = Self {
            name: name.to_owned(),
            reader,
            writer,
            input: BytesMut::new(),
            next: 0,
        };
        let mut connect = Connect::new(name);
        connect.login = password.map(|password| Login {
            username: name.to_owned(),
            password: password.to_owned(),
        });
        let mut bytes = BytesMut::new();
        connect.write(&mut bytes).unwrap();
        device.send(&bytes).await;
        match device.receive().await {
            Some(Packet::ConnAck(connack)) => match connack.code as u8 {
                0 => Ok(device),
                code => Err(code),
            },
            other => panic!("no CONNACK: {other:?}"),
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.unwrap();
    }

    /// The next packet. `None`: the gateway has closed the connection.
    pub async fn receive(&mut self) -> Option<Packet> {
        let next = async {
            loop {
                if let Ok(packet) = Packet::read(&mut self.input, 1 << 20) {
                    return Some(packet);
                }
                if self.reader.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                    return None;
                }
            }
        };
        let received = tokio::time::timeout(PATIENCE, next).await;
        received.expect("a packet, or the end of the connection")
    }

    fn packet(&mut self, channel: &str, payload: &str) -> (u16, BytesMut) {
        self.next = self.next % 60_000 + 1;
        let topic = format!("stockrelay/v1/ams1/{}/{channel}", self.name);
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = self.next;
        publish.retain = channel == "state";
        let mut bytes = BytesMut::new();
        publish.write(&mut bytes).unwrap();
        (self.next, bytes)
    }

    /// Publishes with QoS 1 and waits for nothing.
    pub async fn begin(&mut self, channel: &str, payload: &str) {
        let (_, bytes) = self.packet(channel, payload);
        self.send(&bytes).await;
    }

    /// Publishes with QoS 1 and waits for the PUBACK. Other messages that come meanwhile are lost.
    pub async fn publish(&mut self, channel: &str, payload: &str) {
        let (pkid, bytes) = self.packet(channel, payload);
        self.send(&bytes).await;
        loop {
            match self.receive().await.expect("a PUBACK") {
                Packet::PubAck(ack) if ack.pkid == pkid => return,
                _ => {}
            }
        }
    }

    pub async fn subscribe(&mut self, channel: &str) {
        self.begin_subscribe(channel).await;
        while !matches!(self.receive().await, Some(Packet::SubAck(_))) {}
    }

    /// Subscribes, and returns the retained message.
    pub async fn subscribe_to_retained(&mut self, channel: &str) -> Bytes {
        self.begin_subscribe(channel).await;
        loop {
            if let Packet::Publish(message) = self.receive().await.expect("a message") {
                return message.payload;
            }
        }
    }

    async fn begin_subscribe(&mut self, channel: &str) {
        let topic = format!("stockrelay/v1/ams1/{}/{channel}", self.name);
        let mut subscribe = Subscribe::new(topic, QoS::AtMostOnce);
        subscribe.pkid = 65_000;
        let mut bytes = BytesMut::new();
        subscribe.write(&mut bytes).unwrap();
        self.send(&bytes).await;
    }

    /// Publishes and returns the next message of the gateway.
    pub async fn ask(&mut self, channel: &str, payload: &str) -> Bytes {
        self.begin(channel, payload).await;
        loop {
            if let Packet::Publish(message) = self.receive().await.expect("an answer") {
                return message.payload;
            }
        }
    }

    /// Publishes an event each `every` until `count` are sent. Returns the longest time to a
    /// PUBACK.
    pub async fn publish_all(self, count: u16, every: Duration) -> Duration {
        let Self {
            name,
            mut reader,
            mut writer,
            mut input,
            ..
        } = self;
        let begun = clock::instant();
        let due = move |number: u16| begun + every * u32::from(number);
        let sending = async move {
            for number in 1..=count {
                tokio::time::sleep_until(due(number).into()).await;
                let topic = format!("stockrelay/v1/ams1/{name}/event");
                let payload = transfer(&format!("e{number}"));
                let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
                publish.pkid = number;
                let mut bytes = BytesMut::new();
                publish.write(&mut bytes).unwrap();
                writer.write_all(&bytes).await.unwrap();
            }
            writer
        };
        let receiving = async move {
            let (mut acked, mut longest) = (0, Duration::ZERO);
            while acked < count {
                match Packet::read(&mut input, 1 << 20) {
                    Ok(Packet::PubAck(ack)) => {
                        acked += 1;
                        // From the time at which it was due: a late send is a delay, too.
                        longest = longest.max(due(ack.pkid).elapsed());
                    }
                    Ok(_) => {}
                    Err(_) => {
                        let read = reader.read_buf(&mut input).await.unwrap();
                        assert!(read > 0, "disconnected after {acked} PUBACKs");
                    }
                }
            }
            longest
        };
        let (_writer, longest) = tokio::join!(sending, receiving);
        longest
    }
}
