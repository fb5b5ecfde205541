//! One client's connection, from CONNACK to its end.
//!
//! A wake-up decodes what a read returned, up to the limits, passes the publishes to the journal as
//! one batch (large ones as several) and continues to read. Batches settle in order, and their
//! acknowledgements leave in one write. A limit stops the reading of this connection, not the
//! gateway: TCP then slows the client down.

mod leave;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::stream::{FuturesOrdered, StreamExt};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::batch::{BATCH_BYTES_MAX, BATCH_ELEMENTS_MAX, Batch, Delivery, Outcome, Settled};
use super::handshake::Client;
use super::io::{Io, Moved};
use super::limits::Bucket;
use super::message::Content;
use super::room::Share;
use super::wire::{self, Fault, Qos, Version};
use crate::clock;
use crate::event::SourceKind;
use crate::fair::{Lane, Origin};
use crate::journal::SideChange;

/// Changes of a session that wait for the disk; with more, nothing further is read.
const CHANGES_MAX: usize = 8;
/// Batches of a client that wait for the disk; beyond it the door stops reading from this client.
const BATCHES_MAX: usize = 4;
/// The largest number of events that waiting publishes may become: a payload of 1 KB may be 500
/// events.
const WAITING_ELEMENTS_MAX: usize = 500;
/// The largest number of bytes that wait for a client that does not read.
const OUTPUT_BYTES_MAX: usize = 8 << 10;
/// How often a client that finds no room for its packet looks again.
const ROOM_EVERY: Duration = Duration::from_millis(100);
/// How long a packet that uses shared room may take from its first byte to its last.
const UNFINISHED_MAX: Duration = Duration::from_secs(30);
/// How long a client may read nothing.
const STALL_MAX: Duration = Duration::from_secs(30);
/// How often the socket of a connection that is taken over is read once more.
const LAST_READS_MAX: usize = 16;
/// How often messages that a client has not acknowledged are looked at.
const UNACKED_EVERY: Duration = Duration::from_secs(1);

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum End {
    #[error("the client left")]
    Left {
        with_will: bool,
        session_expiry_s: Option<u32>,
    },
    #[error("the connection is gone: {0}")]
    Gone(String),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("another connection took the session over")]
    TakenOver,
    #[error(
        "the device's entry in the list of devices, or the authorities of certificates, have changed"
    )]
    Revoked,
    #[error("the gateway is shutting down")]
    ShuttingDown,
    #[error("the journal has stopped")]
    Stopped,
}

type Settling = Pin<Box<dyn Future<Output = Settled> + Send>>;

pub struct Connection<S> {
    pub(super) shared: Arc<Shared>,
    pub(super) io: Io<S>,
    pub(super) client: Client,
    /// Batches of publishes, in order.
    publishes: FuturesOrdered<Settling>,
    /// Subscriptions and messages that go to or from disk, in order.
    changes: FuturesOrdered<Settling>,
    /// QoS 1 and 2 publishes that wait for the disk, and all their bytes.
    pub(super) waiting: usize,
    pub(super) waiting_bytes: usize,
    pub(super) waiting_elements: usize,
    /// Those of QoS 2 among them.
    pub(super) waiting_exactly_once: usize,
    pub(super) bucket: Bucket,
    lane: Lane,
    share: Share,
    /// When the last whole packet came: bytes of an incomplete packet do not count [MQTT-3.1.2-24].
    heard: Instant,
    /// When the first byte of the incomplete packet came.
    begun: Instant,
    moved: Instant,
    /// The device does not have all its messages yet.
    unacked: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub fn new(shared: Arc<Shared>, io: Io<S>, client: Client, address: IpAddr) -> Self {
        let now = clock::instant();
        Self {
            bucket: Bucket::new(client.config.rate_per_s, now),
            lane: Lane::device(Origin::Address(address), &client.device.name),
            share: Share::new(Arc::clone(&shared.room), address),
            begun: now,
            shared,
            io,
            client,
            publishes: FuturesOrdered::new(),
            changes: FuturesOrdered::new(),
            waiting: 0,
            waiting_bytes: 0,
            waiting_elements: 0,
            waiting_exactly_once: 0,
            heard: now,
            moved: now,
            unacked: false,
        }
    }

    /// Serves the client until one of the two has enough.
    pub async fn run(mut self) -> End {
        let end = self.serve().await;
        self.leave(&end).await;
        end
    }

    async fn serve(&mut self) -> End {
        let kick = self.client.owner.kick.clone();
        let mut kicked = std::pin::pin!(kick.cancelled());
        let mut timer = std::pin::pin!(tokio::time::sleep(self.client.silence_max));
        let session = Arc::clone(&self.client.session);
        loop {
            if let Err(end) = self.decode() {
                return end;
            }
            self.send();
            self.io.shrink();
            let now = clock::instant();
            let reading = self.may_read();
            let room = if reading { self.read_room() } else { 0 };
            let next = tokio::time::Instant::from_std(self.next_tick(now, reading, room));
            if next < timer.deadline() {
                timer.as_mut().reset(next);
            }
            tokio::select! {
                biased;
                () = &mut kicked => {
                    return self.kicked();
                }
                Some(settled) = self.publishes.next() => {
                    if let Err(end) = self.settled(settled) {
                        return end;
                    }
                }
                Some(settled) = self.changes.next() => {
                    if let Some(reply) = settled.reply {
                        self.io.output.extend_from_slice(&reply);
                    }
                }
                () = session.wake.notified() => {}
                moved = self.io.exchange(room) => match moved {
                    Ok(Moved { read: Some(0), .. }) => return End::Gone("closed by the client".to_owned()),
                    Ok(moved) => self.note(moved),
                    Err(error) => return End::Gone(error.to_string()),
                },
                () = &mut timer => {
                    if let Err(fault) = self.tick(reading) {
                        return fault.into();
                    }
                    let next = self.next_tick(clock::instant(), reading, room);
                    timer.as_mut().reset(tokio::time::Instant::from_std(next));
                }
            }
        }
    }

    fn kicked(&mut self) -> End {
        if self.shared.stop.is_cancelled() {
            End::ShuttingDown
        } else if self.client.membership.revoked.is_cancelled() {
            End::Revoked
        } else {
            self.taken_over()
        }
    }

    /// Another connection has the session now. Packets that the client sent before it reconnected
    /// may still be in the socket: a DISCONNECT there ends the session, or removes the will.
    fn taken_over(&mut self) -> End {
        for _ in 0..LAST_READS_MAX {
            let room = if self.may_read() { self.read_room() } else { 0 };
            match self.io.exchange(room).now_or_never() {
                Some(Ok(Moved {
                    read: Some(1..), ..
                })) => {}
                _ => break,
            }
            match self.decode() {
                Ok(()) => {}
                Err(left @ End::Left { .. }) => return left,
                Err(_) => break,
            }
        }
        End::TakenOver
    }

    fn note(&mut self, moved: Moved) {
        let now = clock::instant();
        if moved.read == Some(self.io.input.len()) {
            self.begun = now;
        }
        self.moved = now;
    }

    /// Whether there is room for the client's next packet.
    fn may_read(&self) -> bool {
        !self.is_held() && self.io.output.len() < OUTPUT_BYTES_MAX
    }

    /// How many bytes may be read now. The bytes that are read and not decoded, or wait for the
    /// disk, have a limit over all connections.
    fn read_room(&mut self) -> usize {
        let input = self.io.input.len();
        let missing = wire::announced(&self.io.input).saturating_sub(input);
        self.share.readable(self.waiting_bytes + input, missing)
    }

    /// Whether publishes have to wait: for the disk, or for their rate.
    fn is_held(&self) -> bool {
        self.publishes.len() >= BATCHES_MAX
            || self.waiting_elements >= WAITING_ELEMENTS_MAX
            || self.bucket.is_empty()
            || self.changes.len() >= CHANGES_MAX
            // MQTT 5 clients know the Receive Maximum; TCP slows the others down.
            || (self.client.writer.version == Version::V4
                && self.waiting >= usize::from(self.client.config.in_flight_max))
    }

    fn next_tick(&self, now: Instant, reading: bool, room: usize) -> Instant {
        let mut next = if reading {
            self.heard + self.client.silence_max
        } else {
            now + self.client.silence_max
        };
        if self.bucket.is_empty() {
            next = next.min(now + self.bucket.wait());
        }
        if self.unacked {
            next = next.min(now + UNACKED_EVERY);
        }
        if reading && room == 0 {
            next = next.min(now + ROOM_EVERY);
        }
        if self.share.is_taken() && !self.io.input.is_empty() {
            next = next.min(self.begun + UNFINISHED_MAX);
        }
        if !self.io.output.is_empty() {
            next = next.min(self.moved + STALL_MAX);
        }
        next
    }

    fn tick(&mut self, reading: bool) -> Result<(), Fault> {
        let now = clock::instant();
        self.bucket.refill(now);
        if !reading {
            // The gateway does not read now, so silence does not count.
            self.heard = now;
        } else if now.saturating_duration_since(self.heard) >= self.client.silence_max {
            return Err(Fault::KeepAlive);
        } else if self.share.is_taken()
            && !self.io.input.is_empty()
            && now.saturating_duration_since(self.begun) >= UNFINISHED_MAX
        {
            return Err(Fault::Unfinished);
        }
        if !self.io.output.is_empty() && now.saturating_duration_since(self.moved) >= STALL_MAX {
            return Err(Fault::Stalled);
        }
        if self.unacked {
            let mut changes = Vec::new();
            self.client.session.store_unacked(now, &mut changes);
            self.change(Batch::changes(changes, None));
        }
        Ok(())
    }

    /// Packets for the device, as many as it takes now.
    fn send(&mut self) {
        let room = OUTPUT_BYTES_MAX.saturating_sub(self.io.output.len());
        if self.io.output.is_empty() {
            self.moved = clock::instant();
        }
        if room > 0 {
            let mut changes = Vec::new();
            self.unacked = self.client.session.send(
                self.client.epoch,
                &self.client.writer,
                self.client.receive_maximum,
                room,
                &mut self.io.output,
                &mut changes,
            );
            self.change(Batch::changes(changes, None));
        }
    }

    /// All the packets that are there, up to the limits.
    fn decode(&mut self) -> Result<(), End> {
        if self.io.input.is_empty() {
            return Ok(());
        }
        self.bucket.set_rate(self.shared.config().rate_per_s);
        self.bucket.refill(clock::instant());
        let received = clock::now();
        let mut batch = Batch::default();
        let mut result = Ok(());
        while !self.is_held() && self.io.output.len() < OUTPUT_BYTES_MAX {
            let packet = wire::next(
                &mut self.io.input,
                self.client.writer.version,
                self.client.config.packet_bytes_max,
            );
            result = match packet {
                Ok(Some(packet)) => {
                    self.heard = clock::instant();
                    self.begun = self.heard;
                    self.packet(packet, &mut batch, received)
                }
                Ok(None) => break,
                Err(fault) => Err(fault.into()),
            };
            if result.is_err() {
                break;
            }
            if batch.bytes >= BATCH_BYTES_MAX || batch.elements >= BATCH_ELEMENTS_MAX {
                self.submit(std::mem::take(&mut batch));
            }
        }
        // Packets before a fault or a DISCONNECT still count.
        self.submit(batch);
        result
    }

    fn submit(&mut self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let patient = self.client.writer.version == Version::V4;
        let patient = patient.then(|| self.client.owner.kick.clone());
        self.publishes.push_back(self.settling(batch, patient));
    }

    pub(super) fn change(&mut self, batch: Batch) {
        if !batch.is_empty() {
            self.changes.push_back(self.settling(batch, None));
        }
    }

    fn settling(&self, batch: Batch, patient: Option<CancellationToken>) -> Settling {
        Box::pin(batch.settle(
            self.shared.intake.clone(),
            self.shared.inbox.clone(),
            self.lane.clone(),
            Arc::clone(&self.client.device),
            patient,
            Arc::clone(&self.shared),
        ))
    }

    /// Acknowledges a batch, and all others that are done by now.
    fn settled(&mut self, settled: Settled) -> Result<(), End> {
        let mut next = Some(settled);
        let (mut stored, mut duplicates, mut rejected) = (0, 0, 0);
        let (mut receipts, mut displays, mut words) = (Vec::new(), Vec::new(), Vec::new());
        let mut changes = Vec::new();
        let mut result = Ok(());
        while let Some(settled) = next {
            if settled.stopped {
                result = Err(End::Stopped);
                break;
            }
            stored += settled.stored;
            duplicates += settled.duplicates;
            rejected += settled.rejected;
            receipts.extend(settled.receipts);
            displays.extend(settled.displays);
            words.extend(settled.words);
            self.waiting_bytes = self.waiting_bytes.saturating_sub(settled.bytes);
            self.waiting_elements = self.waiting_elements.saturating_sub(settled.elements);
            for outcome in &settled.publishes {
                self.acknowledge(outcome, &mut changes);
            }
            next = self.publishes.next().now_or_never().flatten();
        }
        self.count(stored, duplicates, rejected);
        self.change(Batch::changes(changes, None));
        if !receipts.is_empty() || !displays.is_empty() || !words.is_empty() {
            let mut changes = Vec::new();
            let now = clock::instant();
            let device = &self.client.device;
            let hub = &self.shared.hub;
            hub.answer(device, receipts, displays, now, &mut changes);
            for (channel, payload) in words {
                let content = Content::plain(payload, false);
                hub.publish(&device.name, &channel, content, now, &mut changes);
            }
            self.change(Batch::changes(changes, None));
        }
        result
    }

    fn acknowledge(&mut self, outcome: &Outcome, changes: &mut Vec<SideChange>) {
        let delivery = outcome.delivery;
        let Delivery { qos, pkid, .. } = delivery;
        if qos == Qos::AtMostOnce {
            return;
        }
        self.waiting = self.waiting.saturating_sub(1);
        if qos == Qos::ExactlyOnce {
            self.waiting_exactly_once = self.waiting_exactly_once.saturating_sub(1);
            let session = &self.client.session;
            if !outcome.is_again {
                session.commit(pkid, delivery.reception, delivery.stored, changes);
            } else if !session.is_committed(pkid, delivery.reception) {
                // The publish that it repeats failed, or was released meanwhile.
                return;
            }
        }
        self.client.writer.acknowledge(
            &mut self.io.output,
            qos,
            pkid,
            outcome.reason,
            outcome.text.as_deref(),
        );
    }

    fn count(&self, stored: u64, duplicates: u64, rejected: u64) {
        if stored + duplicates + rejected > 0 {
            let now = clock::now();
            self.shared
                .board
                .device(&self.client.device.name, SourceKind::Listen, |view| {
                    view.events += stored;
                    view.duplicates += duplicates;
                    view.rejected += rejected;
                    view.last_event = Some(now);
                });
        }
    }
}
