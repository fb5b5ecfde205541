//! Stores delivered scans and events in the journal, acknowledges all messages in order of arrival
//! (MQTT-4.6.0-2), and then sends the receipts and displays.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use rumqttc::{Publish, QoS};
use tokio::sync::mpsc;

use super::link::Link;
use crate::board::shorten_state;
use crate::board::{Board, DEVICES_MAX};
use crate::channel::receipt::Receipt;
use crate::channel::{DISPLAY, Outbound, RECEIPT, Reading, Verdict};
use crate::clock;
use crate::event::{Name, Rejection, SourceKind};
use crate::journal::{Accepted, AppendError};
use crate::source::Intake;

/// The largest number of deliveries that wait for the disk. At this number the gateway reads no
/// more from the broker.
pub(super) const IN_FLIGHT_MAX: usize = 128;
/// How long a delivery waits before it asks a full journal again.
const FULL_WAIT: Duration = Duration::from_secs(1);
/// The longest `state` that is shown.
const STATE_BYTES_MAX: usize = 2_048;

/// A message from the broker, with the generation of the connection that delivered it.
pub(super) struct BrokerDelivery {
    pub generation: u64,
    pub publish: Publish,
    /// The reading to store. `None`: the message only has to be acknowledged, in order.
    pub reading: Option<Reading>,
    /// The rejected readings to store: of a scan or an event whose device has no valid name, or
    /// that the broker has retained.
    pub rejections: Vec<Rejection>,
}

/// The outcome of a delivery.
enum DeliveryEnd {
    Kept(Box<BrokerDelivery>, Vec<Verdict>),
    /// Not kept and not to be acknowledged: the broker sends it again.
    Left,
    /// The journal has stopped: so does the source.
    Stopped,
}

/// Works off deliveries until there are no more, or the journal has stopped.
pub(super) async fn work(
    mut deliveries: mpsc::Receiver<BrokerDelivery>,
    intake: &Intake,
    link: &Link,
    board: &Board,
) {
    let mut under_way = FuturesOrdered::new();
    let mut open = true;
    while open || !under_way.is_empty() {
        tokio::select! {
            delivery = deliveries.recv(), if open && under_way.len() < IN_FLIGHT_MAX => match delivery {
                Some(delivery) => under_way.push_back(settle(delivery, intake, link, board)),
                None => open = false,
            },
            Some(settled) = under_way.next(), if !under_way.is_empty() => match settled {
                DeliveryEnd::Kept(delivery, verdicts) => finish(&delivery, verdicts, link, board).await,
                DeliveryEnd::Left => {}
                DeliveryEnd::Stopped => return,
            },
        }
    }
}

async fn settle(
    delivery: BrokerDelivery,
    intake: &Intake,
    link: &Link,
    board: &Board,
) -> DeliveryEnd {
    let mut was_full = false;
    loop {
        let taken = match &delivery.reading {
            Some(reading) => intake.take(reading.clone()).await,
            None if delivery.rejections.is_empty() => Ok(Vec::new()),
            None => {
                let stored = intake.reject(delivery.rejections.clone()).await;
                stored.map(|()| Vec::new())
            }
        };
        match taken {
            Ok(verdicts) => {
                if was_full {
                    board.source(SourceKind::Broker, |view| view.detail = None);
                }
                return DeliveryEnd::Kept(Box::new(delivery), verdicts);
            }
            Err(AppendError::Stopped) => return DeliveryEnd::Stopped,
            Err(full @ (AppendError::Full | AppendError::Disk | AppendError::Share)) => {
                // After a reconnect the broker sends the message again, so this copy need not wait.
                // With QoS 0 the broker does not send it again.
                if delivery.publish.qos == QoS::AtMostOnce
                    || link.generation() != delivery.generation
                {
                    return DeliveryEnd::Left;
                }
                was_full = true;
                board.source(SourceKind::Broker, |view| {
                    view.detail = Some(format!("not acknowledging: {full}"));
                });
                tokio::time::sleep(FULL_WAIT).await;
            }
        }
    }
}

/// **Invariant 1:** the acknowledgement goes out only here, after the journal answered.
async fn finish(delivery: &BrokerDelivery, verdicts: Vec<Verdict>, link: &Link, board: &Board) {
    if delivery.publish.qos != QoS::AtMostOnce {
        link.acknowledge(&delivery.publish, delivery.generation)
            .await;
    }
    let Some(reading) = &delivery.reading else {
        return;
    };
    let count = |wanted: fn(&Accepted) -> bool| {
        verdicts.iter().filter(|v| wanted(&v.accepted)).count() as u64
    };
    let stored = count(|accepted| matches!(accepted, Accepted::Stored { .. }));
    let duplicates = count(|accepted| matches!(accepted, Accepted::Duplicate { .. }));
    let rejected = count(|accepted| matches!(accepted, Accepted::Rejected { .. }));
    let levels = board.levels();
    for verdict in &verdicts {
        levels.accepted(&verdict.accepted);
    }
    board.device(&reading.device, SourceKind::Broker, |view| {
        view.last_event = Some(reading.received);
        view.events += stored;
        view.duplicates += duplicates;
        view.rejected += rejected;
    });
    for verdict in verdicts {
        link.push(Outbound {
            device: reading.device.clone(),
            channel: RECEIPT.into(),
            payload: Receipt::of(&verdict),
            retain: false,
        });
        let display = verdict.display.map(|payload| (DISPLAY.into(), payload));
        for (channel, payload) in verdict.words.into_iter().chain(display) {
            link.push(Outbound {
                device: reading.device.clone(),
                channel,
                payload,
                retain: false,
            });
        }
    }
}

/// Which devices are there, as far as their messages and last wills say.
#[derive(Default)]
pub(super) struct Presence {
    online: HashSet<Name>,
}

impl Presence {
    /// Notes that a message of a device has arrived.
    pub fn mark_online(&mut self, board: &Board, device: &Name) {
        self.set(board, device, true);
    }

    /// A device's `state`: anything, JSON by convention; its last will says `{"online": false}`.
    pub fn state(&mut self, board: &Board, device: &Name, payload: &[u8]) {
        let state = (payload.len() <= STATE_BYTES_MAX)
            .then(|| serde_json::from_slice::<serde_json::Value>(payload).ok())
            .flatten();
        let online = state
            .as_ref()
            .and_then(|state| state.get("online")?.as_bool())
            // An empty payload removes a retained state: it is not about the device.
            .unwrap_or(!payload.is_empty());
        self.set(board, device, online);
        let state = state.map(shorten_state);
        board.device(device, SourceKind::Broker, |view| view.state = state);
    }

    fn set(&mut self, board: &Board, device: &Name, online: bool) {
        let changed = if !online {
            self.online.remove(device)
        } else if self.online.len() < DEVICES_MAX {
            self.online.insert(device.clone())
        } else {
            false
        };
        board.device(device, SourceKind::Broker, |view| {
            view.online = online;
            view.since = Some(clock::now());
        });
        if changed {
            let devices = self.online.len() as u64;
            board.source(SourceKind::Broker, |view| view.devices = devices);
        }
    }
}
