//! One of many gateways in this process: the path's own code, and a stand-in for the daemon.
//!
//! The path is the link to the broker, the reception with its verification, the agent with its
//! machine, and a real folder for record, bundles and files. The stand-in answers what the agent
//! asks of the daemon: it reads the files of a bundle, and a wrong database makes Odoo held.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rumqttc::MqttOptions;
use stockrelay::clock;
use stockrelay::event::Name;
use stockrelay::fleet::agent::{Agent, FleetStart, Site, SiteCheck};
use stockrelay::fleet::centre::{
    self, BuildOptions, CentreOptions, CentreSite, CentreState, Measures, Tempo,
};
use stockrelay::fleet::disk::FolderStorage;
use stockrelay::fleet::identity::GatewayKey;
use stockrelay::fleet::machine::{Answer, WallClock};
use stockrelay::fleet::orders::{FleetOrders, FleetStatus, OrderError};
use stockrelay::fleet::own_report;
use stockrelay::fleet::reception::{Gate, Reception};
use stockrelay::fleet::record::ConfigSet;
use stockrelay::fleet::report::Report;
use stockrelay::fleet::watch::{FleetTimes, Observation};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The file of a bundle that says which database of Odoo is used.
pub const ODOO: &str = "config.d/50-odoo.toml";
/// A database that does not exist.
pub const WRONG: &str = "wrong";

const TIMES: FleetTimes = FleetTimes {
    watch: Duration::from_secs(5),
    quiet: Duration::from_secs(1),
    quiet_max: Duration::from_secs(10),
};

/// What a gateway did, for the test.
#[derive(Default)]
pub struct Deeds {
    /// The serials of the bundles that it loaded.
    pub applied: Mutex<BTreeSet<u64>>,
    /// When it opened connections to the broker.
    pub attempts: Mutex<Vec<Instant>>,
    is_held: AtomicBool,
}

pub struct Gateway {
    pub site: Name,
    pub status: watch::Receiver<FleetStatus>,
    pub link: watch::Receiver<CentreState>,
    pub deeds: Arc<Deeds>,
    tasks: [JoinHandle<()>; 2],
}

impl Gateway {
    /// Starts a gateway with a folder of its own below `dir`. `trust`: the installed trust.toml.
    /// It writes to the disk.
    pub fn start(site: Name, dir: &Path, trust: &Path, port: u16) -> Self {
        let folder = dir.join(site.as_str());
        fs::create_dir(&folder).unwrap();
        // Without the lock, which takes one of the open files of this process.
        let mut storage = FolderStorage::inside(&folder);
        let key = GatewayKey::open(&mut storage);
        let start = FleetStart::open(storage, now(), TIMES).unwrap();
        let (orders, received) = FleetOrders::new();
        let (status_sender, status) = watch::channel(start.status());
        let gate = Gate {
            trust: trust.to_owned(),
            user: rustix::process::getuid().as_raw(),
            site: site.clone(),
            group: None,
            key,
            links: start.links(),
        };
        let reception = Reception::new(gate, orders, status.clone());
        let deeds = Arc::<Deeds>::default();
        let (link_sender, link) = watch::channel(CentreState::default());
        let daemon = Daemon {
            deeds: Arc::clone(&deeds),
            link: link.clone(),
        };
        let mut agent = Agent::new(start, Arc::new(daemon));
        let running = async move {
            agent.loaded(ConfigSet::Files, Ok(())).await;
            let never = CancellationToken::new();
            agent.run(received, status_sender, never).await;
        };
        let centred = Centred {
            site: site.clone(),
            reception,
            status: status.clone(),
            deeds: Arc::clone(&deeds),
        };
        let options = options(&site, port, &deeds);
        let linked = centre::run(
            options,
            Arc::new(centred),
            link_sender,
            CancellationToken::new(),
        );
        Self {
            site,
            status,
            link,
            deeds,
            tasks: [tokio::spawn(running), tokio::spawn(linked)],
        }
    }

    pub fn is_connected(&self) -> bool {
        is_connected(&self.link.borrow())
    }

    pub fn has_applied(&self, serial: u64) -> bool {
        self.deeds.applied.lock().unwrap().contains(&serial)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn options(site: &Name, port: u16, deeds: &Arc<Deeds>) -> CentreOptions {
    let deeds = Arc::clone(deeds);
    let broker: BuildOptions = Arc::new(move |id| {
        deeds.attempts.lock().unwrap().push(clock::instant());
        Ok(MqttOptions::new(id, "127.0.0.1", port))
    });
    CentreOptions {
        site: site.clone(),
        group: None,
        broker: Some(broker),
        url: None,
        poll: Duration::from_mins(15),
        ca: None,
        client_cert: None,
        client_key: None,
        tempo: Tempo::default(),
    }
}

fn is_connected(link: &CentreState) -> bool {
    let broker = link.broker.as_ref();
    broker.is_some_and(|broker| broker.is_up == Some(true))
}

fn now() -> WallClock {
    WallClock {
        now: clock::now(),
        is_trusted: true,
    }
}

/// The stand-in for the daemon.
struct Daemon {
    deeds: Arc<Deeds>,
    link: watch::Receiver<CentreState>,
}

impl Daemon {
    fn database(set: &Path) -> Result<String, String> {
        let file = set.join(ODOO);
        let text = fs::read_to_string(&file);
        text.map_err(|error| format!("{}: {error}", file.display()))
    }
}

impl Site for Daemon {
    fn clock(&self) -> WallClock {
        now()
    }

    fn observe(&self) -> Observation {
        let is_held = self.deeds.is_held.load(Ordering::Relaxed);
        Observation {
            odoo_held: is_held.then(|| "the database does not exist".to_owned()),
            sources: BTreeMap::from([("mqtt.broker".to_owned(), true)]),
            devices: (1..=4).map(|number| format!("pda-{number}")).collect(),
            centre: Some(is_connected(&self.link.borrow())),
            ..Observation::default()
        }
    }

    async fn check(&self, set: &Path) -> SiteCheck {
        SiteCheck {
            faults: Self::database(set).err().into_iter().collect(),
            changes_odoo: false,
        }
    }

    async fn load(&self, set: Option<&Path>) -> Result<(), String> {
        let Some(set) = set else {
            self.deeds.is_held.store(false, Ordering::Relaxed);
            return Ok(());
        };
        let database = Self::database(set)?;
        let is_held = database.contains(WRONG);
        let name = set.file_name().unwrap().to_str().unwrap();
        let (serial, _) = name.split_once('-').unwrap();
        let mut applied = self.deeds.applied.lock().unwrap();
        applied.insert(serial.parse().unwrap());
        self.deeds.is_held.store(is_held, Ordering::Relaxed);
        Ok(())
    }

    fn pause_sending(&self, _: bool) {}
}

/// The gateway as the link knows it.
struct Centred {
    site: Name,
    reception: Reception,
    status: watch::Receiver<FleetStatus>,
    deeds: Arc<Deeds>,
}

impl CentreSite for Centred {
    async fn take_bundle(&self, bytes: Bytes, by: &str) -> Result<Answer, OrderError> {
        self.reception.take_bundle(bytes, by, false).await
    }

    async fn take_stop(&self, bytes: Bytes, by: &str) -> Result<Answer, OrderError> {
        self.reception.take_stop(bytes, by).await
    }

    async fn reject(&self, reason: String, by: &str) -> Result<Answer, OrderError> {
        self.reception.reject(reason, by).await
    }

    fn highest(&self) -> Option<u64> {
        self.status.borrow().highest.map(|id| id.serial)
    }

    fn report(&self) -> Report {
        let status = self.status.borrow().clone();
        let mut report = own_report::describe(&self.site, None, &status, clock::now());
        report.running.hash = "7".repeat(64);
        let is_held = self.deeds.is_held.load(Ordering::Relaxed);
        if is_held { "held" } else { "up" }.clone_into(&mut report.odoo);
        report.recipient = self.reception.recipient();
        report
    }

    async fn measure(&self) -> Measures {
        let expires = "2096-01-01T00:00:00Z".parse().unwrap();
        Measures {
            clock_offset_ms: None,
            disk_free_bytes: Some(7_000_000_000),
            oldest_waiting_s: 0,
            expires: BTreeMap::from([("odoo_key".to_owned(), expires)]),
        }
    }
}
