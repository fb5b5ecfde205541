//! Everything at once, with made-up devices and a stand-in Odoo, over a link that goes down and
//! comes back.
//!
//! ```text
//! devices ─ MQTT ─▶ the daemon, as it always is ─ HTTP ─▶ link ─▶ Odoo: stand-in, or a real one
//!    └── what they did ──────────▶ books ◀────────── what is there ──┘
//! ```
//! In come options; out comes a [`Summary`], which says whether all of it adds up, by the devices'
//! own lists.

mod beepers;
pub mod books;
pub mod decided;
pub mod devices;
pub mod link;
pub mod odoo;
mod summary;
mod waiting;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::board::Board;
use crate::clock;
use crate::config::{self, Config};
use crate::daemon::{Daemon, StartError};
use crate::event::Name;
use crate::journal::Totals;
use crate::source::devices::hash_password;
use crate::view::table::counted;
use crate::view::tui;
use beepers::Line;
use books::{Books, BooksError};
use decided::Decided;
use devices::{Deeds, Floor};
use link::{Fault, Link, What};
use odoo::{Seed, StandIn};
pub use summary::{End, Summary};

/// How long draining may go on without anything getting done.
const DRAIN_STALL: Duration = Duration::from_mins(1);
/// The link's life, in seconds after the start: down at the first, up again at the second.
const FIRST_OUTAGE: (u64, u64) = (5, 9);
/// Then so long up, and so long down, over and over.
const LATER_OUTAGES: (u64, u64) = (25, 8);
/// Bins and products that devices use: places are few, so that a stock of hours is no larger than
/// one of minutes.
const BINS_MAX: usize = 40;
const PRODUCTS_MAX: usize = 100;
/// How long Odoo may still work on a call when the demonstration is stopped.
const CALL_END: Duration = Duration::from_secs(2);
/// How long the gateway may take to open the serial line.
const LINE_UP: Duration = Duration::from_secs(5);
/// What a line of a transfer takes in the stand-in, so that batches are to be seen.
const STAND_IN_DELAY: Duration = Duration::from_millis(2);

/// The first of them.
fn few(mut barcodes: Vec<String>, max: usize) -> Vec<String> {
    barcodes.truncate(max);
    barcodes
}

/// What the demonstration is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Lines of text instead of the terminal UI.
    pub headless: bool,
    /// It ends after so many seconds; none: when somebody ends it.
    pub seconds: Option<u64>,
    pub devices: usize,
    /// Events a second of each device.
    pub rate: f64,
    /// A real Odoo instead of the stand-in.
    pub odoo: Option<RealOdoo>,
    /// Where the data stays; none: a temporary directory that goes with the demonstration.
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
    #[error("{} has the journal of an earlier demonstration, whose made-up devices used the same event ids: name another directory, or remove that one", path.display())]
    Used { path: PathBuf },
    #[error("cannot listen on the loopback interface: {0}")]
    Listen(io::Error),
    #[error(transparent)]
    Books(#[from] BooksError),
    #[error("the daemon did not start: {0}")]
    Start(#[from] StartError),
    #[error("the daemon stopped by itself: {0}")]
    Failed(String),
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("the terminal cannot be used: {0}; try --headless")]
    Terminal(io::Error),
}

/// Runs the demonstration to its end, and says whether it adds up.
pub async fn run(options: Options) -> Result<Summary, DemoError> {
    // First of all, so that it may be stopped at any moment.
    let mut signals = Signals::new()?;
    let place = Place::new(options.keep.clone())?;
    let mut stage = Stage::build(&options, &place).await?;
    let mut daemon = Daemon::start(stage.config.clone()).await?;
    let outcome = perform(&options, &mut stage, &mut daemon, &mut signals).await;
    let stopped = daemon.stop().await;
    let summary = outcome?;
    stopped.map_err(|fatal| DemoError::Failed(fatal.to_string()))?;
    Ok(summary)
}

/// A directory for the demonstration's data; a temporary one goes with it.
struct Place {
    path: PathBuf,
    keep: bool,
}

impl Place {
    fn new(keep: Option<PathBuf>) -> Result<Self, DemoError> {
        let keeps = keep.is_some();
        let temporary = || {
            let (pid, now) = (std::process::id(), clock::now().as_microsecond());
            std::env::temp_dir().join(format!("stockrelay-demo-{pid}-{now:x}"))
        };
        let path = keep.unwrap_or_else(temporary);
        std::fs::create_dir_all(&path).map_err(|error| file(&path, error))?;
        if path.join("data").join("journal.redb").exists() {
            return Err(DemoError::Used { path });
        }
        Ok(Self { path, keep: keeps })
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, DemoError> {
        let path = self.path.join(name);
        std::fs::write(&path, text).map_err(|error| file(&path, error))?;
        Ok(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.keep {
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}

fn file(path: &Path, error: io::Error) -> DemoError {
    DemoError::File {
        path: path.to_owned(),
        error,
    }
}

/// All that is there before the daemon starts.
struct Stage {
    config: Config,
    cast: Vec<devices::Device>,
    /// None where the machine has no pseudo-terminal for us.
    line: Option<Line>,
    password: String,
    link: Link,
    books: Books,
    /// Kept alive; a real Odoo lives without us.
    _stand_in: Option<StandIn>,
}

impl Stage {
    async fn build(options: &Options, place: &Place) -> Result<Self, DemoError> {
        let stand_in = match options.odoo {
            None => Some(StandIn::start(Seed::default(), STAND_IN_DELAY).await),
            Some(_) => None,
        };
        let stand_in = stand_in.transpose().map_err(DemoError::Listen)?;
        let (url, database, key_file) = match (&options.odoo, &stand_in) {
            (Some(real), _) => (
                real.url.clone(),
                real.database.clone(),
                real.api_key_file.clone(),
            ),
            (None, stand_in) => {
                let url = stand_in.as_ref().map(StandIn::url).unwrap_or_default();
                let key_file = place.write("odoo.key", odoo::API_KEY)?;
                (url, odoo::DATABASE.to_owned(), key_file)
            }
        };
        let key = std::fs::read_to_string(&key_file).map_err(|error| file(&key_file, error))?;
        let key = SecretString::from(key.trim().to_owned());
        let books = Books::open(&url, &database, key).await?;
        let link = Link::start(&url).await.map_err(DemoError::Listen)?;
        let cast = devices::cast(options.devices);
        let password = format!("demo-{:x}", clock::now().as_nanosecond());
        let hash = hash_password(&password);
        let toml = devices::devices_toml(&cast, &hash) + "\n" + &beepers::devices_toml(&hash);
        let devices = place.write("devices.toml", &toml)?;
        let mut config = config(place, &link, &database, key_file, devices);
        let serial = Line::open()
            .inspect_err(|error| {
                say(&format!(
                    "no pseudo-terminal, so no serial scanner: {error}"
                ));
            })
            .ok();
        if let Some(line) = &serial {
            config.scanners = Some(place.write("scanners.toml", &line.scanners_toml())?);
        }
        Ok(Self {
            config,
            cast,
            line: serial,
            password,
            link,
            books,
            _stand_in: stand_in,
        })
    }

    fn floor(&self, options: &Options, address: SocketAddr) -> Floor {
        Floor {
            site: self.config.site.to_string(),
            address,
            password: self.password.clone(),
            bins: few(self.books.bins(), BINS_MAX),
            products: few(self.books.products(), PRODUCTS_MAX),
            rate: options.rate,
            stop: AtomicBool::new(false),
        }
    }
}

/// The daemon's usual configuration, with documents sealed soon so that there is something to see.
fn config(place: &Place, link: &Link, database: &str, key: PathBuf, devices: PathBuf) -> Config {
    // Event ids begin anew each time: the site's name keeps two demonstrations on one Odoo apart.
    let site = format!("demo-{:x}", clock::now().as_millisecond());
    Config {
        site: Name::new(&site).unwrap_or_else(|bad| unreachable!("{bad}")),
        time_zone: None,
        data_dir: place.path.join("data"),
        listen: Some(config::Listen {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            devices: Some(devices),
            ..config::Listen::default()
        }),
        broker: None,
        scanners: None,
        odoo: config::Odoo {
            api_key_file: Some(key),
            ..config::Odoo::new(&link.url(), database)
        },
        documents: config::Documents {
            idle_s: 2,
            age_s: 4,
            ..config::Documents::default()
        },
        orders: config::Orders::default(),
        stock: config::Stock::default(),
        capture: config::Capture::default(),
        journal: config::Journal::default(),
        control: config::Control {
            socket: place.path.join("control.sock"),
            metrics: None,
        },
        log: config::Log::default(),
    }
}

async fn perform(
    options: &Options,
    stage: &mut Stage,
    daemon: &mut Daemon,
    signals: &mut Signals,
) -> Result<Summary, DemoError> {
    let address = daemon.mqtt_address();
    let address = address.ok_or_else(|| DemoError::Failed("no front door".to_owned()))?;
    let floor = Arc::new(stage.floor(options, address));
    let mut working: JoinSet<Deeds> = JoinSet::new();
    for device in stage.cast.iter().cloned() {
        working.spawn(device.work(Arc::clone(&floor)));
    }
    working.spawn(beepers::glove(Arc::clone(&floor)));
    if let Some(line) = stage.line.take()
        && is_read(daemon).await
    {
        working.spawn(beepers::scan(line, Arc::clone(&floor)));
    }
    let started = clock::instant();
    // What ends the show early must not keep the devices from handing in their lists.
    let ended = show(options, stage, daemon, started, signals).await;
    floor.stop.store(true, Ordering::Relaxed);
    say("the demonstration ends: waiting for each device to send what it still holds");
    let mut deeds = Deeds::default();
    while let Some(one) = working.join_next().await {
        deeds.add(&one.map_err(|error| DemoError::Failed(error.to_string()))?);
    }
    ended?;
    stage.link.set_up(true);
    say("the devices have stopped and the link is up: waiting until all of it is in Odoo");
    let end = drain(daemon, stage, &deeds, started, signals).await?;
    let waiting = waiting::moves(daemon.journal()).map_err(|e| DemoError::Failed(e.to_string()))?;
    if !waiting.is_empty() {
        // Nothing new reaches Odoo, and what it is doing comes to its end.
        stage.link.set_up(false);
        tokio::time::sleep(CALL_END).await;
    }
    let decided = Decided::read(daemon.journal()).map_err(|e| DemoError::Failed(e.to_string()))?;
    let moves = decided.applied_to(&deeds.moves);
    let comparison = stage.books.compare(&moves, &waiting).await?;
    Ok(Summary {
        end,
        totals: daemon.journal().totals(),
        deeds,
        decided,
        comparison,
    })
}

/// Whether the gateway has opened the serial line: what is sent before may be thrown away by the
/// port's setup.
async fn is_read(daemon: &Daemon) -> bool {
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
        say("the gateway cannot open the pseudo-terminal: on without a serial scanner");
    }
    is_up
}

/// The devices work and the link comes and goes, until the time is up or somebody ends it.
async fn show(
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
            tui::run(&socket).await
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
            direct(&stage.link, second);
            if options.headless && second > 0 {
                progress(second, &journal.totals(), &stage.link, &board);
            }
        }
    };
    let ended = tokio::select! {
        () = play => Ok(()),
        ended = front => ended.map_err(DemoError::Terminal),
        () = signals.told_to_stop() => Ok(()),
        why = daemon.failed() => Err(DemoError::Failed(why)),
    };
    if !options.headless {
        // The terminal UI may have been cut off in the middle.
        ratatui::restore();
    }
    ended
}

/// What happens to the link in this second.
fn direct(link: &Link, second: u64) {
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
    // Soon after each outage Odoo does what it was asked, and nobody hears of it.
    match later {
        0 if second == up => link.fault(cut("button_validate")),
        3 => link.fault(cut("load")),
        10 => link.fault(Fault {
            method: String::new(),
            times: 2,
            what: What::unavailable(),
        }),
        _ => {}
    }
}

fn progress(second: u64, totals: &Totals, link: &Link, board: &Board) {
    let waiting = totals.open_events() + totals.waiting.events + totals.sending.events;
    let pause = board.snapshot().odoo.pause_s(clock::now());
    let pause = pause.map_or(String::new(), |seconds| {
        format!("  next try in {seconds} s")
    });
    say(&format!(
        "{second:>4} s  link {:<4}  stored {:>6}  duplicates {:>4}  posted {:>6}  waiting {:>6}  parked {:>3}{pause}",
        if link.is_up() { "up" } else { "DOWN" },
        totals.stored,
        totals.duplicates,
        totals.posted.events,
        waiting,
        totals.parked.events,
    ));
}

/// Until nothing waits any more, or nothing has got done for too long.
async fn drain(
    daemon: &mut Daemon,
    stage: &Stage,
    deeds: &Deeds,
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
        if now.stored >= deeds.events && done == now.stored {
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
            say(&format!(
                "{} {still}, and nothing has got done for a minute",
                counted(waiting, "event")
            ));
            return Ok(End::Stalled);
        }
        tokio::select! {
            _ = tick.tick() => progress(clock::instant().duration_since(started).as_secs(), &now, &stage.link, &board),
            _ = totals.changed() => tokio::time::sleep(Duration::from_millis(50)).await,
            () = signals.told_to_stop() => return Ok(End::Stopped),
            why = daemon.failed() => return Err(DemoError::Failed(why)),
        }
    }
}

/// Ctrl-C and SIGTERM end the show; once more, they end the waiting behind it.
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

    async fn told_to_stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// To standard output; when nobody listens there, that is no reason to fail.
fn say(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}
