//! The promise: PUBACK after the commit, in order, and what happens when the journal cannot take
//! more.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;

#[tokio::test]
async fn no_puback_before_the_commit() {
    let door = Door::anonymous().await;
    for v5 in [false, true] {
        let mut client = Raw::connect(
            &door,
            Hello {
                v5,
                ..Hello::default()
            },
        )
        .await;
        door.journal.set(Mode::Hold);
        let id = format!("a-{v5}");
        client.event(1, &id).await;
        door.journal.arrived(1).await;
        client.quiet().await;
        door.journal.set(Mode::Answer);
        client.acked(1).await;
        assert!(door.journal.ids().contains(&id));
        client.leave().await;
    }
}

#[tokio::test]
async fn pubacks_come_in_the_order_of_the_publishes() {
    let door = Door::anonymous().await;
    for v5 in [false, true] {
        let mut client = Raw::connect(
            &door,
            Hello {
                v5,
                ..Hello::default()
            },
        )
        .await;
        // Things that take different ways: events, a state, a foreign topic, something not
        // understood.
        let mut bytes = Vec::new();
        for pkid in 1..=50_u16 {
            let (topic, payload) = match pkid % 5 {
                0 => (format!("{PREFIX}state"), "{}".to_owned()),
                1 => ("elsewhere".to_owned(), "x".to_owned()),
                2 => (format!("{PREFIX}event"), "{not json".to_owned()),
                _ => (format!("{PREFIX}event"), event(&format!("{v5}-{pkid}"))),
            };
            bytes.extend(client.publish_bytes(0x32, &topic, pkid, &payload));
        }
        client.send(&bytes).await;
        for pkid in 1..=50 {
            let ack = client.packet().await;
            assert_eq!((ack.first, ack.pkid()), (0x40, pkid));
        }
        client.leave().await;
    }
}

#[tokio::test]
async fn a_3_1_1_client_is_slowed_down_at_the_in_flight_limit_and_loses_nothing() {
    let door = Door::open(stockrelay::config::Listen {
        in_flight_max: 4,
        ..anonymous()
    })
    .await;
    let mut client = Raw::v4(&door).await;
    door.journal.set(Mode::Hold);
    for pkid in 1..=10 {
        client.event(pkid, &format!("e-{pkid}")).await;
    }
    door.journal.arrived(1).await;
    // The door reads no more than four: even a PINGREQ behind them waits.
    client.send(&[0xC0, 0]).await;
    door.journal.set(Mode::Answer);
    for pkid in 1..=10 {
        client.acked(pkid).await;
    }
    assert_eq!(client.packet().await.first, 0xD0);
    assert_eq!(door.journal.ids().len(), 10);
}

#[tokio::test]
async fn an_mqtt_5_client_that_ignores_receive_maximum_is_disconnected() {
    let door = Door::open(stockrelay::config::Listen {
        in_flight_max: 4,
        ..anonymous()
    })
    .await;
    let mut client = Raw::v5(&door).await;
    door.journal.set(Mode::Hold);
    for pkid in 1..=5 {
        client.event(pkid, &format!("e-{pkid}")).await;
    }
    door.journal.arrived(1).await;
    door.journal.set(Mode::Answer);
    for pkid in 1..=4 {
        client.acked(pkid).await;
    }
    client.disconnected(0x93).await;
}

#[tokio::test]
async fn a_full_journal_is_told_to_mqtt_5_and_waited_out_by_3_1_1() {
    let door = Door::anonymous().await;
    door.journal.set(Mode::Full);
    let mut v5 = Raw::v5(&door).await;
    v5.event(1, "five").await;
    let reason = v5.nacked(1, 0x97).await;
    assert!(reason.contains("journal is full"), "{reason}");
    v5.leave().await;

    let mut v4 = Raw::v4(&door).await;
    v4.event(1, "four").await;
    // Asked again and again, never acknowledged; the connection lives.
    door.journal.arrived(4).await;
    v4.quiet().await;
    door.journal.set(Mode::Answer);
    v4.acked(1).await;
    assert_eq!(door.journal.ids(), ["four"]);
}

#[tokio::test]
async fn a_stopped_journal_acknowledges_nothing_and_ends_the_connection() {
    let door = Door::anonymous().await;
    let mut v5 = Raw::v5(&door).await;
    door.journal.set(Mode::Stopped);
    v5.event(1, "x").await;
    v5.disconnected(0x8B).await;
    let mut v4 = Raw::v4(&door).await;
    v4.event(1, "x").await;
    v4.closed().await;
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_a_reason() {
    let door = Door::anonymous().await;
    let mut v5 = Raw::v5(&door).await;
    v5.subscribe_to("receipt").await;
    v5.publish("event", 1, r#"{"id":"x","type":"teleport"}"#)
        .await;
    let reason = v5.nacked(1, 0x99).await;
    assert!(reason.contains("type"), "{reason}");
    let (_, channel, receipt) = v5.message(true).await;
    assert_eq!(channel, "receipt");
    assert!(receipt.contains(r#""status":"refused""#), "{receipt}");
    // Part of it understood: acknowledged, and each has its receipt.
    let mixed = format!("[{},{{\"id\":\"bad\"}}]", event("good"));
    v5.publish("event", 2, &mixed).await;
    v5.acked(2).await;
    assert!(v5.message(true).await.2.contains(r#""status":"stored""#));
    assert!(v5.message(true).await.2.contains(r#""status":"refused""#));
    v5.leave().await;

    let mut v4 = Raw::v4(&door).await;
    v4.subscribe_to("receipt").await;
    v4.publish("event", 1, "{").await;
    v4.acked(1).await;
    assert!(v4.message(true).await.2.contains(r#""status":"refused""#));
}

#[tokio::test]
async fn a_foreign_topic_is_not_authorized() {
    let door = Door::anonymous().await;
    let mut v5 = Raw::v5(&door).await;
    for (pkid, topic) in [
        "stockrelay/v1/ams1/pda-2/event",
        "stockrelay/v1/ams1/pda-1/receipt",
        "stockrelay/v1/ams1/pda-1/tasks",
        "x",
    ]
    .iter()
    .enumerate()
    {
        let pkid = u16::try_from(pkid + 1).unwrap();
        let bytes = v5.publish_bytes(0x32, topic, pkid, &event("x"));
        v5.send(&bytes).await;
        v5.nacked(pkid, 0x87).await;
    }
    // Without an answer, with QoS 0, it is kept all the same.
    let bytes = v5.publish_bytes(0x30, "stockrelay/v1/other/pda-1/event", 0, &event("x"));
    v5.send(&bytes).await;
    v5.quiet().await;
    v5.leave().await;
    let kept = std::mem::take(&mut door.journal.log.lock().unwrap().rejected);
    assert_eq!(kept, vec![("not-your-topic", "pda-1".to_owned()); 5]);

    // 3.1.1 has no word for it: acknowledged, and the receipt says why.
    let mut v4 = Raw::v4(&door).await;
    v4.subscribe_to("receipt").await;
    let bytes = v4.publish_bytes(0x32, "stockrelay/v1/ams1/pda-2/event", 9, &event("x"));
    v4.send(&bytes).await;
    v4.acked(9).await;
    let (_, _, receipt) = v4.message(true).await;
    assert!(receipt.contains("not-your-topic"), "{receipt}");
    // The id of another device's event is no id of this device.
    assert!(receipt.contains(r#""id":null"#), "{receipt}");
    assert_eq!(
        door.journal.log.lock().unwrap().rejected,
        [("not-your-topic", "pda-1".to_owned())]
    );
    assert_eq!(door.journal.ids(), Vec::<String>::new());
    let bytes = v4.publish_bytes(0x32, "stockrelay/v1/other/pda-1/event", 10, &event("x"));
    v4.send(&bytes).await;
    v4.acked(10).await;
    let (_, _, receipt) = v4.message(true).await;
    assert!(
        receipt.contains(r#""id":"x","code":"not-your-topic""#),
        "{receipt}"
    );
}

#[tokio::test]
async fn a_repeat_is_told_as_a_duplicate_of_the_first() {
    let door = Door::anonymous().await;
    let mut client = Raw::v4(&door).await;
    client.subscribe_to("receipt").await;
    client.event(1, "e-1").await;
    client.acked(1).await;
    let first = client.message(true).await.2;
    assert_eq!(
        first,
        r#"{"status":"stored","id":"e-1","seq":1,"duplicate":false}"#
    );
    client.event(2, "e-1").await;
    client.acked(2).await;
    let again = client.message(true).await.2;
    assert_eq!(
        again,
        r#"{"status":"stored","id":"e-1","seq":1,"duplicate":true}"#
    );
}

#[tokio::test]
async fn qos_0_is_taken_even_right_before_the_end() {
    let door = Door::anonymous().await;
    let mut client = Raw::v4(&door).await;
    let mut bytes = client.publish_bytes(0x30, &format!("{PREFIX}event"), 0, &event("e"));
    bytes.extend([0xE0, 0]);
    client.send(&bytes).await;
    client.closed().await;
    assert_eq!(door.journal.ids(), ["e"]);
}

#[tokio::test]
async fn qos_2_is_taken_once_and_received_after_the_commit() {
    let door = Door::anonymous().await;
    let hello = || Hello {
        clean: false,
        ..Hello::default()
    };
    let mut client = Raw::connect(&door, hello()).await;
    door.journal.set(Mode::Hold);
    let publish = client.publish_bytes(0x34, &format!("{PREFIX}event"), 3, &event("two"));
    client.send(&publish).await;
    door.journal.arrived(1).await;
    client.quiet().await;
    door.journal.set(Mode::Answer);
    let rec = client.packet().await;
    assert_eq!((rec.first, rec.pkid()), (0x50, 3));

    // Not released: the same id is the same message, also on the next connection of the session.
    drop(client);
    door.until_connected(0).await;
    let mut client = Raw::connect(&door, hello()).await;
    let mut again = client.publish_bytes(0x34, &format!("{PREFIX}event"), 3, &event("other"));
    again[0] |= 8;
    client.send(&again).await;
    assert_eq!(client.packet().await.first, 0x50);
    client.send(&[0x62, 2, 0, 3]).await;
    let comp = client.packet().await;
    assert_eq!((comp.first, comp.pkid()), (0x70, 3));
    assert_eq!(door.journal.ids(), ["two"]);

    // Released: the id is free.
    let third = client.publish_bytes(0x34, &format!("{PREFIX}event"), 3, &event("three"));
    client.send(&third).await;
    assert_eq!(client.packet().await.first, 0x50);
    assert_eq!(door.journal.ids(), ["two", "three"]);

    // The MQTT 5 client received Maximum QoS 1.
    let mut v5 = Raw::connect(
        &door,
        Hello {
            v5: true,
            client_id: "pda-2",
            ..Hello::default()
        },
    )
    .await;
    let bytes = v5.publish_bytes(0x34, "stockrelay/v1/ams1/pda-2/event", 3, "{}");
    v5.send(&bytes).await;
    v5.disconnected(0x9B).await;
}

#[tokio::test]
async fn a_qos_2_publish_that_settles_while_its_session_is_taken_over_counts_once() {
    let door = Door::anonymous().await;
    let hello = || Hello {
        clean: false,
        ..Hello::default()
    };
    let mut first = Raw::connect(&door, hello()).await;
    door.journal.set(Mode::Hold);
    // Without an id of its own: only the packet id tells that it is the same.
    let payload = r#"{"type":"transfer","product":"4000000000006","from":"A","to":"B"}"#;
    let publish = first.publish_bytes(0x34, &format!("{PREFIX}event"), 3, payload);
    first.send(&publish).await;
    door.journal.arrived(1).await;

    let mut second = std::pin::pin!(Raw::connect(&door, hello()));
    let early = tokio::time::timeout(Duration::from_millis(500), &mut second).await;
    door.journal.set(Mode::Answer);
    let mut second = match early {
        Ok(second) => second,
        Err(_) => second.await,
    };
    let mut again = publish.clone();
    again[0] |= 8;
    second.send(&again).await;
    let rec = second.packet().await;
    assert_eq!((rec.first, rec.pkid()), (0x50, 3));
    assert_eq!(door.journal.ids().len(), 1);
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_and_counts_once() {
    let door = Door::anonymous().await;
    let hello = || Hello {
        clean: false,
        ..Hello::default()
    };
    let mut client = Raw::connect(&door, hello()).await;
    door.journal.set(Mode::Hold);
    client.event(1, "e-1").await;
    door.journal.arrived(1).await;
    drop(client);
    door.journal.set(Mode::Answer);
    let mut client = Raw::connect(&door, hello()).await;
    let mut again = client.publish_bytes(0x32, &format!("{PREFIX}event"), 1, &event("e-1"));
    again[0] |= 8;
    client.send(&again).await;
    client.acked(1).await;
    assert_eq!(door.journal.ids(), ["e-1"]);
}

#[tokio::test]
async fn what_is_done_sooner_waits_for_its_turn() {
    let door = Door::anonymous().await;
    let mut client = Raw::v4(&door).await;
    door.journal.set(Mode::Hold);
    client.event(1, "e").await;
    door.journal.arrived(1).await;
    // The second reading of the socket: a foreign topic needs nothing of the held commit.
    let bytes = client.publish_bytes(0x30, "elsewhere", 0, "x");
    client.send(&bytes).await;
    client.quiet().await;
    let mut v5 = Raw::connect(
        &door,
        Hello {
            v5: true,
            client_id: "pda-2",
            ..Hello::default()
        },
    )
    .await;
    let bytes = v5.publish_bytes(0x32, "stockrelay/v1/ams1/pda-2/event", 1, &event("f"));
    v5.send(&bytes).await;
    v5.quiet().await;
    let bytes = v5.publish_bytes(0x32, "elsewhere", 2, "x");
    v5.send(&bytes).await;
    v5.quiet().await;
    door.journal.set(Mode::Answer);
    client.acked(1).await;
    v5.acked(1).await;
    v5.nacked(2, 0x87).await;
}

#[tokio::test]
async fn a_device_that_comes_back_to_a_full_journal_does_not_wait_for_its_old_self() {
    let door = Door::anonymous().await;
    door.journal.set(Mode::Full);
    let mut client = Raw::v4(&door).await;
    client.event(1, "e").await;
    door.journal.arrived(2).await;
    drop(client);
    let start = tokio::time::Instant::now();
    let mut client = Raw::v4(&door).await;
    assert!(start.elapsed().as_secs_f64() < 4.0);
    door.journal.set(Mode::Answer);
    client.event(1, "e").await;
    client.acked(1).await;
    assert_eq!(door.journal.ids(), ["e"]);
}

#[tokio::test]
async fn what_a_full_journal_refused_is_not_acknowledged_when_the_session_is_taken_over() {
    let door = Door::anonymous().await;
    door.journal.set(Mode::Full);
    let mut first = Raw::v4(&door).await;
    first.event(1, "e").await;
    door.journal.arrived(1).await;
    let mut second = Raw::v4(&door).await;
    first.closed().await;
    door.journal.set(Mode::Answer);
    second.event(1, "e").await;
    second.acked(1).await;
    assert_eq!(door.journal.ids(), ["e"]);
}

#[tokio::test]
async fn of_states_that_wait_for_room_the_newest_is_on_disk_in_the_end() {
    let door = Door::anonymous().await;
    door.journal.set(Mode::Full);
    let mut device = Raw::v4(&door).await;
    let mut bytes = device.publish_bytes(0x32, &format!("{PREFIX}event"), 1, &event("e"));
    let state = format!("{PREFIX}state");
    bytes.extend(device.publish_bytes(0x32, &state, 2, "old"));
    device.send(&bytes).await;
    // Both were refused some times: their next try comes later than the first one of a new state.
    door.journal.arrived(4).await;
    door.journal.set(Mode::Answer);
    device.publish("state", 3, "new").await;
    for pkid in 1..=3 {
        device.acked(pkid).await;
    }
    let kept = door.journal.kept();
    assert_eq!(kept[&format!("retained/{state}")], b"new");
}

#[tokio::test]
async fn a_plain_state_removes_the_properties_of_one_before_a_state_without_room() {
    let door = Door::anonymous().await;
    let mut device = Raw::v5(&door).await;
    let state = format!("{PREFIX}state");
    let properties = format!("properties/{state}");
    let at_most_once = device.publish_bytes(0x30, &state, 0, "first");
    device.send(&at_most_once).await;
    let stored = |kept: &BTreeMap<String, Vec<u8>>| kept.contains_key(&properties);
    door.journal.until_kept("its QoS is kept", stored).await;
    door.journal.set(Mode::Full);
    device.publish("state", 1, "second").await;
    device.nacked(1, 0x97).await;
    door.journal.set(Mode::Answer);
    device.publish("state", 2, "third").await;
    device.acked(2).await;
    assert!(!door.journal.kept().contains_key(&properties));
}
