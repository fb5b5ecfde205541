//! Posts sealed documents to Odoo, each exactly once, and reads them back.
//!
//! **In**: the journal's waiting documents, in the order of their numbers. **Out**: their outcomes,
//! first to the journal and then as receipts to the devices. [`send`] decides what to do next; this
//! driver carries out its commands and passes the answers back.
//!
//! - `pausing`: a pause by a person, as this driver sees it.
//! - `probe`: what the gateway asks Odoo before it sends. `trace`: keys of documents in the log.
//! - `round`: one round of sending, from the queue to the settled outcomes.
//! - `queue`: which documents are next, and what each waits for.
//! - `resolve`: barcodes become Odoo's ids.
//! - `send`, `order`: decide each call to Odoo. Pure. `order_step`: performs one step about an
//!   order.
//! - `fencing`: only the newest gateway of a site posts.
//! - `undo`: reverses events, withdraws discarded documents. `counts`: recounts after a posting.
//! - `job`: a document with its work in Odoo. `times`: when each event was done. `claims`: move
//!   lines that people posted, and the documents that they stand for. `faults`: all faults of a
//!   document as one reason. `settings`: applies a new configuration.
//!
//! **Promises:** a document is *sending* on disk before the first byte of it leaves. A document
//! that was *sending* when the gateway stopped has an unknown outcome; after the start it comes
//! first, with the same key. If it no longer resolves, the gateway reads what Odoo holds of it.

mod claims;
mod counts;
mod faults;
mod fencing;
mod interrupted;
pub mod job;
pub mod order;
mod order_step;
mod pausing;
mod probe;
mod queue;
mod resolve;
mod round;
pub mod send;
mod settings;
mod times;
mod trace;
mod undo;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::fencing::Fencing;
use self::interrupted::Interrupted;
use self::order_step::step;
pub use self::pausing::Pausing;
use self::queue::{DocumentCounts, Ended, Queue};
use self::resolve::Ground;
pub use self::resolve::Rules;
use self::round::raise_alarm;
use self::send::{Command, Input, Link, Machine, lanes};
pub use self::settings::Settings;
use crate::board::{self, Board};
use crate::catalog::Catalog;
use crate::catalog::refresh::{Refresh, Trouble};
use crate::channel::Outlets;
use crate::clock;
use crate::journal::Journal;
use crate::odoo::{Client, Meter, Warehouse};
use crate::outcome::Failure;
use crate::pulse::Pulse;

/// How much longer a call in progress may take after the stop.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// The name of the loop that sends to Odoo, for the log.
const LOOP: &str = "the sending to Odoo";
/// Alarm: the link is held.
const ALARM_HELD: &str = "odoo-held";
/// Alarm: Odoo posted a document after a person or a correction had ended the document. The alarm
/// stays on until the next start.
const ALARM_LATE: &str = "odoo-posted-late";

/// The part of the gateway that posts to Odoo.
#[derive(Debug)]
pub struct Forwarder {
    pub settings: watch::Receiver<Settings>,
    pub journal: Journal,
    pub outlets: Outlets,
    pub board: Board,
    pub data_dir: PathBuf,
    /// The catalog, as [`Catalog::open_last`] opens it at the start; later the catalog in use, for
    /// all readers.
    pub copy: watch::Sender<Option<Catalog>>,
    /// The pauses of sending by a person.
    pub pausing: Pausing,
    /// Whether another gateway of the site has replaced this one.
    pub fencing: Fencing,
}

impl Forwarder {
    /// Runs until `cancel`, or until the journal has stopped.
    pub async fn run(mut self, cancel: CancellationToken) {
        let settings = self.settings.borrow_and_update().clone();
        let mut reloads = self.settings.clone();
        let mut pauses = self.pausing.orders();
        let ordered = self.fencing.ordered();
        let mut machine = Machine::new(settings.limits());
        let mut totals = self.journal.watch();
        let pulse = Pulse::new(LOOP, settings.silent_max());
        self.board.pulses().add(&pulse);
        let meter = Meter::new(pulse.clone(), self.board.levels().clone());
        let mut hands = Hands {
            queue: Queue::new(self.journal.clone(), self.outlets, cancel.clone())
                .with_levels(self.board.levels().clone()),
            site: None,
            client: None,
            refresh: Refresh::default(),
            has_rights: false,
            board: self.board,
            settings,
            new_settings: self.settings,
            journal: self.journal,
            data_dir: self.data_dir,
            copy: self.copy,
            pausing: self.pausing,
            fencing: self.fencing,
            meter,
            started: clock::instant(),
        };
        hands.show(&machine);
        let ended = loop {
            pulse.turn().await;
            hands.apply_settings(&mut machine);
            hands.pausing.apply(&mut machine);
            let command = machine.next(hands.now());
            // After a cancellation the gateway still writes the outcomes of documents, but starts
            // no other command.
            if cancel.is_cancelled() && !matches!(command, Command::Settle(_)) {
                break Ended::Cancelled;
            }
            let begun = hands.now();
            let input = match &command {
                Command::Sleep { until } => {
                    // Deferred documents wait as well, each until its own time.
                    let (due, seen) = hands.queue.idle();
                    let due = due.filter(|_| machine.is_idle()).unwrap_or(*until);
                    let due = due.min(*until).min(hands.pausing.end(hands.now()));
                    let until = hands.started + due;
                    tokio::select! {
                        () = cancel.cancelled() => continue,
                        () = tokio::time::sleep_until(until.into()) => Input::Woken,
                        () = pulse.asked() => continue,
                        Ok(()) = reloads.changed() => Input::Woken,
                        Ok(()) = pauses.changed() => Input::Woken,
                        () = ordered.notified() => {
                            machine.probe_again();
                            continue;
                        }
                        changed = totals.wait_for(|totals| DocumentCounts::of(totals) != seen), if machine.is_idle() => match changed {
                            Ok(_) => Input::Woken,
                            Err(_) => break Ended::JournalStopped,
                        },
                    }
                }
                command => match hands.perform(command, &cancel).await {
                    Ok(input) => input,
                    Err(ended) => break ended,
                },
            };
            let now = hands.now();
            let took = now.saturating_sub(begun);
            hands.note(&command, &input, took);
            if command.writes()
                && matches!(input, Input::Failed(Failure::Wait { .. }))
                && let Err(Interrupted::Ended(ended)) = hands.queue.note_unanswered().await
            {
                break ended;
            }
            machine.answer(input, now, took, jitter());
            hands.show(&machine);
        };
        match ended {
            Ended::Cancelled => tracing::debug!("sending to Odoo stops"),
            Ended::JournalStopped => {
                tracing::warn!("sending to Odoo stops, because the journal has stopped");
            }
            Ended::Unreadable(error) => tracing::error!(%error, "sending to Odoo stops"),
        }
    }
}

/// The connections and stores with which the machine's commands are performed.
struct Hands {
    queue: Queue,
    settings: Settings,
    /// Settings that a reload has changed; [`Self::settings`] follows when it may.
    new_settings: watch::Receiver<Settings>,
    journal: Journal,
    data_dir: PathBuf,
    copy: watch::Sender<Option<Catalog>>,
    pausing: Pausing,
    fencing: Fencing,
    client: Option<Client>,
    site: Option<Site>,
    refresh: Refresh,
    /// Whether Odoo has confirmed, since the daemon started, that the key's user has the rights
    /// that sending needs.
    has_rights: bool,
    board: Board,
    /// The sign of life of the loop, which also beats at each request; the durations of requests.
    meter: Meter,
    started: Instant,
}

/// What the last probe found out about Odoo.
struct Site {
    warehouse: Warehouse,
    zone: TimeZone,
    copy: Catalog,
}

impl Hands {
    fn now(&self) -> Duration {
        clock::instant().duration_since(self.started)
    }

    /// Performs a command. A call in progress at the stop may take a little longer.
    async fn perform(
        &mut self,
        command: &Command<'_>,
        cancel: &CancellationToken,
    ) -> Result<Input, Ended> {
        if let Command::Settle(outcomes) = command {
            let (now, copy) = (self.now(), self.site.as_ref().map(|site| &site.copy));
            // The alarm is raised before the write, so that it is on when the document is parked,
            // and again after the write, because housekeeping may clear the alarm between the two.
            raise_alarm(&self.board, outcomes);
            let settled = self
                .queue
                .settle(outcomes, copy, &self.settings.rules, now)
                .await;
            raise_alarm(&self.board, outcomes);
            return match settled {
                Ok(()) => Ok(Input::Settled),
                Err(Interrupted::Ended(ended)) => Err(ended),
                Err(Interrupted::Trouble(trouble)) => Ok(Input::Failed(self.failure(trouble))),
            };
        }
        let grace = async {
            cancel.cancelled().await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        tokio::select! {
            biased;
            done = self.call(command) => match done {
                Ok(input) => Ok(input),
                Err(Interrupted::Ended(ended)) => Err(ended),
                Err(Interrupted::Trouble(trouble)) => Ok(Input::Failed(self.failure(trouble))),
            },
            () = grace => Err(Ended::Cancelled),
        }
    }

    async fn call(&mut self, command: &Command<'_>) -> Result<Input, Interrupted> {
        match command {
            Command::Probe => return self.probe().await,
            Command::Ping => return Ok(Input::Ping(self.ping().await)),
            _ => {}
        }
        // Before anything changes the state of these documents.
        self.queue.note_stopped().await?;
        let now = self.now();
        let (Some(client), Some(site)) = (&mut self.client, &self.site) else {
            return Err(Failure::wait("the gateway has not probed Odoo yet").into());
        };
        let keys = trace::keys(command);
        trace::log(command, &keys);
        client.name_documents(&keys);
        let ground = Ground {
            copy: &site.copy,
            warehouse: &site.warehouse,
            rules: &self.settings.rules,
            zone: &site.zone,
            journal: &self.journal,
            book: None,
            now: clock::now(),
        };
        Ok(match command {
            Command::Refresh => {
                let refresh = &mut self.refresh;
                let news = refresh
                    .run(client, &site.copy, &site.warehouse, &self.board, now)
                    .await?;
                self.board
                    .odoo(|view| view.copy_refreshed = Some(clock::now()));
                let news = self.pausing.defer_news(news);
                let Some(news) = news else {
                    return Ok(Input::Refreshed);
                };
                self.queue.heal(client, ground, news).await?;
                self.queue.take_back_all(client, ground).await?;
                let late_s = self.settings.config.late_commit_s;
                if let Some(sentence) = self.queue.look_at_late(client, ground, late_s).await? {
                    self.board.alarm(ALARM_LATE, Some(sentence));
                }
                Input::Refreshed
            }
            Command::Take { lines_max } => {
                if self.fencing.is_due(now) {
                    let database = &self.settings.config.database;
                    self.fencing
                        .look(client, database, &self.queue, now)
                        .await?;
                }
                let queue = &mut self.queue;
                let taken = queue.take(client, ground, *lines_max, now);
                Input::Taken(taken.await?)
            }
            Command::Load(transfers) => {
                Input::Loaded(lanes::load(client, &site.warehouse, transfers).await?)
            }
            Command::Read(ids) => Input::Pickings(client.pickings(ids).await?),
            Command::Validate(sent) => {
                client.link_returns(sent).await?;
                lanes::validate(client, sent).await?;
                Input::Validated
            }
            Command::SetDone(done) => Input::Pickings(client.set_done(done).await?),
            Command::Order(job, next) => step(client, &site.warehouse, job, next).await?,
            Command::Probe | Command::Ping | Command::Settle(_) | Command::Sleep { .. } => {
                Input::Woken
            }
        })
    }

    fn failure(&mut self, trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Odoo(failure) => failure,
            Trouble::Catalog(error) => {
                tracing::warn!(%error, "deleting the copy of Odoo's data; the gateway fetches it again");
                self.site = None;
                let copy = self.copy.send_replace(None);
                if let Some(Err(error)) = copy.map(Catalog::discard) {
                    tracing::error!(%error, "cannot delete the copy of Odoo's data");
                }
                // A held link probes again, and the probe creates a new catalog.
                Failure::stop(error.to_string(), "free disk space if the disk is full")
            }
        }
    }

    /// Logs what a call shows about the link.
    fn note(&self, command: &Command<'_>, input: &Input, took: Duration) {
        let local = matches!(
            command,
            Command::Settle(_) | Command::Sleep { .. } | Command::Take { .. } | Command::Ping
        );
        if !local && !matches!(input, Input::Failed(_)) {
            let ahead = self.client.as_ref().and_then(Client::clock_ahead);
            let ahead = ahead.and_then(|ahead| i64::try_from(ahead.as_millis()).ok());
            self.board.odoo(|view| {
                view.clock_ahead_ms = ahead;
                view.last_success = Some(clock::now());
                view.latency_ms = Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            });
        }
    }

    /// Writes the link to the status, and logs its changes.
    fn show(&self, machine: &Machine) {
        let (link, detail) = match machine.link() {
            Link::Starting => (board::Link::Starting, None),
            Link::Up => (board::Link::Up, None),
            Link::Down { why } => (board::Link::Down, Some(why.clone())),
            Link::Held { why } => (board::Link::Held, Some(why.clone())),
        };
        let left = machine.pause_left(self.now());
        let retry_at = left.and_then(|left| clock::now().checked_add(left).ok());
        let mut changed = false;
        self.board.odoo(|view| {
            view.retry_at = retry_at;
            changed = view.link != link || view.since.is_none();
            if changed {
                view.since = Some(clock::now());
            }
            changed |= view.detail != detail;
            view.link = link.clone();
            view.detail.clone_from(&detail);
            view.batch_lines = machine.batch_lines();
            view.replaced = self.fencing.is_replaced();
        });
        if !changed {
            return;
        }
        let held = matches!(link, board::Link::Held).then(|| {
            format!(
                "The gateway sends nothing to Odoo until you correct this: {}. The gateway stores all events meanwhile.",
                detail.clone().unwrap_or_default()
            )
        });
        match (link, detail) {
            (board::Link::Held, Some(why)) => tracing::error!(why, "the link to Odoo is held"),
            (board::Link::Down, Some(why)) => tracing::warn!(why, "the link to Odoo is down"),
            (board::Link::Up, _) => tracing::info!("the link to Odoo is up"),
            _ => {}
        }
        self.board.alarm(ALARM_HELD, held);
    }
}

/// A random fraction from 0 to 1.
fn jitter() -> f64 {
    u32::try_from(random() >> 32).map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX))
}

/// A random number, from the random hash keys of the standard library.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
