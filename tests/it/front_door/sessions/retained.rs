//! Retained messages: states and device configurations.

use super::super::*;

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
    // The list of tasks is built again.
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
