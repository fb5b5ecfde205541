//! The connection to the broker, shared by the worker (acknowledgements of delivered messages) and
//! the sender (the outbox).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rumqttc::{AsyncClient, Publish, QoS};
use tokio::sync::Notify;

use super::outbox::Outbox;
use super::topic;
use crate::channel::Outbound;
use crate::event::Name;

/// How long a sender waits for room in the outbox of a connection that is up, before the oldest
/// message goes.
const ROOM_WAIT: Duration = Duration::from_secs(5);
/// MQTT's fixed header, topic length and packet id, at their largest.
const PACKET_OVERHEAD_BYTES: usize = 9;

pub(super) struct Link {
    client: AsyncClient,
    site: Name,
    packet_bytes_max: usize,
    state: Mutex<LinkState>,
    room: Notify,
}

struct LinkState {
    /// Counts connections. A message may be acknowledged only in its own connection: in the next
    /// one, its packet id belongs to another message.
    generation: u64,
    up: bool,
    outbox: Outbox<Outbound>,
    dropped: u64,
}

impl Link {
    pub fn new(client: AsyncClient, site: Name, packet_bytes_max: usize) -> Self {
        Self {
            client,
            site,
            packet_bytes_max,
            state: Mutex::new(LinkState {
                generation: 0,
                up: false,
                outbox: Outbox::new(),
                dropped: 0,
            }),
            room: Notify::new(),
        }
    }

    /// Never held across an await; a poisoned lock still holds a good value.
    fn state(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn generation(&self) -> u64 {
        self.state().generation
    }

    /// The broker took the connection: subscribes, and hands over what waits.
    pub fn mark_connected(&self) {
        let mut state = self.state();
        if self
            .client
            .try_subscribe_many(topic::filters(&self.site))
            .is_err()
        {
            // The client's queue was emptied when the last connection was lost, and filters are
            // valid.
            tracing::error!("cannot subscribe: the MQTT client's queue is full");
        }
        state.up = true;
        self.hand_over(&mut state);
    }

    /// The connection is gone; answers how many messages were dropped since the last time.
    pub fn mark_lost(&self) -> u64 {
        let mut state = self.state();
        state.generation += 1;
        state.up = false;
        state.outbox.requeue();
        self.room.notify_waiters();
        std::mem::take(&mut state.dropped)
    }

    /// Acknowledges a message in the connection that it came in, and in no other.
    pub async fn acknowledge(&self, publish: &Publish, generation: u64) {
        loop {
            {
                let state = self.state();
                if state.generation != generation || self.client.try_ack(publish).is_ok() {
                    return;
                }
            }
            // The queue is larger than the number of messages in flight: it is full only while the
            // network is stuck.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Puts a message in line; waits a little while a connection that is up has no room.
    pub async fn send(&self, message: Outbound) {
        let room = self.room.notified();
        tokio::pin!(room);
        // From here on a notification is not missed.
        room.as_mut().enable();
        let wait = {
            let state = self.state();
            state.up && state.outbox.is_full()
        };
        if wait {
            // A broker that acknowledges nothing must not delay the gateway's other work.
            drop(tokio::time::timeout(ROOM_WAIT, room).await);
        }
        self.push(message);
    }

    /// Enqueues without waiting, for a caller that would otherwise delay deliveries and so the
    /// acknowledgements that make room.
    pub fn push(&self, message: Outbound) {
        let bytes = topic::outgoing(&self.site, &message.device, &message.channel).len()
            + message.payload.len()
            + PACKET_OVERHEAD_BYTES;
        if bytes > self.packet_bytes_max {
            tracing::warn!(device = %message.device, channel = %message.channel, bytes,
                "the gateway dropped its message to this device, because the message is larger than mqtt.broker.packet_bytes_max: raise that limit");
            return;
        }
        let mut state = self.state();
        if state.outbox.push(message).is_some() {
            state.dropped += 1;
        }
        if state.up {
            self.hand_over(&mut state);
        }
    }

    pub fn set_packet_id(&self, packet_id: u16) {
        self.state().outbox.set_packet_id(packet_id);
    }

    pub fn remove_acknowledged(&self, packet_id: u16) {
        let mut state = self.state();
        state.outbox.remove_acknowledged(packet_id);
        self.hand_over(&mut state);
        self.room.notify_waiters();
    }

    pub fn disconnect(&self) {
        drop(self.client.try_disconnect());
    }

    fn hand_over(&self, state: &mut LinkState) {
        while let Some(message) = state.outbox.next() {
            let topic = topic::outgoing(&self.site, &message.device, &message.channel);
            let handed = self.client.try_publish(
                topic,
                QoS::AtLeastOnce,
                message.retain,
                message.payload.clone(),
            );
            if handed.is_err() {
                return;
            }
            state.outbox.mark_handed_over();
        }
    }
}
