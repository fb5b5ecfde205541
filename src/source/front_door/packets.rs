//! Handles each packet of a connected client.

use std::sync::Arc;

use bytes::BytesMut;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::{Granted, Reason, Writer};
use super::batch::{Batch, Delivery};
use super::connection::{Connection, End};
use super::handshake::{Client, STATE_BYTES_MAX};
use super::message::Content;
use super::retained::RetainedFull;
use super::topics::{FilterFault, Target, is_bridge_notification};
use super::wire::{Fault, Filter, Packet, Publish, Qos, RetainRule};
use crate::clock;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn packet(
        &mut self,
        packet: Packet,
        batch: &mut Batch,
        received: Timestamp,
    ) -> Result<(), End> {
        // Acknowledgements are answers; all others a client may send as fast as it publishes.
        if matches!(
            packet,
            Packet::Subscribe { .. } | Packet::Unsubscribe { .. } | Packet::PingReq
        ) {
            self.bucket.take(self.bucket.chore());
        }
        match packet {
            Packet::Publish(publish) => self.publish(publish, batch, received)?,
            Packet::PubAck(pkid) => {
                let mut changes = Vec::new();
                self.client.session.acknowledged(pkid, &mut changes);
                self.change(Batch::changes(changes, None));
            }
            Packet::PubRel(pkid) => {
                let (gone, known) = self.client.session.release(pkid);
                let mut reply = BytesMut::new();
                self.client.writer.complete(&mut reply, pkid, known);
                match gone {
                    None => self.io.output.extend_from_slice(&reply),
                    Some(gone) => self.change(Batch::changes(vec![gone], Some(reply.freeze()))),
                }
            }
            Packet::Subscribe { pkid, filters } => self.subscribe(pkid, &filters)?,
            Packet::Unsubscribe { pkid, filters } => self.unsubscribe(pkid, &filters)?,
            Packet::PingReq => Writer::pong(&mut self.io.output),
            Packet::Disconnect {
                with_will,
                session_expiry_s,
            } => {
                if session_expiry_s.is_some_and(|s| s > 0) && self.client.session_expiry_s == 0 {
                    // MQTT 5, 3.14.2.2.2.
                    return Err(Fault::Protocol(
                        "a session expiry in DISCONNECT after none in CONNECT",
                    )
                    .into());
                }
                return Err(End::Left {
                    with_will,
                    session_expiry_s,
                });
            }
        }
        Ok(())
    }

    fn publish(
        &mut self,
        publish: Publish,
        batch: &mut Batch,
        received: Timestamp,
    ) -> Result<(), Fault> {
        let Publish { dup, qos, pkid, .. } = publish;
        if qos != Qos::AtMostOnce {
            if self.waiting >= usize::from(self.client.config.in_flight_max) {
                return Err(Fault::ReceiveMaximum);
            }
            self.waiting += 1;
            self.waiting_exactly_once += usize::from(qos == Qos::ExactlyOnce);
        }
        let before = (batch.bytes, batch.elements);
        let (mut delivery, is_new) = self.receive(qos, pkid, dup);
        let device = Arc::clone(&self.client.device);
        let target = device.topics.target(&publish.topic);
        let is_foreign = target.is_none();
        match target {
            _ if !is_new => batch.again(delivery),
            Some(Target::Reading(channel)) => {
                if qos == Qos::ExactlyOnce
                    && let Some(received) = self.client.session.store_received(pkid)
                {
                    delivery.stored = true;
                    batch.receive(received);
                }
                batch.read(delivery, &device.name, channel, publish.payload, received);
            }
            Some(target) => self.state(delivery, target, &publish, batch, received),
            None if is_bridge_notification(&publish.topic) => {
                batch.done(
                    delivery,
                    Reason::Success,
                    "a bridge's notification is not kept",
                );
            }
            None => {
                let Publish { topic, payload, .. } = &publish;
                self.foreign(topic);
                batch.reject(delivery, &device, topic, payload, received);
            }
        }
        self.waiting_bytes += batch.bytes - before.0;
        // An array costs what it becomes.
        let elements = batch.elements - before.1;
        self.waiting_elements += elements;
        self.bucket.take(if is_foreign {
            self.bucket.chore()
        } else {
            u32::try_from(elements).unwrap_or(u32::MAX).max(1)
        });
        Ok(())
    }

    /// A publish as its acknowledgement needs it, and whether it is a new message.
    fn receive(&self, qos: Qos, pkid: u16, dup: bool) -> (Delivery, bool) {
        let mut delivery = Delivery {
            qos,
            pkid,
            dup,
            reception: 0,
            stored: false,
        };
        if qos != Qos::ExactlyOnce {
            return (delivery, true);
        }
        // MQTT 3.1.1, 4.3.3: until PUBREL, the same packet id is the same message.
        let received = self.client.session.receive(self.client.epoch, pkid, dup);
        delivery.reception = received.number;
        (delivery, received.is_new)
    }

    fn foreign(&self, topic: &[u8]) {
        if self.shared.quiet.allows(clock::instant()) {
            let topic: String = String::from_utf8_lossy(topic).chars().take(256).collect();
            tracing::warn!(device = %self.client.device.name, topic, "a publish to a topic that is not the device's");
        }
    }

    /// `state` and `config/reported`: retained, and for the device's own subscribers.
    fn state(
        &self,
        delivery: Delivery,
        target: Target,
        publish: &Publish,
        batch: &mut Batch,
        received: Timestamp,
    ) {
        let name = &self.client.device.name;
        let bytes = publish.payload.len() + publish.properties.len();
        if bytes > STATE_BYTES_MAX {
            if self.shared.quiet.allows(clock::instant()) {
                tracing::warn!(device = %name, channel = target.channel(), bytes, "dropped a retained message that is larger than 16 KiB");
            }
            batch.done(delivery, Reason::QuotaExceeded, "larger than 16 KiB");
            return;
        }
        if target == Target::State {
            self.shared
                .intake
                .read_clock(name, &publish.payload, received);
        }
        let from = Some(&self.client.session);
        match self
            .shared
            .retain_state(name, target, Content::of(publish), from, received)
        {
            Ok(changes) => batch.store_side_values(delivery, changes),
            Err(RetainedFull) => {
                batch.done(delivery, Reason::QuotaExceeded, "no room to retain more");
            }
        }
    }

    fn subscribe(&mut self, pkid: u16, filters: &[Filter]) -> Result<(), Fault> {
        let Client {
            session, device, ..
        } = &self.client;
        let subscriptions_max = self.shared.config().subscriptions_max;
        let mut granted = Vec::with_capacity(filters.len());
        let mut retained = Vec::new();
        for filter in filters {
            granted.push(match device.topics.check_filter(&filter.path) {
                Err(FilterFault::Foreign) => Granted::NotAuthorized,
                Err(FilterFault::Invalid) => Granted::FilterInvalid,
                Err(FilterFault::Shared) => Granted::SharedNotSupported,
                Ok(()) => match session.subscribe(filter, subscriptions_max) {
                    None => Granted::QuotaExceeded,
                    Some(new) => {
                        if filter.retain == RetainRule::Always
                            || (new && filter.retain == RetainRule::IfNew)
                        {
                            retained.push(filter);
                        }
                        Granted::Qos(filter.qos.min(Qos::AtLeastOnce))
                    }
                },
            });
        }
        device.note_wanted();
        let mut reply = BytesMut::new();
        self.client.writer.subscribed(&mut reply, pkid, &granted)?;
        let changes: Vec<_> = session.session_change().into_iter().collect();
        if changes.is_empty() {
            self.io.output.extend_from_slice(&reply);
        }
        for filter in retained {
            self.shared
                .hub
                .offer_retained(device, session, filter, filter.qos);
        }
        self.change(Batch::changes(changes, Some(reply.freeze())));
        Ok(())
    }

    fn unsubscribe(&mut self, pkid: u16, filters: &[String]) -> Result<(), Fault> {
        let Client {
            session, device, ..
        } = &self.client;
        let existed: Vec<_> = filters
            .iter()
            .map(|filter| session.unsubscribe(filter))
            .collect();
        device.note_wanted();
        let mut reply = BytesMut::new();
        self.client
            .writer
            .unsubscribed(&mut reply, pkid, &existed)?;
        let changes: Vec<_> = session.session_change().into_iter().collect();
        if changes.is_empty() {
            self.io.output.extend_from_slice(&reply);
        }
        self.change(Batch::changes(changes, Some(reply.freeze())));
        Ok(())
    }
}
