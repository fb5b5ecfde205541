//! Bundles in the daemon's life: starts the agent, loads what it asks for, shows its state.
//!
//! Comes in: the state of bundles at the start, and requests of the agent. Goes out: the files of a
//! bundle to the daemon, the state to the board, and the configuration to the fallback's file once
//! it is confirmed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::geteuid;
use stockrelay::board::Board;
use stockrelay::choice::FleetBeginning;
use stockrelay::config::Loaded;
use stockrelay::daemon::Daemon;
use stockrelay::daemon::fleet_view::{self, KEY_ALARM};
use stockrelay::daemon::reload::CONFIG_ALARM;
use stockrelay::daemon::site::{Counts, Gateway};
use stockrelay::fleet::agent::{Agent, FleetStart};
use stockrelay::fleet::disk::FolderStorage;
use stockrelay::fleet::local::{LocalConfig, LocalFiles};
use stockrelay::fleet::orders::{FleetOrder, FleetOrders, FleetStatus, ReceivedOrders};
use stockrelay::fleet::reception::{Gate, Reception, TRUST_FILE};
use stockrelay::fleet::record::{BundleId, ConfigSet};
use stockrelay::reload::{ReloadError, Reloaded, SetRequest};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long the agent may take to store that the process stops.
const STOP_MAX: Duration = Duration::from_secs(2);

/// Everything that the agent needs, before there is a daemon.
pub struct Waiting {
    start: FleetStart<FolderStorage>,
    files: LocalFiles,
    set: ConfigSet,
    /// The bundle whose values the last good configuration has, if the process starts with it.
    fallback: Option<BundleId>,
    /// Whether the process starts with the last good configuration.
    pub is_instead: bool,
    orders: FleetOrders,
    received: ReceivedOrders,
    status: watch::Sender<FleetStatus>,
    pub reception: Reception,
}

impl Waiting {
    pub fn new(beginning: FleetBeginning, is_instead: bool) -> Self {
        let FleetBeginning {
            start,
            files,
            set,
            fallback,
            ..
        } = beginning;
        let (orders, received) = FleetOrders::new();
        let status = watch::Sender::new(FleetStatus {
            running: fallback.map_or(set, ConfigSet::Bundle),
            ..start.status()
        });
        if let Some(warning) = start.warning() {
            tracing::warn!("bundles: {warning}");
        }
        // Absolute, so that its directory is checked, too.
        let main = std::path::absolute(&files.main).unwrap_or_else(|_| files.main.clone());
        let gate = Gate {
            trust: main.with_file_name(TRUST_FILE),
            user: geteuid().as_raw(),
            site: files.site.clone(),
            group: files.group.clone(),
            key: files.key.clone(),
            links: start.links(),
        };
        let reception = Reception::new(gate, orders.clone(), status.subscribe());
        Self {
            start,
            files,
            set,
            fallback,
            is_instead,
            orders,
            received,
            status,
            reception,
        }
    }

    /// Shows the state of bundles before there is a daemon.
    pub fn show(&self, board: &Board) {
        fleet_view::show(board, &self.status.borrow());
        let alarm = self.files.key.alarm();
        if let Some(alarm) = &alarm {
            tracing::error!("{alarm}");
        }
        board.alarm(KEY_ALARM, alarm);
    }

    /// Starts the agent of a daemon that runs.
    pub fn run(self, daemon: &Daemon) -> Bundles {
        let (loads, requests) = mpsc::channel(1);
        let (set, sets) = (self.set, self.start.sets());
        let site = Gateway {
            board: daemon.board().clone(),
            journal: daemon.journal().clone(),
            files: self.files.clone(),
            effective: daemon.effective(),
            loads,
            centre: daemon.centre(),
            counts: Counts::default().into(),
        };
        let mut agent = Agent::new(self.start, site.into()).with_fallback(self.fallback);
        let (stop, status) = (CancellationToken::new(), self.status.subscribe());
        let cancel = stop.clone();
        let task = tokio::spawn(async move {
            agent.loaded(set, Ok(())).await;
            agent.run(self.received, self.status, cancel).await;
        });
        Bundles {
            files: self.files,
            requests,
            orders: self.orders,
            status,
            folder: folder_of(&sets, set),
            sets,
            is_instead: self.is_instead,
            unstored: None,
            stop,
            task,
        }
    }
}

/// The running agent.
pub struct Bundles {
    files: LocalFiles,
    requests: mpsc::Receiver<SetRequest>,
    orders: FleetOrders,
    status: watch::Receiver<FleetStatus>,
    /// The folder of the bundle that runs.
    folder: Option<PathBuf>,
    /// The folder with those of all bundles.
    sets: PathBuf,
    /// Whether the last good configuration runs.
    is_instead: bool,
    /// The configuration that runs and is not confirmed yet.
    unstored: Option<Loaded>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What the agent has for the daemon.
pub enum News {
    Load(SetRequest),
    Status,
}

impl Bundles {
    /// Waits for news of the agent. Without an agent it waits for ever.
    pub async fn next(bundles: &mut Option<Self>) -> News {
        let Some(bundles) = bundles else {
            return std::future::pending().await;
        };
        tokio::select! {
            Some(request) = bundles.requests.recv() => News::Load(request),
            Ok(()) = bundles.status.changed() => News::Status,
            else => std::future::pending().await,
        }
    }

    /// Shows the state of the agent.
    pub fn show(&mut self, daemon: &Daemon) {
        fleet_view::show(daemon.board(), &self.status.borrow_and_update());
    }

    /// Loads the files that the agent asks for. Returns the log's new section.
    pub async fn load(
        &mut self,
        daemon: &mut Daemon,
        request: SetRequest,
    ) -> Option<stockrelay::config::Log> {
        let loaded = self.read_and_apply(daemon, request.set.clone()).await;
        let (log, result) = match loaded {
            Ok((loaded, _)) => {
                self.folder = request.set;
                self.is_instead = false;
                daemon.board().alarm(CONFIG_ALARM, None);
                let log = loaded.config.log.clone();
                self.unstored = Some(loaded);
                (Some(log), Ok(()))
            }
            Err(error) => (None, Err(error.faults.join("; "))),
        };
        // The agent may have ended.
        drop(request.reply.send(result));
        log
    }

    /// Reads the local files again, with those of the bundle that must run. If that one cannot be
    /// loaded, the gateway continues with what runs: the last good configuration, or the local
    /// files as they are now, with those of the bundle that runs.
    pub async fn reload(
        &mut self,
        daemon: &mut Daemon,
    ) -> Result<(stockrelay::config::Log, Reloaded), ReloadError> {
        let wanted = self.status.borrow().wanted;
        let folder = folder_of(&self.sets, wanted);
        let mut reloaded = self.read_and_apply(daemon, folder.clone()).await;
        if reloaded.is_ok() && folder != self.folder {
            self.folder = folder;
            // The agent may wait for a load of this task, so its answer is not waited for.
            let orders = self.orders.clone();
            tokio::spawn(async move { orders.send(FleetOrder::Loaded(wanted)).await });
        } else if let Err(error) = &reloaded
            && folder != self.folder
            && !self.is_instead
        {
            tracing::warn!("cannot load {wanted}: {error}");
            reloaded = self.read_and_apply(daemon, self.folder.clone()).await;
        }
        match reloaded {
            Ok((loaded, reloaded)) => {
                self.is_instead = false;
                daemon.board().alarm(CONFIG_ALARM, None);
                let log = loaded.config.log.clone();
                self.unstored = Some(loaded);
                Ok((log, reloaded))
            }
            Err(error) => Err(daemon.refuse(error)),
        }
    }

    async fn read_and_apply(
        &self,
        daemon: &mut Daemon,
        folder: Option<PathBuf>,
    ) -> Result<(Loaded, Reloaded), ReloadError> {
        let files = self.files.clone();
        let read = tokio::task::spawn_blocking(move || files.read(folder.as_deref())).await;
        let read = read.unwrap_or_else(|error| Err(vec![error.to_string()]));
        let LocalConfig { loaded, floor } = read.map_err(|faults| ReloadError { faults })?;
        let reloaded = daemon.apply(&loaded).await?;
        daemon.set_floor(floor);
        Ok((loaded, reloaded))
    }

    /// Keeps the configuration with which the process started, to be stored once it is confirmed.
    pub fn keep(&mut self, loaded: Loaded) {
        self.unstored = Some(loaded);
    }

    /// Takes the configuration that runs, if it may be the fallback now: no bundle that is being
    /// watched may.
    pub fn take_confirmed(&mut self) -> Option<Loaded> {
        let status = self.status.borrow();
        let is_watched =
            (status.pending.as_ref()).is_some_and(|pending| pending.state.is_applied());
        let name = |set: ConfigSet| set.bundle().map(|id| id.to_string());
        let own = self.folder.as_ref().and_then(|folder| folder.file_name());
        let is_present = own == name(status.running).as_deref().map(std::ffi::OsStr::new);
        if is_watched || !is_present {
            return None;
        }
        self.unstored.take()
    }

    /// Stops the agent. `is_clean`: the daemon has not failed, which counts for a bundle that is
    /// being watched.
    pub async fn stop(self, is_clean: bool) {
        let mut task = self.task;
        if is_clean {
            self.stop.cancel();
            if tokio::time::timeout(STOP_MAX, &mut task).await.is_ok() {
                return;
            }
        }
        task.abort();
    }
}

/// The folder of the files of a configuration. `None`: the local files alone.
fn folder_of(sets: &Path, set: ConfigSet) -> Option<PathBuf> {
    set.bundle().map(|id| sets.join(id.to_string()))
}
