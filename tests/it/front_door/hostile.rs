//! Hostile or faulty clients: each costs only its own connection.

use stockrelay::config::Listen;

use super::*;

/// Sends bytes as the first thing on a connection and waits for its end.
async fn rejected(door: &Door, bytes: &[u8]) {
    let mut raw = Raw::plain(door, false).await;
    raw.try_send(bytes).await;
    while raw.next().await.is_some() {}
}

#[tokio::test]
async fn garbage_closes_its_own_connection_alone() {
    let door = Door::anonymous().await;
    let mut good = Raw::connect(
        &door,
        Hello {
            client_id: "pda-2",
            ..Hello::default()
        },
    )
    .await;
    rejected(&door, b"GET / HTTP/1.1\r\n\r\n").await;
    rejected(&door, &[0x16, 3, 1, 2, 0, 1, 0, 1]).await;
    rejected(&door, &[0xFF; 64]).await;
    rejected(&door, &[0x10, 0xFF, 0xFF, 0xFF, 0xFF]).await;
    rejected(
        &door,
        &framed(0x10, &[0, 4, b'M', b'Q', b'T', b'X', 4, 2, 0, 0, 0, 0]),
    )
    .await;
    // A PUBLISH before the CONNECT; a CONNECT with the reserved flag; a password without a name in
    // 3.1.1.
    rejected(&door, &framed(0x30, &[0, 1, b'a'])).await;
    rejected(
        &door,
        &framed(
            0x10,
            &[0, 4, b'M', b'Q', b'T', b'T', 4, 3, 0, 0, 0, 1, b'a'],
        ),
    )
    .await;
    rejected(
        &door,
        &framed(
            0x10,
            &[
                0, 4, b'M', b'Q', b'T', b'T', 4, 0x42, 0, 0, 0, 1, b'a', 0, 1, b'p',
            ],
        ),
    )
    .await;
    for bytes in [
        Hello::default().bytes(),
        framed(0x36, &[0, 1, b'a', 0, 1]),
        framed(0x32, &[0, 1, b'a', 0, 0]),
        framed(0x82, &[0, 1]),
        framed(0x80, &[0, 1, 0, 1, b'a', 0]),
        framed(0x30, &[0, 2, 0xC3, 0x28]),
        framed(0x20, &[0, 0]),
        vec![0xF0, 0],
    ] {
        let mut client = Raw::v4(&door).await;
        client.try_send(&bytes).await;
        client.closed().await;
    }
    for (bytes, code) in [
        (framed(0x32, &[0, 1, b'a', 0, 1, 2, 1]), 0x81),
        (framed(0x32, &[0, 1, b'a', 0, 1, 3, 35, 0, 1]), 0x94),
        (framed(0x82, &[0, 1, 2, 11, 1, 0, 1, b'a', 0]), 0xA1),
        (framed(0x40, &[0]), 0x81),
        (
            Hello {
                v5: true,
                ..Hello::default()
            }
            .bytes(),
            0x82,
        ),
    ] {
        let mut client = Raw::v5(&door).await;
        client.try_send(&bytes).await;
        client.disconnected(code).await;
    }
    good.quiet().await;
}

#[tokio::test]
async fn other_versions_are_told_which_are_spoken() {
    let door = Door::anonymous().await;
    for body in [
        &[
            0, 6, b'M', b'Q', b'I', b's', b'd', b'p', 3, 2, 0, 60, 0, 1, b'a',
        ][..],
        &[0, 4, b'M', b'Q', b'T', b'T', 6, 2, 0, 60, 0, 1, b'a'][..],
    ] {
        let mut raw = Raw::plain(&door, false).await;
        raw.send(&framed(0x10, body)).await;
        let connack = raw.packet().await;
        assert_eq!((connack.first, connack.body), (0x20, vec![0, 1]));
        raw.closed().await;
    }
}

#[tokio::test]
async fn a_packet_above_the_limit_is_refused_by_its_header() {
    let door = Door::open(Listen {
        packet_bytes_max: 1_024,
        ..anonymous()
    })
    .await;
    let (mut v5, connack) = Raw::hello(
        &door,
        Hello {
            v5: true,
            ..Hello::default()
        },
    )
    .await;
    // The CONNACK had Maximum Packet Size 1,024 and Receive Maximum 64.
    assert!(
        connack.body.windows(5).any(|w| w == [39, 0, 0, 4, 0]),
        "{connack:?}"
    );
    assert!(
        connack.body.windows(3).any(|w| w == [33, 0, 64]),
        "{connack:?}"
    );
    assert!(connack.body.windows(2).any(|w| w == [36, 1]), "{connack:?}");
    v5.send(&[0x32, 0xFF, 0xFF, 0x7F]).await;
    v5.disconnected(0x95).await;
    let mut v4 = Raw::v4(&door).await;
    v4.send(&[0x32, 0xFF, 0xFF, 0x7F]).await;
    v4.closed().await;
    let mut v4 = Raw::v4(&door).await;
    let payload = event(&"x".repeat(100));
    v4.publish("event", 1, &payload).await;
    v4.acked(1).await;
}

#[tokio::test]
async fn connections_above_the_limit_are_told_so() {
    let door = Door::open(Listen {
        connections_max: 2,
        ..anonymous()
    })
    .await;
    let mut clients = Vec::new();
    for client_id in ["pda-1", "pda-2"] {
        clients.push(
            Raw::connect(
                &door,
                Hello {
                    client_id,
                    ..Hello::default()
                },
            )
            .await,
        );
    }
    for (v5, code) in [(false, 3), (true, 0x89)] {
        let (mut client, connack) = Raw::hello(
            &door,
            Hello {
                v5,
                client_id: "pda-3",
                ..Hello::default()
            },
        )
        .await;
        assert_eq!(connack.body[1], code);
        client.closed().await;
    }
    clients.pop().unwrap().leave().await;
    door.until_connected(1).await;
    // The place is free once the connection's task has ended, a moment after the board knows.
    let waiting = async {
        while Raw::hello(
            &door,
            Hello {
                client_id: "pda-3",
                ..Hello::default()
            },
        )
        .await
        .1
        .body[1]
            != 0
        {}
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

#[tokio::test]
async fn a_client_above_its_rate_is_read_more_slowly_and_loses_nothing() {
    let door = Door::open(Listen {
        rate_per_s: 50,
        ..anonymous()
    })
    .await;
    let mut client = Raw::v4(&door).await;
    let mut bytes = Vec::new();
    for pkid in 1..=100_u16 {
        bytes.extend(client.publish_bytes(
            0x32,
            &format!("{PREFIX}event"),
            pkid,
            &event(&pkid.to_string()),
        ));
    }
    let start = tokio::time::Instant::now();
    client.send(&bytes).await;
    for pkid in 1..=100 {
        client.acked(pkid).await;
    }
    // 50 at once, 50 more in a second.
    let took = start.elapsed().as_secs_f64();
    assert!((0.9..5.0).contains(&took), "{took}");
    assert_eq!(door.journal.ids().len(), 100);
}

#[tokio::test]
async fn many_sessions_of_one_device_make_room_for_the_newest() {
    let (config, _dir) = super::access::with_passwords(&[("pda-1", "pw")]);
    let door = Door::open(config).await;
    let ids: Vec<_> = (0..10).map(|n| format!("c-{n}")).collect();
    for client_id in &ids {
        let hello = Hello {
            client_id,
            clean: false,
            login: Some(("pda-1", "pw")),
            ..Hello::default()
        };
        let mut client = Raw::connect(&door, hello).await;
        client.subscribe_to("display").await;
        client.leave().await;
        door.until_connected(0).await;
    }
    let kept = door.stop().await;
    let sessions = kept
        .iter()
        .filter(|(key, _)| key.starts_with("session/"))
        .count();
    assert_eq!(sessions, 8);
    assert!(!kept.iter().any(|(key, _)| key == "session/pda-1/c-0"));
}

#[tokio::test]
async fn a_state_beyond_16_kib_is_not_kept() {
    let door = Door::anonymous().await;
    let mut v5 = Raw::v5(&door).await;
    v5.publish("state", 1, &"x".repeat(17_000)).await;
    let reason = v5.nacked(1, 0x97).await;
    assert!(reason.contains("16 KiB"), "{reason}");
    assert!(door.journal.kept().is_empty());
}
