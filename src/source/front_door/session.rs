//! One client's session: its subscriptions, and the messages to it.
//!
//! **In**: messages for its device, and its acknowledgements. **Out**: packets for the connection
//! that owns it, and [`SideChange`]s for the journal. A message is written to disk only when its
//! device is away, or has not acknowledged it for [`UNACKED_MAX`]: a connected device that answers
//! costs no disk.

mod messages;
mod received;

use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::connect::Will;
use super::message::{Content, InFlight, Message};
use super::meter::Meter;
use super::receptions::Receptions;
use super::stored::{self, SessionV1, SubscriptionV1};
use super::wire::{Filter, Qos};
use crate::clock;
use crate::event::Name;
use crate::journal::SideChange;

/// The largest number of messages that wait for a connected client. Above it the oldest are
/// dropped.
const QUEUE_MAX: usize = 10_000;
/// The largest number of bytes of these messages.
const QUEUE_BYTES_MAX: usize = 2 << 20;
/// Messages for which an empty queue keeps room.
const QUEUE_KEPT: usize = 16;
/// QoS 1 messages that a client may leave unacknowledged before it gets more; its Receive Maximum
/// may be lower.
pub const IN_FLIGHT_MAX: u16 = 64;
/// The limit while clients that do not acknowledge hold much of the memory for messages.
const IN_FLIGHT_SCARCE: u16 = 8;
/// After this a message that was not acknowledged is written to disk.
const UNACKED_MAX: Duration = Duration::from_secs(5);
/// The longest that a session lives without a connection, in seconds: 7 days. MQTT 3.1.1 sessions
/// live as long.
pub const EXPIRY_MAX_S: u32 = 7 * 24 * 3_600;

/// The session of one client, shared by its connection and by the senders of messages to its
/// device.
#[derive(Debug)]
pub struct Session {
    pub device: Name,
    pub client_id: String,
    /// Wakes the connection: there is something to send.
    pub wake: Notify,
    state: Mutex<SessionState>,
}

#[derive(Debug, Default)]
struct SessionState {
    owner: Option<Owner>,
    /// Rises with each connection: one that was taken over must not touch the session any more.
    epoch: u64,
    expiry_s: u32,
    ended: Option<Timestamp>,
    /// The session is on disk under its key.
    stored: bool,
    subscriptions: Vec<Filter>,
    queue: VecDeque<Message>,
    /// The bytes of waiting messages and of messages in flight.
    held: Meter,
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
    /// Earlier waiting messages of the topic are obsolete: only the newest one is sent.
    pub supersedes: bool,
    pub now: Instant,
}

/// The state of the session that a new connection takes over.
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
        self.state().held = Meter::new(Arc::clone(all));
        self
    }

    /// A session as it was on disk: nobody is connected after a restart.
    pub fn restore(device: Name, client_id: String, stored: SessionV1, now: Timestamp) -> Self {
        let session = Self::new(device, client_id);
        {
            let mut state = session.state();
            state.expiry_s = stored.expiry_s;
            state.ended = Some(
                stored
                    .ended_s
                    .and_then(|at| Timestamp::from_second(at).ok())
                    .unwrap_or(now),
            );
            state.stored = true;
            state.subscriptions = stored
                .subscriptions
                .into_iter()
                .map(|stored| Filter {
                    path: stored.filter,
                    qos: match stored.qos {
                        0 => Qos::AtMostOnce,
                        _ => Qos::AtLeastOnce,
                    },
                    no_local: stored.no_local,
                    keep_retain: stored.keep_retain,
                    retain: super::wire::RetainRule::Always,
                })
                .collect();
        }
        session
    }

    /// A missed message as it was on disk; they come in the order of their numbers.
    pub fn restore_missed(&self, number: u64, stored: stored::RestoredMissed, now: Instant) {
        let mut state = self.state();
        state.next_number = state.next_number.max(number + 1);
        let message = Message {
            topic: stored.topic.into(),
            retain: stored.content.retain,
            content: stored.content,
            qos: Qos::AtLeastOnce,
            since: now,
            number: Some(number),
        };
        let is_free = |id: &u16| state.in_flight.iter().all(|sent| sent.pkid != *id);
        match stored.pkid.filter(is_free) {
            Some(pkid) => state.push_in_flight(InFlight {
                pkid,
                message,
                sent: false,
                stored: true,
            }),
            None => state.push(message),
        }
    }

    /// Nothing in it panics half-way, and it is never held across an await.
    fn state(&self) -> MutexGuard<'_, SessionState> {
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

    /// Gives the session to a connection. With `clean`, the session starts empty.
    pub fn attach(
        &self,
        owner: Owner,
        clean: bool,
        expiry_s: u32,
        changes: &mut Vec<SideChange>,
    ) -> Attached {
        let mut state = self.state();
        let present = !clean
            && !state.is_over(clock::now())
            && (state.ended.is_some() || state.owner.is_some());
        // A session that continues removes its will (MQTT 5, 3.1.3-9).
        let will = state.will.take().filter(|_| !present);
        if !present {
            self.forget(&mut state, changes);
        }
        state.epoch += 1;
        state.owner = Some(owner);
        state.ended = None;
        state.expiry_s = expiry_s;
        // The outcome of writes by an earlier connection is unknown. A message that must not be
        // lost is stored again; without an id it gets a flag.
        let forgotten = state.receptions.forget_under_way();
        changes.extend(forgotten.into_iter().map(|pkid| self.remove_received(pkid)));
        for sent in &mut state.in_flight {
            sent.sent = false;
        }
        if expiry_s > 0 {
            changes.push(self.write_session(&mut state));
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

    /// Ends the connection of the session. If the session continues, its undelivered messages go to
    /// disk. Returns `true` if the session has ended.
    pub fn detach(
        &self,
        epoch: u64,
        expiry_s: Option<u32>,
        will: Option<PendingWill>,
        now: Timestamp,
        changes: &mut Vec<SideChange>,
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
        changes.push(self.write_session(&mut state));
        state.queue.retain(|message| message.qos != Qos::AtMostOnce);
        let in_flight = state.in_flight.iter().map(|sent| &sent.message);
        let left = state.queue.iter().chain(in_flight);
        let left = left.map(Message::bytes).sum();
        state.held.set(left);
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
    pub fn clear(&self, changes: &mut Vec<SideChange>) {
        let mut state = self.state();
        self.forget(&mut state, changes);
    }

    fn forget(&self, state: &mut SessionState, changes: &mut Vec<SideChange>) {
        let waiting = state
            .queue
            .iter()
            .chain(state.in_flight.iter().map(|sent| &sent.message));
        for message in waiting {
            self.remove_missed(message, changes);
        }
        if state.stored {
            changes.push((stored::session_key(&self.device, &self.client_id), None));
        }
        state.stored = false;
        state.subscriptions.clear();
        state.queue.clear();
        state.held.set(0);
        state.in_flight.clear();
        let received = state.receptions.clear();
        changes.extend(received.into_iter().map(|pkid| self.remove_received(pkid)));
    }

    /// The change that stores the session.
    fn write_session(&self, state: &mut SessionState) -> SideChange {
        state.stored = true;
        let value = stored::session_value(SessionV1 {
            expiry_s: state.expiry_s,
            ended_s: state.ended.map(Timestamp::as_second),
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

    /// Adds or replaces a subscription. Returns whether it is new. `None`: too many subscriptions.
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

    /// The change that stores the session; `None`: it ends with its connection.
    pub fn session_change(&self) -> Option<SideChange> {
        let mut state = self.state();
        (state.expiry_s > 0).then(|| self.write_session(&mut state))
    }
}

impl SessionState {
    fn is_over(&self, now: Timestamp) -> bool {
        self.owner.is_none()
            && self
                .ended
                .is_none_or(|ended| now.duration_since(ended).as_secs() >= i64::from(self.expiry_s))
    }

    fn push(&mut self, message: Message) {
        self.held.add(message.bytes());
        self.queue.push_back(message);
    }

    fn pop(&mut self) -> Option<Message> {
        let message = self.queue.pop_front()?;
        self.held.subtract(message.bytes());
        // A queue that was long once gives its memory back.
        if self.queue.capacity() > QUEUE_KEPT && self.queue.len() < self.queue.capacity() / 4 {
            self.queue.shrink_to(QUEUE_KEPT.max(self.queue.len() * 2));
        }
        Some(message)
    }

    fn push_in_flight(&mut self, sent: InFlight) {
        self.held.add(sent.message.bytes());
        self.in_flight.push_back(sent);
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// At most [`IN_FLIGHT_MAX`] messages are in flight, so an id is free.
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
