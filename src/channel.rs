//! What passes between the sources and the rest of the program: readings in, messages to devices
//! out.

pub mod identity;
pub mod receipt;

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;

use self::identity::ReadingId;
pub use crate::event::Channel;
use crate::event::{EventFlag, Name, SourceKind};
use crate::journal::Accepted;

/// Events in one payload at the most.
pub const EVENTS_MAX: usize = 500;

/// Bytes from a source, with where and when.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The number that tells the reading from every other one. A reading that is handed in again
    /// keeps it.
    pub id: ReadingId,
    /// The sender marked the message as one that it may have sent before: DUP of an MQTT PUBLISH
    /// (3.1.1, 3.3.1.1).
    pub redelivered: bool,
    pub source: SourceKind,
    pub device: Name,
    pub channel: Channel,
    pub payload: Bytes,
    pub received: Timestamp,
}

/// What became of one event (or one thing that was meant to be one) of a reading, in the order of
/// the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The event's id; none where the payload had no readable one.
    pub id: Option<String>,
    /// The gateway made `id` because the device gave none.
    pub id_derived: bool,
    pub flags: Vec<EventFlag>,
    pub accepted: Accepted,
    /// For the channel `display`: what to show or sound for the person.
    pub display: Option<Bytes>,
    /// The same for a device whose profile has a form of its own, in the place of `display`.
    pub words: Vec<Word>,
}

/// A channel of a device, and the payload that goes there.
pub type Word = (Cow<'static, str>, Bytes);

/// A message from the gateway to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    pub device: Name,
    /// The last part of the topic: `receipt`, `display`, `tasks`, `config/desired`; or what the
    /// device's profile names.
    pub channel: Cow<'static, str>,
    pub payload: Bytes,
    pub retain: bool,
}

/// The ways back to the devices, by the source that an event came in through.
#[derive(Debug, Clone, Default)]
pub struct Outlets {
    pub listen: Option<mpsc::Sender<Outbound>>,
    pub broker: Option<mpsc::Sender<Outbound>>,
    pub scanners: Option<mpsc::Sender<Outbound>>,
}

impl Outlets {
    /// Hands a message to the source; waits while its queue is full. A source that is not there any
    /// more takes nothing.
    pub async fn send(&self, kind: SourceKind, message: Outbound) {
        let outlet = match kind {
            SourceKind::Listen => &self.listen,
            SourceKind::Broker => &self.broker,
            SourceKind::Serial | SourceKind::Hid => &self.scanners,
            // No device is behind it: what made the scans is told.
            SourceKind::Flow => return,
        };
        if let Some(outlet) = outlet {
            // The receiver goes away when the daemon stops: the journal still has what the receipt
            // says.
            drop(outlet.send(message).await);
        }
    }
}
