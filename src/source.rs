//! Sources of readings, and the way back for receipts.
//!
//! A source passes bytes to [`Intake::take`] and acknowledges its device only when `take` has
//! answered.
//!
//! **Invariant 1:** `take` answers only after a durable commit returned.

pub mod broker;
pub mod clock_time;
pub mod devices;
pub mod drift;
pub mod floor_devices;
pub mod front_door;
mod last_lists;
pub mod scanners;
mod weight;

pub use last_lists::LastLists;

use crate::capture::{Capture, Judged};
use crate::channel::{Reading, Verdict};
use crate::decode;
use crate::event::{Action, Event, EventFlag, Name, Rejection};
use crate::fair::{Gate, Lane, Origin};
use crate::journal::{Accepted, AppendError, Inbox, SideChange};
use jiff::Timestamp;

use crate::decode::profiles::Profiles;
use clock_time::ClockTimes;
use floor_devices::FloorDevices;
pub(crate) use weight::elements;

/// The fields of a display message that templates need.
#[derive(serde::Deserialize)]
struct Display {
    ok: bool,
    text: String,
}

/// The path that all sources share: decode, judge, journal, and only then an answer.
#[derive(Debug, Clone)]
pub struct Intake {
    inbox: Inbox,
    capture: Option<Capture>,
    profiles: Profiles,
    clock_times: ClockTimes,
    gate: Gate,
    last_lists: LastLists,
    floor_devices: FloorDevices,
}

/// A decoded event or rejection until the journal has answered.
struct Pending {
    id: Option<String>,
    id_derived: bool,
    flags: Vec<EventFlag>,
    judged: Option<Judged>,
    /// The event for the feedback of the device's profile.
    about: Option<Event>,
}

impl Intake {
    /// An intake without displays. It rejects only what it cannot decode.
    #[must_use]
    pub fn new(inbox: Inbox) -> Self {
        Self {
            inbox,
            capture: None,
            profiles: Profiles::default(),
            clock_times: ClockTimes::default(),
            gate: Gate::new(weight::GATE),
            last_lists: LastLists::default(),
            floor_devices: FloorDevices::default(),
        }
    }

    #[must_use]
    pub fn with_capture(inbox: Inbox, capture: Capture) -> Self {
        Self {
            inbox,
            capture: Some(capture),
            profiles: Profiles::default(),
            clock_times: ClockTimes::default(),
            gate: Gate::new(weight::GATE),
            last_lists: LastLists::default(),
            floor_devices: FloorDevices::default(),
        }
    }

    /// Where the times that devices' states name go to.
    #[must_use]
    pub fn with_clock_times(mut self, clock_times: ClockTimes) -> Self {
        self.clock_times = clock_times;
        self
    }

    /// The copies of the last good lists of devices and scanners.
    #[must_use]
    pub fn with_last_lists(mut self, last_lists: LastLists) -> Self {
        self.last_lists = last_lists;
        self
    }

    #[must_use]
    pub fn last_lists(&self) -> &LastLists {
        &self.last_lists
    }

    /// The configurations for floor devices, and what devices report about them.
    #[must_use]
    pub fn floor_devices(&self) -> &FloorDevices {
        &self.floor_devices
    }

    /// By which codes of devices are read.
    #[must_use]
    pub fn with_profiles(mut self, profiles: Profiles) -> Self {
        self.profiles = profiles;
        self
    }

    /// A device published its state just now.
    pub fn read_clock(&self, device: &Name, state: &[u8], received: Timestamp) {
        self.clock_times.send(device, state, received);
    }

    /// Receives the languages and settings of devices.
    #[must_use]
    pub fn capture(&self) -> Option<&Capture> {
        self.capture.as_ref()
    }

    /// Receives the profiles of devices.
    #[must_use]
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Takes several readings with one request, so that they share a commit. Returns the verdicts
    /// of each, in order. `display`: a client reads the device's displays.
    ///
    /// Cancelling the future does not withdraw the readings: they may be on disk. If the device
    /// then sends a message again, it is a duplicate if it has an id. Otherwise it is a new event,
    /// which is flagged if the device marks it as sent again.
    pub async fn take_many(
        &self,
        readings: &[Reading],
        display: bool,
    ) -> Result<Vec<Vec<Verdict>>, AppendError> {
        let Some(first) = readings.first() else {
            return Ok(Vec::new());
        };
        let lane = Lane::device(Origin::Source(first.source), &first.device);
        self.take_many_and_store(&lane, readings, display, Vec::new())
            .await
    }

    /// Stores several readings in the caller's lane, with `side_changes` in the same commit.
    ///
    /// The gate admits readings before they are decoded, because events are larger than readings.
    pub async fn take_many_and_store(
        &self,
        lane: &Lane,
        readings: &[Reading],
        display: bool,
        side_changes: Vec<SideChange>,
    ) -> Result<Vec<Vec<Verdict>>, AppendError> {
        let _admitted = self.gate.enter(lane.clone(), weight::cost(readings)).await;
        let mut entries = Vec::with_capacity(readings.len());
        let mut pending = Vec::with_capacity(readings.len());
        for reading in readings {
            let mut decoded = self.profiles.decode(reading);
            let mut waiting = Vec::with_capacity(decoded.len());
            let count = decoded.len();
            for (index, entry) in decoded.iter_mut().enumerate() {
                let place = (index, count);
                waiting.push(self.judge(reading, place, entry, display).await);
            }
            pending.push(waiting);
            entries.extend(decoded);
        }
        let accepted = self
            .inbox
            .append_in(lane.clone(), entries, side_changes)
            .await?;
        let mut accepted = accepted.into_iter();
        Ok(pending
            .into_iter()
            .map(|pending| self.verdicts(pending, &mut accepted))
            .collect())
    }

    /// Takes one reading; answers with at least one verdict.
    pub async fn take(&self, reading: Reading) -> Result<Vec<Verdict>, AppendError> {
        let mut verdicts = self.take_many(&[reading], true).await?;
        Ok(verdicts.pop().unwrap_or_default())
    }

    /// Stores rejected readings.
    pub async fn reject(&self, rejections: Vec<Rejection>) -> Result<(), AppendError> {
        let entries = rejections.into_iter().map(Err).collect();
        self.inbox.append(entries).await.map(drop)
    }

    /// Has an entry judged. A rejected entry becomes a rejection with its original payload.
    async fn judge(
        &self,
        reading: &Reading,
        (index, count): (usize, usize),
        entry: &mut Result<Event, Rejection>,
        display: bool,
    ) -> Pending {
        let event = match entry {
            Err(rejection) => {
                return Pending {
                    id: rejection.id.clone(),
                    id_derived: false,
                    flags: Vec::new(),
                    judged: None,
                    about: None,
                };
            }
            Ok(event) => event,
        };
        let (id, id_derived) = (Some(event.id.clone()), event.id_derived);
        let flags = event.flags.clone();
        let capture = self.capture.as_ref();
        // Where codes make movements, the flow has the word.
        let flow =
            matches!(event.action, Action::Scan { .. }) && self.profiles.has_flow(&event.device);
        let own = !flow && self.profiles.has_feedback(&event.device);
        let about = own.then(|| event.clone());
        let mut judged =
            capture.and_then(|capture| capture.judge(event, (display || own) && !flow));
        if let (Some(capture), true) = (capture, judged.as_ref().is_some_and(Judged::is_refusal)) {
            judged = match judged {
                Some(judged) => Some(capture.reconsider(event, judged).await),
                None => None,
            };
        }
        if let Some((code, message)) = judged.as_ref().and_then(Judged::refusal) {
            let (payload, cut) = decode::part(reading, index, count);
            *entry = Err(Rejection {
                device: event.device.clone(),
                source: event.source,
                channel: Some(reading.channel),
                received: event.received,
                id: Some(event.id.clone()),
                code,
                message,
                payload,
                cut,
            });
        }
        Pending {
            id,
            id_derived,
            flags,
            judged,
            about,
        }
    }

    fn verdicts(
        &self,
        pending: Vec<Pending>,
        accepted: &mut impl Iterator<Item = Accepted>,
    ) -> Vec<Verdict> {
        let verdict = |(pending, accepted): (Pending, Accepted)| {
            let display = pending.judged.and_then(|judged| judged.confirm(&accepted));
            let words = pending.about.zip(display.as_ref());
            let words = words.and_then(|(event, display)| {
                let Display { ok, text } = serde_json::from_slice(display).ok()?;
                Some(self.profiles.build_feedback(&event, (ok, &text)))
            });
            let words = words.unwrap_or_default();
            Verdict {
                id: pending.id,
                id_derived: pending.id_derived,
                flags: pending.flags,
                accepted,
                display: display.filter(|_| words.is_empty()),
                words,
            }
        };
        pending.into_iter().zip(accepted).map(verdict).collect()
    }
}
