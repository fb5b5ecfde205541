//! The state of bundles at a start, before there is an agent.
//!
//! **In**: the fleet's folder, and what the process could not load. **Out**: the configuration with
//! which the process starts. The record is on disk when a function returns, unless the disk is
//! full.

use std::path::PathBuf;

use bytes::Bytes;
use tokio::sync::watch;

use crate::fleet::disk::{DiskError, FleetDisk, Storage};
use crate::fleet::machine::{Action, Input, Machine, WallClock};
use crate::fleet::orders::FleetStatus;
use crate::fleet::record::{BundleId, ConfigSet, FleetRecord};
use crate::fleet::watch::FleetTimes;

/// The fleet's folder at a start, before the process has read its configuration.
#[derive(Debug)]
pub struct FleetStart<S> {
    pub(super) disk: FleetDisk<S>,
    pub(super) machine: Machine,
    /// The record as it is on disk.
    pub(super) recorded: Option<FleetRecord>,
    /// Actions that wait until the process has loaded its configuration.
    pub(super) delayed: Vec<Action>,
    /// The changes of trusted keys that are on disk.
    pub(super) links: watch::Sender<Vec<Bytes>>,
}

impl<S: Storage> FleetStart<S> {
    /// Opens the folder, and decides which configuration the process starts with
    /// ([`Self::running`]). The process calls it before it reads the files of a bundle, so that a
    /// bundle with which it cannot run ends after two starts. It writes to the disk, and blocks.
    pub fn open(storage: S, clock: WallClock, times: FleetTimes) -> Result<Self, DiskError> {
        let (disk, record) = FleetDisk::open(storage)?;
        let mut machine = Machine::new(record.clone(), times);
        let delayed = machine.step(clock, Input::Started).actions;
        // A damaged record is written again.
        let recorded = disk.warning().is_none().then_some(record);
        let mut start = Self {
            links: watch::Sender::new(disk.links()),
            disk,
            machine,
            recorded,
            delayed,
        };
        start.write();
        Ok(start)
    }

    /// The process cannot start with [`Self::running`]. A watched bundle is rolled back, and
    /// [`Self::running`] changes.
    pub fn cannot_load(&mut self, clock: WallClock, why: String) {
        let set = self.running();
        let result = Err(why);
        let step = self.machine.step(clock, Input::Loaded { set, result });
        self.delayed.extend(step.actions);
        self.write();
    }

    /// The process ends before it has used its configuration, which is no fault of a bundle.
    pub fn stop(&mut self, clock: WallClock) {
        self.machine.step(clock, Input::Stopping);
        self.write();
    }

    /// Writes the record if it changed. A start must not fail because the disk is full: the agent
    /// writes the record later.
    fn write(&mut self) {
        if self.recorded.as_ref() == Some(self.machine.record()) {
            return;
        }
        let written = self.disk.write_record_anyway(self.machine.record());
        self.recorded = written.is_ok().then(|| self.machine.record().clone());
    }

    /// The configuration with which the process must start.
    #[must_use]
    pub fn running(&self) -> ConfigSet {
        self.machine.record().running()
    }

    /// What is wrong with the folder, although the gateway can continue with it.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.disk.warning()
    }

    /// Finds the bundle of a serial, if its files are on disk.
    #[must_use]
    pub fn find_bundle(&self, serial: u64) -> Option<BundleId> {
        let needed = self.machine.record().needed();
        needed.into_iter().find(|id| id.serial == serial)
    }

    /// The folder with the files of each bundle, by [`BundleId`].
    #[must_use]
    pub fn sets(&self) -> PathBuf {
        self.disk.sets()
    }

    /// Whether the configuration that runs is a bundle that is not confirmed yet.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.machine.record().applied().is_some()
    }

    /// The changes of trusted keys that are on disk, also those of later bundles.
    #[must_use]
    pub fn links(&self) -> watch::Receiver<Vec<Bytes>> {
        self.links.subscribe()
    }

    /// What is known before the agent runs.
    #[must_use]
    pub fn status(&self) -> FleetStatus {
        FleetStatus::of(&self.machine)
    }

    /// The folder with the files of [`Self::running`]. `None`: the local files alone.
    #[must_use]
    pub fn running_folder(&self) -> Option<PathBuf> {
        self.running().bundle().map(|id| self.disk.set(id))
    }
}
