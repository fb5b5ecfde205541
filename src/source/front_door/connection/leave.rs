//! Ends a connection: waits until the last publishes settle, sends the reason to the client,
//! publishes the will and releases the session.

use std::time::Duration;

use futures_util::stream::StreamExt;
use rumqttc::v5::mqttbytes::v5::DisconnectReasonCode;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Connection, End};

/// How long the last publishes of a client may take to settle after it left.
const SETTLE_MAX: Duration = Duration::from_secs(5);
/// The limit for a client that disappeared without DISCONNECT: it sends unacknowledged publishes
/// again.
const GONE_MAX: Duration = Duration::from_millis(500);
/// The limit for these publishes when the gateway stops.
const HURRY_MAX: Duration = Duration::from_secs(1);
/// How long its last bytes may take.
const FINISH_MAX: Duration = Duration::from_secs(2);

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Completes the publishes that the client sent before it left, also QoS 0 right before a
    /// DISCONNECT. A client that has already reconnected waits for that: it sends again what has no
    /// answer, and the gateway must know its QoS 2 publishes in progress by then. It does not wait
    /// for room in a full journal: the kick ends the wait.
    async fn settle_rest(&mut self, end: &End) {
        let is_gone = matches!(end, End::Gone(_)) && self.waiting_exactly_once == 0;
        let within = if is_gone { GONE_MAX } else { SETTLE_MAX };
        let stop = self.shared.stop.clone();
        let rest = async {
            while let Some(settled) = self.publishes.next().await {
                // A failed acknowledgement does not keep the later batches from settling.
                drop(self.settled(settled));
            }
            while self.changes.next().await.is_some() {}
        };
        let hurry = async {
            stop.cancelled().await;
            tokio::time::sleep(HURRY_MAX).await;
        };
        tokio::select! {
            biased;
            _ = tokio::time::timeout(within, rest) => {}
            () = hurry => {}
        }
    }

    /// Sends the reason, lets the last publishes settle, publishes the will, and releases the
    /// session.
    pub(super) async fn leave(&mut self, end: &End) {
        let reason = match end {
            End::Fault(fault) => Some(fault.code()),
            End::TakenOver => Some(DisconnectReasonCode::SessionTakenOver),
            End::ShuttingDown | End::Stopped => Some(DisconnectReasonCode::ServerShuttingDown),
            End::Left { .. } | End::Gone(_) => None,
        };
        if !matches!(end, End::Stopped) {
            self.settle_rest(end).await;
        }
        if let Some(reason) = reason {
            self.client
                .writer
                .disconnect(&mut self.io.output, reason, &end.to_string());
        }
        if !matches!(end, End::Gone(_)) {
            drop(tokio::time::timeout(FINISH_MAX, self.io.finish()).await);
        }
        self.shared.farewell(&self.client, end).await;
        self.client.owner.ended.cancel();
    }
}
