//! Processes the publishes of one wake-up, from their bytes to their acknowledgements.
//!
//! **In**: the publishes of one read. **Out**: one request to the journal for all scans and events,
//! so that they share a commit, one for rejected publishes and one for side values; then the
//! acknowledgements in the order of the publishes (MQTT 3.1.1, 4.6).
//!
//! **Invariant 1:** no scan or event is acknowledged before the journal has answered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::answer::Reason;
use super::hub::FrontDoorDevice;
use super::wire::Qos;
use crate::channel::identity::ReadingId;
use crate::channel::receipt::Receipt;
use crate::channel::{Channel, Reading, Verdict, Word};
use crate::clock;
use crate::decode;
use crate::event::{Name, Rejection, SourceKind, astray_code, describe_astray};
use crate::fair::Lane;
use crate::journal::{Accepted, AppendError, Inbox, SideChange};
use crate::source::{Intake, elements};

/// Between two tries while the journal is full.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(2);
/// Payload that one request to the journal carries; more starts another one.
pub const BATCH_BYTES_MAX: usize = 512 << 10;
/// The largest number of events that the payloads of a batch may become.
pub const BATCH_ELEMENTS_MAX: usize = 500;
/// The memory of a publish in addition to its payload.
const PUBLISH_BYTES: usize = 128;

/// Publishes that go to the journal together.
#[derive(Debug, Default)]
pub struct Batch {
    pub publishes: Vec<Waiting>,
    /// The approximate memory of the publishes.
    pub bytes: usize,
    /// Events and rejections that the publishes may become.
    pub elements: usize,
    readings: Vec<Reading>,
    /// The changes that go to disk in the same commit as the readings.
    received: Vec<SideChange>,
    rejections: Vec<Rejection>,
    side_changes: Vec<SideChange>,
    /// A SUBSCRIBE or UNSUBSCRIBE whose answer waits for `side_changes`.
    pub reply: Option<Bytes>,
}

/// A PUBLISH as its acknowledgement needs it.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    pub qos: Qos,
    pub pkid: u16,
    /// The client says that it may have sent the message before.
    pub dup: bool,
    /// QoS 2: which publish with this packet id it is (`Session::receive`).
    pub reception: u64,
    /// QoS 2: its packet id goes to disk with it.
    pub stored: bool,
}

/// A publish that waits for its acknowledgement.
#[derive(Debug)]
pub struct Waiting {
    pub delivery: Delivery,
    what: What,
}

#[derive(Debug)]
enum What {
    /// The next of the readings.
    Reading,
    /// The next of the rejections.
    Rejection,
    /// A part of `side_changes`.
    SideValues,
    /// Nothing to wait for but its turn.
    Done(Reason, &'static str),
    /// QoS 2: the same message as an earlier publish that is on its way to the disk.
    Again,
}

/// The outcome of a batch.
#[derive(Debug)]
pub struct Settled {
    pub publishes: Vec<Outcome>,
    pub bytes: usize,
    pub elements: usize,
    pub reply: Option<Bytes>,
    /// For the device, one for each event.
    pub receipts: Vec<Bytes>,
    /// For the person at the device.
    pub displays: Vec<Bytes>,
    /// The display messages in the form of the device's profile, if it has one.
    pub words: Vec<Word>,
    pub stored: u64,
    pub duplicates: u64,
    pub rejected: u64,
    /// The journal has stopped, or patience ended: nothing is acknowledged, the connection ends.
    pub stopped: bool,
}

#[derive(Debug)]
pub struct Outcome {
    pub delivery: Delivery,
    /// QoS 2: the same message as an earlier publish, which settled before.
    pub is_again: bool,
    pub reason: Reason,
    pub text: Option<String>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.publishes.is_empty() && self.side_changes.is_empty()
    }

    pub fn read(
        &mut self,
        delivery: Delivery,
        device: &Name,
        channel: Channel,
        payload: Bytes,
        received: Timestamp,
    ) {
        self.bytes += payload.len();
        self.elements += elements(channel, &payload);
        self.push(delivery, What::Reading);
        self.readings.push(Reading {
            id: ReadingId::next(),
            redelivered: delivery.dup,
            source: SourceKind::Listen,
            device: device.clone(),
            channel,
            payload,
            received,
        });
    }

    /// A packet id that goes to disk with the readings.
    pub fn receive(&mut self, received: SideChange) {
        self.received.push(received);
    }

    pub fn store_side_values(&mut self, delivery: Delivery, changes: Vec<SideChange>) {
        self.push(delivery, What::SideValues);
        let bytes = |(key, value): &SideChange| key.bytes() + value.as_ref().map_or(0, Vec::len);
        self.bytes += changes.iter().map(bytes).sum::<usize>();
        self.side_changes.extend(changes);
    }

    /// Changes that no publish waits for.
    pub fn changes(changes: Vec<SideChange>, reply: Option<Bytes>) -> Self {
        Self {
            side_changes: changes,
            reply,
            ..Self::default()
        }
    }

    pub fn done(&mut self, delivery: Delivery, reason: Reason, text: &'static str) {
        self.push(delivery, What::Done(reason, text));
    }

    /// A QoS 2 publish whose first copy is on its way to the disk: it is answered as soon as that
    /// one is.
    pub fn again(&mut self, delivery: Delivery) {
        self.push(delivery, What::Again);
    }

    /// Rejects a publish to a topic that is not the device's: stores it as a rejected reading and
    /// then acknowledges it. So it is neither lost silently nor sent for ever. The PUBACK of MQTT 5
    /// says that it was not authorized; devices may then drop it.
    pub fn reject(
        &mut self,
        delivery: Delivery,
        device: &FrontDoorDevice,
        topic: &[u8],
        payload: &Bytes,
        received: Timestamp,
    ) {
        self.bytes += payload.len();
        self.push(delivery, What::Rejection);
        let topic: String = String::from_utf8_lossy(topic).chars().take(256).collect();
        let channel = topic.rsplit('/').next().and_then(Channel::named);
        // The topic has another site, which is a wrong name: the device may send the message again
        // under the right one.
        let is_own = topic.ends_with(&format!("/{}/event", device.name));
        self.rejections.push(Rejection {
            device: device.name.clone(),
            source: SourceKind::Listen,
            channel,
            received,
            id: is_own.then(|| decode::id_of(payload)).flatten(),
            code: astray_code(&topic, payload),
            message: describe_astray(&topic, &device.name, &device.topics.topic("")),
            payload: payload.to_vec(),
            cut: false,
        });
    }

    fn push(&mut self, delivery: Delivery, what: What) {
        self.bytes += PUBLISH_BYTES;
        self.publishes.push(Waiting { delivery, what });
    }

    /// Resolves when the whole batch is on disk, or was refused. A `patient` batch (MQTT 3.1.1)
    /// waits while the journal is full, because 3.1.1 has no code for a refusal; it continues as
    /// soon as there is room. It stops waiting when the token is cancelled: publishes that were
    /// refused by then are not acknowledged.
    pub async fn settle(
        self,
        intake: Intake,
        inbox: Inbox,
        lane: Lane,
        device: Arc<FrontDoorDevice>,
        patient: Option<CancellationToken>,
        shared: Arc<Shared>,
    ) -> Settled {
        let begun = clock::instant();
        let promised = (self.publishes.iter()).any(|p| p.delivery.qos != Qos::AtMostOnce);
        let patient = patient.as_ref().filter(|_| promised);
        let readings = async {
            if self.readings.is_empty() {
                return Ok(Vec::new());
            }
            let display = device.wants_displays();
            patiently(patient, || {
                intake.take_many_and_store(&lane, &self.readings, display, self.received.clone())
            })
            .await
        };
        let rejections = async {
            if self.rejections.is_empty() {
                return Ok(Vec::new());
            }
            patiently(patient, || {
                let rejections = self.rejections.iter().cloned().map(Err).collect();
                inbox.append_in(lane.clone(), rejections, Vec::new())
            })
            .await
        };
        let stored = async {
            if self.side_changes.is_empty() {
                return Ok(());
            }
            // Each try with what is retained by then: a newer state may have overtaken this one.
            let store = || inbox.store_side_values(shared.hub.update(self.side_changes.clone()));
            patiently(patient, store).await
        };
        let (readings, rejections, stored) = tokio::join!(readings, rejections, stored);
        let levels = shared.board.levels();
        let verdicts = readings.iter().flatten().flatten();
        let accepted = verdicts.map(|verdict| &verdict.accepted);
        (accepted.chain(rejections.iter().flatten())).for_each(|it| levels.accepted(it));
        let settled = self.settled(readings, rejections, &stored, device.wants_receipts());
        let took = begun.elapsed();
        let acknowledged = settled.publishes.iter().filter(|it| {
            it.delivery.qos != Qos::AtMostOnce && it.reason == Reason::Success && !settled.stopped
        });
        acknowledged.for_each(|_| levels.acknowledged(took));
        settled
    }

    fn settled(
        self,
        readings: Result<Vec<Vec<Verdict>>, AppendError>,
        rejections: Result<Vec<Accepted>, AppendError>,
        stored: &Result<(), AppendError>,
        receipts: bool,
    ) -> Settled {
        let stopped = [
            readings.as_ref().err(),
            rejections.as_ref().err(),
            stored.as_ref().err(),
        ]
        .contains(&Some(&AppendError::Stopped));
        let mut settled = Settled {
            publishes: Vec::with_capacity(self.publishes.len()),
            bytes: self.bytes,
            elements: self.elements,
            reply: self.reply,
            receipts: Vec::new(),
            displays: Vec::new(),
            words: Vec::new(),
            stored: 0,
            duplicates: 0,
            rejected: 0,
            stopped,
        };
        if let (Err(AppendError::Full | AppendError::Disk), true) =
            (stored, self.publishes.is_empty())
        {
            // The alarm says that it is full; a client that subscribes over and over must not fill
            // the log.
            tracing::debug!("the journal is full: a session is in memory alone");
        }
        let mut readings = readings.map(Vec::into_iter);
        let mut rejections = rejections.map(Vec::into_iter);
        let mut rejected_ids = self.rejections.into_iter().map(|rejection| rejection.id);
        for Waiting { delivery, what } in self.publishes {
            let is_again = matches!(what, What::Again);
            let (reason, text) = match what {
                What::Again => (Reason::Success, None),
                What::Done(reason, text) => (reason, Some(text.to_owned())),
                What::SideValues => plain(stored.as_ref().err()),
                What::Reading => match &mut readings {
                    Ok(verdicts) => settled.verdicts(verdicts.next().unwrap_or_default(), receipts),
                    Err(error) => plain(Some(error)),
                },
                What::Rejection => match &mut rejections {
                    Ok(accepted) => {
                        let id = rejected_ids.next().flatten();
                        let verdicts = accepted.next().map(|accepted| Verdict {
                            id,
                            id_derived: false,
                            flags: Vec::new(),
                            accepted,
                            display: None,
                            words: Vec::new(),
                        });
                        settled.verdicts(verdicts.into_iter().collect(), receipts);
                        let text = Some("not your topic".to_owned());
                        (Reason::NotAuthorized, text)
                    }
                    Err(error) => plain(Some(error)),
                },
            };
            settled.publishes.push(Outcome {
                delivery,
                is_again,
                reason,
                text,
            });
        }
        settled
    }
}

impl Settled {
    /// Counts the verdicts of one reading and creates its receipts. If the gateway understood no
    /// part of the reading, the answer is a refusal.
    fn verdicts(&mut self, verdicts: Vec<Verdict>, receipts: bool) -> (Reason, Option<String>) {
        let mut refused = None;
        let mut understood = verdicts.is_empty();
        for verdict in verdicts {
            match &verdict.accepted {
                Accepted::Stored { .. } => {
                    self.stored += 1;
                    understood = true;
                }
                Accepted::Duplicate { .. } => {
                    self.duplicates += 1;
                    understood = true;
                }
                Accepted::Rejected { message, .. } => {
                    self.rejected += 1;
                    refused.get_or_insert_with(|| message.clone());
                }
            }
            if receipts {
                self.receipts.push(Receipt::of(&verdict));
            }
            self.displays.extend(verdict.display);
            self.words.extend(verdict.words);
        }
        match refused {
            Some(message) if !understood => (Reason::PayloadFormatInvalid, Some(message)),
            _ => (Reason::Success, None),
        }
    }
}

fn plain(error: Option<&AppendError>) -> (Reason, Option<String>) {
    match error {
        None => (Reason::Success, None),
        Some(error) => (Reason::QuotaExceeded, Some(error.to_string())),
    }
}

/// Tries again while the journal is full, if the client is to wait, until its connection is to end.
async fn patiently<T, F, A>(
    patient: Option<&CancellationToken>,
    mut attempt: A,
) -> Result<T, AppendError>
where
    F: Future<Output = Result<T, AppendError>>,
    A: FnMut() -> F,
{
    let mut pause = RETRY_FIRST;
    loop {
        match (attempt().await, patient) {
            (Err(error), Some(end)) if error.is_full() => {
                // It never stops during an attempt: the journal may have stored unanswered
                // readings.
                if tokio::time::timeout(pause, end.cancelled()).await.is_ok() {
                    return Err(AppendError::Stopped);
                }
                pause = (pause * 2).min(RETRY_MAX);
            }
            (other, _) => return other,
        }
    }
}
