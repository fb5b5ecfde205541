//! The messages to a session's client: enqueued, sent, acknowledged, and written to disk if the
//! client is away or does not acknowledge them.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use super::super::answer::Writer;
use super::super::message::{InFlight, Message};
use super::super::stored;
use super::super::topics::topic_matches;
use super::super::wire::Qos;
use super::{
    IN_FLIGHT_MAX, IN_FLIGHT_SCARCE, Offer, QUEUE_BYTES_MAX, QUEUE_MAX, Session, SessionState,
    UNACKED_MAX,
};
use crate::journal::SideChange;

impl Session {
    pub fn wants(&self, topic: &str) -> bool {
        self.state()
            .subscriptions
            .iter()
            .any(|known| topic_matches(topic, &known.path))
    }

    /// Takes a message if it subscribed to its topic; several matching filters get it once, with
    /// the highest QoS.
    pub fn offer(
        &self,
        offer: &Offer,
        own: bool,
        missed_max: usize,
        changes: &mut Vec<SideChange>,
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

    /// Drops the waiting messages of a topic, because the gateway now sends a retained message of
    /// its own that replaces them. A retained message of a device drops nothing.
    fn supersede(&self, state: &mut SessionState, topic: &str, changes: &mut Vec<SideChange>) {
        if !state.queue.iter().any(|message| &*message.topic == topic) {
            return;
        }
        let (over, rest): (Vec<_>, Vec<_>) = state
            .queue
            .drain(..)
            .partition(|message| &*message.topic == topic);
        state.queue.extend(rest);
        for message in over {
            state.held.subtract(message.bytes());
            self.remove_missed(&message, changes);
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
            && state.held.bytes() < QUEUE_BYTES_MAX
            && !state.held.is_over()
        {
            state.push(message);
        }
        drop(state);
        self.wake.notify_one();
    }

    fn enqueue(
        &self,
        state: &mut SessionState,
        mut message: Message,
        missed_max: usize,
        changes: &mut Vec<SideChange>,
    ) {
        let online = state.owner.is_some();
        if !online {
            if message.qos == Qos::AtMostOnce || missed_max == 0 {
                return;
            }
            message.number = Some(state.number());
            changes.push(self.store_missed(&message, None));
        }
        let max = if online { QUEUE_MAX } else { missed_max };
        state.push(message);
        while state.queue.len() > max
            || state.held.bytes() > QUEUE_BYTES_MAX.max(max * 256)
            || state.held.is_over()
        {
            let Some(oldest) = state.pop() else { break };
            self.remove_missed(&oldest, changes);
        }
        if online {
            self.wake.notify_one();
        }
    }

    /// Returns the change that stores a message for a device that is offline or has not
    /// acknowledged the message. `pkid`: the packet id of the last attempt to send the message;
    /// `None`: no attempt yet.
    fn store_missed(&self, message: &Message, pkid: Option<u16>) -> SideChange {
        let number = message.number.unwrap_or_default();
        (
            stored::missed_key(&self.device, &self.client_id, number),
            Some(stored::missed_value(message, pkid)),
        )
    }

    /// Writes the messages that may be sent now, until `room` bytes are full: at most
    /// `receive_maximum` unacknowledged messages, at most [`IN_FLIGHT_MAX`], and fewer while memory
    /// for messages is scarce. A message that is too large for this client counts as delivered
    /// (MQTT 5, 3.1.2.11.4). Returns true if the device does not have all messages yet.
    pub fn send(
        &self,
        epoch: u64,
        writer: &Writer,
        receive_maximum: u16,
        room: usize,
        out: &mut BytesMut,
        changes: &mut Vec<SideChange>,
    ) -> bool {
        let mut state = self.state();
        if state.epoch != epoch {
            return false;
        }
        let start = out.len();
        let allowed = if state.held.is_scarce() {
            IN_FLIGHT_SCARCE
        } else {
            IN_FLIGHT_MAX
        };
        let quota = usize::from(receive_maximum.min(allowed));
        // Messages that an earlier connection sent and the client did not acknowledge go first,
        // with DUP (MQTT 3.1.1, 4.4). The present connection may have a lower Receive Maximum (MQTT
        // 5, 4.9.0-2).
        let mut unacked = state.in_flight.iter().filter(|sent| sent.sent).count();
        let mut given_up = 0;
        state.in_flight.retain_mut(|sent| {
            if sent.sent || unacked >= quota || out.len() - start >= room {
                return true;
            }
            sent.sent = sent.message.write(writer, Some(sent.pkid), true, out);
            unacked += usize::from(sent.sent);
            if !sent.sent {
                given_up += sent.message.bytes();
                self.remove_missed(&sent.message, changes);
            }
            sent.sent
        });
        state.held.subtract(given_up);
        while out.len() - start < room {
            match state.queue.front() {
                Some(next) if next.qos == Qos::AtMostOnce || state.in_flight.len() < quota => {}
                _ => break,
            }
            let Some(message) = state.pop() else { break };
            if message.content.is_expired() {
                // MQTT 5, 3.3.2-5: its delivery has not begun.
                self.remove_missed(&message, changes);
                continue;
            }
            if message.qos == Qos::AtMostOnce {
                message.write(writer, None, false, out);
                continue;
            }
            let pkid = state.free_pkid();
            if message.write(writer, Some(pkid), false, out) {
                state.push_in_flight(InFlight {
                    pkid,
                    message,
                    sent: true,
                    stored: false,
                });
            } else {
                self.remove_missed(&message, changes);
            }
        }
        !state.in_flight.is_empty() || !state.queue.is_empty()
    }

    /// Adds the change that removes a message from the disk, if it is there.
    pub(super) fn remove_missed(&self, message: &Message, changes: &mut Vec<SideChange>) {
        if let Some(number) = message.number {
            let key = stored::missed_key(&self.device, &self.client_id, number);
            changes.push((key, None));
        }
    }

    /// The device has the message.
    pub fn acknowledged(&self, pkid: u16, changes: &mut Vec<SideChange>) {
        let mut state = self.state();
        let at = state.in_flight.iter().position(|sent| sent.pkid == pkid);
        if let Some(sent) = at.and_then(|at| state.in_flight.remove(at)) {
            state.held.subtract(sent.message.bytes());
            self.remove_missed(&sent.message, changes);
        }
    }

    /// Messages that were left unacknowledged for too long go to disk.
    pub fn store_unacked(&self, now: Instant, changes: &mut Vec<SideChange>) {
        let mut state = self.state();
        if state.expiry_s > 0 {
            self.store_unsaved(&mut state, Some(now), changes);
        }
    }

    pub(super) fn store_unsaved(
        &self,
        state: &mut SessionState,
        older: Option<Instant>,
        changes: &mut Vec<SideChange>,
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
            // A message from a time when the device was away is on disk without its packet id. The
            // packet id goes to disk when the connection has ended.
            let is_new = sent.message.number.is_none() || older.is_none();
            if !sent.stored && is_new && due(&sent.message) {
                sent.message.number.get_or_insert_with(&mut number);
                sent.stored = true;
                changes.push(self.store_missed(&sent.message, Some(sent.pkid)));
            }
        }
        for message in &mut state.queue {
            if message.number.is_none() && message.qos != Qos::AtMostOnce && due(message) {
                message.number = Some(number());
                changes.push(self.store_missed(message, None));
            }
        }
        state.next_number = next;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use tokio_util::sync::CancellationToken;

    use super::super::{Filter, Owner};
    use super::*;
    use crate::clock;
    use crate::event::Name;
    use crate::source::front_door::message::Content;
    use crate::source::front_door::wire::{RetainRule, Version};

    /// A connected session that subscribed to everything, among those that share `all`.
    fn session(all: &Arc<AtomicUsize>) -> Session {
        let name = Name::new("pda-1").unwrap();
        let session = Session::new(name, "pda-1".to_owned()).metered(all);
        let owner = Owner {
            kick: CancellationToken::new(),
            ended: CancellationToken::new(),
        };
        session.attach(owner, false, 60, &mut Vec::new());
        let filter = Filter {
            path: "#".to_owned(),
            qos: Qos::AtLeastOnce,
            no_local: false,
            keep_retain: false,
            retain: RetainRule::Always,
        };
        assert_eq!(session.subscribe(&filter, 10), Some(true));
        session
    }

    fn offer(session: &Session, count: usize) {
        for _ in 0..count {
            let offer = Offer {
                topic: "a/receipt".into(),
                content: Content::plain(Bytes::from_static(b"{}"), false),
                supersedes: false,
                now: clock::instant(),
            };
            session.offer(&offer, false, 10, &mut Vec::new());
        }
    }

    fn send(session: &Session) {
        let writer = Writer {
            version: Version::V4,
            problem_info: true,
            packet_bytes_max: 1_024,
        };
        let (mut out, mut changes) = (BytesMut::new(), Vec::new());
        session.send(1, &writer, u16::MAX, 64 << 10, &mut out, &mut changes);
    }

    #[test]
    fn what_is_in_flight_is_counted_until_it_is_acknowledged() {
        let all = Arc::default();
        let session = session(&all);
        offer(&session, 3);
        let queued = all.load(Ordering::Relaxed);
        assert!(queued > 0);
        send(&session);
        assert_eq!(session.state().in_flight.len(), 3);
        assert_eq!(all.load(Ordering::Relaxed), queued);
        for pkid in 1..=3 {
            session.acknowledged(pkid, &mut Vec::new());
        }
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn where_memory_is_scarce_few_messages_go_ahead_of_their_acknowledgement() {
        for (others, in_flight) in [(0, IN_FLIGHT_MAX), (5 << 20, IN_FLIGHT_SCARCE)] {
            let session = session(&Arc::new(AtomicUsize::new(others)));
            offer(&session, 100);
            send(&session);
            assert_eq!(session.state().in_flight.len(), usize::from(in_flight));
        }
    }

    #[test]
    fn a_queue_that_was_long_gives_its_memory_back() {
        let session = session(&Arc::default());
        offer(&session, 5_000);
        assert!(session.state().queue.capacity() >= 5_000);
        while session.state().pop().is_some() {}
        assert!(session.state().queue.capacity() <= 64);
    }
}
