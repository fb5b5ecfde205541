//! Applies a new configuration to the running daemon: all of it, or nothing.
//!
//! Comes in: a configuration, read from its files. Everything that can fail comes first: the check
//! as at the start, other addresses, certificates and lists (`Plan`). Then each part gets its
//! section. Goes out: the keys that changed, or every fault at once.
//!
//! **Guarantee:** sources accept readings all the time. A connected device stays connected unless
//! its own access has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::centre;
use super::sources::{BrokerHandle, RunningSources, Switch};
use super::{Daemon, FRESH_REFRESHES};
use crate::capture::Capture;
use crate::channel::desired::DesiredConfig;
use crate::clock;
use crate::config::{self, Check, Config, Loaded, ShiftRules, effective};
use crate::event::Name;
use crate::forward::{Rules, Settings};
use crate::journal::Namespace;
use crate::opens;
use crate::reload::{
    FIXED_KEYS, RESTART_KEYS, ReloadError, Reloaded, TARGET_KEYS, describe_unopened, refuse_change,
};
use crate::source::Intake;
use crate::source::broker::{self, Broker};
use crate::source::devices::{DeviceList, ReadList, Told};
use crate::source::front_door::{DoorChange, FrontDoor};
use crate::source::scanners::list::ScannerList;
use crate::view::control::{ControlChange, ControlHandle, EffectiveView};

/// The code of the alarm while a configuration with a fault is not used.
pub const CONFIG_ALARM: &str = "configuration";
/// How long a source that the configuration no longer has may take to end.
const END_MAX: Duration = Duration::from_secs(10);

/// The configuration that runs, and the way to each part that a reload changes.
#[derive(Debug)]
pub struct Running {
    pub config: Config,
    pub intake: Intake,
    pub capture: Capture,
    pub sources: RunningSources,
    pub settings: watch::Sender<Settings>,
    pub documents: watch::Sender<config::Documents>,
    pub effective: watch::Sender<EffectiveView>,
    pub shifts: watch::Sender<ShiftRules>,
    pub control: ControlHandle,
    pub link: centre::LinkHandle,
}

/// Everything that a reload needs: from here on nothing can fail.
struct Plan {
    devices: ReadList,
    scanners: ScannerList,
    settings: Settings,
    control: ControlChange,
    door: DoorPlan,
    broker: BrokerPlan,
    link: centre::Settings,
}

enum DoorPlan {
    None,
    Change(Box<DoorChange>),
    Open(Box<FrontDoor>),
}

enum BrokerPlan {
    None,
    Stay,
    Open(Box<Broker>, BrokerHandle),
}

/// The part of the configuration that the forwarder uses.
pub(super) fn settings(config: &Config) -> Settings {
    let rules = Rules {
        orders: config.orders.clone(),
        stock: config.stock.clone(),
        retention_days: config.journal.retention_days,
        time_zone: config.time_zone.clone(),
    };
    Settings::new(config.odoo.clone(), rules)
}

pub(super) fn fresh_for(config: &Config) -> Duration {
    FRESH_REFRESHES * Duration::from_secs(config.odoo.refresh_s)
}

impl Daemon {
    /// Reads the configuration files again and applies them. A fault is logged, and raises an alarm
    /// until a later reload.
    pub async fn reload_files(
        &mut self,
        path: &Path,
        environment: &[(String, String)],
    ) -> Result<(Loaded, Reloaded), ReloadError> {
        let (path, environment) = (path.to_owned(), environment.to_vec());
        let read = tokio::task::spawn_blocking(move || config::load(&path, &environment)).await;
        let loaded = match read {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(error)) => return Err(self.refuse(error.into())),
            Err(error) => {
                let faults = vec![error.to_string()];
                return Err(self.refuse(ReloadError { faults }));
            }
        };
        let reloaded = self.reload(&loaded).await?;
        Ok((loaded, reloaded))
    }

    /// Applies a configuration. A fault is logged, and raises an alarm until a later reload.
    pub async fn reload(&mut self, new: &Loaded) -> Result<Reloaded, ReloadError> {
        match self.apply(new).await {
            Ok(reloaded) => Ok(reloaded),
            Err(error) => Err(self.refuse(error)),
        }
    }

    /// Applies a configuration, all of it or nothing. A fault raises no alarm.
    pub async fn apply(&mut self, new: &Loaded) -> Result<Reloaded, ReloadError> {
        let plan = self.plan(new).await;
        let plan = plan.map_err(|faults| ReloadError { faults })?;
        for warning in &new.warnings {
            tracing::warn!("{warning}");
        }
        let changed = effective::changed_keys(&self.running.config, &new.config);
        self.switch(plan, &new.config).await;
        self.show_config(&new.config, |key| new.origin(key));
        self.set_drift_after();
        self.board.alarm(CONFIG_ALARM, None);
        tracing::info!(changed = changed.join(", "), "reloaded the configuration");
        let is_sending = self.journal.totals().sending.documents > 0;
        let pick = |keys: &[&str]| {
            let picked = changed.iter().filter(|key| keys.contains(key));
            picked.map(|key| (*key).to_owned()).collect()
        };
        Ok(Reloaded {
            after_batch: if is_sending {
                pick(&TARGET_KEYS)
            } else {
                Vec::new()
            },
            at_restart: pick(&RESTART_KEYS),
            changed: changed.iter().map(|key| (*key).to_owned()).collect(),
        })
    }

    /// Sets the configurations for floor devices.
    pub fn set_floor(&self, configs: BTreeMap<Name, DesiredConfig>) {
        self.running.intake.floor_devices().replace(configs);
    }

    /// Sets how long the configuration of a floor device may differ from the wanted one.
    pub(super) fn set_drift_after(&self) {
        let drift_s = self.running.config.fleet.drift_s;
        let floor = self.running.intake.floor_devices();
        floor.set_drift_after(Duration::from_secs(drift_s));
    }

    /// The configuration that runs, with each value.
    #[must_use]
    pub fn effective(&self) -> watch::Receiver<EffectiveView> {
        self.running.effective.subscribe()
    }

    /// Logs the faults of a configuration that is not used, and raises the alarm.
    pub fn refuse(&self, error: ReloadError) -> ReloadError {
        for fault in &error.faults {
            tracing::error!("the configuration is not reloaded: {fault}");
        }
        self.board.alarm(CONFIG_ALARM, Some(error.alarm()));
        error
    }

    /// Shows the configuration that runs.
    pub(super) fn show_config(&self, config: &Config, origin: impl Fn(&str) -> Option<String>) {
        let view = EffectiveView::of(config, origin);
        let now = clock::now();
        self.board.config(|shown| {
            if shown.hash != view.hash {
                shown.since = Some(now);
            }
            shown.hash.clone_from(&view.hash);
        });
        self.running.effective.send_replace(view);
        self.running.shifts.send_replace(ShiftRules::of(config));
    }

    /// Checks the configuration as at the start, and prepares the switch. The error has every
    /// fault.
    async fn plan(&self, new: &Loaded) -> Result<Plan, Vec<String>> {
        let running = &self.running;
        let mut faults = refuse_changes(&running.config, new);
        let (config, pid) = (new.config.clone(), own_pid());
        let is_other_link = !centre::is_same_link(&running.config.fleet, &config.fleet);
        let read = tokio::task::spawn_blocking(move || {
            let mut unopened = opens::unopened(&config, pid);
            if is_other_link {
                let link = opens::open_fleet(&config);
                unopened.extend(link.filter(|link| link.fault.is_some()));
            }
            let file = device_file(&config);
            let devices = ReadList::read(file).map_err(|error| error.to_string());
            let scanners = ScannerList::read(config.scanners.as_deref());
            let scanners = scanners.map_err(|error| error.to_string());
            let link = centre::Settings::of(&config);
            (unopened, devices, scanners, (settings(&config), link))
        });
        let read = read.await.map_err(|error| vec![error.to_string()])?;
        let (unopened, devices, scanners, (settings, link)) = read;
        faults.extend(describe_unopened(new, &unopened));
        if !faults.is_empty() {
            return Err(faults);
        }
        let (devices, scanners) = match (devices, scanners) {
            (Ok(devices), Ok(scanners)) => (devices, scanners),
            (devices, scanners) => {
                let faults = [devices.err(), scanners.err()];
                return Err(faults.into_iter().flatten().collect());
            }
        };
        let one = |error: String| vec![error];
        let broker = self.plan_broker(&new.config, &devices).map_err(one)?;
        let door = self.plan_door(&new.config, &devices).await.map_err(one)?;
        let control = running
            .control
            .prepare(&running.config.control, &new.config.control);
        let control = control.await.map_err(|error| one(error.to_string()))?;
        Ok(Plan {
            devices,
            scanners,
            settings,
            control,
            door,
            broker,
            link,
        })
    }

    async fn plan_door(&self, new: &Config, devices: &ReadList) -> Result<DoorPlan, String> {
        let running = &self.running;
        match (&running.sources.door, &new.listen) {
            (_, None) => Ok(DoorPlan::None),
            (Some(door), Some(listen)) => {
                let change = door.prepare(listen).await;
                let change = change.map_err(|error| error.to_string())?;
                Ok(DoorPlan::Change(Box::new(change)))
            }
            (None, Some(listen)) => {
                let values = self.journal.read_namespaces(&Namespace::FRONT_DOOR);
                let values = values.map_err(|error| error.to_string())?;
                let (intake, board) = (running.intake.clone(), self.board.clone());
                let list = DeviceList::of(devices, intake.last_lists().clone(), board.clone());
                let stored = (self.journal.inbox().clone(), values);
                let site = new.site.clone();
                let door = FrontDoor::with_list(listen, list, site, intake, stored, board);
                let door = door.map_err(|error| error.to_string())?;
                Ok(DoorPlan::Open(Box::new(door)))
            }
        }
    }

    fn plan_broker(&self, new: &Config, devices: &ReadList) -> Result<BrokerPlan, String> {
        let running = &self.running;
        let Some(wanted) = &new.broker else {
            return Ok(BrokerPlan::None);
        };
        let credentials = broker::hash_credentials(wanted);
        let link = |broker: &config::Broker| {
            // A bundle brings the same secrets under other paths: `credentials` is their content.
            let is_set = |file: &Option<PathBuf>| file.as_ref().map(|_| PathBuf::new());
            config::Broker {
                devices: None,
                password_file: is_set(&broker.password_file),
                ca: is_set(&broker.ca),
                client_cert: is_set(&broker.client_cert),
                client_key: is_set(&broker.client_key),
                ..broker.clone()
            }
        };
        let is_same = running.config.broker.as_ref().map(link) == Some(link(wanted));
        let present = running.sources.broker.as_ref();
        if is_same && present.is_some_and(|present| present.credentials == credentials) {
            return Ok(BrokerPlan::Stay);
        }
        let (intake, board) = (running.intake.clone(), self.board.clone());
        let list = DeviceList::of(devices, intake.last_lists().clone(), board.clone());
        let list = Arc::new(list);
        let handle = BrokerHandle {
            list: Arc::clone(&list),
            credentials,
        };
        let broker = Broker::with_list(wanted, new.site.clone(), list, intake, board);
        let broker = broker.map_err(|error| error.to_string())?;
        Ok(BrokerPlan::Open(Box::new(broker), handle))
    }

    /// Gives each part its section.
    async fn switch(&mut self, plan: Plan, new: &Config) {
        let old = std::mem::replace(&mut self.running.config, new.clone());
        if old.journal != new.journal {
            // The journal has stopped: so does the daemon.
            drop(self.journal.inbox().set_limits(new.journal.clone()).await);
        }
        let running = &self.running;
        let capture = &running.capture;
        capture.reload(new.capture.clone(), &new.orders, fresh_for(new));
        if old.capture.check == Check::Off && new.capture.check != Check::Off {
            let capture = capture.clone();
            tokio::task::spawn_blocking(move || capture.recall());
        }
        running.documents.send_if_modified(|documents| {
            let is_other = *documents != new.documents;
            documents.clone_from(&new.documents);
            is_other
        });
        running.settings.send_replace(plan.settings);
        running.sources.scanners.switch(&plan.scanners);
        if device_file(new).is_none() {
            running.intake.profiles().set_devices([].into());
            capture.set_devices([].into());
        }
        running.link.settings.send_if_modified(|link| {
            let is_other = *link != plan.link;
            *link = plan.link;
            is_other
        });
        self.switch_door(plan.door, &plan.devices).await;
        self.switch_broker(plan.broker, &plan.devices).await;
        self.running.control.switch(plan.control).await;
        let last_lists = self.running.intake.last_lists().clone();
        let (devices, scanners) = (plan.devices, plan.scanners);
        let keep = move || {
            devices.keep(&last_lists);
            scanners.keep(&last_lists);
        };
        drop(tokio::task::spawn_blocking(keep).await);
    }

    async fn switch_door(&mut self, plan: DoorPlan, devices: &ReadList) {
        let running = &mut self.running.sources;
        let (ended, end) = oneshot::channel();
        match plan {
            DoorPlan::Change(change) => {
                if let Some(door) = &running.door
                    && let Some(address) = door.switch(*change, devices)
                {
                    running.mqtt_address = Some(address);
                }
            }
            DoorPlan::Open(door) => {
                door.announce();
                running.mqtt_address = Some(door.local_addr());
                running.door = Some(door.handle());
                running.outlets.listen.set(Some(door.outbound()));
                let next = Some(*door);
                drop(running.doors.send(Switch { next, ended }).await);
            }
            DoorPlan::None => {
                let Some(door) = running.door.take() else {
                    return;
                };
                running.mqtt_address = None;
                running.outlets.listen.set(None);
                drop(running.doors.send(Switch { next: None, ended }).await);
                // What it stores at its end is needed if a later reload opens it again.
                drop(tokio::time::timeout(END_MAX, end).await);
                door.clear_alarms();
            }
        }
    }

    async fn switch_broker(&mut self, plan: BrokerPlan, devices: &ReadList) {
        let running = &mut self.running.sources;
        let (ended, _end) = oneshot::channel();
        match plan {
            BrokerPlan::Stay => {
                if let Some(broker) = &running.broker {
                    broker.list.replace(devices);
                    broker.list.tell(&mut Told::default(), &self.running.intake);
                }
            }
            BrokerPlan::Open(broker, handle) => {
                handle.list.tell(&mut Told::default(), &self.running.intake);
                running.broker = Some(handle);
                running.outlets.broker.set(Some(broker.outbound()));
                let next = Some(*broker);
                drop(running.brokers.send(Switch { next, ended }).await);
            }
            BrokerPlan::None => {
                if running.broker.take().is_some() {
                    running.outlets.broker.set(None);
                    drop(running.brokers.send(Switch { next: None, ended }).await);
                }
            }
        }
    }
}

/// The changes that only a restart may make.
fn refuse_changes(old: &Config, new: &Loaded) -> Vec<String> {
    let mut faults = Vec::new();
    let [site_key, dir_key] = FIXED_KEYS;
    let (site, found) = (old.site.as_str(), new.config.site.as_str());
    if site != found {
        faults.push(refuse_change(new, site_key, site, found));
    }
    if old.data_dir != new.config.data_dir {
        let (data_dir, found) = (old.data_dir.display(), new.config.data_dir.display());
        let (data_dir, found) = (data_dir.to_string(), found.to_string());
        faults.push(refuse_change(new, dir_key, &data_dir, &found));
    }
    faults
}

/// The one list of MQTT devices.
fn device_file(config: &Config) -> Option<&Path> {
    let listen = config.listen.as_ref().and_then(|it| it.devices.as_deref());
    let broker = config.broker.as_ref().and_then(|it| it.devices.as_deref());
    listen.or(broker)
}

fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(i32::MAX)
}
