//! Finds out when events were done, by device clocks that may be wrong. Pure: `now` is an argument.
//!
//! Comes in: events in `seq` order, and the times in devices' `state` messages. Goes out: the true
//! time of each event, or the two possible times while its clock is in doubt; and the clocks that
//! the journal must store.

#[cfg(test)]
mod tests;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use self::watch::Watch;
use crate::device_clock::{DeviceClock, is_corrected};
use crate::event::{CLOCK_MIN, Event, Name, Seq, SourceKind};

/// The limit of devices; beyond it, the device whose last message is oldest is removed.
const DEVICES_MAX: usize = 10_000;

/// When an event was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    pub time: Timestamp,
    /// While the clock of the device is in doubt: the other time at which the event may have been
    /// done.
    pub other: Option<Timestamp>,
    /// `time` is another time than the device gave.
    pub is_corrected: bool,
    /// A later message of the device may still show another time.
    pub is_open: bool,
}

impl When {
    /// The time that the device gave.
    fn given(at: Timestamp, received: Timestamp) -> Self {
        Self::known(at.min(received), at)
    }

    pub(super) fn known(time: Timestamp, at: Timestamp) -> Self {
        Self {
            time,
            other: None,
            is_corrected: is_corrected(at, time),
            is_open: false,
        }
    }
}

/// The clocks of all devices that name times.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    watches: BTreeMap<Name, Watch>,
    /// Devices whose last message may be part of a backlog.
    unsettled: BTreeSet<Name>,
    /// Devices whose clocks have changed since the journal stored them.
    changed: BTreeSet<Name>,
}

/// A clock that the journal must store. `None`: the journal removes the device.
pub type ClockChange = (Name, Option<DeviceClock>);

impl Clocks {
    /// `stored`: the clocks that the journal has.
    pub fn new(stored: Vec<(Name, DeviceClock)>) -> Self {
        let watch = |(device, clock)| (device, Watch::new(clock));
        Self {
            watches: stored.into_iter().map(watch).collect(),
            ..Self::default()
        }
    }

    /// When an event was done.
    pub fn time_of(&mut self, seq: Seq, event: &Event, now: Duration) -> When {
        let (at, received) = (event.at, event.received);
        if received < CLOCK_MIN {
            // The gateway booted without a clock: the device may have one.
            return When::known(at, at);
        }
        if at == received {
            // The device gave no time, so the event shows nothing of its clock, and its time is
            // right.
            return When::given(at, received);
        }
        let device = &event.device;
        if event.source == SourceKind::Flow {
            // The event has the times of a scan, which has shown the clock already.
            let watch = self.watches.get(device);
            return watch.map_or_else(
                || When::given(at, received),
                |watch| watch.look_up(at, received),
            );
        }
        self.make_room(device);
        let watch = self.watches.entry(device.clone()).or_default();
        let when = watch.take(seq, at, received, now);
        self.update_sets(device);
        when
    }

    /// Takes the time in a device's `state` message. `seq`: of the last event before it.
    pub fn observe(
        &mut self,
        seq: Seq,
        device: &Name,
        at: Timestamp,
        received: Timestamp,
        now: Duration,
    ) {
        if received < CLOCK_MIN {
            return;
        }
        self.make_room(device);
        let watch = self.watches.entry(device.clone()).or_default();
        watch.observe_time(seq, at, received, now);
        self.update_sets(device);
    }

    /// Accepts what the last message of a backlog showed, if no other has followed it for a while.
    pub fn settle(&mut self, now: Duration) {
        for device in self.unsettled.clone() {
            if let Some(watch) = self.watches.get_mut(&device) {
                watch.settle(now);
            }
            self.update_sets(&device);
        }
    }

    /// Returns when [`Self::settle`] must be called.
    pub fn wake_at(&self) -> Option<Duration> {
        let watches = self.unsettled.iter();
        let watches = watches.filter_map(|device| self.watches.get(device));
        watches.filter_map(Watch::wake_at).min()
    }

    fn update_sets(&mut self, device: &Name) {
        let watch = self.watches.get_mut(device);
        if watch
            .as_ref()
            .is_some_and(|watch| watch.wake_at().is_some())
        {
            self.unsettled.insert(device.clone());
        } else {
            self.unsettled.remove(device);
        }
        if watch.is_some_and(Watch::take_news) {
            self.changed.insert(device.clone());
        }
    }

    /// Returns the true time of an open event, by what its device has shown since. `None`: it has
    /// shown nothing.
    pub fn resolve(&self, device: &Name, at: Timestamp, received: Timestamp) -> Option<Timestamp> {
        self.watches.get(device)?.clock().resolve(at, received)
    }

    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Returns the clocks that the journal must store, each once.
    pub fn take_changed(&mut self) -> Vec<ClockChange> {
        let changed = std::mem::take(&mut self.changed);
        let clock = |device: Name| {
            let watch = self.watches.get(&device);
            let clock = watch.map(|watch| watch.clock().clone());
            (device, clock.filter(DeviceClock::must_be_stored))
        };
        changed.into_iter().map(clock).collect()
    }

    fn make_room(&mut self, device: &Name) {
        if self.watches.len() < DEVICES_MAX || self.watches.contains_key(device) {
            return;
        }
        let oldest = self
            .watches
            .iter()
            .min_by_key(|(_, watch)| watch.last_message());
        if let Some(oldest) = oldest.map(|(device, _)| device.clone()) {
            self.watches.remove(&oldest);
            self.changed.insert(oldest);
        }
    }
}
