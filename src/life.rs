//! The daemon's life: start the log, build, report readiness, run, reload, drain with a deadline.

mod bundles;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use sd_notify::NotifyState;
use stockrelay::board::Board;
use stockrelay::choice::{Beginning, Instead};
use stockrelay::clock;
use stockrelay::config::{Loaded, Log, last};
use stockrelay::daemon::fleet_view::FLEET_ALARM;
use stockrelay::daemon::reload::CONFIG_ALARM;
use stockrelay::daemon::{Daemon, StartOptions};
use stockrelay::pulse::{Hang, Pulses};
use stockrelay::reload::{ReloadError, Reloaded, Reloads, Request};
use stockrelay::view::commands::{EXIT_CONFIG, EXIT_DAMAGED, EXIT_DONE, EXIT_FAILED};
use stockrelay::view::log_line::{self, SafeLines};
use stockrelay::view::recent_log::RecentLayer;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tracing::{error, info, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry, reload};

use bundles::{Bundles, News, Waiting};

/// How long draining may take. The rest is sent after the next start: nothing is lost.
const DRAIN: Duration = Duration::from_millis(8_500);

/// How often all parts are asked for a sign of life while systemd has no watchdog.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// The code of the alarm from the first start with another site to the next start.
const SITE_ALARM: &str = "site-changed";

/// Where the configuration is read from, at the start and at each reload.
pub struct Files {
    pub config: PathBuf,
    pub environment: Vec<(String, String)>,
}

/// Runs the daemon until a signal or a failure.
pub async fn run(beginning: Beginning, files: Files) -> Result<u8, u8> {
    let Beginning {
        loaded,
        instead,
        floor,
        fleet,
        fleet_fault,
    } = beginning;
    let log = Logging::start(&loaded.config.log)?;
    let mut signals = Signals::new().map_err(|error| {
        error!(%error, "cannot listen for signals");
        EXIT_FAILED
    })?;
    info!(version = env!("CARGO_PKG_VERSION"), site = %loaded.config.site, "stockrelay starts");
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let (reloads, requests) = Reloads::new();
    let waiting = fleet.map(|fleet| Waiting::new(fleet, instead.is_some()));
    let reception = waiting.as_ref().map(|waiting| waiting.reception.clone());
    let board = Board::new();
    show_beginning(&board, &loaded, instead.as_ref(), fleet_fault);
    if let Some(waiting) = &waiting {
        waiting.show(&board);
    }
    let options = StartOptions {
        board,
        reloads: Some(reloads),
        reception,
    };
    let mut daemon = tokio::select! {
        daemon = start(&loaded, options) => daemon?,
        // Opening the journal may wait for room on the disk.
        () = signals.wait_for_stop() => return Ok(EXIT_DONE),
    };
    daemon.set_floor(floor);
    let mut bundles = waiting.map(|waiting| waiting.run(&daemon));
    if instead.is_none() {
        note(loaded, &mut bundles, &files).await;
    }
    notify(&[NotifyState::Ready]);
    tokio::spawn(watch_parts(daemon.board().pulses().clone()));

    let shown = (&files, &log);
    let failure = serve(&mut daemon, &mut bundles, &mut signals, requests, shown).await;
    notify(&[NotifyState::Stopping]);
    if let Some(bundles) = bundles {
        bundles.stop(failure.is_none()).await;
    }
    if let Some(why) = &failure {
        error!("a part of the daemon has stopped, so the daemon stops: {why}");
    }
    let damage = daemon.damage();
    let drained = tokio::select! {
        drained = tokio::time::timeout(DRAIN, daemon.stop()) => drained.ok(),
        () = signals.wait_for_stop() => None,
    };
    match drained {
        Some(Ok(())) => {}
        Some(Err(fatal)) => error!("the journal was not closed correctly: {fatal}"),
        None => {
            warn!(
                "stopped with documents that are not sent yet: the journal has them, and the next start sends them"
            );
        }
    }
    info!("stockrelay has stopped");
    let damage = damage.borrow().clone();
    if let Some(damage) = damage {
        error!("{damage}");
        return Ok(EXIT_DAMAGED);
    }
    Ok(if failure.is_some() {
        EXIT_FAILED
    } else {
        EXIT_DONE
    })
}

/// Serves until a signal to stop. `Some`: why the daemon cannot continue.
async fn serve(
    daemon: &mut Daemon,
    bundles: &mut Option<Bundles>,
    signals: &mut Signals,
    mut requests: mpsc::Receiver<Request>,
    (files, log): (&Files, &Logging),
) -> Option<String> {
    loop {
        let mut waiting = Vec::new();
        tokio::select! {
            failure = daemon.failed() => return Some(failure),
            is_stop = signals.wait() => if is_stop { return None },
            Some(request) = requests.recv() => waiting.push(request),
            news = Bundles::next(bundles) => {
                tokio::select! {
                    () = take_news(daemon, bundles, news, (files, log)) => continue,
                    () = signals.wait_for_stop() => return None,
                }
            }
        }
        // They all wait for a reload that begins after their request.
        waiting.extend(std::iter::from_fn(|| requests.try_recv().ok()));
        let begin = [
            Some(NotifyState::Reloading),
            NotifyState::monotonic_usec_now().ok(),
        ];
        notify(&begin.into_iter().flatten().collect::<Vec<_>>());
        let outcome = tokio::select! {
            outcome = reload(daemon, bundles, (files, log)) => outcome,
            () = signals.wait_for_stop() => return None,
        };
        notify(&[NotifyState::Ready]);
        for request in waiting {
            // The client may have gone.
            drop(request.reply.send(outcome.clone()));
        }
    }
}

/// Does what the agent of bundles asks for.
async fn take_news(
    daemon: &mut Daemon,
    bundles: &mut Option<Bundles>,
    news: News,
    (files, log): (&Files, &Logging),
) {
    let Some(bundles) = bundles else { return };
    match news {
        News::Load(request) => {
            if let Some(section) = bundles.load(daemon, request).await {
                log.set(&section);
            }
        }
        News::Status => bundles.show(daemon),
    }
    if let Some(loaded) = bundles.take_confirmed() {
        store_configuration(loaded, files).await;
    }
}

/// Reads the configuration files again, with those of the bundle that runs.
async fn reload(
    daemon: &mut Daemon,
    bundles: &mut Option<Bundles>,
    (files, log): (&Files, &Logging),
) -> Result<Reloaded, ReloadError> {
    if let Some(bundles) = bundles {
        let (section, reloaded) = bundles.reload(daemon).await?;
        log.set(&section);
        if let Some(loaded) = bundles.take_confirmed() {
            store_configuration(loaded, files).await;
        }
        return Ok(reloaded);
    }
    let (loaded, reloaded) = daemon
        .reload_files(&files.config, &files.environment)
        .await?;
    log.set(&loaded.config.log);
    store_configuration(loaded, files).await;
    Ok(reloaded)
}

/// Stores the configuration with which the process started, at the latest when it is confirmed.
async fn note(loaded: Loaded, bundles: &mut Option<Bundles>, files: &Files) {
    let Some(bundles) = bundles else {
        return store_configuration(loaded, files).await;
    };
    bundles.keep(loaded);
    if let Some(loaded) = bundles.take_confirmed() {
        store_configuration(loaded, files).await;
    }
}

/// Logs and shows, as alarms, the faults that were found before the start.
fn show_beginning(
    board: &Board,
    loaded: &Loaded,
    instead: Option<&Instead>,
    fleet_fault: Option<String>,
) {
    if let Some(instead) = instead {
        error!("{}", instead.why);
        error!("{}", instead.alarm());
        board.alarm(CONFIG_ALARM, Some(instead.alarm()));
    } else if let Some(change) = last::site_change(loaded) {
        warn!("{change}");
        board.alarm(SITE_ALARM, Some(change));
    }
    if let Some(fault) = fleet_fault {
        error!("{fault}");
        board.alarm(FLEET_ALARM, Some(fault));
    }
}

async fn start(loaded: &Loaded, options: StartOptions) -> Result<Daemon, u8> {
    let origin = |key: &str| loaded.origin(key);
    let config = loaded.config.clone();
    let started = Daemon::start_with(config, origin, options).await;
    started.map_err(|error| {
        error!("{error:#}");
        if error.is_damage() {
            EXIT_DAMAGED
        } else {
            EXIT_FAILED
        }
    })
}

/// Stores the configuration for a start at which the configuration file has a fault. A failure is
/// logged only.
async fn store_configuration(loaded: Loaded, files: &Files) {
    let state_directory = last::state_directory(&files.environment);
    let data_dir = loaded.config.data_dir.clone();
    let kept =
        tokio::task::spawn_blocking(move || last::store(&loaded, state_directory.as_deref())).await;
    let error = match kept {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    warn!(
        "cannot write {}: {error}; without it, a fault in the configuration stops the gateway at its next start",
        data_dir.join(last::FILE).display()
    );
}

/// The log, whose level and form a reload changes.
struct Logging {
    text: reload::Handle<Targets, Registry>,
    json: reload::Handle<Targets, Registry>,
    recent: reload::Handle<Targets, Registry>,
}

impl Logging {
    /// Logs to standard error, which systemd stores. Colours appear only on a terminal.
    fn start(log: &Log) -> Result<Self, u8> {
        let (text_filter, json_filter) = filters(log).map_err(|fault| {
            super::say(&fault);
            EXIT_CONFIG
        })?;
        let (text_filter, text) = reload::Layer::new(text_filter);
        let (json_filter, json) = reload::Layer::new(json_filter);
        let (recent_filter, recent) = reload::Layer::new(level_of(log).unwrap_or_default());
        let has_colours = std::io::stderr().is_terminal();
        let has_priority = log_line::is_to_journal();
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(has_colours)
            .map_event_format(|format| SafeLines {
                format: format.with_ansi(has_colours),
                has_priority,
                has_colours,
            });
        let objects = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .json()
            .map_event_format(|format| SafeLines {
                format,
                has_priority,
                has_colours: false,
            });
        let layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = vec![
            lines.with_filter(text_filter).boxed(),
            objects.with_filter(json_filter).boxed(),
            RecentLayer.with_filter(recent_filter).boxed(),
        ];
        tracing_subscriber::registry().with(layers).init();
        Ok(Self { text, json, recent })
    }

    fn set(&self, log: &Log) {
        let changed = filters(log).and_then(|(text, json)| {
            let recent = level_of(log)?;
            let changed = self.text.reload(text).and_then(|()| self.json.reload(json));
            let changed = changed.and_then(|()| self.recent.reload(recent));
            changed.map_err(|error| error.to_string())
        });
        if let Err(error) = changed {
            warn!(%error, "cannot change the level of the log");
        }
    }
}

fn level_of(log: &Log) -> Result<Targets, String> {
    let level = log.level.parse();
    level.map_err(|error| format!("log.level: found {:?}: {error}", log.level))
}

/// The filters of lines of text and of JSON lines: one of the two lets nothing through.
fn filters(log: &Log) -> Result<(Targets, Targets), String> {
    let level = level_of(log)?;
    let nothing = Targets::new();
    Ok(if log.json {
        (nothing, level)
    } else {
        (level, nothing)
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal. Returns `false` for SIGHUP, and `true` for a signal to stop.
    async fn wait(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => info!("SIGTERM: stopping"),
            _ = self.interrupt.recv() => info!("SIGINT: stopping"),
            _ = self.hangup.recv() => return false,
        }
        true
    }

    async fn wait_for_stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => info!("SIGTERM: stopping"),
            _ = self.interrupt.recv() => info!("SIGINT: stopping"),
        }
    }
}

/// Asks all parts for a sign of life, and feeds systemd's watchdog only while none of them hangs.
/// Without a watchdog, a part that hangs is only logged.
async fn watch_parts(pulses: Pulses) {
    let watchdog = sd_notify::watchdog_enabled();
    let every = watchdog.map_or(ASK_EVERY, |within| within / 3);
    let mut tick = tokio::time::interval(every.max(Duration::from_millis(100)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hanging = Vec::new();
    loop {
        tick.tick().await;
        let hangs = pulses.ask(clock::instant());
        log_hangs(&hangs, &mut hanging, watchdog.is_some());
        if hangs.is_empty() && watchdog.is_some() {
            notify(&[NotifyState::Watchdog]);
        }
    }
}

/// Logs each part that begins or ceases to hang, once. `hanging`: those that hung before.
fn log_hangs(hangs: &[Hang], hanging: &mut Vec<&'static str>, has_watchdog: bool) {
    let then = if has_watchdog {
        "systemd ends the process and starts it again"
    } else {
        "no watchdog is set: restart the gateway"
    };
    for hang in hangs.iter().filter(|hang| !hanging.contains(&hang.part)) {
        let (part, limit_s) = (hang.part, hang.limit.as_secs());
        let since = clock::now().checked_sub(hang.silent).unwrap_or_default();
        error!(part, %since, limit_s, "{part} hangs: {then}");
    }
    let hang = |part: &&str| hangs.iter().any(|hang| hang.part == *part);
    for part in hanging.iter().filter(|part| !hang(part)) {
        warn!(part, "{part} goes on");
    }
    *hanging = hangs.iter().map(|hang| hang.part).collect();
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "cannot notify systemd");
    }
}
