//! Last wills, and the state that a device publishes.

use super::super::*;
use super::lasting;
use stockrelay::source::Intake;
use stockrelay::source::clock_time::ClockTimes;

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
    assert!(heard.try_recv().is_err(), "the will, or the stored state");
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
