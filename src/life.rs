//! The daemon's life: start the log, build, report readiness, run, drain with a deadline.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use sd_notify::NotifyState;
use stockrelay::choice::Instead;
use stockrelay::config::{Loaded, Log, last};
use stockrelay::daemon::Daemon;
use stockrelay::view::commands::{EXIT_CONFIG, EXIT_DAMAGED, EXIT_DONE, EXIT_FAILED};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// How long draining may take. The rest is sent after the next start: nothing is lost.
const DRAIN: Duration = Duration::from_millis(8_500);

/// The code of the alarm while the gateway runs with the last configuration that ran.
const CONFIG_ALARM: &str = "configuration";

/// The code of the alarm from the first start with another site to the next start.
const SITE_ALARM: &str = "site-changed";

/// Runs the daemon until a signal or a failure. `instead`: why `loaded` is the last configuration
/// that ran, and not the one that is written. `state_directory` is that of systemd.
pub async fn run(
    loaded: Loaded,
    instead: Option<Instead>,
    state_directory: Option<PathBuf>,
) -> Result<u8, u8> {
    start_log(&loaded.config.log)?;
    let mut signals = Signals::new().map_err(|error| {
        error!(%error, "cannot listen for signals");
        EXIT_FAILED
    })?;
    info!(version = env!("CARGO_PKG_VERSION"), site = %loaded.config.site, "stockrelay starts");
    if let Some(instead) = &instead {
        error!("{}", instead.why);
        error!("{}", instead.alarm());
    }
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let mut daemon = start(&loaded).await?;
    if let Some(instead) = &instead {
        daemon.board().alarm(CONFIG_ALARM, Some(instead.alarm()));
    } else {
        let change = last::site_change(&loaded);
        if let Some(change) = &change {
            warn!("{change}");
        }
        daemon.board().alarm(SITE_ALARM, change);
        store_configuration(loaded, state_directory).await;
    }
    notify(NotifyState::Ready);

    let failure = tokio::select! {
        failure = daemon.failed() => Some(failure),
        () = signals.wait_for_stop() => None,
        () = keep_watchdog_quiet() => None,
    };
    notify(NotifyState::Stopping);
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

async fn start(loaded: &Loaded) -> Result<Daemon, u8> {
    Daemon::start(loaded.config.clone()).await.map_err(|error| {
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
async fn store_configuration(loaded: Loaded, state_directory: Option<PathBuf>) {
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

/// Logs to standard error, which systemd stores. Colours appear only on a terminal.
fn start_log(log: &Log) -> Result<(), u8> {
    let filter: Targets = log.level.parse().map_err(|error| {
        super::say(&format!("log.level: found {:?}: {error}", log.level));
        EXIT_CONFIG
    })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if log.json {
        lines.json().boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .init();
    Ok(())
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

    /// SIGHUP is no reason to stop: terminals that close send it, and so do people who expect a
    /// reload.
    async fn wait_for_stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return info!("SIGTERM: stopping"),
                _ = self.interrupt.recv() => return info!("SIGINT: stopping"),
                _ = self.hangup.recv() => info!("SIGHUP is ignored: restart to read the configuration again"),
            }
        }
    }
}

/// Tells systemd twice in its time that the runtime still turns; without a watchdog it waits for
/// ever.
async fn keep_watchdog_quiet() {
    let Some(every) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let mut tick = tokio::time::interval((every / 2).max(Duration::from_millis(100)));
    loop {
        tick.tick().await;
        notify(NotifyState::Watchdog);
    }
}

fn notify(state: NotifyState) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!(%error, "cannot notify systemd");
    }
}
