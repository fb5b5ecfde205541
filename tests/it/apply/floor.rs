//! Configurations for floor devices by a bundle: published, replaced, taken back; and the drift of
//! a device that does not follow.

use std::net::SocketAddr;

use rumqttc::mqttbytes::v4::Packet;
use serde_json::Value;

use super::Gateway;
use crate::free_address::free_address;
use crate::reload::site::Device;

const TEMPLATE: (&str, &str) = (
    "floor/esp32.json",
    "{\"volume\": \"{{volume}}\", \"led\": true}",
);
const LIST: (&str, &str) = ("devices.toml", "[devices.esp-1]\nfamily = \"esp32\"\n");

impl Gateway {
    fn address(&self) -> SocketAddr {
        let main = std::fs::read_to_string(self.site.path("config.toml")).unwrap();
        let table: toml::Table = main.parse().unwrap();
        let address = table["mqtt"]["listen"]["address"].as_str().unwrap();
        address.parse().unwrap()
    }

    fn floor_bundle(&self, serial: u64, volume: u64) -> bytes::Bytes {
        let values = format!("[all]\nvolume = {volume}\n");
        self.bundle(
            serial,
            "ams1",
            &[TEMPLATE, LIST, ("floor/values.toml", &values)],
        )
    }
}

/// The next configuration that the device receives.
async fn desired(device: &mut Device) -> Value {
    loop {
        if let Packet::Publish(message) = device.receive().await.expect("a message") {
            return serde_json::from_slice(&message.payload).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_configures_floor_devices_and_its_rollback_takes_that_back() {
    let mut gateway = Gateway::start(1).await;
    let (code, text) = gateway.apply(&gateway.floor_bundle(7, 5), &[]);
    assert_eq!(code, 0, "{text}");
    let mut device = Device::connect(gateway.address(), "esp-1").await;
    let first = device.subscribe_to_retained("config/desired").await;
    let first: Value = serde_json::from_slice(&first).unwrap();
    assert_eq!(first["config"]["volume"], 5, "{first}");
    let (code, text) = gateway.apply(&gateway.floor_bundle(8, 9), &["--no-wait"]);
    assert_eq!(code, 0, "{text}");
    let second = desired(&mut device).await;
    assert_eq!(second["config"]["volume"], 9, "{second}");
    assert_ne!(second["version"], first["version"]);
    gateway.until_ended(8).await;
    let output = gateway.run(&["config", "rollback"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(desired(&mut device).await, first);
    // Also for a device that comes later, and after a restart.
    gateway.stop_and_start().await;
    let mut device = Device::connect(gateway.address(), "esp-1").await;
    let later = device.subscribe_to_retained("config/desired").await;
    let later: Value = serde_json::from_slice(&later).unwrap();
    assert_eq!(later, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_reports_another_version_drifts_after_drift_s() {
    let metrics = free_address();
    let extra = format!("drift_s = 2592000\n[control]\nmetrics = \"{metrics}\"\n");
    let gateway = Gateway::start_with(1, &extra).await;
    let (code, text) = gateway.apply(&gateway.floor_bundle(7, 5), &[]);
    assert_eq!(code, 0, "{text}");
    let mut device = Device::connect(gateway.address(), "esp-1").await;
    let wanted = device.subscribe_to_retained("config/desired").await;
    let wanted: Value = serde_json::from_slice(&wanted).unwrap();
    let other = r#"{"version": "0123456789abcdef", "error": null}"#;
    device.publish("config/reported", other).await;
    let status: Value = gateway.client().get("/v1/status").await.unwrap();
    assert_eq!(status["devices"]["drift"], 0, "{status}");
    // A reload sets the time.
    gateway
        .site
        .write("config.d/60.toml", "fleet.drift_s = 1\n");
    let output = gateway.run(&["config", "reload"]);
    assert!(output.status.success(), "{output:?}");
    let drifts = |status: &Value| status["devices"]["drift"] == 1;
    let status = gateway.until("the device drifts", drifts).await;
    let alarm = status["alarms"]["device-drift"].as_str().unwrap();
    assert!(alarm.contains("esp-1"), "{alarm}");
    let listed = &status["devices"]["listed"][0]["drift"];
    assert_eq!(listed["desired"], wanted["version"], "{listed}");
    assert_eq!(listed["reported"], "0123456789abcdef", "{listed}");
    let text = reqwest::get(format!("http://{metrics}/metrics")).await;
    let text = text.unwrap().text().await.unwrap();
    assert!(text.contains("\nstockrelay_devices_drift 1\n"), "{text}");
    let output = gateway.run(&["status"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("drift: 1 device without the desired"),
        "{shown}"
    );
    let right = format!("{{\"version\": {}, \"error\": null}}", wanted["version"]);
    device.publish("config/reported", &right).await;
    gateway
        .until("it does not drift", |status| {
            status["devices"]["drift"] == 0
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_s_holds_from_the_start_without_a_bundle() {
    let mut gateway = Gateway::start_with(1, "drift_s = 1\n").await;
    std::fs::create_dir(gateway.site.path("floor")).unwrap();
    let desired = r#"{"version": "a", "config": {}}"#;
    gateway.site.write("floor/esp-1.json", desired);
    let key = "mqtt.listen.device_config_dir = \"floor\"\n";
    gateway.site.write("config.d/60.toml", key);
    gateway.stop_and_start().await;
    let mut device = Device::connect(gateway.address(), "esp-1").await;
    let found = device.subscribe_to_retained("config/desired").await;
    assert_eq!(found, desired);
    let reported = r#"{"version": "b", "error": null}"#;
    device.publish("config/reported", reported).await;
    gateway
        .until("the device drifts", |status| {
            status["devices"]["drift"] == 1
        })
        .await;
}
