//! What the door sends: one vocabulary, written with rumqttc's codec for the client's version.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5::{self, DisconnectReasonCode};

use super::wire::{Qos, Version};

/// How a publish ended, beyond the plain acknowledgement (MQTT 5, 3.4.2.1). 3.1.1 has no word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Success,
    NotAuthorized,
    QuotaExceeded,
    PayloadFormatInvalid,
}

/// What became of one filter of a SUBSCRIBE.
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
    TooLarge,
}

/// What an accepted client is told (MQTT 5, 3.2.2.3).
#[derive(Debug, Default)]
pub struct Terms {
    pub session_present: bool,
    pub session_expiry_s: Option<u32>,
    pub receive_maximum: u16,
    pub packet_bytes_max: u32,
    pub assigned_client_id: Option<String>,
    pub keep_alive_s: Option<u16>,
}

/// Writes packets of one version, within what the client said it takes.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    pub version: Version,
    pub problem_info: bool,
    pub packet_bytes_max: usize,
}

/// The codec refuses what no caller makes (packet id 0, more than 256 MiB): nothing is written then.
fn written<T, E: std::fmt::Display>(result: Result<T, E>) {
    if let Err(error) = result {
        tracing::error!(%error, "an MQTT packet could not be written");
    }
}

impl Writer {
    pub fn accept(&self, out: &mut BytesMut, terms: Terms) {
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
                        assigned_client_identifier: terms.assigned_client_id,
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
                    // MQTT 3.1.1 has no code for it: the connection is closed without a CONNACK.
                    Refusal::TooLarge => return,
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
                    Refusal::TooLarge => Code::PacketTooLarge,
                };
                written(
                    v5::ConnAck {
                        session_present: false,
                        code,
                        properties: None,
                    }
                    .write(out),
                );
            }
        }
    }

    /// CONNACK 0x01, in the form of 3.1.1, for a version that is not spoken here (MQTT 3.1.1, 3.1.2.2).
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

    pub fn complete(out: &mut BytesMut, pkid: u16) {
        written(v4::PubComp { pkid }.write(out));
    }

    pub fn pong(out: &mut BytesMut) {
        written(v4::PingResp.write(out));
    }

    pub fn subscribed(&self, out: &mut BytesMut, pkid: u16, granted: &[Granted]) {
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
    }

    pub fn unsubscribed(&self, out: &mut BytesMut, pkid: u16, existed: &[bool]) {
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
    }

    /// A message to the device. False: it is larger than the client takes, and was not written (MQTT 5, 3.1.2.11.4).
    pub fn publish(&self, out: &mut BytesMut, message: &Sent<'_>) -> bool {
        // Head, topic and its length, packet id, no properties.
        let bytes = 5 + 2 + message.topic.len() + 2 + 1 + message.payload.len();
        if bytes > self.packet_bytes_max {
            return false;
        }
        match self.version {
            Version::V4 => written(
                v4::Publish {
                    dup: message.dup,
                    qos: match message.pkid {
                        None => rumqttc::mqttbytes::QoS::AtMostOnce,
                        Some(_) => rumqttc::mqttbytes::QoS::AtLeastOnce,
                    },
                    retain: message.retain,
                    topic: message.topic.to_owned(),
                    pkid: message.pkid.unwrap_or(0),
                    payload: message.payload.clone(),
                }
                .write(out),
            ),
            Version::V5 => written(
                v5::Publish {
                    dup: message.dup,
                    qos: match message.pkid {
                        None => rumqttc::v5::mqttbytes::QoS::AtMostOnce,
                        Some(_) => rumqttc::v5::mqttbytes::QoS::AtLeastOnce,
                    },
                    retain: message.retain,
                    topic: Bytes::copy_from_slice(message.topic.as_bytes()),
                    pkid: message.pkid.unwrap_or(0),
                    payload: message.payload.clone(),
                    properties: None,
                }
                .write(out),
            ),
        }
        true
    }

    /// DISCONNECT with a reason; 3.1.1 has none from the server.
    pub fn disconnect(&self, out: &mut BytesMut, reason: DisconnectReasonCode, text: &str) {
        if self.version == Version::V5 {
            let properties = v5::DisconnectProperties {
                session_expiry_interval: None,
                reason_string: Some(shortened(text)),
                user_properties: Vec::new(),
                server_reference: None,
            };
            written(
                v5::Packet::Disconnect(v5::Disconnect {
                    reason_code: reason,
                    properties: Some(properties),
                })
                .write(out, None),
            );
        }
    }
}

/// A message to a device, as it is written.
#[derive(Debug)]
pub struct Sent<'a> {
    pub topic: &'a str,
    pub payload: &'a Bytes,
    /// None for QoS 0.
    pub pkid: Option<u16>,
    pub dup: bool,
    pub retain: bool,
}

/// Reason strings are for people: the start of a long one will do.
fn shortened(text: &str) -> String {
    text.chars().take(256).collect()
}
