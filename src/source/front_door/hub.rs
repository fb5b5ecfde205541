//! Who is there: devices, their sessions, and what is retained for them.
//!
//! Comes in: messages from the gateway and from devices. Goes out: to the sessions that subscribed, and as
//! [`KeepChange`]s that the caller hands to the journal. Connections meet here only when they come, go or
//! subscribe; a publish touches its own device alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use jiff::Timestamp;

use super::session::{Attached, Offer, Owner, Session};
use super::stored::{self, Kept};
use super::topics::{Topics, topic_matches};
use super::wire::{Filter, Qos};
use crate::clock;
use crate::event::Name;
use crate::journal::KeepChange;
use crate::source::Outbound;

/// Sessions of one device; when there are more, the one that was left first goes.
pub const SESSIONS_MAX: usize = 8;
/// Devices that are remembered with a session; above it, a new device is told to come back.
pub const DEVICES_MAX: usize = 10_000;
/// Retained messages, and their bytes, over all devices.
const RETAINED_MAX: usize = 40_000;
const RETAINED_BYTES_MAX: usize = 16 << 20;

/// The channel of a device's open orders.
const TASKS: &str = "tasks";

#[derive(Debug)]
pub struct Hub {
    site: Name,
    missed_max: usize,
    devices: Mutex<HashMap<Name, Arc<Device>>>,
    retained: Mutex<Retained>,
    /// Bytes that wait in all sessions.
    queued: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Retained {
    messages: BTreeMap<String, Bytes>,
    bytes: usize,
}

/// A device that has at least one session.
#[derive(Debug)]
pub struct Device {
    pub name: Name,
    pub topics: Topics,
    receipts: Answers,
    displays: Answers,
    sessions: Mutex<Vec<Arc<Session>>>,
}

/// A channel on which the gateway answers.
#[derive(Debug)]
struct Answers {
    topic: Arc<str>,
    /// Someone subscribed to it: else nothing is made for it.
    wanted: AtomicBool,
}

/// What a connection asks for.
#[derive(Debug)]
pub struct Wish<'a> {
    pub device: &'a Name,
    pub client_id: &'a str,
    pub owner: Owner,
    pub clean: bool,
    pub expiry_s: u32,
    /// Even if another connection does not let go of it.
    pub by_force: bool,
}

#[derive(Debug)]
pub struct Opened {
    pub device: Arc<Device>,
    pub session: Arc<Session>,
    pub attached: Attached,
}

/// Why there is no session to be had.
#[derive(Debug)]
pub enum Closed {
    /// Another connection has it.
    Taken(Owner),
    /// Too many devices, or too many connected clients of this one.
    TooMany,
}

/// What is retained does not fit any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainedFull;

impl Hub {
    /// With what was kept before the last restart.
    pub fn new(
        site: Name,
        missed_max: usize,
        kept: Vec<(String, Vec<u8>)>,
    ) -> (Self, Vec<KeepChange>) {
        let hub = Self {
            site,
            missed_max,
            devices: Mutex::default(),
            retained: Mutex::default(),
            queued: Arc::default(),
        };
        let changes = hub.restore(kept);
        (hub, changes)
    }

    fn restore(&self, kept: Vec<(String, Vec<u8>)>) -> Vec<KeepChange> {
        let (now, instant) = (clock::now(), clock::instant());
        let mut changes = Vec::new();
        let (mut missed, mut received) = (Vec::new(), Vec::new());
        for (key, value) in kept {
            match stored::read(&key, &value) {
                Some(Kept::Session(device, client_id, session)) => {
                    let session = Session::restore(device.clone(), client_id, session, now)
                        .metered(&self.queued);
                    let device = self.device(&device);
                    device.sessions().push(Arc::new(session));
                }
                Some(Kept::Missed(device, client_id, number, message)) => {
                    missed.push((device, client_id, number, message, key));
                }
                Some(Kept::Received(device, client_id, pkid)) => {
                    received.push((device, client_id, pkid, key));
                }
                Some(Kept::Retained(topic, payload)) => self.retained().set(topic, &payload.into()),
                None => tracing::debug!(%key, "a kept value is not the door's, and left alone"),
            }
        }
        missed.sort_by_key(|(_, _, number, ..)| *number);
        for (device, client_id, number, message, key) in missed {
            match self.session(&device, &client_id) {
                Some(session) => session.restore_missed(number, message, instant),
                None => changes.push((key, None)),
            }
        }
        for (device, client_id, pkid, key) in received {
            match self.session(&device, &client_id) {
                Some(session) => session.restore_received(pkid),
                None => changes.push((key, None)),
            }
        }
        for device in self.all() {
            device.note_wanted();
        }
        changes
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<Name, Arc<Device>>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn retained(&self) -> MutexGuard<'_, Retained> {
        self.retained.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> Vec<Arc<Device>> {
        self.devices().values().cloned().collect()
    }

    fn find(&self, name: &Name) -> Option<Arc<Device>> {
        self.devices().get(name).cloned()
    }

    fn device(&self, name: &Name) -> Arc<Device> {
        let mut devices = self.devices();
        let device = devices
            .entry(name.clone())
            .or_insert_with(|| Arc::new(Device::new(&self.site, name.clone())));
        Arc::clone(device)
    }

    fn session(&self, device: &Name, client_id: &str) -> Option<Arc<Session>> {
        let device = self.find(device)?;
        let sessions = device.sessions();
        sessions
            .iter()
            .find(|session| session.client_id == client_id)
            .cloned()
    }

    /// Gives a connection its session, made if it is not there.
    pub fn open(&self, wish: Wish<'_>, changes: &mut Vec<KeepChange>) -> Result<Opened, Closed> {
        let mut devices = self.devices();
        if !devices.contains_key(wish.device) && devices.len() >= DEVICES_MAX {
            return Err(Closed::TooMany);
        }
        let device = Arc::clone(
            devices
                .entry(wish.device.clone())
                .or_insert_with(|| Arc::new(Device::new(&self.site, wish.device.clone()))),
        );
        let mut sessions = device.sessions();
        let known = sessions
            .iter()
            .find(|session| session.client_id == wish.client_id)
            .cloned();
        let session = if let Some(session) = known {
            session
        } else {
            if sessions.len() >= SESSIONS_MAX {
                let oldest = (0..sessions.len())
                    .filter(|at| !sessions[*at].is_online())
                    .min_by_key(|at| sessions[*at].ended())
                    .ok_or(Closed::TooMany)?;
                sessions.swap_remove(oldest).clear(changes);
            }
            let session = Session::new(wish.device.clone(), wish.client_id.to_owned());
            let session = Arc::new(session.metered(&self.queued));
            sessions.push(Arc::clone(&session));
            session
        };
        drop(sessions);
        if let Some(owner) = session.owner().filter(|_| !wish.by_force) {
            return Err(Closed::Taken(owner));
        }
        // Still under the lock of `devices`: `close` cannot take the session out before it has its owner.
        let attached = session.attach(wish.owner, wish.clean, wish.expiry_s, changes);
        device.note_wanted();
        drop(devices);
        Ok(Opened {
            device,
            session,
            attached,
        })
    }

    /// Takes out a session that is over; and its device, when that was the last one.
    pub fn close(&self, session: &Arc<Session>) {
        let mut devices = self.devices();
        if let Some(device) = devices.get(&session.device) {
            let mut sessions = device.sessions();
            sessions.retain(|known| !Arc::ptr_eq(known, session) || known.is_online());
            let empty = sessions.is_empty();
            drop(sessions);
            device.note_wanted();
            if empty {
                devices.remove(&session.device);
            }
        }
    }

    /// Takes out what has lived its time, and publishes the wills that are due.
    pub fn tidy(
        &self,
        now: Timestamp,
        instant: Instant,
        changes: &mut Vec<KeepChange>,
    ) -> Vec<(Name, Bytes)> {
        let mut wills = Vec::new();
        for device in self.all() {
            let sessions = device.sessions().clone();
            for session in sessions {
                let over = session.is_over(now);
                if let Some(payload) = session.take_due_will(instant, over) {
                    wills.push((device.name.clone(), payload));
                }
                if over {
                    session.clear(changes);
                    self.close(&session);
                }
            }
        }
        wills
    }

    /// A message from the gateway: to its device's sessions, and kept if it is to be retained. What is retained already is
    /// not sent again.
    pub fn send(&self, message: Outbound, now: Instant, changes: &mut Vec<KeepChange>) {
        if message.retain && self.is_retained(&message.device, &message.channel, &message.payload) {
            return;
        }
        if message.retain
            && self
                .retain(&message.device, &message.channel, &message.payload, changes)
                .is_err()
        {
            tracing::warn!(device = %message.device, channel = %message.channel, "no room to retain a message");
        }
        self.publish(
            &message.device,
            &message.channel,
            message.payload,
            message.retain,
            None,
            now,
            changes,
        );
    }

    /// To the sessions of a device that subscribed; `from` is the session that published it, if one did.
    #[expect(
        clippy::too_many_arguments,
        reason = "a message, its way and its moment"
    )]
    pub fn publish(
        &self,
        device: &Name,
        channel: &str,
        payload: Bytes,
        retain: bool,
        from: Option<&Arc<Session>>,
        now: Instant,
        changes: &mut Vec<KeepChange>,
    ) {
        let Some(device) = self.find(device) else {
            return;
        };
        let offer = Offer {
            topic: if channel == "receipt" {
                Arc::clone(&device.receipts.topic)
            } else {
                device.topics.topic(channel).into()
            },
            payload,
            retain,
            now,
        };
        for session in device.sessions().iter() {
            let own = from.is_some_and(|from| Arc::ptr_eq(from, session));
            session.offer(&offer, own, self.missed_max, changes);
        }
    }

    /// What became of one device's events: made because [`Device::wants_receipts`] and [`Device::wants_displays`].
    pub fn answer(
        &self,
        device: &Device,
        receipts: Vec<Bytes>,
        displays: Vec<Bytes>,
        now: Instant,
        changes: &mut Vec<KeepChange>,
    ) {
        let sessions = device.sessions();
        let receipts = receipts
            .into_iter()
            .map(|payload| (&device.receipts, payload));
        let displays = displays
            .into_iter()
            .map(|payload| (&device.displays, payload));
        for (answers, payload) in receipts.chain(displays) {
            let offer = Offer {
                topic: Arc::clone(&answers.topic),
                payload,
                retain: false,
                now,
            };
            for session in sessions.iter() {
                session.offer(&offer, false, self.missed_max, changes);
            }
        }
    }

    pub fn is_retained(&self, device: &Name, channel: &str, payload: &Bytes) -> bool {
        let topic = Topics::new(&self.site, device).topic(channel);
        self.retained().messages.get(&topic) == Some(payload)
    }

    /// Makes a message the retained one of its topic; an empty payload takes it away (MQTT 3.1.1, 3.3.1.3).
    pub fn retain(
        &self,
        device: &Name,
        channel: &str,
        payload: &Bytes,
        changes: &mut Vec<KeepChange>,
    ) -> Result<(), RetainedFull> {
        let topic = Topics::new(&self.site, device).topic(channel);
        let mut retained = self.retained();
        if !retained.fits(&topic, payload) {
            return Err(RetainedFull);
        }
        // Tasks are worked out anew after a restart, and change too often for a disk.
        if channel != TASKS {
            let value = (!payload.is_empty()).then(|| payload.to_vec());
            changes.push((stored::retained_key(&topic), value));
        }
        retained.set(topic, payload);
        Ok(())
    }

    /// Hands the retained messages that match a filter to a session that just subscribed.
    pub fn offer_retained(&self, device: &Device, session: &Session, filter: &Filter, qos: Qos) {
        let prefix = device.topics.topic("");
        let retained = self.retained();
        let own = retained
            .messages
            .range(prefix.clone()..)
            .take_while(|(topic, _)| topic.starts_with(&prefix));
        for (topic, payload) in own {
            if topic_matches(topic, &filter.path) {
                let offer = Offer {
                    topic: topic.as_str().into(),
                    payload: payload.clone(),
                    retain: true,
                    now: clock::instant(),
                };
                session.offer_retained(&offer, qos);
            }
        }
    }
}

impl Retained {
    fn fits(&self, topic: &str, payload: &Bytes) -> bool {
        let new = weight(topic, payload);
        let known = self.messages.get(topic).map(|known| weight(topic, known));
        match known {
            _ if payload.is_empty() => true,
            Some(known) if new <= known => true,
            Some(known) => self.bytes - known + new <= RETAINED_BYTES_MAX,
            None => {
                self.messages.len() < RETAINED_MAX
                    && self.bytes + topic.len() + new <= RETAINED_BYTES_MAX
            }
        }
    }

    fn set(&mut self, topic: String, payload: &Bytes) {
        if let Some(known) = self.messages.remove(&topic) {
            let weight = topic.len() + weight(&topic, &known);
            self.bytes = self.bytes.saturating_sub(weight);
        }
        if !payload.is_empty() {
            self.bytes += topic.len() + weight(&topic, payload);
            // A copy of its own: a slice would hold on to the whole buffer that it was read in.
            let payload = if is_tasks(&topic) {
                payload.clone()
            } else {
                Bytes::copy_from_slice(payload)
            };
            self.messages.insert(topic, payload);
        }
    }
}

/// What a retained message takes in memory. Of tasks there are few, which many devices share.
fn weight(topic: &str, payload: &Bytes) -> usize {
    if is_tasks(topic) { 0 } else { payload.len() }
}

fn is_tasks(topic: &str) -> bool {
    topic.rsplit('/').next() == Some(TASKS)
}

impl Device {
    fn new(site: &Name, name: Name) -> Self {
        let topics = Topics::new(site, &name);
        Self {
            receipts: Answers::new(&topics, "receipt"),
            displays: Answers::new(&topics, "display"),
            topics,
            name,
            sessions: Mutex::default(),
        }
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn wants_receipts(&self) -> bool {
        self.receipts.wanted.load(Ordering::Relaxed)
    }

    pub fn wants_displays(&self) -> bool {
        self.displays.wanted.load(Ordering::Relaxed)
    }

    /// To be called after subscriptions changed.
    pub fn note_wanted(&self) {
        let sessions = self.sessions();
        for answers in [&self.receipts, &self.displays] {
            let wanted = sessions.iter().any(|session| session.wants(&answers.topic));
            answers.wanted.store(wanted, Ordering::Relaxed);
        }
    }
}

impl Answers {
    fn new(topics: &Topics, channel: &str) -> Self {
        Self {
            topic: topics.topic(channel).into(),
            wanted: AtomicBool::new(false),
        }
    }
}
