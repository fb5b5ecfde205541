//! Codes that arrive together: a client that sends its queue in one TCP segment, as `mosquitto_pub
//! -l` does.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Connect, Packet as Raw, PubAck, Publish};
use stockrelay::event::{EventFlag, Seq};
use tokio::net::TcpStream;

use super::*;

const PACKET_BYTES_MAX: usize = 1 << 16;

/// A device that sends many codes in one segment.
struct Queue<'a> {
    stage: &'a Stage,
    stream: TcpStream,
    input: BytesMut,
}

impl<'a> Queue<'a> {
    async fn on(stage: &'a Stage) -> Self {
        let address = stage.daemon.as_ref().unwrap().mqtt_address().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let input = BytesMut::new();
        let mut queue = Self {
            stage,
            stream,
            input,
        };
        queue
            .write(&[Raw::Connect(Connect::new(&stage.device))])
            .await;
        assert!(matches!(queue.read().await, Raw::ConnAck(_)));
        queue
    }

    async fn write(&mut self, packets: &[Raw]) {
        let mut bytes = BytesMut::new();
        for packet in packets {
            packet.write(&mut bytes, PACKET_BYTES_MAX).unwrap();
        }
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn read(&mut self) -> Raw {
        let packet = async {
            loop {
                if let Ok(packet) = Raw::read(&mut self.input, PACKET_BYTES_MAX) {
                    return packet;
                }
                assert_ne!(self.stream.read_buf(&mut self.input).await.unwrap(), 0);
            }
        };
        tokio::time::timeout(PATIENCE, packet).await.unwrap()
    }

    /// Sends codes in one segment, with or without DUP, and reads their acknowledgements.
    async fn send(&mut self, codes: &[&str], dup: bool) {
        let topic = format!(
            "stockrelay/v1/{}/{}/scan",
            self.stage.config.site, self.stage.device
        );
        let publish = |(pkid, code): (u16, &&str)| {
            let payload = self.stage.text(code);
            let mut publish = Publish::new(&topic, QoS::AtLeastOnce, payload);
            (publish.pkid, publish.dup) = (pkid, dup);
            Raw::Publish(publish)
        };
        let packets: Vec<_> = (1..).zip(codes).map(publish).collect();
        self.write(&packets).await;
        for pkid in (1..).take(codes.len()) {
            assert_eq!(self.read().await, Raw::PubAck(PubAck { pkid }));
        }
    }
}

async fn stage() -> Stage {
    let products = BTreeMap::from([("chair".to_owned(), "none".to_owned())]);
    let mut stage = Stage::build(Target::stand_in(Duration::ZERO).await, &products).await;
    // As a site begins: no profile, and a device that only beeps.
    stage.with_entry("flow = \"transfer\"");
    stage.start().await;
    stage
}

async fn until_made(stage: &Stage, count: usize) {
    stage
        .until("the movements are made", |_| stage.made().len() >= count)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_codes_that_arrive_together_count_each() {
    let mut stage = stage().await;
    let mut queue = Queue::on(&stage).await;
    let mut codes = vec!["{chair}"; 5];
    codes.insert(0, "LOC-BIN-0001");
    codes.push("LOC-BIN-0002");
    queue.send(&codes, false).await;
    until_made(&stage, 1).await;
    assert_eq!(
        stage.made(),
        [stage.text("transfer 5 {chair} LOC-BIN-0001 > LOC-BIN-0002")]
    );
    stage.posted().await;
    let bin = stage.target.bin(2).await;
    let there = stage.target.quantity(stage.products["chair"].1, bin).await;
    assert!((there - 5.0).abs() < 1e-6, "{there}");
    let totals = stage.daemon.as_ref().unwrap().journal().totals();
    assert_eq!((totals.duplicates, totals.possible_repeats), (0, 0));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_of_a_code_that_may_have_come_twice_is_flagged() {
    let mut stage = stage().await;
    let mut queue = Queue::on(&stage).await;
    queue.send(&["LOC-BIN-0001", "{chair}"], false).await;
    queue.send(&["{chair}"], true).await;
    queue
        .send(
            &["LOC-BIN-0002", "LOC-BIN-0001", "{chair}", "LOC-BIN-0003"],
            false,
        )
        .await;
    until_made(&stage, 2).await;
    assert_eq!(
        stage.made(),
        [
            stage.text("transfer 2 {chair} LOC-BIN-0001 > LOC-BIN-0002"),
            stage.text("transfer 1 {chair} LOC-BIN-0001 > LOC-BIN-0003")
        ]
    );
    stage.posted().await;
    let journal = stage.daemon.as_ref().unwrap().journal();
    let flagged = journal.events(Seq::ZERO, 100).unwrap().into_iter();
    let flagged: Vec<_> = flagged
        .filter(|recorded| recorded.event.flags == [EventFlag::PossibleRepeat])
        .map(|recorded| recorded.event.action.kind())
        .collect();
    assert_eq!(flagged, ["scan", "transfer"]);
    assert_eq!(journal.totals().possible_repeats, 1);
    stage.stop().await;
}
