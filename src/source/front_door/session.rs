//! One client's session: what it subscribed to, and the messages on their way to it.
//!
//! Comes in: messages for its device, its acknowledgements. Goes out: packets for the connection that owns it,
//! and [`KeepChange`]s for the journal. A message is written to disk only when its device is away, or has
//! left it unacknowledged for [`UNACKED_MAX`]: a device that is there and answers costs no disk.

use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::answer::Writer;
use super::connect::Will;
use super::message::{Content, InFlight, Message};
use super::meter::Meter;
use super::receptions::{Received, Receptions};
use super::stored::{self, SessionV1, SubscriptionV1};
use super::topics::topic_matches;
use super::wire::{Filter, Qos};
use crate::clock;
use crate::event::Name;
use crate::journal::KeepChange;

/// Messages that wait for a connected client at the most; the oldest go first.
const QUEUE_MAX: usize = 10_000;
/// And their bytes.
const QUEUE_BYTES_MAX: usize = 2 << 20;
/// QoS 1 messages that a client may leave unacknowledged before it gets more; its Receive Maximum may be lower.
pub const IN_FLIGHT_MAX: u16 = 64;
/// After this a message that was not acknowledged is written to disk.
const UNACKED_MAX: Duration = Duration::from_secs(5);
/// The longest that a session lives without a connection, in seconds: 7 days. MQTT 3.1.1 sessions live as long.
pub const EXPIRY_MAX_S: u32 = 7 * 24 * 3_600;

/// One client's session; shared by its connection and by whoever has something for its device.
#[derive(Debug)]
pub struct Session {
    pub device: Name,
    pub client_id: String,
    /// Wakes the connection: there is something to send.
    pub wake: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    owner: Option<Owner>,
    /// Rises with each connection: one that was taken over must not touch the session any more.
    epoch: u64,
    expiry_s: u32,
    ended: Option<Timestamp>,
    /// The session is on disk under its key.
    stored: bool,
    subscriptions: Vec<Filter>,
    queue: VecDeque<Message>,
    queued: Meter,
    in_flight: VecDeque<InFlight>,
    receptions: Receptions,
    next_pkid: u16,
    next_number: u64,
    will: Option<PendingWill>,
}

/// A last will that waits for its delay (MQTT 5, 3.1.3.2.2).
#[derive(Debug, Clone)]
pub struct PendingWill {
    pub due: Instant,
    pub will: Will,
}

/// The connection that has a session.
#[derive(Debug, Clone)]
pub struct Owner {
    /// Cancelled to end the connection: it was taken over.
    pub kick: CancellationToken,
    /// Cancelled by the connection when it has ended, its will published.
    pub ended: CancellationToken,
}

/// A message for a device's sessions.
#[derive(Debug, Clone)]
pub struct Offer {
    pub topic: Arc<str>,
    pub content: Content,
    /// Earlier messages of the topic that still wait for the device say nothing any more: only the
    /// newest one goes out.
    pub supersedes: bool,
    pub now: Instant,
}

/// What a new connection found.
#[derive(Debug)]
pub struct Attached {
    pub present: bool,
    pub epoch: u64,
    /// The will of the session that a clean start ended: it is due now (MQTT 5, 3.1.2-8).
    pub will: Option<Will>,
}

impl Session {
    pub fn new(device: Name, client_id: String) -> Self {
        Self {
            device,
            client_id,
            wake: Notify::new(),
            state: Mutex::default(),
        }
    }

    /// Its messages count among those of all sessions that share `all`.
    #[must_use]
    pub fn metered(self, all: &Arc<AtomicUsize>) -> Self {
        self.state().queued = Meter::new(Arc::clone(all));
        self
    }

    /// A session as it was on disk: nobody is connected after a restart.
    pub fn restore(device: Name, client_id: String, kept: SessionV1, now: Timestamp) -> Self {
        let session = Self::new(device, client_id);
        {
            let mut state = session.state();
            state.expiry_s = kept.expiry_s;
            state.ended = Some(
                kept.ended_s
                    .and_then(|at| Timestamp::from_second(at).ok())
                    .unwrap_or(now),
            );
            state.stored = true;
            state.subscriptions = kept
                .subscriptions
                .into_iter()
                .map(|kept| Filter {
                    path: kept.filter,
                    qos: match kept.qos {
                        0 => Qos::AtMostOnce,
                        _ => Qos::AtLeastOnce,
                    },
                    no_local: kept.no_local,
                    keep_retain: kept.keep_retain,
                    retain: super::wire::RetainRule::Always,
                })
                .collect();
        }
        session
    }

    /// A missed message as it was on disk; they come in the order of their numbers.
    pub fn restore_missed(&self, number: u64, kept: stored::KeptMissed, now: Instant) {
        let mut state = self.state();
        state.next_number = state.next_number.max(number + 1);
        let message = Message {
            topic: kept.topic.into(),
            retain: kept.content.retain,
            content: kept.content,
            qos: Qos::AtLeastOnce,
            since: now,
            number: Some(number),
        };
        let is_free = |id: &u16| state.in_flight.iter().all(|sent| sent.pkid != *id);
        match kept.pkid.filter(is_free) {
            Some(pkid) => state.in_flight.push_back(InFlight {
                pkid,
                message,
                sent: false,
                stored: true,
            }),
            None => state.push(message),
        }
    }

    /// Nothing in it panics half-way, and it is never held across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that has it now.
    pub fn owner(&self) -> Option<Owner> {
        self.state().owner.clone()
    }

    pub fn is_online(&self) -> bool {
        self.state().owner.is_some()
    }

    /// Whether its time without a connection is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.state().is_over(now)
    }

    /// When its last connection ended; sessions that ended first make room first.
    pub fn ended(&self) -> Option<Timestamp> {
        self.state().ended
    }

    /// Gives the session to a connection. With `clean`, what was there is forgotten.
    pub fn attach(
        &self,
        owner: Owner,
        clean: bool,
        expiry_s: u32,
        changes: &mut Vec<KeepChange>,
    ) -> Attached {
        let mut state = self.state();
        let present = !clean
            && !state.is_over(clock::now())
            && (state.ended.is_some() || state.owner.is_some());
        // A session that goes on takes its will back (MQTT 5, 3.1.3-9).
        let will = state.will.take().filter(|_| !present);
        if !present {
            self.forget(&mut state, changes);
        }
        state.epoch += 1;
        state.owner = Some(owner);
        state.ended = None;
        state.expiry_s = expiry_s;
        // What an earlier connection was still writing to disk: it is not known whether that was
        // done. A message that must not be lost is taken again; where it has no id, it is flagged.
        let forgotten = state.receptions.forget_under_way();
        changes.extend(forgotten.into_iter().map(|pkid| self.unreceived(pkid)));
        for sent in &mut state.in_flight {
            sent.sent = false;
        }
        if expiry_s > 0 {
            changes.push(self.kept(&mut state));
        } else if state.stored {
            state.stored = false;
            changes.push((stored::session_key(&self.device, &self.client_id), None));
        }
        Attached {
            present,
            epoch: state.epoch,
            will: will.map(|pending| pending.will),
        }
    }

    /// The connection has ended: what its device does not have goes to disk if the session lives on.
    /// True: the session is over.
    pub fn detach(
        &self,
        epoch: u64,
        expiry_s: Option<u32>,
        will: Option<PendingWill>,
        now: Timestamp,
        changes: &mut Vec<KeepChange>,
    ) -> bool {
        let mut state = self.state();
        if state.epoch != epoch {
            return false;
        }
        state.owner = None;
        state.ended = Some(now);
        state.expiry_s = expiry_s.unwrap_or(state.expiry_s).min(EXPIRY_MAX_S);
        state.will = will;
        if state.expiry_s == 0 {
            self.forget(&mut state, changes);
            return true;
        }
        changes.push(self.kept(&mut state));
        state.queue.retain(|message| message.qos != Qos::AtMostOnce);
        let left = state.queue.iter().map(Message::bytes).sum();
        state.queued.set(left);
        self.store_unsaved(&mut state, None, changes);
        false
    }

    /// A will that is due now, or because the session is over (MQTT 5, 3.1.3.2.2); once.
    pub fn take_due_will(&self, now: Instant, over: bool) -> Option<Will> {
        let due = |pending: &mut PendingWill| over || pending.due <= now;
        let pending = self.state().will.take_if(due);
        pending.map(|pending| pending.will)
    }

    /// Forgets everything, on disk as well.
    pub fn clear(&self, changes: &mut Vec<KeepChange>) {
        let mut state = self.state();
        self.forget(&mut state, changes);
    }

    fn forget(&self, state: &mut State, changes: &mut Vec<KeepChange>) {
        let waiting = state
            .queue
            .iter()
            .chain(state.in_flight.iter().map(|sent| &sent.message));
        for message in waiting {
            self.unkeep(message, changes);
        }
        if state.stored {
            changes.push((stored::session_key(&self.device, &self.client_id), None));
        }
        state.stored = false;
        state.subscriptions.clear();
        state.queue.clear();
        state.queued.set(0);
        state.in_flight.clear();
        let received = state.receptions.clear();
        changes.extend(received.into_iter().map(|pkid| self.unreceived(pkid)));
    }

    fn kept(&self, state: &mut State) -> KeepChange {
        state.stored = true;
        let value = stored::session_value(SessionV1 {
            expiry_s: state.expiry_s,
            ended_s: state.ended.map(stored::seconds),
            subscriptions: state
                .subscriptions
                .iter()
                .map(|filter| SubscriptionV1 {
                    filter: filter.path.clone(),
                    qos: u8::from(filter.qos != Qos::AtMostOnce),
                    no_local: filter.no_local,
                    keep_retain: filter.keep_retain,
                })
                .collect(),
        });
        (
            stored::session_key(&self.device, &self.client_id),
            Some(value),
        )
    }

    /// Adds or replaces a subscription. `None`: there are too many; else whether it is new.
    pub fn subscribe(&self, filter: &Filter, max: usize) -> Option<bool> {
        let mut state = self.state();
        let known = state
            .subscriptions
            .iter_mut()
            .find(|known| known.path == filter.path);
        if let Some(known) = known {
            known.clone_from(filter);
            return Some(false);
        }
        if state.subscriptions.len() >= max {
            return None;
        }
        state.subscriptions.push(filter.clone());
        Some(true)
    }

    pub fn unsubscribe(&self, path: &str) -> bool {
        let mut state = self.state();
        let before = state.subscriptions.len();
        state.subscriptions.retain(|known| known.path != path);
        state.subscriptions.len() < before
    }

    /// The session as it is to be kept, if it outlives its connection.
    pub fn keep(&self) -> Option<KeepChange> {
        let mut state = self.state();
        (state.expiry_s > 0).then(|| self.kept(&mut state))
    }

    pub fn wants(&self, topic: &str) -> bool {
        self.state()
            .subscriptions
            .iter()
            .any(|known| topic_matches(topic, &known.path))
    }

    /// Takes a message if it subscribed to its topic; several matching filters get it once, with the highest QoS.
    pub fn offer(
        &self,
        offer: &Offer,
        own: bool,
        missed_max: usize,
        changes: &mut Vec<KeepChange>,
    ) {
        let mut state = self.state();
        let published = offer.content.qos.min(Qos::AtLeastOnce);
        let matching = state
            .subscriptions
            .iter()
            .filter(|known| topic_matches(&offer.topic, &known.path) && !(own && known.no_local));
        let best = matching
            .map(|known| (known.qos.min(published), known.keep_retain))
            .reduce(|a, b| (a.0.max(b.0), a.1 | b.1));
        let Some((qos, keep_retain)) = best else {
            return;
        };
        let message = Message {
            topic: Arc::clone(&offer.topic),
            content: offer.content.clone(),
            qos,
            retain: offer.content.retain && keep_retain,
            since: offer.now,
            number: None,
        };
        if offer.supersedes {
            self.supersede(&mut state, &offer.topic, changes);
        }
        self.enqueue(&mut state, message, missed_max, changes);
    }

    /// A retained message is what holds now: those of its topic that still wait for the device say nothing any more.
    fn supersede(&self, state: &mut State, topic: &str, changes: &mut Vec<KeepChange>) {
        if !state.queue.iter().any(|message| &*message.topic == topic) {
            return;
        }
        let (over, rest): (Vec<_>, Vec<_>) = state
            .queue
            .drain(..)
            .partition(|message| &*message.topic == topic);
        state.queue.extend(rest);
        for message in over {
            state.queued.subtract(message.bytes());
            self.unkeep(&message, changes);
        }
    }

    /// A retained message for a filter just subscribed to.
    pub fn offer_retained(&self, offer: &Offer, qos: Qos) {
        let message = Message {
            topic: Arc::clone(&offer.topic),
            content: offer.content.clone(),
            qos: qos.min(offer.content.qos).min(Qos::AtLeastOnce),
            retain: true,
            since: offer.now,
            number: None,
        };
        let mut state = self.state();
        // A client that subscribes over and over and acknowledges nothing has had enough.
        if state.queue.len() < QUEUE_MAX
            && state.queued.bytes() < QUEUE_BYTES_MAX
            && !state.queued.is_over()
        {
            state.push(message);
        }
        drop(state);
        self.wake.notify_one();
    }

    fn enqueue(
        &self,
        state: &mut State,
        mut message: Message,
        missed_max: usize,
        changes: &mut Vec<KeepChange>,
    ) {
        let online = state.owner.is_some();
        if !online {
            if message.qos == Qos::AtMostOnce || missed_max == 0 {
                return;
            }
            message.number = Some(state.number());
            changes.push(self.missed(&message, None));
        }
        let max = if online { QUEUE_MAX } else { missed_max };
        state.push(message);
        while state.queue.len() > max
            || state.queued.bytes() > QUEUE_BYTES_MAX.max(max * 256)
            || state.queued.is_over()
        {
            let Some(oldest) = state.pop() else { break };
            self.unkeep(&oldest, changes);
        }
        if online {
            self.wake.notify_one();
        }
    }

    fn missed(&self, message: &Message, pkid: Option<u16>) -> KeepChange {
        let number = message.number.unwrap_or_default();
        (
            stored::missed_key(&self.device, &self.client_id, number),
            Some(stored::missed_value(message, pkid)),
        )
    }

    /// Writes what may be sent now: `receive_maximum` unacknowledged messages at the most, `room` bytes.
    /// What is too large for this client is as good as delivered (MQTT 5, 3.1.2.11.4).
    /// True: there are messages that the device does not have yet.
    pub fn send(
        &self,
        epoch: u64,
        writer: &Writer,
        receive_maximum: u16,
        room: usize,
        out: &mut BytesMut,
        changes: &mut Vec<KeepChange>,
    ) -> bool {
        let mut state = self.state();
        if state.epoch != epoch {
            return false;
        }
        let start = out.len();
        let quota = usize::from(receive_maximum.min(IN_FLIGHT_MAX));
        // What an earlier connection was sent and did not acknowledge goes first, with DUP (MQTT
        // 3.1.1, 4.4). This one may have a lower Receive Maximum (MQTT 5, 4.9.0-2).
        let mut unacked = state.in_flight.iter().filter(|sent| sent.sent).count();
        state.in_flight.retain_mut(|sent| {
            if sent.sent || unacked >= quota || out.len() - start >= room {
                return true;
            }
            sent.sent = sent.message.write(writer, Some(sent.pkid), true, out);
            unacked += usize::from(sent.sent);
            if !sent.sent {
                self.unkeep(&sent.message, changes);
            }
            sent.sent
        });
        while out.len() - start < room {
            match state.queue.front() {
                Some(next) if next.qos == Qos::AtMostOnce || state.in_flight.len() < quota => {}
                _ => break,
            }
            let Some(message) = state.pop() else { break };
            if message.content.is_expired() {
                // MQTT 5, 3.3.2-5: its delivery has not begun.
                self.unkeep(&message, changes);
                continue;
            }
            if message.qos == Qos::AtMostOnce {
                message.write(writer, None, false, out);
                continue;
            }
            let pkid = state.free_pkid();
            if message.write(writer, Some(pkid), false, out) {
                state.in_flight.push_back(InFlight {
                    pkid,
                    message,
                    sent: true,
                    stored: false,
                });
            } else {
                self.unkeep(&message, changes);
            }
        }
        !state.in_flight.is_empty() || !state.queue.is_empty()
    }

    /// A message that is on disk goes from there.
    fn unkeep(&self, message: &Message, changes: &mut Vec<KeepChange>) {
        if let Some(number) = message.number {
            let key = stored::missed_key(&self.device, &self.client_id, number);
            changes.push((key, None));
        }
    }

    /// The device has the message.
    pub fn acknowledged(&self, pkid: u16, changes: &mut Vec<KeepChange>) {
        let mut state = self.state();
        let at = state.in_flight.iter().position(|sent| sent.pkid == pkid);
        if let Some(sent) = at.and_then(|at| state.in_flight.remove(at)) {
            self.unkeep(&sent.message, changes);
        }
    }

    /// Messages that were left unacknowledged for too long go to disk.
    pub fn store_unacked(&self, now: Instant, changes: &mut Vec<KeepChange>) {
        let mut state = self.state();
        if state.expiry_s > 0 {
            self.store_unsaved(&mut state, Some(now), changes);
        }
    }

    fn store_unsaved(
        &self,
        state: &mut State,
        older: Option<Instant>,
        changes: &mut Vec<KeepChange>,
    ) {
        let mut next = state.next_number;
        let mut number = || {
            next += 1;
            next - 1
        };
        let due = |message: &Message| {
            let age = |now: Instant| now.saturating_duration_since(message.since);
            older.is_none_or(|now| age(now) >= UNACKED_MAX)
        };
        for sent in &mut state.in_flight {
            // One that was missed is on disk without its packet id: that goes there once the
            // connection has ended.
            let is_new = sent.message.number.is_none() || older.is_none();
            if !sent.stored && is_new && due(&sent.message) {
                sent.message.number.get_or_insert_with(&mut number);
                sent.stored = true;
                changes.push(self.missed(&sent.message, Some(sent.pkid)));
            }
        }
        for message in &mut state.queue {
            if message.number.is_none() && message.qos != Qos::AtMostOnce && due(message) {
                message.number = Some(number());
                changes.push(self.missed(message, None));
            }
        }
        state.next_number = next;
    }

    /// Takes a QoS 2 publish. A connection that was taken over by force must not touch the packet
    /// ids of the new one.
    pub fn receive(&self, epoch: u64, pkid: u16, dup: bool) -> Received {
        let mut state = self.state();
        if state.epoch == epoch {
            state.receptions.receive(pkid, dup)
        } else {
            Received {
                number: 0,
                is_new: true,
            }
        }
    }

    /// What goes to disk with a new QoS 2 publish, where the session outlives its connection: a
    /// client that finds the gateway restarted sends the publish again.
    pub fn store_received(&self, pkid: u16) -> Option<KeepChange> {
        let mut state = self.state();
        let stored = state.expiry_s > 0 && state.receptions.store(pkid);
        stored.then(|| {
            let key = stored::received_key(&self.device, &self.client_id, pkid);
            (key, Some(stored::received_value()))
        })
    }

    /// A packet id as it was on disk.
    pub fn restore_received(&self, pkid: u16) {
        self.state().receptions.restore(pkid);
    }

    fn unreceived(&self, pkid: u16) -> KeepChange {
        let key = stored::received_key(&self.device, &self.client_id, pkid);
        (key, None)
    }

    /// A QoS 2 publish is on disk, and its packet id with it if `stored`.
    pub fn commit(&self, pkid: u16, number: u64, stored: bool, changes: &mut Vec<KeepChange>) {
        let is_open = self.state().receptions.commit(pkid, number);
        if stored && !is_open {
            changes.push(self.unreceived(pkid));
        }
    }

    /// Whether this QoS 2 publish is on disk and not released yet.
    pub fn is_committed(&self, pkid: u16, number: u64) -> bool {
        self.state().receptions.is_committed(pkid, number)
    }

    /// The packet id of a QoS 2 publish is free. What is to go from the disk before the client
    /// hears of it, and whether the packet id was known.
    pub fn release(&self, pkid: u16) -> (Option<KeepChange>, bool) {
        let mut state = self.state();
        let known = state.receptions.knows(pkid);
        let stored = state.receptions.release(pkid);
        (stored.then(|| self.unreceived(pkid)), known)
    }
}

impl State {
    fn is_over(&self, now: Timestamp) -> bool {
        self.owner.is_none()
            && self
                .ended
                .is_none_or(|ended| now.duration_since(ended).as_secs() >= i64::from(self.expiry_s))
    }

    fn push(&mut self, message: Message) {
        self.queued.add(message.bytes());
        self.queue.push_back(message);
    }

    fn pop(&mut self) -> Option<Message> {
        let message = self.queue.pop_front()?;
        self.queued.subtract(message.bytes());
        Some(message)
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// There are at most [`IN_FLIGHT_MAX`] in flight: one of so many more ids is free.
    fn free_pkid(&mut self) -> u16 {
        loop {
            self.next_pkid = self.next_pkid.checked_add(1).unwrap_or(1);
            let pkid = self.next_pkid;
            if self.in_flight.iter().all(|sent| sent.pkid != pkid) {
                return pkid;
            }
        }
    }
}
