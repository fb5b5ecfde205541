//! What outlives a connection: subscriptions, missed messages, retained messages, wills.

mod retained;
mod wills;

use super::*;

fn lasting(v5: bool) -> Hello<'static> {
    Hello {
        v5,
        clean: false,
        // MQTT 5: a session that lives an hour.
        properties: if v5 { &[17, 0, 0, 14, 16] } else { &[] },
        ..Hello::default()
    }
}

#[tokio::test]
async fn a_device_finds_what_it_missed_when_it_comes_back() {
    for v5 in [false, true] {
        let door = Door::anonymous().await;
        let (mut client, connack) = Raw::hello(&door, lasting(v5)).await;
        assert_eq!(connack.body[..2], [0, 0], "no session present, success");
        client.subscribe_to("display").await;
        drop(client);
        door.until_connected(0).await;
        for n in 1..=3 {
            door.tell("display", &format!("{{\"n\":{n}}}"), false).await;
        }
        door.journal
            .until_kept("three missed messages", |kept| {
                kept.keys()
                    .filter(|key| key.starts_with("missed/pda-1/pda-1/"))
                    .count()
                    == 3
            })
            .await;

        let (mut client, connack) = Raw::hello(&door, lasting(v5)).await;
        assert_eq!(connack.body[..2], [1, 0], "session present, success");
        for n in 1..=3 {
            let (first, channel, payload) = client.message(true).await;
            assert_eq!((first, channel.as_str()), (0x32, "display"));
            assert_eq!(payload, format!("{{\"n\":{n}}}"));
        }
        door.journal
            .until_kept("nothing missed any more", |kept| {
                !kept.keys().any(|key| key.starts_with("missed/"))
            })
            .await;
        client.quiet().await;
    }
}

#[tokio::test]
async fn missed_messages_and_subscriptions_survive_a_restart() {
    let door = Door::anonymous().await;
    let mut client = Raw::connect(&door, lasting(false)).await;
    client.subscribe_to("#").await;
    // One is sent and not acknowledged, two come after it went.
    door.tell("display", "1", false).await;
    let packet = client.packet().await;
    assert_eq!(packet.publish(false).2, "1");
    drop(client);
    door.until_connected(0).await;
    door.tell("display", "2", false).await;
    door.tell("receipt", "3", false).await;
    let kept = door.stop().await;
    assert_eq!(
        kept.iter()
            .filter(|(key, _)| key.starts_with("missed/"))
            .count(),
        3
    );

    let door = Door::with(anonymous(), kept).await;
    // Even before it connects, it goes on missing messages.
    door.tell("display", "4", false).await;
    let (mut client, connack) = Raw::hello(&door, lasting(false)).await;
    assert_eq!(connack.body, [1, 0]);
    for n in 1..=4 {
        assert_eq!(client.message(true).await.2, n.to_string());
    }
    client.quiet().await;
    client.leave().await;
    let kept = door.stop().await;
    let keys: Vec<_> = kept.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["session/pda-1/pda-1"]);
}

#[tokio::test]
async fn an_unacknowledged_message_comes_again_with_dup_and_its_packet_id() {
    let door = Door::anonymous().await;
    let mut client = Raw::connect(&door, lasting(false)).await;
    client.subscribe_to("receipt").await;
    for n in ["1", "2", "3"] {
        door.tell("receipt", n, false).await;
    }
    let mut ids = Vec::new();
    for n in ["1", "2", "3"] {
        let packet = client.packet().await;
        let (_, pkid, payload) = packet.publish(false);
        assert_eq!((packet.first, payload.as_str()), (0x32, n));
        ids.push(pkid);
    }
    client.puback(ids[1]).await;
    client.quiet().await;
    drop(client);
    let mut client = Raw::connect(&door, lasting(false)).await;
    for (at, n) in [(0, "1"), (2, "3")] {
        let packet = client.packet().await;
        let (_, pkid, payload) = packet.publish(false);
        assert_eq!((packet.first, pkid, payload.as_str()), (0x3A, ids[at], n));
        client.puback(pkid).await;
    }
    client.quiet().await;
}

#[tokio::test]
async fn a_device_that_is_there_and_acknowledges_costs_no_disk() {
    let door = Door::anonymous().await;
    let mut client = Raw::connect(&door, lasting(false)).await;
    client.subscribe_to("receipt").await;
    client.quiet().await;
    let before = door.journal.log.lock().unwrap().keep_requests;
    for pkid in 1..=20 {
        client.event(pkid, &format!("e-{pkid}")).await;
        client.acked(pkid).await;
        client.message(true).await;
    }
    client.quiet().await;
    assert_eq!(door.journal.log.lock().unwrap().keep_requests, before);
}

#[tokio::test]
async fn the_oldest_missed_messages_go_first() {
    let door = Door::open(stockrelay::config::Listen {
        missed_max: 3,
        ..anonymous()
    })
    .await;
    let mut client = Raw::connect(&door, lasting(false)).await;
    client.subscribe_to("display").await;
    drop(client);
    door.until_connected(0).await;
    for n in 1..=5 {
        door.tell("display", &n.to_string(), false).await;
    }
    let kept = door.stop().await;
    assert_eq!(
        kept.iter()
            .filter(|(key, _)| key.starts_with("missed/"))
            .count(),
        3
    );
    let door = Door::with(anonymous(), kept).await;
    let mut client = Raw::connect(&door, lasting(false)).await;
    for n in 3..=5 {
        assert_eq!(client.message(true).await.2, n.to_string());
    }
    client.quiet().await;
}

#[tokio::test]
async fn a_clean_session_forgets() {
    let door = Door::anonymous().await;
    let mut client = Raw::connect(&door, lasting(false)).await;
    client.subscribe_to("display").await;
    drop(client);
    door.until_connected(0).await;
    door.tell("display", "1", false).await;
    door.journal
        .until_kept("a missed message", |kept| {
            kept.keys().any(|key| key.starts_with("missed/"))
        })
        .await;
    let (mut client, connack) = Raw::hello(&door, Hello::default()).await;
    assert_eq!(connack.body, [0, 0]);
    client.quiet().await;
    door.tell("display", "2", false).await;
    client.quiet().await;
    client.leave().await;
    let (mut client, connack) = Raw::hello(&door, lasting(false)).await;
    assert_eq!(connack.body, [0, 0]);
    client.quiet().await;
    drop(client);
    let kept = door.stop().await;
    assert!(
        !kept.iter().any(|(key, _)| key.starts_with("missed/")),
        "{kept:?}"
    );
}

#[tokio::test]
async fn an_mqtt_5_session_expires() {
    let door = Door::anonymous().await;
    let hello = || Hello {
        v5: true,
        clean: false,
        properties: &[17, 0, 0, 0, 1],
        ..Hello::default()
    };
    let mut client = Raw::connect(&door, hello()).await;
    client.subscribe_to("display").await;
    drop(client);
    door.until_connected(0).await;
    door.journal
        .until_kept("its end", std::collections::BTreeMap::is_empty)
        .await;
    let (_client, connack) = Raw::hello(&door, hello()).await;
    assert_eq!(connack.body[0], 0, "no session present");
}

#[tokio::test]
async fn a_session_expiry_beyond_the_limit_is_lowered_and_said() {
    let door = Door::anonymous().await;
    let hello = Hello {
        v5: true,
        properties: &[17, 255, 255, 255, 255],
        ..Hello::default()
    };
    let (_client, connack) = Raw::hello(&door, hello).await;
    // The first property: session expiry interval, 604,800 s.
    assert_eq!(connack.body[3..8], [17, 0, 9, 58, 128]);
}

#[tokio::test]
async fn a_second_connection_takes_the_session_over() {
    let door = Door::anonymous().await;
    let mut first = Raw::connect(&door, lasting(true)).await;
    first.subscribe_to("display").await;
    let (mut second, connack) = Raw::hello(&door, lasting(true)).await;
    assert_eq!(connack.body[..2], [1, 0], "session present, success");
    first.disconnected(0x8E).await;
    door.tell("display", "1", false).await;
    assert_eq!(second.message(true).await.2, "1");

    let (mut third, _) = Raw::hello(&door, lasting(false)).await;
    second.disconnected(0x8E).await;
    let (mut fourth, _) = Raw::hello(&door, lasting(false)).await;
    third.closed().await;
    fourth.quiet().await;
    // Another device with the same client id would be another session; here the id is the device.
    let mut other = Raw::connect(
        &door,
        Hello {
            client_id: "pda-2",
            ..Hello::default()
        },
    )
    .await;
    fourth.quiet().await;
    other.quiet().await;
}

#[tokio::test]
async fn silence_beyond_one_and_a_half_keep_alives_ends_the_connection() {
    let door = Door::anonymous().await;
    let will = Some(("stockrelay/v1/ams1/pda-1/state", r#"{"online":false}"#));
    let hello = Hello {
        v5: true,
        keep_alive: 1,
        will,
        ..Hello::default()
    };
    let mut client = Raw::connect(&door, hello).await;
    let start = tokio::time::Instant::now();
    client.disconnected(0x8D).await;
    let silence = start.elapsed().as_secs_f64();
    assert!((1.4..10.0).contains(&silence), "{silence}");
    door.until_connected(0).await;
    let kept = door.journal.kept();
    assert_eq!(
        kept["retained/stockrelay/v1/ams1/pda-1/state"],
        br#"{"online":false}"#
    );
}

#[tokio::test]
async fn a_keep_alive_of_none_or_too_long_is_answered_with_the_servers() {
    let door = Door::anonymous().await;
    for keep_alive in [0, 65_535] {
        let hello = Hello {
            v5: true,
            keep_alive,
            ..Hello::default()
        };
        let (client, connack) = Raw::hello(&door, hello).await;
        assert!(
            connack.body.windows(3).any(|w| w == [19, 14, 16]),
            "{connack:?}"
        );
        client.leave().await;
    }
}

#[tokio::test]
async fn only_own_topics_can_be_subscribed_to() {
    let door = Door::open(stockrelay::config::Listen {
        subscriptions_max: 3,
        ..anonymous()
    })
    .await;
    let filters = [
        "#",
        "stockrelay/v1/ams1/+/receipt",
        "stockrelay/v1/ams1/pda-2/receipt",
        "stockrelay/v1/ams1/pda-1/a#",
        "$share/g/stockrelay/v1/ams1/pda-1/receipt",
        "stockrelay/v1/ams1/pda-1/#",
        "stockrelay/v1/ams1/pda-1/+",
        "stockrelay/v1/ams1/pda-1/receipt",
        "stockrelay/v1/ams1/pda-1/display",
        "stockrelay/v1/ams1/pda-1/receipt",
    ];
    let mut v4 = Raw::v4(&door).await;
    let codes = v4.subscribe(&filters, 2).await;
    assert_eq!(codes, [0x80, 0x80, 0x80, 0x80, 0x80, 1, 1, 1, 0x80, 1]);
    // Overlapping filters: the message comes once.
    door.tell("receipt", "1", false).await;
    v4.message(true).await;
    v4.quiet().await;
    v4.leave().await;
    let mut v5 = Raw::v5(&door).await;
    let codes = v5.subscribe(&filters, 1).await;
    assert_eq!(codes, [0x87, 0x87, 0x87, 0x8F, 0x9E, 1, 1, 1, 0x97, 1]);
    // What is unsubscribed does not come.
    let mut body = vec![0, 9, 0];
    for filter in ["stockrelay/v1/ams1/pda-1/#", "x"] {
        body.extend(u16::try_from(filter.len()).unwrap().to_be_bytes());
        body.extend(filter.as_bytes());
    }
    v5.send(&framed(0xA2, &body)).await;
    let unsuback = v5.packet().await;
    assert_eq!(
        (unsuback.first, &unsuback.body[..]),
        (0xB0, &[0, 9, 0, 0, 0x11][..])
    );
    door.tell("config/desired", "{}", false).await;
    v5.quiet().await;
}

#[tokio::test]
async fn receipts_reach_every_client_of_the_device() {
    let door = Door::anonymous().await;
    drop(door);
    let (config, _dir) = super::access::with_passwords(&[("pda-1", "pw")]);
    let door = Door::open(config).await;
    let hello = |client_id| Hello {
        client_id,
        login: Some(("pda-1", "pw")),
        ..Hello::default()
    };
    let mut reader = Raw::connect(&door, hello("reader")).await;
    reader.subscribe_to("receipt").await;
    let mut writer = Raw::connect(&door, hello("writer")).await;
    writer.event(1, "e").await;
    writer.acked(1).await;
    assert!(reader.message(true).await.2.contains(r#""id":"e""#));
    writer.quiet().await;
}

#[tokio::test]
async fn a_slow_reader_gets_no_more_than_it_said_it_takes() {
    let door = Door::anonymous().await;
    // Receive Maximum 2, Maximum Packet Size 100.
    let hello = Hello {
        v5: true,
        properties: &[33, 0, 2, 39, 0, 0, 0, 100],
        ..Hello::default()
    };
    let mut client = Raw::connect(&door, hello).await;
    client.subscribe_to("display").await;
    for n in 1..=3 {
        door.tell("display", &n.to_string(), false).await;
    }
    let first = client.packet().await.publish(true);
    let second = client.packet().await.publish(true);
    assert_eq!((first.2.as_str(), second.2.as_str()), ("1", "2"));
    client.quiet().await;
    client.puback(first.1).await;
    assert_eq!(client.message(true).await.2, "3");
    client.puback(second.1).await;
    door.tell("display", &"x".repeat(200), false).await;
    door.tell("display", "4", false).await;
    assert_eq!(client.message(true).await.2, "4");
}

#[tokio::test]
async fn shutting_down_says_so_and_keeps_what_was_not_delivered() {
    let door = Door::anonymous().await;
    let mut client = Raw::connect(&door, lasting(true)).await;
    client.subscribe_to("display").await;
    door.tell("display", "1", false).await;
    client.packet().await;
    door.shut_down();
    client.disconnected(0x8B).await;
    let kept = door.stop().await;
    assert_eq!(
        kept.iter()
            .filter(|(key, _)| key.starts_with("missed/"))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_missed_message_too_large_for_the_client_does_not_stand_in_the_way() {
    let door = Door::anonymous().await;
    let mut client = Raw::connect(&door, lasting(true)).await;
    client.subscribe_to("display").await;
    drop(client);
    door.until_connected(0).await;
    for n in 0..70 {
        door.tell("display", &"x".repeat(200 + n), false).await;
    }
    door.tell("display", "small", false).await;
    let hello = Hello {
        properties: &[17, 0, 0, 14, 16, 39, 0, 0, 0, 100],
        ..lasting(true)
    };
    let mut client = Raw::connect(&door, hello).await;
    assert_eq!(client.message(true).await.2, "small");
    door.journal
        .until_kept("nothing missed any more", |kept| {
            !kept.keys().any(|key| key.starts_with("missed/"))
        })
        .await;
}
