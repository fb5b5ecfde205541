//! Builds the data path and runs it: opens the journal, binds the sources, and starts a task for
//! each part.
//!
//! **Invariant 11:** when the journal's writer has ended, [`Daemon::failed`] resolves, and the
//! process must exit.

mod assembling;
mod housekeeping;
mod trust;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::capture::{self, Capture};
use crate::catalog::Catalog;
use crate::channel::Outlets;
use crate::choice::Unusable;
use crate::config::Config;
use crate::config::last::FILE as LAST_CONFIG;
use crate::decode::profiles::Profiles;
use crate::flow;
use crate::forward::{Forwarder, Rules};
use crate::journal::{
    Damage, FILE as JOURNAL_FILE, Fatal, Journal, JournalError, Namespace, OpenError, Totals,
    WriterHandle,
};
use crate::opens;
use crate::source::Intake;
use crate::source::LastLists;
use crate::source::broker::{Broker, BrokerError};
use crate::source::clock_time::ClockTimes;
use crate::source::front_door::{FrontDoor, FrontDoorError};
use crate::source::scanners::Scanners;
use crate::source::scanners::list::ScannersError;
use crate::tls;
use crate::view::control::{Control, ControlError};

/// How long the parts may take to end by themselves before the daemon cancels them. With the
/// journal's last commit, a stop takes less than the 10 s that it may take.
const STOP_WITHIN: Duration = Duration::from_millis(7_500);

/// Number of `odoo.refresh_s` after a refresh during which the copy of Odoo's data counts as
/// complete.
const FRESH_REFRESHES: u32 = 10;

/// Why the daemon did not start; each names the thing and the remedy.
#[derive(Debug, Error)]
pub enum StartError {
    /// Every fault of [`opens`] that prevents the start.
    #[error("{0}")]
    Opens(Unusable),
    /// A fault of ours.
    #[error("the task that opens the files in data_dir has failed: {0}")]
    Broke(String),
    #[error(transparent)]
    Journal(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] JournalError),
    #[error(transparent)]
    FrontDoor(#[from] FrontDoorError),
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Scanners(#[from] ScannersError),
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl StartError {
    /// Whether another start ends in the same way, because of the journal's file.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Journal(error) => error.is_damage(),
            Self::Read(error) => matches!(error, JournalError::Damaged(_)),
            _ => false,
        }
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Daemon {
    journal: Journal,
    board: Board,
    writer: WriterHandle,
    parts: JoinSet<&'static str>,
    cancel: CancellationToken,
    mqtt_address: Option<SocketAddr>,
    control_socket: PathBuf,
    totals: watch::Receiver<Totals>,
}

impl Daemon {
    /// Opens and binds everything, in the order in which it is cheap to fail, and starts it.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        tls::install_provider();
        // Opening reads files: not on a thread that serves.
        let looked_at = config.clone();
        let faults = tokio::task::spawn_blocking(move || opens::faults(&looked_at, None))
            .await
            .map_err(|error| StartError::Broke(error.to_string()))?;
        if !faults.is_empty() {
            return Err(StartError::Opens(Unusable::Opens(faults)));
        }
        let board = Board::new();
        let (journal, writer) = open_journal(&config).await?;
        flow::Driver::store_first_cursor(&journal).await?;
        let copy = open_last_copy(&config).await?;
        let cancel = CancellationToken::new();
        let control = Control::bind(
            &config.control,
            config.site.clone(),
            journal.clone(),
            board.clone(),
        )?;
        let copy = watch::Sender::new(copy);
        let control = control.with_copies(copy.subscribe());
        let profiles = Profiles::default();
        let control = control.with_profiles(profiles.clone());
        let capture = Capture::new(
            config.capture.clone(),
            &config.orders,
            copy.subscribe(),
            FRESH_REFRESHES * Duration::from_secs(config.odoo.refresh_s),
            Some(journal.clone()),
        );
        let recalled = capture.clone();
        tokio::task::spawn_blocking(move || recalled.recall())
            .await
            .map_err(|error| StartError::Broke(error.to_string()))?;
        let (clock_times, heard) = ClockTimes::new();
        let intake = Intake::with_capture(journal.inbox().clone(), capture.clone())
            .with_clock_times(clock_times)
            .with_profiles(profiles);
        let mut parts = JoinSet::new();
        let sources = Sources {
            config: &config,
            journal: &journal,
            intake: &intake,
            board: &board,
            cancel: &cancel,
        };
        let (outlets, mqtt_address) = sources.start(&mut parts)?;
        let assembling = assembling::Assembling::new(
            &config,
            journal.clone(),
            board.clone(),
            heard,
            intake.profiles().clone(),
        )?;
        run(&mut parts, "assemble", assembling.run(cancel.clone()));
        let tasks = capture::tasks::run(
            capture.clone(),
            outlets.clone(),
            board.clone(),
            cancel.clone(),
        );
        run(&mut parts, "tasks", tasks);
        let ways = (intake.profiles().clone(), capture.clone(), outlets.clone());
        let flows = flow::Driver::new(journal.clone(), copy.subscribe(), ways, board.clone())?;
        run(&mut parts, "flow", flows.run(cancel.clone()));
        let forwarder = Forwarder {
            config: config.odoo.clone(),
            rules: Rules {
                orders: config.orders.clone(),
                stock: config.stock.clone(),
                retention_days: config.journal.retention_days,
                time_zone: config.time_zone.clone(),
            },
            journal: journal.clone(),
            outlets,
            board: board.clone(),
            data_dir: config.data_dir.clone(),
            copy,
        };
        run(&mut parts, "forward", forwarder.run(cancel.clone()));
        run(&mut parts, "control", control.run(cancel.clone()));
        run(
            &mut parts,
            "housekeeping",
            housekeeping::run(journal.clone(), board.clone(), cancel.clone()),
        );
        let totals = journal.watch();
        let control_socket = config.control.socket;
        Ok(Self {
            journal,
            board,
            writer,
            parts,
            cancel,
            mqtt_address,
            control_socket,
            totals,
        })
    }

    /// The address of the front door, with the actual port if the configuration has 0.
    #[must_use]
    pub fn mqtt_address(&self) -> Option<SocketAddr> {
        self.mqtt_address
    }

    #[must_use]
    pub fn control_socket(&self) -> &Path {
        &self.control_socket
    }

    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The damage of the journal's file that a part met first; `None` while no part met any.
    #[must_use]
    pub fn damage(&self) -> watch::Receiver<Option<Damage>> {
        self.journal.damage()
    }

    /// Resolves when the daemon cannot continue: its journal is damaged or has stopped, or an
    /// essential part has ended. The process must then exit, so that systemd starts it again.
    pub async fn failed(&mut self) -> String {
        let mut damage = self.damage();
        tokio::select! {
            // A part that meets damage may end because of it.
            biased;
            Ok(_) = damage.wait_for(Option::is_some) => "the journal is damaged".to_owned(),
            () = async { while self.totals.changed().await.is_ok() {} } => "the journal has stopped".to_owned(),
            Some(ended) = self.parts.join_next() => match ended {
                Ok(part) => format!("{part} has ended"),
                Err(error) => format!("a task of the daemon has failed: {error}"),
            },
        }
    }

    /// Stops reading, finishes work in progress, and closes the journal. The next start rebuilds
    /// open documents from their events. Takes at most 10 s.
    pub async fn stop(mut self) -> Result<(), Fatal> {
        self.cancel.cancel();
        self.journal.give_up_waiting();
        let ended = async { while self.parts.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, ended).await.is_err() {
            tracing::warn!("stopped tasks that did not end within {STOP_WITHIN:?}");
            self.parts.shutdown().await;
        }
        // An error means that the writer has ended already; its own answer says why.
        drop(self.journal.inbox().close().await);
        let (journal, writer) = (self.journal, self.writer);
        drop(journal);
        tokio::task::spawn_blocking(move || writer.join())
            .await
            .unwrap_or_else(|error| Err(Fatal::Invariant(error.to_string())))
    }
}

/// The arguments for starting the sources of readings.
struct Sources<'a> {
    config: &'a Config,
    journal: &'a Journal,
    intake: &'a Intake,
    board: &'a Board,
    cancel: &'a CancellationToken,
}

impl Sources<'_> {
    /// Binds and starts each that the configuration names. Answers the ways back to the devices,
    /// and where the front door listens.
    fn start(
        &self,
        parts: &mut JoinSet<&'static str>,
    ) -> Result<(Outlets, Option<SocketAddr>), StartError> {
        let (config, board) = (self.config, self.board);
        let last_lists = LastLists::new(&config.data_dir);
        let intake = self.intake.clone().with_last_lists(last_lists);
        let mut outlets = Outlets::default();
        let mut mqtt_address = None;
        if let Some(file) = &config.scanners {
            let scanners = Scanners::new(file, intake.clone(), board.clone())?;
            outlets.scanners = Some(scanners.outbound());
            run(parts, "scanners", scanners.run(self.cancel.clone()));
        }
        if let Some(listen) = &config.listen {
            let (inbox, values) = (
                self.journal.inbox().clone(),
                self.journal.read_namespaces(&Namespace::FRONT_DOOR)?,
            );
            let door = FrontDoor::bind(
                listen,
                config.site.clone(),
                intake.clone(),
                inbox,
                values,
                board.clone(),
            )?;
            mqtt_address = Some(door.local_addr());
            outlets.listen = Some(door.outbound());
            run(parts, "mqtt.listen", door.run(self.cancel.clone()));
        }
        if let Some(broker) = &config.broker {
            let intake = intake.clone();
            let broker = Broker::new(broker, config.site.clone(), intake, board.clone())?;
            outlets.broker = Some(broker.outbound());
            run(parts, "mqtt.broker", broker.run(self.cancel.clone()));
        }
        Ok((outlets, mqtt_address))
    }
}

/// Opens the journal on its own thread, because opening reads the file and repairs it after a
/// crash. If the journal was lost, the new journal stores that it is new.
async fn open_journal(config: &Config) -> Result<(Journal, WriterHandle), StartError> {
    let (data_dir, limits) = (config.data_dir.clone(), config.journal.clone());
    let opening = tokio::task::spawn_blocking(move || {
        let is_lost = is_journal_lost(&data_dir);
        Journal::open(&data_dir, &limits).map(|opened| (opened, is_lost))
    });
    let opened = opening
        .await
        .map_err(|error| StartError::Broke(error.to_string()))?;
    let (opened, is_lost) = opened?;
    if is_lost {
        housekeeping::note_lost_journal(&opened.0).await;
    }
    Ok(opened)
}

/// Whether the journal is missing or empty although the gateway ran before.
fn is_journal_lost(data_dir: &Path) -> bool {
    let bytes = std::fs::metadata(data_dir.join(JOURNAL_FILE)).map(|file| file.len());
    let is_there = match bytes {
        Ok(bytes) => bytes > 0,
        // Opening the journal reports other faults.
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    !is_there && data_dir.join(LAST_CONFIG).exists()
}

/// The copy of Odoo's master data as the last run left it, so that barcodes mean something before
/// Odoo answers.
async fn open_last_copy(config: &Config) -> Result<Option<Catalog>, StartError> {
    let (data_dir, odoo) = (config.data_dir.clone(), config.odoo.clone());
    let open = move || Catalog::open_last(&data_dir, &odoo.url, &odoo.database);
    let opened = tokio::task::spawn_blocking(open)
        .await
        .map_err(|error| StartError::Broke(error.to_string()))?;
    Ok(opened.unwrap_or_else(|error| {
        tracing::warn!(%error, "the copy of Odoo's master data cannot be used until Odoo answers");
        None
    }))
}

fn run(
    parts: &mut JoinSet<&'static str>,
    name: &'static str,
    part: impl Future<Output = ()> + Send + 'static,
) {
    parts.spawn(async move {
        part.await;
        name
    });
}
