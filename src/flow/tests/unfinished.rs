//! What a pause drops is a rejected reading for each piece of it.

use super::*;
use crate::channel::identity::ReadingId;
use crate::channel::{Channel, Reading};
use crate::decode;
use crate::event::{Name, Rejection, SourceKind};
use crate::flow::unfinished::PAYLOAD_BYTES_MAX;

impl Device {
    /// What is dropped of what it has begun, by time alone.
    fn dropped(&mut self) -> Vec<Rejection> {
        self.pause(601);
        let engine = Engine::new(&self.rules);
        let passed = engine.pass(&mut self.state, self.now);
        assert_eq!(passed.made, []);
        let name = Name::new("ring-1").unwrap();
        let dropped = passed.dropped.iter();
        dropped
            .flat_map(|dropped| dropped.rejections(&name))
            .collect()
    }
}

/// What becomes of a payload that a person sends again.
fn sent_again(rejection: &Rejection, more: &str) -> Vec<Result<Event, Rejection>> {
    let payload = String::from_utf8(rejection.payload.clone()).unwrap();
    let payload = payload.replace(r#""type":"#, &format!(r#"{more}"type":"#));
    decode::decode(&Reading {
        id: ReadingId::next(),
        redelivered: false,
        source: SourceKind::Flow,
        device: rejection.device.clone(),
        channel: Channel::Event,
        payload: payload.into_bytes().into(),
        received: rejection.received,
    })
}

#[test]
fn a_transfer_without_its_end_is_kept_with_all_that_was_scanned() {
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "CHAIR", "CHAIR", "TABLE"]);
    let last = device.now;
    let dropped = device.dropped();
    let [reading] = dropped.as_slice() else {
        panic!("{dropped:?}")
    };
    assert!(reading.code.needs_person());
    assert_eq!(
        (reading.code.as_str(), reading.received),
        ("not-finished", last)
    );
    assert_eq!(
        reading.message,
        "a transfer was begun and not finished before the pause, and nothing of it is in Odoo: 2 × Chair, 1 × Table from LOC-A. Send it again with to, or let the floor scan it anew and dismiss this"
    );
    // As it is, no event is made of it; with the bin that lacks, each product is one.
    assert!(sent_again(reading, "").iter().all(Result::is_err));
    let again = sent_again(reading, r#""to":"LOC-B","#);
    let made: Vec<_> = again.into_iter().map(Result::unwrap).collect();
    let lines: Vec<_> = made.iter().map(|event| line(&event.action)).collect();
    assert_eq!(lines, ["2 CHAIR LOC-A > LOC-B", "1 TABLE LOC-A > LOC-B"]);
    assert!(
        made.iter()
            .all(|event| event.at == last && !event.id_derived)
    );
    assert_eq!(reading.id.as_ref(), Some(&made[0].id));
    assert_ne!(made[0].id, made[1].id);
    // It is dropped once.
    assert_eq!(device.dropped(), []);
}

#[test]
fn the_next_scan_finds_what_was_dropped_as_well() {
    let mut device = Device::new("count");
    device.scan_all(&["LOC-A", "CHAIR", "TABLE"]);
    device.pause(100_000);
    let before = device.state.clone();
    device.scan_all(&["LOC-B"]);
    let dropped = Engine::new(&device.rules)
        .pass(&mut before.clone(), device.now)
        .dropped;
    assert_eq!(device.dropped, dropped);
    let name = Name::new("ring-1").unwrap();
    let [reading] = &dropped.unwrap().rejections(&name)[..] else {
        panic!("one reading");
    };
    // A count lacks nothing but its end.
    let again = sent_again(reading, "");
    let made: Vec<_> = again
        .into_iter()
        .map(|event| line(&event.unwrap().action))
        .collect();
    assert_eq!(made, ["count LOC-A 1 CHAIR", "count LOC-A 1 TABLE"]);
}

#[test]
fn what_lacks_a_lot_or_moves_nothing() {
    let mut device = Device::new("receive");
    device.scan_all(&["WH/IN/1", "MILK"]);
    let dropped = device.dropped();
    assert!(
        dropped[0]
            .message
            .contains("1 × Milk of order WH/IN/1. Send it again with lot, ")
    );
    let made = sent_again(&dropped[0], r#""lot":"L-1","#);
    assert_eq!(
        line(&made[0].as_ref().unwrap().action),
        "receive for WH/IN/1 1 MILK lot L-1"
    );
    // A bin or an order alone moves nothing.
    for (flow, code) in [("transfer", "LOC-A"), ("pick", "WH/OUT/1")] {
        let mut device = Device::new(flow);
        device.scan_all(&[code]);
        assert_eq!(Engine::new(&device.rules).due(&device.state), None);
        assert_eq!(device.dropped(), []);
    }
    // What was cancelled by a person is settled.
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "CHAIR", "SR-CANCEL"]);
    assert_eq!(device.dropped(), []);
}

#[test]
fn much_is_split_so_that_each_piece_is_stored_whole() {
    let mut device = Device::new("receive");
    device.scan_all(&["WH/IN/1", "PHONE"]);
    for number in 0..150 {
        device.scan(&format!("SERIAL-NUMBER-{number:04}"));
    }
    device.scan_all(&["PHONE"]);
    let products = device.state.work.items.len();
    assert!(products > 100, "{products}");
    let dropped = device.dropped();
    assert!(dropped.len() > 1);
    let whole = |reading: &Rejection| reading.payload.len() < PAYLOAD_BYTES_MAX;
    assert!(dropped.iter().all(whole));
    let events: usize = dropped
        .iter()
        .map(|reading| sent_again(reading, "").len())
        .sum();
    assert_eq!(events, products);
}
