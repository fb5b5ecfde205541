//! When events were done, by device clocks that may be wrong. Pure: `now` is an argument.
//!
//! Comes in: events in `seq` order, and what devices' `state` messages say. Goes out: the true time
//! of each event, or the two times at which it may have been done while its clock is in doubt; and
//! the clocks that the journal is to keep.

#[cfg(test)]
mod tests;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use self::watch::Watch;
use crate::device_clock::{DeviceClock, is_corrected};
use crate::event::{CLOCK_MIN, Event, Name, Seq, SourceKind};

/// Devices whose clocks are known; beyond it, the device that was heard of longest ago is
/// forgotten.
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
    /// As the device's clock gives it.
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
    /// Devices whose last message may be one of a backlog.
    unsettled: BTreeSet<Name>,
    /// Devices whose clocks the journal does not have as they are here.
    changed: BTreeSet<Name>,
}

/// A clock that the journal is to keep; `None`: the device is forgotten.
pub type ClockChange = (Name, Option<DeviceClock>);

impl Clocks {
    /// `kept`: the clocks as the journal has them.
    pub fn new(kept: Vec<(Name, DeviceClock)>) -> Self {
        let watch = |(device, clock)| (device, Watch::new(clock));
        Self {
            watches: kept.into_iter().map(watch).collect(),
            ..Self::default()
        }
    }

    /// When an event was done.
    pub fn happened(&mut self, seq: Seq, event: &Event, now: Duration) -> When {
        let (at, received) = (event.at, event.received);
        if received < CLOCK_MIN {
            // The gateway booted without a clock: the device may have one.
            return When::known(at, at);
        }
        if at == received {
            // The device named no time. So nothing is known of its clock, and nothing wrong with
            // the time.
            return When::given(at, received);
        }
        let device = &event.device;
        if event.source == SourceKind::Flow {
            // It has the times of a scan, which has shown what there was to see.
            let watch = self.watches.get(device);
            return watch.map_or_else(
                || When::given(at, received),
                |watch| watch.look_up(at, received),
            );
        }
        self.make_room(device);
        let watch = self.watches.entry(device.clone()).or_default();
        let when = watch.take(seq, at, received, now);
        self.note(device);
        when
    }

    /// A device said what time it is. `seq`: of the last event that was taken before.
    pub fn hear(
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
        watch.hear(seq, at, received, now);
        self.note(device);
    }

    /// What the last message of a backlog showed counts once no other has followed it for a while.
    pub fn settle(&mut self, now: Duration) {
        for device in self.unsettled.clone() {
            if let Some(watch) = self.watches.get_mut(&device) {
                watch.settle(now);
            }
            self.note(&device);
        }
    }

    /// When [`Self::settle`] has something to do.
    pub fn wake_at(&self) -> Option<Duration> {
        let watches = self.unsettled.iter();
        let watches = watches.filter_map(|device| self.watches.get(device));
        watches.filter_map(Watch::wake_at).min()
    }

    fn note(&mut self, device: &Name) {
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

    /// The true time of an event that was open, by what its device has shown since; `None`:
    /// nothing.
    pub fn resolve(&self, device: &Name, at: Timestamp, received: Timestamp) -> Option<Timestamp> {
        self.watches.get(device)?.clock().resolve(at, received)
    }

    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The clocks that the journal is to keep, each once.
    pub fn take_changed(&mut self) -> Vec<ClockChange> {
        let changed = std::mem::take(&mut self.changed);
        let clock = |device: Name| {
            let watch = self.watches.get(&device);
            let clock = watch.map(|watch| watch.clock().clone());
            (device, clock.filter(DeviceClock::is_to_keep))
        };
        changed.into_iter().map(clock).collect()
    }

    fn make_room(&mut self, device: &Name) {
        if self.watches.len() < DEVICES_MAX || self.watches.contains_key(device) {
            return;
        }
        let oldest = self.watches.iter().min_by_key(|(_, watch)| watch.heard());
        if let Some(oldest) = oldest.map(|(device, _)| device.clone()) {
            self.watches.remove(&oldest);
            self.changed.insert(oldest);
        }
    }
}
