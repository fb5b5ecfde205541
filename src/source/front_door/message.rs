//! A message on its way to one client.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::answer::{Sent, Writer};
use super::wire::Qos;

#[derive(Debug)]
pub struct Message {
    pub topic: Arc<str>,
    pub payload: Bytes,
    pub qos: Qos,
    pub retain: bool,
    pub since: Instant,
    /// Its number on disk.
    pub number: Option<u64>,
}

impl Message {
    /// What it costs in memory, about.
    pub fn bytes(&self) -> usize {
        self.topic.len() + self.payload.len() + size_of::<Self>()
    }
}

#[derive(Debug)]
pub struct InFlight {
    pub pkid: u16,
    pub message: Message,
    /// Written to the connection that owns the session now.
    pub sent: bool,
}

impl Message {
    /// False: too large for the client.
    pub fn write(&self, writer: &Writer, pkid: Option<u16>, dup: bool, out: &mut BytesMut) -> bool {
        writer.publish(
            out,
            &Sent {
                topic: &self.topic,
                payload: &self.payload,
                pkid,
                dup,
                retain: self.retain,
            },
        )
    }
}
