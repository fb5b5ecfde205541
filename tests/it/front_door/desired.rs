//! Configurations of floor devices from a bundle: `config/desired`, `config/reported` and drift.
//! The device is rumqttc.

use std::collections::BTreeMap;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS};
use stockrelay::board::DriftView;
use stockrelay::channel::desired::DesiredConfig;
use stockrelay::config::Listen;
use stockrelay::event::Name;
use stockrelay::fleet::floor;
use stockrelay::source::Intake;
use stockrelay::source::floor_devices::{DEVICE_DRIFT, FloorDevices};

use super::*;

/// A front door and the configurations that it publishes.
struct Site {
    door: Door,
    floor: FloorDevices,
}

impl Site {
    async fn open(config: Listen, kept: Vec<(String, Vec<u8>)>) -> Self {
        let mut floor = FloorDevices::default();
        let door = Door::with_intake(config, kept, |inbox| {
            let intake = Intake::new(inbox);
            floor = intake.floor_devices().clone();
            intake
        });
        let door = door.await;
        Self { door, floor }
    }

    /// The bundle brings these volumes.
    fn replace(&self, volumes: &[(&str, u64)]) -> BTreeMap<Name, DesiredConfig> {
        let configs: BTreeMap<_, _> = (volumes.iter())
            .map(|(device, volume)| {
                let config = serde_json::json!({ "volume": volume });
                (Name::new(device).unwrap(), floor::build(&config))
            })
            .collect();
        self.floor.replace(configs.clone());
        configs
    }

    async fn until_drift(&self, wanted: impl Fn(&BTreeMap<Name, DriftView>) -> bool) {
        let waiting = async {
            while !wanted(&self.door.board.snapshot().drift) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(in_time, "{:?}", self.door.board.snapshot().drift);
    }
}

/// A device that subscribes to its configuration.
struct FloorDevice {
    client: AsyncClient,
    events: EventLoop,
    prefix: String,
}

impl FloorDevice {
    async fn connect(site: &Site, name: &str) -> Self {
        let mut options = MqttOptions::new(name, "127.0.0.1", site.door.address.port());
        options.set_keep_alive(Duration::from_secs(5));
        let (client, events) = AsyncClient::new(options, 100);
        let prefix = format!("stockrelay/v1/ams1/{name}/");
        let topic = format!("{prefix}config/desired");
        client.subscribe(topic, QoS::AtLeastOnce).await.unwrap();
        let mut device = Self {
            client,
            events,
            prefix,
        };
        device
            .until(|packet| matches!(packet, Packet::SubAck(_)).then_some(()))
            .await;
        device
    }

    async fn until<T>(&mut self, wanted: impl Fn(&Packet) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Event::Incoming(packet) = self.events.poll().await.unwrap()
                    && let Some(found) = wanted(&packet)
                {
                    return found;
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, waiting).await;
        found.expect("the packet did not come in time")
    }

    /// The next message on `config/desired`.
    async fn desired(&mut self) -> Publish {
        let topic = format!("{}config/desired", self.prefix);
        let publish = |packet: &Packet| match packet {
            Packet::Publish(publish) if publish.topic == topic => Some(publish.clone()),
            _ => None,
        };
        self.until(publish).await
    }

    async fn report(&mut self, payload: &str) {
        let topic = format!("{}config/reported", self.prefix);
        let publish = self.client.publish(topic, QoS::AtLeastOnce, true, payload);
        publish.await.unwrap();
        self.until(|packet| matches!(packet, Packet::PubAck(_)).then_some(()))
            .await;
    }
}

fn reported(version: &str) -> String {
    serde_json::json!({"version": version, "error": null}).to_string()
}

#[tokio::test]
async fn a_bundles_configuration_reaches_its_device_and_is_replaced_and_removed() {
    let site = Site::open(anonymous(), Vec::new()).await;
    let first = site.replace(&[("pda-1", 1), ("pda-2", 1)]);
    let pda_1 = Name::new("pda-1").unwrap();
    // Retained: a device that connects later gets it.
    let kept = "retained/stockrelay/v1/ams1/pda-1/config/desired";
    site.door
        .journal
        .until_kept("the configuration", |kept_values| {
            kept_values.get(kept).map(|bytes| &bytes[..]) == Some(&first[&pda_1].payload[..])
        })
        .await;
    let mut device = FloorDevice::connect(&site, "pda-1").await;
    let message = device.desired().await;
    assert!(message.retain);
    assert_eq!(message.payload, first[&pda_1].payload);
    // The same configuration is not sent again; a new one is.
    site.replace(&[("pda-1", 1)]);
    let second = site.replace(&[("pda-1", 2), ("pda-2", 1)]);
    let message = device.desired().await;
    assert_eq!(message.payload, second[&pda_1].payload);
    assert_ne!(second[&pda_1].version, first[&pda_1].version);
    // A bundle without the device removes it.
    site.replace(&[("pda-2", 1)]);
    assert_eq!(device.desired().await.payload, "");
    let kept: Vec<_> = site.door.stop().await.into_iter().collect();
    let desired = kept
        .iter()
        .filter(|(key, _)| key.ends_with("config/desired"));
    let desired: Vec<_> = desired.map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        desired,
        ["retained/stockrelay/v1/ams1/pda-2/config/desired"]
    );
}

#[tokio::test]
async fn a_bundle_precedes_the_local_file_and_the_file_comes_back_without_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pda-1.json"), r#"{"beep":1}"#).unwrap();
    let config = Listen {
        device_config_dir: Some(dir.path().to_owned()),
        ..anonymous()
    };
    let site = Site::open(config, Vec::new()).await;
    let mut device = FloorDevice::connect(&site, "pda-1").await;
    assert_eq!(device.desired().await.payload, r#"{"beep":1}"#);
    let configs = site.replace(&[("pda-1", 1)]);
    let payload = &configs[&Name::new("pda-1").unwrap()].payload;
    assert_eq!(device.desired().await.payload, *payload);
    let mut again = FloorDevice::connect(&site, "pda-1").await;
    assert_eq!(again.desired().await.payload, *payload);
    site.replace(&[]);
    let mut found = again.desired().await.payload;
    if found.is_empty() {
        found = again.desired().await.payload;
    }
    assert_eq!(found, r#"{"beep":1}"#);
}

#[tokio::test]
async fn a_version_that_differs_for_too_long_is_drift_until_the_device_reports_the_right_one() {
    let site = Site::open(anonymous(), Vec::new()).await;
    let pda_1 = Name::new("pda-1").unwrap();
    let version = site.replace(&[("pda-1", 1)])[&pda_1].version.clone();
    let mut device = FloorDevice::connect(&site, "pda-1").await;
    device.desired().await;
    device.report(&reported("old")).await;
    // Within the default of an hour it is no drift.
    site.floor.set_drift_after(Duration::from_millis(1));
    site.until_drift(|drift| {
        drift.get(&pda_1).is_some_and(|view| {
            view.desired.as_ref() == Some(&version)
                && view.reported.as_deref() == Some("old")
                && view.error.is_none()
        })
    })
    .await;
    let alarm = site.door.board.snapshot().alarms[DEVICE_DRIFT].clone();
    assert!(
        alarm.contains("Device pda-1 should use configuration"),
        "{alarm}"
    );
    device.report(&reported(&version)).await;
    site.until_drift(BTreeMap::is_empty).await;
    assert!(!site.door.board.snapshot().alarms.contains_key(DEVICE_DRIFT));
    // An error is drift at once.
    site.floor.set_drift_after(Duration::from_hours(1));
    let failed = serde_json::json!({"version": version, "error": "no such decoder"});
    device.report(&failed.to_string()).await;
    site.until_drift(|drift| {
        drift
            .get(&pda_1)
            .is_some_and(|view| view.error.as_deref() == Some("no such decoder"))
    })
    .await;
}

#[tokio::test]
async fn after_a_restart_the_retained_messages_are_compared_again() {
    let site = Site::open(anonymous(), Vec::new()).await;
    let pda_1 = Name::new("pda-1").unwrap();
    let configs = site.replace(&[("pda-1", 1), ("pda-2", 1)]);
    let mut device = FloorDevice::connect(&site, "pda-1").await;
    device.desired().await;
    let failed = serde_json::json!({"version": configs[&pda_1].version, "error": "no space"});
    device.report(&failed.to_string()).await;
    site.until_drift(|drift| drift.contains_key(&pda_1)).await;
    let kept = site.door.stop().await;

    let site = Site::open(anonymous(), kept).await;
    // The device that never reported drifts as well, once its time is over.
    site.floor.set_drift_after(Duration::from_millis(1));
    site.until_drift(|drift| drift.len() == 2).await;
    let drift = site.door.board.snapshot().drift;
    assert_eq!(drift[&pda_1].error.as_deref(), Some("no space"));
    let pda_2 = &drift[&Name::new("pda-2").unwrap()];
    assert_eq!((&pda_2.reported, &pda_2.error), (&None, &None));
    // The bundle that brought them is gone.
    site.replace(&[]);
    site.until_drift(BTreeMap::is_empty).await;
}
