//! Builds the data path and runs it: opens the journal, binds the sources, and starts a task for
//! each part.
//!
//! **Invariant 11:** when the journal's writer has ended, [`Daemon::failed`] resolves, and the
//! process must exit.

mod assembling;
mod centre;
pub mod expiry;
pub mod fleet_view;
mod housekeeping;
mod indexing;
pub mod reload;
pub mod site;
mod sources;
mod trust;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::capture::{self, Capture};
use crate::catalog::Catalog;
use crate::channel::sealing::Sealer;
use crate::choice::Unusable;
use crate::clock;
use crate::config::last::FILE as LAST_CONFIG;
use crate::config::{Config, ShiftRules};
use crate::decode::profiles::Profiles;
use crate::fleet::reception::Reception;
use crate::flow;
use crate::forward::{Fencing, Forwarder, Pausing};
use crate::journal::{
    self, BeginError, Damage, Fatal, Journal, JournalError, OpenError, WriterHandle,
};
use crate::opens;
use crate::reload::Reloads;
use crate::source::Intake;
use crate::source::LastLists;
use crate::source::broker::BrokerError;
use crate::source::clock_time::ClockTimes;
use crate::source::front_door::FrontDoorError;
use crate::source::scanners::list::ScannersError;
use crate::tls;
use crate::view::control::{Control, ControlError, EffectiveView};
use crate::view::pauses::Pauses;
use assembling::Assembling;
use centre::{Here, LinkHandle, Settings};
use housekeeping::ClockCheck;
use reload::Running;
use sources::Starting;

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
    Begin(#[from] BeginError),
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
            Self::Read(error) | Self::Begin(BeginError::Read(error)) => {
                matches!(error, JournalError::Damaged(_))
            }
            _ => false,
        }
    }
}

/// What a start may bring in addition to the configuration.
#[derive(Debug, Default)]
pub struct StartOptions {
    /// Shows what was found before the start.
    pub board: Board,
    /// Takes requests of the control API to reload.
    pub reloads: Option<Reloads>,
    /// Takes bundles of the control API.
    pub reception: Option<Reception>,
}

/// A running gateway.
#[derive(Debug)]
pub struct Daemon {
    journal: Journal,
    board: Board,
    writer: WriterHandle,
    parts: JoinSet<&'static str>,
    cancel: CancellationToken,
    running: Running,
}

impl Daemon {
    /// As [`Self::start_with`], without the origins of the values and with the default options.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_with(config, |_| None, StartOptions::default()).await
    }

    /// Opens and binds everything, in the order in which it is cheap to fail, and starts it.
    /// `origin` answers what sets a key.
    pub async fn start_with(
        config: Config,
        origin: impl Fn(&str) -> Option<String>,
        options: StartOptions,
    ) -> Result<Self, StartError> {
        let StartOptions {
            board,
            reloads,
            reception,
        } = options;
        tls::install_provider();
        check(&config).await?;
        let (journal, writer) = open_journal(&config).await?;
        let clock_check = ClockCheck::start(&journal, &board);
        flow::Driver::store_first_cursor(&journal).await?;
        let copy = watch::Sender::new(open_last_copy(&config).await?);
        let cancel = CancellationToken::new();
        let profiles = Profiles::default();
        let effective = watch::Sender::new(EffectiveView::default());
        let shifts = watch::Sender::new(ShiftRules::of(&config));
        let pauses = Pauses::open(journal.clone(), board.clone())?;
        let pausing = Pausing::new(pauses.orders(), pauses.quiet());
        let site = config.site.clone();
        let take_over = Arc::new(Notify::new());
        let (sealer, seals) = Sealer::new();
        let mut control = Control::bind(&config.control, site, journal.clone(), board.clone())?
            .with_copies(copy.subscribe())
            .with_profiles(profiles.clone())
            .with_effective(effective.subscribe())
            .with_pauses(pauses, Arc::clone(&take_over))
            .with_shifts(shifts.subscribe())
            .with_sealer(sealer);
        if let Some(reloads) = reloads {
            control = control.with_reloads(reloads);
        }
        if let Some(reception) = reception.clone() {
            control = control.with_reception(reception);
        }
        let capture = start_capture(&config, copy.subscribe(), &journal).await?;
        let (clock_times, heard) = ClockTimes::new();
        let intake = Intake::with_capture(journal.inbox().clone(), capture.clone());
        let intake = add_lists(intake, &config, &profiles).with_clock_times(clock_times);
        let mut parts = JoinSet::new();
        let starting = Starting {
            config: &config,
            journal: &journal,
            intake: &intake,
            board: &board,
            cancel: &cancel,
        };
        let sources = starting.start(&mut parts)?;
        let outlets = sources.outlets.clone();
        let documents = watch::Sender::new(config.documents.clone());
        let rules = documents.subscribe();
        let (of_journal, of_board) = (journal.clone(), board.clone());
        let requests = (heard, seals);
        let assembling = Assembling::new(&config, of_journal, of_board, requests, profiles, rules)?;
        run(&mut parts, "assemble", assembling.run(cancel.clone()));
        let (to_devices, stop) = (outlets.clone(), cancel.clone());
        let tasks = capture::tasks::run(capture.clone(), to_devices, board.clone(), stop);
        run(&mut parts, "tasks", tasks);
        let ways = (intake.profiles().clone(), capture.clone(), outlets.clone());
        let flows = flow::Driver::new(journal.clone(), copy.subscribe(), ways, board.clone())?;
        run(&mut parts, "flow", flows.run(cancel.clone()));
        let settings = watch::Sender::new(reload::settings(&config));
        let forwarder = Forwarder {
            settings: settings.subscribe(),
            journal: journal.clone(),
            outlets,
            board: board.clone(),
            data_dir: config.data_dir.clone(),
            copy,
            pausing,
            fencing: Fencing::new(config.site.clone(), take_over),
        };
        run(&mut parts, "forward", forwarder.run(cancel.clone()));
        let link = start_link(&config, &journal, &board, reception, &mut parts, &cancel).await?;
        keep(&starting, clock_check, &mut parts);
        let mut daemon = Self {
            journal,
            board,
            writer,
            parts,
            cancel,
            running: Running {
                config,
                intake,
                capture,
                sources,
                settings,
                documents,
                effective,
                shifts,
                control: control.handle(),
                link,
            },
        };
        daemon.show_config(&daemon.running.config, origin);
        daemon.set_drift_after();
        // The first answer of the control API has everything that the start found.
        let serving = control.run(daemon.cancel.clone());
        run(&mut daemon.parts, "control", serving);
        Ok(daemon)
    }

    /// The address of the front door, with the actual port if the configuration has 0.
    #[must_use]
    pub fn mqtt_address(&self) -> Option<SocketAddr> {
        self.running.sources.mqtt_address
    }

    #[must_use]
    pub fn control_socket(&self) -> &Path {
        &self.running.config.control.socket
    }

    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Whether central IT's broker is connected; `None` while the configuration has none.
    #[must_use]
    pub fn centre(&self) -> watch::Receiver<Option<bool>> {
        self.running.link.is_connected.clone()
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
            () = self.journal.inbox().closed() => "the journal has stopped".to_owned(),
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

/// Opens everything that the configuration names, and closes it again.
async fn check(config: &Config) -> Result<(), StartError> {
    let config = config.clone();
    // Opening reads files: not on a thread that serves.
    let faults = tokio::task::spawn_blocking(move || opens::faults(&config, None))
        .await
        .map_err(|error| StartError::Broke(error.to_string()))?;
    if faults.is_empty() {
        Ok(())
    } else {
        Err(StartError::Opens(Unusable::Opens(faults)))
    }
}

/// Starts what keeps the journal in order: its housekeeping, and the index of the search.
fn keep(starting: &Starting<'_>, clock_check: ClockCheck, parts: &mut JoinSet<&'static str>) {
    let (journal, stop) = (starting.journal, starting.cancel);
    let data_dir = starting.config.data_dir.clone();
    let board = starting.board.clone();
    let keeping = housekeeping::run(journal.clone(), board, clock_check, data_dir, stop.clone());
    run(parts, "housekeeping", keeping);
    let indexing = indexing::run(journal.clone(), stop.clone());
    run(parts, "search index", indexing);
    starting.board.pulses().add(journal.pulse());
    run(
        parts,
        "pulse of the journal",
        answer(journal.clone(), stop.clone()),
    );
}

/// Adds the profiles, and the last good lists of devices and scanners.
fn add_lists(intake: Intake, config: &Config, profiles: &Profiles) -> Intake {
    let intake = intake.with_profiles(profiles.clone());
    intake.with_last_lists(LastLists::new(&config.data_dir))
}

/// Has the journal's writer answer whenever it is asked for a sign of life.
async fn answer(journal: Journal, stop: CancellationToken) {
    let answers = async {
        loop {
            journal.pulse().asked().await;
            // An error means that the writer has ended: `Daemon::failed` reports it.
            drop(journal.inbox().ping().await);
        }
    };
    stop.run_until_cancelled(answers).await;
}

/// Starts the link to central IT, which may have no server.
async fn start_link(
    config: &Config,
    journal: &Journal,
    board: &Board,
    reception: Option<Reception>,
    parts: &mut JoinSet<&'static str>,
    cancel: &CancellationToken,
) -> Result<LinkHandle, StartError> {
    let read = config.clone();
    let settings = tokio::task::spawn_blocking(move || Settings::of(&read))
        .await
        .map_err(|error| StartError::Broke(error.to_string()))?;
    let (settings, of_link) = watch::channel(settings);
    let expiries = centre::show_expiries(board.clone(), of_link.clone(), cancel.clone());
    run(parts, "expiries", expiries);
    let here = Here {
        site: config.site.clone(),
        group: config.fleet.group.clone(),
        data_dir: config.data_dir.clone(),
        board: board.clone(),
        journal: journal.clone(),
        reception,
        settings: of_link,
    };
    let broker = config.fleet.broker.as_ref();
    let (connected, is_connected) = watch::channel(broker.map(|_| false));
    let linking = centre::run(here.into(), connected, cancel.clone());
    run(parts, "fleet", linking);
    Ok(LinkHandle {
        settings,
        is_connected,
    })
}

async fn start_capture(
    config: &Config,
    copies: watch::Receiver<Option<Catalog>>,
    journal: &Journal,
) -> Result<Capture, StartError> {
    let (rules, fresh_for) = (config.capture.clone(), reload::fresh_for(config));
    let journal = Some(journal.clone());
    let capture = Capture::new(rules, &config.orders, copies, fresh_for, journal);
    let recalled = capture.clone();
    tokio::task::spawn_blocking(move || recalled.recall())
        .await
        .map_err(|error| StartError::Broke(error.to_string()))?;
    Ok(capture)
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
    opened.0.begin_restored(clock::now()).await?;
    Ok(opened)
}

/// Whether the journal is missing or empty although the gateway ran before.
fn is_journal_lost(data_dir: &Path) -> bool {
    journal::is_missing(data_dir) && data_dir.join(LAST_CONFIG).exists()
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
