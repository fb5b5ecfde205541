//! A journal of the version before: this version reads in it what the other one wrote, and posts
//! everything in it once.
//!
//! `tests/journals/README.md` says how the journals are made. The gateway of each was killed while
//! Odoo worked on a call.

mod gateway;
mod site;

use std::time::Duration;

use serde_json::{Value, json};
use stockrelay::demo::odoo::seed::bin_barcode;
use stockrelay::view::client::encode_for_path;

use gateway::{Gateway, How, lists};
use site::{B, P, Site};

/// What `/v1/status` counts when everything in the journal is dealt with.
const NONE_LEFT: [&str; 2] = ["waiting", "sending"];

#[tokio::test]
async fn a_journal_of_the_version_before_reads_as_that_version_lists_it() {
    let mut gateway = Gateway::holding_the_old_journal();
    assert_eq!(gateway.kept(), KEPT);
    gateway.config.documents.idle_s = 3_600;
    gateway.config.documents.age_s = 86_400;
    gateway.start().await;
    let old = lists();
    let events = gateway.get("/v1/events?limit=500").await;
    assert_lists(&events["events"], &old["events"]);
    let documents = gateway.get("/v1/documents?limit=500").await;
    assert_lists(&documents["documents"], &old["documents"]);
    assert_queues(&gateway, &old["documents"]).await;
    let rejected = gateway.get("/v1/rejected?limit=500").await;
    assert_lists(&rejected["rejected"], &old["rejected"]);
    for (event, audit) in old["audits"].as_object().unwrap() {
        let trace = gateway.get(&format!("/v1/trace/{event}")).await;
        assert_lists(&trace["audit"], audit);
    }
    search_finds(&gateway, &old).await;
    gateway.stop().await;
    assert_eq!(gateway.kept(), KEPT);
}

/// The search finds events at once, and pickings as soon as the gateway has added them.
async fn search_finds(gateway: &Gateway, old: &Value) {
    let first = |list: &str, field: &str| {
        let mut all = old[list].as_array().unwrap().iter();
        let text = all.find_map(|entry| entry[field].as_str()).unwrap();
        encode_for_path(text)
    };
    let (id, picking) = (first("events", "id"), first("documents", "odoo"));
    let found = gateway.get(&format!("/v1/search?q={id}&kind=event")).await;
    assert_ne!(found["total"], 0, "{found}");
    let path = format!("/v1/search?q={picking}&kind=picking");
    let added = async { while gateway.get(&path).await["total"] == 0 {} };
    let added = tokio::time::timeout(Duration::from_mins(1), added).await;
    added.expect("the picking is found");
}

const STATES: [&str; 6] = [
    "waiting",
    "sending",
    "posted",
    "parked",
    "discarded",
    "replaced",
];

/// The keys of what else a gateway keeps in its journal.
const KEPT: &[&str] = &[
    "book/counts/103/111/-/-/-",
    "clock/right",
    "device-clock/pda-ahead",
    "flow-cursor",
    "flow/dock-1",
    "flow/kilo-1",
    "flow/ring-1",
    "flow/ring-2",
    "missed/away-1/away-1/00000000",
    "received/session/session/7",
    "retained/stockrelay/v1/old1/pda-2/config/reported",
    "retained/stockrelay/v1/old1/pda-2/state",
    "session/away-1/away-1",
    "session/dock-1/dock-1",
    "session/kilo-1/kilo-1",
    "session/pda-1/pda-1",
    "session/pda-2/pda-2",
    "session/pda-ahead/pda-ahead",
    "session/ring-1/ring-1",
    "session/ring-2/ring-2",
    "session/session/session",
];

/// The queue of each state has the documents that are in it.
async fn assert_queues(gateway: &Gateway, documents: &Value) {
    for state in STATES {
        let queue = gateway
            .get(&format!("/v1/documents?state={state}&limit=500"))
            .await;
        let of_state = documents.as_array().unwrap().iter();
        let of_state = of_state.filter(|document| document["state"] == state);
        let of_state: Value = of_state.cloned().collect();
        assert_ne!(of_state, json!([]), "{state}");
        assert_lists(&queue["documents"], &of_state);
    }
}

/// Each entry has the values of the old one. It may have new fields.
fn assert_lists(new: &Value, old: &Value) {
    let (new, old) = (new.as_array().unwrap(), old.as_array().unwrap());
    assert_eq!(new.len(), old.len());
    for (new, old) in new.iter().zip(old) {
        for (field, value) in old.as_object().unwrap() {
            assert_eq!(&new[field], value, "{field} of {new}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_in_a_journal_of_the_version_before_is_posted_once() {
    let site = Site::build().await;
    site.post_what_is_posted().await;
    let mut gateway = Gateway::holding_the_old_journal();
    gateway.config.odoo = site.target.config(&gateway.key_file());
    gateway.config.odoo.refresh_s = 5;
    gateway.start().await;
    drained(&gateway).await;
    assert_eq!(parked(&gateway).await, PARKED);
    correct(&gateway).await;
    settle_rejected(&gateway).await;
    send_the_rest(&gateway).await;
    drained(&gateway).await;
    assert_eq!(parked(&gateway).await, [""; 0]);
    let status = gateway.get("/v1/status").await;
    assert_eq!(status["events"]["stored"], json!(EVENTS), "{status}");
    assert_eq!(status["events"]["open"], json!(0), "{status}");
    // It shows no number where there is none.
    assert_eq!(status["events"]["rejected_open"], Value::Null, "{status}");
    gateway.stop().await;
    let mut wrong = Vec::new();
    for (product, place, expected) in QUANTITIES.iter().copied() {
        let found = site.quantity(product, place).await;
        if (found - expected).abs() > 1e-6 {
            wrong.push(format!(
                "{product:?} at {place:?}: {found} instead of {expected}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The events that are parked when the old journal is posted, and why.
const PARKED: &[&str] = &[
    "pda-1/unknown-4 unknown-product",
    "pda-1/unknown-5 unknown-product",
    "pda-1/transfer-4 unknown-product",
    "pda-1/undo-3 unknown-event",
    "pda-ahead/ahead-2 clock-in-doubt",
    "dock-1/flow-65-2 under-received",
];
/// The events in the end: 73 of the old journal, 3 of rejected readings, the last scan of a flow
/// and its movement, 3 validations.
const EVENTS: u64 = 81;

/// What each place holds in the end. Every seeded product had 10,000 pieces in its own bin.
const QUANTITIES: &[(P, B, f64)] = &[
    (P::Seeded(50), B::Bin(191), 14.0),
    (P::Seeded(50), B::Stock, 6.0),
    (P::Seeded(102), B::Bin(102), 9_000.0),
    (P::Seeded(102), B::Bin(190), 10.0),
    (P::Seeded(103), B::Bin(103), 9_999.0),
    (P::Seeded(104), B::Bin(104), 10_000.0),
    (P::Seeded(104), B::Bin(192), 2.0),
    (P::Seeded(105), B::Bin(105), 10_000.0),
    (P::Seeded(106), B::Bin(106), 9_991.0),
    (P::Seeded(106), B::Bin(190), 9.0),
    (P::Seeded(107), B::Bin(107), 10_000.0),
    (P::Seeded(107), B::Bin(190), 0.0),
    (P::Seeded(110), B::Bin(110), 9_995.0),
    (P::Seeded(110), B::Bin(192), 1.0),
    (P::Seeded(111), B::Bin(111), 9_998.0),
    (P::Seeded(112), B::Bin(112), 9_996.0),
    (P::Seeded(113), B::Bin(113), 9_997.0),
    (P::Seeded(114), B::Bin(114), 9_999.0),
    (P::Seeded(120), B::Stock, 6.0),
    (P::Seeded(121), B::Stock, 8.0),
    (P::Seeded(130), B::Bin(130), 9_993.0),
    (P::Seeded(130), B::Bin(190), 7.0),
    (P::Seeded(131), B::Bin(131), 9_995.0),
    (P::Seeded(131), B::Bin(190), 5.0),
    (P::Seeded(132), B::Bin(132), 9_990.0),
    (P::Seeded(133), B::Bin(133), 9_999.0),
    (P::Seeded(134), B::Bin(134), 10_000.0),
    (P::Seeded(134), B::Bin(192), 3.0),
    (P::Seeded(135), B::Bin(135), 10_000.0),
    (P::Seeded(136), B::Bin(136), 10_000.0),
    (P::Seeded(136), B::Bin(190), 0.0),
    (P::Seeded(137), B::Bin(137), 9_997.0),
    (P::Seeded(137), B::Bin(190), 3.0),
    (P::Seeded(138), B::Bin(138), 9_998.0),
    (P::Seeded(138), B::Bin(190), 2.0),
    (P::Seeded(139), B::Bin(139), 9_996.0),
    (P::Seeded(139), B::Bin(190), 4.0),
    (P::Seeded(140), B::Bin(140), 9_999.0),
    (P::Seeded(140), B::Bin(190), 1.0),
    (P::Seeded(141), B::Bin(141), 9_995.0),
    (P::Seeded(142), B::Bin(142), 9_999.0),
    (P::Seeded(142), B::Bin(190), 1.0),
    (P::Seeded(143), B::Bin(143), 9_998.0),
    (P::Seeded(143), B::Bin(190), 2.0),
    (P::Seeded(144), B::Bin(144), 9_998.0),
    (P::Seeded(144), B::Bin(190), 2.0),
    (P::Seeded(145), B::Bin(145), 9_997.0),
    (P::Seeded(145), B::Bin(190), 3.0),
    (P::Seeded(146), B::Bin(146), 9_999.0),
    (P::Seeded(146), B::Bin(190), 1.0),
    (P::Seeded(147), B::Bin(146), -1.0),
    (P::Seeded(147), B::Bin(190), 1.0),
    (P::Seeded(149), B::Bin(149), 9_999.0),
    (P::Seeded(149), B::Bin(190), 1.0),
    (P::Seeded(152), B::Bin(152), 9_999.0),
    (P::Seeded(152), B::Bin(190), 1.0),
    (P::Seeded(153), B::Bin(153), 9_999.0),
    (P::Seeded(153), B::Bin(190), 1.0),
    (P::Kilo, B::Bin(148), -12.5),
];

/// Until nothing waits and nothing is open.
async fn drained(gateway: &Gateway) {
    gateway
        .until("everything is posted or parked", |status| {
            let is_none = |of: &Value, state: &str| of[state] == json!(0);
            status["odoo"]["link"] == "up"
                && is_none(&status["events"], "open")
                && NONE_LEFT
                    .iter()
                    .all(|state| is_none(&status["documents"], state))
        })
        .await;
}

/// The events of parked documents, each with the reason.
async fn parked(gateway: &Gateway) -> Vec<String> {
    let events = gateway.get("/v1/events?state=parked&limit=500").await;
    let mut lines = Vec::new();
    for event in events["events"].as_array().unwrap() {
        let (device, id) = (text(&event["device"]), text(&event["id"]));
        let trace = gateway.get(&format!("/v1/trace/{device}/{id}")).await;
        let code = text(&trace["document"]["reason"]["code"]);
        let is_of_flow = id.starts_with("flow-");
        // Such an id ends in a tag.
        let id = if is_of_flow {
            &id[..id.rfind('-').unwrap()]
        } else {
            id
        };
        lines.push(format!("{device}/{id} {code}"));
    }
    lines
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A person corrects the product that nobody has, discards the undo of an event that nobody sent,
/// and lets Odoo keep the rest of an order.
async fn correct(gateway: &Gateway) {
    let parked = gateway.get("/v1/parked?limit=500").await;
    for document in parked["parked"].as_array().unwrap() {
        let path = format!("/v1/parked/{}", document["number"]);
        let (action, body) = match text(&document["reason"]["code"]) {
            "unknown-product" => {
                let lines = document["lines"].as_array().unwrap();
                let line = lines
                    .iter()
                    .position(|line| line["product"] == "nobody-has-it");
                let change =
                    json!({"line": line.unwrap() + 1, "product": P::Seeded(106).barcode()});
                ("edit", json!({"reason": "fell off", "lines": [change]}))
            }
            "clock-in-doubt" => ("retry", json!({"with": "allow"})),
            "unknown-event" => ("discard", json!({"reason": "a test"})),
            "under-received" => ("retry", json!({"with": "backorder"})),
            // It is sent by itself when what it waits for is there.
            _ => continue,
        };
        gateway.post(&format!("{path}/{action}"), body).await;
    }
}

async fn settle_rejected(gateway: &Gateway) {
    let rejected = gateway.get("/v1/rejected?state=open&limit=500").await;
    for reading in rejected["rejected"].as_array().unwrap() {
        let path = format!("/v1/rejected/{}", reading["number"]);
        let to = bin_barcode(190);
        let payload = match text(&reading["code"]) {
            "missing-field" => json!({
                "id": "array-2", "type": "transfer", "product": P::Seeded(137).barcode(),
                "from": bin_barcode(137), "to": to,
            }),
            "not-finished" => {
                let mut events: Value = serde_json::from_str(text(&reading["payload"])).unwrap();
                for event in events.as_array_mut().unwrap() {
                    event["to"] = json!(to);
                }
                events
            }
            _ => {
                let dismissal = json!({"reason": "a test of the scanner"});
                gateway.post(&format!("{path}/dismiss"), dismissal).await;
                continue;
            }
        };
        let again = json!({"payload": payload.to_string(), "reason": "read from the paper"});
        gateway.post(&format!("{path}/resend"), again).await;
    }
}

/// What the devices do next: one completes its movement, one completes orders, and two send again
/// what the journal has.
async fn send_the_rest(gateway: &Gateway) {
    let receipt = gateway.missed("away-1").await;
    assert!(
        receipt.contains(r#""status":"posted","id":"away-1""#),
        "{receipt}"
    );
    let puback = [0x40, 2, 0, 7];
    let bin = bin_barcode(190);
    assert_eq!(
        gateway.publish("ring-1", "scan", &bin, How::NEW).await,
        puback
    );
    for order in ["S00002", "P00001", "P00002"] {
        let event = json!({"id": format!("validate-{order}"), "type": "validate", "order": order});
        let event = event.to_string();
        assert_eq!(
            gateway.publish("pda-1", "event", &event, How::NEW).await,
            puback
        );
    }
    let again = json!({
        "id": "transfer-2", "type": "transfer", "product": P::Seeded(131).barcode(),
        "from": bin_barcode(131), "to": bin, "quantity": 2,
    });
    let again = again.to_string();
    assert_eq!(
        gateway.publish("pda-1", "event", &again, How::NEW).await,
        puback
    );
    // By its packet id in the session, the gateway has this one.
    let again = json!({
        "type": "transfer", "product": P::Seeded(139).barcode(), "from": bin_barcode(139),
        "to": bin, "quantity": 4,
    });
    let again = again.to_string();
    let pubrec = [0x50, 2, 0, 7];
    assert_eq!(
        gateway
            .publish("session", "event", &again, How::AGAIN)
            .await,
        pubrec
    );
}
