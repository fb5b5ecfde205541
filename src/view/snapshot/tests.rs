//! The numbers of a status add up, and its JSON is read back.

use super::*;
use crate::journal::StateTotals;
use proptest::prelude::*;

fn state() -> impl Strategy<Value = StateTotals> {
    (0..1_u64 << 40, 0..1_u64 << 40, 0..1_u64 << 40).prop_map(|(documents, lines, events)| {
        StateTotals {
            documents,
            lines,
            events,
        }
    })
}

fn site() -> Name {
    Name::new("ams1").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn build(totals: &Totals, live: Live) -> Status {
    let now = at("2026-11-23T08:15:30Z");
    Status::build(&site(), totals, None, live, 12, now)
}

proptest! {
    #[test]
    fn the_numbers_always_add_up(
        states in [state(), state(), state(), state(), state()],
        no_document in 0..1_u64 << 40,
        open in 0..1_u64 << 40,
    ) {
        let [waiting, sending, posted, parked, discarded] = states;
        let stored = open + no_document + states.iter().map(|s| s.events).sum::<u64>();
        let totals = Totals {
            stored, no_document, waiting, sending, posted, parked, discarded,
            ..Totals::default()
        };
        let events = build(&totals, Live::default()).events;
        prop_assert_eq!(events.open, open);
        prop_assert_eq!(
            events.stored,
            events.open + events.waiting + events.sending + events.posted + events.parked
                + events.no_document
        );
    }
}

#[test]
fn a_status_reads_back_as_it_was_written() {
    let mut live = Live::default();
    live.sources
        .entry("mqtt.listen".to_owned())
        .or_default()
        .state = "up".to_owned();
    live.devices.insert(
        Name::new("pda-1").unwrap(),
        DeviceView {
            state: Some(serde_json::json!({"battery": 80, "big": {"a": 1}, "fw": "x".repeat(500)})),
            ..DeviceView::default()
        },
    );
    let status = build(&Totals::default(), live);
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(json["sources"][0]["name"], "mqtt.listen");
    assert_eq!(json["sources"][0]["state"], "up");
    let state = &json["devices"]["listed"][0]["state"];
    assert_eq!(state["battery"], 80);
    assert_eq!(state.get("big"), None);
    assert_eq!(
        state["fw"].as_str().unwrap().len(),
        crate::board::STATE_TEXT_CHARS_MAX
    );
    assert_eq!(serde_json::from_value::<Status>(json).unwrap(), status);
}

#[test]
fn the_devices_that_are_connected_come_first_and_the_list_is_bounded() {
    let mut live = Live::default();
    for n in 0..DEVICES_LISTED_MAX + 5 {
        let view = DeviceView {
            online: n == 204,
            last_event: (n == 203).then(|| at("2026-11-23T08:00:00Z")),
            ..DeviceView::default()
        };
        live.devices
            .insert(Name::new(&format!("pda-{n:03}")).unwrap(), view);
    }
    let devices = build(&Totals::default(), live).devices;
    assert_eq!((devices.known, devices.online), (205, 1));
    assert_eq!(devices.listed.len(), DEVICES_LISTED_MAX);
    let names: Vec<_> = devices.listed.iter().map(|d| d.name.as_str()).collect();
    // The device with the newest message stays; the list is ordered by name.
    assert_eq!(names[..3], ["pda-204", "pda-000", "pda-001"]);
    assert_eq!(names.last(), Some(&"pda-203"));
}

#[test]
fn no_device_is_online_through_a_source_that_is_down_and_an_alarm_has_the_remedy() {
    let mut live = Live::default();
    for (source, state) in [("mqtt.broker", "down"), ("mqtt.listen", "up")] {
        let view = live.sources.entry(source.to_owned()).or_default();
        state.clone_into(&mut view.state);
        view.detail = (state == "down").then(|| "connection refused.".to_owned());
        let device = DeviceView {
            online: true,
            source: source.to_owned(),
            ..DeviceView::default()
        };
        let name = Name::new(&format!("pda-{source}")).unwrap();
        live.devices.insert(name, device);
    }
    let status = build(&Totals::default(), live);
    assert_eq!((status.devices.known, status.devices.online), (2, 1));
    assert_eq!(status.devices.listed[0].name.as_str(), "pda-mqtt.listen");
    assert_eq!(
        status.alarms[SOURCE_DOWN],
        "Nothing is received from mqtt.broker: connection refused. Start the broker, or correct [mqtt.broker]; the gateway retries by itself."
    );
    assert_eq!(status.sources_down().collect::<Vec<_>>(), ["mqtt.broker"]);
}

#[test]
fn scans_without_a_flow_are_known_before_the_journal_has_skipped_them() {
    let totals = Totals {
        stored: 5,
        no_document: 2,
        unused_scans: 2,
        ..Totals::default()
    };
    let live = Live {
        open_unused: 3,
        ..Live::default()
    };
    let events = build(&totals, live).events;
    assert_eq!(
        (events.open, events.unused_scans, events.undecided()),
        (3, 5, 0)
    );
}

#[test]
fn an_age_is_never_negative() {
    assert!(age_s(at("2026-11-23T08:00:05Z"), at("2026-11-23T08:00:00Z")).abs() < f64::EPSILON);
    let age = age_s(at("2026-11-23T08:00:00Z"), at("2026-11-23T08:00:03.2Z"));
    assert!((age - 3.2).abs() < 1e-9);
}
