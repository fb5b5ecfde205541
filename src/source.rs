//! Where readings come from, and where receipts go back to.
//!
//! A source hands bytes to [`Intake::take`] and acknowledges its device only when that answers.
//! **Invariant 1:** it answers only after a durable commit returned.

pub mod broker;
pub mod front_door;
pub mod receipt;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::decode;
use crate::event::{Event, Name, Rejection, SourceKind};
use crate::journal::{Accepted, AppendError, Inbox};

/// What a device publishes that becomes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Scan,
    Event,
}

/// Bytes from a source, with where and when.
#[derive(Debug, Clone)]
pub struct Reading {
    pub source: SourceKind,
    pub device: Name,
    pub channel: Channel,
    pub payload: Bytes,
    pub received: Timestamp,
}

/// What became of one event (or one thing that was meant to be one) of a reading, in the order of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The event's id; none where the payload had no readable one.
    pub id: Option<String>,
    /// The gateway derived `id` from the payload because the device gave none.
    pub id_derived: bool,
    pub accepted: Accepted,
}

/// The way in, shared by all sources: decode, journal, and only then an answer.
#[derive(Debug, Clone)]
pub struct Intake {
    inbox: Inbox,
}

impl Intake {
    #[must_use]
    pub fn new(inbox: Inbox) -> Self {
        Self { inbox }
    }

    /// Takes several readings with one request, so that they share a commit; answers for each, in order.
    pub async fn take_many(&self, readings: &[Reading]) -> Result<Vec<Vec<Verdict>>, AppendError> {
        let mut entries = Vec::with_capacity(readings.len());
        let mut who = Vec::with_capacity(readings.len());
        for reading in readings {
            let decoded = decode::decode(reading);
            who.push(decoded.iter().map(named).collect::<Vec<_>>());
            entries.extend(decoded);
        }
        let mut accepted = self.inbox.append(entries).await?.into_iter();
        Ok(who
            .into_iter()
            .map(|who| verdicts(who, &mut accepted))
            .collect())
    }

    /// Decodes and keeps a reading; resolves when all of it is on disk, and answers with at least one verdict.
    ///
    /// Cancelling the future does not take the reading back: it may be on disk all the same. The device
    /// then sends it again, and it is found to be a duplicate.
    pub async fn take(&self, reading: Reading) -> Result<Vec<Verdict>, AppendError> {
        let decoded = decode::decode(&reading);
        let who = decoded.iter().map(named).collect();
        let mut accepted = self.inbox.append(decoded).await?.into_iter();
        Ok(verdicts(who, &mut accepted))
    }
}

/// The id of a decoded thing, and whether the gateway derived it.
fn named(decoded: &Result<Event, Rejection>) -> (Option<String>, bool) {
    match decoded {
        Ok(event) => (Some(event.id.clone()), event.id_derived),
        Err(rejection) => (rejection.id.clone(), false),
    }
}

fn verdicts(
    who: Vec<(Option<String>, bool)>,
    accepted: &mut impl Iterator<Item = Accepted>,
) -> Vec<Verdict> {
    who.into_iter()
        .zip(accepted)
        .map(|((id, id_derived), accepted)| Verdict {
            id,
            id_derived,
            accepted,
        })
        .collect()
}

/// A message from the gateway to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    pub device: Name,
    /// The last part of the topic: `receipt`, `display`, `tasks`, `config/desired`.
    pub channel: &'static str,
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
    /// Hands a message to the source; waits while its queue is full. A source that is not there any more takes nothing.
    pub async fn send(&self, kind: SourceKind, message: Outbound) {
        let outlet = match kind {
            SourceKind::Listen => &self.listen,
            SourceKind::Broker => &self.broker,
            SourceKind::Serial | SourceKind::Hid => &self.scanners,
            // No device is behind it: what made the scans is told.
            SourceKind::Flow => return,
        };
        if let Some(outlet) = outlet {
            // The receiver goes away when the daemon stops: the journal still has what the receipt says.
            drop(outlet.send(message).await);
        }
    }
}
