//! What must not go over from one connection into the next, against a broker that follows a script.

use std::sync::atomic::Ordering;

use bytes::{BufMut as _, BytesMut};
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode,
};
use stockrelay::channel::Outbound;
use stockrelay::event::Name;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::rig::{Gateway, Journal, config, until};

const PACKET_BYTES_MAX: usize = 1 << 20;

struct Script {
    listener: TcpListener,
}

struct Connection {
    stream: TcpStream,
    read: BytesMut,
}

impl Script {
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("mqtt://{}", listener.local_addr().unwrap());
        (Self { listener }, url)
    }

    /// Takes a connection and answers that there is a session, or that there is none.
    async fn accept(&self, session_present: bool) -> Connection {
        let (stream, _) = self.listener.accept().await.unwrap();
        let read = BytesMut::new();
        let mut connection = Connection { stream, read };
        let Some(Packet::Connect(connect)) = connection.read().await else {
            panic!("no CONNECT");
        };
        assert!(!connect.clean_session);
        let connack = ConnAck::new(ConnectReturnCode::Success, session_present);
        connection.write(&[Packet::ConnAck(connack)], &[]).await;
        connection
    }
}

impl Connection {
    async fn read(&mut self) -> Option<Packet> {
        loop {
            if let Ok(packet) = Packet::read(&mut self.read, PACKET_BYTES_MAX) {
                return Some(packet);
            }
            if self.stream.read_buf(&mut self.read).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// Returns the next acknowledgement or publish; answers all other requests.
    async fn next(&mut self) -> Packet {
        loop {
            match self.read().await.expect("the connection is there") {
                Packet::Subscribe(subscribe) => {
                    let granted = SubscribeReasonCode::Success(QoS::AtLeastOnce);
                    let suback =
                        SubAck::new(subscribe.pkid, vec![granted; subscribe.filters.len()]);
                    self.write(&[Packet::SubAck(suback)], &[]).await;
                }
                Packet::PingReq => self.write(&[Packet::PingResp], &[]).await,
                packet => return packet,
            }
        }
    }

    /// Writes packets, and bytes behind them, at once.
    async fn write(&mut self, packets: &[Packet], behind: &[u8]) {
        let mut bytes = BytesMut::new();
        for packet in packets {
            packet.write(&mut bytes, PACKET_BYTES_MAX).unwrap();
        }
        bytes.put_slice(behind);
        self.stream.write_all(&bytes).await.unwrap();
    }
}

fn transfer(packet_id: u16, id: &str) -> Packet {
    let payload = format!(r#"{{"id":"{id}","type":"transfer","product":"p","from":"A","to":"B"}}"#);
    let mut publish = Publish::new("stockrelay/v1/ams1/pda-1/event", QoS::AtLeastOnce, payload);
    publish.pkid = packet_id;
    Packet::Publish(publish)
}

/// A message with a number to show.
async fn show(gateway: &Gateway, n: u32) {
    let message = Outbound {
        device: Name::new("pda-1").unwrap(),
        channel: "display".into(),
        payload: n.to_string().into(),
        retain: false,
    };
    gateway.outbound.send(message).await.unwrap();
}

/// The number of the next message that is shown, and its packet id.
async fn shown(connection: &mut Connection) -> (u32, u16) {
    loop {
        if let Packet::Publish(publish) = connection.next().await
            && publish.topic.ends_with("display")
        {
            let text = std::str::from_utf8(&publish.payload).unwrap();
            return (text.parse().unwrap(), publish.pkid);
        }
    }
}

/// The next acknowledgement.
async fn acknowledged(connection: &mut Connection) -> u16 {
    loop {
        if let Packet::PubAck(PubAck { pkid }) = connection.next().await {
            return pkid;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_and_not_handed_out_is_not_acknowledged_in_the_next_connection() {
    let (script, url) = Script::start().await;
    let journal = Journal::default();
    let gateway = Gateway::start(&config(url), &journal);
    let mut first = script.accept(false).await;
    show(&gateway, 0).await;
    shown(&mut first).await;
    // A packet of type 15, which there is none of, is read in one go with what is before it.
    let packets: Vec<_> = (1..=5)
        .map(|id| transfer(id, &format!("old-{id}")))
        .collect();
    first.write(&packets, &[0xf0, 0x00]).await;
    let mut second = script.accept(true).await;
    second.write(&[transfer(9, "new")], &[]).await;
    assert_eq!(acknowledged(&mut second).await, 9);
    gateway.abort().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_journal_takes_after_the_connection_broke_is_not_acknowledged_in_the_next() {
    let (script, url) = Script::start().await;
    let journal = Journal::default();
    journal.full.store(true, Ordering::SeqCst);
    let gateway = Gateway::start(&config(url), &journal);
    let mut first = script.accept(false).await;
    let packets: Vec<_> = (1..=3)
        .map(|id| transfer(id, &format!("old-{id}")))
        .collect();
    first.write(&packets, &[]).await;
    until("all three are refused", || {
        journal.refused.load(Ordering::SeqCst) >= 3
    })
    .await;
    drop(first);
    let mut second = script.accept(true).await;
    journal.full.store(false, Ordering::SeqCst);
    second.write(&[transfer(9, "new")], &[]).await;
    assert_eq!(acknowledged(&mut second).await, 9);
    gateway.abort().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_messages_in_one_segment_are_as_many_events_and_dup_is_flagged() {
    let (script, url) = Script::start().await;
    let journal = Journal::default();
    let gateway = Gateway::start(&config(url), &journal);
    let mut connection = script.accept(false).await;
    let messages = [
        ("scan", "4000000000006"),
        (
            "scan",
            r#"{"code":"4000000000006","at":"2026-11-23T08:15:30Z"}"#,
        ),
        (
            "event",
            r#"{"type":"transfer","product":"p","from":"A","to":"B"}"#,
        ),
    ];
    let packet = |pkid: u16, dup| {
        let (channel, payload) = messages[usize::from(pkid) % messages.len()];
        let topic = format!("stockrelay/v1/ams1/pda-1/{channel}");
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        (publish.pkid, publish.dup) = (pkid, dup);
        Packet::Publish(publish)
    };
    let packets: Vec<_> = (1..=60).map(|pkid| packet(pkid, false)).collect();
    connection.write(&packets, &[]).await;
    for pkid in 1..=60 {
        assert_eq!(acknowledged(&mut connection).await, pkid);
    }
    assert_eq!((journal.len(), journal.flagged()), (60, 0));
    // As after a connection that broke before the acknowledgements arrived.
    drop(connection);
    let mut connection = script.accept(true).await;
    let again: Vec<_> = (1..=3).map(|pkid| packet(pkid, true)).collect();
    connection.write(&again, &[]).await;
    for pkid in 1..=3 {
        assert_eq!(acknowledged(&mut connection).await, pkid);
    }
    assert_eq!((journal.len(), journal.flagged()), (63, 3));
    gateway.abort().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledgements_go_out_in_the_order_of_the_messages() {
    let (script, url) = Script::start().await;
    let journal = Journal::default();
    let gateway = Gateway::start(&config(url), &journal);
    let mut connection = script.accept(false).await;
    let mut packets: Vec<_> = (1..=300)
        .map(|id| transfer(id, &format!("e-{id}")))
        .collect();
    // Needs no journal: it must wait for its turn all the same.
    let mut odd = Publish::new("stockrelay/v1/ams1/pda 1/event", QoS::AtLeastOnce, "{}");
    odd.pkid = 301;
    packets.insert(100, Packet::Publish(odd));
    connection.write(&packets, &[]).await;
    let mut ids = Vec::new();
    while ids.len() < 301 {
        match connection.next().await {
            Packet::PubAck(puback) => ids.push(puback.pkid),
            Packet::Publish(publish) => {
                let puback = Packet::PubAck(PubAck::new(publish.pkid));
                connection.write(&[puback], &[]).await;
            }
            _ => {}
        }
    }
    let expected: Vec<_> = (1..=100).chain([301]).chain(101..=300).collect();
    assert_eq!(ids, expected);
    assert_eq!(journal.len(), 300);
    gateway.abort().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_acknowledged_goes_out_again_once_with_and_without_a_session() {
    let (script, url) = Script::start().await;
    let journal = Journal::default();
    let gateway = Gateway::start(&config(url), &journal);
    let mut connection = script.accept(false).await;
    for n in 0..3 {
        show(&gateway, n).await;
    }
    let mut marker = 3;
    for session_present in [true, false] {
        for n in 0..marker {
            assert_eq!(shown(&mut connection).await.0, n);
        }
        drop(connection);
        gateway.until_state("down").await;
        show(&gateway, marker).await;
        marker += 1;
        connection = script.accept(session_present).await;
    }
    // Each once, in order, and nothing between them; then acknowledged, and not again.
    for n in 0..marker {
        let (shown, packet_id) = shown(&mut connection).await;
        assert_eq!(shown, n);
        let puback = Packet::PubAck(PubAck::new(packet_id));
        connection.write(&[puback], &[]).await;
    }
    // Behind the acknowledgements: when it is acknowledged itself, they were read.
    connection.write(&[transfer(50, "behind")], &[]).await;
    assert_eq!(acknowledged(&mut connection).await, 50);
    show(&gateway, 99).await;
    assert_eq!(shown(&mut connection).await.0, 99);
    drop(connection);
    let mut connection = script.accept(true).await;
    assert_eq!(shown(&mut connection).await.0, 99);
    gateway.abort().await;
}
