//! rumqttc as the client, in both versions.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};

use super::*;

fn options(door: &Door, client_id: &str) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, "127.0.0.1", door.address.port());
    options.set_keep_alive(Duration::from_secs(5));
    options.set_clean_session(false);
    options
}

#[tokio::test]
async fn rumqttc_3_1_1_publishes_and_reads_its_receipts() {
    let door = Door::anonymous().await;
    let (client, mut events) = AsyncClient::new(options(&door, "pda-1"), 100);
    client
        .subscribe(format!("{PREFIX}receipt"), QoS::AtLeastOnce)
        .await
        .unwrap();
    for n in 0..50 {
        client
            .publish(
                format!("{PREFIX}event"),
                QoS::AtLeastOnce,
                false,
                event(&n.to_string()),
            )
            .await
            .unwrap();
    }
    let (mut acks, mut receipts) = (0, Vec::new());
    let all = async {
        while acks < 50 || receipts.len() < 50 {
            match events.poll().await.unwrap() {
                Event::Incoming(Packet::PubAck(_)) => acks += 1,
                Event::Incoming(Packet::Publish(publish)) => {
                    let receipt: serde_json::Value =
                        serde_json::from_slice(&publish.payload).unwrap();
                    assert_eq!(receipt["status"], "stored");
                    receipts.push(receipt["id"].as_str().unwrap().to_owned());
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    let wanted: Vec<_> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(receipts, wanted);
    assert_eq!(door.journal.ids(), wanted);
}

#[tokio::test]
async fn rumqttc_5_publishes_and_reads_its_receipts() {
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason};
    use rumqttc::v5::{AsyncClient, Event, MqttOptions};
    let door = Door::anonymous().await;
    let options = MqttOptions::new("pda-1", "127.0.0.1", door.address.port());
    let (client, mut events) = AsyncClient::new(options, 100);
    client
        .subscribe(format!("{PREFIX}receipt"), QoS::AtLeastOnce)
        .await
        .unwrap();
    for n in 0..50 {
        client
            .publish(
                format!("{PREFIX}event"),
                QoS::AtLeastOnce,
                false,
                event(&n.to_string()),
            )
            .await
            .unwrap();
    }
    client
        .publish("elsewhere", QoS::AtLeastOnce, false, "x")
        .await
        .unwrap();
    let (mut acks, mut receipts) = (Vec::new(), 0);
    let all = async {
        while acks.len() < 51 || receipts < 50 {
            match events.poll().await.unwrap() {
                Event::Incoming(Packet::PubAck(ack)) => acks.push(ack.reason),
                Event::Incoming(Packet::Publish(_)) => receipts += 1,
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    assert_eq!(acks.pop(), Some(PubAckReason::NotAuthorized));
    assert!(acks.iter().all(|reason| *reason == PubAckReason::Success));
    assert_eq!(door.journal.ids().len(), 50);
}

#[tokio::test]
async fn rumqttc_takes_qos_2_through_all_four_packets() {
    let door = Door::anonymous().await;
    let (client, mut events) = AsyncClient::new(options(&door, "pda-1"), 10);
    client
        .publish(
            format!("{PREFIX}event"),
            QoS::ExactlyOnce,
            false,
            event("two"),
        )
        .await
        .unwrap();
    let done = async {
        while !matches!(
            events.poll().await.unwrap(),
            Event::Incoming(Packet::PubComp(_))
        ) {}
    };
    tokio::time::timeout(PATIENCE, done).await.unwrap();
    assert_eq!(door.journal.ids(), ["two"]);
}
