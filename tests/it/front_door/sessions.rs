//! What outlives a connection: subscriptions, missed messages, retained messages, wills.

use stockrelay::source::Intake;
use stockrelay::source::clock_time::ClockTimes;

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
async fn the_last_will_is_published_unless_the_client_says_good_bye() {
    let door = Door::anonymous().await;
    let mut watcher = Raw::connect(
        &door,
        Hello {
            client_id: "pda-1",
            ..lasting(false)
        },
    )
    .await;
    watcher.quiet().await;
    watcher.leave().await;
    let topic = format!("{PREFIX}state");
    let hello = || Hello {
        will: Some((&topic, "gone")),
        ..Hello::default()
    };

    Raw::connect(&door, hello()).await.leave().await;
    door.until_connected(0).await;
    assert!(
        !door
            .journal
            .kept()
            .contains_key("retained/stockrelay/v1/ams1/pda-1/state")
    );

    drop(Raw::connect(&door, hello()).await);
    door.until_connected(0).await;
    let kept = door.journal.kept();
    assert_eq!(kept["retained/stockrelay/v1/ams1/pda-1/state"], b"gone");
    let live = door.board.snapshot();
    let device = live.devices.values().next().unwrap();
    assert_eq!(device.state, Some("gone".into()));
    assert!(!device.online);

    // MQTT 5, 3.14.2.1: reason 4 says good-bye and wants the will all the same.
    let mut client = Raw::connect(
        &door,
        Hello {
            v5: true,
            will: Some((&topic, "bye")),
            ..Hello::default()
        },
    )
    .await;
    client.send(&[0xE0, 1, 4]).await;
    client.closed().await;
    door.until_connected(0).await;
    assert_eq!(
        door.journal.kept()["retained/stockrelay/v1/ams1/pda-1/state"],
        b"bye"
    );
}

/// A will was written when the client connected, and a state is not kept for the next start of the
/// gateway.
#[tokio::test]
async fn a_state_tells_the_time_by_the_devices_clock_and_a_last_will_does_not() {
    let (clock_times, mut heard) = ClockTimes::new();
    let intake = |inbox| Intake::new(inbox).with_clock_times(clock_times);
    let topic = format!("{PREFIX}state");
    let at = "2026-11-23T08:15:30Z";
    let (will, state) = (
        format!(r#"{{"online": false, "at": "{at}"}}"#),
        format!(r#"{{"online": true, "at": "{at}"}}"#),
    );
    let kept = vec![(
        "retained/stockrelay/v1/ams1/pda-1/state".to_owned(),
        state.clone().into_bytes(),
    )];
    let door = Door::with_intake(anonymous(), kept, intake).await;
    let hello = Hello {
        will: Some((&topic, &will)),
        ..Hello::default()
    };
    drop(Raw::connect(&door, hello).await);
    door.until_connected(0).await;
    assert_eq!(
        door.journal.kept()["retained/stockrelay/v1/ams1/pda-1/state"],
        will.as_bytes()
    );
    assert!(heard.try_recv().is_err(), "the will, or what was kept");
    let mut client = Raw::connect(&door, Hello::default()).await;
    client.publish("config/reported", 1, &state).await;
    client.acked(1).await;
    client.publish("state", 2, &state).await;
    client.acked(2).await;
    let time = heard.try_recv().unwrap();
    assert_eq!(
        (time.device.as_str(), time.at),
        ("pda-1", at.parse().unwrap())
    );
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn a_will_elsewhere_is_refused() {
    let door = Door::anonymous().await;
    for topic in [
        "stockrelay/v1/ams1/pda-2/state",
        "stockrelay/v1/ams1/pda-1/event",
        "x",
    ] {
        for (v5, code) in [(false, 5), (true, 0x90)] {
            let hello = Hello {
                v5,
                will: Some((topic, "x")),
                ..Hello::default()
            };
            let (mut client, connack) = Raw::hello(&door, hello).await;
            assert_eq!(connack.body[1], code);
            client.closed().await;
        }
    }
}

#[tokio::test]
async fn the_new_connections_state_comes_after_the_old_ones_will() {
    let door = Door::anonymous().await;
    let topic = format!("{PREFIX}state");
    let hello = || Hello {
        will: Some((&topic, "gone")),
        ..Hello::default()
    };
    let mut first = Raw::connect(&door, hello()).await;
    let mut second = Raw::connect(&door, hello()).await;
    second.publish("state", 1, "here").await;
    second.acked(1).await;
    first.closed().await;
    assert_eq!(
        door.journal.kept()["retained/stockrelay/v1/ams1/pda-1/state"],
        b"here"
    );
}

#[tokio::test]
async fn retained_messages_come_with_the_subscription_and_after_a_restart() {
    let door = Door::anonymous().await;
    door.tell("tasks", "[1]", true).await;
    door.tell("config/desired", "{}", true).await;
    let mut client = Raw::v4(&door).await;
    client.publish("config/reported", 1, "{\"v\":1}").await;
    client.acked(1).await;
    client.subscribe_to("#").await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (first, channel, payload) = client.message(true).await;
        assert_eq!(first, 0x33, "QoS 1, retain");
        seen.push((channel, payload));
    }
    seen.sort();
    let wanted = [
        ("config/desired", "{}"),
        ("config/reported", "{\"v\":1}"),
        ("tasks", "[1]"),
    ];
    assert_eq!(seen, wanted.map(|(c, p)| (c.to_owned(), p.to_owned())));
    // A new value comes at once, without the flag (MQTT 3.1.1, 3.3.1.3).
    door.tell("tasks", "[2]", true).await;
    assert_eq!(
        client.message(true).await,
        (0x32, "tasks".to_owned(), "[2]".to_owned())
    );
    // An empty one takes it away.
    door.tell("config/desired", "", true).await;
    client.message(true).await;
    client.leave().await;
    let kept = door.stop().await;

    let door = Door::with(anonymous(), kept).await;
    let mut client = Raw::v5(&door).await;
    client.subscribe_to("config/reported").await;
    assert_eq!(
        client.message(true).await,
        (0x33, "config/reported".to_owned(), "{\"v\":1}".to_owned())
    );
    // Tasks are worked out anew.
    client.subscribe_to("tasks").await;
    client.subscribe_to("config/desired").await;
    client.quiet().await;
    // MQTT 5 retain handling: 2 is never.
    let filter = format!("{PREFIX}config/reported");
    assert_eq!(client.subscribe(&[&filter], 0b10_0001).await, [1]);
    client.quiet().await;
    // 1 is for new subscriptions: this one is not.
    assert_eq!(client.subscribe(&[&filter], 0b01_0001).await, [1]);
    client.quiet().await;
}

#[tokio::test]
async fn a_state_is_on_disk_before_its_puback_and_shown_on_the_board() {
    let door = Door::anonymous().await;
    let mut client = Raw::v4(&door).await;
    client.publish("state", 1, r#"{"battery":87}"#).await;
    client.acked(1).await;
    assert_eq!(
        door.journal.kept()["retained/stockrelay/v1/ams1/pda-1/state"],
        br#"{"battery":87}"#
    );
    let live = door.board.snapshot();
    let device = live.devices.values().next().unwrap();
    assert_eq!(device.state, Some(serde_json::json!({"battery": 87})));
    assert!(device.online);

    door.journal.set(Mode::Full);
    let mut v5 = Raw::connect(
        &door,
        Hello {
            v5: true,
            client_id: "pda-2",
            ..Hello::default()
        },
    )
    .await;
    let bytes = v5.publish_bytes(0x32, "stockrelay/v1/ams1/pda-2/state", 1, "{}");
    v5.send(&bytes).await;
    v5.nacked(1, 0x97).await;
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
async fn device_configurations_are_published_from_their_files() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pda-1.json"), r#"{"beep":1}"#).unwrap();
    std::fs::write(dir.path().join("default.json"), r#"{"beep":0}"#).unwrap();
    std::fs::write(dir.path().join("pda-3.json"), "{broken").unwrap();
    let door = Door::open(stockrelay::config::Listen {
        device_config_dir: Some(dir.path().to_owned()),
        ..anonymous()
    })
    .await;
    for (device, wanted) in [
        ("pda-1", r#"{"beep":1}"#),
        ("pda-2", r#"{"beep":0}"#),
        ("pda-3", r#"{"beep":0}"#),
    ] {
        let mut client = Raw::connect(
            &door,
            Hello {
                client_id: device,
                ..Hello::default()
            },
        )
        .await;
        let filter = format!("stockrelay/v1/ams1/{device}/config/desired");
        assert_eq!(client.subscribe(&[&filter], 1).await, [1]);
        assert_eq!(client.packet().await.publish(false).2, wanted);
        client.leave().await;
    }
    std::fs::write(dir.path().join("pda-1.json"), r#"{"beep":2}"#).unwrap();
    let mut client = Raw::v4(&door).await;
    client.subscribe_to("config/desired").await;
    assert_eq!(client.message(true).await.2, r#"{"beep":2}"#);
    // Not the default: it has a configuration.
    std::fs::write(dir.path().join("pda-1.json"), "{broken").unwrap();
    let mut client = Raw::v4(&door).await;
    client.subscribe_to("config/desired").await;
    assert_eq!(client.message(true).await.2, r#"{"beep":2}"#);
    let alarm = || door.board.snapshot().alarms.remove("device-config");
    let told = async {
        loop {
            if let Some(alarm) = alarm() {
                return alarm;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let alarm = tokio::time::timeout(PATIENCE, told)
        .await
        .expect("an alarm");
    assert!(alarm.contains("pda-3.json"), "{alarm}");
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

#[tokio::test]
async fn a_delayed_will_waits_for_its_client_but_not_beyond_the_session() {
    let door = Door::anonymous().await;
    let state = "retained/stockrelay/v1/ams1/pda-1/state";
    // Will flag and retain, session expiry 1 s or 1 h, will delay 1 h.
    let connect = |expiry: &[u8; 4]| {
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 5, 0b0010_0100, 0, 60, 5, 17];
        body.extend(expiry);
        body.extend([0, 5]);
        body.extend(b"pda-1");
        body.extend([5, 24, 0, 0, 14, 16]);
        for text in ["stockrelay/v1/ams1/pda-1/state", "gone"] {
            body.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            body.extend(text.as_bytes());
        }
        framed(0x10, &body)
    };
    for expiry in [[0, 0, 14, 16], [0, 0, 0, 1]] {
        let mut client = Raw::plain(&door, true).await;
        client.send(&connect(&expiry)).await;
        assert_eq!(client.packet().await.body[1], 0);
        drop(client);
        door.until_connected(0).await;
        assert!(!door.journal.kept().contains_key(state));
    }
    door.journal
        .until_kept("the will", |kept| kept.contains_key(state))
        .await;
}
