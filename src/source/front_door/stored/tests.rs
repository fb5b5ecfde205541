//! Stored values are read back, and the bytes of each version stay the same.

use super::*;

fn session() -> SessionV1 {
    SessionV1 {
        expiry_s: 604_800,
        ended_s: Some(1_795_000_000),
        subscriptions: vec![SubscriptionV1 {
            filter: "a/#".to_owned(),
            qos: 1,
            no_local: false,
            keep_retain: true,
        }],
    }
}

fn missed(properties: &'static [u8], expiry: Option<Expiry>) -> Message {
    let content = Content {
        properties: properties.into(),
        expiry,
        ..Content::plain(b"{}"[..].into(), false)
    };
    Message {
        topic: "a/receipt".into(),
        content,
        qos: Qos::AtLeastOnce,
        retain: false,
        since: crate::clock::instant(),
        number: Some(1),
    }
}

#[test]
fn stored_values_are_read_back() {
    let device = Name::new("pda-1").unwrap();
    for client_id in ["pda-1", "a/b c", "", "ä%2F", "..", "\u{1F600}/"] {
        let key = session_key(&device, client_id);
        assert_eq!(
            read(&key, &session_value(session())),
            Some(Restored::Session(
                device.clone(),
                client_id.to_owned(),
                session()
            ))
        );
        let key = missed_key(&device, client_id, 123_456_789);
        for properties in [&b""[..], &[1, 1]] {
            let missed = missed(properties, None);
            for pkid in [None, Some(7)] {
                let message = RestoredMissed {
                    topic: "a/receipt".to_owned(),
                    content: missed.content.clone(),
                    pkid,
                };
                let client_id = client_id.to_owned();
                assert_eq!(
                    read(&key, &missed_value(&missed, pkid)),
                    Some(Restored::Missed {
                        device: device.clone(),
                        client_id,
                        number: 123_456_789,
                        message,
                    })
                );
            }
        }
    }
    let key = received_key(&device, "a/b c", 65_535);
    let received = Restored::Received(device.clone(), "a/b c".to_owned(), 65_535);
    assert_eq!(read(&key, &received_value()), Some(received));
    assert_eq!(
        read(&Namespace::Retained.key("a/b"), b"x"),
        Some(Restored::Retained("a/b".to_owned(), b"x".to_vec()))
    );
    let plain = Content::plain(b"x"[..].into(), true);
    assert_eq!(properties_value(&plain), None);
    for (key, value) in [
        (Namespace::Sessions.key("pda-1/x"), &b"\xff\xff"[..]),
        (Namespace::Sessions.key("a b/x"), b""),
        (Namespace::FlowStates.key("x/y"), b""),
    ] {
        assert_eq!(read(&key, value), None, "{key}");
    }
}

#[test]
fn an_expiry_on_disk_is_counted_on() {
    let expiry = Expiry::after(100).unwrap();
    let value = missed_value(&missed(b"", Some(expiry)), None);
    let Some(Restored::Missed { message, .. }) = read(&Namespace::Missed.key("pda-1/x/1"), &value)
    else {
        panic!("not a missed message");
    };
    let left = message.content.expiry.unwrap().second() - expiry.second();
    assert!((-1..=1).contains(&left), "{left}");
    assert!(!message.content.is_expired());
    assert!(Expiry::restore(1).unwrap().is_over());
}

#[test]
fn the_first_versions_bytes_are_understood_for_ever() {
    let bytes = session_value(session());
    assert_eq!(
        bytes,
        [
            0, 128, 245, 36, 1, 128, 155, 236, 175, 13, 1, 3, b'a', b'/', b'#', 1, 0, 1
        ]
    );
    assert_eq!(received_value(), [0]);
    assert_eq!(
        missed_value(&missed(b"", None), None),
        [
            0, 9, b'a', b'/', b'r', b'e', b'c', b'e', b'i', b'p', b't', 2, b'{', b'}', 0
        ]
    );
    assert_eq!(
        missed_value(&missed(&[1, 1], None), None),
        [
            1, 9, b'a', b'/', b'r', b'e', b'c', b'e', b'i', b'p', b't', 2, b'{', b'}', 0, 2, 1, 1,
            0
        ]
    );
    assert_eq!(
        missed_value(&missed(&[1, 1], None), Some(7)),
        [
            2, 9, b'a', b'/', b'r', b'e', b'c', b'e', b'i', b'p', b't', 2, b'{', b'}', 0, 2, 1, 1,
            0, 7
        ]
    );
    let properties = PropertiesV1 {
        qos: 2,
        properties: vec![1, 1],
        expires_s: Some(1_795_000_000),
    };
    let bytes = [0, 2, 2, 1, 1, 1, 128, 155, 236, 175, 13];
    let kept = |payload_hash| {
        let properties = properties.clone();
        let kept = RestoredProperties {
            properties,
            payload_hash,
        };
        Some(Restored::Properties("a/b".to_owned(), kept))
    };
    assert_eq!(read(&Namespace::Properties.key("a/b"), &bytes), kept(None));
    let second = [
        1, 2, 2, 1, 1, 1, 128, 155, 236, 175, 13, 8, 7, 6, 5, 4, 3, 2, 1,
    ];
    let hash = [8, 7, 6, 5, 4, 3, 2, 1];
    assert_eq!(
        read(&Namespace::Properties.key("a/b"), &second),
        kept(Some(hash))
    );
    let written = postcard::to_stdvec(&StoredProperties::V1(properties.clone()));
    assert_eq!(written.unwrap(), bytes);
    let written = postcard::to_stdvec(&StoredProperties::V2(PropertiesV2 {
        properties,
        payload_hash: hash,
    }));
    assert_eq!(written.unwrap(), second);
}
