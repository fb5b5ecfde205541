//! Devices that publish and wait for their acknowledgements.

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, v5};
use std::net::SocketAddr;

pub async fn publish_v4(device: &str, address: SocketAddr, messages: Vec<(String, Vec<u8>)>) {
    let mut options = MqttOptions::new(device, address.ip().to_string(), address.port());
    options.set_clean_session(true);
    let (client, mut events) = AsyncClient::new(options, messages.len() + 1);
    let mut missing = messages.len();
    for (topic, payload) in messages {
        client
            .publish(topic, QoS::AtLeastOnce, false, payload)
            .await
            .expect("room in the queue");
    }
    while missing > 0 {
        let event = events.poll().await.expect("a connection to the front door");
        if let Event::Incoming(Packet::PubAck(_)) = event {
            missing -= 1;
        }
    }
}

pub async fn publish_v5(device: &str, address: SocketAddr, messages: Vec<(String, Vec<u8>)>) {
    let options = v5::MqttOptions::new(device, address.ip().to_string(), address.port());
    let (client, mut events) = v5::AsyncClient::new(options, messages.len() + 1);
    let mut missing = messages.len();
    for (topic, payload) in messages {
        let qos = v5::mqttbytes::QoS::AtLeastOnce;
        client
            .publish(topic, qos, false, payload)
            .await
            .expect("room in the queue");
    }
    while missing > 0 {
        let event = events.poll().await.expect("a connection to the front door");
        if let v5::Event::Incoming(v5::Incoming::PubAck(_)) = event {
            missing -= 1;
        }
    }
}
