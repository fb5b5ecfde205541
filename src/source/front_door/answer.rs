//! Writes the front door's packets: one vocabulary, in the client's version of MQTT. rumqttc's
//! codec writes acknowledgements.

use bytes::{BufMut, BytesMut};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5::{self, DisconnectReasonCode};

use super::wire::{self, Fault, Qos, Version};

/// The identifier of the property (MQTT 5, table 2-4).
const REASON_STRING: u8 = 0x1F;
/// MQTT 5, 3.7.2.1.
const PACKET_ID_NOT_FOUND: u8 = 0x92;

/// How a publish ended, beyond the plain acknowledgement (MQTT 5, 3.4.2.1). 3.1.1 has no word for
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Success,
    NotAuthorized,
    QuotaExceeded,
    PayloadFormatInvalid,
}

/// The answer to one filter of a SUBSCRIBE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    Qos(Qos),
    NotAuthorized,
    FilterInvalid,
    QuotaExceeded,
    SharedNotSupported,
}

/// Why a CONNECT is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    ClientId,
    BadCredentials,
    NotAuthorized,
    AuthMethod,
    /// Too many connections, or the gateway cannot look at it now.
    Busy,
    /// Too many failures from this address.
    TooOften,
    WillTopic,
    /// MQTT 5: a QoS that the door does not support (3.2.2-12).
    WillQos,
    TooLarge,
    /// The answer is larger than the client takes.
    AnswerTooLarge,
}

/// The properties in the CONNACK of an accepted client (MQTT 5, 3.2.2.3).
#[derive(Debug, Default)]
pub struct Terms {
    pub session_present: bool,
    pub session_expiry_s: Option<u32>,
    pub receive_maximum: u16,
    pub packet_bytes_max: u32,
    pub assigned_client_id: Option<String>,
    pub keep_alive_s: Option<u16>,
}

/// Writes packets of one version, within the client's limits.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    pub version: Version,
    pub problem_info: bool,
    pub packet_bytes_max: usize,
}

/// The codec refuses packets that no caller builds (packet id 0, more than 256 MiB), and writes
/// nothing.
fn written<T, E: std::fmt::Display>(result: Result<T, E>) {
    if let Err(error) = result {
        tracing::error!(%error, "an MQTT packet could not be written");
    }
}

fn refuse5(out: &mut BytesMut, code: v5::ConnectReturnCode) {
    let properties = None;
    let session_present = false;
    written(
        v5::ConnAck {
            session_present,
            code,
            properties,
        }
        .write(out),
    );
}

impl Writer {
    pub fn accept(&self, out: &mut BytesMut, terms: &Terms) -> Result<(), Fault> {
        let start = out.len();
        match self.version {
            Version::V4 => written(
                v4::ConnAck::new(v4::ConnectReturnCode::Success, terms.session_present).write(out),
            ),
            Version::V5 => written(
                v5::ConnAck {
                    session_present: terms.session_present,
                    code: v5::ConnectReturnCode::Success,
                    properties: Some(v5::ConnAckProperties {
                        session_expiry_interval: terms.session_expiry_s,
                        receive_max: Some(terms.receive_maximum),
                        max_qos: Some(1),
                        retain_available: Some(1),
                        max_packet_size: Some(terms.packet_bytes_max),
                        assigned_client_identifier: terms.assigned_client_id.clone(),
                        topic_alias_max: Some(0),
                        reason_string: None,
                        user_properties: Vec::new(),
                        wildcard_subscription_available: Some(1),
                        subscription_identifiers_available: Some(0),
                        shared_subscription_available: Some(0),
                        server_keep_alive: terms.keep_alive_s,
                        response_information: None,
                        server_reference: None,
                        authentication_method: None,
                        authentication_data: None,
                    }),
                }
                .write(out),
            ),
        }
        self.check_size(out, start)
    }

    /// A CONNACK for a CONNECT that breaks the standard; 3.1.1 has none (MQTT 3.1.1, 3.1.4-1).
    pub fn refuse_faulty(out: &mut BytesMut, fault: &Fault) {
        let code = match fault {
            Fault::Malformed(_) => v5::ConnectReturnCode::MalformedPacket,
            _ => v5::ConnectReturnCode::ProtocolError,
        };
        refuse5(out, code);
    }

    pub fn refuse(version: Version, out: &mut BytesMut, refusal: Refusal) {
        match version {
            Version::V4 => {
                use v4::ConnectReturnCode as Code;
                let code = match refusal {
                    Refusal::ClientId => Code::BadClientId,
                    Refusal::BadCredentials => Code::BadUserNamePassword,
                    Refusal::Busy | Refusal::TooOften => Code::ServiceUnavailable,
                    Refusal::NotAuthorized | Refusal::AuthMethod | Refusal::WillTopic => {
                        Code::NotAuthorized
                    }
                    // MQTT 3.1.1 has no code for these: the connection is closed without a CONNACK.
                    Refusal::TooLarge | Refusal::WillQos | Refusal::AnswerTooLarge => return,
                };
                written(v4::ConnAck::new(code, false).write(out));
            }
            Version::V5 => {
                use v5::ConnectReturnCode as Code;
                let code = match refusal {
                    Refusal::ClientId => Code::ClientIdentifierNotValid,
                    Refusal::BadCredentials => Code::BadUserNamePassword,
                    Refusal::NotAuthorized => Code::NotAuthorized,
                    Refusal::AuthMethod => Code::BadAuthenticationMethod,
                    Refusal::Busy => Code::ServerBusy,
                    Refusal::TooOften => Code::ConnectionRateExceeded,
                    Refusal::WillTopic => Code::TopicNameInvalid,
                    Refusal::WillQos => Code::QoSNotSupported,
                    Refusal::TooLarge | Refusal::AnswerTooLarge => Code::PacketTooLarge,
                };
                refuse5(out, code);
            }
        }
    }

    /// CONNACK 0x01, in the form of 3.1.1, for a version that the front door does not support (MQTT
    /// 3.1.1, 3.1.2.2).
    pub fn refuse_version(out: &mut BytesMut) {
        written(v4::ConnAck::new(v4::ConnectReturnCode::RefusedProtocolVersion, false).write(out));
    }

    /// PUBACK for QoS 1, PUBREC for QoS 2.
    pub fn acknowledge(
        &self,
        out: &mut BytesMut,
        qos: Qos,
        pkid: u16,
        reason: Reason,
        text: Option<&str>,
    ) {
        match (qos, self.version) {
            (Qos::AtMostOnce, _) => {}
            (Qos::ExactlyOnce, _) => written(v4::PubRec { pkid }.write(out)),
            (Qos::AtLeastOnce, Version::V4) => written(v4::PubAck { pkid }.write(out)),
            (Qos::AtLeastOnce, Version::V5) => {
                let properties =
                    text.filter(|_| self.problem_info)
                        .map(|text| v5::PubAckProperties {
                            reason_string: Some(shortened(text)),
                            user_properties: Vec::new(),
                        });
                let reason = match reason {
                    Reason::Success => v5::PubAckReason::Success,
                    Reason::NotAuthorized => v5::PubAckReason::NotAuthorized,
                    Reason::QuotaExceeded => v5::PubAckReason::QuotaExceeded,
                    Reason::PayloadFormatInvalid => v5::PubAckReason::PayloadFormatInvalid,
                };
                let mut ack = v5::PubAck {
                    pkid,
                    reason,
                    properties,
                };
                if ack.size() > self.packet_bytes_max {
                    ack.properties = None;
                }
                written(ack.write(out));
            }
        }
    }

    /// PUBCOMP. `known`: the packet id was that of a QoS 2 publish (MQTT 5, 3.7.2-1).
    pub fn complete(&self, out: &mut BytesMut, pkid: u16, known: bool) {
        out.put_u8(0x70);
        if self.version == Version::V5 && !known {
            out.put_u8(3);
            out.put_u16(pkid);
            out.put_u8(PACKET_ID_NOT_FOUND);
        } else {
            out.put_u8(2);
            out.put_u16(pkid);
        }
    }

    pub fn pong(out: &mut BytesMut) {
        written(v4::PingResp.write(out));
    }

    /// Fails if the packet at the end of `out`, from `start` on, is larger than the client's limit
    /// (MQTT 5, 3.1.2-24).
    fn check_size(&self, out: &mut BytesMut, start: usize) -> Result<(), Fault> {
        if out.len() - start > self.packet_bytes_max {
            out.truncate(start);
            return Err(Fault::AnswerTooLarge);
        }
        Ok(())
    }

    pub fn subscribed(
        &self,
        out: &mut BytesMut,
        pkid: u16,
        granted: &[Granted],
    ) -> Result<(), Fault> {
        let start = out.len();
        match self.version {
            Version::V4 => {
                let return_codes = granted
                    .iter()
                    .map(|granted| match granted {
                        Granted::Qos(qos) => v4::SubscribeReasonCode::Success(match qos {
                            Qos::AtMostOnce => rumqttc::mqttbytes::QoS::AtMostOnce,
                            _ => rumqttc::mqttbytes::QoS::AtLeastOnce,
                        }),
                        _ => v4::SubscribeReasonCode::Failure,
                    })
                    .collect();
                written(v4::SubAck::new(pkid, return_codes).write(out));
            }
            Version::V5 => {
                use v5::SubscribeReasonCode as Code;
                let return_codes = granted
                    .iter()
                    .map(|granted| match granted {
                        Granted::Qos(Qos::AtMostOnce) => {
                            Code::Success(rumqttc::v5::mqttbytes::QoS::AtMostOnce)
                        }
                        Granted::Qos(_) => Code::Success(rumqttc::v5::mqttbytes::QoS::AtLeastOnce),
                        Granted::NotAuthorized => Code::NotAuthorized,
                        Granted::FilterInvalid => Code::TopicFilterInvalid,
                        Granted::QuotaExceeded => Code::QuotaExceeded,
                        Granted::SharedNotSupported => Code::SharedSubscriptionsNotSupported,
                    })
                    .collect();
                written(
                    v5::SubAck {
                        pkid,
                        return_codes,
                        properties: None,
                    }
                    .write(out),
                );
            }
        }
        self.check_size(out, start)
    }

    pub fn unsubscribed(
        &self,
        out: &mut BytesMut,
        pkid: u16,
        existed: &[bool],
    ) -> Result<(), Fault> {
        let start = out.len();
        match self.version {
            Version::V4 => written(v4::UnsubAck::new(pkid).write(out)),
            Version::V5 => written(
                v5::UnsubAck {
                    pkid,
                    reasons: existed
                        .iter()
                        .map(|existed| match existed {
                            true => v5::UnsubAckReason::Success,
                            false => v5::UnsubAckReason::NoSubscriptionExisted,
                        })
                        .collect(),
                    properties: None,
                }
                .write(out),
            ),
        }
        self.check_size(out, start)
    }

    /// A message to the device. False: it is larger than the client takes, and was not written
    /// (MQTT 5, 3.1.2-24, -25).
    pub fn publish(&self, out: &mut BytesMut, message: &Sent<'_>) -> bool {
        let expiry = message.expiry_s.map(wire::message_expiry);
        let expiry = expiry.as_ref().map_or(&[][..], |expiry| &expiry[..]);
        let properties = message.properties.len() + expiry.len();
        let id_bytes = message.pkid.map_or(0, |_| 2);
        let mut remaining = 2 + message.topic.len() + id_bytes + message.payload.len();
        if self.version == Version::V5 {
            remaining += length_bytes(properties) + properties;
        }
        if 1 + length_bytes(remaining) + remaining > self.packet_bytes_max {
            return false;
        }
        let Ok(topic_bytes) = u16::try_from(message.topic.len()) else {
            return false;
        };
        let qos = u8::from(message.pkid.is_some()) << 1;
        out.put_u8(0x30 | u8::from(message.dup) << 3 | qos | u8::from(message.retain));
        put_length(out, remaining);
        out.put_u16(topic_bytes);
        out.extend_from_slice(message.topic.as_bytes());
        if let Some(pkid) = message.pkid {
            out.put_u16(pkid);
        }
        if self.version == Version::V5 {
            put_length(out, properties);
            out.extend_from_slice(expiry);
            out.extend_from_slice(message.properties);
        }
        out.extend_from_slice(message.payload);
        true
    }

    /// DISCONNECT with a reason; 3.1.1 has none from the server.
    pub fn disconnect(&self, out: &mut BytesMut, reason: DisconnectReasonCode, text: &str) {
        if self.version == Version::V4 {
            return;
        }
        let text = shortened(text);
        let property = 3 + text.len();
        let remaining = 1 + length_bytes(property) + property;
        let Ok(text_bytes) = u16::try_from(text.len()) else {
            return;
        };
        out.put_u8(0xE0);
        if 1 + length_bytes(remaining) + remaining > self.packet_bytes_max {
            // The reason string is left out if it makes the packet too large (MQTT 5, 3.14.2-3).
            out.put_slice(&[2, reason as u8, 0]);
            return;
        }
        put_length(out, remaining);
        out.put_u8(reason as u8);
        put_length(out, property);
        out.put_u8(REASON_STRING);
        out.put_u16(text_bytes);
        out.put_slice(text.as_bytes());
    }
}

/// A message to a device, as it is written.
#[derive(Debug)]
pub struct Sent<'a> {
    pub topic: &'a str,
    pub payload: &'a [u8],
    /// Encoded MQTT 5 properties, without the message expiry.
    pub properties: &'a [u8],
    pub expiry_s: Option<u32>,
    /// `None`: QoS 0.
    pub pkid: Option<u16>,
    pub dup: bool,
    pub retain: bool,
}

/// How many bytes a variable byte integer takes (MQTT 5, 1.5.5).
fn length_bytes(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

fn put_length(out: &mut BytesMut, value: usize) {
    let mut rest = value;
    while rest >= 0x80 {
        // The lowest seven bits, and the mark that more follow.
        out.put_u8(u8::try_from(rest & 0x7F).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    out.put_u8(u8::try_from(rest).unwrap_or(0));
}

/// Reason strings are for people: the start of a long one will do.
fn shortened(text: &str) -> String {
    text.chars().take(256).collect()
}
