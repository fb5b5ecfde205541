//! The connected devices, their sessions and their retained messages.
//!
//! **In**: messages from the gateway and from devices. **Out**: messages to subscribed sessions,
//! and [`SideChange`]s that the caller passes to the journal. A scan or an event with its receipts
//! and displays touches only its own device. The locks over all devices and over all retained
//! messages are held only for short steps.

mod device;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use jiff::Timestamp;

pub use self::device::FrontDoorDevice;
use super::connect::Will;
use super::message::Content;
use super::retained::{Retained, RetainedFull};
use super::session::{Attached, Offer, Owner, Session};
use super::stored::{self, Restored};
use super::topics::{Topics, topic_matches};
use super::wire::{Filter, Qos};
use crate::channel::Outbound;
use crate::clock;
use crate::event::Name;
use crate::journal::{SideChange, SideValue};

/// Sessions of one device, at most. Beyond that, the session that was left first is removed.
pub const SESSIONS_MAX: usize = 8;
/// The largest number of devices with a session. Above it, a new device must try again later.
pub const DEVICES_MAX: usize = 10_000;
#[derive(Debug)]
pub struct Hub {
    site: Name,
    missed_max: AtomicUsize,
    devices: Mutex<HashMap<Name, Arc<FrontDoorDevice>>>,
    retained: Mutex<Retained>,
    /// Bytes that wait in all sessions.
    queued: Arc<AtomicUsize>,
}

/// The session that a connection requests.
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
    pub device: Arc<FrontDoorDevice>,
    pub session: Arc<Session>,
    pub attached: Attached,
    /// The wills of sessions that ended because this one began.
    pub wills: Vec<Will>,
}

/// Why a client cannot get a session.
#[derive(Debug)]
pub enum Closed {
    /// Another connection has it.
    Taken(Owner),
    /// Too many devices, or too many connected clients of this one.
    TooMany,
}

impl Hub {
    /// A hub with the sessions and messages that were stored before the last restart.
    pub fn new(site: Name, missed_max: usize, values: Vec<SideValue>) -> (Self, Vec<SideChange>) {
        let hub = Self {
            site,
            missed_max: AtomicUsize::new(missed_max),
            devices: Mutex::default(),
            retained: Mutex::default(),
            queued: Arc::default(),
        };
        let changes = hub.restore(values);
        (hub, changes)
    }

    pub fn set_missed_max(&self, missed_max: usize) {
        self.missed_max.store(missed_max, Ordering::Relaxed);
    }

    fn missed_max(&self) -> usize {
        self.missed_max.load(Ordering::Relaxed)
    }

    fn restore(&self, values: Vec<SideValue>) -> Vec<SideChange> {
        let (now, instant) = (clock::now(), clock::instant());
        let mut changes = Vec::new();
        let (mut missed, mut received) = (Vec::new(), Vec::new());
        let (mut retained, mut properties) = (Vec::new(), Vec::new());
        for (key, value) in values {
            match stored::read(&key, &value) {
                Some(Restored::Session(device, client_id, session)) => {
                    let session = Session::restore(device.clone(), client_id, session, now)
                        .metered(&self.queued);
                    let device = self.device(&device);
                    device.sessions().push(Arc::new(session));
                }
                Some(Restored::Missed {
                    device,
                    client_id,
                    number,
                    message,
                }) => {
                    missed.push((device, client_id, number, message, key));
                }
                Some(Restored::Received(device, client_id, pkid)) => {
                    received.push((device, client_id, pkid, key));
                }
                Some(Restored::Retained(topic, payload)) => retained.push((topic, payload)),
                Some(Restored::Properties(topic, stored)) => properties.push((topic, stored)),
                None => {
                    tracing::debug!(
                        %key,
                        "the front door cannot read this stored value, perhaps because a newer version wrote it: the front door starts without the value and leaves it in the journal"
                    );
                }
            }
        }
        *self.retained() = Retained::restore(retained, properties);
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

    fn devices(&self) -> MutexGuard<'_, HashMap<Name, Arc<FrontDoorDevice>>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn retained(&self) -> MutexGuard<'_, Retained> {
        self.retained.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> Vec<Arc<FrontDoorDevice>> {
        self.devices().values().cloned().collect()
    }

    fn find(&self, name: &Name) -> Option<Arc<FrontDoorDevice>> {
        self.devices().get(name).cloned()
    }

    fn device(&self, name: &Name) -> Arc<FrontDoorDevice> {
        let mut devices = self.devices();
        let device = devices
            .entry(name.clone())
            .or_insert_with(|| Arc::new(FrontDoorDevice::new(&self.site, name.clone())));
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
    pub fn open(&self, wish: Wish<'_>, changes: &mut Vec<SideChange>) -> Result<Opened, Closed> {
        let mut devices = self.devices();
        if !devices.contains_key(wish.device) && devices.len() >= DEVICES_MAX {
            return Err(Closed::TooMany);
        }
        let device =
            Arc::clone(devices.entry(wish.device.clone()).or_insert_with(|| {
                Arc::new(FrontDoorDevice::new(&self.site, wish.device.clone()))
            }));
        let mut wills = Vec::new();
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
                let oldest = sessions.swap_remove(oldest);
                wills.extend(oldest.take_due_will(clock::instant(), true));
                oldest.clear(changes);
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
        // Still under the lock of `devices`: `close` cannot take the session out before it has its
        // owner.
        let mut attached = session.attach(wish.owner, wish.clean, wish.expiry_s, changes);
        wills.extend(attached.will.take());
        device.note_wanted();
        drop(devices);
        Ok(Opened {
            device,
            session,
            attached,
            wills,
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

    /// The wills that still wait for their delay; the gateway stops and does not wait for it.
    pub fn take_wills(&self) -> Vec<(Arc<Session>, Will)> {
        let mut wills = Vec::new();
        for device in self.all() {
            for session in device.sessions().iter() {
                let will = session.take_due_will(clock::instant(), true);
                wills.extend(will.map(|will| (Arc::clone(session), will)));
            }
        }
        wills
    }

    /// Removes expired messages and sessions, and returns the wills that are due.
    pub fn tidy(
        &self,
        now: Timestamp,
        instant: Instant,
        changes: &mut Vec<SideChange>,
    ) -> Vec<(Arc<Session>, Will)> {
        self.retained().expire(instant, changes);
        let mut wills = Vec::new();
        for device in self.all() {
            let sessions = device.sessions().clone();
            for session in sessions {
                let over = session.is_over(now);
                if let Some(will) = session.take_due_will(instant, over) {
                    wills.push((Arc::clone(&session), will));
                }
                if over {
                    session.clear(changes);
                    self.close(&session);
                }
            }
        }
        wills
    }

    /// Sends a message of the gateway to its device's sessions, and stores it if it is retained. An
    /// equal retained message is not sent again.
    pub fn send(&self, message: Outbound, now: Instant, changes: &mut Vec<SideChange>) {
        let Outbound {
            device,
            channel,
            payload,
            retain,
        } = message;
        let content = Content::plain(payload, retain);
        if retain {
            if self.is_retained(&device, &channel, &content.payload) {
                return;
            }
            if self.retain(&device, &channel, &content, changes).is_err() {
                tracing::warn!(%device, %channel, "dropped a retained message: the limit of retained messages is reached");
            }
        }
        self.publish(&device, &channel, content, now, changes);
    }

    /// A message of the gateway's own, to the sessions of a device that subscribed. A retained one
    /// is what holds now: it supersedes those that still wait.
    pub fn publish(
        &self,
        device: &Name,
        channel: &str,
        content: Content,
        now: Instant,
        changes: &mut Vec<SideChange>,
    ) {
        let supersedes = content.retain;
        if let Some(device) = self.find(device) {
            let offer = device.offer(channel, content, supersedes, now);
            self.offer(&device, &offer, None, changes);
        }
    }

    /// Sends a `state` or `config/reported` to the subscribed sessions of its device. `from` is the
    /// session that published it.
    pub fn forward(
        &self,
        device: &Name,
        channel: &str,
        content: Content,
        from: Option<&Arc<Session>>,
        changes: &mut Vec<SideChange>,
    ) {
        if let Some(device) = self.find(device) {
            let offer = device.offer(channel, content, false, clock::instant());
            self.offer(&device, &offer, from, changes);
        }
    }

    fn offer(
        &self,
        device: &FrontDoorDevice,
        offer: &Offer,
        from: Option<&Arc<Session>>,
        changes: &mut Vec<SideChange>,
    ) {
        for session in device.sessions().iter() {
            let own = from.is_some_and(|from| Arc::ptr_eq(from, session));
            session.offer(offer, own, self.missed_max(), changes);
        }
    }

    /// Sends the receipts and displays of one device's events. The caller creates them if
    /// [`FrontDoorDevice::wants_receipts`] and [`FrontDoorDevice::wants_displays`].
    pub fn answer(
        &self,
        device: &FrontDoorDevice,
        receipts: Vec<Bytes>,
        displays: Vec<Bytes>,
        now: Instant,
        changes: &mut Vec<SideChange>,
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
                content: Content::plain(payload, false),
                supersedes: false,
                now,
            };
            for session in sessions.iter() {
                session.offer(&offer, false, self.missed_max(), changes);
            }
        }
    }

    pub fn is_retained(&self, device: &Name, channel: &str, payload: &Bytes) -> bool {
        let topic = Topics::new(&self.site, device).topic(channel);
        self.retained().payload(&topic) == Some(payload)
    }

    pub fn has_retained(&self, device: &Name, channel: &str) -> bool {
        let topic = Topics::new(&self.site, device).topic(channel);
        self.retained().payload(&topic).is_some()
    }

    /// The retained messages of all devices on a channel.
    pub fn retained_on(&self, channel: &str) -> Vec<(Name, Bytes)> {
        let prefix = Topics::site_prefix(&self.site);
        self.retained().on_channel(&prefix, channel)
    }

    /// Makes a message the retained message of its topic; an empty payload removes the retained
    /// message (MQTT 3.1.1, 3.3.1.3).
    pub fn retain(
        &self,
        device: &Name,
        channel: &str,
        content: &Content,
        changes: &mut Vec<SideChange>,
    ) -> Result<(), RetainedFull> {
        let topic = Topics::new(&self.site, device).topic(channel);
        self.retained().replace(topic, content, changes)
    }

    /// Changes that are to go to disk, with what is retained now.
    pub fn update(&self, mut changes: Vec<SideChange>) -> Vec<SideChange> {
        self.retained().update(&mut changes);
        changes
    }

    /// Hands the retained messages that match a filter to a session that just subscribed.
    pub fn offer_retained(
        &self,
        device: &FrontDoorDevice,
        session: &Session,
        filter: &Filter,
        qos: Qos,
    ) {
        let prefix = device.topics.topic("");
        let retained = self.retained();
        for (topic, content) in retained.below(&prefix) {
            if topic_matches(topic, &filter.path) {
                let offer = Offer {
                    topic: topic.into(),
                    content: content.clone(),
                    supersedes: false,
                    now: clock::instant(),
                };
                session.offer_retained(&offer, qos);
            }
        }
    }
}
