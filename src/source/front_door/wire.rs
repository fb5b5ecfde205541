//! Reads the packets of clients strictly, and gives MQTT 3.1.1 and 5 one vocabulary.
//!
//! **In**: the bytes of a socket. **Out**: [`Connect`](super::connect::Connect), then [`Packet`]s,
//! or a [`Fault`] that ends the connection. The module rejects everything that the standards
//! forbid; `docs/mqtt.md` gives the reasons for our own reader.
//!
//! - [`fields`] reads strings and integers; [`properties`] the property sections of MQTT 5.

mod fields;
mod properties;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};
use rumqttc::v5::mqttbytes::v5::DisconnectReasonCode;
use thiserror::Error;

pub use fields::{Fields, Variable};
pub use properties::{Properties, Section, forwarded, message_expiry};

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
    #[error("QoS 2 from an MQTT 5 client, although the CONNACK has Maximum QoS 1")]
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
    #[error("the answer is larger than the client's Maximum Packet Size")]
    AnswerTooLarge,
}

impl Fault {
    pub fn malformed(what: &str) -> Self {
        Self::Malformed(what.to_owned())
    }

    /// The reason code of the DISCONNECT to an MQTT 5 client (MQTT 5, 3.14.2.1).
    pub fn code(&self) -> DisconnectReasonCode {
        match self {
            Self::TooLarge { .. } | Self::AnswerTooLarge => DisconnectReasonCode::PacketTooLarge,
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
    pub retain: bool,
    /// 0 for QoS 0.
    pub pkid: u16,
    /// A topic name: valid UTF-8 without wildcards and U+0000.
    pub topic: Bytes,
    /// The MQTT 5 properties as the client encoded them. Empty: no properties.
    pub properties: Bytes,
    pub message_expiry_s: Option<u32>,
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
        /// Any MQTT 5 reason but 0x00 (3.14.4-3).
        with_will: bool,
        session_expiry_s: Option<u32>,
    },
}

/// The announced length of the first packet in the buffer. 0: the length has not come yet.
pub fn announced(buffer: &[u8]) -> usize {
    let length = fields::variable(buffer.get(1..).unwrap_or_default());
    let length = length.ok().flatten();
    length.map_or(0, |length| 1 + length.bytes + length.value)
}

/// The first bytes of a packet: its type and flags, and how much follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub first: u8,
    pub remaining: Variable,
}

impl Head {
    /// Removes the packet from the buffer after all of it has come, and returns the bytes after the
    /// head.
    pub fn take(self, buffer: &mut BytesMut) -> Bytes {
        let start = 1 + self.remaining.bytes;
        let mut packet = buffer.split_to(start + self.remaining.value).freeze();
        packet.split_off(start)
    }
}

/// The head of the first packet in the buffer, once all of the packet is there.
pub fn head(buffer: &[u8], packet_bytes_max: usize) -> Result<Option<Head>, Fault> {
    let Some((first, rest)) = buffer.split_first() else {
        return Ok(None);
    };
    let Some(remaining) = fields::variable(rest)? else {
        return Ok(None);
    };
    let bytes = 1 + remaining.bytes + remaining.value;
    // By its own word for its length: before the rest of it is waited for.
    if bytes > packet_bytes_max {
        return Err(Fault::TooLarge {
            bytes,
            max: packet_bytes_max,
        });
    }
    let first = *first;
    Ok((buffer.len() >= bytes).then_some(Head { first, remaining }))
}

/// Removes the first packet from the buffer after all of it has come.
pub fn next(
    buffer: &mut BytesMut,
    version: Version,
    packet_bytes_max: usize,
) -> Result<Option<Packet>, Fault> {
    let Some(head) = head(buffer, packet_bytes_max)? else {
        return Ok(None);
    };
    if version == Version::V5 {
        head.remaining.check_shortest()?;
    }
    check_flags(head.first)?;
    let body = head.take(buffer);
    read(head.first, &body, version).map(Some)
}

/// The reserved bits of the fixed header (MQTT 3.1.1, 2.2.2; MQTT 5, 2.1.3).
fn check_flags(first: u8) -> Result<(), Fault> {
    let fits = match first >> 4 {
        // QoS 3; DUP with QoS 0.
        3 => first & 0b0110 != 0b0110 && (first & 0b0110 != 0 || first & 0b1000 == 0),
        6 | 8 | 10 => first & 0x0F == 2,
        0 => false,
        _ => first.is_multiple_of(16),
    };
    if fits {
        Ok(())
    } else {
        Err(Fault::malformed("reserved bits of the fixed header"))
    }
}

/// Reads what follows the head of a packet.
fn read(first: u8, body: &Bytes, version: Version) -> Result<Packet, Fault> {
    let mut fields = Fields::new(body);
    match first >> 4 {
        1 => Err(Fault::SecondConnect),
        3 => publish(first, body, version).map(Packet::Publish),
        4 => acknowledgement(&mut fields, version, &PUBACK_REASONS).map(Packet::PubAck),
        6 => acknowledgement(&mut fields, version, &PUBREL_REASONS).map(Packet::PubRel),
        8 => subscribe(&mut fields, version),
        10 => unsubscribe(&mut fields, version),
        12 => fields.end().map(|()| Packet::PingReq),
        14 => disconnect(&mut fields, version),
        5 | 7 => Err(Fault::Protocol(
            "PUBREC or PUBCOMP, though nothing was sent with QoS 2",
        )),
        15 if version == Version::V5 => Err(Fault::Protocol(
            "AUTH without an Authentication Method in CONNECT",
        )),
        15 => Err(Fault::malformed("a reserved packet type")),
        _ => Err(Fault::Protocol("a packet that only servers send")),
    }
}

fn publish(first: u8, body: &Bytes, version: Version) -> Result<Publish, Fault> {
    let mut fields = Fields::new(body);
    let qos = qos(first >> 1 & 3)?;
    let topic = fields.text()?;
    let pkid = match qos {
        Qos::AtMostOnce => 0,
        _ => fields.packet_id()?,
    };
    let properties = section(&mut fields, version, Section::Publish)?;
    if properties.topic_alias {
        return Err(Fault::TopicAlias);
    }
    fields::check_topic(topic)?;
    if version == Version::V5 && qos == Qos::ExactlyOnce {
        return Err(Fault::Qos);
    }
    Ok(Publish {
        dup: first & 8 != 0,
        qos,
        retain: first & 1 != 0,
        pkid,
        topic: body.slice_ref(topic.as_bytes()),
        properties: match properties.section {
            [] => Bytes::new(),
            section => body.slice_ref(section),
        },
        message_expiry_s: properties.message_expiry_s,
        payload: body.slice_ref(fields.rest()),
    })
}

/// The property section of MQTT 5; 3.1.1 has none.
pub fn section<'a>(
    fields: &mut Fields<'a>,
    version: Version,
    place: Section,
) -> Result<Properties<'a>, Fault> {
    match version {
        Version::V4 => Ok(Properties::default()),
        Version::V5 => properties::read(fields, place),
    }
}

/// The reasons that may stand in a PUBACK (MQTT 5, 3.4.2.1).
const PUBACK_REASONS: [u8; 9] = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
/// In a PUBREL (MQTT 5, 3.6.2.1).
const PUBREL_REASONS: [u8; 2] = [0x00, 0x92];
/// In a client's DISCONNECT (MQTT 5, 3.14.2.1); all others are the server's.
const DISCONNECT_REASONS: [u8; 14] = [
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
];

/// A PUBACK or PUBREL: MQTT 5 may leave the reason and the properties away.
fn acknowledgement(
    fields: &mut Fields<'_>,
    version: Version,
    reasons: &[u8],
) -> Result<u16, Fault> {
    let pkid = fields.packet_id()?;
    if version == Version::V5 && !fields.is_empty() {
        reason(fields, reasons)?;
        if !fields.is_empty() {
            properties::read(fields, Section::Ack)?;
        }
    }
    fields.end()?;
    Ok(pkid)
}

fn reason(fields: &mut Fields<'_>, reasons: &[u8]) -> Result<u8, Fault> {
    let reason = fields.byte()?;
    if !reasons.contains(&reason) {
        return Err(Fault::Protocol(
            "a reason code that clients do not send in this packet",
        ));
    }
    Ok(reason)
}

fn subscribe(fields: &mut Fields<'_>, version: Version) -> Result<Packet, Fault> {
    let pkid = fields.packet_id()?;
    let properties = section(fields, version, Section::Subscribe)?;
    let mut filters = Vec::new();
    while !fields.is_empty() {
        let path = fields.filter()?;
        let options = fields.byte()?;
        filters.push(match version {
            Version::V4 => filter4(path, options),
            Version::V5 => filter5(path, options),
        }?);
    }
    if filters.is_empty() {
        return Err(Fault::Protocol("SUBSCRIBE without a topic filter"));
    }
    if properties.subscription_identifier {
        return Err(Fault::SubscriptionIdentifier);
    }
    Ok(Packet::Subscribe { pkid, filters })
}

fn filter4(path: &str, options: u8) -> Result<Filter, Fault> {
    if options > 2 {
        return Err(Fault::malformed("reserved bits of a requested QoS"));
    }
    Ok(Filter {
        path: path.to_owned(),
        qos: qos(options)?,
        no_local: false,
        keep_retain: false,
        retain: RetainRule::Always,
    })
}

/// MQTT 5, 3.8.3.1.
fn filter5(path: &str, options: u8) -> Result<Filter, Fault> {
    if options & 0b1100_0000 != 0 {
        return Err(Fault::malformed(
            "reserved bits of the subscription options",
        ));
    }
    let no_local = options & 0b100 != 0;
    if no_local && path.starts_with("$share/") {
        return Err(Fault::Protocol("No Local on a shared subscription"));
    }
    Ok(Filter {
        path: path.to_owned(),
        qos: qos(options & 3).map_err(|_| Fault::Protocol("a Maximum QoS of 3"))?,
        no_local,
        keep_retain: options & 0b1000 != 0,
        retain: match options >> 4 {
            0 => RetainRule::Always,
            1 => RetainRule::IfNew,
            2 => RetainRule::Never,
            _ => return Err(Fault::Protocol("a Retain Handling of 3")),
        },
    })
}

fn unsubscribe(fields: &mut Fields<'_>, version: Version) -> Result<Packet, Fault> {
    let pkid = fields.packet_id()?;
    section(fields, version, Section::Unsubscribe)?;
    let mut filters = Vec::new();
    while !fields.is_empty() {
        filters.push(fields.filter()?.to_owned());
    }
    if filters.is_empty() {
        return Err(Fault::Protocol("UNSUBSCRIBE without a topic filter"));
    }
    Ok(Packet::Unsubscribe { pkid, filters })
}

/// MQTT 5 may leave the reason and the properties away (3.14.2.1, 3.14.2.2.1).
fn disconnect(fields: &mut Fields<'_>, version: Version) -> Result<Packet, Fault> {
    let mut with_will = false;
    let mut session_expiry_s = None;
    if version == Version::V5 && !fields.is_empty() {
        with_will = reason(fields, &DISCONNECT_REASONS)? != 0;
        if !fields.is_empty() {
            session_expiry_s = properties::read(fields, Section::Disconnect)?.session_expiry_s;
        }
    }
    fields.end()?;
    Ok(Packet::Disconnect {
        with_will,
        session_expiry_s,
    })
}

/// The two bits of a QoS. 3 is malformed.
pub fn qos(bits: u8) -> Result<Qos, Fault> {
    match bits {
        0 => Ok(Qos::AtMostOnce),
        1 => Ok(Qos::AtLeastOnce),
        2 => Ok(Qos::ExactlyOnce),
        _ => Err(Fault::malformed("QoS 3")),
    }
}
