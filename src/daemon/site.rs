//! The gateway as the agent of bundles sees it: its clock, its state, its check, its load.
//!
//! **In**: the board, the totals of the journal, the folder of a bundle's files. **Out**: an
//! [`Observation`] each second, the faults of a bundle at this gateway, and requests to the task
//! that owns the daemon, which loads the files.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use crate::board::{Board, Link, Live};
use crate::clock;
use crate::event::RejectedNumber;
use crate::fleet::agent::{Site, SiteCheck};
use crate::fleet::local::{LocalConfig, LocalFiles};
use crate::fleet::machine::WallClock;
use crate::fleet::watch::Observation;
use crate::journal::{Journal, Totals};
use crate::opens;
use crate::reload::{SetRequest, describe_unopened};
use crate::view::control::EffectiveView;

const HOUR: Duration = Duration::from_hours(1);
/// The keys of the link to Odoo begin with this.
const ODOO_KEYS: &str = "odoo.";
/// How often the counter of refused readings is noted for the rate of the last hour.
const NOTE_EVERY: Duration = Duration::from_mins(1);

/// This gateway.
#[derive(Debug)]
pub struct Gateway {
    pub board: Board,
    pub journal: Journal,
    pub files: LocalFiles,
    /// The configuration that runs.
    pub effective: watch::Receiver<EffectiveView>,
    pub loads: mpsc::Sender<SetRequest>,
    /// Whether the centre's broker is connected. `None`: the configuration has none.
    pub centre: watch::Receiver<Option<bool>>,
    pub counts: Mutex<Counts>,
}

/// What is counted between two observations.
#[derive(Debug, Default)]
pub struct Counts {
    /// The readings at the observation before, and when the last one came.
    readings: Option<u64>,
    last_reading: Option<Instant>,
    rejected: Option<u64>,
    parked: u64,
    refused: u64,
    /// `refused` at past times, the oldest first.
    noted: VecDeque<(Instant, u64)>,
    /// Readings that were refused in the hour before the process started.
    before: u64,
}

impl Counts {
    fn observe(&mut self, totals: &Totals, now: Instant) {
        let readings = totals.stored + totals.duplicates + totals.rejected;
        let before = self.readings.replace(readings);
        if before.is_some_and(|before| before != readings) {
            self.last_reading = Some(now);
        }
        let parked = totals.parked.documents;
        let before = self.rejected.replace(totals.rejected);
        // The first observation has nothing to compare with.
        if let Some(before) = before {
            self.refused += totals.rejected.saturating_sub(before);
            self.refused += parked.saturating_sub(self.parked);
        }
        self.parked = parked;
        let is_due = |(at, _): &(Instant, u64)| now.duration_since(*at) >= NOTE_EVERY;
        if self.noted.back().is_none_or(is_due) {
            self.noted.push_back((now, self.refused));
        }
        let is_old = |(at, _): &(Instant, u64)| now.duration_since(*at) > HOUR;
        while self.noted.front().is_some_and(is_old) {
            self.noted.pop_front();
        }
    }

    /// In the first hour of the process: with the readings that the journal has of the time before,
    /// or at the present rate, whichever is more. The journal does not have when documents parked.
    fn refused_last_hour(&self, now: Instant) -> u64 {
        let Some((since, first)) = self.noted.front() else {
            return self.before;
        };
        let refused = self.refused.saturating_sub(*first);
        let hour = HOUR.as_secs();
        let seconds = now.duration_since(*since).as_secs();
        let unseen = hour.saturating_sub(seconds);
        let with_before = refused.saturating_add(self.before.saturating_mul(unseen) / hour);
        let at_this_rate = refused.saturating_mul(hour) / seconds.clamp(NOTE_EVERY.as_secs(), hour);
        with_before.max(at_this_rate)
    }
}

/// Counts the readings that were refused since a time. Their numbers rise with the time; `received`
/// is `None` for a number that the journal no longer has.
fn count_refused(
    newest: u64,
    since: Timestamp,
    received: impl Fn(u64) -> Option<Timestamp>,
) -> u64 {
    let (mut older, mut newer) = (0, newest.saturating_add(1));
    while newer - older > 1 {
        let middle = older + (newer - older) / 2;
        if received(middle).is_some_and(|at| at >= since) {
            newer = middle;
        } else {
            older = middle;
        }
    }
    newest.saturating_add(1) - newer
}

fn refused_before(journal: &Journal) -> u64 {
    let since = clock::now().checked_sub(HOUR).unwrap_or(Timestamp::MIN);
    count_refused(journal.totals().rejected, since, |number| {
        let rejected = journal.rejected_one(RejectedNumber::new(number));
        rejected.ok().flatten().map(|rejected| rejected.received)
    })
}

fn observe(live: Live, counts: &Counts, centre: Option<bool>, now: Instant) -> Observation {
    let odoo = live.odoo;
    let why = || (odoo.detail.clone()).unwrap_or_else(|| "no detail".to_owned());
    Observation {
        odoo_held: (odoo.link == Link::Held).then(why),
        odoo_down: (odoo.link != Link::Up).then(why),
        sources: (live.sources.into_iter())
            .map(|(name, view)| (name, view.state == "up"))
            .collect(),
        devices: (live.devices.into_iter())
            .filter(|(_, view)| view.online)
            .map(|(name, _)| name.to_string())
            .collect(),
        centre,
        refused: counts.refused,
        refused_last_hour: counts.refused_last_hour(now),
        quiet: counts.last_reading.map(|last| now.duration_since(last)),
        // The forwarder changes to another Odoo between two batches only, and waits for it.
        is_sending: false,
    }
}

fn changes_odoo(running: &EffectiveView, wanted: &EffectiveView) -> bool {
    let values = |view: &EffectiveView| -> Vec<_> {
        let keys = view.keys.iter();
        let keys = keys.filter(|(key, _)| key.starts_with(ODOO_KEYS));
        keys.map(|(key, it)| (key.clone(), it.value.clone()))
            .collect()
    };
    values(running) != values(wanted)
}

/// The clock is not trusted while its alarm is on.
fn wall_clock(board: &Board) -> WallClock {
    WallClock {
        now: clock::now(),
        // Housekeeping judges the clock each second.
        is_trusted: !board.has_alarm("clock"),
    }
}

impl Site for Gateway {
    fn clock(&self) -> WallClock {
        wall_clock(&self.board)
    }

    fn observe(&self) -> Observation {
        let now = clock::instant();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.noted.is_empty() {
            counts.before = refused_before(&self.journal);
        }
        counts.observe(&self.journal.totals(), now);
        let centre = *self.centre.borrow();
        observe(self.board.snapshot(), &counts, centre, now)
    }

    async fn check(&self, set: &Path) -> SiteCheck {
        let (files, set) = (self.files.clone(), set.to_owned());
        let pid = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
        let check = move || {
            let LocalConfig { loaded, .. } = files.read(Some(&set))?;
            let faults = describe_unopened(&loaded, &opens::unopened(&loaded.config, pid));
            if faults.is_empty() {
                Ok(EffectiveView::of(&loaded.config, |_| None))
            } else {
                Err(faults)
            }
        };
        let checked = tokio::task::spawn_blocking(check).await;
        match checked.unwrap_or_else(|error| Err(vec![error.to_string()])) {
            Ok(wanted) => {
                let running = self.effective.borrow();
                SiteCheck {
                    faults: Vec::new(),
                    changes_odoo: changes_odoo(&running, &wanted),
                }
            }
            Err(faults) => SiteCheck {
                faults,
                changes_odoo: false,
            },
        }
    }

    async fn load(&self, set: Option<&Path>) -> Result<(), String> {
        let (reply, answer) = oneshot::channel();
        let set = set.map(Path::to_owned);
        if self.loads.send(SetRequest { set, reply }).await.is_ok()
            && let Ok(result) = answer.await
        {
            return result;
        }
        // The daemon stops: that says nothing about the files. The process ends, and its next start
        // loads them.
        std::future::pending().await
    }

    /// The forwarder waits by itself.
    fn pause_sending(&self, _: bool) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{DeviceView, SourceView};
    use crate::event::Name;
    use crate::journal::StateTotals;
    use crate::view::control::EffectiveKey;

    fn totals(stored: u64, rejected: u64, parked: u64) -> Totals {
        Totals {
            stored,
            rejected,
            parked: StateTotals {
                documents: parked,
                ..StateTotals::default()
            },
            ..Totals::default()
        }
    }

    #[test]
    fn only_what_is_refused_since_the_start_counts_and_for_an_hour() {
        let (mut counts, start) = (Counts::default(), clock::instant());
        counts.observe(&totals(10, 100, 7), start);
        assert_eq!((counts.refused, counts.last_reading), (0, None));
        let later = start + Duration::from_secs(1);
        counts.observe(&totals(11, 102, 8), later);
        assert_eq!((counts.refused, counts.refused_last_hour(later)), (3, 180));
        assert_eq!(counts.last_reading, Some(later));
        // A person settles the document: nothing is taken back.
        counts.observe(&totals(11, 102, 7), later);
        assert_eq!(counts.refused, 3);
        for minute in 1..=62 {
            counts.observe(&totals(11, 102, 7), later + NOTE_EVERY * minute);
        }
        let last = later + NOTE_EVERY * 62;
        assert_eq!((counts.refused, counts.refused_last_hour(last)), (3, 0));
    }

    #[test]
    fn after_a_restart_the_hour_before_has_what_was_refused_in_it() {
        let start = clock::instant();
        let steady = |mut counts: Counts| {
            let at = |minute: u64| start + NOTE_EVERY * u32::try_from(minute).unwrap();
            let hour = |counts: &Counts, minute| counts.refused_last_hour(at(minute));
            let mut found = Vec::new();
            for minute in 0..=120 {
                counts.observe(&totals(0, 100 + minute, 0), at(minute));
                if [3, 30, 120].contains(&minute) {
                    found.push(hour(&counts, minute));
                }
            }
            found
        };
        // One a minute, and nothing is known about the time before.
        assert_eq!(steady(Counts::default()), [60, 60, 60]);
        let known = Counts {
            before: 60,
            ..Counts::default()
        };
        assert_eq!(steady(known), [60, 60, 60]);
        // The time before was worse.
        let worse = Counts {
            before: 600,
            ..Counts::default()
        };
        assert_eq!(steady(worse), [573, 330, 60]);
    }

    #[test]
    fn the_journal_has_what_was_refused_before_the_start() {
        let at = |second: u64| Timestamp::from_second(i64::try_from(second).unwrap()).unwrap();
        // Number 1 to 100, one a second; the first 20 are pruned.
        let received = |number| (number > 20).then(|| at(number));
        assert_eq!(count_refused(100, at(91), received), 10);
        assert_eq!(count_refused(100, at(0), received), 80);
        assert_eq!(count_refused(100, at(101), received), 0);
        assert_eq!(count_refused(0, at(0), received), 0);
    }

    #[test]
    fn any_key_of_odoo_changes_the_link() {
        let view = |pairs: &[(&str, &str)]| {
            let key = |value: &str| EffectiveKey {
                value: value.into(),
                origin: "default".to_owned(),
            };
            let keys = pairs.iter().map(|(name, it)| ((*name).to_owned(), key(it)));
            EffectiveView {
                hash: String::new(),
                keys: keys.collect(),
            }
        };
        let running = view(&[("odoo.ca", "a"), ("capture.check", "a")]);
        let other = view(&[("odoo.ca", "b"), ("capture.check", "a")]);
        let fewer = view(&[("capture.check", "b")]);
        let same = view(&[("odoo.ca", "a"), ("capture.check", "b")]);
        assert!(changes_odoo(&running, &other));
        assert!(changes_odoo(&running, &fewer));
        assert!(!changes_odoo(&running, &same));
    }

    #[test]
    fn a_clock_with_an_alarm_is_not_trusted() {
        let board = Board::new();
        assert!(wall_clock(&board).is_trusted);
        let sentence = "The clock of this gateway shows 1970-01-01T00:00:07Z, which is wrong";
        board.alarm("clock", Some(sentence.to_owned()));
        assert!(!wall_clock(&board).is_trusted);
        board.alarm("clock", None);
        assert!(wall_clock(&board).is_trusted);
    }

    #[test]
    fn the_board_becomes_an_observation() {
        let mut live = Live::default();
        let source = |state: &str| SourceView {
            state: state.to_owned(),
            ..SourceView::default()
        };
        live.sources.insert("listen".to_owned(), source("up"));
        live.sources.insert("broker".to_owned(), source("starting"));
        let device = |online| DeviceView {
            online,
            ..DeviceView::default()
        };
        live.devices
            .insert(Name::new("pda-1").unwrap(), device(true));
        live.devices
            .insert(Name::new("pda-2").unwrap(), device(false));
        live.odoo.link = Link::Held;
        live.odoo.detail = Some("wrong database".to_owned());
        let seen = observe(live, &Counts::default(), Some(true), clock::instant());
        assert_eq!(seen.odoo_held.as_deref(), Some("wrong database"));
        assert_eq!(seen.odoo_down.as_deref(), Some("wrong database"));
        let sources = [("broker".to_owned(), false), ("listen".to_owned(), true)];
        assert_eq!(seen.sources, sources.into());
        assert_eq!(seen.devices, ["pda-1".to_owned()].into());
        assert_eq!((seen.centre, seen.quiet), (Some(true), None));
    }
}
