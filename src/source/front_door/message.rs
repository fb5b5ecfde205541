//! A message to one client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use jiff::{SignedDuration, Timestamp};

use super::answer::{Sent, Writer};
use super::wire::{Publish, Qos};
use crate::clock;

/// A payload with its MQTT properties: as the publisher sent them, and as the subscribers receive
/// them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub payload: Bytes,
    /// The QoS of the publish: a subscriber gets no higher one (MQTT 5, 3.8.4-8).
    pub qos: Qos,
    /// The RETAIN flag of the publish.
    pub retain: bool,
    /// The MQTT 5 properties that go to the subscribers, encoded; without the message expiry.
    pub properties: Bytes,
    pub expiry: Option<Expiry>,
}

/// When a message expires (MQTT 5, 3.3.2.3.3): by the monotonic clock, and by the wall clock for
/// the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    at: Instant,
    wall: Timestamp,
}

impl Expiry {
    /// `None`: the time is beyond the clock's range.
    pub fn after(seconds: u32) -> Option<Self> {
        let at = clock::instant().checked_add(Duration::from_secs(seconds.into()))?;
        let wall = clock::now().checked_add(SignedDuration::from_secs(seconds.into()));
        Some(Self {
            at,
            wall: wall.ok()?,
        })
    }

    /// Restores the expiry from disk, in Unix seconds. A message that expired while the gateway was
    /// stopped expires now.
    pub fn restore(at_s: i64) -> Option<Self> {
        let left = at_s.saturating_sub(clock::now().as_second()).max(0);
        Self::after(u32::try_from(left).ok()?)
    }

    /// The Unix second at which the message expires, for the disk.
    pub fn second(self) -> i64 {
        self.wall.as_second()
    }

    pub fn at(self) -> Instant {
        self.at
    }

    pub fn is_over(self) -> bool {
        self.at <= clock::instant()
    }

    /// The remaining time in whole seconds, rounded up; 0 when the message has expired.
    fn left_s(self) -> u32 {
        let left = self.at.saturating_duration_since(clock::instant());
        let whole = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
        whole.saturating_add(u32::from(left.subsec_nanos() > 0))
    }
}

impl Content {
    /// A message of the gateway's own.
    pub fn plain(payload: Bytes, retain: bool) -> Self {
        Self {
            payload,
            qos: Qos::AtLeastOnce,
            retain,
            properties: Bytes::new(),
            expiry: None,
        }
    }

    /// The content of a publish, copied: a slice would keep the whole read buffer in memory.
    pub fn of(publish: &Publish) -> Self {
        Self {
            payload: Bytes::copy_from_slice(&publish.payload),
            qos: publish.qos,
            retain: publish.retain,
            properties: super::wire::forwarded(&publish.properties).into(),
            expiry: publish.message_expiry_s.and_then(Expiry::after),
        }
    }

    pub fn is_expired(&self) -> bool {
        self.expiry.is_some_and(Expiry::is_over)
    }

    /// The approximate size in memory or on disk.
    pub fn bytes(&self) -> usize {
        self.payload.len() + self.properties.len()
    }
}

#[derive(Debug)]
pub struct Message {
    pub topic: Arc<str>,
    pub content: Content,
    /// The QoS for this client.
    pub qos: Qos,
    /// The RETAIN flag for this client.
    pub retain: bool,
    pub since: Instant,
    /// Its number on disk.
    pub number: Option<u64>,
}

#[derive(Debug)]
pub struct InFlight {
    pub pkid: u16,
    pub message: Message,
    /// Written to the connection that owns the session now.
    pub sent: bool,
    /// The packet id is on disk with the message.
    pub stored: bool,
}

impl Message {
    /// The approximate size in memory.
    pub fn bytes(&self) -> usize {
        self.topic.len() + self.content.bytes() + size_of::<Self>()
    }

    /// False: too large for the client.
    pub fn write(&self, writer: &Writer, pkid: Option<u16>, dup: bool, out: &mut BytesMut) -> bool {
        writer.publish(
            out,
            &Sent {
                topic: &self.topic,
                payload: &self.content.payload,
                properties: &self.content.properties,
                expiry_s: self.content.expiry.map(Expiry::left_s),
                pkid,
                dup,
                retain: self.retain,
            },
        )
    }
}
