//! AMQP 0-9-1, as RabbitMQ has it: a connection with one channel in confirm mode, and publishes
//! through the default exchange to one quorum queue.
//!
//! The numbers of classes and methods are those of the specification's `amqp0-9-1.xml`; confirms
//! are RabbitMQ's extension.

use std::collections::VecDeque;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Input, Protocol, Slot};

/// The queue that stores the events of the load.
pub const QUEUE: &str = "events";
/// The queue that the MQTT plugin makes for the session of the client `away`.
pub const MQTT_QUEUE: &str = "mqtt-subscription-awayqos1";

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const FRAME_END: u8 = 0xce;

const START: [u16; 2] = [10, 10];
const START_OK: [u16; 2] = [10, 11];
const TUNE: [u16; 2] = [10, 30];
const TUNE_OK: [u16; 2] = [10, 31];
const OPEN: [u16; 2] = [10, 40];
const OPEN_OK: [u16; 2] = [10, 41];
const CHANNEL_OPEN: [u16; 2] = [20, 10];
const CHANNEL_OPEN_OK: [u16; 2] = [20, 11];
const QUEUE_DECLARE: [u16; 2] = [50, 10];
const QUEUE_DECLARE_OK: [u16; 2] = [50, 11];
const PUBLISH: [u16; 2] = [60, 40];
const ACK: [u16; 2] = [60, 80];
const CONFIRM_SELECT: [u16; 2] = [85, 10];
const CONFIRM_SELECT_OK: [u16; 2] = [85, 11];

const PASSIVE: u8 = 1;
const DURABLE: u8 = 2;

struct Frame<'a> {
    kind: u8,
    payload: &'a [u8],
    length: usize,
}

/// The frame at the start of `input`. `None`: it is not whole.
fn frame(input: &[u8]) -> Result<Option<Frame<'_>>> {
    let Some(size) = input.get(3..7) else {
        return Ok(None);
    };
    let size = usize::try_from(u32::from_be_bytes(size.try_into()?))?;
    let Some(payload) = input.get(7..7 + size) else {
        return Ok(None);
    };
    match input.get(7 + size) {
        None => Ok(None),
        Some(&FRAME_END) => Ok(Some(Frame {
            kind: input[0],
            payload,
            length: size + 8,
        })),
        Some(other) => bail!("a frame ends with {other:#04x}"),
    }
}

impl Frame<'_> {
    /// The arguments of a method frame, which must be of this method.
    fn arguments(&self, method: [u16; 2]) -> Result<&[u8]> {
        let found = (self.kind, self.payload.get(..4));
        ensure!(
            found == (METHOD, Some(&id(method))),
            "expected method {method:?}, received {:?} {}",
            self.payload.get(..4),
            String::from_utf8_lossy(self.payload)
        );
        Ok(&self.payload[4..])
    }
}

fn id(method: [u16; 2]) -> [u8; 4] {
    let [[a, b], [c, d]] = method.map(u16::to_be_bytes);
    [a, b, c, d]
}

fn push_frame(kind: u8, channel: u16, payload: &[&[u8]], out: &mut Vec<u8>) {
    let size: usize = payload.iter().map(|part| part.len()).sum();
    let size = u32::try_from(size).expect("frames of this program are short");
    out.push(kind);
    out.extend(channel.to_be_bytes());
    out.extend(size.to_be_bytes());
    for part in payload {
        out.extend(*part);
    }
    out.push(FRAME_END);
}

fn short_text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("names of this program are short");
    [&[length], text.as_bytes()].concat()
}

fn long_text(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("texts of this program are short");
    [&length.to_be_bytes(), text].concat()
}

pub struct Client {
    /// The slots of the publishes that wait, in the order of their delivery tags. `None`: confirmed
    /// before an earlier one.
    waiting: VecDeque<Option<Slot>>,
    /// The delivery tag of the first of them.
    first_tag: u64,
}

impl Client {
    /// Opens a connection and a channel in confirm mode, and makes the queue. Returns also how many
    /// messages the queue has.
    pub async fn open(socket: &mut TcpStream) -> Result<(Self, u64)> {
        Self::open_with(socket, QUEUE, DURABLE).await
    }

    /// How many messages a queue has that exists.
    pub async fn count(mut socket: TcpStream, queue: &str) -> Result<u64> {
        Ok(Self::open_with(&mut socket, queue, PASSIVE).await?.1)
    }

    async fn open_with(socket: &mut TcpStream, queue: &str, flags: u8) -> Result<(Self, u64)> {
        socket.write_all(b"AMQP\x00\x00\x09\x01").await?;
        let mut session = Session {
            socket,
            input: Input::default(),
        };
        session.expect(START).await?;
        let login = [
            // No client properties.
            long_text(b""),
            short_text("PLAIN"),
            long_text(b"\0guest\0guest"),
            short_text("en_US"),
        ];
        session.send(0, START_OK, &login.concat()).await?;
        let limits = session.expect(TUNE).await?;
        let (limits, _heartbeat) = limits.split_at_checked(6).context("TUNE is too short")?;
        // No heartbeat: a connection that waits is no failure here.
        session
            .send(0, TUNE_OK, &[limits, &[0, 0]].concat())
            .await?;
        let host = [short_text("/"), short_text(""), vec![0]];
        session.send(0, OPEN, &host.concat()).await?;
        session.expect(OPEN_OK).await?;
        session.send(1, CHANNEL_OPEN, &short_text("")).await?;
        session.expect(CHANNEL_OPEN_OK).await?;
        let kind = [
            short_text("x-queue-type"),
            b"S".to_vec(),
            long_text(b"quorum"),
        ];
        let declare = [
            vec![0, 0],
            short_text(queue),
            vec![flags],
            long_text(&kind.concat()),
        ];
        session.send(1, QUEUE_DECLARE, &declare.concat()).await?;
        let declared = session.expect(QUEUE_DECLARE_OK).await?;
        let count = declared.get(1 + queue.len()..5 + queue.len());
        let count = count.context("DECLARE-OK is too short")?;
        let count = u32::from_be_bytes(count.try_into()?);
        session.send(1, CONFIRM_SELECT, &[0]).await?;
        session.expect(CONFIRM_SELECT_OK).await?;
        let client = Self {
            waiting: VecDeque::new(),
            first_tag: 1,
        };
        Ok((client, u64::from(count)))
    }

    /// Takes the slots that an ACK confirms.
    fn confirm(&mut self, tag: u64, is_multiple: bool, slots: &mut Vec<Slot>) -> Result<()> {
        let index = tag.checked_sub(self.first_tag).context("an old tag")?;
        let index = usize::try_from(index)?;
        ensure!(index < self.waiting.len(), "an ACK of a later publish");
        let first = if is_multiple { 0 } else { index };
        slots.extend(
            self.waiting
                .range_mut(first..=index)
                .filter_map(Option::take),
        );
        while let Some(None) = self.waiting.front() {
            self.waiting.pop_front();
            self.first_tag += 1;
        }
        Ok(())
    }
}

impl Protocol for Client {
    fn publish(&mut self, slot: Slot, payload: &[u8], out: &mut Vec<u8>) {
        let queue = short_text(QUEUE);
        // Through the default exchange, whose name is empty, by the queue's name.
        let target = [&id(PUBLISH)[..], &[0, 0], &[0], &queue, &[0]];
        push_frame(METHOD, 1, &target, out);
        let size = (payload.len() as u64).to_be_bytes();
        // Class 60, weight 0, the size, one property: the delivery mode, which is persistent.
        push_frame(HEADER, 1, &[&[0, 60, 0, 0], &size, &[0x10, 0], &[2]], out);
        push_frame(BODY, 1, &[payload], out);
        self.waiting.push_back(Some(slot));
    }

    fn read(&mut self, input: &[u8], slots: &mut Vec<Slot>, _: &mut Vec<u8>) -> Result<usize> {
        let mut used = 0;
        while let Some(frame) = frame(&input[used..])? {
            used += frame.length;
            if frame.kind == HEARTBEAT {
                continue;
            }
            let arguments = frame.arguments(ACK)?;
            let tag = arguments.get(..8).context("an ACK is too short")?;
            let is_multiple = arguments.get(8) == Some(&1);
            self.confirm(u64::from_be_bytes(tag.try_into()?), is_multiple, slots)?;
        }
        Ok(used)
    }
}

/// The handshake: one method out, one method in.
struct Session<'a> {
    socket: &'a mut TcpStream,
    input: Input,
}

impl Session<'_> {
    async fn send(&mut self, channel: u16, method: [u16; 2], arguments: &[u8]) -> Result<()> {
        let mut out = Vec::new();
        push_frame(METHOD, channel, &[&id(method), arguments], &mut out);
        Ok(self.socket.write_all(&out).await?)
    }

    /// Waits for this method, and returns its arguments.
    async fn expect(&mut self, method: [u16; 2]) -> Result<Vec<u8>> {
        loop {
            if let Some(frame) = frame(self.input.bytes())? {
                let arguments = frame.arguments(method)?.to_owned();
                let length = frame.length;
                self.input.consume(length);
                return Ok(arguments);
            }
            self.input.fill(self.socket).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(tag: u64, is_multiple: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let arguments = [&id(ACK)[..], &tag.to_be_bytes(), &[u8::from(is_multiple)]];
        push_frame(METHOD, 1, &arguments, &mut out);
        out
    }

    #[test]
    fn an_ack_confirms_one_publish_or_all_up_to_it() {
        let mut client = Client {
            waiting: VecDeque::new(),
            first_tag: 1,
        };
        let mut sent = Vec::new();
        for slot in [5, 6, 7, 8] {
            client.publish(slot, b"abc", &mut sent);
        }
        let (mut slots, mut out) = (Vec::new(), Vec::new());
        let input = [ack(2, false), ack(3, true), ack(4, true)].concat();
        let half = input.len() - 1;
        let used = client.read(&input[..half], &mut slots, &mut out).unwrap();
        assert_eq!(slots, [6, 5, 7]);
        client.read(&input[used..], &mut slots, &mut out).unwrap();
        assert_eq!(slots, [6, 5, 7, 8]);
        assert!(client.read(&ack(4, false), &mut slots, &mut out).is_err());
    }

    #[test]
    fn a_nack_is_an_error() {
        let mut client = Client {
            waiting: VecDeque::from([Some(1)]),
            first_tag: 1,
        };
        let mut nack = ack(1, false);
        // Method 120 of the class.
        nack[10] = 120;
        assert!(
            client
                .read(&nack, &mut Vec::new(), &mut Vec::new())
                .is_err()
        );
    }
}
