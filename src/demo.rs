//! The demonstration: made-up devices, the daemon and a stand-in Odoo, over a link that goes down
//! and comes back.
//!
//! ```text
//! devices ─ MQTT ─▶ the usual daemon ─ HTTP ─▶ link ─▶ Odoo: stand-in, or a real one
//!    └── their lists ───────────▶ books ◀──────── Odoo's stock ──┘
//! ```
//! Input: options. Output: a [`Summary`], which compares the devices' own lists with the ledger and
//! Odoo.

mod beepers;
pub mod books;
pub mod devices;
pub mod link;
pub mod odoo;
pub mod person_changes;
mod stage;
mod summary;
mod waiting;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use self::stage::{Place, Stage};
use crate::board::Board;
use crate::clock;
use crate::daemon::{Daemon, StartError};
use crate::journal::Totals;
use crate::view::table::counted;
use crate::view::tui;
use beepers::Line;
use books::BooksError;
use devices::DeviceLists;
use link::{Fault, Link, What};
use odoo::{Seed, StandIn};
use person_changes::PersonChanges;
pub use summary::{End, Summary};

/// What the key `q` does, in the help of the terminal UI.
const QUIT: &str = "end the demonstration and compare the books";
/// How long draining may take without progress.
const DRAIN_STALL: Duration = Duration::from_mins(1);
/// Seconds after the start at which the link goes down, and comes up again.
const FIRST_OUTAGE: (u64, u64) = (5, 9);
/// Seconds that the link then stays up, and down, in turns.
const LATER_OUTAGES: (u64, u64) = (25, 8);
/// How long Odoo may work on a call after the demonstration was stopped.
const CALL_END: Duration = Duration::from_secs(2);
/// How long the gateway may take to open the serial line.
const LINE_UP: Duration = Duration::from_secs(5);

/// The options of the demonstration.
#[derive(Debug, Clone)]
pub struct Options {
    /// Lines of text instead of the terminal UI.
    pub headless: bool,
    /// Seconds after which it ends. `None`: a person ends it.
    pub seconds: Option<u64>,
    pub devices: usize,
    /// Events a second of each device.
    pub rate: f64,
    /// A real Odoo instead of the stand-in.
    pub odoo: Option<RealOdoo>,
    /// The directory where the data stays. `None`: a temporary directory that is removed at the
    /// end.
    pub keep: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            headless: false,
            seconds: None,
            devices: 8,
            rate: 2.0,
            odoo: None,
            keep: None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct RealOdoo {
    pub url: String,
    pub database: String,
    pub api_key_file: PathBuf,
}

#[derive(Debug, Error)]
pub enum DemoError {
    #[error("cannot use {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{} has the journal of an earlier demonstration, which has the same event ids. Name another directory, or remove this one", path.display())]
    Used { path: PathBuf },
    #[error("cannot listen on the loopback interface: {0}")]
    Listen(io::Error),
    #[error("the stand-in Odoo cannot listen on {address}: {error}; name a free address")]
    Odoo {
        address: SocketAddr,
        error: io::Error,
    },
    #[error(transparent)]
    Books(#[from] BooksError),
    #[error("the daemon did not start: {0}")]
    Start(#[from] StartError),
    #[error("the daemon has stopped with an error: {0}")]
    Failed(String),
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("cannot use the terminal: {0}. Use --headless")]
    Terminal(io::Error),
}

/// Runs the demonstration to its end.
pub async fn run(options: Options) -> Result<Summary, DemoError> {
    // The signals come first, so that a person may stop it at any moment.
    let mut signals = Signals::new()?;
    let place = Place::new(options.keep.clone())?;
    let mut stage = Stage::build(&options, &place).await?;
    let mut daemon = Daemon::start(stage.config.clone()).await?;
    let outcome = run_stage(&options, &mut stage, &mut daemon, &mut signals).await;
    let stopped = daemon.stop().await;
    let summary = outcome?;
    stopped.map_err(|fatal| DemoError::Failed(fatal.to_string()))?;
    Ok(summary)
}

/// Runs only the stand-in Odoo, until a signal.
pub async fn run_only_odoo(address: SocketAddr) -> Result<(), DemoError> {
    let mut signals = Signals::new()?;
    let (version, no_delay) = (odoo::Version::V19, Duration::ZERO);
    let stand_in = StandIn::start_at(address, version, Seed::default(), no_delay).await;
    let stand_in = stand_in.map_err(|error| DemoError::Odoo { address, error })?;
    print_line(&format!(
        "a stand-in Odoo 19 serves at {}: database {}, API key {}",
        stand_in.url(),
        odoo::DATABASE,
        odoo::API_KEY
    ));
    signals.wait_for_signal().await;
    Ok(())
}

async fn run_stage(
    options: &Options,
    stage: &mut Stage,
    daemon: &mut Daemon,
    signals: &mut Signals,
) -> Result<Summary, DemoError> {
    let address = daemon.mqtt_address();
    let address = address
        .ok_or_else(|| DemoError::Failed("the MQTT front door does not listen".to_owned()))?;
    let floor = Arc::new(stage.floor(options, address));
    let mut working: JoinSet<DeviceLists> = JoinSet::new();
    for device in stage.devices.iter().cloned() {
        working.spawn(device.work(Arc::clone(&floor)));
    }
    working.spawn(beepers::run_proglove(Arc::clone(&floor)));
    let scanner = match stage.line.take() {
        Some(line) if wait_for_line(daemon).await => {
            let working = beepers::run_serial_scanner(line, Arc::clone(&floor));
            Some(tokio::spawn(working))
        }
        line => {
            stage.line = line;
            None
        }
    };
    let started = clock::instant();
    print_line(&format!(
        "commands reach this demonstration with `stockrelay --socket {} status`",
        daemon.control_socket().display()
    ));
    if options.headless {
        print_line(
            "each line: the simulated link to Odoo, and events; next attempt: when the gateway calls Odoo again after a failed call",
        );
    }
    // The devices hand in their lists also after an early end.
    let ended = run_show(options, stage, daemon, started, signals).await;
    floor.stop.store(true, Ordering::Relaxed);
    print_line("the demonstration ends: each device sends its remaining events");
    let mut lists = DeviceLists::default();
    while let Some(one) = working.join_next().await {
        lists.add(&one.map_err(|error| DemoError::Failed(error.to_string()))?);
    }
    if let Some(scanner) = scanner {
        let (list, line) = scanner
            .await
            .map_err(|error| DemoError::Failed(error.to_string()))?;
        lists.add(&list);
        // The line stays open until the daemon has stopped. Otherwise the next pseudo-terminal of
        // any program gets its name, and the daemon reads from that one.
        stage.line = Some(line);
    }
    ended?;
    stage.link.set_up(true);
    print_line(
        "the devices have stopped and the link is up: waiting until all movements are in Odoo",
    );
    let end = drain(daemon, stage, &lists, started, signals).await?;
    let waiting =
        waiting::read_moves(daemon.journal()).map_err(|e| DemoError::Failed(e.to_string()))?;
    if !waiting.is_empty() {
        // No new call reaches Odoo, and the current call ends.
        stage.link.set_up(false);
        tokio::time::sleep(CALL_END).await;
    }
    let person_changes =
        PersonChanges::read(daemon.journal()).map_err(|e| DemoError::Failed(e.to_string()))?;
    let moves = person_changes.apply_to(&lists.moves);
    let comparison = stage.books.compare(&moves, &waiting).await?;
    Ok(Summary {
        end,
        totals: daemon.journal().totals(),
        lists,
        person_changes,
        comparison,
    })
}

/// Waits until the gateway has opened the serial line. The setup of the port may drop earlier
/// bytes.
async fn wait_for_line(daemon: &Daemon) -> bool {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let up = async {
        let name = Line::source();
        let is_up = || {
            let sources = daemon.board().snapshot().sources;
            sources.get(&name).is_some_and(|view| view.state == "up")
        };
        while !is_up() {
            look.tick().await;
        }
    };
    let is_up = tokio::time::timeout(LINE_UP, up).await.is_ok();
    if !is_up {
        print_line(
            "the gateway cannot open the pseudo-terminal: the demonstration continues without a serial scanner",
        );
    }
    is_up
}

/// Lets the devices work and the link go up and down, until the time is over or a person ends it.
async fn run_show(
    options: &Options,
    stage: &Stage,
    daemon: &mut Daemon,
    started: Instant,
    signals: &mut Signals,
) -> Result<(), DemoError> {
    let socket = daemon.control_socket().to_owned();
    let front = async {
        if options.headless {
            std::future::pending().await
        } else {
            let options = tui::Options {
                quit: QUIT,
                is_read_only: false,
                language: None,
            };
            tui::run(&socket, options).await
        }
    };
    let (journal, board) = (daemon.journal().clone(), daemon.board().clone());
    let play = async {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            let second = clock::instant().duration_since(started).as_secs();
            if options.seconds.is_some_and(|seconds| second >= seconds) {
                return;
            }
            drive_link(&stage.link, second);
            if options.headless && second > 0 {
                print_progress(second, &journal.totals(), &stage.link, &board);
            }
        }
    };
    let ended = tokio::select! {
        () = play => Ok(()),
        ended = front => ended.map_err(DemoError::Terminal),
        () = signals.wait_for_signal() => Ok(()),
        why = daemon.failed() => Err(DemoError::Failed(why)),
    };
    ended
}

/// Sets the link up or down, and its faults, for this second.
fn drive_link(link: &Link, second: u64) {
    let (down, up) = FIRST_OUTAGE;
    let (stays_up, stays_down) = LATER_OUTAGES;
    let later = second.saturating_sub(up) % (stays_up + stays_down);
    let is_down = (down..up).contains(&second) || (second >= up && later >= stays_up);
    link.set_up(!is_down);
    let cut = |method: &str| Fault {
        method: method.to_owned(),
        times: 1,
        what: What::CutAfter,
    };
    // Soon after each outage Odoo carries out a call, and the gateway gets no answer.
    match later {
        0 if second == up => link.add_fault(cut("button_validate")),
        3 => link.add_fault(cut("load")),
        10 => link.add_fault(Fault {
            method: String::new(),
            times: 2,
            what: What::unavailable(),
        }),
        _ => {}
    }
}

fn print_progress(second: u64, totals: &Totals, link: &Link, board: &Board) {
    let waiting = totals.open_events() + totals.waiting.events + totals.sending.events;
    let pause = board.snapshot().odoo.pause_s(clock::now());
    let pause = pause.map_or(String::new(), |seconds| {
        format!("    next attempt in {seconds} s")
    });
    print_line(&format!(
        "{second:>4} s  link {:<4}  stored {:>6}  duplicates {:>4}  posted {:>6}  waiting {:>6}  parked {:>3}{pause}",
        if link.is_up() { "up" } else { "DOWN" },
        totals.stored,
        totals.duplicates,
        totals.posted.events,
        waiting,
        totals.parked.events,
    ));
}

/// Waits until no event is waiting, or until there is no progress for [`DRAIN_STALL`].
async fn drain(
    daemon: &mut Daemon,
    stage: &Stage,
    lists: &DeviceLists,
    started: Instant,
    signals: &mut Signals,
) -> Result<End, DemoError> {
    let mut totals = daemon.journal().watch();
    let board = daemon.board().clone();
    let (mut settled, mut since) = (0, clock::instant());
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        let now = totals.borrow_and_update().clone();
        let done = now.posted.events + now.parked.events + now.discarded.events + now.no_document;
        if now.stored >= lists.events && done == now.stored {
            return Ok(End::Drained);
        }
        if done != settled {
            (settled, since) = (done, clock::instant());
        }
        if clock::instant().duration_since(since) > DRAIN_STALL {
            let waiting = now.stored - done;
            let still = if waiting == 1 {
                "still waits"
            } else {
                "still wait"
            };
            print_line(&format!(
                "{} {still}, and the gateway has posted nothing for a minute",
                counted(waiting, "event")
            ));
            return Ok(End::Stalled);
        }
        tokio::select! {
            _ = tick.tick() => print_progress(clock::instant().duration_since(started).as_secs(), &now, &stage.link, &board),
            _ = totals.changed() => tokio::time::sleep(Duration::from_millis(50)).await,
            () = signals.wait_for_signal() => return Ok(End::Stopped),
            why = daemon.failed() => return Err(DemoError::Failed(why)),
        }
    }
}

/// Ctrl-C and SIGTERM. The first ends the show, the second ends the draining after it.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, DemoError> {
        let listen = |kind| signal(kind).map_err(DemoError::Signals);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn wait_for_signal(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Prints a line. A closed standard output is not an error.
fn print_line(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}
