//! An MQTT client made of bytes.

use super::{Door, PATIENCE, PREFIX, event};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// One packet as received: the first byte, and the bytes after the length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub first: u8,
    pub body: Vec<u8>,
}

impl Packet {
    pub fn pkid(&self) -> u16 {
        u16::from_be_bytes([self.body[0], self.body[1]])
    }

    /// Topic, packet id, payload of a PUBLISH.
    pub fn publish(&self, v5: bool) -> (String, u16, String) {
        assert_eq!(self.first >> 4, 3, "{self:?}");
        let topic = usize::from(u16::from_be_bytes([self.body[0], self.body[1]]));
        let name = String::from_utf8(self.body[2..2 + topic].to_vec()).unwrap();
        let mut at = 2 + topic;
        let mut pkid = 0;
        if self.first & 6 != 0 {
            pkid = u16::from_be_bytes([self.body[at], self.body[at + 1]]);
            at += 2;
        }
        if v5 {
            at += 1 + usize::from(self.body[at]);
        }
        (
            name,
            pkid,
            String::from_utf8(self.body[at..].to_vec()).unwrap(),
        )
    }
}

/// A client made of bytes: it does what well-behaved ones do not.
pub struct Raw {
    pub stream: TcpStream,
    pub v5: bool,
}

pub struct Hello<'a> {
    pub v5: bool,
    pub client_id: &'a str,
    pub clean: bool,
    pub keep_alive: u16,
    pub will: Option<(&'a str, &'a str)>,
    pub login: Option<(&'a str, &'a str)>,
    pub properties: &'a [u8],
}

impl Default for Hello<'_> {
    fn default() -> Self {
        Self {
            v5: false,
            client_id: "pda-1",
            clean: true,
            keep_alive: 60,
            will: None,
            login: None,
            properties: &[],
        }
    }
}

pub fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    out.extend(text.as_bytes());
}

pub fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut left = body.len();
    loop {
        let byte = u8::try_from(left % 128).unwrap();
        left /= 128;
        out.push(if left > 0 { byte | 128 } else { byte });
        if left == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

impl Hello<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        text(&mut body, "MQTT");
        body.push(if self.v5 { 5 } else { 4 });
        let mut flags = u8::from(self.clean) << 1;
        flags |= if self.will.is_some() { 0b0010_1100 } else { 0 };
        flags |= if self.login.is_some() { 0b1100_0000 } else { 0 };
        body.push(flags);
        body.extend(self.keep_alive.to_be_bytes());
        if self.v5 {
            body.push(u8::try_from(self.properties.len()).unwrap());
            body.extend(self.properties);
        }
        text(&mut body, self.client_id);
        if let Some((topic, payload)) = self.will {
            if self.v5 {
                body.push(0);
            }
            text(&mut body, topic);
            text(&mut body, payload);
        }
        if let Some((username, password)) = self.login {
            text(&mut body, username);
            text(&mut body, password);
        }
        framed(0x10, &body)
    }
}

impl Raw {
    /// Connects, sends CONNECT, and answers with the CONNACK.
    pub async fn hello(door: &Door, hello: Hello<'_>) -> (Self, Packet) {
        let mut raw = Self::plain(door, hello.v5).await;
        raw.send(&hello.bytes()).await;
        let connack = raw.packet().await;
        assert_eq!(connack.first, 0x20, "{connack:?}");
        (raw, connack)
    }

    /// A client that was admitted.
    pub async fn connect(door: &Door, hello: Hello<'_>) -> Self {
        let (raw, connack) = Self::hello(door, hello).await;
        assert_eq!(connack.body[1], 0, "refused: {connack:?}");
        raw
    }

    pub async fn v4(door: &Door) -> Self {
        Self::connect(door, Hello::default()).await
    }

    pub async fn v5(door: &Door) -> Self {
        let hello = Hello {
            v5: true,
            ..Hello::default()
        };
        Self::connect(door, hello).await
    }

    pub async fn plain(door: &Door, v5: bool) -> Self {
        let stream = TcpStream::connect(door.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, v5 }
    }

    /// From another address of this machine: 127.0.0.`last`.
    pub async fn plain_from(door: &Door, last: u8, v5: bool) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        let own = SocketAddr::from(([127, 0, 0, last], 0));
        socket.bind(own).unwrap();
        let stream = socket.connect(door.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, v5 }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Without minding that the other side may have closed.
    pub async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The next packet, or `None` when the door has closed the connection.
    pub async fn next(&mut self) -> Option<Packet> {
        tokio::time::timeout(PATIENCE, self.read())
            .await
            .expect("nothing came in time")
    }

    pub async fn packet(&mut self) -> Packet {
        self.next().await.expect("the connection was closed")
    }

    pub async fn closed(&mut self) {
        assert_eq!(self.next().await, None);
    }

    pub async fn read(&mut self) -> Option<Packet> {
        let first = self.stream.read_u8().await.ok()?;
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.stream.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(Packet { first, body })
    }

    pub fn publish_bytes(&self, first: u8, topic: &str, pkid: u16, payload: &str) -> Vec<u8> {
        let mut body = Vec::new();
        text(&mut body, topic);
        if first & 6 != 0 {
            body.extend(pkid.to_be_bytes());
        }
        if self.v5 {
            body.push(0);
        }
        body.extend(payload.as_bytes());
        framed(first, &body)
    }

    /// A QoS 1 event of pda-1.
    pub async fn event(&mut self, pkid: u16, id: &str) {
        let bytes = self.publish_bytes(0x32, &format!("{PREFIX}event"), pkid, &event(id));
        self.send(&bytes).await;
    }

    pub async fn publish(&mut self, channel: &str, pkid: u16, payload: &str) {
        let bytes = self.publish_bytes(0x32, &format!("{PREFIX}{channel}"), pkid, payload);
        self.send(&bytes).await;
    }

    /// Subscribes, and answers with the reason codes.
    pub async fn subscribe(&mut self, filters: &[&str], options: u8) -> Vec<u8> {
        let mut body = 7_u16.to_be_bytes().to_vec();
        if self.v5 {
            body.push(0);
        }
        for filter in filters {
            text(&mut body, filter);
            body.push(options);
        }
        self.send(&framed(0x82, &body)).await;
        let suback = self.packet().await;
        assert_eq!((suback.first, suback.pkid()), (0x90, 7), "{suback:?}");
        suback.body[if self.v5 { 3 } else { 2 }..].to_vec()
    }

    pub async fn subscribe_to(&mut self, channel: &str) {
        let codes = self.subscribe(&[&format!("{PREFIX}{channel}")], 1).await;
        assert_eq!(codes, [1]);
    }

    /// The next packet has to be a PUBACK of this id.
    pub async fn acked(&mut self, pkid: u16) {
        let ack = self.packet().await;
        assert_eq!((ack.first, ack.pkid()), (0x40, pkid), "{ack:?}");
        assert!(ack.body.len() == 2 || ack.body[2] == 0, "{ack:?}");
    }

    /// A PUBACK with this MQTT 5 reason code; answers with its reason string.
    pub async fn nacked(&mut self, pkid: u16, code: u8) -> String {
        let ack = self.packet().await;
        assert_eq!(
            (ack.first, ack.pkid(), ack.body[2]),
            (0x40, pkid, code),
            "{ack:?}"
        );
        String::from_utf8_lossy(ack.body.get(7..).unwrap_or_default()).into_owned()
    }

    /// Nothing is on its way: what was sent before a PINGREQ has been looked at when the PINGRESP
    /// comes.
    pub async fn quiet(&mut self) {
        self.send(&[0xC0, 0]).await;
        let next = self.packet().await;
        assert_eq!(next.first, 0xD0, "something came: {next:?}");
    }

    /// The next PUBLISH to us; it is acknowledged if `ack`.
    pub async fn message(&mut self, ack: bool) -> (u8, String, String) {
        let packet = self.packet().await;
        let (topic, pkid, payload) = packet.publish(self.v5);
        if ack && pkid != 0 {
            self.puback(pkid).await;
        }
        let channel = topic
            .strip_prefix(PREFIX)
            .expect("our own topic")
            .to_owned();
        (packet.first, channel, payload)
    }

    pub async fn puback(&mut self, pkid: u16) {
        let [high, low] = pkid.to_be_bytes();
        self.send(&[0x40, 2, high, low]).await;
    }

    /// The reason of the DISCONNECT (MQTT 5) that has to come, and then the end.
    pub async fn disconnected(&mut self, code: u8) {
        let packet = self.packet().await;
        assert_eq!((packet.first, packet.body[0]), (0xE0, code), "{packet:?}");
        self.closed().await;
    }

    pub async fn leave(mut self) {
        self.send(&[0xE0, 0]).await;
        self.closed().await;
    }
}
