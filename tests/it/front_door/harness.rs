//! A front door on a free port, a journal whose answers the test holds in its hand, and a client
//! made of bytes.

mod raw;

pub use self::raw::{Hello, Packet, Raw, framed};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stockrelay::board::Board;
use stockrelay::capture::Capture;
use stockrelay::channel::Outbound;
use stockrelay::config::Listen;
use stockrelay::event::{EventFlag, Name, Seq};
use stockrelay::journal::{
    Accepted, AppendError, Inbox, Namespace, Request, SideChange, SideValue,
};
use stockrelay::source::Intake;
use stockrelay::source::front_door::FrontDoor;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; a test that needs it has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const PREFIX: &str = "stockrelay/v1/ams1/pda-1/";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Answer,
    /// Appends wait until the mode changes.
    Hold,
    Full,
    Stopped,
}

#[derive(Debug, Default, Clone)]
pub struct Log {
    pub events: Vec<(String, String)>,
    /// Of each of the events.
    pub flags: Vec<Vec<EventFlag>>,
    pub rejected: Vec<(&'static str, String)>,
    pub kept: BTreeMap<String, Vec<u8>>,
    pub keep_requests: usize,
}

impl Log {
    fn change(&mut self, changes: Vec<SideChange>) {
        for (key, value) in changes {
            match value {
                Some(value) => self.kept.insert(key.to_string(), value),
                None => self.kept.remove(&key.to_string()),
            };
        }
    }
}

/// A value with the key that its stored form stands for.
fn stored((stored, value): &(String, Vec<u8>)) -> SideValue {
    let key = |namespace: Namespace| {
        let prefix = namespace.only_key().to_string();
        Some(namespace.key(stored.strip_prefix(&prefix)?))
    };
    let key = Namespace::FRONT_DOOR.into_iter().find_map(key);
    (key.expect("a key of the front door"), value.clone())
}

/// Stands for the journal.
pub struct Journal {
    mode: watch::Sender<Mode>,
    /// Events and rejections in append requests that arrived, answered or not.
    arrived: watch::Receiver<usize>,
    pub log: Arc<Mutex<Log>>,
}

impl Journal {
    fn start(mut requests: mpsc::Receiver<Request>) -> Self {
        let (mode, mut modes) = watch::channel(Mode::Answer);
        let (arrivals, arrived) = watch::channel(0);
        let log = Arc::new(Mutex::new(Log::default()));
        let shared = Arc::clone(&log);
        tokio::spawn(async move {
            let mut seqs: HashMap<(String, String), Seq> = HashMap::new();
            while let Some(request) = requests.recv().await {
                match request {
                    Request::Append {
                        decoded,
                        side_changes,
                        reply,
                        ..
                    } => {
                        arrivals.send_modify(|count| *count += decoded.len());
                        let released = modes.wait_for(|mode| *mode != Mode::Hold).await;
                        let mode = released.map_or(Mode::Stopped, |mode| *mode);
                        drop(reply.send(match mode {
                            Mode::Full => Err(AppendError::Full),
                            Mode::Stopped => Err(AppendError::Stopped),
                            _ => {
                                let mut log = shared.lock().unwrap();
                                log.change(side_changes);
                                Ok(append(decoded, &mut seqs, &mut log))
                            }
                        }));
                    }
                    Request::StoreSideValues { changes, reply, .. } => {
                        let mode = *modes.borrow();
                        drop(reply.send(match mode {
                            Mode::Full => Err(AppendError::Full),
                            Mode::Stopped => Err(AppendError::Stopped),
                            _ => {
                                let mut log = shared.lock().unwrap();
                                log.keep_requests += 1;
                                log.change(changes);
                                Ok(())
                            }
                        }));
                    }
                    _ => panic!("the front door asks for no such thing"),
                }
            }
        });
        Self { mode, arrived, log }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Until so many events and rejections came in.
    pub async fn arrived(&self, count: usize) {
        let mut arrived = self.arrived.clone();
        let enough = arrived.wait_for(|seen| *seen >= count);
        tokio::time::timeout(PATIENCE, enough)
            .await
            .unwrap_or_else(|_| panic!("{count} events never arrived"))
            .unwrap();
    }

    pub fn ids(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.events.iter().map(|(_, id)| id.clone()).collect()
    }

    pub fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        self.log.lock().unwrap().kept.clone()
    }

    /// Waits until the stored values are as expected: the front door writes some of them without a
    /// message to a client.
    pub async fn until_kept(
        &self,
        what: &str,
        wanted: impl Fn(&BTreeMap<String, Vec<u8>>) -> bool,
    ) {
        let waiting = async {
            while !wanted(&self.kept()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(in_time, "{what}: {:?}", self.kept());
    }
}

fn append(
    decoded: Vec<Result<stockrelay::event::Event, stockrelay::event::Rejection>>,
    seqs: &mut HashMap<(String, String), Seq>,
    log: &mut Log,
) -> Vec<Accepted> {
    decoded
        .into_iter()
        .map(|entry| match entry {
            Ok(event) => {
                let key = (event.device.to_string(), event.id.clone());
                if let Some(original) = seqs.get(&key) {
                    return Accepted::Duplicate {
                        original: *original,
                    };
                }
                log.events.push(key.clone());
                log.flags.push(event.flags.clone());
                let seq = Seq::new(log.events.len() as u64);
                seqs.insert(key, seq);
                Accepted::Stored { seq }
            }
            Err(rejection) => {
                log.rejected
                    .push((rejection.code.as_str(), rejection.device.to_string()));
                Accepted::Rejected {
                    code: rejection.code,
                    message: rejection.message,
                }
            }
        })
        .collect()
}

pub struct Door {
    pub address: SocketAddr,
    pub journal: Journal,
    pub board: Board,
    pub outbound: mpsc::Sender<Outbound>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Door {
    pub async fn open(config: Listen) -> Self {
        Self::with(config, Vec::new()).await
    }

    pub async fn anonymous() -> Self {
        Self::open(anonymous()).await
    }

    pub async fn with(config: Listen, kept: Vec<(String, Vec<u8>)>) -> Self {
        Self::with_intake(config, kept, Intake::new).await
    }

    pub async fn with_capture(config: Listen, capture: Capture) -> Self {
        let intake = |inbox| Intake::with_capture(inbox, capture);
        Self::with_intake(config, Vec::new(), intake).await
    }

    #[expect(
        clippy::unused_async,
        reason = "it has to be called inside of a runtime"
    )]
    pub async fn with_intake(
        config: Listen,
        kept: Vec<(String, Vec<u8>)>,
        intake: impl FnOnce(Inbox) -> Intake,
    ) -> Self {
        let (inbox, requests) = Inbox::new();
        let journal = Journal::start(requests);
        journal.log.lock().unwrap().kept.extend(kept.clone());
        let board = Board::new();
        let door = FrontDoor::bind(
            &config,
            Name::new("ams1").unwrap(),
            intake(inbox.clone()),
            inbox,
            kept.iter().map(stored).collect(),
            board.clone(),
        )
        .unwrap();
        let cancel = CancellationToken::new();
        Self {
            address: door.local_addr(),
            journal,
            board,
            outbound: door.outbound(),
            task: tokio::spawn(door.run(cancel.clone())),
            cancel,
        }
    }

    /// Stops the front door as the daemon does, and returns the stored values.
    pub async fn stop(self) -> Vec<(String, Vec<u8>)> {
        self.cancel.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the door did not stop in time")
            .unwrap();
        self.journal.kept().into_iter().collect()
    }

    pub fn shut_down(&self) {
        self.cancel.cancel();
    }

    /// A message from the gateway to pda-1.
    pub async fn tell(&self, channel: &'static str, payload: &str, retain: bool) {
        let message = Outbound {
            device: Name::new("pda-1").unwrap(),
            channel: channel.into(),
            payload: payload.to_owned().into(),
            retain,
        };
        self.outbound.send(message).await.unwrap();
    }

    /// Until the board shows so many devices connected.
    pub async fn until_connected(&self, devices: u64) {
        let waiting = async {
            loop {
                let live = self.board.snapshot();
                if live
                    .sources
                    .get("mqtt.listen")
                    .is_some_and(|s| s.devices == devices)
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(in_time, "never {devices} devices connected");
    }
}

pub fn anonymous() -> Listen {
    Listen {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        anonymous: true,
        ..Listen::default()
    }
}

pub fn event(id: &str) -> String {
    format!(r#"{{"id":"{id}","type":"transfer","product":"4000000000006","from":"A","to":"B"}}"#)
}
