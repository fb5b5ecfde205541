//! The parts of the daemon from which the control API and the metrics answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore, watch};

use super::pauses::Pauses;
use super::records::{EventView, Place};
use super::rights::Rights;
use super::snapshot::{Begin, Status, Window};
use crate::board::Board;
use crate::catalog::Catalog;
use crate::channel::sealing::Sealer;
use crate::clock;
use crate::config::{Config, ShiftRules, Shifts, effective};
use crate::decode::profiles::Profiles;
use crate::event::{Action, Name, Recorded};
use crate::fleet::reception::Reception;
use crate::journal::{Journal, JournalError};
use crate::reload::Reloads;

/// Limits on answers in progress: each holds a thread and a page of records. A status does not wait
/// for pages.
const STATUSES_MAX: usize = 2;
const PAGES_MAX: usize = 4;
/// From this age on, the present day tells how fast the journal grows.
const DAY_MIN: SignedDuration = SignedDuration::from_hours(1);
/// Limit on open streams: the other connections stay free for requests.
pub const STREAMS_MAX: usize = 16;

/// The effective configuration: the answer of `GET /v1/config/effective`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EffectiveView {
    /// SHA-256 of the values.
    pub hash: String,
    /// From key to value and origin.
    pub keys: BTreeMap<String, EffectiveKey>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectiveKey {
    /// Null: the key has no value.
    pub value: serde_json::Value,
    /// The file and line, or the environment variable. `default`: nothing sets the key.
    pub origin: String,
}

impl EffectiveView {
    /// `origin` answers what sets a key. `None`: the key has its default.
    #[must_use]
    pub fn of(config: &Config, origin: impl Fn(&str) -> Option<String>) -> Self {
        let key = |(key, value): (&str, serde_json::Value)| {
            let origin = origin(key).unwrap_or_else(|| "default".to_owned());
            (key.to_owned(), EffectiveKey { value, origin })
        };
        Self {
            hash: effective::hash(config),
            keys: effective::values(config).into_iter().map(key).collect(),
        }
    }
}

/// The time since which a status counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SinceWhen {
    Time(Timestamp),
    /// When the present shift began; without shifts, the present day.
    Shift,
    /// When the present day began in the time zone of the site.
    Day,
}

/// The sources of all answers; cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway {
    pub site: Name,
    pub journal: Journal,
    pub board: Board,
    /// The profiles for scans that people send again.
    pub(super) profiles: Profiles,
    /// The copy of Odoo's data; `None` until the first refresh.
    pub(super) copies: Option<watch::Receiver<Option<Catalog>>>,
    /// Takes requests to reload the configuration. `None`: nobody carries them out.
    pub(super) reloads: Option<Reloads>,
    /// Takes bundles. `None`: this process takes none.
    pub(super) reception: Option<Reception>,
    /// The pauses of sending. `None` only in tests.
    pub(super) pauses: Option<Pauses>,
    /// Wakes the forwarder. `None` only in tests.
    pub(super) take_over: Option<Arc<Notify>>,
    /// The effective configuration. `None` only in tests.
    pub(super) effective: Option<watch::Receiver<EffectiveView>>,
    /// The shifts and the time zone. `None` only in tests.
    pub(super) shifts: Option<watch::Receiver<ShiftRules>>,
    /// Seals open documents before a backup. `None`: no part of this process seals any.
    pub(super) sealer: Option<Sealer>,
    /// One permit: an export reads for long.
    pub(super) exports: Arc<Semaphore>,
    /// Who may decide.
    pub(super) rights: Rights,
    /// One permit for each open stream.
    pub(super) streams: Arc<Semaphore>,
    /// One permit for each status that is being read.
    statuses: Arc<Semaphore>,
    pub(super) pages: Arc<Semaphore>,
}

impl Gateway {
    #[must_use]
    pub fn new(site: Name, journal: Journal, board: Board) -> Self {
        Self {
            site,
            journal,
            board,
            profiles: Profiles::default(),
            copies: None,
            reloads: None,
            reception: None,
            pauses: None,
            take_over: None,
            effective: None,
            shifts: None,
            sealer: None,
            exports: Arc::new(Semaphore::new(1)),
            rights: Rights::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            statuses: Arc::new(Semaphore::new(STATUSES_MAX)),
            pages: Arc::new(Semaphore::new(PAGES_MAX)),
        }
    }

    /// Reads the current status, with the counts of a window. `None`: the runtime is shutting down.
    pub(super) async fn status(
        &self,
        since: Option<SinceWhen>,
    ) -> Option<Result<Status, JournalError>> {
        let (gateway, statuses) = (self.clone(), Arc::clone(&self.statuses));
        let take = move || {
            let mut status = Status::take(&gateway.site, &gateway.journal, &gateway.board)?;
            let journal = &mut status.journal;
            let since_day = gateway.day_of_growth(clock::now());
            journal.growth = gateway.board.growth(since_day, journal.bytes);
            let window = since.map(|since| gateway.window(since)).transpose()?;
            if let Some(mut window) = window {
                // The journal counts them as open until the assembler has skipped them.
                let open_unused = status.events.open_unused;
                window.events.unused_scans += open_unused.min(window.events.open);
                status.window = Some(window);
            }
            Ok(status)
        };
        blocking(statuses, take).await
    }

    /// An event with its state. `place`: its document.
    pub(super) fn view_event(
        &self,
        recorded: &Recorded,
        place: &Place,
    ) -> Result<EventView, JournalError> {
        let event = &recorded.event;
        let is_scan = matches!(event.action, Action::Scan { .. });
        let wrong = if is_scan {
            self.journal.wrong_scan(recorded.seq)?
        } else {
            None
        };
        let is_unused = is_scan && wrong.is_none() && !self.profiles.has_flow(&event.device);
        Ok(EventView {
            unused: is_unused && !matches!(place, Place::In { .. }),
            wrong,
            ..EventView::of(&self.site, recorded, place)
        })
    }

    /// The shifts, and the time zone of the site.
    fn shifts_and_zone(&self) -> (Shifts, TimeZone) {
        let rules = self.shifts.as_ref().map(|rules| rules.borrow().clone());
        let rules = rules.unwrap_or_default();
        let of_odoo = || TimeZone::get(&self.board.snapshot().zone?).ok();
        let zone = rules.zone.or_else(of_odoo).unwrap_or_else(clock::zone);
        (rules.shifts, zone)
    }

    /// The time since which the growth of the journal is counted: the start of the day, or of the
    /// day before while the day has lasted less than [`DAY_MIN`].
    fn day_of_growth(&self, now: Timestamp) -> Timestamp {
        let (_, zone) = self.shifts_and_zone();
        let began = Shifts::default().began(now, &zone);
        if now.duration_since(began) < DAY_MIN {
            let before = began.saturating_sub(DAY_MIN).unwrap_or(began);
            return Shifts::default().began(before, &zone);
        }
        began
    }

    /// When the requested period began.
    pub(super) fn time_of(&self, since: SinceWhen) -> Timestamp {
        self.begin(since).0
    }

    fn begin(&self, since: SinceWhen) -> (Timestamp, Begin, TimeZone) {
        let (shifts, zone) = self.shifts_and_zone();
        let (requested, begin) = match since {
            SinceWhen::Time(time) => (time, Begin::Time),
            SinceWhen::Shift => {
                let began = shifts.began(clock::now(), &zone);
                let is_day = shifts.is_empty();
                (began, if is_day { Begin::Day } else { Begin::Shift })
            }
            SinceWhen::Day => (Shifts::default().began(clock::now(), &zone), Begin::Day),
        };
        (requested, begin, zone)
    }

    fn window(&self, since: SinceWhen) -> Result<Window, JournalError> {
        let (requested, begin, zone) = self.begin(since);
        Ok(Window {
            requested,
            begin,
            zone: zone.iana_name().map(str::to_owned),
            ..Window::from(self.journal.since(requested)?)
        })
    }
}

/// Runs blocking work on a thread of its own, as soon as a permit is free.
pub(super) async fn blocking<T, F>(permits: Arc<Semaphore>, work: F) -> Option<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let permit = permits.acquire_owned().await.ok()?;
    let working = move || {
        let done = work();
        // The work holds the permit: a client that hangs up does not free it before the work ends.
        drop(permit);
        done
    };
    tokio::task::spawn_blocking(working).await.ok()
}
