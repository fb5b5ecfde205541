//! Runs the sources that a reload may replace: the front door, and the link to an MQTT broker.
//!
//! Comes in: the first one, and later [`Switch`]es. Goes out: one of them runs at any time, or none.
//! A task here ends only when the gateway stops, or when its source has failed.

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::event::SourceKind;
use crate::source::broker::Broker;
use crate::source::front_door::FrontDoor;

/// The source that replaces the present one.
pub struct Switch<T> {
    /// `None`: the configuration has no such source.
    pub next: Option<T>,
    /// Answered when the present source has ended.
    pub ended: oneshot::Sender<()>,
}

pub async fn run_doors(
    mut door: Option<FrontDoor>,
    mut switches: mpsc::Receiver<Switch<FrontDoor>>,
    board: Board,
    cancel: CancellationToken,
) {
    loop {
        let own = cancel.child_token();
        let present = door.take();
        let running = async {
            match present {
                Some(door) => door.run(own.clone()).await,
                None => own.cancelled().await,
            }
        };
        tokio::pin!(running);
        let switch = tokio::select! {
            () = &mut running => return,
            Some(switch) = switches.recv() => switch,
        };
        own.cancel();
        running.await;
        if switch.next.is_none() {
            board.remove_source(SourceKind::Listen);
        }
        door = switch.next;
        // An error: the reload does not wait for it.
        let _ = switch.ended.send(());
    }
}

/// The messages that one link could not deliver go out over the next one.
pub async fn run_brokers(
    mut broker: Option<Broker>,
    mut switches: mpsc::Receiver<Switch<Broker>>,
    board: Board,
    cancel: CancellationToken,
) {
    loop {
        let own = cancel.child_token();
        let present = broker.take();
        let running = async {
            match present {
                Some(broker) => broker.run(own.clone()).await,
                None => {
                    own.cancelled().await;
                    Vec::new()
                }
            }
        };
        tokio::pin!(running);
        let switch = tokio::select! {
            _ = &mut running => return,
            Some(switch) = switches.recv() => switch,
        };
        own.cancel();
        let left = running.await;
        match &switch.next {
            Some(next) => {
                let outbound = next.outbound();
                tokio::spawn(async move {
                    for message in left {
                        // An error: this link has ended, too.
                        drop(outbound.send(message).await);
                    }
                });
            }
            None => board.remove_source(SourceKind::Broker),
        }
        broker = switch.next;
        // An error: the reload does not wait for it.
        let _ = switch.ended.send(());
    }
}
