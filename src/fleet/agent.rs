//! Drives the machine of bundles: writes the record, then executes the actions.
//!
//! **In**: verified bundles and stops, a person's rollback, the time ([`FleetOrder`]). **Out**: the
//! configuration that the process loads ([`Site::load`]), and a [`FleetStatus`] for views.
//!
//! **Guarantees**: the record is on disk before an action is executed. While the disk is full, no
//! new configuration is applied or confirmed; a rollback or a stop is carried out anyway, and
//! recorded in the room that is reserved for it, or when there is space. Nothing is removed that
//! the record on disk still needs.

mod start;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::disk::{DiskError, FleetDisk, Storage};
use super::machine::{Action, Answer, Input, Machine, WallClock};
use super::orders::{FleetOrder, FleetStatus, OfferedFiles, OrderError, ReceivedOrders};
use super::record::{BundleId, BundleState, ConfigSet, FleetRecord, PendingBundle};
use super::watch::Observation;
pub use start::FleetStart;

const TICK: Duration = Duration::from_secs(1);
/// How often a bundle that the disk did not take is tried again.
const STORE_EVERY: Duration = Duration::from_secs(30);
/// Actions that follow from one input, at most: a longer chain is a fault of the machine.
const ACTIONS_MAX: usize = 32;

/// The gateway that bundles configure.
pub trait Site: Send + Sync + 'static {
    fn clock(&self) -> WallClock;
    fn observe(&self) -> Observation;
    /// Checks the local files with those of a bundle, as at a start: files, values, credentials.
    fn check(&self, set: &Path) -> impl Future<Output = SiteCheck> + Send;
    /// Loads the local files with those of a bundle, or the local files alone. All or nothing; keys
    /// of `odoo.*` change between two batches. The future must end, whatever happens.
    fn load(&self, set: Option<&Path>) -> impl Future<Output = Result<(), String>> + Send;
    /// Starts no further batch to Odoo (`true`), or continues.
    fn pause_sending(&self, is_paused: bool);
}

/// The result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteCheck {
    /// Each fault, with file, line and key. Empty: the gateway can use the files.
    pub faults: Vec<String>,
    /// Whether keys of `odoo.*` would change.
    pub changes_odoo: bool,
}

/// A step that the agent took.
struct Stepped {
    actions: Vec<Action>,
    answer: Answer,
    /// Why the record is not on disk yet.
    unrecorded: Option<DiskError>,
}

#[derive(Debug)]
pub struct Agent<S, T> {
    disk: Arc<Mutex<FleetDisk<S>>>,
    site: Arc<T>,
    machine: Machine,
    /// The record as it is on disk. `None` after a write that failed: it is the old or the new one.
    recorded: Option<FleetRecord>,
    /// Actions that wait until the process has loaded its configuration.
    delayed: Vec<Action>,
    /// A bundle that the disk has not taken yet, and the time of the attempt.
    held: Option<(Box<OfferedFiles>, Timestamp)>,
    since_store: Duration,
    /// Why the disk did not take the last write.
    fault: Option<String>,
    links: watch::Sender<Vec<Bytes>>,
    /// The bundle whose values the last good configuration has, while the process runs with it.
    fallback: Option<BundleId>,
}

impl<S: Storage, T: Site> Agent<S, T> {
    #[must_use]
    pub fn new(start: FleetStart<S>, site: Arc<T>) -> Self {
        Self {
            disk: Arc::new(Mutex::new(start.disk)),
            site,
            machine: start.machine,
            recorded: start.recorded,
            delayed: start.delayed,
            held: None,
            since_store: Duration::ZERO,
            fault: None,
            links: start.links,
            fallback: None,
        }
    }

    /// The process runs with the last good configuration, which has the values of this bundle.
    #[must_use]
    pub fn with_fallback(self, fallback: Option<BundleId>) -> Self {
        Self { fallback, ..self }
    }

    fn folder(&self, set: ConfigSet) -> Option<PathBuf> {
        let disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        set.bundle().map(|id| disk.set(id))
    }

    #[must_use]
    pub fn status(&self) -> FleetStatus {
        let record = self.machine.record();
        let mut alarms = self.machine.alarms(self.site.clock());
        if let Some(fault) = &self.fault {
            alarms.insert(
                "fleet-disk",
                format!("The gateway cannot store its configuration bundles: {fault}."),
            );
        }
        let held = self.held.as_ref().map(|(held, since)| PendingBundle {
            facts: held.offered.facts.clone(),
            state: BundleState::Fetched,
            since: *since,
            until: None,
            reason: self.fault.clone(),
            changes_odoo: false,
        });
        let status = FleetStatus::of(&self.machine);
        FleetStatus {
            running: self.fallback.map_or(status.running, ConfigSet::Bundle),
            pending: record.pending.clone().or(held),
            alarms,
            ..status
        }
    }

    /// The process started with this configuration, or could not.
    pub async fn loaded(&mut self, set: ConfigSet, result: Result<(), String>) {
        let delayed = std::mem::take(&mut self.delayed);
        // A fault of the disk is in the status.
        self.take(Input::Loaded { set, result }).await.ok();
        self.execute(delayed).await;
    }

    /// Observes the site, `passed` after the observation before.
    pub async fn tick(&mut self, passed: Duration) {
        self.since_store += passed;
        if self.since_store >= STORE_EVERY {
            if let Some((held, _)) = self.held.take() {
                self.offer(held).await.ok();
            } else if self.fault.is_some() {
                // The record is written with the next step. What remains may be old files.
                self.since_store = Duration::ZERO;
                self.clean_up().await;
            }
        }
        let observation = self.site.observe();
        let input = Input::Tick {
            passed,
            observation,
        };
        self.take(input).await.ok();
    }

    /// The process stops cleanly. Nothing follows.
    pub async fn stop(&mut self) {
        self.take(Input::Stopping).await.ok();
    }

    /// Carries out an order.
    pub async fn serve(&mut self, order: FleetOrder) -> Result<Answer, OrderError> {
        match order {
            FleetOrder::Offer(files) => Ok(self.offer(files).await?),
            FleetOrder::Stop(stop) => self.take_recorded(Input::Stop(stop)).await,
            FleetOrder::RollBack { by } => self.take_recorded(Input::RollBack { by }).await,
            FleetOrder::Rejected { reason, by } => {
                Ok(self.take(Input::Rejected { reason, by }).await?)
            }
            FleetOrder::Loaded(set) => {
                self.fallback = None;
                let result = Ok(());
                Ok(self.take(Input::Loaded { set, result }).await?)
            }
        }
    }

    /// Stores a bundle, and hands it to the machine. Its change of trusted keys holds once it is on
    /// disk, also if the gateway cannot use the bundle. A bundle that the disk does not take is
    /// tried again, until a newer one comes.
    async fn offer(&mut self, files: Box<OfferedFiles>) -> Result<Answer, DiskError> {
        let offered = files.offered.clone();
        let id = offered.facts.id;
        let is_lost = self.machine.lacks(id);
        if is_lost || self.machine.judge(&offered) == Answer::Done {
            let is_older = |held: &OfferedFiles| held.offered.facts.id.serial <= id.serial;
            self.held.take_if(|(held, _)| is_older(held));
            let kept = files.clone();
            let stored = self
                .on_disk(move |disk| {
                    disk.store(id, &kept.bundle, &kept.files)?;
                    let stored = kept.link.as_ref().map(|link| disk.store_link(link));
                    stored
                        .transpose()
                        .map(|stored| stored.map(|()| disk.links()))
                })
                .await;
            match stored {
                Ok(Some(links)) => drop(self.links.send_replace(links)),
                Ok(None) => {}
                Err(error) => {
                    self.hold(files);
                    return Err(error);
                }
            }
        }
        let taken = self.take(Input::Offered(offered)).await;
        if taken.is_err() {
            self.hold(files);
        } else if is_lost {
            // Its files may have been damaged, and are stored again.
            let load = Action::Load(ConfigSet::Bundle(id));
            self.execute(vec![load]).await;
        }
        taken
    }

    fn hold(&mut self, files: Box<OfferedFiles>) {
        self.held = Some((files, self.site.clock().now));
        self.since_store = Duration::ZERO;
    }

    /// Takes in an input and executes what follows.
    async fn take(&mut self, input: Input) -> Result<Answer, DiskError> {
        let stepped = self.step(input).await?;
        self.execute(stepped.actions).await;
        Ok(stepped.answer)
    }

    /// A stop or a rollback that is not on disk holds until the process ends, and the answer is the
    /// fault of the disk. A resumption that is not on disk has no effect.
    async fn take_recorded(&mut self, input: Input) -> Result<Answer, OrderError> {
        let stepped = self.step(input).await?;
        self.execute(stepped.actions).await;
        match stepped.unrecorded {
            Some(error) if stepped.answer == Answer::Done => Err(OrderError::NotRecorded(error)),
            _ => Ok(stepped.answer),
        }
    }

    /// One step of the machine, with its record on disk.
    async fn step(&mut self, input: Input) -> Result<Stepped, DiskError> {
        let mut next = self.machine.clone();
        let step = next.step(self.site.clock(), input);
        let before = std::mem::replace(&mut self.machine, next);
        let (old, new) = (before.record(), self.machine.record());
        let must_last = (&old.stops, old.resumed) != (&new.stops, new.resumed)
            || old.rolled_back != new.rolled_back;
        let unrecorded = match self.record(must_last && !step.needs_disk).await {
            Err(error) if step.needs_disk => {
                self.machine = before;
                return Err(error);
            }
            recorded => recorded.err(),
        };
        Ok(Stepped {
            actions: step.actions,
            answer: step.answer,
            unrecorded,
        })
    }

    async fn execute(&mut self, actions: Vec<Action>) {
        let mut actions = VecDeque::from(actions);
        for _ in 0..ACTIONS_MAX {
            let Some(action) = actions.pop_front() else {
                return;
            };
            let Some(input) = self.act(action).await else {
                continue;
            };
            // The machine repeats checks and loads without a result.
            if let Ok(stepped) = self.step(input).await {
                actions.extend(stepped.actions);
            }
        }
        tracing::error!(?actions, "bundles: too many actions follow from one input");
    }

    async fn act(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Check(id) => {
                let set = self.folder(ConfigSet::Bundle(id))?;
                let SiteCheck {
                    faults,
                    changes_odoo,
                } = self.site.check(&set).await;
                Some(Input::Checked {
                    id,
                    faults,
                    changes_odoo,
                })
            }
            Action::Load(set) => {
                tracing::info!("the gateway loads {set}");
                let folder = self.folder(set);
                let result = self.site.load(folder.as_deref()).await;
                match &result {
                    Ok(()) => self.fallback = None,
                    Err(why) => tracing::warn!("the gateway could not load {set}: {why}"),
                }
                Some(Input::Loaded { set, result })
            }
            Action::PauseSending(is_paused) => {
                self.site.pause_sending(is_paused);
                None
            }
            Action::CleanUp => {
                self.clean_up().await;
                None
            }
        }
    }

    async fn clean_up(&mut self) {
        // The record on disk may need what the one in memory does not.
        if !self.is_recorded() {
            return;
        }
        let needed = self.machine.record().needed();
        let cleaned = self.on_disk(move |disk| disk.clean_up(&needed)).await;
        cleaned.ok();
    }

    fn is_recorded(&self) -> bool {
        self.recorded.as_ref() == Some(self.machine.record())
    }

    /// Writes the record if it changed; with `must_last` into the reserved room.
    async fn record(&mut self, must_last: bool) -> Result<(), DiskError> {
        if self.is_recorded() {
            return Ok(());
        }
        self.recorded = None;
        let record = self.machine.record().clone();
        let written = self
            .on_disk(move |disk| {
                let written = if must_last {
                    disk.write_record_anyway(&record)
                } else {
                    disk.write_record(&record)
                };
                written.map(|()| record)
            })
            .await?;
        self.recorded = Some(written);
        Ok(())
    }

    async fn on_disk<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut FleetDisk<S>) -> Result<R, DiskError> + Send + 'static,
    ) -> Result<R, DiskError> {
        let disk = Arc::clone(&self.disk);
        let work = move || work(&mut disk.lock().unwrap_or_else(PoisonError::into_inner));
        let result = tokio::task::spawn_blocking(work).await;
        let result = result.unwrap_or_else(|error| Err(stopped(&error)));
        let fault = result.as_ref().err().map(ToString::to_string);
        if let Some(fault) = &fault
            && self.fault.is_none()
        {
            tracing::error!("bundles: {fault}");
        }
        self.fault = fault;
        result
    }

    /// Serves orders and observes the site, until `stop`. A load in progress has no result any
    /// more when the process stops: that is a clean stop, too.
    pub async fn run(
        mut self,
        mut orders: ReceivedOrders,
        status: watch::Sender<FleetStatus>,
        stop: CancellationToken,
    ) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.serve_next(&mut orders, &mut ticks, &mut before) => {}
            }
            let shown = self.status();
            status.send_if_modified(|known| {
                let is_new = *known != shown;
                *known = shown;
                is_new
            });
        }
        self.stop().await;
    }

    /// Serves the next order, or observes the site once.
    async fn serve_next(
        &mut self,
        orders: &mut ReceivedOrders,
        ticks: &mut Interval,
        before: &mut Instant,
    ) {
        tokio::select! {
            now = ticks.tick() => {
                self.tick(now.saturating_duration_since(*before)).await;
                *before = now;
            }
            Some((order, reply)) = orders.recv() => {
                let answer = self.serve(order).await;
                // A caller that went away needs no answer.
                reply.send(answer).ok();
            }
        }
    }
}

fn stopped(error: &tokio::task::JoinError) -> DiskError {
    DiskError::Io {
        path: super::disk::FOLDER.into(),
        source: io::Error::other(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
