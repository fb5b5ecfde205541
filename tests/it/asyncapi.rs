//! docs/asyncapi.yaml: its topics are those of the code, the decoder accepts its examples and
//! refuses what it names as refused.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;
use stockrelay::channel::identity::ReadingId;
use stockrelay::channel::receipt::Receipt;
use stockrelay::channel::{FROM_DEVICES, Reading, TO_DEVICES};
use stockrelay::decode::decode;
use stockrelay::event::{Channel, Event, EventType, Name, Rejection, Seq, SourceKind};
use stockrelay::fleet::topics::{BUNDLE_TOPIC, STOP_TOPIC, online_topic, report_topic};

use crate::floor::{at, name};
use crate::schema::Description;

const FILE: &str = "docs/asyncapi.yaml";
/// The fields that each event may have.
const COMMON: [&str; 4] = ["id", "at", "operator", "type"];

/// The addresses of the channels whose operation is this action.
fn addresses(description: &Description, action: &str) -> BTreeSet<String> {
    let operations = description.root["operations"].as_object().unwrap().values();
    let channels = operations.filter(|operation| operation["action"] == action);
    let address = |operation: &Value| {
        let channel = description.follow(&operation["channel"]);
        channel["address"].as_str().unwrap().to_owned()
    };
    channels.map(address).collect()
}

#[test]
fn the_topics_are_those_of_the_code() {
    let description = Description::read(FILE);
    let of_device = |end: &&str| format!("stockrelay/v1/{{site}}/{{device}}/{end}");
    let site = |topic: String| topic.replace("SITE", "{site}");
    let mut read: BTreeSet<String> = FROM_DEVICES.iter().map(of_device).collect();
    read.extend([BUNDLE_TOPIC, STOP_TOPIC].map(str::to_owned));
    read.insert(format!("{BUNDLE_TOPIC}/{{group}}"));
    assert_eq!(addresses(&description, "receive"), read);
    let mut sent: BTreeSet<String> = TO_DEVICES.iter().map(of_device).collect();
    sent.insert(site(report_topic(&name("SITE"))));
    sent.insert(site(online_topic(&name("SITE"))));
    assert_eq!(addresses(&description, "send"), sent);
    let channels = description.root["channels"].as_object().unwrap().len();
    assert_eq!(channels, read.len() + sent.len());
}

/// Each message of a channel: its name, and its description.
fn messages<'a>(description: &'a Description, channel: &str) -> Vec<(&'a str, &'a Value)> {
    let channel = &description.root["channels"][channel];
    let messages = channel["messages"].as_object().unwrap().iter();
    let follow =
        |(name, message): (&'a String, &'a Value)| (name.as_str(), description.follow(message));
    messages.map(follow).collect()
}

fn read(channel: Channel, payload: &Value) -> Result<Event, Rejection> {
    let reading = Reading {
        id: ReadingId::of(7, 1),
        redelivered: false,
        source: SourceKind::Listen,
        device: Name::new("pda-1").unwrap(),
        channel,
        payload: Bytes::from(payload.to_string()),
        received: at(1),
    };
    let mut entries = decode(&reading);
    assert_eq!(entries.len(), 1);
    entries.remove(0)
}

#[test]
fn the_decoder_accepts_the_examples_and_refuses_the_wrong_ones() {
    let description = Description::read(FILE);
    for (channel, of_topic) in [("event", Channel::Event), ("scan", Channel::Scan)] {
        for (kind, message) in messages(&description, channel) {
            let examples = message["examples"].as_array().unwrap();
            assert!(!examples.is_empty(), "{kind}");
            for example in examples {
                let payload = &example["payload"];
                let event = read(of_topic, payload).unwrap_or_else(|rejection| {
                    panic!("{payload}: {}", rejection.message);
                });
                assert_eq!(event.action.kind(), kind);
                assert_eq!(event.id, payload["id"]);
            }
            let refused = message["x-refused"].as_array().unwrap();
            assert!(!refused.is_empty(), "{kind}");
            for example in refused {
                let payload = &example["payload"];
                let rejection = read(of_topic, payload).expect_err(&payload.to_string());
                assert_eq!(example["code"], rejection.code.as_str(), "{payload}");
            }
        }
    }
}

#[test]
fn each_event_type_has_the_fields_of_the_decoder() {
    let description = Description::read(FILE);
    let described = messages(&description, "event");
    let types: BTreeSet<_> = EventType::all().map(|it| it.name).collect();
    let mut named: BTreeSet<_> = described.iter().map(|(kind, _)| *kind).collect();
    named.insert(EventType::SCAN.name);
    assert_eq!(named, types);
    for (kind, message) in described {
        let schema = description.follow(&message["payload"]);
        let fields = schema["properties"].as_object().unwrap().keys();
        let fields: BTreeSet<_> = fields.map(String::as_str).collect();
        let of_type = EventType::named(kind).unwrap().fields.iter();
        let mut expected: BTreeSet<_> = of_type.map(|(field, _)| field.name()).collect();
        expected.extend(COMMON);
        assert_eq!(fields, expected, "{kind}");
        let required = schema["required"].as_array().unwrap().iter();
        for field in required.filter(|field| **field != "type") {
            let mut example = message["examples"][0]["payload"].clone();
            example
                .as_object_mut()
                .unwrap()
                .remove(field.as_str().unwrap());
            let refused = read(Channel::Event, &example);
            assert!(refused.is_err(), "{kind} without {field} is an event");
        }
    }
}

#[test]
fn the_schemas_describe_the_examples_and_the_receipts_of_the_code() {
    let description = Description::read(FILE);
    let all = description.root["components"]["messages"]
        .as_object()
        .unwrap();
    for (name, message) in all {
        for example in message["examples"].as_array().into_iter().flatten() {
            let faults = description.compare(&message["payload"], &example["payload"]);
            assert!(faults.is_empty(), "{name}: {faults:#?}");
        }
    }
    let (id, document) = ("8c1f", "9b1f0c6e5d4a3b2c1d0e9f8a7b6c5d4e".to_owned());
    let stored = Receipt::Stored {
        id,
        seq: Seq::new(7),
        duplicate: false,
        id_derived: true,
        flags: &[stockrelay::event::EventFlag::PossibleRepeat],
    };
    let (odoo, note) = (None, Some("a backorder"));
    let posted = Receipt::Posted {
        id,
        document,
        odoo,
        note,
    };
    let refused = Receipt::Refused {
        id: None,
        code: "bad-json",
        message: "not JSON",
    };
    for (name, receipt) in [("stored", stored), ("posted", posted), ("refused", refused)] {
        let receipt: Value = serde_json::from_slice(&receipt.to_bytes()).unwrap();
        let faults = description.compare(&all[name]["payload"], &receipt);
        assert!(faults.is_empty(), "{name}: {faults:#?}");
    }
}
