//! The display texts of a device at the time of the scan, and its open orders.

use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use serde_json::{Value, json};
use stockrelay::capture::Capture;
use stockrelay::catalog::Catalog;
use stockrelay::channel::{Outlet, Outlets};
use stockrelay::config::{self, Check};
use stockrelay::odoo::{Direction, Kind, Order, OrderLine, PickingState, Row};
use stockrelay::odoo_id::{LocationId, PickingId, ProductId};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;

struct Floor {
    door: Door,
    copy: Catalog,
    _copies: watch::Sender<Option<Catalog>>,
    _dir: tempfile::TempDir,
    _stop: DropGuard,
}

fn row(id: i64, name: &str, barcode: &str) -> Row {
    Row {
        id,
        active: true,
        display_name: Some(name.to_owned()),
        barcode: Some(barcode.to_owned()),
        ..Row::default()
    }
}

fn order(picked: f64) -> Order {
    Order {
        id: PickingId::new(50),
        name: "WH/OUT/1".to_owned(),
        origin: Some("S1".to_owned()),
        kind: Direction::Outgoing,
        state: PickingState::Assigned,
        partner: Some("Acme".to_owned()),
        scheduled: Some("2026-11-25 08:00:00".to_owned()),
        backorder_of: None,
        lines: vec![OrderLine {
            product: ProductId::new(10),
            demand: 5.0,
            unit: None,
            picked,
            from: Some(LocationId::new(5)),
            to: None,
            lot: None,
        }],
        cut: false,
    }
}

async fn floor(check: Check, refreshed: bool) -> Floor {
    let dir = tempfile::tempdir().unwrap();
    let copy = Catalog::open(dir.path(), "x").unwrap();
    copy.apply(Kind::Product, &[row(10, "Chair", "400")])
        .unwrap();
    copy.apply(Kind::Location, &[row(5, "WH/A", "A")]).unwrap();
    copy.put_orders(&[order(0.0)]).unwrap();
    copy.set_orders_since("2026-11-24 08:00:00", false).unwrap();
    if refreshed {
        copy.note_refreshed(stockrelay::clock::instant());
    }
    let copies = watch::Sender::new(Some(copy.clone()));
    let config = config::Capture {
        check,
        ..config::Capture::default()
    };
    let capture = Capture::new(
        config,
        &config::Orders::default(),
        copies.subscribe(),
        Duration::from_mins(10),
        None,
    );
    let door = Door::with_capture(anonymous(), capture.clone()).await;
    let outlets = Outlets {
        listen: Outlet::new(door.outbound.clone()),
        ..Outlets::default()
    };
    let stop = CancellationToken::new();
    tokio::spawn(stockrelay::capture::tasks::run(
        capture,
        outlets,
        door.board.clone(),
        stop.clone(),
    ));
    Floor {
        door,
        copy,
        _copies: copies,
        _dir: dir,
        _stop: stop.drop_guard(),
    }
}

/// A device that receives everything and sends what the test gives it.
struct Pda {
    client: AsyncClient,
    events: EventLoop,
    heard: Vec<(String, Value)>,
    acks: Vec<(PubAckReason, Option<String>)>,
}

impl Pda {
    async fn connect(floor: &Floor) -> Self {
        let options = MqttOptions::new("pda-1", "127.0.0.1", floor.door.address.port());
        let (client, events) = AsyncClient::new(options, 100);
        for channel in ["receipt", "display", "tasks"] {
            let topic = format!("{PREFIX}{channel}");
            client.subscribe(topic, QoS::AtLeastOnce).await.unwrap();
        }
        Self {
            client,
            events,
            heard: Vec::new(),
            acks: Vec::new(),
        }
    }

    async fn say(&self, channel: &str, payload: &Value) {
        let topic = format!("{PREFIX}{channel}");
        let payload = payload.to_string();
        let published = self.client.publish(topic, QoS::AtLeastOnce, false, payload);
        published.await.unwrap();
    }

    /// Until it is as wanted.
    async fn until(&mut self, what: &str, wanted: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !wanted(self) {
                match self.events.poll().await.unwrap() {
                    Event::Incoming(Packet::PubAck(ack)) => {
                        let text = ack.properties.and_then(|p| p.reason_string);
                        self.acks.push((ack.reason, text));
                    }
                    Event::Incoming(Packet::Publish(publish)) => {
                        let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
                        let channel = topic.strip_prefix(PREFIX).unwrap().to_owned();
                        let payload = serde_json::from_slice(&publish.payload).unwrap();
                        self.heard.push((channel, payload));
                    }
                    _ => {}
                }
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(in_time, "{what}: {:?} {:?}", self.heard, self.acks);
    }

    fn all(&self, channel: &str) -> Vec<&Value> {
        let of = self.heard.iter().filter(|(known, _)| known == channel);
        of.map(|(_, payload)| payload).collect()
    }

    /// The next word on its display.
    async fn display(&mut self) -> Value {
        let before = self.all("display").len();
        self.until("a display", |pda| pda.all("display").len() > before)
            .await;
        self.all("display")[before].clone()
    }
}

fn pick(id: &str, quantity: u32) -> Value {
    json!({"id": id, "type": "pick", "order": "S1", "product": "400", "quantity": quantity})
}

#[tokio::test]
async fn a_device_sees_what_it_scanned_and_its_orders_grow_with_its_work() {
    let floor = floor(Check::Lenient, true).await;
    let mut pda = Pda::connect(&floor).await;
    pda.until("its tasks", |pda| !pda.all("tasks").is_empty())
        .await;
    let line = |done: f64| json!({"product": "400", "name": "Chair", "from": "A", "demand": 5.0, "done": done});
    let tasks = |done: f64| {
        json!([{
            "order": "WH/OUT/1", "type": "outgoing", "partner": "Acme", "scheduled": "2026-11-25T08:00:00Z",
            "state": "assigned", "lines": [line(done)],
        }])
    };
    assert_eq!(*pda.all("tasks")[0], tasks(0.0));

    pda.say("event", &pick("1", 2)).await;
    let display = pda.display().await;
    assert_eq!(
        display,
        json!({"ok": true, "text": "Chair\n2 of 5, 3 left", "beep": "good"})
    );
    let receipt = pda.all("receipt")[0];
    assert_eq!(
        receipt["status"], "stored",
        "the display comes after the receipt"
    );
    pda.until("tasks with the 2", |pda| {
        pda.all("tasks").contains(&&tasks(2.0))
    })
    .await;

    // Lenient: more than ordered is shown as a fault, and stored.
    pda.say("state", &json!({"language": "nl"})).await;
    pda.say("event", &pick("2", 4)).await;
    let display = pda.display().await;
    assert_eq!(
        display,
        json!({"ok": false, "text": "Chair\nTe veel: nog 3 op S1", "beep": "bad"})
    );
    assert_eq!(floor.door.journal.ids(), ["1", "2"]);
    pda.until("tasks that are full", |pda| {
        pda.all("tasks").contains(&&tasks(5.0))
    })
    .await;

    // The order is over in Odoo.
    let over = Order {
        state: PickingState::Done,
        ..order(5.0)
    };
    floor.copy.put_orders(&[over]).unwrap();
    pda.until("no tasks", |pda| {
        pda.all("tasks").last() == Some(&&json!([]))
    })
    .await;
}

#[tokio::test]
async fn strict_turns_away_what_is_wrong_and_never_what_it_took_before() {
    let floor = floor(Check::Strict, true).await;
    let mut pda = Pda::connect(&floor).await;
    pda.say("event", &pick("1", 5)).await;
    assert_eq!(pda.display().await["ok"], true);
    pda.say("event", &pick("2", 1)).await;
    let display = pda.display().await;
    assert_eq!(display["text"], "Chair\nToo many: 0 left on S1");
    pda.say("event", &pick("1", 5)).await;
    assert_eq!(pda.display().await["text"], "Already recorded");
    pda.until("three answers", |pda| pda.acks.len() == 3).await;
    let reasons: Vec<_> = pda.acks.iter().map(|(reason, _)| *reason).collect();
    assert_eq!(
        reasons,
        [
            PubAckReason::Success,
            PubAckReason::PayloadFormatInvalid,
            PubAckReason::Success
        ]
    );
    assert_eq!(
        pda.acks[1].1.as_deref(),
        Some("Chair: Too many: 0 left on S1")
    );
    let receipts = pda.all("receipt");
    assert_eq!(receipts[1]["status"], "refused");
    assert_eq!(receipts[1]["code"], "more-than-ordered");
    assert_eq!(receipts[2]["duplicate"], true);
    let rejected = floor.door.journal.log.lock().unwrap().rejected.clone();
    assert_eq!(rejected, [("more-than-ordered", "pda-1".to_owned())]);
    assert_eq!(floor.door.journal.ids(), ["1"]);
}

#[tokio::test]
async fn strict_with_an_old_copy_keeps_what_it_does_not_know_and_says_so() {
    let floor = floor(Check::Strict, false).await;
    let mut pda = Pda::connect(&floor).await;
    let unknown =
        json!({"id": "1", "type": "transfer", "product": "999", "from": "A", "to": "NOWHERE"});
    pda.say("event", &unknown).await;
    let display = pda.display().await;
    assert_eq!(
        display,
        json!({"ok": true, "text": "Stored. 999 is not in Odoo's data yet", "beep": "good"})
    );
    assert_eq!(floor.door.journal.ids(), ["1"]);
}
