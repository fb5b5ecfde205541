//! The link of this gateway to central IT: runs it, replaces it at a reload, and shows it.
//!
//! **In**: `[fleet]`, the state of bundles, the board. **Out**: bundles and stops to the reception,
//! reports to central IT, and the state of the link to the board.
//!
//! The gateway works without the link: no fault of it, nor of what comes over it, ends the daemon.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::expiry;
use crate::board::{Board, FleetView, Link, WayView};
use crate::clock;
use crate::config::{Config, Fleet};
use crate::event::Name;
use crate::fleet::centre::{
    self, CentreOptions, CentreSite, CentreState, Measures, Tempo, WayState,
};
use crate::fleet::machine::Answer;
use crate::fleet::orders::{FleetStatus, OrderError};
use crate::fleet::own_report;
use crate::fleet::reception::Reception;
use crate::fleet::report::Report;
use crate::journal::Journal;
use crate::source::broker::{Account, hash_files};
use crate::view::snapshot::SOURCE_DOWN;

/// The alarms: central IT's broker, and the polled address.
const LINK_ALARM: &str = "fleet-link";
const URL_ALARM: &str = "fleet-url";
/// How long the broker may be away before that is an alarm.
const LINK_AFTER: Duration = Duration::from_mins(15);
/// How long the address may fail before that is an alarm; at least this many polls.
const URL_AFTER: Duration = Duration::from_hours(1);
const URL_POLLS: u32 = 4;
/// How often the state is compared with the limits.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long the link may take to end.
const END_MAX: Duration = Duration::from_secs(3);
/// The pause after a fault of ours.
const FAULT_PAUSE: Duration = Duration::from_mins(1);

/// The settings of the link that a reload may change.
const EXPIRIES_EVERY: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    fleet: Fleet,
    /// The hash of the password and the certificates.
    credentials: blake3::Hash,
    /// Certificates whose expiry is reported.
    certificates: Vec<(&'static str, PathBuf)>,
}

/// Shows on the board what expires when: at the start, after a change of the configuration, and
/// each [`EXPIRIES_EVERY`], because people replace files and Odoo reports its key later.
pub async fn show_expiries(
    board: Board,
    mut settings: watch::Receiver<Settings>,
    stop: CancellationToken,
) {
    loop {
        let certificates = settings.borrow_and_update().certificates.clone();
        let of_board = board.clone();
        let find = move || expiry::find_expiries(&of_board, &certificates);
        if let Ok(expires) = tokio::task::spawn_blocking(find).await {
            board.expires(expires);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EXPIRIES_EVERY) => {}
            Ok(()) = settings.changed() => {}
        }
    }
}

impl Settings {
    /// Reads the files of `[fleet]`.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let fleet = config.fleet.clone();
        let tls = &fleet.tls;
        let password = fleet
            .broker
            .as_ref()
            .and_then(|it| it.password_file.as_deref());
        Self {
            credentials: hash_files([
                tls.ca.as_deref(),
                tls.client_cert.as_deref(),
                tls.client_key.as_deref(),
                password,
            ]),
            certificates: expiry::certificates(config),
            fleet,
        }
    }

    /// Whether the same link serves both.
    fn has_same_link(&self, other: &Self) -> bool {
        is_same_link(&self.fleet, &other.fleet) && self.credentials == other.credentials
    }
}

/// The running link.
#[derive(Debug)]
pub struct LinkHandle {
    pub settings: watch::Sender<Settings>,
    /// Whether central IT's broker is connected. `None`: the configuration has none.
    pub is_connected: watch::Receiver<Option<bool>>,
}

/// Whether the keys of the link are the same.
#[must_use]
pub fn is_same_link(one: &Fleet, other: &Fleet) -> bool {
    let keys = |fleet: &Fleet| {
        let Fleet {
            broker,
            url,
            tls,
            poll_s,
            ..
        } = fleet.clone();
        (broker, url, tls, poll_s)
    };
    keys(one) == keys(other)
}

/// This gateway, as central IT sees it.
pub struct Here {
    pub site: Name,
    /// The group at the start of the process.
    pub group: Option<Name>,
    pub data_dir: PathBuf,
    pub board: Board,
    pub journal: Journal,
    /// `None`: this process takes no bundles.
    pub reception: Option<Reception>,
    pub settings: watch::Receiver<Settings>,
}

impl Here {
    fn without_bundles() -> Answer {
        Answer::Refused("this gateway takes no bundles: see its alarms".to_owned())
    }
}

impl CentreSite for Here {
    async fn take_bundle(&self, bytes: Bytes, by: &str) -> Result<Answer, OrderError> {
        match &self.reception {
            Some(reception) => reception.take_bundle(bytes, by, false).await,
            None => Ok(Self::without_bundles()),
        }
    }

    async fn take_stop(&self, bytes: Bytes, by: &str) -> Result<Answer, OrderError> {
        match &self.reception {
            Some(reception) => reception.take_stop(bytes, by).await,
            None => Ok(Self::without_bundles()),
        }
    }

    async fn reject(&self, reason: String, by: &str) -> Result<Answer, OrderError> {
        match &self.reception {
            Some(reception) => reception.reject(reason, by).await,
            None => Ok(Self::without_bundles()),
        }
    }

    fn highest(&self) -> Option<u64> {
        let status = self.reception.as_ref()?.status();
        let highest = status.borrow().highest;
        highest.map(|id| id.serial)
    }

    fn report(&self) -> Report {
        let status = match &self.reception {
            Some(reception) => reception.status().borrow().clone(),
            None => FleetStatus::default(),
        };
        let mut report =
            own_report::describe(&self.site, self.group.as_ref(), &status, clock::now());
        let summary = self.board.summarize();
        report.running.hash = summary.hash;
        describe_odoo(&summary.odoo).clone_into(&mut report.odoo);
        report.drift = summary.drift;
        report.alarms = summary.alarms;
        if summary.is_source_down {
            report.alarms.push(SOURCE_DOWN.to_owned());
        }
        report.recipient = self.reception.as_ref().and_then(Reception::recipient);
        report.parked = self.journal.totals().parked.documents;
        report
    }

    async fn measure(&self) -> Measures {
        let (journal, data_dir) = (self.journal.clone(), self.data_dir.clone());
        let (board, certificates) = (
            self.board.clone(),
            self.settings.borrow().certificates.clone(),
        );
        let measure = move || Measures {
            clock_offset_ms: board.summarize().clock_ahead_ms,
            disk_free_bytes: free_bytes(&data_dir),
            oldest_waiting_s: oldest_waiting_s(&journal, clock::now()),
            expires: expiry::find_expiries(&board, &certificates),
        };
        let measured = tokio::task::spawn_blocking(measure).await;
        measured.unwrap_or_default()
    }
}

fn describe_odoo(link: &Link) -> &'static str {
    match link {
        Link::Starting => "starting",
        Link::Up => "up",
        Link::Down => "down",
        Link::Held => "held",
    }
}

fn free_bytes(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn oldest_waiting_s(journal: &Journal, now: Timestamp) -> u64 {
    let oldest = journal.oldest_waiting().ok().flatten();
    let age = oldest.map(|at| now.duration_since(at).as_secs());
    age.and_then(|age| u64::try_from(age).ok()).unwrap_or(0)
}

/// Runs the link until cancelled. `centre`: whether the broker is connected; `None`: the
/// configuration has none.
pub async fn run(here: Arc<Here>, centre: watch::Sender<Option<bool>>, cancel: CancellationToken) {
    let mut settings = here.settings.clone();
    while !cancel.is_cancelled() {
        let present = settings.borrow_and_update().clone();
        let shown = Shown {
            board: here.board.clone(),
            centre: centre.clone(),
            poll: Duration::from_secs(present.fleet.poll_s),
        };
        let running = RunningLink::start(&here, &present.fleet);
        let end = running.watch(&shown, &present, &mut settings, &cancel);
        if let Some(fault) = end.await {
            tracing::error!("the link to central IT failed, and is started again: {fault}");
            tokio::select! {
                () = cancel.cancelled() => {}
                () = sleep(FAULT_PAUSE) => {}
            }
        }
    }
}

/// A link that runs on a task of its own, so that a fault of ours in it ends nothing else.
struct RunningLink {
    task: JoinHandle<()>,
    states: watch::Receiver<CentreState>,
    own: CancellationToken,
}

impl Drop for RunningLink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RunningLink {
    fn start(here: &Arc<Here>, fleet: &Fleet) -> Self {
        let own = CancellationToken::new();
        let (sender, states) = watch::channel(CentreState::default());
        let (options, site) = (options(here, fleet), Arc::clone(here));
        let task = tokio::spawn(centre::run(options, site, sender, own.clone()));
        Self { task, states, own }
    }

    /// Shows the link until it must end: another one is wanted, or the daemon stops. `Some`: a
    /// fault of ours ended it.
    async fn watch(
        mut self,
        shown: &Shown,
        present: &Settings,
        settings: &mut watch::Receiver<Settings>,
        cancel: &CancellationToken,
    ) -> Option<String> {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            shown.show(&self.states.borrow_and_update());
            tokio::select! {
                () = cancel.cancelled() => break,
                ended = &mut self.task => {
                    return Some(match ended {
                        Ok(()) => "it ended".to_owned(),
                        Err(error) => error.to_string(),
                    });
                }
                Ok(()) = settings.changed() => {
                    if !settings.borrow_and_update().has_same_link(present) {
                        break;
                    }
                }
                Ok(()) = self.states.changed() => {}
                _ = look.tick() => {}
            }
        }
        self.own.cancel();
        drop(timeout(END_MAX, &mut self.task).await);
        None
    }
}

fn options(here: &Here, fleet: &Fleet) -> CentreOptions {
    let broker = fleet.broker.clone().map(|broker| -> centre::BuildOptions {
        Arc::new(move |id| {
            let options = Account::of_fleet(&broker).options(id);
            options.map_err(|error| error.to_string())
        })
    });
    CentreOptions {
        site: here.site.clone(),
        group: here.group.clone(),
        broker,
        url: fleet.url.clone(),
        poll: Duration::from_secs(fleet.poll_s),
        ca: fleet.tls.ca.clone(),
        client_cert: fleet.tls.client_cert.clone(),
        client_key: fleet.tls.client_key.clone(),
        tempo: Tempo::default(),
    }
}

/// Where the state of the link is shown.
struct Shown {
    board: Board,
    centre: watch::Sender<Option<bool>>,
    poll: Duration,
}

impl Shown {
    fn show(&self, state: &CentreState) {
        let now = clock::now();
        self.board.fleet(FleetView {
            broker: state.broker.as_ref().map(view),
            url: state.url.as_ref().map(view),
        });
        let is_up = state.broker.as_ref().map(|way| way.is_up == Some(true));
        self.centre.send_if_modified(|known| {
            let is_new = *known != is_up;
            *known = is_up;
            is_new
        });
        let broker = state.broker.as_ref();
        let broker = broker.and_then(|way| alarm(way, "broker", LINK_AFTER, now));
        self.board.alarm(LINK_ALARM, broker);
        let url_after = URL_AFTER.max(self.poll * URL_POLLS);
        let url = state.url.as_ref();
        let url = url.and_then(|way| alarm(way, "address of bundles", url_after, now));
        self.board.alarm(URL_ALARM, url);
    }
}

fn view(way: &WayState) -> WayView {
    let state = match way.is_up {
        None => "starting",
        Some(true) => "up",
        Some(false) => "down",
    };
    WayView {
        state: state.to_owned(),
        since: way.since,
        detail: way.detail.clone(),
        last: way.last.clone(),
    }
}

/// A fault of a file is an alarm at once: only a person corrects it.
fn alarm(way: &WayState, what: &str, after: Duration, now: Timestamp) -> Option<String> {
    let lasted = Duration::try_from(now.duration_since(way.since)).unwrap_or_default();
    if way.is_up == Some(true) || (lasted < after && !way.is_file_fault) {
        return None;
    }
    let detail = way.detail.as_deref().unwrap_or("there is no answer yet");
    let detail = detail.trim_end_matches('.');
    Some(format!(
        "The gateway has not reached central IT's {what} since {}: {detail}. It works without it, and tries again by itself.",
        way.since
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(is_up: Option<bool>, is_file_fault: bool) -> WayState {
        WayState {
            is_up,
            since: "2026-11-29T08:00:00Z".parse().unwrap(),
            detail: Some("connection refused".to_owned()),
            is_file_fault,
            last: None,
        }
    }

    #[test]
    fn a_way_that_is_down_for_long_is_an_alarm_and_a_file_fault_at_once() {
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        let of = |way: &WayState, now| alarm(way, "broker", LINK_AFTER, at(now));
        let down = way(Some(false), false);
        assert_eq!(of(&down, "2026-11-29T08:14:59Z"), None);
        let text = of(&down, "2026-11-29T08:15:00Z").unwrap();
        assert!(
            text.contains("connection refused. It works without it"),
            "{text}"
        );
        assert_eq!(of(&way(Some(true), false), "2026-11-29T09:00:00Z"), None);
        assert!(of(&way(None, false), "2026-11-29T09:00:00Z").is_some());
        assert!(of(&way(Some(false), true), "2026-11-29T08:00:01Z").is_some());
    }
}
