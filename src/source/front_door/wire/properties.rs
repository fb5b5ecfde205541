//! The properties of MQTT 5 packets (MQTT 5, 2.2.2): which packet may have which, how often, and
//! with which values.

use super::Fault;
use super::fields::Fields;

/// The place of a property section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Connect,
    Will,
    Publish,
    /// PUBACK and PUBREL.
    Ack,
    Subscribe,
    Unsubscribe,
    Disconnect,
}

/// The properties of a section that the gateway uses. `None`: the client did not set the property.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Properties<'a> {
    /// The section as it is in the packet, without its length.
    pub section: &'a [u8],
    pub session_expiry_s: Option<u32>,
    pub receive_maximum: Option<u16>,
    pub packet_bytes_max: Option<u32>,
    pub problem_info: Option<bool>,
    pub auth_method: bool,
    pub will_delay_s: Option<u32>,
    pub message_expiry_s: Option<u32>,
    pub topic_alias: bool,
    pub subscription_identifier: bool,
}

// The identifiers of the properties that a client may send (MQTT 5, table 2-4).
const PAYLOAD_FORMAT: u8 = 0x01;
const MESSAGE_EXPIRY: u8 = 0x02;
const CONTENT_TYPE: u8 = 0x03;
const RESPONSE_TOPIC: u8 = 0x08;
const CORRELATION_DATA: u8 = 0x09;
const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
const SESSION_EXPIRY: u8 = 0x11;
const AUTH_METHOD: u8 = 0x15;
const AUTH_DATA: u8 = 0x16;
const PROBLEM_INFO: u8 = 0x17;
const WILL_DELAY: u8 = 0x18;
const RESPONSE_INFO: u8 = 0x19;
const REASON_STRING: u8 = 0x1F;
const RECEIVE_MAXIMUM: u8 = 0x21;
const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
const TOPIC_ALIAS: u8 = 0x23;
const USER_PROPERTY: u8 = 0x26;
const PACKET_BYTES_MAX: u8 = 0x27;

impl Section {
    /// MQTT 5, table 2-4. All others are malformed (2.2.2.2).
    fn allows(self, identifier: u8) -> bool {
        match identifier {
            USER_PROPERTY => true,
            PAYLOAD_FORMAT | MESSAGE_EXPIRY | CONTENT_TYPE | RESPONSE_TOPIC | CORRELATION_DATA => {
                matches!(self, Self::Publish | Self::Will)
            }
            SUBSCRIPTION_IDENTIFIER => matches!(self, Self::Publish | Self::Subscribe),
            TOPIC_ALIAS => self == Self::Publish,
            WILL_DELAY => self == Self::Will,
            SESSION_EXPIRY => matches!(self, Self::Connect | Self::Disconnect),
            REASON_STRING => matches!(self, Self::Ack | Self::Disconnect),
            AUTH_METHOD | AUTH_DATA | PROBLEM_INFO | RESPONSE_INFO | RECEIVE_MAXIMUM
            | TOPIC_ALIAS_MAXIMUM | PACKET_BYTES_MAX => self == Self::Connect,
            _ => false,
        }
    }
}

/// Reads a property section with its length. A property that is not allowed here, comes twice or
/// has a value that is not allowed is a fault.
pub fn read<'a>(fields: &mut Fields<'a>, place: Section) -> Result<Properties<'a>, Fault> {
    let length = fields.variable()?;
    let section = fields.bytes(length)?;
    let mut properties = Properties {
        section,
        ..Properties::default()
    };
    let mut fields = Fields::new(section);
    let (mut known, mut auth_data) = (0_u64, false);
    while !fields.is_empty() {
        let identifier = fields.byte()?;
        if !place.allows(identifier) {
            return Err(Fault::Malformed(format!(
                "property 0x{identifier:02X} is not one of this packet"
            )));
        }
        // Every identifier is below 64.
        let bit = 1 << identifier;
        if known & bit != 0 && identifier != USER_PROPERTY {
            return Err(Fault::Protocol("the same property twice"));
        }
        known |= bit;
        auth_data |= identifier == AUTH_DATA;
        properties.read_value(identifier, &mut fields)?;
    }
    if auth_data && !properties.auth_method {
        return Err(Fault::Protocol(
            "Authentication Data without an Authentication Method",
        ));
    }
    if place == Section::Publish && properties.subscription_identifier {
        return Err(Fault::Protocol(
            "a Subscription Identifier in a client's PUBLISH",
        ));
    }
    Ok(properties)
}

impl Properties<'_> {
    fn read_value(&mut self, identifier: u8, fields: &mut Fields<'_>) -> Result<(), Fault> {
        match identifier {
            PAYLOAD_FORMAT => {
                fields.flag("a Payload Format Indicator other than 0 and 1")?;
            }
            RESPONSE_INFO => {
                fields.flag("Request Response Information other than 0 and 1")?;
            }
            PROBLEM_INFO => {
                let wanted = fields.flag("Request Problem Information other than 0 and 1")?;
                self.problem_info = Some(wanted);
            }
            CONTENT_TYPE | REASON_STRING => drop(fields.text()?),
            USER_PROPERTY => drop((fields.text()?, fields.text()?)),
            RESPONSE_TOPIC => drop(fields.topic()?),
            CORRELATION_DATA | AUTH_DATA => drop(fields.binary()?),
            AUTH_METHOD => {
                fields.text()?;
                self.auth_method = true;
            }
            MESSAGE_EXPIRY => self.message_expiry_s = Some(fields.four()?),
            SESSION_EXPIRY => self.session_expiry_s = Some(fields.four()?),
            WILL_DELAY => self.will_delay_s = Some(fields.four()?),
            SUBSCRIPTION_IDENTIFIER => match fields.variable()? {
                0 => return Err(Fault::Protocol("Subscription Identifier 0")),
                _ => self.subscription_identifier = true,
            },
            RECEIVE_MAXIMUM => match fields.two()? {
                0 => return Err(Fault::Protocol("Receive Maximum 0")),
                maximum => self.receive_maximum = Some(maximum),
            },
            TOPIC_ALIAS_MAXIMUM => drop(fields.bytes(2)?),
            TOPIC_ALIAS => {
                fields.two()?;
                self.topic_alias = true;
            }
            // `allows` knows no others but this one.
            _ => match fields.four()? {
                0 => return Err(Fault::Protocol("Maximum Packet Size 0")),
                bytes => self.packet_bytes_max = Some(bytes),
            },
        }
        Ok(())
    }
}

/// The properties that go to each subscriber, as the publisher encoded them (MQTT 5, 3.3.2.3): all
/// but the message expiry, which is counted down, and the delay of a will. `section` is one that
/// [`read`] returned.
pub fn forwarded(section: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(section.len());
    let mut fields = Fields::new(section);
    while !fields.is_empty() {
        let before = fields.rest();
        // The section was checked before: nothing fails here.
        let Ok(identifier) = fields.byte() else { break };
        let mut ignored = Properties::default();
        if ignored.read_value(identifier, &mut fields).is_err() {
            break;
        }
        if !matches!(identifier, MESSAGE_EXPIRY | WILL_DELAY) {
            let length = before.len() - fields.rest().len();
            out.extend_from_slice(&before[..length]);
        }
    }
    out
}

/// The encoded message expiry, which goes before or behind other properties.
pub fn message_expiry(seconds: u32) -> [u8; 5] {
    let [a, b, c, d] = seconds.to_be_bytes();
    [MESSAGE_EXPIRY, a, b, c, d]
}
