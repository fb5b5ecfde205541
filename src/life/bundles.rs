//! Bundles in the daemon's life: starts the agent, loads what it asks for, shows its state.
//!
//! Comes in: the state of bundles at the start, and requests of the agent. Goes out: the files of a
//! bundle to the daemon, the state to the board, and the configuration to the fallback's file once
//! it is confirmed.

use std::path::PathBuf;
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
use stockrelay::fleet::orders::{FleetOrders, FleetStatus, ReceivedOrders};
use stockrelay::fleet::reception::{Gate, Reception, TRUST_FILE};
use stockrelay::fleet::record::ConfigSet;
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
    received: ReceivedOrders,
    status: watch::Sender<FleetStatus>,
    pub reception: Reception,
}

impl Waiting {
    pub fn new(beginning: FleetBeginning) -> Self {
        let FleetBeginning {
            start, files, set, ..
        } = beginning;
        let (orders, received) = FleetOrders::new();
        let status = watch::Sender::new(start.status());
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
        let reception = Reception::new(gate, orders, status.subscribe());
        Self {
            start,
            files,
            set,
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
        let folder = (self.set.bundle()).and_then(|_| self.start.running_folder());
        let site = Gateway {
            board: daemon.board().clone(),
            journal: daemon.journal().clone(),
            files: self.files.clone(),
            effective: daemon.effective(),
            loads,
            centre: daemon.centre(),
            counts: Counts::default().into(),
        };
        let mut agent = Agent::new(self.start, site.into());
        let (stop, status) = (CancellationToken::new(), self.status.subscribe());
        let (cancel, set) = (stop.clone(), self.set);
        let task = tokio::spawn(async move {
            agent.loaded(set, Ok(())).await;
            agent.run(self.received, self.status, cancel).await;
        });
        Bundles {
            files: self.files,
            requests,
            status,
            folder,
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
    status: watch::Receiver<FleetStatus>,
    /// The folder of the bundle that runs.
    folder: Option<PathBuf>,
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

    /// Reads the local files again, with those of the bundle that runs.
    pub async fn reload(
        &mut self,
        daemon: &mut Daemon,
    ) -> Result<(stockrelay::config::Log, Reloaded), ReloadError> {
        let reloaded = self.read_and_apply(daemon, self.folder.clone()).await;
        match reloaded {
            Ok((loaded, reloaded)) => {
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
