//! Reads the fields of MQTT packets strictly (MQTT 3.1.1, 1.5; MQTT 5, 1.5).

use super::Fault;

/// Reads the fields of a packet one after another. Each method fails where the packet ends inside
/// the field.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_empty(self) -> bool {
        self.rest.is_empty()
    }

    /// All bytes that are left.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else {
            return Err(Fault::malformed("the packet ends inside a field"));
        };
        self.rest = rest;
        Ok(head)
    }

    pub fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.bytes(1)?[0])
    }

    /// A byte that is 0 or 1. `name` is the property, for the message.
    pub fn flag(&mut self, name: &'static str) -> Result<bool, Fault> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Fault::Protocol(name)),
        }
    }

    pub fn two(&mut self) -> Result<u16, Fault> {
        let bytes = self.bytes(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub fn four(&mut self) -> Result<u32, Fault> {
        let bytes = self.bytes(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A packet identifier: 0 is none (MQTT 3.1.1, 2.3.1; MQTT 5, 2.2.1).
    pub fn packet_id(&mut self) -> Result<u16, Fault> {
        match self.two()? {
            0 => Err(Fault::malformed("packet id 0")),
            id => Ok(id),
        }
    }

    /// Binary data: a length of two bytes, then so many bytes.
    pub fn binary(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.two()?;
        self.bytes(usize::from(length))
    }

    /// A UTF-8 string without U+0000 (MQTT 3.1.1, 1.5.3; MQTT 5, 1.5.4).
    pub fn text(&mut self) -> Result<&'a str, Fault> {
        let text = std::str::from_utf8(self.binary()?)
            .map_err(|_| Fault::malformed("a text that is not UTF-8"))?;
        if text.contains('\0') {
            return Err(Fault::malformed("a text with U+0000"));
        }
        Ok(text)
    }

    /// A topic name: at least one character, no wildcards (MQTT 3.1.1 and 5, 4.7).
    pub fn topic(&mut self) -> Result<&'a str, Fault> {
        let topic = self.text()?;
        check_topic(topic)?;
        Ok(topic)
    }

    /// A topic filter: at least one character. Its wildcards are checked where it is subscribed to.
    pub fn filter(&mut self) -> Result<&'a str, Fault> {
        match self.text()? {
            "" => Err(Fault::Protocol("an empty topic filter")),
            filter => Ok(filter),
        }
    }

    /// A variable byte integer in its shortest form (MQTT 5, 1.5.5).
    pub fn variable(&mut self) -> Result<usize, Fault> {
        let integer = variable(self.rest)?
            .ok_or_else(|| Fault::malformed("the packet ends inside a field"))?;
        integer.check_shortest()?;
        self.bytes(integer.bytes)?;
        Ok(integer.value)
    }

    /// Fails where bytes are left over.
    pub fn end(self) -> Result<(), Fault> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Fault::malformed("bytes behind the end of the packet"))
        }
    }
}

/// Fails where a text is not a topic name (MQTT 3.1.1 and 5, 4.7).
pub fn check_topic(topic: &str) -> Result<(), Fault> {
    if topic.is_empty() {
        return Err(Fault::Protocol("an empty topic"));
    }
    if topic.contains(['+', '#']) {
        return Err(Fault::Protocol("a topic name with a wildcard"));
    }
    Ok(())
}

/// A variable byte integer, and how many bytes it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    pub bytes: usize,
    pub value: usize,
}

impl Variable {
    /// MQTT 5, 1.5.5: no byte more than necessary. MQTT 3.1.1 does not ask for that.
    pub fn check_shortest(self) -> Result<(), Fault> {
        if self.bytes > 1 && self.value < 1 << (7 * (self.bytes - 1)) {
            return Err(Fault::malformed("a length in more bytes than it needs"));
        }
        Ok(())
    }
}

/// Reads the variable byte integer at the start of `bytes`. `None`: it is incomplete.
pub fn variable(bytes: &[u8]) -> Result<Option<Variable>, Fault> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let bytes = index + 1;
            return Ok(Some(Variable { bytes, value }));
        }
    }
    if bytes.len() < 4 {
        Ok(None)
    } else {
        Err(Fault::malformed("a length of more than four bytes"))
    }
}
