//! Parses CONNECT, the first packet of a client, in both versions of MQTT.

use bytes::{Bytes, BytesMut};
use secrecy::SecretSlice;

use super::wire::{self, Fault, Fields, Qos, Section, Version};

/// The content of a CONNECT. `Debug` does not show the password.
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
    /// Bytes, not a text (MQTT 3.1.1, 3.1.3.5; MQTT 5, 3.1.3.6). Empty: no password.
    pub password: SecretSlice<u8>,
}

/// The last will: what the door publishes when the connection ends without a DISCONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    pub topic: String,
    pub payload: Bytes,
    pub qos: Qos,
    pub retain: bool,
    pub delay_s: u32,
    /// The MQTT 5 properties that go to the subscribers, encoded.
    pub properties: Bytes,
    pub message_expiry_s: Option<u32>,
}

/// The result of parsing the first packet.
#[derive(Debug)]
pub enum First {
    Connect(Box<Connect>),
    /// A version this door does not speak: answered with CONNACK 0x01.
    OtherVersion,
    /// An MQTT 5 CONNECT that breaks the standard: answered with a CONNACK that says how (MQTT 5,
    /// 3.1.4).
    Faulty(Fault),
}

/// Removes the CONNECT from the buffer after all of it has come.
pub fn read(buffer: &mut BytesMut, packet_bytes_max: usize) -> Result<Option<First>, Fault> {
    if buffer.first().is_some_and(|first| *first != 0x10) {
        return Err(Fault::Protocol("the first packet is not a CONNECT"));
    }
    let Some(head) = wire::head(buffer, packet_bytes_max)? else {
        return Ok(None);
    };
    let body = head.take(buffer);
    let mut fields = Fields::new(&body);
    let version = match (fields.binary()?, fields.byte()?) {
        (b"MQTT", 4) => Version::V4,
        (b"MQTT", 5) => Version::V5,
        (b"MQTT" | b"MQIsdp", _) => return Ok(Some(First::OtherVersion)),
        _ => return Err(Fault::malformed("CONNECT without the name of the protocol")),
    };
    let connect = match version {
        Version::V4 => read_body(fields, version)?,
        Version::V5 => match head
            .remaining
            .check_shortest()
            .and_then(|()| read_body(fields, version))
        {
            Ok(connect) => connect,
            Err(fault) => return Ok(Some(First::Faulty(fault))),
        },
    };
    Ok(Some(First::Connect(Box::new(connect))))
}

/// The connect flags (MQTT 3.1.1, 3.1.2.3; MQTT 5, 3.1.2.3).
#[derive(Debug, Clone, Copy)]
struct Flags(u8);

impl Flags {
    const CLEAN: u8 = 0b0000_0010;
    const WILL: u8 = 0b0000_0100;
    const WILL_QOS: u8 = 0b0001_1000;
    const WILL_RETAIN: u8 = 0b0010_0000;
    const PASSWORD: u8 = 0b0100_0000;
    const USERNAME: u8 = 0b1000_0000;

    fn read(fields: &mut Fields<'_>, version: Version) -> Result<Self, Fault> {
        let flags = Self(fields.byte()?);
        if flags.has(1) {
            return Err(Fault::malformed("the reserved connect flag"));
        }
        if !flags.has(Self::WILL) && flags.has(Self::WILL_QOS | Self::WILL_RETAIN) {
            return Err(Fault::malformed("connect flags of a will without a will"));
        }
        if version == Version::V4 && flags.has(Self::PASSWORD) && !flags.has(Self::USERNAME) {
            return Err(Fault::malformed("a password without a user name"));
        }
        flags.will_qos()?;
        Ok(flags)
    }

    fn has(self, bits: u8) -> bool {
        self.0 & bits != 0
    }

    fn will_qos(self) -> Result<Qos, Fault> {
        wire::qos((self.0 & Self::WILL_QOS) >> 3)
    }
}

/// All behind the protocol level.
fn read_body(mut fields: Fields<'_>, version: Version) -> Result<Connect, Fault> {
    let flags = Flags::read(&mut fields, version)?;
    let keep_alive_s = fields.two()?;
    let properties = wire::section(&mut fields, version, Section::Connect)?;
    let client_id = fields.text()?.to_owned();
    let will = if flags.has(Flags::WILL) {
        Some(read_will(&mut fields, version, flags)?)
    } else {
        None
    };
    let login = read_login(&mut fields, flags)?;
    fields.end()?;
    Ok(Connect {
        version,
        client_id,
        clean: flags.has(Flags::CLEAN),
        keep_alive_s,
        will,
        login,
        session_expiry_s: match version {
            Version::V4 => None,
            Version::V5 => Some(properties.session_expiry_s.unwrap_or(0)),
        },
        receive_maximum: properties.receive_maximum.unwrap_or(u16::MAX),
        packet_bytes_max: properties
            .packet_bytes_max
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(usize::MAX),
        problem_info: version == Version::V5 && properties.problem_info != Some(false),
        auth_method: properties.auth_method,
    })
}

fn read_will(fields: &mut Fields<'_>, version: Version, flags: Flags) -> Result<Will, Fault> {
    let properties = wire::section(fields, version, Section::Will)?;
    let topic = fields.topic()?.to_owned();
    Ok(Will {
        topic,
        // Memory of its own: it stays as long as the connection does.
        payload: Bytes::copy_from_slice(fields.binary()?),
        qos: flags.will_qos()?,
        retain: flags.has(Flags::WILL_RETAIN),
        delay_s: properties.will_delay_s.unwrap_or(0),
        properties: wire::forwarded(properties.section).into(),
        message_expiry_s: properties.message_expiry_s,
    })
}

/// MQTT 5 allows a password without a user name, both a user name without a password.
fn read_login(fields: &mut Fields<'_>, flags: Flags) -> Result<Option<Login>, Fault> {
    if !flags.has(Flags::USERNAME | Flags::PASSWORD) {
        return Ok(None);
    }
    let username = if flags.has(Flags::USERNAME) {
        fields.text()?.to_owned()
    } else {
        String::new()
    };
    let password = if flags.has(Flags::PASSWORD) {
        fields.binary()?.to_vec()
    } else {
        Vec::new()
    };
    Ok(Some(Login {
        username,
        password: password.into(),
    }))
}
