//! A movement that a pause ends becomes rejected readings.

use super::*;
use crate::channel::identity::ReadingId;
use crate::channel::{Channel, Reading};
use crate::decode;
use crate::event::{Name, Rejection, SourceKind};
use crate::flow::expired::PAYLOAD_BYTES_MAX;

impl Device {
    /// Lets a pause end the unfinished movement.
    fn take_expired(&mut self) -> Vec<Rejection> {
        self.pause(601);
        let engine = Engine::new(&self.rules);
        let effect = engine.apply_pause(&mut self.state, self.now);
        assert_eq!(effect.events, []);
        let name = Name::new("ring-1").unwrap();
        let expired = effect.expired.iter();
        expired
            .flat_map(|expired| expired.build_rejections(&name))
            .collect()
    }
}

/// Decodes the payload of a reading that a person sends again with `more` fields.
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
    let expired = device.take_expired();
    let [reading] = expired.as_slice() else {
        panic!("{expired:?}")
    };
    assert!(reading.code.needs_person());
    assert_eq!(
        (reading.code.as_str(), reading.received),
        ("not-finished", last)
    );
    assert_eq!(
        reading.message,
        "a pause ended this transfer before it was complete, and Odoo has nothing from it: 2 × Chair, 1 × Table from LOC-A. Send it again with to, or scan it again and dismiss this reading"
    );
    // Unchanged, the payload gives no event. With the missing bin, each product is an event.
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
    // It is expired once.
    assert_eq!(device.take_expired(), []);
}

#[test]
fn the_next_scan_finds_what_was_dropped_as_well() {
    let mut device = Device::new("count");
    device.scan_all(&["LOC-A", "CHAIR", "TABLE"]);
    device.pause(100_000);
    let before = device.state.clone();
    device.scan_all(&["LOC-B"]);
    let expired = Engine::new(&device.rules)
        .apply_pause(&mut before.clone(), device.now)
        .expired;
    assert_eq!(device.expired, expired);
    let name = Name::new("ring-1").unwrap();
    let [reading] = &expired.unwrap().build_rejections(&name)[..] else {
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
    let expired = device.take_expired();
    assert!(
        expired[0]
            .message
            .contains("1 × Milk of order WH/IN/1. Send it again with lot, ")
    );
    let made = sent_again(&expired[0], r#""lot":"L-1","#);
    assert_eq!(
        line(&made[0].as_ref().unwrap().action),
        "receive for WH/IN/1 1 MILK lot L-1"
    );
    // A bin or an order alone moves nothing.
    for (flow, code) in [("transfer", "LOC-A"), ("pick", "WH/OUT/1")] {
        let mut device = Device::new(flow);
        device.scan_all(&[code]);
        assert_eq!(Engine::new(&device.rules).deadline(&device.state), None);
        assert_eq!(device.take_expired(), []);
    }
    // What was cancelled by a person is settled.
    let mut device = Device::new("transfer");
    device.scan_all(&["LOC-A", "CHAIR", "SR-CANCEL"]);
    assert_eq!(device.take_expired(), []);
}

#[test]
fn much_is_split_so_that_each_piece_is_stored_whole() {
    let mut device = Device::new("receive");
    device.scan_all(&["WH/IN/1", "PHONE"]);
    for number in 0..150 {
        device.scan(&format!("SERIAL-NUMBER-{number:04}"));
    }
    device.scan_all(&["PHONE"]);
    let products = device.state.unfinished.items.len();
    assert!(products > 100, "{products}");
    let expired = device.take_expired();
    assert!(expired.len() > 1);
    let whole = |reading: &Rejection| reading.payload.len() < PAYLOAD_BYTES_MAX;
    assert!(expired.iter().all(whole));
    let events: usize = expired
        .iter()
        .map(|reading| sent_again(reading, "").len())
        .sum();
    assert_eq!(events, products);
}
