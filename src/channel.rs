//! The types that pass between the sources and the rest of the program: readings in, messages to
//! devices out.

pub mod desired;
pub mod identity;
pub mod receipt;
pub mod sealing;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;

use self::desired::DESIRED;
use self::identity::ReadingId;
pub use crate::event::Channel;
use crate::event::{EventFlag, Name, SourceKind};
use crate::journal::Accepted;

/// The ends of the topics on which devices publish: `stockrelay/v1/SITE/DEVICE/` precedes them.
pub const FROM_DEVICES: [&str; 4] = ["scan", "event", "state", "config/reported"];
pub const RECEIPT: &str = "receipt";
pub const DISPLAY: &str = "display";
pub const TASKS: &str = "tasks";
/// The ends of the topics on which the gateway publishes.
pub const TO_DEVICES: [&str; 4] = [RECEIPT, DISPLAY, TASKS, DESIRED];
/// The limit of events in one payload.
pub const EVENTS_MAX: usize = 500;

/// Bytes from a device, with source and time.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The number that distinguishes the reading from every other. A reading that is passed in
    /// again keeps it.
    pub id: ReadingId,
    /// The sender marked the message as possibly sent before: DUP of an MQTT PUBLISH (3.1.1,
    /// 3.3.1.1).
    pub redelivered: bool,
    pub source: SourceKind,
    pub device: Name,
    pub channel: Channel,
    pub payload: Bytes,
    pub received: Timestamp,
}

/// The result for one element of a reading's payload, in the order of the payload: an event, a
/// duplicate or a rejection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The event's id. `None`: the payload had no readable id.
    pub id: Option<String>,
    /// The gateway created `id` because the device sent none.
    pub id_derived: bool,
    pub flags: Vec<EventFlag>,
    pub accepted: Accepted,
    /// The display text and feedback for the operator, for the channel `display`.
    pub display: Option<Bytes>,
    /// The messages to a device whose profile has its own format; they replace `display`.
    pub words: Vec<Word>,
}

/// A channel of a device, and the payload for it.
pub type Word = (Cow<'static, str>, Bytes);

/// A message from the gateway to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    pub device: Name,
    /// The last part of the topic: `receipt`, `display`, `tasks`, `config/desired`, or one that the
    /// device's profile names.
    pub channel: Cow<'static, str>,
    pub payload: Bytes,
    pub retain: bool,
}

/// The queues of messages to devices, one for each kind of source.
#[derive(Debug, Clone, Default)]
pub struct Outlets {
    pub listen: Outlet,
    pub broker: Outlet,
    pub scanners: Outlet,
}

/// The queue of messages to the devices of one source, which a reload may replace or remove; clones
/// share it.
#[derive(Debug, Clone, Default)]
pub struct Outlet(Arc<Mutex<Option<mpsc::Sender<Outbound>>>>);

impl Outlet {
    #[must_use]
    pub fn new(sender: mpsc::Sender<Outbound>) -> Self {
        Self(Arc::new(Mutex::new(Some(sender))))
    }

    /// Replaces the queue. `None`: the configuration has no such source.
    pub fn set(&self, sender: Option<mpsc::Sender<Outbound>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sender;
    }

    fn sender(&self) -> Option<mpsc::Sender<Outbound>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Outlets {
    /// Queues a message at the device's source; waits while the queue is full. A source that has
    /// ended drops it.
    pub async fn send(&self, kind: SourceKind, message: Outbound) {
        let outlet = match kind {
            SourceKind::Listen => &self.listen,
            SourceKind::Broker => &self.broker,
            SourceKind::Serial | SourceKind::Hid => &self.scanners,
            // A flow has no device of its own: the source of its scans is informed.
            SourceKind::Flow => return,
        };
        if let Some(outlet) = outlet.sender() {
            // The receiver ends when the daemon stops. The receipt is not lost: the journal has its
            // content.
            drop(outlet.send(message).await);
        }
    }
}
