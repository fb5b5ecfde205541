//! What clients send: rumqttc's codec for MQTT 3.1.1 and 5, made one vocabulary and guarded.
//!
//! Comes in: the bytes of a socket. Goes out: [`Connect`], then [`Packet`]s, or a [`Fault`] that ends the connection.
//! The codec is made for clients and trusts its server. Guarded here is what it lets through or misreads:
//! - it takes a length that points beyond a packet as "more bytes needed", after it has dropped the packet;
//! - it refuses MQTT 5's shortest DISCONNECT (remaining length 0 or 1);
//! - it does not look at the reserved flags of the fixed header, at packet id 0 of a (un)subscribe, at an empty
//!   UNSUBSCRIBE, at a property section that runs over into the payload;
//! - MQTT 5 topics are bytes that need not be UTF-8.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::{self, v4};
use rumqttc::v5::mqttbytes::v5::{self, DisconnectReasonCode};
use thiserror::Error;

/// The two versions this door speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V4,
    V5,
}

/// Why a connection is closed from our side.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("a packet of {bytes} bytes: at most {max} are taken (mqtt.listen.packet_bytes_max)")]
    TooLarge { bytes: usize, max: usize },
    #[error("malformed packet: {0}")]
    Malformed(String),
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    #[error("QoS 2 from an MQTT 5 client that was told Maximum QoS 1")]
    Qos,
    #[error("a topic alias, though Topic Alias Maximum is 0")]
    TopicAlias,
    #[error("more publishes in flight than Receive Maximum")]
    ReceiveMaximum,
    #[error("nothing was heard for one and a half keep-alives")]
    KeepAlive,
    #[error("the client does not read what it is sent")]
    Stalled,
    #[error("a large packet was not complete within 30 s")]
    Unfinished,
    #[error("subscription identifiers are not supported")]
    SubscriptionIdentifier,
    #[error("a second CONNECT")]
    SecondConnect,
}

impl Fault {
    pub fn malformed(what: &str) -> Self {
        Self::Malformed(what.to_owned())
    }

    /// What an MQTT 5 client is told (MQTT 5, 3.14.2.1).
    pub fn code(&self) -> DisconnectReasonCode {
        match self {
            Self::TooLarge { .. } => DisconnectReasonCode::PacketTooLarge,
            Self::Malformed(_) => DisconnectReasonCode::MalformedPacket,
            Self::Protocol(_) | Self::SecondConnect => DisconnectReasonCode::ProtocolError,
            Self::Qos => DisconnectReasonCode::QoSNotSupported,
            Self::TopicAlias => DisconnectReasonCode::TopicAliasInvalid,
            Self::ReceiveMaximum => DisconnectReasonCode::ReceiveMaximumExceeded,
            Self::KeepAlive => DisconnectReasonCode::KeepAliveTimeout,
            Self::Stalled | Self::Unfinished => DisconnectReasonCode::QuotaExceeded,
            Self::SubscriptionIdentifier => {
                DisconnectReasonCode::SubscriptionIdentifiersNotSupported
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::enum_variant_names, reason = "they are MQTT's")]
pub enum Qos {
    AtMostOnce,
    AtLeastOnce,
    ExactlyOnce,
}

/// A publish, in both versions' words.
#[derive(Debug)]
pub struct Publish {
    /// The client says that it may have sent the message before (3.1.1, 3.3.1.1).
    pub dup: bool,
    pub qos: Qos,
    pub pkid: u16,
    pub topic: Bytes,
    pub payload: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainRule {
    Always,
    IfNew,
    Never,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub path: String,
    pub qos: Qos,
    pub no_local: bool,
    pub keep_retain: bool,
    pub retain: RetainRule,
}

#[derive(Debug)]
pub enum Packet {
    Publish(Publish),
    /// A device has one of our QoS 1 messages.
    PubAck(u16),
    PubRel(u16),
    Subscribe {
        pkid: u16,
        filters: Vec<Filter>,
    },
    Unsubscribe {
        pkid: u16,
        filters: Vec<String>,
    },
    PingReq,
    Disconnect {
        /// MQTT 5 reason 0x04.
        with_will: bool,
        session_expiry_s: Option<u32>,
    },
}

/// How long the first packet in the buffer says that it is; 0 where not even that is there.
pub fn announced(buffer: &[u8]) -> usize {
    (buffer.get(1..).and_then(variable)).map_or(0, |(bytes, remaining)| 1 + bytes + remaining)
}

/// The length of the first packet in the buffer, once all of it is there.
pub fn frame(buffer: &BytesMut, packet_bytes_max: usize) -> Result<Option<usize>, Fault> {
    // By its own word for its length: before the rest of it is waited for.
    if let Some((bytes, remaining)) = buffer.get(1..).and_then(variable)
        && 1 + bytes + remaining > packet_bytes_max
    {
        return Err(Fault::TooLarge {
            bytes: 1 + bytes + remaining,
            max: packet_bytes_max,
        });
    }
    match mqttbytes::check(buffer.iter(), packet_bytes_max) {
        Ok(header) => Ok(Some(header.frame_length())),
        Err(mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
        Err(error) => Err(Fault::Malformed(error.to_string())),
    }
}

/// Takes the first packet off the buffer, once all of it is there.
pub fn next(
    buffer: &mut BytesMut,
    version: Version,
    packet_bytes_max: usize,
) -> Result<Option<Packet>, Fault> {
    let Some(length) = frame(buffer, packet_bytes_max)? else {
        return Ok(None);
    };
    let first = buffer[0];
    check_flags(first, length)?;
    // DISCONNECT without properties (MQTT 5, 3.14.2.1 and 3.14.2.2.1), which the codec does not know.
    if first == 0xE0 && (length == 2 || (length == 3 && version == Version::V5)) {
        let packet = buffer.split_to(length);
        return Ok(Some(Packet::Disconnect {
            with_will: packet.get(2).is_some_and(|reason| *reason != 0),
            session_expiry_s: None,
        }));
    }
    let mut frame = buffer.split_to(length);
    match version {
        Version::V4 => v4_packet(&mut frame),
        Version::V5 => v5_packet(&mut frame, first),
    }
    .map(Some)
}

/// The reserved bits of the fixed header (MQTT 3.1.1, 2.2.2; MQTT 5, 2.1.3).
fn check_flags(first: u8, length: usize) -> Result<(), Fault> {
    let fits = match first >> 4 {
        3 => first & 0b0110 != 0b0110 && (first & 0b0110 != 0 || first & 0b1000 == 0),
        6 | 8 | 10 => first & 0x0F == 2,
        12 => first == 0xC0 && length == 2,
        0 => false,
        _ => first.is_multiple_of(16),
    };
    if fits {
        Ok(())
    } else {
        Err(Fault::malformed("reserved bits of the fixed header"))
    }
}

fn v4_packet(frame: &mut BytesMut) -> Result<Packet, Fault> {
    use v4::Packet as P;
    let packet = P::read(frame, usize::MAX).map_err(|error| Fault::Malformed(error.to_string()))?;
    Ok(match packet {
        P::Publish(publish) => Packet::Publish(Publish {
            dup: publish.dup,
            qos: qos4(publish.qos),
            pkid: publish.pkid,
            topic: publish.topic.into(),
            payload: publish.payload,
        }),
        P::PubAck(ack) => Packet::PubAck(ack.pkid),
        P::PubRel(rel) => Packet::PubRel(rel.pkid),
        P::Subscribe(subscribe) => Packet::Subscribe {
            pkid: not_zero(subscribe.pkid)?,
            filters: subscribe
                .filters
                .into_iter()
                .map(|filter| Filter {
                    path: filter.path,
                    qos: qos4(filter.qos),
                    no_local: false,
                    keep_retain: false,
                    retain: RetainRule::Always,
                })
                .collect(),
        },
        P::Unsubscribe(unsubscribe) => Packet::Unsubscribe {
            pkid: not_zero(unsubscribe.pkid)?,
            filters: not_empty(unsubscribe.topics)?,
        },
        P::PingReq => Packet::PingReq,
        P::Disconnect => return Err(Fault::malformed("DISCONNECT with a body")),
        P::Connect(_) => return Err(Fault::SecondConnect),
        _ => return Err(Fault::Protocol("a packet that only servers send")),
    })
}

fn v5_packet(frame: &mut BytesMut, first: u8) -> Result<Packet, Fault> {
    use v5::Packet as P;
    let length = frame.len();
    let section = if first >> 4 == 3 {
        publish_head(frame)
    } else {
        None
    };
    let packet = P::read(frame, None).map_err(|error| Fault::Malformed(error.to_string()))?;
    Ok(match packet {
        P::Publish(publish) => {
            if section != Some(length - publish.payload.len()) {
                return Err(Fault::malformed("PUBLISH properties"));
            }
            Packet::Publish(publish5(publish)?)
        }
        P::PubAck(ack) => Packet::PubAck(ack.pkid),
        P::PubRel(rel) => Packet::PubRel(rel.pkid),
        P::Subscribe(subscribe) => {
            if subscribe.properties.is_some_and(|p| p.id.is_some()) {
                return Err(Fault::SubscriptionIdentifier);
            }
            Packet::Subscribe {
                pkid: not_zero(subscribe.pkid)?,
                filters: subscribe.filters.into_iter().map(filter5).collect(),
            }
        }
        P::Unsubscribe(unsubscribe) => Packet::Unsubscribe {
            pkid: not_zero(unsubscribe.pkid)?,
            filters: not_empty(unsubscribe.filters)?,
        },
        P::PingReq(_) => Packet::PingReq,
        P::Disconnect(disconnect) => Packet::Disconnect {
            with_will: disconnect.reason_code != DisconnectReasonCode::NormalDisconnection,
            session_expiry_s: disconnect
                .properties
                .and_then(|properties| properties.session_expiry_interval),
        },
        P::Connect(..) => return Err(Fault::SecondConnect),
        _ => return Err(Fault::Protocol("a packet that only servers send")),
    })
}

/// How many bytes of an MQTT 5 PUBLISH stand before its payload, by its own lengths.
fn publish_head(frame: &[u8]) -> Option<usize> {
    let mut at = 1 + variable(frame.get(1..)?)?.0;
    let topic = u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]);
    at += 2 + usize::from(topic);
    if frame[0] & 0b0110 != 0 {
        at += 2;
    }
    let (bytes, properties) = variable(frame.get(at..)?)?;
    Some(at + bytes + properties)
}

/// A variable byte integer: how many bytes it takes, and its value (MQTT 5, 1.5.5).
pub fn variable(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((index + 1, value));
        }
    }
    None
}

fn publish5(publish: v5::Publish) -> Result<Publish, Fault> {
    if publish.qos == rumqttc::v5::mqttbytes::QoS::ExactlyOnce {
        return Err(Fault::Qos);
    }
    if let Some(properties) = &publish.properties {
        if properties.topic_alias.is_some() {
            return Err(Fault::TopicAlias);
        }
        if !properties.subscription_identifiers.is_empty() {
            return Err(Fault::Protocol(
                "a subscription identifier in a client's PUBLISH",
            ));
        }
    }
    if publish.topic.is_empty() {
        return Err(Fault::Protocol("an empty topic without a topic alias"));
    }
    Ok(Publish {
        dup: publish.dup,
        qos: qos5(publish.qos),
        pkid: publish.pkid,
        topic: publish.topic,
        payload: publish.payload,
    })
}

fn filter5(filter: v5::Filter) -> Filter {
    Filter {
        path: filter.path,
        qos: qos5(filter.qos),
        no_local: filter.nolocal,
        keep_retain: filter.preserve_retain,
        retain: match filter.retain_forward_rule {
            v5::RetainForwardRule::OnEverySubscribe => RetainRule::Always,
            v5::RetainForwardRule::OnNewSubscribe => RetainRule::IfNew,
            v5::RetainForwardRule::Never => RetainRule::Never,
        },
    }
}

fn not_zero(pkid: u16) -> Result<u16, Fault> {
    if pkid == 0 {
        return Err(Fault::malformed("packet id 0"));
    }
    Ok(pkid)
}

fn not_empty(filters: Vec<String>) -> Result<Vec<String>, Fault> {
    if filters.is_empty() {
        return Err(Fault::Protocol("UNSUBSCRIBE without a topic filter"));
    }
    Ok(filters)
}

pub fn qos4(qos: mqttbytes::QoS) -> Qos {
    match qos {
        mqttbytes::QoS::AtMostOnce => Qos::AtMostOnce,
        mqttbytes::QoS::AtLeastOnce => Qos::AtLeastOnce,
        mqttbytes::QoS::ExactlyOnce => Qos::ExactlyOnce,
    }
}

pub fn qos5(qos: rumqttc::v5::mqttbytes::QoS) -> Qos {
    use rumqttc::v5::mqttbytes::QoS;
    match qos {
        QoS::AtMostOnce => Qos::AtMostOnce,
        QoS::AtLeastOnce => Qos::AtLeastOnce,
        QoS::ExactlyOnce => Qos::ExactlyOnce,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8], version: Version) -> Result<Option<Packet>, Fault> {
        next(&mut BytesMut::from(bytes), version, 1_024)
    }

    #[test]
    fn what_the_codec_lets_through_is_refused() {
        let v4: &[&[u8]] = &[
            &[0x36, 5, 0, 1, b'a', 0, 1],    // QoS 3
            &[0x32, 5, 0, 1, b'a', 0, 0],    // packet id 0
            &[0x32, 3, 0, 9, b'a'],          // topic beyond the packet
            &[0x38, 3, 0, 1, b'a'],          // DUP with QoS 0
            &[0x80, 6, 0, 1, 0, 1, b'a', 0], // SUBSCRIBE with wrong flags
            &[0x82, 6, 0, 0, 0, 1, b'a', 0], // SUBSCRIBE with packet id 0
            &[0x82, 2, 0, 1],                // SUBSCRIBE without a filter
            &[0xA2, 2, 0, 1],                // UNSUBSCRIBE without a filter
            &[0x60, 2, 0, 1],                // PUBREL with wrong flags
            &[0xC0, 1, 0],                   // PINGREQ with a body
            &[0xE0, 1, 0],                   // DISCONNECT with a body
            &[0x20, 2, 0, 0],                // CONNACK
            &[0xF0, 0],                      // AUTH
            &[0x00, 0],                      // reserved
            &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1],
            &[0x30, 4, 0, 2, 0xC3, 0x28], // a topic that is not UTF-8
        ];
        for bytes in v4 {
            assert!(read(bytes, Version::V4).is_err(), "{bytes:02x?}");
        }
        let v5: &[&[u8]] = &[
            &[0x32, 5, 0, 1, b'a', 0, 1],                 // no property length
            &[0x32, 7, 0, 1, b'a', 0, 1, 2, 1],           // properties beyond the packet
            &[0x32, 9, 0, 1, b'a', 0, 1, 1, 2, 0, 0],     // cut property
            &[0x30, 6, 0, 1, b'a', 1, 1, 0],              // a property that runs into the payload
            &[0x30, 7, 0, 1, b'a', 3, 35, 0, 1],          // topic alias
            &[0x30, 6, 0, 1, b'a', 2, 11, 1],             // subscription identifier
            &[0x34, 6, 0, 1, b'a', 0, 1, 0],              // QoS 2
            &[0x30, 3, 0, 0, 0],                          // empty topic
            &[0x82, 9, 0, 1, 2, 11, 1, 0, 1, b'a', 0x00], // subscription identifier
            &[0xF0, 2, 0, 0],                             // AUTH
        ];
        for bytes in v5 {
            assert!(read(bytes, Version::V5).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn the_shortest_disconnect_is_understood_in_both_versions() {
        for version in [Version::V4, Version::V5] {
            assert!(matches!(
                read(&[0xE0, 0], version),
                Ok(Some(Packet::Disconnect {
                    with_will: false,
                    ..
                }))
            ));
        }
        assert!(matches!(
            read(&[0xE0, 1, 4], Version::V5),
            Ok(Some(Packet::Disconnect {
                with_will: true,
                ..
            }))
        ));
    }

    #[test]
    fn a_packet_larger_than_the_limit_is_refused_by_its_header() {
        assert_eq!(
            read(&[0x30, 0xFF, 0x7F], Version::V4).unwrap_err(),
            Fault::TooLarge {
                bytes: 16_386,
                max: 1_024
            }
        );
        assert!(read(&[0x30, 0x80, 8], Version::V4).is_err());
        assert!(matches!(read(&[0x30, 0xFD, 7], Version::V4), Ok(None)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_codec_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for version in [Version::V4, Version::V5] {
                let mut buffer = BytesMut::from(&bytes[..]);
                while let Ok(Some(_)) = next(&mut buffer, version, 1_024) {}
                let mut buffer = BytesMut::from(&bytes[..]);
                drop(super::super::connect::read(&mut buffer, 1_024));
            }
        }

        #[test]
        fn no_body_makes_the_codec_panic(
            kind in 1_u8..16, flags in prop_oneof![Just(0_u8), Just(2), Just(4), any::<u8>()],
            mut body in proptest::collection::vec(prop_oneof![0_u8..12, any::<u8>()], 0..100),
            connect: bool,
        ) {
            if connect {
                let head = [0, 4, b'M', b'Q', b'T', b'T'];
                body.splice(0..0, head);
            }
            let mut bytes = vec![kind << 4 | flags & 0x0F, u8::try_from(body.len()).unwrap()];
            bytes.extend(&body);
            for version in [Version::V4, Version::V5] {
                let mut buffer = BytesMut::from(&bytes[..]);
                drop(next(&mut buffer, version, 1_024));
                let mut buffer = BytesMut::from(&bytes[..]);
                drop(super::super::connect::read(&mut buffer, 1_024));
            }
        }
    }
}
