//! An agent on a disk whose power can be cut, with a simulated site.
//!
//! The site notes each violation of what must hold when a configuration is loaded: its files are
//! complete; a bundle that was never confirmed is not below the highest serial that the agent
//! accepted, its rollout is not stopped, and the clock is trusted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::MutexGuard;

use bytes::Bytes;

use super::super::*;
use crate::fleet::record::StopOrder;
use crate::fleet::tests::power::PowerDisk;
use crate::fleet::tests::samples::{at, offered, seconds, signed_stop};
use crate::fleet::watch::FleetTimes;

pub const TIMES: FleetTimes = FleetTimes {
    watch: Duration::from_secs(20),
    quiet: Duration::from_secs(2),
    quiet_max: Duration::from_secs(10),
};

/// What a bundle does to the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    Well,
    /// Changes the address of Odoo.
    Moves,
    CheckFault,
    LoadFault,
    HoldsOdoo,
    SourceDown,
    LosesDevices,
    CutsOff,
    /// The process dies 3 s after it has loaded the bundle.
    Crashes,
    /// The load does not end.
    Hangs,
}

#[derive(Debug)]
pub struct World {
    pub disk: PowerDisk,
    pub second: i64,
    pub is_trusted: bool,
    pub centre_is_up: bool,
    pub is_sending: bool,
    pub behaviours: BTreeMap<u64, Behaviour>,
    /// What the process runs with: the serial, or the local files.
    pub loaded: Option<u64>,
    loaded_for: u64,
    /// Every load, and every start.
    pub loads: Vec<Option<u64>>,
    /// The highest serial that the agent accepted.
    pub accepted: u64,
    /// The stop with the highest count that the agent took.
    pub stop: Option<StopOrder>,
    pub confirmed: BTreeSet<u64>,
    pub violations: Vec<String>,
}

impl World {
    fn behaviour(&self, serial: Option<u64>) -> Behaviour {
        let known = serial.and_then(|serial| self.behaviours.get(&serial).copied());
        known.unwrap_or(Behaviour::Well)
    }

    /// A stop releases nothing.
    fn take_stop(&mut self, stop: StopOrder) {
        let before = self.stop.as_ref().map_or(0, StopOrder::stopped_to);
        let serial = stop.serial.max(before);
        self.stop = Some(if stop.is_stopped {
            StopOrder { serial, ..stop }
        } else {
            stop
        });
    }

    /// Notes a set that is not complete.
    fn check_set(&mut self, serial: u64, set: &Path) {
        let path = set.strip_prefix("fleet").unwrap();
        let found = self.disk.files(path.to_str().unwrap());
        let files = offer(serial).files.into_iter();
        let expected: BTreeMap<String, Vec<u8>> =
            files.map(|(path, bytes)| (path, bytes.to_vec())).collect();
        if found != expected {
            let names: Vec<&String> = found.keys().collect();
            let text = format!("{} is not complete: {names:?}", set.display());
            self.violations.push(text);
        }
    }

    fn load(&mut self, set: Option<&Path>) -> Result<(), String> {
        let serial = set.map(serial_of);
        if let (Some(serial), Some(set)) = (serial, set) {
            self.check_set(serial, set);
        }
        self.loads.push(serial);
        if self.behaviour(serial) == Behaviour::LoadFault {
            return Err("port 1883 is in use".to_owned());
        }
        (self.loaded, self.loaded_for) = (serial, 0);
        Ok(())
    }

    fn check_application(&mut self, serial: u64) {
        if self.confirmed.contains(&serial) {
            return;
        }
        let stop = self.stop.as_ref();
        let is_stopped = stop.is_some_and(|stop| stop.stops(serial));
        let accepted = self.accepted;
        let faults = [
            (
                serial < accepted,
                format!("{serial} is applied after {accepted}"),
            ),
            (
                is_stopped,
                format!("{serial} is applied while it is stopped"),
            ),
            (
                !self.is_trusted,
                format!("{serial} is applied without a clock"),
            ),
        ];
        let faults = faults.into_iter().filter(|(is_fault, _)| *is_fault);
        self.violations.extend(faults.map(|(_, text)| text));
    }
}

fn serial_of(set: &Path) -> u64 {
    let name = set.file_name().unwrap().to_str().unwrap();
    name.split_once('-').unwrap().0.parse().unwrap()
}

#[derive(Debug)]
pub struct FakeSite(Mutex<World>);

impl FakeSite {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

impl Site for FakeSite {
    fn clock(&self) -> WallClock {
        let world = self.world();
        WallClock {
            now: at(world.second),
            is_trusted: world.is_trusted,
        }
    }

    fn observe(&self) -> Observation {
        let world = self.world();
        let behaviour = world.behaviour(world.loaded);
        let is = |wanted| behaviour == wanted;
        let names = ["d1", "d2", "d3"].map(str::to_owned);
        let sources = [("listen", true), ("broker", !is(Behaviour::SourceDown))];
        Observation {
            odoo_held: is(Behaviour::HoldsOdoo).then(|| "no such database".to_owned()),
            odoo_down: None,
            sources: sources.map(|(name, is_up)| (name.to_owned(), is_up)).into(),
            devices: if is(Behaviour::LosesDevices) {
                BTreeSet::new()
            } else {
                names.into()
            },
            centre: Some(world.centre_is_up && !is(Behaviour::CutsOff)),
            refused: 0,
            refused_last_hour: 0,
            quiet: None,
            is_sending: world.is_sending,
        }
    }

    async fn check(&self, set: &Path) -> SiteCheck {
        let mut world = self.world();
        let serial = serial_of(set);
        world.check_set(serial, set);
        let behaviour = world.behaviour(Some(serial));
        let is_fault = behaviour == Behaviour::CheckFault;
        SiteCheck {
            faults: is_fault
                .then(|| "credential odoo-key is missing".to_owned())
                .into_iter()
                .collect(),
            changes_odoo: behaviour == Behaviour::Moves,
        }
    }

    async fn load(&self, set: Option<&Path>) -> Result<(), String> {
        let (loaded, behaviour) = {
            let mut world = self.world();
            if let Some(set) = set {
                world.check_application(serial_of(set));
            }
            (world.load(set), world.behaviour(set.map(serial_of)))
        };
        if behaviour == Behaviour::Hangs {
            std::future::pending::<()>().await;
        }
        loaded
    }

    fn pause_sending(&self, is_paused: bool) {
        let mut world = self.world();
        // The present batch ends.
        world.is_sending &= !is_paused;
    }
}

/// The bundle of a serial, with its files.
pub fn offer(serial: u64) -> OfferedFiles {
    let file = |path: &str| (path.to_owned(), Bytes::from(format!("{path} of {serial}")));
    OfferedFiles {
        offered: offered(serial),
        bundle: Bytes::from(format!("bundle {serial}")),
        files: vec![
            file("config.d/50.toml"),
            file("devices.toml"),
            file("secrets/odoo-api-key"),
        ],
        link: None,
    }
}

pub struct Rig {
    pub agent: Agent<PowerDisk, FakeSite>,
    pub site: Arc<FakeSite>,
    pub disk: PowerDisk,
    pub links: watch::Receiver<Vec<Bytes>>,
    /// Decides about unsynced writes when the power goes.
    pub choose: Box<dyn FnMut(usize) -> usize>,
    pub cuts: usize,
    /// How often a person wanted a bundle to be tried again.
    pub again: usize,
}

impl Rig {
    pub async fn new() -> Self {
        let disk = PowerDisk::default();
        let site = Arc::new(FakeSite(Mutex::new(World {
            disk: disk.clone(),
            second: 0,
            is_trusted: true,
            centre_is_up: true,
            is_sending: false,
            behaviours: BTreeMap::new(),
            loaded: None,
            loaded_for: 0,
            loads: Vec::new(),
            accepted: 0,
            stop: None,
            confirmed: BTreeSet::new(),
            violations: Vec::new(),
        })));
        let start = FleetStart::open(disk.clone(), site.clock(), TIMES).unwrap();
        let (running, folder) = (start.running(), start.running_folder());
        let mut rig = Self {
            links: start.links(),
            agent: Agent::new(start, Arc::clone(&site)),
            site,
            disk,
            choose: Box::new(|_| 0),
            cuts: 0,
            again: 0,
        };
        rig.begin(running, folder).await;
        // The empty record is on disk after the first change only.
        let order = FleetOrder::Stop(signed_stop(crate::fleet::tests::samples::stop(1, 1, false)));
        rig.agent.serve(order).await.unwrap();
        rig
    }

    /// The process reads the configuration that the agent named.
    async fn begin(&mut self, running: ConfigSet, folder: Option<PathBuf>) {
        let result = self.site.world().load(folder.as_deref());
        let is_loaded = result.is_ok();
        self.agent.loaded(running, result).await;
        if !is_loaded {
            self.site.world().load(None).unwrap();
            self.agent.loaded(ConfigSet::Files, Ok(())).await;
        }
    }

    /// A new process on a disk.
    async fn boot(&mut self, disk: PowerDisk) {
        self.disk = disk;
        self.site.world().disk = self.disk.clone();
        let clock = self.site.clock();
        let start = FleetStart::open(self.disk.clone(), clock, TIMES).unwrap();
        let (running, folder) = (start.running(), start.running_folder());
        self.links = start.links();
        self.agent = Agent::new(start, Arc::clone(&self.site));
        self.begin(running, folder).await;
    }

    pub async fn restart(&mut self) {
        self.agent.stop().await;
        self.settle().await;
        let disk = self.disk.after_kill();
        self.boot(disk).await;
    }

    pub async fn kill(&mut self) {
        let disk = self.disk.after_kill();
        self.boot(disk).await;
    }

    pub async fn cut(&mut self) {
        self.cuts += 1;
        let disk = self.disk.after_cut(&mut self.choose);
        self.boot(disk).await;
    }

    /// Starts the process again if the power went or the process died.
    pub async fn settle(&mut self) {
        while self.disk.is_off() {
            self.cut().await;
        }
        let is_dead = {
            let world = self.site.world();
            world.behaviour(world.loaded) == Behaviour::Crashes && world.loaded_for >= 3
        };
        if is_dead {
            self.kill().await;
        }
        let confirmed = self.confirmed();
        self.site.world().confirmed.extend(confirmed);
    }

    pub async fn run(&mut self, seconds_: u64) {
        for _ in 0..seconds_ {
            {
                let mut world = self.site.world();
                world.second += 1;
                world.loaded_for += 1;
            }
            self.agent.tick(seconds(1)).await;
            self.settle().await;
        }
    }

    pub async fn offer(&mut self, serial: u64) -> Result<Answer, OrderError> {
        self.serve_offer(offer(serial)).await
    }

    pub async fn serve_offer(&mut self, files: OfferedFiles) -> Result<Answer, OrderError> {
        let serial = files.offered.facts.id.serial;
        let answer = self.agent.serve(FleetOrder::Offer(Box::new(files))).await;
        if matches!(answer, Ok(Answer::Done)) && !self.disk.is_off() {
            let mut world = self.site.world();
            world.accepted = world.accepted.max(serial);
        }
        self.settle().await;
        answer
    }

    pub async fn stop(&mut self, stop: StopOrder) {
        let answer = self
            .agent
            .serve(FleetOrder::Stop(signed_stop(stop.clone())))
            .await;
        if matches!(answer, Ok(Answer::Done)) && !self.disk.is_off() {
            self.site.world().take_stop(stop.clone());
        }
        let cuts = self.cuts;
        self.settle().await;
        // Without an answer, because the power went, it may be on disk.
        let count = stop.count;
        let mut stored = self.agent.machine.record().stops.values();
        if self.cuts > cuts && stored.any(|known| known.count == count) {
            self.site.world().take_stop(stop);
        }
    }

    pub fn behave(&self, serial: u64, behaviour: Behaviour) {
        self.site.world().behaviours.insert(serial, behaviour);
    }

    pub fn loads(&self) -> Vec<Option<u64>> {
        self.site.world().loads.clone()
    }

    pub fn confirmed(&self) -> Option<u64> {
        let confirmed = self.agent.status().confirmed;
        confirmed.map(|confirmed| confirmed.id.serial)
    }

    /// Nothing was violated, and the process runs with the confirmed configuration.
    #[track_caller]
    pub fn assert_well(&self) {
        let record = self.agent.machine.record();
        let world = self.site.world();
        assert_eq!(world.violations, [""; 0], "{:?}", world.loads);
        assert_eq!(record.applied(), None);
        let confirmed = record.confirmed_set().bundle().map(|id| id.serial);
        assert_eq!(world.loaded, confirmed, "{:?}", world.loads);
    }
}
