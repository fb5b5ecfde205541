//! MQTT 3.1.1: CONNECT, PUBLISH at QoS 1, PUBACK, SUBSCRIBE. The acceptor before SQLite reads
//! packets with the same functions.

use anyhow::{Result, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Input, Protocol, Slot};

pub const CONNECT: u8 = 0x10;
pub const CONNACK: u8 = 0x20;
/// PUBLISH at QoS 1, neither retained nor a repeat.
pub const PUBLISH: u8 = 0x32;
pub const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const PUBLISH_QOS_0: u8 = 0x30;
const RETAIN: u8 = 0x01;
const CLEAN_SESSION: u8 = 0x02;

/// A packet: its first byte, what follows the length, and the bytes that the whole packet has.
pub struct Packet<'a> {
    pub kind: u8,
    pub body: &'a [u8],
    pub length: usize,
}

/// The packet at the start of `input`. `None`: it is not whole.
pub fn packet(input: &[u8]) -> Result<Option<Packet<'_>>> {
    let mut size = 0;
    for (index, byte) in input.iter().skip(1).enumerate() {
        ensure!(index < 4, "a packet has a length of more than four bytes");
        size |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let start = 2 + index;
            let body = input.get(start..start + size);
            return Ok(body.map(|body| Packet {
                kind: input[0],
                body,
                length: start + size,
            }));
        }
    }
    Ok(None)
}

fn push_packet(kind: u8, body: &[&[u8]], out: &mut Vec<u8>) {
    out.push(kind);
    let mut left: usize = body.iter().map(|part| part.len()).sum();
    loop {
        let low = u8::try_from(left % 128).expect("less than 128");
        left /= 128;
        out.push(if left > 0 { low | 0x80 } else { low });
        if left == 0 {
            break;
        }
    }
    for part in body {
        out.extend(*part);
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("names of this program are short");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

pub struct Client {
    topic: Vec<u8>,
}

impl Client {
    /// Connects with a clean session.
    pub async fn open(socket: &mut TcpStream, device: &str) -> Result<Self> {
        shake(socket, device, CLEAN_SESSION).await?;
        // Where stockrelay expects the events of this device; the others take any topic.
        let topic = text(&format!("stockrelay/v1/bench/{device}/event"));
        Ok(Self { topic })
    }
}

impl Protocol for Client {
    fn publish(&mut self, slot: Slot, payload: &[u8], out: &mut Vec<u8>) {
        push_packet(PUBLISH, &[&self.topic, &slot.to_be_bytes(), payload], out);
    }

    fn read(&mut self, input: &[u8], slots: &mut Vec<Slot>, _: &mut Vec<u8>) -> Result<usize> {
        let mut used = 0;
        while let Some(packet) = packet(&input[used..])? {
            used += packet.length;
            let body = <[u8; 2]>::try_from(packet.body);
            let (PUBACK, Ok(id)) = (packet.kind, body) else {
                anyhow::bail!("expected a PUBACK, received {:#04x}", packet.kind);
            };
            slots.push(Slot::from_be_bytes(id));
        }
        Ok(used)
    }
}

/// Makes a persistent session that wants all events, and leaves it.
///
/// A broker stores an event only for a session that is to receive it. This one never comes back, as
/// an Odoo that is away.
pub async fn subscribe_and_leave(mut socket: TcpStream) -> Result<()> {
    shake(&mut socket, "away", 0).await?;
    subscribe(&mut socket, "stockrelay/v1/bench/+/event", 1).await?;
    // DISCONNECT: without it the session would end as a failure.
    socket.write_all(&[0xe0, 0]).await?;
    Ok(())
}

/// The payload of the retained message of a topic.
pub async fn retained(mut socket: TcpStream, topic: &str) -> Result<Vec<u8>> {
    shake(&mut socket, "look", CLEAN_SESSION).await?;
    let mut input = subscribe(&mut socket, topic, 0).await?;
    loop {
        if let Some(packet) = packet(input.bytes())? {
            ensure!(
                packet.kind | RETAIN == PUBLISH_QOS_0 | RETAIN,
                "expected a PUBLISH, received {:#04x}",
                packet.kind
            );
            let payload = packet.body.get(2 + topic.len()..).unwrap_or_default();
            return Ok(payload.to_owned());
        }
        input.fill(&mut socket).await?;
    }
}

async fn shake(socket: &mut TcpStream, name: &str, flags: u8) -> Result<()> {
    let mut out = Vec::new();
    // Protocol level 4; a keep-alive of 0 asks for none.
    push_packet(
        CONNECT,
        &[&text("MQTT"), &[4, flags, 0, 0], &text(name)],
        &mut out,
    );
    socket.write_all(&out).await?;
    let mut input = Input::default();
    loop {
        if let Some(packet) = packet(input.bytes())? {
            let is_accepted = packet.kind == CONNACK && packet.body.get(1) == Some(&0);
            ensure!(is_accepted, "CONNACK is {:?}", input.bytes());
            return Ok(());
        }
        input.fill(socket).await?;
    }
}

/// Subscribes and waits for the SUBACK; returns what was received after it.
async fn subscribe(socket: &mut TcpStream, filter: &str, qos: u8) -> Result<Input> {
    let mut out = Vec::new();
    push_packet(SUBSCRIBE, &[&[0, 1], &text(filter), &[qos]], &mut out);
    socket.write_all(&out).await?;
    let mut input = Input::default();
    loop {
        if let Some(packet) = packet(input.bytes())? {
            let is_granted = packet.kind == SUBACK && packet.body == [0, 1, qos];
            ensure!(is_granted, "SUBACK is {:?}", input.bytes());
            let length = packet.length;
            input.consume(length);
            return Ok(input);
        }
        input.fill(socket).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_is_read_as_it_was_written() {
        let mut client = Client { topic: text("a/b") };
        let mut out = Vec::new();
        client.publish(7, &[b'x'; 200], &mut out);
        for end in 0..out.len() {
            assert!(packet(&out[..end]).unwrap().is_none());
        }
        let packet = packet(&out).unwrap().unwrap();
        assert_eq!((packet.kind, packet.length), (PUBLISH, out.len()));
        assert_eq!(packet.body[..7], [0, 3, b'a', b'/', b'b', 0, 7]);
        assert_eq!(packet.body[7..], [b'x'; 200]);
    }

    #[test]
    fn pubacks_name_their_slots_and_half_a_puback_waits() {
        let mut client = Client { topic: Vec::new() };
        let input = [0x40, 2, 0, 3, 0x40, 2, 1, 0, 0x40, 2];
        let (mut slots, mut out) = (Vec::new(), Vec::new());
        assert_eq!(client.read(&input, &mut slots, &mut out).unwrap(), 8);
        assert_eq!(slots, [3, 256]);
        assert!(client.read(&[0xd0, 0], &mut slots, &mut out).is_err());
    }
}
