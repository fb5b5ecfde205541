//! The first packet: CONNECT, in both versions' words.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;
use secrecy::SecretString;

use super::wire::{Fault, Version, frame, variable};

/// What a client says of itself. The password does not show in `Debug`.
#[derive(Debug)]
pub struct Connect {
    pub version: Version,
    pub client_id: String,
    pub clean: bool,
    pub keep_alive_s: u16,
    pub will: Option<Will>,
    pub login: Option<Login>,
    /// How long the session lives after the connection, in seconds; none for 3.1.1.
    pub session_expiry_s: Option<u32>,
    /// QoS 1 messages that the client takes at once.
    pub receive_maximum: u16,
    /// The largest packet that the client takes, in bytes.
    pub packet_bytes_max: usize,
    /// Reason strings are welcome (MQTT 5, 3.1.2.11.7).
    pub problem_info: bool,
    pub auth_method: bool,
}

#[derive(Debug)]
pub struct Login {
    pub username: String,
    pub password: SecretString,
}

/// The last will: what the door publishes when the connection ends without a DISCONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    pub topic: Bytes,
    pub payload: Bytes,
    pub delay_s: u32,
}

/// What the first packet turned out to be.
#[derive(Debug)]
pub enum First {
    Connect(Box<Connect>),
    /// A version this door does not speak: answered with CONNACK 0x01.
    OtherVersion,
}

/// Takes the CONNECT off the buffer, once all of it is there.
pub fn read(buffer: &mut BytesMut, packet_bytes_max: usize) -> Result<Option<First>, Fault> {
    if buffer.first().is_some_and(|first| *first != 0x10) {
        return Err(Fault::Protocol("the first packet is not a CONNECT"));
    }
    let Some(length) = frame(buffer, packet_bytes_max)? else {
        return Ok(None);
    };
    let mut frame = buffer.split_to(length);
    let connect = match spoken(&frame).ok_or_else(|| Fault::malformed("CONNECT"))? {
        Spoken::Other => return Ok(Some(First::OtherVersion)),
        Spoken::V4 => read_v4(&mut frame)?,
        Spoken::V5 => read_v5(&mut frame)?,
    };
    Ok(Some(First::Connect(Box::new(connect))))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoken {
    V4,
    V5,
    Other,
}

/// The version that the CONNECT names; `None` where it is no CONNECT at all.
/// Looks at the flags as well, which the codec does not (MQTT 3.1.1, 3.1.2.3; MQTT 5, 3.1.2.3).
fn spoken(frame: &[u8]) -> Option<Spoken> {
    let body = frame.get(1 + variable(frame.get(1..)?)?.0..)?;
    let name_bytes = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
    let name = body.get(2..2 + name_bytes)?;
    let level = *body.get(2 + name_bytes)?;
    let flags = *body.get(3 + name_bytes)?;
    let version = match (name, level) {
        (b"MQTT", 4) => Spoken::V4,
        (b"MQTT", 5) => Spoken::V5,
        (b"MQTT" | b"MQIsdp", _) => return Some(Spoken::Other),
        _ => return None,
    };
    let password_alone = flags & 0b1100_0000 == 0b0100_0000;
    if flags & 1 != 0 || (version == Spoken::V4 && password_alone) {
        return None;
    }
    Some(version)
}

fn read_v4(frame: &mut BytesMut) -> Result<Connect, Fault> {
    let packet = v4::Packet::read(frame, usize::MAX);
    let Ok(v4::Packet::Connect(connect)) = packet else {
        return Err(Fault::malformed("CONNECT"));
    };
    Ok(Connect {
        version: Version::V4,
        client_id: client_id(connect.client_id)?,
        clean: connect.clean_session,
        keep_alive_s: connect.keep_alive,
        will: connect.last_will.map(|will| Will {
            topic: will.topic.into(),
            payload: will.message,
            delay_s: 0,
        }),
        login: connect.login.map(|login| Login {
            username: login.username,
            password: login.password.into(),
        }),
        session_expiry_s: None,
        receive_maximum: u16::MAX,
        packet_bytes_max: usize::MAX,
        problem_info: false,
        auth_method: false,
    })
}

fn read_v5(frame: &mut BytesMut) -> Result<Connect, Fault> {
    let packet = v5::Packet::read(frame, None);
    let Ok(v5::Packet::Connect(connect, will, login)) = packet else {
        return Err(Fault::malformed("CONNECT"));
    };
    let properties = connect.properties.unwrap_or_default();
    if properties.receive_maximum == Some(0) {
        return Err(Fault::Protocol("Receive Maximum 0"));
    }
    if properties.max_packet_size == Some(0) {
        return Err(Fault::Protocol("Maximum Packet Size 0"));
    }
    Ok(Connect {
        version: Version::V5,
        client_id: client_id(connect.client_id)?,
        clean: connect.clean_start,
        keep_alive_s: connect.keep_alive,
        will: will.map(|will| Will {
            topic: will.topic,
            payload: will.message,
            delay_s: will.properties.and_then(|p| p.delay_interval).unwrap_or(0),
        }),
        login: login.map(|login| Login {
            username: login.username,
            password: login.password.into(),
        }),
        session_expiry_s: Some(properties.session_expiry_interval.unwrap_or(0)),
        receive_maximum: properties.receive_maximum.unwrap_or(u16::MAX),
        packet_bytes_max: properties
            .max_packet_size
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(usize::MAX),
        problem_info: properties.request_problem_info != Some(0),
        auth_method: properties.authentication_method.is_some(),
    })
}

/// U+0000 may stand in no MQTT string (MQTT 3.1.1, 1.5.3); the codec lets it through.
fn client_id(id: String) -> Result<String, Fault> {
    if id.contains('\0') {
        return Err(Fault::malformed("client id with U+0000"));
    }
    Ok(id)
}
