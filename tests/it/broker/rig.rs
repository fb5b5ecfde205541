//! A real mosquitto, a journal that keeps events in memory, and a device.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
use rustix::process::{Pid, Signal, kill_process};
use stockrelay::board::Board;
use stockrelay::channel::Outbound;
use stockrelay::config;
use stockrelay::event::{EventFlag, Name, Seq};
use stockrelay::journal::{Accepted, AppendError, Inbox, Request};
use stockrelay::source::floor_devices::FloorDevices;
use stockrelay::source::{Intake, broker};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::free_address::free_address;

pub const SITE: &str = "ams1";

/// Waits until something holds; fails after a minute.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_mins(1), wait)
            .await
            .is_ok(),
        "not within a minute: {what}"
    );
}

pub struct Mosquitto {
    pub dir: TempDir,
    pub port: u16,
    child: Option<Child>,
}

impl Mosquitto {
    /// `extra` goes behind the listener's line; `DIR` in it is the broker's directory, which
    /// `prepare` may fill.
    pub async fn start(extra: &str, prepare: impl FnOnce(&Path)) -> Self {
        let settings = format!(
            "{extra}\nuser root\npersistence true\npersistence_location DIR/\n\
             autosave_on_changes true\nautosave_interval 1\nmax_queued_messages 0\nlog_dest stderr\nlog_type all"
        );
        Self::start_with(&settings, prepare).await
    }

    /// `settings`: everything except for the listener's line.
    pub async fn start_with(settings: &str, prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let port = free_address().port();
        let config = format!("listener {port} 127.0.0.1\n{settings}\n");
        let config = config.replace("DIR", dir.path().to_str().unwrap());
        fs::write(dir.path().join("mosquitto.conf"), config).unwrap();
        let mut mosquitto = Self {
            dir,
            port,
            child: None,
        };
        mosquitto.restart().await;
        mosquitto
    }

    pub async fn plain() -> Self {
        Self::start("allow_anonymous true", |_| {}).await
    }

    pub async fn restart(&mut self) {
        self.kill();
        let child = Command::new("mosquitto")
            .arg("-c")
            .arg(self.dir.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(self.log())
            .spawn()
            .expect("mosquitto is installed");
        self.child = Some(child);
        let port = self.port;
        until("mosquitto listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
    }

    /// The process, while it runs.
    pub fn process(&self) -> Pid {
        let child = self.child.as_ref().expect("mosquitto runs");
        Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
    }

    /// SIGTERM: it stores the retained messages and ends.
    pub fn stop(&mut self) {
        kill_process(self.process(), Signal::TERM).unwrap();
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }

    /// Its log goes on over restarts.
    fn log(&self) -> File {
        let path = self.dir.path().join("log");
        File::options()
            .create(true)
            .append(true)
            .open(path)
            .unwrap()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A journal that keeps what it is given, finds duplicates, and can be full.
#[derive(Clone, Default)]
pub struct Journal {
    events: Arc<Mutex<BTreeMap<(String, String), Seq>>>,
    pub full: Arc<AtomicBool>,
    pub refused: Arc<AtomicUsize>,
    pub duplicates: Arc<AtomicUsize>,
    flagged: Arc<AtomicUsize>,
    rejected: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl Journal {
    pub fn open(&self) -> Intake {
        let (inbox, mut requests) = Inbox::new();
        let journal = self.clone();
        tokio::spawn(async move {
            while let Some(request) = requests.recv().await {
                // About what an fsync takes, so that kills meet messages that are under way.
                tokio::time::sleep(Duration::from_millis(1)).await;
                if let Request::Append { decoded, reply, .. } = request {
                    drop(reply.send(journal.append(&decoded)));
                }
            }
        });
        Intake::new(inbox)
    }

    fn append(
        &self,
        decoded: &[Result<stockrelay::event::Event, stockrelay::event::Rejection>],
    ) -> Result<Vec<Accepted>, AppendError> {
        if self.full.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(AppendError::Full);
        }
        let mut events = self.events.lock().unwrap();
        let accept = |entry: &Result<stockrelay::event::Event, stockrelay::event::Rejection>| {
            let event = match entry {
                Ok(event) => event,
                Err(rejection) => {
                    let id = rejection.id.clone().unwrap_or_default();
                    self.rejected
                        .lock()
                        .unwrap()
                        .push((rejection.code.as_str(), id));
                    return Accepted::Rejected {
                        code: rejection.code,
                        message: rejection.message.clone(),
                    };
                }
            };
            let seq = Seq::new(events.len() as u64 + 1);
            let key = (event.device.to_string(), event.id.clone());
            if let Some(original) = events.get(&key) {
                self.duplicates.fetch_add(1, Ordering::SeqCst);
                Accepted::Duplicate {
                    original: *original,
                }
            } else {
                events.insert(key, seq);
                if event.flags == [EventFlag::PossibleRepeat] {
                    self.flagged.fetch_add(1, Ordering::SeqCst);
                }
                Accepted::Stored { seq }
            }
        };
        Ok(decoded.iter().map(accept).collect())
    }

    pub fn ids(&self) -> BTreeSet<String> {
        let events = self.events.lock().unwrap();
        events.keys().map(|(_, id)| id.clone()).collect()
    }

    /// The codes and ids of what was rejected, each once.
    pub fn rejected(&self) -> BTreeSet<(&'static str, String)> {
        self.rejected.lock().unwrap().iter().cloned().collect()
    }

    /// Events that may be repeats.
    pub fn flagged(&self) -> usize {
        self.flagged.load(Ordering::SeqCst)
    }

    pub fn len(&self) -> usize {
        self.events.lock().unwrap().len()
    }
}

/// The source under test, on a task of its own.
pub struct Gateway {
    pub board: Board,
    pub floor: FloorDevices,
    pub outbound: mpsc::Sender<Outbound>,
    pub cancel: CancellationToken,
    pub task: JoinHandle<()>,
}

pub fn config(url: String) -> config::Broker {
    config::Broker {
        url,
        client_id: None,
        username: None,
        password_file: None,
        ca: None,
        client_cert: None,
        client_key: None,
        devices: None,
        keep_alive_s: 5,
        packet_bytes_max: 1 << 20,
    }
}

impl Gateway {
    pub fn start(config: &config::Broker, journal: &Journal) -> Self {
        let board = Board::new();
        let site = Name::new(SITE).unwrap();
        let intake = journal.open();
        let floor = intake.floor_devices().clone();
        let broker = broker::Broker::new(config, site, intake, board.clone()).unwrap();
        let outbound = broker.outbound();
        let cancel = CancellationToken::new();
        let running = broker.run(cancel.clone());
        let task = tokio::spawn(async move { drop(running.await) });
        Self {
            board,
            floor,
            outbound,
            cancel,
            task,
        }
    }

    pub async fn start_up(mosquitto: &Mosquitto, journal: &Journal) -> Self {
        let gateway = Self::start(
            &config(format!("mqtt://127.0.0.1:{}", mosquitto.port)),
            journal,
        );
        gateway.until_state("up").await;
        gateway
    }

    pub fn state(&self) -> (String, String) {
        let sources = self.board.snapshot().sources;
        let view = &sources["mqtt.broker"];
        (view.state.clone(), view.detail.clone().unwrap_or_default())
    }

    pub async fn until_state(&self, state: &str) {
        until(&format!("the source is {state}"), || {
            self.state().0 == state
        })
        .await;
    }

    /// Ends the daemon as a SIGKILL would: without a DISCONNECT to the broker.
    pub async fn abort(self) {
        self.task.abort();
        drop(self.task.await);
    }
}

/// A device that publishes events and collects what it is sent.
pub struct Device {
    pub client: AsyncClient,
    pub name: &'static str,
    /// Channel and payload of what came.
    pub heard: Arc<Mutex<Vec<(String, serde_json::Value)>>>,
    task: JoinHandle<()>,
}

impl Device {
    pub async fn start(mosquitto: &Mosquitto, name: &'static str) -> Self {
        let mut options = MqttOptions::new(name, "127.0.0.1", mosquitto.port);
        options.set_clean_session(false).set_inflight(10);
        let (client, mut eventloop) = AsyncClient::new(options, 2_000);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ready = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn({
            let (client, heard, ready) = (client.clone(), heard.clone(), ready.clone());
            async move {
                loop {
                    match eventloop.poll().await {
                        Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                            for channel in ["receipt", "display", "tasks", "config/desired"] {
                                let topic = format!("stockrelay/v1/{SITE}/{name}/{channel}");
                                client.try_subscribe(topic, QoS::AtLeastOnce).unwrap();
                            }
                        }
                        Ok(Event::Incoming(Incoming::SubAck(_))) => {
                            ready.store(true, Ordering::SeqCst);
                        }
                        Ok(Event::Incoming(Incoming::Publish(publish))) => {
                            let channel = publish.topic.rsplit('/').next().unwrap().to_owned();
                            // An empty payload removes a retained message.
                            let value = match &publish.payload[..] {
                                [] => serde_json::Value::Null,
                                payload => serde_json::from_slice(payload).unwrap(),
                            };
                            heard.lock().unwrap().push((channel, value));
                        }
                        Ok(_) => {}
                        Err(_) => {
                            // The device's memory is the test's: it sends again what has no
                            // receipt.
                            eventloop.clean();
                            eventloop.pending.clear();
                            eventloop.state.collision = None;
                            eventloop.state.events.clear();
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    }
                }
            }
        });
        until("the device is connected", || ready.load(Ordering::SeqCst)).await;
        Self {
            client,
            name,
            heard,
            task,
        }
    }

    pub async fn publish(&self, channel: &str, retain: bool, payload: impl Into<Vec<u8>>) {
        let topic = format!("stockrelay/v1/{SITE}/{}/{channel}", self.name);
        self.client
            .publish(topic, QoS::AtLeastOnce, retain, payload)
            .await
            .unwrap();
    }

    pub async fn transfer(&self, id: &str) {
        let payload = format!(
            r#"{{"id":"{id}","type":"transfer","product":"4000000000006","from":"A","to":"B"}}"#
        );
        self.publish("event", false, payload).await;
    }

    /// The ids for which a receipt says `stored`.
    pub fn stored(&self) -> BTreeSet<String> {
        let heard = self.heard.lock().unwrap();
        heard
            .iter()
            .filter(|(channel, value)| channel == "receipt" && value["status"] == "stored")
            .map(|(_, value)| value["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}
